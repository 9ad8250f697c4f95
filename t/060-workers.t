# Several workers: waking across them, order and completeness under load,
# reload, quit, and a worker that is killed.

use lib 't/lib';
use Test::Nginx::Socket 'no_plan';
use Longpoll;

no_long_string();
master_on();
workers(2);
worker_connections(1024);
log_level('notice');
run_tests();

__DATA__

=== TEST 1: a publish wakes polls on the other worker and on its own
--- scenario
my $on = spread(3);
my @pids = sort keys %$on;

is(scalar @pids, 2, 'two workers');

for my $from (@pids) {
    for my $to (@pids) {
        my $which = $from == $to ? 'its own' : 'the other';

        # A worker checks all its polls once a second.  Waking must be faster.

        in_time(0.1, 'a wake-up wakes the poll, not the tick', sub {
            my @took = sort { $a <=> $b } map {
                my $cat = category();
                my $p = poll({ conn => $on->{$to}[0] }, category => $cat);

                wait_waiting(1);
                my $at = time;
                my $id = publish($cat, 1, conn => $on->{$from}[1]);

                is_deeply([$p->answer->ids], [$id], "$which worker");
                $p->answer->at - $at;
            } 1 .. 15;

            return $took[7];
        });
    }
}



=== TEST 2: an event that one worker stores is visible on the other at once
--- scenario
my ($a, $b) = values %{ spread(1) };

for my $n (1 .. 200) {
    my $cat = category();
    my $id = publish($cat, $n, conn => $a->[0]);
    my $r = ask({ conn => $b->[0] }, category => $cat, since_time => 0);

    die "event $n is not there\n" unless join('', $r->ids) eq $id;
}

pass('200 times');



=== TEST 3: every worker reports the same counters of the zone
--- http_config
    longpoll_zone zone=reported:1m;
--- config
    location = /events  { longpoll_subscribe reported; }
    location = /publish { longpoll_publish   reported; }
--- scenario
my $on = spread(8);
my $cat = category();
my @p = map { poll({ conn => $_ }, category => $cat) }
        map { @{$_}[0 .. 5] } values %$on;

wait_waiting(12);
publish(category(), 1);

my @bodies = map { $_->[6]->request('GET', '/status')->response->body }
             values %$on;

is($bodies[0], $bodies[1], 'both workers answer the same');
like($bodies[0], qr/"waiting":12,"published":\d/,
     'twelve polls wait, six on each worker');



=== TEST 4: 200 parked polls are woken by one event
--- scenario
my $on = spread(102);
my $cat = category();
my @conns = map { @{$_}[0 .. 99] } values %$on;
my @p = map { poll({ conn => $_ }, category => $cat) } @conns;

wait_waiting(200);

my $before = status();
my $at = Time::HiRes::time();
my $id = publish($cat, '"oink"');
my $woken = 0;

drive { $woken == 200 } map {
    [ $_, sub { $woken += join('', $_[0]->ids) eq $id } ]
} @conns;

is($woken, 200, 'all polls get the event');
cmp_ok(Time::HiRes::time() - $at, '<', 2, 'within two seconds');
wait_waiting(0);
is(status()->{delivered} - $before->{delivered}, 200, 'delivered');



=== TEST 5: 3,000 events, read while four clients publish: none lost, none twice
--- http_config
    longpoll_zone zone=burst:8m buffer=4000;
--- config
    location = /events  { longpoll_subscribe burst; }
    location = /publish { longpoll_publish   burst; }
--- scenario
my $on = spread(4);
my @pids = keys %$on;
my $cat = category();
my $first = publish($cat, '{"p":0,"n":0}');
my (@given, @read, @missed, @pairs);

# Each worker has two publishers and two readers.  A publisher sends its next
# event after the answer to the last one.  A reader follows its cursor.

for my $p (1 .. 4) {
    my $c = $on->{ $pids[$p % 2] }[$p > 2 ? 0 : 1];
    my $n = 0;
    my $next = sub {
        $n++;
        $c->request('POST', '/publish',
                    body => event($cat, qq({"p":$p,"n":$n}))) if $n <= 750;
    };

    $next->();
    push @pairs, [ $c, sub {
        my ($r) = @_;
        die 'publish: ', $r->body if $r->status != 200;
        push @given, $r->header('Longpoll-Event-Id');
        $next->();
    } ];
}

