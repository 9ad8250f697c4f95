# longpoll_status with ?category=: the workers answer it together, since each
# knows only its own polls.

use lib 't/lib';
use Test::Nginx::Socket 'no_plan';
use Longpoll;

master_on();
workers(2);
no_long_string();
run_tests();

__DATA__

=== TEST 1: ?category= shows one category, with the polls of all workers
--- scenario
my $cat = category('a <b> & &c');
my @ids = map { publish($cat, $_) } 1 .. 3;
my $status = sub { status('events', category => $cat)->{category} };

is_deeply($status->(), { name => $cat, events => 3, waiting => 0,
                         first_id => $ids[0], last_id => $ids[2] },
          'three events');

my @polls = map { poll(category => $cat) } 1 .. 20;
push @polls, poll(category => $cat, category => category('other'));
my $other = poll(category => category('other'));

wait_waiting(22);
is($status->()->{waiting}, 21, 'its polls, and no others');

$_->close for @polls[0 .. 4];
wait_waiting(17);
is($status->()->{waiting}, 16, 'some have left');

publish($cat, 4);
$_->answer for @polls[5 .. 20];
is($status->()->{waiting}, 0, 'nobody waits');
is($status->()->{events}, 4, 'four events');



=== TEST 2: ?category= with an unknown category
--- scenario
my $cat = category();
my $before = status('events')->{categories};

is_deeply(status('events', category => $cat)->{category},
          { name => $cat, events => 0, waiting => 0, first_id => undef,
            last_id => undef }, 'nothing');
is(status('events')->{categories}, $before, 'the question creates no category');

my $p = poll(category => $cat);

wait_waiting(1);
is(status('events', category => $cat)->{category}{waiting}, 1,
   'a poll for a category without events');



=== TEST 3: ?category= for every zone, and for one zone
--- http_config
    longpoll_zone zone=one:1m;
    longpoll_zone zone=two:1m;
--- config
        location = /one    { longpoll_subscribe one; longpoll_publish one; }
        location = /two    { longpoll_subscribe two; longpoll_publish two; }
        location = /just   { longpoll_status two; }
--- scenario
my $cat = category();

publish($cat, 1, uri => '/one');
publish($cat, $_, uri => '/two') for 1, 2;

my $zones = get("/status?category=$cat")->json->{zones};

is($zones->{one}{category}{events}, 1, 'one');
is($zones->{two}{category}{events}, 2, 'two');

$zones = get("/just?category=$cat")->json->{zones};
is_deeply([keys %$zones], ['two'], 'one zone');
is($zones->{two}{category}{events}, 2, 'its category');



=== TEST 4: ?category= with an empty or an invalid category
--- scenario
my $bad = '{"error": "Invalid subscription category, must be 1-1024 characters '
          . 'long."}';

is(get('/status?category=')->json->{zones}{events}{category}, undef, 'empty');
is(get('/status?Category=x')->status, 200, 'another name');
is(get('/status?category=&%63ategory=x')
     ->json->{zones}{events}{category}{name}, 'x', 'behind an empty one');

for my $category ('x' x 1025, '%ff') {
    my $r = get("/status?category=$category");

    is($r->status, 400, 'status');
    is($r->body, $bad, 'words');
}

my $r = get('/status?' . join '&', map { "category=$_" } 1 .. 65);

is($r->status, 400, 'too many: status');
is($r->body, '{"error": "Too many categories, must be 1-64."}',
   'too many: words');



=== TEST 5: ?category= does not keep a category alive
--- http_config
    longpoll_zone zone=events:1m inactive=1s;
--- scenario
my $cat = category();

publish($cat, 1);
is(status('events', category => $cat)->{category}{events}, 1, 'at first');
wait_until { status('events', category => $cat)->{category}{events} == 0 }
    'none';
pass('the event expires all the same');



=== TEST 6: many clients ask at once
--- scenario
my @cats = map { category() } 1 .. 20;
my @polls = map { my $n = $_; map { poll(category => $cats[$n]) } 1 .. $n }
    1 .. 5;

wait_waiting(15);

my @conns = map { connection()->request('GET', "/status?category=$_") } @cats;

is_deeply([map { $_->response->json->{zones}{events}{category}{waiting} }
               @conns], [0 .. 5, (0) x 14],
          'each client gets the polls of its category');



=== TEST 7: ?category= when its client leaves
--- scenario
my $cat = category();
my $p = poll(category => $cat);

wait_waiting(1);

for (1 .. 20) {
    my $c = connection()->request('GET', "/status?category=$cat");
    $_ % 2 ? $c->close : $c->reset;
}

is(status('events', category => $cat)->{category}{waiting}, 1, 'as ever');



=== TEST 8: ?category= when a worker is stopped
--- scenario
my $cat = category();
my $p = poll(category => $cat);

wait_waiting(1);

my $c = connection();
my ($here) = $c->request('GET', '/pid')->response->body =~ /(\d+)/;
my ($there) = grep { $_ != $here } worker_pids();

# A worker that is stopped while it has the zone's lock would stop the others.

wait_until { state($there) eq 'S' } 'the other worker sleeps';
kill STOP => $there;
wait_until { state($there) eq 'T' } 'the other worker stopped';

my $r = $c->request('GET', "/status?category=$cat")->response;
kill CONT => $there;

is($r->status, 200, 'nginx answers without the stopped worker');
cmp_ok($r->json->{zones}{events}{category}{waiting}, '<=', 1,
       'with the polls of the other worker');



=== TEST 9: many clients ask while a worker is stopped
--- scenario
my $cat = category();
my $on = spread(9);
my ($here, $there) = keys %$on;
my $p = poll({ conn => shift @{ $on->{$here} } }, category => $cat);

wait_waiting(1);
wait_until { state($there) eq 'S' } 'the other worker sleeps';
kill STOP => $there;
wait_until { state($there) eq 'T' } 'the other worker stopped';

$_->request('GET', "/status?category=$cat") for @{ $on->{$here} };
my @waiting = map { $_->response->json->{zones}{events}{category}{waiting} }
              @{ $on->{$here} };
kill CONT => $there;

is_deeply(\@waiting, [(1) x 8], 'each gets the polls of the other worker');
