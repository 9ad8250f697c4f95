package Longpoll::H3;

# The client's side of HTTP/3, with a real client, quic-go.  t/h3/ is the
# program.  One program has all connections of a test file, and ends with the
# test.
#
#     my $why = Longpoll::H3->missing;      # why this cannot be tested, or ''
#
#     my $h3 = Longpoll::H3->new(port => ..., ping => $ms);
#     my $stream = $h3->request('GET', $path, %o);
#                                           # body => ..., headers => { ... },
#                                           # open, unread => 1:
#                                           # see t/h3/main.go
#     my $r = $h3->answer($stream);         # { status, headers, body }
#
#     $h3->stop($stream);                   # STOP_SENDING
#     $h3->reset($stream);                  # RESET_STREAM
#     $h3->close; $h3->vanish;              # vanish: sends nothing
#     $h3->wait_goaway; $h3->wait_gone;     # wait_gone says why it ended
#
# Every wait dies after $Longpoll::Client::Patience seconds at the latest.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use IO::Select ();
use IPC::Open2 qw( open2 );
use JSON::PP ();
use Scalar::Util qw( weaken );
use Time::HiRes qw( time );

use Longpoll::Client;
use Longpoll::Go;

my $root = abs_path(dirname(__FILE__) . '/../../..');
my $json = JSON::PP->new->utf8->canonical;

my ($pid, $orders, $reports);
my $buf = '';
my %conns;
my $serial = 0;


sub missing {
    my $nginx = `$Test::Nginx::Util::NginxBinary -V 2>&1`;

    return 'this nginx has no HTTP/3' if $nginx !~ /--with-http_v3_module/;

    my $program = Longpoll::Go::build("$root/t/h3", "$root/build/h3/client",
                                      'quic-go');

    return $Longpoll::Go::Missing if !$program;

    $pid = open2($reports, $orders, $program);
    return '';
}

END {
    if ($pid) {
        my $status = $?;

        close $orders;
        waitpid $pid, 0;
        $? = $status;
    }
}


sub new {
    my ($class, %o) = @_;

    my $self = bless { number => ++$serial, last => 0, streams => {} }, $class;

    weaken($conns{$serial} = $self);
    $self->order('dial', port => $o{port}, ping => $o{ping} || 0);
    $self->wait_for(sub { $self->{up} }, 'a connection');

    return $self;
}


sub order {
    my ($self, $what, %o) = @_;

    my $line = $json->encode({ do => $what, conn => $self->{number}, %o });

    local $SIG{PIPE} = 'IGNORE';
    syswrite $orders, "$line\n" or die "the client for HTTP/3 has exited\n";
}


# Sends a request and returns its stream's number, counted from 1.

sub request {
    my ($self, $method, $path, %o) = @_;

    my $stream = ++$self->{last};

    $self->order('request', stream => $stream, method => $method,
                 path => $path,
                 defined $o{body} ? (body => $o{body}) : (),
                 $o{headers} ? (headers => $o{headers}) : (),
                 map { $_ => JSON::PP::true }
                 grep { $o{$_} } qw( open unread ));

    return $stream;
}

sub answer {
    my ($self, $stream) = @_;

    my $r;

    $self->wait_for(sub { $r = $self->{streams}{$stream} },
                    "the answer on stream $stream");

    die "stream $stream: $r->{error}\n" if $r->{error};
    return $r;
}

sub stop { $_[0]->order('stop', stream => $_[1]) }
sub reset { $_[0]->order('reset', stream => $_[1]) }
sub close { $_[0]->order('close') }
sub vanish { $_[0]->order('vanish') }

sub wait_goaway {
    my ($self) = @_;

    $self->wait_for(sub { $self->{goaway} }, 'GOAWAY');
    return 1;
}

sub wait_gone {
    my ($self) = @_;

    $self->wait_for(sub { $self->{gone} }, 'the end of the connection');
    return $self->{gone};
}


# The connections of a scenario end with it.

sub DESTROY {
    my ($self) = @_;

    $self->order('close') if $self->{up} and defined fileno $orders;
    delete $conns{ $self->{number} };
}


# Reads the program's reports for all connections, until the condition holds for
# this one.

sub wait_for {
    my ($self, $holds, $what) = @_;

    my $end = time + $Longpoll::Client::Patience;

    until ($holds->()) {
        die "HTTP/3: $self->{error}\n" if $self->{error};

        my $left = $end - time;
        die "HTTP/3: never came: $what\n" if $left <= 0;

        next unless IO::Select->new($reports)->can_read($left);

        sysread $reports, $buf, 65536, length $buf
            or die "the client for HTTP/3 has died\n";

        while ($buf =~ s/^(.*)\n//) {
            report($json->decode($1));
        }
    }
}

sub report {
    my ($r) = @_;

    my $self = $conns{ $r->{conn} } or return;

    if ($r->{stream}) {
        $self->{streams}{ $r->{stream} } = $r;
        return;
    }

    $self->{$_} = $r->{$_} for grep { $r->{$_} } qw( up error goaway gone );
}


1;
