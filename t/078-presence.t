# Presence: who waits for a category, as events in another one.

use lib 't/lib';
use Test::Nginx::Socket 'no_plan';
use Longpoll;

no_long_string();
master_on();
workers(2);
worker_connections(1024);
log_level('notice');

# Each block has a zone of its own, which begins with a reset.

my $blocks = 0;

add_block_preprocessor(sub {
    my ($block) = @_;

    my $name = 'events' . ++$blocks;
    my $zone = $block->zone || 'zone=events:1m presence=who grace=300ms';
    my $drain = $block->drain || '100ms';
    my $more = $block->more || '';

    chomp($zone, $drain);
    $zone =~ s/zone=events/zone=$name/;

    $block->set_value(http_config => <<"_EOC_");
    longpoll_zone $zone;
    longpoll_drain $drain;
    server {
        listen 127.0.0.1:\$TEST_NGINX_RAND_PORT_1 sndbuf=16k;
        location = /events { longpoll_subscribe $name; }
    }
_EOC_
    $block->set_value(config => <<"_EOC_");
        location = /events  { longpoll_subscribe $name; }
        location = /publish { longpoll_publish   $name; }
        location = /delete  { longpoll_delete    $name; }
        location = /list    { longpoll_status    $name; }
        location = /gpoll   {
            longpoll_category \$arg_category;
            longpoll_subscribe $name protocol=gpoll;
        }
        location = /both {
            add_before_body /events;
            return 200 "";
        }
        $more
_EOC_
});

run_tests();


# for the scenarios

package Longpoll::Scenario;

# The next n events of presence, each as "reset", "NAME comes" or "NAME leaves".
# Each process of this file has one follower, which begins with the reset.

our $Name;

my %followed;

sub told {
    my ($n) = @_;
    my @told;

    my $at = \$followed{$Name};

    while (@told < $n) {
        my $r = ask(category => 'who', timeout => 20,
                    $$at ? (last_id => $$at) : (since_time => 1));

        die "an event was missed\n" if $r->missed;

        for my $event ($r->events) {
            my $data = $event->{data};

            $$at = $event->{id};
            push @told, $data->{present} eq 'reset' ? 'reset'
                        : "$data->{category} "
                          . ($data->{present} ? 'comes' : 'leaves');
        }
    }

    return @told;
}

# Waits until a category has come and left, so that an event of something
# earlier would have come.

sub others_leave {
    my $cat = category('others');

    publish($cat, 1);
    ask(category => $cat, since_time => 1);
    is_deeply([told(2)], ["$cat comes", "$cat leaves"],
              'meanwhile nothing else was told');
}

# A list, page by page, by category.

sub listed {
    my ($limit) = @_;
    my ($next, %listed);

    do {
        my $page = get('/list?' . query(list => 1, limit => $limit,
                                        defined $next ? (after => $next) : ())
                       )->json;

        for my $row (@{ $page->{categories} }) {
            die "$row->{category} is listed twice\n"
                if $listed{ $row->{category} };
            $listed{ $row->{category} } = $row;
        }

        $next = $page->{next};

    } while (defined $next);

    return \%listed;
}

sub is_present {
    my ($cat) = @_;
    my ($zone) = keys %{ get('/status')->json->{zones} };

    return status($zone, category => $cat)->{category}{present};
}

package main;

__DATA__

=== TEST 1: a category comes with its first poll, and leaves after the last one
--- scenario
my $cat = category();

is_deeply([told(1)], ['reset'], 'a life begins with a reset');
ok(!is_present($cat), 'it is not there');

my @polls = map { poll(category => $cat) } 1, 2;

is_deeply([told(1)], ["$cat comes"], 'it comes, once');
ok(is_present($cat), 'it is there');

$polls[0]->close;
wait_waiting(1);
others_leave();
ok(is_present($cat), 'one poll is left');

