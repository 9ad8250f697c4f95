package Bench::Cluster;

# A server that is several nginxes over one Redis: a Bench::Server whose start()
# begins an empty Redis, and $Nodes nginxes with a directory and a port each.
# url() names all of them, options() tells the generator of Redis.
#
#     $server->catch_up($n)         how fast a node reads n events from Redis
#     $server->carry("$n $rate")    what Redis does for n events, so many a second
#
# Both return figures, as the generator does.  They fill Redis past HTTP, by the
# commands with which a node publishes: two processors would not make so many
# requests.

use strict;
use warnings;

use parent 'Bench::Server';

use HTTP::Tiny ();
use JSON::PP ();
use List::Util qw( sum0 );
use Time::HiRes qw( clock_gettime sleep time );

use Longpoll::Client ();
use Longpoll::Redis ();
use Longpoll::Server qw( wait_until );
use Longpoll::Workers qw( workers_of );

our $Nodes = 1;

my $patience = 60;
my $client = HTTP::Tiny->new(keep_alive => 0, timeout => $patience,
                             proxy => undef, http_proxy => undef);


sub prepare {
    my ($self) = @_;

    return $self->SUPER::prepare
        // (Longpoll::Redis->version < 7 ? 'there is no redis-server 7' : undef);
}

sub start {
    my ($self) = @_;

    $self->stop;
    $self->{backend} = Longpoll::Redis->start;
    $self->{nodes} = [];
    $self->add_node for 1 .. $Nodes;
    takes_events($_) for @{ $self->{nodes} };

    return $self;
}

sub add_node {
    my ($self) = @_;

    my $address = $self->{backend}->url;
    my $node = bless { %$self, http => $self->{http} =~ s/REDIS/$address/r },
        'Bench::Server';

    push @{ $self->{nodes} }, $node;
    return $node->start;
}

# Each worker connects to Redis by itself, and the kernel deals connections out:
# so many that all workers have had one.

sub takes_events {
    my ($node) = @_;

    my $url = $node->url($node->{ready});
    my $taken = 0;

    wait_until('a node that takes events', sub {
        $taken = post($url, '{"category":"ready","data":1}') ? $taken + 1 : 0;
        return $taken == 10;
    });
}

