# Streams and their sockets: clients that do not read, that read slowly, that
# leave; HTTP/1.0 and 1.1, TLS, HTTP/2, gzip; memory however long a stream lives.

use lib 't/lib';
use Test::Nginx::Socket 'no_plan';
use File::Temp ();
use Longpoll;
use Longpoll::H2;

# The certificate is made for this test alone.

my $dir = File::Temp->newdir;

our $tls = system("openssl req -x509 -newkey ec"
                  . " -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
                  . " -subj /CN=localhost -keyout $dir/key.pem"
                  . " -out $dir/cert.pem >/dev/null 2>&1") == 0
           && eval { require IO::Socket::SSL; 1 }
           && `$Test::Nginx::Util::NginxBinary -V 2>&1`
              =~ /--with-http_ssl_module/;

# A filter of nginx that changes a stream's text.

our $sub = `$Test::Nginx::Util::NginxBinary -V 2>&1`
           =~ /--with-http_sub_module/;

$ENV{TEST_NGINX_CERT} = "$dir/cert.pem";
$ENV{TEST_NGINX_CERT_KEY} = "$dir/key.pem";

# Beside the usual server, every block has one whose sockets take little (port
# 1), the same with HTTP/2 (port 2), and one with TLS (port 3).

add_block_preprocessor(sub {
    my ($block) = @_;

    my $stream = $block->stream || '';
    my $locations = <<"_EOC_";
        location = /publish { longpoll_publish events; }
        location = /pid     { return 200 \$pid; }
        location = /events {
            longpoll_subscribe events;
            $stream
        }
        location = /gzip {
            gzip               on;
            gzip_types         text/event-stream;
            longpoll_subscribe events;
            $stream
        }
        location = /status  { longpoll_status all; }
_EOC_

    $locations .= <<"_EOC_" if $sub;
        location = /sub {
            sub_filter         oink moo;
            sub_filter_once    off;
            sub_filter_types   text/event-stream;
            longpoll_subscribe events;
            $stream
        }
_EOC_

    my @servers = (
        'listen 127.0.0.1:$TEST_NGINX_RAND_PORT_1 sndbuf=16k;',
        'listen 127.0.0.1:$TEST_NGINX_RAND_PORT_2 $TEST_NGINX_LISTEN_HTTP'
        . ' sndbuf=16k; $TEST_NGINX_HTTP_ON',
    );

    push @servers, 'listen 127.0.0.1:$TEST_NGINX_RAND_PORT_3 ssl;'
        . ' ssl_certificate $TEST_NGINX_CERT;'
        . ' ssl_certificate_key $TEST_NGINX_CERT_KEY;' if $tls;

    my $zone = $block->zone || 'zone=events:64m buffer=100000';

    $block->set_value(config => $locations);
    $block->set_value(http_config => <<"_EOC_"
    longpoll_zone $zone;
    client_max_body_size 10m;
    log_format longpoll '\$request_uri \$status \$longpoll_result '
                        '\$longpoll_events';
    access_log logs/longpoll.log longpoll;
_EOC_
        . ($block->more_http || '')
        . join '', map { "server { $_\n$locations }\n" } @servers);
});


# for the scenarios

package Longpoll::Scenario;

# Streams on every kind of connection, by name.

sub every_kind {
    my (@args) = @_;

    my %made = (
        'HTTP/1.1' => stream(@args),
        'HTTP/2' => stream({ h2 => Longpoll::H2->new(port => rand_port(2)) },
                           @args),
        'gzip' => stream({ uri => '/gzip', gzip => 1 }, @args),
        'HTTP/1.0' => stream({ version => '1.0' }, @args),
    );

    $made{TLS} = stream({ port => rand_port(3), tls => {} }, @args) if $main::tls;

    return \%made;
}

# Publishes n events with this data, in batches; returns their count.

sub flood {
    my ($cat, $n, $json, $batch) = @_;

    my $c = connection();
    $batch ||= 500;

    for (my $left = $n; $left > 0; $left -= $batch) {
        my $some = $left < $batch ? $left : $batch;
        my $r = post('/publish', '[' . join(',', (event($cat, $json)) x $some)
                                 . ']', conn => $c);

        die $r->body if $r->status != 200;
    }

    return $n;
}

# Takes all that comes until the event with this id; returns how many events
# there were, and how many of the other frames by kind.

sub up_to {
    my ($s, $id) = @_;
    my %n = (event => 0, place => 0, missed => 0);

    for ( ;; ) {
        my $frame = $s->next;

        $n{$frame->{kind}}++;
        return \%n if ($frame->{id} || '') eq $id;
    }
}

# A stream whose client does not read from now on: its socket is full.

