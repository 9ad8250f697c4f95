package Longpoll::H2;

# The client's side of HTTP/2 (RFC 9113), as far as a poll needs it: several
# streams on a connection.  A client can reset one stream while the others wait.
# From an answer's header block it reads only the status.  The tests with curl
# check the other headers.

use strict;
use warnings;

use Time::HiRes qw( time );

use Longpoll::Client;

our @ISA = qw( Longpoll::Client );

my %TYPE = (DATA => 0, HEADERS => 1, RST_STREAM => 3, SETTINGS => 4, PING => 6,
            GOAWAY => 7, WINDOW_UPDATE => 8, CONTINUATION => 9);
my ($END_STREAM, $ACK, $END_HEADERS, $PADDED, $PRIORITY) =
    (0x1, 0x1, 0x4, 0x8, 0x20);

# the indexes of the statuses in HPACK's static table (RFC 7541, appendix A)

my %STATUS = (8 => 200, 9 => 204, 10 => 206, 11 => 304, 12 => 400, 13 => 404,
              14 => 500);

my $WINDOW = 1 << 30;          # unless window => ... says otherwise


sub new {
    my ($class, %o) = @_;

    my $self = Longpoll::Client::new($class, %o);

    $self->{scheme} = $o{tls} ? 'https' : 'http';
    $self->{next_stream} = 1;
    $self->{streams} = {};

    $self->send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

    # SETTINGS_INITIAL_WINDOW_SIZE, and the same window for the connection

    $self->frame('SETTINGS', 0, 0, pack 'nN', 4, $o{window} // $WINDOW);
    $self->frame('WINDOW_UPDATE', 0, 0, pack 'N', $WINDOW - 65535);

    return $self;
}


sub frame {
    my ($self, $type, $flags, $stream, $payload) = @_;

    return $self->send(substr(pack('N', length $payload), 1)
                       . pack('CCN', $TYPE{$type}, $flags, $stream)
                       . $payload);
}


# Sends a request and returns its stream's number.

sub request {
    my ($self, $method, $path, %o) = @_;

    my $stream = $self->{next_stream};
    $self->{next_stream} += 2;
    $self->{streams}{$stream} = { body => '' };

    my $block = literal(2, ':method', $method) . literal(4, ':path', $path)
                . literal(1, ':authority', 'localhost')
                . literal(6, ':scheme', $self->{scheme});

    for my $field (@{ $o{headers} || [] }) {
        my ($name, $value) = split /:\s*/, $field, 2;
        $block .= literal(0, lc $name, $value);
    }

    my $end = defined $o{body} || $o{open} ? 0 : $END_STREAM;

    $self->frame('HEADERS', $END_HEADERS | $end, $stream, $block);
    $self->frame('DATA', $END_STREAM, $stream, $o{body}) if defined $o{body};

    return $stream;
}


# Encodes a field that does not go into the dynamic table.  If $index is not 0,
# the name comes from the table.

sub literal {
    my ($index, $name, $value) = @_;

    return chr($index) . ($index ? '' : hpack_string($name))
           . hpack_string($value);
}

sub hpack_string {
    my ($text) = @_;

    my $n = length $text;
    return chr($n) . $text if $n < 127;

    my $length = chr 127;

    for ($n -= 127; $n >= 128; $n >>= 7) {
        $length .= chr($n & 127 | 128);
    }

    return $length . chr($n) . $text;
}


# Lets the server send so many bytes more on a stream.

sub widen {
    my ($self, $stream, $bytes) = @_;

    return $self->frame('WINDOW_UPDATE', 0, $stream, pack 'N', $bytes);
}


# RST_STREAM with CANCEL: the client does not want this answer any more.

sub rst {
    my ($self, $stream) = @_;

    delete $self->{streams}{$stream};
    return $self->frame('RST_STREAM', 0, $stream, pack 'N', 8);
}


# GOAWAY: the client opens no further streams.

sub goaway { $_[0]->frame('GOAWAY', 0, 0, pack 'NN', 0, 0) }


# Returns the answer on a stream: { status, body, reset }.

sub answer {
    my ($self, $stream) = @_;

    my $end = time + $Longpoll::Client::Patience;
    my $answer = $self->{streams}{$stream};

    until ($answer->{done}) {
        next if $self->take_frame;
        die "the connection ended before the answer\n" if $self->{eof};
        $self->fill($end - time) or die "no answer in time\n";
    }

    return $answer;
}


# Waits for the server's GOAWAY.

sub wait_goaway {
    my ($self) = @_;

    my $end = time + $Longpoll::Client::Patience;

    until ($self->{goaway}) {
        next if $self->take_frame;
        die "no GOAWAY\n" if $self->{eof} || !$self->fill($end - time);
    }

    return 1;
}


# Waits for the server's reply; the server has then read all that was sent
# before.

sub ping {
    my ($self) = @_;

    my $end = time + $Longpoll::Client::Patience;
    my $n = ++$self->{pings};

    $self->frame('PING', 0, 0, pack 'NN', 0, $n);

    until (($self->{pong} || 0) == $n) {
        next if $self->take_frame;
        die "no PING\n" if $self->{eof} || !$self->fill($end - time);
    }
}


sub take_frame {
    my ($self) = @_;

    return if length $self->{buf} < 9;

    my ($high, $low, $type, $flags, $id) = unpack 'CnCCN', $self->{buf};
    my $length = $high << 16 | $low;

    return if length $self->{buf} < 9 + $length;

    my $payload = substr $self->{buf}, 9, $length;
    substr($self->{buf}, 0, 9 + $length) = '';

    my $stream = $self->{streams}{$id} || {};

    if ($type == $TYPE{SETTINGS}) {
        $self->frame('SETTINGS', $ACK, 0, '') unless $flags & $ACK;

    } elsif ($type == $TYPE{PING}) {
        if ($flags & $ACK) {
            $self->{pong} = (unpack 'NN', $payload)[1];
        } else {
            $self->frame('PING', $ACK, 0, $payload);
        }

    } elsif ($type == $TYPE{GOAWAY}) {
        $self->{goaway} = 1;

    } elsif ($type == $TYPE{RST_STREAM}) {
        $stream->{reset} = $stream->{done} = 1;

    } elsif ($type == $TYPE{HEADERS}) {
        $stream->{status} = status(unpad($flags, $payload));
        $stream->{done} = 1 if $flags & $END_STREAM;

    } elsif ($type == $TYPE{DATA}) {
        $stream->{body} .= unpad($flags, $payload);
        $stream->{done} = 1 if $flags & $END_STREAM;
    }

    return 1;
}


sub unpad {
    my ($flags, $payload) = @_;

    return $payload unless $flags & $PADDED;

    my $pad = ord $payload;
    return substr $payload, 1, length($payload) - 1 - $pad;
}


# nginx writes the status first: from the static table, or as three plain
# digits.

sub status {
    my ($block) = @_;

    $block =~ s/^[\x20-\x3f]//;             # the table's size

    my $first = ord $block;

    return $STATUS{$first & 0x7f} if $first & 0x80;
    return $1 if $block =~ /^[\x08\x48]\x03(\d{3})/;
    return 'unknown';
}


1;
