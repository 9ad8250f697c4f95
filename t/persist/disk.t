# A disk that is slow, full or read-only, and files that somebody moves, cuts or
# deletes under a running nginx.  t/faults/disk.c simulates the disk.

use strict;
use warnings;

use Cwd qw( abs_path );
use Errno qw( EBUSY EIO ENOSPC EROFS );
use File::Basename qw( dirname );
use Test::More;
use Time::HiRes qw( time sleep );

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Persist qw( data_of no_alerts wait_until );
use Longpoll::Timely qw( timely );

plan skip_all => 'not built: build/persist/disk.so'
    unless Longpoll::Persist->disk_is_built;

$SIG{PIPE} = 'IGNORE';

sub start { Longpoll::Persist->start(disk => 1, @_) }

sub in_file { join ' ', map { $_->{data} } $_[0]->lines }

# The lines of the log, without time and pid.

sub logged {
    my ($n, $pattern) = @_;

    return grep { /longpoll zone/ and /$pattern/ } split /^/, $n->log;
}


# Each fsync is slow.

{
    my $name = 'a slow disk';
    my $n = start(parameters => 'flush=1h durable=on', workers => 2,
                  http => "longpoll_zone zone=other:1m;\n",
                  server => <<'_EOC_');
        location = /other { longpoll_publish other; longpoll_subscribe other; }
_EOC_

    my $first = $n->publish(farm => '"a"');
    $n->wait_writer;
    $n->set_disk(delay => 2000);

    my $parked = $n->poll(category => 'farm', last_id => $first,
                          timeout => 10);
    $n->wait_waiting(1);

    # The event waits for the disk, and no poll may see it.

    my $begin = time;
    my $b = $n->post(farm => '"b"');
    my $early = $n->poll(category => 'farm', last_id => $first, timeout => 10);

    my $other = $n->post(farm => 1, uri => '/other')->response;
    my $read = $n->client->request(
        GET => '/other?category=farm&since_time=1&timeout=1')->response;
    my $took = time - $begin;

    is($read->kind, 'events', "$name: a poll in another zone is answered");
    cmp_ok($took, '<', 1.9, "$name: and does not wait for the disk");

    my $answer = $b->response;

    cmp_ok($answer->at - $begin, '>=', 1.99,
           "$name: the publisher waits for the disk");
    is($answer->body, '{"success": true}', "$name: and gets the usual answer");
    ok($answer->header('Longpoll-Event-Id'), "$name: with the id");

    for my $poll ($parked, $early) {
        my $r = $poll->response;

        is(join(' ', $r->data), 'b', "$name: a poll gets the event");
        cmp_ok($r->at - $begin, '>=', 1.99,
               "$name: but not before it is on disk");
    }

    # The timestamp of a time-out answer is never later than a waiting event.

    my $poll = $n->poll(category => 'farm', timeout => 1,
                        last_id => $answer->header('Longpoll-Event-Id'));
    $n->wait_waiting(1);
    $n->set_disk(delay => 3000);

    my $c = $n->post(farm => '"c"');
    my $r = $poll->response;

    is($r->kind, 'timeout', "$name: a poll does not get the event yet");

    my $late = $n->poll(category => 'farm', timeout => 10,
                        since_time => $r->timestamp);

    is($c->response->status, 200, "$name: the event is on disk");
    is(join(' ', $late->response->data), 'c',
       "$name: later than the time-out's timestamp");

    # Many publishers share a few fsyncs.

    $n->set_disk(delay => 300);

    my $published = 3;

    $took = timely(2, sub {
        my $syncs = $n->disk('syncs');
        my $begin = time;
        my @posts = map { $n->post(cow => $_) } 1 .. 40;

        is(scalar(grep { $_->response->status == 200 } @posts), 40,
           "$name: forty publishers");
        cmp_ok($n->disk('syncs') - $syncs, '<=', 4,
               "$name: share a few fsyncs");
        $published += @posts;
        return time - $begin;
    });

    cmp_ok($took, '<', 2, "$name: and wait for one or two of them");
    is($n->status('events')->{published}, $published,
       "$name: all events are counted");

    # A publisher leaves before it has its answer.

    my $gone = $n->post(cow => '"gone"');
    $n->post(cow => '"after"')->response;
    $n->set_disk(delay => 600);
    my $going = $n->post(pig => '"going"');
    sleep 0.05;
    $going->close;
    is($n->post(pig => '"stays"')->response->status, 200,
       "$name: a publisher leaves, another is answered");
    is(data_of($n->events('pig')), 'going stays',
       "$name: the event of the first stays");

    # A quit waits for the accepted events, but not for ever.

    $n->set_disk(delay => 300);
    my $last = $n->post(pig => '"last"');
    wait_until('it waits', sub {
        $n->status('events')->{events}
            == $n->status('events')->{published} + 1;
    });
    $n->quit;
    is($last->response->status, 200, "$name: a quit answers the publisher");
    $n->set_disk(delay => 0);
    $n->up;
    is(data_of($n->events('pig')), 'going stays last',
       "$name: all events are there");
    no_alerts($n, $name);
}


