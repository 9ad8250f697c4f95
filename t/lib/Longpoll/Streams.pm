package Longpoll::Streams;

# Many event streams in one process: it reads them, checks every byte, and
# comes back when one ends, as a browser does.
#
#     my $streams = Longpoll::Streams->new(port => $port);
#     my $s = $streams->open('/events?category=a',
#         headers => [ ... ],        # further ones
#         from => $id,               # Last-Event-ID
#         first => 1,                # the number that every category begins with
#         rcvbuf => 4096,            # of the socket
#         once => 1,                 # does not come back
#     );
#     $streams->turn($seconds)       reads what is there, waits at most so long
#     $streams->until($what, sub { ... }, $seconds)
#                                    turns until the sub returns true, or dies
#     $streams->rest($s), ->read_on($s)   stops reading, reads on
#     $streams->close($s)            leaves for good
#     $streams->all                  the streams
#     $streams->faults               texts: what was wrong
#
# A stream is a hash:
#
#     open      its head is there, and it has not ended
#     got       events, in all
#     next      the number that comes next, of each category
#     missed    frames `missed`
#     places    frames `place`
#     last      the last id
#     ends      [ time, how ] of each end: 'whole' behind a whole frame, 'cut'
#
# The publisher numbers the events of each category from 1: the data is a text
# that begins with "N:".  An event is once, and in order; where numbers are left
# out, `missed` stands in front.  Ids of a stream rise, over all its
# connections.

use strict;
use warnings;

use Errno qw( EAGAIN EINTR );
use IO::Socket::INET ();
use Socket qw( SOL_SOCKET SO_RCVBUF IPPROTO_TCP TCP_NODELAY inet_aton
               pack_sockaddr_in PF_INET SOCK_STREAM );
use Time::HiRes qw( time );

my $hex = qr/[0-9a-f]/;
my $uuid = qr/$hex{8}-$hex{4}-7$hex{3}-[89ab]$hex{3}-$hex{12}/;

my $event = qr/id:\ ($uuid)\n
               data:\ \{"timestamp":(\d+),"category":"([^"]*)",
               "data":"(\d+):[^"]*","id":"($uuid)"\}\n\n/x;
my $place = qr/(?:retry:\ (\d+)\n)?event:\ place\n(?:id:\ ($uuid)\n)?
               data:\ \{\}\n\n/x;
my $missed = qr/event:\ missed\ndata:\ \{"missed":true\}\n\n/;


sub new {
    my ($class, %o) = @_;

    return bless { %o, fds => {}, rin => '', all => [], back => [],
                   faults => [] }, $class;
}

sub all { @{ $_[0]{all} } }
sub faults { @{ $_[0]{faults} } }

sub fault {
    my ($self, $s, $text) = @_;

    push @{ $self->{faults} }, "stream $s->{n} ($s->{uri}): $text"
        if @{ $self->{faults} } < 20;
}


sub open {
    my ($self, $uri, %o) = @_;

    my $s = { %o, uri => $uri, n => scalar @{ $self->{all} }, got => 0,
              next => {}, missed => 0, places => 0, last => $o{from},
              ends => [], connects => 0 };

    push @{ $self->{all} }, $s;
    $self->connect($s);

    return $s;
}

sub connect {
    my ($self, $s) = @_;

    socket my $sock, PF_INET, SOCK_STREAM, getprotobyname 'tcp'
        or die "socket: $!\n";

    # the window is told when the connection is made

    setsockopt $sock, SOL_SOCKET, SO_RCVBUF, $s->{rcvbuf} if $s->{rcvbuf};
    setsockopt $sock, IPPROTO_TCP, TCP_NODELAY, 1;

    if (!CORE::connect($sock, pack_sockaddr_in $self->{port},
                                               inet_aton '127.0.0.1'))
    {
        $self->come_back($s, 0.05);
        return;
    }

    $sock->blocking(0);

    my $head = "GET $s->{uri} HTTP/1.1\r\nHost: localhost\r\n"
               . "Accept: text/event-stream\r\n"
               . join '', map { "$_\r\n" } @{ $s->{headers} || [] };

    $head .= "Last-Event-ID: $s->{last}\r\n" if defined $s->{last};

    local $SIG{PIPE} = 'IGNORE';
    syswrite $sock, "$head\r\n";

    @$s{qw( sock fd in body open headed )} =
        ($sock, fileno $sock, '', '', 0, 0);
    $s->{connects}++;
    $s->{gap} = {};
    $self->{fds}{ $s->{fd} } = $s;
    $self->read_on($s) unless $s->{resting};
}

sub come_back {
    my ($self, $s, $seconds) = @_;

    push @{ $self->{back} }, [ time + $seconds, $s ];
}

sub rest {
    my ($self, $s) = @_;

    $s->{resting} = 1;
    vec($self->{rin}, $s->{fd}, 1) = 0 if $s->{sock};
}

sub read_on {
    my ($self, $s) = @_;

    return unless $s->{sock};

    # through a window of a few kB nothing gets on

    setsockopt $s->{sock}, SOL_SOCKET, SO_RCVBUF, 1 << 20
        if delete $s->{resting} and $s->{rcvbuf};
    vec($self->{rin}, $s->{fd}, 1) = 1;
}

