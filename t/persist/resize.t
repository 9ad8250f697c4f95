# A reload with another SIZE: a new zone replaces the running one, which is
# frozen.  No cursor misses anything.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use IO::Handle ();
use POSIX ();
use Test::More;
use Time::HiRes qw( sleep );

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Oracle ();
use Longpoll::Persist qw( data_of no_alerts tick wait_until );

$SIG{PIPE} = 'IGNORE';

sub start { Longpoll::Persist->start(workers => 2, @_) }

sub ms { Longpoll::Oracle::id_ms($_[0]) }

# Begins a publish.  The worker that reads it stores it in end_of().

sub begin_of {
    my ($n, $cat, $data, $c) = @_;

    my $body = Longpoll::Persist::event($cat, qq("$data"));

    $c //= $n->client;
    push @{ $c->{expect} }, 'POST';
    $c->send("POST /publish HTTP/1.1\r\nHost: localhost\r\nExpect: "
             . "100-continue\r\nContent-Length: " . length($body) . "\r\n\r\n");
    wait_until('the go-ahead', sub {
        $c->fill(0.1);
        $c->parsed;
        $c->{continued};
    });

    return [ $c, $body ];
}

sub end_of {
    my ($c, $body) = @{ $_[0] };

    my $r = $c->send($body)->response;

    # nginx lingers for a client that does not close.

    $c->close;

    return $r;
}


# A reload with another SIZE.

for my $case ([ '', '' ], [ 'data/events', 'flush=100ms' ],
              [ 'data/events', 'flush=1h durable=on' ])
{
    my ($path, $parameters) = @$case;
    my $name = 'SIZE, ' . ($path ? $parameters : 'without a file');

    my $n = start(path => $path, parameters => "$parameters buffer=3");
    my @id = map { tick(); $n->publish(farm => qq("f$_")) } 1 .. 4;
    my $time = $n->poll(category => 'none')->response->timestamp;
    my $place = $n->client->request(GET => '/place')->response->body;

    $n->publish(farm => '"key"', key => 'k') if $path;
    $n->forget('cow');

    my @all = ('f2', 'f3', 'f4', $path ? 'key' : ());

    shift @all if @all > 3;

    my $before = $n->status('events');

    # A failed reload changes nothing.

    $n->configure(size => '2m', more_http => "server { listen 1.2.3.4:1; }\n");
    kill HUP => $n->master;
    $n->wait_log('bind\(\) to 1\.2\.3\.4');
    sleep 0.6;
    is(data_of($n->events('farm')), "@all",
       "$name: a failed reload keeps the events");
    is($n->status('events')->{size}, $before->{size}, "$name: and the size");
    is($n->said([ category => 'farm', last_id => $id[3] ],
                [ category => 'none', since_time => $time ]),
       ($path ? 'key' : 'timeout') . ' | timeout',
       "$name: and no cursor misses events");

    my @old = $n->workers;
    my $begun = begin_of($n, cow => 'moo');
    my $parked = $n->poll(category => 'farm', timeout => 20);

    $n->wait_waiting(1);
    $n->configure(size => '3m', more_http => '');

    my @leaving = $n->reload(leaving => 1);

    is($parked->response->kind, 'timeout',
       "$name: the reload answers parked polls");

    my $status = $n->status('events');

    is($status->{size}, 3 * 1024 * 1024, "$name: to 3m");
    is($status->{published}, $before->{published},
       "$name: counters continue");
    is(data_of($n->events('farm')), "@all",
       "$name: the new zone has the events");
    is($n->said([ category => 'farm', last_id => $id[3] ],
                [ category => 'farm', last_id => $id[0] ],
                [ category => 'farm', since_time => ms($id[0]) - 1 ],
                [ category => 'none', since_time => $time ],
                [ category => 'none', last_id => $place ]),
       join(' | ', $path ? 'key' : 'timeout',
            "@all" . ($path ? ' missed' : ''), "@all missed", 'timeout',
            'timeout'),
       "$name: cursors stay valid");
    is($n->publish(farm => 1, key => 'k'),
       ($n->events('farm'))[-1][0], "$name: keys stay known") if $path;

    my $new = $n->publish(pig => '"oink"');

    cmp_ok($new, 'gt', $id[3], "$name: ids ascend");

    # An old worker refuses the publish that has begun.

    my $cursor = $n->poll(category => 'none')->response->timestamp;
    my $refused = end_of($begun);

    is(join(' ', $refused->status, $refused->header('Connection'),
            $refused->body),
       '503 close {"error": "The zone is being replaced, try again."}',
       "$name: an old worker refuses a publish");
    $n->wait_gone(@leaving);

    $place = $n->client->request(GET => '/place')->response->body;
    is($n->said([ category => 'cow', since_time => $cursor ],
                [ category => 'cow', last_id => $new ],
                [ category => 'farm', last_id => $id[3] ],
                [ category => 'farm', last_id => $place ]),
       'timeout | timeout | ' . ($path ? 'key' : 'timeout') . ' | timeout',
       "$name: and no cursor misses anything");

    if ($path) {
        $parameters =~ /durable/ ? $n->kill_all : $n->quit;
        $n->up;
        is(data_of($n->events('farm')), "@all",
           "$name: the next epoch has the same");
        is(data_of($n->events('pig')), 'oink', "$name: of all categories");
        is($n->said([ category => 'farm', last_id => $place ]), 'timeout',
           "$name: and that cursor misses nothing");
    }

    no_alerts($n, $name, qr/1\.2\.3\.4|still could not bind/);
}


