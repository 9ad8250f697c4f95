package Longpoll::Oracle;

# What clients of one zone may see, whatever happens to its workers.  The oracle
# is a model.  The test reports every publish, delete and poll to it, when a
# request is sent and when it is answered.  The oracle records a failure for
# each answer that breaks a promise.
#
#     my $oracle = Longpoll::Oracle->new(
#         zone => $bytes, room => $bytes,   # for events; may be set later
#         buffer => $n,                     # the smallest that it ever had
#         ttl => [$least, $most],           # seconds; so inactive
#         read => 1,                        # delete_on_read
#         evicts => 1,                       # categories may be evicted
#     );
#
#     $oracle->publish($cats, $sizes, $key)  a publish, to be sent: its body
#     $oracle->sent($pub), ->stored($pub, $id), ->broken($pub), ->refused($pub)
#     $oracle->delete($cat)                  a delete that is being sent
#     $oracle->deleted($delete, $answered)
#     $oracle->ask($reader)                  a poll that is being sent
#     $oracle->answer($reader, $response)    its answer; moves its cursor
#     $oracle->frame($reader, $frame)        a frame of a stream, from
#                                            Longpoll::EventStream
#     $oracle->waits($reader, $yes)          whether a stream waits: its
#                                            categories are in use
#     $oracle->rests($reader, $yes)          whether a stream does not read,
#                                            until it waits or is lost
#     $oracle->complete($reader)             checks that it has all events from
#                                            its start to its cursor
#     $oracle->lost                          checks at the end that some reader
#                                            has each event
#     $oracle->set_clock($ahead, $set)       $set sets nginx's wall clock $ahead
#                                            seconds ahead of the test's
#                                            does it
#     $oracle->epoch_ends, ->epoch_ended     a reload with another size: from
#                                            its signal until the last worker of
#                                            the old configuration has exited
#     $oracle->clock_peak                    the latest time that the zone's
#                                            clock can have had until now, a
#                                            time of the test
#     $oracle->fail($promise, $text)
#     $oracle->failures                      { promise, text, at }, ...
#
# A reader is { cats => [names], cursor => see below, ... }.  A cursor is a text
# that compares with ids: '' is the beginning, an id stands for itself, NAME-0
# and NAME-g are the begin and the end of a ms.  undef means now, whenever the
# poll was sent.
#
# The oracle cannot know whether the zone stored a publish whose connection
# broke, or whether the zone has already dropped an event.  In these cases alone
# it accepts both: an event that may exist may come, and an event that may be
# dropped may be missing.

use strict;
use warnings;

use List::Util qw( max min );
use Time::HiRes qw( time );

my $hex = qr/[0-9a-f]/;
my $uuid = qr/$hex{8}-$hex{4}-7$hex{3}-[89ab]$hex{3}-$hex{12}/;

# the two answers, to the byte

my $timeout = qr/\{"timeout":"no events before timeout","timestamp":(\d+)\}/;
my $event = qr/\{"timestamp":(\d+),"category":"([^"]*)",
               "data":("(\d+):\d+:[a-z]*"),"id":"($uuid)"\}/x;


sub new {
    my ($class, %o) = @_;

    return bless { %o, begun => time, events => [], cats => {}, by_id => {},
                   bytes => 0, flight => 0, failures => [], names => 0,
                   delivered => 0, clock => [ { ahead => 0 } ], peak => 0,
                   given => 0, epochs => [], suspects => [] }, $class;
}

sub fail {
    my ($self, $promise, $text) = @_;

    push @{ $self->{failures} },
        { promise => $promise, text => $text, at => time - $self->{begun} };
}

sub failures { @{ $_[0]{failures} } }

sub cat {
    my ($self, $name) = @_;

    return $self->{cats}{$name} ||= do {
        $self->{names}++;
        { name => $name, events => [], deletes => [], used => 0,
          removed => 0, polls => 0, sends => 0, acks => 0 };
    };
}


# ids and cursors

sub id_ms { hex(substr($_[0], 0, 8)) * 65536 + hex substr($_[0], 9, 4) }

sub ms_place {
    my ($ms, $side) = @_;

    my $hex = sprintf '%012x', $ms;
    return substr($hex, 0, 8) . '-' . substr($hex, 8) . "-$side";
}


