# Sentinels say where the master is; when they name another one, all nodes go
# there.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use Test::More;

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Node ();
use Longpoll::Persist qw( no_alerts wait_until );
use Longpoll::Redis ();

plan skip_all => 'there is no redis-server' unless Longpoll::Redis->version;

my $none = qr/\{"error": "Redis takes no events now\."\}/;

# A server that changes its role drops its clients.

sub info { my ($redis, $field) = @_; return eval { $redis->info($field) } // '' }

sub taken {
    my ($n, $data) = @_;

    wait_until('a publish is taken', sub {
        $n->post(a => $data)->response->status == 200;
    }, 40);
}

my $master = Longpoll::Redis->start;
my $replica = $master->replica;
my @sentinels = map {
    Longpoll::Redis->sentinel(main => $master, options => {
        'down-after-milliseconds' => 500, 'failover-timeout' => 5000,
    });
} 1 .. 2;

wait_until('the Sentinels know the replica', sub {
    my $known = 0;

    for (@sentinels) {
        my %said = @{ ($_->call('SENTINEL', 'MASTER', 'main')) };
        $known += $said{'num-slaves'} == 1;
    }

    return $known == @sentinels;
}, 40);

my $url = 'sentinel://' . join(',', map { $_->address } @sentinels);
my $n = Longpoll::Node->start(redis => "$url/main");

$n->wait_synced;
$n->publish(a => 1);
is($master->call('EXISTS', 'longpoll:{events}:log'), 1, 'the master has it');

# A Sentinel that is not there is passed over.

$sentinels[0]->kill;

{
    my $other = Longpoll::Node->start(redis => "$url/main");
    $other->wait_synced;
    taken($other, 2);
    pass('one Sentinel is enough');
    no_alerts($other, 'one Sentinel');

    my $lost = Longpoll::Node->start(redis => "$url/unknown");
    like($lost->post(a => 1)->response->body, $none,
         'a master that no Sentinel knows: refused');
    $lost->wait_log('no Sentinel knows "unknown"');
    no_alerts($lost, 'no master');
}

# failover: by command, so that the old master is there, and is a replica

$sentinels[1]->call('SENTINEL', 'FAILOVER', 'main');

wait_until('the replica is the master', sub {
    info($replica, 'role') eq 'master';
}, 40);

wait_until('an event is there', sub {
    my $before = info($replica, 'master_repl_offset') || 0;
    return $n->post(a => 4)->response->status == 200
           && (info($replica, 'master_repl_offset') || 0) > $before;
}, 40);

is(($n->events('a'))[-1][1], 4, 'the node follows');

no_alerts($n, 'failovers');

done_testing;
