# The writer makes a new base when most of a zone's log is dead.  All files of a
# zone together stay below 1 MB plus three times the lines of the live events,
# whatever is published, deleted or read; while a base is written they stay below
# 1 MB plus three times these and the DROP lines, which a base has, too.  A kill or a power cut at any call to
# the disk loses no event.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use Test::More;
use Time::HiRes qw( time sleep );

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Persist qw( data_of no_alerts wait_until );

plan skip_all => 'not built: build/persist/disk.so'
    unless Longpoll::Persist->disk_is_built;

$SIG{PIPE} = 'IGNORE';

sub start { Longpoll::Persist->start(@_) }
sub event { Longpoll::Persist::event(@_) }

sub publish_all {
    my ($n, $c, @events) = @_;

    my $r = $n->post('', '', client => $c,
                     body => '[' . join(',', @events) . ']')->response;

    die 'publish: ' . $r->body . "\n" unless $r->status == 200;
}


for my $parameters ('flush=100ms', 'flush=1h', 'flush=1s durable=on') {
    my $name = "published, $parameters";
    my $n = start(parameters => "$parameters buffer=20", size => '8m');
    my $c = $n->client;
    my $kb = 'x' x 1000;
    my $most = 0;
    my $renewed = 0;
    my $inode = (stat $n->file)[1] // 0;

    # The test publishes 20 MB, of which 5 * 20 events stay.  A line has about
    # 1,150 bytes.

    for my $i (1 .. 200) {
        publish_all($n, $c, map { event('c' . $_ % 5, qq("$i-$_-$kb")) }
                            1 .. 100);

        my $sum = $n->bytes;
        $most = $sum if $most < $sum;

        my $now = (stat $n->file)[1] // $inode;
        $renewed++ if $inode != $now;
        $inode = $now;
    }

    cmp_ok($most, '<', 1e6 + 3 * 100 * 1120, "$name: bounded");
    cmp_ok($renewed, '>', 2, "$name: by new files")
        if $parameters =~ /durable/;
    note("$name: $most bytes at most, $renewed new files seen");

    $parameters =~ /durable/ ? $n->kill_all : $n->quit;
    $n->up;

    for my $cat (0 .. 4) {
        is(data_of($n->events("c$cat")),
           join(' ', map { "200-$_-$kb" } grep { $_ % 5 == $cat } 1 .. 100),
           "$name: every live event is there, $cat");
    }

    no_alerts($n, $name);
}

# Small events need more bytes in the log than in the zone, and their categories
# have DROP lines of up to 66 bytes.  The writer must not make a base for that
# alone.  The test publishes as fast as it can.

for my $case ([ 'flush=100ms', 1 ], [ 'flush=1s durable=on', 1 ],
              [ 'flush=100ms', 100 ], [ 'flush=1s durable=on', 100 ])
{
    my ($parameters, $size) = @$case;
    my $name = "$size bytes, $parameters";
    my $n = start(parameters => "$parameters buffer=1", size => '32m');
    my $c = $n->client;
    my $most = 0;

    for my $round (1 .. 3) {
        for my $i (1 .. 20) {
            publish_all($n, $c, map { event("$i-$_", $round x $size) }
                                1 .. 1000);

            my $sum = $n->bytes;
            $most = $sum if $most < $sum;
        }
    }

    cmp_ok($most, '<', 1e6 + 3 * 20_000 * (101 + $size + 66),
           "$name: bounded while it is written");

    my $files = sub {
        return join ' ', map { $_, (stat)[1, 7] } glob $n->data . '/*';
    };

    wait_until('peace', sub {
        my $before = $files->();
        sleep 0.3;
        $before eq $files->();
    });
    pass("$name: the writer comes to rest");
    cmp_ok($n->bytes, '<', 1e6 + 3 * 20_000 * (101 + $size),
           "$name: bounded at rest");
    note("$name: $most bytes at most, ", $n->bytes, ' at rest');

    $n->quit;
    $n->up;
    is($n->status('events')->{events}, 20_000, "$name: all events are there");
    no_alerts($n, $name);
}

