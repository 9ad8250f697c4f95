package Longpoll::Server;

# A whole nginx for a test: a master and two workers, a prefix of its own in a
# temporary directory, and a free port of 127.0.0.1.
#
#     my $server = Longpoll::Server->start(
#         main => "thread_pool default threads=1;\n",       # outside http
#         http => "longpoll_zone zone=events:1m;\n",        # inside http
#         server => "location = /events { ... }\n",         # inside server
#         files => {
#             'html/index.html' => \$text,                  # a text, or
#             'html/client.js'  => '/a/file/to/copy',
#         },
#         workers => 2,
#         connections => 1024,
#         upgrades => 1,                # USR2 may be sent, see launcher()
#         through => [ 'prlimit', ... ],    # a command that executes nginx
#     );
#
# `location = /status` with the status of all zones always exists, and so does
# `location /`: it serves the files below html/, not to be cached.  Relative
# paths of the configuration start at the prefix.
#
#     $server->url('/page.html')            http://127.0.0.1:PORT/page.html
#     $server->publish($category, $json)    the event's id; dies when refused;
#                                           both in characters, not bytes
#     $server->waiting                      parked polls, of all zones
#     $server->status($zone)                its status, as a hash
#     $server->wait_waiting($n)             waits until $n polls are parked
#     $server->reload                       HUP; waits until the old workers
#                                           have exited
#     $server->reload(leaving => 1)         HUP; waits until new workers exist
#                                           and the old ones accept no
#                                           connections; returns the pids of
#                                           the old ones
#     $server->wait_gone(@pids)             waits until they have exited
#     $server->stop, $server->start_again   the zones begin empty
#     $server->master                       its pid; the newest of an upgrade
#     $server->workers                      their pids
#     $server->workers($master)             the pids of that master's workers
#     $server->alerts                       lines of the error log at [crit] and
#                                           above
#     $server->end                          happens by itself when the test ends
#
# The nginx is TEST_NGINX_BINARY, or the first in PATH, and loads
# TEST_NGINX_LOAD_MODULES; without either it loads the module in build/.

use strict;
use warnings;

use Cwd qw( abs_path );
use Encode qw( encode );
use Exporter qw( import );
use File::Basename qw( dirname );
use File::Copy qw( copy );
use File::Path qw( make_path );
use File::Temp qw( tempdir );
use HTTP::Tiny ();
use IO::Socket::INET ();
use JSON::PP ();
use Time::HiRes qw( time sleep );

use Longpoll::Child ();
use Longpoll::Workers qw( accepts workers_of );

our @EXPORT_OK = qw( wait_until );
our $Patience = $ENV{LONGPOLL_SLOW} ? 90 : 15;

my $root = abs_path(dirname(__FILE__) . '/../../..');


sub start {
    my ($class, %o) = @_;

    my $dir = tempdir('longpoll-XXXXXX', TMPDIR => 1, CLEANUP => 1);

    my $self = bless {
        workers => 2,
        connections => 1024,
        %o,
        dir  => $dir,
        http_client => HTTP::Tiny->new(timeout => $Patience, keep_alive => 0,
                                       proxy => undef, http_proxy => undef),
    }, $class;

    $self->lay_out;

    # Another process may take the port before nginx does.

    my $port = $ENV{TEST_NGINX_PORT} || 1984;

    for my $try (1 .. 5) {
        $self->{port} = $port = free_port($port + 1);
        $self->write_conf;
        return $self if eval { $self->start_again; 1 };
        die $@ if $self->log !~ /Address already in use/ or $try == 5;
    }
}


sub free_port {
    my ($port) = @_;

    $port++ until $port > 65535
        or IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1:$port",
                                 ReuseAddr => 1);

    return $port;
}


# root's workers run as another user, which must be able to read the files.

sub lay_out {
    my ($self) = @_;

    my $dir = $self->{dir};
    my $files = $self->{files} || {};
    my $umask = umask 022;

    chmod 0755, $dir or die "$dir: $!\n";
    make_path("$dir/html", "$dir/tmp", "$dir/kept");

    # a directory where the workers may create files

    chmod 0777, "$dir/kept" or die "$dir/kept: $!\n";

    for my $name (keys %$files) {
        my $file = "$dir/$name";

        make_path(dirname($file));

        if (ref $files->{$name}) {
            spew($file, ${ $files->{$name} });
        } else {
            copy($files->{$name}, $file) or die "$files->{$name}: $!\n";
            chmod 0644, $file or die "$file: $!\n";
        }
    }

    umask $umask;
}


