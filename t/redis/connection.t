# The connections to Redis: what is sent over them, and what breaks them.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use File::Temp qw( tempdir );
use Test::More;
use Time::HiRes qw( time );

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Child ();
use Longpoll::Node ();
use Longpoll::Persist qw( no_alerts wait_until );
use Longpoll::Proxy ();
use Longpoll::Redis ();
use Longpoll::Server ();

plan skip_all => 'there is no redis-server' unless Longpoll::Redis->version;

my $none = qr/\{"error": "Redis takes no events now\."\}/;
my $maybe = qr/\{"error": "No answer from Redis, the event may be stored\."\}/;


# Publishes again until one is taken, and returns how often it was not.

sub taken {
    my ($n, $data) = @_;

    my ($refused, @other) = (0);

    wait_until('a publish is taken', sub {
        my $r = $n->post(again => $data)->response;
        return 1 if $r->status == 200;
        $refused++;
        push @other, $r->body if $r->body !~ $none;
        return 0;
    });

    is_deeply(\@other, [], 'before that nothing is stored');

    return $refused;
}

sub spew {
    my ($file, $text) = @_;

    open my $out, '>', $file or die "$file: $!\n";
    print $out $text;
    close $out or die "$file: $!\n";
}

# how many clients Redis has, besides the one that asks

sub clients {
    my ($redis) = @_;

    return -1 + split /\n/, $redis->call('CLIENT', 'LIST');
}


# One connection carries what many publishers send, in their order.

