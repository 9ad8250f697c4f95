# Nodes on one Redis: what is published on one is polled on the others, in one
# order and with one id, by clients that change their node with every poll.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use Test::More;
use Time::HiRes qw( time );

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Node ();
use Longpoll::Persist qw( no_alerts wait_until );
use Longpoll::Redis ();
use Longpoll::Scenario ();
use Longpoll::Stream ();

plan skip_all => 'there is no redis-server' unless Longpoll::Redis->version;

my $redis = Longpoll::Redis->start;
my ($a, $b) = my @nodes = Longpoll::Node->several(2, redis => $redis);

my $zone = 'longpoll:{events}';


# publish here, poll there

{
    my $poll = $b->poll(category => 'farm', timeout => 10);
    $b->wait_waiting(1);

    my $id = $a->publish(farm => '"oink"');
    my ($event) = $poll->response->events;

    is($event->{data}, 'oink', 'a poll that waits on another node gets the event');
    is($event->{id}, $id, 'with the id that the publisher got');

    my @ids = map { $nodes[$_ % 2]->publish(farm => $_) } 1 .. 20;
    my ($since, $last, @got) = ($event->{timestamp}, $id);

    for my $turn (1 .. 40) {
        my $r = $nodes[$turn % 2]->poll(category => 'farm', timeout => 5,
                                        since_time => $since, last_id => $last,
                                        )->response;
        my @events = $r->events;

        push @got, @events;
        ($since, $last) = @{ $events[-1] }{qw( timestamp id )};
        last if @got == @ids;
    }

    is(join(' ', map { $_->{data} } @got), join(' ', 1 .. 20),
       'a client that changes its node gets every event once, in order');
    is(join(' ', map { $_->{id} } @got), join(' ', @ids), 'with the same ids');
    is($_->said([ category => 'farm', since_time => 1 ]),
       'oink ' . join(' ', 1 .. 20), 'all nodes have all of them') for @nodes;
}

# A publisher's answer comes once its own node has the event.

for my $i (1 .. 20) {
    my $n = $nodes[$i % 2];
    my $id = $n->publish(own => $i);

    my $r = $n->poll(category => 'own', since_time => 1, timeout => 1)->response;
    $i == ($r->data)[-1] or fail("own node: $i");
}

pass('200 means that every poll on the same node sees the event');

# A cursor that another node gave, for an event that this one does not have yet,
# waits for what comes behind it.

{
    my $id = $a->publish(wait => 1);
    my $poll = $b->poll(category => 'wait', last_id => $id,
                        timeout => 10);

    $b->wait_waiting(1);
    $a->publish(wait => 2);
    is(join(' ', $poll->response->data), '2', 'a cursor of another node is a place');
}

# no cursor

{
    my $poll = $b->poll(category => 'farm', timeout => 1);
    my $r = $poll->response;

    is($r->kind, 'timeout', 'a poll without a cursor begins now');
    cmp_ok(abs($r->timestamp / 1000 - time), '<', 5, 'its time-out is of now');

    my $id = $a->publish(farm => '"later"');

    is($b->said([ category => 'farm', since_time => $r->timestamp ]), 'later',
       'and what comes later is behind it');
}

# several events in one publish, and deletes

{
    my $r = $a->post(x => 1, body => '[{"category":"m","data":1},'
        . '{"category":"n","data":2},{"category":"m","data":3}]')->response;

    is($r->status, 200, 'several events');
    wait_until('the last of them', sub { $b->events('m') == 2 });

    my @events = $b->poll(category => 'm', category => 'n', since_time => 1)->response->events;

    is(join(' ', map { $_->{data} } @events), '1 2 3', 'come in their order');
    is($events[-1]{id}, $r->header('Longpoll-Event-Id'), 'the id is the last one');

    $b->forget('m');
    is(scalar($b->events('m')), 0, 'deleted here at once');
    wait_until('deleted there', sub { $a->events('m') == 0 });
    is($a->said([ category => 'm', category => 'n', since_time => 1 ]), '2', 'and nothing else');
}

# a thousand at once

{
    my $body = '[' . join(',', map { qq({"category":"t","data":$_}) } 1 .. 1000)
               . ']';
    my $r = $a->post(x => 1, body => $body)->response;

    is($r->status, 200, 'a publish of 1,000 events');
    wait_until('all of them', sub { $b->events('t') == 250 });
    is(($b->events('t'))[-1][1], 1000, 'which all nodes have');
    is(($b->events('t'))[-1][0], $r->header('Longpoll-Event-Id'), 'with its id');
}

