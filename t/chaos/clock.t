# The wall clock is set by an hour while nginx runs (t/faults/clock.c).  The
# random run allows for any effect of this; here each answer is compared byte by
# byte.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use File::Temp qw( tempdir );
use Test::More;
use Time::HiRes qw( time );

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Client ();
use Longpoll::Oracle ();
use Longpoll::Persist ();
use Longpoll::Server qw( wait_until );
use Longpoll::Timely qw( timely );

my $root = abs_path(dirname(abs_path(__FILE__)) . '/../..');
my $preload = "$root/build/chaos/clock.so";
my $file = tempdir('longpoll-XXXXXX', TMPDIR => 1, CLEANUP => 1) . '/clock';

plan skip_all => 'not built: build/chaos/clock.so' unless -e $preload;

my $server;

# Sets how many seconds nginx's wall clock is ahead.

sub set_clock {
    my ($ahead) = @_;

    open my $out, -e $file ? '+<' : '+>', $file or die "$file: $!\n";
    syswrite $out, pack 'q', 1e6 * $ahead;
}

sub poll {
    my ($query, $timeout) = @_;

    return Longpoll::Client->new(port => $server->port)->request(
        GET => "/events?timeout=$timeout&$query");
}

sub answer { poll($_[0], 1)->response }

sub publish { $server->publish(@_, uri => '/events') }
sub ms { Longpoll::Oracle::id_ms($_[0]) }

sub said {
    my ($r) = @_;

    return join ' ', $r->kind, $r->kind eq 'events' ? $r->data : (),
                     $r->missed ? 'missed' : ();
}

sub start {
    my ($parameters) = @_;

    set_clock(0);

    local $ENV{LONGPOLL_CLOCK} = $file;
    local $ENV{LD_PRELOAD} = $preload;

    $server = Longpoll::Server->start(
        http => "longpoll_zone zone=events:1m $parameters;\n"
            . "limit_req_zone \$server_name zone=held:1m rate=120r/m;\n",
        server => <<'_EOC_');
        location = /events {
            longpoll_subscribe events;
            longpoll_publish events;
        }
        location = /held {
            limit_req zone=held burst=5;
            longpoll_subscribe events;
        }
_EOC_
}


start('');

my $a1 = publish(farm => '"a1"');
my $begin = time;
my @parked = (poll("category=farm&last_id=$a1", 2), poll('category=zoo', 2));

$server->wait_waiting(2);
set_clock(3600);
cmp_ok(ms(my $zoo = publish(zoo => '"z1"')), '>', ms($a1) + 3_599_000,
       'ids follow a clock that is set forward');
is(said($parked[1]->response), 'events z1', 'a waiting poll is woken');

my $timeout = $parked[0]->response;
my $took = time - $begin;

is(said($timeout), 'timeout', 'another one gets its time-out in time');
cmp_ok($took, '>', 1.85, 'and not before');

@parked = (poll("category=farm&last_id=$a1", 2),
           poll('category=farm&since_time=' . $timeout->timestamp, 2));
$server->wait_waiting(2);
set_clock(-3600);

my @ids = publish(farm => '"b1"');

cmp_ok($ids[0], 'gt', $zoo, 'ids go on when the clock is set back');
is(join(', ', map { said($_->response) } @parked), 'events b1, events b1',
   'so every waiting poll gets the event');

push @ids, map { publish(farm => qq("b$_")) } 2, 3;

is(said(answer("category=farm&last_id=$a1")), 'events b1 b2 b3',
   'and so does an older cursor');
is(said(answer('category=farm&since_time=0')), 'events a1 b1 b2 b3',
   'the order is that of publishing');

my $waits = poll("category=farm&last_id=$ids[2]", 1);

is(said($waits->response), 'timeout', 'a time-out');
is(join('', $server->alerts), '', 'the log has no alerts');
$server->end;


# How late a time-out is, when the clock is set forward and back.

start('');

for my $step (3600, 0) {
    $took = timely(2.6, sub {
        set_clock(3600 - $step);
        my $begin = time;
        my $poll = poll('category=farm', 2);

        $server->wait_waiting(1);
        set_clock($step);
        is(said($poll->response), 'timeout', "$step: a time-out");
        return time - $begin;
    });

    cmp_ok($took, '>', 1.85, "$step: not before its time");
    cmp_ok($took, '<', 2.6, "$step: nor after it");
}

is(join('', $server->alerts), '', 'the log has no alerts');
$server->end;


start('ttl=60s');
publish(farm => '"a1"');
set_clock(3600);
is(said(answer('category=farm&since_time=0')), 'timeout missed',
   'ttl: an hour forward, and the event expires');
publish(farm => '"b1"');
set_clock(-3600);
is(said(answer('category=farm&since_time=0')), 'events b1 missed',
   'ttl: an hour back, and the newest event stays');
set_clock(3500);
is(said(answer('category=farm&since_time=0')), 'events b1 missed',
   'ttl: an age counts from the timestamp of the event');
set_clock(3700);
is(said(answer('category=farm&since_time=0')), 'timeout missed',
   'ttl: and the event expires at that time');
wait_until('an empty zone', sub { $server->status('events')->{events} == 0 });
$server->end;


