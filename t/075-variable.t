# The variables, as an access log sees them.

use lib 't/lib';
use Test::Nginx::Socket 'no_plan';
use Longpoll;

no_long_string();

# Every block logs the variables.

add_block_preprocessor(sub {
    my ($block) = @_;

    return if defined $block->http_config;

    $block->set_value(http_config => <<'_EOC_');
    longpoll_zone zone=events:1m;
    log_format longpoll '$request_uri $status <$longpoll_result> '
                        '<$longpoll_category> <$longpoll_events> '
                        '<$longpoll_event_id>';
    access_log logs/longpoll.log longpoll;
_EOC_
});

run_tests();

__DATA__

=== TEST 1: a publish
--- scenario
my $cat = category();
my $id = publish($cat, 1, uri => "/publish?$cat");

is(wait_log('longpoll.log', qr/$cat/),
   "/publish?$cat 200 <published> <$cat> <1> <$id>", 'the log');



=== TEST 2: a poll that finds events
--- scenario
my $cat = category();
my @ids = map { publish($cat, $_) } 1 .. 3;

ask(category => $cat, since_time => 0);
like(wait_log('longpoll.log', qr{^/events\?category=$cat}),
     qr/ 200 <events> <$cat> <3> <$ids[2]>$/, 'the log');



=== TEST 3: a poll that is woken
--- scenario
my $cat = category();
my $p = poll(category => $cat);

wait_waiting(1);
my $id = publish($cat, 1);
$p->answer;
like(wait_log('longpoll.log', qr{^/events\?category=$cat}),
     qr/ 200 <events> <$cat> <1> <$id>$/, 'the log');



=== TEST 4: one event wakes several polls, which share one answer
--- scenario
my $cat = category();
my @p = map { poll(category => $cat, n => $_) } 1 .. 5;

wait_waiting(5);
my $id = publish($cat, 1);

for my $n (1 .. 5) {
    $p[$n - 1]->answer;
    like(wait_log('longpoll.log', qr{^/events\?category=$cat&n=$n&}),
         qr/ 200 <events> <$cat> <1> <$id>$/, "poll $n");
}



=== TEST 5: a time-out
--- scenario
my $cat = category();

ask(category => $cat, timeout => 1);
like(wait_log('longpoll.log', qr/$cat/), qr/ 200 <timeout> <$cat> <0> <->$/,
     'the log');



=== TEST 6: a client that leaves
--- scenario
my $cat = category();
my $p = poll(category => $cat);

wait_waiting(1);
$p->close;
like(wait_log('longpoll.log', qr/$cat/), qr/ 499 <gone> <$cat> <0> <->$/,
     'the log');



=== TEST 7: errors
--- scenario
get('/events?error=1');
is(wait_log('longpoll.log', qr/error=1/),
   '/events?error=1 200 <error> <-> <0> <->', 'of a poll');

post('/publish?error=2', 'x');
is(wait_log('longpoll.log', qr/error=2/),
   '/publish?error=2 400 <error> <-> <0> <->', 'of a publish');

http('DELETE', '/publish?error=3');
is(wait_log('longpoll.log', qr/error=3/),
   '/publish?error=3 405 <error> <-> <0> <->', 'of a method');



=== TEST 8: in other locations the variables have no value
--- scenario
get('/pid?none');
is(wait_log('longpoll.log', qr/none/), '/pid?none 200 <-> <-> <-> <->',
   'the log');



=== TEST 9: several categories are joined by commas
--- scenario
my @cats = map { category($_) } qw( c a b );
my $joined = join ',', @cats;

my $id = publish($cats[1], 1);
ask(since_time => 0, map { (category => $_) } @cats);
like(wait_log('longpoll.log', qr/since_time=0/),
     qr/ 200 <events> <$joined> <1> <$id>$/, 'the log');



=== TEST 10: control bytes and % of a category are escaped
--- scenario
my $cat = category();

publish("$cat\\r\\nInjected: 1\\t\\u0000\\u007f\\u00e9%", 1,
        uri => "/publish?$cat");

# nginx's log writes bytes above 127 as \xHH.

is((wait_log('longpoll.log', qr/$cat/) =~ / <published> <(.*?)> /)[0],
   "$cat%0D%0AInjected: 1%09%00%7F\\xC3\\xA9%25", 'the log');

