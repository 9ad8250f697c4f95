# Which events a zone keeps and for how long: buffer, ttl, inactive,
# delete_on_read, eviction, and when "missed" reports a loss.

use lib 't/lib';
use Test::Nginx::Socket 'no_plan';
use Longpoll;

no_long_string();
log_level('notice');
run_tests();

__DATA__

=== TEST 1: a category keeps its newest 250 events by default
--- http_config
    longpoll_zone zone=usual:2m;
--- config
    location = /events  { longpoll_subscribe usual; }
    location = /publish { longpoll_publish   usual; }
--- scenario
my $cat = category();
my $c = connection();
my @ids = map { publish($cat, $_, conn => $c) } 1 .. 260;
my $r = ask(category => $cat, since_time => 0);

is_deeply([$r->data], [11 .. 260], 'the newest 250');
is($r->missed, 1, 'the older ones were missed');
is(status()->{events}, 250, 'events');



=== TEST 2: buffer=3 keeps three events in each category
--- http_config
    longpoll_zone zone=three:1m buffer=3;
--- config
    location = /events  { longpoll_subscribe three; }
    location = /publish { longpoll_publish   three; }
--- scenario
my ($a, $b) = (category('a'), category('b'));
my $before = status()->{events};

publish($a, $_) for 1 .. 7;
publish($b, $_) for 1 .. 2;

is_deeply([ask(category => $a, since_time => 0)->data], [5 .. 7], 'a');
is_deeply([ask(category => $b, since_time => 0)->data], [1 .. 2], 'b');
is(status()->{events} - $before, 5, 'events');
is(status()->{evicted}, 0, 'none of them was evicted for room');



=== TEST 3: "missed" is exact when a buffer has dropped events
--- http_config
    longpoll_zone zone=exact:1m buffer=3;
--- config
    location = /events  { longpoll_subscribe exact; }
    location = /publish { longpoll_publish   exact; }
--- scenario
my $cat = category();
my @ids;

for my $n (1 .. 5) {
    push @ids, publish($cat, $n);
    tick();
}

# The buffer has dropped 1 and 2.

for my $n (1 .. 4) {
    my @data = (($n < 2 ? 3 : $n + 1) .. 5);
    my $missed = $n < 2 ? 1 : 0;
    my $ms = id_ms($ids[$n - 1]);

    for my $args ([last_id => $ids[$n - 1]], [since_time => $ms],
                  [since_time => $ms, last_id => $ids[$n - 1]])
    {
        my $r = ask(category => $cat, @$args);

        is_deeply([$r->data], \@data, "behind event $n: $args->[0]");
        is($r->missed, $missed, "missed: $missed");
    }
}

my $r = ask(category => $cat, since_time => 0);
is_deeply([$r->data], [3 .. 5], 'from the beginning');
is($r->missed, 1, 'the first two are missed');

like($r->body, qr/\}\],"missed":true\}$/, 'the key stands behind the events');



=== TEST 4: no poll is told "missed" where no event was dropped
--- http_config
    longpoll_zone zone=whole:1m buffer=3;
--- config
    location = /events  { longpoll_subscribe whole; }
    location = /publish { longpoll_publish   whole; }
--- scenario
my ($cat, $full) = (category(), category('full'));
my @ids;

for my $n (1 .. 3) {
    push @ids, publish($cat, $n);
    publish($full, $_) for 1 .. 5;
}

for my $args ([since_time => 0], [since_time => 1], [last_id => $ids[0]],
              [since_time => id_ms($ids[0]) - 1], [since_time => 999_999_999_999])
{
    is(ask(category => $cat, @$args)->missed, 0, "@$args");
}

my $r = ask(category => category(), timeout => 1, since_time => 0);
is($r->missed, 0,
   'nor in a category without events, whatever other categories lost');
unlike($r->body, qr/missed/, 'the answer has no key "missed"');

is(ask(category => $cat, category => $full, since_time => 0)->missed, 1,
   'a poll for both categories missed what one of them lost');
