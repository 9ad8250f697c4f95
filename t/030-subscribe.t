# Polling: arguments and the errors for wrong ones, cursors, several categories,
# the limit of an answer, its headers, and the other methods.

use lib 't/lib';
use Test::Nginx::Socket 'no_plan';
use Longpoll;

no_long_string();
worker_connections(128);
run_tests();

__DATA__

=== TEST 1: the headers of an answer, all of them
--- scenario
my $cat = category();
publish($cat, '"oink"');

my %answers = (
    events  => ask(category => $cat, since_time => 0),
    timeout => ask(category => category(), timeout => 1),
    error   => get('/events'),
);

for my $kind (sort keys %answers) {
    my $r = $answers{$kind};

    is($r->kind, $kind, "the answer: $kind");
    is($r->status, 200, "$kind: status");
    is($r->header('Content-Type'), 'application/json', "$kind: Content-Type");
    is($r->header('X-Content-Type-Options'), 'nosniff', "$kind: nosniff");
    is($r->header('Cache-Control'), 'no-cache, no-store, must-revalidate',
       "$kind: Cache-Control");
    is($r->header('Pragma'), 'no-cache', "$kind: Pragma");
    is($r->header('Expires'), '0', "$kind: Expires");
    is($r->header('Content-Length'), length $r->body,
       "$kind: Content-Length");
    is_deeply([$r->header_names],
              [qw( Cache-Control Connection Content-Length Content-Type Date
                   Expires Pragma Server X-Content-Type-Options )],
              "$kind: and no others");
}



=== TEST 2: an events answer, to the byte
--- scenario
my $cat = category();
my @ids = publish_together($cat, '"cool beans"', '{"a": [1, 2]}');
my ($ms1, $ms2) = map { id_ms($_) } @ids;

is(ask(category => $cat, since_time => 0)->body,
   qq({"events":[{"timestamp":$ms1,"category":"$cat","data":"cool beans",)
   . qq("id":"$ids[0]"},{"timestamp":$ms2,"category":"$cat",)
   . qq("data":{"a": [1, 2]},"id":"$ids[1]"}]}), 'two events');



=== TEST 3: a missing timeout is refused
--- request
GET /events?category=farm
--- response_body chomp
{"error": "Invalid or missing 'timeout' arg.  Must be 1-120."}



=== TEST 4: without any arguments, the error names the timeout
--- request
GET /events
--- response_body chomp
{"error": "Invalid or missing 'timeout' arg.  Must be 1-120."}



=== TEST 5: a timeout is 1 to 120, in digits
--- scenario
for my $timeout ('0', '-1', '121', '1.5', '1e1', '0x10', 'ten', '1 ', ' 1',
                 '+', '-', '--1', '++1', '1_0', '99999999999999999999',
                 '-99999999999999999999', '18446744073709551617', "1\0",
                 "\xd9\xa1", '1,', '4294967297')
{
    is(get('/events?category=farm&timeout=' . escape($timeout))->body,
       q({"error": "Invalid or missing 'timeout' arg.  Must be 1-120."}),
       "'$timeout'");
}



=== TEST 6: an empty or undecodable timeout counts as missing
--- scenario
for my $args ('timeout=', 'timeout', 'timeout=%', 'timeout=%1', 'timeout=%zz',
              'timeout=5%g0', 'Timeout=5', 'timeout%=5')
{
    is(get("/events?category=farm&$args")->body,
       q({"error": "Invalid or missing 'timeout' arg.  Must be 1-120."}),
       $args);
}



=== TEST 7: a timeout may have a sign, leading zeros and percent escapes
--- scenario
my $cat = category();
my $id = publish($cat, 1);

for my $timeout ('5', '%2B5', '005', '%35', '%2b0005', '120', '1') {
    my $r = get("/events?category=$cat&since_time=0&timeout=$timeout");

    is_deeply([$r->ids], [$id], $timeout);
}



=== TEST 8: a plus sign is a blank, and a blank is not part of a number
--- request
GET /events?category=farm&timeout=+5
--- response_body chomp
{"error": "Invalid or missing 'timeout' arg.  Must be 1-120."}



=== TEST 9: a missing category is refused
--- request
GET /events?timeout=1
--- response_body chomp
{"error": "Invalid subscription category, must be 1-1024 characters long."}



