# Three nodes, publishers on all of them, and followers that change their node
# with every poll, while nodes, readers and Redis are killed: no event is lost
# without a word, none comes twice, and all see one order.
#
# SECONDS=n is the length of each case, 4; in a longer one things break more
# often.  SEED=... repeats a run's moments.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use Test::More;

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Node ();
use Longpoll::Persist qw( no_alerts wait_until );
use Longpoll::Proxy ();
use Longpoll::Redis ();
use Longpoll::Traffic ();

plan skip_all => 'there is no redis-server' unless Longpoll::Redis->version;

my $seconds = $ENV{SECONDS} || 4;
my $seed = $ENV{SEED} || 1;

srand $seed;
note("SEED=$seed");
$SIG{PIPE} = 'IGNORE';

my %always = (appendonly => 'yes', appendfsync => 'always');

# Runs a case: breaks something some times, and checks all that was seen.

sub case {
    my ($name, %o) = @_;

    my $redis = $o{redis} || Longpoll::Redis->start(options => $o{options} || {});
    my @proxies = $o{proxies}
        ? map { Longpoll::Proxy->start(to => $redis->port) } 1 .. 3 : ();
    my @nodes = map {
        Longpoll::Node->start(redis => $proxies[$_] // $redis, size => '8m',
                              parameters => 'buffer=100000 timeout=2s '
                                            . ($o{parameters} // ''))
    } 0 .. 2;

    $_->wait_synced for @nodes;

    my $t = Longpoll::Traffic->new(nodes => \@nodes, publishers => 6,
                                   followers => 5, cats => 3,
                                   keys => $o{keys} // 0.3);
    my $times = $o{times} // 3;

    $times *= $seconds / 4 if $times > 1 and $seconds > 4;

    for (1 .. $times) {
        $t->run($seconds / $times / 2 + rand $seconds / $times / 2, sub {
            $o{break}->($redis, \@nodes, $t, \@proxies);
        });
    }

    $t->run(0.5);
    $_->wait_synced for @nodes;
    $t->settle;

    is(join("\n", $t->trouble), '', "$name: all is as it must be");
    cmp_ok($t->acked, '>', 50, "$name: events were acknowledged");
    is($t->missed, 0, "$name: nobody is told missed") unless $o{missed};
    cmp_ok($t->missed, '>', 0, "$name: clients are told missed")
        if ($o{missed} // '') eq 'must';
    note("$name: " . join ', ', map { "$_ " . $t->$_ }
                                qw( acked refused unknown missed received ));
    no_alerts($_, $name, $o{alerts}) for @nodes;
}

my $killed = 'exited on signal 9|was locked by';

case('nothing breaks', times => 1, break => sub { });

case('readers are killed', alerts => $killed, break => sub {
    my ($redis, $nodes) = @_;
    my $n = $nodes->[rand @$nodes];

    kill KILL => $n->wait_reader;
    wait_until('two workers', sub { 2 == (() = $n->workers) });
});

case('any workers are killed', alerts => $killed, break => sub {
    my ($redis, $nodes) = @_;

    for my $n (@$nodes) {
        my @workers = $n->workers;
        kill KILL => $workers[rand @workers];
        wait_until('two workers', sub { 2 == (() = $n->workers) });
    }
});

case('reloads', break => sub {
    my ($redis, $nodes, $t) = @_;
    my $n = $nodes->[rand @$nodes];
    my %old = map { $_ => 1 } $n->workers;

    kill HUP => $n->master;
    $t->run(0.05) while grep { $old{$_} } $n->workers;
});

case('a node is killed and started again', break => sub {
    my ($redis, $nodes, $t) = @_;
    my $n = $nodes->[rand @$nodes];

    $n->kill_all;
    $t->run(0.3);
    $n->up;
});

case('nodes are cut off', proxies => 1, times => 6, break => sub {
    my ($redis, $nodes, $t, $proxies) = @_;
    my $proxy = $proxies->[rand @$proxies];

    if (rand() < 0.4) {
        $proxy->cut;
        $t->run(rand 1);
        $proxy->pass;

    } elsif (rand() < 0.5) {
        $proxy->drop;

    } else {
        $proxy->half(1 + int rand 200);
    }
});

for my $fsync (qw( always everysec )) {
    case("Redis is killed, appendfsync $fsync", missed => 'must',
         options => { %always, appendfsync => $fsync }, break => sub {
        my ($redis, $nodes, $t) = @_;

        $redis->kill;
        $t->run(0.2);
        $redis->up;
    });
}

case('Redis is killed, restart=same', options => \%always,
     parameters => 'restart=same', break => sub {
    my ($redis, $nodes, $t) = @_;

    $redis->kill;
    $t->run(0.2);
    $redis->up;
});

case('Redis is killed and forgets', missed => 'must', break => sub {
    my ($redis, $nodes, $t) = @_;

    $redis->kill;
    $redis->up;
});

case('Redis is wiped', missed => 'must', break => sub {
    my ($redis) = @_;

    $redis->call('FLUSHALL');
});

case('Redis is stopped', break => sub {
    my ($redis, $nodes, $t) = @_;

    $redis->stop;
    $t->run(0.5);
    $redis->cont;
});

# A replica takes over that lacks the end of the stream, with a clock of its own.
# It has lost the keys as well, so no publish is sent again.

for my $clock (0, -3600, 30) {
    next if $clock and !Longpoll::Redis->clock_is_built;

    my $master = Longpoll::Redis->start;
    my $link = Longpoll::Proxy->start(to => $master->port);
    my $replica = Longpoll::Redis->start(
        clock => $clock, options => { replicaof => '127.0.0.1 ' . $link->port });

    wait_until('the replica', sub {
        $replica->info('master_link_status') eq 'up';
    });

    case("a replica takes over, its clock $clock s ahead", missed => 'must',
         redis => $master, proxies => 1, times => 1, keys => 0, break => sub {
        my ($redis, $nodes, $t, $proxies) = @_;

        $link->stall;
        $t->run(1);
        $master->kill;
        $replica->call(qw( REPLICAOF NO ONE ));
        $_->to($replica->port) for @$proxies;
        $t->run(2);
    });
}

done_testing();
