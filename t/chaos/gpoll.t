# gpoll's clients while workers are reloaded, and killed at chosen stores and at
# any time.  A client never gets a message twice or out of order.  It loses a
# message only where an answer's connection broke.  nginx forgets no client.
#
#     SEED=n      the same choices again; printed
#     SECONDS=n   how long, 15

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use File::Temp qw( tempdir );
use IO::Select ();
use Test::More;
use Time::HiRes qw( time );

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Chaos ();
use Longpoll::Client ();
use Longpoll::Server qw( wait_until );

my $root = abs_path(dirname(abs_path(__FILE__)) . '/../..');
my $dying = "$root/build/chaos/ngx_http_longpoll_module.so";
my $seed = $ENV{SEED} // int time;
my $seconds = $ENV{SECONDS} || 15;
my $clients = 30;

$seconds = 60 if $seconds > 60;

print "# SEED=$seed\n";
srand $seed;
$SIG{PIPE} = 'IGNORE';


# An nginx with sanitizers has no module to load; its workers die only by
# signals.

my $bomb = tempdir('longpoll-XXXXXX', TMPDIR => 1, CLEANUP => 1) . '/die';
my @points = Longpoll::Chaos::points();
my $dies = $ENV{TEST_NGINX_LOAD_MODULES} && -e $dying;

arm(0);
Longpoll::Chaos::number($bomb, 'a8', $points[$_], 8 + 32 * $_) for 0 .. $#points;
Longpoll::Chaos::number($bomb, 'Q', 0, 32 * @points);

local $ENV{TEST_NGINX_LOAD_MODULES} = $dying if $dies;
local $ENV{LONGPOLL_DIE} = $bomb;

my $server = Longpoll::Server->start(workers => 3, http => <<'_EOC_',
longpoll_zone zone=events:64m buffer=100000;
longpoll_drain 100ms;
_EOC_
    server => <<'_EOC_');
        location = /poll {
            longpoll_category    all;
            longpoll_subscribe   events protocol=gpoll;
            longpoll_max_timeout 2s;
        }
        location = /publish {
            longpoll_category all;
            longpoll_publish  events format=text;
        }
_EOC_


# Clients; every third has two polls at once.

my (%on, @clients);
my $select = IO::Select->new;

for my $n (1 .. $clients) {
    my $r = connection()->request('GET', '/poll?client-id=0')->response;
    my ($id) = $r->body =~ /"([^"]+)"\}\z/ or die $r->body;

    push @clients, { id => $id, polls => $n % 3 ? 1 : 2, last => 0,
                     broken => 0, had => {} };
}

my ($published, $stored, $ending, $publisher) = (0, 0, 0);
my (%count, @wrong);

ask($_) for map { ($_) x $_->{polls} } @clients;
publish();


# kills and reloads

my $begin = time;
my $next = $begin;

while (time < $begin + $seconds and !@wrong) {
    turn();
    next if time < $next;

    $next += 0.15;
    my $x = rand;

    if ($x < 0.4) {
        $count{armed}++;
        arm(1 + int 300 * rand() ** 2);

    } elsif ($x < 0.5) {
        my @pids = $server->workers;
        $count{killed} += kill KILL => $pids[rand @pids] if @pids;

    } elsif ($x < 0.58) {
        $count{reloaded}++;
        kill HUP => $server->master;

    } else {
        my @of = grep { $_->{client} } values %on;
        gave_up($of[rand @of]) if @of;
    }
}


# The end: all clients get the last message.

arm(0);
my $end = time + 20;

$ending = 1;
turn() while $published != $stored and !@wrong and time < $end;

# One more message, when no worker dies any more: no client can lose it.

my $calm = time + 1;
turn() while time < $calm;

$ending = 0;
publish();
$ending = 1;

my $last = $published;

turn() while time < $end and !@wrong and grep { !$_->{had}{$last} } @clients;

my ($lost, $broken) = (0, 0);