is(ask(category => $cat, category => $full, last_id => $ids[2])->missed, 1,
   'from a cursor, too');
is(ask(category => $cat, category => $full, since_time => 0,
       timeout => 1)->kind, 'events', 'and is answered at once');



=== TEST 5: a parked poll is told that events were dropped before it read them
--- http_config
    longpoll_zone zone=burst:1m buffer=3;
--- config
    location = /events  { longpoll_subscribe burst; }
    location = /publish { longpoll_publish   burst; }
--- scenario
my $cat = category();
my @ids = (publish($cat, 0));
my $p = poll(category => $cat, last_id => $ids[0]);

wait_waiting(1);
push @ids, publish_together($cat, 1 .. 10);

my $r = $p->answer;
my @got = $r->data;

is_deeply(\@got, [$got[0] .. $got[-1]], 'the poll gets its events in order');
is($r->missed, $got[0] > 1 ? 1 : 0, "missed, as it begins with $got[0]");



=== TEST 6: a since_time before this epoch, if it is a real date, is "missed"
--- scenario
my $cat = category();
publish($cat, 1);

my %missed = (1_000_000_000_000 => 1, 1_616_040_198_889 => 1,
              999_999_999_999 => 0, 0 => 0);

for my $since (sort { $a <=> $b } keys %missed) {
    my $r = ask(category => $cat, since_time => $since);

    is_deeply([$r->data], [1], "since_time=$since: the event");
    is($r->missed, $missed{$since}, "missed: $missed{$since}");
}

my $r = ask(category => category(), since_time => 1_616_040_198_889,
            timeout => 1);
like($r->body, qr/^\{"timeout":"no events before timeout","timestamp":\d+,"missed":true\}$/,
     'so a time-out says');



=== TEST 7: an id of another epoch is "missed"
--- scenario
my $cat = category();
my $id = publish($cat, 1);
my $foreign = id_of_another_epoch(id_moved($id, -1));
my $r = ask(category => $cat, last_id => $foreign);

is_deeply([$r->data], [1], 'its millisecond counts as since_time');
is($r->missed, 1, 'missed');

$r = ask(category => $cat, last_id => id_of_another_epoch($id), timeout => 1);
is($r->kind, 'timeout', 'of the same millisecond nothing is later');
is($r->missed, 1, 'missed');



=== TEST 8: missed answers are counted
--- http_config
    longpoll_zone zone=counted:1m buffer=1;
--- config
    location = /events  { longpoll_subscribe counted; }
    location = /publish { longpoll_publish   counted; }
--- scenario
my $cat = category();
my $before = status()->{missed};

publish($cat, $_) for 1, 2;
ask(category => $cat, since_time => 0) for 1 .. 3;
ask(category => category(), since_time => 1_616_040_198_889, timeout => 1);
is(status()->{missed} - $before, 4, 'three with events, one time-out');



=== TEST 9: an event stays exactly as long as its ttl
--- http_config
    longpoll_zone zone=short:1m ttl=1s;
--- config
    location = /events  { longpoll_subscribe short; }
    location = /publish { longpoll_publish   short; }
--- scenario
my $before = status();
my ($cat, $id);
my $all = 0;

# The test polls without a pause: the event is sent until its ttl is over, and
# not after it.

in_time(300, 'a poll gets the event until its ttl ends', sub {
    $cat = category();
    $id = publish($cat, 1);
    $all++;

    my $over = id_ms($id) + 1000;
    my ($seen, $unseen);

    wait_until {
        my $asked = now_ms();
        my $r = ask({ uri => '/events' }, category => $cat, since_time => 0,
                    timeout => 1);

        if ($r->kind eq 'events') {
            $seen = now_ms();
            die "sent after its ttl\n" if $asked > $over;

        } else {
            $unseen = 1;
            die "removed before its ttl\n" if now_ms() < $over;
            is($r->missed, 1, 'polls miss the event');
        }

        $unseen;
    } 'the end of the event';

    return $over - ($seen || 0);
});