sub stop {
    my ($self) = @_;

    my @alerts = map { $_->stop } @{ delete $self->{nodes} // [] };

    (delete $self->{backend})->end if $self->{backend};
    return @alerts;
}

sub lines { return map { $_->lines } @{ $_[0]{nodes} // [] } }

sub processes { return $_[0]->SUPER::processes * $Nodes }

sub options {
    my ($self) = @_;

    return $self->SUPER::options, '-X', $self->{backend}->pid;
}

sub url {
    my ($self, $path) = @_;

    return 'http://' . join(',', map { "127.0.0.1:$_->{port}" }
                                     @{ $self->{nodes} }) . $path;
}


sub post { return $client->post($_[0], { content => $_[1] })->{success} }

sub waits {
    my ($node) = @_;

    my $poll = Longpoll::Client->new(port => $node->{port});

    $poll->request(GET => '/events?category=never&timeout=300');
    wait_until('a poll that waits', sub { status($node)->{waiting} });
    return $poll;
}

sub status {
    my ($node) = @_;

    my $answer = $client->get($node->url('/status'));

    die "status: $answer->{status} $answer->{content}\n"
        unless $answer->{success};
    return JSON::PP::decode_json($answer->{content})->{zones}{bench};
}

sub processes_of {
    my ($node) = @_;

    my $master = $node->{child}->pid;
    return $master, workers_of($master);
}

# microseconds of CPU, of a process's own clock, as clock_getcpuclockid(3) names
# it

sub cpu_of {
    use integer;
    my @clocks = map { (~$_ << 3) | 2 } @_;
    no integer;

    return 1e6 * sum0(map { clock_gettime($_) } @clocks);
}


# One node is stopped while another takes events, and goes on then; after that,
# a node begins.  Both are timed until they have all events.

sub catch_up {
    my ($self, $events) = @_;

    my ($first, $away) = @{ $self->{nodes} };
    my @stopped = processes_of($away);
    my @commands = $self->commands(2000);

    kill STOP => @stopped;
    my $all = had($first) + $events;
    send_all(1e6, $events, \@commands, $self->{backend}->connect);
    wait_for($first, $all);

    my $before = cpu_of(@stopped);

    return {
        $self->reads(away => $events, $all, $before,
                     sub { kill CONT => @stopped; $away }),
        $self->reads(new => $events, $all, 0, sub { $self->add_node }),
    };
}

sub reads {
    my ($self, $name, $events, $all, $before, $begin) = @_;

    my @redis = $self->{backend}->pid;
    my $redis = cpu_of(@redis);
    my $start = time;
    my $node = $begin->();

    wait_for($node, $all);

    my $ms = 1e3 * (time - $start);
    my $cpu = cpu_of(processes_of($node)) - $before;
    $redis = cpu_of(@redis) - $redis;
    $node->stop;

    return "${name}_ms" => $ms, "${name}_cpu_us" => $cpu / $events,
           "${name}_redis_us" => $redis / $events;
}


# As many connections publish as there are nodes.  A poll waits on each node:
# otherwise its reader would read less often.

sub carry {
    my ($self, $command) = @_;

    my ($events, $rate) = split ' ', $command;

    my @nodes = @{ $self->{nodes} };
    my $redis = $self->{backend};
    my @commands = $self->commands(100);
    my @socket = map { $redis->connect } @nodes;
    my @polls = map { waits($_) } @nodes;
    my $all = had($nodes[0]) + $events;
    my %before = $self->counted;
    my $start = time;
    my $replies = send_all($rate, $events, \@commands, @socket);
    my $seconds = time - $start;

    wait_for($_, $all) for @nodes;

    my %after = $self->counted;
    my %did = map { $_ => $after{$_} - $before{$_} } keys %after;
    my ($log) = @{ $redis->call('KEYS', '*:log') };

    return {
        redis_us => $did{redis} / $events,
        share => 100 * $did{redis} / $events * $rate / 1e6,
        reader_us => $did{nginx} / $events / @nodes,
        reads => $did{reads} / @nodes / $seconds,
        rate => $events / $seconds,
        in_bytes => $did{in} / $events,
        out_bytes => ($did{out} - $replies) / $events / @nodes,
        memory => $redis->call(qw( MEMORY USAGE ), $log, qw( SAMPLES 0 ))
            / $redis->call('XLEN', $log),
    };
}

# all events that a node has ever had

sub had { my $status = status($_[0]); $status->{events} + $status->{trimmed} }

sub wait_for {
    my ($node, $all) = @_;

    wait_until('a node that has all events', sub { had($node) >= $all },
               $patience);
}

sub counted {
    my ($self) = @_;

    my $info = $self->{backend}->call('INFO', 'everything');
    my ($in) = $info =~ /^total_net_input_bytes:(\d+)/m;
    my ($out) = $info =~ /^total_net_output_bytes:(\d+)/m;
    my ($reads) = $info =~ /^cmdstat_xread:calls=(\d+)/m;

    return (in => $in, out => $out, reads => $reads,
            redis => cpu_of($self->{backend}->pid),
            nginx => cpu_of(map { processes_of($_) } @{ $self->{nodes} }));
}

# what a node sends to Redis for each of so many events, of so many categories

sub commands {
    my ($self, $n) = @_;

    my $monitor = $self->{backend}->connect;
    my $url = $self->{nodes}[0]->url('/publish');
    my $data = 'x' x 100;
    my @commands;

    print $monitor "MONITOR\r\n";
    <$monitor>;

    for my $category (1 .. $n) {
        post($url, qq({"category":"c$category","data":"$data"}))
            or die "a publish was refused\n";
    }

    while (@commands < $n) {
        my $line = <$monitor> // die "MONITOR has ended\n";
        next unless $line =~ / "evalsha" .*$data/i;

        my @words = map {
            s/\\x([0-9a-f]{2})/chr hex $1/ger =~ s/\\(.)/$1/gr
        } $line =~ /"((?:[^"\\]|\\.)*)"/g;
        push @commands, join '', '*' . @words . "\r\n",
            map { '$' . length . "\r\n$_\r\n" } @words;
    }

    return @commands;
}

# each millisecond what is due; returns how many bytes of replies came

sub send_all {
    my ($rate, $events, $commands, @sockets) = @_;

    my ($sent, $bytes, $replies) = (0, 0, 0);
    my %rest = map { $_ => '' } @sockets;

    $_->blocking(0) for @sockets;
    my $start = time;

    while ($replies < $events) {
        my $due = $rate * (time - $start);
        $due = $events if $due > $events;

        for my $i (0 .. $#sockets) {
            my $share = int(($due - $sent) / (@sockets - $i));
            my $socket = $sockets[$i];

            $rest{$socket} .= join '', map { $commands->[$_ % @$commands] }
                $sent .. $sent + $share - 1;
            $sent += $share;

            my $n = syswrite $socket, $rest{$socket};
            substr $rest{$socket}, 0, $n // 0, '';

            while (sysread $socket, my $in, 1 << 16) {
                die "Redis says: $in" if $in =~ /^(?:-[A-Z]|:0)/m;
                $bytes += length $in;
                $replies += $in =~ tr/$//;
            }
        }
        sleep 0.001;
    }

    return $bytes;
}


1;
