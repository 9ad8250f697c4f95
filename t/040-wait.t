# A parked poll: what wakes it, when it times out, how its client may leave,
# and what the connection can still do afterwards.

use lib 't/lib';
use Test::Nginx::Socket 'no_plan';
use Longpoll;

no_long_string();
worker_connections(256);
run_tests();

__DATA__

=== TEST 1: an event wakes a parked poll at once, not at the next tick
--- scenario
# A worker checks all its polls once a second.  Waking must be faster.

in_time(0.1, 'a wake-up wakes the poll, not the tick', sub {
    my @took = sort { $a <=> $b } map {
        my $cat = category();
        my $p = poll(category => $cat, timeout => 100);

        wait_waiting(1);
        my $published = time;
        my $id = publish($cat, '"oink"');

        is_deeply([$p->answer->ids], [$id], 'the event');
        $p->answer->at - $published;
    } 1 .. 5;

    return $took[2];
});



=== TEST 2: one event wakes all polls for its category and no others
--- scenario
my ($cat, $other) = (category(), category('other'));
my @p = map { poll(category => $cat) } 1 .. 40;
my $q = poll(category => $other);

wait_waiting(41);
my $id = publish($cat, '"oink"');

for my $p (@p) {
    is_deeply([$p->answer->ids], [$id], 'woken');
}

wait_waiting(1);
ok($q->parked, 'the other waits on');



=== TEST 3: a woken poll gets the event that woke it and no earlier one
--- scenario
my $cat = category();
my @p;

for my $n (1 .. 5) {
    push @p, poll(category => $cat);
    wait_waiting(1);
    publish($cat, $n);
    is_deeply([$p[-1]->answer->data], [$n], "event $n");
}



=== TEST 4: a parked poll gets all events of one burst, in order
--- scenario
my $cat = category();
my $p = poll(category => $cat);

wait_waiting(1);
my @ids = publish_together($cat, 1 .. 10);
my @got = $p->answer->ids;

push @got, ask(category => $cat, last_id => $got[-1])->ids while @got < 10;
is_deeply(\@got, \@ids, 'through the cursor, none left out');



=== TEST 5: polls with different cursors on one category each get their own
--- scenario
my $cat = category();
my @ids = map { tick(); publish($cat, $_) } 1 .. 3;
my $now = poll(category => $cat);
my $end = poll(category => $cat, last_id => $ids[2]);
my $time = poll(category => $cat, since_time => id_ms($ids[2]));

wait_waiting(3);
push @ids, publish($cat, 4);

is_deeply([$_->answer->ids], [$ids[3]], 'the new event') for $now, $end, $time;
is_deeply([ask(category => $cat, last_id => $ids[0])->ids], [@ids[1 .. 3]],
          'and a poll with an older cursor gets all');



=== TEST 6: a poll that arrives between two events gets the second one alone
--- scenario
for (1 .. 5) {
    my $cat = category();
    my @c = connections(4);
    my $first = poll({ conn => $c[0] }, category => $cat);
    my $between;

    wait_waiting(1);

    in_one_turn {
        $c[1]->request('POST', '/publish', body => event($cat, 1));
        $between = poll({ conn => $c[2] }, category => $cat);
        $c[3]->request('POST', '/publish', body => event($cat, 2));
    };

    is_deeply([$first->answer->data], [1, 2], 'the poll before both');
    is_deeply([$between->answer->data], [2], 'the poll between them');
}



=== TEST 7: an event and the poll for it arrive in the same turn of nginx's loop
--- scenario
for my $order (0, 1) {
    my $cat = category();
    my @c = connections(2);
    my $p;

    in_one_turn {
        my @send = (sub { $p = poll({ conn => $c[0] }, category => $cat) },
                    sub { $c[1]->request('POST', '/publish',
                                         body => event($cat, 1)) });
        $_->() for $order ? reverse @send : @send;
    };

    is($c[1]->response->status, 200, 'published');

    if ($order) {
        wait_waiting(1);
        ok($p->parked, 'the poll came after the event, and waits');
    } else {
        is_deeply([$p->answer->data], [1],
                  'the poll came before the event, and gets it');
    }
}



=== TEST 8: many polls, each on several categories
--- scenario
my @cats = map { category("m$_") } 0 .. 9;
my @p = map { my $n = $_; poll(map { (category => $cats[($n + $_) % 10]) }
                               0 .. 4) } 0 .. 49;

