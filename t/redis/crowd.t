# 10,000 publishers while Redis is stopped: as many wait as may be in flight, the
# others are refused at once, and the worker's memory stays as it is.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use Test::More;

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Child ();
use Longpoll::Node ();
use Longpoll::Persist qw( no_alerts wait_until );
use Longpoll::Redis ();

plan skip_all => 'there is no redis-server' unless Longpoll::Redis->version;

my $in_flight = 1024;

my $redis = Longpoll::Redis->start;
my $n = Longpoll::Node->start(redis => $redis, workers => 1, size => '16m',
                              connections => 4000,
                              parameters => 'timeout=60s');
my ($worker) = $n->workers;

# what of the worker's memory is its own, in kB

sub memory {
    return Longpoll::Child::slurp("/proc/$worker/status") =~ /^RssAnon:\s+(\d+)/m
           ? $1 : die "no RssAnon of $worker\n";
}

sub statuses {
    my %count;

    $count{ $_->response->status }++ for @_;

    return join ' ', map { "$_: $count{$_}" } sort keys %count;
}

$n->wait_synced;
$n->publish(a => 1);
$redis->stop;

my @posts = map { $n->post(a => $_) } 1 .. $in_flight;

wait_until('all wait', sub { $n->redis->{in_flight} == $in_flight });

# The others come over connections that stay, a hundred over each.

my $before;

for my $crowd (1 .. 10) {
    my @clients = map { $n->client } 1 .. 9;
    my @more = map { my $c = $_; map { $n->post(a => $_, client => $c) } 1 .. 100 }
               @clients;

    is(statuses(@more), '503: 900', "crowd $crowd is refused");
    $before //= memory();
}

cmp_ok(memory() - $before, '<', 1024, '10,000 publishers: memory is flat');
is($n->redis->{in_flight}, $in_flight, 'those that wait are counted');
is($n->client->request(GET => '/place')->response->status, 200,
   'others are served');
$redis->cont;
is(statuses(@posts), "200: $in_flight", 'Redis goes on: all that waited are answered');

# The same again, with clients that leave: nothing is left of them.

my $after = memory();

$redis->stop;
@posts = map { $n->post(a => $_) } 1 .. $in_flight;
wait_until('all wait', sub { $n->redis->{in_flight} == $in_flight });
$_->close for splice @posts, 0, $in_flight / 2;
$redis->cont;
is(statuses(@posts), '200: ' . @posts,
   'half of the clients leave: the others get 200');
wait_until('nothing is in flight', sub { $n->redis->{in_flight} == 0 });

cmp_ok(memory() - $after, '<', 1024, 'memory is as before');
is(join(' ', $n->workers), $worker, 'in the same worker');
no_alerts($n, 'a crowd');

done_testing;