for my $s (0 .. 3) {
    my $c = $on->{ $pids[$s % 2] }[$s > 1 ? 2 : 3];
    my $seen = $read[$s] = [];
    my $next = sub {
        my $last = @$seen ? $seen->[-1] : { id => $first,
                                            timestamp => id_ms($first) };

        poll({ conn => $c }, category => $cat, last_id => $last->{id},
             $s % 3 ? (since_time => $last->{timestamp}) : ());
    };

    $next->();
    push @pairs, [ $c, sub {
        my ($r) = @_;
        $missed[$s] += $r->missed;
        push @$seen, $r->events;
        $next->() if @$seen < 3000;
    } ];
}

drive { @given == 3000 && !grep { @$_ < 3000 } @read } @pairs;

for my $s (0 .. 3) {
    my @events = @{ $read[$s] };
    my @ids = map { $_->{id} } @events;
    my (%n, $wrong);

    is(scalar @events, 3000, "reader $s: 3,000 events");
    is_deeply(\@ids, [sort @given], 'each that was published, in order of ids');
    is_deeply([map { $_->{timestamp} } @events],
              [sort { $a <=> $b } map { $_->{timestamp} } @events],
              'timestamps never go back');

    for (map { $_->{data} } @events) {
        $wrong++ if $_->{n} != ++$n{ $_->{p} };
    }

    is($wrong, undef, "and in each publisher's own order");
    is($missed[$s], 0, 'nothing was missed');
}



=== TEST 6: an event just before or after a time-out answer is never lost
--- scenario
# 100 polls at a time.  Half of the events come at a random moment around the
# time-out, the others as soon as the client has the time-out answer.

my $seed = $ENV{SEED} || int time;
my ($lost, $late, $woken, $tries) = (0, 0, 0, 0);

diag("SEED=$seed");
srand $seed;

for my $round (1 .. 4) {
    my (@plan, @pairs, %poll, %pub);
    my $done = 0;
    my $start = Time::HiRes::time();

    for my $n (1 .. 100) {
        my ($c, $pub) = (connection(), connection());
        my $cat = category();
        my $published = 0;
        my $publish = sub {
            $pub->request('POST', '/publish', body => event($cat, $n))
                unless $published++;
        };

        push @plan, [ $start + 0.88 + rand 0.09, $publish ] if $n % 2;
        $tries++;

        poll({ conn => $c }, category => $cat, timeout => 1);

        push @pairs, [ $c, sub {
            my ($r) = @_;

            if ($r->kind eq 'events') {
                $woken++ unless $poll{$n};
                $lost++ if join(',', $r->data) ne $n;
                return $done++;
            }

            # The event was published, so a second time-out is a loss.

            if ($poll{$n}++) {
                $lost++;
                return $done++;
            }

            $late++;
            $publish->() unless $n % 2;
            poll({ conn => $c }, category => $cat, timeout => 3,
                 since_time => $r->timestamp);
        } ], [ $pub, sub { $_[0]->status == 200 or die } ];
    }

    @plan = sort { $a->[0] <=> $b->[0] } @plan;

    drive {
        while (@plan and $plan[0][0] <= Time::HiRes::time()) {
            (shift @plan)->[1]->();
        }
        $done == 100;
    } @pairs;
}

is($lost, 0, "none of $tries is lost");
cmp_ok($late, '>=', 200, "$late came behind a time-out answer");
cmp_ok($woken, '>', 0, "$woken before it");



=== TEST 7: a reload answers all of 300 parked polls, and nothing is lost
--- http_config
    longpoll_zone zone=events:1m;
    log_format at "$msec $longpoll_result";
    access_log logs/at.log at;
--- scenario
my $cat = category();
my @ids = map { publish($cat, $_) } 1 .. 100;
my @answers;