wait_status { $_->{events} == $before->{events}
              && $_->{expired} - $before->{expired} == $all }
    'the figures follow';

is(ask(category => $cat, last_id => $id, timeout => 1)->missed, 0,
   'a client that has seen it has missed nothing');



=== TEST 10: counters and memory shrink after the ttl without any request
--- http_config
    longpoll_zone zone=alone:1m ttl=1s;
--- config
    location = /events  { longpoll_subscribe alone; }
    location = /publish { longpoll_publish   alone; }
--- scenario
my $c = connection();

in_time(3100, 'within two seconds of their ttl', sub {
    my $before = status();

    publish(category("alone$_"), '"' . 'x' x 1000 . '"', conn => $c)
        for 1 .. 100;

    my $last = now_ms();
    my $full = status();

    wait_status { $_->{expired} - $before->{expired} == 100 } 'all expired';

    my $took = now_ms() - $last;
    my $after = status();

    is($after->{events}, 0, 'no events');
    is($after->{categories}, 0, 'no categories');
    cmp_ok($after->{used}, '<', $full->{used}, 'the zone uses less memory')
        if $full->{events} == 100;

    return $full->{events} == 100 ? $took : 3100;
});



=== TEST 11: expired events of a category go, younger ones stay
--- http_config
    longpoll_zone zone=younger:1m ttl=1s;
--- config
    location = /events  { longpoll_subscribe younger; }
    location = /publish { longpoll_publish   younger; }
--- scenario
my ($cat, $old, $r);

timely(1000, sub {
    $cat = category();
    $old = publish($cat, '"old"');

    wait_until { now_ms() > id_ms($old) + 700 } 'some time';
    my $young = publish($cat, '"young"');
    wait_until { now_ms() > id_ms($old) + 1005 } 'the end of the old one';

    $r = ask(category => $cat, since_time => 0, timeout => 1);
    return now_ms() - id_ms($young);
});

is_deeply([$r->data], ['young'], 'the young one');
is($r->missed, 1, 'the old one is missed');
is(ask(category => $cat, last_id => $old)->missed, 0,
   'but not by a client that has seen it');



=== TEST 12: an event younger than its ttl wakes a parked poll
--- http_config
    longpoll_zone zone=woken:1m ttl=1s;
--- config
    location = /events  { longpoll_subscribe woken; }
    location = /publish { longpoll_publish   woken; }
--- scenario
my $cat = category();
my $p = poll(category => $cat, since_time => 0);

wait_waiting(1);
my $id = publish($cat, 1);
my $r = $p->answer;

is_deeply([$r->ids], [$id], 'the event');
is($r->missed, 0, 'nothing is missed');



=== TEST 13: a category that is unused for "inactive" is removed
--- http_config
    longpoll_zone zone=idle:1m inactive=1s;
--- config
    location = /events  { longpoll_subscribe idle; }
    location = /publish { longpoll_publish   idle; }
--- scenario
my ($idle, $asked, $waited) = map { category($_) } qw( idle asked waited );
my %id = map { $_ => publish($_, 1) } $idle, $asked, $waited;
my $p = poll(category => $waited, last_id => $id{$waited});

wait_waiting(1);

# No poll asks for the first category.  The counters show its removal.

wait_status {
    ask(category => $asked, since_time => 0);
    $_->{expired} == 1;
} 'one event has expired';

is(status()->{categories}, 2, 'two categories are left');
is_deeply([ask(category => $asked, since_time => 0)->ids], [$id{$asked}],
          'the category that was polled');
is_deeply([ask(category => $waited, since_time => 0)->ids], [$id{$waited}],
          'the category that a poll waits for');

my $r = ask(category => $idle, since_time => 1, timeout => 1);
is($r->kind, 'timeout', 'the unused category has no events');
is($r->missed, 1, 'and a poll misses its event');



