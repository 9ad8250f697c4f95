# post_action: nginx runs it when a request has ended, and for a client that
# left it runs it before the request's cleanups.  By then the request must have
# left every queue of the module's.

use lib 't/lib';
use Test::Nginx::Socket 'no_plan';
use Longpoll;
use Longpoll::H2;

use File::Temp qw( tempdir );

# The workers may run as another user.

my $dir = tempdir('longpoll-XXXXXX', TMPDIR => 1, CLEANUP => 1);

chmod 0777, $dir or die $!;
$ENV{TEST_NGINX_DATA} = $dir;

# In every block the post action lasts until the scenario ends it.  Port 2 has
# the same locations with HTTP/2.

add_block_preprocessor(sub {
    my ($block) = @_;

    my $locations = <<'_EOC_';
        location = /events {
            longpoll_subscribe events;
            post_action        @after;
        }
        location = /publish {
            longpoll_publish events;
            post_action      @after;
        }
        location = /then-poll {
            longpoll_subscribe events;
            post_action        @poll;
        }
        location = /events-again  { longpoll_subscribe events; }
        location = /then-publish {
            longpoll_publish events;
            post_action      @publish;
        }
        location @poll            { longpoll_subscribe events; }
        location @publish         { longpoll_publish events; }
        location = /plain         { longpoll_publish events; }
        location @after {
            proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1;
        }
_EOC_

    my $zone = $block->zone || '';

    $block->set_value(config => $locations);
    $block->set_value(http_config => <<"_EOC_");
    longpoll_zone zone=events:1m persist=\$TEST_NGINX_DATA/events $zone;
    server {
        listen 127.0.0.1:\$TEST_NGINX_RAND_PORT_2 \$TEST_NGINX_LISTEN_HTTP;
        \$TEST_NGINX_HTTP_ON
        $locations
    }
_EOC_
});

no_long_string();
master_on();
worker_connections(256);
run_tests();

__DATA__

=== TEST 1: a poll whose client left does not wait while its post action runs
--- scenario
my $backend = backend(1);

for my $leave (qw( close reset )) {
    my $p = poll(category => category());

    wait_waiting(1);
    my $gone = status()->{disconnected};
    $p->$leave;

    my $action = $backend->request;

    wait_waiting(0);
    is(status()->{disconnected}, $gone + 1, "$leave: its client left");
    $action->answer(204);
}



=== TEST 2: the same with HTTP/2
--- scenario
my $backend = backend(1);

for my $leave (qw( rst close )) {
    my $h2 = Longpoll::H2->new(port => rand_port(2));
    my $stream = $h2->request('GET', '/events?timeout=100&category='
                                     . category());

    wait_waiting(1);
    my $gone = status()->{disconnected};
    $h2->$leave($stream);

    my $action = $backend->request;

    wait_waiting(0);
    is(status()->{disconnected}, $gone + 1, "$leave: its client left");
    $action->answer(204);
}



=== TEST 3: a poll in its post action takes no event from those that live
--- zone: delete_on_read=on
--- scenario
my $backend = backend(1);
my $cat = category();
my $p = poll(category => $cat);

wait_waiting(1);
my $delivered = status()->{delivered};
$p->close;

my $action = $backend->request;
my $id = publish($cat, 1, uri => '/plain');

is_deeply([ask({ uri => '/events-again' }, category => $cat,
               since_time => 0)->ids], [$id], 'the next poll gets it');
is(status()->{delivered}, $delivered + 1, 'and it is delivered once');
$action->answer(204);



=== TEST 4: a publisher that leaves before its event is on disk
--- zone: durable=on
--- scenario
my $backend = backend(1);
my ($worker) = worker_pids();

for my $n (1 .. 5) {
    my $cat = category();
    my ($c) = connections(1);

    # The worker finds the client's FIN before the disk has the event.

    in_one_turn {
        $c->request('POST', '/publish', body => event($cat, $n));
        $c->close;
    };

    my $action = $backend->request;

    is_deeply([ask({ uri => '/events-again' }, category => $cat,
                   since_time => 0)->data], [$n], "event $n is stored");
    $action->answer(204);
}

is_deeply([worker_pids()], [$worker], 'the worker lives');



=== TEST 5: a post action that is a poll does not wait
--- scenario
my $cat = category();
my $c = connection();
my $p = poll({ conn => $c, uri => '/then-poll' }, category => $cat);

wait_waiting(1);
publish($cat, 1, uri => '/plain');
is_deeply([$p->answer->data], [1], 'the answer');
is($c->request('GET', '/pid')->response->status, 200, 'the next request');
is(status()->{waiting}, 0, 'nothing waits');

my $gone = status()->{disconnected};

poll({ uri => '/then-poll' }, category => $cat)->close;
wait_status { $_->{disconnected} == $gone + 1 } 'the client left';
is(status()->{waiting}, 0, 'nothing waits after a client that left');



=== TEST 6: a post action that publishes, after a publisher that left
--- zone: durable=on
--- scenario
my $cat = category();
my ($c) = connections(1);
my $events = status()->{events};

in_one_turn {
    $c->request('POST', '/then-publish', body => event($cat, 1));
    $c->close;
};

# It stores the event again, once.

wait_until {
    2 == ask({ uri => '/events-again' }, category => $cat, since_time => 0)
         ->events
} 'both are on disk';
is(status()->{events}, $events + 2, 'and there are no others');



=== TEST 7: a stream whose client left does not wait while its post action runs
--- scenario
my $backend = backend(1);

for my $leave (qw( close reset )) {
    my $cat = category();
    my $s = stream(category => $cat);

    $s->next;
    my ($gone, $given) = @{ status() }{qw( disconnected delivered )};
    $s->$leave;

    my $action = $backend->request;

    wait_waiting(0);
    is(status()->{disconnected}, $gone + 1, "$leave: its client left");
    publish($cat, 1, uri => '/plain');
    is(status()->{delivered}, $given, "$leave: it is given nothing more");
    $action->answer(204);
}



=== TEST 8: the same with HTTP/2
--- scenario
my $backend = backend(1);

for my $leave (qw( rst close )) {
    my $h2 = Longpoll::H2->new(port => rand_port(2));
    my $s = stream({ h2 => $h2 }, category => category());

    $s->next;
    my $gone = status()->{disconnected};
    $h2->$leave($s->{number});

    my $action = $backend->request;

    wait_waiting(0);
    is(status()->{disconnected}, $gone + 1, "$leave: its client left");
    $action->answer(204);
}



=== TEST 9: a stream that ends has its post action behind its last frame
--- scenario
my $backend = backend(1);
my $s = stream(category => category(), timeout => 1);

ok($s->ends, 'it is whole');

my $action = $backend->request;

is(status()->{waiting}, 0, 'nothing waits meanwhile');
$action->answer(204);
is($s->conn->request('GET', '/pid')->response->status, 200,
   'the next request');



=== TEST 10: a post action of a stream that is a poll does not wait
--- scenario
my $cat = category();
my $s = stream({ uri => '/then-poll' }, category => $cat, timeout => 1);

ok($s->ends, 'the stream is whole');
is($s->conn->request('GET', '/pid')->response->status, 200,
   'the next request');
is(status()->{waiting}, 0, 'nothing waits');

$s = stream({ uri => '/then-poll' }, category => $cat);
$s->next;
my $gone = status()->{disconnected};
$s->close;
wait_status { $_->{disconnected} == $gone + 1 } 'the client left';
is(status()->{waiting}, 0, 'nothing waits after a client that left');
