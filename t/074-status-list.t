# longpoll_status of one zone with ?list: its categories, page by page.

use lib 't/lib';
use Test::Nginx::Socket 'no_plan';
use Longpoll;

# A block has a zone of its own: with a reload from block to block a zone keeps
# its categories.

my $blocks = 0;

add_block_preprocessor(sub {
    my ($block) = @_;

    my $name = 'list' . ++$blocks;
    my $zone = $block->zone || '1m';
    my $http = ($block->http || '') =~ s/ZONE/$name/gr;
    my $locations = ($block->locations || '') =~ s/ZONE/$name/gr;

    $block->set_value(http_config => "    longpoll_zone zone=$name:$zone;\n"
                                     . $http);
    $block->set_value(config => <<"_EOC_" . $locations);
        location = /events  { longpoll_subscribe $name; }
        location = /publish { longpoll_publish   $name; }
        location = /delete  { longpoll_delete    $name; }
        location = /list    { longpoll_status    $name; }
_EOC_
});


# for the scenarios

package Longpoll::Scenario;

# A page, with these arguments.

sub page {
    my $r = get('/list?list' . (@_ ? '&' . query(@_) : ''));

    die $r->status . ' ' . $r->body . "\n" if $r->status != 200;
    return $r->json;
}

# All entries of a list; $between is called between two pages.

sub entries {
    my ($between, @args) = @_;

    my ($next, @all);

    do {
        my $page = page(@args, defined $next ? (after => $next) : ());

        push @all, @{ $page->{categories} };
        $next = $page->{next};
        $between->() if $between and defined $next;

    } while (defined $next);

    return @all;
}

# How often each name is listed.

sub names {
    my %n;

    $n{ $_->{category} }++ for entries(@_);
    return \%n;
}

# A poll of some categories, if any, that waits in a worker.

sub poll_in {
    my ($pid, @cats) = @_;
    my $poll;

    return unless @cats;

    do {
        $poll = connection();
    } until $poll->request('GET', '/pid')->response->body =~ /\b$pid\b/;

    my $n = status()->{waiting};

    $poll->request('GET', '/events?timeout=100&'
                          . query(map { (category => $_) } @cats));
    wait_waiting($n + 1);

    return $poll;
}

# One worker has a poll of these categories, and is stopped while the other one
# answers, which has a poll of @$ours.

sub late {
    my ($ours, @waits) = @_;
    my $cat = category('e');

    publish($cat, 1);

    my $c = connection();
    my ($here) = $c->request('GET', '/pid')->response->body =~ /(\d+)/;
    my ($there) = grep { $_ != $here } worker_pids();
    my @polls = map { poll_in(@$_) } [$here, @$ours], [$there, @waits];

    wait_until { state($there) eq 'S' } 'the other worker sleeps';
    kill STOP => $there;
    wait_until { state($there) eq 'T' } 'the other worker stopped';

    my (%n, $next);
    my $more = sub {
        my $r = $c->request('GET', '/list?'
                . query(list => 1, defined $next ? (after => $next) : ())
            )->response;

        $n{ $_->{category} }++ for @{ $r->json->{categories} };
        $next = $r->json->{next};
        return $r->status;
    };

    is($more->(), 200, 'nginx answers without it');
    ok($next, 'and the list has not ended');
    $more->();
    ok($next, 'nor with the next page');
    is(scalar(grep { $n{$_} } @waits), 0,
       'as the poll of the other worker has no name here');

    kill CONT => $there;
    $more->() while defined $next;

    is_deeply(\%n, { map { $_ => 1 } $cat, @$ours, @waits },
              'it is listed when the worker is back');
}

package main;

master_on();
workers(2);
worker_connections(512);
no_long_string();
run_tests();

__DATA__

=== TEST 1: a list of no category, and of one, to the byte
--- scenario
my $id = '[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}';
my $r = get('/list?list');

is($r->header('Content-Type'), 'application/json', 'Content-Type');
like($r->body, qr/^\{"categories":\[\],"cursor":"$id"\}$/, 'no category');