=== TEST 14: an event older than "inactive" is not sent, even before its removal
--- http_config
    longpoll_zone zone=quick:1m inactive=1s;
--- config
    location = /events  { longpoll_subscribe quick; }
    location = /publish { longpoll_publish   quick; }
--- scenario
my @cats = map { category("q$_") } 1 .. 10;
my @ids = map { publish($_, 1) } @cats;

wait_until { now_ms() > id_ms($ids[-1]) + 1005 } 'the end of them';

is(ask(category => $_, since_time => 0, timeout => 1)->kind, 'timeout', $_)
    for @cats;



=== TEST 15: publishing keeps a category alive
--- http_config
    longpoll_zone zone=busy:1m inactive=1s;
--- config
    location = /events  { longpoll_subscribe busy; }
    location = /publish { longpoll_publish   busy; }
--- scenario
my $r;

timely(1000, sub {
    my $cat = category();
    my @at = id_ms(publish($cat, 0));

    for my $n (1 .. 4) {
        wait_until { now_ms() > $at[-1] + 500 } 'half the time';
        push @at, id_ms(publish($cat, $n));
    }

    $r = ask(category => $cat, since_time => 0, timeout => 1);
    push @at, now_ms();

    return max(map { $at[$_] - $at[$_ - 1] } 1 .. $#at);
});

is_deeply([$r->data], [0 .. 4], 'all events, over two seconds');
is($r->missed, 0, 'nothing missed');



=== TEST 16: delete_on_read sends an event to the first poll that asks
--- http_config
    longpoll_zone zone=first:1m delete_on_read=on;
--- config
    location = /events  { longpoll_subscribe first; }
    location = /publish { longpoll_publish   first; }
--- scenario
my $cat = category();
my @ids = map { publish($cat, $_) } 1 .. 3;

is_deeply([ask(category => $cat, since_time => 0)->ids], \@ids,
          'the first poll gets all events');

my $r = ask(category => $cat, since_time => 0, timeout => 1);
is($r->kind, 'timeout', 'the second poll gets none');
is($r->missed, 0, 'and the second poll missed nothing');
wait_status { $_->{events} == 0 } 'the zone is empty';
is(status()->{expired} + status()->{evicted}, 0,
   'no event expired or was evicted');



=== TEST 17: delete_on_read sends an event to all polls that wait for it
--- http_config
    longpoll_zone zone=each:1m delete_on_read=on;
--- config
    location = /events  { longpoll_subscribe each; }
    location = /publish { longpoll_publish   each; }
--- scenario
my $cat = category();
my @p = map { poll(category => $cat) } 1 .. 10;

wait_waiting(10);
my $id = publish($cat, 1);

is_deeply([$_->answer->ids], [$id], 'a poll that waited') for @p;
wait_status { $_->{events} == 0 } 'the zone is empty';

my $r = ask(category => $cat, since_time => 0, timeout => 1);
is($r->kind, 'timeout', 'later polls get nothing');
is($r->missed, 0, 'and have missed nothing');



=== TEST 18: delete_on_read keeps the events that an answer did not include
--- http_config
    longpoll_zone zone=rest:1m delete_on_read=on;
    longpoll_max_response_size 1k;
--- config
    location = /events  { longpoll_subscribe rest; }
    location = /publish { longpoll_publish   rest; }
--- scenario
my $cat = category();
my $text = 'x' x 300;
my (@ids, @got);

for (1 .. 9) {
    push @ids, publish($cat, qq("$text"));
    tick();
}

push @got, ask(category => $cat, since_time => 0)->ids while @got < 9;
is_deeply(\@got, \@ids, 'every event once, asked for from the beginning');



=== TEST 19: delete_on_read keeps an event if the client left before it came
--- http_config
    longpoll_zone zone=leaves:1m delete_on_read=on;
--- config
    location = /events  { longpoll_subscribe leaves; }
    location = /publish { longpoll_publish   leaves; }
--- scenario
my $cat = category();
my $p = poll(category => $cat);

wait_waiting(1);
$p->close;
wait_waiting(0);

my $id = publish($cat, 1);
is_deeply([ask(category => $cat, since_time => 0)->ids], [$id],
          'the next poll gets the event');



=== TEST 20: without delete_on_read every poll gets every event
--- scenario
my $cat = category();
my $id = publish($cat, 1);

is_deeply([ask(category => $cat, since_time => 0)->ids], [$id], "time $_")
    for 1 .. 5;



=== TEST 21: a full zone accepts every event and evicts the oldest
--- http_config
    longpoll_zone zone=full:256k;
--- config
    location = /events  { longpoll_subscribe full; }
    location = /publish { longpoll_publish   full; }
--- scenario
my @cats = map { category("full$_") } 0 .. 9;
my $c = connection();
my $text = 'x' x 1000;
my @ids;

for my $n (0 .. 999) {
    push @ids, publish($cats[$n % 10], qq("$n $text"), conn => $c);
}

my $status = status();

is($status->{published} - $status->{evicted} - $status->{expired},
   $status->{events}, 'events that are missing were evicted');
cmp_ok($status->{evicted}, '>', 500, 'the zone had no room for all');
cmp_ok($status->{events}, '>=', 100, 'but for many');
cmp_ok($status->{used}, '<=', $status->{size}, 'used');

my @left = sort map { ask(category => $_, since_time => 0)->ids } @cats;
my @newest = @ids[-$status->{events} .. -1];

is_deeply(\@left, \@newest, 'exactly the oldest events were evicted');

for my $n (0, 1, 9) {
    is(ask(category => $cats[$n], since_time => 0)->missed, 1,
       'a reader from the beginning missed events');
    is(ask(category => $cats[$n], last_id => $ids[$n - 20])->missed, 0,
       'a client that has seen them did not');
}



=== TEST 22: quiet categories keep their events beside a busy one
--- http_config
    longpoll_zone zone=cold:1m buffer=20;
--- config
    location = /events  { longpoll_subscribe cold; }
    location = /publish { longpoll_publish   cold; }
--- scenario
my ($cold, $busy) = (category('cold'), category('busy'));
my $c = connection();
my @ids = map { publish("$cold-$_", $_, conn => $c) } 0 .. 1199;
my $text = 'x' x 2000;

# These events together are many times larger than the zone.

publish($busy, qq("$_ $text"), conn => $c) for 1 .. 4000;

my $wrong = grep {
    my $r = ask({ conn => $c }, category => "$cold-$_", since_time => 0);

    join(' ', $r->ids) ne $ids[$_] or $r->missed;
} 0 .. 1199;

is($wrong, 0, 'each quiet category has its event, and misses none');
is(status()->{evicted}, 0, 'nothing evicted');
is_deeply([map { /^(\d+)/ } ask(category => $busy, since_time => 0)->data],
          [3981 .. 4000], 'the busy category has its newest events');



=== TEST 23: a large event evicts many small ones
--- http_config
    longpoll_zone zone=mixed:512k;
--- config
    location = /events  { longpoll_subscribe mixed; }
    location = /publish { longpoll_publish   mixed; }
--- scenario
my ($small, $large) = (category('small'), category('large'));
my $c = connection();

for (1 .. 20) {
    publish("$small-$_", $_, conn => $c) for 1 .. 100;

    my $id = publish($large, '"' . 'x' x 100_000 . '"', conn => $c);
    my $body = ask(category => $large, since_time => id_ms($id) - 1)->body;

    like(substr($body, -60), qr/"id":"$id"\}\]\}$/, "the large one, time $_");
    is(length(($body =~ /"(x+)","id":"$id"/)[0]), 100_000, 'and whole');
}



