# TLS and HTTP/2: polls and publishes do the same as over plain HTTP/1.1.

use lib 't/lib';
use Test::Nginx::Socket;
use File::Temp ();
use Longpoll;
use Longpoll::H2;

# The certificate is made for this test alone.

my $dir = File::Temp->newdir;
my $made = system("openssl req -x509 -newkey ec"
                  . " -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
                  . " -subj /CN=localhost -keyout $dir/key.pem"
                  . " -out $dir/cert.pem >/dev/null 2>&1") == 0;
my $nginx = `$Test::Nginx::Util::NginxBinary -V 2>&1`;

if (!$made) {
    plan skip_all => 'there is no openssl to make a certificate';

} elsif (!eval { require IO::Socket::SSL; 1 }) {
    plan skip_all => 'Perl has no IO::Socket::SSL';

} elsif ($nginx !~ /--with-http_ssl_module/) {
    plan skip_all => 'this nginx has no TLS';

} elsif ($nginx !~ /--with-http_v2_module/) {
    plan skip_all => 'this nginx has no HTTP/2';

} else {
    plan 'no_plan';
}

$ENV{TEST_NGINX_CERT} = "$dir/cert.pem";
$ENV{TEST_NGINX_CERT_KEY} = "$dir/key.pem";

# Beside the usual server, every block has one with TLS (port 1), one with
# HTTP/2 in cleartext (port 2) and one with both (port 3).

add_block_preprocessor(sub {
    my ($block) = @_;

    my $locations = <<'_EOC_';
        client_max_body_size 30M;
        location = /events  { longpoll_subscribe events; }
        location = /publish { longpoll_publish   events; }
        location = /pid     { return 200 $pid; }
_EOC_

    my $tls = <<'_EOC_';
        ssl_certificate     $TEST_NGINX_CERT;
        ssl_certificate_key $TEST_NGINX_CERT_KEY;
_EOC_

    my @servers = (
        "listen 127.0.0.1:\$TEST_NGINX_RAND_PORT_1 ssl;\n$tls",
        'listen 127.0.0.1:$TEST_NGINX_RAND_PORT_2 $TEST_NGINX_LISTEN_HTTP;'
        . ' $TEST_NGINX_HTTP_ON',
        'listen 127.0.0.1:$TEST_NGINX_RAND_PORT_3 ssl $TEST_NGINX_LISTEN_HTTP;'
        . " \$TEST_NGINX_HTTP_ON\n$tls",
    );

    $block->set_value(http_config => "longpoll_zone zone=events:8m;\n"
                      . ($block->more_http_config || '')
                      . join '', map { "server { $_\n$locations }\n" } @servers);
});

no_long_string();
master_on();
log_level('info');
worker_connections(256);
run_tests();

__DATA__

=== TEST 1: a poll over TLS waits and is woken
--- scenario
my @tls = (port => rand_port(1), tls => {});
my $cat = category();
my $p = poll({ @tls }, category => $cat);

wait_waiting(1);
my $id = publish($cat, '"oink"', @tls);
is_deeply([$p->answer->ids], [$id], 'woken');
is_deeply([ask({ @tls }, category => $cat, since_time => 0)->ids], [$id],
          'and a second poll is answered at once');



=== TEST 2: a poll over TLS times out, and its connection stays usable
--- scenario
my $c = connection(port => rand_port(1), tls => {});

in_time(1, 'in time', sub {
    my $p = poll({ conn => $c }, category => category(), timeout => 1);

    is($p->answer->kind, 'timeout', 'a time-out');
    return $p->took;
});

is(ask({ conn => $c }, category => category(), timeout => 1)->kind, 'timeout',
   'and another');



=== TEST 3: the module drops a client that leaves a TLS connection
--- scenario
my $cat = category();

for my $how (qw( close reset )) {
    my $p = poll({ port => rand_port(1), tls => {} }, category => $cat);

    wait_waiting(1);
    # The client sends FIN or RST, and no close_notify.
    $how eq 'close' ? $p->conn->sock->close(SSL_no_shutdown => 1)
                    : $p->reset;
    wait_waiting(0);
    pass("the poll has ended: $how");
}



=== TEST 4: a large event over TLS, to several readers
--- scenario
my @tls = (port => rand_port(1), tls => {});
my $cat = category();
my @p = map { poll({ @tls }, category => $cat) } 1 .. 4;
my $text = join ' ', 100_000 .. 250_000;

wait_waiting(4);
my $id = publish($cat, qq("$text"), @tls);

for my $p (@p) {
    my $ms = id_ms($id);

    ok($p->answer->body eq qq({"events":[{"timestamp":$ms,"category":"$cat",)
                           . qq("data":"$text","id":"$id"}]}), 'to the byte');
}



=== TEST 5: HTTP/2: a poll waits and is woken, over TLS and without
--- scenario
my @kinds = ([port => rand_port(2)],
             [port => rand_port(3),
              tls => { SSL_alpn_protocols => ['h2'] }]);