for my $how (qw( deleted taken )) {
    my $name = $how;
    my $n = start(parameters => 'flush=100ms buffer=1000'
                                . ($how eq 'taken' ? ' delete_on_read=on' : ''),
                  size => '8m');
    my $c = $n->client;
    my $most = 0;

    $n->publish(keep => '"keep"');

    for my $i (1 .. 60) {
        publish_all($n, $c, map { event('farm', qq("$i-$_")) } 1 .. 1000);

        if ($how eq 'deleted') {
            $n->forget('farm');
        } else {
            my $r = $c->request(GET => '/events?category=farm&timeout=1'
                                       . '&since_time=1')->response;
            is(scalar(() = $r->data), 1000, "$name: taken") if $i == 60;
        }

        my $sum = $n->bytes;
        $most = $sum if $most < $sum;
        sleep 0.02;
    }

    cmp_ok($most, '<', 1e6, "$name: bounded");
    note("$name: $most bytes at most");
    wait_until('all written', sub {
        my $size = $n->bytes;
        sleep 0.3;
        $size == $n->bytes;
    });
    $n->kill_all;
    $n->up;
    is($n->status('events')->{events}, 1, "$name: no dead event is back");
    no_alerts($n, $name);
}


# A base has what each category lost.

{
    my $name = 'what was lost';
    my $n = start(parameters => 'flush=100ms durable=on buffer=2',
                  size => '2m');
    my $big = 'x' x 100_000;

    my @id = map { $n->publish(farm => qq("f$_")) } 1 .. 4;
    my $cow = $n->publish(cow => '"c1"');

    $n->publish(cow => '"c2"');
    $n->wait_writer;
    $n->wait_line('c2');

    my $inode = (stat $n->file)[1];

    wait_until('a new file', sub {
        $n->publish(pig => qq("$big"));
        (stat $n->file)[1] != $inode;
    });

    # A clean end would write the losses once more, so nginx is killed.

    $n->kill_all;
    $n->up;
    is($n->said([ category => 'farm', last_id => $id[0] ],
                [ category => 'farm', last_id => $id[1] ],
                [ category => 'farm', last_id => $id[2] ],
                [ category => 'cow', last_id => $cow ]),
       'f3 f4 missed | f3 f4 | f4 | c2', "$name: the zone knows it exactly");
    no_alerts($n, $name);
}


# nginx is killed, or loses its power, at each call to the disk in turn.

for my $cut ('', 'names', 'files') {
    my $name = $cut ? "a power cut ($cut) at every call"
                    : 'killed at every call';
    my $n = start(parameters => 'flush=1h durable=on buffer=1', size => '2m',
                  workers => 1, disk => 'shadow');
    my $big = 'x' x 100_000;
    my @trouble;
    my $came = 0;
    my @calls = grep { !$cut or $_ % 3 == ($cut eq 'names') } 1 .. 36;

    for my $k (@calls) {
        my $k1 = $n->publish(keep => '"k1"');

        $n->publish(other => '"k0"');
        $n->publish(keep => '"k2"');
        $n->set_disk(when => $k, victim => $n->master);

        my $acked = '';
        my $sent = '';

        for my $i (1 .. 40) {
            $sent = "$i-$big";
            my $r = eval { $n->post(farm => qq("$sent"))->response };
            last unless $r and $r->status == 200;
            $acked = $sent;
        }

        # The call may come between two publishes, while the writer makes a base:
        # then no publish fails, and the counter of calls shows that it came.

        $came++ if $n->disk('when') <= 0;
        $n->set_disk(when => 0, victim => 0);
        $cut ? $n->power_cut($cut) : $n->kill_all;
        $n->up;

        my $farm = data_of($n->events('farm'));
        my $keep = $n->said([ category => 'keep', last_id => $k1 ]);

        push @trouble, "$k: farm is lost"
            unless $farm eq $acked or $farm eq $sent;
        push @trouble, "$k: keep is '$keep'" unless $keep eq 'k2';
        push @trouble, "$k: other is lost"
            unless data_of($n->events('other')) eq 'k0';
        last if @trouble;

        # The next round begins with an empty zone.

        $n->kill_all;
        unlink glob $n->data . '/*';
        $n->up;
    }

    is(join("\n", @trouble), '', "$name: nothing is lost");
    is($came, scalar @calls, "$name: the kill came each time");
    is(join('', grep { !/signal 9|was locked by|bind/ } $n->alerts), '',
       "$name: no alerts");
}


done_testing();
