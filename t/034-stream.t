# Streams: what is asked for, and the frames that come.  Longpoll::EventStream
# reads every stream of every test, and accepts nothing but what the page says.

use lib 't/lib';
use Test::Nginx::Socket 'no_plan';
use Longpoll;

use File::Temp qw( tempdir );

our $config = <<'_EOC_';
        location = /events  { longpoll_subscribe events; }
        location = /publish { longpoll_publish   events; }
_EOC_

# A file of golongpoll's.

my $dir = tempdir('longpoll-XXXXXX', TMPDIR => 1, CLEANUP => 1);

chmod 0777, $dir or die $!;

open my $file, '>', "$dir/golongpoll" or die $!;
print $file qq({"timestamp":1616040198$_,"category":"farm","data":$_,)
            . qq("id":"0f9b2c9e-0000-4000-8000-000000000$_"}\n)
    for 100, 100 + 1, 101 + 1;
close $file or die $!;
chmod 0666, "$dir/golongpoll" or die $!;

$ENV{TEST_NGINX_DATA} = $dir;


# for the scenarios

package Longpoll::Scenario;

our $EventStream = 'Accept: text/event-stream';

# the type of the answer to a HEAD with these headers

sub type_for {
    my $r = http('HEAD', '/events?category=farm&timeout=9', headers => [ @_ ]);

    return $r->header('Content-Type');
}

sub described { Longpoll::Stream::described(@_) }

# the zone's place now, its millisecond closed: no later event is before it

sub is_closed {
    my ($id, $name) = @_;

    like($id, qr/^.{14}7fff-b[c-f]/, $name);
}

package main;

no_long_string();
worker_connections(256);
log_level('info');
run_tests();

__DATA__

=== TEST 1: the head of a stream, and its first frame, come at once
--- scenario
my $s = stream(category => category());
my $r = $s->head;

is($r->status, 200, 'status');
is(join(' ', $r->header_names), 'Cache-Control Connection Content-Type Date '
   . 'Expires Pragma Server Transfer-Encoding X-Accel-Buffering '
   . 'X-Content-Type-Options', 'these headers and no others');
is($r->header($_->[0]), $_->[1], $_->[0])
    for ['Content-Type', 'text/event-stream'], ['X-Accel-Buffering', 'no'],
        ['Transfer-Encoding', 'chunked'], ['X-Content-Type-Options', 'nosniff'],
        ['Cache-Control', 'no-cache, no-store, must-revalidate'],
        ['Pragma', 'no-cache'], ['Expires', '0'];

my $frame = $s->next;

is($frame->{text}, "retry: $frame->{retry}\nevent: place\nid: $frame->{id}\n"
                   . "data: {}\n\n", 'the frame');
is_closed($frame->{id}, 'its place is now');
ok($s->silent, 'and no more');



=== TEST 2: Accept names the type: in any case, with parameters, among others
--- scenario
is(type_for("Accept: $_"), 'text/event-stream', $_)
    for 'text/event-stream', 'TEXT/Event-Stream', 'text/event-stream;q=0.1',
        'text/event-stream; q=1', 'text/event-stream ; charset=utf-8',
        'text/html, text/event-stream', 'text/html,text/event-stream;q=0.001',
        ',, text/event-stream', '*/*;q=0, text/event-stream',
        'text/event-stream;x="a,b;q=0"', 'text/plain;x="\",";q=0,text/event-stream',
        'text/event-stream;q=0.5;x=y', "\ttext/event-stream\t";

is(type_for('Accept: text/html', "Accept: $_"), 'text/event-stream',
   'a second header') for 'text/event-stream', 'x/y, text/event-stream';
is(type_for('aCCEPT:text/event-stream'), 'text/event-stream', 'any header');



=== TEST 3: what does not name the type is a poll
--- scenario
is(type_for("Accept: $_"), 'application/json', "'$_'")
    for '*/*', 'text/*', '', 'text/html', 'text/event-stream;q=0',
        'text/event-stream; Q=0.0', 'text/event-stream;q=0.000',
        'text/event-stream ; charset=utf-8 ; q=0', 'text/event-streams',
        'text/event-strea', 'xtext/event-stream', 'text/event-stream/x',
        'text/plain;x="text/event-stream"', 'text/html;text/event-stream',
        'text/html;x=",text/event-stream', 'text /event-stream';

is(type_for(), 'application/json', 'no header');
is(type_for('X-Accept: text/event-stream'), 'application/json', 'another');

my $p = poll({ headers => ['Accept: */*'] }, category => category(),
             timeout => 1);

is($p->answer->kind, 'timeout', 'it is answered as a poll');



=== TEST 4: timeout may be left out, and no other argument is read differently
--- scenario
my $cat = category();