for my $kind (@kinds) {
    my $h2 = Longpoll::H2->new(@$kind);
    my $cat = category();
    my $stream = $h2->request('GET', "/events?category=$cat&timeout=100");

    wait_waiting(1);

    my $post = $h2->request('POST', '/publish', body => event($cat, '"oink"'));
    my $r = $h2->answer($post);

    is($r->{status}, 200, 'the publish on the same connection');
    is($r->{body}, '{"success": true}', 'its answer');

    $r = $h2->answer($stream);
    is($r->{status}, 200, 'the poll');
    like($r->{body}, qr/^\{"events":\[\{"timestamp":\d+,"category":"$cat","data":"oink","id":"$UUID7"\}\]\}$/,
         'its answer');
}



=== TEST 6: HTTP/2: many polls on one connection, each woken by its own event
--- scenario
my $h2 = Longpoll::H2->new(port => rand_port(2));
my @cats = map { category("s$_") } 0 .. 29;
my @streams = map { $h2->request('GET', "/events?category=$_&timeout=100") }
              @cats;

wait_waiting(30);

for my $n (map { $_ * 7 % 30 } 0 .. 29) {
    my $id = publish($cats[$n], $n);
    like($h2->answer($streams[$n])->{body}, qr/"data":$n,"id":"$id"/,
         "stream $n");
}



=== TEST 7: HTTP/2: RST_STREAM ends that poll and no other
--- scenario
my $before = status()->{disconnected};
my $h2 = Longpoll::H2->new(port => rand_port(2));
my $cat = category('rst');
my @streams = map { $h2->request('GET',
"/events?category=$cat&n=$_&timeout=100") }
              1 .. 5;

