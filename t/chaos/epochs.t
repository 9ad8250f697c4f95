# A zone begins a new epoch while nginx goes on: with another size, and in the
# new binary of an upgrade (USR2), there and back.  During an upgrade there are
# two zones.  The workers of two masters accept connections from the same
# sockets.
#
# Nothing is random here.  docs/operations.md, Reload and quit, and
# docs/protocol.md, Missed, describe what is promised.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use Test::More;
use Time::HiRes qw( time );

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Client ();
use Longpoll::Oracle ();
use Longpoll::Server qw( wait_until );

my $http = "longpoll_zone zone=events:1m buffer=100;\n";
my $locations = <<'_EOC_';
        location = /events {
            longpoll_subscribe events;
            longpoll_publish events;
        }
_EOC_

# nginx's messages about a killed worker, with the lock or without

my $killed = qr/exited on signal 9|was locked by/;

my $server;

$SIG{PIPE} = 'IGNORE';


# Clients: each has a connection of its own, and so a worker.

sub client { Longpoll::Client->new(port => $server->port) }

sub poll {
    my ($query, $timeout) = @_;

    return client()->request(GET => '/events?timeout=' . ($timeout // 100)
                                    . "&$query");
}

sub answer {
    my ($query, $timeout) = @_;
    return poll($query, $timeout // 1)->response;
}

sub publish {
    my ($cat, $data, $client) = @_;

    my $r = ($client // client())->request(POST => '/events',
                  body => qq({"category":"$cat","data":"$data"}))->response;

    die 'publish: ' . $r->status . ' ' . $r->body . "\n"
        unless $r->body eq '{"success": true}';

    return $r->header('Longpoll-Event-Id');
}

sub figures {
    my ($client) = @_;

    return ($client // client())->request(GET => '/status')->response
           ->json->{zones}{events};
}

sub wait_waiting {
    my ($n, $client) = @_;

    wait_until("$n waiting", sub { figures($client)->{waiting} == $n });
}

# an answer in a few words

sub said {
    my ($r) = @_;

    my $kind = $r->kind;

    return join ' ', $kind, $kind eq 'events' ? $r->data : (),
                     $r->missed ? 'missed' : ();
}

# The bits of an id that name the zone's epoch; no other epoch has them.

sub epoch { substr $_[0], 20 }


# processes

sub start {
    $server = Longpoll::Server->start(http => $http, server => $locations,
                                      workers => 2, @_);
}

sub signal {
    my ($pid, $signal) = @_;

    kill $signal, $pid or die "kill -$signal $pid: $!\n";
}

# An old master is the parent of the new one, too.

sub workers {
    my ($master) = @_;

    my $new = $server->master;
    my @pids = grep { $_ != $new } $server->workers($master);

    return @pids;
}

# Starts the new binary; returns the old master and the new one.

sub upgrade {
    my $old = $server->master;

    signal($old, 'USR2');
    wait_until('a new master with workers', sub {
        my $new = $server->pid_of('nginx.pid');

        defined $new and $new != $old
            and $server->pid_of('nginx.pid.oldbin') == $old
            and workers($new) == 2;
    });

    # Workers accept connections as soon as their loops turn.  So a new
    # connection may reach a worker of either master.

    return ($old, $server->master);
}

sub wait_no_workers {
    my ($master) = @_;

    wait_until("no workers of $master", sub { !workers($master) });
}

# The process that inherits a master may ask late for its exit status.

sub wait_gone {
    my ($pid) = @_;

    wait_until("$pid gone", sub {
        open my $in, '<', "/proc/$pid/stat" or return 1;
        return (<$in> // '') !~ /^\d+ \(.*\) [^ZX] /;
    });
}

# Waits until nginx's pid file is the old master's again.

sub wait_back {
    my ($old) = @_;

    wait_until('the pid file of the old master', sub {
        ($server->pid_of('nginx.pid') // 0) == $old;
    });
}

sub no_alerts {
    my ($name, $but) = @_;

    my @alerts = grep { !defined $but or $_ !~ $but } $server->alerts;

    is(join('', @alerts), '', "$name: the log has no other alerts");
}

# The old workers answer their polls in time, and tell the clients to leave.

sub drained {
    my ($name, $begin, @polls) = @_;

    my @answers = map { $_->response } @polls;
    my $took = time - $begin;

    is(join(' ', sort map { said($_) } @answers),
       join(' ', ('timeout') x @polls), "$name: parked polls are answered");
    is(join(' ', map { $_->header('Connection') } @answers),
       join(' ', ('close') x @polls), "$name: and lose their connections");
    cmp_ok($took, '<', 3, "$name: within the drain and a second");

    return @answers;
}


# an upgrade to the new binary, completed

{
    my $name = 'an upgrade';

    start(upgrades => 1);

    my $a1 = publish(farm => 'a1');
    my $a2 = publish(farm => 'a2');

    # Two clients stay with an old worker as long as it runs.

    my @stay = map { my $c = client(); figures($c); $c } 1, 2;
    my @farm = map { poll("category=farm&last_id=$a2") } 1 .. 10;
    my @zoo = map { poll('category=zoo') } 1 .. 10;

    wait_waiting(20);

    my ($old, $new) = upgrade();

    is(figures($stay[0])->{waiting}, 20, "$name: parked polls stay");

    my $a3 = publish(farm => 'a3', $stay[1]);

    is(join(' ', map { said($_->response) } @farm),
       join(' ', ('events a3') x 10),
       "$name: and a publish to an old worker wakes them");
    is(epoch($a3), epoch($a1), "$name: in the old epoch");

    my $begin = time;

    signal($old, 'WINCH');

    my @closing = drained($name, $begin, @zoo);

    wait_no_workers($old);

    my $empty = figures();

    is("$empty->{events} $empty->{published} $empty->{waiting}", '0 0 0',
       "$name: the new zone is empty");

    my $before = $closing[0]->timestamp;
    my @new = map { poll('category=farm') } 1 .. 10;
    my $from_id = poll("category=farm&last_id=$a3");
    my $from_both = poll("category=farm&since_time="
                         . Longpoll::Oracle::id_ms($a2) . "&last_id=$a2");
    my $from_start = poll('category=farm&since_time=0');

    wait_waiting(13);

    is(said(answer("category=farm&last_id=$a3")), 'timeout missed',
       "$name: a cursor of the old epoch misses events");
    is(said(answer('category=farm&since_time=' . ($before - 60000))),
       'timeout missed', "$name: so does a time before the new epoch");
    is(said(answer('category=farm&since_time=0')), 'timeout',
       "$name: a poll for all events does not");

    my $b1 = publish(farm => 'b1');

    isnt(epoch($b1), epoch($a1), "$name: the new side has another epoch");
    is(join(' ', map { said($_->response) } @new),
       join(' ', ('events b1') x 10), "$name: and a publish wakes its polls");
    is(said($from_id->response), 'events b1 missed',
       "$name: with \"missed\" for an old id");
    is(said($from_both->response), 'events b1 missed',
       "$name: and for an old id with its time");
    is(said($from_start->response), 'events b1',
       "$name: but not from the beginning");

    # The old master quits; parked polls go on.

    @new = map { poll("category=farm&last_id=$b1") } 1 .. 20;
    wait_waiting(20);
    signal($old, 'QUIT');
    wait_gone($old);
    wait_until('the pid file alone', sub {
        !defined $server->pid_of('nginx.pid.oldbin');
    });
    is(figures()->{waiting}, 20, "$name: the old master quits, no poll ends");

    publish(farm => 'b2');
    is(join(' ', map { said($_->response) } @new),
       join(' ', ('events b2') x 20), "$name: and workers wake each other");

    # The new processes use the memory that the old master created.  They
    # survive a reload, a kill, and the next upgrade.

    $server->reload;
    my ($worker) = $server->workers;
    signal($worker, 'KILL');
    wait_until('two workers', sub {
        my @now = $server->workers;
        @now == 2 and !grep { $_ == $worker } @now;
    });

    my $b3 = publish(farm => 'b3');

    is(said(answer("category=farm&last_id=$b1")), 'events b2 b3',
       "$name: the zone survives a reload and a kill");

    ($old, $new) = upgrade();
    signal($old, 'QUIT');
    wait_gone($old);

    is(said(answer("category=farm&last_id=$b3")), 'timeout missed',
       "$name: and the next upgrade begins a new epoch");
    is(figures()->{waiting}, 0, "$name: no poll waits in the end");
    no_alerts($name, $killed);
    $server->end;
}


# an upgrade that is taken back

{
    my $name = 'the way back';

    start(upgrades => 1);

    my $a1 = publish(farm => 'a1');
    my ($old, $new) = upgrade();

    signal($old, 'WINCH');
    wait_no_workers($old);

    my $b1 = publish(farm => 'b1');
    my @polls = map { poll("category=farm&last_id=$b1") } 1 .. 10;

    wait_waiting(10);

    # HUP gives the old master its workers back; the zone still has its events.

    signal($old, 'HUP');
    wait_until('the old workers', sub { workers($old) == 2 });

    my $begin = time;

    signal($new, 'QUIT');
    drained($name, $begin, @polls);
    wait_gone($new);
    wait_back($old);

    is(said(answer('category=farm&since_time=0')), 'events a1',
       "$name: the old zone has its event, and no poll missed it");
    is(said(answer("category=farm&last_id=$b1")), 'timeout missed',
       "$name: a cursor of the other zone misses events");

    @polls = map { poll("category=farm&last_id=$a1") } 1 .. 10;
    wait_waiting(10);

    my $a2 = publish(farm => 'a2');

    is(epoch($a2), epoch($a1), "$name: the old epoch continues");
    is(join(' ', map { said($_->response) } @polls),
       join(' ', ('events a2') x 10),
       "$name: cursors of the old zone continue");

    my $st = figures();

    is("$st->{events} $st->{published} $st->{waiting} $st->{categories}",
       '2 2 0 1', "$name: the figures are the old zone's");

    # once more an upgrade, which stays

    ($old, $new) = upgrade();
    signal($old, 'QUIT');
    wait_gone($old);
    is(said(answer("category=farm&last_id=$a2")), 'timeout missed',
       "$name: the upgrade begins a new epoch");
    no_alerts($name);
    $server->end;
}


# a new binary that does not start, and one that dies

{
    my $name = 'an upgrade that fails';

    start(upgrades => 1);

    my $a1 = publish(farm => 'a1');
    my @polls = map { poll("category=farm&last_id=$a1") } 1 .. 10;

    wait_waiting(10);

    my $old = $server->master;
    {
        local $server->{http} = "chaos_broken;\n";
        $server->write_conf;
    }

    signal($old, 'USR2');
    wait_until('its end', sub {
        $server->log =~ /unknown directive "chaos_broken"/;
    });
    wait_back($old);
    $server->write_conf;

    is(figures()->{waiting}, 10, "$name: parked polls stay");

    # This time the new binary starts, and is killed with its workers.

    (undef, my $new) = upgrade();
    my @workers = workers($new);
    my @mixed = map { poll("category=farm&last_id=$a1") } 1 .. 20;

    signal($new, 'KILL');
    signal($_, 'KILL') for @workers;
    wait_gone($_) for @workers;
    wait_back($old);

    # A client of the new binary has lost its connection.

    my @left = grep { $_->fill(0.01); !$_->{eof} } @mixed;

    wait_waiting(10 + @left);
    publish(farm => 'a2');
    is(join(' ', map { said($_->response) } @polls, @left),
       join(' ', ('events a2') x (10 + @left)),
       "$name: the old side wakes parked polls");
    is(said(answer("category=farm&last_id=$a1")), 'events a2',
       "$name: and no cursor misses events");
    is(figures()->{waiting}, 0, "$name: no poll waits in the end");
    no_alerts($name, qr/$killed|unknown directive "chaos_broken"/);
    $server->end;
}


# another size

{
    my $name = 'another size';

    # Parked polls leave one by one: the first of each worker at once, the next
    # one late.

    start(http => "longpoll_drain 30s;\n$http");

    my $a1 = publish(farm => 'a1');
    my $size = figures()->{size};
    my @polls = map { poll("category=farm&last_id=$a1") } 1 .. 10;

    wait_waiting(10);

    # An old worker has half of a publish, and has asked for the rest.

    my $half = client();
    my $body = '{"category":"farm","data":"a2"}';

    $half->request(POST => '/events', headers => [
                       'Content-Length: ' . length $body,
                       'Expect: 100-continue' ]);
    wait_until('100 Continue', sub {
        $half->parsed;
        $half->fill(0.01);
        $half->{continued};
    });
    $half->send(substr $body, 0, 10);

    $server->{http} = "longpoll_zone zone=events:2m buffer=100;\n";
    $server->write_conf;

    my @old = $server->reload(leaving => 1);
    my $now = figures();

    is($now->{size}, 2 * $size, "$name: the zone has the new size");
    is("$now->{events} $now->{published} $now->{waiting}", '1 1 0',
       "$name: and the old events");

    $half->send(substr $body, 10);

    is($half->response->status, 503,
       "$name: an old worker takes nothing for the old zone");
    $half->close;

    my $poll = poll("category=farm&last_id=$a1");

    wait_waiting(1);

    my $b1 = publish(farm => 'b1');

    is(said($poll->response), 'events b1',
       "$name: an old id stays a cursor, and misses nothing");
    is(said(answer('category=farm&since_time=0')), 'events a1 b1',
       "$name: so does a poll for all events");
    $_->close for @polls;
    $server->wait_gone(@old);

    # Parked polls are drained.  The memory of the old zone is freed with its
    # workers.

    @polls = map { poll("category=farm&last_id=$b1") } 1 .. 10;
    wait_waiting(10);
    $server->{http} = $http;
    $server->write_conf;
    @old = $server->reload(leaving => 1);
    drained("$name, back", time, @polls);
    $server->wait_gone(@old);
    is(figures()->{size}, $size, "$name: back to the first size");
    is(said(answer("category=farm&last_id=$a1")), 'events b1',
       "$name: with the events of the other zone");

    # A refused reload changes nothing.

    my $c1 = publish(farm => 'c1');
    my $refused = () = $server->log =~ /too small/g;

    $server->{http} = "longpoll_zone zone=events:8k;\n";
    $server->write_conf;
    signal($server->master, 'HUP');
    wait_until('its refusal', sub {
        $refused < (() = $server->log =~ /too small/g);
    });
    is(said(answer('category=farm&since_time=0')), 'events a1 b1 c1',
       "$name: a refused reload changes nothing");

    my $mapped = maps('/dev/zero');
    is(scalar(grep { $_ != $mapped->[0] } @$mapped), 0,
       "$name: no zone of a previous epoch is mapped any more");

    no_alerts($name, qr/too small/);
    $server->end;
}

# the number of shared memory mappings of the master and its workers

sub maps {
    my ($file) = @_;

    return [ map {
        open my $in, '<', "/proc/$_/maps" or die "/proc/$_/maps: $!\n";
        scalar grep { m{\Q$file} } <$in>;
    } $server->master, $server->workers ];
}

done_testing;
