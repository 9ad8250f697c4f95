package Longpoll::Chaos;

# Chaos for one nginx: a schedule of steps.  The schedule is made from a seed
# before anything begins, so a test can run it again, whole or in part.
#
#     my $steps = Longpoll::Chaos::schedule($seed, $world, $seconds);
#     my @failures = Longpoll::Chaos->new($world)->run($steps, $seconds);
#     Longpoll::Chaos::shown($step)            a step as a line of text
#
# A step is [second, what, { ... }].  A number from 0 to 1 in a step chooses
# among what exists when the step runs (a worker, an event).  A world describes
# the zone and says how often each kind of step comes:
#
#     { name => 'tiny', zone => ['64k'], conf => [ 'buffer=50', ... ],
#       workers => [1 .. 8], cats => 6, size => 300, per_second => { ... },
#       oracle => { arguments of Longpoll::Oracle }, dies => 1, clock => 1,
#       crowded => 1,
#       kinds => [ 'plain', ... ], certificate => [ $file, $key ] }
#
# zone and conf list all sizes and parameters that the zone may have; a reload
# takes one of each.  With dies, nginx loads the module of build/chaos, and
# workers die at a chosen store, or at a point outside the lock
# (t/faults/die.c).  With clock, nginx has a wall clock of its own.  Steps set
# it forward and back by up to an hour (t/faults/clock.c).  With crowded,
# publishes that wait for the disk may fill the zone, as a burst does while the
# writer is dead; then further ones are refused with 503.
#
# kinds says how probes and followers connect: plain, tls, h2, or h2s (HTTP/2
# over TLS).  With HTTP/2 several of them share a connection.  They leave it one
# by one, or one of them breaks it for all.
#
# A follower polls again after each answer, or it holds an event stream and comes
# back with Last-Event-ID when that ends.  Some streams have sockets that take
# little (the kind slow), and rest: they are not read for a while.
#
# One process runs one loop.  The loop reads what is ready, does what is due,
# and checks for polls that wait too long.  Time in which a worker was stopped,
# or in which this loop did not turn, is added to every limit.

use strict;
use warnings;

use Cwd qw( abs_path );
use Errno qw( EINTR );
use File::Basename qw( dirname );
use File::Temp qw( tempdir );
use List::Util qw( max );
use POSIX ();
use Socket qw( SOL_SOCKET SO_RCVBUF );
use Test::More ();
use Time::HiRes qw( time sleep );

use Longpoll::Client ();
use Longpoll::H2 ();
use Longpoll::Oracle ();
use Longpoll::Server qw( wait_until );
use Longpoll::Stream ();

our $Slack = $ENV{CHAOS_SLACK} || 0.6;   # seconds more than promised

# so much of a zone is for events: docs/operations.md, Sizing

my ($least_room, $most_room) = (0.5, 0.7);

my $publishers = 6;
my $most_followers = 16;
my $most_streams = 6;
my $heartbeat = 0.5;                     # seconds, of streams

# With fewer polls than this, old ones included, every poll gets a number of its
# own, if none is lost.

my $crowded = 50;


# the schedule

my %often = (
    publish => 60, burst => 1, again => 2, probe => 8, slow => 0.5,
    follow => 0.7, leave => 2, rest => 1, delete => 0.7, reload => 0.3, broken => 0.15,
    kill => 0.8, stop => 0.4, status => 2, die => 0, point => 0,
    clock => 0,
);

sub schedule {
    my ($seed, $world, $seconds) = @_;

    my %rate = (%often, %{ $world->{per_second} || {} });
    my $salt = unpack '%32C*', $world->{name};
    my @steps;

    @rate{qw( die point kill reload )} = (1.5, 2.5, 0.2, 0.6)
        if $world->{dies};
    $rate{clock} = 1 if $world->{clock};

    for my $what (sort keys %rate) {
        next unless $rate{$what};

        # Each kind draws its own random numbers.  A kind that comes more often
        # does not change the others.

        srand($seed * 1000 + $salt + unpack '%32C*', $what);

        for (my $t = gap($rate{$what}); $t < $seconds;
             $t += gap($rate{$what}))
        {
            push @steps, [ $t, $what, details($world, $what) ];
        }
    }

    # Some followers listen from the beginning.

    srand($seed * 1000 + $salt);
    push @steps, map {
        [ 0, 'follow', { %{ details($world, 'follow') }, start => 'zero' } ]
    } 1 .. 8;

    return [ sort { $a->[0] <=> $b->[0] or $a->[1] cmp $b->[1] } @steps ];
}

sub gap { -log(1 - rand) / $_[0] }
sub pick { $_[int rand @_] }

sub some_cats {
    my ($world, $most) = @_;

    my %cats = map { int(rand $world->{cats}) => 1 } 1 .. 1 + int rand $most;
    return [ map { "c$_" } sort keys %cats ];
}

