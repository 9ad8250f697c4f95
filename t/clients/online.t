# The page's recipe "who is online", and the program that keeps a list of them
# over its own restart and nginx's.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use JSON::PP ();
use Test::More;

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Child ();
use Longpoll::Client ();
use Longpoll::Server qw( wait_until );

my $root = abs_path(dirname(abs_path(__FILE__)) . '/../..');

plan skip_all => 'python3 is not installed'
    if system 'python3 --version >/dev/null 2>&1';

my $private = Longpoll::Server::free_port(20000 + $$ % 20000);
my $recipe = recipe('online');

$recipe =~ s/listen 8080;.*?\n    (?=location)//s;
$recipe =~ s/127\.0\.0\.1:8082/127.0.0.1:$private/;
$recipe =~ s/grace=10s/grace=300ms/;

my ($zone, $public, $backend) =
    $recipe =~ /\A(longpoll_zone .*?;\n)\s*server \{\s*(.*)\n\}\s*(server \{.*)\z/s;

my $server = Longpoll::Server->start(http => $zone . $backend,
                                     server => $public);
my $file = $server->dir . '/online.json';
my $python = run_python();

is_online('nobody is online');

my @ann = map { inbox('ann') } 1, 2;
my $bob = inbox('bob');

is_online('two users are', 'user:ann', 'user:bob');

$ann[0]->close;
$bob->close;
is_online('one has left, the other has a window left', 'user:ann');

kill_python();
$ann[1]->close;
my $cat = inbox('cat');
wait_until('the third user', sub { $server->waiting == 1 });

$python = run_python();
is_online('what happened meanwhile is caught up with', 'user:cat');

kill_python('KILL');
$python = run_python();
$bob = inbox('bob');
is_online('also after a crash', 'user:bob', 'user:cat');

$server->stop;
$server->start_again;
$cat = inbox('cat');
is_online('a new life begins with nobody', 'user:cat');

is(scalar $server->alerts, 0, 'no alert in the error log');

kill_python();
done_testing();


sub recipe {
    my ($name) = @_;

    open my $in, '<', "$root/docs/backends.md" or die $!;
    my ($text) = join('', <$in>)
                 =~ /<!-- recipe: \Q$name\E -->\n```nginx\n(.*?)```/s;
    return $text;
}

# A poll of a user's.

sub inbox {
    my ($user) = @_;

    my $c = Longpoll::Client->new(port => $server->port);

    $c->request('GET', "/inbox/$user?timeout=60");
    return $c;
}

sub run_python {
    return Longpoll::Child->start(
        [ 'python3', "$root/demo/backends/online.py",
          "http://127.0.0.1:$private/online", $file ],
        log => $server->dir . '/python.log');
}

sub kill_python {
    $python->signal($_[0]) if $_[0];
    $python->end;
}

sub is_online {
    my ($name, @want) = @_;
    my @got;

    eval {
        wait_until($name, sub {
            open my $in, '<', $file or return 0;
            my $state = eval { JSON::PP::decode_json(join '', <$in>) }
                        or return 0;

            @got = @{ $state->{online} };
            "@got" eq "@want";
        });
    };

    is_deeply(\@got, \@want, $name);
}
