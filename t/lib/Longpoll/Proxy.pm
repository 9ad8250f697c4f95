package Longpoll::Proxy;

# A proxy between a client and a server that a test can break.
#
#     my $proxy = Longpoll::Proxy->start(to => $port);
#     $proxy->port                      where it listens, on 127.0.0.1
#     $proxy->address                   HOST:PORT
#
#     $proxy->pass                      as at first: all bytes pass at once
#     $proxy->drop                      closes its connections
#     $proxy->cut                       the same, and takes no more of them
#     $proxy->stall                     connections stay and are taken, but no
#                                       byte passes
#     $proxy->delay($ms)                each byte comes so much later
#     $proxy->half($n)                  $n bytes more of what the server says,
#                                       then it drops that connection, and passes
#     $proxy->say($bytes)               the server has said this, too, on each
#                                       connection
#     $proxy->to($port)                 its server is another one; drops
#     $proxy->connections               how many are open
#     $proxy->taken                     how many have been, so far
#     $proxy->end                       happens by itself when the test ends
#
# A call returns when the proxy has done so.  The proxy is a process of its own,
# which goes on while the test waits for something else.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use File::Temp qw( tempdir );
use IO::Select ();
use IO::Socket::INET ();
use IO::Socket::UNIX ();
use Time::HiRes qw( time );

use Longpoll::Child ();
use Longpoll::Redis ();
use Longpoll::Server qw( wait_until );


sub start {
    my ($class, %o) = @_;

    my $dir = tempdir('longpoll-XXXXXX', TMPDIR => 1, CLEANUP => 1);
    my $lib = abs_path(dirname(__FILE__) . '/..');
    my $port = 20_000 + 100 * Longpoll::Redis::place();

    for my $try (1 .. 5) {
        $port = Longpoll::Server::free_port($port + 1);

        my $self = bless { dir => $dir, port => $port }, $class;

        $self->{child} = Longpoll::Child->start(
            [ $^X, "-I$lib", '-MLongpoll::Proxy', '-e',
              'Longpoll::Proxy::run(@ARGV)', $port, $o{to}, "$dir/control" ],
            log => "$dir/log", dir => $dir);

        my $up = eval {
            wait_until('the proxy', sub {
                die "it ended\n" unless $self->{child}->alive;
                $self->{control} = IO::Socket::UNIX->new("$dir/control");
            });
        };

        return $self if $up;

        $self->end;
        die "the proxy did not start: $@" if $try == 5;
    }
}

sub ask {
    my ($self, @words) = @_;

    my $control = $self->{control};

    $control->autoflush(1);
    print $control "@words\n";

    my $answer = <$control> // die "the proxy has ended\n";

    return $answer + 0;
}

for my $name (qw( pass drop cut stall delay half to connections taken )) {
    no strict 'refs';
    *$name = sub { my $self = shift; $self->ask($name, @_) };
}

sub say { $_[0]->ask(say => unpack 'H*', $_[1]) }

sub port { $_[0]{port} }
sub address { "127.0.0.1:$_[0]{port}" }
sub end { $_[0]{child}->end }


# the process
#
# A pair is [client, server]; each direction has a queue of [when, bytes].

sub run {
    my ($port, $to, $path) = @_;

    my $self = {
        port => $port, to => $to, mode => 'pass', delay => 0, pairs => [],
        taken => 0,
    };

    $SIG{PIPE} = 'IGNORE';

    listens($self);

    my $door = IO::Socket::UNIX->new(Local => $path, Listen => 1)
        or die "$path: $!\n";
    my $control = $door->accept;

    turn($self, $control) while 1;
}

sub listens {
    my ($self) = @_;

    $self->{listen} //= IO::Socket::INET->new(
        Listen => 128, LocalAddr => "127.0.0.1:$self->{port}", ReuseAddr => 1)
        or die "port $self->{port}: $!\n";
}

