# The demo as a visitor has it: `make run`, two windows that talk, the printed
# curl lines as they stand, nginx gone and back, and nothing left at the end.
#
# With LONGPOLL_SCREENSHOTS=DIR it leaves pictures of the page there, as seen on
# a phone and on a desktop, light and dark.

use strict;
use warnings;
use utf8;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use IO::Socket::INET ();
use Test::More;
use Time::HiRes qw( sleep time );

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Browser ();
use Longpoll::Child ();
use Longpoll::Server qw( wait_until );

my $root = abs_path(dirname(abs_path(__FILE__)) . '/../..');
my $missing = Longpoll::Browser->missing;

plan skip_all => $missing if $missing;

my $port = free_port();
my $url = "http://127.0.0.1:$port/";
my ($run, $said) = start();
my $http = HTTP::Tiny->new(timeout => 10);


# two windows

my $browser = Longpoll::Browser->start;
my $one = $browser->window;
my $two = $browser->new_window;

$one->open($url);
like($one->find('#empty')->text, qr/second window/, 'an empty chat says how');
is($one->find('#state')->text, 'listening', 'and listens');

$two->open($url);
wait_until('both windows to be parked' => sub { waiting() == 2 });
pass('both windows wait at once, though they ask for the same');

name($one, 'Ann');
name($two, 'Ben Bo');
say_in($one, 'hello <b>you</b> & "all"');
is(heard($two, 1), 'Ann: hello <b>you</b> & "all"',
   'what one window says stands in the other, as text');
is(heard($one, 1), 'You: hello <b>you</b> & "all"', 'and in its own');
say_in($two, "\x{e9}\x{1f437}");
is(heard($one, 2), "Ben Bo: \x{e9}\x{1f437}", 'and the other way round');
is($one->find('#text')->property('value'), '', 'what was sent is cleared');


# the printed lines

my ($poll, $publish) = $said =~ /^(curl '[^\n]+)\n\n(curl -d [^\n]+)\n/m;

open my $out, '-|', "$poll 2>/dev/null" or die "$poll: $!\n";

wait_until('the printed poll to be parked' => sub { waiting() == 3 });
is(`$publish 2>/dev/null`, '{"success": true}', 'the printed publish is taken');
like(join('', <$out>), qr/^\{"events":\[\{.*"data":"hello".*\}\]\}$/,
     'the printed poll gets it');
is(heard($_, 3), 'somebody: hello', 'and so do the windows') for $one, $two;
(my $foreign = $publish) =~ s/^curl/curl -si -H 'Origin: http:\/\/a.example'/;
like(`$foreign`, qr{^HTTP/1\.1 403 }, 'a page of another site publishes nothing');
publish('{"category":"chat","data":{"x":[1]}}');
is(heard($one, 4), 'somebody: {"x":[1]}', 'data of another kind is shown');


# what happens underneath

$one->size(1280, 800);
$one->wait_for('document.querySelector("#numbers dd").textContent === "2"',
               'the polls to be counted');
is($one->find('[data-key=events]')->text, '4', 'events are counted');

my ($top, $below) = map { $_->text } $one->find_all('#requests li');

like($top, qr{^GET[ ]/events\?category=chat&timeout=30&since_time=\d+&last_id=
              [-0-9a-f]{36}\nparked,}x, 'the parked poll is shown');
like($below, qr/200 after .*"data":\{"x":\[1\]\}/s, 'and the last answer');

$two->size(390, 800);
ok(!$two->run('return !!document.getElementById("wire").offsetWidth'),
   'a phone has the chat first');
$two->find('#toggle')->click;
ok($two->run('return !!document.getElementById("wire").offsetWidth'),
   'and the rest behind a button');
$two->find('#toggle')->click;

pictures() if $ENV{LONGPOLL_SCREENSHOTS};

is_deeply([map { $_->{message} } map { $_->console } $one, $two], [],
          'the console is silent');


# nginx goes, and comes back

stop();
$one->wait_for('document.getElementById("state").dataset.state === "broken"',
               'the page to notice');
like($one->find('#state')->text, qr/nginx is not there/, 'it says so');
say_in($one, 'lost?');
like($one->wait_for('document.querySelector(".note")?.textContent', 'a note'),
     qr/^Not sent: /, 'what cannot be sent is told');
is($one->find('#text')->property('value'), 'lost?', 'and kept');

($run) = start();
wait_until('both windows to come back' => sub { waiting() == 2 });
$one->wait_for('document.getElementById("state").dataset.state === "listening"',
               'the page to notice');
$one->find('#form button')->click;
is(heard($two, 5), 'Ann: lost?', 'it goes on where it was');


# the end

$browser->end;
stop();
ok(!IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port"),
   'nobody listens any more');
ok(!-e "$root/build/run", 'no file is left');

done_testing();


sub free_port {
    my $sock = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1:0')
        or die "no port: $!\n";
    return $sock->sockport;
}

sub start {
    my $log = "$root/build/demo.log";

    unlink $log;
    my $child = Longpoll::Child->start(["$root/tools/run", $port],
                                       log => $log);

    wait_until('the demo to be up' => sub { slurp($log) =~ /^curl -d .*\n\n/m });
    return ($child, slurp($log));
}

# what Ctrl-C and TERM do; the rest of it must be gone then by itself

sub stop {
    $run->signal('TERM');
    wait_until('the demo to end' => sub { !$run->alive });
}

sub slurp {
    my ($file) = @_;

    open my $fh, '<', $file or return '';
    local $/;
    return scalar(<$fh>) // '';
}

sub waiting {
    my $r = $http->get("${url}status");
    return -1 unless $r->{success};
    return JSON::PP::decode_json($r->{content})->{zones}{events}{waiting};
}

sub publish { $http->post("${url}publish", { content => $_[0] }) }

sub name {
    my ($window, $name) = @_;

    $window->find('#name')->clear;
    $window->find('#name')->type($name);
}

sub say_in {
    my ($window, $text) = @_;

    $window->find('#text')->type("$text\x{E007}");
}

# the nth message that a window shows, once it does: "who: what"

sub heard {
    my ($window, $n) = @_;

    my $line = "document.querySelectorAll('.message')[$n - 1]";

    return $window->wait_for("$line && $line.querySelector('b').textContent "
        . "+ ': ' + $line.querySelector('.bubble').textContent", "message $n");
}

sub pictures {
    my %sizes = (phone => [390, 844], desktop => [1280, 800]);

    for my $scheme (qw( light dark )) {
        for my $size (sort keys %sizes) {
            $one->cdp('Emulation.setEmulatedMedia', { features =>
                [{ name => 'prefers-color-scheme', value => $scheme }] });
            $one->size(@{ $sizes{$size} });
            $one->screenshot("$ENV{LONGPOLL_SCREENSHOTS}/$size-$scheme.png");
        }
    }
}