wait_waiting(50);
my $id = publish($cats[4], 1);

# Poll n waits for the categories n to n + 4.

for my $n (grep { (4 - $_) % 10 <= 4 } 0 .. 49) {
    is_deeply([$p[$n]->answer->ids], [$id], "poll $n");
}

wait_waiting(25);
ok($p[$_]->parked, "poll $_ waits on")
    for grep { (4 - $_) % 10 > 4 } 0 .. 49;



=== TEST 9: a poll times out 50 to 100 ms before the end of its timeout
--- scenario
in_time(1000, 'none late, half of them by 50 ms before', sub {
    my @took;

    drive { @took == 60 } map {
        my $longer = $_ % 2;
        my $p = poll(category => category(), timeout => 1 + $longer);

        [ $p->conn, sub {
            my ($r) = @_;

            is($r->kind, 'timeout', 'a time-out answer');
            push @took, 1000 * ($r->at - $p->{sent} - $longer);
        } ]
    } 1 .. 60;

    # The client starts its clock a little earlier than the server does.

    my ($first, $middle, $last) = (sort { $a <=> $b } @took)[0, 29, -1];

    cmp_ok($first, '>=', 900, "none before: the first at $first ms");
    cmp_ok($last - $first, '>', 10, 'they do not all return together');

    return max($middle + 45, $last);
});



=== TEST 10: a timeout of two seconds lasts two seconds, not one
--- scenario
in_time(2, 'at most', sub {
    my $p = poll(category => category(), timeout => 2);

    cmp_ok($p->took, '>=', 1.9, 'at least');
    return $p->took;
});



=== TEST 11: each poll times out after its own timeout, not after a neighbour's
--- scenario
my $cat = category();
my $long = poll(category => $cat, timeout => 3);
my $short = poll(category => $cat, timeout => 1);

is($short->answer->kind, 'timeout', 'the short one times out');
ok($long->parked, 'the long one waits on');

my $id = publish($cat, 1);
is_deeply([$long->answer->ids], [$id], 'and is woken');



=== TEST 12: the timestamp of a time-out answer is the current time
--- scenario
my $before = now_ms();
my $r = ask(category => category(), timeout => 1);

cmp_ok($r->timestamp, '>=', $before + 880, 'not from the beginning');
cmp_ok($r->timestamp, '<=', now_ms(), 'not from the future');



=== TEST 13: a poll with a future cursor times out and then misses no event
--- scenario
my $cat = category();
my $since = now_ms() + 600_000;
my $r = ask(category => $cat, since_time => $since, timeout => 1);

is($r->kind, 'timeout', 'a cursor in the future times out');

my $id = publish($cat, 1);

cmp_ok(id_ms($id), '>', $r->timestamp, 'an event behind it is later');
is_deeply([ask(category => $cat, since_time => $r->timestamp)->ids], [$id],
          'and found from there');



=== TEST 14: the module drops a client that leaves with FIN at once
--- scenario
my $before = status()->{disconnected};
my $cat = category('fin');
my $p = poll(category => $cat, timeout => 100);

wait_waiting(1);
$p->close;
wait_waiting(0);

is(status()->{disconnected} - $before, 1, 'it is counted');
like(wait_log('access.log', qr{GET /events\?category=$cat}),
     qr{" 499 0 "}, 'and logged as 499');



=== TEST 15: the module drops a client that leaves with RST at once
--- scenario
my $before = status()->{disconnected};
my $cat = category('rst');
my $p = poll(category => $cat, timeout => 100);

wait_waiting(1);
$p->reset;
wait_waiting(0);

is(status()->{disconnected} - $before, 1, 'it is counted');
like(wait_log('access.log', qr{GET /events\?category=$cat}),
     qr{" 499 0 "}, 'and logged as 499');



=== TEST 16: a client that closes only its sending half has left, too
--- scenario
my $p = poll(category => category(), timeout => 100);

wait_waiting(1);
$p->conn->half_close;
wait_waiting(0);
ok($p->conn->closed, 'the connection is closed');



=== TEST 17: the module drops a client that leaves after a pipelined request
--- scenario
my $c = connection();
my $cat = category();