sub blocked {
    my ($s, $cat) = @_;

    $s->next;
    my $delivered = status()->{delivered};

    for ( ;; ) {
        flood($cat, 500, text(500));

        my $now = status()->{delivered};

        return if $now == $delivered;
        $delivered = $now;
    }
}

package main;

no_long_string();
worker_connections(1024);
log_level('info');
run_tests();

__DATA__

=== TEST 1: nothing is read for a client that does not read, and nothing is lost
--- stream
            longpoll_max_response_size 64k;
--- scenario
my @cats = map { category() } 1 .. 20;
my @s = map { stream({ port => rand_port(1) }, category => $_) } @cats;

$_->next for @s;
my $before = resident();

flood($_, 1000, text(1000)) for @cats;

cmp_ok(resident() - $before, '<', 20 * 64 + 4000,
       '20 MB are published, and each stream has an answer at most');

my %last = map { $_ => publish($_, 1) } @cats;
my $delivered = status()->{delivered};

cmp_ok($delivered, '<', 20 * 1000 / 3, "$delivered were read for them");

for my $n (0 .. $#s) {
    is_deeply(up_to($s[$n], $last{$cats[$n]}),
              { event => 1001, place => 0, missed => 0 }, 'each event once');
}



=== TEST 2: a client that does not read is told when the buffer goes over
--- zone: zone=events:64m buffer=50
--- stream
            longpoll_max_response_size 64k;
--- scenario
my $cat = category();
my $s = stream({ port => rand_port(1) }, category => $cat);
my $c = connection();
my $was = status()->{missed};
my $n = 0;

$s->next;

for (1 .. 100) {
    post('/publish', '[' . join(',', map { event($cat, sprintf '[%d, %s]', $n++,
                                                       text(1000)) }
                                     1 .. 20) . ']', conn => $c);
}

my $id = publish($cat, "[$n]");
my ($events, $missed, $frame) = (0, 0);
my $next = 0;

do {
    $frame = $s->next;

    if ($frame->{kind} eq 'missed') {
        $missed++;
        $frame = $s->next;
        die "missed, and no event is\n" if $frame->event->{data}[0] == $next;

    } else {
        die "an event is missed, and nothing is said\n"
            if $frame->event->{data}[0] != $next;
    }

    $events++;
    $next = $frame->event->{data}[0] + 1;
} until $frame->{id} eq $id;

cmp_ok($missed, '>=', 1, 'it is told once for each gap');
cmp_ok($events, '<', 2001, 'of what is not there');
is(status()->{missed} - $was, $missed, 'as is counted');

$id = publish($cat, 'true');
is_deeply([$s->told(1)], ["event $id true"], 'then it goes on');



=== TEST 3: when everything was dropped a client that reads again is told at once
--- zone: zone=events:64m buffer=100000 ttl=1s
--- stream
            longpoll_max_response_size 64k;
--- scenario
my $cat = category();
my $s = stream({ port => rand_port(1) }, category => $cat);

blocked($s, $cat);
wait_status { $_->{events} == 0 } 'their end';

my ($frame, $last);

do { $last = $frame; $frame = $s->next } until $frame->{kind} eq 'missed';

my $place = $s->next;

is($place->{kind}, 'place', 'the place behind it');
cmp_ok($place->{id}, 'gt', $last->{id}, 'is behind all');
ok($s->silent, 'and no more');

my $id = publish($cat, 1);

is_deeply([$s->told(1)], ["event $id 1"], 'then it goes on');



=== TEST 4: longpoll_max_unsent ends streams, and their clients go on
--- more_http
    longpoll_max_unsent 4m;
--- scenario
my @cats = map { category() } 1 .. 12;
my @s = map { stream({ port => rand_port(1) }, category => $_) } @cats;
my @place = map { $_->next->{id} } @s;
my $before = resident();

my @ids = map { publish($_, text(1_000_000)) } @cats;

wait_until { given_up() == 8 } 'eight of twelve are given up';
cmp_ok(resident() - $before, '<', 20_000, 'the memory is bounded');
like(wait_log('longpoll.log', qr/ gone /), qr/ 200 gone 1$/, 'as the log says');

my $whole = 0;

for my $n (0 .. 11) {
    $whole++ if eval { ($s[$n]->ids(1))[0] eq $ids[$n] };

    is_deeply([stream({ last => $place[$n] }, category => $cats[$n])->told(2)],
              ["place $place[$n]", "event $ids[$n] " . text(1_000_000)],
              'from its place it has the event')
}

is($whole, 4, 'four had it down their first streams');



=== TEST 5: one answer to many streams that do not read is one in memory
--- scenario
my $cat = category();
my @s = map { stream({ port => rand_port(1) }, category => $cat) } 1 .. 40;

$_->next for @s;
my $before = resident();
my $id = publish($cat, text(1_500_000));

