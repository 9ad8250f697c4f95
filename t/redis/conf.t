# What the configuration says of "redis": what nginx -t refuses, with the whole
# sentence; what a reload may change; and that no password is shown anywhere.
# No Redis is needed here.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use File::Temp qw( tempdir );
use Test::More;

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Server qw( wait_until );

my $dir = tempdir('longpoll-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $load = join '', map { "load_module $_;\n" } Longpoll::Server::modules();

spew(good => "opensesame\n");
spew(user => "app:opensesame\r\n");
spew(empty => '');
spew(line => "\n");
spew(nothing => "app:\n");
spew(two => "one\ntwo\n");
spew(nul => "one\0two\n");
spew(long => 'x' x 1025 . "\n");
spew(longest => 'x' x 1024 . "\n");
spew(shown => "opensesame\n");
spew(ca => "none\n");
chmod 0644, "$dir/shown" or die $!;

sub spew {
    my ($name, $text) = @_;

    open my $out, '>', "$dir/$name" or die "$name: $!\n";
    print $out $text;
    close $out or die "$name: $!\n";
    chmod 0640, "$dir/$name" or die "$name: $!\n";
}

# the only line of nginx -t of level emerg, without the place, and its status

sub tried {
    my ($http, $location) = @_;

    s/DIR\b/$dir/g for $http;

    spew('nginx.conf', <<"_EOC_");
${load}pid nginx.pid;
events { }
http {
    access_log off;
    $http
    server {
        listen 127.0.0.1:1;
        @{[ $location // '' ]}
    }
}
_EOC_

    my $nginx = Longpoll::Server::nginx();
    my $said = `$nginx -t -p $dir/ -c nginx.conf -e stderr 2>&1`;
    my $status = $?;
    my ($line) = $said =~ /\[emerg\] (.*)/;

    $line //= '';
    $line =~ s/^\d+#\d+: //;
    $line =~ s/ in \S+nginx\.conf:\d+$//;
    $line =~ s/\Q$dir/DIR/g;

    return ($status, $line);
}

sub zone { "longpoll_zone zone=events:1m $_[0];" }

sub refused {
    while (my ($parameters, $sentence) = splice @_, 0, 2) {
        my ($status, $said) = tried(zone($parameters));

        is($said, $sentence, "said about: $parameters");
        isnt($status, 0, "refused: $parameters");
    }
}

sub accepted {
    for my $parameters (@_) {
        my ($status, $said) = tried(zone($parameters));

        is($said, '', "nothing is said about: $parameters");
        is($status, 0, "accepted: $parameters");
    }
}


my $r = 'redis=redis://127.0.0.1';

# the URL

my $url = 'it must be "redis://host[:port][/db[/prefix]]", the same with '
        . '"rediss:", "unix:path[:/db[/prefix]]", or '
        . '"sentinel://host[:port],.../name[/db[/prefix]]"';

my $host = 'it must be a name that can be resolved, or an address, and a port '
         . 'from 1 to 65535';

accepted(
    $r, "$r:6380", "$r:6380/2", "$r/2/app", "$r/0/a:b.c-d",
    'redis=redis://[::1]', 'redis=redis://[::1]:6380/1',
    'redis=redis://localhost',
    'redis=unix:/run/redis.sock', 'redis=unix:/run/redis.sock:/3',
    'redis=unix:/run/redis.sock:/3/app',
    'redis=sentinel://127.0.0.1/zoo', 'redis=sentinel://[::1]:5,127.0.0.1/zoo',
    'redis=sentinel://127.0.0.1:1,127.0.0.2:2,localhost/zoo/4/app',
);

refused(map { ("redis=$_" => qq(invalid parameter "redis=$_", $url)) }
    '', 'redis:', 'redis://', 'redis:///0', 'http://127.0.0.1',
    'REDIS://127.0.0.1', '127.0.0.1:6379', 'redis://127.0.0.1,127.0.0.2',
    'redis://127.0.0.1/', 'redis://127.0.0.1/x', 'redis://127.0.0.1/-1',
    'redis://127.0.0.1/1234567', 'redis://127.0.0.1/0/', 'redis://127.0.0.1/0/a/b',
    'unix:', 'unix:run/redis.sock',
    'unix:/run/redis.sock:', 'unix:/run/redis.sock:1', 'unix:/run/redis.sock:/',
    'sentinel://127.0.0.1', 'sentinel://127.0.0.1/', 'sentinel://,127.0.0.1/zoo',
    'sentinel://127.0.0.1,/zoo', 'sentinel:///zoo', 'sentinel://127.0.0.1/zoo/x',
    'sentinel://' . join(',', map { "127.0.0.$_" } 1 .. 17) . '/zoo',
);

refused(
    "'$r/0/{a}'" => qq(invalid parameter "$r/0/{a}", $url),
    (map { ("redis=redis://$_" => qq(invalid port in "$_" of "redis", $host)) }
         qw( 127.0.0.1:0 127.0.0.1:x 127.0.0.1:65536 )),
    'redis=redis://:6379' => qq(no host in ":6379" of "redis", $host),
    (map { ("redis=$_" =>
            qq(host not found in "none.invalid" of "redis", $host)) }
         'redis://none.invalid', 'sentinel://127.0.0.1,none.invalid/zoo'),
    'redis=unix:/' . 'x' x 200 =>
        'too long path in the unix domain socket in "unix:/' . 'x' x 200
        . '" of "redis", it must be a path of at most 107 bytes',
);

# TLS is there, or is not

{
    my ($status, $said) = tried(zone('redis=rediss://127.0.0.1:6380/0/app'));

    my $without = '"rediss://" needs an nginx and a module that were '
                  . 'built --with-http_ssl_module';

    like($said, qr{^(?:$without)?$}, 'TLS needs its library');
    is(!$status, $said eq '', 'and is refused without it');
    refused(
        'redis=rediss://127.0.0.1 ca=' =>
            'invalid parameter "ca=", it must be the path of a file',
        (map { ("redis=rediss://127.0.0.1 ca=$_" =>
                qq(there is no file "DIR/$_" for "ca", it must have the )
                . 'certificates to trust, as PEM') } qw( none . ))
    ) if $said eq '';
}

# a password

refused(map { ($_ =>
    'the URL of "redis" must not have a user or a password, as nginx shows its '
    . 'configuration; "auth=FILE" names a file for them') }
    'redis=redis://:opensesame@127.0.0.1', 'redis=redis://a:b@127.0.0.1/0',
    'redis=redis://a@127.0.0.1', 'redis=rediss://:opensesame@127.0.0.1',
    'redis=sentinel://:opensesame@127.0.0.1/zoo', 'redis=:opensesame@127.0.0.1',
    'redis=redis://:open/sesame@127.0.0.1', "$r $r/:opensesame\@x",
    'reddis=redis://:opensesame@127.0.0.1', 'redis://:opensesame@127.0.0.1',
    'redis=unix:/run/redis.sock:/0/:opensesame@',
);

# what does not fit

my $alone = '"auth", "ca", "keep", "keys", "replicas", "timeout" and "restart" '
          . 'need "redis=URL"';

refused(
    "$r $r" => qq(duplicate parameter "$r", it may be there once),
    (map { ($_ => $alone) } 'auth=good', 'ca=ca', 'keep=1m', 'keys=1s', 'replicas=0',
                            'timeout=1s', 'restart=new'),
    (map { ("$r $_->[0]=$_->[1]" => qq("redis" cannot be used with "$_->[0]", )
                                    . 'remove one of them') }
         [persist => 'kept'], [delete_on_read => 'on'], [presence => 'who']),
    "$r ca=ca" => '"ca" needs "redis=rediss://..."',
);

{
    my ($status, $said) = tried(zone($r), <<'_EOC_');
location /gpoll {
            longpoll_subscribe events protocol=gpoll;
            longpoll_category  x;
        }
_EOC_

    is($said, '"protocol=gpoll" of "longpoll_subscribe" needs a zone without '
              . '"redis", which "events" has', 'gpoll is refused');
    isnt($status, 0, 'by the status as well');
}

# the others

accepted(
    "$r keep=64k", "$r keep=2g", "$r keys=1ms", "$r keys=365d", "$r replicas=0",
    "$r replicas=100", "$r timeout=300ms", "$r restart=new", "$r restart=same",
    "$r auth=good", "$r auth=DIR/good", "$r auth=user", "$r auth=longest",
    "$r buffer=10 ttl=1h inactive=2h",
);

my $size = 'it must be a size of at least 64k, such as "256m"';
my $year = 'it must be a time of at most a year, such as "10m"';
my $time = 'it must be a time, such as "5s"';
my $word = 'it must be "new" or "same"';
my $hundred = 'it must be a number from 0 to 100';
my $line = 'must have one line of at most 1024 bytes, "password" or '
         . '"user:password"';

refused(
    "$r keep=1" => qq(invalid parameter "keep=1", $size),
    "$r keep=x" => qq(invalid parameter "keep=x", $size),
    "$r keys=0" => qq(invalid parameter "keys=0", $year),
    "$r keys=366d" => qq(invalid parameter "keys=366d", $year),
    "$r replicas=-1" => qq(invalid parameter "replicas=-1", $hundred),
    "$r replicas=101" => qq(invalid parameter "replicas=101", $hundred),
    "$r timeout=0" => qq(invalid parameter "timeout=0", $time),
    "$r timeout=off" => qq(invalid parameter "timeout=off", $time),
    "$r restart=" => qq(invalid parameter "restart=", $word),
    "$r restart=old" => qq(invalid parameter "restart=old", $word),
    "$r auth=" => 'invalid parameter "auth=", it must be the path of a file',
    "$r auth=DIR" => '"DIR" of "auth" is not a file, it must be one with the '
                     . 'password',
    "$r auth=none" => 'the file "DIR/none" of "auth" cannot be read, the user '
                      . 'who starts nginx must be able to (2: No such file or '
                      . 'directory)',
    "$r auth=shown" => 'the file "DIR/shown" of "auth" can be read or written '
                       . 'by everybody, give it mode 600',
    (map { ("$r auth=$_" => qq(the file "DIR/$_" of "auth" $line)) }
         qw( empty line nothing two nul long )),
);


# A reload may change all but the Redis.

my $n = Longpoll::Server->start(
    files => { auth => \"opensesame\n", other => \"sesameopen\n" },
    http => '', server => '');

chmod 0600, "$n->{dir}/$_" or die $! for qw( auth other );

my $none = Longpoll::Server::free_port(9000);
my $redis = "redis=redis://127.0.0.1:$none";

sub http {
    my ($parameters) = @_;

    return "longpoll_zone zone=events:1m $parameters;\n"
           . "server { listen 127.0.0.1:$n->{port}; server_name x; location /x "
           . "{ longpoll_subscribe events; } }\n";
}

sub changed {
    my ($parameters) = @_;

    $n->{http} = $parameters eq '' ? '' : http($parameters);
    $n->write_conf;
}

sub reload_is_refused {
    my ($parameters, $sentence) = @_;

    my @old = $n->workers;
    my $before = length $n->log;

    changed($parameters);
    kill HUP => $n->master;

    wait_until('the refusal', sub {
        substr($n->log, $before) =~ /\[emerg\] \d+#\d+: (.*)/;
    });

    like(substr($n->log, $before), qr/\Q$sentence\E/, "reload: $parameters");
    is_deeply([$n->workers], \@old, "$parameters: the workers stay");
}

sub cannot {
    my ($from, $to) = @_;

    return qq(longpoll_zone "events": "redis" cannot be changed from "$from" to )
           . qq("$to" by a reload, only by a restart);
}

changed("$redis auth=auth keep=1m");
$n->reload;

(my $is = $redis) =~ s/^redis=//;

reload_is_refused("$redis/1", cannot($is, "$is/1"));
reload_is_refused('buffer=5', cannot($is, 'none'));
changed("$redis auth=other keep=2m keys=1s replicas=2 timeout=1s restart=same "
        . 'buffer=5');
$n->reload;
pass('a reload changes the other parameters');

changed('');
$n->reload;
changed('buffer=5');
$n->reload;
reload_is_refused($redis, cannot('none', $is));

# nginx shows no password.

changed('');
$n->reload;
changed("$redis auth=auth");
$n->reload;
$n->get('/x?category=a&timeout=1');

my @seen = (
    $n->log, $n->get('/status')->{content},
    scalar(`@{[ Longpoll::Server::nginx() ]} -p $n->{dir}/ -c nginx.conf -T 2>&1`),
    map { Longpoll::Child::slurp("/proc/$_/cmdline"),
          Longpoll::Child::slurp("/proc/$_/environ") }
        $n->master, $n->workers,
);

like($seen[2], qr/\Q$redis\E auth=auth/, 'nginx -T shows the directive');
is(scalar(grep { /opensesame/ } @seen), 0, 'and nothing shows the password');

done_testing();
