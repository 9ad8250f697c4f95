package Longpoll::Traffic;

# Publishers and followers of several nodes, all at once, while the test breaks
# things.  A publisher sends one publish after the other, each to any node.  A
# follower polls from the beginning and goes on behind what it got, with each
# poll to another node.
#
#     my $t = Longpoll::Traffic->new(nodes => \@nodes, publishers => 6,
#                                    followers => 4, cats => 3, keys => 0.3);
#     $t->run($seconds, sub { ... })    traffic; then the sub, in its midst
#     $t->settle                        no more publishes; followers catch up
#     $t->trouble                       what is wrong: a list of sentences
#     $t->acked, $t->refused, $t->unknown   publishes that were answered so
#     $t->missed                        answers that said missed
#     $t->received                      events that followers got
#
# Some publishes have several events, and some an Idempotency-Key; one with a key
# that is not answered, or with "may be stored", is sent again, to any node.
#
# What must hold: an event that was acknowledged reaches each follower of its
# category once, unless that is told `missed`; one that was refused reaches
# nobody; all see the same order, and the same id.

use strict;
use warnings;

use IO::Select ();
use JSON::PP ();
use Time::HiRes qw( sleep time );

use Longpoll::Client ();

my $json = JSON::PP->new->canonical;


sub new {
    my ($class, %o) = @_;

    my $self = bless {
        publishers => 4, followers => 3, cats => 2, keys => 0.3, %o,
        acked => {}, maybe => {}, refused => {}, id => {}, missed => 0,
        count => { acked => 0, refused => 0, unknown => 0 }, said => [],
    }, $class;

    $self->{publisher} = [ map { { name => "p$_", i => 0 } }
                               1 .. $self->{publishers} ];

    # of one category, or of all

    my @all = map { "c$_" } 1 .. $self->{cats};

    $self->{follower} = [ map {
        { name => "f$_", cats => $_ % 2 ? [@all] : [ $all[$_ % @all] ],
          since => 1, id => '', seen => {}, last => '', missed => 0,
          node => $_ }
    } 1 .. $self->{followers} ];

    return $self;
}

sub acked { $_[0]{count}{acked} }
sub refused { $_[0]{count}{refused} }
sub unknown { $_[0]{count}{unknown} }
sub missed { $_[0]{missed} }

sub received {
    my ($self) = @_;

    my $sum = 0;
    $sum += keys %{ $_->{seen} } for @{ $self->{follower} };

    return $sum;
}

sub complain { push @{ $_[0]{said} }, $_[1] }


sub run {
    my ($self, $seconds, $then) = @_;

    my $end = time + $seconds;

    $self->turn(1) while time < $end;

    return $then ? $then->() : ();
}

# sends what is to be sent, and takes the answers that come

sub turn {
    my ($self, $publish) = @_;

    my @all = ($publish ? @{ $self->{publisher} } : (), @{ $self->{follower} });

    for my $one (grep { !$_->{conn} } @all) {
        $one->{cats} ? $self->poll($one) : $self->publish($one);
    }

    my %by = map { $_->{conn} ? (fileno $_->{conn}->sock => $_) : () }
                 @{ $self->{publisher} }, @{ $self->{follower} };
    my @ready = IO::Select->new(map { $_->{conn}->sock } values %by)
                          ->can_read(0.02);

    sleep 0.02 unless %by;

    for my $one (map { $by{ fileno $_ } } @ready) {
        $one->{conn}->fill(0.01);

        my $r = $one->{conn}->parsed;

        next unless $r or $one->{conn}{eof};

        delete($one->{conn})->close;
        $one->{cats} ? $self->got($one, $r) : $self->answered($one, $r);
    }

    for my $one (values %by) {
        next unless $one->{conn} and time > $one->{at} + 30;
        $self->complain("$one->{name}: no answer in 30 s");
        delete($one->{conn})->close;
        $self->answered($one) unless $one->{cats};
    }
}

sub send_to {
    my ($self, $one, $node, @request) = @_;

    $one->{at} = time;
    $one->{conn} = eval { Longpoll::Client->new(port => $node->port) } or return;
    eval { $one->{conn}->request(@request); 1 } or delete $one->{conn};
}


sub publish {
    my ($self, $p) = @_;

    my $nodes = $self->{nodes};
    my $now = $p->{now};

    if (!$now) {
        my $name = "$p->{name}-" . ++$p->{i};
        my $n = rand() < 0.1 ? 2 + int rand 4 : 1;
        my @events = map {
            { category => 'c' . (1 + int rand $self->{cats}),
              data => $n == 1 ? $name : "$name-$_" }
        } 1 .. $n;

        $now = $p->{now} = { events => \@events,
                             key => rand() < $self->{keys} ? $name : undef };
    }

    $self->send_to($p, $nodes->[rand @$nodes], POST => '/publish',
        headers => [ defined $now->{key} ? "Idempotency-Key: $now->{key}"
                                         : () ],
        body => $json->encode(@{ $now->{events} } == 1 ? $now->{events}[0]
                                                       : $now->{events}));
}

