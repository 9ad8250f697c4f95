# A Redis that is too old is refused with a sentence: Debian 11's, which
# tools/redis.sh fetches.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use Test::More;

use lib dirname(abs_path(__FILE__)) . '/../lib';

BEGIN {
    $ENV{REDIS_SERVER} = dirname(abs_path(__FILE__))
                         . '/../../build/redis/bullseye-redis/redis-server';
}

use Longpoll::Node ();
use Longpoll::Persist qw( no_alerts );
use Longpoll::Redis ();

my $version = Longpoll::Redis->version
    or plan skip_all => 'there is no Redis 6: tools/redis.sh bullseye redis';

cmp_ok($version, '<', 7, 'this Redis is older than 7.0');

my $redis = Longpoll::Redis->start;
my $n = Longpoll::Node->start(redis => $redis, workers => 1);
my $r = $n->post(a => 1)->response;

is($r->status, 503, 'publishes are refused');
like($r->body, qr/\{"error": "Redis takes no events now\."\}/, 'with an answer');
$n->wait_log('redis 127\.0\.0\.1:\d+ lost: it is older than Redis 7\.0');
is($redis->call('DBSIZE'), 0, 'nothing is stored there');
no_alerts($n, 'an old Redis');

done_testing;