in_time(0.5, 'spread over the second of drain, and no longer', sub {
    my @conns = map { @$_ } values %{ spread(150) };

    for my $c (@conns) {
        poll({ conn => $c }, category => $cat, last_id => $ids[-1],
             timeout => 100);
    }

    wait_waiting(300);

    my $before = status();
    my @old = reload(leaving => 1);

    @answers = ();
    drive { @answers == 300 } map {
        [ $_, sub { push @answers, $_[0] } ]
    } @conns;

    wait_gone(@old);

    is(scalar(grep { $_->body =~ /^\{"timeout":"no events before timeout","timestamp":\d{13}\}$/ }
              @answers), 300, 'all have a time-out answer');
    is(scalar(grep { ($_->header('Connection') || '') eq 'close' } @answers),
       300, 'and Connection: close');

    is_deeply([ask(category => $cat, since_time => 0)->ids], \@ids,
              'the buffer is whole');

    my $after = status();
    is($after->{$_}, $before->{$_}, $_) for qw( events published categories );
    is($after->{waiting}, 0, 'waiting');

    # This client is busy and reads the answers late, so nginx's log has
    # the times.

    my $log = "$Test::Nginx::Util::LogDir/at.log";
    open my $in, '<', $log or die "$log: $!";
    my @at = sort { $a <=> $b } map { /^(\S+) closing$/ } <$in>;

    truncate $log, 0 or die "$log: $!";
    is(scalar @at, 300, 'all are logged');

    return abs($at[-1] - $at[0] - 1);
});

# The clients continue from their cursors.

my @p = map { poll(category => $cat, since_time => $_->timestamp,
                   last_id => $ids[-1]) } @answers[0 .. 19];
wait_waiting(20);
push @ids, publish($cat, 101);
is_deeply([$_->answer->ids], [$ids[-1]], 'from where they were') for @p;



=== TEST 8: a parked poll of a leaving worker is woken by any worker
--- http_config
    longpoll_zone zone=events:1m;
    longpoll_drain 30s;
--- scenario
my $cat = category();
my @conns = map { @$_ } values %{ spread(5) };
my @p = map { poll({ conn => $_ }, category => $cat) } @conns;

wait_waiting(10);
my @old = reload(leaving => 1);

# The old workers have had time to notice that they leave.

wait_until { (grep { $_->parked } @p) < 10 } 'the first polls drained';

my @waiting = grep { $_->parked } @p;
my $id = publish($cat, 1);
my $woken = 0;

for my $p (@waiting) {
    my $r = $p->answer;

    # One poll may have been drained in the meantime.

    $woken += $r->kind eq 'events' && join('', $r->ids) eq $id;
    is($r->header('Connection'), 'close', 'Connection');
}

cmp_ok($woken, '>=', @waiting - 1, "$woken of " . @waiting . ' were woken');
cmp_ok($woken, '>', 3, 'most of them');
wait_gone(@old);



=== TEST 9: a poll that a reload ends is answered with its cursor's timestamp
--- http_config
    longpoll_zone zone=place:1m;
    longpoll_drain 0;
--- config
    location = /events  { longpoll_subscribe place; }
    location = /publish { longpoll_publish   place; }
--- scenario
my $cat = category();
my $id = publish($cat, 1);
my $ms = id_ms($id);

tick();
tick();

my $before = now_ms();
my @there = map { poll(category => $cat, @$_) }
            [ since_time => $ms ], [ last_id => $id ],
            [ since_time => $ms, last_id => $id ];
my @now = map { poll(category => $cat, @$_) }
          [], [ since_time => $before + 3_600_000 ];
my $zero = poll(category => category(), since_time => 0);

wait_waiting(6);
my $after = now_ms();
tick();

my @old = reload(leaving => 1);

is($_->answer->timestamp, $ms,
   'a cursor at the newest event: its time') for @there;

for my $p (@now) {
    cmp_ok($p->answer->timestamp, '>=', $before - 1,
           'no cursor: not before the poll arrived');
    cmp_ok($p->answer->timestamp, '<=', $after,
           'and not when the reload ended it');
}

cmp_ok($zero->answer->timestamp, '<=', $ms, 'since_time=0: before the event');
cmp_ok($zero->answer->timestamp, '>', $ms - 1_000_000,
       'and after the beginning of the zone');

is_deeply([ask(category => $cat, since_time => $_->answer->timestamp,
               timeout => 1)->kind], ['timeout'], 'nothing comes twice')
    for $there[0], @now;
wait_gone(@old);



=== TEST 10: a reload with another size, while polls are parked
--- http_config
    longpoll_zone zone=size:1m;
    longpoll_drain 500ms;
--- config
    location = /events  { longpoll_subscribe size; }
    location = /publish { longpoll_publish   size; }
--- scenario
my $cat = category();
my $seen = publish($cat, '"in the old zone"');

tick();

my @polls = ([], [ since_time => id_ms($seen) ], [ last_id => $seen ],
             [ since_time => id_ms($seen), last_id => $seen ],
             [ timeout => 1 ]);