my @ids = map { post('/publish', event('a\"b', $_))
                    ->header('Longpoll-Event-Id') } 1, 2;

like(get('/list?list=')->body,
     qr/^\{"categories":\[\{"category":"a\\"b","events":2,"waiting":0,
        "first_id":"$ids[0]","last_id":"$ids[1]"\}\],"cursor":"$ids[1]"\}$/x,
     'one, with events');

http('DELETE', '/delete?category=a%22b');
my $p = poll(category => 'w');
wait_waiting(1);

like(get('/list?x&list')->body,
     qr/^\{"categories":\[\{"category":"w","events":0,"waiting":1,
        "first_id":null,"last_id":null\}\],"cursor":"$id"\}$/x,
     'one that somebody waits for');
is(http('HEAD', '/list?list')->status, 200, 'HEAD');



=== TEST 2: events and polls of all workers are in it, and nothing else
--- scenario
my @cats = map { category("l$_") } 1 .. 6;
my %ids = map { my $n = $_; $cats[$n] => [map { publish($cats[$n], $_) }
                                              1 .. $n + 1] } 0 .. 2;
my @polls = ((map { poll(category => $cats[1]) } 1 .. 9),
             (map { poll(category => $cats[3], category => $cats[4]) }
                  1 .. 11));
wait_waiting(20);

my %want = map { $_ => { category => $_, waiting => 0,
                         events => scalar @{ $ids{$_} || [] },
                         first_id => $ids{$_} ? $ids{$_}[0] : undef,
                         last_id => $ids{$_} ? $ids{$_}[-1] : undef } }
           @cats[0 .. 4];
$want{$cats[1]}{waiting} = 9;
$want{$_}{waiting} = 11 for @cats[3, 4];

for my $limit (1, 2, 3, 100) {
    my @got = grep { $want{ $_->{category} } } entries(undef, limit => $limit);

    is_deeply([sort { $a->{category} cmp $b->{category} } @got],
              [map { $want{$_} } sort keys %want], "$limit on a page");
}

$_->close for @polls;
wait_waiting(0);
wait_until { keys %{ names() } == 3 } 'only those with events';
pass('who has left is not in it');



=== TEST 3: what is there all the while is listed once, whatever comes and goes
--- zone: 16m
--- scenario
my @stay = map { category("s$_") } 1 .. 200;
my @wait = map { category("w$_") } 1 .. 60;
my $n = 0;

publish($_, 1) for @stay;
my @polls = map { poll(category => $_) } @wait;
wait_waiting(60);

my %want = map { $_ => 1 } @stay, @wait;
my $c = connection();

my $names = names(sub {
    for (1 .. 5) {
        publish("come" . $n++, 1, conn => $c);
    }
    $c->request('DELETE', '/delete?category=come' . ($n - 3))->response;

    # some wait, and have an event, and wait again, in another worker perhaps

    publish($wait[$n % 60], 1, conn => $c);
    $polls[$n % 60]->answer;
    $polls[$n % 60] = poll(category => $wait[$n % 60]);
}, limit => 10);