# Requests that reach an old worker once the zone has another SIZE.

{
    my $name = 'SIZE, an old worker';
    my $n = start(path => '', parameters => '', server => <<'_EOC_',
        location = /pid  { return 200 $pid; }
        location = /room {
            longpoll_category  farm;
            longpoll_subscribe events protocol=gpoll;
        }
_EOC_
                  http => "longpoll_drain 0;\n");

    my $first = $n->publish(farm => '"f1"');
    my $client = '';

    if ($n->client->request(GET => '/room?client-id=0')->response->body
        =~ /"client-id":"(.*)"/)
    {
        $client = $1 =~ s/\$/%24/r;
    }

    tick();
    tick();

    my $second = $n->publish(farm => '"f2"');

    # The heads of these requests end in an old worker, behind the reload.

    my @requests = map { [ $n->client, @$_ ] }
        [ 'GET', "/events?category=farm&timeout=20&last_id=$first" ],
        [ 'GET', '/events?category=farm&timeout=20&since_time='
                 . ms($first) ],
        [ 'GET', '/events?category=farm&timeout=20&since_time=1' ],
        [ 'GET', '/events?category=farm&timeout=20' ],
        [ 'GET', '/place' ],
        [ 'GET', "/room?client-id=$client" ],
        [ 'GET', '/room?client-id=0' ],
        [ 'POST', '/delete?category=farm' ];

    for (@requests) {
        my ($c, $method, $uri) = @$_;

        push @{ $c->{expect} }, $method;
        $c->send("$method $uri HTTP/1.1\r\nHost: localhost\r\n");
    }

    # Workers accept in turn: all of these are accepted when a later one is.

    $n->client->request(GET => '/place')->response;

    $n->configure(size => '2m');

    my @old = $n->reload(leaving => 1);
    my $third = $n->publish(farm => '"f3"');
    my @answers = map { $_->[0]->send("\r\n")->response } @requests;

    is(join(' ', map { $_->status } @answers),
       '200 200 200 200 200 204 204 503', "$name: statuses");
    is(join(' ', map { $_->kind . ($_->missed ? ' missed' : '') }
                 @answers[0 .. 3]),
       'timeout timeout timeout timeout',
       "$name: it gives a poll nothing, and not missed");
    is(join(' ', map { $_->header('Connection') } @answers),
       join(' ', ('close') x @answers), "$name: and sends its client away");
    is($answers[-1]->body,
       '{"error": "The zone is being replaced, try again."}',
       "$name: a delete is refused");
    is($n->said([ category => 'farm', last_id => $first,
                  since_time => $answers[0]->timestamp ],
                [ category => 'farm', since_time => $answers[1]->timestamp ],
                [ category => 'farm', since_time => $answers[2]->timestamp ],
                [ category => 'farm', since_time => $answers[3]->timestamp ],
                [ category => 'farm', last_id => $answers[4]->body ]),
       'f2 f3 | f2 f3 | f1 f2 f3 | f3 | f3',
       "$name: in the new zone it goes on from its cursor");

    my @had = map { $n->client->request(GET => "/room?client-id=$client")
                      ->response->body } 1 .. 2;

    is("@had", 'f2 f3', "$name: so does a client of gpoll's");
    $n->wait_gone(@old);
    no_alerts($n, $name);
}


# Publishers and clients go on while SIZE changes several times.

sub child {
    my ($name, $run) = @_;

    pipe my $in, my $out or die "pipe: $!\n";
    defined(my $pid = fork) or die "fork: $!\n";

    if (!$pid) {
        close $in;
        $out->autoflush(1);
        eval { $run->($out); 1 } or print $out "died $@";
        close $out;
        POSIX::_exit(0);
    }

    close $out;
    return { name => $name, pid => $pid, in => $in };
}

sub lines_of {
    my ($child) = @_;

    my @lines = readline $child->{in};

    waitpid $child->{pid}, 0;
    chomp @lines;
    return map { [ split ' ', $_, 2 ] } @lines;
}

# A request on a connection of its own; nothing, if an old worker has closed it.

sub once {
    my ($n, @request) = @_;
    return eval { $n->client->request(@request)->response };
}

