# Streams and workers: events from another worker, workers that leave or die, a
# zone of another size, and nginx that quits.

use lib 't/lib';
use Test::Nginx::Socket 'no_plan';
use Longpoll;
use Longpoll::H2;

no_long_string();
master_on();
workers(2);
worker_connections(1024);
log_level('notice');

# Every block logs how its streams end.

add_block_preprocessor(sub {
    my ($block) = @_;

    my $zone = $block->zone || 'zone=events:8m';
    my $drain = $block->drain // '300ms';
    my $limit = $block->limit // '64k';

    chomp($zone, $drain, $limit);

    my ($name) = $zone =~ /^zone=(\w+)/;
    my $locations = <<"_EOC_";
        location = /events {
            longpoll_subscribe $name;
            longpoll_max_response_size $limit;
        }
        location = /publish { longpoll_publish   $name; }
        location = /pid     { return 200 \$pid; }
_EOC_

    $block->set_value(config => $locations);
    $block->set_value(http_config => <<"_EOC_");
    longpoll_zone $zone;
    longpoll_drain $drain;
    log_format longpoll '\$request_uri \$status \$longpoll_result '
                        '\$longpoll_events \$msec';
    access_log logs/longpoll.log longpoll;
    server {
        listen 127.0.0.1:\$TEST_NGINX_RAND_PORT_1 sndbuf=16k;
        $locations
    }
    server {
        listen 127.0.0.1:\$TEST_NGINX_RAND_PORT_2 \$TEST_NGINX_LISTEN_HTTP;
        \$TEST_NGINX_HTTP_ON
        $locations
    }
_EOC_
});


# for the scenarios

package Longpoll::Scenario;

# The n requests in the log with this text: their results, by how often they
# came, and their times.

sub results {
    my ($text, $n) = @_;
    my @lines;

    wait_until {
        open my $in, '<', "$Test::Nginx::Util::LogDir/longpoll.log" or die $!;
        @lines = grep { /\Q$text\E/ } <$in>;
        @lines >= $n;
    } "$n lines with $text in the log";

    my %n;

    $n{ (split)[2] }++ for @lines;

    return { %n }, sort { $a <=> $b } map { (split)[4] } @lines;
}

# a stream whose client the kernel helps little while it does not read

sub deaf { stream({ port => rand_port(1), rcvbuf => 65536 }, @_) }

# The last id that a stream was given: where its client goes on.  Takes all
# frames that have come.

sub last_of {
    my ($s) = @_;

    my @frames = @{ $s->{es}->frames };

    @{ $s->{es}->frames } = ();
    push @{ $s->{had} }, map { $_->{id} } grep { $_->{kind} eq 'event' } @frames;
    $s->{missed} += grep { $_->{kind} eq 'missed' } @frames;

    return $s->{es}{last};
}

package main;

run_tests();

__DATA__

=== TEST 1: an event goes to the streams of every worker
--- scenario
my $on = spread(4);
my @pids = sort keys %$on;
my $cat = category();
my @s = map { stream({ conn => $_ }, category => $cat) }
        map { @{$_}[0 .. 2] } @$on{@pids};

$_->next for @s;
wait_waiting(6);

for my $from (@pids) {
    in_time(0.1, 'a wake-up brings it, not the tick', sub {
        my @took = sort { $a <=> $b } map {
            my $at = time;
            my $id = publish($cat, $_, conn => $on->{$from}[3]);

            die "another event\n" if grep { ($_->ids(1))[0] ne $id } @s;
            time - $at;
        } 1 .. 15;

        return $took[7];
    });
}



=== TEST 2: 3,000 events of four publishers, to streams of both workers
--- zone: zone=burst:8m buffer=4000
--- scenario
my $on = spread(4);
my @pids = keys %$on;
my $cat = category();
my @s = map { stream({ conn => $_ }, category => $cat) }
        map { @{$_}[0, 1] } @$on{@pids};
my (@given, @pairs);

$_->next for @s;

for my $p (0 .. 3) {
    my $c = $on->{ $pids[$p % 2] }[2 + ($p > 1)];
    my $n = 0;
    my $next = sub {
        $c->request('POST', '/publish', body => event($cat, $n)) if $n++ < 750;
    };

    $next->();
    push @pairs, [ $c, sub {
        push @given, $_[0]->header('Longpoll-Event-Id');
        $next->();
    } ];
}

