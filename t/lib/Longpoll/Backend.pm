package Longpoll::Backend;

# Runs an application of demo/backends/ for a test: the real framework, and a
# real nginx with the example's own nginx.conf in its http block.
#
#     my $why = Longpoll::Backend->missing('flask');    # or nothing
#     my $b = Longpoll::Backend->start('flask');
#
#     $b->url('/page')                  the address for browsers
#     $b->server                        nginx, a Longpoll::Server
#     $b->publish($category, $json)     at the server for the application
#     $b->own_url('/publish')           an address on that server
#     $b->app_url('/')                  the application, without nginx
#     $b->stop_app, $b->start_app       start_app uses the same secret
#     $b->end                           happens by itself when the test ends
#
# Only the ports differ from those in demo/backends/.  tools/backend.sh says
# what is fetched and built.  If something is not available, missing() returns
# the reason; any other failure dies.  `go-before` is an application without
# nginx.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( basename dirname );
use File::Temp qw( tempdir );
use HTTP::Tiny ();
use IO::Socket::INET ();

use Longpoll::Child ();
use Longpoll::Server qw( wait_until );

my $root = abs_path(dirname(__FILE__) . '/../../..');
my $tool = "$root/tools/backend.sh";
my $next = ($ENV{TEST_NGINX_PORT} || 1984) + 40;


sub missing {
    my ($class, $name) = @_;

    my $said = `exec timeout 300 '$tool' get '$name'`;

    return undef if $? == 0;
    return "$name: fetching took too long" if $? == 124 << 8;
    die "tools/backend.sh get $name: $?\n" if $? != 3 << 8;

    chomp $said;
    return "$name: $said";
}


sub start {
    my ($class, $name) = @_;

    my %port;
    my $first = free_ports(3);

    @port{ qw( 8080 8081 8000 ) } = $first .. $first + 2;

    my $self = bless {
        name => $name,
        port => \%port,
        secret => join('', map { int rand 10 } 1 .. 32),
        dir => tempdir('longpoll-XXXXXX', TMPDIR => 1, CLEANUP => 1),
    }, $class;

    $self->start_app;
    $self->start_nginx if $name ne 'go-before';

    return $self;
}

# Returns the first of $n free ports in a row.

sub free_ports {
    my ($n) = @_;

    my $first = $next + 1;

    for ($next = $first; $next < $first + $n; $next++) {
        my $free = Longpoll::Server::free_port($next);

        $first = $next = $free if $free != $next;
    }

    return $first;
}

sub start_nginx {
    my ($self) = @_;

    my $demo = "$root/demo/backends";
    my $conf = slurp("$demo/$self->{name}/nginx.conf");

    $conf =~ s/\b(8080|8081|8000)\b/$self->{port}{$1}/g;

    $self->{server} = Longpoll::Server->start(
        http => "longpoll_drain 200ms;\n$conf",
        server => '',
        files => {
            map({ ('html/shared/' . basename($_) => $_) }
                glob("$demo/shared/*"), glob "$root/client/*.js"),
            map({ ('app/' . basename($_) => $_) }
                glob "$demo/$self->{name}/*.php"),
        });
}

sub start_app {
    my ($self) = @_;

    my $own = $self->own_url('/publish');

    $self->{app} = Longpoll::Child->start(
        [ $tool, 'app', $self->{name} ],
        log => "$self->{dir}/log",
        env => { PORT => $self->{port}{8000}, SECRET => $self->{secret},
                 DATABASE => "$self->{dir}/tasks.db", PUBLISH => $own });

    eval {
        wait_until('the application listens', sub {
            die "it ended\n" unless $self->{app}->alive;
            IO::Socket::INET->new(PeerAddr => "127.0.0.1:$self->{port}{8000}");
        });
        1;
    } or die "$self->{name}: $@", slurp("$self->{dir}/log");
}

sub stop_app { $_[0]{app}->end }

sub end {
    my ($self) = @_;

    $self->{app}->end;
    $self->{server}->end if $self->{server};
}


sub server { $_[0]{server} }
sub log { slurp("$_[0]{dir}/log") }

sub url { "http://127.0.0.1:$_[0]{port}{8080}$_[1]" }
sub own_url { "http://127.0.0.1:$_[0]{port}{8081}$_[1]" }
sub app_url { "http://127.0.0.1:$_[0]{port}{8000}$_[1]" }

sub publish {
    my ($self, $category, $json) = @_;

    my $answer = HTTP::Tiny->new(timeout => 10)->post(
        $self->own_url('/publish'),
        { content => qq({"category":"$category","data":$json}) });

    die "publish: $answer->{status} $answer->{content}\n"
        unless $answer->{content} eq '{"success": true}';
}


sub slurp {
    my ($file) = @_;

    open my $in, '<', $file or return '';
    local $/;
    return scalar(<$in>) // '';
}


1;
