# Answers that clients do not take: equal ones are one in memory, and all
# together are bounded by longpoll_max_unsent.

use lib 't/lib';
use Test::Nginx::Socket 'no_plan';
use Longpoll;

# The kernel takes little of an answer here, so most of it stays with nginx.

our $config = <<'_EOC_';
        listen 127.0.0.1:$TEST_NGINX_RAND_PORT_1 sndbuf=16k;
        listen 127.0.0.1:$TEST_NGINX_RAND_PORT_2 $TEST_NGINX_LISTEN_HTTP sndbuf=16k;
        $TEST_NGINX_HTTP_ON
        location = /events  { longpoll_subscribe events; }
        location = /publish { longpoll_publish   events; }
_EOC_

our $http = <<'_EOC_';
    longpoll_zone zone=events:64m;
    longpoll_max_unsent 4m;
_EOC_

no_long_string();
worker_connections(256);
log_level('info');
run_tests();

__DATA__

=== TEST 1: equal answers that nobody takes are one answer in memory
--- http_config eval: $::http
--- config eval: $::config
--- scenario
my $cat = category();
my $before = resident();

publish($cat, text(1_500_000));
ask(category => $cat, since_time => 0);

my @p = map { unread(category => $cat, since_time => 0) } 1 .. 40;

cmp_ok(resident() - $before, '<', 20_000, '60 MB of answers are in 20 MB');
cmp_ok(length $p[$_]->answer->body, '>', 1_500_000, 'whole') for 0, 39;
is(given_up(), 0, 'none was given up');
--- no_error_log
longpoll_max_unsent



=== TEST 2: over the limit the answers that nobody took the longest are given up
--- http_config eval: $::http
--- config eval: $::config
--- scenario
my @cats = map { category() } 1 .. 12;

publish($_, text(1_000_000)) for @cats;

my @p = map { unread(category => $_, since_time => 0) } @cats;
my @whole = map { whole($_) } @p;

is(given_up(), 8, 'eight of twelve');
is(scalar(grep { $_ } @whole), 4, 'four have all of it');
ok(!$whole[0], 'not the first');
ok($whole[11], 'the last');

for my $cat (@cats) {
    cmp_ok(length ask(category => $cat, since_time => 0)->body, '>', 1_000_000,
           'who polls again gets the event');
}



=== TEST 3: a client that reads keeps its answer, even the oldest
--- log_level: debug
--- http_config eval: $::http
--- config eval: $::config
--- scenario
my @cats = map { category() } 0 .. 2;

publish($cats[0], text(3_000_000));
publish($_, text(1_000_000)) for @cats[1, 2];

my $reads = unread(category => $cats[0], since_time => 0);
my $stops = unread(category => $cats[1], since_time => 0);

if (with_debug()) {
    # so that nginx has seen that nobody reads this answer

    my $n = looks();
    wait_until { looks() >= $n + 2 } 'nginx looks for readers twice';

    my $conn = $reads->conn;
    my $had = length $conn->{buf};

    $conn->fill(10) or die "it cannot read\n"
        until $conn->{eof} or length $conn->{buf} >= $had + 500_000;
}

my $last = unread(category => $cats[2], since_time => 0);

SKIP: {
    Test::More::skip('nginx is built without debug', 2) if !with_debug();
    ok(whole($reads), 'the reader has all of it');
    ok(!whole($stops), 'the one that had stopped was given up instead');
}

ok(whole($last), 'and so has the last');

sub looks {
    open my $in, '<', $Test::Nginx::Util::ErrLogFile or die $!;
    return scalar grep { /longpoll unsent: \d+ answers/ } <$in>;
}



=== TEST 4: the only answer is never given up, however large
--- http_config
    longpoll_zone zone=events:64m;
    longpoll_max_unsent 100k;
--- config eval: $::config
--- scenario
my ($cat, $small) = (category(), category());

publish($cat, text(3_000_000));
publish($small, 1);

