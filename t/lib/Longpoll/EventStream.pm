package Longpoll::EventStream;

# Reads frames of a stream, and accepts nothing but what docs/protocol.md,
# Streams, says of them, to the byte:
#
#     retry: 1014                  the first frame, and no other, has a retry;
#     event: place                 it is a place, and no other may lack an id
#     id: 0198c0de-...
#     data: {}
#
#     id: 0198c0de-...             an event
#     data: {"timestamp":...,"category":...,"data":...,"id":...}
#
#     event: missed
#     data: {"missed":true}
#
# The ids of a stream never go back, and an event is behind all that came before
# it.  An event's id is the one in its data, unless that is of another kind.
#
#     my $es = Longpoll::EventStream->new;
#     $es->take($bytes);           dies at the first byte that is not so
#     my $frame = shift @{ $es->frames };
#     $frame->{kind}               place, event, missed
#     $frame->{id}, {retry}        or undef
#     $frame->event                the object, of an event
#     $es->whole                   no frame is half there

use strict;
use warnings;

use JSON::PP ();

my $uuid = qr/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/;
my $own =
    qr/[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/;
my $line = qr/\{"timestamp":\d{13},"category":"[^\n]*","data":[^\n]*,"id":"($uuid)"\}/;

my $json = JSON::PP->new->allow_nonref;


sub new {
    my ($class) = @_;

    return bless { buf => '', frames => [], n => 0, last => '' }, $class;
}

sub frames { $_[0]{frames} }
sub whole { $_[0]{buf} eq '' }


sub take {
    my ($self, $bytes) = @_;

    $self->{buf} .= $bytes;
    die "a CR in: $bytes\n" if $bytes =~ /\r/;

    my $from = 0;

    for ( ;; ) {
        my $end = index $self->{buf}, "\n\n", $from;
        last if $end < 0;

        my $frame = frame(substr $self->{buf}, $from, $end + 2 - $from);

        $self->judge($frame);
        push @{ $self->{frames} }, bless $frame, 'Longpoll::EventStream::Frame';
        $from = $end + 2;
    }

    substr($self->{buf}, 0, $from) = '';
}


# A frame from its text, or dies.

sub frame {
    my ($text) = @_;

    return { kind => 'event', id => $1, line => $2, named => $3, text => $text }
        if $text =~ /\Aid: ($own)\ndata: ($line)\n\n\z/;

    return { kind => 'missed', text => $text }
        if $text eq qq(event: missed\ndata: {"missed":true}\n\n);

    return { kind => 'place', retry => $1, id => $2, text => $text }
        if $text =~ /\A(?:retry: ([1-9]\d*)\n)?event: place\n(?:id: ($own)\n)?data: \{\}\n\n\z/;

    die "no frame: $text\n";
}


# What a frame may be depends on those before it.

sub judge {
    my ($self, $frame) = @_;

    my $first = !$self->{n}++;
    my $id = $frame->{id};

    die "the first frame is no place: $frame->{text}\n"
        if $first and $frame->{kind} ne 'place';
    die "retry: $frame->{text}\n"
        if $first ? ($frame->{retry} || 0) < 500 || $frame->{retry} > 1500
                  : defined $frame->{retry};
    die "a place without an id\n"
        if $frame->{kind} eq 'place' and !$first and !defined $id;

    return if !defined $id;

    # Of two ids of one epoch the later one is greater, as text, too.

    if (substr($id, -12) eq substr($self->{last}, -12)) {
        die "the id goes back from $self->{last} to $id\n"
            if $id lt $self->{last};
        die "an event that was there already: $id\n"
            if $frame->{kind} eq 'event' and $id eq $self->{last};
    }

    die "an event with two ids: $frame->{text}\n"
        if $frame->{kind} eq 'event' and $frame->{named} =~ /^$own\z/
           and $frame->{named} ne $id;

    $self->{last} = $id;
}


sub Longpoll::EventStream::Frame::event {
    my ($self) = @_;

    return $self->{event} ||= $json->decode($self->{line});
}


1;