my @p = map { poll(category => $cat, @$_) } @polls;

wait_waiting(5);
change_conf { s/size:1m/size:2m/ };

my @old = reload(leaving => 1);
my $id = publish($cat, '"in the new zone"');

is_deeply([ask(category => $cat, since_time => 1)->ids], [$seen, $id],
          'the new zone has the events of the old one');

# No poll was parked in the new zone when the event came.  Each client polls
# again with the timestamp of its answer.

for my $n (0 .. $#p) {
    my %o = @{ $polls[$n] };

    is($p[$n]->answer->kind, 'timeout', "the reload ends poll $n");

    my $r = ask(category => $cat, since_time => $p[$n]->answer->timestamp,
                $o{last_id} ? (last_id => $o{last_id}) : ());

    is_deeply([$r->ids], [$id], 'its client gets the event');
    ok(!$r->missed, 'and missed no other event');
}

wait_gone(@old);



=== TEST 11: with longpoll_drain 0 polls are answered at once
--- http_config
    longpoll_zone zone=events:1m;
    longpoll_drain 0;
--- scenario
in_time(0.4, 'all together', sub {
    my $cat = category();
    my @conns = map { @$_ } values %{ spread(20) };

    poll({ conn => $_ }, category => $cat) for @conns;
    wait_waiting(40);

    my @answers;
    my @old = reload(leaving => 1);

    drive { @answers == 40 } map {
        [ $_, sub { push @answers, $_[0] } ]
    } @conns;

    wait_gone(@old);
    is(scalar(grep { $_->kind eq 'timeout' } @answers), 40, 'time-out answers');

    my @at = sort { $a <=> $b } map { $_->at } @answers;
    return $at[-1] - $at[0];
});



=== TEST 12: worker_shutdown_timeout ends a longer drain, and polls get answers
--- main_config
    worker_shutdown_timeout 1s;
--- http_config
    longpoll_zone zone=events:1m;
    longpoll_drain 60s;
--- scenario
in_time(2, 'within the time', sub {
    my $cat = category();
    my @conns = map { @$_ } values %{ spread(20) };

    poll({ conn => $_ }, category => $cat) for @conns;
    wait_waiting(40);

    my @answers;
    my $at = time;
    my @old = reload(leaving => 1);

    drive { @answers == 40 } map {
        [ $_, sub { push @answers, $_[0] } ]
    } @conns;

    wait_gone(@old);
    is(scalar(grep { $_->kind eq 'timeout' } @answers), 40, 'time-out answers');

    return $answers[-1]->at - $at;
});



=== TEST 13: a poll that reaches a leaving worker is answered at once
--- http_config
    longpoll_zone zone=events:1m;
    longpoll_drain 0;
--- scenario
# The worker has read half of the request's head when the reload comes.

my ($half, $canary, $third) = @{ (values %{ spread(3) })[0] };
my $cat = category();
my $request = "GET /events?category=$cat&timeout=100 HTTP/1.1\r\nHost: x\r\n\r\n";

poll({ conn => $canary }, category => $cat);
wait_waiting(1);
$half->send(substr $request, 0, 30);
is($third->request('GET', '/pid')->response->status, 200, 'it has been read');

my @old = reload(leaving => 1);

is($canary->response->kind, 'timeout', 'the worker is leaving');
$half->send(substr $request, 30);

my $r = $half->response;

is($r->kind, 'timeout', 'the poll is answered at once');
is($r->header('Connection'), 'close', 'Connection');
ok($half->closed, 'and its connection closed');
wait_gone(@old);



=== TEST 14: a publish that a leaving worker has read in part is completed
--- http_config
    longpoll_zone zone=events:1m;
    longpoll_drain 0;
--- scenario
my ($half, $canary, $third) = @{ (values %{ spread(3) })[0] };
my $cat = category();
my $body = event($cat, 1);

poll({ conn => $canary }, category => category());
wait_waiting(1);
$half->send("POST /publish HTTP/1.1\r\nHost: x\r\nContent-Length: "
            . length($body) . "\r\n\r\n" . substr $body, 0, 10);
is($third->request('GET', '/pid')->response->status, 200, 'it has been read');

my @old = reload(leaving => 1);
my $p = poll(category => $cat);

