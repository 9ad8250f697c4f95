# The body of a poll, or of a request for the status: it is waited for, within
# nginx's own limits, thrown away, and never run as the next request.  Clients
# such as Python's httpx and Java's HttpClient send a GET's body in a packet of
# its own.

use lib 't/lib';
use Test::Nginx::Socket 'no_plan';
use Longpoll;

no_long_string();
log_level('info');
worker_connections(256);
run_tests();

__DATA__

=== TEST 1: a body in packets of its own, and a request behind it
--- scenario
my $smuggled = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
my $next = "GET /pid HTTP/1.1\r\nHost: x\r\n\r\n";
my @bodies = (
    [ 'Content-Length: 2', '{}' ],
    [ 'Content-Length: 2', '{', '}' ],
    [ 'Transfer-Encoding: chunked', "2\r\n{}\r\n0\r\n\r\n" ],
    [ 'Transfer-Encoding: chunked', "2\r", "\n{", "}\r\n0\r", "\n\r\n" ],
    [ 'Content-Length: ' . length $smuggled, $smuggled ],
    [ 'Content-Length: ' . 2 * length $smuggled, $smuggled, $smuggled ],
    [ 'Content-Length: 300000', map { $_ x 100_000 } qw( x y z ) ],
);

for my $n (0 .. $#bodies) {
    my ($header, @parts) = @{ $bodies[$n] };
    my $cat = category();
    my $c = connection();

    $c->send("GET /events?category=$cat&timeout=100 HTTP/1.1\r\nHost: x\r\n"
             . "$header\r\n\r\n");

    # One worker takes what comes in turn, so it has read the packet by then.

    for my $part (@parts) {
        get('/pid');
        die "answered too early\n" unless $c->silent;
        $c->send($part);
    }

    wait_waiting(1);
    my $id = publish($cat, $n);

    is_deeply([$c->response->ids], [$id], "body $n: its answer");

    $c->send($next);
    like($c->response->body, qr/^\d+$/, 'the next request');
    ok($c->silent, 'and there is no other answer');
}

open my $log, '<', "$Test::Nginx::Util::LogDir/access.log" or die;
is(scalar(grep { /smuggled/ } <$log>), 0, 'no part of a body was run');



=== TEST 2: the request behind a body comes with the body's last packet
--- scenario
my $cat = category();
my $c = connection();

$c->send("GET /events?category=$cat&timeout=100 HTTP/1.1\r\nHost: x\r\n"
         . "Content-Length: 4\r\n\r\n");
get('/pid');
$c->send("bodyGET /pid HTTP/1.1\r\nHost: x\r\n\r\n");

wait_waiting(1);
my $id = publish($cat, 1);

is_deeply([$c->response->ids], [$id], 'the poll');
like($c->response->body, qr/^\d+$/, 'the request');



=== TEST 3: a client that leaves behind its body has left
--- scenario
my $c = connection();

$c->send('GET /events?timeout=100&category=' . category()
         . " HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n");
get('/pid');
$c->send('body');
wait_waiting(1);
$c->close;

wait_waiting(0);
is(status()->{disconnected}, 1, 'it is noticed');



=== TEST 4: client_body_timeout and client_max_body_size are its limits
--- config
    location = /events {
        client_body_timeout  200ms;
        client_max_body_size 100;
        longpoll_subscribe   events;
    }
--- scenario
my $poll = 'GET /events?timeout=100&category=' . category()
           . " HTTP/1.1\r\nHost: x\r\n";

for my $header ('Content-Length: 10', 'Transfer-Encoding: chunked') {
    my $c = connection();

    $c->send("$poll$header\r\n\r\n5\r\n");
    ok($c->closed, "a body that does not come, $header: closed");
}