=== TEST 10: an empty, undecodable or too long category is refused
--- scenario
for my $args ('category=', 'category', 'category=%', 'category=a%g1',
              'Category=a', 'category=' . 'x' x 1025,
              'category=' . '%78' x 1025, 'category=' . '%C3%A9' x 513,
              'category=farm&category=' . 'x' x 1025)
{
    is(get("/events?timeout=1&$args")->body, q({"error": "Invalid subscription )
       . q(category, must be 1-1024 characters long."}), substr $args, 0, 30);
}



=== TEST 11: a category of 1024 bytes is accepted, escaped or not
--- scenario
for my $byte ('x', '%79') {
    my $p = connection();

    $p->request('GET', '/events?timeout=10&category=' . $byte x 1024);
    wait_waiting(1);
    ok($p->silent, 'it waits');
    $p->close;
    wait_waiting(0);
}



=== TEST 12: 64 categories are accepted, 65 are refused
--- scenario
my @cats = map { category("many$_") } 1 .. 65;
my $r = ask(timeout => 1, map { (category => $_) } @cats);

is($r->body, '{"error": "Too many categories, must be 1-64."}', '65');

my $p = poll(map { (category => $_) } @cats[0 .. 63]);

wait_waiting(1);
my $id = publish($cats[63], 1);
is_deeply([$p->answer->ids], [$id], '64: the last of them wakes');



=== TEST 13: the same category twice counts once
--- scenario
my $cat = category();
my $id = publish($cat, 1);
my $r = ask(since_time => 0, map { (category => $_) } ($cat) x 64);

is_deeply([$r->ids], [$id], 'the event comes once');

my $p = poll(category => $cat, category => $cat);
wait_waiting(1);
$id = publish($cat, 2);
is_deeply([$p->answer->ids], [$id], 'so it does to a parked poll');



=== TEST 14: a since_time that is not a number is refused
--- scenario
for my $since ('asdf', '1.5', '0x10', ' 1', '1e3', '9223372036854775808',
               '-9223372036854775809', '-', '1-1')
{
    is(get('/events?category=farm&timeout=1&since_time=' . escape($since))
       ->body, q({"error": "Invalid 'since_time' arg."}), "'$since'");
}



=== TEST 15: a last_id that is not a UUID is refused
--- scenario
for my $id ('x', '7c17587a-3437-4861-bef7-8f29905589e', '0',
            '7c17587a-3437-4861-bef7-8f29905589e44',
            '7c17587a+3437-4861-bef7-8f29905589e4',
            'gc17587a-3437-4861-bef7-8f29905589e4', '-' x 36,
            '{7c17587a-3437-4861-bef7-8f29905589e4', "\0" x 16)
{
    is(get('/events?category=farm&timeout=1&since_time=0&last_id='
           . escape($id))->body,
       q({"error": "Param 'last_id' was not a valid UUID."}), "'$id'");
}



=== TEST 16: a last_id that the module did not issue needs a since_time
--- scenario
for my $id ('7c17587a-3437-4861-bef7-8f29905589e4', 'x',
            '7c17587a-3437-1861-bef7-8f29905589e4')
{
    is(get("/events?category=farm&timeout=1&last_id=$id")->body,
       q({"error": "Must provide 'since_time' arg when providing 'last_id'."}),
       $id);
}



=== TEST 17: the error names the mistake that golongpoll checks first
--- scenario
my @order = (
    'timeout=0&category=&since_time=x&last_id=x', 'Invalid or missing '
        . "'timeout' arg.  Must be 1-120.",
    'last_id=x&since_time=x&category=&timeout=1', 'Invalid subscription '
        . 'category, must be 1-1024 characters long.',
    'last_id=x&since_time=x&category=x&timeout=1&category=' . 'x' x 1025,
        'Invalid subscription category, must be 1-1024 characters long.',
    'last_id=x&since_time=x&timeout=1'
        . join('', map { "&category=x$_" } 1 .. 65),
        'Too many categories, must be 1-64.',
    'last_id=x&since_time=x&category=x&timeout=1', "Invalid 'since_time' arg.",
    'last_id=x&since_time=&category=x&timeout=1', "Must provide 'since_time' "
        . "arg when providing 'last_id'.",
    'last_id=x&since_time=1&category=x&timeout=1', "Param 'last_id' was not a "
        . 'valid UUID.',
);

while (my ($args, $error) = splice @order, 0, 2) {
    is(get("/events?$args")->body, qq({"error": "$error"}), $error);
}



=== TEST 18: if an argument comes twice, the first one counts
--- scenario
my $cat = category();
my @ids;

for (1 .. 3) {
    push @ids, publish($cat, $_);
    tick();
}

my ($t1, $t2) = map { id_ms($_) } @ids;

is(get("/events?category=$cat&timeout=0&timeout=1")->kind, 'error', 'timeout');
is(get("/events?category=$cat&timeout=1&timeout=0&since_time=0")->kind,
   'events', 'timeout, the other way round');
is_deeply([get("/events?category=$cat&timeout=1&since_time=$t2&since_time=$t1")
           ->data], [3], 'since_time');
is_deeply([get("/events?category=$cat&timeout=1&last_id=$ids[1]&"
               . "last_id=$ids[0]")->data], [3], 'last_id');



=== TEST 19: an empty since_time or last_id counts as absent
--- scenario
my $cat = category();
publish($cat, '"before"');

for my $args ('since_time=&last_id=', 'since_time&last_id', 'since_time=%zz',
              'last_id=%1')
{
    my $c = connection();

    $c->request('GET', "/events?category=$cat&timeout=10&$args");
    wait_waiting(1);
    my $id = publish($cat, '"after"');
    is_deeply([$c->response->ids], [$id], "'$args' waits for what is new");
}



=== TEST 20: unknown and empty arguments are ignored
--- scenario
my $cat = category();
my $id = publish($cat, 1);
my $r = get("/events?&&a=b&category=$cat&=c&cat=d&timeout=1&since_time=0&%zz&_");

is_deeply([$r->ids], [$id], 'the event');



=== TEST 21: categories are decoded
--- scenario
my $cat = category();
my %names = (
    "$cat/%66arm"        => "$cat/farm",
    "$cat/a+b"           => "$cat/a b",
    "$cat/a%2Bb%26c%3Dd" => "$cat/a+b&c=d",
    "$cat/a=b?c"         => "$cat/a=b?c",
    "$cat/%c3%A9"        => "$cat/\xc3\xa9",
    "$cat/\xc3\xa9/raw"  => "$cat/\xc3\xa9/raw",
    "$cat/%25zz"         => "$cat/%zz",
);

for my $written (sort keys %names) {
    my $id = publish($names{$written}, 1);
    my $r = get("/events?timeout=1&since_time=0&category=$written");

    is_deeply([$r->ids], [$id], $written);
}



=== TEST 22: argument names are decoded
--- scenario
my $cat = category();
my $id = publish($cat, 1);
my $r = get("/events?%74imeout=1&since%5Ftime=0&c%61tegory=$cat");

is_deeply([$r->ids], [$id], 'the event');



=== TEST 23: since_time returns events after that millisecond, not of it
--- scenario
my $cat = category();
my @ids;

for my $n (1 .. 3) {
    push @ids, publish($cat, $n);
    tick();
}

for my $n (1, 2) {
    my $ms = id_ms($ids[$n - 1]);

    is_deeply([ask(category => $cat, since_time => $ms)->data], [$n + 1 .. 3],
              "later than event $n");
    is_deeply([ask(category => $cat, since_time => $ms - 1)->data], [$n .. 3],
              "later than the millisecond before event $n");
}

my $p = poll(category => $cat, since_time => id_ms($ids[2]));
wait_waiting(1);
ok($p->parked, 'nothing is later than the last');



=== TEST 24: a since_time before 1970 means the beginning
--- scenario
my $cat = category();
my $id = publish($cat, 1);

for my $since ('0', '-0', '-1', '-1616040198889', '-9223372036854775808',
               '%2B0', '00', '1')
{
    my $r = get("/events?category=$cat&timeout=1&since_time=$since");

    is_deeply([$r->ids], [$id], $since);
    is($r->missed, 0, 'nothing is missed');
}



=== TEST 25: without since_time, only events after the poll's arrival count
--- scenario
my $cat = category();

publish($cat, '"before"');
my $p = poll(category => $cat);
wait_waiting(1);
my $id = publish($cat, '"after"');

is_deeply([$p->answer->ids], [$id], 'the later one');



=== TEST 26: a since_time in the future means now
--- scenario
for my $since (now_ms() + 3_600_000, '9223372036854775807', 281474976710656) {
    my $cat = category();

    publish($cat, '"before"');
    my $p = poll(category => $cat, since_time => $since);
    wait_waiting(1);
    my $id = publish($cat, '"after"');

    is_deeply([$p->answer->ids], [$id], $since);
    cmp_ok(id_ms($id), '<', now_ms() + 1000,
           "and the zone's clock does not move");
}



=== TEST 27: a poll since the current millisecond gets the events still to come
--- scenario
# The poll and the event are sent together, so they often reach the zone in the
# millisecond that the poll asks for.

my ($p, $e) = connections(2);
my $hits = 0;

wait_until {
    my $cat = category();
    my $now = now_ms();
    my $poll = poll({ conn => $p }, category => $cat, since_time => $now);

    $e->request('POST', '/publish', body => event($cat, 1));

    my $id = $e->response->header('Longpoll-Event-Id');

    die "the poll does not get its event\n"
        unless join('', $poll->answer->ids) eq $id;

    $hits++ if id_ms($id) == $now;
    $hits >= 10;
} 'polls and events in one millisecond';

pass('each poll gets its event all the same');



=== TEST 28: last_id separates events of one millisecond
--- scenario
# The client writes five publishes at once, so that nginx reads them at once
# and stores them in one turn of its loop.

my ($cat, @ids, $ms);

wait_until {
    $cat = category();
    @ids = publish_together($cat, 1 .. 5);
    $ms = id_ms($ids[0]);
    $ms == id_ms($ids[-1]);
} 'five events in one millisecond';

for my $n (1 .. 4) {
    is_deeply([ask(category => $cat, since_time => $ms,
                   last_id => $ids[$n - 1])->data], [$n + 1 .. 5],
              "since_time and last_id: behind $n");
    is_deeply([ask(category => $cat, last_id => $ids[$n - 1])->data],
              [$n + 1 .. 5], "last_id alone: behind $n");
}

is_deeply([ask(category => $cat, since_time => $ms,
               last_id => '7c17587a-3437-4861-bef7-8f29905589e4')->data],
          [1 .. 5], 'an unknown last_id: all of that millisecond');
is_deeply([ask(category => $cat, since_time => $ms,
               last_id => id_of_another_epoch($ids[2]))->data],
          [1 .. 5], 'so is one of another epoch');

for my $args ([since_time => $ms], [last_id => $ids[4]],
              [since_time => $ms, last_id => $ids[4]])
{
    my $p = poll(category => $cat, @$args);
    wait_waiting(1);
    ok($p->parked, "@$args: nothing is behind it");
    $p->close;
    wait_waiting(0);
}
--- log_level: notice



=== TEST 29: with since_time, a last_id of another millisecond counts as unknown
--- scenario
my $cat = category();
my @ids;

for my $n (1 .. 4) {
    push @ids, publish($cat, $n);
    tick();
}

my $ms = id_ms($ids[1]);

is_deeply([ask(category => $cat, since_time => $ms, last_id => $ids[0])->data],
          [2 .. 4], 'an earlier one');
is_deeply([ask(category => $cat, since_time => $ms, last_id => $ids[2])->data],
          [2 .. 4], 'a later one');
is_deeply([ask(category => $cat, since_time => $ms, last_id => $ids[1])->data],
          [3, 4], 'the right one');



=== TEST 30: last_id alone is enough, even if it is of another category
--- scenario
my ($a, $b) = (category('a'), category('b'));

publish($b, '"before"');
my $id = publish($a, '"between"');
publish($b, '"after"');

is_deeply([ask(category => $b, last_id => $id)->data], ['after'],
          'the zone has one order for all categories');



=== TEST 31: a last_id of this zone beyond the newest event means now
--- scenario
my $cat = category();
my $id = publish($cat, '"before"');
my $p = poll(category => $cat, last_id => id_moved($id, 3_600_000));

wait_waiting(1);
my $next = publish($cat, '"after"');

is_deeply([$p->answer->ids], [$next], 'what came after the poll');
cmp_ok(id_ms($next), '<', now_ms() + 1000,
       "and the zone's clock has not moved");



=== TEST 32: a last_id beyond the newest event, but of the current millisecond
--- scenario
# The poll's last_id is greater than every id that the zone can issue in this
# millisecond, and an event follows at once, with a smaller id.  The test
# repeats this until the event falls into that millisecond.

my $newest = publish(category(), '"before"');
my ($p, $e) = connections(2);
my $hits = 0;

$newest =~ s/-7...-/-7fff-/;

wait_until {
    my $cat = category();
    my $last = id_moved($newest, now_ms() - id_ms($newest));
    my $poll = poll({ conn => $p }, category => $cat, last_id => $last);

    $e->request('POST', '/publish', body => event($cat, 1));

    my $id = $e->response->header('Longpoll-Event-Id');

    die "the poll does not get its event\n"
        unless join('', $poll->answer->ids) eq $id;

    $hits++ if id_ms($id) == id_ms($last);
    $hits >= 10;
} 'polls and events in one millisecond';

pass('each poll gets its event all the same');
--- log_level: notice



=== TEST 33: a last_id between two events is a valid cursor, too
--- scenario
my $cat = category();
my @ids = (publish($cat, 1));

wait_until { now_ms() > id_ms($ids[0]) + 20 } 'some time';
push @ids, publish($cat, 2);

is_deeply([ask(category => $cat, last_id => id_moved($ids[0], 10))->ids],
          [$ids[1]], 'the later event');
is_deeply([ask(category => $cat, last_id => id_moved($ids[0], -10))->ids],
          \@ids, 'both');



=== TEST 34: last_id may have every form that golongpoll's UUID library parses
--- scenario
my $cat = category();
my @ids = map { publish($cat, $_) } 1, 2;

(my $bare = $ids[0]) =~ s/-//g;

for my $form ($ids[0], uc $ids[0], $bare, "{$ids[0]}", "urn:uuid:$ids[0]") {
    is_deeply([ask(category => $cat, last_id => $form)->ids], [$ids[1]], $form);
}



=== TEST 35: a client that follows its cursor to the end gets every event once
--- scenario
my $cat = category();
my @ids = map { publish($cat, $_) } 1 .. 30;

for my $n (0 .. 29) {
    my $r = ask(category => $cat,
                $n ? (last_id => $ids[$n - 1]) : (since_time => 0));
    is_deeply([$r->ids], [@ids[$n .. 29]], "from event $n");
}



=== TEST 36: an event after a time-out answer has a later timestamp
--- scenario
for (1 .. 3) {
    my $cat = category();
    my $r = ask(category => $cat, timeout => 1);
    my $id = publish($cat, '"next"');

    is($r->kind, 'timeout', 'a time-out');
    cmp_ok(id_ms($id), '>', $r->timestamp, 'the event is later');
    is_deeply([ask(category => $cat, since_time => $r->timestamp)->ids], [$id],
              'and found from there');
}



=== TEST 37: a poll for several categories gets their events in the zone's order
--- scenario
my @cats = map { category("c$_") } 0 .. 3;
my @ids = map { publish($cats[$_ % 4], $_) } 0 .. 19;
my $r = ask(since_time => 0, map { (category => $_) } @cats[2, 0, 3]);

is_deeply([$r->data], [grep { $_ % 4 != 1 } 0 .. 19], 'the events');
is_deeply([map { $_->{category} } $r->events],
          [map { $cats[$_ % 4] } grep { $_ % 4 != 1 } 0 .. 19],
          'each with its category');

$r = ask(last_id => $ids[16], map { (category => $_) } @cats);
is_deeply([$r->data], [17 .. 19], 'behind a cursor');



=== TEST 38: any of several categories wakes a parked poll
--- scenario
my @cats = map { category("c$_") } 0 .. 4;

for my $cat (@cats) {
    my $p = poll(map { (category => $_) } @cats);

    wait_waiting(1);
    my $id = publish($cat, 1);
    is_deeply([$p->answer->ids], [$id], $cat);
}



=== TEST 39: longpoll_max_response_size limits an answer; the next has the rest
--- config
    location = /events {
        longpoll_subscribe events;
        longpoll_max_response_size 2k;
    }
    location = /publish { longpoll_publish events; }
--- scenario
my $cat = category();
my $text = 'x' x 100;
my (@ids, @got);
my $answers = 0;

for (1 .. 60) {
    push @ids, publish($cat, qq("$text"));
    tick() if $_ % 7 == 0;
}

while (@got < @ids) {
    my $r = ask(category => $cat,
                @got ? (last_id => $got[-1]) : (since_time => 0));

    push @got, $r->ids;
    cmp_ok(length $r->body, '<=', 2048, 'within the size') if $r->ids < 8;
    $answers++;
}

is_deeply(\@got, \@ids, 'every event once, in order');
cmp_ok($answers, '>', 4, "in $answers answers");



=== TEST 40: an event larger than the limit is sent alone
--- config
    location = /events {
        longpoll_subscribe events;
        longpoll_max_response_size 1k;
    }
    location = /publish { longpoll_publish events; }
--- scenario
my $cat = category();
my @ids;

for my $n (1 .. 3) {
    push @ids, publish($cat, '"' . $n x 5000 . '"');
    tick();
}

for my $n (0 .. 2) {
    my $r = ask(category => $cat, $n ? (last_id => $ids[$n - 1])
                                     : (since_time => 0));
    is_deeply([$r->ids], [$ids[$n]], "event $n");
}



=== TEST 41: an answer never ends in the middle of a millisecond
--- config
    location = /events {
        longpoll_subscribe events;
        longpoll_max_response_size 1k;
    }
    location = /publish { longpoll_publish events; }
--- scenario
my $cat = category();
my $text = 'x' x 400;
my (@ids, @got);
my $answers = 0;

# The test publishes bursts until one millisecond has more events than the
# limit of an answer allows.

wait_until {
    my @burst = publish_together($cat, (qq("$text")) x 20);
    my %in;

    push @ids, @burst;
    $in{ id_ms($_) }++ for @burst;
    tick();
    @ids >= 60 && grep { $_ > 2 } values %in;
} 'a full millisecond';

@ids = @ids[-250 .. -1] if @ids > 250;

my $since = 0;

while (@got < @ids) {
    my @events = ask(category => $cat, since_time => $since)->events;

    push @got, map { $_->{id} } @events;
    $since = $events[-1]{timestamp};
    $answers++;
}

is_deeply(\@got, \@ids, 'a client without last_id loses nothing');
cmp_ok($answers, '>', 1, "in $answers answers");
--- log_level: notice



=== TEST 42: HEAD answers at once, with GET's headers and without a body
--- scenario
my $cat = category();
publish($cat, '"oink"');

my @args = (category => $cat, timeout => 30, since_time => 0);
my $get = ask(@args);
my $head = ask({ method => 'HEAD' }, @args);

is($head->status, 200, 'status');
is($head->body, '', 'no body');
is($head->header($_), $get->header($_), $_)
    for qw( Content-Type X-Content-Type-Options Cache-Control Pragma Expires );

$head = ask({ method => 'HEAD' }, category => category(), timeout => 30);

is($head->status, 200, 'nor does it wait in an empty category');
is($head->header('Content-Type'), 'application/json', 'Content-Type');



=== TEST 43: HEAD checks the arguments as GET does
--- config
    location = /events {
        longpoll_subscribe events;
        longpoll_error_status 404;
    }
--- scenario
my $r = ask({ method => 'HEAD' }, timeout => 1);

is($r->status, 404, 'as GET does');
is(ask({ method => 'HEAD' }, category => 'farm', timeout => 1)->status, 200,
   'right ones');



=== TEST 44: the connection stays usable after a HEAD
--- scenario
my $c = connection();
my $cat = category();
publish($cat, 1);

for (1 .. 3) {
    ask({ method => 'HEAD', conn => $c }, category => $cat, since_time => 0);
    is_deeply([ask({ conn => $c }, category => $cat, since_time => 0)->data],
              [1], 'the next request');
}



=== TEST 45: HEAD removes no event from a delete_on_read zone
--- http_config
    longpoll_zone zone=once:1m delete_on_read=on;
--- config
    location = /events  { longpoll_subscribe once; }
    location = /publish { longpoll_publish   once; }
--- scenario
my $cat = category();
my $id = publish($cat, 1);

ask({ method => 'HEAD' }, category => $cat, since_time => 0) for 1 .. 3;
is_deeply([ask(category => $cat, since_time => 0)->ids], [$id],
          'the event is still there');



=== TEST 46: other methods are refused
--- scenario
my $c = connection();

for my $method (qw( POST PUT DELETE PATCH TRACK )) {
    my $r = $c->request($method, '/events?category=farm&timeout=1',
                        body => 'category=farm')->response;

    is($r->status . ' ' . $r->body,
       '405 {"error": "Invalid HTTP Method. Only GET allowed."}', $method);
    like($r->header('Allow'), qr/\bGET\b/, 'Allow');
    is($r->header('Content-Type'), 'application/json', 'Content-Type');
    is($r->header('X-Content-Type-Options'), 'nosniff', 'nosniff');
}



=== TEST 47: OPTIONS is answered with the allowed methods
--- request
OPTIONS /events
--- error_code: 204
--- response_headers_like
Allow: .*\bGET\b.*
--- response_body



=== TEST 48: OPTIONS on a location that polls and publishes allows both
--- config
    location = /both {
        longpoll_subscribe events;
        longpoll_publish events;
    }
--- scenario
my $allow = http('OPTIONS', '/both')->header('Allow');

like($allow, qr/\b$_\b/, $_) for qw( GET HEAD POST OPTIONS );

my $r = http('PUT', '/both');
is($r->status, 405, 'another method');
is($r->header('Allow'), $allow, 'gets the same Allow');
like($r->body, qr/^\{"error": "Invalid HTTP Method\. [^"]+"\}$/, 'in JSON');



=== TEST 49: OPTIONS with a body leaves the connection usable
--- scenario
my $c = connection();

is($c->request('OPTIONS', '/events', body => 'x' x 100)->response->status, 204,
   'answered');
is($c->request('GET', '/pid')->response->status, 200, 'the next request');



=== TEST 50: an SSI include shows the stored events and removes none
--- http_config
    longpoll_zone zone=ssi:1m delete_on_read=on;
--- config
    location = /events  { longpoll_subscribe ssi; }
    location = /publish { longpoll_publish   ssi; }
    location = /page.html {
        ssi on;
        ssi_types text/plain;
    }
--- user_files
>>> page.html
<<!--#include virtual="/events?timeout=30&since_time=0&category=$arg_c" -->>
--- scenario
my $cat = category();

like(get("/page.html?c=$cat")->body,
     qr/^<\{"timeout":"no events before timeout","timestamp":\d+\}>$/,
     'without events it does not wait');

my $id = publish($cat, '"oink"');

like(get("/page.html?c=$cat")->body,
     qr/^<\{"events":\[\{"timestamp":\d+,"category":"$cat","data":"oink","id":"$id"\}\]\}>$/,
     'with events') for 1, 2;

is_deeply([ask(category => $cat, since_time => 0)->ids], [$id],
          'the include removed no event');



=== TEST 51: add_after_body shows the stored events
--- config
    location = /events  { longpoll_subscribe events; }
    location = /publish { longpoll_publish   events; }
    location = /page.html {
        addition_types text/plain;
        add_after_body /after;
    }
    location = /after {
        try_files /none /events?timeout=30&since_time=0&category=after-body;
    }
--- user_files
>>> page.html
the page
--- scenario
publish('after-body', '"oink"');

like(get('/page.html')->body,
     qr/^the page\n\{"events":\[\{.*"data":"oink".*\}\]\}$/s, 'both');



=== TEST 52: the module replaces headers that came with X-Accel-Redirect
--- config
    location = /events  { internal; longpoll_subscribe events; }
    location = /publish { longpoll_publish   events; }
    location = /front {
        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/backend;
    }
    location = /backend {
        default_type text/html;
        add_header X-Accel-Redirect "/events?$args";
        add_header Cache-Control "public, max-age=600";
        add_header Expires "Thu, 01 Dec 2033 16:00:00 GMT";
        add_header Pragma "cache";
        return 200 "never seen";
    }
--- scenario
my $cat = category();
my $id = publish($cat, 1);
my $r = ask({ uri => '/front' }, category => $cat, since_time => 0);

is_deeply([$r->ids], [$id], 'the event');
is($r->header('Cache-Control'), 'no-cache, no-store, must-revalidate',
   'Cache-Control');
is($r->header('Expires'), '0', 'Expires');
is($r->header('Pragma'), 'no-cache', 'Pragma');
is($r->header('Content-Type'), 'application/json', 'Content-Type');
is($r->header('X-Content-Type-Options'), 'nosniff', 'nosniff');



=== TEST 53: a redirected poll waits like any other
--- config
    location = /events  { internal; longpoll_subscribe events; }
    location = /publish { longpoll_publish   events; }
    location = /front {
        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/backend;
    }
    location = /backend {
        add_header X-Accel-Redirect "/events?$args";
        return 204;
    }
--- scenario
my $cat = category();
my $p = poll({ uri => '/front' }, category => $cat);

wait_waiting(1);
my $id = publish($cat, 1);
is_deeply([$p->answer->ids], [$id], 'and is woken');



=== TEST 54: a poll through nginx as a proxy
--- config
    location = /events  { longpoll_subscribe events; }
    location = /publish { longpoll_publish   events; }
    location = /front {
        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/events;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
    }
--- scenario
my $cat = category();
my $p = poll({ uri => '/front' }, category => $cat);

wait_waiting(1);
my $id = publish($cat, 1);
is_deeply([$p->answer->ids], [$id], 'woken');

$p = poll({ uri => '/front' }, category => $cat);
wait_waiting(1);
$p->close;
wait_waiting(0);
pass('and the poll ends when its client leaves');



=== TEST 55: gzip works for answers at once and for answers after a wait
--- config
    location = /events {
        longpoll_subscribe events;
        gzip on;
        gzip_types application/json;
        gzip_min_length 1;
    }
    location = /publish { longpoll_publish events; }
--- scenario
require IO::Uncompress::Gunzip;

my $cat = category();
my $text = 'oink ' x 200;
my @gzip = (headers => [ 'Accept-Encoding: gzip' ]);
my $p = poll({ @gzip }, category => $cat);

wait_waiting(1);
publish($cat, qq("$text"));

for my $r ($p->answer, ask({ @gzip }, category => $cat, since_time => 0)) {
    is($r->header('Content-Encoding'), 'gzip', 'Content-Encoding');

    my ($in, $out) = $r->body;
    IO::Uncompress::Gunzip::gunzip(\$in, \$out);
    like($out, qr/"data":"\Q$text\E"/, 'and what is in it');
}



=== TEST 56: conditions and ranges do not change an answer
--- scenario
my $cat = category();
publish($cat, 1);

for my $header ('If-Match: "x"', 'If-None-Match: *', 'Range: bytes=0-3',
                'If-Modified-Since: Thu, 01 Dec 2033 16:00:00 GMT',
                'If-Unmodified-Since: Thu, 01 Dec 1994 16:00:00 GMT')
{
    my $r = ask({ headers => [ $header ] }, category => $cat, since_time => 0);

    is($r->status, 200, $header);
    is_deeply([$r->data], [1], 'the whole answer');
}



=== TEST 57: nginx's access rules and passwords apply to polls
--- config
    location = /events {
        longpoll_subscribe events;
        auth_basic "polls";
        auth_basic_user_file ../html/passwd;
    }
    location = /publish { longpoll_publish events; }
--- user_files
>>> passwd
farmer:{PLAIN}secret
--- scenario
my $cat = category();
my $id = publish($cat, 1);
my @args = (category => $cat, since_time => 0);

is(ask(@args)->status, 401, 'without');

my $r = ask({ headers => [ 'Authorization: Basic ZmFybWVyOnNlY3JldA==' ] },
            @args);
is_deeply([$r->ids], [$id], 'with');



=== TEST 58: limit_conn counts parked polls
--- http_config
    longpoll_zone zone=events:1m;
    limit_conn_zone $server_name zone=conns:1m;
--- config
    location = /events {
        longpoll_subscribe events;
        limit_conn conns 2;
    }
    location = /publish { longpoll_publish events; }
--- scenario
my $cat = category();
my @p = map { poll(category => $cat) } 1, 2;

wait_waiting(2);
is(ask(category => $cat)->status, 503, 'limit_conn refuses the third poll');

publish($cat, 1);
is($_->answer->status, 200, 'the other polls get the event') for @p;

wait_until {
    ask(category => $cat, since_time => 0)->status == 200;
} 'limit_conn admits another poll';



=== TEST 59: auth_request in front of a poll that waits
--- config
    location = /events {
        longpoll_subscribe events;
        auth_request /auth;
    }
    location = /publish { longpoll_publish events; }
    location = /auth { internal; return 204; }
--- scenario
my $cat = category();
my $p = poll(category => $cat);

wait_waiting(1);
my $id = publish($cat, 1);
is_deeply([$p->answer->ids], [$id], 'woken');



=== TEST 60: error_page leaves the module's own errors alone
--- config
    location = /events {
        longpoll_subscribe events;
        longpoll_error_status 404;
        error_page 404 405 =200 /page;
    }
    location = /page { return 200 "a page"; }
--- scenario
my $r = get('/events?category=farm');

is($r->status, 404, 'the error status');
is($r->kind, 'error', 'the JSON');
is(post('/events', '')->kind, 'error', '405');



=== TEST 61: a last_id of another epoch is "missed" unless since_time is later
--- scenario
my $cat = category();
my $id = id_of_another_epoch(publish($cat, 1));
my $ms = id_ms($id);

is(ask(category => $cat, timeout => 1, last_id => $id)->missed, 1, 'alone');
is(ask(category => $cat, timeout => 1, last_id => $id,
       since_time => $ms)->missed, 1, 'with its own ms');

my $r = ask(category => $cat, timeout => 1, last_id => $id,
            since_time => $ms + 1);

is($r->kind, 'timeout', 'behind it there is nothing');
is($r->missed, 0, 'not with a later since_time of this epoch');



=== TEST 62: X-Accel-Redirect with a body that the proxy did not read: it is waited for
--- config
        location = /events  { longpoll_subscribe events; }
        location = /publish { longpoll_publish   events; }
        location = /mine {
            proxy_request_buffering off;
            proxy_http_version      1.1;
            proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/application;
        }
        location = /application {
            add_header X-Accel-Redirect "/events?category=unbuffered&timeout=9";
            return 200;
        }
--- scenario
my $c = connection();

$c->send("POST /mine HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhello");
wait_log('access.log', qr{POST /application});
ok($c->silent, 'no answer yet');

$c->send('world');
wait_waiting(1);

my $id = publish('unbuffered', 1);

is_deeply([$c->response->ids], [$id], 'its answer');
is($c->request('GET', '/pid')->response->status, 200, 'the next request');



=== TEST 63: the same query repeated, and in other locations
--- http_config
    longpoll_zone zone=events:1m;
    longpoll_zone zone=other:1m;
--- config
    location = /events  { longpoll_subscribe events; }
    location = /publish { longpoll_publish   events; }
    location = /other   { longpoll_subscribe other; }
    location = /others  { longpoll_publish   other; }
    location = /brief   { longpoll_subscribe events; longpoll_max_timeout 5s; }
    location = /given   { longpoll_subscribe events; longpoll_category given; }
--- scenario
my $cat = category();
my $query = "timeout=9&category=$cat&since_time=1";

publish($cat, '"here"');
publish($cat, '"there"', uri => '/others');
publish('given', '"given"');

my $c = connection();

for my $turn (1 .. 2) {
    for (1 .. 2) {
        is_deeply([get("/events?$query", conn => $c)->data], ['here'],
                  "$turn: the zone's");
    }
    is_deeply([get("/other?$query", conn => $c)->data], ['there'],
              "$turn: another zone");
    is(get("/brief?$query", conn => $c)->body,
       q({"error": "Invalid or missing 'timeout' arg.  Must be 1-5."}),
       "$turn: too long here");

    my $r = get("/given?$query", conn => $c);
    like($r->body, qr/"category":"given","data":"given"/,
         "$turn: a category that is given");

    is_deeply([get("/events?$query&", conn => $c)->data], ['here'],
              "$turn: a longer one");
}

like(get("/events?$query", conn => $c)->body, qr/"category":"\Q$cat\E"/,
     'its name');
