# All processes of nginx are killed (-9) at a random moment while eight clients
# publish, and nginx is started again.  Every acknowledged event is there, once,
# and "missed" is as docs/protocol.md demands.  A power cut (t/faults/disk.c)
# has the same promise.
#
# ROUNDS=10 is the number of rounds, some cases have half as many.  SEED=...
# repeats the moments of a run.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use Test::More;
use Time::HiRes qw( time sleep );

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Oracle ();
use Longpoll::Persist qw( no_alerts );
use Longpoll::Publishers ();

my $rounds = $ENV{ROUNDS} || 10;
my $seed = $ENV{SEED} || int rand 1e9;

srand $seed;
note("SEED=$seed");
$SIG{PIPE} = 'IGNORE';

sub start { Longpoll::Persist->start(@_) }

# what nginx may log as an alert here

my $killed = 'exited on signal 9|was locked by';


# All processes.

for my $cut ('', 'names', 'files') {
    next if $cut and !Longpoll::Persist->disk_is_built;

    my $name = $cut ? "durable=on, a power cut ($cut)" : 'durable=on, kill -9';
    my $n = start(parameters => 'flush=1s durable=on buffer=100', size => '2m',
                  workers => 2, disk => $cut && 'shadow');
    my $p = Longpoll::Publishers->new($n, buffer => 100, size => 300);
    my @trouble;
    my $first = $n->publish(cow => '"first"');

    for my $round (1 .. ($cut ? int(($rounds + 1) / 2) : $rounds)) {
        $p->run(0.15 + rand 0.5, sub {
            $cut ? $n->power_cut($cut) : $n->kill_all;
        });
        $p->forget;
        $n->up;
        push @trouble, map { "round $round: $_" } $p->trouble(settle => 1);
        last if @trouble;
    }

    is($n->said([ category => 'cow', last_id => $first ]), 'timeout',
       "$name: a cursor without losses misses nothing");

    is(join("\n", @trouble), '', "$name: nothing is lost or doubled");
    cmp_ok($p->answered, '>', 100, "$name: of very many events");
    note("$name: " . $p->answered . ' answered');
    no_alerts($n, $name, $killed);
}

for my $cut ('', 'names') {
    next if $cut and !Longpoll::Persist->disk_is_built;

    my $name = $cut ? "flush=1s, a power cut" : 'flush=1s, kill -9';
    my $n = start(parameters => 'flush=1s buffer=100', size => '2m',
                  workers => 2, disk => $cut && 'shadow');
    my $p = Longpoll::Publishers->new($n, buffer => 100, size => 300);
    my @trouble;

    for my $round (1 .. int(($rounds + 1) / 2)) {
        my $killed;
        my $old = $n->publish(cow => qq("old$round"));
        my $since = Longpoll::Oracle::id_ms($old);

        $p->run(0.3 + rand 2, sub {
            $killed = time;
            $cut ? $n->power_cut($cut) : $n->kill_all;
        });
        $p->forget;
        $n->up;
        push @trouble, map { "round $round: $_" }
                       $p->trouble(settle => 1, since => $killed - 1);

        my $new = $n->publish(cow => qq("new$round"));
        my @said = $n->said([ category => 'cow', last_id => $old ],
                            [ category => 'cow', since_time => $since ],
                            [ category => 'none', since_time => $since ],
                            [ category => 'cow', last_id => $new ],
                            [ category => 'cow', since_time => 1 ]);

        push @trouble, "round $round: not missed: $_"
            for grep { !/missed/ } @said[0 .. 2];
        push @trouble, "round $round: missed: $_"
            for grep { /missed/ } @said[3, 4];
        last if @trouble;
    }

    is(join("\n", @trouble), '',
       "$name: nothing older than a second is lost, or doubled");
    note("$name: " . $p->answered . ' answered');
    no_alerts($n, $name, $killed);
}


done_testing();