start('inactive=60s');
publish($_ => '"a1"') for qw( farm zoo );

my $parked = poll('category=farm', 10);

$server->wait_waiting(1);
set_clock(3600);
is(said(answer('category=zoo&since_time=0')), 'timeout missed',
   'inactive: an unused category expires');
is(said(answer('category=farm&since_time=0')), 'events a1',
   'inactive: but not the category of a waiting poll');
set_clock(0);
is(said(answer('category=farm&since_time=0')), 'events a1',
   'inactive: a step back makes no category older');
publish(farm => '"a2"');
is(said($parked->response), 'events a2',
   'inactive: and the waiting poll is woken');
$server->end;


# One moment of a wrong clock: a year ahead, an event, and right again.  ttl and
# inactive go on by the time that elapses.

my $year = 365 * 86400;

sub empty {
    my ($server, $name) = @_;

    wait_until('an empty zone',
               sub { $server->status('events')->{events} == 0 });
    pass($name);
}

for my $parameters ('ttl=3s', 'inactive=3s') {
    start($parameters);
    set_clock($year);

    my $wrong = publish(farm => '"wrong"');

    set_clock(0);
    is(said(answer('category=farm&since_time=0')), 'events wrong',
       "$parameters, a year back: the event is there");
    empty($server, "$parameters, a year back: and is over in its time");

    my $right = publish(farm => '"right"');

    cmp_ok(ms($right), '>=', ms($wrong) + 2900,
           "$parameters, a year back: the zone's time has gone on");
    cmp_ok(ms($right), '<', ms($wrong) + 1000 * $Longpoll::Client::Patience,
           "$parameters, a year back: and no further");
    empty($server, "$parameters, a year back: so is the next event");
    is(join('', $server->alerts), '', 'the log has no alerts');
    $server->end;
}

# A poll that nginx holds back is for what comes after its start, by the zone's
# time.

start('');
set_clock($year);
publish(farm => '"old"');
set_clock(0);

my @held = map {
    Longpoll::Client->new(port => $server->port)->request(
        GET => '/held?timeout=10&category=farm')
} 1, 2;

$server->wait_waiting(2);
publish(farm => '"new"');
is(said($_->response), 'events new', 'a year back: a poll, and one held back')
    for @held;
$server->end;

# The same with a restart in between, and with a line of the year 2100.

for my $line (0, 1) {
    my $name = $line ? 'a line of 2100' : 'a restart a year back';

    local $ENV{LONGPOLL_CLOCK} = $file;
    local $ENV{LD_PRELOAD} = $preload;

    set_clock($line ? 0 : $year);

    my $n = Longpoll::Persist->start(parameters => 'flush=100ms ttl=4s',
        $line ? (content => qq({"timestamp":4102444800000,"category":"farm",)
            . qq("data":"a","id":"8a4e1f6e-3ab0-4b0f-9c7c-3f1d3c4b5a69"}\n))
        : ());

    if (!$line) {
        $n->publish(farm => '"a"');
        $n->wait_data('a');
        $n->quit;
        set_clock(0);
        $n->up;
    }

    is($n->said([ category => 'farm', since_time => 0 ]), 'a',
       "$name: the event is there");
    empty($n, "$name: and is over in its time");
    is($n->said([ category => 'farm', since_time => 0 ]), 'timeout missed',
       "$name: what its clients are told");
    $n->publish(farm => '"b"');
    empty($n, "$name: so is the next event");
    is(join('', $n->alerts), '', "$name: the log has no alerts");
}


# The clock goes back between two epochs.  nginx reads the times of the first
# epoch from its log.  If all events were deleted, control lines have them.

for my $end (qw( quit kill_all )) {
    for my $gone (0, 1) {
        my $name = "$end, an hour back" . ($gone ? ', all of it deleted' : '');

        local $ENV{LONGPOLL_CLOCK} = $file;
        local $ENV{LD_PRELOAD} = $preload;

        set_clock(3600);

        my $n = Longpoll::Persist->start(workers => 2);
        my ($a, $b) = map { $n->publish(farm => qq("$_")) } qw( a b );
        my $time = $n->poll(category => 'none')->response->timestamp;

        $n->wait_data(qw( a b ));

        if ($gone) {
            my $notes = $n->notes;

            $n->forget('farm');
            $n->wait_notes($notes + 1);
        }

        $n->$end;
        set_clock(0);
        $n->up;

        my $c = $n->publish(farm => '"c"');
        my $said = $end eq 'quit' ? 'c' : 'c missed';

        cmp_ok($c, 'gt', $b, "$name: ids go on");
        is($n->said([ category => 'farm', last_id => $b ],
                    [ category => 'farm', since_time => ms($b) ]),
           "$said | $said", "$name: an older cursor gets the new event");
        is($n->said([ category => 'farm', since_time => $time ]), 'c',
           "$name: and so does a time-out's timestamp") if $end eq 'quit';
        is($n->said([ category => 'farm', since_time => 1 ]),
           $gone ? 'c' : 'a b c', "$name: the order is that of publishing");
        is(join('', $n->alerts), '', "$name: the log has no alerts");
    }
}

done_testing;
