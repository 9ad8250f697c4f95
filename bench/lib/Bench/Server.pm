package Bench::Server;

# The servers that are measured, each with a directory and a port of its own.
#
#     Bench::Server->names          in the order of the table
#     Bench::Server->parts($name)   of the table that it is in
#     my $server = Bench::Server->find($name);
#     $server->{why}                why it cannot be used, if it cannot
#     $server->start, $server->url('/path')
#     $server->stop                 returns the alerts of its error log
#     $server->processes            that share the connections
#     $server->options              of longpoll-bench, for this server
#     $server->{version}            also of the nginx that it runs in
#     $server->settings             what differs in its configuration; of one
#                                   over Redis, from that without
#
# To be fair, each server has the settings that its own documentation gives for
# long polling, two workers (or two processors for Go), no access log,
# keep-alive connections, 250 events in each category, shared memory that no case
# fills, and a buffer for whole bodies.  push-stream has more of that memory,
# since it frees a message ten seconds after another one pushed it out.  Every
# worker has a listening socket of its own: otherwise one of them would accept
# nearly all connections.
#
# "floor" is nginx without a long-poll module: the least that such a request can
# cost.  "bare" is no nginx, and has streams only: it sends the bytes that this
# module sends, and does nothing else.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use File::Temp qw( tempdir );
use IO::Socket::INET ();
use Time::HiRes qw( sleep time );

use Longpoll::Child ();
use Longpoll::Server ();

my $root = abs_path(dirname(__FILE__) . '/../../..');
my $out = "$root/build/bench";

our $Workers = 2;
our $Slim;                      # settings for small requests
our $Via = '';                  # `tls`, or `h2`: HTTP/2 without TLS
our $Kept;                      # `tmpfs` or `disk`: has a zone with a file
our $Nginx = 'nginx';

our $slim = <<'END';
connection_pool_size      256;
request_pool_size         2k;
client_header_buffer_size 512;
END

# a zone of this module whose publishes wait for the file

my %kept = (tmpfs => '/dev/shm', disk => '/var/tmp');

my $kept = <<'END';
longpoll_zone zone=kept:64m persist=FILE durable=on;
END

my $kept_locations = <<'END';
location = /kept/events  { longpoll_subscribe kept; }
location = /kept/publish { longpoll_publish kept; }
END

# one event of 100 bytes, as the module answers it

my $event = '{"timestamp":1616040198889,"category":"c0","data":"'
    . 'x' x 100 . '","id":"0198c0de-0000-7000-8000-000000000000"}';

# polls, streams, redis: which cases it takes part in

