#!/usr/bin/perl
#
# t/bench/faulty.pl: a long-poll server that makes mistakes, to see whether
# bench/ notices them.
#
# It prints its port, serves one request after the other until standard input
# ends, and keeps all events.  A path is /PROTOCOL/FAULT/RUN and behind that the
# protocol's own path.  Each RUN has its own categories.  These faults happen to
# the seventh publish of the RUN:
#
#     none      nothing
#     drop      its event is not kept
#     double    it is kept twice
#     swap      it is kept behind the next event of its category
#     misroute  it is kept in another category
#     corrupt   its last letter is changed
#     refuse    the answer is 500
#     cut       the connection ends in the middle of the answer
#     hang      there is no answer
#     deaf      neither its event nor any later one is kept
#     thread    a thread takes 200 ms of CPU time for it, and ends
#
# these to every seventh answer:
#
#     close     the connection ends with it, and the answer says so
#     chunks    it is sent in small pieces
#     status    a poll is answered 500
#
# and these to every poll:
#
#     pages     its answer has two events at most
#     early     it is answered at once, if need be as if its time were over
#
# A request that accepts text/event-stream gets a stream.  golongpoll's is
# chunked; with `chunks`, in chunks that know nothing of frames.

use strict;
use warnings;

use IO::Select ();
use IO::Socket::INET ();
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(CLOCK_THREAD_CPUTIME_ID clock_gettime);

my $listener = IO::Socket::INET->new(Listen => 64, LocalAddr => '127.0.0.1')
    or die "no port: $@\n";
my $select = IO::Select->new($listener, \*STDIN);
my (%runs, %in, @parked, @streams);

$SIG{PIPE} = 'IGNORE';
$| = 1;
print $listener->sockport, "\n";

while (1) {
    for my $fh ($select->can_read) {
        exit if $fh == \*STDIN;
        $fh == $listener ? arrive() : receive($fh);
    }
}

sub arrive {
    my $fh = $listener->accept or return;
    setsockopt $fh, IPPROTO_TCP, TCP_NODELAY, 1;
    $select->add($fh);
}

sub leave {
    my ($fh) = @_;
    @parked = grep { $_->{fh} != $fh } @parked;
    @streams = grep { $_->{fh} != $fh } @streams;
    $select->remove($fh);
    delete $in{$fh};
    close $fh;
}