sub publisher {
    my ($n, $name, $stop) = @_;

    return child($name, sub {
        my ($out) = @_;

        for (my $i = 1; !-e $stop; $i++) {
            my $r = once($n, POST => '/publish',
                         body => Longpoll::Persist::event('farm',
                                                          qq("$name-$i")));

            print $out $r ? $r->status == 503
                                ? 'refused' : $r->status : 'lost',
                  " $name-$i\n";
        }
    });
}

# Follows the category until it has the event "end".

sub follower {
    my ($n, $name) = @_;

    return child($name, sub {
        my ($out) = @_;
        my ($since, $id) = (1, '');

        for ( ;; ) {
            my $r = once($n, GET => '/events?category=farm&timeout=10'
                                    . "&since_time=$since"
                                    . ($id ? "&last_id=$id" : '')) or next;

            print $out "missed\n" if $r->missed;

            if ($r->kind eq 'timeout') {
                $since = $r->timestamp;
                next;
            }

            for my $event ($r->events) {
                return if $event->{data} eq 'end';
                print $out "got $event->{data}\n";
                ($since, $id) = @{$event}{qw( timestamp id )};
            }
        }
    });
}

sub member {
    my ($n, $name) = @_;

    my $id = $n->client->request(GET => '/room?client-id=0')->response->body
             =~ /"client-id":"(.*)"/ ? $1 : die "no client\n";

    $id =~ s/\$/%24/;

    return child($name, sub {
        my ($out) = @_;

        for ( ;; ) {
            my $r = once($n, GET => "/room?client-id=$id") or next;

            next if $r->status == 204;
            print $out 'unknown ', $r->status, "\n" and return
                if $r->status != 200;
            return if $r->body eq 'end';
            print $out 'got ', $r->body, "\n";
        }
    });
}

for my $case ([ '', '' ], [ 'data/events', 'flush=100ms' ],
              [ 'data/events', 'flush=1h durable=on' ])
{
    my ($path, $parameters) = @$case;
    my $name = 'SIZE under publishers, '
               . ($path ? $parameters : 'without a file');

    my $n = start(path => $path, parameters => "$parameters buffer=100000",
                  size => '8m', http => "longpoll_drain 50ms;\n",
                  server => <<'_EOC_');
        location = /room {
            longpoll_category    farm;
            longpoll_subscribe   events protocol=gpoll;
            longpoll_max_timeout 10s;
        }
_EOC_
    my $stop = "$n->{dir}/stop";
    my @followers = ((map { follower($n, "f$_") } 1 .. 3),
                     (map { member($n, "m$_") } 1 .. 2));
    my @publishers = map { publisher($n, "p$_", $stop) } 1 .. 3;

    for my $size (qw( 16m 12m 24m 8m )) {
        my $count = $n->status('events')->{published};

        wait_until('50 more events', sub {
            $n->status('events')->{published} >= $count + 50;
        });
        $n->configure(size => $size);
        $n->reload;
    }

    open my $out, '>', $stop or die "$stop: $!\n";
    close $out;

    my %published = map { $_->[1] => $_->[0] } map { lines_of($_) } @publishers;

    $n->publish(farm => '"end"');

    my @acknowledged = grep { $published{$_} eq '200' } keys %published;
    my @refused = grep { $published{$_} eq 'refused' } keys %published;
    my @others = grep { $published{$_} !~ /^(?:200|refused|lost)\z/ }
                      keys %published;

    is("@others", '', "$name: a publish is acknowledged, or gets 503");

    for my $follower (@followers) {
        my (%had, @else);

        for (lines_of($follower)) {
            $_->[0] eq 'got' ? $had{ $_->[1] }++ : push @else, "@$_";
        }

        is("@else", '', "$name: $follower->{name} misses nothing");
        is(join(' ', sort grep { ($had{$_} // 0) != 1 } @acknowledged), '',
           "$name: and has every acknowledged event once");
        is(join(' ', sort grep { $had{$_} } @refused), '',
           "$name: and no refused one");
    }

    note(sprintf '%s: %d acknowledged, %d refused', $name,
         scalar @acknowledged, scalar @refused);
    cmp_ok(scalar @acknowledged, '>', 200, "$name: publishers went on");
    no_alerts($n, $name);
}


# Reloads between two SIZEs, several times.

{
    my $name = 'SIZE, to and fro';
    my $n = start(parameters => 'flush=100ms buffer=1000');
    my $first = $n->publish(farm => '"a0"');
    my @want = 'a0';

    for my $i (1 .. 4) {
        $n->configure(size => $i % 2 ? '2m' : '1m');
        $n->reload;
        push @want, "a$i";
        $n->publish(farm => qq("a$i"));
        is(data_of($n->events('farm')), "@want", "$name: $i");
    }

    is($n->said([ category => 'farm', last_id => $first ]), 'a1 a2 a3 a4',
       "$name: no cursor missed anything");
    $n->wait_data(@want);
    $n->quit;
    $n->up;
    is($n->said([ category => 'farm', last_id => $first ]), 'a1 a2 a3 a4',
       "$name: nor in the next epoch");
    no_alerts($n, $name);
}

done_testing();
