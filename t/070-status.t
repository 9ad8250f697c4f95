# longpoll_status: the figures for operators, as JSON and for Prometheus.

use lib 't/lib';
use Test::Nginx::Socket 'no_plan';
use Longpoll;

no_long_string();
worker_connections(128);
run_tests();

__DATA__

=== TEST 1: the JSON of a zone, to the byte
--- http_config
    longpoll_zone zone=fresh1:1m;
--- config
    location = /x { longpoll_status fresh1; }
--- request
GET /x
--- response_headers
Content-Type: application/json
X-Content-Type-Options: nosniff
Cache-Control: no-cache, no-store, must-revalidate
--- response_body_like eval
qr/^\{"version":"\d+\.\d+\.\d+","zones":\{"fresh1":\{"size":1048576,"used":0,"categories":0,"events":0,"waiting":0,"published":0,"delivered":0,"timeouts":0,"missed":0,"evicted":0,"expired":0,"trimmed":0,"refused":0,"disconnected":0\}\}\}$/



=== TEST 2: longpoll_status NAME shows that zone, all shows each
--- http_config
    longpoll_zone zone=one:1m;
    longpoll_zone zone=two:2m;
--- config
    location = /one { longpoll_status one; }
    location = /all { longpoll_status all; }
--- scenario
my $one = get('/one')->json->{zones};
my $all = get('/all')->json->{zones};

is_deeply([keys %$one], ['one'], 'the one');
is_deeply([sort keys %$all], [qw( one two )], 'each');
is($all->{one}{size}, 1 << 20, 'size of the first');
is($all->{two}{size}, 2 << 20, 'size of the second');



=== TEST 3: without a zone, "zones" is empty
--- http_config
--- config
    location = /all { longpoll_status all; }
--- request
GET /all
--- response_body_like: ^\{"version":"[^"]+","zones":\{\}\}$



=== TEST 4: every counter counts what its name says
--- http_config
    longpoll_zone zone=counts:1m buffer=3;
--- config
    location = /events  { longpoll_subscribe counts; }
    location = /publish { longpoll_publish   counts; }
--- scenario
my ($a, $b) = (category('a'), category('b'));
my %zero = map { $_ => 0 } qw( categories events waiting published delivered
    timeouts missed evicted expired trimmed refused disconnected );
my $before = status();

my $check = sub {
    my ($what, %want) = @_;
    my $now = status();

    is_deeply({ map { $_ => $now->{$_} - $before->{$_} } keys %zero },
              { %zero, %want }, $what);
    %zero = (%zero, %want);
};

publish($a, $_) for 1 .. 5;
$check->('five events, of which three stay', published => 5, events => 3,
         categories => 1, trimmed => 2);

publish($b, 1);
$check->('one in another category', published => 6, events => 4,
         categories => 2);

ask(category => $a, since_time => 0);
$check->('three delivered, and two missed', delivered => 3, missed => 1);

ask(category => $a, category => $b, since_time => now_ms() - 60_000);
my $now = status();
$check->('four delivered', delivered => 7, missed => $now->{missed}
                                                     - $before->{missed});

ask(category => category(), timeout => 1);
$check->('a time-out', timeouts => 1);

post('/publish', $_) for 'x', '{}', event($a, 'null');
$check->('three refused', refused => 3);

my @p = map { poll(category => $a) } 1 .. 3;
wait_waiting(3);
$check->('three wait', waiting => 3);

$p[0]->close;
wait_waiting(2);
$check->('one client has left', waiting => 2, disconnected => 1);

publish($a, 6);
$_->answer for @p[1, 2];
wait_waiting(0);
$check->('two polls have been woken', waiting => 0, published => 7,
         delivered => 9, trimmed => 3);

# Requests that are not answered as polls are not counted.

ask({ method => 'HEAD' }, category => $a, since_time => 0);
get('/events?category=x');
http('OPTIONS', '/events');
http('DELETE', '/events');
$check->('nothing');



