# A zone's file after nginx has ended and started again: which events are there,
# which cursors stay valid, and which polls are told "missed".
# docs/protocol.md, Missed, has the rules.  An end is a QUIT, a TERM, or SIGKILL
# for all processes at once.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use Test::More;
use Time::HiRes qw( time sleep );

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Oracle ();
use Longpoll::Persist qw( data_of no_alerts tick wait_until );
use Longpoll::Stream ();

$SIG{PIPE} = 'IGNORE';

my $uuid = qr/[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}
              -[0-9a-f]{12}/x;

sub start { Longpoll::Persist->start(@_) }

sub ms { Longpoll::Oracle::id_ms($_[0]) }



# Waits until the wall clock is in a later millisecond.


# The format of the files.

{
    my $name = 'the files';
    my $n = start(parameters => 'flush=50ms', workers => 2);

    $n->wait_writer_idle;

    my $first = $n->publish(farm => '"oink"', key => 'one');
    my $second = $n->publish('p\u00e9\"\\\\' => '{ "a" : [1, 2.50,
 "<&>\u003c"] }');

    wait_until('two lines', sub { 2 == (() = $n->lines) });

    my ($ta, $tb) = (ms($first), ms($second));
    my ($segment) = $n->segments;
    my $text = '{ "a" : [1, 2.50,  "<&>\u003c"] }';
    my $epoch = qr/"life":"[0-9a-f]+","hash":"[0-9a-f]{32}","last":\d+,
                   "trusted":\d+,"durable":0\}\n/x;

    like($n->raw, qr/\A\#\{"base":\d+,$epoch\z/, "$name: PATH, to the byte");
    like(Longpoll::Persist::slurp($segment),
         qr/\A\#\{"after":\d+,$epoch
            \Q{"timestamp":$ta,"category":"farm","data":"oink","id":"$first",\E
            "key":"[0-9a-f]{32}"\}\n
            \Q{"timestamp":$tb,"category":"p\E\xc3\xa9\Q\"\\","data":\E
            \Q$text,"id":"$second"}\E\n\z/x,
         "$name: the segment, to the byte");

    my ($base) = $n->control('base');
    my ($after) = $n->control('after');

    is($segment, sprintf('%s.%08d', $n->file, $base->{base} + 1),
       "$name: the segment is the first behind the base");
    is($after->{after}, $base->{base}, "$name: and says so");

    for my $file ($n->file, $segment) {
        my @stat = stat $file;
        my $user = $> == 0 ? getpwnam $n->user : $>;

        is(sprintf('%o %s', $stat[2] & 07777, $stat[4]), "600 $user",
           "$name: the worker user's alone");
    }

    is(join(' ', $n->names), 'events ' . ($segment =~ s{.*/}{}r),
       "$name: and nothing else is there");

    $n->publish(farm => $_) for 1 .. 300;
    $n->quit;

    my @times = map { $_->{timestamp} } $n->lines;

    is("@times", join(' ', sort { $a <=> $b } @times),
       "$name: timestamps never go back");
    like($n->text, qr/\n#\{"end":\d+,"bytes":${\ $n->bytes }\}\n\z/,
         "$name: the end has the bytes of all files");
    no_alerts($n, $name);
}


# After a clean end.

