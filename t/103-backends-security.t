# docs/backends.md, the section on security, with line ends and empty values.
# In addition, every recipe of the page must have a test.

use lib 't/lib';
use Test::Nginx::Socket 'no_plan';
use Longpoll;
use Longpoll::Docs;

# Debian builds the modules for scripts for its own nginx only.

$ENV{TEST_NGINX_HAS_NJS} =
    Longpoll::Docs::has_module('ngx_http_js_module');
$ENV{TEST_NGINX_HAS_LUA} =
    Longpoll::Docs::has_module('ndk_http_module', 'ngx_http_lua_module');

my $tests = '';

for my $file (glob 't/10*-backends*.t t/085-h3.t t/clients/online.t') {
    open my $in, '<', $file or die "$file: $!\n";
    $tests .= join '', <$in>;
}

for my $name (Longpoll::Docs::marks('recipe')) {
    ok($tests =~ /^(?:---[ ]recipe(?::[ ]|[ ]eval\n).*|begin\(')
                  (?<![\w-])\Q$name\E(?![\w-])/mx,
       "a test runs the recipe $name");
}

ok($tests =~ /shell\('\Q$_\E'\)/, "a test runs the commands $_")
    for Longpoll::Docs::marks('shell');

ok($tests =~ /app_answering\('\Q$_\E'\)/, "a test gives the answer $_")
    for Longpoll::Docs::marks('answer');

ok(Longpoll::Docs::shown($_), "demo/backends/$_ has what the page shows")
    for Longpoll::Docs::marks('demo');

no_long_string();
run_tests();

__DATA__

=== TEST 1: a category with line ends cannot split a header, a log or JSON
--- recipe: log
--- config
        location = /shown {
            add_header X-Category $longpoll_category always;
            longpoll_subscribe events;
        }
--- scenario
my $cat = category() . "\r\nX-Evil: 1\r\n\r\n\tx";

publish($cat =~ s/\r/\\r/gr =~ s/\n/\\n/gr =~ s/\t/\\t/gr, 1, at(8081));

for (['/shown', get('/shown?timeout=2&since_time=0&category=' . escape($cat))],
     ['/events', get('/events?timeout=2&since_time=0&category=' . escape($cat),
                     at(8080))])
{
    my ($name, $r) = @$_;

    is($r->header('X-Evil'), undef, "$name: no header");
    is(($r->events)[0]{category}, $cat, "$name: the event");
    unlike($r->body, qr/[\r\n\t]/, "$name: escaped");
}

is(get('/shown?timeout=1&category=' . escape($cat))->header('X-Category'),
   $cat =~ s/\r/%0D/gr =~ s/\n/%0A/gr =~ s/\t/%09/gr, '$longpoll_category');

my $log = file('push.log');

wait_until {
    open my $in, '<', $log or die "$log: $!\n";
    grep { /^\{.*"result":"events",
             "category":"[^"]*%0D%0AX-Evil:[ ]1%0D%0A%0D%0A%09x".*\}$/x } <$in>;
} 'one line of the log';

pass('the log');



=== TEST 2: auth_request: line ends of a client do not reach the application
--- recipe: auth-request
--- scenario
my $app = app_answering('auth-request');
my $evil = '%0d%0aX-Evil:%201%0d%0a';

forget();
is(get("/events?timeout=1&category=$evil&x=$evil", at(8080))->kind, 'timeout',
   'the poll');

my ($seen) = $app->seen;

is($seen->{headers}{'x-evil'}, undef, 'no header');
is($seen->{headers}{'x-original-uri'},
   "/events?timeout=1&category=$evil&x=$evil", 'as the client wrote it');



=== TEST 3: X-Accel-Redirect: line ends in an address are data
--- recipe: accel
--- scenario
my $app = app('return (200, ["X-Accel-Redirect: /polls?timeout=2&since_time=0'
              . '&category=a%0D%0AX-Evil:1"], "")');

publish('a\r\nX-Evil:1', 1, at(8081));

my $r = get('/my/events', at(8080));

is(($r->events)[0]{category}, "a\r\nX-Evil:1", 'the event');
is($r->header('X-Evil'), undef, 'no header');



=== TEST 4: X-Accel-Redirect: line ends that the application unescapes
--- recipe: accel-category
--- scenario
# A line end in HTTP ends the header, so that the rest is another header.

my $app = app('return (200, ["X-Accel-Redirect: /polls?$r->{args}",'
              . ' "X-Category: a\r\nX-Evil: 1"], "")');

my $r = get('/my/events?timeout=1&category=b', at(8080));

is($r->kind, 'timeout', 'it polls');
is($r->header('X-Evil'), undef, 'and nginx passes nothing of it on');



=== TEST 5: a category in the path has no line ends
--- recipe: zones
--- scenario
is(get("/events/$_?timeout=1", at(8080))->status, 404, $_)
    for 'a%0D%0Ab', '%0Aa', 'a%0D', 'a%0A%0A';
is(get('/events/a%00?timeout=1', at(8080))->status, 400, 'nginx refuses a nul');

# In a regular expression "$" also matches before a last line end.

post('/publish/chat-nl%0A', 'x', at(8080));
is_deeply([get('/events/chat-nl?timeout=2&since_time=0', at(8080))->data],
          ['x'], 'a line end at the very end is not part of the name');



=== TEST 6: a name with line ends in it is only a name
--- recipe: user
--- cut: auth_basic .*
--- scenario
# "a\r\nX-Evil:1:x" in base64, which nothing checks without auth_basic.

my $r = get('/events?timeout=1', at(8080),
            headers => ['Authorization: Basic YQ0KWC1FdmlsOjE6eA==']);

is($r->status, 200, 'status');
is($r->header('X-Evil'), undef, 'no header');



=== TEST 7: a publish is refused if the configured category is empty
--- recipe: cors
--- scenario
my $app = app('return (200, [], "")');
my $r = post('/say?category=x', '{"category":"x","data":1}', at(8080));

is($r->status, 400, 'status');
is($r->body, '{"error": "Invalid or missing \'category\' arg, must be 1-1024 '
             . 'characters long."}', 'words');



=== TEST 8: the page of another site publishes nothing
--- recipe: mirror
--- scenario
my $app = app('return (200, [], "thanks\n")');

my $origins = sub {
    my ($uri, $body, %o) = @_;
    my $mine = delete $o{mine};
    my $before = get('/status', at(8081))->json->{zones}{events}{published};

    for my $origin ('https://evil.example', 'null',
                    'https://www.example.com.evil.example',
                    'http://www.example.com')
    {
        is(post($uri, $body, %o, headers => ["Origin: $origin"])->status, 403,
           "$uri: $origin");
    }

    is(get('/status', at(8081))->json->{zones}{events}{published}, $before,
       "$uri: nothing is published");
    is(post($uri, $body, %o,
            headers => ['Origin: https://www.example.com'])->status, $mine,
       "$uri: our own page") if $mine;
};

$origins->('/orders', '1', at(8080), mine => 200);
is(scalar $app->seen, 1, 'the application is asked by our own page alone');
$origins->('/publish', '{"category":"x","data":1}', at(8081));
is(post('/publish', '{"category":"x","data":1}', at(8081),
        headers => ['Origin: https://www.example.com'])->status, 403,
   'the application\'s own server refuses every page');



=== TEST 9: the page of another site cannot publish through X-Accel-Redirect
--- recipe: accel-publish
--- scenario
my $app = app_answering('accel-publish');

is(post('/say', 'x', at(8080), headers => ['Origin: https://evil.example'])
   ->status, 403, 'another site');
is(scalar $app->seen, 0, 'the application is not asked');
is(post('/say', 'x', at(8080), headers => ['Origin: https://www.example.com'])
   ->status, 200, 'our own page');



=== TEST 10: the page of another site cannot publish with a remembered password
--- recipe: publishers
--- scenario
my @password = ('Authorization: Basic YXBwOnNlY3JldA==');

is(post('/publish', event('farm', 1), at(8080), headers => [@password])->status,
   200, 'a program');
is(post('/publish', event('farm', 1), at(8080),
        headers => [@password, 'Origin: https://evil.example'])->status, 403,
   'another site');
is(get('/status', at(8080), headers => [@password])->status, 403,
   'the status is refused');
is(get("$_?category=farm", at(8080))->status, 404,
   "$_ does not exist on this port")
    for qw( /events /delete );



=== TEST 11: the page of another site cannot publish at a local location
--- recipe: zones
--- scenario
is(post('/publish/chat-o', 'x', at(8080),
        headers => ['Origin: https://evil.example'])->status, 403, 'a page');
is(post('/publish/chat-o', 'x', at(8080))->status, 200, 'a program');



=== TEST 12: scripts: the page of another site publishes nothing (njs)
--- recipe: njs
--- skip_eval
4: !$ENV{TEST_NGINX_HAS_NJS}
--- scenario
my $app = app('return (200, [], "thanks\n")');

is(post('/orders', 'x', at(8080), headers => ['Origin: https://evil.example'])
   ->status, 403, 'njs');
is(scalar $app->seen, 0, 'njs: the application is not asked');



=== TEST 13: scripts: the page of another site publishes nothing (Lua)
--- recipe: lua
--- skip_eval
4: !$ENV{TEST_NGINX_HAS_LUA}
--- scenario
my $app = app('return (200, [], "thanks\n")');

is(post('/orders', 'x', at(8080), headers => ['Origin: https://evil.example'])
   ->status, 403, 'Lua');
is(scalar $app->seen, 0, 'Lua: the application is not asked');



=== TEST 14: the page of another site removes no event
--- recipe: once
--- scenario
my @cross = (headers => ['Sec-Fetch-Site: cross-site']);

# HEAD is a poll that neither waits nor removes an event.

is(http('HEAD', '/mail?timeout=1&category=x', at(8080), @cross)->status, 403,
   'an image');
is(http('HEAD', '/mail?timeout=1&category=x', at(8080),
        headers => ["Sec-Fetch-Site: $_"])->status, 200, $_)
    for qw( same-origin same-site none );
is(http('HEAD', '/mail?timeout=1&category=x', at(8080))->status, 200,
   'a program');



=== TEST 15: a user name with a comma is one category, without separator=
--- recipe: auth-request-own
--- scenario
my $app = app_answering('auth-request-own');

shell('auth-request-own');
publish('user-x,user-18', '"own"', at(8081));
is_deeply([get('/events?timeout=2&since_time=0&category=user-18',
               at(8080))->data], [qw( lunch own )],
          'the user gets one category, and no other');



=== TEST 16: with separator= such a name would be two categories
--- recipe: auth-request
--- scenario
my $app = app('return (200, ["X-Categories: user-x,user-18"], "")');

forget();
publish('user-18', '"secret"', at(8081));
is_deeply([get('/events?timeout=2&since_time=0', at(8080))->data], ['secret'],
          'so the page warns');



=== TEST 17: if the configured category is empty, the client's is not used
--- recipe: auth-request-own
--- scenario
my $app = app('return (200, [], "")');

publish($_, '"secret"', at(8081)) for 'team-5', 'user-18';

my $r = get('/events?timeout=1&since_time=0&category=team-5&category=user-18',
            at(8080), headers => ['X-Team: team-5', 'X-Own: user-18']);

is($r->kind, 'timeout', 'the poll is for the public category only');



=== TEST 18: X-Accel-Redirect: an empty header names no category
--- recipe: accel-category
--- scenario
my $bad = '{"error": "Invalid subscription category, must be 1-1024 characters '
          . 'long."}';

publish('user-17', '"secret"', at(8081));

for my $header ('', '"X-Category: "') {
    my $app = app('return (200, ["X-Accel-Redirect: /polls?$r->{args}", '
                  . $header . '], "")');

    is(get('/my/events?timeout=1&since_time=0&category=user-17', at(8080),
           headers => ['X-Category: user-17'])->body, $bad,
       "the answer has: $header");
    is(get('/polls?timeout=1&category=user-17', at(8080))->status, 404,
       'and a client cannot go around it');
}