sub write_conf {
    my ($self) = @_;

    my $user = '';

    if ($> == 0) {
        my ($name) = grep { defined getpwnam $_ } $self->{user} // (),
                                                  qw( www-data nobody );
        my $group = getgrgid((getpwnam $name)[3]);
        $user = "user $name $group;";
    }

    # In a container root may not do all that root may do elsewhere.

    chomp(my $most = `sh -c 'ulimit -Hn'`);
    my $files = $self->{connections} <= 1024 ? ''
              : 'worker_rlimit_nofile '
                . ($most =~ /^\d+$/ && $most < $self->{connections} + 100
                   ? $most : $self->{connections} + 100) . ';';

    my $load = join '', map { "load_module $_;\n" } modules();
    my $main = $self->{main} // '';

    $self->{conf} = <<"_EOC_";
$load$user
daemon           off;
worker_processes $self->{workers};
$files
${main}pid              nginx.pid;
error_log        error.log notice;

events {
    worker_connections $self->{connections};
}

http {
    access_log   off;
    default_type text/plain;
    types {
        text/html       html;
        text/css        css;
        text/javascript js;
    }

    client_body_temp_path tmp/body;
    proxy_temp_path       tmp/proxy;
    fastcgi_temp_path     tmp/fastcgi;
    uwsgi_temp_path       tmp/uwsgi;
    scgi_temp_path        tmp/scgi;

$self->{http}
    server {
        listen  127.0.0.1:$self->{port};
        charset utf-8;

        location = /status { longpoll_status all; }
        location / {
            root html;
            add_header Cache-Control no-store;
        }
$self->{server}
    }
}
_EOC_

    spew("$self->{dir}/nginx.conf", $self->{conf});
}

sub modules {
    return split ' ', $ENV{TEST_NGINX_LOAD_MODULES}
        if defined $ENV{TEST_NGINX_LOAD_MODULES};

    return if defined $ENV{TEST_NGINX_BINARY};
    return "$root/build/ngx_http_longpoll_module.so";
}

sub nginx {
    return $ENV{TEST_NGINX_BINARY} if defined $ENV{TEST_NGINX_BINARY};

    my ($nginx) = grep { -x } map { "$_/nginx" }
                  split(/:/, $ENV{PATH}), '/usr/sbin';
    return $nginx // 'nginx';
}


# HTTP/2 needs a parameter of listen, or a directive beside it (since 1.25.1).

sub http2 {
    my $nginx = $_[0] // nginx();
    my ($major, $minor, $patch)
        = `$nginx -v 2>&1` =~ m{nginx/(\d+)\.(\d+)\.(\d+)};

    return ('', 'http2 on;')
        if defined $patch
            and 1e6 * $major + 1e3 * $minor + $patch >= 1_025_001;
    return ('http2', '');
}


sub start_again {
    my ($self) = @_;

    my $dir = $self->{dir};
    my @launcher = $self->{upgrades} ? launcher("$dir/nginx.pid")
                                     : @{ $self->{through} || [] };

    unlink "$dir/nginx.pid";

    $self->{child} = Longpoll::Child->start(
        [ @launcher, nginx(), '-p', "$dir/", '-c', 'nginx.conf',
          '-e', 'error.log' ],
        log => "$dir/error.log", dir => $dir);

    # Something answers on the port: check that it is our nginx.

    my $up = eval {
        wait_until('nginx answers', sub {
            die "it ended\n" unless $self->alive;
            return if $self->{upgrades} and $self->{child}->alive;
            $self->get('/status')->{success}
                and $self->{workers} == (() = $self->workers);
        });
    };

    return if $up and $self->alive;

    my $why = $@;
    $self->stop;
    die "nginx did not start: $why", $self->log;
}

# nginx accepts USR2 and WINCH only as a daemon, and a daemon leaves the test's
# session.  Here nginx takes itself for a daemon.  NGINX makes it believe that
# it is the new binary of an upgrade, and its parent exits as soon as nginx has
# written its pid.