# The disk is full, without durable.

{
    my $name = 'a full disk';
    my $n = start(parameters => 'flush=100ms', workers => 2);

    my $first = $n->publish(farm => '"a"');
    $n->wait_data('a');

    # A part of the next event fits.

    $n->set_disk(room => 1 + 50);
    $n->publish(farm => '"b"');
    $n->wait_log('events are not on disk');
    is(in_file($n), 'a', "$name: no torn event");
    is($n->publish(farm => '"c"') && data_of($n->events('farm')), 'a b c',
       "$name: nginx still serves all events");

    my $calls = $n->disk('calls');
    sleep 1;

    cmp_ok($n->disk('calls') - $calls, '>=', 5, "$name: the writer retries");
    cmp_ok($n->disk('calls') - $calls, '<=', 60, "$name: but not all the time");
    is(scalar(logged($n, 'not on disk')), 1, "$name: the log says so once");

    my $disk = $n->status('events')->{disk};

    is($disk->{ok} ? 'ok' : 'not ok', 'not ok', "$name: the status says so");
    cmp_ok($disk->{failures}, '>=', 5, "$name: and counts the failures");
    cmp_ok($disk->{lag_ms}, '>=', 1000, "$name: and says for how long");

    $n->set_disk(room => 0);
    $n->wait_data(qw( a b c ));
    $n->wait_log('has all events again');
    is(scalar(logged($n, 'has all events again')), 1,
       "$name: the log names the end once");
    wait_until('all is well', sub {
        $disk = $n->status('events')->{disk};
        $disk->{ok} and $disk->{lag_ms} == 0 and $disk->{bytes} == $n->bytes;
    });
    pass("$name: then all is well");

    $n->quit;
    $n->up;
    is($n->said([ category => 'farm', last_id => $first ]), 'b c',
       "$name: nothing is lost");

    # The disk is full when nginx quits, after it has written events in this
    # epoch.

    $n->publish(cow => '"x"');
    $n->wait_data(qw( a b c x ));
    $n->set_disk(error => ENOSPC);
    $n->publish(farm => '"d"');
    $n->wait_log('events are not on disk', 2);
    $n->quit;
    $n->set_disk(error => 0);
    $n->up;
    is($n->said([ category => 'farm', last_id => $first ]), 'b c missed',
       "$name: d is lost, and a cursor before it misses d");
    no_alerts($n, $name);
}


# The disk is full, with durable=on.