$polls[1]->close;
is_deeply([told(1)], ["$cat leaves"], 'it leaves, once');
ok(!is_present($cat), 'it is not there any more');
others_leave();



=== TEST 2: polling again within grace is not leaving
--- zone
zone=events:1m presence=who grace=2s
--- scenario
my $cat = category();

is_deeply([told(1)], ['reset'], 'the reset');

for my $n (1 .. 5) {
    my $p = poll(category => $cat);

    wait_waiting(1);
    publish($cat, $n);
    $p->answer;
    ok(is_present($cat), 'it is there in grace');
}

is_deeply([told(2)], ["$cat comes", "$cat leaves"], 'it was there all the time');



=== TEST 3: a poll that is answered at once was there; HEAD and errors were not
--- scenario
my ($cat, $not) = (category(), category('not'));

is_deeply([told(1)], ['reset'], 'the reset');
publish($_, 1) for $cat, $not;

http('HEAD', "/events?category=$not&timeout=10&since_time=1");
get("/events?category=$not&timeout=never");
get("/both?category=$not&timeout=10&since_time=1");
ask(category => $cat, since_time => 1);

is_deeply([told(2)], ["$cat comes", "$cat leaves"], 'the poll alone');
others_leave();



=== TEST 4: a stream is there from its beginning to its end, read or not
--- zone
zone=events:8m presence=who grace=300ms
--- scenario
my $cat = category();

is_deeply([told(1)], ['reset'], 'the reset');

my $s = stream(category => $cat);

is_deeply([told(1)], ["$cat comes"], 'a stream comes');
$s->close;
is_deeply([told(1)], ["$cat leaves"], 'and leaves');

for my $backlog (0, 1) {
    my $unread = connection(port => rand_port(1), rcvbuf => 4096);
    my $what = $backlog ? 'one that never waits' : 'one that waits at first';

    $unread->request('GET', "/events?category=$cat"
                            . ($backlog ? '&since_time=1' : ''),
                     accept_stream());
    is_deeply([told(1)], ["$cat comes"], "$what comes");

    publish($cat, text(100_000)) for 1 .. 9;
    others_leave();
    ok(is_present($cat), "$what stays, and is not read");

    $unread->reset;
    is_deeply([told(1)], ["$cat leaves"], "$what leaves with its connection");
}



=== TEST 5: polls of several categories and of gpoll count for each
--- scenario
my ($a, $b, $c) = map { category($_) } qw( a b c );

is_deeply([told(1)], ['reset'], 'the reset');

my $p = poll(category => $a, category => $b);

is_deeply([sort(told(2))], ["$a comes", "$b comes"], 'both come');
$p->close;
is_deeply([sort(told(2))], ["$a leaves", "$b leaves"], 'both leave');

my $uri = "/gpoll?category=$c";
my $r = get("$uri&client-id=0");
my ($id) = $r->body =~ /"client-id":"(.*)"/;

$p = connection();
$p->request('GET', "$uri&client-id=" . escape($id));
is_deeply([told(1)], ["$c comes"], 'a client of gpoll comes');
$p->close;
is_deeply([told(1)], ["$c leaves"], 'and leaves');



=== TEST 6: polls on both workers: the last of all leaves
--- scenario
my $cat = category();
my ($one, $two) = values %{ spread(1) };

is_deeply([told(1)], ['reset'], 'the reset');

my @polls = map { poll({ conn => $_->[0] }, category => $cat) } $one, $two;

is_deeply([told(1)], ["$cat comes"], 'it comes, once');
wait_waiting(2);
$polls[0]->close;
others_leave();
$polls[1]->close;
is_deeply([told(1)], ["$cat leaves"], 'it leaves, once');



=== TEST 7: the category of the events is the zone's own
--- zone
zone=events:2m presence=who grace=300ms buffer=2
--- scenario
my @cats = map { category() } 1 .. 20;

