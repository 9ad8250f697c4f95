# docs/backends.md: publishing from inside nginx, and the publishers that are
# allowed.

use lib 't/lib';
use Test::Nginx::Socket 'no_plan';
use Longpoll;
use Longpoll::Docs;

# Debian builds the modules for scripts for its own nginx only.

$ENV{TEST_NGINX_HAS_NJS} =
    Longpoll::Docs::has_module('ngx_http_js_module');
$ENV{TEST_NGINX_HAS_LUA} =
    Longpoll::Docs::has_module('ndk_http_module', 'ngx_http_lua_module');

no_long_string();
run_tests();

__DATA__

=== TEST 1: mirror: the body of a request is published
--- recipe: mirror
--- scenario
my $app = app('return (200, [], "thanks\n")');

shell('mirror');
is_deeply([map { $_->{body} } $app->seen], ['{"item":"hay","n":3}'],
          'the application gets the request, too');



=== TEST 2: mirror: other methods, and a POST that the application refuses
--- recipe: mirror
--- scenario
my $app = app('return (403, [], "no\n")');

forget();
is(http($_, '/orders', at(8080))->status, 403, $_) for qw( GET PUT DELETE );

my $p = poll({ at(8081) }, category => 'orders');

wait_waiting(1);
is(post('/orders', '[1]', at(8080))->status, 403, 'a POST');
is_deeply([$p->answer->data], [[1]], 'is published all the same');
is(scalar(ask({ at(8081) }, category => 'orders', since_time => 0)->events), 1,
   'and nothing else');
is(post('/ordered', '[1]', at(8080))->status, 404, 'not for clients');



=== TEST 3: mirror: a body in a file, and a body that is not JSON
--- recipe: mirror
--- scenario
my $app = app('return (200, [], length $r->{body})');
my $large = '"' . 'x' x 300_000 . '"';

forget();
is(post('/orders', 'oink', at(8080))->status, 200,
   'a body that is not JSON is not published');
is(post('/orders', $large, at(8080))->body, length $large, 'large');
is_deeply([ask({ at(8081) }, category => 'orders', since_time => 0)->data],
          ['x' x 300_000], 'published whole');



=== TEST 4: mirror without the body: an event says that something has changed
--- recipe: mirror
--- change
mirror     /ordered; => mirror /ordered; mirror_request_body off;
format=json => format=text
--- scenario
my $app = app('return (200, [], $r->{body})');

forget();
is(post('/orders', '{"n":3}', at(8080))->body, '{"n":3}',
   'the application gets the body');
is_deeply([ask({ at(8081) }, category => 'orders', since_time => 0)->data],
          [''], 'the event has nothing of it');



=== TEST 5: njs: the application's answer is published
--- recipe: njs
--- skip_eval
8: !$ENV{TEST_NGINX_HAS_NJS}
--- scenario
my $app = app('return ($r->{body} eq "no" ? 403 : 200, [], "thanks\n")');

shell('njs');
is(post('/orders', 'no', at(8080))->status, 403, 'refused by the application');
is(get('/orders', at(8080))->body, "thanks\n", 'a GET');
is(scalar(ask({ at(8081) }, category => 'orders', since_time => 0)->events), 1,
   'neither is published');



=== TEST 6: Lua: the application's answer is published
--- recipe: lua
--- skip_eval
8: !$ENV{TEST_NGINX_HAS_LUA}
--- scenario
my $app = app('return ($r->{body} eq "no" ? 403 : 200, [], "thanks\n")');

shell('njs');
is(post('/orders', 'no', at(8080))->status, 403, 'refused by the application');
is(get('/orders', at(8080))->body, "thanks\n", 'a GET');
is(scalar(ask({ at(8081) }, category => 'orders', since_time => 0)->events), 1,
   'neither is published');



=== TEST 7: publishers: allowed by a socket, a password or an address
--- recipe: publishers
--- scenario
shell('publishers');



=== TEST 8: publishers: without the passwords all are refused
--- recipe: publishers
--- cut: auth_basic.*
--- scenario
is(post('/publish', event('farm', 1), at(8080))->status, 403, 'by the address');