sub details {
    my ($world, $what) = @_;

    my $size = sub { int $world->{size} * rand() ** 3 };
    my %o;

    if ($what eq 'publish' or $what eq 'burst') {
        my $n = rand() < 0.1 ? 1 + int rand 20 : 1;

        $o{times} = 25 if $what eq 'burst';
        $o{cats} = [ map { 'c' . int rand $world->{cats} } 1 .. $n ];
        $o{sizes} = [ map { $size->() } 1 .. $n ];
        $o{keyed} = rand() < 0.3 ? 1 : 0;

    } elsif ($what eq 'probe' or $what eq 'slow') {
        $o{cats} = some_cats($world, 3);
        $o{from} = $what eq 'slow' ? 'zero'
                 : pick(qw( zero zero since id both now future epoch old ));
        $o{which} = rand;
        $o{wait} = $what eq 'slow' ? 0.2 + 0.6 * rand : 0;
        $o{kind} = pick(@{ $world->{kinds} }) if $world->{kinds};
        $o{kind} = 'tls' if $o{wait} and ($o{kind} // '') =~ /h2/;

    } elsif ($what eq 'follow') {
        $o{cats} = some_cats($world, 4);
        $o{start} = pick(qw( zero now id ));
        $o{style} = pick(qw( id both golongpoll stream stream ));
        $o{few} = rand() < 0.3 ? 1 : 0;
        $o{which} = rand;
        $o{kind} = pick(@{ $world->{kinds} }) if $world->{kinds};
        $o{kind} = 'slow' if $o{style} eq 'stream' and rand() < 0.4;

    } elsif ($what eq 'leave') {
        $o{which} = rand;
        $o{how} = pick(qw( close reset half_close ));
        $o{back} = 0.3 * rand;

    } elsif ($what eq 'rest') {
        $o{which} = rand;
        $o{for} = 2 * rand() ** 2;

    } elsif ($what eq 'delete') {
        $o{cat} = 'c' . int rand $world->{cats};

    } elsif ($what eq 'reload') {
        $o{conf} = int rand @{ $world->{conf} };
        $o{zone} = int rand @{ $world->{zone} };
        $o{workers} = pick(@{ $world->{workers} || [1 .. 8] });

        # Some reloads come before the last one's old workers have exited, or
        # even before its new workers exist.

        $o{times} = rand() < 0.3 ? 2 + int rand 3 : 1;
        $o{pause} = 0.15 * rand;

    } elsif ($what eq 'kill') {
        $o{which} = rand;
        $o{behind} = pick(0, 3);
        $o{after} = 0.002 * rand;

    } elsif ($what eq 'stop') {
        $o{which} = rand;
        $o{for} = 0.02 + 0.13 * rand;

    } elsif ($what eq 'die') {
        $o{stores} = 1 + int 400 * rand() ** 2;

    } elsif ($what eq 'point') {
        $o{which} = rand;
        $o{times} = 1 + int 20 * rand() ** 2;

    } elsif ($what eq 'clock') {
        $o{to} = pick(qw( forth back peak peak near ));
        $o{by} = rand;

    } elsif ($what eq 'again') {
        $o{which} = rand;
    }

    return \%o;
}

sub shown {
    my ($step) = @_;
    my ($t, $what, $o) = @$step;

    return sprintf '%7.3f %-8s', $t, $what
        . join '', map {
            my $v = $o->{$_};
            $v = '[' . join(' ', @$v) . ']' if ref $v;
            $v = sprintf '%.4f', $v if $v =~ /^\d*\.\d{5}/;
            " $_=$v";
        } sort keys %$o;
}


# a world

sub new {
    my ($class, $world) = @_;

    my ($bytes) = sort { $a <=> $b } map {
        my ($n, $unit) = /^(\d+)([km])$/;
        $n << ($unit eq 'm' ? 20 : 10);
    } @{ $world->{zone} };

    my $self = bless {
        world => $world, fds => {}, rin => '', timers => [], idle => [],
        queue => [], followers => [], probes => {}, names => 0, lost => 0,
        leaving => [], keyed => [], all => [], count => {},
        oracle => Longpoll::Oracle->new(zone => $bytes,
                                        %{ $world->{oracle} }),
    }, $class;

    $self->{conf} = $world->{conf}[0];
    $self->{zone} = $world->{zone}[0];

    $self->{dir} = tempdir('longpoll-XXXXXX', TMPDIR => 1, CLEANUP => 1);

    if ($world->{dies}) {
        $self->{bomb} = bomb($self->{dir});
        $self->{points} = [ points() ];
    }

    if ($world->{clock}) {
        $self->{clock} = "$self->{dir}/clock";
        number($self->{clock}, 'q', 0);
    }

    return $self;
}

my $locations = <<"_EOC_";
        location = /events {
            longpoll_subscribe events;
            longpoll_heartbeat ${\ int 1000 * $heartbeat}ms;
            longpoll_publish events;
            longpoll_delete events;
        }
        location = /few {
            longpoll_subscribe events;
            longpoll_heartbeat ${\ int 1000 * $heartbeat}ms;
            longpoll_max_response_size 2k;
        }
_EOC_

sub http {
    my ($self) = @_;
    my %ports = %{ $self->{ports} };
    my $servers = "server {\nlisten 127.0.0.1:$ports{slow} sndbuf=8k;\n"
                  . "$locations}\n";

    if ($self->{world}{kinds}) {
        my ($file, $key) = @{ $self->{world}{certificate} };
        my ($listen, $directive) = Longpoll::Server::http2();
        my $tls = "ssl_certificate $file; ssl_certificate_key $key;";

        $servers .= join '', map { "server {\n$_\n$locations}\n" }
            "listen 127.0.0.1:$ports{tls} ssl; $tls",
            "listen 127.0.0.1:$ports{h2} $listen; $directive",
            "listen 127.0.0.1:$ports{h2s} ssl $listen; $directive $tls";
    }

    return "longpoll_zone zone=events:$self->{zone} $self->{conf};\n$servers";
}

sub start {
    my ($self) = @_;

    my $port = ($ENV{TEST_NGINX_PORT} || 1984) + 20;

    $self->{ports}{$_} = $port = Longpoll::Server::free_port($port + 1)
        for qw( tls h2 h2s slow );

    # nginx reads the environment when it starts, and the configuration whenever
    # the test writes it.

    local $ENV{LONGPOLL_DIE} = $self->{bomb} if $self->{bomb};
    local $ENV{LONGPOLL_CLOCK} = $self->{clock} if $self->{clock};
    local $ENV{LD_PRELOAD} = $self->{world}{preload} if $self->{clock};

    $self->{server} = Longpoll::Server->start(
        http => $self->http, workers => 3, server => $locations);

    my $server = $self->{server};

    $self->{ports}{plain} = $server->port;

    # The run begins with the first size, after all others.

    for my $zone (reverse @{ $self->{world}{zone} }) {
        if ($zone ne $self->{zone}) {
            $self->{zone} = $zone;
            $server->{http} = $self->http;
            $server->write_conf;
            $server->reload;
        }

        my $room = $least_room * $server->status('events')->{size};

        $self->{oracle}{room} = $room
            if $room < ($self->{oracle}{room} // $room + 1);
    }
}

# Whether the figure `used` is what so many bytes of events need, or the slots
# for the categories; or the zone is full.

sub is_used {
    my ($self, $st, $bytes) = @_;

    my $slots = $st->{size} / 512;
    my $share = $st->{categories} / ($slots - int $slots / 4);
    my ($least, $most) = map { $bytes / $_ / $st->{size} } $most_room,
                                                            $least_room;

    return $st->{used} <= $st->{size}
           && $st->{used} + 1 >= $st->{size} * max($least, $share)
           && ($st->{used} <= $st->{size} * max($most, $share)
               || $st->{used} == $st->{size} && $most > 0.5);
}

sub run {
    my ($self, $steps, $seconds) = @_;

    local $ENV{TEST_NGINX_LOAD_MODULES} = $self->{world}{module}
        if defined $self->{world}{module};
    local $SIG{PIPE} = 'IGNORE';

    my $done = eval {
        $self->start;
        $self->perform($steps, $seconds);
        $self->settle unless $self->failed;
        1;
    };

    $self->{oracle}->fail(answers => "the test itself: $@") unless $done;
    $self->errors if $self->{server};
    $self->{server}->end if $self->{server};

    return $self->{oracle}->failures;
}

sub failed { scalar $_[0]{oracle}->failures }

sub perform {
    my ($self, $steps, $seconds) = @_;

    my $begin = time;

    $self->{oracle}{begun} = $self->{turned} = $begin;

    for my $step (@$steps) {
        my ($t, $what, $o) = @$step;

        # also if the steps are late

        do { $self->turn($begin + $t - time) } while time < $begin + $t;
        last if $self->failed;

        my $do = "do_$what";
        $self->{count}{$what}++;
        $self->{steps}++;
        $self->$do($o);
    }

    $self->turn(0.01) while time < $begin + $seconds and !$self->failed;
}


# the loop

sub turn {
    my ($self, $most) = @_;

    my $now = time;

    # This process did not run in that time.

    $self->{lost} += $now - $self->{turned} - 0.1
        if $self->{turned} and $now - $self->{turned} > 0.1;
    $self->{turned} = $now;

    # Here, because only now that time is counted.

    if (!$self->{looked} or $now - $self->{looked} > 0.05) {
        $self->{looked} = $now;
        $self->overdue($now);
    }

    my @timers = sort { $a->[0] <=> $b->[0] } @{ $self->{timers} };

    while (@timers and $timers[0][0] <= $now) {
        my $timer = shift @timers;
        $self->{timers} = [ grep { $_ != $timer } @{ $self->{timers} } ];
        $timer->[1]->();
    }

    $most = 0.01 if $most > 0.01;
    $most = 0 if $most < 0;

    my $n = select my $rout = $self->{rin}, undef, undef, $most;

    if ($n > 0) {
        for my $fd (keys %{ $self->{fds} }) {
            next unless vec $rout, $fd, 1;
            my $conn = $self->{fds}{$fd} or next;
            $self->ready($conn);
        }
    }
}

sub later {
    my ($self, $seconds, $do) = @_;
    push @{ $self->{timers} }, [ time + $seconds, $do ];
}


# Connections are { client, on => called with the answer, or without one }.

sub connect {
    my ($self, %o) = @_;

    my $kind = $o{kind} || 'plain';

    return $self->stream($kind) if $kind =~ /h2/;

    my $client = $self->client('Longpoll::Client', $kind);

    # nginx was killed before the handshake ended.  The next write shows that.

    return { closed => 1 } unless $client;

    if ($o{small}) {
        setsockopt $client->sock, SOL_SOCKET, SO_RCVBUF, pack 'i', 16384;
    }

    my $conn = { client => $client, fd => fileno $client->sock };

    $self->watch($conn);
    return $conn;
}

sub client {
    my ($self, $class, $kind) = @_;

    my %tls = $kind =~ /s$/ ? (tls => $kind eq 'h2s'
                               ? { SSL_alpn_protocols => ['h2'] } : {}) : ();
    my $client = eval { $class->new(port => $self->{ports}{$kind}, %tls) };

    die $@ if !$client and $kind eq 'plain';
    $client->sock->blocking(0) if $client and %tls;

    return $client;
}

# HTTP/2: each connection of the other kinds is a stream here.  The connection
# is { client, streams => { number => { carrier, on, ... } } }.

sub stream {
    my ($self, $kind) = @_;

    my ($carrier) = grep { $_->{kind} eq $kind and !$_->{client}{goaway}
                           and keys %{ $_->{streams} } < $most_streams }
                    grep { $_->{streams} } values %{ $self->{fds} };

    if (!$carrier) {
        my $client = $self->client('Longpoll::H2', $kind)
            or return { closed => 1 };

        $carrier = { client => $client, fd => fileno $client->sock,
                     kind => $kind, streams => {} };
        $self->watch($carrier);
    }

    return { carrier => $carrier };
}

sub watch {
    my ($self, $conn) = @_;

    $self->{fds}{ $conn->{fd} } = $conn;
    vec($self->{rin}, $conn->{fd}, 1) = 1;
}

sub unwatch {
    my ($self, $conn) = @_;

    delete $self->{fds}{ $conn->{fd} };
    vec($self->{rin}, $conn->{fd}, 1) = 0;
}

sub close {
    my ($self, $conn, $how) = @_;

    $how ||= 'close';

    if (my $carrier = $conn->{carrier}) {
        return if $conn->{closed}++;

        my $n = $conn->{stream};

        return unless $n and delete $carrier->{streams}{$n};
        return if $carrier->{closed};

        if ($how eq 'close') {
            eval { $carrier->{client}->rst($n) };
            return;
        }

        # This breaks the other streams, too.

        eval { $carrier->{client}->goaway } if $how eq 'half_close';
        $self->broken($carrier, $how);
        return;
    }

    return if $conn->{closed}++;

    $self->unwatch($conn);
    $conn->{client}->$how;
    $conn->{client}->close if $how eq 'half_close';
}

# A connection with streams has ended.

sub broken {
    my ($self, $carrier, $how) = @_;

    my @streams = values %{ $carrier->{streams} };

    $carrier->{streams} = {};
    $self->close($carrier, $how);
    $self->cut_off($_) for @streams;
}

sub request {
    my ($self, $conn, $on, @request) = @_;

    $conn->{on} = $on;
    $conn->{at} = time;
    $conn->{lost} = $self->{lost};

    my $carrier = $conn->{carrier} || $conn;

    eval {
        my $n = $carrier->{client}->request(@request);

        $conn->{stream} = $n, $carrier->{streams}{$n} = $conn
            if $conn->{carrier};
        1;
    } or $self->later(0, sub {
        $self->cut_off($conn);
        $self->broken($carrier) if $carrier != $conn;
    });
}

# All connections and streams that wait for an answer.

sub open_conns {
    my ($self) = @_;

    return grep { $_->{on} } map { $_->{streams} ? values %{ $_->{streams} }
                                                 : $_ }
                             values %{ $self->{fds} };
}

sub ready {
    my ($self, $conn) = @_;

    my $client = $conn->{client};

    $client->fill(0.001);

    return $self->ready_streams($conn) if $conn->{streams};
    return $self->ready_frames($conn) if $conn->{frames};

    if (my $r = $client->parsed) {
        my $on = delete $conn->{on};

        $self->close($conn)
            if ($r->header('Connection') // '') eq 'close' or $client->{eof};
        $on->($r, $conn) if $on;

    } elsif ($client->{eof}) {
        $self->cut_off($conn);
    }
}

sub ready_streams {
    my ($self, $carrier) = @_;

    my $client = $carrier->{client};

    # TLS may hold bytes that select does not see.

    for ( ;; ) {
        # A frame may need a reply, and nginx may have exited by then.

        $client->{eof} = 1
            unless eval { 1 while $client->take_frame; 1 };
        last if $client->{eof};
        last unless $client->sock->can('pending') and $client->sock->pending;
        $client->fill(0);
    }

    for my $n (sort { $a <=> $b } keys %{ $carrier->{streams} }) {
        my $answer = $client->{streams}{$n};

        $self->frames($carrier->{streams}{$n})
            if $carrier->{streams}{$n}{frames};
        next unless $answer->{done};

        my $conn = delete $carrier->{streams}{$n} or next;

        delete $client->{streams}{$n};

        if ($answer->{reset}) {
            $self->cut_off($conn);
            next;
        }

        my $on = delete $conn->{on};

        $conn->{closed} = 1;
        $on->(bless({ %$answer, at => time }, 'Longpoll::Response'), $conn)
            if $on;
    }

    if ($client->{eof}) {
        $self->broken($carrier);

    } elsif ($client->{goaway} and !%{ $carrier->{streams} }) {
        $self->close($carrier);
    }
}

sub cut_off {
    my ($self, $conn) = @_;

    my $on = delete $conn->{on};

    $self->close($conn) unless $conn->{closed};
    $on->(undef, $conn) if $on;
}

# Seconds that a request has waited, without the time in which a worker or this
# loop stood still.

sub waited {
    my ($self, $at, $lost) = @_;
    return time - $at - ($self->{lost} - $lost);
}


# publishing

sub publish {
    my ($self, $pub) = @_;

    push @{ $self->{queue} }, $pub;
    $self->send_next;
}

sub send_next {
    my ($self) = @_;

    while (@{ $self->{queue} }
           and ($self->{busy} // 0) < $publishers)
    {
        my $pub = shift @{ $self->{queue} };
        my $conn = pop @{ $self->{idle} };

        $conn = $self->connect if !$conn or $conn->{closed};
        $self->{busy}++;
        $conn->{pub} = $pub;

        $self->{oracle}->sent($pub);
        $self->request($conn, sub { $self->published($pub, @_) },
            POST => '/events', body => $pub->{body},
            headers => [ defined $pub->{key}
                         ? "Idempotency-Key: $pub->{key}" : () ]);
    }
}

sub published {
    my ($self, $pub, $r, $conn) = @_;

    my $oracle = $self->{oracle};

    $self->{busy}--;
    delete $conn->{pub};
    push @{ $self->{idle} }, $conn unless $conn->{closed};

    if (!$r) {
        $oracle->broken($pub);

        # Only with a key is it safe to publish again.

        $self->later(0.02, sub { $self->publish($pub) })
            if defined $pub->{key} and $pub->{tries} < 20;

    } elsif ($r->status == 200 and $r->body eq '{"success": true}') {
        $oracle->stored($pub, $r->header('Longpoll-Event-Id'));
        push @{ $self->{all} }, $pub;
        push @{ $self->{keyed} }, $pub if defined $pub->{key};

        for my $f (@{ $self->{followers} }) {
            next unless $f->{conn} and $f->{conn}{on};
            next if $f->{style} eq 'stream' and !$f->{caught_up};
            next unless grep { $f->{has}{ $_->{cat} } } @{ $pub->{events} };
            $f->{awaited} ||= [ time, $self->{lost}, $pub ];
        }

    } elsif ($r->status == 413) {
        $oracle->refused($pub);

    } elsif ($r->status == 503 and $self->{world}{crowded}
             and $r->body =~ /could not be written to disk/)
    {
        $oracle->refused($pub, 'crowded');

    } elsif ($r->status == 503 and $r->body =~ /is being replaced/
             and $oracle->between_epochs($pub->{at}))
    {
        # The old zone takes nothing more.

        $oracle->broken($pub);

    } else {
        $oracle->landed($pub);
        $oracle->fail(answers => 'a publish: ' . $r->status . ' ' . $r->body);
    }

    $self->send_next;
}

sub do_publish {
    my ($self, $o) = @_;

    for (1 .. $o->{times} // 1) {
        my $key = $o->{keyed} ? 'key-' . ++$self->{keys} : undef;

        $self->publish($self->{oracle}->publish($o->{cats}, $o->{sizes},
                                                $key));
    }
}

sub do_burst { $_[0]->do_publish($_[1]) }

sub do_again {
    my ($self, $o) = @_;

    my $keyed = $self->{keyed};

    $self->publish($keyed->[ $o->{which} * @$keyed ]) if @$keyed;
}

sub do_delete {
    my ($self, $o) = @_;

    my $d = $self->{oracle}->delete($o->{cat});
    my $conn = $self->connect;

    $self->request($conn, sub {
        my ($r) = @_;

        my $refused = ($r and $r->body =~ /is being replaced/
                       and $self->{oracle}->between_epochs($d->{sent}));

        $self->{oracle}->deleted($d, $r && !$refused ? 1 : 0);
        $self->{oracle}->fail(answers => 'a delete: ' . $r->body)
            if $r and !$refused and $r->body ne '{"success": true}';
        $self->close($conn);
    }, DELETE => "/events?category=$o->{cat}");
}


# Polling: where a cursor stands, and how a client sends it.

sub place {
    my ($self, $reader, $from, $which) = @_;

    my $all = $self->{all};
    my $ms = int(1000 * time);
    my $pub = @$all ? $all->[ $which * @$all ] : undef;
    my ($cursor, $query);

    $from = 'now' if !$pub and $from =~ /^(?:since|id|both|epoch)$/;

    if ($from eq 'zero') {
        ($cursor, $query) = ('', 'since_time=0');
    } elsif ($from eq 'now') {
        ($cursor, $query) = (undef, '');
    } elsif ($from eq 'future') {
        ($cursor, $query) = (undef, 'since_time=' . ($ms + 1e9));
    } elsif ($from eq 'old') {
        ($cursor, $query) = ('', 'since_time=' . 1e12);
        $reader->{must_miss} = 1;
    } else {
        my $id = $pub->{id};
        my $at = Longpoll::Oracle::id_ms($id);

        if ($from eq 'id') {
            ($cursor, $query) = ($id, "last_id=$id");
        } elsif ($from eq 'both') {
            ($cursor, $query) = ($id, "since_time=$at&last_id=$id");
        } elsif ($from eq 'since') {
            ($cursor, $query) = (Longpoll::Oracle::ms_place($at, 'g'),
                                 "since_time=$at");
        } else {
            $id =~ s/([0-9a-f]{12})$/substr($1, 0, 6) . sprintf '%06x',
                hex(substr $1, 6) ^ 0xffffff/e;
            ($cursor, $query) = (Longpoll::Oracle::ms_place($at, 'g'),
                                 "last_id=$id");

            # A zone of another size knows about previous epochs.

            $reader->{must_miss} = $at > 1000 * $self->{oracle}->epoch_end;
        }
    }

    $reader->{start} = $reader->{cursor} = $reader->{asked} = $cursor;
    return $query;
}

sub poll_uri {
    my ($reader, $query, $timeout) = @_;

    return ($reader->{few} ? '/few?' : '/events?')
           . join('&', (map { "category=$_" } @{ $reader->{cats} }),
                  defined $timeout ? "timeout=$timeout" : (),
                  length $query ? $query : ());
}


# One poll from some cursor.  A slow client does not read the answer at once.

sub do_probe {
    my ($self, $o) = @_;

    my $reader = { cats => $o->{cats}, got => {}, missed => [], once => 1,
                   name => 'probe ' . ++$self->{names} . " ($o->{from})" };
    my $query = $self->place($reader, $o->{from}, $o->{which});
    my $conn = $self->connect(small => $o->{wait}, kind => $o->{kind});

    $self->{probes}{$conn} = $conn;
    $conn->{limit} = $o->{wait} ? 5 : 2;
    $conn->{name} = $reader->{name};
    $self->{oracle}->ask($reader);

    $self->request($conn, sub {
        my ($r) = @_;

        delete $self->{probes}{$conn};

        if ($r) {
            $self->{oracle}->answer($reader, $r);
            $self->{oracle}->complete($reader);
        } else {
            $self->{oracle}->lost_poll($reader);
        }

        $self->close($conn);
    }, GET => poll_uri($reader, $query, 1));

    if ($o->{wait} and !$conn->{closed}) {
        $self->unwatch($conn);
        $self->later($o->{wait}, sub { $self->watch($conn) });
    }
}

sub do_slow { $_[0]->do_probe($_[1]) }


# A client that polls again after each answer.

sub do_follow {
    my ($self, $o) = @_;

    return if @{ $self->{followers} } >= $most_followers;

    my $f = { cats => $o->{cats}, has => { map { $_ => 1 } @{ $o->{cats} } },
              got => {}, missed => [], style => $o->{style},
              kind => $o->{kind},
              few => $o->{few}, name => 'follower ' . ++$self->{names}
                                        . " ($o->{start}, $o->{style})" };

    push @{ $self->{followers} }, $f;
    $f->{query} = $self->place($f, $o->{start}, $o->{which});
    $self->poll($f);
}

sub poll {
    my ($self, $f) = @_;

    return $self->listen($f) if $f->{style} eq 'stream';

    my $conn = $f->{conn};

    $conn = $f->{conn} = $self->connect(kind => $f->{kind})
        if !$conn or $conn->{closed};

    # Long time-outs find wake-ups that never come, since a poll reads the zone
    # at its time-out in any case.

    $f->{timeout} = $self->{short} ? 1 : (1, 5, 10)[++$f->{polls} % 3];
    delete $f->{awaited};
    $self->{oracle}->ask($f);
    $self->request($conn, sub { $self->heard($f, @_) },
                   GET => poll_uri($f, $f->{query}, $f->{timeout}));
}

sub heard {
    my ($self, $f, $r, $conn) = @_;

    my $oracle = $self->{oracle};

    if (!$r) {
        $oracle->lost_poll($f);
        $self->later(0.01, sub { $self->poll($f) });
        return;
    }

    my $kind = $oracle->answer($f, $r) or return;
    my $took = $r->at - $f->{sent};

    $oracle->fail(answers => "$f->{name}: a time-out of $f->{timeout} s"
                             . " after $took s")
        if $kind eq 'timeout' and $took < $f->{timeout} - 0.15
            and !$self->sent_away($f, $conn);

    if ($kind eq 'timeout' and $self->{last_round}
        and $f->{sent} > $self->{last_round})
    {
        $f->{done} = 1;
        return;
    }

    $self->aim($f, $kind);
    $self->poll($f);
}

# The poll was answered by a worker that is leaving.  An answer in HTTP/2 does
# not say so.

sub sent_away {
    my ($self, $f, $conn) = @_;

    return $conn->{closed} unless $conn->{carrier};
    return ($self->{hupped} // 0) > $f->{sent} - 3;
}

# Sets the next cursor, in one of three styles.

sub aim {
    my ($self, $f, $kind) = @_;

    my $id = $f->{last_id};

    if (!defined $id) {
        # A follower that started from an event's id keeps that cursor.

        return if $kind eq 'timeout' and $f->{query} =~ /last_id/;

        $f->{query} = "since_time=$f->{timestamp}";
        $f->{asked} = Longpoll::Oracle::ms_place($f->{timestamp}, 'g');
        return;
    }

    my $at = Longpoll::Oracle::id_ms($id);

    $f->{asked} = $id;
    $f->{query} = $f->{style} eq 'id' ? "last_id=$id"
                                      : "since_time=$at&last_id=$id";

    if ($kind eq 'timeout' and $f->{style} eq 'golongpoll') {
        $f->{query} = "since_time=$f->{timestamp}&last_id=$id";
        $f->{asked} = Longpoll::Oracle::ms_place($f->{timestamp}, 0)
            if $f->{timestamp} != $at;
    }
}

sub do_leave {
    my ($self, $o) = @_;

    my @there = $self->there;
    my $f = $there[ $o->{which} * @there ] or return;

    delete $f->{conn}{on};
    $self->{oracle}->lost_poll($f);
    $self->close($f->{conn}, $o->{how});
    $self->later($o->{back}, sub { $self->poll($f) });
}


# the followers that wait

sub there {
    my ($self) = @_;

    return grep { $_->{conn} and $_->{conn}{on} } @{ $self->{followers} };
}


# Followers that hold a stream.  A stream has caught up when it was given a place
# behind its first frame.

sub listen {
    my ($self, $f) = @_;

    my $conn = $f->{conn} = $self->connect(
        kind => $f->{kind}, small => ($f->{kind} // '') eq 'slow');

    $conn->{follower} = $f;
    $f->{caught_up} = 0;
    delete $f->{awaited};
    $self->alive($f);
    $self->{oracle}->ask($f);

    my $uri = poll_uri($f, $f->{query});

    $self->request($conn, sub { $self->stream_over($f, @_) }, GET => $uri,
        headers => [ 'Accept: text/event-stream',
                     defined $f->{last} ? "Last-Event-ID: $f->{last}" : () ]);

    my $frames = Longpoll::Stream->over(($conn->{carrier} || $conn)->{client});

    @$frames{qw( h2 number )} = (1, $conn->{stream}) if $conn->{carrier};
    $conn->{frames} = $frames;
}

# Something was heard from the stream.

sub alive {
    my ($self, $f) = @_;

    $f->{heard} = [ time, $self->{lost} ];
}

sub ready_frames {
    my ($self, $conn) = @_;

    $self->frames($conn);
    return if $conn->{closed};

    if ($conn->{frames}{done}) {
        my $on = delete $conn->{on};

        $self->close($conn);
        $on->($conn->{frames}{head}, $conn);

    } elsif ($conn->{client}{eof}) {
        $self->cut_off($conn);
    }
}

# Takes the frames that are there.

sub frames {
    my ($self, $conn) = @_;

    my $s = $conn->{frames};
    my $f = $conn->{follower};

    my $valid = eval {
        1 while $s->{h2} ? $s->take_h2 : $s->take_h1;
        die "status $s->{head}{status}\n"
            if $s->{head} and $s->{head}{status} != 200;
        1;
    };

    $self->{oracle}->fail(whole => "$f->{name}: $@") unless $valid;

    while (my $frame = shift @{ $s->{es}->frames }) {
        $self->told($f, $frame);
        return if $conn->{closed};
    }
}

sub told {
    my ($self, $f, $frame) = @_;

    my $oracle = $self->{oracle};
    my $id = $frame->{id};

    $self->alive($f);
    $self->{count}{"frame_$frame->{kind}"}++;
    $oracle->frame($f, $frame);

    return unless defined $id;

    $f->{last} = $id;
    delete $f->{awaited}
        if $f->{awaited} and $f->{awaited}[2]{id} le $id;

    return unless $frame->{kind} eq 'place' and !$frame->{retry};

    if (!$f->{caught_up}) {
        $f->{caught_up} = 1;
        $oracle->waits($f, 1);
    }

    return unless $self->{last_round} and $id ge $self->{last_id};

    # at the end of the world

    $f->{done} = $f->{answered} = 1;
    delete $f->{conn}{on};
    $oracle->lost_poll($f);
    $self->close($f->{conn});
}

# The stream has ended, as answers do if there is an answer.

sub stream_over {
    my ($self, $f, $r, $conn) = @_;

    my $oracle = $self->{oracle};

    if ($r) {
        $oracle->fail(whole => "$f->{name}: ended inside a frame")
            if !$conn->{frames}{es}->whole;
        $oracle->fail(answers => "$f->{name}: ended, though no worker leaves")
            if $self->waited($self->{hupped} // 0, 0) > 2 + 2 * $Slack
                and !@{ $self->{leaving} } and !$self->{ending};
    }

    $self->{count}{ $r ? 'stream_ends' : 'stream_cut' }++;
    $f->{answered} = $r ? 1 : 0;
    $oracle->lost_poll($f);
    $self->later(0.01, sub { $self->poll($f) });
}

# A stream is not read for a while.  Meanwhile nobody may wait for its
# categories.

sub do_rest {
    my ($self, $o) = @_;

    my @there = grep { $_->{caught_up} and !$_->{conn}{carrier} } $self->there;
    my $f = $there[ $o->{which} * @there ] or return;
    my $conn = $f->{conn};

    $f->{caught_up} = 0;
    $f->{heard} = undef;
    delete $f->{awaited};
    $self->{oracle}->waits($f, 0);
    $self->{oracle}->rests($f, 1);
    $self->unwatch($conn);

    $self->later($o->{for}, sub {
        return if $conn->{closed};

        # through a window of a few kB little gets on

        setsockopt $conn->{client}->sock, SOL_SOCKET, SO_RCVBUF,
                   pack 'i', 1 << 20 if ($f->{kind} // '') eq 'slow';
        $self->watch($conn);
        $self->alive($f);
    });
}


# what happens to nginx

sub workers { $_[0]{server}->workers }

sub do_kill {
    my ($self, $o) = @_;

    my @pids = $self->workers;
    my $pid = $pids[ $o->{which} * @pids ] or return;

    # Some publishes are on their way meanwhile.

    $self->do_publish({ cats => ["c$o->{behind}"], sizes => [100],
                        times => $publishers });

    sleep $o->{after};
    kill KILL => $pid;
}

sub do_stop {
    my ($self, $o) = @_;

    my @pids = $self->workers;
    my $pid = $pids[ $o->{which} * @pids ] or return;
    my $begin = time;

    kill STOP => $pid;

    # This process may be waiting for that worker, in a handshake.

    my $child = fork // die "fork: $!\n";

    if ($child == 0) {
        sleep $o->{for};
        kill CONT => $pid;
        POSIX::_exit(0);
    }

    $self->later($o->{for} + 0.01, sub {
        waitpid $child, 0;
        $self->{lost} += time - $begin;
    });
}

# Arms the store after the next n stores, in whichever worker gets there.

sub arm {
    my ($self, $n) = @_;
    number($self->{bomb}, 'Q', $n);
}

# Writes 8 bytes that nginx has mapped.

sub number {
    my ($file, $type, $n, $at) = @_;

    open my $out, -e $file ? '+<' : '+>', $file or die "$file: $!\n";
    sysseek $out, $at // 0, 0;
    syswrite $out, pack $type, $n;
}

# Makes the file that t/faults/die.c reads; no store is armed yet.

sub bomb {
    my ($dir) = @_;

    my @points = points();
    my $file = "$dir/die";

    number($file, 'Q', 0);
    number($file, 'a8', $points[$_], 8 + 32 * $_) for 0 .. $#points;
    number($file, 'Q', 0, 32 * @points);

    return $file;
}

# The points outside the lock, from the module's source.

sub points {
    my %points;
    my $root = abs_path(dirname(__FILE__) . '/../../..');

    for my $file (glob "$root/src/*/*.c") {
        open my $in, '<', $file or die "$file: $!\n";
        /ngx_http_longpoll_point\("(\w+)"\);/ and $points{$1} = 1 while <$in>;
    }

    return sort keys %points;
}

# The module in which a process dies where the test says; a test that has none
# is skipped.

sub dying {
    my $file = abs_path(dirname(__FILE__) . '/../../..')
        . '/build/chaos/ngx_http_longpoll_module.so';

    Test::More::plan(skip_all => 'not built: build/chaos') unless -e $file;
    Test::More::plan(
        skip_all => 'the nginx that is asked for has its module inside')
        if defined $ENV{TEST_NGINX_BINARY}
            and !defined $ENV{TEST_NGINX_LOAD_MODULES};

    return $file;
}

# Each point has its turn, in an order that changes.  A point that no worker
# reaches stays armed.

sub do_point {
    my ($self, $o) = @_;

    my $turn = $self->{turn} ||= [];

    @$turn = 0 .. $#{ $self->{points} } if !@$turn;

    my $n = splice @$turn, $o->{which} * @$turn, 1;

    number($self->{bomb}, 'Q', $o->{times}, 16 + 32 * $n);
}

# How often workers reached each point, and how often a worker died there.

sub point_counts {
    my ($self) = @_;

    open my $in, '<', $self->{bomb} or return;
    local $/;
    my (undef, @fields) = unpack 'Q (a8QQQ)*', <$in>;
    my @counts;

    while (my ($name, $arm, $hits, $deaths) = splice @fields, 0, 4) {
        $name =~ s/\0+$//;
        push @counts, [ $name, $hits, $deaths ];
    }

    return @counts;
}

sub do_die {
    my ($self, $o) = @_;
    $self->arm($o->{stores});
}

# Sets the clock forward to a time that it never had, back to an earlier time,
# or to the time of the zone's clock.

sub do_clock {
    my ($self, $o) = @_;

    my $oracle = $self->{oracle};
    my $now = time;
    my $ahead = $oracle->{clock}[-1]{ahead};

    $ahead += 3600 * $o->{by} if $o->{to} eq 'forth';
    $ahead -= 3600 * $o->{by} if $o->{to} eq 'back';
    $ahead += 6 * $o->{by} - 3 if $o->{to} eq 'near';
    $ahead = $oracle->clock_peak($now) - $now if $o->{to} eq 'peak';

    $oracle->set_clock($ahead, sub {
        number($self->{clock}, 'q', int 1e6 * $ahead);
    });
}

sub do_reload {
    my ($self, $o) = @_;

    my $server = $self->{server};
    my $world = $self->{world};
    my $zone = $world->{zone}[ $o->{zone} ];

    if ($zone ne $self->{zone}) {
        $self->{oracle}->epoch_ends;
        $self->{ending} ||= [];
    }

    $self->{conf} = $world->{conf}[ $o->{conf} ];
    $self->{zone} = $zone;
    $server->{http} = $self->http;
    $server->{workers} = $o->{workers};
    $server->write_conf;
    $self->hup;

    $self->later($o->{pause} * $_, sub {
        $server->write_conf;
        $self->hup;
    }) for 1 .. ($o->{times} // 1) - 1;
}

sub hup {
    my ($self) = @_;

    my @old = $self->workers;

    # The master takes one reload after the other.  After each it waits for a
    # tenth of a second.

    my $before = grep { $_->{sent} > time - 1 } @{ $self->{leaving} };

    push @{ $self->{leaving} }, { pids => \@old, sent => time,
                                  at => time + 0.2 * $before,
                                  lost => $self->{lost} };
    push @{ $self->{ending} }, @old if $self->{ending};
    $self->{hupped} = time;

    my $crowd = @old + $self->{server}{workers};

    $self->{crowd} = $crowd if $crowd > ($self->{crowd} // 0);
    $self->{server}{child}->signal('HUP');
}

# Whether the previous epoch is over.  Its workers are those from before the
# master read the configuration, and those started in place of killed ones.

sub ended {
    my ($self) = @_;

    my $workers = $self->{server}{workers};
    my %now = map { $_ => 1 } $self->workers;

    return if keys %now != $workers or grep { $now{$_} } @{ $self->{ending} };

    delete $self->{ending};
    $self->{oracle}->epoch_ended;
}

# The file stays broken until the next reload; nginx goes on with the old
# configuration.

sub do_broken {
    my ($self) = @_;

    my $server = $self->{server};

    # A reload that should succeed has read its file after this time.

    if (time - ($self->{hupped} // 0) < 0.3) {
        $self->later(0.1, sub { $self->do_broken });
        return;
    }

    local $server->{http} = $self->http . "chaos_broken;\n";
    $server->write_conf;
    $server->{child}->signal('HUP');
}

sub do_status {
    my ($self) = @_;

    my $conn = $self->connect;
    my $was = $self->{figures};
    my $epoch = $self->epoch;

    $self->request($conn, sub {
        my ($r) = @_;
        $self->close($conn);
        $self->figures($r->json->{zones}{events}, $was, $epoch) if $r;
    }, GET => '/status');
}

# The number of the zone's epoch; 0 while one follows the other.

sub epoch { $_[0]{ending} ? 0 : 1 + @{ $_[0]{oracle}{epochs} } }

# A counter in a later request is never below the counter in an earlier answer.

sub figures {
    my ($self, $now, $was, $epoch) = @_;

    return unless $epoch and $epoch == $self->epoch;

    $was = $now if !$was or $was->{epoch} != $epoch;
    $now->{epoch} = $epoch;

    for (qw( published delivered timeouts missed evicted expired trimmed refused
             disconnected ))
    {
        $self->{oracle}->fail(figures =>
                              "$_ went from $was->{$_} to $now->{$_}")
            if $now->{$_} < $was->{$_};
    }

    $self->{figures} = $now;
}


# Finds polls that wait too long.

sub overdue {
    my ($self, $now) = @_;

    my $oracle = $self->{oracle};

    for my $conn ($self->open_conns) {
        my $waited = $self->waited($conn->{at}, $conn->{lost});

        $oracle->fail(publish => sprintf 'one waits for %.2f s', $waited)
            if $conn->{pub} and $waited > 2 + $Slack;
        $oracle->fail(woken => sprintf '%s waits for %.2f s', $conn->{name},
                                       $waited)
            if $conn->{limit} and $waited > $conn->{limit} + $Slack;
    }

    for my $f (@{ $self->{followers} }) {
        next unless $f->{conn} and $f->{conn}{on};

        my $waited = $self->waited($f->{conn}{at}, $f->{conn}{lost});

        if ($f->{style} eq 'stream') {
            my $silent = $f->{heard} ? $self->waited(@{ $f->{heard} }) : 0;

            $oracle->fail(woken => sprintf '%s is silent for %.2f s',
                                   $f->{name}, $silent)
                if $silent > $heartbeat + 1 + $Slack;

        } elsif ($waited > $f->{timeout} + 1 + $Slack) {
            $oracle->fail(woken => sprintf '%s waits for %.2f s, not %d',
                                   $f->{name}, $waited, $f->{timeout});
        }

        next unless $f->{awaited};

        my ($at, $lost, $pub) = @{ $f->{awaited} };
        my $for = $self->waited($at, $lost);

        next if $for <= 1 + $Slack;

        delete $f->{awaited};

        next if defined $f->{asked} and $pub->{id} le $f->{asked};
        next if grep { !$f->{has}{ $_->{cat} } or $oracle->may_be_missing($_) }
                @{ $pub->{events} };

        $oracle->fail(woken => sprintf '%s, parked for %.2f s, does not see '
                                       . '%s after %.2f s',
                               $f->{name}, $waited, $pub->{id}, $for);
    }

    $self->ended if $self->{ending};

    # A drain takes one second; workers have one more second to exit.

    for my $old (@{ $self->{leaving} }) {
        next if $self->waited($old->{at}, $old->{lost}) <= 2 + 2 * $Slack;

        my %now = map { $_ => 1 } $self->workers;
        my @still = grep { $now{$_} } @{ $old->{pids} };

        $oracle->fail(workers => "still there: @still") if @still;
        $old->{done} = 1;
    }

    @{ $self->{leaving} } = grep { !$_->{done} } @{ $self->{leaving} };
}


# After the last step.

sub until {
    my ($self, $what, $seconds, $true) = @_;

    my $end = time + $seconds;
    my $lost = $self->{lost};

    until ($true->()) {
        $self->turn(0.01);
        return 0 if $self->failed;

        if (time > $end + $self->{lost} - $lost) {
            $self->{oracle}->fail(woken => "never came: $what");
            return 0;
        }
    }

    return 1;
}

sub settle {
    my ($self) = @_;

    my $oracle = $self->{oracle};
    my $world = $self->{world};

    if ($self->{bomb}) {
        $self->arm(0);
        number($self->{bomb}, 'Q', 0, 16 + 32 * $_)
            for 0 .. $#{ $self->{points} };
    }

    $self->do_clock({ to => 'peak' }) if $self->{clock};

    # Every follower reads to the end.

    $self->until('the answers to all publishes', 5, sub {
        !$self->{busy} and !@{ $self->{queue} } and !@{ $self->{timers} };
    }) or return;

    $self->until('the end of the last epoch', 10, sub {
        !$self->{ending};
    }) or return;

    $self->{short} = 1;
    $self->do_publish({ cats => [$_], sizes => [10] })
        for sort keys %{ { map { $_ => 1 }
                           map { @{ $_->{cats} } } @{ $self->{followers} } } };

    $self->until('the last publishes', 5, sub {
        !$self->{busy} and !@{ $self->{queue} };
    }) or return;

    $self->{last_round} = time;
    ($self->{last_id}) = sort { $b cmp $a } map { $_->{id} } @{ $self->{all} };

    $self->until('every follower at the end', 20, sub {
        !%{ $self->{probes} }
            and !grep { !$_->{done} } @{ $self->{followers} };
    }) or return;

    $oracle->complete($_) for @{ $self->{followers} };
    $oracle->lost;
    return if $self->failed;

    # The census: all events that the zone holds.

    my $before = $self->status or return;
    my $there = $self->census;
    $oracle->arrays;
    return if $self->failed;

    $_->{streams} ? $self->broken($_) : $self->close($_)
        for values %{ $self->{fds} };

    my $st = $self->figure('nobody waits', 3, sub { $_[0]{waiting} == 0 });
    return if $self->failed;

    my $timed = $oracle->{ttl} || $oracle->{inactive};
    my $bytes = 0;
    $bytes += $oracle->{by_id}{$_}{bytes} for keys %{ $there->{got} };

    if (!$timed) {
        $oracle->fail(figures => "$before->{events} events are counted, "
                                 . keys(%{ $there->{got} }) . ' are there')
            if $before->{events} != keys %{ $there->{got} };

        $oracle->fail(figures => "used is $before->{used}, the events need "
                                 . $bytes)
            unless $self->is_used($before, $bytes);
    }

    # The zone has counted each acknowledged publish.  It may also have counted
    # those without an answer.

    my $begun = $oracle->epoch_end;
    my $least = grep { $_->{acked} and $_->{sent} > $begun }
                @{ $oracle->{events} };
    my $most = 0;
    $most += $_->{sends} for values %{ $oracle->{cats} };

    $oracle->fail(figures => "$st->{published} published, not $least to $most")
        if $st->{published} < $least or $st->{published} > $most;

    # Categories expire, or the test deletes them.

    if (!$timed) {
        my @names = sort keys %{ $oracle->{cats} };

        while (my @some = splice @names, 0, 64) {
            my $uri = '/events?' . join '&', map { "category=$_" } @some;
            my $r = $self->{server}{http_client}->request(
                                     DELETE => $self->{server}->url($uri));
            $oracle->fail(answers => "delete: $r->{status}")
                if !$r->{success};
        }
    }

    # With a settable clock the test need not wait.

    $self->do_clock({ to => 'forth', by => 0.1 }) if $self->{clock};

    my $wait = ($oracle->{ttl} || $oracle->{inactive} || [0, 0])->[1] + 3;

    $self->figure('an empty zone', $wait, sub {
        $_[0]{events} == 0 and $_[0]{categories} == 0
            and $_[0]{used} == 0;
    });

    # No process and no poll may be left.

    eval {
        wait_until('the workers of one configuration', sub {
            my @now = $self->workers;
            @now == $self->{server}{workers};
        }, 4);
    } or $oracle->fail(workers => "$self->{server}{workers} are wanted, there"
                                  . ' are ' . join ' ', $self->workers);
}

sub status {
    my ($self) = @_;

    my $st = eval { $self->{server}->status('events') };

    $self->{oracle}->fail(answers => "status: $@") unless $st;
    $self->figures($st, $self->{figures}, $self->epoch) if $st;
    return $st;
}

sub figure {
    my ($self, $what, $seconds, $true) = @_;

    my $end = time + $seconds + $Slack;

    for ( ;; ) {
        my $st = $self->status or return;
        return $st if $true->($st);

        if (time > $end) {
            $self->{oracle}->fail(figures => "$what: never came, but "
                . join ' ', map { "$_=$st->{$_}" }
                            qw( waiting events categories used ));
            return $st;
        }

        sleep 0.02;
    }
}

# All events that a new client gets.

sub census {
    my ($self) = @_;

    my @names = sort keys %{ $self->{oracle}{cats} };
    my $sum = { got => {} };
    my $left = 0;

    while (my @some = splice @names, 0, 64) {
        my $f = { cats => \@some, got => {}, missed => [], start => '',
                  cursor => '', asked => '', query => 'since_time=0',
                  style => 'both', name => 'the census', has => {} };
        my $conn = $self->connect;
        my $next;

        $left++;
        $next = sub {
            my ($r) = @_;
            my $kind;

            $kind = $self->{oracle}->answer($f, $r) if $r;
            $self->aim($f, $kind) if $kind;

            if (!$r or !$kind or $kind eq 'timeout') {
                $self->{oracle}->complete($f) if $kind;
                $sum->{got}{$_} = 1 for keys %{ $f->{got} };
                $left--;
                undef $next;
                return;
            }

            $self->{oracle}->ask($f);
            $self->request($conn, $next, GET => poll_uri($f, $f->{query}, 1));
        };

        $self->{oracle}->ask($f);
        $self->request($conn, $next, GET => poll_uri($f, $f->{query}, 1));
    }

    $self->until('the census', 10, sub { !$left });
    return $sum;
}


# The error log may only contain what the steps have caused.

my @known = (
    qr/worker process \d+ exited on signal 9/,
    qr/shared memory zone "events" was locked by \d+/,
    qr/unknown directive "chaos_broken"/,
    qr/open socket #\d+ left in connection/,
    qr/a client request body is buffered to a temporary file/,
);

sub errors {
    my ($self) = @_;

    my $log = $self->{server}->log;

    $self->{deaths} = () = $log =~ /exited on signal 9/g;
    $self->{locked} = () = $log =~ /was locked by/g;

    for my $line (split /^/, $log) {
        next if $line =~ /\[(?:notice|info|debug)\]/;
        next if grep { $line =~ $_ } @known;
        next if $line =~ /more than 64 workers, this one looks/
            and ($self->{crowd} // 0) > $crowded;

        chomp $line;
        $self->{oracle}->fail(log => $line);
    }
}


1;
