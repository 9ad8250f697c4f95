package Longpoll::Redis;

# A Redis for a test: a server of its own, with files of its own in a temporary
# directory, on a free port of 127.0.0.1 or on a socket.
#
#     my $redis = Longpoll::Redis->start(
#         options => { appendonly => 'yes', ... },      # of redis.conf
#         unix => 1,                    # on a socket that all users may use
#         clock => -3600,               # its clock is so many seconds ahead, with
#                                       # t/faults/clock.c
#     );
#     my $replica = $redis->replica(options => { ... });
#     my $sentinel = Longpoll::Redis->sentinel(name => $redis, quorum => 1,
#         options => { 'down-after-milliseconds' => 1000, ... });
#
#     $redis->port, $redis->path        where it listens
#     $redis->address                   HOST:PORT
#     $redis->url('/0/p')               what "redis=" of longpoll_zone takes
#     $redis->call('XLEN', $key)        the reply: a text, a number, an array, or
#                                       undef; dies with what Redis refuses
#     $redis->cli("get a\nset b 2")     some calls, words split at blanks; the
#                                       last reply
#     $redis->info('run_id')            a field of INFO
#     $redis->wait_asked                waits until others have asked it for INFO
#                                       twice
#     $redis->kill                      kill -9
#     $redis->quit                      SHUTDOWN, with what is to be saved
#     $redis->up                        after these: again, with the same files
#     $redis->up(loading => 1)          the same, but it may be loading them yet
#     $redis->wipe_files                between them: Redis begins empty
#     $redis->stop, $redis->cont        SIGSTOP, SIGCONT
#     $redis->end                       happens by itself when the test ends
#     $redis->log                       its log
#
#     Longpoll::Redis->version          7.000015, or 0: there is no Redis
#
# REDIS_SERVER is the program, redis-server if it is not set.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( basename dirname );
use File::Temp qw( tempdir );
use IO::Socket::INET ();
use IO::Socket::UNIX ();

use Longpoll::Child ();
use Longpoll::Server qw( wait_until );

our $Patience = 15;

my $program = $ENV{REDIS_SERVER} || 'redis-server';
my $clock = abs_path(dirname(__FILE__) . '/../../..') . '/build/chaos/clock.so';

sub clock_is_built { -e $clock }


