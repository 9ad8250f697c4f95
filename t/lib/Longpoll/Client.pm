package Longpoll::Client;

# The client's side of HTTP/1: connections that can be left waiting, and the
# bytes of each answer read from them.  Every wait dies after $Patience seconds
# at the latest.

use strict;
use warnings;

use Errno qw( EAGAIN EINTR );
use IO::Select ();
use IO::Socket::INET ();
use Socket qw( SOL_SOCKET SO_LINGER SO_RCVBUF IPPROTO_TCP TCP_NODELAY );
use Time::HiRes qw( time );

our $Patience = $ENV{LONGPOLL_SLOW} ? 60 : 10;


# ->new(port => ..., tls => { IO::Socket::SSL's arguments }, rcvbuf => bytes): the
# kernel takes no more than rcvbuf for a client that does not read.

sub new {
    my ($class, %o) = @_;

    my $port = $o{port} || $Test::Nginx::Util::ServerPortForClient;

    my $sock = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                     PeerPort => $port, Proto => 'tcp',
                                     Timeout => $Patience)
        or die "connect to port $port: $@\n";

    setsockopt($sock, IPPROTO_TCP, TCP_NODELAY, 1);
    setsockopt($sock, SOL_SOCKET, SO_RCVBUF, $o{rcvbuf}) if $o{rcvbuf};

    if ($o{tls}) {
        require IO::Socket::SSL;
        IO::Socket::SSL->start_SSL($sock, SSL_verify_mode => 0, %{$o{tls}})
            or die "TLS: $IO::Socket::SSL::SSL_ERROR\n";
    }

    return bless { sock => $sock, buf => '', eof => 0, expect => [] }, $class;
}


sub sock { $_[0]{sock} }


# Sends bytes as they are.

sub send {
    my ($self, $bytes) = @_;

    local $SIG{PIPE} = 'IGNORE';

    while (length $bytes) {
        my $n = syswrite $self->{sock}, $bytes;

        if (!defined $n) {
            next if $! == EINTR;
            die "send: $!\n";
        }

        substr($bytes, 0, $n) = '';
    }

    return $self;
}


# ->request($method, $uri, headers => [...], body => ..., version => '1.0',
# chunked => 1): sends the request and does not wait.

sub request {
    my ($self, $method, $uri, %o) = @_;

    my $version = $o{version} || '1.1';
    my $head = "$method $uri HTTP/$version\r\n";

    $head .= "Host: localhost\r\n"
        unless grep { /^host:/i } @{ $o{headers} || [] };
    $head .= "$_\r\n" for @{ $o{headers} || [] };

    my $body = defined $o{body} ? $o{body} : '';

    if ($o{chunked}) {
        $head .= "Transfer-Encoding: chunked\r\n";

        my $size = $o{chunked} > 1 ? $o{chunked} : 1000;
        my $chunks = '';

        while (length $body) {
            my $chunk = substr $body, 0, $size, '';
            $chunks .= sprintf "%x\r\n%s\r\n", length $chunk, $chunk;
        }

        $body = $chunks . "0\r\n\r\n";

    } elsif (defined $o{body}) {
        $head .= 'Content-Length: ' . length($body) . "\r\n";
    }

    push @{ $self->{expect} }, $method;

    return $self->send("$head\r\n$body");
}


# Returns the next answer on this connection.

sub response {
    my ($self, %o) = @_;

    my $end = time + ($o{within} || $Patience);

    for ( ;; ) {
        my $r = $self->parsed;
        return $r if $r;

        die "the connection ended before the answer"
            . (length $self->{buf} ? " did: $self->{buf}" : '') . "\n"
            if $self->{eof};

        $self->fill($end - time) or die "no answer in time\n";
    }
}


# Reads once; false if nothing came in time.

sub fill {
    my ($self, $seconds) = @_;

    my $sock = $self->{sock};

    unless ($sock->can('pending') && $sock->pending) {
        return if $seconds <= 0;
        $! = 0;
        IO::Select->new($sock)->can_read($seconds) or return $! == EINTR;
    }

    my $n = sysread $sock, $self->{buf}, 65536, length $self->{buf};

    # An answer may end in a reset.  Half a record of TLS contains no bytes yet.

    if (!$n) {
        $self->{eof} = 1 if defined $n or $! != EINTR and $! != EAGAIN;
    }

    return 1;
}


# Returns a complete answer from the buffer, or nothing.

sub parsed {
    my ($self) = @_;

    my $head_end;

    for ( ;; ) {
        $head_end = index $self->{buf}, "\r\n\r\n";
        return if $head_end < 0;

        last if $self->{buf} !~ m{^HTTP/1\.\d 1\d\d };

        # 100 Continue
        substr($self->{buf}, 0, $head_end + 4) = '';
        $self->{continued}++;
    }

    my $r = Longpoll::Response->new(substr $self->{buf}, 0, $head_end);
    my $from = $head_end + 4;
    my $method = @{ $self->{expect} } ? $self->{expect}[0] : 'GET';
    my ($body, $used);

    if ($method eq 'HEAD' or $r->status =~ /^(?:204|304)$/) {
        ($body, $used) = ('', $from);

    } elsif (($r->header('Transfer-Encoding') || '') eq 'chunked') {
        ($body, $used) = dechunk(\$self->{buf}, $from) or return;

    } elsif (defined(my $length = $r->header('Content-Length'))) {
        return if length $self->{buf} < $from + $length;
        ($body, $used) = (substr($self->{buf}, $from, $length),
                          $from + $length);

    } else {
        return unless $self->{eof};
        ($body, $used) = (substr($self->{buf}, $from), length $self->{buf});
    }

    substr($self->{buf}, 0, $used) = '';
    shift @{ $self->{expect} };

    $r->{body} = $body;
    $r->{at} = time;

    return $r;
}


