# recent=N: a poll without a cursor begins with the newest N events.

use lib 't/lib';
use Test::Nginx::Socket 'no_plan';
use Longpoll;

no_long_string();
worker_connections(128);
run_tests();

__DATA__

=== TEST 1: a poll begins with the newest events, and goes on behind them
--- scenario
my $cat = category();
my @ids = publish_together($cat, 1 .. 5);
my $r = ask(category => $cat, recent => 2);

is_deeply([$r->data], [4, 5], 'two of five, oldest first');
is($r->missed, 0, 'nothing is missed');

my ($last) = ($r->events)[-1];
my $p = poll(category => $cat, since_time => $last->{timestamp},
             last_id => $last->{id}, recent => 2);

wait_waiting(1);
publish($cat, 6);
is_deeply([$p->answer->data], [6], 'the next poll keeps its URL, and waits');

is_deeply([ask(category => $cat, recent => 5)->data], [2 .. 6], 'five of six');
is_deeply([ask(category => $cat, recent => 6)->data], [1 .. 6], 'all');
is_deeply([ask(category => $cat, recent => 1000)->data], [1 .. 6],
          'more than there are');



=== TEST 2: of several categories the newest ones count together
--- scenario
my ($calm, $busy, $empty) = map { category($_) } qw( calm busy empty );
my @args = map { (category => $_) } $empty, $busy, $calm;

publish($calm, '"calm 1"');
publish($busy, qq("busy $_")) for 1 .. 3;
publish($calm, '"calm 2"');
publish($busy, '"busy 4"');

is_deeply([ask(@args, recent => 1)->data], ['busy 4'], 'one');
is_deeply([ask(@args, recent => 3)->data], ['busy 3', 'calm 2', 'busy 4'],
          'three, in the order of the zone');
is_deeply([ask(@args, recent => 9)->data],
          ['calm 1', 'busy 1', 'busy 2', 'busy 3', 'calm 2', 'busy 4'], 'all');



=== TEST 3: where there are fewer, it begins with the oldest, without missed
--- http_config
    longpoll_zone zone=few:1m buffer=2;
--- config
    location = /events  { longpoll_subscribe few; }
    location = /publish { longpoll_publish   few; }
--- scenario
my ($short, $old) = map { category($_) } qw( short old );

publish($old, '"old"');
publish($short, $_) for 1 .. 4;

my $r = ask(category => $short, recent => 10);
is_deeply([$r->data], [3, 4], 'what buffer left');
is($r->missed, 0, 'what it dropped is not missed');

$r = ask(category => $short, category => $old, recent => 10);
is_deeply([$r->data], ['old', 3, 4], 'an event older than what was dropped');
is($r->missed, 0, 'nor is it missed behind that one');

is(ask(category => $short, since_time => 0)->missed, 1,
   'a poll from the beginning is told');



=== TEST 4: without any event it waits for new ones
--- scenario
my ($cat, $other) = map { category($_) } qw( mine other );
publish($other, '"not for it"');

my $p = poll(category => $cat, recent => 10);
wait_waiting(1);
my $id = publish($cat, 1);
is_deeply([$p->answer->ids], [$id], 'the first one');

my $r = ask(category => category(), recent => 10, timeout => 1);
is($r->kind, 'timeout', 'a time-out');
is($r->missed, 0, 'nothing is missed');



=== TEST 5: with a cursor it is ignored
--- scenario
my $cat = category();
my @ids;

for (1 .. 3) {
    push @ids, publish($cat, $_);
    tick();
}

my $then = id_ms($ids[0]);

for my $recent (1, 1000, 0, 'x') {
    is_deeply([ask(category => $cat, recent => $recent, @$_)->data], [2, 3],
              "recent=$recent with $$_[0]")
        for [since_time => $then], [last_id => $ids[0]],
            [since_time => $then, last_id => $ids[0]];
}

is_deeply([ask(category => $cat, recent => 1, since_time => '', last_id => '')
           ->data], [3], 'an empty one is none');



