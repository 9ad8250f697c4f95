# Publishing: which bodies the module accepts and how it stores them, which
# bodies it refuses with which message, and every way in which nginx hands a
# body over.

use lib 't/lib';
use Test::Nginx::Socket 'no_plan';
use Longpoll;

no_long_string();
run_tests();

__DATA__

=== TEST 1: the answer to a publish, to the byte
--- request
POST /publish
{"category":"exact","data":"oink"}
--- error_code: 200
--- response_headers
Content-Type: application/json
X-Content-Type-Options: nosniff
Content-Length: 17
--- response_body chomp
{"success": true}



=== TEST 2: the answer has no header twice
--- scenario
my $r = post('/publish', event(category(), 1));
my %seen;

is_deeply([grep { $seen{$_}++ } $r->header_names], [], 'all names differ');



=== TEST 3: Longpoll-Event-Id is the event's id, a version 7 UUID of this moment
--- scenario
my $cat = category();
my $before = now_ms();
my $id = publish($cat, '"oink"');
my $after = now_ms();
my ($event) = ask(category => $cat, since_time => 0)->events;

like($id, qr/^$UUID7$/, 'version 7');
is($event->{id}, $id, 'the id that the poll gets');
is($event->{timestamp}, id_ms($id), 'the timestamp is in the id');
cmp_ok($event->{timestamp}, '>=', $before - 5, 'not before the request');
cmp_ok($event->{timestamp}, '<=', $after, 'not after the answer');



=== TEST 4: ids ascend and timestamps never go back
--- scenario
my $cat = category();
my @ids = map { publish($cat, $_) } 1 .. 50;
my @events = ask(category => $cat, since_time => 0)->events;

is_deeply([sort @ids], \@ids, 'ids ascend');
is_deeply([map { $_->{id} } @events], \@ids, 'in the order of publishing');
is_deeply([sort { $a <=> $b } map { $_->{timestamp} } @events],
          [map { $_->{timestamp} } @events], 'timestamps');



=== TEST 5: every kind of JSON value is stored exactly as the publisher wrote it
--- scenario
my @values = (
    '"oink"', '""', '0', '-0', '1', '1.0', '1.10', '-1e5', '1E+2', '0.1e-7',
    '12345678901234567890123456789', '1.7976931348623157e308',
    'true', 'false', '[]', '{}', '[null]', '{"a":null}',
    '[ 1 ,2,  3 ]', '{ "b" : 1, "a":2, "b":3 }', "[1,\t2]",
    '"a\\/b"', '"\\u003c\\u003E"', '"<b>&amp;</b>"', '"\\"\\\\\\b\\f\\n\\r\\t"',
    '"\\u0000"', '"\\ud83d\\ude00"', "\"\xc3\xa9\"", "\"\xf0\x9f\x98\x80\"",
    "\"\xe2\x80\xa8\"", "\"\x7f\"", '{"":{"":[[[{}]]]}}',
);

for my $value (@values) {
    my $cat = category();
    my $id = publish($cat, $value);

    like(ask(category => $cat, since_time => 0)->body,
         qr/^\{"events":\[\{"timestamp":\d+,"category":"$cat","data":\Q$value\E,"id":"$id"\}\]\}$/,
         $value);
}



=== TEST 6: line ends between tokens become spaces
--- scenario
my $cat = category();

publish($cat, "\n{\"a\":\n[1,\n\n 2],\n\t\"b\" : \"x\\ny\"\n}\n");

like(ask(category => $cat, since_time => 0)->body,
     qr/"data":\{"a": \[1,   2\], \t"b" : "x\\ny" \} *,"id"/, 'LF');

publish($cat, "[1,\r\n2,\r3]");

like(ask(category => $cat, since_time => 0)->body,
     qr/"data":\[1, {1,2}2, 3\],"id"/, 'CR LF and CR');



=== TEST 7: blanks around the body's tokens are not stored
--- scenario
my $cat = category();

post('/publish', qq( \r\n\t{ "category" : "$cat" ,\n "data" :\t [1] }\r\n ));

like(ask(category => $cat, since_time => 0)->body, qr/"data":\[1\],"id"/,
     'the data alone');