{
    my $name = 'a full disk, durable=on';
    my $n = start(parameters => 'flush=200ms durable=on', workers => 2);

    my $first = $n->publish(farm => '"a"');
    my $parked = $n->poll(category => 'farm', last_id => $first,
                          timeout => 10);

    $n->wait_waiting(1);
    $n->set_disk(room => 1 + 50);

    my $r = $n->post(farm => '"b"')->response;

    is($r->status, 503, "$name: refused");
    like($r->body, qr/^\{"error": "[^"]+"\}$/, "$name: in JSON");
    ok(!defined $r->header('Longpoll-Event-Id'), "$name: without an id");
    is(in_file($n), 'a', "$name: no torn event");
    is($n->post(farm => '"c"')->response->status, 503, "$name: again");
    is($n->said([ category => 'farm', since_time => 1 ]), 'a',
       "$name: no poll gets the refused events");

    my $status = $n->status('events');

    is($status->{published}, 1, "$name: they do not count as published");
    is($status->{refused}, 2, "$name: but as refused");
    is($status->{events}, 1, "$name: and are not in the zone");
    is($status->{disk}{ok} ? 'ok' : 'not ok', 'not ok',
       "$name: the status says why");
    is(scalar(logged($n, 'not on disk')), 1, "$name: the log says so once");

    my $calls = $n->disk('calls');
    sleep 1;
    cmp_ok($n->disk('calls') - $calls, '<=', 60,
           "$name: the writer does not retry all the time");

    $n->set_disk(room => 0);

    my $d = $n->publish(farm => '"d"');

    my $answer = $parked->response;

    is($answer->kind eq 'events' ? join(' ', $answer->data) : $answer->kind,
       'd', "$name: the disk has room, a parked poll gets the next event");
    $n->wait_log('has all events again');
    is(scalar(logged($n, 'has all events again')), 1, "$name: logged once");

    # A quit does not wait for a full disk.  Events that were deleted meanwhile
    # may return.

    $n->set_disk(error => ENOSPC);
    $n->forget('cow');
    $n->forget('farm');
    is($n->post(farm => '"e"')->response->status, 503, "$name: full again");

    my $begin = time;

    $n->quit;
    cmp_ok(time - $begin, '<', 2,
           "$name: nginx quits without waiting for the disk");
    $n->set_disk(error => 0);
    $n->up;
    is($n->said([ category => 'farm', last_id => $first ],
                [ category => 'farm', last_id => $d ]), 'd | timeout',
       "$name: nothing acknowledged was lost");
    no_alerts($n, $name);
}


# The disk fails for a while.  A segment on which a call failed is not written
# again, as its next fsync proves nothing.

for my $durable ('', ' durable=on') {
    my $name = "a bad disk$durable";
    my $n = start(parameters => "flush=100ms$durable", workers => 2);

    $n->wait_writer_idle;
    $n->publish(farm => '"a"');
    $n->wait_data('a');
    wait_until('a is synced', sub {
        $n->status('events')->{disk}{lag_ms} == 0;
    });

    my ($segment) = ($n->segments)[-1];

    $n->set_disk(error => EIO);

    my $r = $n->post(farm => '"b"')->response;

    is($r->status, $durable ? 503 : 200, "$name: a publish");
    $n->wait_log('events are not on disk');
    ok(!$n->status('events')->{disk}{ok}, "$name: the status says so");

    my $was = -s $segment;

    wait_until('some tries', sub {
        $n->status('events')->{disk}{failures} >= 3;
    });
    $n->set_disk(error => 0);
    wait_until('written', sub {
        $n->post(farm => '"c"', key => 'c')->response->status == 200;
    });
    $n->wait_data('a', ($durable ? () : 'b'), 'c');
    is(-s $segment, $was, "$name: the old segment is left alone");
    is(scalar(logged($n, 'failed')), 1, "$name: logged once");
    wait_until('all is well', sub { $n->status('events')->{disk}{ok} });
    $n->kill_all;
    $n->up;
    is(data_of($n->events('farm')), join(' ', 'a', ($durable ? () : 'b'), 'c'),
       "$name: nothing is lost");
    no_alerts($n, $name);
}


# The disk is read-only when nginx starts.

for my $durable ('', ' durable=on') {
    my $name = "read only$durable";
    my $n = start(parameters => "flush=200ms$durable", workers => 2);

    $n->publish(farm => '"a"');
    $n->quit;
    $n->set_disk(error => EROFS);
    $n->up;

    my @said;
    my $parked = $n->poll(category => 'farm', since_time => 1);

    is(join(' ', $parked->response->data), 'a',
       "$name: a poll gets the events of the file");

    my $r = $n->post(farm => '"b"')->response;

    is($r->status, $durable ? 503 : 200, "$name: a publish");
    sleep 0.5;
    is(scalar(logged($n, 'not on disk')), 1, "$name: logged once");

    $n->set_disk(error => 0);
    wait_until('written', sub {
        my $r = $n->post(farm => '"c"', key => 'c')->response;
        $r->status == 200;
    });
    $n->wait_data('a', ($durable ? () : 'b'), 'c');
    no_alerts($n, $name);
}


# PATH.new cannot be made, or not renamed: events are on disk all the same.
# However often the writer tries, the log says so once.

my %rigid = (
    'no new files' => [ 'open',
        sub { mkdir $_[0]->file('.new') or die "mkdir: $!\n" },
        sub { rmdir $_[0]->file('.new') } ],
    'no renaming' => [ 'rename',
        sub { $_[0]->set_disk(rename => EBUSY) },
        sub { $_[0]->set_disk(rename => 0) } ],
);

for my $name (sort keys %rigid) {
    my ($call, $break, $mend) = @{ $rigid{$name} };
    my $n = start(parameters => 'flush=100ms durable=on buffer=2',
                  workers => 1);

    $n->publish(farm => '"a"');
    $n->wait_writer_idle;
    $break->($n);

    my $inode = (stat $n->file)[1];

    # Most of these events are soon dead, so the writer wants a new base.

    my $big = 'x' x 3000;

    for (1 .. 400) {
        $n->publish(farm => qq("$big"));
    }

    $n->wait_log("$call" . '\(\S+new"\) failed');
    $n->publish(farm => $_) for 1 .. 20;
    wait_until('several tries', sub {
        $n->status('events')->{disk}{failures} > 3;
    });
    cmp_ok(scalar(() = $n->segments), '<', 8,
           "$name: tries are rare, as each takes a segment");
    is(scalar(logged($n, 'failed')), 1, "$name: logged once");
    like((logged($n, 'failed'))[0],
         qr/events are on disk, but their files cannot be made smaller/,
         "$name: as what it is");
    ok($n->status('events')->{disk}{ok}, "$name: the status is well");
    is((stat $n->file)[1], $inode, "$name: PATH is the old one");

    $mend->($n);
    wait_until('a new PATH', sub { (stat $n->file)[1] != $inode });
    wait_until('small files', sub { $n->bytes < 1e6 });
    pass("$name: then the files become smaller");
    $n->kill_all;
    $n->up;
    is(data_of($n->events('farm')), '19 20', "$name: nothing is lost");
    no_alerts($n, $name);
}


# The last round is slow while the other worker ends.  The worker that ends last
# takes over from the writer.  Chance decides which of the two is the writer.

{
    my $name = 'a writer that ends slowly';
    my $n = start(parameters => 'flush=1h', workers => 2);
    my ($written, @ids, @want);

    for my $round (1 .. 8) {
        $n->wait_writer_idle;
        push @ids, $n->publish(farm => qq("$round"));
        push @want, $round;

        $n->set_disk(delay => 200);
        $n->quit;
        $n->set_disk(delay => 0);

        $written = in_file($n);
        $n->up;
        last if $written ne "@want";
    }

    is($written, "@want", "$name: the log has all events");
    is($n->said([ category => 'farm', last_id => $ids[0] ]),
       "@want[1 .. $#want]", "$name: and nothing missed");
    no_alerts($n, $name);
}


# Somebody else moves, cuts or deletes the files.

my %harm = (
    'moved away' => sub { rename $_[0]->file, $_[0]->file('.old') },
    'deleted'    => sub { unlink $_[0]->file },
    'emptied'    => sub { truncate $_[0]->file, 0 },
    'cut'        => sub { truncate $_[0]->file, 100 },
    'replaced'   => sub { rename $_[0]->file, $_[0]->file('.old');
                          $_[0]->spew("hello\n") },
    'its segment deleted' => sub { unlink $_[0]->segments },
    'its segment emptied' => sub { truncate $_, 0 for $_[0]->segments },
    'all deleted' => sub { unlink glob $_[0]->data . '/*' },
);

for my $durable ('', ' durable=on') {
    for my $harm (sort keys %harm) {
        my $name = "$harm$durable";
        my @all = $harm =~ /moved|segment|cut/ ? qw( a b c ) : qw( a b );
        my ($n, $first);

        my $took = timely(1, sub {
            $n = start(parameters => "flush=200ms$durable", workers => 2);
            $n->wait_writer_idle;
            $first = $n->publish(farm => '"a"');
            $n->publish(farm => '"b"');
            $n->wait_data(qw( a b ));
            $n->wait_writer_idle;

            $harm{$harm}->($n);
            my $begin = time;

            # The writer notices it with a publish or without one.

            $n->publish(farm => '"c"') if @all == 3;
            $n->wait_log('was removed, replaced or cut');
            $n->wait_data(@all);
            wait_until('a base', sub { $n->raw =~ /\A#\{"base".*\n/ });
            return time - $begin;
        });

        cmp_ok($took, '<', 1, "$name: the writer mends the log within flush");
        is(scalar(logged($n, 'was removed, replaced or cut')), 1,
           "$name: logged once");
        is(join(' ', grep { !/\.(?:\d+|old)$/ } $n->names),
           $harm =~ /replaced|^cut/ ? 'events events.bad' : 'events',
           "$name: there are no other files");
        is($n->raw('.bad'), "hello\n", "$name: what was not ours is kept")
            if $harm eq 'replaced';

        my $end = $durable ? 'kill_all' : 'quit';
        $n->$end;
        $n->up;
        is($n->said([ category => 'farm', last_id => $first ]),
           join(' ', @all[1 .. $#all]), "$name: nothing is lost");
        no_alerts($n, $name);
    }
}


# A segment that is not the last one, which the writer itself never touches.

{
    my $name = 'an earlier segment is cut';
    my $n = start(parameters => 'flush=200ms durable=on', workers => 2);

    $n->wait_writer_idle;
    $n->publish(farm => '"a"');

    # The next writer finds bytes that nobody has heard of, and begins another.

    my ($first) = $n->segments;
    my $text = Longpoll::Persist::slurp($first);

    Longpoll::Persist::write_file($first, "${text}junk\n");
    kill KILL => $n->wait_writer;
    $n->publish(farm => '"b"');
    is(scalar(() = $n->segments), 2, "$name: there are two");

    $n->publish(farm => '"c"');
    truncate $first, 0;
    $n->wait_log('was removed, replaced or cut');
    wait_until('a base', sub { !-e $first });
    $n->kill_all;
    $n->up;
    is(data_of($n->events('farm')), 'a b c', "$name: no event is lost");
}


done_testing();