for my $c (@clients) {
    my $missing = grep { !$c->{had}{$_} } 1 .. $last;

    push @wrong, "$c->{id} has lost $missing with $c->{broken} broken answers"
        if $missing > $c->{broken};
    push @wrong, "$c->{id} never came to the end" if !$c->{had}{$last};

    $lost += $missing;
    $broken += $c->{broken};
}

ok(!@wrong, 'every message once, in order') or diag(join "\n", @wrong[0 .. 9]);
cmp_ok($last, '>', 100 * $seconds / 15, "$last messages");
cmp_ok($count{answers}, '>', $last * $clients / 2, "$count{answers} answers");
cmp_ok(($count{killed} // 0) + ($count{armed} // 0), '>', 5, 'some died');

print '# ', join(', ', map { "$_ $count{$_}" } sort keys %count),
      ", $lost lost with $broken broken\n";

my @alerts = grep { !/exited on signal 9|was locked by/ } $server->alerts;
is("@alerts", '', 'no other alert');

$server->end;
done_testing();


sub arm { Longpoll::Chaos::number($bomb, 'Q', $_[0]) }

# For a moment there may be no worker.

sub connection {
    my $conn;

    wait_until('a connection' => sub {
        $conn = eval { Longpoll::Client->new(port => $server->port) };
    });

    return $conn;
}

sub watch {
    my ($o) = @_;

    $on{ fileno $o->{conn}->sock } = $o;
    $select->add($o->{conn}->sock);
}

sub forget {
    my ($o) = @_;

    delete $on{ fileno $o->{conn}->sock };
    $select->remove($o->{conn}->sock);
    $o->{conn}->close;
}

sub ask {
    my ($client, $conn) = @_;

    my $o = { client => $client, conn => $conn || connection() };

    watch($o);
    eval { $o->{conn}->request('GET', "/poll?client-id=$client->{id}"); 1 }
        or broke($o);
}

# The client may lose the message that was on its way.

sub broke {
    my ($o) = @_;

    forget($o);
    $o->{client}{broken}++;
    $count{broken}++;
    ask($o->{client});
}

# The same, after the client closed the connection itself.

sub gave_up {
    my ($o) = @_;

    $count{'given up'}++;
    broke($o);
}

# Publishes one message after the other, each until it is known to be stored.

sub publish {
    if ($published == $stored) {
        return if $ending;
        $published++;
    }

    $publisher ||= { conn => connection() };
    watch($publisher);
    eval {
        $publisher->{conn}->request('POST', '/publish', body => $published,
                                    headers => ["Idempotency-Key: $published"]);
        1;
    } or republish();
}

sub republish {
    forget($publisher);
    $publisher = undef;
    publish();
}

sub turn {
    for my $sock ($select->can_read(0.01)) {
        my $o = $on{fileno $sock} or next;

        eval { $o->{conn}->fill(1); 1 } or $o->{conn}{eof} = 1;

        if (my $r = $o->{conn}->parsed) {
            $o->{client} ? answered($o, $r) : published($r);

        } elsif ($o->{conn}{eof}) {
            $o->{client} ? broke($o) : republish();
        }
    }
}

sub published {
    my ($r) = @_;

    if ($r->status != 200) {
        push @wrong, 'publish: ' . $r->status;
        return;
    }

    $stored = $published;
    forget($publisher), $publisher = undef
        if ($r->header('Connection') // '') eq 'close';
    publish();
}

sub answered {
    my ($o, $r) = @_;

    my $c = $o->{client};

    if ($r->status == 200) {
        my $n = $r->body;

        $count{answers}++;
        push @wrong, "$c->{id} is given $n twice" if $c->{had}{$n}++;
        push @wrong, "$c->{id} is given $n behind $c->{last}"
            if $c->{polls} == 1 and $n <= $c->{last};
        $c->{last} = $n;

    } elsif ($r->status == 204) {
        $count{nothing}++;

    } else {
        push @wrong, "$c->{id} is told " . $r->status;
        return;
    }

    if (($r->header('Connection') // '') eq 'close') {
        forget($o);
        ask($c);

    } else {
        delete $on{ fileno $o->{conn}->sock };
        $select->remove($o->{conn}->sock);
        ask($c, $o->{conn});
    }
}
