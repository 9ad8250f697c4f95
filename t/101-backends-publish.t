# docs/backends.md: publishing from inside nginx, and who may.

use lib 't/lib';
use Test::Nginx::Socket 'no_plan';
use Longpoll;
use Longpoll::Docs;

# scripts belong to the nginx that Debian has built them for

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
          'the application has it, too');



=== TEST 2: njs: the application's answer is published
--- recipe: njs
--- skip_eval
2: !$ENV{TEST_NGINX_HAS_NJS}
--- scenario
my $app = app('return (200, [], "thanks\n")');

shell('njs');



=== TEST 3: Lua: the application's answer is published
--- recipe: lua
--- skip_eval
2: !$ENV{TEST_NGINX_HAS_LUA}
--- scenario
my $app = app('return (200, [], "thanks\n")');

shell('lua');