sub close {
    my ($self, $s) = @_;

    return unless $s->{sock};

    vec($self->{rin}, $s->{fd}, 1) = 0;
    delete $self->{fds}{ $s->{fd} };
    close delete $s->{sock};
    $s->{open} = 0;
}


sub turn {
    my ($self, $most) = @_;

    my $now = time;
    my @back = grep { $_->[0] <= $now } @{ $self->{back} };

    if (@back) {
        $self->{back} = [ grep { $_->[0] > $now } @{ $self->{back} } ];
        $self->connect($_->[1]) for @back;
    }

    for my $back (@{ $self->{back} }) {
        $most = $back->[0] - $now if $back->[0] - $now < $most;
    }

    my $n = select my $rout = $self->{rin}, undef, undef, $most < 0 ? 0 : $most;

    return 0 if $n <= 0;

    for my $fd (keys %{ $self->{fds} }) {
        next unless vec $rout, $fd, 1;
        $self->fill($self->{fds}{$fd});
    }

    return $n;
}

sub until {
    my ($self, $what, $true, $seconds) = @_;

    my $end = time + ($seconds // 15);

    until ($true->()) {
        die "never came: $what\n" if time > $end;
        $self->turn(0.02);
    }

    return 1;
}


sub fill {
    my ($self, $s) = @_;

    my $n = sysread $s->{sock}, $s->{in}, 262144, length $s->{in};

    return if !defined $n and ($! == EAGAIN or $! == EINTR);

    if ($n) {
        $self->head($s) unless $s->{headed};
        $self->chunks($s) if $s->{headed};
        return if $s->{sock} and !$s->{over};
    }

    return unless $s->{sock};

    # A whole end has the last chunk, and stands behind a whole frame.

    my $whole = delete $s->{over};

    $self->fault($s, "ended inside a frame: $s->{body}")
        if $whole and length $s->{body};

    push @{ $s->{ends} }, [ time, $whole ? 'whole' : 'cut' ];
    $self->close($s);
    $self->come_back($s, ($s->{retry} // 50) / 1000) unless $s->{once};
}

sub head {
    my ($self, $s) = @_;

    $s->{in} =~ s/\A(HTTP.*?)\r\n\r\n//s or return;

    my $head = $1;

    if ($head !~ m{\AHTTP/1\.1 200 } or $head !~ m{^Content-Type: text/event-stream\r?$}m
        or $head !~ /^Transfer-Encoding: chunked\r?$/m)
    {
        $self->fault($s, "head: $head");
        $self->close($s);
        return;
    }

    $s->{headed} = $s->{open} = $s->{begins} = 1;
}

sub chunks {
    my ($self, $s) = @_;

    my $at = 0;

    pos($s->{in}) = 0;

    while ($s->{in} =~ /\G([0-9a-f]+)\r\n/gc) {
        my ($size, $from) = (hex $1, pos $s->{in});

        last if length $s->{in} < $from + $size + 2;

        if ($size == 0) {
            $s->{over} = 1;
            last;
        }

        $s->{body} .= substr $s->{in}, $from, $size;
        $at = pos($s->{in}) = $from + $size + 2;
    }

    substr($s->{in}, 0, $at) = '';
    $self->frames($s);
}

sub frames {
    my ($self, $s) = @_;

    my $last = $s->{last};
    my $next = $s->{next};

    pos($s->{body}) = 0;

    for ( ;; ) {
        if ($s->{body} =~ /\G$event/gco) {
            my ($id, $ms, $cat, $n, $own) = ($1, $2, $3, $4, $5);
            my $wanted = $next->{$cat} // $s->{first};

            $self->fault($s, "id $id of event $own") if $id ne $own;
            $self->fault($s, "id $id behind $last")
                if defined $last and $id le $last;
            $self->fault($s, "no place in front of event $n")
                if $s->{begins};

            if (defined $wanted and $n != $wanted) {
                $self->fault($s, "$cat: $n where $wanted comes next")
                    if $n < $wanted or !$s->{gaps}
                       and (!$s->{may_miss} or $s->{seen}{$cat});
                $s->{left_out} += $n - $wanted;
            }

            $s->{seen}{$cat} = 1;
            $next->{$cat} = $n + 1;
            $last = $id;
            $s->{got}++;
            $s->{at} = $self->{now};

        } elsif ($s->{body} =~ /\G$place/gco) {
            my ($retry, $id) = ($1, $2);

            $self->fault($s, $retry ? 'retry again' : 'no retry')
                if !$s->{begins} != !$retry;
            $self->fault($s, "place $id behind $last")
                if defined $id and defined $last and $id lt $last;
            $self->fault($s, 'a place without an id')
                if !defined $id and !$s->{begins};

            $s->{retry} = $retry if $retry;
            $s->{begins} = 0;
            $s->{places}++;
            $last = $id if defined $id;

        } elsif ($s->{body} =~ /\G$missed/gco) {
            $self->fault($s, 'missed at the begin') if $s->{begins};
            $s->{missed}++;
            $s->{may_miss} = 1;
            $s->{seen} = {};

        } else {
            last;
        }
    }

    $s->{last} = $last;
    substr($s->{body}, 0, pos($s->{body}) // 0) = '';

    $self->fault($s, "no frame: $s->{body}") if $s->{body} =~ /\n\n/;
}


1;