# keys

{
    my $id = $a->publish(key => 1, key => 'order-17');

    is($b->publish(key => 2, key => 'order-17'), $id,
       'a key is known on other nodes');
    is($a->publish(key => 3, key => 'order-17'), $id, 'and on its own');
    isnt($b->publish(other => 4, key => 'order-17'), $id,
         'in each category by itself');

    my @posts = map { $nodes[$_ % 2]->post(once => $_, key => 'both') } 1 .. 10;
    my @answers = map { $_->response } @posts;
    my %ids = map { ($_->header('Longpoll-Event-Id') // $_->body) => 1 } @answers;

    is(scalar(keys %ids), 1, 'of ten publishes at once with a key one is stored');
    is(scalar($a->events('once')), 1, 'once')
        or diag(join ' | ', map { $_->status . ' ' . $_->body } @answers);

    $redis->call(DEL => @{ $redis->call(KEYS => "$zone:key:*") });
    is($b->publish(key => 5, key => 'order-17'), $id,
       'a node knows the key of an event that it has, when Redis has forgotten it');
}

# what is too large

{
    my $large = '"' . 'x' x 300_000 . '"';
    my $r = $a->post(big => $large)->response;

    is($r->status, 413, 'an event larger than a quarter of the zone is refused');
    like($r->body, qr/at most a quarter of the zone/, 'with a sentence');

    my $c = Longpoll::Node->start(redis => $redis, parameters => 'keep=64k');

    $r = $c->post(big => '"' . 'x' x 20_000 . '"')->response;
    is($r->status, 413, 'so is one larger than a quarter of keep');
    like($r->body, qr/at most a quarter of what Redis keeps/, 'with another one');
    is($c->post(big => '"' . 'x' x 16_000 . '"')->response->status, 200,
       'and a smaller one is not');
    is($redis->call(EXISTS => "$zone:key:none"), 0, 'and Redis has not seen it');
}

# streams

{
    my $s = Longpoll::Stream->new({ port => $b->port }, category => 'stream',
                                  since_time => 1);

    $s->caught_up;
    my @ids = map { $a->publish(stream => $_) } 1 .. 3;

    is(join(' ', $s->data(3)), '1 2 3', 'a stream gets the events of other nodes');
    $s->close;

    my $again = Longpoll::Stream->new(
        { port => $a->port, last => $ids[0] }, category => 'stream');

    is(join(' ', map { /DATA|^event \S+ (.*)/ ? $1 : () } $again->told(3)), '2 3',
       'and goes on at another node');
    $again->close;
}

# the page's cursor

{
    my $place = $a->client->request(GET => '/place')->response->body;

    $b->publish(page => 1);
    is($b->said([ category => 'page', last_id => $place ]), '1',
       'a cursor from $longpoll_cursor_events holds on other nodes');
}

# figures

{
    my $status = $a->redis;

    is(join(' ', sort keys %$status), 'bad connected gaps in_flight lag_ms lives '
       . 'reconnects synced', 'the status has figures of Redis');
    is($status->{connected}, 1, 'connected');
    is($status->{synced}, 1, 'synced');
    is($status->{in_flight}, 0, 'nothing waits');
    is($status->{bad}, 0, 'nothing was skipped');
    cmp_ok($status->{lag_ms}, '<', 3000, 'there is little lag');

    my $c = Longpoll::Node->start(redis => $redis, server =>
        'location = /metrics { longpoll_status events format=prometheus; }');
    $c->wait_synced;

    my $text = $c->client->request(GET => '/metrics')->response->body;
    my %metric = $text =~ /^(longpoll_redis_\w+)\{zone="events"\} (\S+)$/mg;

    is(join(' ', sort keys %metric), join(' ', map { "longpoll_redis_$_" } qw(
           bad_total connected gaps_total in_flight lag_seconds lives_total
           reconnects_total synced )), 'so has the Prometheus format');
    is($metric{longpoll_redis_connected}, 1, 'connected there');
    like($metric{longpoll_redis_lag_seconds}, qr/^[0-2]\.\d{3}$/, 'lag in seconds');
}

# What is over "keep" is trimmed in Redis, and stays in the nodes that have it.

{
    my $small = Longpoll::Redis->start;
    my $c = Longpoll::Node->start(redis => $small, size => '4m',
                                  parameters => 'keep=64k');
    $c->wait_synced;

    my $id = $c->publish(keep => 0);
    $c->publish(keep => '"' . 'x' x 8_000 . '"') for 1 .. 40;

    wait_until('the stream is trimmed', sub {
        $small->call('MEMORY', 'USAGE', "$zone:log", 'SAMPLES', 0) <= 80_000;
    });
    is(scalar($c->events('keep')), 41, 'what Redis has trimmed is there');
    is($c->poll(category => 'keep', last_id => $id)->response->missed, 0,
       'and nobody is told missed');
    is($c->redis->{gaps}, 0, 'as there is no gap');
    no_alerts($c, 'keep');
}

# An entry of a stranger is skipped, and what follows comes.

{
    $redis->call(XADD => "$zone:log", '*', qw( hello world ));
    $redis->call(XADD => "$zone:log", '*', 'n', 'x', 'c', 'farm', 'd', '{');
    my $id = $a->publish(strange => 1);

    is(scalar($_->said([ category => 'strange', since_time => 1 ])) =~ /^1/, 1,
       'what follows a stranger\'s entry is there') for $a;
    wait_until('it there', sub { $b->events('strange') == 1 });
    is($_->redis->{bad}, 2, 'which counts') for @nodes;
}

# A node that comes later has all that Redis has.

{
    my $c = Longpoll::Node->start(redis => $redis);

    $c->wait_synced;
    is(join(' ', map { $_->[0] } $c->events('farm')),
       join(' ', map { $_->[0] } $a->events('farm')),
       'a node that comes later has the same events');

    my $poll = $c->poll(category => 'late', timeout => 10);
    $c->wait_waiting(1);
    $a->publish(late => 1);
    is($poll->response->missed, 0, 'and its polls are like others');
    no_alerts($c, 'a late node');
    $c->quit;
}

# A node that is stopped and started again has its clients' places.

{
    my $id = $a->publish(again => 1);

    wait_until('it there', sub { $b->events('again') == 1 });
    $b->quit;
    $a->publish(again => 2);
    $b->up;
    $b->wait_synced;
    is($b->said([ category => 'again', last_id => $id ]), '2',
       'a client of a node that was restarted has missed nothing');
}

# reloads

{
    my $id = $a->publish(reload => 1);
    my $poll = $b->poll(category => 'reload', last_id => $id,
                        timeout => 20);
    $b->wait_waiting(1);

    $b->reload;
    $a->publish(reload => 2);

    # the old worker has answered the poll, which goes on at any node

    my $r = $poll->response;
    my ($said) = $r->kind eq 'events' ? join ' ', $r->data
        : $b->said([ category => 'reload', last_id => $id ]);

    is($said, '2', 'a reload loses nothing');
    is($b->publish(reload => 3) =~ /-7/, 1, 'publishes go on');

    $b->configure(size => '2m');
    $b->reload;
    $b->wait_synced;
    is($b->said([ category => 'reload', last_id => $id ]), '2 3',
       'nor does one that changes the size');

    my $again = $b->publish(reload => 4);
    wait_until('it there', sub { $a->events('reload') == 4 });
    is(($a->events('reload'))[-1][0], $again, 'and it is one order');
}

# a binary upgrade

{
    my $c = Longpoll::Node->start(redis => $redis, upgrades => 1);

    $c->wait_synced;

    my $id = $c->publish(usr2 => 1);
    my $old = $c->master;
    my @workers = $c->workers($old);

    kill USR2 => $old;
    wait_until('the new nginx', sub {
        my $new = $c->pid_of('nginx.pid');

        defined $new and $new != $old and 2 == (() = $c->workers($new));
    });
    $c->publish(usr2 => 2);
    kill QUIT => $old;
    wait_until('the end of the old one', sub {
        !grep { Longpoll::Persist::running($_) } $old, @workers;
    });
    $c->wait_synced;
    $c->publish(usr2 => 3);
    is($c->said([ category => 'usr2', last_id => $id ]), '2 3',
       'an upgrade of nginx loses nothing');
    no_alerts($c, 'an upgrade');
}

no_alerts($_, 'the nodes') for @nodes;

done_testing();
