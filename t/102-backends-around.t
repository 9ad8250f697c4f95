# docs/backends.md: limits, zones, TLS, CORS, proxies and logs.

use lib 't/lib';
use Test::Nginx::Socket 'no_plan';
use Longpoll;
use Longpoll::Docs;

# A certificate for the recipe with TLS, and the change to it that this nginx
# needs.

my $key = Longpoll::Docs::file('push.key');
my $pem = Longpoll::Docs::file('push.pem');
my $v = `$Test::Nginx::Util::NginxBinary -V 2>&1`;
my ($minor, $patch) = $v =~ m{nginx/1\.(\d+)\.(\d+)};
my $new = $minor * 1000 + $patch >= 25_001;
my $made = system('openssl req -x509 -newkey ec'
                  . ' -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2'
                  . " -subj /CN=localhost -keyout $key -out $pem"
                  . ' >/dev/null 2>&1') == 0;
my $tls = $made && $v =~ /http_ssl_module/ && $v =~ /http_v2_module/
          && `curl --version 2>&1` =~ /HTTP2/;

$ENV{TEST_NGINX_TLS} = $tls;
$ENV{TEST_NGINX_H2} = $new ? 'ssl http2; => ssl; http2 on;' : '';

no_long_string();
worker_connections(1024);
run_tests();

__DATA__

=== TEST 1: limits: the parked polls of one client lock out no other request
--- recipe: limits
--- scenario
my @polls = map { poll({ at(8080) }, category => category()) } 1 .. 20;

wait_waiting(20);

my $r = get('/events?category=x&timeout=2', at(8080));

is($r->status, 429, 'one more');
is($r->body, '{"error": "Too many polls."}', 'its body');
is($r->header('Retry-After'), 5, 'its header');
is(get('/status', at(8081))->status, 200, 'the status');
ok(publish(category(), 1, at(8081)), 'a publish');

$_->close for @polls;
wait_waiting(0);
is(get('/events?category=x&timeout=1', at(8080))->status, 200, 'room again');



=== TEST 2: limits: the parked polls of many clients do not either
--- recipe: limits
--- scenario
my ($port, $sum) = ((at(8080))[1], 0);
my $get = "GET /events?category=x&timeout=30 HTTP/1.1\r\nHost: x\r\n\r\n";

my $from = sub {
    my ($address) = @_;

    my $sock = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port",
                                     LocalAddr => $address)
        or die "$address: $@\n";

    syswrite $sock, $get;
    return $sock;
};

my @polls = map { my $n = $_; map { $from->("127.0.1.$n") } 1 .. 20 } 1 .. 20;

wait_waiting(400);

my $more = $from->('127.0.1.99');
sysread $more, my $got, 1000;
like($got, qr/^HTTP\S+ 429 /, 'one more');
is(get('/status', at(8081))->status, 200, 'the status');
publish('x', 1, at(8081));
wait_waiting(0);

$sum = grep { sysread $_, my $got, 1000; $got =~ /"data":1/ } @polls;
is($sum, 400, 'all are answered');



=== TEST 3: zones: polls and publishes of a category reach the same zone
--- recipe: zones
--- scenario
shell('zones');

my %in = (1 => 0, 2 => 0, chat => 0);
my @topics = map { ("farm-$$-$_", "chat-$$-$_") } 1 .. 20;

for my $topic (@topics) {
    my $zones = sub {
        my $zones = get('/status?category=' . $topic)->json->{zones};
        return join ' ', grep { $zones->{$_}{category}{events} } keys %$zones;
    };
    my $r = post("/publish/$topic", 'x', at(8080));

    is($r->status, 200, "$topic: status");
    $in{ $zones->() }++;

    my ($event) = get("/events/$topic?timeout=2&since_time=0&category=x",
                      at(8080))->events;
    is($event->{category}, $topic, $topic);
}

is($in{chat}, 20, 'chat');
cmp_ok($in{shard1}, '>', 0, 'shard1');
cmp_ok($in{shard2}, '>', 0, 'shard2');
is($in{shard1} + $in{shard2}, 20, 'no other');

my $id = get("/events/$topics[0]?timeout=2&since_time=0", at(8080))->json
             ->{events}[0]{id};
is(get("/events/chat-other?timeout=1&last_id=$id", at(8080))->missed, 1,
   'another zone does not know the id of a zone');

my $p = poll({ at(8080), uri => '/events/chat-park' });

wait_waiting(1);
post('/publish/%63hat-park', 'y', at(8080));
is_deeply([$p->answer->data], ['y'],
          'parked; an escaped name is the same category');
is(get("/events/$_?timeout=1", at(8080))->status, 404, "no name: $_")
    for 'a/b', 'a%2Cb', '%C3%A9', 'a%0D%0Ab', '';



=== TEST 4: TLS and HTTP/2, in the syntax of this nginx
--- recipe: tls
--- change eval: $ENV{TEST_NGINX_H2}
--- skip_eval
3: !$ENV{TEST_NGINX_TLS}
--- scenario
shell('tls');