sub dechunk {
    my ($buf, $from) = @_;

    my $body = '';
    pos($$buf) = $from;

    while ($$buf =~ /\G([0-9a-fA-F]+)[^\r\n]*\r\n/gc) {
        my ($size, $at) = (hex $1, pos $$buf);

        return if length $$buf < $at + $size + 2;
        return ($body, $at + 2) if $size == 0;

        $body .= substr $$buf, $at, $size;
        pos($$buf) = $at + $size + 2;
    }

    return;
}


# An answer that goes on for long: its head as soon as it is there, or nothing;
# then, in a list, what has come of its body and whether that was all.

sub begun {
    my ($self) = @_;

    my $head_end = index $self->{buf}, "\r\n\r\n";
    return if $head_end < 0;

    my $r = Longpoll::Response->new(substr $self->{buf}, 0, $head_end);

    substr($self->{buf}, 0, $head_end + 4) = '';
    shift @{ $self->{expect} };

    return $r;
}

sub part {
    my ($self, $r) = @_;

    my $body = '';

    if (($r->header('Transfer-Encoding') || '') ne 'chunked') {
        ($body, $self->{buf}) = ($self->{buf}, '');
        return ($body, $self->{eof});
    }

    my ($at, $last) = (0, 0);
    pos($self->{buf}) = 0;

    while (!$last and $self->{buf} =~ /\G([0-9a-f]+)\r\n/gc) {
        my ($size, $from) = (hex $1, pos $self->{buf});

        last if length $self->{buf} < $from + $size + 2;
        die "no chunk: $self->{buf}\n"
            if substr($self->{buf}, $from + $size, 2) ne "\r\n";

        $body .= substr $self->{buf}, $from, $size;
        $last = !$size;
        pos($self->{buf}) = $at = $from + $size + 2;
    }

    substr($self->{buf}, 0, $at) = '';

    return ($body, $last);
}


# true once the server has closed the connection and no byte is left

sub closed {
    my ($self) = @_;

    my $end = time + $Patience;

    until ($self->{eof}) {
        $self->fill($end - time) or return 0;
    }

    return $self->{buf} eq '';
}


# true if the server has neither sent anything nor closed by now

sub silent {
    my ($self) = @_;

    return $self->{buf} eq '' && !$self->{eof}
           && !IO::Select->new($self->{sock})->can_read(0);
}


# three ways to close: FIN, FIN while still reading, RST

sub close { $_[0]{sock}->close }
sub half_close { $_[0]{sock}->shutdown(1) }

sub reset {
    my ($self) = @_;

    setsockopt $self->{sock}, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0;
    $self->{sock}->close;
}


package Longpoll::Response;

use JSON::PP ();


sub new {
    my ($class, $head) = @_;

    my ($line, @fields) = split /\r\n/, $head;
    my ($version, $status) = $line =~ m{^HTTP/(\d\.\d) (\d{3})\b}
        or die "not a status line: $line\n";

    my @headers = map { [ /^([^:]+):\s*(.*)$/ ] } @fields;

    return bless { version => $version, status => $status, head => $head,
                   headers => \@headers }, $class;
}


sub status { $_[0]{status} }
sub version { $_[0]{version} }
sub body { $_[0]{body} }
sub head { $_[0]{head} }
sub at { $_[0]{at} }


# All values of a header, joined by '|', so that a doubled header shows.

sub header {
    my ($self, $name) = @_;

    my @values = map { $_->[1] } grep { lc $_->[0] eq lc $name }
                 @{ $self->{headers} };

    return @values ? join('|', @values) : undef;
}


# the header names as they came, sorted

sub header_names {
    my ($self) = @_;
    return sort map { $_->[0] } @{ $self->{headers} };
}


sub json {
    my ($self) = @_;

    my $json = eval {
        local $SIG{__DIE__};
        JSON::PP->new->allow_nonref->decode($self->{body});
    };

    die "not JSON: $self->{body}\n" if $@;
    return $json;
}


# the kind of an answer: 'events', 'timeout', 'error', or its first key

sub kind {
    my ($self) = @_;

    return $self->{body} =~ /^\{"(\w+)":/ ? $1 : 'no JSON';
}


sub events {
    my ($self) = @_;

    my $events = $self->json->{events};
    die "no events answer: $self->{body}\n" unless ref $events eq 'ARRAY';

    return @$events;
}


sub data { map { $_->{data} } $_[0]->events }
sub ids { map { $_->{id} } $_[0]->events }

sub missed { $_[0]->json->{missed} ? 1 : 0 }
sub timestamp { $_[0]->json->{timestamp} }


1;