# no answer: the connection broke

sub answered {
    my ($self, $p, $r) = @_;

    my $now = $p->{now};
    my $status = $r ? $r->status : 0;
    my $why = $r ? $r->body : '';

    if ($status == 200) {
        $self->{count}{acked}++;
        $self->{acked}{ $_->{data} } = $_->{category} for @{ $now->{events} };
        $self->has_id($now->{events}[-1]{data}, $r->header('Longpoll-Event-Id'));

    } elsif ($why =~ /Redis takes no events now/ and !$now->{unknown}) {
        $self->{count}{refused}++;
        $self->{refused}{ $_->{data} } = 1 for @{ $now->{events} };

    } elsif ($status == 0 or $status == 503) {
        $self->{count}{unknown}++ unless $now->{unknown}++;

        # sent again, until it is known

        return if defined $now->{key};

        $self->{maybe}{ $_->{data} } = 1 for @{ $now->{events} };

    } else {
        $self->complain("$p->{name}: $status $why");
    }

    delete $p->{now};
}

sub has_id {
    my ($self, $data, $id) = @_;

    my $before = $self->{id}{$data} //= $id;

    $self->complain("$data: ids $before and $id") if $before ne $id;
}


sub poll {
    my ($self, $f) = @_;

    my $nodes = $self->{nodes};
    my $cats = join "&", map { "category=$_" } @{ $f->{cats} };

    $f->{asked_idle} = $self->{idle};
    $self->send_to($f, $nodes->[ $f->{node}++ % @$nodes ],
                   GET => "/events?$cats&timeout=1&since_time=$f->{since}"
                          . ($f->{id} ? "&last_id=$f->{id}" : ''));
}

sub got {
    my ($self, $f, $r) = @_;

    return if !$r or $r->status == 502;

    if ($r->status != 200) {
        $self->complain("$f->{name}: " . $r->status . ' ' . $r->body);
        return;
    }

    if ($r->missed) {
        $f->{missed}++;
        $self->{missed}++;
    }

    if ($r->kind ne 'events') {
        $f->{idle} = 1 if $f->{asked_idle};
        return;
    }

    for my $event ($r->events) {
        my ($data, $id) = @$event{qw( data id )};

        $self->complain("$f->{name}: $data came twice") if $f->{seen}{$data}++;
        $self->complain("$f->{name}: $data at $id came behind $f->{last}")
            if $f->{last} and place($id) le place($f->{last});
        $self->complain("$f->{name}: $data was refused")
            if $self->{refused}{$data};

        $self->has_id($data, $id);
        @$f{qw( since id last )} = ($event->{timestamp}, $id, $id);
    }
}

# the place of an id in the order of all, without its epoch

sub place {
    my ($id) = @_;

    my ($a, $b, $c, $d) = $id =~ /^(\w{8})-(\w{4})-7(\w{3})-(\w{4})/
        or return $id;

    # 48 bits of time, and 16 of the counter

    return sprintf '%s%s%03x%01x', $a, $b, hex $c, (hex($d) >> 10) & 0xf;
}


sub settle {
    my ($self) = @_;

    my $end = time + 40;

    $self->turn(0) while time < $end
        and grep { $_->{conn} } @{ $self->{publisher} };

    # what is still to be sent again

    while (time < $end and my @open = grep { $_->{now} or $_->{conn} }
                                           @{ $self->{publisher} }) {
        for my $p (grep { !$_->{conn} } @open) { $self->publish($p) }
        $self->turn(0);
    }

    $self->{idle} = 1;
    delete $_->{idle} for @{ $self->{follower} };

    $self->turn(0) while time < $end
        and grep { !$_->{idle} } @{ $self->{follower} };

    $self->complain('the followers do not come to an end') if time >= $end;
    $self->{idle} = 0;
}

sub trouble {
    my ($self) = @_;

    my @said = @{ $self->{said} };
    my %known = (%{ $self->{acked} }, %{ $self->{maybe} });

    for my $f (@{ $self->{follower} }) {
        my %cats = map { $_ => 1 } @{ $f->{cats} };

        next if $f->{missed};

        my @lost = grep { $cats{ $self->{acked}{$_} } and !$f->{seen}{$_} }
                        sort keys %{ $self->{acked} };

        push @said, "$f->{name}: lost without a word: " . @lost . ', the first '
                    . $lost[0] if @lost;
    }

    return @said > 20 ? (@said[0 .. 19], '... ' . @said) : @said;
}


1;
