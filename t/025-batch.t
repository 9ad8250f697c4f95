# Publishing several events at once, and publishing the same thing twice: JSON
# arrays and Idempotency-Key.

use lib 't/lib';
use Test::Nginx::Socket 'no_plan';
use Longpoll;

no_long_string();
run_tests();

__DATA__

=== TEST 1: an array publishes all of its events, in its order
--- scenario
my ($a, $b) = (category('a'), category('b'));
my $r = post('/publish', '[' . join(",\n", event($a, 1), event($b, '{"x": [2]}'),
                                    event($a, '"three"')) . ']');
my @events = ask(category => $a, category => $b, since_time => 0)->events;

is($r->status, 200, 'status');
is($r->body, '{"success": true}', 'body');
is_deeply([map { "$_->{category} $_->{data}" } @events[0, 2]],
          ["$a 1", "$a three"], 'the first and the third');
is_deeply($events[1]{data}, { x => [2] }, 'the second');
is($r->header('Longpoll-Event-Id'), $events[2]{id}, 'the id is the last one\'s');
is_deeply([sort map { $_->{id} } @events], [map { $_->{id} } @events],
          'ids ascend');



=== TEST 2: a parked poll gets all events of an array at once
--- scenario
my $cat = category();
my @polls = map { poll(category => $cat) } 1 .. 3;

wait_waiting(3);
post('/publish', '[' . join(',', map { event($cat, $_) } 1 .. 50) . ']');

is_deeply([$_->answer->data], [1 .. 50], 'all of them, in order') for @polls;



=== TEST 3: a poll for several categories gets a whole array in one answer
--- scenario
my @cats = map { category($_) } qw( a b c );
my $p = poll(map { (category => $_) } @cats);

wait_waiting(1);
post('/publish', '[' . join(',', map { event($_, "\"$_\"") } @cats) . ']');

is_deeply([$p->answer->data], \@cats, 'one event of each');

post('/publish', '[' . join(',', map { event($_, "\"$_\"") } @cats[0, 1, 1, 2, 0])
                 . ']');
is_deeply([ask(category => $_, since_time => 0)->data], [($_) x 3], $_)
    for @cats[0, 1];
is_deeply([ask(category => $cats[2], since_time => 0)->data],
          [($cats[2]) x 2], $cats[2]);



=== TEST 4: an array of 1,000 events is accepted, one of 1,001 is refused
--- scenario
my $cat = category();
my $events = join ',', map { event($cat, $_) } 1 .. 1000;
my $r = post('/publish', "[$events]");

is($r->status, 200, '1,000');
is_deeply([ask(category => $cat, since_time => 0)->data], [751 .. 1000],
          'of which buffer are kept');

$r = post('/publish', "[$events," . event($cat, 1001) . ']');
is($r->status, 400, '1,001');
is($r->body, '{"error": "Invalid POST body json."}', 'the words');
is((ask(category => $cat, since_time => 0)->data)[-1], 1000,
   'nothing of it is stored');



=== TEST 5: 1,000 events may be in 1,000 categories
--- http_config
    longpoll_zone zone=events:8m;
--- scenario
my $cat = category();

post('/publish', '[' . join(',', map { event("$cat-$_", $_) } 1 .. 1000) . ']');

is_deeply([ask(category => "$cat-$_", since_time => 0)->data], [$_], "the $_.")
    for 1, 2, 500, 999, 1000;



=== TEST 6: an array is stored as a whole or not at all
--- scenario
my $cat = category();
my $good = event($cat, 1);
my $no_category =
    "Invalid or missing 'category' arg, must be 1-1024 characters long.";
my $no_data = "Invalid or missing 'data' arg, must be non-nil.";
my $bad = 'Invalid POST body json.';

