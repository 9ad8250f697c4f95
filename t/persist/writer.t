# The writer is killed (-9) while eight clients publish, or nginx is reloaded.
# Another worker becomes the writer, and no event is lost or doubled.
#
# ROUNDS=10 is the number of kills.  SEED=... repeats the moments of a run.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use Test::More;
use Time::HiRes qw( time sleep );

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Persist qw( no_alerts wait_until );
use Longpoll::Publishers ();
use Longpoll::Timely qw( timely );

my $rounds = $ENV{ROUNDS} || 10;
my $seed = $ENV{SEED} || int rand 1e9;

srand $seed;
note("SEED=$seed");
$SIG{PIPE} = 'IGNORE';

sub start { Longpoll::Persist->start(@_) }

# what nginx may log as an alert here

my $killed = 'exited on signal 9|was locked by';


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
    no_alerts($n, $name, $killed);
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
    note("$name: " . $p->answered . ' answered');
    no_alerts($n, $name, $killed);
}


# The writer is stopped, and goes on later.

for my $round (1 .. 2) {
    my $name = "a writer that is stopped, $round";
    my $n = start(parameters => 'flush=1s durable=on buffer=1000', size => '2m',
                  workers => 2);
    my $p = Longpoll::Publishers->new($n, buffer => 1000, size => 300,
                                      again => 1);
    my $pid = $n->wait_writer;

    # not where it has the lock: then nobody else can do anything

    $p->run(0.1 + rand 0.2, sub {
        for (1 .. 20) {
            kill STOP => $pid;
            last if eval {
                $n->client->request(GET => '/status')->response(within => 5);
            };
            kill CONT => $pid;
        }
    });

    # Only the other worker accepts connections now.

    my $begin = time;
    my @posts = map { $n->post("s$_" => 1) } 1 .. 6;
    my @status = map { $_->response->status } @posts;

    cmp_ok(time - $begin, '<', $ENV{LONGPOLL_SLOW} ? 30 : 10,
           "$name: publishers are answered in 10 s");
    is(scalar(grep { !/^(?:200|503)$/ } @status), 0, "$name: by 200 or 503");

    kill CONT => $pid;
    $p->drain(20);
    wait_until('a writer that writes', sub {
        $n->post(ok => 1, key => 'ok')->response->status == 200;
    });

    for my $when ('', ' after a kill') {
        is(join("\n", $p->trouble), '', "$name: nothing is lost or doubled$when");

        my @got = map { scalar(() = $n->events("s$_")) } 1 .. 6;

        is("@got", join(' ', map { $_ == 200 ? 1 : 0 } @status),
           "$name: what was refused is not there$when");

        $n->kill_all;
        $n->up;
    }

    no_alerts($n, $name, $killed);
}


# nginx's own thread pool is small, and two zones write when nginx quits.

{
    my $name = 'a small thread pool';
    my $n = start(parameters => 'flush=1h durable=on', workers => 2,
                  main => "thread_pool default threads=1 max_queue=1;\n",
                  http => "longpoll_zone zone=other:1m persist=data/other "
                          . "durable=on;\n",
                  server => <<'_EOC_');
        location = /other { longpoll_publish other; }
        location = /polls { longpoll_subscribe other; }
_EOC_
    my (%acked, @trouble);

    for my $round (1 .. 5) {
        my @posts = map {
            my $uri = $_ % 2 ? '/publish' : '/other';
            [ $uri, "$round-$_", $n->post("c$_" => qq("$round-$_"),
                                          uri => $uri) ];
        } 1 .. 40;

        $n->quit;

        for my $post (@posts) {
            my ($uri, $data, $poll) = @$post;
            my $r = eval { $poll->response };

            $acked{$uri}{$data} = 1 if $r and $r->status == 200;
        }

        $n->up;
    }

    for my $uri ('/publish', '/other') {
        my $polls = $uri eq '/other' ? '/polls' : '/events';

        for my $data (keys %{ $acked{$uri} }) {
            my ($cat) = $data =~ /-(\d+)/;
            my @got = $n->client->request(
                GET => "$polls?category=c$cat&timeout=1&since_time=1")
                ->response->data;

            push @trouble, $data if 1 != grep { $_ eq $data } @got;
        }
    }

    cmp_ok(keys(%{ $acked{'/publish'} }) + keys(%{ $acked{'/other'} }), '>',
           $ENV{LONGPOLL_SLOW} ? 5 : 50, "$name: events were acknowledged");
    is("@trouble", '', "$name: each of them is there, once");
    unlike($n->log, qr/exited on signal/, "$name: no worker crashed");
    no_alerts($n, $name, $killed);
}


done_testing();
