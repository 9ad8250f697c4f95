# Streams and body filters of other modules: each sees every event, and the end
# of the stream when it comes.

use lib 't/lib';
use Test::Nginx::Socket 'no_plan';
use Cwd qw( abs_path );
use File::Basename qw( dirname );
use Longpoll;
use Longpoll::Docs;
use Longpoll::H2;

# Debian builds these modules for its own nginx only.

my $modules = '/usr/lib/nginx/modules';

our $lua = Longpoll::Docs::has_module('ndk_http_module', 'ngx_http_lua_module');
our $js = Longpoll::Docs::has_module('ngx_http_js_module');
our $subs = Longpoll::Docs::has_module('ngx_http_subs_filter_module');

# A filter that keeps nothing for a request, unlike nginx's own.

our $filter = abs_path(dirname(__FILE__) . '/../build/filter') . '/filter.so';
our $plain = Longpoll::Docs::has_module($filter);

# Beside the usual server, every block has one with HTTP/2 (port 1).

add_block_preprocessor(sub {
    my ($block) = @_;

    my $filter = $block->filter // '';
    my $locations = <<"_EOC_";
        location = /publish { longpoll_publish events; }
        location = /events {
            longpoll_subscribe events;
$filter        }
_EOC_

    $block->set_value(main_config => join '',
        map { "load_module $_;\n" }
        map { $_ eq 'filter' ? $main::filter : "$modules/$_.so" }
        split ' ', $block->modules);
    $block->set_value(config => $locations);
    $block->set_value(http_config => ($block->http // '')
                                     . <<'_EOC_' . "$locations    }\n");
    longpoll_zone zone=events:1m;
    server {
        listen 127.0.0.1:$TEST_NGINX_RAND_PORT_1 $TEST_NGINX_LISTEN_HTTP;
        $TEST_NGINX_HTTP_ON
_EOC_
});

no_long_string();
log_level('notice');
run_tests();

__DATA__

=== TEST 1: Lua changes every event
--- modules: ndk_http_module ngx_http_lua_module
--- skip_eval
10: !$main::lua
--- filter
            body_filter_by_lua_block {
                ngx.arg[1] = ngx.arg[1]:gsub("oink", "moo")
            }
--- scenario
my $cat = category();
my @s = (stream(category => $cat),
         stream({ h2 => Longpoll::H2->new(port => rand_port(1)) },
                category => $cat));

$_->next for @s;

for my $n (1 .. 5) {
    my $id = publish($cat, qq("oink $n"));

    is_deeply([$_->told(1)], [qq(event $id "moo $n")], "event $n") for @s;
}



=== TEST 2: Lua sees every byte, and one end
--- modules: ndk_http_module ngx_http_lua_module
--- skip_eval
3: !$main::lua
--- filter
            body_filter_by_lua_block {
                ngx.ctx.n = (ngx.ctx.n or 0) + #ngx.arg[1]
                if ngx.arg[2] then ngx.log(ngx.NOTICE, "bytes: ", ngx.ctx.n) end
            }
--- scenario
my $cat = category();
my $s = stream(category => $cat, timeout => 1);
my @ids = map { publish($cat, $_) } 1 .. 5;

$s->next;
is_deeply([$s->ids(5)], \@ids, 'all events');
ok($s->ends, 'the end');
like(wait_log('error.log', qr/bytes: /), qr/bytes: ${\$s->bytes},/,
     'as many bytes as the client has had');



=== TEST 3: subs_filter changes every event
--- modules: ngx_http_subs_filter_module
--- skip_eval
10: !$main::subs
--- filter
            subs_filter        oink moo;
            subs_filter_types  text/event-stream;
--- scenario
my $cat = category();
my @s = (stream(category => $cat),
         stream({ h2 => Longpoll::H2->new(port => rand_port(1)) },
                category => $cat));

$_->next for @s;

for my $n (1 .. 5) {
    my $id = publish($cat, qq("oink $n"));

    is_deeply([$_->told(1)], [qq(event $id "moo $n")], "event $n") for @s;
}



=== TEST 4: a filter may give a stream a status without a body
--- modules: ndk_http_module ngx_http_lua_module
--- skip_eval
4: !$main::lua
--- filter
            header_filter_by_lua_block { ngx.status = 204 }
--- scenario
my $cat = category();
my $c = connection();

for my $since ([], [since_time => 0]) {
    is($c->request('GET', '/events?' . query(category => $cat, @$since),
                   accept_stream())->response->status, 204, 'its head alone');
    publish($cat, 1);
}

is($c->request('GET', '/pid')->response->status, 200, 'the connection stays');
wait_waiting(0);



=== TEST 5: a filter that keeps nothing for a request sees every event
--- modules: filter
--- skip_eval
2: !$main::plain
--- scenario
my $cat = category();
my $s = stream(category => $cat);

$s->next;

my @ids = map { publish($cat, $_) } 1 .. 5;

is_deeply([$s->ids(5)], \@ids, 'all events');

wait_until {
    open my $in, '<', "$Test::Nginx::Util::LogDir/error.log" or die $!;
    6 == grep { /faults filter: .*GET \/events/ } <$in>;
} 'as many pieces as the client has had';
pass('the filter was given all');



=== TEST 6: njs changes every event
--- modules: ngx_http_js_module
--- skip_eval
5: !$main::js
--- user_files
>>> moo.js
function all(r, data, flags) {
    r.sendBuffer(data.replace('oink', 'moo'), flags);
}
export default { all };
--- http
    js_import moo from html/moo.js;
    js_path $TEST_NGINX_SERVER_ROOT;
--- filter
            js_body_filter moo.all;
--- scenario
my $cat = category();
my $s = stream(category => $cat);

$s->next;

for my $n (1 .. 5) {
    my $id = publish($cat, qq("oink $n"));

    is_deeply([$s->told(1)], [qq(event $id "moo $n")], "event $n");
}