ok(wait_log('access.log', qr/" 408 /), 'as nginx closes others');

for my $large ("Content-Length: 101\r\n\r\n",
               "Transfer-Encoding: chunked\r\n\r\n65\r\n" . 'x' x 101)
{
    my $c = connection();

    $c->send($poll . $large);
    is($c->response->status, 413, 'a large body');
}



=== TEST 5: HEAD, and the status
--- scenario
my $cat = category();
my %status = (
    "HEAD /events?timeout=1&category=$cat" => 200,
    'GET /events?timeout=x'                => 200,
    'GET /status'                          => 200,
    "GET /status?category=$cat"            => 200,
    'HEAD /status'                         => 200,
    'POST /status'                         => 405,
);

for my $request (sort keys %status) {
    my $c = connection();

    $c->send("$request HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n");
    get('/pid');
    $c->send("bodyGET /pid HTTP/1.1\r\nHost: x\r\n\r\n");
    push @{ $c->{expect} }, $request =~ /^(\w+)/;

    is($c->response->status, $status{$request}, $request);
    like($c->response->body, qr/^\d+$/, 'the next request');
}



=== TEST 6: a client that wants to be told to send its body
--- scenario
my $cat = category();
my $c = connection();

$c->send("GET /events?category=$cat&timeout=100 HTTP/1.1\r\nHost: x\r\n"
         . "Content-Length: 4\r\nExpect: 100-continue\r\n\r\n");

$c->fill(10) until $c->{buf} =~ m{^HTTP/1.1 100 };
$c->send('body');
wait_waiting(1);

my $id = publish($cat, 1);

is_deeply([$c->response->ids], [$id], 'its answer');



=== TEST 7: a poll in an if block, and gpoll's
--- config
    location = /events {
        if ($arg_category) { longpoll_subscribe events; }
    }
    location = /gpoll {
        longpoll_category  $arg_c;
        longpoll_subscribe events protocol=gpoll;
    }
    location = /publish { longpoll_publish events; }
--- scenario
my $cat = category();
my $id = client('/gpoll');
my @c = map { connection() } 0, 1;
my $rest = "HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n";

$c[0]->send("GET /events?category=$cat&timeout=100 $rest");
$c[1]->send("GET /gpoll?c=$cat&client-id=" . escape($id) . " $rest");
get('/pid');
$_->send('body') for @c;
wait_waiting(2);
publish($cat, '"oink"');

is_deeply([$c[0]->response->data], ['oink'], 'the poll');
is($c[1]->response->body, 'oink', 'gpoll');



=== TEST 8: an error_page sends the request here before its body has come
--- config
    location @events    { longpoll_subscribe events; }
    location = /publish { longpoll_publish   events; }
    location = /early {
        error_page 418 = @events;
        return 418;
    }

    # The memcached module begins to discard the body, and finds no server.

    location = /discarded {
        set                  $memcached_key key;
        memcached_pass       127.0.0.1:$TEST_NGINX_RAND_PORT_1;
        error_page 502     = @events;
    }
--- scenario
my $cat = category();
my $rest = "?category=$cat&timeout=100 HTTP/1.1\r\nHost: x\r\n"
           . "Content-Length: 4\r\n\r\n";
my $c = connection();

$c->send("GET /early$rest");
get('/pid');
$c->send('body');
wait_waiting(1);
my $id = publish($cat, 1);

is_deeply([$c->response->ids], [$id], 'it is waited for');

$c = connection();
$c->send("GET /discarded$rest");
is($c->response->status, 400, 'or refused, if nginx discards it already');

$c = connection();
$c->send("GET /discarded${rest}body");
wait_waiting(1);
$id = publish($cat, 2);

is_deeply([$c->response->ids], [$id], 'unless all of it was there');
--- error_log
longpoll: redirected before the body had come



=== TEST 9: a post_action after a client that left before its body had come
--- config
    location = /events {
        longpoll_subscribe events;
        post_action        @after;
    }
    location @after { longpoll_subscribe events; }
--- scenario
my $cat = category();
my $c = connection();

$c->send("GET /events?category=$cat&timeout=9 HTTP/1.1\r\nHost: x\r\n"
         . "Content-Length: 4\r\n\r\n");
get('/pid');
$c->close;

ok(wait_log('access.log', qr/category=$cat&/), 'it ends');
