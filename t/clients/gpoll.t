# gpoll's protocol in a browser: the demo's broadcast.  Two windows hear each
# other, over a reload; one window is away for too long.

use strict;
use warnings;
use utf8;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use HTTP::Tiny ();
use Test::More;

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Axe qw( accessible );
use Longpoll::Browser ();
use Longpoll::Server qw( wait_until );

my $root = abs_path(dirname(abs_path(__FILE__)) . '/../..');
my $missing = Longpoll::Browser->missing;

plan skip_all => $missing if $missing;

my $conf = slurp("$root/demo/nginx.conf");
my ($zone, $location) = $conf =~ /#> broadcast\n(.*?)^ *#<\n/gms;
my ($map) = $conf =~ /(    map .*?\n    \}\n)/s;

ok($zone && $location && $map, 'the demo has its broadcast');

my $server = Longpoll::Server->start(
    workers => 2,
    http    => ($zone =~ s/;/ inactive=2s;/r) . "longpoll_max_timeout 2s;\n"
               . $map,
    server  => $location,
    files   => { map { ("html/$_" => "$root/demo/$_") }
                 qw( gpoll.html gpoll.css gpoll.js demo.css under.js
                     nginx.conf ) },
);
my $url = $server->url('/');
my $http = HTTP::Tiny->new(timeout => 10);


# two windows

my $browser = Longpoll::Browser->start;
my $one = $browser->window;
my $two = $browser->new_window;

$_->open("${url}gpoll.html") for $one, $two;
accessible($one, 'the broadcast');
$server->wait_waiting(2);
like($one->find('#state')->text,
     qr/^registered as \d+\$[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
     'a window has registered');
isnt($one->find('#state')->text, $two->find('#state')->text,
     'and the other has another id');

say_in($one, 'Ann', 'hello <b>you</b> & "all"');
is(heard($two, 1), 'Ann|hello <b>you</b> & "all"',
   'the other window shows the message, as text');
is(heard($one, 1), 'Ann|hello <b>you</b> & "all"', 'and so does the own one');
say_in($two, 'Ben', "\x{e9}\x{1f437}\\");
is(heard($one, 2), "Ben|\x{e9}\x{1f437}\\", 'and the other way round');

# faster than the client polls

for my $n (3 .. 12) {
    is($http->post("${url}broadcast", {
           headers => { 'Content-Type' => 'application/json' },
           content => qq({"user": "curl", "msg": "m$n"}),
       })->{content}, '{"success": true}', "message $n is taken");
}

for my $window ($one, $two) {
    is(heard($window, $_), "curl|m$_", "and shown, in order") for 3 .. 12;
}


# time-outs, a reload

my $ids = join ' ', map { $_->find('#state')->text } $one, $two;

wait_until('time-outs' => sub { $server->status('broadcast')->{timeouts} >= 4 });
$server->reload;
$server->wait_waiting(2);
say_in($one, 'Ann', 'still there?');
is(heard($_, 13), 'Ann|still there?', 'both windows continue') for $one, $two;
is(join(' ', map { $_->find('#state')->text } $one, $two), $ids,
   'with the same ids');


# A client that is away for too long registers again.

$server->stop;
$one->wait_for('document.getElementById("state").textContent === '
               . '"nginx does not answer"', 'the page to notice');
$server->start_again;
$server->wait_waiting(2);
say_in($two, 'Ben', 'back');
is(heard($_, 14), 'Ben|back', 'a new nginx knows no client, both register')
    for $one, $two;
is(() = ($one->find_all('#heard li')), 14, 'each message once');

# The browser itself reports the stopped nginx, and 404.

is_deeply([grep { !/^chrome:|ERR_CONNECTION|ERR_EMPTY|status of 404|Failed to load/ }
           map { $_->{message} } map { $_->console } $one, $two], [],
          'the console is silent');

$browser->end;
$server->stop;

done_testing();


sub slurp {
    my ($file) = @_;

    open my $fh, '<', $file or die "$file: $!\n";
    local $/;
    return scalar <$fh>;
}

sub say_in {
    my ($window, $user, $text) = @_;

    $window->find('#user')->clear;
    $window->find('#user')->type($user);
    $window->find('#msg')->type("$text\x{E007}");
}

# the nth line of a window, once it is there

sub heard {
    my ($window, $n) = @_;

    my $line = "document.querySelectorAll('#heard li')[$n - 1]";

    return $window->wait_for("$line && $line.firstChild.textContent + '|' "
        . "+ $line.lastChild.textContent", "message $n");
}
