# HTTP/3: polls and publishes do the same with a QUIC client.

use lib 't/lib';
use Test::Nginx::Socket;
use Longpoll;
use Longpoll::Docs;
use Longpoll::H2;
use Longpoll::H3;

# The certificate is made for this test, at the path that the recipe names.

my $key = Longpoll::Docs::file('push.key');
my $pem = Longpoll::Docs::file('push.pem');
my $made = system("openssl req -x509 -newkey ec"
                  . " -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
                  . " -subj /CN=localhost -keyout $key -out $pem"
                  . " >/dev/null 2>&1") == 0;
my $missing = $made ? Longpoll::H3->missing
                    : 'there is no openssl to make a certificate';

if ($missing) {
    plan skip_all => $missing;

} else {
    plan 'no_plan';
}

$ENV{TEST_NGINX_CERT} = $pem;
$ENV{TEST_NGINX_CERT_KEY} = $key;

# Beside the usual server, every block has one with HTTP/3 (port 1) and one with
# HTTP/2 in cleartext (port 2).

add_block_preprocessor(sub {
    my ($block) = @_;

    return if defined $block->recipe;

    my $locations = <<'_EOC_';
        client_max_body_size 30M;
        location = /events  { longpoll_subscribe events; }
        location = /publish { longpoll_publish   events; }
        location = /pid     { return 200 $pid; }
_EOC_

    my $more = $block->quic_http || '';

    $block->set_value(http_config => "longpoll_zone zone=events:8m;\n"
                      . ($block->more_http_config || '') . <<"_EOC_");
    server {
        listen 127.0.0.1:\$TEST_NGINX_RAND_PORT_1 quic reuseport;
        ssl_certificate     \$TEST_NGINX_CERT;
        ssl_certificate_key \$TEST_NGINX_CERT_KEY;
        $more
        $locations
    }
    server {
        listen 127.0.0.1:\$TEST_NGINX_RAND_PORT_2 \$TEST_NGINX_LISTEN_HTTP;
        \$TEST_NGINX_HTTP_ON
        $locations
    }
_EOC_
});

no_long_string();
master_on();
workers(2);
log_level('info');
worker_connections(256);
run_tests();

__DATA__

=== TEST 1: a poll waits, and a publish on the same connection wakes it
--- scenario
my $h3 = Longpoll::H3->new(port => rand_port(1));
my $cat = category();
my $stream = $h3->request('GET', "/events?category=$cat&timeout=100");

wait_waiting(1);

my $r = $h3->answer($h3->request('POST', '/publish',
                                 body => event($cat, '"oink"')));

is($r->{status}, 200, 'the publish');
is($r->{body}, '{"success": true}', 'its answer');
my $id = $r->{headers}{'longpoll-event-id'};

$r = $h3->answer($stream);
is($r->{status}, 200, 'the poll');
my $ms = id_ms($id);
is($r->{body}, qq({"events":[{"timestamp":$ms,"category":"$cat",)
               . qq("data":"oink","id":"$id"}]}), 'its answer');
is($r->{headers}{$_->[0]}, $_->[1], $_->[0])
    for ['content-type', 'application/json'], ['expires', 0],
        ['cache-control', 'no-cache, no-store, must-revalidate'];



=== TEST 2: publishes on other connections and protocols wake a poll
--- scenario
my $cat = category();
my $publish = {
    'HTTP/1' => sub { publish($cat, 1) },
    'HTTP/2' => sub {
        my $h2 = Longpoll::H2->new(port => rand_port(2));
        $h2->answer($h2->request('POST', '/publish', body => event($cat, 2)));
    },
    'HTTP/3' => sub {
        my $h3 = Longpoll::H3->new(port => rand_port(1));
        $h3->answer($h3->request('POST', '/publish', body => event($cat, 3)));
    },
};

# With this many connections both workers have some.

my @h3 = map { Longpoll::H3->new(port => rand_port(1)) } 1 .. 12;
my %pids = map { $_->answer($_->request('GET', '/pid'))->{body} => 1 } @h3;

cmp_ok(scalar(keys %pids), '==', 2, 'both workers have HTTP/3');

