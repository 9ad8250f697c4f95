# docs/comparison.md, What happens when: the test tries what the page says of
# nchan, push-stream and this module.  One publisher sends to two workers.  The
# test counts the acknowledged messages and looks for each of them afterwards.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use IO::Select ();
use IO::Socket::INET ();
use Socket qw( SOL_SOCKET SO_RCVTIMEO );
use Test::More;

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Pages qw( slurp );
use Longpoll::Server qw( wait_until );
use Longpoll::Workers qw( workers_of );

my $root = abs_path(dirname(abs_path(__FILE__)) . '/../..');
my $peer = "$root/build/bench/push-stream/usr";
my $text = slurp("$root/docs/comparison.md");
my $Categories = 60;

my %server = (
    'this module' => {
        zone => 'longpoll_zone zone=e:%s buffer=10000;',
        locations => <<'_EOC_',
location = /pub {
    longpoll_category $arg_id;
    longpoll_publish  e;
}
location = /sub {
    longpoll_category          $arg_id;
    longpoll_subscribe         e;
    longpoll_max_response_size 100m;
}
_EOC_
        query => '&timeout=1&since_time=0',
    },
    nchan => {
        load => '/usr/lib/nginx/modules/ngx_nchan_module.so',
        zone => 'nchan_shared_memory_size %s;',
        locations => <<'_EOC_',
location = /pub {
    nchan_publisher             http;
    nchan_channel_id            $arg_id;
    nchan_message_buffer_length 10000;
}
location = /sub {
    nchan_subscriber                  longpoll;
    nchan_channel_id                  $arg_id;
    nchan_longpoll_multipart_response raw;
    nchan_subscriber_timeout          1;
}
_EOC_
    },
    'push-stream' => {
        load => "$peer/lib/nginx/modules/ngx_http_push_stream_module.so",
        nginx => "$peer/sbin/nginx",
        zone => 'push_stream_shared_memory_size %s;',
        locations => <<'_EOC_',
location = /pub {
    push_stream_publisher      admin;
    push_stream_channels_path  $arg_id;
    push_stream_store_messages on;
}
location = /sub {
    push_stream_subscriber                 long-polling;
    push_stream_channels_path              $arg_id.b10000;
    push_stream_message_template           "~text~\n";
    push_stream_longpolling_connection_ttl 1s;
}
_EOC_
    },
);

# The page's words, each with a check of the numbers that the test found.

my %says = (
    'all are there'  => sub { $_[0] == 0 },
    'all are gone'   => sub { $_[0] == $_[1] },
    'none is lost'   => sub { $_[0] == 0 },
    'some are lost'  => sub { $_[0] > 0 },
    'none is refused'  => sub { $_[0] == 0 },
    'some are refused' => sub { $_[0] > 0 },
);

my ($conf, $conn, $own, $stuck);

local $SIG{PIPE} = 'IGNORE';

system "'$root/bench/peers.sh' push-stream >/dev/null 2>&1";

for my $name (sort keys %server) {
    $own = $server{$name};

    SKIP: {
        skip "$name is not available", 3 unless can_run();

        check($name, 'a reload', \&reload);
        check($name, 'a worker is killed', \&killed);
        check($name, 'it is full', \&full);
    }
}

done_testing();


sub check {
    my ($name, $when, $try) = @_;

    my ($found, $of) = eval { $try->() };
    my $why = $@;

    # If another server fails in a way the page does not mention, skip the case.

    if (!defined $of and $own->{load}) {
        $conf->end;
      SKIP: { skip "$name, $when: $why", 1 }
        return;
    }

    die $why if !defined $of;

    my ($row) = $text =~ /^\| $when \|(.*)\|$/m or die "no row: $when\n";
    my ($head) = $text =~ /^\| what happens \| (.*) \|$/m
        or die "no table\n";
    my @names = split / \| /, $head;
    my ($i) = grep { $names[$_] eq $name } 0 .. $#names;
    my ($word) = grep { (split /\|/, $row)[$i] =~ /\b$_\b/ } keys %says;

    die "$when, $name: the page says nothing\n" unless $word;
    ok($says{$word}->($found, $of), "$name, $when: $word")
        or diag("$found of $of");
    note("$name, $when: $found of $of");
}

