# buffer, ttl and inactive on several nodes: the same events are there, in the
# same order, and a client is told missed exactly if it has missed something.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use Test::More;

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Node ();
use Longpoll::Persist qw( no_alerts wait_until );
use Longpoll::Redis ();

plan skip_all => 'there is no redis-server' unless Longpoll::Redis->version;

my $log = 'longpoll:{events}:log';

sub ids { my ($n, $cat) = @_; return join ' ', map { $_->[0] } $n->events($cat) }

sub missed {
    my ($n, $cat, $id) = @_;

    return $n->poll(category => $cat, last_id => $id,
                    timeout => 1)->response->missed;
}


# buffer: two categories, of which the newest three events stay

{
    my $redis = Longpoll::Redis->start;
    my ($a, $b) = my @nodes = Longpoll::Node->several(
        2, redis => $redis, parameters => 'buffer=3');
    my %ids;

    for my $i (1 .. 12) {
        my $cat = $i % 3 ? 'farm' : 'barn';
        push @{ $ids{$cat} }, $nodes[$i % 2]->publish($cat => $i);
    }

    my $end = $a->publish(end => 1);

    for my $n (@nodes) {
        wait_until('all of it', sub { $n->events('end') == 1 });

        for my $cat (sort keys %ids) {
            my @ids = @{ $ids{$cat} };

            is(ids($n, $cat), join(' ', @ids[-3 .. -1]),
               "buffer: the newest three of $cat");
            is(join(' ', map { missed($n, $cat, $_) } @ids[0 .. $#ids - 1]),
               join(' ', (1) x (@ids - 4), (0) x 3),
               'and those behind which some are gone are told missed');
        }

        is($n->redis->{gaps}, 0, 'without a gap');
        no_alerts($n, 'buffer');
    }

    # Redis has all of them, so a node that comes later drops the same.

    my ($c) = Longpoll::Node->several(1, redis => $redis,
                                      parameters => 'buffer=3');

    is(ids($c, 'farm'), ids($a, 'farm'), 'a node that comes later has the same');
    is(missed($c, 'farm', $ids{farm}[$_]), missed($a, 'farm', $ids{farm}[$_]),
       'and says the same') for 3, 4;
}


# ttl: an event leaves all nodes, and Redis, where each entry is a node of its own

{
    my $redis = Longpoll::Redis->start(
        options => { 'stream-node-max-entries' => 1 });
    my ($a, $b) = my @nodes = Longpoll::Node->several(
        2, redis => $redis, parameters => 'ttl=2s');
    my $first = $a->publish(farm => 1);
    my $second = $b->publish(farm => 2);
    my ($ms) = map { $_->{timestamp} }
               ($a->poll(category => 'farm', since_time => 1)->response->events)[-1];

    for my $n (@nodes) {
        wait_until('nothing is left', sub { $n->events('farm') == 0 });
        is(missed($n, 'farm', $first), 1, 'ttl: who has not had all is told missed');
        is(missed($n, 'farm', $second), 0, 'who has had it is not');
    }

    wait_until('Redis has trimmed it', sub {
        my ($id) = map { $_->[0] =~ /^(\d+)/ }
                   @{ $redis->call(XRANGE => $log, '-', '+', COUNT => 1) };
        return ($id // 0) > $ms;
    });
    pass('ttl: it is trimmed in Redis, too');

    my @polls = map { $_->poll(category => 'farm', last_id => $second,
                               timeout => 60) } @nodes;
    $_->wait_waiting(1) for @nodes;
    $a->publish(farm => 3);

    for my $n (@nodes) {
        is(Longpoll::Persist::summary((shift @polls)->response), '3',
           'ttl: a client goes on behind what has gone');
        is($n->redis->{gaps}, 0, 'without a gap');
    }

    # A node that comes later has never seen what is trimmed.

    my ($c) = Longpoll::Node->several(1, redis => $redis,
                                      parameters => 'ttl=2s');

    is(missed($c, 'farm', $first), 1, 'a node that comes later tells missed');
    no_alerts($_, 'ttl') for @nodes, $c;
}


# inactive: each node drops what nobody there has asked for

{
    my $redis = Longpoll::Redis->start;
    my ($a, $b) = Longpoll::Node->several(2, redis => $redis,
                                          parameters => 'inactive=3s');
    my $first = $a->publish(farm => 1);
    my $second = $a->publish(farm => 2);
    my @query = (category => 'farm', last_id => $second, timeout => 60);
    my $there = $b->poll(@query);

    wait_until('it there', sub { $b->events('farm') == 2 });
    wait_until('it has gone', sub { $a->status('events')->{categories} == 0 });

    is(missed($a, 'farm', $first), 1, 'inactive: who has not had all is told missed');
    is(missed($a, 'farm', $second), 0, 'who has had it is not');
    is(join(' ', map { $_->[1] } $b->events('farm')), '1 2',
       'and a node with a poll has it yet');

    my $here = $a->poll(@query);
    $a->wait_waiting(1);
    $a->publish(farm => 3);
    is(Longpoll::Persist::summary($_->response), '3', 'what comes then comes to both')
        for $here, $there;
    no_alerts($_, 'inactive') for $a, $b;
}

done_testing;
