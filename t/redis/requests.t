# Requests that do not wait: HEAD, subrequests, post actions; and clients that
# leave at every stage of a publish.

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

my $include = '/events?timeout=30&since_time=1&category=$arg_c';
my $redis = Longpoll::Redis->start;
my $proxy = Longpoll::Proxy->start(to => $redis->port);
my %o = (parameters => 'timeout=4s', files => {
             'html/page.html' => \qq(<<!--#include virtual="$include" -->>),
         }, server => <<'_EOC_');
        location = /mirrored {
            mirror     /publish;
            proxy_pass http://127.0.0.1:$server_port/ok;
        }
        location = /ok { return 204; }
        location = /asked {
            auth_request /ask;
            proxy_pass   http://127.0.0.1:$server_port/ok;
        }
        location = /ask { longpoll_category a; longpoll_subscribe events; }
        location = /after {
            longpoll_publish events;
            post_action      @again;
        }
        location @again { longpoll_publish events; }
        location = /page.html { ssi on; }
_EOC_

my $n = Longpoll::Node->start(%o, redis => $proxy, workers => 1);

sub get { $n->client->request(GET => $_[0])->response }
sub head { $n->client->request(HEAD => $_[0])->response->status }
sub in_flight { my ($n, $count) = @_; wait_until("$count in flight", sub {
                    $n->redis->{in_flight} == $count }) }
sub data { my ($n, $cat) = @_; return Longpoll::Persist::data_of($n->events($cat)) }

sub wait_data {
    my ($n, $cat, $data) = @_;

    wait_until("$data of $cat", sub { data($n, $cat) eq $data });
}


# while Redis is there, and while it is stopped

$n->wait_synced;
$n->publish(a => 1);

for my $stopped (0, 1) {
    my $name = $stopped ? 'stopped' : 'there';

    $redis->stop if $stopped;

    is(head('/events?category=a&timeout=30'), 200, "Redis is $name: HEAD of a poll");
    is(head('/publish'), 405, 'HEAD of a publish');
    is(get('/asked')->status, 204, 'auth_request of a poll');
    like(get('/page.html?c=a')->body, qr/^<\{"events":\[.*"data":1,.*\]\}>$/,
         'SSI: the events that are there');
    like(get('/page.html?c=none')->body, qr/^<\{"timeout":/, 'SSI: there are none');

    my $r = $n->post("m$stopped" => 2, uri => '/mirrored')->response;

    is($r->status, 204, 'mirror: the answer does not wait for Redis');
    in_flight($n, 1) if $stopped;
    $redis->cont if $stopped;
    wait_data($n, "m$stopped", 2);
    pass('and the event is published');
}

is($n->post(p => 3, uri => '/after')->response->status, 200, 'a post action');
wait_data($n, p => '3 3');
pass('which publishes once more');


# Clients leave.  In the body:

my $c = $n->client;
$c->send("POST /publish HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{");
$c->close;

# sent, not replied to; with a mirror, and a post action

$proxy->stall;
my @leave = ($n->post(sent => 1), $n->post(mirror => 1, uri => '/mirrored'),
             $n->post(after => 1, uri => '/after'));
in_flight($n, 3);
$_->close for @leave;

# The post action is the fourth: what was sent stays until its reply.

in_flight($n, 4);
$proxy->pass;
wait_data($n, $_ => 1) for qw( sent mirror );
wait_data($n, after => '1 1');
in_flight($n, 0);
pass('clients leave: what was sent is stored');

# not sent, as there is no connection yet

$proxy->cut;
wait_until('the cut', sub { !$n->redis->{connected} });
$proxy->stall;

my $waits;

wait_until('a publish that waits', sub {
    $waits = $n->post(waits => 1);

    while ($waits->silent) {
        return 1 if $n->redis->{in_flight} == 1;
    }

    return 0;
});
$waits->close;
in_flight($n, 0);
$proxy->pass;
wait_until('a publish', sub { $n->post(b => 1)->response->status == 200 });
is(data($n, 'waits'), '', 'a client leaves: what was not sent is not stored');

# stored, and the node's reader does not read

{
    my $two = Longpoll::Node->start(%o, redis => $redis);

    $two->wait_synced;
    my $reader = $two->wait_reader;

    kill STOP => $reader;
    my $post = $two->post(stored => 1);

    # The stopped worker may have been woken for the connection: then another
    # connection wakes the other one.

    wait_until('Redis has it', sub {
        $two->redis;
        data($n, 'stored') eq '1';
    });
    ok($post->silent, 'stored, but the own node has not read it: the client waits');
    in_flight($two, 1);
    $post->close;
    in_flight($two, 0);
    kill CONT => $reader;
    wait_data($two, stored => 1);
    no_alerts($two, 'stored');
}

# stored, and not known to be on a replica

{
    my $two = Longpoll::Node->start(%o, redis => $redis, workers => 1,
                                    parameters => 'replicas=1 timeout=60s');

    $two->wait_synced;

    my $post = $two->post(unconfirmed => 1);

    wait_until('Redis has it', sub { data($n, 'unconfirmed') eq '1' });
    in_flight($two, 1);
    $post->close;
    in_flight($two, 0);
    is(data($two, 'unconfirmed'), '1', 'unconfirmed, and the client leaves');
    no_alerts($two, 'unconfirmed');
}

is($n->post(b => 2)->response->status, 200, 'publishes go on');
no_alerts($n, 'requests');

done_testing;
