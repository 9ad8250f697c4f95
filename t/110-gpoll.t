# gpoll's protocol (docs/protocol.md, gpoll), with one worker.

use lib 't/lib';
use Test::Nginx::Socket 'no_plan';
use Longpoll;

no_long_string();
run_tests();

__DATA__

=== TEST 1: a client registers and gets an id of its own
--- config
    location = /poll {
        longpoll_category  $arg_c;
        longpoll_subscribe events protocol=gpoll;
    }
--- scenario
my $id = qr/\d+\$[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/;
my %ids;

for my $args ('?client-id=0', '', '?', '?client-id', '?client-id=',
              '?client-id=123456789', '?x=1&client-id=7', '?client-id=%4')
{
    my $r = get("/poll$args");

    is($r->status, 200, "'$args'");
    like($r->body, qr/^\{"client-id":"$id"\}\z/, "'$args': an id");
    is($ids{$r->body}++, 0, "'$args': a new one");
}

my $r = get('/poll?client-id=0');

is($r->header('Content-Type'), 'text/plain; charset=utf-8', 'type');
is($r->header('X-Content-Type-Options'), 'nosniff', 'nosniff');
is($r->header('Cache-Control'), 'no-cache, no-store, must-revalidate',
   'not cacheable');
is($r->header('Pragma'), 'no-cache', 'Pragma');
is($r->header('Expires'), '0', 'Expires');



=== TEST 2: a client gets one message at a time, as text, in order
--- config
    location = /poll {
        longpoll_category    $arg_c;
        longpoll_subscribe   events protocol=gpoll;
        longpoll_max_timeout 1s;
    }
    location = /publish { longpoll_publish events; }
--- scenario
my $cat = category();
my $uri = "/poll?c=$cat&x";

publish($cat, '"too early"');

my $id = client("/poll");
my @texts = (
    ['"oink"' => 'oink'], ['""' => ''], ['"\"\\\\\/\b\f\n\r\t"' => "\"\\/\b\f\n\r\t"],
    ['"\u0041\u00e4\u20AC"' => "A\xc3\xa4\xe2\x82\xac"],
    ['"\ud83d\uDC37"' => "\xf0\x9f\x90\xb7"],
    ['"\ud83d"' => "\xef\xbf\xbd"], ['"\udc37\ud83dx"' => "\xef\xbf\xbd\xef\xbf\xbdx"],
    ['"a\u0000b"' => "a\0b"], ["\"\xc3\xa4\"" => "\xc3\xa4"],
    ['"\\\\u0041"' => '\\u0041'], ['"a\\\\"' => 'a\\'],
    ['{"user": "x","msg":"\u00e4"}' => '{"user": "x","msg":"\u00e4"}'],
    ['[1, "2"]' => '[1, "2"]'], ['-1.50e3' => '-1.50e3'], ['true' => 'true'],
    ['"x"' => 'x'],
);

publish($cat, $_->[0]) for @texts;

for (@texts) {
    my $r = get("/poll?c=$cat&client-id=" . escape($id));
    is($r->body, $_->[1], "$_->[0] as text");
    is($r->status, 200, "$_->[0]: status");
}

my $r = get("/poll?c=$cat&client-id=$id");

is($r->status, 204, 'then none');
is($r->header('Content-Length'), undef, 'of no length');
is($r->body, '', 'and without a body');



=== TEST 3: the headers are those of every answer
--- config
    location = /poll {
        longpoll_category    $arg_c;
        longpoll_subscribe   events protocol=gpoll;
        longpoll_max_timeout 1s;
    }
    location = /publish { longpoll_publish events; }
--- scenario
my $cat = category();
my $id = escape(client('/poll'));

publish($cat, '"x"');

for ([200 => "c=$cat&client-id=$id"], [204 => "c=$cat&client-id=$id"],
     [404 => "c=$cat&client-id=1234567890"], [400 => "client-id=$id"])
{
    my $r = get("/poll?$_->[1]");

    is($r->status, $_->[0], 'status');
    is($r->header('Content-Type'), 'text/plain; charset=utf-8', "$_->[0] type");
    is($r->header('X-Content-Type-Options'), 'nosniff', "$_->[0] nosniff");
    is($r->header('Cache-Control'), 'no-cache, no-store, must-revalidate',
       "$_->[0] not cacheable");
    is($r->header('Pragma'), 'no-cache', "$_->[0] Pragma");
    is($r->header('Expires'), '0', "$_->[0] Expires");
}



=== TEST 4: a poll waits for its message
--- config
    location = /poll {
        longpoll_category  $arg_c;
        longpoll_subscribe events protocol=gpoll;
    }
    location = /publish { longpoll_publish events; }
--- scenario
my $cat = category();
my $id = client('/poll');

for my $n (1 .. 20) {
    my $p = poll({ uri => '/poll' }, c => $cat, 'client-id' => $id);

    wait_waiting(1);
    publish($cat, qq("m$n"));
    is($p->answer->body, "m$n", "message $n");
}

my $p = poll({ uri => '/poll' }, c => $cat, 'client-id' => $id);

wait_waiting(1);
publish(category(), '"of another category"');
ok($p->parked, 'a client gets no message of another category');
publish($cat, '"last"');
is($p->answer->body, 'last', 'but one of its own category');



=== TEST 5: longpoll_max_timeout is the timeout
--- config
    location = /poll {
        longpoll_category    $arg_c;
        longpoll_subscribe   events protocol=gpoll;
        longpoll_max_timeout 1500ms;
    }
--- scenario
my $id = client('/poll');

in_time(1.5, 'not late', sub {
    my @p = map {
        poll({ uri => '/poll' }, c => category(), 'client-id' => $id)
    } 1 .. 4;

    for (@p) {
        is($_->answer->status, 204, 'nothing');
        cmp_ok($_->took, '>', 1.39, 'not early');
    }

    return max(map { $_->took } @p);
});



=== TEST 6: every byte of a client's id must match
--- http_config
    longpoll_zone zone=bytes:1m buffer=1;
--- config
    location = /poll {
        longpoll_category    all;
        longpoll_subscribe   bytes protocol=gpoll;
        longpoll_max_timeout 1s;
    }
    location = /publish { longpoll_publish bytes; }
--- scenario
my $id = client('/poll');
my ($n, $uuid) = split /\$/, $id;
my @wrong = ("$n$uuid", "$n\$$uuid ", " $n\$$uuid", "0$n\$$uuid",
             "+$n\$$uuid", ($n + 1) . "\$$uuid", ($n + 4294967296) . "\$$uuid",
             "999999999\$$uuid", "99999999999\$$uuid", "-1\$$uuid",
             "$n\$" . uc $uuid, "$n\$" . ($uuid =~ tr/-//dr),
             "$n\$$uuid$uuid", "$n\$00000000-0000-0000-0000-000000000000",
             "\$$uuid", $uuid, "$n\$\$$uuid", "1234567890", "\0" x 40, 'x' x 38,
             "$n\$" . '-' x 36, "$n\$" . '$' x 36, "$n\0" . $uuid);

for my $at (0 .. 35) {
    my $other = substr($uuid, $at, 1) eq '0' ? '1' : '0';
    push @wrong,
    "$n\$" . substr($uuid, 0, $at) . $other . substr $uuid, $at + 1;
}

publish('all', '"x"');

for (@wrong) {
    my $r = get('/poll?client-id=' . escape($_));

    die "$_: ", $r->status, "\n" if $r->status != 404;
}

is(get('/poll?client-id=' . escape($wrong[0]))->body, 'Unknown client-id.',
   'the answer to a wrong id');
is(next_of('/poll', $id), 'x', 'the right id gets its message');
is(get("/poll?client-id=$id&client-id=0")->status, 204,
   'it counts as it stands, and the first of two');
is(get("/poll?client-id=&client-id=$id")->status, 204,
   'an empty one does not count');
is(get("/poll?%63lient%2Did=$id")->status, 204, 'a name may be escaped');

# The client is removed.  The first half of its UUID remains in the free entry.

publish('all', '"lost"');
publish('all', '"there"');
is(next_of('/poll', $id), 404, 'a client that lost a message gets 404');
is(next_of('/poll', $id), 404, 'and the zone has removed it');
is(next_of('/poll', $n . '$' . substr($uuid, 0, 19) . '0000-000000000000'), 404,
   'a free entry is no client');

my $next = client('/poll');
is(($next =~ /^(\d+)/)[0], $n, 'the next client uses the entry');
is(next_of('/poll', $id), 404, 'the old id remains unknown');
publish('all', '"for the next"');
is(next_of('/poll', $next), 'for the next', 'and the new id gets its message');



=== TEST 7: of two polls with one id, one gets each message
--- http_config
    longpoll_zone zone=two:1m;
--- config
    location = /poll {
        longpoll_category  all;
        longpoll_subscribe two protocol=gpoll;
    }
    location = /publish { longpoll_publish two; }
--- scenario
my $id = client('/poll');
my $p = poll({ uri => '/poll' }, 'client-id' => $id);
my $q = poll({ uri => '/poll' }, 'client-id' => $id);

wait_waiting(2);
publish('all', '"one"');
wait_waiting(1);

my ($had, $waits) = $p->parked ? ($q, $p) : ($p, $q);

is($had->answer->body, 'one', 'one of the polls gets the message');
ok($waits->parked, 'the other poll waits');
publish('all', '"two"');
is($waits->answer->body, 'two', 'for the next');

publish('all', qq("$_")) for 'a' .. 'e';

is(join('', sort map { next_of('/poll', $id) } 1 .. 5), 'abcde', 'each once');
is(status()->{delivered}, 7, 'and so they are counted');



=== TEST 8: each poll has its own categories
--- config
    location = /poll {
        longpoll_category  $arg_c separator=.;
        longpoll_subscribe events protocol=gpoll;
        longpoll_max_timeout 1s;
    }
    location = /publish { longpoll_publish events; }
--- scenario
my ($a, $b, $c) = map { category() } 1 .. 3;
my $id = client('/poll');
my $next = sub { get("/poll?c=$_[0]&client-id=$id")->body };

publish($a, '"a1"');
publish($b, '"b1"');
publish($c, '"c1"');
publish($a, '"a2"');

is($next->("$a.$b"), 'a1', 'two categories: messages in the order of the zone');
is($next->("$a.$b"), 'b1', 'then the next');
is($next->($a), 'a2', 'then a poll for one category');
is($next->($c), '', 'a message before the cursor is not sent');
publish($c, '"c2"');
is($next->("$a.$c"), 'c2', 'a message behind the cursor is sent');



=== TEST 9: a client is removed if its next message was dropped, and is counted
--- http_config
    longpoll_zone zone=gone:1m buffer=3;
    longpoll_zone zone=brief:1m ttl=1s;
    longpoll_zone zone=small:64k;
--- config
    location = /gone  { longpoll_category all; longpoll_subscribe gone protocol=gpoll; }
    location = /brief { longpoll_category all; longpoll_subscribe brief protocol=gpoll; }
    location = /small { longpoll_category all; longpoll_subscribe small protocol=gpoll; }
    location = /pub1  { longpoll_publish gone; }
    location = /pub2  { longpoll_publish brief; }
    location = /pub3  { longpoll_publish small; }
--- scenario
my $id = client('/gone');

publish('all', $_, uri => '/pub1') for 1 .. 3;
is(next_of('/gone', $id), 1, 'three are kept');
publish('all', 4, uri => '/pub1');
is(next_of('/gone', $id), 2, 'the oldest of three');
is(status('gone')->{missed}, 0, 'nothing missed');
is(http('HEAD', "/gone?client-id=$id")->status, 200, 'HEAD: the client exists');
publish('all', $_, uri => '/pub1') for 5 .. 6;
is(http('HEAD', "/gone?client-id=$id")->status, 404,
   'HEAD: the client has lost a message');
is(status('gone')->{missed}, 0, 'HEAD counts no missed message');
is(next_of('/gone', $id), 404, 'buffer');
is(status('gone')->{missed}, 1, 'missed');
is(next_of('/gone', $id), 404, 'the client is removed');
is(status('gone')->{missed}, 1, 'once');
is(next_of('/gone', '0$x' . 'x' x 35), 404, 'an unknown id');
is(status('gone')->{missed}, 1, 'counts as no missed message');

$id = client('/brief');
publish('all', 1, uri => '/pub2');
wait_status { $_->{expired} == 1 } 'the ttl', 'brief';
is(next_of('/brief', $id), 404, 'ttl');
is(status('brief')->{missed}, 1, 'missed');

$id = client('/small');
publish('all', '"x"', uri => '/pub3');
publish("c$_", '"' . 'x' x 8000 . '"', uri => '/pub3') for 1 .. 9;
cmp_ok(status('small')->{evicted}, '>', 0, 'some are evicted');
is(next_of('/small', $id), 404, 'eviction');



=== TEST 10: an idle client is removed after "inactive", a waiting one is not
--- http_config
    longpoll_zone zone=idle:1m inactive=2s;
--- config
    location = /poll {
        longpoll_category  all;
        longpoll_subscribe idle protocol=gpoll;
    }
    location = /publish { longpoll_publish idle; }
--- scenario
my $for = sub {
    my $until = now_ms() + $_[0];
    wait_until { now_ms() > $until } 'that time';
};
my ($idle, $asks, $waits, $left, $had, @p, @again);

timely(2000, sub {
    my $at = now_ms();

    @again = ();
    ($idle, $asks, $waits, $left) = map { client('/poll') } 1 .. 4;
    @p = map { poll({ uri => '/poll' }, 'client-id' => $_) } $waits, $left;
    wait_waiting(2);

    $for->(1400);
    publish('all', '"1"');
    $_->answer for @p;
    $had = next_of('/poll', $asks);

    @again = map { poll({ uri => '/poll' }, 'client-id' => $_) } $waits, $left;
    return now_ms() - $at if now_ms() - $at >= 2000;
    wait_waiting(2);

    return now_ms() - $at;
});

is($p[0]->answer->body, '1', 'a waiting client is not removed');
is($p[1]->answer->body, '1', 'both');
is($had, '1', 'nor is a client that polls in time');

$again[1]->close;
wait_waiting(1);

$for->(700);
is(next_of('/poll', $idle), 404, 'a client that does not poll is removed');

$for->(2100);
is(next_of('/poll', $asks), 404, 'a poll keeps its client for "inactive" only');
is(next_of('/poll', $left), 404, 'so does a poll that its client gave up');
publish('all', '"2"');
is($again[0]->answer->body, '2',
   'a client that waits all the time is not removed');



=== TEST 11: when there is no room, the client that is idle longest is removed
--- http_config
    longpoll_zone zone=room:64k;
--- config
    location = /poll {
        longpoll_category    all;
        longpoll_subscribe   room protocol=gpoll;
        longpoll_max_timeout 1s;
    }
    location = /publish { longpoll_publish room; }
--- scenario
my $knows = sub { http('HEAD', '/poll?client-id=' . escape($_[0]))->status };
my @ids = map { client('/poll') } 1 .. 16;

is($knows->($_), 200, 'sixteen in 64k') for @ids;

publish('all', '"x"');
is(next_of('/poll', $ids[0]), 'x', 'the first is used');

my $p = poll({ uri => '/poll' }, 'client-id' => $ids[1]);
is($p->answer->body, 'x', 'the second, too');
$p = poll({ uri => '/poll' }, 'client-id' => $ids[1]);
wait_waiting(1);

push @ids, map { client('/poll') } 1 .. 15;
is($knows->($ids[1]), 200, 'a waiting client is not removed');
is($knows->($ids[$_]), 404, "client $_ is removed") for 0, 2 .. 15;
is($knows->($ids[$_]), 200, "client $_ is not") for 16 .. 30;
is($p->answer->status, 204, 'and its poll waits until its time-out');



=== TEST 12: HEAD neither waits nor removes a message; other methods are refused
--- http_config
    longpoll_zone zone=head:64k;
--- config
    location = /poll {
        longpoll_category  all;
        longpoll_subscribe head protocol=gpoll;
    }
    location = /publish { longpoll_publish head; }
--- scenario
my $id = client('/poll');
my $head = sub { http('HEAD', "/poll?client-id=$_[0]") };

is($head->($id)->status, 200, 'no message');
publish('all', '"x"');
is($head->($id)->status, 200, 'one');
is($head->($id)->header('Content-Type'), 'text/plain; charset=utf-8', 'type');
is($head->($id)->header('Content-Length'), undef, 'no length is promised');
is($head->(0)->status, 200, 'HEAD of a registration') for 1 .. 20;
is($head->("${id}0")->status, 404, 'unknown');
is(next_of('/poll', $id), 'x', 'it is still there');

my $r = post('/poll', 'x');
is($r->status, 405, 'POST');
is($r->header('Allow'), 'GET, HEAD, OPTIONS', 'Allow');
$r = http('OPTIONS', '/poll');
is($r->status, 204, 'OPTIONS');
is($r->header('Allow'), 'GET, HEAD, OPTIONS', 'Allow');

my $c = connection();

publish('all', '"y"');
publish('all', '"z"');
is($c->request('GET', "/poll?client-id=$id", body => 'GET /status HTTP/1.1')
   ->response->body, 'y', 'a poll with a body');
is($c->request('GET', "/poll?client-id=$id")->response->body, 'z',
   'nginx does not read that body as a request');

$c = connection();
$c->send("GET /poll?client-id=$id HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n");
$c->{expect} = ['GET'];
publish('all', '"w"');
$c->send('GET / H/1');
is($c->response->body, 'w', 'a body in a packet of its own is thrown away');
is($c->request('GET', '/pid')->response->status, 200, 'and not run');



=== TEST 13: the counters and the variables
--- http_config
    longpoll_zone zone=figures:1m;
    log_format vars '$longpoll_result|$longpoll_events|$longpoll_event_id|$longpoll_category|$status';
--- config
    location = /poll {
        longpoll_category    all $arg_c;
        longpoll_subscribe   figures protocol=gpoll;
        longpoll_max_timeout 1s;
        access_log logs/vars.log vars;
    }
    location = /bare {
        longpoll_category    $arg_c;
        longpoll_subscribe   figures protocol=gpoll;
        access_log logs/vars.log vars;
    }
    location = /publish { longpoll_publish figures; }
--- scenario
my $id = client('/poll');
is(wait_log('vars.log', '^regi'), 'registered|0|-|all|200', 'registered');

my $p = poll({ uri => '/poll' }, 'client-id' => $id, c => 'b');
wait_waiting(1);
is(status()->{waiting}, 1, 'waiting');

my $event = publish('all', '"x"');
$p->answer;
is(wait_log('vars.log', '^events'), "events|1|$event|all,b|200", 'events');

get("/poll?client-id=$id");
is(wait_log('vars.log', '\|204$'), 'timeout|0|-|all|204', 'timeout');

get('/poll?client-id=1234567890');
is(wait_log('vars.log', '\|404$'), 'error|0|-|all|404', 'unknown');

get("/bare?client-id=$id");
is(wait_log('vars.log', '\|400$'), 'error|0|-|-|400', 'no category');

$p = poll({ uri => '/poll' }, 'client-id' => $id);
wait_waiting(1);
$p->close;
is(wait_log('vars.log', '\|499$'), 'gone|0|-|all|499', 'gone');

http('HEAD', "/poll?client-id=$id&c=head");
is(wait_log('vars.log', 'all,head'), '-|-|-|all,head|200', 'HEAD of a poll');

http('HEAD', '/poll?client-id=0&c=new');
is(wait_log('vars.log', 'all,new'), '-|-|-|all,new|200',
   'and of a registration');

my $s = status();
is("@$s{qw( delivered timeouts disconnected missed waiting )}", '1 1 1 0 0',
   'counted like any poll');



=== TEST 14: a poll without a category, or with too many
--- config
    location = /poll {
        longpoll_category  $arg_c separator=,;
        longpoll_subscribe events protocol=gpoll;
    }
    location = /poll422 {
        longpoll_category     $arg_c;
        longpoll_subscribe    events protocol=gpoll;
        longpoll_error_status 422;
    }
--- scenario
my $id = client('/poll');
my $text = 'Invalid subscription category, must be 1-1024 characters long.';

my $r = get("/poll?client-id=$id");
is($r->status, 400, 'with 200 it would be a message');
is($r->body, $text, 'the error is the same as for golongpoll');
is(get("/poll422?client-id=$id")->status, 422, 'longpoll_error_status');

$r = get("/poll?client-id=$id&c=" . join ',', 1 .. 65);
is($r->status, 400, '65 categories');
is($r->body, 'Too many categories, must be 1-64.', 'their error');



=== TEST 15: a subrequest removes no message and does not wait
--- config
    location = /poll {
        longpoll_category  $arg_c;
        longpoll_subscribe events protocol=gpoll;
    }
    location = /publish { longpoll_publish events; }
    location = /page {
        ssi on;
        default_type text/html;
        return 200 '[<!--# include virtual="/poll?c=$arg_c&client-id=$arg_id" -->]';
    }
--- scenario
my $cat = category();
my ($id) = get('/page')->body =~ /^\[\{"client-id":"(.*)"\}\]$/ or die;
my $page = sub { get("/page?c=$cat&id=" . escape($id))->body };

is($page->(), '[]', 'nothing there');
publish($cat, qq("$_")) for 'x', '', 'z';
is($page->(), '[x]', 'what is there');
is($page->(), '[x]', 'is not removed by the include');
is(get("/poll?c=$cat&client-id=$id")->body, 'x', 'a poll removes it');
is($page->(), '[]', 'an empty one');
is(get("/poll?c=$cat&client-id=$id")->body, '', 'taken');
is($page->(), '[z]', 'and the next');



=== TEST 16: a client does not miss what was deleted
--- config
    location = /poll {
        longpoll_category    $arg_c;
        longpoll_subscribe   events protocol=gpoll;
    }
    location = /publish { longpoll_publish events; }
    location = /delete  { longpoll_delete events; }
--- scenario
my $cat = category();
my $id = client('/poll');

publish($cat, '"deleted"');
is(post("/delete?category=$cat", '')->status, 200, 'deleted');
publish($cat, '"there"');
is(get("/poll?c=$cat&client-id=$id")->body, 'there', 'it goes on');



=== TEST 17: clients of gpoll and of golongpoll get the same messages
--- config
    location = /chat {
        longpoll_category  $arg_c;
        longpoll_subscribe events protocol=gpoll;
        longpoll_publish   events;
    }
    location = /events { longpoll_subscribe events; }
--- scenario
my $cat = category();
my $id = client('/chat');
my @p = map { (poll({ uri => '/chat' }, c => $cat,
'client-id' => client('/chat')),
               poll(category => $cat)) } 1 .. 20;

wait_waiting(40);
is(post("/chat?c=$cat", 'hi')->status, 200, 'POST publishes there');

my %had;
for my $n (0 .. 19) {
    $had{$p[2 * $n]->answer->body . '|'
         . $p[2 * $n + 1]->answer->json->{events}[0]{data}}++;
}
is_deeply(\%had, { 'hi|hi' => 20 }, 'all polls get the message');
is(get("/chat?c=$cat&client-id=$id")->body, 'hi',
   'and a later poll gets it at once');



=== TEST 18: gzip, charset and error_page treat an answer as text
--- config
    gzip on;
    gzip_types text/plain;
    gzip_min_length 1;
    gzip_http_version 1.0;
    charset koi8-r;
    charset_types text/plain;
    error_page 404 = /page;
    location = /page { return 200 page; }
    location = /poll {
        longpoll_category  $arg_c;
        longpoll_subscribe events protocol=gpoll;
    }
    location = /publish { longpoll_publish events; }
--- scenario
my $cat = category();
my $id = client('/poll');

publish($cat, '"' . 'x' x 5000 . '"') for 1 .. 2;

my $r = get("/poll?c=$cat&client-id=$id", headers => ['Accept-Encoding: gzip']);
is($r->header('Content-Encoding'), 'gzip', 'packed');
is($r->header('Content-Type'), 'text/plain; charset=utf-8', 'one charset');

$r = get("/poll?c=$cat&client-id=$id");
is($r->body, 'x' x 5000, 'and not');
is(get("/poll?c=$cat&client-id=1234567890")->body, 'Unknown client-id.',
   'its 404 is an answer');



=== TEST 19: large messages, to many clients at once
--- http_config
    longpoll_zone zone=large:8m;
--- config
    location = /poll {
        longpoll_category    all;
        longpoll_subscribe   large protocol=gpoll;
    }
    location = /publish { longpoll_publish large; }
--- scenario
my @ids = map { client('/poll') } 1 .. 10;
my $large = 'y' x 1_000_000;

for my $round (1 .. 3) {
    my @p = map { poll({ uri => '/poll' }, 'client-id' => $_) } @ids;

    wait_waiting(10);
    publish('all', qq("$round$large"));

    my $right = grep { $_->answer->body eq "$round$large" } @p;
    is($right, 10, "round $round: all have all of it");
}

publish('all', qq("4$large"));
ok(next_of('/poll', $ids[0]) eq "4$large", 'and a client that polls later');



=== TEST 20: gpoll needs longpoll_category
--- http_config
    longpoll_zone zone=events:1m;
--- config
    location = /poll { longpoll_subscribe events protocol=gpoll; }
--- must_die
--- error_log
[emerg]
"protocol=gpoll" of "longpoll_subscribe" needs a "longpoll_category" in its location in



=== TEST 21: the category must be one of the same location
--- http_config
    longpoll_zone zone=events:1m;
--- config
    location = /poll {
        longpoll_subscribe events protocol=gpoll;
        if ($arg_x) { longpoll_category all; }
    }
--- must_die
--- error_log
[emerg]
"protocol=gpoll" of "longpoll_subscribe" needs a "longpoll_category" in its location in



=== TEST 22: gpoll with delete_on_read is refused
--- http_config
    longpoll_zone zone=takes:1m delete_on_read=on;
--- config
    longpoll_category all;
    location = /poll { longpoll_subscribe takes protocol=gpoll; }
--- must_die
--- error_log
[emerg]
"protocol=gpoll" of "longpoll_subscribe" needs a zone without "delete_on_read", which "takes" has in



=== TEST 23: so it is in an if block, and if the zone is declared after it
--- http_config
    server {
        listen 127.0.0.1:$TEST_NGINX_RAND_PORT_1;
        longpoll_category all;
        location = /poll {
            if ($arg_x) { longpoll_subscribe takes protocol=gpoll; }
        }
    }

    longpoll_zone zone=takes:1m delete_on_read=on;
--- config
--- must_die
--- error_log
[emerg]
"protocol=gpoll" of "longpoll_subscribe" needs a zone without "delete_on_read", which "takes" has in



=== TEST 24: the category may be inherited, and if blocks inherit gpoll
--- http_config
    longpoll_category all;

    server {
        listen 127.0.0.1:$TEST_NGINX_RAND_PORT_1;
        location = /poll {
            longpoll_subscribe behind protocol=gpoll;
            if ($arg_x) { set $y 1; }
            if ($arg_other) { longpoll_subscribe behind protocol=golongpoll; }
            limit_except GET { deny all; }
        }
        location = /publish { longpoll_publish behind; }
    }

    longpoll_zone zone=behind:1m;
--- config
--- scenario
my @at = (port => rand_port(1));
my $id = client('/poll', @at);

is(post('/publish', 'hm', @at)->status, 200, 'published');
is(get("/poll?x=1&client-id=$id", @at)->body, 'hm', 'an if takes gpoll over');
like(get('/poll?other=1', @at)->body, qr/'timeout' arg/,
     'unless it has its own');
is(post('/poll', 'x', @at)->status, 403, 'limit_except');