=== TEST 6: it is a number from 1 to 1000
--- scenario
my $cat = category();
my $id = publish($cat, 1);

for my $recent ('0', '-1', '1001', '1.5', '1e1', 'ten', ' 1', '1 ', '+', '-',
                '99999999999999999999', '4294967297', "1\0")
{
    is(get("/events?timeout=1&category=$cat&recent=" . escape($recent))->body,
       q({"error": "Invalid 'recent' arg.  Must be 1-1000."}), "'$recent'");
}

for my $recent ('1', '1000', '%2B5', '005', '%31', '2&recent=x') {
    is_deeply([get("/events?timeout=1&category=$cat&recent=$recent")->ids],
              [$id], $recent);
}

for my $none ('recent=', 'recent', 'recent=%', 'recent=1;', 'Recent=1') {
    is(get("/events?timeout=1&category=$cat&$none")->kind, 'timeout', $none);
}



=== TEST 7: its error is the last one
--- scenario
my %errors = (
    'timeout=0&category=x' => "Invalid or missing 'timeout' arg.  Must be "
                              . '1-120.',
    'timeout=1' => 'Invalid subscription category, must be 1-1024 characters '
                   . 'long.',
    'timeout=1&category=x&since_time=x' => "Invalid 'since_time' arg.",
    'timeout=1&category=x&last_id=x' => "Must provide 'since_time' arg when "
                                        . "providing 'last_id'.",
    'timeout=1&category=x&since_time=1&last_id=x' => "Param 'last_id' was not "
                                                     . 'a valid UUID.',
);

for my $args (sort keys %errors) {
    is(get("/events?recent=0&$args")->body,
       qq({"error": "$errors{$args}"}), $args);
}



=== TEST 8: the same query gets the newest events every time
--- scenario
my $cat = category();
my @c = connections(1);

for my $n (1 .. 4) {
    publish($cat, $n);
    is_deeply([ask({ conn => $c[0] }, category => $cat, recent => 2)->data],
              [grep { $_ } $n - 1, $n], "after $n");
}



=== TEST 9: the limit of an answer holds, the rest comes with the next poll
--- config
    location = /publish { longpoll_publish events; }
    location = /events {
        longpoll_subscribe         events;
        longpoll_max_response_size 500;
    }
--- scenario
my $cat = category();
my (@got, $r, @cursor);

for (1 .. 9) {
    publish($cat, $_);
    tick();
}

for my $polls (1 .. 9) {
    $r = ask(category => $cat, recent => 7, @cursor);
    push @got, $r->data;
    last if $got[-1] == 9;
    cmp_ok(length $r->body, '<', 600, "the answer of poll $polls");
    is($r->missed, 0, "poll $polls misses nothing");
    @cursor = (last_id => ($r->ids)[-1]);
}

is_deeply(\@got, [3 .. 9], 'each event once');
cmp_ok(scalar @cursor, '>', 0, 'the first answer was cut');



=== TEST 10: events over their ttl do not count
--- http_config
    longpoll_zone zone=brief:1m ttl=1s;
--- config
    location = /events  { longpoll_subscribe brief; }
    location = /publish { longpoll_publish   brief; }
--- scenario
my $cat = category();
my $id = publish($cat, 1);

wait_until { now_ms() > id_ms($id) + 1000 } 'the event is over its ttl';

my $p = poll(category => $cat, recent => 5);
wait_waiting(1);
$id = publish($cat, 2);

my $r = $p->answer;
is_deeply([$r->ids], [$id], 'only what came later');
is($r->missed, 0, 'nothing is missed');



=== TEST 11: with delete_on_read it takes the newest and leaves the others
--- http_config
    longpoll_zone zone=once:1m delete_on_read=on;
--- config
    location = /events  { longpoll_subscribe once; }
    location = /publish { longpoll_publish   once; }
--- scenario
my $cat = category();
publish($cat, $_) for 1 .. 4;

is(http('HEAD', "/events?timeout=9&category=$cat&recent=2")->status, 200,
   'HEAD takes nothing');
