# longpoll_category: the configuration names the categories of polls and of
# deletes, and of publishes, whose body is then the data itself.

use lib 't/lib';
use Test::Nginx::Socket 'no_plan';
use Longpoll;

no_long_string();
run_tests();

__DATA__

=== TEST 1: a poll gets the category of the configuration, not of its arguments
--- config
        location = /publish { longpoll_publish events; }
        location = /mine {
            longpoll_category "user:$arg_user";
            longpoll_subscribe events;
        }
--- scenario
my $cat = category();

publish($cat, '"not mine"');
publish("user:$cat", '"mine"');

my @events = ask({ uri => '/mine' }, user => $cat, category => $cat,
                 since_time => 0)->events;

is(scalar @events, 1, 'one event');
is($events[0]{data}, 'mine', 'the right one');
is($events[0]{category}, "user:$cat", 'of its category');



=== TEST 2: several values are several categories
--- config
        location = /publish { longpoll_publish events; }
        location = /mine {
            longpoll_category $arg_a $arg_b "$arg_a$arg_b";
            longpoll_subscribe events;
        }
--- scenario
my ($a, $b) = (category('a'), category('b'));
my $n = 0;

publish($_, ++$n) for $a, $b, $a . $b, 'c';
is_deeply([ask({ uri => '/mine' }, a => $a, b => $b, since_time => 0)->data],
          [1, 2, 3], 'all three');

my $p = poll({ uri => '/mine' }, a => $a, b => $b);

wait_waiting(1);
publish("$a$b", 4);
is_deeply([$p->answer->data], [4], 'parked for each');



=== TEST 3: separator= splits a value into categories
--- config
        location = /publish { longpoll_publish events; }
        location = /mine {
            longpoll_category $arg_list x-$arg_list separator=,;
            longpoll_subscribe events;
        }
--- scenario
my $cat = category();
my $n = 0;

publish($_, ++$n) for "$cat-1", "$cat-2", "x-$cat-1", "$cat-1,$cat-2";
is_deeply([get("/mine?list=,$cat-1,,$cat-2,$cat-1,&timeout=2&since_time=0")
               ->data],
          [1, 2], 'the empty ones and the doubles do not count');



=== TEST 4: without separator= a value is one category, whatever it contains
--- config
        location = /publish { longpoll_publish events; }
        location = /mine {
            longpoll_category $arg_list;
            longpoll_subscribe events;
        }
--- scenario
my $cat = category();

publish($cat, 1);
publish("$cat,a", 2);
is_deeply([get("/mine?list=$cat,a&timeout=2&since_time=0")->data],
          [2], 'the one with the comma');



=== TEST 5: empty values are dropped; if none remains, the poll is an error
--- config
        location = /mine {
            longpoll_category $arg_a $arg_b separator=,;
            longpoll_subscribe events;
        }
--- scenario
my $bad = '{"error": "Invalid subscription category, must be 1-1024 characters '
          . 'long."}';
my $many = '{"error": "Too many categories, must be 1-64."}';

is(get("/mine?timeout=1&category=farm$_")->body, $bad, "nothing: '$_'")
    for '', '&a=', '&a=&b=', '&a=,', '&a=,,&b=,';

is(get('/mine?timeout=1&a=' . category())->json->{timeout},
   'no events before timeout', 'one is enough');

is(get('/mine?timeout=1&a=' . 'x' x 1025)->body, $bad, '1,025 bytes');
is(get("/mine?timeout=1&a=a&b=\xff")->body, $bad, 'not UTF-8');
is(get('/mine?timeout=1&a=' . join ',', 1 .. 65)->body, $many, '65');
is(get('/mine?timeout=1&a=' . join(',', 1 .. 65) . "&b=\xff")->body, $bad,
   'a bad one goes before too many');
is(get('/mine?timeout=1&a=' . join(',', map { category() } 1 .. 64))->kind,
   'timeout', '64');
is(get('/mine?timeout=0&a=')->body,
   q({"error": "Invalid or missing 'timeout' arg.  Must be 1-120."}),
   'the timeout goes before');
is(get('/mine?timeout=1&since_time=x&a=')->body, $bad, 'since_time behind');



=== TEST 6: longpoll_category is inherited, or replaced as a whole
--- http_config
    longpoll_zone zone=events:1m;
    longpoll_category http-$arg_c;
--- config
        longpoll_category server-$arg_c other-$arg_c;
        location = /server  { longpoll_subscribe events; }
        location = /own {
            longpoll_category own-$arg_c;
            longpoll_subscribe events;
        }
        location = /if {
            longpoll_subscribe events;
            if ($arg_if) { longpoll_category if-$arg_c; }
        }
        location = /publish {
            longpoll_category $arg_c;
            longpoll_publish events;
        }