=== TEST 5: "categories" counts those with an event or a parked poll
--- http_config
    longpoll_zone zone=gauge:1m;
--- config
    location = /events  { longpoll_subscribe gauge; }
    location = /publish { longpoll_publish   gauge; }
--- scenario
my $before = status()->{categories};
my @cats = map { category("g$_") } 1 .. 5;

publish($cats[0], 1);
is(status()->{categories} - $before, 1, 'an event');

my @p = (poll(map { (category => $_) } @cats[0 .. 3]),
         poll(category => $cats[3]));
wait_waiting(2);
is(status()->{categories} - $before, 4, 'and polls on it and three others');

$_->close for @p;
wait_waiting(0);
wait_status { $_->{categories} - $before == 1 } 'only the event is left';
pass('only the event is left');

ask(category => $cats[4], since_time => 0, timeout => 1);
is(status()->{categories} - $before, 1, 'a poll that is over leaves nothing');



=== TEST 6: "used" is 0 in an empty zone, and "size" when the next event evicts
--- http_config
    longpoll_zone zone=used:1m buffer=10000;
    longpoll_zone zone=slots:64k;
--- config
    location = /events  { longpoll_subscribe used; }
    location = /publish { longpoll_publish   used; }
    location = /slots   { longpoll_publish   slots; }
--- scenario
my $cat = category();
my $st = status('used');
is($st->{used}, 0, 'an empty zone');

publish($cat, '"' . 'x' x 100_000 . '"');
my $one = status('used')->{used};
cmp_ok($one, '>=', 100_000, 'an event: at least its bytes');

publish($cat, '"' . 'x' x 100_000 . '"');
cmp_ok(abs(status('used')->{used} - 2 * $one), '<=', 1, 'two: twice as much');

publish($cat, '"' . 'x' x 1000 . '"')
    until ($st = status('used'))->{used} == $st->{size} or $st->{evicted};
is($st->{evicted}, 0, 'no event was evicted before the zone was full');

publish($cat, '"' . 'x' x 1000 . '"');
$st = status('used');
is($st->{evicted}, 1, 'then the next one evicts');
cmp_ok($st->{used}, '<', $st->{size}, 'a large one, so that there is room');

# Slots for categories are used up, too.

publish("s$_", 1, uri => '/slots') for 1 .. 48;
$st = status('slots');
is($st->{used}, 48 / 96 * $st->{size}, 'half of the slots');
publish("s$_", 1, uri => '/slots') for 49 .. 96;
$st = status('slots');
is($st->{used}, $st->{size}, 'all slots');
is($st->{evicted}, 0, 'nothing was evicted');
publish('s97', 1, uri => '/slots');
is(status('slots')->{evicted}, 1, 'now it was');



=== TEST 7: Prometheus: every metric with its help, type and samples
--- http_config
    longpoll_zone zone=prom1:1m;
    longpoll_zone zone=prom2:2m;
--- config
    location = /publish { longpoll_publish prom2; }
    location = /metrics { longpoll_status all format=prometheus; }
    location = /single  { longpoll_status prom2 format=prometheus; }
    location = /koi8 {
        charset         koi8-r;
        charset_types   *;
        longpoll_status all format=prometheus;
    }
--- scenario
my $published = status('prom2')->{published};

publish(category(), 1);

my $r = get('/metrics');

is($r->header('Content-Type'), 'text/plain; version=0.0.4; charset=utf-8',
   'Content-Type');
is(get('/koi8')->header('Content-Type'), $r->header('Content-Type'),
   'it has one charset, its own, whatever "charset" says');
like($r->body, qr/\n\z/, 'the last line ends');

my @metrics = (
    (map { ["longpoll_$_", 'gauge'] }
        qw( size_bytes used_bytes categories events waiting )),
    (map { ["longpoll_${_}_total", 'counter'] }
        qw( published delivered timeouts missed evicted expired trimmed refused
            disconnected )),
);