drive { @given == 3000 } @pairs;
@given = sort @given;

is_deeply([$_->ids(3000)], \@given, 'each once, in order of ids') for @s;



=== TEST 3: a reload ends the streams, spread over the drain, behind whole frames
--- drain: 1s
--- scenario
my $cat = category();
my @conns = map { @$_ } values %{ spread(50) };
my @s = map { stream({ conn => $_ }, category => $cat) } @conns;
my $h2 = Longpoll::H2->new(port => rand_port(2));
my @h2 = map { stream({ h2 => $h2 }, category => $cat) } 1 .. 20;

$_->next for @s, @h2;
wait_waiting(120);

my $first = publish($cat, 0);
my @old = reload(leaving => 1);
my @ids = map { publish($cat, $_) } 1 .. 20;

is(scalar(grep { $_->ends } @s), 100, 'all end as answers do');
is(scalar(grep { $_->ends } @h2), 20, 'with HTTP/2, too');
ok($h2->wait_goaway, 'and GOAWAY');
ok($_->conn->closed, 'the connection is closed') for @s[0, 50, 99];
wait_gone(@old);

my ($results, @at) = results($cat, 120);

is_deeply($results, { closing => 120 }, 'as the log says');
cmp_ok($at[-1] - $at[0], '>', 0.5, 'over the time of the drain');
is(status()->{disconnected}, 0, 'nobody was disconnected');

for my $s (@s[0, 20, 40, 60, 80, 99], @h2[0, 19]) {
    my $last = last_of($s);
    my @had = @{ $s->{had} };

    push @had, stream({ last => $last }, category => $cat)->ids_behind(21 - @had);
    is_deeply(\@had, [$first, @ids], 'who comes back has each event once');
}

sub Longpoll::Stream::ids_behind {
    my ($self, $n) = @_;

    $self->next;
    return $self->ids($n);
}



=== TEST 4: until its turn comes a stream of a leaving worker is given events
--- drain: 60s
--- scenario
my $cat = category();
my @s = map { stream({ conn => $_ }, category => $cat) }
        map { @$_ } values %{ spread(5) };

$_->next for @s;
wait_waiting(10);

my @old = reload(leaving => 1);
my @ids = map { publish($cat, $_) } 1 .. 5;
my @got = map { [ eval { $_->ids(5) } ] } @s;

cmp_ok(scalar(grep { "@$_" eq "@ids" } @got), '>=', 5, 'most of them');
is(scalar(grep { @$_ and "@$_" ne "@ids" } @got), 0, 'and no other ones');
$_->close for @s;
wait_gone(@old);



=== TEST 5: longpoll_drain 0, and worker_shutdown_timeout
--- main_config
    worker_shutdown_timeout 2s;
--- drain: 0
--- scenario
my $cat = category();
my $begin = sub {
    my @s = map { stream({ conn => $_ }, category => $cat) }
            map { @$_ } values %{ spread(10) };

    $_->next for @s;
    wait_waiting(20);
    return @s;
};

my @s = $begin->();

in_time(1, 'all together', sub {
    my @old = reload(leaving => 1);
    my $began = time;

    is(scalar(grep { $_->ends } @s), 20, 'all end');
    wait_gone(@old);

    my $took = time - $began;

    @s = $begin->() if $took >= 1;
    return $took;
});

change_conf { s/longpoll_drain 0/longpoll_drain 60s/ };
reload();
@s = $begin->();

my @old = reload(leaving => 1);

is(scalar(grep { $_->ends } @s), 20, 'a longer drain: all end, too');
wait_gone(@old);



=== TEST 6: a stream that is not read is cut off when the drain is over
--- scenario
my $cat = category();
my @s = map { deaf(category => $cat) } 1 .. 4;
my $reads = stream(category => $cat);

$_->next for @s, $reads;

# Events that are large: what the kernel takes beside the first ones is less than
# one of them.

my @ids = map { publish($cat, text(100_000)) } 1 .. 8;
my @old = reload(leaving => 1);