is($canary->response->kind, 'timeout', 'the worker is leaving');
wait_waiting(1);
$half->send(substr $body, 10);
is($half->response->body, '{"success": true}', 'published');
is_deeply([$p->answer->data], [1], 'and a poll on a new worker is woken');
wait_gone(@old);



=== TEST 15: one wake-up for several events, and two limits of an answer
--- config
    location = /events  { longpoll_subscribe events; }
    location = /small   {
        longpoll_subscribe events;
        longpoll_max_response_size 1k;
    }
    location = /publish { longpoll_publish   events; }
--- scenario
my $on = spread(4);
my ($here, $there) = keys %$on;
my $cat = category();
my $text = 'x' x 600;
my @uris = qw( /events /small /events /small );
my (@p, @ids);

for my $n (0 .. 3) {
    push @p, poll({ conn => $on->{$there}[$n], uri => $uris[$n] },
                  category => $cat);
    wait_waiting($n + 1);
}

# The other worker reads all the events in one turn.

in_one_turn {
    for (1 .. 5) {
        push @ids, publish($cat, qq("$text"), conn => $on->{$here}[0]);
        tick();
    }
} $there;

for my $n (0 .. 3) {
    my @want = $n % 2 ? $ids[0] : @ids;

    is_deeply([$p[$n]->answer->ids], \@want,
              "$uris[$n] gets the events within its limit");
}



=== TEST 16: delete_on_read sends an event to the waiting polls of every worker
--- http_config
    longpoll_zone zone=once:1m delete_on_read=on;
--- config
    location = /events  { longpoll_subscribe once; }
    location = /publish { longpoll_publish   once; }
--- scenario
my @conns = map { @$_ } values %{ spread(5) };

for (1 .. 20) {
    my $cat = category();
    my @p = map { poll({ conn => $_ }, category => $cat) } @conns;

    wait_waiting(10);

    my $id = publish($cat, 1);
    my $got = grep { join('', $_->answer->ids) eq $id } @p;

    is($got, 10, 'all ten polls get the event');
    wait_status { $_->{events} == 0 } 'and the zone removes the event';
}

# A stopped worker's poll still gets the event after the others have had it.

my $on = spread(2);
my ($a, $b) = keys %$on;
my $cat = category();
my @p = map { poll({ conn => $on->{$_}[0] }, category => $cat) } $a, $b;
my $id;

wait_waiting(2);

in_one_turn {
    $id = publish($cat, 1, conn => $on->{$a}[1]);
    is_deeply([$p[0]->answer->ids], [$id],
              'the poll of the running worker gets the event');
} $b;

is_deeply([$p[1]->answer->ids], [$id],
          'the poll of the stopped worker gets it later');
wait_status { $_->{events} == 0 } 'and the zone removes the event';



=== TEST 17: delete_on_read, and a worker that dies before it sends an event
--- http_config
    longpoll_zone zone=stopped:1m delete_on_read=on;
--- config
    location = /events  { longpoll_subscribe stopped; }
    location = /publish { longpoll_publish   stopped; }
--- scenario
my $on = spread(2);
my ($here, $victim) = keys %$on;
my $cat = category();
my @p = map { poll({ conn => $on->{$_}[0] }, category => $cat) }
        $here, $victim;
my $id;

wait_waiting(2);
kill STOP => $victim;
wait_until { state($victim) eq 'T' } 'the worker stopped';
$id = publish($cat, 1, conn => $on->{$here}[1]);
is_deeply([$p[0]->answer->ids], [$id],
          'the poll of the running worker gets the event');
kill KILL => $victim;
ok($p[1]->conn->closed, 'the poll of the killed worker is cut off');
wait_until { !grep { $_ == $victim } worker_pids() } 'its end';
wait_status { $_->{events} == 0 } 'the zone removes the event';
wait_status { $_->{waiting} == 0 } 'and no poll waits';
--- alert chomp
worker process \d+ exited on signal 9



=== TEST 18: a reload changes a zone's parameters, and the zone keeps its events
--- http_config
    longpoll_zone zone=changing:1m buffer=5;
--- config
    location = /events  { longpoll_subscribe changing; }
    location = /publish { longpoll_publish   changing; }
--- scenario
my ($cat, $later) = (category(), category('later'));
my @ids = map { publish($cat, $_) } 1 .. 5;

change_conf { s/buffer=5/buffer=3/ };
reload();
is_deeply([ask(category => $cat, since_time => 0)->data], [3 .. 5],
          'a smaller buffer');