--- scenario
my $cat = category();

post("/publish?c=$_-$cat", $_) for qw( http server other own if );

for (['/server', qw( server other )], ['/own', 'own'],
     ['/if', qw( server other )], ['/if?if=1', 'if'])
{
    my ($uri, @data) = @$_;
    my $more = $uri =~ /\?/ ? '&' : '?';

    is_deeply([get("$uri${more}c=$cat&timeout=2&since_time=0")->data], \@data,
              $uri);
}



=== TEST 7: with longpoll_category the body is the data: text becomes a string
--- config
        location = /events { longpoll_subscribe events; }
        location = /raw {
            longpoll_category $arg_c;
            longpoll_publish events;
        }
--- scenario
my $cat = category();
my @texts = ('hello', '', '{"category":"x","data":1}', "a \"b\" \\ c",
             "line\nline\r\n\ttab\x01\x7f", "<b>\xc3\xa9</b>", "nul\0nul",
             'null', '5');

for my $text (@texts) {
    my $r = post("/raw?c=$cat", $text);

    is($r->status, 200, 'status');
    is($r->body, '{"success": true}', 'body');
    like($r->header('Longpoll-Event-Id'), qr/^$UUID7$/, 'id');
}

is_deeply([ask(category => $cat, since_time => 0)->data], \@texts,
          'what comes out is what went in');

my $r = post("/raw?c=$cat", "\xff");
is($r->status, 400, 'not UTF-8: status');
is($r->body, '{"error": "Invalid POST body json."}', 'not UTF-8: words');



=== TEST 8: a Content-Type of JSON makes the body JSON
--- config
        location = /events { longpoll_subscribe events; }
        location = /raw {
            longpoll_category $arg_c;
            longpoll_publish events;
        }
--- scenario
for (
    ['application/json',                     1],
    ['application/json; charset=utf-8',      1],
    ['application/json ;a=b',                1],
    ['APPLICATION/JSON',                     1],
    ['application/problem+json',             1],
    ['application/vnd.api+JSON;v=1',         1],
    ['application/jsonp',                    0],
    ['text/json',                            0],
    ['text/plain; x=application/json',       0],
    ['text/plain;+json',                     0],
    ['+json',                                0],
    ['application/x-www-form-urlencoded',    0],
    ['',                                     0],
) {
    my ($type, $json) = @$_;
    my $cat = category();
    my $r = post("/raw?c=$cat", '[1]', headers => ["Content-Type: $type"]);

    is($r->status, 200, "$type: status");
    is_deeply([ask(category => $cat, since_time => 0)->data],
              [$json ? [1] : '[1]'], $type);
}



=== TEST 9: format= decides, whatever the Content-Type is
--- config
        location = /events { longpoll_subscribe events; }
        location = /json {
            longpoll_category $arg_c;
            longpoll_publish events format=json;
        }
        location = /text {
            longpoll_category $arg_c;
            longpoll_publish events format=text;
        }
--- scenario
my $cat = category();

post("/json?c=$cat", '[1]', headers => ['Content-Type: text/plain']);
post("/json?c=$cat", '[2]');
post("/text?c=$cat", '[3]', headers => ['Content-Type: application/json']);
is_deeply([ask(category => $cat, since_time => 0)->data], [[1], [2], '[3]'],
          'stored');



=== TEST 10: a JSON body is one value of any kind except null
--- config
        location = /events { longpoll_subscribe events; }
        location = /json {
            longpoll_category $arg_c;
            longpoll_publish events format=json;
        }
--- scenario
my $cat = category();
my $bad = '{"error": "Invalid POST body json."}';
my $none = q({"error": "Invalid or missing 'data' arg, must be non-nil."});

for my $value ('1', '-1.50e+3', '"a\\u00e9"', 'true', '{}', '[]',
               '{"category":"x","data":null}', '[' x 100 . ']' x 100)
{
    is(post("/json?c=$cat", " \n$value\t ")->status, 200, $value);
    like(ask(category => $cat, since_time => 0)->body,
         qr/"data":\Q$value\E,"id":"[^"]*"\}\]\}$/, "$value is as it came");
}

for (['null', $none], [' null ', $none], ['', $bad], [' ', $bad],
     ['1 2', $bad], ['1,2', $bad], ['[1],[2]', $bad], ['1]', $bad],
     ['],[', $bad], ['{', $bad], ['"a', $bad], ['oink', $bad],
     ['[' x 101 . ']' x 101, $bad], ["\"\xff\"", $bad])
{
    my ($body, $error) = @$_;
    my $r = post("/json?c=$cat", $body);

    is($r->status, 400, "'$body': status");
    is($r->body, $error, "'$body': words");
}

