# longpoll_delete: removes all events of the named categories.

use lib 't/lib';
use Test::Nginx::Socket 'no_plan';
use Longpoll;

no_long_string();

add_block_preprocessor(sub {
    my ($block) = @_;

    return if defined $block->config;

    $block->set_value(config => <<'_EOC_');
        location = /events  { longpoll_subscribe events; }
        location = /publish { longpoll_publish events; }
        location = /delete  { longpoll_delete events; }
_EOC_
});

run_tests();

__DATA__

=== TEST 1: a delete removes a category's events and no others
--- scenario
my ($a, $b) = (category('a'), category('b'));

publish($a, $_) for 1 .. 3;
publish($b, 4);

my $r = http('DELETE', "/delete?category=$a");

is($r->status, 200, 'status');
is($r->body, '{"success": true}', 'body');
is($r->header('Content-Type'), 'application/json', 'type');
is($r->header('X-Content-Type-Options'), 'nosniff', 'nosniff');

is(ask(category => $a, since_time => 0, timeout => 1)->kind, 'timeout', 'gone');
is_deeply([ask(category => $b, since_time => 0)->data], [4], 'the other stays');



=== TEST 2: POST does the same, and its body is ignored
--- scenario
my $cat = category();

publish($cat, 1);
is(post("/delete?category=$cat", event($cat, 2))->body, '{"success": true}',
   'POST');
is(ask(category => $cat, since_time => 0, timeout => 1)->kind, 'timeout',
   'gone');



=== TEST 3: several categories, escaped as in a poll
--- scenario
my @cats = (category('a'), category('b ü+&'), category('c'));

publish($_, 1) for @cats;
http('DELETE', '/delete?' . query(map { (category => $_) } @cats[0, 1]));

is(ask(category => $_, since_time => 0, timeout => 1)->kind, 'timeout', $_)
    for @cats[0, 1];
is_deeply([ask(category => $cats[2], since_time => 0)->data], [1], $cats[2]);



=== TEST 4: a poll does not miss what was deleted
--- scenario
my $cat = category();
my $first = publish($cat, 1);

publish($cat, $_) for 2, 3;
http('DELETE', "/delete?category=$cat");

my $r = ask(category => $cat, last_id => $first, timeout => 1);

is($r->kind, 'timeout', 'nothing is there');
is($r->missed, 0, 'nothing is missed');

publish($cat, 4);
$r = ask(category => $cat, last_id => $first);
is_deeply([$r->data], [4], 'what came behind');
is($r->missed, 0, 'nothing is missed');



=== TEST 5: a parked poll continues to wait
--- scenario
my $cat = category();
my $p = poll(category => $cat);

wait_waiting(1);
http('DELETE', "/delete?category=$cat");
ok($p->parked, 'parked');

publish($cat, 1);
is_deeply([$p->answer->data], [1], 'answered');



=== TEST 6: errors in the categories are those of a poll, with status 400
--- scenario
my $bad = 'Invalid subscription category, must be 1-1024 characters long.';

for (['', $bad], ['?category=', $bad], ['?category=' . 'x' x 1025, $bad],
     ['?category=%ff', $bad], ['?timeout=1', $bad],
     ['?' . join('&', map { "category=$_" } 1 .. 65),
      'Too many categories, must be 1-64.'])
{
    my ($args, $error) = @$_;
    my $r = http('DELETE', "/delete$args");

    is($r->status, 400, 'status');
    is($r->body, qq({"error": "$error"}), 'words');
}



=== TEST 7: other methods are refused
--- scenario
for my $method (qw( GET PUT HEAD )) {
    my $r = http($method, '/delete?category=farm');

    is($r->status, 405, "$method: status");
    is($r->header('Allow'), 'POST, DELETE, OPTIONS', "$method: Allow");
    is($r->body, '{"error": "Invalid HTTP Method. Only POST and DELETE '
                 . 'allowed."}', "$method: words") if $method ne 'HEAD';
}