for (
    ["[$good,{\"category\":\"$cat\"}]",             $no_data],
    ["[$good,{\"category\":\"$cat\",\"data\":null}]", $no_data],
    ["[$good,{\"data\":1}]",                        $no_category],
    ["[$good,{\"category\":\"\",\"data\":1}]",      $no_category],
    ["[{\"data\":1},{\"category\":\"a\"},$good]",   $no_category],
    ["[$good,{\"category\":1,\"data\":1}]",         $bad],
    ["[$good,1]",                                   $bad],
    ["[1,$good]",                                   $bad],
    ["[$good,[$good]]",                             $bad],
    ["[[$good]]",                                   $bad],
    ["[$good,null]",                                $bad],
    ["[$good,]",                                    $bad],
    ["[$good",                                      $bad],
    ["[$good] $good",                               $bad],
    ["[{},$good",                                   $bad],
    ['[]',                                          $bad],
    [' [ ] ',                                       $bad],
) {
    my ($body, $error) = @$_;
    my $r = post('/publish', $body);

    is($r->status, 400, "$body: status");
    is($r->body, qq({"error": "$error"}), "$body: words");
}

is(ask(category => $cat, since_time => 0, timeout => 1)->kind, 'timeout',
   'nothing was stored');



=== TEST 7: an array larger than a quarter of the zone is refused as a whole
--- scenario
my $cat = category();
my $event = event($cat, '"' . 'x' x 30000 . '"');
my $r = post('/publish', '[' . join(',', ($event) x 9) . ']');

is($r->status, 413, 'status');
is($r->body, '{"error": "Event too large, must need at most a quarter of the '
             . 'zone."}', 'words');
is(ask(category => $cat, since_time => 0, timeout => 1)->kind, 'timeout',
   'nothing was stored');
is(post('/publish', '[' . join(',', ($event) x 8) . ']')->status, 200,
   'one that fits');



=== TEST 8: "published" counts events, "refused" counts publishes
--- http_config
    longpoll_zone zone=figures:1m;
--- config
        location = /publish { longpoll_publish figures; }
--- scenario
my $cat = category();
my $before = status('figures');

post('/publish', '[' . join(',', map { event($cat, $_) } 1 .. 7) . ']');
post('/publish', '[' . join(',', event($cat, 1), '{}') . ']');

my $after = status('figures');

is($after->{published} - $before->{published}, 7, 'published');
is($after->{refused} - $before->{refused}, 1, 'refused');



=== TEST 9: a second publish with the same Idempotency-Key stores nothing
--- scenario
my $cat = category();
my @headers = (headers => ['Idempotency-Key: first']);
my $id = publish($cat, 1, @headers);

is(publish($cat, 1, @headers), $id, 'the same id');
is(publish($cat, '"else"', @headers), $id, 'whatever the data');
is(publish($cat, 1, headers => ['idempotency-key: first']), $id,
   'in any case of the header');
isnt(publish($cat, 2, headers => ['Idempotency-Key: First']), $id,
     'a key has its case');
isnt(publish($cat, 3), $id, 'no key');
is_deeply([ask(category => $cat, since_time => 0)->data], [1, 2, 3],
          'what is stored');



=== TEST 10: the same key in another category is another key
--- scenario
my ($a, $b) = (category('a'), category('b'));
my @headers = (headers => ['Idempotency-Key: k']);
my $id = publish($a, 1, @headers);

isnt(publish($b, 2, @headers), $id, 'another id');
is_deeply([ask(category => $b, since_time => 0)->data], [2], 'is stored');



=== TEST 11: a key is known as long as its event is in the buffer
--- http_config
    longpoll_zone zone=events:1m buffer=3;
--- scenario
my $cat = category();
my @headers = (headers => ['Idempotency-Key: k']);
my $id = publish($cat, 0, @headers);

publish($cat, $_) for 1, 2;
is(publish($cat, 'true', @headers), $id, 'two behind it');

publish($cat, 3);
my $second = publish($cat, 4, @headers);

isnt($second, $id, 'three behind it');
is_deeply([ask(category => $cat, since_time => 0)->data], [2, 3, 4],
          'is stored anew');