cmp_ok(resident() - $before, '<', 20_000, '60 MB of answers are in 20 MB');
is(given_up(), 0, 'none is given up');
is_deeply([$s[$_]->ids(1)], [$id], 'all have it') for 0 .. 39;



=== TEST 6: send_timeout closes a stream that takes nothing
--- stream
            send_timeout 2s;
--- scenario
my $cat = category();
my $s = stream({ port => rand_port(1) }, category => $cat);
my $reads = stream(category => $cat);

$_->next for $s, $reads;
my $before = status()->{disconnected};
my $id = publish($cat, text(3_000_000));

is_deeply([$reads->ids(1)], [$id], 'one that takes it');
wait_log('error.log', qr/client timed out/);
like(wait_log('longpoll.log', qr/category=$cat /), qr/ 200 gone 1$/, 'the log');
wait_waiting(1);
is(status()->{disconnected} - $before, 1, 'it is counted');

$id = publish($cat, 1);
is_deeply([$reads->ids(1)], [$id], 'the other goes on');
ok($s->breaks, 'the one is cut off');



=== TEST 7: limit_rate
--- stream
            limit_rate 30k;
            longpoll_max_response_size 16k;
--- scenario
my $cat = category();
my $s = stream(category => $cat);

$s->next;

# What was sent so far keeps back what comes for some 10 ms.

my $sent = now_ms();
wait_until { now_ms() > $sent + 200 } 'an end of that';

my $began = time;

flood($cat, 150, text(1000));
my $id = publish($cat, 1);

is_deeply(up_to($s, $id), { event => 151, place => 0, missed => 0 }, 'all of it');
cmp_ok(time - $began, '>', 2.5, 'at that rate');

$id = publish($cat, 2);
is_deeply([$s->ids(1)], [$id], 'then what comes');

flood($cat, 150, text(1000));
$s->reset;
wait_waiting(0);
pass('one that leaves meanwhile is noticed');



=== TEST 8: an event is sent at once on every kind of connection
--- scenario
my $cat = category();
my $s = every_kind(category => $cat);

$_->next for values %$s;

for my $n (1 .. 5) {
    my $id = publish($cat, $n);

    is_deeply([$s->{$_}->told(1)], ["event $id $n"], "$_: event $n")
        for sort keys %$s;
}

my $large = publish($cat, text(1_000_000));

is_deeply([$s->{$_}->ids(1)], [$large], "$_: a large one") for sort keys %$s;
is($s->{gzip}->head->header('Content-Encoding'), 'gzip', 'gzip');
cmp_ok($s->{gzip}->bytes, '<', 20_000, 'it is small');
is($s->{'HTTP/1.0'}->head->header('Transfer-Encoding'), undef,
   'HTTP/1.0: no chunks');
is($s->{'HTTP/1.0'}->head->header('Connection'), 'close', 'and close');
is(stream({ gzip => 1 }, category => $cat)->head->header('Content-Encoding'),
   undef, 'no gzip where the type is not switched on');



=== TEST 9: nginx's filters see every event
--- skip_eval
5: !$main::sub
--- scenario
my $cat = category();
my $s = stream({ uri => '/sub' }, category => $cat);

$s->next;

for my $n (1 .. 5) {
    my $id = publish($cat, qq("oink $n"));

    is_deeply([$s->told(1)], [qq(event $id "moo $n")], "event $n");
}



=== TEST 10: a stream ends on every kind of connection as an answer does
--- scenario
my $cat = category();

publish($cat, 1);

my $s = every_kind(category => $cat, since_time => 0, timeout => 1);

for (sort keys %$s) {
    ok($s->{$_}->ends, "$_: the end");
    like(join(' ', map { $_->{kind} } @{ $s->{$_}{es}->frames }),
         qr/^place event place$/, 'behind whole frames');
}

ok($s->{'HTTP/1.0'}->conn->closed, 'HTTP/1.0 is closed');
is($s->{$_}->conn->request('GET', '/pid')->response->status, 200, "$_ stays")
    for grep { /1\.1|gzip|TLS/ } sort keys %$s;

my $h2 = $s->{'HTTP/2'}->conn;

is($h2->answer($h2->request('GET', '/pid'))->{status}, 200, 'HTTP/2 stays');



=== TEST 11: a request behind a stream waits for the stream's end
--- scenario
my $cat = category();
my $c = connection();
my $s = stream({ conn => $c }, category => $cat, timeout => 2);

$c->request('GET', '/pid');
$s->next;
my $id = publish($cat, 1);

is_deeply([$s->ids(1)], [$id], 'the stream goes on');
ok($s->ends, 'its end');
like($c->response->body, qr/^\d+$/, 'then the other answer');



=== TEST 12: a body behind the head of a stream, and what is behind that
--- scenario
my $cat = category();
my $c = connection();
my $s = stream({ conn => $c, body => 'x' x 100_000, chunked => 1 },
               category => $cat, timeout => 2);