=== TEST 5: TLS: gzip packs large answers
--- recipe: tls
--- change eval: $ENV{TEST_NGINX_H2}
--- skip_eval
4: !$ENV{TEST_NGINX_TLS}
--- scenario
my $cat = category();
my %o = at(8443);
my $uri = "https://127.0.0.1:$o{port}/events?category=$cat&timeout=2"
          . '&since_time=0';

publish($cat, 1, at(8081));
unlike(scalar `curl -skiH 'Accept-Encoding: gzip' '$uri'`,
       qr/content-encoding/i, 'a small answer is not packed');
publish($cat, '"' . 'x' x 2000 . '"', at(8081));
like(scalar `curl -sko /dev/null -D - -H 'Accept-Encoding: gzip' '$uri'`,
     qr/content-encoding: gzip/i, 'a larger one is');



=== TEST 6: CORS: preflights pass, and foreign pages cannot publish
--- recipe: cors
--- scenario
my $app = app_answering('cors');

shell('cors');

my $r = http('OPTIONS', '/say', at(8080),
             headers => ['Origin: https://www.example.com']);

is($r->header($_->[0]), $_->[1], "OPTIONS: $_->[0]")
    for ['Allow', 'POST, OPTIONS'],
        ['Access-Control-Allow-Origin', 'https://www.example.com'],
        ['Access-Control-Allow-Credentials', 'true'],
        ['Access-Control-Allow-Headers', 'Content-Type, Idempotency-Key'],
        ['Access-Control-Expose-Headers', 'Longpoll-Event-Id'],
        ['Vary', 'Origin'];

$r = get('/events?timeout=2&since_time=0&category=x', at(8080),
            headers => ['Origin: https://www.example.com']);

is_deeply([$r->data], ['hello'], 'the event');
is($r->header('Access-Control-Allow-Origin'), 'https://www.example.com',
   'the allowed page may read it');

$r = get('/events?timeout=2&since_time=0', at(8080),
         headers => ['Origin: https://evil.example']);
is($r->header('Access-Control-Allow-Origin'), undef, 'another page may not');
is($r->header('Vary'), 'Origin', 'Vary');

is(post('/say', 'x', at(8080), headers => ["Origin: $_"])->status, 403, $_)
    for 'null', 'https://www.example.com.evil.example',
        'http://www.example.com', 'https://www.example.com:444';

is(post('/say', 'x', at(8080))->status, 200, 'a program');
is(scalar(grep { $_->{method} eq 'OPTIONS' } $app->seen), 0,
   'the application is not asked about OPTIONS');



=== TEST 7: CORS: a page can read a refusal, too
--- recipe: cors
--- scenario
my $app = app('return (401, [], "")');
my $r = get('/events?timeout=2', at(8080),
            headers => ['Origin: https://www.example.com']);

is($r->status, 401, 'status');
is($r->header('Access-Control-Allow-Origin'), 'https://www.example.com',
   'its header');
is(http('OPTIONS', '/events', at(8080))->status, 204, 'OPTIONS passes');



=== TEST 8: CORS with auth_basic
--- recipe: cors-basic
--- scenario
shell('cors-basic');
is(get('/events?timeout=1', at(8080),
       headers => ['Authorization: Basic Ym9iOm90aGVy'])->kind, 'timeout',
   'with a password');
is(post('/events', '', at(8080),
        headers => ['Authorization: Basic Ym9iOm90aGVy'])->status, 405, 'POST');



=== TEST 9: a proxy in front: time-outs, addresses, clients that leave
--- recipe: behind-proxy proxy
--- scenario
shell('proxy');

my $cat = category();
my @polls = map { poll({ at(8090) }, category => $cat, timeout => 50) } 1, 2;

wait_waiting(2);
is(get('/events?timeout=1&category=x', at(8090))->status, 503, 'the third');
is(get('/events?timeout=1&category=x', at(8080),
       headers => ['X-Forwarded-For: 10.1.1.1'])->status, 200,
   'another client, by the name of the proxy');

$polls[0]->close;
wait_waiting(1);
publish($cat, 1, at(8081));
is_deeply([$polls[1]->answer->data], [1], 'the event comes through');



=== TEST 10: a log whose lines are JSON, without the polls that got no event
--- recipe: log
--- scenario
my $cat = category() . "\xc3\xa9\"\\";
my $poll = '/events?category=' . escape($cat);

get("$poll&timeout=1", at(8080));
publish($cat =~ s/(["\\])/\\$1/gr, 1, at(8081));
get("$poll&timeout=2&since_time=0", at(8080));
get('/events?timeout=2', at(8080));

my @lines;

wait_until {
    open my $in, '<', file('push.log') or die "push.log: $!\n";
    @lines = <$in>;
    @lines >= 2;
} 'two lines of the log';

is(scalar @lines, 2, 'no more');

my ($events, $error) = map { JSON::PP::decode_json($_) } @lines;

is_deeply([@$events{qw( method uri status result events )}],
          [qw( GET /events 200 events 1 )], 'a poll with its event');
utf8::encode($events->{category});
is($events->{category}, $cat, 'and the category');
like($events->{id}, qr/^$UUID7$/, 'and the id');
is_deeply([@$error{qw( result category events )}], ['error', '', 0],
          'an error');