sub launcher {
    my ($file) = @_;

    return ($^X, '-e', <<'_EOC_', $file);
        my $file = shift;
        my $pid = fork // die "fork: $!\n";

        $ENV{NGINX} = '';

        if ($pid == 0) {
            exec { $ARGV[0] } @ARGV;
            die "$ARGV[0]: $!\n";
        }

        until (-s $file or waitpid $pid, 1) {
            select undef, undef, undef, 0.01;
        }
_EOC_
}

sub stop {
    my ($self) = @_;

    $self->{child}->end;
}

sub end { $_[0]->stop }


sub port { $_[0]{port} }
sub dir { $_[0]{dir} }
sub url { "http://127.0.0.1:$_[0]{port}" . ($_[1] // '/') }

sub log {
    my ($self, $file) = @_;

    $file //= 'error.log';
    open my $in, '<', "$self->{dir}/$file" or return '';
    return join '', <$in>;
}

sub alerts {
    my ($self) = @_;

    return grep { /\[(?:alert|crit|emerg)\]/ } split /^/, $self->log;
}


# requests, as HTTP::Tiny answers them

sub get {
    my ($self, $uri) = @_;

    return $self->{http_client}->get($self->url($uri));
}

sub publish {
    my ($self, $category, $json, %o) = @_;

    my $name = JSON::PP->new->allow_nonref->encode($category);
    my $answer = $self->{http_client}->post(
        $self->url($o{uri} // '/publish'),
        { content => encode('UTF-8', qq({"category":$name,"data":$json})),
          $o{key} ? (headers => { 'Idempotency-Key' => $o{key} }) : () });

    die "publish: $answer->{status} $answer->{content}\n"
        unless $answer->{content} eq '{"success": true}';

    return $answer->{headers}{'longpoll-event-id'};
}

sub zones {
    my ($self) = @_;

    my $answer = $self->get('/status');

    die "status: $answer->{status} $answer->{content}\n"
        unless $answer->{success};

    return JSON::PP->new->utf8->decode($answer->{content})->{zones};
}

sub status {
    my ($self, $zone) = @_;

    return $self->zones->{$zone} // die "no zone $zone\n";
}

sub waiting {
    my ($self) = @_;

    my $sum = 0;
    $sum += $_->{waiting} for values %{ $self->zones };

    return $sum;
}


# processes

sub master {
    my ($self) = @_;

    return $self->{child}->pid unless $self->{upgrades};
    return $self->pid_of('nginx.pid') // $self->{child}->pid;
}

sub pid_of {
    my ($self, $file) = @_;

    open my $in, '<', "$self->{dir}/$file" or return;
    my ($pid) = (<$in> // '') =~ /^(\d+)$/;

    return $pid;
}

sub alive { kill 0, $_[0]->master }

sub workers {
    my ($self, $master) = @_;

    return workers_of($master // $self->master);
}

sub reload {
    my ($self, %o) = @_;

    my @old = $self->workers;
    my %old = map { $_ => 1 } @old;

    kill HUP => $self->master;

    wait_until('new workers', sub {
        $self->{workers} == grep { !$old{$_} } $self->workers;
    });
    wait_until('the old workers leaving', sub { !accepts(@old) });

    return @old if $o{leaving};

    $self->wait_gone(@old);
}

sub wait_gone {
    my ($self, @pids) = @_;

    my %old = map { $_ => 1 } @pids;

    wait_until("the old workers' exit", sub {
        !grep { $old{$_} } $self->workers;
    });
}

sub wait_waiting {
    my ($self, $n) = @_;

    my $waiting = 'unknown';

    eval {
        wait_until("$n waiting", sub {
            ($waiting = $self->waiting) == $n;
        });

    } or die $@ =~ /^never came/ ? "never came: $n waiting; $waiting are\n"
                                 : $@;
}


# wait_until($what, sub { ... }): waits until the sub returns true, or dies.

sub wait_until {
    my ($what, $true, $patience) = @_;

    my $end = time + ($patience // $Patience);

    until ($true->()) {
        die "never came: $what\n" if time > $end;
        sleep 0.005;
    }

    return 1;
}


sub spew {
    my ($file, $text) = @_;

    # An nginx that reads the file meanwhile gets the old text or the new one.

    open my $out, '>:encoding(UTF-8)', "$file.new" or die "$file: $!\n";
    print $out $text;
    close $out or die "$file: $!\n";
    rename "$file.new", $file or die "$file: $!\n";
}


1;