# A % is escaped, so that two categories never look alike.

my ($first, $second) = (category('x'), category('y'));

ask(timeout => 1, category => "$first\n");
ask(timeout => 1, category => "$second%0A");
like(wait_log('longpoll.log', qr/category=$first/), qr/ <$first%0A> /,
     'a line end');
like(wait_log('longpoll.log', qr/category=$second/), qr/ <$second%250A> /,
     'what looks like one');



=== TEST 11: a category in a header cannot add a header
--- config
    location = /events {
        longpoll_subscribe events;
        add_header X-Category $longpoll_category;
        add_header X-Result $longpoll_result;
        add_header X-Events $longpoll_events;
        add_header X-Id $longpoll_event_id;
    }
    location = /publish { longpoll_publish events; }
--- scenario
my $cat = category();
my $id = publish("$cat\\r\\nX-Injected: 1", 1);
my $r = ask(category => "$cat\r\nX-Injected: 1", since_time => 0);

is($r->header('X-Injected'), undef, 'nothing injected');
is($r->header('X-Category'), "$cat%0D%0AX-Injected: 1", 'X-Category');
is($r->header('X-Result'), 'events', 'X-Result');
is($r->header('X-Events'), '1', 'X-Events');
is($r->header('X-Id'), $id, 'X-Id');



=== TEST 12: add_header can use the variables of a publish
--- config
    location = /publish {
        longpoll_publish events;
        add_header X-Result "$longpoll_result $longpoll_events" always;
    }
--- scenario
is(post('/publish', event(category(), 1))->header('X-Result'), 'published 1',
   'published');
is(post('/publish', 'x')->header('X-Result'), 'error 0', 'refused');



=== TEST 13: longpoll_cursor_ZONE is a cursor that a page can hand out
--- http_config
    longpoll_zone zone=cursor:1m;
--- config
    location = /events  { longpoll_subscribe cursor; }
    location = /publish { longpoll_publish   cursor; }
    location = /page    { return 200 $longpoll_cursor_cursor; }
--- scenario
my ($cat, $fresh) = (category(), category('fresh'));

publish($cat, '"before"');
my $id = publish($cat, '"newest"');
my $cursor = get('/page')->body;

is($cursor, $id, 'the id of the newest event');

publish($_, '"after"') for $cat, $fresh;
is_deeply([ask(category => $_, last_id => $cursor)->data], ['after'],
          'what came after it') for $cat, $fresh;



=== TEST 14: longpoll_cursor_ZONE of a zone without events
--- http_config
    longpoll_zone zone=nothing:1m;
--- config
    location = /events  { longpoll_subscribe nothing; }
    location = /publish { longpoll_publish   nothing; }
    location = /page    { return 200 $longpoll_cursor_nothing; }
--- scenario
my $cat = category();
my $cursor = get('/page')->body;

like($cursor, qr/^$UUID7$/, 'an id');
my $id = publish($cat, 1);

my $r = ask(category => $cat, last_id => $cursor);
is_deeply([$r->ids], [$id], 'everything is behind it');
is($r->missed, 0, 'and nothing is missed');



=== TEST 15: longpoll_cursor_ZONE of an unknown zone is empty
--- config
    location = /page { return 200 "<$longpoll_cursor_unheard_of>"; }
--- request
GET /page
--- response_body chomp
<>



=== TEST 16: an if block can use a variable that has no value
--- config
    location = /page {
        if ($longpoll_result) {
            return 500;
        }
        return 200 "<$longpoll_category$longpoll_events$longpoll_event_id>";
    }
--- request
GET /page
--- response_body chomp
<>



=== TEST 17: HEAD, OPTIONS and the status have no result
--- scenario
my $cat = category();

ask({ method => 'HEAD' }, category => $cat, n => 1);
like(wait_log('longpoll.log', qr/$cat/), qr/ 200 <-> <$cat> <-> <->$/, 'HEAD');

http('OPTIONS', '/events?n=2');
like(wait_log('longpoll.log', qr/n=2/), qr/ 204 <-> <-> <-> <->$/, 'OPTIONS');

get('/status?n=3');
like(wait_log('longpoll.log', qr/n=3/), qr/ 200 <-> <-> <-> <->$/, 'status');