$c->send("GET /events?category=$cat&timeout=100 HTTP/1.1\r\nHost: x\r\n\r\n"
         . "GET /pid HTTP/1.1\r\nHost: x\r\n\r\n");
wait_waiting(1);
$c->close;
wait_waiting(0);
pass('the poll has ended');



=== TEST 18: clients that leave take nothing from those that stay
--- scenario
my $cat = category();
my @p = map { poll(category => $cat) } 1 .. 30;

wait_waiting(30);
$p[$_ * 3]->close, $p[$_ * 3 + 1]->reset for 0 .. 9;
wait_waiting(10);

my $id = publish($cat, 1);
is_deeply([$p[$_ * 3 + 2]->answer->ids], [$id], 'woken') for 0 .. 9;



=== TEST 19: a client that leaves in the instant of the event harms nobody
--- scenario
for (1 .. 20) {
    my $cat = category();
    my @p = map { poll(category => $cat) } 1 .. 4;

    wait_waiting(4);

    # Both have been sent before nginx reads its sockets.

    my $c = connection();
    $c->request('POST', '/publish', body => event($cat, 1));
    $p[0]->close;
    $p[2]->reset;

    is($c->response->status, 200, 'published');
    is_deeply([$p[$_]->answer->data], [1], 'woken') for 1, 3;
    wait_waiting(0);
}



=== TEST 20: one connection polls many times in succession
--- scenario
my $cat = category();
my $c = connection();
my $last;

for my $n (1 .. 20) {
    my $p = poll({ conn => $c }, category => $cat, $last ? (last_id => $last)
                                                         : ());
    wait_waiting(1);
    $last = publish($cat, $n);
    is_deeply([$p->answer->data], [$n], "poll $n");
    is($p->answer->header('Connection'), 'keep-alive', 'Connection');
}



=== TEST 21: a time-out leaves the connection usable
--- scenario
my $cat = category();
my $c = connection();

is(ask({ conn => $c }, category => $cat, timeout => 1)->kind, 'timeout',
   'a time-out') for 1, 2;
my $id = publish($cat, 1, conn => $c);
is_deeply([ask({ conn => $c }, category => $cat, since_time => 0)->ids], [$id],
          'a publish and a poll');



=== TEST 22: a request that follows a parked poll is answered after it
--- scenario
my $cat = category();
my $c = connection();

$c->send("GET /events?category=$cat&timeout=100 HTTP/1.1\r\nHost: x\r\n\r\n"
         . "GET /pid?first HTTP/1.1\r\nHost: x\r\n\r\n"
         . "GET /pid?second HTTP/1.1\r\nHost: x\r\n\r\n");
wait_waiting(1);
ok($c->silent, 'nothing is answered yet');

my $id = publish($cat, 1);

is_deeply([$c->response->ids], [$id], 'first the poll');
like($c->response->body, qr/^\d+$/, 'then the second request');
like($c->response->body, qr/^\d+$/, 'then the third');



=== TEST 23: pipelined polls wait one after the other
--- scenario
my $cat = category();
my $c = connection();

$c->send("GET /events?category=$cat&timeout=100 HTTP/1.1\r\nHost: x\r\n\r\n"
         x 3);

for my $n (1 .. 3) {
    wait_waiting(1);
    my $id = publish($cat, $n);
    is_deeply([$c->response->ids], [$id], "poll $n");
}



=== TEST 24: a poll with Connection: close gets its answer, then the end
--- scenario
my $cat = category();
my $p = poll({ headers => [ 'Connection: close' ] }, category => $cat);

wait_waiting(1);
publish($cat, 1);
is($p->answer->header('Connection'), 'close', 'the header');
ok($p->conn->closed, 'the connection is closed');



=== TEST 25: a client of HTTP/1.0 polls
--- scenario
my $cat = category();
my $p = poll({ version => '1.0' }, category => $cat);

wait_waiting(1);
my $id = publish($cat, 1);

is_deeply([$p->answer->ids], [$id], 'woken');
is($p->answer->header('Connection'), 'close', 'Connection');
is($p->answer->header('Transfer-Encoding'), undef, 'not in chunks');
ok($p->conn->closed, 'the connection is closed');



=== TEST 26: a client of HTTP/1.0 with keep-alive polls twice
--- scenario
my $cat = category();
my $c = connection();