sub version {
    my ($major, $minor, $patch) = (`$program --version 2>/dev/null` // '')
        =~ /\bv=(\d+)\.(\d+)\.(\d+)/ or return 0;

    return $major + $minor / 1e3 + $patch / 1e6;
}


sub start {
    my ($class, %o) = @_;

    my $dir = tempdir('longpoll-XXXXXX', TMPDIR => 1, CLEANUP => 1);
    my $self = bless { %o, dir => $dir }, $class;

    chmod 0755, $dir or die "$dir: $!\n";
    $self->{path} = "$dir/redis.sock" if $o{unix};

    if ($o{clock}) {
        open my $out, '>', "$dir/clock" or die "clock: $!\n";
        print $out pack 'q', 1e6 * $o{clock};
        close $out or die "clock: $!\n";
        $self->{env} = { LD_PRELOAD => $clock, LONGPOLL_CLOCK => "$dir/clock" };
    }

    # Another process may take the port before Redis does.

    my $port = 10_000 + 100 * place();

    for my $try (1 .. 5) {
        $self->{port} = $port = Longpoll::Server::free_port($port + 1)
            unless $o{unix};
        $self->write_conf;
        return $self if eval { $self->up; 1 };
        die $@ if $self->log !~ /Address already in use/ or $try == 5;
    }
}

sub replica {
    my ($self, %o) = @_;

    return ref($self)->start(
        %o, options => { %{ $o{options} || {} },
                         replicaof => "127.0.0.1 $self->{port}" });
}

sub sentinel {
    my ($class, %o) = @_;

    my $name = (grep { ref $o{$_} eq $class } keys %o)[0];
    my $of = delete $o{$name};

    return $class->start(%o, sentinel => $name, of => $of);
}

# the number of the test's file in its directory

sub place {
    my @files = sort glob dirname(abs_path($0)) . '/*.t';
    my ($n) = grep { basename($files[$_]) eq basename($0) } 0 .. $#files;

    return $n // 0;
}

# Redis changes the file of a Sentinel, and after REPLICAOF that of a server.

sub write_conf {
    my ($self) = @_;

    my %options = (
        bind => '127.0.0.1', 'protected-mode' => 'no', daemonize => 'no',
        logfile => "$self->{dir}/redis.log", dir => $self->{dir},
        $self->{unix} ? (port => 0, unixsocket => $self->{path},
                         unixsocketperm => 777)
                      : (port => $self->{port}),
        $self->{sentinel} ? () : (save => '""'),
    );

    my $more = $self->{options} || {};
    my @lines;

    if ($self->{sentinel}) {
        my $port = $self->{of}->port;
        my $name = $self->{sentinel};

        push @lines, "sentinel monitor $name 127.0.0.1 $port "
                     . ($self->{quorum} || 1),
                     map { "sentinel $_ $name $more->{$_}" } sort keys %$more;

    } else {
        %options = (%options, %$more);
    }

    open my $out, '>', "$self->{dir}/redis.conf" or die "redis.conf: $!\n";
    print $out map { "$_\n" } (map { "$_ $options{$_}" } sort keys %options),
                              @lines;
    close $out or die "redis.conf: $!\n";
}


sub up {
    my ($self, %o) = @_;

    $self->end if $self->{child};
    unlink $self->{path} if $self->{path};

    $self->{child} = Longpoll::Child->start(
        [ $program, "$self->{dir}/redis.conf",
          $self->{sentinel} ? '--sentinel' : () ],
        log => "$self->{dir}/redis.log", dir => $self->{dir},
        env => $self->{env});

    my $up = eval {
        wait_until('Redis answers', sub {
            die "it ended\n" unless $self->{child}->alive;
            return eval { $self->call('PING'); 1 }
                || $@ =~ /NOAUTH|NOPERM|MASTERDOWN/
                || $o{loading} && $@ =~ /^LOADING/;
        }, $Patience);
    };

    return $self if $up;

    my $why = $@;
    $self->end;
    die "Redis did not start: $why", $self->log;
}

sub kill {
    my ($self) = @_;

    CORE::kill KILL => $self->{child}->pid;
    $self->end;
}

sub quit {
    my ($self) = @_;

    eval { $self->call('SHUTDOWN') };
    wait_until('the end of Redis', sub { !$self->{child}->alive }, $Patience);
    $self->end;
}

# The log stays, and so does redis.conf.

sub wipe_files {
    my ($self) = @_;

    system 'rm', '-rf', grep { !/redis\.(?:conf|log)$|clock$/ } glob "$self->{dir}/*";
}

sub end {
    my ($self) = @_;

    delete $self->{socket};
    (delete $self->{child})->end if $self->{child};
}

sub stop { CORE::kill STOP => $_[0]{child}->pid }
sub cont { CORE::kill CONT => $_[0]{child}->pid }

sub pid { $_[0]{child}->pid }
sub port { $_[0]{port} }
sub path { $_[0]{path} }
sub dir { $_[0]{dir} }
sub address { "127.0.0.1:$_[0]{port}" }

sub url {
    my ($self, $rest) = @_;

    $rest //= '';

    return $self->{unix} ? "unix:$self->{path}" . ($rest && ":$rest")
                         : 'redis://' . $self->address . $rest;
}

sub log {
    my ($self) = @_;

    open my $in, '<', "$self->{dir}/redis.log" or return '';
    return join '', <$in>;
}


# one connection, made anew after it has ended

sub call {
    my ($self, @words) = @_;

    my $socket = $self->{socket} //= $self->connect;
    my $reply = eval {
        local $SIG{PIPE} = 'IGNORE';
        local $SIG{ALRM} = sub { die "no answer from Redis\n" };

        alarm $Patience;
        print $socket sprintf("*%d\r\n", scalar @words),
                      map { sprintf "\$%d\r\n%s\r\n", length, $_ } @words;
        read_reply($socket);
    };

    my $why = $@;
    alarm 0;

    if ($why) {
        delete $self->{socket};
        die $why;
    }

    die "$$reply\n" if ref $reply eq 'SCALAR';
    return $reply;
}

sub cli {
    my ($self, $calls) = @_;

    my $reply;
    $reply = $self->call(split) for grep { /\S/ } split /\n/, $calls;

    return $reply;
}

sub connect {
    my ($self) = @_;

    my $socket = $self->{unix}
        ? IO::Socket::UNIX->new(Peer => $self->{path})
        : IO::Socket::INET->new(PeerAddr => $self->address,
                                Timeout => $Patience);

    die "connect: $!\n" unless $socket;

    $socket->autoflush(1);
    return $socket;
}

# an error is a reference to its text

sub read_reply {
    my ($socket) = @_;

    my $line = <$socket> // die "the connection ended\n";
    my ($type, $rest) = $line =~ /^([-+:\$*])(.*)\r\n\z/
        or die "not a reply: $line\n";

    return $rest if $type eq '+' or $type eq ':';
    return \$rest if $type eq '-';
    return if $rest < 0;
    return [ map { scalar read_reply($socket) } 1 .. $rest ] if $type eq '*';

    read($socket, my $text, $rest + 2) == $rest + 2
        or die "the connection ended\n";

    return substr $text, 0, $rest;
}

sub info {
    my ($self, $field) = @_;

    my ($value) = $self->call('INFO') =~ /^\Q$field\E:(.*?)\r?$/m;

    return $value;
}

sub wait_asked {
    my ($self) = @_;

    my $own = 0;

    $self->call('CONFIG', 'RESETSTAT');
    wait_until('two INFO', sub {
        my ($all) = $self->call('INFO', 'commandstats')
            =~ /^cmdstat_info:calls=(\d+)/m;
        return ($all // 0) - $own++ >= 2;
    });
}


1;