cmp_ok($n, '>', 100, 'much has changed');
is_deeply({ map { $_ => $names->{$_} // 0 } keys %want }, \%want,
          'each is listed once');
is(scalar(grep { $_ != 1 } values %$names), 0, 'and no other one twice');



=== TEST 4: a token holds over a reload, and in a zone of another size
--- scenario
my %want = map { category("t$_") => 1 } 1 .. 300;

publish($_, 1) for keys %want;

my $times = 0;
my $names = names(sub {
    $times++;
    reload() if $times == 2;
    if ($times == 4) {
        change_conf { s/list4:1m/list4:2m/ };
        reload();
    }
    if ($times == 6) {
        change_conf { s/list4:2m/list4:512k/ };
        reload();
    }
}, limit => 30);

cmp_ok($times, '>=', 8, 'there were pages behind each of them');
is_deeply({ map { $_ => $names->{$_} // 0 } keys %want }, \%want,
          'each category is listed once');



=== TEST 5: prefix= lists only the categories whose names begin so
--- scenario
my %want = map { ("user: $_" => 1) } 1 .. 30;

publish($_, 1) for (map { "room:$_" } 1 .. 100), (sort keys %want)[0 .. 19];
my @polls = map { poll(category => $_) } "user", "room:x",
                                         (sort keys %want)[20 .. 29];
wait_waiting(12);

is_deeply(names(undef, prefix => 'user: ', limit => 9), \%want, 'these');
is_deeply(names(undef, prefix => 'user: 30'), { 'user: 30' => 1 },
          'a whole name');
is_deeply(names(undef, prefix => 'none'), {}, 'none');
is(scalar keys %{ names(undef, prefix => '') }, 132, 'all: an empty prefix');
is_deeply(page(prefix => 'x' x 2000)->{categories}, [], 'longer than any name');



=== TEST 6: a wrong limit or token, and other locations: 400
--- locations
        location = /text { longpoll_status ZONE format=prometheus; }
--- scenario
publish(category(), $_) for 1 .. 3;
publish(category(), 1);

my $page = page(limit => 1);
my $token = $page->{next};

like($token, qr/^[A-Za-z0-9_~.-]+$/, 'a token needs no escape');
ok(!exists page(after => $token)->{cursor}, 'only the first page has a cursor');

my $limit = q({"error": "Invalid 'limit' arg.  Must be 1-1000."});

for my $wrong (0, 1001, -1, 'x', '1x', '99999999999999999999') {
    my $r = get("/list?list&limit=$wrong");

    is($r->status, 400, "limit=$wrong");
    is($r->body, $limit, 'words');
}

is(get("/list?list&limit=$_")->status, 200, "limit=$_") for '', 1, 1000;

(my $changed = $token) =~ tr/0-9a-f/1-9a-f0/;

for my $wrong ('x', '0', substr($token, 1), "0$token", $changed,
               substr($changed, 0, 16) . substr($token, 16))
{
    my $r = get("/list?list&after=$wrong");

    is($r->status, 400, "after=$wrong");
    is($r->body, q({"error": "Invalid 'after' arg.  Must be the 'next' of a )
                 . q(page of this zone."}), 'words');
}

is(get('/list?list&after=')->status, 200, 'an empty one: the first page');
is(get("/list?list&after=\U$token")->status, 200, 'in upper case');

for my $uri ('/status', '/text') {
    my $r = get("$uri?list");

    is($r->status, 400, $uri);
    is($r->body, q({"error": "Invalid 'list' arg.  This is not the status of )
                 . q(one zone in JSON."}), 'words');
}

is((values %{ get('/list?lis')->json->{zones} })[0]{events}, 4, 'another name');



=== TEST 7: from the first page's cursor on a client gets what came since
--- scenario
my $cat = category();

publish($cat, 1);
my $cursor = page()->{cursor};
my $id = publish($cat, 2);

is_deeply([ask(category => $cat, last_id => $cursor)->ids], [$id],
          'the event behind it');



=== TEST 8: polls without a slot of the zone are listed, too
--- zone: 64k
--- scenario
my @cats = map { category("n$_") } 1 .. 90;
my @polls = map { my $n = $_;
                  poll(map { (category => $_) } @cats[30 * $n .. 30 * $n + 29])
                } 0 .. 2;
wait_waiting(3);
is(status()->{categories}, 32, 'a quarter of the slots is for polls');

is_deeply(names(undef, limit => 8), { map { $_ => 1 } @cats }, 'each once');



=== TEST 9: a stream counts while its client does not read
--- zone: 16m buffer=100000
--- http
    server {
        listen 127.0.0.1:$TEST_NGINX_RAND_PORT_1 sndbuf=16k;
        location = /events { longpoll_subscribe ZONE; }
    }
--- scenario
my ($cat, $other) = (category(), category());
my $s = stream({ port => rand_port(1) }, category => $cat, category => $other);

$s->next;
my $delivered = -1;

while (status()->{delivered} != $delivered) {
    $delivered = status()->{delivered};
    my $r = post('/publish', '[' . join(',', (event($cat, text(500))) x 500)
                             . ']');
    is($r->status, 200, 'events, until it is held');
}

my $waiting = sub { status(undef, category => $_[0])->{category}{waiting} };

is($waiting->($_), 1, 'with ?category=') for $cat, $other;

my %n = map { $_->{category} => $_->{waiting} } entries();
is_deeply(\%n, { $cat => 1, $other => 1 }, 'with ?list');



=== TEST 10: names of all lengths, in pages that have no room for all
--- zone: 16m
--- scenario
my @long = map { sprintf('%04d', $_) . "\x{1}" x 1020 } 1 .. 150;
my @wait = map { sprintf('%04d', $_) . "\x{2}" x 1020 } 1 .. 40;

is(post('/publish', '[' . join(',', map { event(s/\x{1}/\\u0001/gr, 1) } @long)
                    . ']')->status, 200, 'published');
my @polls = map { poll(category => $_) } @wait;
wait_waiting(40);

my $page = page(limit => 1000);
my $n = @{ $page->{categories} };
cmp_ok($n, '<', 100, "$n on a page");
ok($page->{next}, 'and there is a next one');

is_deeply(names(undef, limit => 1000), { map { $_ => 1 } @long, @wait },
          'each once');



=== TEST 11: two zones are listed at once, by many clients
--- http
    longpoll_zone zone=two:1m;
--- locations
        location = /two      { longpoll_subscribe two; longpoll_publish two; }
        location = /two/list { longpoll_status two; }
--- scenario
my @polls = map { (poll(category => "one$_"),
                   poll({ uri => '/two' }, category => "two$_")) } 1 .. 20;
wait_waiting(40);

my @conns = map { (connection()->request('GET', '/list?list'),
                   connection()->request('GET', '/two/list?list')) } 1 .. 10;

for my $i (0 .. $#conns) {
    my $name = $i % 2 ? 'two' : 'one';
    my $json = $conns[$i]->response->json;

    is_deeply({ map { $_->{category} => $_->{waiting} }
                    @{ $json->{categories} } },
              { map { ("$name$_" => 1) } 1 .. 20 }, "the list of $name");
}



=== TEST 12: a list ends in front of what only a stopped worker can name
--- scenario
late([], category('w'));



=== TEST 13: a list does not go on while such a worker has polls without a slot
--- zone: 64k
--- scenario
# The other worker's poll takes all slots.

late([map { category("h$_") } 1 .. 40], map { category("w$_") } 1 .. 20);



=== TEST 14: a small list in a large zone is one page
--- zone: 64m
--- scenario
publish(category(), 1);
ok(!exists page()->{next}, 'it has no next one');



=== TEST 15: 100,000 categories are listed while they change
--- zone: 128m
--- scenario
my $c = connection();
my $batch = sub {
    my $r = post('/publish', '[' . join(',', map { event($_, 1) } @_) . ']',
                 conn => $c);
    die $r->body if $r->status != 200;
};

$batch->(map { "k$_" } 1000 * $_ .. 1000 * $_ + 999) for 0 .. 99;
my @polls = map { poll(category => "p$_", timeout => 120) } 1 .. 300;
wait_waiting(300);

my $n = 0;
my $names = names(sub {
    $n++;
    $batch->(map { "new$n-$_" } 1 .. 20);
    http('DELETE', "/delete?category=new$n-7");
    publish('k' . (997 * $n % 100_000), 2, conn => $c);
}, limit => 1000);

cmp_ok($n, '>', 90, 'pages');
is(scalar(grep { $names->{$_} } map { "k$_" } 0 .. 99_999), 100_000,
   'all of those that stay');
is(scalar(grep { $names->{"p$_"} } 1 .. 300), 300, 'and those with polls');
is(scalar(grep { $_ != 1 } values %$names), 0, 'each once');