for my $how (sort keys %$publish) {
    my @streams = map { $_->request('GET', "/events?category=$cat&timeout=99") }
                  @h3;
    my $h1 = poll(category => $cat);

    wait_waiting(13);
    $publish->{$how}->();

    my %said = map { $h3[$_]->answer($streams[$_])->{body} => 1 } 0 .. 11;

    is_deeply([keys %said], [$h1->answer->body],
              "$how: all polls get the same answer");
    like($h1->answer->body, qr/^\{"events":/, "$how: an event");
}



=== TEST 3: many polls on one connection, each woken by its own event
--- scenario
my $h3 = Longpoll::H3->new(port => rand_port(1));
my @cats = map { category("s$_") } 0 .. 99;
my @streams = map { $h3->request('GET', "/events?category=$_&timeout=100") }
              @cats;

wait_waiting(100);

my @ids;
for my $n (map { $_ * 7 % 100 } 0 .. 99) {
    $ids[$n] = publish($cats[$n], $n);
}

my $right = grep {
    $h3->answer($streams[$_])->{body} =~ /"data":$_,"id":"$ids[$_]"/
} 0 .. 99;

is($right, 100, 'a hundred');



=== TEST 4: STOP_SENDING alone ends that poll and no other
--- scenario
my $before = status()->{disconnected};
my $h3 = Longpoll::H3->new(port => rand_port(1));
my $cat = category('stop');
my @streams = map { $h3->request('GET',
                                 "/events?category=$cat&n=$_&timeout=100",
                                 unread => $_ == 3) } 1 .. 5;

wait_waiting(5);
$h3->stop($streams[2]);
wait_waiting(4);
is(status()->{disconnected} - $before, 1, 'it is counted');
like(wait_log('access.log', qr{GET /events\?category=$cat&n=3}), qr{" 499 },
     'and logged as 499');

my $id = publish($cat, 1);
like($h3->answer($streams[$_])->{body}, qr/"id":"$id"/, "stream $_")
    for 0, 1, 3, 4;



=== TEST 5: RESET_STREAM alone ends that poll, too
--- scenario
my $before = status()->{disconnected};
my $h3 = Longpoll::H3->new(port => rand_port(1));
my $cat = category('reset');
my @streams = map { $h3->request('GET',
                                 "/events?category=$cat&n=$_&timeout=100",
                                 open => 1) } 1 .. 5;

wait_waiting(5);
$h3->reset($streams[2]);
wait_waiting(4);
is(status()->{disconnected} - $before, 1, 'it is counted');
like(wait_log('access.log', qr{GET /events\?category=$cat&n=3}), qr{" 499 },
     'and logged as 499');

my $id = publish($cat, 1);
like($h3->answer($streams[$_])->{body}, qr/"id":"$id"/, "stream $_")
    for 0, 1, 3, 4;



=== TEST 6: a poll that the client stops as soon as it has sent it
--- scenario
# The stop comes in the same datagram or the next: nginx reads it before the
# poll is parked, or just afterwards.

my $h3 = Longpoll::H3->new(port => rand_port(1));
my $cat = category();

for (1 .. 50) {
    $h3->stop($h3->request('GET', "/events?category=$cat&timeout=100",
                           unread => 1));
}

is($h3->answer($h3->request('GET', '/events?category=x&timeout=1'))->{status},
   200, 'the connection goes on');
wait_waiting(0);



=== TEST 7: the end of a connection ends all its polls
--- scenario
my $before = status()->{disconnected};
my $h3 = Longpoll::H3->new(port => rand_port(1));

$h3->request('GET', '/events?category=' . category() . '&timeout=100')
    for 1 .. 10;
wait_waiting(10);
$h3->close;
wait_waiting(0);
is(status()->{disconnected} - $before, 10, 'ten');



=== TEST 8: keepalive_timeout ends a silent connection, unless it sends PING
--- quic_http
    keepalive_timeout 1s;
--- scenario
my $cat = category();
my $uri = "/events?category=$cat&timeout=100";
my $stays = Longpoll::H3->new(port => rand_port(1), ping => 200);
my $stays_on = $stays->request('GET', $uri);

wait_waiting(1);

# The first connection has sent no request for longer than this one.

my $gone = Longpoll::H3->new(port => rand_port(1));

$gone->request('GET', $uri) for 1 .. 5;
wait_waiting(6);
$gone->vanish;
wait_waiting(1);

my $id = publish($cat, 1);
like($stays->answer($stays_on)->{body}, qr/"id":"$id"/,
     'the other connection\'s poll is woken');



=== TEST 9: a time-out, and the connection stays usable
--- scenario
my $h3 = Longpoll::H3->new(port => rand_port(1));

my $r = $h3->answer($h3->request('GET', '/events?category=' . category()
                                        . '&timeout=1'));

like($r->{body},
     qr/^\{"timeout":"no events before timeout","timestamp":\d{13}\}$/,
     'a time-out');
like($h3->answer($h3->request('GET', '/pid'))->{body}, qr/^\d+$/,
     'the next request');



=== TEST 10: errors, and methods
--- scenario
my $h3 = Longpoll::H3->new(port => rand_port(1));
my $ask = sub {
    my $r = $h3->answer($h3->request(@_));
    return "$r->{status} $r->{body}";
};

is($ask->('GET', '/events?timeout=1'),
   '200 {"error": "Invalid subscription category, must be 1-1024 '
   . 'characters long."}', 'a wrong poll');
is($ask->('POST', '/publish', body => 'x'),
   '400 {"error": "Invalid POST body json."}', 'a wrong publish');
is($ask->('DELETE', '/publish'),
   '405 {"error": "Invalid HTTP Method. Only POST allowed."}', 'a method');
is($ask->('HEAD', '/events?category=farm&timeout=100'), '200 ', 'HEAD');
is($ask->('OPTIONS', '/events'), '204 ', 'OPTIONS');



=== TEST 11: a large event, published and polled
--- scenario
my $h3 = Longpoll::H3->new(port => rand_port(1));
my $cat = category();
my @streams = map { $h3->request('GET', "/events?category=$cat&timeout=100",
                                 unread => $_ == 2) } 1 .. 4;
my $text = join ' ', 100_000 .. 150_000;

wait_waiting(4);

my $r = $h3->answer($h3->request('POST', '/publish',
                                 body => event($cat, qq("$text"))));
my $id = $r->{headers}{'longpoll-event-id'};
my $ms = id_ms($id);

$h3->stop($streams[1]);

for my $n (0, 2, 3) {
    my $body = $h3->answer($streams[$n])->{body};

    ok($body eq qq({"events":[{"timestamp":$ms,"category":"$cat",)
                . qq("data":"$text","id":"$id"}]}), "stream $n, to the byte");
}



=== TEST 12: a reload answers the polls; clients continue on new connections
--- quic_http
    keepalive_timeout 3s;
--- scenario
# While a worker leaves, the kernel hands some of its clients' packets to the
# new workers (see docs/operations.md).  The worker may not read that a client
# has left, and exits after keepalive_timeout at the latest.

my $cat = category();
my $port = rand_port(1);
my $first = publish($cat, 0);
my @polls = map { { id => $first, got => [] } } 1 .. 6;
my @h3;

my $ask = sub {
    my ($poll, $h3) = @_;

    $poll->{h3} = $h3;
    $poll->{stream} = $h3->request('GET', "/events?category=$cat&timeout=100"
                                          . "&last_id=$poll->{id}");
};

my $take = sub {
    my ($poll) = @_;
    my $body = $poll->{h3}->answer($poll->{stream})->{body};

    while ($body =~ /"data":(\d+),"id":"($UUID7)"/g) {
        push @{ $poll->{got} }, $1;
        $poll->{id} = $2;
    }

    return $body =~ /^\{"(\w+)"/ ? $1 : $body;
};

# No connection is idle while the test opens another one.

publish($cat, 1);

for my $two ([0, 1], [2, 3], [4, 5]) {
    my $h3 = Longpoll::H3->new(port => $port, ping => 100);

    for (@polls[@$two]) {
        $ask->($_, $h3);
        is($take->($_), 'events', 'what there is');
        $ask->($_, $h3);
    }

    push @h3, $h3;
}

wait_waiting(6);
my @old = reload(leaving => 1);

is(join(' ', map { $take->($_) } @polls), 'timeout' . ' timeout' x 5,
   'time-out answers');
is(scalar(grep { $_->wait_goaway } @h3), 3, 'GOAWAY');
like($_->wait_gone, qr/0x100/, 'and the end, without an error') for @h3;

publish($cat, 2);
my $new = Longpoll::H3->new(port => $port);

for (@polls) {
    $ask->($_, $new);
    is($take->($_), 'events', 'what came meanwhile');
    $ask->($_, $new);
}

wait_waiting(6);
publish($cat, 3);
$take->($_) for @polls;

is_deeply([map { join ' ', @{ $_->{got} } } @polls], [('1 2 3') x 6],
          'nothing is lost, nothing doubled');

wait_gone(@old);



=== TEST 13: a stream has its frames, and ends as an answer does
--- scenario
require Longpoll::EventStream;

my $h3 = Longpoll::H3->new(port => rand_port(1));
my $cat = category();
my @ids = map { publish($cat, $_) } 1, 2;
my $stream = $h3->request('GET', "/events?category=$cat&timeout=2&since_time=0",
                          headers => { accept => 'text/event-stream' });

wait_waiting(1);
push @ids, publish($cat, 3);

my $r = $h3->answer($stream);
my $es = Longpoll::EventStream->new;

is($r->{headers}{'content-type'}, 'text/event-stream', 'its type');
$es->take($r->{body});
ok($es->whole, 'whole frames');

# A stream waits also while its first events are under way; then the third one
# may be read with them, before the place that says that all was read.

my ($first, @then) = @{ $es->frames };

is($first->{kind}, 'place', 'its place');
is_deeply([map { $_->{id} } grep { $_->{kind} eq 'event' } @then], \@ids,
          'each once');
is_deeply([grep { $then[$_]{kind} eq 'place' } 0 .. $#then],
          [$then[2]{kind} eq 'place' ? 2 : 3], 'and that it has all');



=== TEST 14: STOP_SENDING, RESET_STREAM and the connection's end, for streams
--- scenario
my $h3 = Longpoll::H3->new(port => rand_port(1));
my $cat = category('stop');
my @streams = map { $h3->request('GET', "/events?category=$cat&n=$_",
                                 headers => { accept => 'text/event-stream' },
                                 unread => 1, open => $_ > 3) } 1 .. 6;

wait_waiting(6);
$h3->stop($streams[1]);
wait_waiting(5);
like(wait_log('access.log', qr{GET /events\?category=$cat&n=2}), qr{" 200 },
     'logged with the status that was sent');
$h3->reset($streams[4]);
wait_waiting(4);
is(status()->{disconnected}, 2, 'they are counted');
$h3->close;
wait_waiting(0);



=== TEST 15: a stream that is not read is not written to
--- scenario
my $h3 = Longpoll::H3->new(port => rand_port(1));
my $cat = category();
my $stream = $h3->request('GET', "/events?category=$cat", unread => 1,
                          headers => { accept => 'text/event-stream' });

wait_waiting(1);
publish($cat, text(100_000));

my $before = resident();
my $delivered;

for (1 .. 200) {
    publish($cat, text(100_000));
    $delivered = status()->{delivered} if $_ == 100;
}

cmp_ok(resident() - $before, '<', 3000, 'nothing is kept for it');
cmp_ok(status()->{delivered} - $delivered, '<', 50, 'nor read');
is(status()->{waiting}, 1, 'it is there');
$h3->close;
wait_waiting(0);



=== TEST 16: the configuration of docs/backends.md works
--- recipe: h3
--- scenario
my %o = at(8443);
my $h3 = Longpoll::H3->new(port => $o{port});
my $cat = category();
my $stream = $h3->request('GET', "/events?category=$cat&timeout=100");

wait_waiting(1);
my $id = publish($cat, 1, at(8081));
my $r = $h3->answer($stream);

like($r->{body}, qr/"id":"$id"/, 'a poll');
is($r->{headers}{'alt-svc'}, qq(h3=":$o{port}"; ma=86400), 'Alt-Svc');

my $h2 = get("/events?category=$cat&timeout=1&since_time=0", port => $o{port},
             tls => {});
is($h2->header('Alt-Svc'), qq(h3=":$o{port}"; ma=86400), 'and over TCP');