$c->request('GET', '/pid');
$s->next;
is_deeply([publish($cat, 1)], [$s->ids(1)], 'an event');
ok($s->ends, 'its end');
like($c->response->body, qr/^\d+$/, 'the next answer');



=== TEST 13: a client that leaves is noticed at once
--- stream
            longpoll_heartbeat 0;
--- scenario
my $cat = category();

for my $how (qw( close half_close reset )) {
    my $was = status()->{disconnected};
    my $s = every_kind(category => $cat);
    my $n = keys %$s;

    $_->next for values %$s;
    wait_waiting($n);
    ref $_->conn->sock eq 'IO::Socket::SSL' && $how eq 'close'
        ? $_->conn->sock->close(SSL_no_shutdown => 1) : $_->conn->$how
        for values %$s;
    wait_waiting(0);
    is(status()->{disconnected} - $was, $n, "$how is counted");
}

like(wait_log('longpoll.log', qr/category=$cat /), qr/ 200 gone 0$/, 'the log');



=== TEST 14: a client that leaves is noticed while it does not read
--- stream
            longpoll_max_response_size 64k;
--- scenario
for my $how (qw( close half_close reset )) {
    my $cat = category();
    my $s = stream({ port => rand_port(1) }, category => $cat);

    blocked($s, $cat);
    is(status()->{waiting}, 1, 'it is there');
    $s->conn->$how;
    wait_waiting(0);
    pass("$how");
}



=== TEST 15: HTTP/2: RST_STREAM ends that stream and no other
--- scenario
my $cat = category();
my $h2 = Longpoll::H2->new(port => rand_port(2));
my @s = map { stream({ h2 => $h2 }, category => $cat, n => $_) } 1 .. 5;

$_->next for @s;
wait_waiting(5);
$h2->rst($s[2]{number});
wait_waiting(4);
like(wait_log('longpoll.log', qr/&n=3/), qr/ 200 gone 0$/, 'the log');

my @ids = map { publish($cat, $_) } 1 .. 3;

is_deeply([$s[$_]->ids(3)], \@ids, "stream $_") for 0, 1, 3, 4;

$h2->reset;
wait_waiting(0);



=== TEST 16: HTTP/2: a stream whose window is closed is not written to
--- stream
            longpoll_max_response_size 64k;
--- scenario
my $cat = category();
my $h2 = Longpoll::H2->new(port => rand_port(2), window => 10_000);
my ($stalls, $leaves) = map { stream({ h2 => $h2 }, category => $cat) } 1, 2;
my $other = stream({ h2 => Longpoll::H2->new(port => rand_port(2)) },
                   category => $cat);

$_->next for $stalls, $leaves, $other;
my $before = resident();

flood($cat, 5000, text(1000));
my $id = publish($cat, 1);

is_deeply(up_to($other, $id), { event => 5001, place => 0, missed => 0 },
          'another connection has all');
cmp_ok(resident() - $before, '<', 3000, 'nothing is kept for those that stall');
$h2->ping;
cmp_ok($_->{bytes} + length $_->stream->{body}, '<=', 10_000,
       'they have what they allowed') for $stalls, $leaves;
is(status()->{waiting}, 3, 'all are there');

$h2->rst($leaves->{number});
wait_waiting(2);

$h2->widen($stalls->{number}, 1 << 24);
is_deeply(up_to($stalls, $id), { event => 5001, place => 0, missed => 0 },
          'with a wider window it has all');



=== TEST 17: memory after 100,000 events is as after the first ones
--- stream
            longpoll_max_response_size 200k;
--- timeout: 60
--- scenario
my $cat = category();
my $s = every_kind(category => $cat);
my ($n, $after) = (0, 0);

$_->next for values %$s;

# Half of them come singly, as far as nginx is concerned: requests that are
# pipelined are answered one after the other.

my $singly = sub {
    my $c = connection();
    my $one = event($cat, text(20));

    $c->send("POST /publish HTTP/1.1\r\nHost: x\r\nContent-Length: "
             . length($one) . "\r\n\r\n$one") for 1 .. 250;
    $c->{expect} = [ ('POST') x 250 ];
    $c->response for 1 .. 250;
    $n += 250;
};

my $all = sub {
    my $last = publish($cat, 1);

    for (keys %$s) {
        my $was = $s->{$_}{seen} || 0;

        $s->{$_}{seen} = $was + up_to($s->{$_}, $last)->{event};
    }

    $n++;
};

for my $round (1 .. 100) {
    $singly->() if $round % 5 == 0;
    $n += flood($cat, 1000, text(20));
    $all->();
    $after = resident() if $round == 20;
}

cmp_ok(resident() - $after, '<', 300, "after $n events");
is($s->{$_}{seen}, $n, "$_ has had them all") for sort keys %$s;