sub turn {
    my ($self, $control) = @_;

    my $read = IO::Select->new($control);
    my ($now, $wait) = (time, 1);

    $read->add($self->{listen}) if $self->{listen};

    for my $pair (@{ $self->{pairs} }) {

        for my $side (0, 1) {
            my $queue = $pair->{queue}[$side];

            $read->add($pair->{socket}[$side])
                unless $self->{mode} eq 'stall' or $pair->{eof}[$side];
            $wait = $queue->[0][0] - $now
                if @$queue and $queue->[0][0] - $now < $wait;
        }
    }

    my %ready = map { fileno($_) => 1 } $read->can_read($wait > 0 ? $wait : 0);

    for my $pair (@{ $self->{pairs} }) {
        $ready{ fileno $pair->{socket}[$_] } and take($self, $pair, $_)
            for 0, 1;
    }

    give($self, $_) for @{ $self->{pairs} };
    $self->{pairs} = [ grep { !$_->{closed} } @{ $self->{pairs} } ];

    joins($self) if $self->{listen} and $ready{ fileno $self->{listen} };
    obey($self, $control) if $ready{ fileno $control };
}

sub joins {
    my ($self) = @_;

    my $client = $self->{listen}->accept or return;
    my $server = $self->{to} =~ m{^/}
        ? IO::Socket::UNIX->new($self->{to})
        : IO::Socket::INET->new("127.0.0.1:$self->{to}")
        or return;

    $self->{taken}++;
    push @{ $self->{pairs} }, { socket => [$client, $server],
                                queue => [[], []], eof => [0, 0] };
}

# from one side, for the other

sub take {
    my ($self, $pair, $side) = @_;

    my $n = sysread $pair->{socket}[$side], my $bytes, 65536;

    if (!$n) {
        $pair->{eof}[$side] = 1;
        $bytes = undef;
    }

    if ($n and $side == 1 and defined $self->{half}) {
        $bytes = substr $bytes, 0, $self->{half};
        $self->{half} -= length $bytes;

        if ($self->{half} == 0) {
            delete $self->{half};
            push @{ $pair->{queue}[1] }, [0, $bytes], [0, undef];
            $pair->{eof} = [1, 1];
            return;
        }
    }

    push @{ $pair->{queue}[$side] }, [time + $self->{delay}, $bytes];
}

sub give {
    my ($self, $pair) = @_;

    return if $self->{mode} eq 'stall';

    my $now = time;

    for my $side (0, 1) {
        my $queue = $pair->{queue}[$side];

        while (@$queue and $queue->[0][0] <= $now) {
            my $bytes = (shift @$queue)->[1];

            while (defined $bytes and length $bytes) {
                my $n = syswrite $pair->{socket}[1 - $side], $bytes;

                undef $bytes unless $n;
                substr $bytes, 0, $n, '' if $n;
            }

            next if defined $bytes;

            $_->close for @{ $pair->{socket} };
            $pair->{closed} = 1;
            return;
        }
    }
}

sub obey {
    my ($self, $control) = @_;

    my ($word, $n) = split ' ', <$control> // exit;
    my $answer = 0;

    if ($word eq 'connections' or $word eq 'taken') {
        $answer = $word eq 'taken' ? $self->{taken} : @{ $self->{pairs} };

    } elsif ($word eq 'delay') {
        $self->{delay} = $n / 1000;

    } elsif ($word eq 'half') {
        $self->{half} = $n;

    } elsif ($word eq 'to') {
        $self->{to} = $n;
        close_all($self);

    } elsif ($word eq 'say') {
        push @{ $_->{queue}[1] }, [0, pack 'H*', $n] for @{ $self->{pairs} };

    } else {
        close_all($self) if $word eq 'drop' or $word eq 'cut';

        $self->{mode} = $word;
        @$self{qw( delay half )} = (0, undef) if $word eq 'pass';

        $word eq 'cut' ? delete($self->{listen})->close : listens($self)
            unless $word eq 'cut' and !$self->{listen};
    }

    syswrite $control, "$answer\n";
}

sub close_all {
    my ($self) = @_;

    $_->close for map { @{ $_->{socket} } } @{ $self->{pairs} };
    $self->{pairs} = [];
}


1;