=== TEST 24: more categories than fit, both polled and published to
--- http_config
    longpoll_zone zone=crowd:256k;
--- config
    location = /events  { longpoll_subscribe crowd; }
    location = /publish { longpoll_publish   crowd; }
--- scenario
my $c = connection();
my $cat = category('crowd');
my $kept = category('kept');
my $id = publish($kept, 1);

# Polls that come and go never evict an event.

ask({ conn => $c, method => 'HEAD' }, category => "$cat-$_") for 1 .. 2000;

for (1 .. 2000) {
    my $p = poll(category => "$cat-$_");
    $p->close;
}

wait_waiting(0);
is_deeply([ask(category => $kept, since_time => 0)->ids], [$id],
          'an event beside 2000 polled categories');

# A publish always finds room.

publish("$cat-$_", $_, conn => $c) for 1 .. 2000;
is_deeply([ask(category => "$cat-2000", since_time => 0)->data], [2000],
          'the newest category has its event');



=== TEST 25: more polls than categories fit: all of them wait and are woken
--- http_config
    longpoll_zone zone=crowded:128k;
--- config
    location = /events  { longpoll_subscribe crowded; }
    location = /publish { longpoll_publish   crowded; }
--- scenario
my $cat = category('crowded');
my @p = map { my $n = $_; poll(map { (category => "$cat-$n-$_") } 1 .. 60) }
        1 .. 30;