=== TEST 8: the order of the keys does not matter, other keys are ignored
--- scenario
my $cat = category();
my $r = post('/publish', qq({"x":null,"data":{"data":1,"category":2},)
                         . qq("y":[{"category":"z"}],"category":"$cat"}));

is($r->body, '{"success": true}', 'published');
like(ask(category => $cat, since_time => 0)->body,
     qr/"data":\{"data":1,"category":2\},"id"/, 'the data');



=== TEST 9: if a key comes twice, the last one counts
--- scenario
my ($first, $last) = (category('first'), category('last'));

post('/publish', qq({"data":1,"category":"$first","data":null,)
                 . qq("category":"$last","data":2}));

is_deeply([ask(category => $last, since_time => 0)->data], [2],
          'the last category has the last data');
is(post('/publish', qq({"category":"$first","data":1,"data":null}))->body,
   q({"error": "Invalid or missing 'data' arg, must be non-nil."}),
   'the last data is null');

publish($first, '"later"');
is_deeply([ask(category => $first, since_time => 0)->data], ['later'],
          'the first category had nothing');



=== TEST 10: the names of keys are case-sensitive
--- request
POST /publish
{"Category":"farm","DATA":1}
--- error_code: 400
--- response_body chomp
{"error": "Invalid or missing 'category' arg, must be 1-1024 characters long."}



=== TEST 11: escapes in a category are decoded
--- scenario
my $cat = category();

(my $escaped = $cat) =~ s/(.)/sprintf '\\u%04x', ord $1/ge;
publish($escaped, '1');
is_deeply([ask(category => $cat, since_time => 0)->data], [1], 'of ASCII');

publish("$cat\\ud83d\\ude00\\u00e9", '2');
is_deeply([ask(category => "$cat\xf0\x9f\x98\x80\xc3\xa9",
               since_time => 0)->data], [2], 'beyond');

publish("$cat\\\"\\\\\\/\\t", '3');
is_deeply([ask(category => "$cat\"\\/\t", since_time => 0)->data], [3],
          'the short forms');



=== TEST 12: an answer writes categories as Go's encoding/json does
--- scenario
my $cat = category();