my ($nginx) = get('/nowhere')->header('Server') =~ m{nginx/([\d.]+)};
my $build = quotemeta(get('/status')->json->{version}) . '",nginx="'
            . quotemeta($nginx);
my $text = join '', "# HELP longpoll_build_info [^\\n]+\\n"
                    . "# TYPE longpoll_build_info gauge\\n"
                    . qq(longpoll_build_info\\{version="$build"\\} 1\\n), map {
    my ($name, $type) = @$_;
    "# HELP $name [^\\n]+\\n# TYPE $name $type\\n"
    . qq(${name}\\{zone="prom1"\\} \\d+\\n${name}\\{zone="prom2"\\} \\d+\\n)
} @metrics;

like($r->body, qr/\A$text\z/, 'all metrics, nothing else');
like($r->body, qr/^longpoll_size_bytes\{zone="prom1"\} 1048576$/m, 'a value');

$published++;
$r = get('/single');
like($r->body, qr/^longpoll_published_total\{zone="prom2"\} $published$/m,
     'a counter');
unlike($r->body, qr/prom1/, 'one zone alone');



=== TEST 8: HEAD, OPTIONS and other methods on a status location
--- scenario
my $get = get('/status');
my $head = http('HEAD', '/status');

is($head->status, 200, 'HEAD');
is($head->body, '', 'no body');
is($head->header('Content-Type'), $get->header('Content-Type'),
   'Content-Type');

my $options = http('OPTIONS', '/status');
is($options->status, 204, 'OPTIONS');
like($options->header('Allow'), qr/\bGET\b/, 'Allow');

my $c = connection();
my $r = $c->request('POST', '/status', body => 'x' x 100)->response;
is($r->status, 405, 'POST');
like($r->header('Allow'), qr/\bGET\b/, 'Allow');
like($r->body, qr/^\{"error": "[^"]+"\}$/, 'in JSON');
is($c->request('GET', '/status')->response->status, 200,
   'and the connection stays usable');



=== TEST 9: status answers must not be cached, in any format
--- config
    location = /json { longpoll_status all; }
    location = /text { longpoll_status all format=prometheus; }
--- scenario
for my $uri ('/json', '/text') {
    my $r = get($uri);

    is($r->header('Cache-Control'), 'no-cache, no-store, must-revalidate',
       "$uri: Cache-Control");
    is($r->header('X-Content-Type-Options'), 'nosniff', "$uri: nosniff");
    is($r->header('Content-Length'), length $r->body,
       "$uri: Content-Length");
}



=== TEST 10: status behind allow and deny
--- config
    location = /x {
        longpoll_status all;
        allow 192.0.2.1;
        deny all;
    }
--- request
GET /x
--- error_code: 403
--- error_log
access forbidden by rule



=== TEST 11: status is answered while a hundred polls wait or leave
--- scenario
my $cat = category();
my @p = map { poll(category => $cat) } 1 .. 100;

wait_waiting(100);
is(status()->{waiting}, 100, 'a hundred');

for my $n (reverse 0 .. 9) {
    (pop @p)->close for 1 .. 10;
    wait_waiting($n * 10);
}

is(status()->{waiting}, 0, 'none');



=== TEST 12: an if or limit_except block does not change a status location
--- http_config
    longpoll_zone zone=one:1m;
    longpoll_zone zone=two:1m;
--- config
    location = /s {
        longpoll_status one;
        if ($arg_x) { set $y 1; }
        limit_except GET { allow all; }
    }
--- scenario
my $plain = get('/s')->body;

like($plain, qr/"one":/, 'the zone');
unlike($plain, qr/"two":/, 'and no other');
is(get('/s?x=1')->body, $plain, 'the same with the if');
is(http('OPTIONS', '/s')->status, 204, 'OPTIONS behind limit_except');