for my $r (post('/publish', event('who', 1)),
           post('/publish', '[' . event('x', 1) . ',' . event('who', 1) . ']'))
{
    is($r->status, 400, 'a publish is refused');
    is($r->body, '{"error": "The category is reserved for presence."}', 'why');
}

my $p = poll(map { (category => $_) } @cats);

is(scalar told(21), 21, 'reset, and all come');
is(http('DELETE', '/delete?category=who')->body, '{"success": true}',
   'a delete is answered');
is(scalar ask(category => 'who', since_time => 1)->events, 21,
   'and takes nothing; nor does buffer');



=== TEST 8: nobody leaves by a reload
--- zone
zone=events:1m presence=who grace=1h
--- scenario
my $cat = category();

is_deeply([told(1)], ['reset'], 'the reset');

my $p = poll(category => $cat);
is_deeply([told(1)], ["$cat comes"], 'a poll comes');

change_conf { s/grace=1h/grace=2s/ };
reload(leaving => 1);
is($p->answer->kind, 'timeout', 'it is sent away');
$p = poll(category => $cat);
wait_waiting(1);
ok(is_present($cat), 'it is back');
others_leave();

$p->close;
is_deeply([told(1)], ["$cat leaves"], 'it leaves after the new grace');

change_conf { s/presence=who/presence=me/ };
kill HUP => master_pid();
wait_log('error.log', qr/"presence" cannot be changed from "who" to "me" by a reload/);
pass('another category is refused');
--- alert
"presence" cannot be changed from "who" to "me" by a reload, only by a restart



=== TEST 9: a zone of another size takes over who is there
--- zone
zone=events:1m presence=who grace=2s
--- scenario
my ($stays, $goes) = (category('stays'), category('goes'));

is_deeply([told(1)], ['reset'], 'the reset');

my $s = poll(category => $stays);
my $g = poll(category => $goes);
is_deeply([sort(told(2))], ["$goes comes", "$stays comes"], 'both come');

change_conf { s/:1m/:2m/ };
reload(leaving => 1);
$_->answer for $s, $g;
$s = poll(category => $stays);

is_deeply([told(1)], ["$goes leaves"], 'the one that did not come back leaves');
ok(is_present($stays), 'the other one is there');



=== TEST 10: another size and a shorter drain: old workers drain by their own
--- drain: 2s
--- scenario
my $cat = category('stays');

is_deeply([told(1)], ['reset'], 'the reset');

my @p = map { poll(category => $cat) } 1 .. 10;

is_deeply([told(1)], ["$cat comes"], 'it comes');

change_conf { s/:1m/:2m/; s/longpoll_drain 2s/longpoll_drain 100ms/ };
reload(leaving => 1);
$_->answer for @p;

my $p = poll(category => $cat);

others_leave();
ok(is_present($cat), 'it is there');



=== TEST 11: with a killed worker its polls have left
--- scenario
my $on = spread(1);
my ($pid) = keys %$on;
my ($dies, $lives) = (category('dies'), category('lives'));
my ($other) = grep { $_ != $pid } keys %$on;

is_deeply([told(1)], ['reset'], 'the reset');

my @polls = (poll({ conn => $on->{$pid}[0] }, category => $dies),
             poll({ conn => $on->{$other}[0] }, category => $lives));

is_deeply([sort(told(2))], ["$dies comes", "$lives comes"], 'both come');
kill KILL => $pid;
is_deeply([told(1)], ["$dies leaves"], 'its category leaves');
ok(is_present($lives), 'the other one stays');
--- alert
worker process \d+ exited on signal 9



=== TEST 12: with a killed worker all have left that waited there, however many
--- zone
zone=events:1m presence=who grace=300ms buffer=2000
--- scenario
my $on = spread(10);
my ($pid) = keys %$on;
my $n = 0;
my @polls = map { poll({ conn => $_ }, map { (category => 'c' . ++$n) } 1 .. 60)
                } @{ $on->{$pid} };

