# The writer is killed (-9) while eight clients publish, or nginx is reloaded.
# Another worker becomes the writer, and no event is lost or written twice.
#
# ROUNDS=10 is the number of kills.  SEED=... repeats the moments of a run.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use Test::More;
use Time::HiRes qw( time sleep );

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Persist qw( wait_until );
use Longpoll::Publishers ();
use Longpoll::Timely qw( timely );

my $rounds = $ENV{ROUNDS} || 10;
my $seed = $ENV{SEED} || int rand 1e9;

srand $seed;
note("SEED=$seed");
$SIG{PIPE} = 'IGNORE';

sub start { Longpoll::Persist->start(@_) }

sub no_alerts {
    my ($n, $name) = @_;

    my @alerts = grep { !/exited on signal 9|was locked by/ } $n->alerts;

    is(join('', @alerts), '', "$name: no alerts");
}


# Only the writer is killed, and another worker takes over.

for my $durable (0, 1) {
    my $name = $durable ? 'the writer, durable=on' : 'the writer, flush=200ms';
    my $n = start(parameters => $durable ? 'flush=1s durable=on buffer=100'
                                         : 'flush=200ms buffer=100',
                  size => '2m', workers => 2);
    my $p = Longpoll::Publishers->new($n, buffer => 100, size => 300,
                                      again => 1);
    my $longest = 0;
    my $kill = sub {
        my $pid = $n->wait_writer;

        $p->run(0.05 + rand 0.3, sub { kill KILL => $pid });

        my $at = time;
        my $before = $p->answered;

        if ($durable) {
            $p->turn(0.05, 1) while $p->answered < $before + 8
                                    and time < $at + 10;
        } else {
            $p->turn(0.05, 1) while (($n->writer // $pid) == $pid)
                                    and time < $at + 10;
        }

        my $took = time - $at;
        wait_until('two workers', sub { 2 == (() = $n->workers) });
        return $took;
    };

    for my $round (1 .. $rounds) {
        my $took = timely(2, $kill);
        $longest = $took if $longest < $took;
    }

    cmp_ok($longest, '<', 2, "$name: it goes on within about a second");
    note(sprintf "$name: %.2f s at most, %d answered", $longest, $p->answered);
    $p->drain;
    is(join("\n", $p->trouble), '', "$name: nothing is lost so far");

    $durable ? $n->kill_all : $n->quit;
    $n->up;
    is(join("\n", $p->trouble), '', "$name: nothing is lost afterwards");

    my %seen;
    my @doubled = grep { $seen{ $_->{id} }++ } $n->lines;

    is(scalar @doubled, 0, "$name: nothing stands twice in the file");
    no_alerts($n, $name);
}


# nginx is reloaded.

for my $parameters ('flush=100ms', 'flush=1h', 'flush=1s durable=on') {
    my $name = "reloads, $parameters";
    my $n = start(parameters => "$parameters buffer=100", size => '2m',
                  workers => 2);
    my $p = Longpoll::Publishers->new($n, buffer => 100, size => 300,
                                      again => 1);
    my $first = $n->publish(cow => '"first"');

    for my $round (1 .. 6) {
        my @old = $n->workers;
        my %old = map { $_ => 1 } @old;

        $p->run(0.05 + rand 0.2, sub { kill HUP => $n->master });

        my $end = time + 10;
        $p->turn(0.02, 1) while time < $end
            and grep { $old{$_} } $n->workers;
    }

    $p->drain;
    is(join("\n", $p->trouble), '', "$name: nothing is lost or doubled");
    is($p->refused, 0, "$name: nor refused");
    $parameters =~ /durable/ ? $n->kill_all : $n->quit;
    $n->up;
    is(join("\n", $p->trouble), '', "$name: nor afterwards");
    is($n->said([ category => 'cow', last_id => $first ]), 'timeout',
       "$name: nor missed");

    my %seen;

    is(scalar(grep { $seen{ $_->{id} }++ } $n->lines), 0,
       "$name: nothing stands twice in the file");
    note("$name: " . $p->answered . ' answered');
    no_alerts($n, $name);
}


done_testing();