my %servers = (
    floor => {
        title => 'nginx itself',
        polls => 1,
        module => 'ngx_http_echo_module.so',
        package => 'libnginx-mod-http-echo',
        protocol => 'plain',
        locations => <<"END",
location = /floor  { echo_read_request_body; echo -n '{"success": true}'; }
location = /answer { return 200 '{"events":[$event]}'; }
location = /alike {
    add_header X-Content-Type-Options nosniff;
    add_header Cache-Control "no-cache, no-store, must-revalidate";
    add_header Pragma no-cache;
    add_header Expires 0;
    return 200 '{"events":[$event]}';
}
location = /sleep  { echo_sleep 110; echo; }
END
        files => {
            catchup => '{"events":[' . join(',', ($event) x 250) . ']}',
        },
    },

    longpoll => {
        title => 'this module',
        polls => 1, streams => 1, redis => 1,
        file => "$root/build/ngx_http_longpoll_module.so",
        protocol => 'golongpoll',
        http => "longpoll_zone zone=bench:512m;\n",
        locations => <<'END',
location = /events  { longpoll_subscribe bench; longpoll_max_timeout 300s; }
location = /publish { longpoll_publish bench; }

location = /text/events  { longpoll_subscribe bench; }
location = /json/events  { longpoll_subscribe bench; }
location = /text/publish {
    longpoll_category $arg_category;
    longpoll_publish  bench format=text;
}
location = /json/publish {
    longpoll_category $arg_category;
    longpoll_publish  bench format=json;
}
END
    },

    'push-stream' => {
        title => 'push-stream',
        fetch => 1,
        polls => 1, streams => 1,
        nginx => "$out/push-stream/usr/sbin/nginx",
        file => "$out/push-stream/usr/lib/nginx/modules/"
            . 'ngx_http_push_stream_module.so',
        deb => 'libnginx-mod-http-push-stream',
        protocol => 'pushstream',
        http => <<'END',
push_stream_shared_memory_size              3072m;
push_stream_max_messages_stored_per_channel 250;
push_stream_message_ttl                     1h;
END
        locations => <<'END',
location = /pub {
    push_stream_publisher               admin;
    push_stream_channels_path           $arg_id;
    push_stream_store_messages          on;
    push_stream_channel_info_on_publish off;
}
location = /sub {
    push_stream_subscriber                long-polling;
    push_stream_channels_path             $arg_id;
    push_stream_message_template          "~text~\n";
    push_stream_longpolling_connection_ttl 110s;
}
location = /stream {
    push_stream_subscriber                eventsource;
    push_stream_channels_path             $arg_id;
}
END
    },

    nchan => {
        title => 'nchan',
        polls => 1, streams => 1, redis => 1,
        module => 'ngx_nchan_module.so',
        package => 'libnginx-mod-nchan',
        protocol => 'nchan',
        options => [ '-G', '/all' ],
        http => "nchan_shared_memory_size 512m;\n",
        locations => join('', <<'END', map({ <<"END" }
location = /pub {
    nchan_publisher;
    nchan_channel_id            $arg_id;
    nchan_message_buffer_length 250;
}
END
location = /$_->[0] {
    nchan_subscriber                  longpoll;
    nchan_channel_id                  \$arg_id;
    nchan_subscriber_first_message    $_->[1];
    nchan_longpoll_multipart_response raw;
}
END
            [ sub => 'newest' ], [ all => 'oldest' ]), <<'END'),
location = /stream {
    nchan_subscriber               eventsource;
    nchan_channel_id               $arg_id;
    nchan_subscriber_first_message newest;
}
END
    },

    golongpoll => {
        title => 'golongpoll',
        fetch => 1,
        polls => 1,
        program => "$out/golongpoll",
        protocol => 'golongpoll',
        processes => 1,
        settings => sub {
            "GOMAXPROCS=$Workers, MaxEventBufferSize: 250\n";
        },
    },

    bare => {
        title => 'bare',
        streams => 1,
        program => "$out/bare",
        arguments => sub { $Workers },
        protocol => 'golongpoll',
        version => 'bench/bare/bare.c',
        settings => sub { "$Workers processes\n" },
    },
);

# Over Redis, whose address takes the place of REDIS.

my $zone = "longpoll_zone zone=bench:512m redis=REDIS;\n";
my $status = "location = /status { longpoll_status bench; }\n";

$servers{'longpoll-redis'} = over_redis(
    $servers{longpoll}, 'Redis', ready => '/publish', http => $zone,
    locations => $servers{longpoll}{locations} . $status,
    settings => sub { $zone . $status });

for my $mode (qw( distributed backup )) {
    my $upstream = <<"END";
upstream redis {
    nchan_redis_server       REDIS;
    nchan_redis_storage_mode $mode;
}
END
    my $pass = 'nchan_redis_pass redis;';

    $servers{"nchan-$mode"} = over_redis(
        $servers{nchan}, $mode, ready => '/pub?id=ready',
        http => $servers{nchan}{http} . $upstream,
        locations => $servers{nchan}{locations} =~ s/(?=^\})/    $pass\n/gmr,
        settings => sub { "$upstream$pass    # in each location\n" });
}

my @order = qw( floor bare longpoll longpoll-redis push-stream nchan
                nchan-distributed nchan-backup golongpoll );