is(scalar(grep { / comes/ } told(601)), 600, 'all come');
kill KILL => $pid;
is(scalar(grep { / leaves/ } told(600)), 600, 'all leave');
--- alert
worker process \d+ exited on signal 9



=== TEST 13: what finds no room is not reported, and that is logged
--- zone
zone=events:64k presence=who grace=300ms
--- scenario
my @cats = map { sprintf '%s%04d', 'x' x 1000, $_ } 1 .. 20;
my @polls = map { poll(category => $_) } @cats;

wait_waiting(20);
wait_log('error.log', qr/zone "events\d+" has no room for more present categories/);

my $n = grep { is_present($_) } @cats;
cmp_ok($n, '>', 0, 'some are there');
cmp_ok($n, '<', 20, 'some are not reported');
is(scalar told(1 + $n), 1 + $n, 'reset, and those come');
$_->close for @polls;
is(scalar told($n), $n, 'and leave');



=== TEST 14: a list says who is present, also in grace
--- zone
zone=events:1m presence=who grace=60s
--- scenario
my ($waits, $left, $with, $not) = map { category($_) } qw( waits left with not );

is_deeply([told(1)], ['reset'], 'the reset');
publish($_, 1) for $with, $not;

my @polls = map { poll(category => $_) } $waits, $left, $with;

is_deeply([sort(told(3))], [map { "$_ comes" } sort $waits, $left, $with],
          'three come');
$polls[1]->close;
wait_waiting(2);

my $page = get("/list?list&prefix=$left");

is($page->body =~ s/,"cursor".*//r,
   qq({"categories":[{"category":"$left","events":0,"waiting":0,)
   . '"first_id":null,"last_id":null,"present":true}]',
   'one in grace, to the byte');

for my $limit (1, 2, 100) {
    my $listed = listed($limit);

    is_deeply([map { [$_->{present} ? 1 : 0, $_->{waiting}, $_->{events}] }
               map { $_ // {} } @$listed{$waits, $left, $with, $not}],
              [[1, 1, 0], [1, 0, 0], [1, 1, 1], [0, 0, 1]],
              "$limit on a page");
    ok(!$listed->{who}{present}, 'nobody is told of the readers of the events');
    is(scalar keys %$listed, 5, 'no other one is listed');
}

change_conf { s/grace=60s/grace=300ms/ };
reload();
is_deeply([sort(told(3))], [map { "$_ leaves" } sort $waits, $left, $with],
          'three leave');
is_deeply([sort keys %{ listed(100) }], [sort $with, $not, 'who'],
          'those with events are listed still');



=== TEST 15: a list has those for whom there is no room, and is not present
--- zone
zone=events:64k presence=who grace=300ms
--- scenario
my @cats = map { sprintf '%s%04d', 'x' x 1000, $_ } 1 .. 20;
my @polls = map { poll(category => $_) } @cats;

wait_waiting(20);

my $listed = listed(3);

is(scalar(grep { $listed->{$_} && $listed->{$_}{waiting} == 1 } @cats), 20,
   'each is listed');

my @present = grep { $listed->{$_}{present} } @cats;

is_deeply(\@present, [grep { is_present($_) } @cats],
          'those who are present are those of the status');
cmp_ok(scalar @present, '<', 20, 'not all');



=== TEST 16: a poll for a new name is an event, so a full zone drops others
--- zone
zone=events:64k presence=who grace=300ms
--- scenario
my $cat = category();
my ($zone) = keys %{ get('/status')->json->{zones} };

publish($cat, 1);
is(status($zone, category => $cat)->{category}{events}, 1, 'an event');

my @polls = map { poll(category => "\x{1}" x 1000 . $_) } 1 .. 7;

wait_until { status($zone, category => $cat)->{category}{events} == 0 }
    'the event gone';
cmp_ok(status($zone)->{evicted}, '>', 0, 'it is gone for those of the polls');