wait_waiting(30);

for my $n (1 .. 30) {
    my $id = publish("$cat-$n-" . (1 + $n * 7 % 60), $n);
    is_deeply([$p[$n - 1]->answer->ids], [$id], "poll $n of 60 categories");
}



=== TEST 26: a stream for which there is no slot gets each event at once
--- http_config
    longpoll_zone zone=crowded:128k;
--- config
    location = /events  { longpoll_subscribe crowded; }
    location = /publish { longpoll_publish   crowded; }
--- scenario
my $cat = category('crowded');
my @p = map { my $n = $_; poll(map { (category => "$cat-$n-$_") } 1 .. 60) }
        1 .. 5;

wait_waiting(5);

my $s = stream(category => "$cat-s");

$s->next;

for my $n (1 .. 3) {
    my $id = publish("$cat-s", $n);
    is_deeply([$s->ids(1)], [$id], "event $n");
}



=== TEST 27: so does one whose slot a publish has taken
--- http_config
    longpoll_zone zone=crowded:128k;
--- config
    location = /events  { longpoll_subscribe crowded; }
    location = /publish { longpoll_publish   crowded; }
    location = /delete  { longpoll_delete    crowded; }
--- scenario
my $cat = category('crowded');
my $c = connection();
my $s = stream(category => $cat);

$s->next;

# All 256 slots are those of categories without events that are waited for.

my @p = map {
    my @cats = map { "$cat-$_" } 1 + 51 * $_ .. 51 + 51 * $_;

    publish($_, 1, conn => $c) for @cats;

    my $p = poll(map { (category => $_) } @cats);

    wait_waiting(2 + $_);
    http('DELETE', "/delete?category=$_", conn => $c) for @cats;
    $p;
} 0 .. 4;

publish("$cat-new-$_", 1, conn => $c) for 1 .. 40;

for my $n (1 .. 3) {
    my $id = publish($cat, $n, conn => $c);
    is_deeply([$s->ids(1)], [$id], "event $n");
}



=== TEST 28: a poll that comes to others without a slot takes no interest away
--- http_config
    longpoll_zone zone=slotless:128k;
--- config
    location = /events  { longpoll_subscribe slotless; }
    location = /publish { longpoll_publish   slotless; }
--- scenario
my $cat = category('slotless');

# A quarter of the 256 slots is for categories without events; these are all.

my @p = map { my $of = $_; poll(map { (category => "$cat-$_") } @$of) }
        [1 .. 60], [61 .. 64];

my $first = poll(category => $cat);

wait_waiting(3);

# The second one has seen the zone's newest event.

my $second = poll(category => $cat, last_id => publish("$cat-other", 1));

wait_waiting(4);

my $id = publish($cat, 2);

is_deeply([$first->answer->ids], [$id], 'the first is woken');
is_deeply([$second->answer->ids], [$id], 'and the second');