my $r = http('OPTIONS', '/delete');

is($r->status, 204, 'OPTIONS: status');
is($r->header('Allow'), 'POST, DELETE, OPTIONS', 'OPTIONS: Allow');



=== TEST 8: one location may poll, publish and delete
--- config
        location = /events {
            longpoll_subscribe events;
            longpoll_publish   events;
            longpoll_delete    events;
        }
        location = /two {
            longpoll_subscribe events;
            longpoll_delete    events;
        }
--- scenario
my $cat = category();

publish($cat, 1, uri => '/events');
is_deeply([ask(category => $cat, since_time => 0)->data], [1], 'POST, GET');
http('DELETE', "/events?category=$cat");
is(ask(category => $cat, since_time => 0, timeout => 1)->kind, 'timeout',
   'DELETE');

publish($cat, 2, uri => '/events');
post("/two?category=$cat", '');
is(ask(category => $cat, since_time => 0, timeout => 1)->kind, 'timeout',
   'POST, where nobody publishes');

my $r = http('PUT', '/events');

is($r->header('Allow'), 'GET, HEAD, POST, DELETE, OPTIONS', 'Allow');
is($r->body, '{"error": "Invalid HTTP Method. Only GET, POST and DELETE '
             . 'allowed."}', 'words');



=== TEST 9: longpoll_category names the categories to delete
--- config
        location = /events  { longpoll_subscribe events; }
        location = /publish { longpoll_publish events; }
        location = /delete {
            longpoll_category $arg_user $arg_more;
            longpoll_delete events;
        }
--- scenario
my ($a, $b, $c) = (category('a'), category('b'), category('c'));

publish($_, 1) for $a, $b, $c;
is(http('DELETE', "/delete?category=$c&user=$a&more=$b")->status, 200,
   'status');
is(ask(category => $a, category => $b, since_time => 0, timeout => 1)->kind,
   'timeout', 'those of the configuration are gone');
is_deeply([ask(category => $c, since_time => 0)->data], [1],
          'the request\'s own is not');
is(http('DELETE', "/delete?category=$c")->status, 400, 'none');



=== TEST 10: the variables and the counters of a delete
--- http_config
    longpoll_zone zone=figures:1m;
    log_format longpoll '$request_method $status <$longpoll_result> '
                        '<$longpoll_category> <$longpoll_events> '
                        '<$longpoll_event_id>';
    access_log logs/longpoll.log longpoll;
--- config
        location = /publish { longpoll_publish figures; }
        location = /delete  { longpoll_delete figures; }
--- scenario
my $cat = category();

publish($cat, $_) for 1 .. 3;

my $before = status('figures');

http('DELETE', "/delete?category=$cat");

my $after = status('figures');

is($before->{events} - $after->{events}, 3, 'events');
is($before->{categories} - $after->{categories}, 1, 'categories');
is($after->{$_}, $before->{$_}, $_) for qw( expired evicted published );
is(wait_log('longpoll.log', qr/^DELETE/), "DELETE 200 <deleted> <$cat> <0> <->",
   'the log');



=== TEST 11: deleting many events does not disturb publishes to another category
--- http_config
    longpoll_zone zone=events:16m buffer=50000;
--- scenario
my ($a, $b) = (category('a'), category('b'));
my $batch = '[' . join(',', map { event($a, $_) } 1 .. 1000) . ']';

post('/publish', $batch) for 1 .. 20;

my ($c, $d) = (connection(), connection());

$c->request('DELETE', "/delete?category=$a");
$d->request('POST', '/publish', body => event($b, 1));
is($c->response->status, 200, 'deleted');
is($d->response->status, 200, 'published');
is(ask(category => $a, since_time => 0, timeout => 1)->kind, 'timeout', 'gone');
is_deeply([ask(category => $b, since_time => 0)->data], [1], 'there');