sub can_run {
    return 1 unless $own->{load};
    return 0 unless -e $own->{load};

    my ($ok) = Longpoll::Pages->new("events {}\n", given())->test;
    return $ok;
}

sub given {
    return (port => $ENV{TEST_NGINX_PORT} || 1984,
            map { $own->{$_} ? ($_ => $own->{$_}) : () } 'nginx'),
           $own->{load} ? (load => [ $own->{load} ]) : ();
}

sub start {
    my ($size) = @_;

    $conf = Longpoll::Pages->new(<<"_EOC_" . $own->{locations} . "}\n}\n",
worker_processes 2;
events {}
http {
    keepalive_requests 1000000;
    ${\ sprintf $own->{zone}, $size }
    server {
_EOC_
                                 given());
    $conf->start;
    ($conn, $stuck) = (undef, 0);
}

# A read gives up after five seconds.

sub connection {
    my $sock = IO::Socket::INET->new(PeerAddr => '127.0.0.1:' . $conf->port)
        or die "connect: $!\n";

    setsockopt $sock, SOL_SOCKET, SO_RCVTIMEO, pack 'l!l!', 5, 0;
    return $sock;
}

# Returns whether the server acknowledged the message.  The request goes out in
# one write, since the kernel delays the second of two.

sub publish {
    my ($category, $body) = @_;

    $conn //= connection();

    printf $conn "POST /pub?id=%s HTTP/1.1\r\nHost: x\r\n"
        . "Content-Length: %d\r\n\r\n%s", $category, length $body, $body;

    my ($head, $got) = ('', '');

    while (defined(my $line = <$conn>)) {
        $head .= $line;
        last if $line eq "\r\n";
    }

    my ($len) = $head =~ /^Content-Length: (\d+)/mi;

    if (!defined $len or read($conn, $got, $len) != $len
        or $head =~ /^Connection: close/mi)
    {
        $stuck++ if !$conn->connected or !length $head;
        die "$stuck publishes had no answer\n" if $stuck > 20;
        undef $conn;
    }

    return $head =~ m{^HTTP/1\.1 2};
}

# Asks for all categories at once, because a server takes a second to answer for
# an empty one.  The numbers in the messages identify them.

sub lost {
    my (@acknowledged) = @_;

    my %answer;
    my $select = IO::Select->new(map { ask("c$_") } 0 .. $Categories - 1);
    my $end = time + 5;

    while ($select->count and time < $end) {
        for my $sock ($select->can_read(1)) {
            sysread $sock, $answer{$sock}, 65536, length($answer{$sock} // '')
                or $select->remove($sock);
        }
    }

    my %there = map { $_ => 1 } join(' ', values %answer) =~ /\bm(\d+)x/g;

    return grep { !$there{$_} } @acknowledged;
}

sub ask {
    my ($category) = @_;

    my $sock = connection();

    printf $sock "GET /sub?id=%s%s HTTP/1.0\r\n\r\n", $category,
        $own->{query} // '';

    return $sock;
}

sub publish_some {
    my ($from, $to) = @_;

    return grep { publish('c' . $_ % $Categories, "m${_}x") } $from .. $to;
}

sub reload {
    start('64m');

    my @stored = publish_some(1, 300);
    my $master = $conf->pid;
    my @old = workers_of($master);
    my %old = map { $_ => 1 } @old;

    kill HUP => $master;
    wait_until('the old workers gone', sub {
        my @now = workers_of($master);
        @now == 2 && !grep { $old{$_} } @now;
    });

    my @lost = lost(@stored);
    $conf->end;

    return (scalar @lost, scalar @stored);
}

sub killed {
    start('64m');

    my @stored = publish_some(1, 2000);
    my ($one) = workers_of($conf->pid);

    kill KILL => $one;
    push @stored, publish_some(2001, 4000);

    my @lost = lost(@stored);
    $conf->end;

    return (scalar @lost, scalar @stored);
}

# 8,000 messages of a kilobyte and their headers do not fit into 8 megabytes.

sub full {
    start('8m');

    my $n = 8000;
    my $refused = grep { !publish('c' . $_ % 1000, 'x' x 1000) } 1 .. $n;

    $conf->end;
    return ($refused, $n);
}
