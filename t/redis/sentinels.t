# Three Sentinels: a majority of them replaces the master, and one that is dead,
# stopped or wrong is passed over.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use File::Temp qw( tempdir );
use Test::More;

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Child ();
use Longpoll::Node ();
use Longpoll::Persist qw( no_alerts wait_until );
use Longpoll::Redis ();
use Longpoll::Server ();

plan skip_all => 'there is no redis-server' unless Longpoll::Redis->version;

my $dir = tempdir('longpoll-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $port = 35_000;
my @liars;


# A server that says the same to everybody.

sub liar {
    my ($reply) = @_;

    $port = Longpoll::Server::free_port($port + 1);

    push @liars, Longpoll::Child->start([ $^X, '-MIO::Socket::INET', '-e',
                                          <<'_EOC_', $port, $reply ],
        my ($port, $reply) = @ARGV;
        my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1:$port",
                                      Listen => 9, ReuseAddr => 1) or die;
        while (my $c = $s->accept) {
            sysread $c, my $ask, 1024 and syswrite $c, $reply;
            push @open, $c;
        }
_EOC_
        log => "$dir/log", dir => $dir);

    my $address = "127.0.0.1:$port";

    wait_until('the liar', sub { IO::Socket::INET->new(PeerAddr => $address) });

    return $address;
}

sub names {
    my ($host, $port) = @_;

    return sprintf "*2\r\n\$%d\r\n%s\r\n\$%d\r\n%s\r\n", length $host, $host,
                   length $port, $port;
}

sub info { my ($redis, $field) = @_; return eval { $redis->info($field) } // '' }

my $master = Longpoll::Redis->start;
my $replica = $master->replica;
my @sentinels = map {
    Longpoll::Redis->sentinel(main => $master, quorum => 2, options => {
        'down-after-milliseconds' => 500, 'failover-timeout' => 5000,
    });
} 1 .. 3;

# While these find each other:

{
    my $good = $sentinels[0]->address;
    my $nobody = Longpoll::Server::free_port($port + 1);
    my %said = (
        'a replica'             => names('127.0.0.1', $replica->port),
        'nobody'                => names('127.0.0.1', $nobody),
        'a name'                => names('localhost', $master->port),
        'a port that is none'   => names('127.0.0.1', 70000),
        'half of it'            => substr(names('127.0.0.1', 70000), 0, 20),
        'an error'              => "-IDONTKNOW\r\n",
        'no master'             => "*-1\r\n",
        'another protocol'      => "HTTP/1.1 400 Bad Request\r\n\r\n",
        'nothing'               => '',
    );

    my %nodes = map {
        $_ => Longpoll::Node->start(
            redis => 'sentinel://' . liar($said{$_}) . ",$good/main",
            parameters => 'timeout=1s', workers => 1)
    } sort keys %said;

    for my $name (sort keys %nodes) {
        my $n = $nodes{$name};

        wait_until("$name: a publish is taken", sub {
            $n->post(a => 1)->response->status == 200;
        });
        pass("a Sentinel that says $name is passed over");
        no_alerts($n, $name);
    }
}

wait_until('the Sentinels know each other and the replica', sub {
    for (@sentinels) {
        my %said = @{ $_->call('SENTINEL', 'MASTER', 'main') };
        return 0 if $said{'num-slaves'} != 1
                    || $said{'num-other-sentinels'} != 2;
    }

    return 1;
}, 40);

my $n = Longpoll::Node->start(
    redis => 'sentinel://' . join(',', map { $_->address } @sentinels) . '/main',
    parameters => 'timeout=1s');

$n->wait_synced;
my $id = $n->publish(a => 1);

# The first one is stopped: it takes connections, and says nothing.  The others
# are a majority.

$sentinels[0]->stop;
$master->kill;

wait_until('the replica is the master', sub {
    info($replica, 'role') eq 'master';
}, 40);
wait_until('a publish is taken', sub {
    $n->post(a => 2)->response->status == 200;
}, 40);

is(($n->events('a'))[-1][1], 2, 'two of three replace the master: the node follows');
is($n->poll(category => 'a', last_id => $id)->response->missed, 1,
   'and clients are told');
no_alerts($n, 'a majority');

$sentinels[0]->cont;

done_testing;
