package Longpoll::App;

# An application behind nginx: a small HTTP server in a process of its own.
#
#     my $app = Longpoll::App->start($port, $perl);
#
# $perl is the body of a function that handles one request.  The request is in
# $r, with the keys method, uri, path, args (undecoded), headers (by names in
# lower case) and body.  The function returns a status, a list of header lines
# and a body:
#
#     return (200, ["X-User: $r->{headers}{cookie}"], "hello\n");
#
#     $app->seen              the requests it has had so far, like these
#     $app->end               happens by itself when $app goes out of scope
#
# The application answers one request after the other and closes each
# connection.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use File::Temp ();
use IO::Socket::INET ();
use JSON::PP ();
use Time::HiRes qw( time sleep );

use Longpoll::Child ();

our $Patience = 10;

my $lib = abs_path(dirname(__FILE__) . '/..');


sub start {
    my ($class, $port, $perl) = @_;

    my $dir = File::Temp->newdir('longpoll-XXXXXX', TMPDIR => 1);
    my $self = bless { dir => $dir, port => $port }, $class;

    $self->{child} = Longpoll::Child->start(
        [$^X, "-I$lib", '-MLongpoll::App', '-e', 'Longpoll::App::serve(@ARGV)',
         $port, $perl, "$dir/seen"],
        log => "$dir/log", dir => "$dir");

    my $end = time + $Patience;

    until (-e "$dir/seen") {
        die 'the application did not start: ', slurp("$dir/log"), "\n"
            if time > $end + 1 or !$self->{child}->alive;
        sleep 0.01;
    }

    return $self;
}

sub end { $_[0]{child}->end }
sub DESTROY { $_[0]{child}->end if $_[0]{child} }

sub seen {
    my ($self) = @_;

    return map { JSON::PP::decode_json($_) }
           split /\n/, slurp("$self->{dir}/seen");
}

sub slurp {
    my ($file) = @_;

    open my $in, '<', $file or return '';
    local $/;
    return scalar(<$in>) // '';
}


# the application's process

sub serve {
    my ($port, $perl, $seen) = @_;

    my $answer = eval "sub { my (\$r) = \@_; $perl }" or die $@;
    my $end = time + $Patience;
    my $listen;

    # An old connection may hold the port for a moment.

    until ($listen = IO::Socket::INET->new(Listen => 64, ReuseAddr => 1,
                                           LocalAddr => "127.0.0.1:$port"))
    {
        die "port $port: $@\n" if time > $end;
        sleep 0.05;
    }

    open my $empty, '>', $seen or die "$seen: $!\n";
    close $empty;

    $SIG{PIPE} = 'IGNORE';

    while (my $sock = $listen->accept) {
        my $r = request($sock) or next;

        open my $out, '>>', $seen or die "$seen: $!\n";
        print $out JSON::PP->new->canonical->latin1->encode($r), "\n";
        close $out;

        my ($status, $headers, $body) = $answer->($r);

        print $sock "HTTP/1.1 $status Whatever\r\n",
            map({ "$_\r\n" } @$headers, 'Content-Length: ' . length $body,
                'Connection: close'),
            "\r\n", $body;
        close $sock;
    }
}

sub request {
    my ($sock) = @_;

    my ($method, $uri) = (<$sock> // return) =~ m{^(\S+) (\S+) HTTP/} or return;
    my %headers;

    while (my $line = <$sock>) {
        last if $line =~ /^\r?\n/;
        $headers{lc $1} = $2 if $line =~ /^([^:]+):\s*(.*?)\r?\n/;
    }

    my $body = '';
    read $sock, $body, $headers{'content-length'} || 0;

    my ($path, $args) = split /\?/, $uri, 2;

    return { method => $method, uri => $uri, path => $path,
             args => $args // '', headers => \%headers, body => $body };
}


1;