wait_gone(@old);
is_deeply((results($cat, 5))[0], { closing => 5 }, 'all are logged so');
is_deeply([$reads->ids(8)], \@ids, 'the one that reads has all');
ok($reads->ends, 'and its end');

for my $s (@s) {
    ok($s->breaks, 'the others break off');

    my $last = last_of($s);
    my $back = stream({ last => $last }, category => $cat);

    $back->next;
    is_deeply([@{ $s->{had} || [] }, $back->ids(8 - @{ $s->{had} || [] })],
              \@ids, 'and come back with each event once');
}



=== TEST 7: a stream that is being read when its worker leaves has its answer whole
--- drain: 5s
--- scenario
my $cat = category();
my $s = deaf(category => $cat);

$s->next;
my @ids = map { publish($cat, text(3000)) } 1 .. 250;
my @old = reload(leaving => 1);

ok($s->ends, 'it ends as an answer does');
wait_gone(@old);

my $last = last_of($s);
my $back = stream({ last => $last }, category => $cat);

$back->next;
is_deeply([@{ $s->{had} }, $back->ids(250 - @{ $s->{had} })], \@ids,
          'each event once');



=== TEST 8: a stream that reaches a leaving worker gets what is there, and the end
--- scenario
# The worker has read half of the requests' heads when the reload comes.

my ($cat, $empty) = (category(), category('empty'));
my ($half, $other, $third, $canary) = @{ (values %{ spread(4) })[0] };
my @ids = map { publish($cat, $_) } 1 .. 3;
my $accept = "HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n";
my @heads = map { [ substr($_, 0, 30), substr $_, 30 ] }
            "GET /events?category=$cat&since_time=0 $accept\r\n",
            "GET /events?category=$empty $accept\r\n";

stream({ conn => $canary }, category => $empty)->next;
$half->send($heads[0][0]);
$other->send($heads[1][0]);
is($third->request('GET', '/pid')->response->status, 200, 'they have been read');

my @old = reload(leaving => 1);

wait_until { $canary->fill(0.1); $canary->{eof} } 'the worker is leaving';

my @s = map { Longpoll::Stream->over($_) } $half, $other;

$half->send($heads[0][1]);
$other->send($heads[1][1]);
is($s[0]->head->header('Connection'), 'close', 'Connection');
is($s[0]->next->{kind}, 'place', 'a place');
is_deeply([$s[0]->ids(3)], \@ids, 'the events');
is($s[1]->next->{kind}, 'place', 'where there are none, the place');
ok($_->ends, 'the end') for @s;
ok($_->conn->closed, 'and its connection closed') for @s;
wait_gone(@old);



=== TEST 9: a zone of another size: streams end, and go on without a loss
--- zone: zone=size:1m
--- scenario
my $cat = category();
my $seen = publish($cat, 0);
my @s = map { stream({ last => $seen }, category => $cat) } 1 .. 10;

is(($_->told(1))[0], "place $seen", 'its place') for @s;
wait_waiting(10);
change_conf { s/size:1m/size:2m/ };

my @old = reload(leaving => 1);
my @ids = map { publish($cat, $_) } 1 .. 5;

for my $s (@s) {
    ok($s->ends, 'it ends');

    my $last = last_of($s);
    my $back = stream({ last => $last }, category => $cat);

    is(described($back->next), "place $last", 'it comes back with its last id');
    is_deeply([@{ $s->{had} || [] }, $back->ids(5 - @{ $s->{had} || [] })],
              \@ids, 'and has each event once');
}

wait_gone(@old);
is((results($cat, 20))[0]{closing}, 10, 'ten were sent away');

sub described { Longpoll::Stream::described(@_) }



=== TEST 10: nginx quits: its streams end as answers do
--- scenario
my $cat = category();
my @s = map { stream({ conn => $_ }, category => $cat) }
        map { @$_ } values %{ spread(25) };
my $stuck = deaf(category => $cat);

$_->next for @s, $stuck;
publish($cat, text(100_000)) for 1 .. 8;
my $master = master_pid();

kill QUIT => $master;
is(scalar(grep { $_->ends } @s), 50, 'all end');
wait_until { !kill 0, $master } 'the end of nginx';
ok($stuck->breaks, 'but the one that did not read');



