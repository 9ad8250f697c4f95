# A poll that nginx holds back before it reaches the module: by limit_req, by
# auth_request, or by an application that hands it over with X-Accel-Redirect.
# Its time-out, and the events that it is for, count from its own start.

use lib 't/lib';
use Test::Nginx::Socket 'no_plan';
use Longpoll;

log_level('warn');
no_long_string();
worker_connections(256);

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value(http_config => <<'_EOC_');
    longpoll_zone zone=events:1m;
    limit_req_zone $server_name zone=limit:64k rate=60r/m;
    limit_req_log_level error;
_EOC_

    $block->set_value(config => <<'_EOC_');
        location = /events  { longpoll_subscribe events; }
        location = /publish { longpoll_publish   events; }
        location = /limited {
            limit_req          zone=limit burst=5;
            longpoll_subscribe events;
        }
        location = /asked {
            auth_request       /application;
            longpoll_subscribe events;
        }
        location = /registered {
            longpoll_category  $arg_c;
            longpoll_subscribe events protocol=gpoll;
        }
        location = /gpoll {
            auth_request       /application;
            longpoll_category  $arg_c;
            longpoll_subscribe events protocol=gpoll;
            longpoll_max_timeout 3s;
        }
        location = /application {
            proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1;
        }
        location = /handed-over {
            proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1;
        }
_EOC_
});

run_tests();

__DATA__

=== TEST 1: limit_req: a delayed poll gets what was published meanwhile
--- scenario
my $cat = category();
my @c = connections(2);
my $p;

publish($cat, 1);

in_one_turn {
    $c[0]->request('GET', '/limited');
    $p = poll({ conn => $c[1], uri => '/limited' }, category => $cat);
};

wait_log('error.log', 'delaying request');
tick();
publish($cat, 2);

is_deeply([$p->answer->data], [2], 'and nothing from before it came');



=== TEST 2: auth_request: a poll gets what was published while it was asked about
--- scenario
my $backend = backend(1);

for my $since (undef, now_ms() + 1e9) {
    my $cat = category();

    publish($cat, 1);

    my $p = poll({ uri => '/asked' }, category => $cat,
                 defined $since ? (since_time => $since) : ());
    my $question = $backend->request;

    tick();
    my $id = publish($cat, 2);
    $question->answer(204);

    is_deeply([$p->answer->ids], [$id], 'since ' . (defined $since ? 'a time to'
                                                    . ' come' : 'now'));
    is_deeply([$p->answer->missed], [0], 'nothing is missed');
}

my $cat = category();
my $p = poll({ uri => '/asked' }, category => $cat);

publish($cat, 1);
$backend->request->answer(403);
is($p->answer->status, 403, 'a refused poll gets nothing');



=== TEST 3: X-Accel-Redirect: a poll gets what was published meanwhile
--- scenario
my $backend = backend(1);
my $cat = category();

publish($cat, 1);

my $p = poll({ uri => '/handed-over' });
my $question = $backend->request;

tick();
my $id = publish($cat, 2);
$question->answer(200, "X-Accel-Redirect: /events?timeout=30&category=$cat");

is_deeply([$p->answer->ids], [$id], 'the event');



=== TEST 4: a poll whose time was over when it got through is answered at once
--- scenario
# The log tells the order of the answers: such a poll is before one that begins
# when it gets through.

my $backend = backend(1);
my ($cat, $full) = (category('empty'), category('full'));
my $id = get('/registered?c=x')->json->{'client-id'};
my @p = ((map { poll({ uri => '/asked' }, timeout => 3, category => $_) }
              $cat, $full),
         poll({ uri => '/gpoll' }, c => 'x', 'client-id' => $id, last => 'id'));
my @questions = map { $backend->request } @p;
my $began = time;

tick();
publish($full, 1);
wait_until { time > $began + 3 } 'their time is over';

my $late = poll(timeout => 2, category => category('late'));

wait_waiting(1);
$_->answer(204) for @questions;

is($p[0]->answer->kind, 'timeout', 'with a time-out');
is_deeply([$p[1]->answer->data], [1], 'or with what there is');
is($p[2]->answer->status, 204, 'gpoll too');
is($late->answer->kind, 'timeout', 'the one that came late');
wait_log('access.log', qr/=late/);

open my $in, '<', "$Test::Nginx::Util::LogDir/access.log" or die $!;
my @order = map { /[?&](?:category|last)=(late|empty|full|id)\b/ ? $1 : () } <$in>;

is(join(' ', sort(@order[0 .. 2]), $order[3]), 'empty full id late',
   'all before it');



=== TEST 5: a poll that was held back waits for the rest of its time
--- scenario
my $backend = backend(1);
my $held = poll({ uri => '/asked' }, timeout => 3, category => category('held'));
my $question = $backend->request;
my $began = time;

wait_until { time > $began + 1 } 'a third of its time is over';

my $next = poll(timeout => 3, category => category('next'));

wait_waiting(1);
$question->answer(204);
wait_waiting(2);

is($_->answer->kind, 'timeout', 'a time-out') for $held, $next;
wait_log('access.log', qr/=next/);

open my $in, '<', "$Test::Nginx::Util::LogDir/access.log" or die $!;
my @order = map { /=(next|held)/ ? $1 : () } <$in>;

is("@order", 'held next', 'it is over first');
