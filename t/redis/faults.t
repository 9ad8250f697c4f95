# What publishers and clients are told when Redis, the way to it, or workers
# fail.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use Test::More;
use Time::HiRes qw( time );

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Node ();
use Longpoll::Persist qw( no_alerts wait_until );
use Longpoll::Proxy ();
use Longpoll::Redis ();

plan skip_all => 'there is no redis-server' unless Longpoll::Redis->version;

my $none = qr/\{"error": "Redis takes no events now\."\}/;
my $maybe = qr/\{"error": "No answer from Redis, the event may be stored\."\}/;
my %always = (appendonly => 'yes', appendfsync => 'always');


# Redis is not there when nginx starts.

{
    my $redis = Longpoll::Redis->start;
    $redis->quit;

    my $n = Longpoll::Node->start(redis => $redis, parameters => 'timeout=1s');
    my $poll = $n->poll(category => 'a', timeout => 20);

    $n->wait_waiting(1);

    my $r = $n->post(a => 1)->response;

    is($r->status, 503, 'Redis is down: 503');
    like($r->body, $none, 'nothing is stored');
    is($r->header('Retry-After'), 1, 'in a second again');
    is($n->status('events')->{refused}, 1, 'it counts as refused');

    $r = $n->client->request(POST => '/delete?category=a', body => '')->response;
    is($r->status, 503, 'a delete as well');
    like($r->body, $none, 'with the same words');

    $r = $n->poll(category => 'a', timeout => 1)->response;
    is($r->kind, 'timeout', 'a poll ends in time');
    is($r->missed, 1, 'and says that it may have missed something');
    is($n->redis->{connected}, 0, 'the status: not connected');
    is($n->redis->{synced}, 0, 'not synced');
    is($n->client->request(GET => '/place')->response->body, '',
       'there is no cursor yet');

    $redis->up;
    $n->wait_synced;
    $n->publish(a => 2);

    is(join(' ', $poll->response->data), '2', 'Redis is up: the poll gets its event');
    no_alerts($n, 'no Redis');
    like($n->log, qr/redis 127\.0\.0\.1:\d+ (?:lost|cannot|connect)/,
         'the log says so');
    is(scalar(() = $n->log =~ /\[error\].*redis/g), 1, 'once');
}


# Redis is killed and comes back.

for my $case ([ 'without files', {}, '' ],
              [ 'with appendfsync always', \%always, '' ],
              [ 'with it and restart=same', \%always, 'restart=same' ])
{
    my ($what, $options, $parameters) = @$case;
    my $redis = Longpoll::Redis->start(options => $options);
    my @nodes = Longpoll::Node->several(2, redis => $redis,
                                        parameters => "timeout=2s $parameters");
    my $id = $nodes[0]->publish(farm => 1);

    wait_until('it there', sub { $nodes[1]->events('farm') == 1 });

    my @polls = map { $_->poll(category => 'farm', last_id => $id, timeout => 30) } @nodes;
    $_->wait_waiting(1) for @nodes;

    $redis->kill;
    wait_until('all notice', sub { !grep { $_->redis->{connected} } @nodes });

    my $r = $nodes[0]->post(farm => 2)->response;
    is($r->status, 503, "$what: 503 while Redis is down");
    is($_->said([ category => 'farm', since_time => 1 ]), '1',
       "$what: polls are served") for @nodes;

    $redis->up;
    $_->wait_synced for @nodes;
    wait_until('a publish', sub { $nodes[0]->post(farm => 3)->response->status
                                  == 200 });

    my $missed = $parameters ? 0 : 1;

    for my $i (0, 1) {
        my $got = $polls[$i]->response;

        is(join(' ', $got->data), '3', "$what: the parked poll on $i gets it");
        is($got->missed, $missed, "$what: and is told missed: $missed");

        my ($event) = $got->events;

        # the worker that is asked may have to connect yet

        wait_until('a publish', sub {
            $nodes[$i]->post(farm => 4)->response->status == 200;
        });
        my $next = $nodes[$i]->poll(
            category => 'farm', last_id => $event->{id},
            since_time => $event->{timestamp})->response;

        is($next->missed, 0, "$what: no more than once");
    }

    no_alerts($_, $what) for @nodes;
}