=== TEST 11: a worker that is killed takes only its own streams with it
--- scenario
my $on = spread(6);
my ($victim, $other) = keys %$on;
my $cat = category();
my @gone = map { stream({ conn => $_ }, category => $cat) }
           @{ $on->{$victim} }[0 .. 4];
my @stay = map { stream({ conn => $_ }, category => $cat) }
           @{ $on->{$other} }[0 .. 4];

$_->next for @gone, @stay;
wait_waiting(10);
my @ids = publish($cat, 1, conn => $on->{$other}[5]);

$_->ids(1) for @gone, @stay;
kill KILL => $victim;
push @ids, map { publish($cat, $_, conn => $on->{$other}[5]) } 2 .. 5;

is_deeply([$_->ids(4)], [@ids[1 .. 4]], 'a stream of the other worker') for @stay;

for my $s (@gone) {
    ok($s->breaks, 'one of the killed worker breaks off');

    my $back = stream({ last => $ids[0] }, category => $cat);

    is_deeply([$back->told(5)],
              ["place $ids[0]", map { "event $ids[$_] " . ($_ + 1) } 1 .. 4],
              'and comes back');
}

wait_status { $_->{waiting} == 5 } 'those that are there';
--- alert chomp
worker process \d+ exited on signal 9



=== TEST 12: a stopped worker's streams lose nothing
--- scenario
my $on = spread(2);
my ($here, $there) = keys %$on;
my $cat = category();
my @s = map { stream({ conn => $on->{$_}[0] }, category => $cat) } $here, $there;
my @ids;

$_->next for @s;
wait_waiting(2);

in_one_turn {
    @ids = map { publish($cat, $_, conn => $on->{$here}[1]) } 1 .. 100;
    is_deeply([$s[0]->ids(100)], \@ids, 'the other worker goes on');
} $there;

is_deeply([$s[1]->ids(100)], \@ids, 'then it has all');



=== TEST 13: five reloads with streams that come back each time
--- scenario
my $cat = category();
my $n = 0;
my @ids = publish($cat, $n++);
my @clients = map { { last => $ids[0], had => [] } } 1 .. 20;

for my $round (1 .. 5) {
    my @s = map { stream({ last => $_->{last} }, category => $cat) } @clients;

    $_->next for @s;
    push @ids, map { publish($cat, $n++) } 1 .. 3;

    my @old = reload(leaving => 1);

    push @ids, map { publish($cat, $n++) } 1 .. 3;

    for my $i (0 .. $#s) {
        $s[$i]->ends or die "a stream breaks off\n";
        $clients[$i]{last} = last_of($s[$i]);
        push @{ $clients[$i]{had} }, @{ $s[$i]{had} || [] };
        die "missed\n" if $s[$i]{missed};
    }

    wait_gone(@old);
}

for my $client (@clients) {
    my $left = @ids - 1 - @{ $client->{had} };
    my $s = stream({ last => $client->{last} }, category => $cat);

    $s->next;
    push @{ $client->{had} }, $s->ids($left) if $left;
    is_deeply($client->{had}, [@ids[1 .. $#ids]], 'every event once');
}



=== TEST 14: longpoll_drain 0: streams that catch up end behind a whole frame, too
--- zone: zone=backlog:8m buffer=1000
--- drain: 0
--- limit: 300
--- scenario
my $on = spread(100);
my ($leaves, $stays) = keys %$on;
my $cat = category();

# Each of the events is an answer of its own.

post('/publish', '[' . join(',', (event($cat, text(100))) x 500) . ']',
     conn => $on->{$stays}[0]) for 1, 2;

my @s;

in_one_turn {
    @s = map { stream({ conn => $_ }, category => $cat, since_time => 0) }
         @{ $on->{$leaves} }[0 .. 99];
} $leaves;

$s[0]->next;
kill QUIT => $leaves;
wait_gone($leaves);
is(scalar(grep { $_->ends } @s), 100, 'all end');

last_of($_) for @s;
cmp_ok(scalar(grep { @{ $_->{had} } < 1000 } @s), '>', 50,
       'of these most had not had all');
