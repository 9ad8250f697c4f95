package Longpoll::Publishers;

# Clients that publish one event after the other to a Longpoll::Persist.  The
# test may kill its nginx meanwhile.  The clients remember what they sent and
# which answers they got.
#
#     my $p = Longpoll::Publishers->new($n, clients => 8, size => 30,
#                                       buffer => 50, again => 1);
#     $p->run($seconds, sub { ... })    each client waits for an answer before
#                                       its next event.  The sub ends the run;
#                                       only earlier answers count.
#     $p->drain($seconds)               waits for answers that are still to come
#     $p->trouble(since => $time)       what is wrong with the zone's events: a
#                                       list of sentences.  Without since, all
#                                       answered events must exist; with it, all
#                                       that were answered before that time.
#     $p->answered                      the number of answers
#
# An event without an answer may exist or not.  buffer is the zone's: a category
# keeps only so many events.  With again a client goes on after its connection
# broke.

use strict;
use warnings;

use IO::Select ();
use Time::HiRes qw( time );

use Longpoll::Client ();


sub new {
    my ($class, $n, %o) = @_;

    my $self = bless { clients => 8, size => 0, buffer => 250, %o, n => $n },
               $class;

    $self->{of} = [ map { { cat => "c$_", sent => [], at => {}, i => 0 } }
                        1 .. $self->{clients} ];
    $self->{answered} = 0;
    $self->{refused} = 0;

    return $self;
}

sub answered { $_[0]{answered} }
sub refused { $_[0]{refused} }

sub send_next {
    my ($self, $p) = @_;

    my $data = $p->{cat} . '-' . ++$p->{i} . '-'
               . 'x' x ($self->{size} ? int rand $self->{size} : 0);

    $p->{now} = $data;
    push @{ $p->{sent} }, $data;

    return eval {
        $p->{conn} //= $self->{n}->client;
        $self->{n}->post($p->{cat}, qq("$data"), client => $p->{conn});
        1;
    } || do { delete $p->{conn}; pop @{ $p->{sent} }; 0 };
}

# reads the answers that have come

sub take {
    my ($self, $p, $go_on) = @_;

    my $conn = $p->{conn} or return;

    while (my $r = $conn->parsed) {
        if ($r->status == 200) {
            $p->{at}{ $p->{now} } = $r->at;
            $self->{answered}++;
        } else {
            # it is not there, and never was
            $self->{refused}++;
            $p->{never}{ $p->{now} } = 1;
        }

        delete $p->{now};

        if (lc($r->header('Connection') // '') eq 'close') {
            delete $p->{conn};
            $conn = undef;
        }

        $self->send_next($p) if $go_on;
        return unless $conn;
    }

    # The zone may have stored the event that was on its way.  The client does
    # not send it again.

    if ($conn->{eof}) {
        delete $p->{conn};
        delete $p->{now};
        $self->send_next($p) if $go_on and $self->{again};
    }
}

sub run {
    my ($self, $seconds, $then) = @_;

    my $end = time + $seconds;

    for my $p (@{ $self->{of} }) {
        $self->send_next($p) unless defined $p->{now};
    }

    while ((my $left = $end - time) > 0) {
        $self->turn($left, 1);
    }

    $then->() if $then;
    $self->{then} = time;
}

sub turn {
    my ($self, $left, $go_on) = @_;

    my %of;

    for my $p (@{ $self->{of} }) {
        $self->send_next($p)
            if $go_on and $self->{again} and !defined $p->{now};
        $of{ fileno $p->{conn}->sock } = $p if $p->{conn};
    }

    my $select = IO::Select->new(map { $_->{conn}->sock } values %of);

    select undef, undef, undef, 0.01 unless %of;

    for my $sock ($select->can_read($left < 0.05 ? $left : 0.05)) {
        my $p = $of{ fileno $sock };

        $p->{conn}->fill(1);
        $self->take($p, $go_on);
    }
}

# Answers sent before nginx ended are on their way, or here.

sub drain {
    my ($self, $seconds) = @_;

    my $end = time + ($seconds // 10);

    while (grep { $_->{conn} and defined $_->{now} } @{ $self->{of} }) {
        die "publishers were not answered\n" if time > $end;
        $self->turn(0.1, 0);
    }
}

# Closes the connections to a dead nginx.

sub forget {
    my ($self) = @_;

    for my $p (@{ $self->{of} }) {
        delete $p->{conn};
        delete $p->{now};
    }
}

sub trouble {
    my ($self, %o) = @_;

    return map { $self->trouble_of($_, %o) } @{ $self->{of} };
}

sub trouble_of {
    my ($self, $p, %o) = @_;

    my @got = map { $_->[1] } $self->{n}->events($p->{cat});
    my (%got, @trouble);

    $got{$_}++ for @got;

    push @trouble, map { "doubled: $_" } grep { $got{$_} > 1 } sort keys %got;

    # The events come in the order in which the client sent them.

    my @sent = grep { $got{$_} } @{ $p->{sent} };

    push @trouble, "$p->{cat}: not what was sent, in that order"
        unless @trouble or "@sent" eq "@got";
    push @trouble, map { "refused, but there: $_" }
                   grep { $p->{never}{$_} } @got;

    # The zone drops older events, whatever happened to the newer ones.

    my @must = @{ $p->{sent} };

    splice @must, 0, @must - $self->{buffer} if @must > $self->{buffer};

    @must = grep { my $at = $p->{at}{$_};
                   $at and !$got{$_} and (!$o{since} or $at < $o{since}) }
            @must;

    push @trouble, map { 'lost: ' . substr $_, 0, 30 } @must;

    # An event that is missing now must be missing forever.

    $p->{sent} = [ @got ] if $o{settle};

    return @trouble > 5 ? (@trouble[0 .. 4], '...') : @trouble;
}


1;