is(publish($cat, 5, @headers), $second, 'and counts again');



=== TEST 12: a key is known as long as the ttl of its event
--- http_config
    longpoll_zone zone=events:1m ttl=1s;
--- scenario
my $cat = category();
my @headers = (headers => ['Idempotency-Key: k']);
my $id = publish($cat, 0, @headers);
my $next = $id;

wait_until { ($next = publish($cat, 1, @headers)) ne $id } 'another id';
cmp_ok(id_ms($next) - id_ms($id), '>=', 1000, 'after a second');



=== TEST 13: a key is for a whole array; a repeat is answered with the last id
--- scenario
my ($a, $b) = (category('a'), category('b'));
my @headers = (headers => ['Idempotency-Key: k']);
my $body = '[' . join(',', event($a, 1), event($b, 2), event($a, 3)) . ']';
my $id = post('/publish', $body, @headers)->header('Longpoll-Event-Id');

is(post('/publish', $body, @headers)->header('Longpoll-Event-Id'), $id,
   'again');
is(publish($a, 4, @headers), $id, 'looked up in the first category');
isnt(publish($b, 5, @headers), $id, 'and in no other');
is_deeply([ask(category => $a, category => $b, since_time => 0)->data],
          [1, 2, 3, 5], 'what is stored');



=== TEST 14: the key of a deleted event is not known
--- config
        location = /events  { longpoll_subscribe events; longpoll_delete events; }
        location = /publish { longpoll_publish events; }
--- scenario
my $cat = category();
my @headers = (headers => ['Idempotency-Key: k']);
my $id = publish($cat, 1, @headers);

http('DELETE', "/events?category=$cat");
isnt(publish($cat, 2, @headers), $id, 'another id');
is_deeply([ask(category => $cat, since_time => 0)->data], [2], 'is stored');



=== TEST 15: a key of 1 to 64 bytes is accepted
--- scenario
my $cat = category();
my $words = '{"error": "Invalid Idempotency-Key, must be 1-64 bytes long."}';

for my $key ('', 'x' x 65, 'x' x 1000) {
    my $r = post('/publish', event($cat, 1),
                 headers => ["Idempotency-Key: $key"]);

    is($r->status, 400, length($key) . ' bytes: status');
    is($r->body, $words, length($key) . ' bytes: words');
}

for my $key ('x', 'x' x 64, "\xff\x01\"") {
    my $id = publish($cat, 1, headers => ["Idempotency-Key: $key"]);

    is(publish($cat, 1, headers => ["Idempotency-Key: $key"]), $id,
       length($key) . ' bytes');
}



=== TEST 16: a publish that stores nothing wakes no poll and is not counted
--- http_config
    longpoll_zone zone=figures:1m;
--- config
        location = /events  { longpoll_subscribe figures; }
        location = /publish { longpoll_publish figures; }
--- scenario
my $cat = category();
my @headers = (headers => ['Idempotency-Key: k']);

publish($cat, 1, @headers);

my $before = status('figures');
my $p = poll(category => $cat);

wait_waiting(1);
publish($cat, 1, @headers);
ok($p->parked, 'still parked');

publish($cat, 2);
is_deeply([$p->answer->data], [2], 'until something new comes');
is(status('figures')->{published} - $before->{published}, 1, 'published');



=== TEST 17: a key is found among many events
--- http_config
    longpoll_zone zone=events:32m buffer=30000;
--- scenario
my $cat = category();
my $batch = '[' . join(',', map { event($cat, $_) } 1 .. 1000) . ']';
my @ids;

for my $n (1 .. 20) {
    push @ids, publish($cat, $n, headers => ["Idempotency-Key: $n"]);
    post('/publish', $batch);
}

is(publish($cat, 0, headers => ["Idempotency-Key: $_"]), $ids[$_ - 1], "key $_")
    for 1, 2, 10, 19, 20;
