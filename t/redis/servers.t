# The Redis and the proxy of the other tests here do what they are told.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use Test::More;
use Time::HiRes qw( time );

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Proxy ();
use Longpoll::Redis ();
use Longpoll::Server qw( wait_until );

plan skip_all => 'there is no redis-server' unless Longpoll::Redis->version;


# a server

{
    my $redis = Longpoll::Redis->start(
        options => { appendonly => 'yes', appendfsync => 'always' });
    my $run = $redis->info('run_id');

    is($redis->call('SET', 'a key', "a\r\nb"), 'OK', 'a call is answered');
    is($redis->call('GET', 'a key'), "a\r\nb", 'by a text');
    is($redis->call('GET', 'none'), undef, 'by nothing');
    is($redis->cli("rpush l 1\nrpush l 2"), 2, 'by a number');
    is_deeply($redis->call(qw( LRANGE l 0 -1 )), [1, 2], 'by a list');
    ok(!eval { $redis->call('NONSENSE') }, 'an error dies');
    like($@, qr/^ERR unknown command/, 'with its text');

    $redis->kill;
    ok(!eval { $redis->call('PING') }, 'a killed server does not answer');

    $redis->up;
    is($redis->call(qw( LRANGE l 0 -1 ))->[1], 2, 'it has its files again');
    isnt($redis->info('run_id'), $run, 'and is another run');

    $redis->quit;
    $redis->wipe_files;
    $redis->up;
    is($redis->call('DBSIZE'), 0, 'without its files it is empty');

    my $replica = $redis->replica;

    $redis->call(qw( SET k v ));
    wait_until('the copy', sub { ($replica->call(qw( GET k )) // '') eq 'v' });
    like($replica->call('ROLE')->[0], qr/^slave$/, 'a replica is one');

    my $sentinel = Longpoll::Redis->sentinel(
        zoo => $redis, options => { 'down-after-milliseconds' => 500 });

    is_deeply($sentinel->call(qw( SENTINEL get-master-addr-by-name zoo )),
              ['127.0.0.1', $redis->port], 'a Sentinel knows its master');

    $redis->stop;
    {
        local $Longpoll::Redis::Patience = 1;
        ok(!eval { $redis->call('PING') }, 'a stopped server does not answer');
    }
    $redis->cont;
    is($redis->call('PING'), 'PONG', 'and goes on');
}

{
    my $redis = Longpoll::Redis->start(unix => 1);

    is($redis->call('PING'), 'PONG', 'a server on a socket');
    is($redis->url('/1/p'), 'unix:' . $redis->path . ':/1/p', 'its URL');
}


# a proxy

{
    my $redis = Longpoll::Redis->start;
    my $proxy = Longpoll::Proxy->start(to => $redis->port);
    my $through = bless { port => $proxy->port }, 'Longpoll::Redis';

    local $Longpoll::Redis::Patience = 1;

    is($through->call('ECHO', 'a' x 300_000), 'a' x 300_000, 'bytes pass');
    is($proxy->connections, 1, 'one connection is open');

    $proxy->drop;
    is($proxy->connections, 0, 'dropped: none');
    ok(!eval { $through->call('PING') }, 'its client notices');
    is($through->call('PING'), 'PONG', 'and may come again');
    is($proxy->taken, 2, 'which is the second connection');

    $proxy->cut;
    ok(!eval { $through->call('PING') }, 'cut: the connection is closed');
    ok(!eval { $through->call('PING') }, 'and no other one is taken');

    $proxy->pass;
    is($through->call('PING'), 'PONG', 'pass: it is');

    $proxy->stall;
    ok(!eval { $through->call('INCR', 'n') }, 'stall: no answer comes');
    is($proxy->connections, 1, 'though it is connected');
    is($redis->call('GET', 'n'), undef, 'and nothing was passed on');

    $proxy->pass;
    is($through->call('PING'), 'PONG', 'pass: bytes pass again');

    $proxy->delay(200);
    my $start = time;
    $through->call('PING');
    cmp_ok(time - $start, '>=', 0.4, 'delay: there and back');

    $proxy->pass;
    $proxy->half(5);
    ok(!eval { $through->call('ECHO', 'abcdef') }, 'half a reply, and the end');
    like($@, qr/the connection ended/, 'for its client');
    is($through->call('PING'), 'PONG', 'then all is as before');
}


done_testing();