# Redis is wiped.

{
    my $redis = Longpoll::Redis->start;
    my ($a, $b) = Longpoll::Node->several(2, redis => $redis);
    my $id = $a->publish(farm => 1);

    wait_until('it there', sub { $b->events('farm') == 1 });
    $redis->call('FLUSHALL');
    wait_until('a publish', sub { $a->post(farm => 2)->response->status == 200 });

    for my $n ($a, $b) {
        my $r;

        wait_until('the event', sub {
            $r = $n->poll(category => 'farm', last_id => $id,
                          timeout => 5)->response;
            $r->kind eq 'events';
        });
        is(join(' ', $r->data), '2', 'FLUSHALL: what comes then is there');
        is($r->missed, 1, 'and clients are told missed');
    }
}

# Redis is wiped and restarted while the reader of a node is stopped, and the node's
# zone does not know the new epochs.  The answer to a publish has the id that all
# nodes will see, also that of one with a key that was stored in the first of them.

{
    my $redis = Longpoll::Redis->start(options => \%always);
    my ($a, $b) = Longpoll::Node->several(2, redis => $redis, workers => 2,
                                          parameters => 'timeout=1s');
    my $reader = $b->wait_reader;

    $a->publish(farm => 1);
    wait_until('it there', sub { $b->events('farm') == 1 });

    kill STOP => $reader;
    $redis->call('FLUSHALL');
    my $id;
    wait_until('a publish', sub {
        my $r = $a->post(farm => 2, key => 'k')->response;
        $id = $r->header('Longpoll-Event-Id');
        $r->status == 200;
    });
    $redis->kill;
    $redis->up;
    wait_until('another', sub { $a->post(barn => 1)->response->status == 200 });

    my ($answer, $again);
    wait_until('an answer', sub {
        $answer = $b->post(farm => 3)->response;
        $answer->status == 200;
    });
    $again = $b->post(farm => 2, key => 'k')->response;

    is($b->reader, $reader, 'nobody else has become the reader');
    kill CONT => $reader;

    my @events;

    wait_until('it on the other node', sub {
        @events = $a->poll(category => 'farm', since_time => 1)->response->events;
        @events and $events[-1]{data} == 3;
    });

    is($answer->header('Longpoll-Event-Id'), $events[-1]{id},
       'the reader is stopped: a publish has the id that other nodes know');
    is($again->header('Longpoll-Event-Id'), $id,
       'and one that is known has that of the first');
    no_alerts($_, 'wiped') for $a, $b;
}

# Only the stream is deleted.

{
    my $redis = Longpoll::Redis->start;
    my ($a, $b) = Longpoll::Node->several(2, redis => $redis);
    my $id = $a->publish(farm => 1);

    wait_until('it there', sub { $b->events('farm') == 1 });
    $redis->call(DEL => 'longpoll:{events}:log');
    wait_until('a publish', sub { $a->post(farm => 2)->response->status == 200 });

    for my $n ($a, $b) {
        my $r;

        wait_until('the event', sub {
            $r = $n->poll(category => 'farm', last_id => $id,
                          timeout => 5)->response;
            $r->kind eq 'events';
        });
        is(join(' ', $r->data), '2', 'DEL: what comes then is there');
        is($r->missed, 1, 'and clients are told missed');
    }
}


# Redis is stopped, and goes on.