for my $n (1, 2) {
    my $p = poll({ conn => $c, version => '1.0',
                   headers => [ 'Connection: keep-alive' ] }, category => $cat);
    wait_waiting(1);
    publish($cat, $n);
    is_deeply([$p->answer->data], [$n], "poll $n");
}



=== TEST 27: the body of a poll is discarded, and never read as a request
--- scenario
my $cat = category();
my $smuggled = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";

for my $chunked (0, 1) {
    my $c = connection();
    my $p = poll({ conn => $c, body => $smuggled, chunked => $chunked },
                 category => $cat);

    $c->request('GET', '/pid');
    wait_waiting(1);
    my $id = publish($cat, 1);

    is_deeply([$p->answer->ids], [$id], "the poll, chunked $chunked");
    like($c->response->body, qr/^\d+$/, 'the next request is the next request');
    ok($c->silent, 'and there is no other answer');
}

open my $log, '<', "$Test::Nginx::Util::LogDir/access.log" or die;
is(scalar(grep { /smuggled/ } <$log>), 0, 'nor in the log');



=== TEST 28: a poll whose body is still to come is not parked yet
--- scenario
# Its client's FIN could not be seen behind the body.

my $cat = category();
my $c = connection();

$c->send("GET /events?category=$cat&timeout=100 HTTP/1.1\r\nHost: x\r\n"
         . "Content-Length: 100\r\n\r\n" . 'x' x 50);
get('/pid');

is(status()->{waiting}, 0, 'nothing is parked');
ok($c->silent, 'nor answered');

$c->close;
like(wait_log('access.log', qr/category=$cat&/), qr/" 400 0 /,
     'a client that leaves meanwhile');



=== TEST 29: a refused method with a body leaves the connection usable
--- scenario
my $c = connection();
my $smuggled = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";

is($c->request('POST', '/events?category=farm&timeout=1', body => $smuggled)
   ->response->status, 405, 'refused');
like($c->request('GET', '/pid')->response->body, qr/^\d+$/,
     'the next request is the next request');



=== TEST 30: readers get a large answer whole, beside others that leave
--- http_config
    longpoll_zone zone=readers:16m;
--- config
    location = /events  { longpoll_subscribe readers; send_timeout 60s; }
    location = /publish { longpoll_publish   readers; }
--- scenario
my $cat = category();
my @p = map { poll(category => $cat) } 1 .. 8;

wait_waiting(8);

my $id = publish($cat, '"' . join(' ', 100_000 .. 500_000) . '"');
my $body = $p[7]->answer->body;

