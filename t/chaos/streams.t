# 300 streams while workers are reloaded and killed: each stream has each event
# of its categories once and in order, over all its connections; and those that
# a leaving worker ends do not come back in one burst.
#
#     STREAMS=n   how many, 300
#     RELOADS=n   how many, 20
#     KILLS=n     how many, 10

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use List::Util qw( max min sum );
use Test::More;
use Time::HiRes qw( time );

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Client ();
use Longpoll::Numbers ();
use Longpoll::Server ();
use Longpoll::Streams ();

my $n = $ENV{STREAMS} || 300;
my $reloads = $ENV{RELOADS} || 20;
my $kills = $ENV{KILLS} || 10;
my $drain = 1;

srand($ENV{SEED} || 1);

sub begin {
    my (%o) = @_;

    my $heartbeat = $o{heartbeat} // '300ms';
    my $size = $o{size} // '1m';
    my $server = Longpoll::Server->start(
        http => "longpoll_zone zone=events:32m buffer=100000 $o{zone};\n"
                . "longpoll_drain ${drain}s;\n" . ($o{http} // ''),
        server => <<'_EOC_' . <<"_EOC_", %{ $o{server} || {} });
        keepalive_requests 100000;
        location = /publish {
            longpoll_publish events;
            add_header Pid $pid;
        }
_EOC_
        location = /events {
            longpoll_subscribe events;
            longpoll_heartbeat $heartbeat;
            longpoll_max_response_size $size;
        }
_EOC_

    return ($server, Longpoll::Streams->new(port => $server->port));
}

# Streams of one to three categories.

sub crowd {
    my ($streams, $count, %o) = @_;

    for (1 .. $count) {
        my %cats = map { int(rand 6) => 1 } 1 .. 1 + int rand 3;

        $streams->open('/events?' . join('&', map { "category=c$_" }
                                              sort keys %cats),
                       first => 1, %o);
    }

    $streams->until('all are open', sub { all_open($streams) });
}

sub all_open {
    my ($streams) = @_;
    return !grep { !$_->{open} or $_->{begins} } $streams->all;
}

sub all_have {
    my ($streams, $count) = @_;
    return !grep { $_->{got} < $count } $streams->all;
}

# Turns for so many seconds.

sub run {
    my ($streams, $seconds) = @_;

    my $end = time + $seconds;
    $streams->turn($end - time < 0.02 ? $end - time : 0.02) while time < $end;
}

# All streams have the last number of each of their categories.

sub complete {
    my ($streams, %last) = @_;

    eval {
        $streams->until('every stream at the end', sub {
            for my $s ($streams->all) {
                for my $cat ($s->{uri} =~ /category=(\w+)/g) {
                    return 0 if ($s->{next}{$cat} // 1) != $last{$cat} + 1;
                }
            }
            1;
        }, 20);
        1;
    } or do {
        diag($@);
        my @behind = grep { my $s = $_;
            grep { ($s->{next}{$_} // 1) != $last{$_} + 1 }
                 $s->{uri} =~ /category=(\w+)/g } $streams->all;
        diag(scalar(@behind) . " are behind, such as $behind[0]{n} $behind[0]{uri}: "
             . join ' ', map { "$_=" . ($behind[0]{next}{$_} // 'none') . "/$last{$_}" }
               $behind[0]{uri} =~ /category=(\w+)/g);
        return 0;
    };
}


subtest 'traffic, reloads, kills' => sub {
    my ($server, $streams) = begin(zone => '');

    crowd($streams, $n);

    my @publishers = map {
        Longpoll::Numbers->start(port => $server->port, pause => 0.04,
                                 size => 200, cats => $_)
    } [qw( c0 c1 c2 )], [qw( c3 c4 c5 )];

    my @bursts;
    my $seconds = 0;

    for my $i (1 .. $reloads) {
        my @old = $server->workers;
        my $from = time;

        kill HUP => $server->master;
        run($streams, $drain + 0.6);

        my %now = map { $_ => 1 } $server->workers;

        run($streams, 0.05), %now = map { $_ => 1 } $server->workers
            while grep { $now{$_} } @old and time < $from + 3;
        $seconds = max($seconds, time - $from);

        my @ends = map { $_->[0] } grep { $_->[0] > $from }
                   map { @{ $_->{ends} } } $streams->all;
        my %tenth;

        $tenth{ int(10 * ($_ - $from)) }++ for @ends;
        push @bursts, [ scalar @ends, max(values %tenth, 0),
                        @ends ? max(@ends) - min(@ends) : 0 ];

        if ($i * $kills / $reloads > $i - 1 and $i <= $kills) {
            my @pids = $server->workers;
            kill KILL => $pids[rand @pids];
            run($streams, 0.5);
        }
    }

    note(join ' ', map { sprintf '%d/%d/%.1f', @$_ } @bursts);
    ok(!(grep { $_->[0] < 0.5 * $n } @bursts), 'a reload ends all streams');
    ok(!(grep { $_->[1] > 0.35 * $n } @bursts),
       'no tenth of a second has a third of the ends');
    ok(!(grep { $_->[2] < 0.6 * $drain } @bursts),
       'the ends are spread over the drain');
    cmp_ok($seconds, '<', $drain + 2, 'no old worker stays');

    my %last;

    for my $p (@publishers) {
        my $sent = $p->end;
        $last{$_} = $sent for @{ $p->{cats} };
    }

    note(join ' ', map { "$_=$last{$_}" } sort keys %last);
    ok(complete($streams, %last), 'each stream has all its events');
    is(join("\n", $streams->faults), '', 'once, in order, in whole frames');
    is(sum(map { $_->{missed} } $streams->all), 0, 'and missed none');

    my @ends = map { @{ $_->{ends} } } $streams->all;

    note(scalar(@ends) . ' ends, ' . grep { $_->[1] eq 'cut' } @ends);
    is(join('', grep { !/exited on signal 9|was locked by/ } $server->alerts),
       '', 'the error log has only the kills');

    $streams->close($_) for $streams->all;
    $server->wait_waiting(0);
};

# What only another event would wake must not be waited for: no heartbeats.

subtest 'each event comes by its own wake-up' => sub {
    my ($server, $streams) = begin(zone => '', heartbeat => 0);
    my $c = Longpoll::Client->new(port => $server->port);
    my ($late, $i) = (0, 0);

    $streams->open('/events?category=c0', first => 1) for 1 .. $n;
    $streams->until('all are open', sub { all_open($streams) });

    # While the first event goes out in slices, others come.

    for my $round (1 .. 60) {
        for (1 .. 3) {
            $i++;
            $c->request(POST => '/publish',
                        body => qq({"category":"c0","data":"$i:"}));
            $c->response;
        }

        $late++ unless eval {
            $streams->until('all', sub { all_have($streams, $i) }, 5);
        };
        last if $late;
    }

    ok(!$late, 'every stream has all events, without another one')
        or diag(join ' ', "$i:", map { $_->{got} } $streams->all);
    is(join("\n", $streams->faults), '', 'once and in order');
};


# A worker stands still while events come: its streams then get them in several
# answers, and nothing wakes them in between.

subtest 'what does not fit into one answer' => sub {
    for my $zone ('', 'delete_on_read=on') {
        my ($server, $streams) = begin(zone => $zone, heartbeat => 0,
                                       size => '1k');
        my (%c, $i);

        # a publisher in each worker

        until (keys %c == 2) {
            my $c = Longpoll::Client->new(port => $server->port);
            $i++;
            my $r = $c->request(POST => '/publish',
                body => qq({"category":"other","data":"$i:"}))->response;
            $c{ $r->header('Pid') } //= $c;
        }

        my $others = $i;

        $i = 0;
        $streams->open('/events?category=c0', first => 1,
                       gaps => $zone ne '') for 1 .. 40;
        $streams->until('all are open', sub { all_open($streams) });

        for my $still (sort keys %c) {
            my ($other) = grep { $_ ne $still } keys %c;

            kill STOP => $still;

            for (1 .. 40) {
                my $data = ++$i . ':' . 'x' x 200;
                $c{$other}->request(POST => '/publish',
                    body => qq({"category":"c0","data":"$data"}))->response;
                select undef, undef, undef, 0.002;
            }

            kill CONT => $still;
            ok(eval {
                $streams->until('all', sub { all_have($streams, $i) }, 5);
            }, "$zone: all have it") or diag($@);
        }

        is(join("\n", $streams->faults), '', 'once and in order');
        is($server->status('events')->{events}, $others,
           'what all have is gone') if $zone;
    }
};


# With delete_on_read an event goes to every stream that waits, in each worker.

subtest 'delete_on_read' => sub {
    my ($server, $streams) = begin(zone => 'delete_on_read=on',
                                   server => { workers => 3 });

    $streams->open('/events?category=c0', first => 1) for 1 .. $n / 2;
    $streams->open('/events?category=c0&category=c1', first => 1)
        for 1 .. $n / 4;
    $streams->until('all are open', sub { all_open($streams) });

    my $p = Longpoll::Numbers->start(port => $server->port, most => 600,
                                     cats => ['c0']);

    run($streams, 0.05) while $p->alive;

    ok(eval { $streams->until('all', sub { all_have($streams, 600) }, 20) },
       'every stream has every event') or diag($@);
    is(join("\n", $streams->faults), '', 'once and in order');
    is($server->status('events')->{events}, 0, 'and then they are gone');
};


done_testing();
