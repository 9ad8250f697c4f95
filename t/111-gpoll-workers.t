# gpoll's clients on several workers: the zone has the cursor of a client, which
# survives reloads and the death of a worker.

use lib 't/lib';
use Test::Nginx::Socket 'no_plan';
use Longpoll;

no_long_string();
master_on();
workers(2);
worker_connections(1024);
log_level('notice');
run_tests();

__DATA__

=== TEST 1: any worker serves a client's next poll
--- config
    location = /poll {
        longpoll_category  $arg_c;
        longpoll_subscribe events protocol=gpoll;
    }
    location = /publish { longpoll_publish events; }
--- scenario
my @conns = map { $_->[0] } values %{ spread(1) };
my $cat = category();
my $id = client('/poll', conn => $conns[0]);

publish($cat, qq("$_")) for 1 .. 20;

for my $n (1 .. 20) {
    is($conns[$n % 2]->request('GET', "/poll?c=$cat&client-id=$id")
       ->response->body, $n, "message $n");
}

for my $n (1 .. 20) {
    my $p = poll({ uri => '/poll', conn => $conns[$n % 2] }, c => $cat,
                 'client-id' => $id);

    wait_waiting(1);
    publish($cat, qq("w$n"));
    is($p->answer->body, "w$n", "woken with $n");
}



=== TEST 2: of two polls on two workers, one gets each message
--- config
    location = /poll {
        longpoll_category  $arg_c;
        longpoll_subscribe events protocol=gpoll;
    }
    location = /publish { longpoll_publish events; }
--- scenario
my @conns = map { @$_ } values %{ spread(4) };
my $cat = category();
my $id = client('/poll');
my $get = "/poll?c=$cat&client-id=$id";
my $count = 600;
my %had;
my $last = 0;

$_->request('GET', $get) for @conns;
wait_waiting(8);

my $publisher = connection();
my $n = 0;
my $next = sub {
    $publisher->request('POST', '/publish', body => event($cat, ++$n))
        if $n < $count;
};

$next->();

drive { keys %had == $count }
    [ $publisher, $next ],
    map {
        my $conn = $_;
        [ $conn, sub { $had{$_[0]->body}++; $conn->request('GET', $get) } ]
    } @conns;

is(scalar(grep { $_ != 1 } values %had), 0, 'each once');
is(join(' ', sort { $a <=> $b } keys %had), join(' ', 1 .. $count), 'all');
wait_waiting(8);
ok(!(grep { !$_->silent } @conns), 'and no more');



=== TEST 3: client cursors survive a reload, which ends the parked polls
--- config
    location = /poll {
        longpoll_category  $arg_c;
        longpoll_subscribe events protocol=gpoll;
        add_header X-Result $longpoll_result always;
    }
    location = /publish { longpoll_publish events; }
--- scenario
my $cat = category();
my @ids = map { client('/poll') } 1 .. 20;
my @p = map { poll({ uri => '/poll' }, c => $cat, 'client-id' => $_) } @ids;

wait_waiting(20);
reload();

for (@p) {
    my $r = $_->answer;

    die 'answered with ', $r->status, ' ', $r->header('X-Result'), ' ',
        $r->header('Connection'), "\n"
        unless $r->status == 204 and $r->header('X-Result') eq 'closing'
               and $r->header('Connection') eq 'close';
}

pass('the reload answers all polls');
publish($cat, '"x"');
is(join(' ', map { get("/poll?c=$cat&client-id=$_")->body } @ids),
   join(' ', ('x') x 20), 'and all clients continue');

@p = map { poll({ uri => '/poll' }, c => $cat, 'client-id' => $_) } @ids;
wait_waiting(20);

my @leaving = reload(leaving => 1);
publish($cat, '"while leaving"');
my %had;

for (0 .. 19) {
    my $r = $p[$_]->answer;
    my $body = $r->status == 200
               ? $r->body : get("/poll?c=$cat&client-id=$ids[$_]")->body;
    $had{$body}++;
}

is_deeply(\%had, { 'while leaving' => 20 },
          'clients get the messages published meanwhile');
wait_gone(@leaving);



=== TEST 4: clients move into a zone of another size
--- http_config
    longpoll_zone zone=room:1m;
--- config
    location = /poll {
        longpoll_category  $arg_c;
        longpoll_subscribe room protocol=gpoll;
    }
    location = /publish { longpoll_publish room; }
--- scenario
my $cat = category();
my $other = category();
my @ids = map { client('/poll') } 1 .. 20;

publish($cat, qq("$_")) for 1 .. 3;

# Every second client has had the first message.  Five of these wait in another
# category.