my @names = (
    [qq(a"b\\c), '/a\\"b\\\\c'], ["<&>", '/\\u003c\\u0026\\u003e'],
    ["\xc3\xa9", "/\xc3\xa9"], ["\xe2\x80\xa8\xe2\x80\xa9", '/\\u2028\\u2029'],
    ["\n\r\t", '/\\n\\r\\t'], ["\x01\x1f", '/\\u0001\\u001f'],
    ["\x7f", "/\x7f"], ["\x00", '/\\u0000'],
);

for my $i (0 .. $#names) {
    my ($name, $written) = @{ $names[$i] };
    my $json = join '', map { sprintf ord >= 128 ? '%c' : '\\u%04x', ord }
                        split //, $name;

    publish("$cat-$i/$json", $i);

    my $r = ask(category => "$cat-$i/$name", since_time => 0);

    like($r->body, qr/"category":"$cat-$i\Q$written\E","data":$i,/, $written);
}



=== TEST 13: a category may have 1024 bytes
--- scenario
my $cat = category();
my $long = $cat . 'x' x (1024 - length $cat);
my $id = publish($long, '1');

is_deeply([ask(category => $long, since_time => 0)->ids], [$id], 'published');



=== TEST 14: a category of 1024 bytes may be escaped into more
--- scenario
my $cat = category();
my $n = (1024 - length $cat) >> 1;
my $id = publish($cat . '\\u00e9' x $n, '1');

is_deeply([ask(category => $cat . "\xc3\xa9" x $n, since_time => 0)->ids],
          [$id], 'published');



=== TEST 15: a category of 1025 bytes is refused
--- request eval
"POST /publish\n" . '{"category":"' . 'x' x 1025 . '","data":1}'
--- error_code: 400
--- response_body chomp
{"error": "Invalid or missing 'category' arg, must be 1-1024 characters long."}



=== TEST 16: the limit of 1024 counts bytes, not characters, escaped or not
--- scenario
for my $e ('\\u00e9', "\xc3\xa9") {
    my $r = post('/publish', event($e x 513, 1));

    is($r->status . ' ' . $r->body, q(400 {"error": "Invalid or missing )
       . q('category' arg, must be 1-1024 characters long."}), $e);
}



=== TEST 17: an empty category is refused
--- request
POST /publish
{"category":"","data":1}
--- error_code: 400
--- response_body chomp
{"error": "Invalid or missing 'category' arg, must be 1-1024 characters long."}



=== TEST 18: a missing category is refused before the data is checked
--- request
POST /publish
{}
--- error_code: 400
--- response_headers
Content-Type: application/json
X-Content-Type-Options: nosniff
!Longpoll-Event-Id
--- response_body chomp
{"error": "Invalid or missing 'category' arg, must be 1-1024 characters long."}



=== TEST 19: missing data is refused
--- request
POST /publish
{"category":"farm"}
--- error_code: 400
--- response_body chomp
{"error": "Invalid or missing 'data' arg, must be non-nil."}



=== TEST 20: data null is refused
--- request
POST /publish
{"category":"farm","data": null }
--- error_code: 400
--- response_headers
Content-Type: application/json
X-Content-Type-Options: nosniff
!Longpoll-Event-Id
--- response_body chomp
{"error": "Invalid or missing 'data' arg, must be non-nil."}



=== TEST 21: an empty body is refused
--- request
POST /publish
--- more_headers
Content-Length: 0
--- error_code: 400
--- response_body chomp
{"error": "Invalid POST body json."}



=== TEST 22: a body that is not one JSON object of the right kind is refused
--- scenario
my @bad = (
    ' ', 'x', '"category"', '5', 'true', '{', '{"category":"farm","data":1',
    '{"category":"farm","data":}', '{"category":"farm","data":1,}',
    '{"category":"farm" "data":1}', '{category:"farm","data":1}',
    "{'category':'farm','data':1}", '{"category":"farm","data":1}}',
    '{"category":"farm","data":1} x', '{"category":"farm","data":1}{}',
    '{"category":"farm","data":1},', "{\"category\":\"farm\",\"data\":1}\0",
    '{"category":5,"data":1}', '{"category":["farm"],"data":1}',
    '{"category":{"a":"farm"},"data":1}', '{"category":true,"data":1}',
    '{"category":"farm","data":01}', '{"category":"farm","data":+1}',
    '{"category":"farm","data":.5}', '{"category":"farm","data":1.}',
    '{"category":"farm","data":NaN}', '{"category":"farm","data":nul}',
    '{"category":"farm","data":TRUE}', '{"category":"farm","data":[1,]}',
    '{"category":"farm","data":[1 2]}', '{"category":"farm","data":[}',
    '{"category":"farm","data":"x}', '{"category":"farm","data":"\\x"}',
    '{"category":"farm","data":"\\u12g4"}', '{"category":"farm","data":"\\',
    "{\"category\":\"farm\",\"data\":\"a\nb\"}",
    "{\"category\":\"farm\",\"data\":\"a\tb\"}",
    "{\"category\":\"farm\",\"data\":\"\x01\"}",
    '{"category":"farm","data":1/*c*/}', "\xef\xbb\xbf{}", '[]',
);

for my $body (@bad) {
    my $r = post('/publish', $body);

    is($r->status . ' ' . $r->body, '400 {"error": "Invalid POST body json."}',
       $body);
}



=== TEST 23: a body is refused if any part of it is not UTF-8
--- scenario
my %bad = (
    'a lone continuation' => "\x80", 'a cut sequence' => "\xc3",
    'overlong, two bytes' => "\xc0\xaf", 'overlong, three' => "\xe0\x80\xaf",
    'a surrogate' => "\xed\xa0\x80", 'above U+10FFFF' => "\xf4\x90\x80\x80",
    'five bytes' => "\xf8\x88\x80\x80\x80", 'latin 1' => "caf\xe9",
);

for my $what (sort keys %bad) {
    my $text = $bad{$what};

    for my $body (event('farm', qq("$text")), event($text, 1),
                  qq({"category":"farm","data":{"$text":1}}),
                  qq({"category":"farm","data":1,"x":"$text"}))
    {
        my $r = post('/publish', $body);

        is($r->status . ' ' . $r->body,
           '400 {"error": "Invalid POST body json."}', $what);
    }
}



=== TEST 24: data nests 100 deep, not 101, however it is published
--- config
    location = /events  { longpoll_subscribe events; }
    location = /publish { longpoll_publish   events; }

    location = /json {
        longpoll_category $arg_c;
        longpoll_publish  events format=json;
    }
--- scenario
my $cat = category();
my $publish = sub {
    my ($data) = @_;

    (post('/publish', event($cat, $data)),
     post('/publish', '[' . event($cat, 1) . ',' . event($cat, $data) . ']'),
     post("/json?c=$cat", $data))
};

my $deep = '[' x 100 . ']' x 100;

is($_->status, 200, '100 deep') for $publish->($deep);

my @found = ask(category => $cat, since_time => 0)->body
            =~ /"data":\Q$deep\E,"id"/g;

is(scalar(@found), 3, 'alone, in an array, as the whole body');

for my $n (101, 100_000) {
    for my $data ('[' x $n . ']' x $n, '{"a":' x $n . '1' . '}' x $n, '[' x $n)
    {
        is($_->status . ' ' . $_->body,
           '400 {"error": "Invalid POST body json."}', "$n deep")
            for $publish->($data);
    }
}



=== TEST 25: a refused event is not stored
--- http_config
    longpoll_zone zone=refusals:1m;
--- config
    location = /events  { longpoll_subscribe refusals; }
    location = /publish { longpoll_publish   refusals; }
--- scenario
my $cat = category();
my $before = status();

post('/publish', $_) for event($cat, 'nul'), event($cat, 'null'),
    event($cat, 1) . 'x', qq({"category":"$cat"}), '{"data":1}', '';

my $after = status();

is($after->{$_}, $before->{$_}, $_) for qw( events published categories used );
is($after->{refused} - $before->{refused}, 6, 'refused');

my $id = publish($cat, '"good"');
is_deeply([ask(category => $cat, since_time => 0)->ids], [$id],
          'the good one only');



=== TEST 26: GET on a publish location is refused
--- request
GET /publish
--- error_code: 405
--- response_headers
Content-Type: application/json
X-Content-Type-Options: nosniff
--- response_headers_like
Allow: .*\bPOST\b.*
--- response_body chomp
{"error": "Invalid HTTP Method. Only POST allowed."}



=== TEST 27: PUT with a body is refused, and the connection stays usable
--- scenario
my $c = connection();
my $cat = category();
my $r = $c->request('PUT', '/publish', body => event($cat, 1))->response;

is($r->status . ' ' . $r->body,
   '405 {"error": "Invalid HTTP Method. Only POST allowed."}', 'refused');

publish($cat, 2, conn => $c);
is_deeply([ask(category => $cat, since_time => 0)->data], [2],
          'only the POST is there');



=== TEST 28: OPTIONS is answered with the allowed methods
--- request
OPTIONS /publish
--- error_code: 204
--- response_headers_like
Allow: .*\bPOST\b.*
--- response_body



=== TEST 29: CORS needs only OPTIONS and add_header
--- config
    location = /publish {
        longpoll_publish events;
        add_header Access-Control-Allow-Origin *;
        add_header Access-Control-Allow-Headers Content-Type;
    }
--- scenario
my $cat = category();

for my $r (http('OPTIONS', '/publish'), post('/publish', event($cat, 1))) {
    is($r->header('Access-Control-Allow-Origin'), '*', $r->status);
}



=== TEST 30: the Content-Type of the body does not matter
--- scenario
for my $type ('application/json', 'application/x-www-form-urlencoded',
              'text/plain', 'multipart/form-data; boundary=x', '')
{
    my $r = post('/publish', event(category(), 1),
                 headers => [ "Content-Type: $type" ]);

    is($r->body, '{"success": true}', "'$type'");
}



=== TEST 31: a body may come in chunks
--- scenario
my $cat = category();

for my $size (1, 7, 10_000) {
    my $id = publish($cat, qq("chunks of $size"), chunked => $size);
    my ($event) = grep { $_->{id} eq $id }
                  ask(category => $cat, since_time => 0)->events;

    is($event->{data}, "chunks of $size", "chunks of $size");
}



=== TEST 32: an empty body in chunks is refused
--- scenario
my $r = post('/publish', '', chunked => 1);

is($r->status . ' ' . $r->body, '400 {"error": "Invalid POST body json."}',
   'as an empty body');



=== TEST 33: a body may come byte by byte
--- scenario
my $cat = category();
my $body = event($cat, '"slow"');
my $c = connection();

$c->send("POST /publish HTTP/1.1\r\nHost: localhost\r\n"
         . 'Content-Length: ' . length($body) . "\r\n\r\n");
$c->send($_), tick() for split //, $body;

is($c->response->body, '{"success": true}', 'published');
is_deeply([ask(category => $cat, since_time => 0)->data], ['slow'], 'whole');



=== TEST 34: a body may be spilled to a file
--- config
    location = /events { longpoll_subscribe events; }
    location = /publish {
        longpoll_publish events;
        client_body_buffer_size 1k;
    }
    location = /file {
        longpoll_publish events;
        client_body_in_file_only clean;
    }
    location = /single {
        longpoll_publish events;
        client_body_in_single_buffer on;
    }
--- scenario
my $text = join ',', 1 .. 6000;

for my $uri ('/publish', '/file', '/single') {
    for my $chunked (0, 3000) {
        my $cat = category();
        my $id = publish($cat, qq("$text"), uri => $uri, chunked => $chunked);
        my $r = ask(category => $cat, since_time => 0);

        is_deeply([$r->ids], [$id], "$uri, chunks of $chunked");
        ok(($r->data)[0] eq $text, 'to the byte');
    }
}
--- log_level: notice



=== TEST 35: an empty body is refused when nginx keeps bodies in files, too
--- config
    location = /publish {
        longpoll_publish events;
        client_body_in_file_only clean;
    }
--- scenario
for my $chunked (0, 1) {
    my $r = post('/publish', '', chunked => $chunked);

    is($r->status . ' ' . $r->body, '400 {"error": "Invalid POST body json."}',
       "chunked $chunked");
}



=== TEST 36: an event may have 1 MB
--- http_config
    longpoll_zone zone=large:16m;
--- config
    location = /events  { longpoll_subscribe large; }
    location = /publish { longpoll_publish   large; }
--- scenario
my $cat = category();
my $text = join ' ', 100_000 .. 249_796;
my $size = length $text;
my $p = poll(category => $cat);

cmp_ok($size, '>=', 1 << 20, "$size bytes");
wait_waiting(1);
my $id = publish($cat, qq("$text"));

for my $r ($p->answer, ask(category => $cat, since_time => 0)) {
    my $ms = id_ms($id);

    ok($r->body eq qq({"events":[{"timestamp":$ms,"category":"$cat",)
                   . qq("data":"$text","id":"$id"}]}), 'to the byte');
}
--- log_level: notice



=== TEST 37: an event of more than a quarter of the zone is refused
--- http_config
    longpoll_zone zone=quarter:1m;
--- config
    location = /events  { longpoll_subscribe quarter; }
    location = /publish { longpoll_publish   quarter; }
--- scenario
my $cat = category();
my $quarter = (1 << 20) / 4;
my $refused = status()->{refused};

publish($cat, '"first"');

my $r = post('/publish', event($cat, '"' . 'x' x $quarter . '"'));

is($r->status, 413, 'a quarter of data alone is refused');
like($r->body, qr/^\{"error": "[^"]+"\}$/, 'in JSON');
is($r->header('Content-Type'), 'application/json', 'Content-Type');
is($r->header('X-Content-Type-Options'), 'nosniff', 'nosniff');
is($r->header('Longpoll-Event-Id'), undef, 'there is no event');
is(status()->{refused} - $refused, 1, 'refused');
is_deeply([ask(category => $cat, since_time => 0)->data], ['first'],
          'nothing was stored, nothing evicted');

my $id = publish($cat, '"' . 'x' x ($quarter - 256) . '"');
my @ids = ask(category => $cat, since_time => 0)->ids;
is($ids[-1], $id, 'less 256 bytes is taken');
--- log_level: notice



=== TEST 38: an event of the greatest size fits, one byte more is refused
--- http_config
    longpoll_zone zone=exactly:1m;
--- config
    location = /events  { longpoll_subscribe exactly; }
    location = /publish { longpoll_publish   exactly; }
--- scenario
my $cat = category();
my ($fits, $refused) = ((1 << 18) - 256, 1 << 18);

while ($refused - $fits > 1) {
    my $n = ($fits + $refused) >> 1;
    my $r = post('/publish', event($cat, '"' . 'x' x $n . '"'));

    die $r->status unless $r->status =~ /^(?:200|413)$/;
    ($r->status == 200 ? $fits : $refused) = $n;
}

# The greatest event that fits is published until the zone evicts events.

my $last = publish($cat, '"before"');

for (1 .. 12) {
    my $id = publish($cat, '"' . 'x' x $fits . '"');
    my $body = ask(category => $cat, last_id => $last)->body;

    ok($body =~ /^\{"events":\[\{[^{}]*"id":"$id"\}\]\}$/, "$fits bytes fit");
    $last = $id;
}

is(post('/publish', event($cat, '"' . 'x' x $refused . '"'))->status, 413,
   "$refused bytes do not");
--- log_level: notice



=== TEST 39: client_max_body_size is nginx's own, and so is its 413
--- config
    location = /publish {
        longpoll_publish events;
        client_max_body_size 100;
        error_page 413 /too-large;
    }
    location = /too-large { return 200 "nginx's own page\n"; }
--- request eval
"POST /publish\n" . '{"category":"farm","data":"' . 'x' x 100 . '"}'
--- error_code: 413
--- response_body
nginx's own page
--- error_log
client intended to send too large body



=== TEST 40: client_max_body_size also limits bodies in chunks
--- config
    location = /publish {
        longpoll_publish events;
        client_max_body_size 100;
    }
--- scenario
my $cat = category();
my $r = post('/publish', event($cat, '"' . 'x' x 100 . '"'), chunked => 50);

is($r->status, 413, 'refused');
like($r->header('Content-Type'), qr{^text/html}, "with nginx's own page");



=== TEST 41: error_page leaves the module's own errors alone
--- config
    location = /publish {
        longpoll_publish events;
        error_page 400 405 =200 /page;
    }
    location = /page { return 200 "a page"; }
--- scenario
my $r = post('/publish', 'x');
is($r->status . ' ' . $r->body, '400 {"error": "Invalid POST body json."}',
   '400');

$r = get('/publish');
is($r->status . ' ' . $r->body,
   '405 {"error": "Invalid HTTP Method. Only POST allowed."}', '405');



=== TEST 42: HTTP/1.0 publishes
--- scenario
my $cat = category();
my $c = connection();
my $r = $c->request('POST', '/publish', version => '1.0',
                    body => event($cat, '"old"'))->response;

is($r->body, '{"success": true}', 'the answer');
is($r->header('Connection'), 'close', 'Connection');
ok($c->closed, 'the connection is closed');
is_deeply([ask(category => $cat, since_time => 0)->data], ['old'], 'stored');



=== TEST 43: one connection publishes many times, with errors in between
--- scenario
my $cat = category();
my $c = connection();

for my $n (1 .. 20) {
    publish($cat, $n, conn => $c);
    is(http('POST', '/publish', conn => $c, body => '[')->status, 400,
       "error $n");
    is(http('POST', '/publish', conn => $c, body => event('', 1))->status, 400,
       "and another");
}

is_deeply([ask(category => $cat, since_time => 0)->data], [1 .. 20],
          'all events');



=== TEST 44: pipelined publishes are all answered, in order
--- scenario
my $cat = category();
my @ids = publish_together($cat, 1 .. 20);

is_deeply([ask(category => $cat, since_time => 0)->ids], \@ids,
          'each answer named its own event');



=== TEST 45: Expect: 100-continue is answered
--- scenario
my $cat = category();
my $body = event($cat, 1);
my $c = connection();

$c->send("POST /publish HTTP/1.1\r\nHost: localhost\r\n"
         . 'Content-Length: ' . length($body)
         . "\r\nExpect: 100-continue\r\n\r\n");
wait_until { $c->fill(0.01); $c->{buf} =~ /\r\n\r\n/ } '100 Continue';
like($c->{buf}, qr{^HTTP/1\.1 100 }, 'go on');

$c->send($body);
is($c->response->body, '{"success": true}', 'published');



=== TEST 46: a client that leaves with half a body has published nothing
--- scenario
my $cat = category();
my $c = connection();

$c->send("POST /publish HTTP/1.1\r\nHost: localhost\r\n"
         . "Content-Length: 1000\r\n\r\n" . event($cat, 1));
$c->close;
wait_log('access.log', qr{"POST /publish HTTP/1.1" 400 });

my $p = poll(category => $cat, since_time => 0);
wait_waiting(1);
ok($p->parked, 'there is no event');



=== TEST 47: nginx's access rules apply to publishing
--- config
    location = /publish {
        longpoll_publish events;
        allow 192.0.2.1;
        deny all;
    }
--- request
POST /publish
{"category":"denied","data":1}
--- error_code: 403
--- response_body_like: 403 Forbidden
--- error_log
access forbidden by rule



=== TEST 48: auth_request decides before anything is stored
--- config
    location = /events  { longpoll_subscribe events; }
    location = /publish {
        longpoll_publish events;
        auth_request /auth;
    }
    location = /auth {
        internal;
        if ($http_x_token != "open sesame") {
            return 401;
        }
        return 204;
    }
--- scenario
my $cat = category();

is(post('/publish', event($cat, 1))->status, 401, 'refused');
publish($cat, 2, headers => [ 'X-Token: open sesame' ]);
is_deeply([ask(category => $cat, since_time => 0)->data], [2], 'stored');



=== TEST 49: the publisher does not wait for slow readers
--- http_config
    longpoll_zone zone=slow:16m;
--- config
    location = /events  { longpoll_subscribe slow; }
    location = /publish { longpoll_publish   slow; }
--- scenario
my $cat = category();
my @p = map { poll(category => $cat) } 1 .. 5;

wait_waiting(5);
publish($cat, '"' . 'x' x 2_000_000 . '"');

# No reader has read anything yet, but the next publish is answered.

publish($cat, '"next"');
pass('answered');

ok($_->answer->body =~ /"data":"x{10}/ && length($_->answer->body) > 2_000_000,
   'and the readers get it whole') for @p;
--- log_level: notice



=== TEST 50: If-Match and the like do not change the answer to a request
--- scenario
my $cat = category();

for my $header ('If-Match: "x"', 'If-None-Match: *',
                'If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT')
{
    my $r = http('POST', '/publish', body => event($cat, 1),
                 headers => [$header]);

    is($r->status, 200, "$header: published");
    is(http('GET', "/events?timeout=5&since_time=0&category=$cat",
            headers => [$header])->status, 200, "$header: polled");
}



=== TEST 51: an unbuffered body is refused, not stored in part
--- config
        location = /events  { longpoll_subscribe events; }
        location @publish {
            longpoll_category unbuffered;
            longpoll_publish  events;
        }
        location = /say {
            proxy_request_buffering off;
            proxy_http_version      1.1;
            proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/application;
        }
        location = /application {
            client_max_body_size 0;
            add_header X-Accel-Redirect @publish;
            return 200;
        }
--- scenario
is(post('/say', 'x' x 300_000)->status, 500, 'a large one');
is(post('/say', 'x' x 300_000, chunked => 1)->status, 500, 'a chunked one');
is(post('/say', 'whole')->status, 200, 'one that came with its headers');
is_deeply([ask(category => 'unbuffered', since_time => 0)->data], ['whole'],
          'only that is stored');
--- error_log
longpoll: the request body was passed on unbuffered



=== TEST 52: a body of 100,000 bytes goes through no file, unless it is told to
--- config
    location = /events { longpoll_subscribe events; }
    location = /large  { longpoll_publish events; if ($arg_if) { break; } }
    location = /small  {
        longpoll_publish events;
        client_body_buffer_size 64k;
    }
--- scenario
my $text = 'x' x 100_000;

for my $uri (qw( /large /large?if=1 /small )) {
    for my $chunked (0, 30_000) {
        my $cat = category();

        publish($cat, qq("$text"), uri => $uri, chunked => $chunked);
        is_deeply([ask(category => $cat, since_time => 0)->data], [$text],
                  "$uri, chunks of $chunked");
    }
}

like(wait_log('error.log', qr/temporary file.*"POST \/(?:large|small)/),
     qr/"POST \/small/, 'only the one that is told to');
--- log_level: warn