wait_waiting(5);
$h2->rst($streams[2]);
wait_waiting(4);
is(status()->{disconnected} - $before, 1, 'it is counted');
like(wait_log('access.log', qr{GET /events\?category=$cat&n=3}), qr{" 499 },
     'and logged as 499');

my $id = publish($cat, 1);
like($h2->answer($streams[$_])->{body}, qr/"id":"$id"/, "stream $_")
    for 0, 1, 3, 4;



=== TEST 8: HTTP/2: the end of a connection ends all its polls
--- scenario
my $before = status()->{disconnected};

for my $how (qw( close reset )) {
    my $h2 = Longpoll::H2->new(port => rand_port(2));

    $h2->request('GET', '/events?category=' . category() . '&timeout=100')
        for 1 .. 10;
    wait_waiting(10);
    $how eq 'close' ? $h2->close : $h2->reset;
    wait_waiting(0);
}

is(status()->{disconnected} - $before, 20, 'twenty');



=== TEST 9: HTTP/2: a time-out, and the connection stays usable
--- scenario
my $h2 = Longpoll::H2->new(port => rand_port(2));

for (1, 2) {
    my $cat = category();
    my $stream = $h2->request('GET', "/events?category=$cat&timeout=1");

    like($h2->answer($stream)->{body},
         qr/^\{"timeout":"no events before timeout","timestamp":\d{13}\}$/,
         'a time-out');
}



=== TEST 10: HTTP/2: errors, and methods
--- scenario
my $h2 = Longpoll::H2->new(port => rand_port(2));
my $r = $h2->answer($h2->request('GET', '/events?timeout=1'));

is($r->{body}, '{"error": "Invalid subscription category, must be 1-1024 '
               . 'characters long."}', 'a wrong poll');

$r = $h2->answer($h2->request('POST', '/publish', body => 'x'));
is("$r->{status} $r->{body}", '400 {"error": "Invalid POST body json."}',
   'a wrong publish');

$r = $h2->answer($h2->request('DELETE', '/publish'));
is("$r->{status} $r->{body}",
   '405 {"error": "Invalid HTTP Method. Only POST allowed."}', 'a method');

$r = $h2->answer($h2->request('HEAD', '/events?category=farm&timeout=100'));
is("$r->{status} $r->{body}", '200 ', 'HEAD');

$r = $h2->answer($h2->request('OPTIONS', '/events'));
is("$r->{status} $r->{body}", '204 ', 'OPTIONS');



=== TEST 11: HTTP/2: the body of a poll is discarded, whenever it arrives
--- scenario
my $h2 = Longpoll::H2->new(port => rand_port(2));
my $cat = category();
my @streams = map { $h2->request('GET', "/events?category=$cat&timeout=100",
                                 @$_) } [ open => 1 ], [ body => 'x' x 100 ];

wait_waiting(2);
$h2->frame('DATA', 0, $streams[0], 'x' x 100);
$h2->frame('DATA', 1, $streams[0], 'x' x 100);
$h2->ping;
is(status()->{waiting}, 2, 'both wait');

my $id = publish($cat, 1);
like($h2->answer($_)->{body}, qr/"id":"$id"/, 'and are woken') for @streams;



=== TEST 12: HTTP/2: a large event to slow and fast streams
--- scenario
my $h2 = Longpoll::H2->new(port => rand_port(2));
my $cat = category();
my @streams = map { $h2->request('GET', "/events?category=$cat&timeout=100") }
              1 .. 5;
my $text = join ' ', 100_000 .. 250_000;

wait_waiting(5);
my $id = publish($cat, qq("$text"));

$h2->rst($streams[1]);

for my $n (0, 2, 3, 4) {
    my $body = $h2->answer($streams[$n])->{body};
    my $ms = id_ms($id);

    ok($body eq qq({"events":[{"timestamp":$ms,"category":"$cat",)
                . qq("data":"$text","id":"$id"}]}), "stream $n, to the byte");
}



=== TEST 13: HTTP/2: a reload answers the polls and sends GOAWAY
--- scenario
my @h2 = map { Longpoll::H2->new(port => rand_port(2)) } 1 .. 10;
my $cat = category();
my @streams = map { my $h2 = $_;
                    [ map { $h2->request('GET', "/events?category=$cat"
                                                . '&timeout=100') } 1 .. 5 ]
                  } @h2;

wait_waiting(50);

my @old = reload(leaving => 1);

for my $n (0 .. 9) {
    my @answers = map { $h2[$n]->answer($_) } @{ $streams[$n] };

    is(scalar(grep { $_->{body} =~ /^\{"timeout":/ } @answers), 5,
       "connection $n: five time-out answers");
    ok($h2[$n]->wait_goaway, 'and GOAWAY');
}

wait_gone(@old);
wait_waiting(0);



=== TEST 14: HTTP/2: a client that polls on and on while its worker leaves
--- more_http_config
    longpoll_drain 2s;
--- scenario
# Until GOAWAY arrives, a client is allowed to send its next poll.

my $h2 = Longpoll::H2->new(port => rand_port(2));
my $cat = category();
my @streams = map { $h2->request('GET', "/events?category=$cat&timeout=100") }
              1 .. 4;

wait_waiting(4);

my @old = reload(leaving => 1);
my $answers = 0;

while (@streams and !$h2->{eof}) {
    my $r = eval { $h2->answer(shift @streams) } or last;

    $answers++ if $r->{body} ne '';
    die "a hot loop of polls\n" if $answers > 200;

    push @streams, $h2->request('GET', "/events?category=$cat&timeout=100")
        unless $h2->{goaway};
}

cmp_ok($answers, '>=', 4, "$answers answers");
ok($h2->{goaway}, 'GOAWAY');
$h2->close;
wait_gone(@old);



=== TEST 15: HTTP/2: an answer's headers, as curl sees them
--- skip_eval
1: system('curl --version 2>/dev/null | grep -q HTTP2') != 0
--- scenario
my $cat = category();
publish($cat, 1);

my $uri = 'http://127.0.0.1:' . rand_port(2)
          . "/events?category=$cat&timeout=5&since_time=0";
my $got = `curl -sS -i --http2-prior-knowledge --max-time 10 '$uri' 2>&1`;

like($got, qr{^HTTP/2 200}, 'HTTP/2');

for my $line ('content-type: application/json',
              'x-content-type-options: nosniff', 'expires: 0',
              'cache-control: no-cache, no-store, must-revalidate',
              'pragma: no-cache')
{
    my @found = $got =~ /^(\Q$line\E)\r$/mig;
    is(scalar @found, 1, $line);
}

like($got, qr/"data":1/, 'the event');



=== TEST 16: HTTP/2: HEAD of a stream has its headers, and ends
--- scenario
my $cat = category();
my $h2 = Longpoll::H2->new(port => rand_port(2));
my @accept = (headers => ['accept: text/event-stream']);
my $r = $h2->answer($h2->request('HEAD', "/events?category=$cat", @accept));

is($r->{status}, 200, 'the status');
is($r->{body}, '', 'no body');
ok(!$r->{reset}, 'it ends as an answer does');
is(status()->{waiting}, 0, 'nothing waits');

$r = $h2->answer($h2->request('HEAD', '/events', @accept));
is($r->{body}, '', 'an error has no body');

my $s = Longpoll::Stream->new({ h2 => $h2 }, category => $cat);

is($s->next->{kind}, 'place', 'the connection stays');



=== TEST 17: HTTP/2: the headers of HEAD of a stream, as curl sees them
--- skip_eval
1: system('curl --version 2>/dev/null | grep -q HTTP2') != 0
--- scenario
my $uri = 'http://127.0.0.1:' . rand_port(2) . '/events?category=farm';
my $got = `curl -sS -I --http2-prior-knowledge --max-time 10 -H 'Accept: text/event-stream' '$uri' 2>&1`;

like($got, qr{^HTTP/2 200}, 'HTTP/2');

for my $line ('content-type: text/event-stream', 'x-accel-buffering: no',
              'x-content-type-options: nosniff', 'expires: 0',
              'cache-control: no-cache, no-store, must-revalidate',
              'pragma: no-cache')
{
    my @found = $got =~ /^(\Q$line\E)\r$/mig;
    is(scalar @found, 1, $line);
}

unlike($got, qr/^content-length:/mi, 'no length');
