# The last entry that a node has read is not there any more, in the same Redis with
# the same epoch: the end of the stream was lost, or somebody has deleted the entry.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use Test::More;

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Node ();
use Longpoll::Persist qw( no_alerts wait_until );
use Longpoll::Proxy ();
use Longpoll::Redis ();

plan skip_all => 'there is no redis-server' unless Longpoll::Redis->version;

my $log = 'longpoll:{events}:log';
my $life = 'longpoll:{events}:life';


# Redis loses the end while the node is cut off: the node notices when it is back.

my $redis = Longpoll::Redis->start;
my $proxy = Longpoll::Proxy->start(to => $redis->port);
my ($n) = Longpoll::Node->several(1, redis => $proxy, workers => 1,
                                  parameters => 'timeout=2s');

$n->publish(farm => 1);

my $stream = $redis->call(DUMP => $log);
my $id = $n->publish(farm => 2);

$proxy->cut;
wait_until('the cut', sub { !$n->redis->{connected} });
$redis->call(RESTORE => $log, 0, $stream, 'REPLACE');

my $poll = $n->poll(category => 'farm', last_id => $id, timeout => 60);

$n->wait_waiting(1);
$proxy->pass;
wait_until('a publish', sub { $n->post(farm => 3)->response->status == 200 });

my $r = $poll->response;

is(join(' ', $r->data), '3', 'the end was lost: a poll gets what comes then');
is($r->missed, 1, 'and is told missed');
is(scalar(split /\n/, $redis->call(GET => $life)), 2,
   'as one epoch began');
is($n->said([ category => 'farm', since_time => 1 ]), '1 3 missed',
   'the node has what Redis has');
no_alerts($n, 'the end was lost');


# A stranger writes entries, and deletes each when the node has read it.

my $gaps = $n->redis->{gaps};

for (1 .. 30) {
    my $bad = $n->redis->{bad};
    my $his = $redis->call(XADD => $log, '*', hello => 'world');

    wait_until('it is read', sub { $n->redis->{bad} > $bad });
    $redis->call(XDEL => $log, $his);
}

is(scalar(split /\n/, $redis->call(GET => $life)), 2, 'deleted: no epoch begins');
is($n->redis->{gaps}, $gaps, 'there is no gap');
is($n->said([ category => 'farm', since_time => 1 ]), '1 3 missed',
   'the node has what it had');
no_alerts($n, 'deleted');

done_testing;