for my $bad ('timeout=0', 'timeout=121', 'timeout=x', 'timeout=1.5',
             'timeout=-1', "category=$cat&timeout=0", 'category=',
             'category=%ff', 'category=' . 'x' x 1025,
             join('&', map { "category=$_" } 1 .. 65),
             "category=$cat&since_time=x", "category=$cat&since_time=1e3",
             "category=$cat&last_id=0f9b2c9e-0000-4000-8000-000000000001",
             "category=$cat&last_id=x", "category=$cat&since_time=1&last_id=x")
{
    my $timeout = $bad =~ /timeout/ ? '' : '&timeout=9';
    my $poll = get("/events?$bad$timeout");

    for my $more ($timeout, '') {
        my $r = get("/events?$bad$more", accept_stream());

        is($r->body, $poll->body, substr "the poll's error: $bad$more", 0, 60);
        is($r->header('Content-Type'), 'application/json', 'as JSON');
        is($r->status, 200, 'and its status');
    }
}

like(get('/events?timeout=9', accept_stream())->body, qr/^\{"error": "Inv/,
     'no category');
my $s = stream(category => $cat, timeout => '');

is($s->next->{kind}, 'place', 'an empty timeout is none');

$s = stream({ uri => "/events?category=$cat&timeout=%zz&" });
is($s->next->{kind}, 'place', 'and so is a broken one');



=== TEST 5: errors have the status of longpoll_error_status
--- config
        location = /events {
            longpoll_subscribe    events;
            longpoll_error_status 422;
        }
        location = /publish { longpoll_publish events; }
--- scenario
my $r = get('/events?category=', accept_stream());

is($r->status, 422, 'its arguments');

$r = get('/events?category=x', accept_stream('Last-Event-ID: x'));
is($r->status, 422, 'Last-Event-ID');
is($r->body, qq({"error": "Param 'last_id' was not a valid UUID."}), 'the text');



=== TEST 6: an event stands in its frame as in an events answer
--- scenario
my $cat = category();
my $s = stream(category => $cat);

$s->next;

for my $data (1, '"oink"', '{"a": [1, 2.50, "\u00e9"]}', 'true', '"\n\r\u2028"',
              "\"\xc3\xa4\xf0\x9f\x90\xb7\"", '""', '[]', '"id: 1\ndata: 2\n\n"')
{
    my $id = publish($cat, $data);
    my $body = ask(category => $cat, last_id => id_moved($id, -1))->body;
    my ($event) = $body =~ /^\{"events":\[(?:.*,)?(\{"timestamp":\d+,"category":.*?,"data":\Q$data\E,"id":"$id"\})\]\}$/;

    is($s->next->{text}, "id: $id\ndata: $event\n\n", $data);
}

my $odd = "$cat \"<&>\\ \xc3\xa9";
(my $json = $odd) =~ s/(["\\])/\\$1/g;

$s = stream(category => $odd);
$s->next;

my $id = publish($json, 1);

is($s->next->{line}, (ask(category => $odd, since_time => 0)->body
                      =~ /^\{"events":\[(.*)\]\}$/)[0], 'an odd category');



=== TEST 7: line ends between tokens of data are blanks
--- scenario
my $cat = category();
my $s = stream(category => $cat);

$s->next;
publish($cat, "{\"a\":\r1,\n\"b\":\r\n[\r\r2]\r}");
publish($cat, "\r\n3\r");

like($s->next->{line}, qr/"data":\{"a": 1, "b":  \[  2\] \},"id"/, 'an object');
like($s->next->{line}, qr/"data": *3 *,"id"/, 'around a value');



=== TEST 8: without a cursor a stream begins now
--- scenario
my $cat = category();
my $before = publish($cat, 1);
my $s = stream(category => $cat);
my $place = $s->next->{id};

cmp_ok($place, 'gt', $before, 'its place is behind what was there');

my $id = publish($cat, 2);

cmp_ok($id, 'gt', $place, 'and before what comes');
is_deeply([$s->told(1)], ["event $id 2"], 'which it is given');

is_deeply([stream({ last => $place }, category => $cat)->told(2)],
          ["place $place", "event $id 2"], 'again from its place');



=== TEST 9: since_time: events, and then the place
--- scenario
my $cat = category();
my @ids = map { tick(); publish($cat, $_) } 1 .. 3;
my $s = stream(category => $cat, since_time => 0);

is_deeply([$s->told(4)], ['place -', map { "event $ids[$_] " . ($_ + 1) }
                                     0 .. 2], 'the first place has no id');
my $place = $s->next;

is($place->{kind}, 'place', 'it has caught up');
cmp_ok($place->{id}, 'gt', $ids[2], 'behind the events');
is_closed($place->{id}, 'the place');
ok($s->silent, 'and no more');

$s = stream(category => $cat, since_time => id_ms($ids[0]));
is_deeply([$s->told(3)], ['place -', "event $ids[1] 2", "event $ids[2] 3"],
          'a time between');

$s = stream(category => $cat, since_time => id_ms($ids[2]));

my $first = $s->next;

cmp_ok($first->{id}, 'ge', $ids[2], 'nothing behind it: an id at once');
ok($s->silent, 'and that alone');

my $id = publish($cat, 4);

is_deeply([$s->ids(1)], [$id], 'the next one');

$s = stream(category => category('empty'), since_time => 0);
cmp_ok($s->next->{id}, 'gt', $ids[2], 'all of nothing');
ok($s->silent, 'that alone');

$s = stream(category => $cat, since_time => now_ms() + 1e6);
cmp_ok($s->next->{id}, 'gt', $id, 'a time to come is now');
ok($s->silent, 'nothing');



=== TEST 10: last_id: the first place is what the client sent
--- scenario
my $cat = category();
my @ids = map { tick(); publish($cat, $_) } 1 .. 3;

for my $time (0, 1) {
    my $of = sub { $time ? (since_time => id_ms($_[0])) : () };
    my $s = stream(category => $cat, last_id => $ids[0], $of->($ids[0]));

    is_deeply([$s->told(3)], ["place $ids[0]", "event $ids[1] 2",
                              "event $ids[2] 3"], 'with what is behind it');
    cmp_ok($s->caught_up, 'gt', $ids[2], 'then the place');

    $s = stream(category => $cat, last_id => $ids[2], $of->($ids[2]));

    is(described($s->next), "place $ids[2]", 'at the end');
    cmp_ok($s->caught_up, 'gt', $ids[2], 'the place');
}

my $s = stream(category => $cat, last_id => id_moved($ids[2], 1e6));

my $place = $s->next->{id};

cmp_ok($place, 'gt', $ids[2], 'an id to come is now');
cmp_ok($place, 'lt', id_moved($ids[2], 1e6), 'and not what was sent');
is_deeply([publish($cat, 4)], [$s->ids(1)], 'it goes on from there');

$s = stream(category => $cat, last_id => $ids[2], since_time => id_ms($ids[0]));
is_deeply([$s->told(4)], ['place -', map { "event $ids[$_] " . ($_ + 1) }
                                     0 .. 2],
          'an id behind the time: no event comes behind a later id');



=== TEST 11: Last-Event-ID takes the place of since_time and last_id
--- scenario
my $cat = category();
my @ids = map { publish($cat, $_) } 1 .. 3;
my @want = ("place $ids[1]", "event $ids[2] 3");

is_deeply([stream({ last => $ids[1] }, category => $cat, @$_)->told(2)], \@want,
          "beside @$_")
    for [], [since_time => 0], [last_id => $ids[0]], [last_id => 'x'],
        [since_time => 0, last_id => $ids[0]], [since_time => 1e15];

for my $form (uc $ids[1], "{$ids[1]}", "urn:uuid:$ids[1]", $ids[1] =~ s/-//gr) {
    is_deeply([stream({ last => $form }, category => $cat)->told(2)], \@want,
              $form);
}

is_deeply([stream({ last => '' }, category => $cat, since_time => 0)->told(2)],
          ['place -', "event $ids[0] 1"], 'an empty one is none');
is_deeply([stream({ last => '' }, category => $cat, last_id => $ids[1])
               ->told(2)], \@want, 'beside last_id, too');

my $s = stream({ last => '' }, category => $cat);

$s->next;
ok($s->silent, 'without a cursor it begins now');

is_deeply([ask({ headers => ["Last-Event-ID: $ids[1]"] }, category => $cat,
               since_time => 0)->ids], \@ids, 'a poll ignores it');
is(ask({ headers => ['Last-Event-ID: x'] }, category => $cat,
       since_time => 0)->kind, 'events', 'even if it is malformed');



=== TEST 12: Last-Event-ID that is no UUID is an error
--- scenario
my $cat = category();

for my $id ('x', '1', '12345:0', "0f9b2c9e-0000-4000-8000-00000000000",
            "0f9b2c9e-0000-4000-8000-0000000000011", '%30', '-', '{}')
{
    is(get("/events?category=$cat&since_time=0",
           accept_stream("Last-Event-ID: $id"))->body,
       qq({"error": "Param 'last_id' was not a valid UUID."}), $id);
}



=== TEST 13: Last-Event-ID of another server's kind: all there is, behind missed
--- scenario
my $cat = category();
my @ids = map { publish($cat, $_) } 1, 2;

for my $id ('0f9b2c9e-0000-4000-8000-000000000001',
            '0f9b2c9e-0000-1000-8000-000000000001',
            '00000000-0000-0000-0000-000000000000',
            'ffffffff-ffff-ffff-ffff-ffffffffffff')
{
    my $s = stream({ last => $id }, category => $cat);

    is_deeply([$s->told(4)], ['place -', 'missed', "event $ids[0] 1",
                              "event $ids[1] 2"], $id);
    cmp_ok($s->caught_up, 'gt', $ids[1], 'then the place');
}

my $s = stream({ last => '0f9b2c9e-0000-4000-8000-000000000001' },
               category => category('empty'));

is_deeply([$s->told(2)], ['place -', 'missed'], 'nothing is there');
cmp_ok($s->caught_up, 'gt', $ids[1], 'the place behind it');
ok($s->silent, 'no more');



=== TEST 14: Last-Event-ID of another epoch of the zone
--- http_config
    longpoll_zone zone=epochs:1m;
--- config
        location = /events  { longpoll_subscribe epochs; }
        location = /publish { longpoll_publish   epochs; }
--- scenario
my $cat = category();
my @ids = map { tick(); publish($cat, $_) } 1 .. 3;
my $other = id_of_another_epoch($ids[1]);

my $s = stream({ last => $other }, category => $cat);

is_deeply([$s->told(3)], ["place $other", 'missed', "event $ids[2] 3"],
          'missed, and what is later than its millisecond');
cmp_ok($s->caught_up, 'gt', $ids[2], 'the place');

$other = id_of_another_epoch(id_moved($ids[1], -1e9));
$s = stream({ last => $other }, category => $cat);
is_deeply([$s->told(2)], ["place $other", 'missed'], 'an earlier one');
is_deeply([$s->ids(3)], \@ids, 'with all there is');



=== TEST 15: a place is a cursor, for streams and for polls
--- scenario
my ($cat, $other) = (category(), category('other'));

publish($cat, 1);

my $place = stream(category => $cat, since_time => 0)->caught_up;

publish($other, 2);
my $id = publish($cat, 3);

is_deeply([ask(category => $cat, last_id => $place)->ids], [$id], 'a poll');
is_deeply([stream({ last => $place }, category => $cat)->told(2)],
          ["place $place", "event $id 3"], 'a stream');
is(ask(category => $cat, last_id => $place)->missed, 0, 'nothing is missed');



=== TEST 16: several categories, in the order of the zone, and each event once
--- scenario
my @cats = map { category($_) } qw( a b c );
my @ids = map { publish($cats[$_ % 2], $_) } 0 .. 9;

publish($cats[2], 'true');

my $s = stream(since_time => 0, map { (category => $_) } @cats[0, 1, 0]);

is(described($s->next), 'place -', 'the place');
is_deeply([$s->ids(10)], \@ids, 'what was there');
$s->caught_up;

@ids = map { publish($cats[$_ % 2], $_) } 0 .. 9;
is_deeply([$s->ids(10)], \@ids, 'what comes');

is_deeply([publish_together($cats[1], 1 .. 20)], [$s->ids(20)],
          'and what comes together');
ok($s->silent, 'nothing of others');



=== TEST 17: longpoll_category and if blocks say what a stream is for
--- config
        location = /publish { longpoll_publish events; }
        location = /events {
            longpoll_category  $arg_a $arg_b;
            longpoll_subscribe events;

            if ($arg_off) { longpoll_stream off; }
            if ($arg_beat) { longpoll_heartbeat 20ms; }
        }
--- scenario
my ($x, $y) = (category('x'), category('y'));
my $s = stream(a => $x, b => $y, category => category());
my $place = $s->next->{id};
my @ids = map { publish($_, 1) } $x, $y;

is_deeply([$s->ids(2)], \@ids, 'the configured categories');
is_deeply([stream({ last => $place }, a => $x)->told(2)],
          ["place $place", "event $ids[0] 1"], 'with a cursor');
is(get('/events?category=x', accept_stream())->body, '{"error": "Invalid '
   . 'subscription category, must be 1-1024 characters long."}', 'none');
is(get("/events?a=$x&since_time=0&off=1&timeout=9", accept_stream())->kind,
   'events', 'an if block: off');
like(get("/events?a=$x&off=1", accept_stream())->body, qr/'timeout' arg/,
     'a poll needs a timeout');

$s = stream(a => $x, beat => 1);
cmp_ok($s->next->{id}, 'lt', ($s->next, $s->next)[1]{id},
       'an if block: the heartbeat');



=== TEST 18: longpoll_stream off is a poll, on and TIME a stream
--- config
        location = /publish { longpoll_publish events; }
        location = /events  { longpoll_subscribe events; }
        location = /off {
            longpoll_subscribe events;
            longpoll_stream    off;
        }
        location = /short {
            longpoll_subscribe events;
            longpoll_stream    300ms;
        }
        location = /longer {
            longpoll_subscribe   events;
            longpoll_stream      2m;
            longpoll_max_timeout 1s;
        }
--- scenario
my $cat = category();
my $id = publish($cat, 1);
my $r = get("/off?category=$cat&since_time=0&timeout=1", accept_stream());

is($r->header('Content-Type'), 'application/json', 'off: JSON');
is_deeply([$r->ids], [$id], 'the events');
is($r->header('X-Accel-Buffering'), undef, "and a poll's headers");

my $began = time;
my $s = stream({ uri => '/short' }, category => $cat, timeout => 100);

ok($s->ends, 'a time: the stream ends');
cmp_ok(time - $began, '>=', 0.3, 'not before');

in_time(1, 'and then', sub {
    my $began = time;
    my $s = stream({ uri => '/short' }, category => $cat);

    ok($s->ends, 'behind a whole frame');
    return time - $began;
});

$began = time;
$s = stream({ uri => '/longer' }, category => $cat, timeout => 1);
ok($s->ends, 'timeout is less than the time');
cmp_ok(time - $began, '>=', 0.9, 'and counts');



=== TEST 19: a stream ends after its timeout, and its connection stays
--- http_config
    longpoll_zone zone=ends:1m;
--- config
        location = /events  { longpoll_subscribe ends; }
        location = /publish { longpoll_publish   ends; }
--- scenario
my $cat = category();
my $c = connection();
my $before = status();

in_time(2.5, 'in time', sub {
    my $began = time;
    my $s = stream({ conn => $c }, category => $cat, timeout => 2);

    is($s->head->header('Connection'), 'keep-alive', 'keep-alive');

    my $id = publish($cat, 1);

    is($s->next->{kind}, 'place', 'its place');
    is_deeply([$s->ids(1)], [$id], 'an event');
    ok($s->ends, 'the end');
    cmp_ok(time - $began, '>=', 1.9, 'not before');

    return time - $began;
});

is_deeply([ask({ conn => $c }, category => $cat, recent => 1)->data], [1],
          'a poll on the same connection');
is(status()->{timeouts} - $before->{timeouts}, 1, 'it is one time-out')
    if status()->{published} == 1;
is(status()->{disconnected}, 0, 'and nobody was disconnected');



=== TEST 20: heartbeats: places, after each time of silence
--- config
        location = /publish { longpoll_publish events; }
        location = /beats {
            longpoll_subscribe events;
            longpoll_heartbeat 40ms;
        }
        location = /slow {
            longpoll_subscribe events;
            longpoll_heartbeat 400ms;
        }
        location = /none {
            longpoll_subscribe events;
            longpoll_heartbeat 0;
        }
        location = /events { longpoll_subscribe events; }
--- scenario
my $cat = category();
my ($beats, $slow, $none, $usual) =
    map { stream({ uri => $_ }, category => $cat) }
        qw( /beats /slow /none /events );

$_->next for $slow, $none, $usual;

my @places = map { $beats->next->{id} } 1 .. 6;

is_deeply([sort @places], \@places, 'their ids go on');
cmp_ok(id_ms($places[5]) - id_ms($places[0]), '>=', 5 * 40 - 10,
       'not too often');
is_closed($_, 'its millisecond is closed') for @places;

my $id = publish($cat, 1);

is_deeply([$_->ids(1)], [$id], 'an event') for $none, $usual;

my $frame;

do { $frame = $slow->next } until $frame->{kind} eq 'event';
is($frame->{id}, $id, 'where places may be in front of it');

my $place = $slow->next->{id};

cmp_ok(id_ms($place) - id_ms($id), '>=', 390, 'silence begins with the event');
ok($_->silent, 'none has heard a beat') for $none, $usual;

is_deeply([stream({ last => $place }, category => $cat)->told(1)],
          ["place $place"], 'a beat is a cursor');



=== TEST 21: a backlog comes in answers of longpoll_max_response_size
--- http_config
    longpoll_zone zone=large:8m buffer=1000;
--- config
        location = /publish { longpoll_publish large; }
        location = /events {
            longpoll_subscribe         large;
            longpoll_max_response_size 10k;
        }
--- scenario
my $cat = category();
my @ids = map { publish($cat, text(1000)) } 1 .. 100;
my $large = publish($cat, text(100_000));

push @ids, $large, map { publish($cat, $_) } 1 .. 3;

my $s = stream(category => $cat, since_time => 0);

$s->next;
is_deeply([$s->ids(104)], \@ids, 'all of it, in order');
cmp_ok($s->caught_up, 'gt', $ids[-1], 'then the place, once');
ok($s->silent, 'and no more');



=== TEST 22: retry differs from stream to stream
--- scenario
my $cat = category();
my %retry = map { stream(category => $cat)->next->{retry} => 1 } 1 .. 20;

cmp_ok(scalar keys %retry, '>', 10, join ' ', sort keys %retry);



=== TEST 23: HEAD has the headers of a stream, checks its arguments, and ends
--- scenario
my $cat = category();
my $c = connection();
my $r = http('HEAD', "/events?category=$cat", accept_stream(), conn => $c);

is($r->status, 200, 'status');
is($r->header($_->[0]), $_->[1], $_->[0])
    for ['Content-Type', 'text/event-stream'], ['X-Accel-Buffering', 'no'],
        ['X-Content-Type-Options', 'nosniff'], ['Expires', '0'],
        ['Cache-Control', 'no-cache, no-store, must-revalidate'];

my $s = stream({ conn => $c }, category => $cat);

is($s->next->{kind}, 'place', 'the connection stays');
is(http('HEAD', '/events', accept_stream())->header('Content-Type'),
   'application/json', 'an error is JSON');
is(http('OPTIONS', '/events', accept_stream())->status, 204, 'OPTIONS');
is(http('DELETE', '/events', accept_stream())->body,
   '{"error": "Invalid HTTP Method. Only GET allowed."}', 'other methods');



=== TEST 24: a subrequest is a poll
--- config
        location = /events  { longpoll_subscribe events; }
        location = /publish { longpoll_publish   events; }
        location = /page {
            ssi       on;
            ssi_types *;
            alias     html/page.html;
        }
--- user_files
>>> page.html
<<!--# include virtual="/events?category=page&timeout=9&since_time=0" -->>
--- scenario
my $id = publish('page', 1);
my $r = get('/page', accept_stream());

like($r->body, qr/^<\{"events":\[\{"timestamp":\d+,"category":"page","data":1,"id":"$id"\}\]\}>$/,
     'the page has an events answer');



=== TEST 25: gpoll has no streams
--- config
        location = /publish { longpoll_publish events; }
        location = /events  { longpoll_subscribe events; }
        location = /gpoll {
            longpoll_category  $arg_c;
            longpoll_subscribe events protocol=gpoll;
            longpoll_stream    on;
        }
--- scenario
my $cat = category();

like(get("/gpoll?c=$cat&client-id=0", accept_stream())->body,
     qr/^\{"client-id":/, "gpoll's answer");



=== TEST 26: missed is told once, in front of what comes next
--- http_config
    longpoll_zone zone=small:1m buffer=3;
--- config
        location = /events  { longpoll_subscribe small; }
        location = /publish { longpoll_publish   small; }
--- scenario
my $cat = category();
my $before = status();
my @ids = map { publish($cat, $_) } 0 .. 5;
my @last = map { "event $ids[$_] $_" } 3 .. 5;

my $s = stream({ last => $ids[0] }, category => $cat);

is_deeply([$s->told(5)], ["place $ids[0]", 'missed', @last], 'Last-Event-ID');
my $place = $s->caught_up;

is(status()->{missed} - $before->{missed}, 1, 'it is counted once');

my $id = publish($cat, 6);

is_deeply([$s->told(1)], ["event $id 6"], 'what comes is not behind missed');

$s = stream({ last => $ids[0] }, category => $cat);
is_deeply([$s->told(2)], ["place $ids[0]", 'missed'], 'the same id again');

$s = stream({ last => $place }, category => $cat);
is_deeply([$s->told(2)], ["place $place", "event $id 6"],
          'the place behind it: nothing is missed');

is_deeply([stream({ last => $ids[2] }, category => $cat)->told(2)],
          ["place $ids[2]", 'missed'], 'only the event before the buffer');
is_deeply([stream({ last => $ids[3] }, category => $cat)->told(2)],
          ["place $ids[3]", "event $ids[4] 4"], 'the first of the buffer');

is_deeply([stream(category => $cat, since_time => id_ms($ids[0]) - 1)->told(2)],
          ['place -', 'missed'], 'since_time');



=== TEST 27: missed, and nothing behind it
--- http_config
    longpoll_zone zone=mortal:1m ttl=2s;
--- config
        location = /events  { longpoll_subscribe mortal; }
        location = /publish { longpoll_publish   mortal; }
--- scenario
my $cat = category();
my $waits = stream(category => $cat);

$waits->next;
my @ids = map { publish($cat, $_) } 1, 2;

is_deeply([$waits->ids(2)], \@ids, 'they live');

wait_status { $_->{events} == 0 } 'their end';

my $s = stream({ last => $ids[0] }, category => $cat);

is_deeply([$s->told(2)], ["place $ids[0]", 'missed'], 'at once');
cmp_ok($s->caught_up, 'gt', $ids[1], 'the place');
ok($s->silent, 'no more');

is(described(stream({ last => $ids[1] }, category => $cat)->next),
   "place $ids[1]", 'who had all');

my $id = publish($cat, 3);

is_deeply([$_->ids(1)], [$id], 'and no missed later') for $s, $waits;



=== TEST 28: what longpoll_delete took is not missed
--- config
        location = /events  { longpoll_subscribe events; }
        location = /publish { longpoll_publish   events; }
        location = /delete  { longpoll_delete    events; }
--- scenario
my $cat = category();
my @ids = map { publish($cat, $_) } 1, 2;
my $s = stream(category => $cat);

$s->next;
http('DELETE', "/delete?category=$cat");
my $id = publish($cat, 3);

is_deeply([$s->ids(1)], [$id], 'a stream that waits goes on');
is_deeply([stream({ last => $ids[0] }, category => $cat)->told(2)],
          ["place $ids[0]", "event $id 3"], 'and one that comes');



=== TEST 29: events that golongpoll wrote: an id of the module's kind
--- http_config
    longpoll_zone zone=taken:1m persist=$TEST_NGINX_DATA/golongpoll;
--- config
        location = /events  { longpoll_subscribe taken; }
        location = /publish { longpoll_publish   taken; }
--- scenario
my $s = stream(category => 'farm', since_time => 0);

$s->next;
my @frames = $s->events(3);

is_deeply([map { $_->event->{id} } @frames],
          [map { "0f9b2c9e-0000-4000-8000-000000000$_" } 100 .. 102],
          'in the data stands the id that golongpoll made');
is_deeply([map { $_->event->{data} } @frames], [100 .. 102], 'the events');

is_deeply([stream({ last => $frames[0]{id} }, category => 'farm')->told(3)],
          ["place $frames[0]{id}", map { "event $_->{id} " . $_->event->{data} }
                                   @frames[1, 2]],
          'the frame\'s id is their place');
is(ask(category => 'farm', last_id => $frames[1]{id})->body,
   ask(category => 'farm', since_time => 1616040198101,
       last_id => $frames[1]->event->{id})->body, 'for polls, too');



=== TEST 30: delete_on_read: an event goes to the streams that wait, or to the first that asks
--- http_config
    longpoll_zone zone=once:1m delete_on_read=on;
--- config
        location = /events  { longpoll_subscribe once; }
        location = /publish { longpoll_publish   once; }
--- scenario
my $cat = category();
my @s = map { stream(category => $cat) } 1, 2;
my $p = poll(category => $cat);

$_->next for @s;
wait_waiting(3);

for my $n (1 .. 3) {
    my $id = publish($cat, $n);

    is_deeply([$_->ids(1)], [$id], "event $n") for @s;
    is_deeply([$p->answer->ids], [$id], 'the poll') if $n == 1;
}

$_->close for @s;
wait_waiting(0);

my @ids = map { publish($cat, $_) } 4 .. 6;
my $s = stream(category => $cat, since_time => 0);

is_deeply([map { $_->{kind} } $s->next], ['place'], 'the place');
is_deeply([$s->ids(3)], \@ids, 'what nobody had');
$s->caught_up;
is(status()->{events}, 0, 'it is gone');

$s = stream(category => $cat, since_time => 0);
ok(defined $s->next->{id}, 'for the next one, too');
ok($s->silent, 'and nothing is missed');



=== TEST 31: durable: an event is given when it is on disk
--- http_config
    longpoll_zone zone=safe:1m persist=$TEST_NGINX_DATA/safe durable=on;
--- config
        location = /events {
            longpoll_subscribe safe;
            longpoll_heartbeat 20ms;
        }
        location = /publish { longpoll_publish safe; }
--- scenario
my $cat = category();
my $s = stream(category => $cat);

$s->next;

for my $n (1 .. 10) {
    my $id = publish($cat, $n);
    my $frame;

    do { $frame = $s->next } while $frame->{kind} eq 'place';
    is($frame->{id}, $id, "event $n");
}

my $place = $s->caught_up;

is(ask(category => $cat, last_id => $place, timeout => 1)->kind, 'timeout',
   'a place is behind all of them');



=== TEST 32: the access log, and the variables
--- http_config
    longpoll_zone zone=events:1m;
    log_format longpoll '$request_uri $status <$longpoll_result> '
                        '<$longpoll_category> <$longpoll_events> '
                        '<$longpoll_event_id>';
    access_log logs/longpoll.log longpoll;
--- config
        location = /events  { longpoll_subscribe events; }
        location = /publish { longpoll_publish   events; }
        location = /short {
            longpoll_subscribe events;
            longpoll_stream    1ms;
        }
--- scenario
my ($cat, $other) = (category(), category('other'));
my @ids = map { publish($cat, $_) } 1 .. 3;

ok(stream(category => $cat, since_time => 0, timeout => 1)->ends, 'it ends');
is(wait_log('longpoll.log', qr/timeout=1/),
   "/events?category=$cat&since_time=0&timeout=1 200 <timeout> <$cat> <3> "
   . "<$ids[2]>", 'its time was over');

ok(stream({ uri => '/short' }, category => $cat, n => 'none')->ends, 'it ends');
is(wait_log('longpoll.log', qr/none/),
   "/short?category=$cat&n=none 200 <timeout> <$cat> <0> <->", 'without events');

my $s = stream(map({ (category => $_) } $cat, $other), n => 'left');

$s->next;
publish($cat, 4);
my $id = publish($other, 5);

$s->ids(2);
$s->close;
is(wait_log('longpoll.log', qr/left/),
   "/events?category=$cat&category=$other&n=left 200 <gone> <$cat,$other> <2> "
   . "<$id>", 'its client left');

http('HEAD', "/events?category=$cat&n=head", accept_stream());
is(wait_log('longpoll.log', qr/head/),
   "/events?category=$cat&n=head 200 <-> <$cat> <-> <->", 'HEAD');

get('/events?n=error', accept_stream());
is(wait_log('longpoll.log', qr/error/), '/events?n=error 200 <error> <-> <0> <->',
   'an error');



=== TEST 33: figures: a stream is one poll that waits
--- http_config
    longpoll_zone zone=counted:1m buffer=5;
--- config
        location = /events  { longpoll_subscribe counted; }
        location = /publish { longpoll_publish   counted; }
        location = /short {
            longpoll_subscribe counted;
            longpoll_stream    1ms;
        }
--- scenario
my $cat = category();
my @names = qw( waiting delivered timeouts missed disconnected );
my $was = status();
my $since = sub { my $is = status(); join ' ', map { $is->{$_} - $was->{$_} }
                                               @names };
my @s = map { stream(category => $cat) } 1 .. 3;

$_->next for @s;
wait_waiting(3);
is($since->(), '3 0 0 0 0', 'three wait');
is(status(undef, category => $cat)->{waiting}, 3, 'for their category');

my @ids = map { publish($cat, $_) } 1 .. 10;

$_->ids(10) for @s;
is($since->(), '3 30 0 0 0', 'each event once for each stream');

stream({ last => $ids[0], uri => '/short' }, category => $cat)->ends;
wait_waiting(3);
is($since->(), '3 35 1 1 0', 'one that missed some, and ended');

$s[0]->close;
$s[1]->reset;
wait_waiting(1);
is($since->(), '1 35 1 1 2', 'two left');

http('HEAD', "/events?category=$cat", accept_stream());
get('/events', accept_stream());
is($since->(), '1 35 1 1 2', 'HEAD and errors do not count');



=== TEST 34: a stream that nginx held back gets what was published meanwhile
--- config
        location = /publish { longpoll_publish events; }
        location = /events {
            auth_request       /application;
            longpoll_subscribe events;
        }
        location = /application {
            proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1;
        }
--- scenario
my $backend = backend(1);
my $cat = category();

publish($cat, 1);

my $s = stream(category => $cat);
my $question = $backend->request;

tick();
my $id = publish($cat, 2);
$question->answer(204);

my $first = $s->next;

is($first->{kind}, 'place', 'a place');
is_deeply([$s->ids(1)], [$id], 'from its own start on');
cmp_ok($first->{id} // '', 'lt', $id, 'the place was before the event');

my $began = time;

$s = stream(category => $cat, timeout => 1);
$question = $backend->request;
wait_until { time > $began + 1.1 } 'its time is over';
$question->answer(204);
ok($s->ends, 'one whose time is over ends');

$s = stream(category => $cat);
$backend->request->answer(403);
is($s->head->status, 403, 'one that may not');



=== TEST 35: a body is thrown away
--- scenario
my $cat = category();
my $s = stream({ body => "GET /publish HTTP/1.1\r\n\r\n" x 10 },
               category => $cat);

$s->next;
my $id = publish($cat, 1);

is_deeply([$s->ids(1)], [$id], 'an event');



=== TEST 36: limit_conn counts streams, and refuses one as it does a poll
--- http_config
    longpoll_zone zone=events:1m;
    limit_conn_zone $server_name zone=conns:1m;
--- config
        location = /events {
            longpoll_subscribe events;
            limit_conn         conns 2;
        }
        location = /publish { longpoll_publish events; }
--- scenario
my $cat = category();
my @s = map { stream(category => $cat) } 1, 2;

$_->next for @s;

my $r = get("/events?category=$cat", accept_stream());

is($r->status, 503, 'the third is refused');
like($r->header('Content-Type'), qr{^text/html}, "by nginx's own page");
is(status()->{waiting}, 2, 'and does not wait');

my $id = publish($cat, 1);

is_deeply([$_->ids(1)], [$id], 'the others go on') for @s;

(shift @s)->close;
wait_until {
    get("/events?category=$cat&timeout=1", accept_stream())->status == 200;
} 'another stream is admitted';



=== TEST 37: delete_on_read: a stream of several categories gets all of a batch, in several answers
--- http_config
    longpoll_zone zone=once:1m delete_on_read=on;
--- config
        location = /events  {
            longpoll_subscribe         once;
            longpoll_max_response_size 1k;
        }
        location = /publish { longpoll_publish once; }
--- scenario
my @cats = (category(), category());
my $both = stream(map { (category => $_) } @cats);
my $one = stream(category => $cats[1]);
my @batch = map { my $n = $_; event($cats[1], qq("$n ) . 'x' x 700 . '"') }
            1 .. 8;

$_->next for $both, $one;
wait_waiting(2);
is(post('/publish', '[' . join(',', @batch) . ']')->status, 200, 'published');
is_deeply([map { s/ .*//r } $one->data(8)], [1 .. 8], 'the other stream has it');
is_deeply([map { s/ .*//r } $both->data(8)], [1 .. 8], 'and so has this one');



=== TEST 38: a stream ends after its timeout, though events come all the time
--- scenario
my $cat = category();
my $c = connection();
my $s = stream(category => $cat, timeout => 1);
my $began = time;

until ($s->{done}) {
    die "it goes on after five times the time\n" if time - $began > 5;

    publish($cat, 1, conn => $c);
    $s->more($began + 10) or die "the connection has ended\n";
}

ok($s->ends, 'behind a whole frame');
cmp_ok(time - $began, '>', 0.9, 'not before');
