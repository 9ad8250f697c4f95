# A Redis that answers, and takes no events: it is loading its data, or has too
# few replicas.

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

sub taken {
    my ($n, $data) = @_;

    wait_until("$data is taken", sub {
        $n->post(farm => $data)->response->status == 200;
    });
}


# Redis loads 2,000 keys, each of which takes it 10 ms, until it is told to hurry.
# A node was connected before, and one begins meanwhile.

{
    my $redis = Longpoll::Redis->start(options => {
        'loading-process-events-interval-bytes' => 1024,
        'key-load-delay' => 10_000,
    });
    my %o = (redis => $redis, parameters => 'restart=same timeout=2s');
    my ($a) = Longpoll::Node->several(1, %o);
    my $id = $a->publish(farm => 1);

    $redis->call(MSET => map { ("key$_" => 'x' x 1000) } 1 .. 2000);

    my $waits = $a->poll(category => 'farm', last_id => $id, timeout => 60);

    $a->wait_waiting(1);
    eval { $redis->call(qw( SHUTDOWN SAVE )) };
    $redis->up(loading => 1);

    my $b = Longpoll::Node->start(%o);

    for (['reconnects', $a], ['connects', $b]) {
        my ($does, $n) = @$_;

        $n->wait_log('redis 127\.0\.0\.1:\d+ lost: it is loading its data')
            if $n == $b;

        my $r = $n->post(farm => 2)->response;

        is($r->status, 503, "loading, a node $does: 503");
        like($r->body, $none, 'nothing is stored');
        is($n->redis->{connected}, 0, 'it is not connected');
    }

    my $begins = $b->poll(category => 'farm', last_id => $id, timeout => 60);

    $b->wait_waiting(1);
    is($redis->info('loading'), 1, 'it is loading all that time');
    ok($waits->silent, 'a poll waits there');
    ok($begins->silent, 'and here');

    $redis->call(CONFIG => SET => 'key-load-delay', 0);
    taken($b, 3);

    for (['there', $waits], ['here', $begins]) {
        my ($where, $poll) = @$_;
        my $r = $poll->response;

        is(join(' ', $r->data), '3', "loaded: the poll $where goes on");
        is($r->missed, 0, 'and has missed nothing');
    }

    $_->wait_synced for $a, $b;
    is($_->said([ category => 'farm', since_time => 1 ]), '1 3',
       'all nodes have the same') for $a, $b;
    is($_->redis->{gaps}, 0, 'without a gap') for $a, $b;
    taken($a, 4);
    no_alerts($_, 'loading') for $a, $b;
}


# A Redis that must have a replica, with a node that was there before it must,
# and with one that begins then and finds no epoch.

for my $begins (0, 1) {
    my $name = $begins ? 'no replica, a node begins' : 'no replica';
    my $redis = Longpoll::Redis->start(options => {
        'min-replicas-to-write' => $begins, 'repl-diskless-sync-delay' => 0,
    });
    my $n = Longpoll::Node->start(redis => $redis, parameters => 'timeout=1s');
    my $id;

    if ($begins) {
        $n->wait_log('a life could not begin: NOREPLICAS');

    } else {
        $n->wait_synced;
        $id = $n->publish(farm => 1);
        $redis->call(CONFIG => SET => 'min-replicas-to-write', 1);
    }

    my $poll = $n->poll(category => 'farm', $id ? (last_id => $id) : (),
                        timeout => 60);
    $n->wait_waiting(1);

    my $r = $n->post(farm => 2)->response;

    is($r->status, 503, "$name: 503");
    like($r->body, $none, 'nothing is stored');
    $n->wait_log('takes no events: "NOREPLICAS') unless $begins;
    ok($poll->silent, 'a poll waits');

    my $replica = $redis->replica;

    taken($n, 3);
    $r = $poll->response;
    is(join(' ', $r->data), '3', "$name: there is one: the poll gets its event");
    is($r->missed, 0, 'and has missed nothing') unless $begins;
    is($n->said([ category => 'farm', since_time => 1 ]), $begins ? '3' : '1 3',
       'and what was refused is not there');
    $redis->wait_asked;
    is($n->redis->{lives}, 1, 'the first replica of a Redis begins no epoch');
    is($n->redis->{reconnects}, 0, 'and ends no connection') unless $begins;
    no_alerts($n, $name);
}

done_testing;
