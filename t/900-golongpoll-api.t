# Every example of golongpoll's API page (HttpLongPollAPI.md): the module
# answers as golongpoll's server does.  Keys, their order, spacing, texts and
# headers are compared byte for byte, timestamps and ids by their form.  The
# page prints blanks between two events, but the server sends none.

use lib 't/lib';
use Test::Nginx::Socket 'no_plan';
use Longpoll;

# As on the page, the longest timeout is 110 seconds.

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value(http_config => <<'_EOC_');
    longpoll_zone zone=golongpoll:1m;
    longpoll_max_timeout 110s;
_EOC_
    $block->set_value(config => <<'_EOC_');
        location = /events          { longpoll_subscribe golongpoll; }
        location = /publish         { longpoll_publish   golongpoll; }
        location = /path/to/publish { longpoll_publish   golongpoll; }
        location = /post            { longpoll_publish   golongpoll; }
_EOC_
});

no_long_string();
run_tests();

__DATA__

=== TEST 1: Get New Events
--- scenario
my $p = connection();

$p->request('GET', '/events?timeout=30&category=foobar');
wait_waiting(1);
publish('foobar', '"coool beans"');

my $r = $p->response;

is($r->status, 200, 'status');
is($r->header('Content-Type'), 'application/json', 'Content-Type');
like($r->body, qr/^\{"events":\[\{"timestamp":\d{13},"category":"foobar","data":"coool beans","id":"$UUID7"\}\]\}$/,
     'body');



=== TEST 2: the events answer of the page's Response JSON
--- scenario
my $id = publish('response-json', '"cool beans dawg"');
my $ms = id_ms($id);

is(get('/events?timeout=30&category=response-json&since_time=' . ($ms - 1))
   ->body, qq({"events":[{"timestamp":$ms,"category":"response-json",)
           . qq("data":"cool beans dawg","id":"$id"}]}), 'body');



=== TEST 3: Get Events After Last Received Event
--- scenario
my @ids;

for my $data ('coool beans', 'longpolling is cool', 'TOTALLY is coooooool') {
    push @ids, publish('last-received', qq("$data"));
    tick();
}

my @ms = map { id_ms($_) } @ids;
my $r = get("/events?timeout=30&category=last-received&since_time=$ms[0]"
            . "&last_id=$ids[0]");

is($r->status, 200, 'status');
is($r->header('Content-Type'), 'application/json', 'Content-Type');
is($r->body, qq({"events":[{"timestamp":$ms[1],"category":"last-received",)
             . qq("data":"longpolling is cool","id":"$ids[1]"},)
             . qq({"timestamp":$ms[2],"category":"last-received",)
             . qq("data":"TOTALLY is coooooool","id":"$ids[2]"}]}), 'body');



=== TEST 4: the same with an id of golongpoll's own, of version 4
--- scenario
my @ids;

for my $data ('longpolling is cool', 'TOTALLY is coooooool') {
    push @ids, publish('version-4', qq("$data"));
    tick();
}

my $since = id_ms($ids[0]) - 1;
my $r = get("/events?timeout=30&category=version-4&since_time=$since"
            . '&last_id=7c17587a-3437-4861-bef7-8f29905589e4');

is_deeply([$r->ids], \@ids, 'both events');



=== TEST 5: Timeout Response
--- scenario
# The page's poll has a timeout of ten seconds and a since_time of March 2021,
# which is before this zone's epoch.  With since_time=0 the answer is that of
# the page, byte for byte.

my $r = get('/events?category=timeout-response&timeout=1&since_time=0');

is($r->status, 200, 'status');
is($r->header('Content-Type'), 'application/json', 'Content-Type');
like($r->body, qr/^\{"timeout":"no events before timeout","timestamp":\d{13}\}$/,
     'body');

$r = get('/events?category=timeout-response&timeout=1&since_time=1615265400748');
like($r->body, qr/^\{"timeout":"no events before timeout","timestamp":\d{13},"missed":true\}$/,
     'since the date of the page, with what golongpoll does not tell');



=== TEST 6: Error Response
--- request
GET /events?category=foobar&since_time=1615265400748
--- error_code: 200
--- response_headers
Content-Type: application/json
X-Content-Type-Options: nosniff
Cache-Control: no-cache, no-store, must-revalidate
Pragma: no-cache
Expires: 0
--- response_body chomp
{"error": "Invalid or missing 'timeout' arg.  Must be 1-110."}



=== TEST 7: Publish string Data
--- request
POST /path/to/publish
{"category":"somecoolcategory", "data":"hello world"}
--- more_headers
Content-Type: application/x-www-form-urlencoded
--- error_code: 200
--- response_headers
Content-Type: application/json
X-Content-Type-Options: nosniff
Content-Length: 17
--- response_body chomp
{"success": true}



=== TEST 8: Publish JSON Data
--- scenario
my $r = post('/path/to/publish', '{"category":"chatroom-1234", "data":'
             . '{"display_name": "user123", "chat": "Hi everyone!"}}');

is($r->status, 200, 'status');
is($r->header('Content-Type'), 'application/json', 'Content-Type');
is($r->header('X-Content-Type-Options'), 'nosniff', 'X-Content-Type-Options');
is($r->header('Content-Length'), '17', 'Content-Length');
is($r->body, '{"success": true}', 'body');

# The zone stores the publisher's own text, including blanks.

like(get('/events?category=chatroom-1234&timeout=30&since_time=0')->body,
     qr/"data":\{"display_name": "user123", "chat": "Hi everyone!"\},"id"/,
     'what is polled');



=== TEST 9: Publish Error
--- request
POST /post
{"category":"something", "data":null}
--- error_code: 400
--- response_headers
Content-Type: application/json
X-Content-Type-Options: nosniff
Content-Length: 60
--- response_body chomp
{"error": "Invalid or missing 'data' arg, must be non-nil."}



=== TEST 10: what golongpoll's JavaScript client sends: last_id empty at first
--- scenario
my $since = now_ms();
my $p = connection();

$p->request('GET', "/events?category=javascript&timeout=45&since_time=$since"
                   . '&last_id=');
wait_waiting(1);
my $id = publish('javascript', '{"n":1}');
my ($event) = $p->response->events;
is($event->{id}, $id, 'the first event');

$p->request('GET', "/events?category=javascript&timeout=45&since_time="
                   . "$event->{timestamp}&last_id=$event->{id}");
wait_waiting(1);
$id = publish('javascript', '{"n":2}');
is_deeply([$p->response->ids], [$id], 'the next');



=== TEST 11: what golongpoll's Go client sends after a time-out
--- scenario
# The client uses the answer's timestamp as since_time, and has no last_id yet.

my $r = get('/events?category=go&timeout=1');
my $id = publish('go', '"right behind"');

is_deeply([get('/events?category=go&timeout=45&since_time=' . $r->timestamp)
           ->ids], [$id], 'the event');
