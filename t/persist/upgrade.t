# A binary upgrade (USR2), there and back.
#
# Both sides accept publishes for a while.  Nothing that was acknowledged is
# lost.  If not only the old side accepted events, every cursor made so far is
# answered "missed", once.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use Test::More;
use Time::HiRes qw( sleep );

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Oracle ();
use Longpoll::Persist qw( data_of no_alerts tick wait_until );

sub start {
    Longpoll::Persist->start(workers => 2, server => <<'_EOC_', @_);
        location = /pid { return 200 $pid; }
_EOC_
}

sub ms { Longpoll::Oracle::id_ms($_[0]) }

# Returns a connection to one of these workers.

sub client_of {
    my ($n, @pids) = @_;

    my %ours = map { $_ => 1 } @pids;
    my ($c, @others);

    wait_until('a connection to ' . join(' ', @pids), sub {
        $c = $n->client;
        push @others, $c;
        $ours{ $c->request(GET => '/pid')->response->body };
    });

    return $c;
}

sub wait_end {
    my (@pids) = @_;

    wait_until("@pids gone", sub {
        !grep { Longpoll::Persist::running($_) } @pids;
    });
}

# The writer of the new side has read what the old one wrote, and makes a base.

sub wait_merged {
    my ($n, $node) = @_;

    wait_until('a new base', sub { ((stat $n->file)[1] // $node) != $node });
}

for my $parameters ('flush=100ms', 'flush=1h durable=on') {
    my $name = "an upgrade, $parameters";
    my $durable = $parameters =~ /durable/;
    my $n = start(upgrades => 1, parameters => $parameters);

    my $first = $n->publish(farm => '"a1"');
    $n->publish(farm => '"a2"');
    $n->wait_data(qw( a1 a2 ));

    my @before = $n->workers($n->master);
    my ($old, $new) = $n->upgrade;
    my @after = $n->workers($new);

    my $on_old = client_of($n, @before);
    my $on_new = client_of($n, @after);

    my $there = $on_new->request(
        GET => "/events?category=farm&timeout=1&since_time=1")->response;

    is(join(' ', $there->data), 'a1 a2', "$name: the new side has the file");

    # Both sides accept publishes.  A durable publish on the new side waits for
    # the file, which the old side still owns.

    my $a3 = $n->publish(farm => '"a3"', client => $on_old);
    tick();
    my $n1 = $n->post(farm => '"n1"', client => $on_new);

    if ($durable) {
        sleep 0.3;
        ok($on_new->silent, "$name: a publish waits for the old side");
    } else {
        $n1 = $n1->response;
        is($n1->status, 200, "$name: a publish is accepted");
        $n->wait_data(qw( a1 a2 a3 ));
    }

    # The old side takes one more as it ends.

    my $node = (stat $n->file)[1];

    $n->publish(farm => '"a4"', client => client_of($n, @before));
    kill QUIT => $old;
    wait_end($old, @before);

    if ($durable) {
        $n1 = $n1->response;
        is($n1->status, 200,
           "$name: the old side has left, the event is stored");
    }

    wait_merged($n, $node);

    my @all = map { $_->[1] } $n->events('farm');

    is(join(' ', sort @all), 'a1 a2 a3 a4 n1',
       "$name: all that was acknowledged is there");

    my @said = $n->said([ category => 'farm', last_id => $first ],
                        [ category => 'farm', last_id => $a3 ],
                        [ category => 'farm',
                          last_id => $n1->header('Longpoll-Event-Id') ],
                        [ category => 'none', last_id => $a3 ],
                        [ category => 'farm', since_time => 1 ]);

    is(join(' ', map { /missed$/ ? 'told' : 'not' } @said),
       'told told told told not', "$name: every cursor made so far is told");
    like("$said[0] ", qr/(?=.*a2 )(?=.*a3 )(?=.*a4 )(?=.*n1 )/,
         "$name: and gets what it has not had");

    tick();
    my $a5 = $n->publish(farm => '"a5"');

    is($n->said([ category => 'farm', last_id => $a5 ]), 'timeout',
       "$name: a later cursor misses nothing");

    $durable ? $n->kill_all : $n->quit;
    $n->up;
    is(data_of($n->events('farm')), "@all a5",
       "$name: the same in the next epoch");
    is($n->said([ category => 'farm', last_id => $a5 ]), 'timeout',
       "$name: and nobody else is told");
    no_alerts($n, $name);
}

# Only the old side accepts publishes.  With flush=1h it has one that is mostly
# not on disk when the new side loads the log: that is behind the new side's
# clock.

for my $parameters ('flush=100ms', 'flush=1h', 'flush=1h durable=on') {
    my $name = "an upgrade, only the old side publishes, $parameters";
    my $n = start(upgrades => 1, parameters => $parameters);

    $n->wait_writer_idle;
    my $a1 = $n->publish(farm => '"a1"');
    $n->wait_data('a1') if $parameters ne 'flush=1h';

    my @before = $n->workers($n->master);
    my ($old, $new) = $n->upgrade;
    my $on_old = client_of($n, @before);
    my $node = (stat $n->file)[1];
    my $late = $parameters eq 'flush=1h'
               && !client_of($n, $n->workers($new))
                       ->request(GET => '/status?category=farm')
                       ->response->json->{zones}{events}{category}{events};

    tick();
    my $a2 = $n->publish(farm => '"a2"', client => $on_old);
    my $time = $on_old->request(
        GET => "/events?category=none&timeout=1")->response->timestamp;

    kill QUIT => $old;
    wait_end($old, @before);
    wait_merged($n, $node);
    is($n->said([ category => 'farm', last_id => $a1 ],
                [ category => 'farm', last_id => $a2 ],
                [ category => 'farm', since_time => $time ],
                [ category => 'none', last_id => $a2 ],
                [ category => 'farm', since_time => 1 ]),
       $late ? 'a2 missed | ' . ('timeout missed | ' x 3) . 'a1 a2'
             : 'a2 | timeout | timeout | timeout | a1 a2',
       "$name: the events come, and " . ($late ? 'all are' : 'nobody is')
       . ' told');
    tick();

    my $a3 = $n->publish(farm => '"a3"');

    $n->quit;
    $n->up;
    is($n->said([ category => 'farm', last_id => $a3 ],
                [ category => 'farm', since_time => 1 ]),
       'timeout | a1 a2 a3', "$name: nobody else in the next epoch");
    no_alerts($n, $name);
}

# An upgrade during which the old side accepts no publish.

for my $case ([ 'flush=100ms', 'QUIT' ], [ 'flush=1h durable=on', 'QUIT' ],
              [ 'flush=1h durable=on', 'KILL' ])
{
    my ($parameters, $signal) = @$case;
    my $name = "an upgrade, $parameters, nothing taken, $signal";
    my $n = start(upgrades => 1, parameters => "$parameters buffer=2");

    my @id = map { tick(); $n->publish(farm => qq("a$_")) } 0, 1;

    $n->wait_data(qw( a0 a1 ));
    push @id, $n->publish(farm => '"a2"');
    $n->wait_data(qw( a0 a1 a2 ));
    tick();

    # An event that is evicted at once need not be in the log.  The losses that
    # the end writes have it.

    my @cow = map { Longpoll::Persist::event('cow', qq("c$_")) } 0 .. 2;
    my $cow = $n->post('', '', body => '[' . join(',', @cow) . ']')->response;

    $cow = ms($cow->header('Longpoll-Event-Id')) - 1;
    $n->wait_line('c2');
    tick();

    my $before = $n->poll(category => 'none')->response->timestamp;
    my @before = $n->workers($n->master);
    my ($old, $new) = $n->upgrade;
    my $on_old = client_of($n, @before);
    my $node = (stat $n->file)[1];

    tick();
    my $meanwhile = $on_old->request(
        GET => "/events?category=none&timeout=1")->response->timestamp;

    kill $signal => $old, $signal eq 'KILL' ? @before : ();
    wait_end($old, @before);
    wait_merged($n, $node);

    is($n->said([ category => 'farm', last_id => $id[0] ],
                [ category => 'farm', last_id => $id[2] ],
                [ category => 'farm', since_time => ms($id[0]) ],
                [ category => 'farm', since_time => 1 ],
                [ category => 'farm', since_time => $before ],
                [ category => 'farm', since_time => $meanwhile ],
                [ category => 'none', since_time => $meanwhile ]),
       'a1 a2 | timeout | a1 a2 | a1 a2 | timeout | timeout | timeout',
       "$name: nothing is missed");
    is($n->said([ category => 'farm', since_time => ms($id[0]) - 1 ],
                [ category => 'cow', since_time => $cow ]),
       'a1 a2 missed | c1 c2 missed',
       "$name: but what the zone had lost before");

    my $n1 = $n->publish(farm => '"n1"');

    $n->wait_line('n1');
    $n->quit;
    $n->up;
    is($n->said([ category => 'farm', last_id => $n1 ],
                [ category => 'farm', since_time => $before ],
                [ category => 'farm', last_id => $id[1] ],
                [ category => 'farm', last_id => $id[0] ]),
       'timeout | n1 | a2 n1 | a2 n1 missed',
       "$name: the next epoch has the same");
    unlike($n->log, qr/may have missed events/,
           "$name: the log says nothing of it");
    no_alerts($n, $name);
}

# Only the new side accepts a publish.  A client that comes from the old side
# with a later timestamp has not seen the event.

{
    my $name = 'an upgrade, only the new side publishes';
    my $n = start(upgrades => 1, parameters => 'flush=100ms');
    my $first = $n->publish(farm => '"a1"');

    $n->wait_data('a1');

    my @before = $n->workers($n->master);
    my ($old, $new) = $n->upgrade;
    my @after = $n->workers($new);
    my $on_old = client_of($n, @before);
    my $on_new = client_of($n, @after);

    tick();
    my $n1 = $n->publish(farm => '"n1"', client => $on_new);
    tick();
    my $time = $on_old->request(
        GET => "/events?category=farm&timeout=1")->response->timestamp;

    cmp_ok($time, '>', ms($n1), "$name: the old side gives out later times");

    my $r = $on_new->request(
        GET => "/events?category=farm&timeout=1&since_time=$time")->response;

    is($r->kind . ($r->missed ? ' missed' : ''), 'timeout missed',
       "$name: it misses the event while both sides run");

    my $node = (stat $n->file)[1];

    kill QUIT => $old;
    wait_end($old, @before);
    wait_merged($n, $node);
    $n->wait_log('polls may have missed events');

    is($n->said([ category => 'farm', since_time => $time ],
                [ category => 'farm', last_id => $n1 ],
                [ category => 'farm', last_id => $first ],
                [ category => 'farm', since_time => 1 ]),
       'timeout missed | timeout missed | n1 missed | a1 n1',
       "$name: afterwards every cursor is told");

    my $now = $n->poll(category => 'none')->response->timestamp;

    is($n->said([ category => 'farm', since_time => $now ]), 'timeout',
       "$name: a later cursor is not");
    $n->wait_data(qw( a1 n1 ));
    no_alerts($n, $name);
}

# The new side is given up: WINCH, HUP to the old master, QUIT to the new one.

for my $parameters ('flush=100ms', 'flush=1h durable=on') {
    my $name = "an upgrade, and back, $parameters";
    my $n = start(upgrades => 1, parameters => $parameters);

    $n->wait_writer_idle;
    my $first = $n->publish(farm => '"a1"');

    my ($old, $new) = $n->upgrade;
    my @before = $n->workers($old);
    my @after = $n->workers($new);
    my $on_new = client_of($n, @after);

    kill WINCH => $old;
    wait_end(@before);

    my @id = map { $n->publish(farm => qq("n$_"), client => $on_new) } 1 .. 3;

    # While the new side waits for the log, the old one could take it again.

    $n->wait_line('n3');
    kill HUP => $old;
    wait_until('workers', sub { 2 == (() = $n->workers($old)) });

    my $on_old = client_of($n, $n->workers($old));
    my $b1 = $n->post(farm => '"b1"', client => $on_old);

    kill QUIT => $new;
    wait_end($new, @after);
    wait_until('the pid file of the old master', sub {
        ($n->pid_of('nginx.pid') // 0) == $old;
    });

    is($b1->response->status, 200, "$name: the old side goes on");
    wait_until('what the new side took', sub {
        data_of($n->events('farm')) =~ /n3/;
    });
    is(join(' ', sort map { $_->[1] } $n->events('farm')), 'a1 b1 n1 n2 n3',
       "$name: all that was acknowledged is there, once");
    $n->wait_log('polls may have missed events');

    my @said = $n->said([ category => 'farm', last_id => $first ],
                        [ category => 'farm', last_id => $id[2] ],
                        [ category => 'farm', since_time => 1 ]);

    is(join(' ', map { /missed$/ ? 'told' : 'not' } @said), 'told told not',
       "$name: every cursor made so far is told");

    # Each event of the new side stands behind b1 now, under its own id.

    my $last = ($n->events('farm'))[-1][0];

    is($n->said([ category => 'farm', last_id => $last ]), 'timeout missed',
       "$name: the id of an event that was moved has its place");

    tick();
    my $a2 = $n->publish(farm => '"a2"');
    my @all = map { $_->[1] } $n->events('farm');

    is($n->said([ category => 'farm', last_id => $a2 ]), 'timeout',
       "$name: a later one is not");
    $parameters =~ /durable/ ? $n->kill_all : $n->quit;
    $n->up;
    is(data_of($n->events('farm')), "@all",
       "$name: the same in the next epoch");
    is($n->said([ category => 'farm', last_id => $a2 ]), 'timeout',
       "$name: and no later cursor is told");
    is($n->said([ category => 'farm', last_id => $last ]), 'a2 missed',
       "$name: and the event that was moved has its place");
    no_alerts($n, $name);
}

# The same, but the two follow each other: the new side accepts nothing before it
# has the log, and has ended before the old one begins again.  Nobody is told.

for my $parameters ('flush=100ms', 'flush=1h durable=on') {
    my $name = "an upgrade, and back after a pause, $parameters";
    my $n = start(upgrades => 1, parameters => $parameters);

    $n->wait_writer_idle;
    my $first = $n->publish(farm => '"a1"');

    $n->wait_data('a1');

    my ($old, $new) = $n->upgrade;
    my @before = $n->workers($old);
    my @after = $n->workers($new);
    my $on_new = client_of($n, @after);
    my $node = (stat $n->file)[1];

    kill WINCH => $old;
    wait_end(@before);
    wait_merged($n, $node);
    tick();
    $n->publish(farm => qq("n$_"), client => $on_new) for 1 .. 3;
    $n->wait_line('n3');
    kill QUIT => $new;
    wait_end($new, @after);
    wait_until('the pid file of the old master', sub {
        ($n->pid_of('nginx.pid') // 0) == $old;
    });

    # Then the old master starts its workers again by itself.

    wait_until('workers', sub { 2 == (() = $n->workers($old)) });
    eval {
        wait_until('what the new side took', sub {
            data_of($n->events('farm')) =~ /n3/;
        });
    };
    is($n->said([ category => 'farm', last_id => $first ],
                [ category => 'none', last_id => $first ]),
       'n1 n2 n3 | timeout', "$name: all is there, and nobody is told");

    my $a2 = $n->publish(farm => '"a2"');

    $parameters =~ /durable/ ? $n->kill_all : $n->quit;
    $n->up;
    is($n->said([ category => 'farm', last_id => $first ],
                [ category => 'farm', last_id => $a2 ]),
       'n1 n2 n3 a2 | timeout', "$name: nor in the next epoch");
    no_alerts($n, $name);
}


# What the new side deletes and hands out stays away when the old one goes on.
# Both know these events: the old side took them, and the new one loaded them.

{
    my $name = 'an upgrade, and back, deleted and taken';
    my $n = start(upgrades => 1, parameters => 'flush=100ms',
                  http => "longpoll_zone zone=once:1m persist=data/once"
                          . " flush=100ms delete_on_read=on;\n",
                  server => <<'_EOC_');
        location = /pid   { return 200 $pid; }
        location = /once  { longpoll_publish once; longpoll_subscribe once; }
_EOC_

    $n->publish(farm => '"a1"');
    $n->publish(cow => '"c1"');
    $n->publish(job => qq("$_"), uri => '/once') for 'j1', 'j2';
    $n->wait_writer_idle;

    my ($old, $new) = $n->upgrade;
    my @before = $n->workers($old);
    my @after = $n->workers($new);
    my $on_new = client_of($n, @after);

    kill WINCH => $old;
    wait_end(@before);

    $on_new->request(POST => '/delete?category=farm', body => '')->response;
    $n->publish(cow => '"c2"', client => $on_new);

    my $take = '/once?category=job&timeout=1&since_time=1';

    is(join(' ', $on_new->request(GET => $take)->response->data), 'j1 j2',
       "$name: the new side hands events out");
    $n->publish(job => '"j3"', client => $on_new, uri => '/once');

    # The new side must have the logs before it ends.

    $n->wait_line('c2');
    wait_until('j3 in its file', sub {
        grep { Longpoll::Persist::slurp($_) =~ /"j3"/ }
             glob $n->data . '/once*';
    });
    kill QUIT => $new;
    kill HUP => $old;
    wait_end($new, @after);
    wait_until('the pid file of the old master', sub {
        ($n->pid_of('nginx.pid') // 0) == $old;
    });
    wait_until('what the new side took', sub {
        data_of($n->events('cow')) =~ /c2/
            and $n->status('events')->{events} == 2
            and $n->status('once')->{events} <= 1;
    });
    is(data_of($n->events('cow')), 'c1 c2', "$name: what is there stays");
    is($n->status('events')->{events}, 2, "$name: what was deleted does not");
    is(join(' ', $n->client->request(GET => $take)->response->data), 'j3',
       "$name: and no event is handed out again");
    no_alerts($n, $name);
}


done_testing();