sub over_redis {
    my ($server, $title, %o) = @_;

    return { %$server, polls => 0, streams => 0, class => 'Bench::Cluster',
             title => "$server->{title}, $title", %o };
}


sub names { return @order }

sub parts { return grep { $servers{ $_[1] }{$_} } qw( polls streams redis ) }

sub find {
    my ($class, $name) = @_;

    my $self = bless { name => $name, %{ $servers{$name} } },
        $servers{$name}{class} // $class;

    $self->{nginx} //= $Nginx;
    $self->{why} = $self->prepare;
    $self->{version} //= $self->find_version unless $self->{why};

    return $self;
}

# undef, or why it cannot be used

sub prepare {
    my ($self) = @_;

    if ($self->{fetch}) {
        chomp(my $why = `$root/bench/peers.sh $self->{name}`);
        return $why || 'it cannot be fetched' if $?;
    }

    return if $self->{program};

    if ($self->{module}) {
        my ($dir) = `$self->{nginx} -V 2>&1` =~ /--modules-path=(\S+)/;
        $self->{file} = ($dir // '') . "/$self->{module}";
        return "$self->{package} is not installed" unless -e $self->{file};
    }

    return -e $self->{file} ? undef : "no $self->{file}";
}

sub find_version {
    my ($self) = @_;

    if ($self->{program}) {
        open my $in, '<', "$root/bench/go/go.mod" or die "go.mod: $!\n";
        my ($version) = join('', <$in>) =~ m{golongpoll v(\S+)};
        return "golongpoll $version";
    }

    my ($nginx) = `$self->{nginx} -v 2>&1` =~ m{nginx/(\S+)};
    my $version = '';

    if ($self->{package}) {
        $version = `dpkg-query -W -f '\${Version}' $self->{package}`;
    } elsif ($self->{deb}) {
        my ($doc) = glob "$out/push-stream/usr/share/doc/$self->{deb}/"
            . 'changelog.Debian*';
        ($version) = `zcat -f $doc` =~ /\((\S+)\)/ if $doc;
    }

    my $what = $self->{package} // $self->{deb};

    if ($self->{name} =~ /^longpoll/) {
        chomp($version = `git -C '$root' describe --always --dirty 2>&1`);
        $version = '' if $?;
        $what = 'commit';
    }

    return join ' ', $version ? ($what, "$version,") : (), "nginx $nginx";
}

sub options {
    my ($self) = @_;

    return '-p', $self->{protocol}, @{ $self->{options} // [] },
        $Via eq 'h2' ? '-2' : ();
}

sub processes { return $_[0]{processes} // $Workers }

sub url {
    my ($self, $path) = @_;

    return ($Via eq 'tls' ? 'https' : 'http')
        . "://127.0.0.1:$self->{port}$path";
}

sub settings {
    my ($self) = @_;

    return $self->{settings}->() if $self->{settings};
    return ($self->{http} // '') . $self->{locations};
}


sub start {
    my ($self) = @_;

    $self->stop;
    $self->{dir} = tempdir('longpoll-bench-XXXXXX', TMPDIR => 1, CLEANUP => 1);
    $self->{port} = free_port();
    chmod 0755, $self->{dir};

    my @command = $self->{program}
        ? ($self->{program}, "127.0.0.1:$self->{port}",
           $self->{arguments} ? $self->{arguments}->() : ())
        : $self->command_nginx;

    # as many open files as this machine allows

    $self->{child} = Longpoll::Child->start(
        [ 'sh', '-c', 'ulimit -n $(ulimit -Hn); exec "$0" "$@"', @command ],
        log => "$self->{dir}/error.log", dir => $self->{dir},
        env => { GOMAXPROCS => $Workers });

    my $end = time + 10;

    until (IO::Socket::INET->new("127.0.0.1:$self->{port}")) {
        if (time > $end || !$self->{child}->alive) {
            my $log = $self->log;
            $self->stop;
            die "$self->{title} did not start:\n$log";
        }
        sleep 0.02;
    }

    return $self;
}

sub stop {
    my ($self) = @_;

    my $child = delete $self->{child} or return;

    $child->end;
    return grep { /\[(?:alert|crit|emerg)\]/ } $self->lines;
}

sub lines {
    my ($self) = @_;

    open my $in, '<', "$self->{dir}/error.log" or return;
    return <$in>;
}

sub log {
    my ($self) = @_;

    my @lines = $self->lines;
    return join '', @lines > 10 ? @lines[-10 .. -1] : @lines;
}

# below the ports of outgoing connections

sub free_port {
    for (1 .. 1000) {
        my $port = 20000 + int rand 10000;
        return $port if IO::Socket::INET->new(
            Listen => 1, LocalAddr => "127.0.0.1:$port", ReuseAddr => 1);
    }
    die "no free port\n";
}

sub command_nginx {
    my ($self) = @_;

    my $dir = $self->{dir};
    my %files = ('nginx.conf' => $self->config, %{ $self->{files} // {} });

    mkdir "$dir/tmp";
    certificate($dir) if $Via eq 'tls';

    for my $name (keys %files) {
        open my $file, '>', "$dir/$name" or die "$dir/$name: $!\n";
        print $file $files{$name};
        close $file or die "$dir/$name: $!\n";
        chmod 0644, "$dir/$name";
    }

    return $self->{nginx}, '-p', "$dir/", '-c', 'nginx.conf', '-e',
        'error.log';
}

# a key and a certificate in $dir/key.pem and $dir/cert.pem

sub certificate {
    my ($dir) = @_;

    system("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1"
           . " -nodes -days 2 -subj /CN=localhost -keyout $dir/key.pem"
           . " -out $dir/cert.pem >/dev/null 2>&1") == 0
        or die "openssl makes no certificate\n";
}

# the words behind an address of `listen`, and further directives

sub via {
    my ($self) = @_;

    return $Via eq 'h2' ? Longpoll::Server::http2($self->{nginx})
        : $Via eq 'tls' ? ('ssl', 'ssl_certificate cert.pem;'
                                   . ' ssl_certificate_key key.pem;')
        : ('', '');
}

sub config {
    my ($self) = @_;

    my $user = '';
    my ($listen, $directives) = $self->via;

    if ($> == 0) {
        my ($name) = grep { defined getpwnam $_ } qw( www-data nobody );
        my $group = getgrgid((getpwnam $name)[3]);
        $user = "user $name $group;";
    }

    my $locations = $self->{locations};
    my $http = ($self->{http} // '') . ($Slim ? $slim : '');

    if ($Kept && $self->{name} eq 'longpoll') {
        $self->{kept} = File::Temp->newdir('longpoll-bench-XXXXXX',
                                           DIR => $kept{$Kept});
        chmod 0777, $self->{kept};
        $http .= $kept =~ s{FILE}{$self->{kept}/zone}r;
        $locations .= $kept_locations;
    }

    $locations =~ s/^(?=.)/        /mg;
    $http =~ s/^/    /mg;

    return <<"END";
load_module $self->{file};
$user
daemon           off;
worker_processes $Workers;
pid              nginx.pid;

events {
    worker_connections 16384;
}

http {
    access_log         off;
    default_type       application/json;
    sendfile           on;
    keepalive_requests 1000000000;
    keepalive_timeout  1h;
    client_body_buffer_size 128k;

    client_body_temp_path tmp/body;
    proxy_temp_path       tmp/proxy;
    fastcgi_temp_path     tmp/fastcgi;
    uwsgi_temp_path       tmp/uwsgi;
    scgi_temp_path        tmp/scgi;

$http
    server {
        listen 127.0.0.1:$self->{port} reuseport backlog=4096 $listen;
        root   .;
        $directives

$locations    }
}
END
}


1;