publish($later, $_) for 1 .. 5;
is_deeply([ask(category => $later, since_time => 0)->data], [3 .. 5],
          'for new events, too');

change_conf { s/buffer=3/buffer=8/ };
reload();
publish($cat, $_) for 6 .. 10;
is_deeply([ask(category => $cat, since_time => 0)->data], [3 .. 10],
          'a larger buffer');

change_conf { s/buffer=8/buffer=8 ttl=1s/ };
reload();
wait_status { $_->{events} == 0 } 'all events expire with the new ttl';

change_conf { s/ttl=1s/delete_on_read=on/ };
reload();
publish($cat, 11);
is_deeply([ask(category => $cat, since_time => 0)->data], [11], 'read');
is(ask(category => $cat, since_time => 0, timeout => 1)->kind, 'timeout',
   'deleted on read');



=== TEST 19: counters continue after a reload
--- http_config
    longpoll_zone zone=counters:1m buffer=2;
--- config
    location = /events  { longpoll_subscribe counters; }
    location = /publish { longpoll_publish   counters; }
--- scenario
my $cat = category();

publish($cat, $_) for 1 .. 5;
ask(category => $cat, since_time => 0);
ask(category => category(), timeout => 1);
post('/publish', 'x');

my $before = status();
reload();
my $after = status();

is($after->{$_}, $before->{$_}, $_)
    for qw( size categories events published delivered timeouts missed evicted
            expired refused );
cmp_ok($after->{published}, '>=', 5, 'published at all');
cmp_ok($after->{missed}, '>=', 1, 'missed at all');



=== TEST 20: from two workers to four, to one, and back, with polls waiting
--- scenario
my $cat = category();
my $last = publish($cat, 0);
my $was = 2;

for my $n (4, 1, 2) {
    my @p = map { poll(category => $cat, last_id => $last) } 1 .. 20;

    wait_waiting(20);
    change_conf { s/worker_processes  $was/worker_processes  $n/ };
    reload(workers => $n);

    is($_->answer->kind, 'timeout', "answered on the way to $n workers")
        for @p;

    @p = map { poll(category => $cat, last_id => $last) } 1 .. 20;
    wait_waiting(20);
    $last = publish($cat, $n);
    is_deeply([$_->answer->ids], [$last], "woken by $n workers") for @p;
    $was = $n;
}



=== TEST 21: many reloads in a row, while polls come and go
--- scenario
my $cat = category();
my (@ids, @got);

for my $n (1 .. 5) {
    my @p = map { poll(category => $cat, @got ? (last_id => $got[-1])
                                              : (since_time => 0)) } 1 .. 10;

    wait_waiting(10);

    my @old = reload(leaving => 1);
    push @ids, publish($cat, $n);

    my @answers = map { $_->answer } @p;
    my ($events) = grep { $_->kind eq 'events' } @answers;

    push @got, $events ? $events->ids
                       : ask(category => $cat, @got ? (last_id => $got[-1])
                                                    : (since_time => 0))->ids;
    wait_gone(@old);
}

is_deeply(\@got, \@ids, 'every event once, over five reloads');



=== TEST 22: nginx answers the parked polls before it quits
--- scenario
my $cat = category();
my @conns = map { @$_ } values %{ spread(25) };

publish($cat, 1);
poll({ conn => $_ }, category => $cat) for @conns;
wait_waiting(50);

my $master = master_pid();
my @answers;
kill QUIT => $master;

drive { @answers == 50 } map { [ $_, sub { push @answers, $_[0] } ] } @conns;

is(scalar(grep { $_->kind eq 'timeout' } @answers), 50, 'time-out answers');
is(scalar(grep { ($_->header('Connection') || '') eq 'close' } @answers), 50,
   'and Connection: close');
wait_until { !kill 0, $master } 'the end of nginx';



=== TEST 23: a fast shutdown drops its clients and logs no alert
--- scenario
my $cat = category();
my @p = map { poll(category => $cat) } 1 .. 20;

wait_waiting(20);

my $master = master_pid();
kill TERM => $master;
wait_until { !kill 0, $master } 'the end of nginx';
ok($_->conn->closed, 'dropped') for @p;



=== TEST 24: a worker that is killed takes only its own polls with it
--- scenario
my $on = spread(12);
my ($victim, $other) = keys %$on;
my ($cat, $lost) = (category(), category('lost'));
my @ids = map { publish($cat, $_) } 1 .. 20;

