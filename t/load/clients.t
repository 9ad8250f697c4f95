# Many clients at once.  30,000 polls are parked, woken and closed, six times
# over; in every third round the clients are killed in the middle.  Then 40
# clients request large answers and read nothing.
#
#     CLIENTS=n   how many, 30000
#
# The clients are those of the load generator (bench/).  It checks every answer.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use List::Util qw( max );
use Socket qw( SOL_SOCKET SO_RCVBUF );
use Test::More;
use Time::HiRes qw( time );

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Child ();
use Longpoll::Client ();
use Longpoll::Server qw( wait_until );
use Longpoll::Workers qw( memory );

my $root = abs_path(dirname(abs_path(__FILE__)) . '/../..');
my $generator = "$root/build/bench/longpoll-bench";
my $rounds = 6;

$Longpoll::Server::Patience = 60;

my $clients = $ENV{CLIENTS} || 30_000;

my $server;

rounds();
unread();
done_testing();


sub begin {
    $server->end if $server;
    $server = Longpoll::Server->start(
        connections => $clients + 1000,
        http => "longpoll_zone zone=events:32m;\n",
        server => <<'_EOC_');
        location = /publish { longpoll_publish events; }
        location = /events {
            longpoll_subscribe events;
            longpoll_max_response_size 8m;
        }
        location = /few {
            longpoll_subscribe events;
            longpoll_max_response_size 64k;
        }
        location = /large {
            longpoll_publish events;
            client_max_body_size 8m;
            client_body_buffer_size 8m;
        }
_EOC_
}

sub rounds {
    begin();

    my @kilobytes;

    for my $round (1 .. $rounds) {
        my $killed = $round % 3 == 0;
        my $log = $server->dir . "/round-$round";
        my $child = Longpoll::Child->start(
            [ $generator, '-c', $clients, '-n', $killed ? 1000 : 3,
              '-t', 300, '-T', 120, 'fanout', $server->url('') ], log => $log);

        wait_until("round $round", sub {
            $killed ? $server->waiting > $clients * 0.9 : !$child->alive;
        }, 300);

        $child->signal('KILL') if $killed;
        $child->end;

        open my $in, '<', $log or die "$log: $!\n";
        my $said = join '', <$in>;

        if ($killed) {
            is($said, '', "round $round: the clients are killed in the middle");

        } else {
            like($said, qr/\b@{[3 * $clients]}\b/,
                 "round $round: every client has every event")
                or diag($said);
        }

        $server->wait_waiting(0);
        push @kilobytes, memory($server->workers);
    }

    # The memory that malloc() returns varies; the maximum does not.

    cmp_ok(max(@kilobytes[3 .. 5]), '<', 1.1 * max(@kilobytes[0 .. 2]),
           "memory is flat: @kilobytes kB");
    is_deeply([$server->alerts], [], 'nothing wrong in the error log');
}


# 40 clients that request much and read nothing; the kernel buffers some of it.

sub unread {
    my $mb = '"' . 'x' x 900_000 . '"';
    my $n = 40;

    begin();
    $server->publish('much', $mb) for 1 .. 8;

    for my $part ([ '/few', 1 ], [ '/events', 8 ]) {
        my ($uri, $events) = @$part;
        my $before = memory($server->workers);
        my $sent = $server->status('events')->{delivered};
        my @c = map { slow("$uri?category=much&timeout=60&since_time=0") }
                1 .. $n;

        wait_until('all are answered', sub {
            $server->status('events')->{delivered} >= $sent + $n * $events;
        });

        my $more = memory($server->workers) - $before;

        # Equal answers are one, in each of two workers; a read copies events.

        cmp_ok($more, '<', 4 * $events * 1024,
               "$uri: $n answers that nobody reads take $more kB");
        cmp_ok($more, '>', $events * 512, 'which is measured')
            if $uri eq '/events';
    }

    # One event for all clients: they share its bytes.

    my @c = map { slow('/events?category=one&timeout=60') } 1 .. $n;

    $server->wait_waiting($n);
    my $before = memory($server->workers);
    my $sent = $server->status('events')->{delivered};

    $server->publish('one', '"' . 'x' x 7_000_000 . '"', uri => '/large');
    wait_until('all are answered', sub {
        $server->status('events')->{delivered} == $sent + $n;
    });

    my $more = memory($server->workers) - $before;

    # The event exists as published, as copied by a worker, and as sent by two.

    cmp_ok($more, '<', 4 * 7168,
           "one event of 7 MB for $n clients that read nothing takes $more kB");
    is_deeply([$server->alerts], [], 'nothing wrong in the error log');
}


sub slow {
    my ($uri) = @_;

    my $c = Longpoll::Client->new(port => $server->port);

    setsockopt $c->sock, SOL_SOCKET, SO_RCVBUF, 4096 or die "SO_RCVBUF: $!\n";
    return $c->request('GET', $uri);
}