# Clocks.  All times here are in the test's own time, which no step sets.  The
# zone's clock is the later of the wall clock and the highest issued id.  So it
# stands still after a step back, until the wall clock is later again.

sub set_clock {
    my ($self, $ahead, $set) = @_;

    my $was = $self->{clock}[-1];
    my $begin = time;

    $set->();

    my $end = time;

    # Between $begin and $end the clock was either of the two.

    push @{ $self->{clock} }, { ahead => $ahead };
    $was->{until} = $end;
    $self->{peak} = max($self->{peak}, $end + $was->{ahead});

    # For the next request, each category looks unused for an hour.  The test
    # cannot know whether a poll that is just being answered still uses one.

    return if $ahead <= $was->{ahead};

    $_->{removed} = $end for values %{ $self->{cats} };
}

sub clock_peak {
    my ($self, $now) = @_;

    return max($self->{peak}, $now + $self->{clock}[-1]{ahead},
               $self->{given} / 1000);
}

# The earliest time that the zone's clock can have had since $since.  $given is
# the last ms that the zone is known to have issued.

sub clock_least {
    my ($self, $since, $given) = @_;

    my @ahead = map { $_->{ahead} }
                grep { !defined $_->{until} or $_->{until} >= $since }
                @{ $self->{clock} };

    return max($since + min(@ahead), ($given // 0) / 1000);
}


# Epochs.  While a reload changes the zone's size there are two zones, and a
# request may reach either.  The new zone has all events of the old one, which is
# frozen: nobody misses anything.

sub epoch_ends {
    my ($self) = @_;

    push @{ $self->{epochs} }, { begin => time };
}

# The old zone's clock may have been a little ahead.

sub epoch_ended {
    my ($self) = @_;

    $_->{end} //= time + 0.05 for @{ $self->{epochs} };
}

# Events sent before this time may be of a previous epoch; 0: all are of this
# one.

sub epoch_end {
    my ($self, $epoch) = @_;

    $epoch //= $self->{epochs}[-1] or return 0;
    return $epoch->{end} // 9e9;
}

# The epoch that may have ended since $since, while a poll was on its way.

sub between_epochs {
    my ($self, $since) = @_;

    my $epoch = $self->{epochs}[-1];

    return $epoch && $self->epoch_end >= $since ? $epoch : undef;
}

# publishing

sub publish {
    my ($self, $cats, $sizes, $key) = @_;

    my @events;

    for my $i (0 .. $#$cats) {
        my $n = @{ $self->{events} };
        my $data = sprintf '"%d:%d:%s"', $n, $sizes->[$i],
                           chr(97 + $n % 26) x $sizes->[$i];
        my $cat = $self->cat($cats->[$i]);
        my $e = { n => $n, cat => $cats->[$i], data => $data, ids => {} };

        # The size of a record in the log, see docs/internals/zone.md.

        my $bytes = 40 + length($cats->[$i]) + length($data);
        $bytes += 16 if defined $key and $i == 0;
        $bytes += 8 if $self->{read};
        $e->{bytes} = ($bytes + 15) & ~15;

        push @{ $self->{events} }, $e;
        push @{ $cat->{events} }, $e;
        push @events, $e;
    }

    my @json = map { qq({"category":"$_->{cat}","data":$_->{data}}) } @events;
    my $body = @json > 1 ? '[' . join(',', @json) . ']' : $json[0];
    my $pub = { events => \@events, key => $key, body => $body, tries => 0 };

    $_->{pub} = $pub for @events;

    return $pub;
}

sub sent {
    my ($self, $pub) = @_;

    my $now = time;

    $pub->{tries}++;
    $pub->{at} = $now;

    for my $e (@{ $pub->{events} }) {
        $e->{sent} //= $now;
        $e->{last_sent} = $now;
        $e->{before} //= $self->{bytes} - $self->{flight};
        $e->{earlier} //= $self->cat($e->{cat})->{acks};
        $self->cat($e->{cat})->{sends}++;
        $self->{bytes} += $e->{bytes};
        $self->{flight} += $e->{bytes};
        $self->used($e->{cat}, $now) if $pub->{tries} == 1;
    }
}

sub landed {
    my ($self, $pub) = @_;

    $self->{flight} -= $_->{bytes} for @{ $pub->{events} };
}

sub stored {
    my ($self, $pub, $id) = @_;

    my $now = time;
    my $last = $pub->{events}[-1];

    $self->landed($pub);

    if (!defined $id or $id !~ /^$uuid$/) {
        $self->fail(answers => 'a publish was given the id '
                               . ($id // 'none'));
        return;
    }

    # A key stands for the first id as long as that event exists.

    $self->fail(key => "$pub->{key}: $pub->{id} became $id")
        if defined $pub->{id} and $pub->{id} ne $id
            and !$self->may_be_missing($pub->{events}[0]);

    my $again = defined $pub->{id} && $pub->{id} eq $id;

    $pub->{id} = $id;
    $self->known($last, $id);

    for my $e (@{ $pub->{events} }) {
        $self->cat($e->{cat})->{acks}++ unless defined $e->{acked};
        $e->{acked} //= $now;
        $e->{last_acked} = $now;
        $self->used($e->{cat}, $now) unless $again;
    }
}

# The zone refused an event that needs more than a quarter of it, or it was
# crowded.  No client may see such an event.

sub refused {
    my ($self, $pub, $crowded) = @_;

    my $bytes = 0;
    $bytes += $_->{bytes} for @{ $pub->{events} };

    $self->landed($pub);
    delete $_->{sent} for @{ $pub->{events} };

    $self->fail(answers => "a publish that needs $bytes bytes was refused")
        if !$crowded and $bytes <= $self->{zone} / 4;
}

sub broken {
    my ($self, $pub) = @_;

    $self->landed($pub);
    $_->{open} = 1 for @{ $pub->{events} };
}


# An event has one id, with one exception.  The zone finds a key by the first
# event of an array; if it has dropped that event, the same key publishes all
# again.

sub known {
    my ($self, $e, $id) = @_;

    return if $e->{ids}{$id};

    my $other = $self->{by_id}{$id};

    $self->fail(order => "$id is $other->{data} and $e->{data}") if $other;
    $self->fail(twice => "event $e->{n} is " . join ' and ', $id,
                         keys %{ $e->{ids} })
        if %{ $e->{ids} } and !$self->may_be_missing($e->{pub}{events}[0]);

    $e->{ids}{$id} = 1;
    $self->{by_id}{$id} = $e;
    $self->{given} = max($self->{given}, id_ms($id));
}


# deleting

sub delete {
    my ($self, $name) = @_;

    my $d = { sent => time, cat => $name };

    push @{ $self->cat($name)->{deletes} }, $d;
    $self->used($name, time);

    return $d;
}

sub deleted {
    my ($self, $d, $answered) = @_;

    $d->{end} = time;
    $d->{sure} = $answered && !$self->between_epochs($d->{sent});
}

sub may_be_deleted {
    my ($self, $e) = @_;

    for my $d (@{ $self->{cats}{ $e->{cat} }{deletes} }) {
        return 1 if !defined $d->{end} or $e->{sent} <= $d->{end};
    }

    return 0;
}


# A request used the category.  An unused category expires.  A publish whose key
# the zone knows does not use it.

sub used {
    my ($self, $name, $now) = @_;

    my $least = $self->{inactive} or return;
    my $cat = $self->cat($name);

    $cat->{removed} = $now
        if $cat->{used} and !$cat->{polls}
            and $now - $cat->{used} > $least->[0] - 1;
    $cat->{used} = $now;
}


# Whether the zone may have dropped an event; the client then gets "missed".

sub may_be_dropped {
    my ($self, $e, $now) = @_;

    return 1 if $self->{ttl}
        and $self->clock_peak($now) - $self->born($e)
            > $self->{ttl}[0] - 0.1;

    if (my $least = $self->{inactive}) {
        my $cat = $self->{cats}{ $e->{cat} };

        return 1 if $e->{sent} <= $cat->{removed}
            or !$cat->{polls} and $now - $cat->{used} > $least->[0] - 1;
    }

    # Live events may need the room; a tenth is for gaps between them.

    return 1 if $self->{bytes} - $e->{before} > 0.9 * $self->{room};
    return 1 if $self->{names} > $self->{zone} / 512 * 0.7;

    # Events not stored before this one may have been stored after it.

    my $cat = $self->{cats}{ $e->{cat} };

    return $cat->{sends} - $e->{earlier} > $self->{buffer};
}

# the earliest timestamp that the event can have

sub born {
    my ($self, $e) = @_;

    my @ms = map { id_ms($_) } keys %{ $e->{ids} };

    # The other events of an array come just before the last.

    @ms = id_ms($e->{pub}{id}) - 2 if !@ms and defined $e->{pub}{id};

    return min(@ms) / 1000 if @ms;
    return $self->clock_least($e->{sent});
}

sub may_be_missing {
    my ($self, $e) = @_;

    return $self->{read} || $self->may_be_deleted($e)
        || $self->may_be_dropped($e, time);
}

sub may_miss {
    my ($self, $reader, $cursor, $now) = @_;

    return 1 if $self->{evicts} and $cursor ne '';

    # an id of an unknown epoch, of about the time of a reload

    return 1 if exists $reader->{must_miss} and $self->{epochs}[0]
        and $cursor le ms_place(1000 * $self->epoch_end, 'g');

    for my $name (@{ $reader->{cats} }) {
        for my $e (@{ $self->cat($name)->{events} }) {
            next if !defined $e->{sent};
            next if %{ $e->{ids} } and !grep { $_ gt $cursor }
                                       keys %{ $e->{ids} };
            return 1 if $self->may_be_dropped($e, $now);
        }
    }

    return 0;
}


# polling

sub ask {
    my ($self, $reader) = @_;

    $reader->{sent} = time;
    $reader->{given} = $self->{given};

    $self->used($_, $reader->{sent}) for @{ $reader->{cats} };
    $self->waits($reader, 1);
}

sub waits {
    my ($self, $reader, $yes) = @_;

    my $now = time;
    my $more = $yes - ($reader->{waits} // 0);

    for (@{ $reader->{cats} }) {
        my $cat = $self->cat($_);

        $cat->{polls} += $more;
        $cat->{used} = $now if !$yes;
    }

    $reader->{waits} = $yes;
    $self->rests($reader, 0);
}

# Whether a stream does not read.  It may have been sent events all the same.

sub rests {
    my ($self, $reader, $yes) = @_;

    $self->cat($_)->{rests} += $yes - ($reader->{rests} // 0)
        for @{ $reader->{cats} };
    $reader->{rests} = $yes;
}

sub lost_poll {
    my ($self, $reader) = @_;

    my $now = time;

    $self->waits($reader, 0);

    if (!$reader->{answered}) {
        $self->cat($_)->{left} = $now for @{ $reader->{cats} };
    }

    $reader->{answered} = 0;
}

# Returns 'events' or 'timeout', or nothing for a senseless answer.

sub answer {
    my ($self, $reader, $r) = @_;

    my $now = time;
    my $body = $r->body;
    my $cursor = $reader->{cursor};
    my $client = $reader->{name};

    $reader->{answered} = 1;
    $self->lost_poll($reader);

    if ($r->status != 200
        or $body !~ /\A\{"(events|timeout)":/)
    {
        $self->fail(answers => "$client: " . $r->status . " $body");
        return;
    }

    my $kind = $1;
    my $missed = $body =~ s/,"missed":true\}\z/}/;
    my @events;

    $self->missed($reader, $now) if $missed and !$reader->{must_miss};

    # A frozen zone sends the client away; the new one tells it.

    $self->fail(lost => "$client did not get missed") if !$missed
        and $reader->{must_miss}
        and !($kind eq 'timeout' and $self->between_epochs($reader->{sent}));

    if ($kind eq 'timeout') {
        if ($body !~ /\A$timeout\z/) {
            $self->fail(whole => "$client: $body");
            return;
        }

        $reader->{timestamp} = $1;
        $self->{given} = max($self->{given}, $1);
        $self->ended($reader, $cursor, ms_place($1, 'g'), $missed, {});
        return $kind;
    }

    if ($body !~ /\A\{"events":\[/g) {
        $self->fail(whole => "$client: $body");
        return;
    }

    my $last = $cursor;
    my %got;

    while ($body =~ /\G,?$event/gc) {
        my ($timestamp, $name, $data, $n, $id) = ($1, $2, $3, $4, $5);

        $self->event($reader, $last, \%got, $timestamp, $name, $data, $n, $id)
            or next;
        $last = $id;
    }

    if (substr($body, pos $body) ne ']}' or !%got) {
        $self->fail(whole => "$client: ..." . substr $body, pos $body, 200);
        return;
    }

    $reader->{last_id} = $last;
    $self->ended($reader, $cursor, $last, $missed, \%got);

    return $kind;
}

# An event that the reader was given behind $last.  Returns false if there is no
# such event.

sub event {
    my ($self, $reader, $last, $got, $timestamp, $name, $data, $n, $id) = @_;

    my $client = $reader->{name};
    my $e = $self->{events}[$n];

    if (!$e or !defined $e->{sent} or $e->{data} ne $data
        or $e->{cat} ne $name or id_ms($id) != $timestamp)
    {
        $self->fail(whole => "$client: $name $timestamp $id "
                             . substr $data, 0, 100);
        return 0;
    }

    $self->fail(whole => "$client: event $n of another category")
        if !grep { $_ eq $name } @{ $reader->{cats} };
    $self->fail(twice => "$client: event $n, $id again")
        if $reader->{got}{$id} or $got->{$id};
    $self->fail($last eq $id ? 'twice' : 'order',
                "$client: event $n, $id behind $last")
        if defined $last and $id le $last
            and !$self->same_ms($reader, $last, $id, $e);
    $self->fail(whole => "$client: event $n, $id was there before")
        if !defined $reader->{cursor} and $self->settled($e, $reader->{sent});

    $self->known($e, $id);
    $self->outlived($reader, $e, $id, $timestamp);

    $e->{had} = 1;
    $got->{$id} = 1;
    $self->{delivered}++;

    return 1;
}

# The reader was told "missed".

sub missed {
    my ($self, $reader, $now) = @_;

    my $asked = $reader->{asked} // ms_place(
        1000 * $self->clock_least($reader->{sent}, $reader->{given}) - 1000, 0);

    $self->fail(missed => "$reader->{name} got missed, behind "
                          . ($reader->{cursor} // 'now') . ' of '
                          . join ' ', @{ $reader->{cats} })
        if !$self->may_miss($reader, $asked, $now);
}

# A frame "missed" stands in front of an answer whose end the client cannot see.
# What was dropped was published before the frame came.

sub frame {
    my ($self, $reader, $frame) = @_;

    my $id = $frame->{id};
    my $from = $reader->{cursor};
    my $now = time;
    my %got;

    if ($frame->{kind} eq 'missed') {
        $self->missed($reader, $now);
        push @{ $reader->{missed} },
            [ $from // '', ms_place(1000 * $self->clock_peak($now), 'g') ];
        return;
    }

    if ($frame->{kind} eq 'event') {
        if ($frame->{line} !~ /\A$event\z/) {
            $self->fail(whole => "$reader->{name}: $frame->{text}");
            return;
        }

        $self->event($reader, $from, \%got, $1, $2, $3, $4, $5) or return;
    }

    return if !defined $id;

    $self->{given} = max($self->{given}, id_ms($id));
    $self->ended($reader, $from, $id, 0, \%got);
    $reader->{asked} = $reader->{cursor};
}

# A poll for events later than the current ms may still get events of that ms.
# And where the clock stands still the ms never ends.

sub same_ms {
    my ($self, $reader, $last, $id, $e) = @_;

    # An id of another epoch stands for its ms.

    return 1 if $last =~ /^$uuid$/ and id_ms($last) == id_ms($id)
        and substr($last, 20) ne substr($id, 20);

    return $last eq ms_place(id_ms($id), 'g')
           && !$self->settled($e, $reader->{sent});
}

# Whether the event was settled before $time.  A publish that is tried again
# with its key, after the event was dropped, makes another event.

sub settled {
    my ($self, $e, $time) = @_;

    return !$e->{open} && defined $e->{last_acked}
           && $e->{last_sent} <= $e->{last_acked} && $e->{last_acked} < $time;
}

sub outlived {
    my ($self, $reader, $e, $id, $timestamp) = @_;

    $self->fail(whole => "$reader->{name}: $id is over its ttl")
        if $self->{ttl}
            and $timestamp + 1000 * $self->{ttl}[1] + 20
                < 1000 * $self->clock_least($reader->{sent},
                                            $reader->{given});

    for my $d (@{ $self->{cats}{ $e->{cat} }{deletes} }) {
        $self->fail(whole => "$reader->{name}: $id was deleted")
            if $d->{sure} and $d->{end} < $reader->{sent}
                and $self->settled($e, $d->{sent});
    }
}

sub ended {
    my ($self, $reader, $from, $to, $missed, $got) = @_;

    # The poll started from now: the first event that it got is the first that
    # it can know about.

    if (!defined $from) {
        $from = (sort keys %$got)[0] // $to;
        $reader->{start} = $from;
    }

    $reader->{got}{$_} = 1 for keys %$got;

    my $between = $self->between_epochs($reader->{sent});

    # A poll from the beginning gets no "missed" for categories that were
    # evicted long ago.

    push @{ $reader->{missed} }, [$from, $to]
        if $missed or $self->{evicts} and $from eq '';

    # If the client's own cursor never moved, it would be below the ids of the
    # answer.

    # With two epochs, the clock of one zone tells nothing about the other's.

    $reader->{cursor} = $to if !defined $reader->{cursor}
        or $to gt $reader->{cursor} and (!$between or %$got);
}


# Checks that the reader has all that existed when its last poll was sent, up to
# its cursor.

sub complete {
    my ($self, $reader) = @_;

    my $start = $reader->{start} // return;
    my $end = $reader->{cursor} // return;
    my $got = $reader->{got};

    for my $name (@{ $reader->{cats} }) {
        my $cat = $self->cat($name);

        for my $e (@{ $cat->{events} }) {
            next if !defined $e->{sent};

            # The publisher got only the id of an array's last event.  The
            # others have the same ms, or one shortly before.

            my @ids = keys %{ $e->{ids} };
            my $early;

            if (!@ids and defined $e->{acked} and defined $e->{pub}{id}) {
                @ids = $e->{pub}{id};
                $early = ms_place(id_ms(@ids) - 2, 0);
            }

            next if !@ids or grep { $got->{$_} } @ids;

            # The reader need not have seen an event that was not yet
            # acknowledged.

            next if $reader->{once}
                and !(defined $e->{acked} and $e->{acked} < $reader->{sent});

            for my $id (@ids) {
                next if $id le $start or $id gt $end;
                next if grep { $id gt $_->[0]
                               and ($early // $id) le $_->[1] }
                        @{ $reader->{missed} };
                next if $self->may_be_deleted($e);
                next if $self->{read} and $self->may_be_read($e);

                push @{ $self->{suspects} }, [ $e, sprintf
                    '%s never had event %d of %s, %s, %.3f s', $reader->{name},
                    $e->{n}, $name, $id, $e->{sent} - $self->{begun} ];

                # Another poll may be reading the event just now, or a stream
                # that rests will.

                $self->lost if !$self->{read}
                    or !$cat->{polls} and !$cat->{rests};
                return;
            }
        }
    }
}

# Fails for events that no reader has, once all polls are answered.

sub lost {
    my ($self) = @_;

    for my $suspect (splice @{ $self->{suspects} }) {
        my ($e, $text) = @$suspect;

        $self->fail(lost => $text)
            unless $self->{read} and $self->may_be_read($e);
    }
}

# At the end: an array exists as a whole, or not at all.

sub arrays {
    my ($self) = @_;

    my %seen;

    for my $pub (map { $_->{pub} } @{ $self->{events} }) {
        next if $seen{$pub}++ or !defined $pub->{at};

        my @events = @{ $pub->{events} };
        my $known = grep { %{ $_->{ids} } } @events;

        next if !$known or $known == @events
            or grep { $self->may_be_missing($_) } @events;

        $self->fail(whole => "of an array of " . @events . " only $known came,"
                             . " event $events[0]{n} and on");
    }
}

# delete_on_read: another poll had the event, or was about to get it.

sub may_be_read {
    my ($self, $e) = @_;

    my $cat = $self->{cats}{ $e->{cat} };

    return $e->{had} || ($cat->{left} // 0) >= $e->{sent};
}


1;