is_deeply([ask(category => $cat, recent => 2)->data], [3, 4], 'the newest');
is_deeply([ask(category => $cat, recent => 2)->data], [1, 2], 'then the others');
is(ask(category => $cat, recent => 2, timeout => 1)->kind, 'timeout', 'all');



=== TEST 12: a subrequest shows the newest events and takes none
--- http_config
    longpoll_zone zone=shown:1m delete_on_read=on;
--- config
    location = /events  { longpoll_subscribe shown; }
    location = /publish { longpoll_publish   shown; }
    location = /page.html {
        ssi on;
        ssi_types text/plain;
    }
--- user_files
>>> page.html
<<!--#include virtual="/events?timeout=30&recent=2&category=$arg_c" -->>
--- scenario
my $cat = category();
my @ids = publish_together($cat, 1 .. 3);

for (1, 2) {
    my $body = get("/page.html?c=$cat")->body;
    is_deeply([$body =~ /"id":"([^"]+)"/g], [@ids[1, 2]], 'the newest two');
}

is_deeply([ask(category => $cat, since_time => 0)->ids], \@ids, 'all are left');



=== TEST 13: categories of the configuration; gpoll does not know it
--- config
    location = /publish { longpoll_publish events; }
    location = /events {
        longpoll_category  $arg_a $arg_b;
        longpoll_subscribe events;
    }
    location = /gpoll {
        longpoll_category  $arg_a;
        longpoll_subscribe events protocol=gpoll;
    }
--- scenario
my ($a, $b) = map { category($_) } qw( a b );
publish($a, 1);
publish($b, 2);
publish($a, 3);

is_deeply([get("/events?timeout=9&a=$a&b=$b&recent=2")->data], [2, 3],
          'the newest two of both');

my $id = get("/gpoll?client-id=0&a=$a&recent=x")->json->{'client-id'};
like($id, qr/^\d+\$/, 'gpoll registers a client');

publish($a, 4);
is(get("/gpoll?client-id=$id&a=$a&recent=2")->body, 4,
   'and gives the next event');



=== TEST 14: a poll that was held back begins with the newest of that moment
--- config
    location = /publish { longpoll_publish events; }
    location = /events {
        auth_request       /application;
        longpoll_subscribe events;
    }
    location = /application {
        proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1;
    }
--- scenario
my $backend = backend(1);

for my $recent (1, 2, 3) {
    my $cat = category();

    publish($cat, 1);

    my $p = poll(category => $cat, recent => $recent);
    my $question = $backend->request;

    tick();
    publish($cat, 2);
    publish($cat, 3);
    $question->answer(204);

    is_deeply([$p->answer->data], [(1 .. 3)[3 - $recent .. 2]],
              "recent=$recent");
}



=== TEST 15: a stream begins with them, too, and its first place is not behind them
--- scenario
my $cat = category();
my @ids = publish_together($cat, 1 .. 3);

my $r = get("/events?timeout=1&category=$cat&recent=2",
            headers => ['Accept: text/event-stream']);

is($r->header('Content-Type'), 'text/event-stream', 'a stream');

my @places = $r->body =~ /^id: (\S+)$/mg;
my @data = $r->body =~ /"data":(\d+)/g;

is_deeply(\@data, [2, 3], 'the newest two');
is_deeply([@places[0, 1]], [@ids[1, 2]], 'no id in front of them');
is_deeply(\@places, [sort @places], 'ids ascend');

$r = get("/events?timeout=1&category=$cat&recent=2",
         headers => ['Accept: text/event-stream',
                     "Last-Event-ID: $ids[0]"]);
@data = $r->body =~ /"data":(\d+)/g;
is_deeply(\@data, [2, 3], 'with Last-Event-ID it is ignored');

$r = get("/events?timeout=1&category=$cat&recent=1",
         headers => ['Accept: text/event-stream',
                     "Last-Event-ID: $ids[0]"]);
@data = $r->body =~ /"data":(\d+)/g;
is_deeply(\@data, [2, 3], 'also a smaller one');