{
    my $redis = Longpoll::Redis->start;
    my $n = Longpoll::Node->start(redis => $redis, workers => 1);

    $n->wait_synced;
    $n->publish(farm => 0);

    my @posts = map { $n->post(farm => $_) } 1 .. 300;
    my @ids = map { $_->response->header('Longpoll-Event-Id') // '' } @posts;

    is(scalar(grep { $_ ne '' } @ids), 300, '300 publishes at once are taken');
    is(clients($redis), 2, "over one connection, besides the reader's");

    my %sorted;
    @sorted{ sort @ids } = ();
    is(scalar(keys %sorted), 300, 'each has an id of its own');

    # Redis forgets its scripts, as a restart or SCRIPT FLUSH does.

    $redis->call('SCRIPT', 'FLUSH');
    my @again = map { $n->post(farm => $_)->response->status } 1 .. 3;
    is("@again", '200 200 200', 'Redis has forgotten the script: it is sent');
    is(clients($redis), 2, 'over the same connection');

    # A client that does not wait for its answer.

    $redis->stop;
    $_->close for map { $n->post(gone => $_) } 1 .. 20;
    wait_until('the clients are gone', sub {
        $n->post(gone => 21)->silent && !grep { /CLOSE-WAIT/ } $n->log;
    });
    $redis->cont;

    is($n->post(farm => 4)->response->status, 200,
       'clients that leave do no harm');
    no_alerts($n, 'one connection');
}


# Publishes that Redis does not take, as their epoch has ended.

{
    my $redis = Longpoll::Redis->start;
    my $n = Longpoll::Node->start(redis => $redis, workers => 1);

    $n->wait_synced;
    $n->publish(farm => 0);
    $redis->call('FLUSHALL');
    wait_until('another epoch', sub {
        $redis->call(GET => 'longpoll:{events}:life');
    });
    $redis->stop;

    my @posts = map {
        my $post = $n->post(farm => $_);
        wait_until('it is sent', sub { $n->redis->{in_flight} == $_ });
        $post;
    } 1 .. 5;

    $redis->cont;
    is(join(' ', map { $_->response->status } @posts), '200 200 200 200 200',
       'publishes for an epoch that has ended go out again');
    is($n->said([ category => 'farm', since_time => 1 ]), '0 1 2 3 4 5',
       'in their order');
    no_alerts($n, 'another epoch');
}


# What nobody has asked for, and what is no reply at all.

{
    my $redis = Longpoll::Redis->start;
    my $proxy = Longpoll::Proxy->start(to => $redis->port);
    my $n = Longpoll::Node->start(redis => $proxy, workers => 1,
                                  parameters => 'timeout=2s');
    $n->wait_synced;
    $n->publish(a => 1);

    my @workers = $n->workers;
    my %said = (
        'a reply too many'  => "+OK\r\n",
        'an error too many' => "-ERR max number of clients reached\r\n",
        'another protocol'  => "HTTP/1.1 400 Bad Request\r\n\r\n",
        'a huge array'      => "*2147483647\r\n",
        'a deep array'      => "*1\r\n" x 20,
        'a huge string'     => "\$9223372036854775807\r\n",
        'zeros'             => "\0" x 100_000,
    );

    for my $name (sort keys %said) {
        my $taken = $proxy->taken;

        # the reader's, which waits for a reply, and the idle one of publishes

        $proxy->say($said{$name});
        wait_until("$name: two new connections", sub {
            $n->post(b => 1)->response;
            return $proxy->taken > $taken + 1;
        });
        taken($n, 2);

        is(join(' ', $n->workers), "@workers", "$name: the worker lives on");
    }

    # a reply that stops in its midst, and one that is only late

    # It may be a reply to the reader.

    wait_until('half a reply: may be', sub {
        $proxy->half(3);
        return $n->post(c => 1)->response->body =~ $maybe;
    });
    $proxy->pass;
    taken($n, 1);
    pass('half a reply: may be');

    $proxy->delay(300);
    is($n->post(d => 1)->response->status, 200, 'a late reply is one');
    $proxy->pass;

    # no reply

    $proxy->stall;
    my $begin = time;
    my @posts = map { $n->post(e => $_) } 1 .. 3;

    for (@posts) {
        my $r = $_->response;
        like($r->body, $maybe, 'no reply: may be');
        is($r->status, 503, 'which is 503');
    }

    # The reader's command may have gone out some tenths of a second before.

    cmp_ok(time - $begin, '>', 1.2, 'after the timeout');
    $proxy->pass;
    taken($n, 1);

    no_alerts($n, 'a way that breaks');
}


# Redis takes no connection of publishes, and has the reader's all the time.  The
# test has one that it keeps.

{
    my $redis = Longpoll::Redis->start;
    my $n = Longpoll::Node->start(redis => $redis, workers => 1);

    $n->wait_synced;
    $n->publish(a => 1);

    my ($id) = map { /^id=(\d+)/ } grep { !/ cmd=(?:xread|client)/ }
        split /\n/, $redis->call('CLIENT', 'LIST');

    $redis->call(qw( CONFIG SET maxclients 2 ));
    $redis->call(qw( CLIENT KILL ID ), $id);

    # With pauses that double up to 5 seconds it would be 100 seconds.

    my $begin = time;
    wait_until('25 tries', sub {
        $n->post(a => 2)->response;
        return $redis->info('rejected_connections') >= 25;
    }, 150);
    cmp_ok(time - $begin, '<', 60, 'while the reader is connected, publishes '
                                   . 'try again every 100 ms');

    $redis->call(qw( CONFIG SET maxclients 100 ));
    taken($n, 3);
    is($n->redis->{reconnects}, 0, 'which does not touch the reader');
    no_alerts($n, 'no connection for publishes');
}


# Bounds: Redis is stopped, and more publish than may be in flight.

for my $bound (['1,024 publishes', 1100, 1024, 'x'],
               ['16 MB', 100, 83, 'x' x 200_000])
{
    my ($name, $count, $most, $data) = @$bound;
    my $redis = Longpoll::Redis->start;
    my $n = Longpoll::Node->start(redis => $redis, workers => 1, size => '16m',
                                  connections => 3000,
                                  parameters => 'timeout=60s');
    $n->wait_synced;
    $n->publish(a => 1);
    $redis->stop;

    my @posts = map { $n->post(a => qq("$data")) } 1 .. $count;
    my @more = splice @posts, $most;

    is(scalar(grep { $_->response->body =~ $none } @more), $count - $most,
       "$name are in flight, and what comes then is refused at once");
    ok($posts[0]->silent, "$name: which wait");

    $redis->cont;

    is(scalar(grep { $_->response->status == 200 } @posts), $most,
       "$name: Redis goes on and takes them all");
    no_alerts($n, $name);
}


# A worker that leaves stays until its publishers are answered, and not longer.

{
    my $redis = Longpoll::Redis->start;
    my $n = Longpoll::Node->start(redis => $redis, workers => 1,
                                  parameters => 'timeout=30s');
    $n->wait_synced;
    $n->publish(a => 1);
    $redis->stop;

    my @posts = map { $n->post(a => $_) } 2 .. 6;
    my ($old) = $n->workers;

    wait_until('all are sent', sub { $n->redis->{in_flight} == @posts });
    $n->reload(leaving => 1);
    ok($posts[0]->silent, 'reload: the publishers wait on');
    ok(kill(0, $old), 'reload: the old worker is there');

    $redis->cont;
    is(join(' ', map { $_->response->status } @posts), '200 200 200 200 200',
       'reload: it answers them');
    wait_until('the old worker leaves', sub { !kill 0, $old });
    pass('reload: and leaves');

    my $begin = time;
    $n->quit;
    cmp_ok(time - $begin, '<', 10, 'nothing that waits for Redis keeps nginx');
    no_alerts($n, 'a worker that leaves');
}


# AUTH, SELECT, PREFIX, over a socket of a path

{
    my $redis = Longpoll::Redis->start(unix => 1, options => {
        user => 'app on >opensesame ~* &* +@all',
    });
    my $file = $redis->dir . '/auth';

    spew($file, "app:opensesame\n");
    chmod 0600, $file;

    my $n = Longpoll::Node->start(redis => $redis->url('/3/shop'),
                                  parameters => "auth=$file");
    $n->wait_synced;
    $n->publish(a => 1);

    is($redis->cli("SELECT 3\nEXISTS shop:{events}:log"), 1,
       'a user, a database and a prefix');
    unlike($n->log, qr/opensesame/, 'no password in the log');
    no_alerts($n, 'a socket');
}


# The user that docs/cluster.md shows may do all that a zone does.

{
    my $root = dirname(abs_path(__FILE__)) . '/../..';
    my ($user) = Longpoll::Child::slurp("$root/docs/cluster.md")
        =~ /^  user (nginx on .*?)\n  ```/ms;

    $user =~ s/\s+/ /g;
    $user =~ s/>\w+/>opensesame/;

    my $redis = Longpoll::Redis->start(options => { user => $user });
    my $file = $redis->dir . '/auth';

    spew($file, "nginx:opensesame\n");
    chmod 0600, $file;

    my $n = Longpoll::Node->start(redis => $redis, parameters =>
                                  "auth=$file keep=64k ttl=1h replicas=1 timeout=1s");
    $n->wait_synced;
    like($n->post(a => 1)->response->body, $maybe,
         'a user with few rights: there is no replica');
    $n->post(key => 1, key => 'x')->response;
    $n->client->request(POST => '/delete?category=a', body => '')->response;
    $n->post(b => qq("@{[ 'x' x 12_000 ]}")) for 1 .. 12;
    wait_until('the stream is trimmed', sub {
        $redis->call('MEMORY', 'USAGE', 'longpoll:{events}:log') <= 80_000
            && $redis->call('XLEN', 'longpoll:{events}:log') > 0;
    });
    is(scalar @{ $redis->call('ACL', 'LOG') }, 0, 'and nothing is denied it');
    unlike($n->log, qr/NOPERM/, 'nor said to be');
    no_alerts($n, 'a user with few rights');
}


# Names that nginx resolves, each time: of a Redis, and of a Sentinel

for my $kind (qw( redis sentinel )) {
    my $dir = tempdir('longpoll-XXXXXX', TMPDIR => 1, CLEANUP => 1);
    my $port = Longpoll::Server::free_port(31_000);
    my $redis = Longpoll::Redis->start;
    my $sentinel = $kind eq 'sentinel'
        ? Longpoll::Redis->sentinel(main => $redis, quorum => 1) : undef;

    # It knows no name, or, while a file is there, two addresses of every name.
    # Nobody listens at one of them.

    my $dns = Longpoll::Child->start([ $^X, '-MIO::Socket::INET', '-e', <<'_EOC_',
        my ($port, $file) = @ARGV;
        my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1:$port",
                                      Proto => 'udp') or die "$port: $!\n";
        while (defined $s->recv(my $ask, 512)) {
            my ($question) = substr($ask, 12) =~ /^(.*?\0....)/s or next;
            my $a = -e $file && substr($question, -4, 2) eq "\0\1";
            my $head = pack 'n5', -e $file ? 0x8180 : 0x8183, 1, 2 * $a, 0, 0;
            $s->send(substr($ask, 0, 2) . $head . $question
                . join '', map {
                    pack 'n3 N n C4', 0xc00c, 1, 1, 1, 4, 127, 0, 0, $_
                } $a ? (2, 1) : ());
        }
_EOC_
        $port, "$dir/up" ], log => "$dir/log", dir => $dir);

    my $n = Longpoll::Node->start(
        redis => $sentinel ? 'sentinel://localhost:' . $sentinel->port . '/main'
                           : 'redis://localhost:' . $redis->port,
        http => "resolver 127.0.0.1:$port ipv6=off valid=1s;\n"
                . "resolver_timeout 1s;\n");

    like($n->post(a => 1)->response->body, $none,
         "the name of a $kind is not resolved: refused");
    $n->wait_log($sentinel ? 'redis .*no Sentinel knows "main"'
                           : 'redis .*the name was not resolved');

    spew("$dir/up", '');
    $n->wait_synced;
    taken($n, 2);

    no_alerts($n, "the name of a $kind");
    $dns->end;
}


# TLS

SKIP: {
    my $dir = tempdir('longpoll-XXXXXX', TMPDIR => 1, CLEANUP => 1);
    chmod 0755, $dir;

    for my $ca (qw( ca other )) {
        system("cd $dir && openssl req -x509 -newkey rsa:2048 -nodes -days 30 "
               . "-subj /CN=$ca -keyout $ca.key -out $ca.pem 2>/dev/null") == 0
            or skip 'there is no openssl', 1;
    }

    spew("$dir/san", "subjectAltName=DNS:localhost\n");
    system("cd $dir && openssl req -newkey rsa:2048 -nodes -subj /CN=redis "
           . "-keyout redis.key -out redis.csr 2>/dev/null && openssl x509 -req "
           . "-in redis.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 "
           . "-extfile san -out redis.pem 2>/dev/null") == 0
        or skip 'openssl signs nothing', 1;

    my $port = Longpoll::Server::free_port(30_000);
    my $redis = eval { Longpoll::Redis->start(options => {
        'tls-port' => $port, 'tls-auth-clients' => 'no',
        'tls-cert-file' => "$dir/redis.pem", 'tls-key-file' => "$dir/redis.key",
        'tls-ca-cert-file' => "$dir/ca.pem",
    }) } or skip 'this Redis has no TLS', 1;

    my $n = Longpoll::Node->start(redis => "rediss://localhost:$port",
                                  parameters => "ca=$dir/ca.pem");
    $n->wait_synced;
    $n->publish(a => qq("$_")) for 1, 'x' x 100_000;

    is($redis->call('XLEN', 'longpoll:{events}:log') > 2, 1, 'TLS: events');
    no_alerts($n, 'TLS');

    my %bad = (
        'another authority' => ["localhost:$port", 'other', '(?:self.signed|unable)'],
        'another host'      => ["127.0.0.1:$port", 'ca', 'for another host'],
        'no TLS'            => ['localhost:' . $redis->port, 'ca', '(?:TLS|too long)'],
    );

    for my $name (sort keys %bad) {
        my ($address, $ca, $why) = @{ $bad{$name} };

        $n = Longpoll::Node->start(redis => "rediss://$address",
                                   parameters => "ca=$dir/$ca.pem timeout=2s");
        like($n->post(a => 1)->response->body, $none, "TLS: $name: refused");
        $n->wait_log("redis .*$why");
        no_alerts($n, "TLS: $name");
    }
}


# Servers that a zone cannot use

{
    my $redis = Longpoll::Redis->start(options => { requirepass => 'x' });
    my $n = Longpoll::Node->start(redis => $redis);

    like($n->post(a => 1)->response->body, $none, 'no password: refused');
    $n->wait_log('redis 127\.0\.0\.1:\d+ .*NOAUTH');
    no_alerts($n, 'no password');
}

{
    my $redis = Longpoll::Redis->start;
    my $replica = $redis->replica;
    my $n = Longpoll::Node->start(redis => $replica, workers => 1);

    like($n->post(a => 1)->response->body, $none, 'a replica: refused');
    $n->wait_log('redis 127\.0\.0\.1:\d+ .*it is not a master');

    # It becomes one, and is one no more.

    $replica->call('REPLICAOF', 'NO', 'ONE');
    $n->wait_synced;
    taken($n, 1);

    $replica->call('REPLICAOF', '127.0.0.1', $redis->port);
    like($n->post(a => 1)->response->body, $none, 'a demoted master: refused');
    $replica->call('REPLICAOF', 'NO', 'ONE');
    taken($n, 2);

    # The publishers' connection does not notice that, and is there.

    my $lives = $n->redis->{lives};

    $replica->call('REPLICAOF', '127.0.0.1', $redis->port);
    $replica->call('REPLICAOF', 'NO', 'ONE');
    wait_until('a new epoch', sub { $n->redis->{lives} > $lives });
    taken($n, 3);
    no_alerts($n, 'replicas');
}

# A replica that was promoted, and forgets that, as it has had none of its own.

{
    my $redis = Longpoll::Redis->start;
    my $replica = $redis->replica;

    wait_until('the replica', sub {
        $replica->info('master_link_status') eq 'up';
    });
    $replica->call('REPLICAOF', 'NO', 'ONE');
    unlike($replica->info('master_replid2'), qr/^0+$/, 'a replica is promoted');

    my $n = Longpoll::Node->start(redis => $replica, workers => 1);

    $n->wait_synced;
    $n->publish(a => 1);
    $replica->call(qw( CONFIG SET repl-backlog-ttl 1 ));
    wait_until('it forgets that', sub {
        $replica->info('master_replid2') =~ /^0+$/;
    });
    $replica->wait_asked;
    is($n->redis->{reconnects}, 0, 'it forgets that: the reader stays');
    $replica->call(qw( CLIENT KILL TYPE normal ));
    wait_until('the reader connects anew', sub {
        my $of = $n->redis;
        return $of->{reconnects} && $of->{connected};
    });
    taken($n, 2);
    is($n->redis->{lives}, 1, 'and no epoch begins');
    no_alerts($n, 'a promotion that is forgotten');
}

SKIP: {
    my $redis = eval { Longpoll::Redis->start(
                           options => { 'cluster-enabled' => 'yes' }) }
        or skip 'Redis starts no Cluster here', 2;
    my $n = Longpoll::Node->start(redis => $redis);

    like($n->post(a => 1)->response->body, $none, 'a Redis Cluster: refused');
    $n->wait_log('a node of a Redis Cluster');
    no_alerts($n, 'a Redis Cluster');
}

done_testing;