{
    my $redis = Longpoll::Redis->start;
    my ($a) = Longpoll::Node->several(1, redis => $redis, workers => 1,
                                      parameters => 'timeout=1s');

    my $id = $a->publish(farm => 0);

    $redis->stop;

    my $start = time;
    my $post = $a->post(farm => 1);

    wait_until('its figure', sub { $a->redis->{in_flight} == 1 });

    my $r = $post->response;

    is($r->status, 503, 'Redis is stopped: 503');
    like($r->body, $maybe, 'the event may be stored');
    is($r->header('Retry-After'), 1, 'in a second again');
    cmp_ok(time - $start, '<', 5, 'after the timeout');

    $redis->cont;
    $a->wait_synced;
    wait_until('a publish', sub { $a->post(farm => 2)->response->status == 200 });

    my $r2 = $a->poll(category => 'farm', last_id => $id)
               ->response;

    like(join(' ', $r2->data), qr/^(?:1 )?2$/, 'and goes on');
    is($r2->missed, 0, 'nobody is told missed');
}


# A node is cut off, and comes back.

{
    my $redis = Longpoll::Redis->start;
    my $proxy = Longpoll::Proxy->start(to => $redis->port);
    my ($a) = Longpoll::Node->several(1, redis => $redis);
    my ($b) = Longpoll::Node->several(1, redis => $proxy,
                                      parameters => 'timeout=1s');
    my $id = $a->publish(farm => 1);

    wait_until('it there', sub { $b->events('farm') == 1 });

    my $poll = $b->poll(category => 'farm', last_id => $id,
                        timeout => 30);

    $b->wait_waiting(1);
    $proxy->cut;
    wait_until('the cut', sub { !$b->redis->{connected} });

    $a->publish(farm => 2);
    like($b->post(farm => 9)->response->body, $none, 'cut: no publishes there');
    is($b->said([ category => 'farm', since_time => 1 ]), '1', 'but polls');

    my $timeout = $b->poll(category => 'farm', last_id => $id,
                           timeout => 1)->response;
    is($timeout->kind, 'timeout', 'a poll times out');

    $proxy->pass;

    my $r = $poll->response;

    is(join(' ', $r->data), '2', 'back: the poll gets what it waited for');
    is($r->missed, 0, 'and has missed nothing');
    is($b->said([ category => 'farm', since_time => $timeout->timestamp ]), '2',
       'nor has one that has only the time of a time-out');

    # Replies break off in their midst.

    for my $n (1, 3, 10, 40, 100) {
        $proxy->half($n);
        $a->publish(half => $n);
        wait_until("$n", sub { ($b->events('half'))[-1]
                               and ($b->events('half'))[-1][1] == $n });
    }
    is(join(' ', map { $_->[1] } $b->events('half')), '1 3 10 40 100',
       'half replies: every event once');
    is($b->redis->{gaps}, 0, 'and no gap');

    # A way that swallows everything.

    $proxy->stall;
    like($b->post(farm => 3)->response->body, qr/^(?:$maybe|$none)$/,
         'stalled: a publish is answered in time');
    $proxy->pass;
    wait_until('a publish', sub { $b->post(farm => 4)->response->status == 200 });
    no_alerts($_, 'cut') for $a, $b;
}


# The reader is killed, or stopped.