my @p = map { unread(category => $cat, since_time => 0) } 1 .. 3;

is_deeply([ask(category => $small, since_time => 0)->data], [1],
          'another client is served');
ok(whole($_), 'it has all of it') for @p;
is(given_up(), 0, 'none was given up');



=== TEST 5: forty answers that are asked for at once stay within the limit
--- http_config eval: $::http
--- config eval: $::config
--- scenario
my @cats = map { category() } 1 .. 40;

publish($_, text(1_000_000)) for @cats;

my $before = resident();
my @conns = map { connection(port => rand_port(1)) } @cats;

$_->request('GET', '/pid')->response for @conns;

my @p;

in_one_turn {
    @p = map { poll({ conn => $conns[$_] }, category => $cats[$_],
                    since_time => 0) } 0 .. $#cats;
};

wait_until { given_up() == 36 } 'all but four are given up';
cmp_ok(resident() - $before, '<', 20_000, '40 MB of answers were never there');
is(scalar(grep { whole($_) } @p), 4, 'four have all of it');



=== TEST 6: HTTP/2: streams whose window is closed are reset, and no others
--- http_config eval: $::http
--- config eval: $::config
--- scenario
require Longpoll::H2;

my @cats = map { category() } 1 .. 12;
my $wait = category();

publish($_, text(1_000_000)) for @cats;

my $h2 = Longpoll::H2->new(port => rand_port(2), window => 0);
my $parked = $h2->request('GET', "/events?category=$wait&timeout=30");
my @streams = map {
    $h2->request('GET', "/events?category=$_&timeout=30&since_time=0")
} @cats;

$h2->ping;
wait_until { given_up() == 8 } 'eight answers are given up';
$h2->ping;

# All came in one moment, so none has waited longer than another.

my @left = grep { !$h2->{streams}{$_}{reset} } @streams;

is(scalar @left, 4, 'as many streams are reset');

for my $stream (@left) {
    $h2->widen($stream, 2_000_000);
    cmp_ok(length $h2->answer($stream)->{body}, '>', 1_000_000, 'whole');
}

my $id = publish($wait, 1);

$h2->widen($parked, 2_000_000);
like($h2->answer($parked)->{body}, qr/$id/, 'a parked poll is not touched');



=== TEST 7: HTTP/2: equal answers behind a closed window are one in memory
--- http_config eval: $::http
--- config eval: $::config
--- scenario
require Longpoll::H2;

my $cat = category();

publish($cat, text(3_000_000));
ask(category => $cat, since_time => 0);

my $before = resident();
my $h2 = Longpoll::H2->new(port => rand_port(2), window => 0);
my @streams = map {
    $h2->request('GET', "/events?category=$cat&timeout=30&since_time=0")
} 1 .. 100;

$h2->ping;
cmp_ok(resident() - $before, '<', 40_000, '300 MB of answers are in 40 MB');
is(given_up(), 0, 'none was given up');
ok(!$h2->{streams}{$_}{reset}, 'it is open') for @streams[0, 50, 99];



=== TEST 8: HTTP/2: a connection that is not read is closed
--- http_config eval: $::http
--- config eval: $::config
--- scenario
require Longpoll::H2;

my @cats = map { category() } 1 .. 12;

publish($_, text(1_000_000)) for @cats;

my @h2 = map { Longpoll::H2->new(port => rand_port(2)) } @cats;

for my $i (0 .. $#cats) {
    $h2[$i]->request('GET',
                     "/events?category=$cats[$i]&timeout=30&since_time=0");
    IO::Select->new($h2[$i]->sock)->can_read(10) or die "no answer\n";
    get('/pid');
}

wait_until { given_up() >= 8 } 'eight answers are given up';

my @whole = map {
    eval { length $_->answer(1)->{body} > 1_000_000 } ? 1 : 0
} @h2;

is(scalar(grep { $_ } @whole), 12 - given_up(), 'the others have all of it');
ok($whole[11], 'the last among them');