for my $signal (qw( quit term )) {
    my $name = "after a $signal";
    my $n = start(parameters => 'flush=1h buffer=3', workers => 2);
    my %id;

    $n->wait_writer_idle;

    $n->publish(cow => '"c1"');
    tick();
    my $between = int(time * 1000);
    tick();

    for my $data (qw( f1 f2 f3 f4 f5 )) {
        tick();
        $id{$data} = $n->publish(farm => qq("$data"));
    }

    my $empty = $n->poll(category => 'none')->response->timestamp;
    my $place = $n->client->request(GET => '/place')->response->body;

    is($n->status('events')->{events}, 4, "$name: the zone has four events");

    $n->$signal;
    is(join(' ', map { $_->{data} } $n->lines), 'c1 f3 f4 f5',
       "$name: the log has the live events only");

    $n->up;
    is(data_of($n->events('farm')), 'f3 f4 f5', "$name: the events are back");
    is(join(' ', map { $_->[0] } $n->events('farm')),
       join(' ', @id{qw( f3 f4 f5 )}), "$name: with their ids");

    my $status = $n->status('events');

    is($status->{events}, 4, "$name: the zone counts them");
    is($status->{published}, 0, "$name: but not as published");
    is($status->{expired} + $status->{evicted} + $status->{missed}, 0,
       "$name: nor anything as lost");

    # Two events that are no longer in the file.

    is($n->said([ category => 'farm', last_id => $id{f1} ],
                [ category => 'farm', last_id => $id{f2} ]),
       'f3 f4 f5 missed | f3 f4 f5', "$name: a cursor below f2 misses it");

    $id{f6} = $n->publish(farm => '"f6"');
    cmp_ok($id{f6}, 'gt', $id{f5}, "$name: ids go on");

    my @queries = (
        [ 'f4 f5 f6', last_id => $id{f3} ],
        [ 'f4 f5 f6 missed', last_id => $id{f2} ],
        [ 'f4 f5 f6 missed', last_id => $id{f1} ],
        [ 'f5 f6', last_id => $id{f4} ],
        [ 'f6', last_id => $id{f5} ],
        [ 'f6', since_time => ms($id{f5}) ],
        [ 'f5 f6', since_time => ms($id{f5}) - 1 ],
        [ 'f6', since_time => ms($id{f5}), last_id => $id{f5} ],
        [ 'f5 f6', since_time => ms($id{f4}), last_id => $id{f4} ],
        [ 'f4 f5 f6 missed', since_time => ms($id{f2}) - 1 ],
        [ 'f4 f5 f6 missed', since_time => $between ],
        [ 'f4 f5 f6 missed', since_time => 1 ],
        [ 'f6', since_time => $empty ],
        [ 'f6', last_id => $place ],
        [ 'timeout', last_id => $id{f6} ],
        [ 'timeout', since_time => ms($id{f6}) ],
    );

    my @said = $n->said(map { [ category => 'farm', @$_[1 .. $#$_] ] }
                        @queries);

    for my $i (0 .. $#queries) {
        my ($want, @query) = @{ $queries[$i] };
        is($said[$i], $want, "$name: @query");
    }

    is($n->said([ category => 'cow', since_time => $between ],
                [ category => 'none', since_time => $empty ],
                [ category => 'none', since_time => $between ],
                [ category => 'none', last_id => $id{f1} ]),
       join(' | ', ('timeout') x 4), "$name: no other cursor misses anything");

    # A second end: now the file has all of it when nginx starts.

    $n->publish(farm => '"f7"');
    $n->$signal;
    $n->up;
    is(data_of($n->events('farm')), 'f5 f6 f7', "$name: twice");
    is($n->said([ category => 'farm', last_id => $id{f3} ],
                [ category => 'farm', last_id => $id{f4} ],
                [ category => 'farm', last_id => $id{f6} ]),
       'f5 f6 f7 missed | f5 f6 f7 | f7', "$name: exactly, over two epochs");
    no_alerts($n, $name);
}


# Behind a restart a stream is told once what an earlier epoch lost, also if its
# first answer ends in front of what that epoch lost last.

{
    my $name = 'a stream';
    my $n = start(parameters => 'flush=1h buffer=1', server => <<'_EOC_');
        location = /stream {
            longpoll_subscribe         events;
            longpoll_max_response_size 1;
        }
_EOC_
    my $first = $n->publish(farm => 1);

    $n->publish(@$_) for [cow => 2], [farm => 3], [farm => 4];
    $n->quit;
    $n->up;

    my $c = $n->client;

    $c->request(GET => "/stream?category=farm&category=cow&last_id=$first",
                headers => ['Accept: text/event-stream']);

    my @told = Longpoll::Stream->over($c)->told(5);

    is(join(' ', map { s/ \S*-\S*//r } @told),
       'place missed event 2 event 4 place', "$name: is told missed once");
    no_alerts($n, $name);
}


# A ttl that ends while nginx is down.

{
    my $name = 'ttl';
    my $ttl = $ENV{LONGPOLL_SLOW} ? 20 : 2;
    my $n = start(parameters => "flush=1h ttl=${ttl}s", workers => 1);
    my $a = $n->publish(farm => '"a"');

    my $end = time + $ttl;
    sleep 0.5 while time < $end - 1;

    my $b = $n->publish(farm => '"b"');

    $n->quit;
    sleep 0.05 while time < $end;
    $n->up;

    is($n->said([ category => 'farm', last_id => $a ],
                [ category => 'farm', since_time => ms($a) - 1 ]),
       'b | b missed', "$name: an expired event is not back, and missed");
    no_alerts($n, $name);
}


# After an unclean end.

for my $parameters ('flush=100ms', 'flush=1h') {
    my $name = "after a kill, $parameters";
    my $n = start(parameters => $parameters, workers => 2);
    my $written = $parameters !~ /1h/;

    # The clean end of an earlier epoch says nothing about this one.

    $n->wait_writer;
    $n->quit;
    $n->up;

    my $a = $n->publish(farm => '"a"');
    tick();
    my $b = $n->publish(farm => '"b"');
    my $time = $n->poll(category => 'none')->response->timestamp;

    $n->wait_data(qw( a b )) if $written;
    $n->wait_writer;
    $n->kill_all;

    # The writer may have written the very first event at once.

    my $there = join ' ', map { $_->{data} } $n->lines;

    $n->up;
    is($there, 'a b', "$name: events older than flush are in the file")
        if $written;

    is(data_of($n->events('farm')), $there,
       "$name: events of the file are back");
    ok(!$n->{missed}, "$name: a poll for all events missed nothing");

    my $c = $n->publish(farm => '"c"');
    my $all = join ' ', split(' ', $there), 'c';

    # The part of "b c" that was written.

    my ($from_a, $from_b) = $there =~ /b/ ? ('b c', 'c') : ('c', 'c');

    is($n->said([ category => 'farm', last_id => $a ],
                [ category => 'farm', last_id => $b ],
                [ category => 'farm', since_time => ms($a), last_id => $a ],
                [ category => 'farm', since_time => ms($b) ],
                [ category => 'farm', since_time => $time ]),
       "$from_a missed | $from_b missed | $from_a missed | $from_b missed"
       . ' | c missed',
       "$name: every cursor of the old epoch may miss events");
    is($n->said([ category => 'none', last_id => $b ],
                [ category => 'none', since_time => $time ]),
       'timeout missed | timeout missed', "$name: in every category");
    is($n->said([ category => 'farm', since_time => 1 ],
                [ category => 'farm', since_time => 0 ],
                [ category => 'farm', last_id => $c ],
                [ category => 'farm', since_time => ms($c) ],
                [ category => 'none', last_id => $c ]),
       "$all | $all | timeout | timeout | timeout",
       "$name: no other cursor misses events");

    # Cursors before an unclean end miss events for ever, those before a clean
    # end do not.

    my $now = $n->poll(category => 'none')->response->timestamp;

    $n->quit;
    $n->up;
    is($n->said([ category => 'farm', last_id => $b ],
                [ category => 'farm', last_id => $c ],
                [ category => 'none', since_time => $time ],
                [ category => 'none', since_time => $now ]),
       'c missed | timeout | timeout missed | timeout',
       "$name: and after a clean end");
    no_alerts($n, $name);
}


# With durable=on no cursor is told "missed" after an unclean end.

{
    my $name = 'durable=on, after a kill';
    my $n = start(parameters => 'flush=1h durable=on buffer=2', workers => 2);

    my ($a, $b, $c) = map { tick(); $n->publish(farm => qq("$_")) } qw( a b c );
    my $time = $n->poll(category => 'none')->response->timestamp;

    $n->kill_all;
    $n->up;
    is(data_of($n->events('farm')), 'b c', "$name: all events are back");

    my $d = $n->publish(cow => '"d"');

    is($n->said([ category => 'farm', last_id => $b ],
                [ category => 'farm', last_id => $c ],
                [ category => 'farm', since_time => ms($c) ],
                [ category => 'none', since_time => $time ],
                [ category => 'none', last_id => $c ],
                [ category => 'farm', last_id => $a ],
                [ category => 'farm', since_time => ms($a) - 1 ],
                [ category => 'cow', last_id => $c ]),
       'c | timeout | timeout | timeout | timeout | b c | b c missed | d',
       "$name: nothing was missed but what buffer dropped");

    $n->kill_all;
    $n->up;
    is($n->said([ category => 'farm', last_id => $b ],
                [ category => 'cow', last_id => $c ]), 'c | d', "$name: twice");
    no_alerts($n, $name);
}


# Events that were deleted, read or removed do not return.

for my $end (qw( quit kill_all )) {
    my $name = "deleted, $end";
    my $n = start(parameters => 'flush=100ms', workers => 2);

    my $a = $n->publish(farm => '"a"');
    $n->publish(cow => '"c"');
    $n->wait_data(qw( a c ));

    my $notes = $n->notes;

    $n->forget('farm');
    my $b = $n->publish(farm => '"b"');
    $n->wait_data(qw( a c b ));
    $n->wait_notes($notes + 1);

    $n->$end;
    $n->up;
    is(data_of($n->events('farm')), 'b', "$name: deleted events are not back");
    is(data_of($n->events('cow')), 'c', "$name: the others are");
    is($n->said([ category => 'farm', last_id => $a ]),
       $end eq 'quit' ? 'b' : 'b missed', "$name: a deletion is no loss");

    # The next epoch knows of the deletion, too.

    $n->$end;
    $n->up;
    is(data_of($n->events('farm')), 'b',
       "$name: nor are they in the epoch after it");
    no_alerts($n, $name);
}

for my $end (qw( quit kill_all )) {
    my $name = "delete_on_read, $end";
    my $n = start(parameters => 'flush=100ms delete_on_read=on', workers => 2);

    $n->publish(farm => '"a"');
    $n->publish(cow => '"c"');
    $n->wait_data(qw( a c ));

    my $notes = $n->notes;

    is($n->said([ category => 'farm', since_time => 1 ]), 'a', "$name: taken");
    $n->wait_notes($notes + 1);

    $n->$end;
    $n->up;
    is($n->status('events')->{events}, 1, "$name: the event is not back");
    is($n->said([ category => 'cow', since_time => 1 ]), 'c',
       "$name: the other event is");
    no_alerts($n, $name);
}

for my $end (qw( quit kill_all )) {
    my $name = "inactive, $end";
    my $n = start(parameters => 'flush=100ms inactive=1s', workers => 1);

    $n->publish(farm => '"a"');
    $n->wait_data('a');
    wait_until('its removal', sub { $n->status('events')->{events} == 0 });
    $n->wait_notes(1);
    $n->$end;
    $n->configure(parameters => 'flush=100ms');
    $n->up;
    is($n->status('events')->{events}, 0, "$name: the event is not back");
    no_alerts($n, $name);
}


# Idempotency keys after an end.

for my $end (qw( quit kill_all )) {
    my $name = "a key, $end";
    my $durable = $end eq 'quit' ? '' : ' durable=on';
    my $n = start(parameters => "flush=1h$durable", workers => 2);

    my $a = $n->publish(farm => '"a"', key => 'one');
    my $b = $n->publish(farm => '"b"');

    my $body = '[{"category":"farm","data":"x"},{"category":"cow","data":"y"}]';
    my $y = $n->post('', '', key => 'many', body => $body)->response
              ->header('Longpoll-Event-Id');

    for my $epoch (1, 2) {
        $n->$end;
        $n->up;
        is($n->publish(farm => '"a2"', key => 'one'), $a,
           "$name: the key's first id, epoch $epoch");
        is($n->post('', '', key => 'many', body => $body)->response
             ->header('Longpoll-Event-Id'), $y,
           "$name: the last id of several, epoch $epoch");
        is(data_of($n->events('farm')), 'a b x', "$name: and stores nothing");
        is(data_of($n->events('cow')), 'y', "$name: nowhere");
    }

    isnt($n->publish(farm => '"c"', key => 'two'), $a, "$name: another key");
    isnt($n->publish(cow => '"c"', key => 'one'), $a,
         "$name: the key in another category");
    no_alerts($n, $name);
}


# Newer events evict older ones from the buffer, and are then deleted or read
# themselves.  After a kill the older ones may be there again if the newer ones
# were read: docs/operations.md, After a crash.

for my $case ((map { [ $_, 'deleted' ] } qw( quit term kill_all )),
              (map { [ $_, 'read' ] } qw( quit term )))
{
    my ($end, $gone) = @$case;
    my $name = "pushed out by what is $gone, $end";
    my $read = $gone eq 'read' ? ' delete_on_read=on' : '';
    my $n = start(parameters => "flush=50ms buffer=3$read", workers => 2);

    my $first = $n->publish(farm => 1);
    tick();
    $n->publish(farm => $_) for 2, 3;
    $n->wait_data(1, 2, 3);

    my $notes = $n->notes;

    $n->publish(farm => $_) for 4, 5;

    if ($read) {
        is(data_of($n->events('farm')), '3 4 5', "$name: the zone has these");
    } else {
        $n->forget('farm');
    }

    $n->publish(cow => '"behind"');
    $n->wait_line('behind');
    $n->wait_notes($notes + 1);

    for my $epoch (1, 2) {
        $n->$end;
        $n->up;
        is($n->said([ category => 'farm', since_time => 1 ],
                    [ category => 'farm', last_id => $first ]),
           join(' | ', 'timeout', 'timeout missed'),
           "$name: no event is back, cursors miss them, epoch $epoch");
    }

    $n->publish(farm => 6);
    $n->wait_line(6);
    $n->$end;
    $n->up;
    is(data_of($n->events('farm')), 6, "$name: a new event is");
    no_alerts($n, $name);
}


done_testing();