is(get("/poll?c=$cat&client-id=$ids[2 * $_]")->body, 1, 'one of three')
    for 0 .. 9;

my @p = map { poll({ uri => '/poll' }, c => $other, 'client-id' => $_) }
            @ids[0 .. 4];

wait_waiting(5);

# Each client reads its next message in a larger zone and then in a smaller one.

for my $size ('4m', '512k') {
    change_conf { s/zone=room:\w+/zone=room:$size/ };
    reload();
    is($_->answer->status, 204, 'sent away') for splice @p;

    my $first = $size eq '4m' ? 1 : 2;

    is(join(' ', map { get("/poll?c=$cat&client-id=$ids[$_]")->body } 0 .. 9),
       join(' ', map { $_ % 2 ? $first : $first + 1 } 0 .. 9),
       "each goes on behind its own, $size");
}

publish($cat, '"x"');
is(join(' ', map { get("/poll?c=$cat&client-id=$ids[2 * $_]")->body } 0 .. 4),
   'x x x x x', 'clients get what is published to the new zone');



=== TEST 5: a worker with parked polls is killed: its clients use another one
--- http_config
    longpoll_zone zone=killed:1m inactive=5s;
--- config
    location = /poll {
        longpoll_category  all;
        longpoll_subscribe killed protocol=gpoll;
    }
    location = /publish { longpoll_publish killed; }
--- alert
exited on signal 9
--- scenario
my $on = spread(12);
my ($dies, $stays) = keys %$on;
my @ids = map { client('/poll') } 1 .. 10;
my @idle = map { client('/poll') } 1 .. 10;

poll({ uri => '/poll', conn => $on->{$dies}[$_] }, 'client-id' => $ids[$_])
    for 0 .. 9;
poll({ uri => '/poll', conn => $on->{$dies}[10] }, 'client-id' => $idle[0]);
wait_waiting(11);

kill KILL => $dies;
wait_until { !grep { $_ == $dies } worker_pids() } 'the worker is dead';

my @p = map { poll({ uri => '/poll' }, 'client-id' => $_) } @ids;

wait_waiting(10);
publish('all', '"x"');
is($_->answer->body, 'x', 'its client gets the message') for @p;

# The zone has cleared the dead worker's bit, so its clients count as idle.

wait_until {
    my $r = http('HEAD', '/poll?client-id=' . escape($idle[0]));
    $r->status == 404;
} 'a client of the dead worker to be idle';

pass('a client that does not poll again is removed');



=== TEST 6: 10,000 clients in 64 MB, over two workers and a reload
--- http_config
    longpoll_zone zone=many:64m;
--- config
    location = /poll {
        longpoll_category    all;
        longpoll_subscribe   many protocol=gpoll;
        longpoll_max_timeout 20s;
    }
    location = /publish { longpoll_publish many; }
--- scenario
my $clients = 10_000;
my (@ids, @had);

# Every client sends one request, over a few shared connections.

my $all = sub {
    my ($uri, $on) = @_;

    my @conns = map { @$_ } values %{ spread(16) };
    my ($asked, $done) = (0, 0);
    my @of;

    drive { $done == $clients } map {
        my $conn = $_;
        my $n;
        my $ask = sub {
            return if $asked == $clients;
            $n = $asked++;
            $conn->request('GET', $uri->($n));
        };

        $ask->();
        [ $conn, sub { $on->($n, $_[0]); $done++; $ask->() } ]
    } @conns;
};

my $next = sub {
    $all->(sub { "/poll?client-id=$ids[$_[0]]" },
           sub { push @{ $had[$_[0]] }, $_[1]->status == 200
                                        ? $_[1]->body : $_[1]->status });
};

$all->(sub { '/poll?client-id=0' },
       sub { ($ids[$_[0]]) = $_[1]->body =~ /"([^"]*)"\}\z/ });

my %ids = map { $_ => 1 } @ids;
is(scalar keys %ids, $clients, 'all have an id');

publish('all', qq("$_")) for 'a' .. 'c';
$next->();
publish('all', '"d"');
reload();
$next->() for 1 .. 3;

my %had;
$had{"@$_"}++ for @had;
is_deeply(\%had, { 'a b c d' => $clients }, 'every message once, and in order');
is(status()->{delivered}, 4 * $clients, 'as the figures say');
cmp_ok(status()->{used}, '<', 64 * 1048576, 'in the zone');

# Then as many clients as there are connections wait and are woken.

my @p = map { poll({ uri => '/poll' }, 'client-id' => $_) } @ids[0 .. 399];

wait_waiting(400);
publish('all', '"e"');
is(scalar(grep { $_->answer->body eq 'e' } @p), 400, '400 are woken');