cmp_ok(length $body, '>', 2_800_000, 'the event is large');
like(substr($body, -60), qr/500000","id":"$id"\}\]\}$/, 'and whole');

# One reader leaves in the middle of the answer, one before it.

$p[6]->conn->fill(1);
$p[6]->reset;
$p[5]->close;

ok($p[$_]->answer->body eq $body, "reader $_ has the same bytes") for 0 .. 4;
--- log_level: notice



=== TEST 31: two polls of different locations wait for one event
--- config
    location = /events  { longpoll_subscribe events; }
    location = /short   { longpoll_subscribe events; longpoll_max_timeout 5s; }
    location = /publish { longpoll_publish   events; }
--- scenario
my $cat = category();
my @p = (poll({ uri => '/events' }, category => $cat, timeout => 100),
         poll({ uri => '/short' }, category => $cat, timeout => 5));

wait_waiting(2);
my $id = publish($cat, 1);
is_deeply([$_->answer->ids], [$id], 'both wake') for @p;



=== TEST 32: one event wakes polls with two answer limits; each keeps to its own
--- config
    location = /events  { longpoll_subscribe events; }
    location = /small   {
        longpoll_subscribe events;
        longpoll_max_response_size 1k;
    }
    location = /publish { longpoll_publish   events; }
--- scenario
my $cat = category();
my $first = publish($cat, 0);
my @args = (category => $cat, last_id => $first);
my ($large, $small) = (poll(@args), poll({ uri => '/small' }, @args));

wait_waiting(2);
tick();

my $c = connection();
my $text = 'x' x 700;
my @ids = publish_together($cat, map { qq("$_ $text") } 1 .. 5);

for my $pair (['/events', $large], ['/small', $small]) {
    my ($uri, $p) = @$pair;
    my @got = $p->answer->ids;

    push @got, ask({ uri => $uri }, category => $cat, last_id => $got[-1])->ids
        while @got < @ids;
    is_deeply(\@got, \@ids, "$uri: every event once");
}



=== TEST 33: keepalive_timeout and send_timeout do not end a parked poll
--- config
    location = /events {
        longpoll_subscribe events;
        keepalive_timeout 1s;
        send_timeout 1s;
        client_body_timeout 1s;
        lingering_timeout 1s;
    }
    location = /publish { longpoll_publish events; }
--- scenario
my $cat = category();
my $p = poll(category => $cat, timeout => 100);

wait_waiting(1);

# The time-out of another poll measures two seconds.

is(ask(category => category(), timeout => 2)->kind, 'timeout', 'two seconds');
ok($p->parked, 'it still waits');
my $id = publish($cat, 1);
is_deeply([$p->answer->ids], [$id], 'and is woken');



=== TEST 34: polls return after each event, and the counters are exact
--- http_config
    longpoll_zone zone=figures:1m;
--- config
    location = /events  { longpoll_subscribe figures; }
    location = /publish { longpoll_publish   figures; }
--- scenario
my $cat = category();
my $before = status();
my @conns = map { connection() } 1 .. 10;
my $last = publish($cat, 0);

for my $n (1 .. 10) {
    my @p = map { poll({ conn => $_ }, category => $cat, last_id => $last) }
            @conns;

    wait_waiting(10);
    $last = publish($cat, $n);
    is_deeply([map { $_->answer->ids } @p], [($last) x 10], "round $n");
}

my $after = status();

is($after->{delivered} - $before->{delivered}, 100, 'delivered');
is($after->{published} - $before->{published}, 11, 'published');
is($after->{waiting}, 0, 'waiting');
is($after->{missed} - $before->{missed}, 0, 'missed');
is($after->{disconnected} - $before->{disconnected}, 0, 'disconnected');



=== TEST 35: a poll with an older cursor is answered while another one waits
--- scenario
my ($cat, $other) = (category(), category('other'));
my @ids = map { publish($cat, $_) } 1 .. 3;
my $p = poll(category => $cat, last_id => $ids[2]);

wait_waiting(1);

for my $i (0, 1) {
    my $r = ask(category => $cat, last_id => $ids[$i], timeout => 5);

    is_deeply([$r->data], [$i + 2 .. 3], "behind the $i.");
    is_deeply([ask(category => $cat, since_time => id_ms($ids[$i]), timeout => 5,
                   last_id => $ids[$i])->data], [$i + 2 .. 3],
              'with since_time');
}

my $q = poll(category => $cat, last_id => $ids[2]);

wait_waiting(2);
publish($other, 1);

my $third = poll(category => $cat, last_id => $ids[2]);

wait_waiting(3);
publish($cat, 4);
is_deeply([$_->answer->data], [4],
          'polls with the newest cursor wait for the next event')
    for $p, $q, $third;



=== TEST 36: polls of one and of two categories do not share an answer
--- scenario
my ($one, $other) = (category('one'), category('other'));
my @both = (category => $one, category => $other);
my @polls;

for my $args ([@both], [category => $one], [@both]) {
    push @polls, poll(@$args);
    wait_waiting(scalar @polls);
}

post('/publish', '[' . join(',', event($one, 1), event($other, 2),
                            event($one, 3)) . ']');

is_deeply([map { [$_->answer->data] } @polls], [[1 .. 3], [1, 3], [1 .. 3]],
          'each gets its own events');



=== TEST 37: a time-out that nobody waits for any more costs nothing
--- log_level: debug
--- config
        longpoll_max_timeout 1d;
        location = /events  { longpoll_subscribe events; }
        location = /publish { longpoll_publish   events; }
--- scenario
my $cat = category();
my $before = status()->{disconnected};

for my $timeout (1000 .. 1099) {
    my $p = poll(category => $cat, timeout => $timeout);

    wait_waiting(1);
    $p->close;
    wait_waiting(0);
}

is(status()->{disconnected} - $before, 100, 'each was given up');

# how many time-outs are kept for the next poll, only a debug build says

wait_log('error.log', 'longpoll period freed, 16 are idle') if with_debug();

my $p = poll(category => $cat, timeout => 1000);

wait_waiting(1);
my $id = publish($cat, 1);
is_deeply([$p->answer->ids], [$id], 'a poll with such a time-out is woken');