my @gone = map { poll({ conn => $_ }, category => $lost) }
           @{ $on->{$victim} }[0 .. 9];
my @stay = map { poll({ conn => $_ }, category => $cat, last_id => $ids[-1]) }
           @{ $on->{$other} }[0 .. 9];

wait_waiting(20);

kill KILL => $victim;
my $at = Time::HiRes::time();
push @ids, publish($cat, 21, conn => $on->{$other}[10]);

is_deeply([$_->answer->ids], [$ids[-1]], 'a poll on the other worker')
    for @stay;
cmp_ok(Time::HiRes::time() - $at, '<', 2, 'at once');
ok($_->conn->closed, 'a poll on the killed one is cut off') for @gone;

wait_until { (grep { $_ != $victim } worker_pids()) == 2 } 'a new worker';
wait_waiting(0);

is_deeply([ask(category => $cat, since_time => 0)->ids], \@ids,
          'nothing acknowledged is lost');

my $new = spread(2);
my @conns = map { @$_ } values %$new;
my @p = map { poll({ conn => $_ }, category => $cat) } @conns;
wait_waiting(4);
my $id = publish($cat, 22);
is_deeply([$_->answer->ids], [$id], 'the new worker takes part') for @p;
--- alert chomp
worker process \d+ exited on signal 9



=== TEST 25: workers are killed one after the other under load; no event is lost
--- http_config
    longpoll_zone zone=killed:4m buffer=20000;
--- config
    location = /events  { longpoll_subscribe killed; }
    location = /publish { longpoll_publish   killed; }
--- scenario
my $cat = category();
my (@acknowledged, $kills);

for my $round (1 .. 8) {
    my @conns = map { @$_ } values %{ spread(2) };
    my ($victim) = (worker_pids())[$round % 2];
    my $stop = @acknowledged + 150;
    my $killed;

    my $send = sub {
        $_[0]->request('POST', '/publish', body => event($cat, $round));
    };

    $send->($_) for @conns;

    eval {
        drive { @acknowledged >= $stop } map {
            my $c = $_;
            [ $c, sub {
                push @acknowledged, $_[0]->header('Longpoll-Event-Id');

                if (!$killed and @acknowledged > $stop - 100) {
                    kill KILL => $victim;
                    $killed = 1;
                    $kills++;
                }

                eval { $send->($c) };
            } ]
        } @conns;
        1;
    } or die $@;

    wait_until {
        my @now = worker_pids();
        @now == 2 && !grep { $_ == $victim } @now;
    } 'a new worker';
}

my (%got, $last);

for ( ;; ) {
    my $r = ask(category => $cat, timeout => 1,
                $last ? (last_id => $last) : (since_time => 0));

    last if $r->kind eq 'timeout';
    is($r->missed, 0, 'nothing is missed');
    $got{$_}++ for $r->ids;
    $last = ($r->ids)[-1];
}

is(scalar(grep { !$got{$_} } @acknowledged), 0,
   'of ' . @acknowledged
   . " acknowledged events none is lost, over $kills kills");
is(scalar(grep { $_ > 1 } values %got), 0, 'no event is there twice');

# At the end of a round each connection may have published one event whose
# answer was not read.

cmp_ok(scalar(keys %got), '<=', @acknowledged + 4 * $kills,
       'there are no more than were sent');
--- alert chomp
worker process \d+ exited on signal 9



=== TEST 26: a worker that is woken by another one reads no eventfd
--- scenario
my $on = spread(2);
my ($from, $to) = sort keys %$on;
my $cat = category();

# an eventfd counts the writes until somebody reads it (proc(5))

my $count = sub {
    my $sum = 0;

    for my $file (glob "/proc/$to/fdinfo/*") {
        open my $in, '<', $file or next;
        $sum += join('', <$in>) =~ /^eventfd-count:\s+([0-9a-f]+)$/m
            ? hex $1 : 0;
    }

    return $sum;
};

my $before = $count->();

for my $n (1 .. 20) {
    my $p = poll({ conn => $on->{$to}[0] }, category => $cat);

    wait_waiting(1);
    my $id = publish($cat, $n, conn => $on->{$from}[0]);
    is_deeply([$p->answer->ids], [$id], "event $n comes");
}

is($count->() - $before, 20, 'one write for each, and no read');