{
    my $redis = Longpoll::Redis->start;
    my ($a) = Longpoll::Node->several(1, redis => $redis, workers => 2);

    for my $round (1 .. 3) {
        my $pid = $a->wait_reader;
        my $poll = $a->poll(category => "k$round", timeout => 20, since_time => 1);
        my ($other) = grep { $_ != $pid } $a->workers;

        kill KILL => $pid;
        wait_until('two workers', sub { 2 == (() = $a->workers) });
        wait_until('a publish', sub {
            ((eval { $a->post("k$round" => 1)->response->status } // 0)) == 200;
        });
        is($a->said([ category => "k$round", since_time => 1 ]) =~ /^1/, 1,
           "the reader is killed: another one reads, $round");
    }

    my $pid = $a->wait_reader;

    kill STOP => $pid;
    wait_until('another reader', sub {
        my $now = $a->reader // 0;
        $now != $pid;
    }, 20);
    kill CONT => $pid;
    wait_until('a publish', sub {
        ((eval { $a->post(s => 1)->response->status } // 0)) == 200;
    });
    pass('a reader that is stopped is replaced');
    no_alerts($a, 'killed', 'exited on signal 9|was locked by');
}


# The stream is trimmed before a node has read it.

{
    my $redis = Longpoll::Redis->start;
    my $proxy = Longpoll::Proxy->start(to => $redis->port);
    my ($a) = Longpoll::Node->several(1, redis => $redis);
    my ($b) = Longpoll::Node->several(1, redis => $proxy,
                                      parameters => 'timeout=1s');
    my $id = $a->publish(farm => 1);

    wait_until('it there', sub { $b->events('farm') == 1 });
    $proxy->cut;
    $a->publish(farm => $_) for 2 .. 10;
    $redis->call(XTRIM => 'longpoll:{events}:log', 'MAXLEN', '=', 2);
    $proxy->pass;
    $a->publish(farm => 11);

    my $r;

    wait_until('the last', sub {
        $r = $b->poll(category => 'farm', last_id => $id,
                      timeout => 5)->response;
        $r->kind eq 'events' and ($r->data)[-1] == 11;
    });
    is($r->missed, 1, 'what was trimmed unread is told');
    cmp_ok($b->redis->{gaps}, '>', 0, 'and counted');
    is($a->said([ category => 'farm', last_id => $id ]),
       join(' ', 2 .. 11), 'the node that was there has all');
}


# Redis has no memory left.

{
    my $redis = Longpoll::Redis->start(
        options => { 'maxmemory-policy' => 'noeviction' });
    my ($a) = Longpoll::Node->several(1, redis => $redis);

    $redis->call(qw( CONFIG SET maxmemory 1 ));
    like($a->post(farm => 1)->response->body, $none, 'Redis is full: 503');
    $redis->call(qw( CONFIG SET maxmemory 0 ));
    is($a->post(farm => 2)->response->status, 200, 'and with room again 200');
    unlike($a->log, qr/may evict/, 'a Redis that evicts nothing: no warning');

    for my $policy (qw( allkeys-lru volatile-ttl )) {
        $redis->call(qw( CONFIG SET maxmemory-policy ), $policy);
        my ($b) = Longpoll::Node->several(1, redis => $redis);
        $b->wait_log('may evict the stream or keys');
        pass("$policy: a warning");
    }
}


# replicas=1

{
    my $redis = Longpoll::Redis->start;
    my $replica = $redis->replica;
    my ($a) = Longpoll::Node->several(1, redis => $redis,
                                      parameters => 'replicas=1 timeout=4s');

    wait_until('the replica', sub {
        $redis->info('connected_slaves') == 1
            and $redis->info('slave0') =~ /state=online/;
    });
    is($a->post(farm => 1)->response->status, 200, 'a replica has it: 200');
    $replica->stop;
    like($a->post(farm => 2)->response->body, $maybe, 'no replica: it may be stored');
    $replica->cont;
    wait_until('a publish', sub { $a->post(farm => 3)->response->status == 200 });
}


# AUTH

{
    my $redis = Longpoll::Redis->start(
        options => { requirepass => 'opensesame' });
    my $n = Longpoll::Node->start(redis => $redis,
                                  parameters => 'auth=auth timeout=1s',
                                  before => sub {
        my ($n) = @_;

        open my $out, '>', "$n->{dir}/auth" or die $!;
        print $out "opensesame\n";
        close $out or die $!;
        chmod 0600, "$n->{dir}/auth" or die $!;
    });

    $n->wait_synced;
    is($n->post(farm => 1)->response->status, 200, 'a password');
    unlike($n->log, qr/opensesame/, 'which is not in the log');
}


done_testing();
