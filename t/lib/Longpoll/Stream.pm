package Longpoll::Stream;

# A client of a stream: sends the request, and takes the frames as they come.
# Every wait dies after $Longpoll::Client::Patience seconds at the latest.
#
#     my $s = Longpoll::Stream->new($request, category => 'farm');
#     $s->head                the head, a Longpoll::Response without a body
#     $s->next                the next frame, see Longpoll::EventStream
#     $s->told(3)             the next three, as text: 'place ID', 'missed',
#                             'event ID DATA'; places of streams that have no
#                             id are 'place -'
#     $s->ids(3), ->data(3)   the next three, which are events
#     $s->caught_up           skips frames until a place with an id
#     $s->silent              nothing has come that was not taken
#     $s->ends                true if it ends behind a whole frame
#     $s->breaks              true if it ends in any other way
#
# $request: uri, headers, version, last (Last-Event-ID), gzip => 1, and
# Longpoll::Client's port, tls, conn; or h2 => a Longpoll::H2.

use strict;
use warnings;

use IO::Select ();
use Time::HiRes qw( time );

use Longpoll::Client;
use Longpoll::EventStream;


sub new {
    my ($class, $o, @args) = @_;

    my $self = $class->over($o->{h2} || $o->{conn}
                            || Longpoll::Client->new(%$o));

    $self->{h2} = $o->{h2};

    my $uri = ($o->{uri} || '/events') . '?'
              . Longpoll::Scenario::query(@args);
    my @headers = @{ $o->{headers} || ['Accept: text/event-stream'] };

    push @headers, "Last-Event-ID: $o->{last}" if defined $o->{last};

    if ($o->{gzip}) {
        require Compress::Raw::Zlib;

        push @headers, 'Accept-Encoding: gzip';
        $self->{inflate} = Compress::Raw::Zlib::Inflate->new(
                               -WindowBits => 31, -AppendOutput => 1);
    }

    my $sent = $self->{conn}->request($o->{method} || 'GET', $uri, %$o,
                                      headers => \@headers);
    $self->{number} = $sent if $o->{h2};

    return $self;
}


# The stream on a connection whose request the caller sends.

sub over {
    my ($class, $conn) = @_;

    return bless { conn => $conn, es => Longpoll::EventStream->new,
                   bytes => 0 }, $class;
}


sub conn { $_[0]{conn} }
sub bytes { $_[0]{bytes} }

# true while the client has heard nothing that it has not taken

sub silent {
    my ($self) = @_;

    return !@{ $self->{es}->frames } && $self->{es}->whole
           && $self->{conn}->silent;
}

sub close { $_[0]{conn}->close }
sub reset { $_[0]{conn}->reset }


sub head {
    my ($self) = @_;

    my $end = time + $Longpoll::Client::Patience;

    until ($self->{head}) {
        $self->more($end) or die "the connection ended before the head\n";
    }

    return $self->{head};
}


sub next {
    my ($self) = @_;

    my $end = time + $Longpoll::Client::Patience;

    until (@{ $self->{es}->frames }) {
        die "the stream has ended\n" if $self->{done};
        $self->more($end) or die "the connection has ended\n";
    }

    return shift @{ $self->{es}->frames };
}


sub told {
    my ($self, $n) = @_;

    return map { described($self->next) } 1 .. $n;
}

sub described {
    my ($frame) = @_;

    return $frame->{kind} if $frame->{kind} eq 'missed';
    return "place " . ($frame->{id} // '-') if $frame->{kind} eq 'place';

    my ($data) = $frame->{line} =~ /,"data":(.*),"id":"[^"]*"\}\z/;

    return "event $frame->{id} $data";
}


sub events {
    my ($self, $n) = @_;

    return map {
        my $frame = $self->next;

        die "no event: $frame->{text}\n" if $frame->{kind} ne 'event';
        $frame;
    } 1 .. $n;
}

sub ids { my ($self, $n) = @_; map { $_->{id} } $self->events($n) }
sub data { my ($self, $n) = @_; map { $_->event->{data} } $self->events($n) }


# Takes frames until a place with an id; returns the id.

sub caught_up {
    my ($self) = @_;

    for ( ;; ) {
        my $frame = $self->next;

        return $frame->{id} if $frame->{kind} eq 'place'
                               and defined $frame->{id};
    }
}


# Whether the answer ends as an answer should; frames may be left to take.

sub ends {
    my ($self) = @_;

    my $end = time + $Longpoll::Client::Patience;

    until ($self->{done}) {
        $self->more($end) or return 0;
    }

    return $self->{es}->whole ? 1 : 0;
}

sub breaks {
    my ($self) = @_;

    my $end = time + $Longpoll::Client::Patience;

    until ($self->{done}) {
        $self->more($end) or return 1;
    }

    return 0;
}


# Waits for bytes; false if the connection has ended without an end.

sub more {
    my ($self, $end) = @_;

    my $conn = $self->{conn};

    until ($self->{h2} ? $self->take_h2 : $self->take_h1) {
        return 0 if $conn->{eof} or $self->{h2} && $self->stream->{reset};

        my $left = $end - time;

        $conn->fill($left > 0 ? $left : 0) or die "nothing came in time\n";
    }

    return 1;
}

sub stream { $_[0]{conn}{streams}{ $_[0]{number} } }


# Takes what has come; false if nothing has.

sub take_h1 {
    my ($self) = @_;

    my $conn = $self->{conn};

    if (!$self->{head}) {
        return $self->{head} = $conn->begun;
    }

    return 0 if $self->{done};

    my ($bytes, $done) = $conn->part($self->{head});

    $self->take($bytes) if length $bytes;
    $self->{done} = 1 if $done;

    return length($bytes) || $done;
}

sub take_h2 {
    my ($self) = @_;

    my $stream = $self->stream;
    my $headed = $self->{head};

    1 while $self->{conn}->take_frame;

    $self->{head} = $stream if $stream->{status};

    my $bytes = $stream->{body};
    my $done = $stream->{done} && !$stream->{reset} && !$self->{done};

    $stream->{body} = '';
    $self->take($bytes) if length $bytes;
    $self->{done} = 1 if $done;

    return length($bytes) || $done || !$headed && $self->{head};
}


sub take {
    my ($self, $bytes) = @_;

    $self->{bytes} += length $bytes;

    if ($self->{inflate}) {
        my $out = '';
        my $status = $self->{inflate}->inflate($bytes, $out);

        die "gzip: $status\n"
            if $status != Compress::Raw::Zlib::Z_OK()
               and $status != Compress::Raw::Zlib::Z_STREAM_END();
        $bytes = $out;
    }

    $self->{es}->take($bytes);
}


1;