post("/json?c=$cat", "{\r\n\"a\": [\n1]}");
like(ask(category => $cat, since_time => 0)->body,
     qr/"data":\{  "a": \[ 1\]\},/, 'line ends become spaces');



=== TEST 11: several categories: each gets the event, or none does
--- config
        location = /events { longpoll_subscribe events; }
        location = /raw {
            longpoll_category $arg_c separator=,;
            longpoll_publish events;
        }
--- scenario
my ($a, $b) = (category('a'), category('b'));
my $r = post("/raw?c=$a,$b,$a", 'hello');
my @events = ask(category => $a, category => $b, since_time => 0)->events;

is_deeply([map { "$_->{category} $_->{data}" } @events],
          ["$a hello", "$b hello"], 'one in each');
is($r->header('Longpoll-Event-Id'), $events[1]{id}, 'the last one\'s id');

for (['', "Invalid or missing 'category' arg, must be 1-1024 characters long."],
     ["$a,\xff",
      "Invalid or missing 'category' arg, must be 1-1024 characters long."],
     ["$a," . 'x' x 1025,
      "Invalid or missing 'category' arg, must be 1-1024 characters long."],
     [join(',', 1 .. 65), 'Too many categories, must be 1-64.'])
{
    my ($cats, $error) = @$_;
    my $r = post("/raw?c=$cats", 'x');

    is($r->status, 400, 'status');
    is($r->body, qq({"error": "$error"}), 'words');
}

is(post("/raw?c=$a,$b", 'x' x 140_000)->status, 413, 'too large together');
is(ask(category => $a, category => $b, since_time => 0)->events + 0, 2,
   'nothing more is stored');



=== TEST 12: large raw bodies, in several buffers and from a file
--- http_config
    longpoll_zone zone=events:8m;
--- config
        client_body_buffer_size 1k;
        location = /events { longpoll_subscribe events; }
        location = /raw {
            longpoll_category $arg_c;
            longpoll_publish events;
        }
--- scenario
my $cat = category();
my $text = join '', map { "line $_ of \"many\"\n" } 1 .. 40000;

is(post("/raw?c=$cat", $text, chunked => 9999)->status, 200, 'chunked');
is((ask(category => $cat, since_time => 0)->data)[0], $text, 'as it came');



=== TEST 13: an idempotency key is looked up in the first category
--- config
        location = /events { longpoll_subscribe events; }
        location = /raw {
            longpoll_category $arg_c separator=,;
            longpoll_publish events;
        }
--- scenario
my ($a, $b) = (category('a'), category('b'));
my @headers = (headers => ['Idempotency-Key: k']);
my $id = post("/raw?c=$a,$b", 'x', @headers)->header('Longpoll-Event-Id');

is(post("/raw?c=$a", 'x', @headers)->header('Longpoll-Event-Id'), $id,
   'known in the first');
isnt(post("/raw?c=$b", 'x', @headers)->header('Longpoll-Event-Id'), $id,
     'not in the second');



=== TEST 14: control bytes of a category are escaped in the log
--- http_config
    longpoll_zone zone=events:1m;
    log_format longpoll '$request_uri $status <$longpoll_category>';
    access_log logs/longpoll.log longpoll;
    map $arg_c $named {
        default   "$arg_c";
        tab       "a\tb";
    }
--- config
        location = /raw {
            longpoll_category $named;
            longpoll_publish events;
        }
--- scenario
post('/raw?c=tab', 'x');
is(wait_log('longpoll.log', qr{c=tab}), '/raw?c=tab 200 <a%09b>', 'the log');



=== TEST 15: longpoll_category works in a named location, and after a rewrite
--- config
        location = /publish { longpoll_publish events; }
        location = /a { error_page 418 = @events; return 418; }
        location @events {
            longpoll_category $arg_c;
            longpoll_subscribe events;
        }
        location = /b { rewrite ^ /internal?c=$arg_c-b&timeout=2&since_time=0?; }
        location = /internal {
            internal;
            longpoll_category $arg_c;
            longpoll_subscribe events;
        }
--- scenario
my $cat = category();

publish($cat, 1);
publish("$cat-b", 2);
is_deeply([get("/a?c=$cat&timeout=2&since_time=0")->data], [1], 'named');
is_deeply([get("/b?c=$cat")->data], [2], 'rewritten');