sub receive {
    my ($fh) = @_;

    return leave($fh) unless sysread $fh, my $bytes, 65536;
    $in{$fh} .= $bytes;

    my ($head, $body) = split /\r\n\r\n/, $in{$fh}, 2;
    return unless defined $body;
    my ($length) = $head =~ /^Content-Length: (\d+)/mi;
    return if length $body < ($length // 0);
    delete $in{$fh};

    my ($method, $proto, $fault, $run, $path)
        = $head =~ m{^(\w+) /(\w+)/(\w+)/(\w+)(/\S*) } or die "$head\n";
    my $r = { fh => $fh, proto => $proto, fault => $fault, path => $path,
              head => $head, run => $runs{$run} //= {} };

    $method eq 'POST' ? publish($r, $body) : begin($r);
}

# publishing

sub publish {
    my ($r, $body) = @_;
    my ($cat, $data) = $r->{proto} eq 'golongpoll'
        ? $body =~ /^\{"category":"(\w+)","data":"([^"]*)"\}$/
        : ($r->{path} =~ /\?id=(\w+)$/, $body);
    my $run   = $r->{run};
    my $fault = ++$run->{published} == 7 ? $r->{fault} : 'none';
    my $list  = $run->{cats}{$cat} //= [];
    my $held  = delete $run->{held}{$cat};

    $run->{deaf} ||= $fault eq 'deaf';
    thread() if $fault eq 'thread';

    if ($fault eq 'swap') {
        $run->{held}{$cat} = $data;
    } elsif ($fault eq 'misroute') {
        my ($other) = grep { $_ ne $cat } sort keys %{ $run->{cats} };
        push @{ $run->{cats}{$other // 'none'} }, $data;
    } elsif ($fault ne 'drop' && !$run->{deaf}) {
        $data =~ s/.$/=/ if $fault eq 'corrupt';
        push @$list, ($data) x ($fault eq 'double' ? 2 : 1);
        push @$list, $held // ();
    }

    $fault eq 'refuse' ? answer($r, 500, 'no')
        : $fault eq 'hang' ? ()
        : $fault eq 'cut' ? cut($r)
        : answer($r, 200, '{"success": true}');

    my @now = @parked;
    @parked = ();
    serve($_) for @now;
    flow($_) for @streams;
}

sub thread {
    require threads;
    threads->create(sub {
        1 while clock_gettime(CLOCK_THREAD_CPUTIME_ID) < 0.2;
    })->join;
}

# polling

sub begin {
    my ($r) = @_;
    my ($cat) = $r->{path} =~ /(?:id|category)=(c\w+)/;
    my $list  = $r->{run}{cats}{$cat} //= [];

    $r->{cat} = $cat;
    ($r->{cursor}) = $r->{proto} eq 'golongpoll'
        ? $r->{path} =~ /last_id=(\d+)/
        : $r->{head} =~ /^If-None-Match: (\d+)/mi;
    $r->{cursor} //= $r->{path} =~ m{^/all|since_time=1$} ? 0 : @$list;
    return serve($r) unless $r->{head} =~ m{^Accept: text/event-stream}mi;

    push @streams, $r;
    $r->{chunked} = $r->{proto} eq 'golongpoll';
    syswrite $r->{fh}, "HTTP/1.1 200 Right\r\n"
        . ($r->{chunked} ? "Transfer-Encoding: chunked\r\n" : '') . "\r\n";
    text($r, "event: place\nid: 0\ndata: {}\n\n: comment\r\n\r\n");
}

# streams

sub flow {
    my ($r) = @_;
    my @events = @{ $r->{run}{cats}{ $r->{cat} } };

    while ($r->{cursor} < @events) {
        my $data = $events[ $r->{cursor}++ ];

        $data = qq({"timestamp":16,"category":"$r->{cat}","data":"$data",)
            . qq("id":"$r->{cursor}"}) if $r->{proto} eq 'golongpoll';
        text($r, "id: $r->{cursor}\ndata: $data\n\n");
    }
}

sub text {
    my ($r, $text) = @_;
    my $small = $r->{fault} eq 'chunks';
    my $most = $small ? 7 : 1000;

    $text =~ s/(.{1,$most})/sprintf "%x\r\n%s\r\n", length $1, $1/gse
        if $r->{chunked};
    return syswrite $r->{fh}, $text unless $small;

    for ($text =~ /(.{1,11})/gs) {
        syswrite $r->{fh}, $_;
        select undef, undef, undef, .0005;
    }
}

sub serve {
    my ($r) = @_;
    my @events = @{ $r->{run}{cats}{ $r->{cat} } };
    my $n = @events;

    return answer($r, 500, 'no')
        if $r->{fault} eq 'status' && ++$r->{run}{polls} == 7;

    if ($n == $r->{cursor}) {
        return answer($r, 200, '{"timeout":"no events before timeout",'
                               . '"timestamp":16}') if $r->{fault} eq 'early';
        push @parked, $r;
        return;
    }

    $n = $r->{cursor} + 2 if $r->{fault} eq 'pages' && $n > $r->{cursor} + 2;

    if ($r->{proto} eq 'golongpoll') {
        answer($r, 200, '{"events":[' . join(',', map {
            qq({"timestamp":16,"category":"$r->{cat}","data":"$events[$_]",)
                . '"id":"' . ($_ + 1) . '"}'
        } $r->{cursor} .. $n - 1) . ']}');
    } else {
        answer($r, 200, join('', map { "$_\n" } @events[$r->{cursor} .. $n - 1]),
               "Last-Modified: Sat, 21 Nov 2026 08:53:46 GMT", "Etag: $n");
    }
}

# answers

sub answer {
    my ($r, $status, $body, @head) = @_;
    my $seventh = ++$r->{run}{answers} % 7 == 0;
    my $close   = $r->{fault} eq 'close' && $seventh;

    push @head, 'Connection: close' if $close;

    if ($r->{fault} eq 'chunks') {
        push @head, 'Transfer-Encoding: chunked';
        $body =~ s/(.{1,50})/sprintf "%x\r\n%s\r\n", length $1, $1/gse;
        $body .= "0\r\n\r\n";
    } else {
        push @head, 'Content-Length: ' . length $body;
    }

    my $all = join("\r\n", "HTTP/1.1 $status Right", @head, '', $body);
    if ($r->{fault} eq 'chunks' && $seventh) {
        for ($all =~ /(.{1,100})/gs) {
            syswrite $r->{fh}, $_;
            select undef, undef, undef, .001;
        }
    } else {
        syswrite $r->{fh}, $all;
    }
    leave($r->{fh}) if $close;
}

sub cut {
    my ($r) = @_;
    syswrite $r->{fh},
        qq(HTTP/1.1 200 Right\r\nContent-Length: 17\r\n\r\n{"succ);
    leave($r->{fh});
}
