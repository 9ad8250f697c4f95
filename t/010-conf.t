# Directives: where each is allowed, and which values it accepts.  What nginx -t
# refuses is in t/012-refused.t, too.

use lib 't/lib';
use Test::Nginx::Socket 'no_plan';
use Longpoll;

master_on();
run_tests();

__DATA__

=== TEST 1: longpoll_zone needs an argument
--- http_config
    longpoll_zone;
--- must_die
--- error_log
[emerg]
invalid number of arguments in "longpoll_zone"



=== TEST 2: the name of another module's zone is refused
--- http_config
    limit_req_zone $binary_remote_addr zone=events:1m rate=1r/s;
    longpoll_zone zone=events:1m;
--- must_die
--- error_log
[emerg]
events



=== TEST 3: a zone that belongs to another module is refused
--- http_config
    limit_req_zone $binary_remote_addr zone=other:1m rate=1r/s;
--- config
    location = /events { longpoll_subscribe other; }
--- must_die
--- error_log
[emerg]
other



=== TEST 4: longpoll_subscribe needs an argument
--- http_config
    longpoll_zone zone=events:1m;
--- config
    location = /events { longpoll_subscribe; }
--- must_die
--- error_log
[emerg]
invalid number of arguments in "longpoll_subscribe"



=== TEST 5: longpoll_max_timeout twice is refused
--- http_config
    longpoll_max_timeout 10s;
    longpoll_max_timeout 20s;
--- must_die
--- error_log
[emerg]
"longpoll_max_timeout" directive is duplicate



=== TEST 6: longpoll_max_response_size twice is refused
--- http_config
    longpoll_max_response_size 10k;
    longpoll_max_response_size 20k;
--- must_die
--- error_log
[emerg]
"longpoll_max_response_size" directive is duplicate



=== TEST 7: longpoll_error_status twice is refused
--- http_config
    longpoll_error_status 400;
    longpoll_error_status 400;
--- must_die
--- error_log
[emerg]
"longpoll_error_status" directive is duplicate



=== TEST 8: longpoll_drain twice is refused
--- http_config
    longpoll_drain 1s;
    longpoll_drain 2s;
--- must_die
--- error_log
[emerg]
"longpoll_drain" directive is duplicate



=== TEST 9: longpoll_max_timeout 0 is refused
--- http_config
    longpoll_max_timeout 0;
--- must_die
--- error_log
[emerg]
longpoll_max_timeout



=== TEST 10: a longpoll_max_timeout that is not a time is refused
--- http_config
    longpoll_max_timeout long;
--- must_die
--- error_log
[emerg]
"longpoll_max_timeout" directive must be a time, such as "15s"



=== TEST 11: a longpoll_max_response_size that is not a size is refused
--- http_config
    longpoll_max_response_size large;
--- must_die
--- error_log
[emerg]
"longpoll_max_response_size" directive must be in bytes, kilobytes or megabytes, such as "64k"



=== TEST 12: a longpoll_drain that is not a time is refused
--- http_config
    longpoll_drain slowly;
--- must_die
--- error_log
[emerg]
"longpoll_drain" directive must be a time, such as "15s"



=== TEST 13: longpoll_error_status 201 is refused
--- http_config
    longpoll_error_status 201;
--- must_die
--- error_log
[emerg]
longpoll_error_status



=== TEST 14: longpoll_error_status 399 is refused
--- http_config
    longpoll_error_status 399;
--- must_die
--- error_log
[emerg]
longpoll_error_status



=== TEST 15: longpoll_error_status 500 is refused
--- http_config
    longpoll_error_status 500;
--- must_die
--- error_log
[emerg]
longpoll_error_status



=== TEST 16: a longpoll_error_status that is not a number is refused
--- http_config
    longpoll_error_status teapot;
--- must_die
--- error_log
[emerg]
longpoll_error_status



=== TEST 17: longpoll_zone stands in http only
--- http_config
--- config
    longpoll_zone zone=events:1m;
--- must_die
--- error_log
[emerg]
"longpoll_zone" directive is not allowed here



=== TEST 18: longpoll_drain stands in http only
--- http_config
--- config
    longpoll_drain 1s;
--- must_die
--- error_log
[emerg]
"longpoll_drain" directive is not allowed here



=== TEST 19: longpoll_subscribe does not stand in server
--- http_config
    longpoll_zone zone=events:1m;
--- config
    longpoll_subscribe events;
--- must_die
--- error_log
[emerg]
"longpoll_subscribe" directive is not allowed here



=== TEST 20: longpoll_publish does not stand in server
--- http_config
    longpoll_zone zone=events:1m;
--- config
    longpoll_publish events;
--- must_die
--- error_log
[emerg]
"longpoll_publish" directive is not allowed here



=== TEST 21: longpoll_status does not stand in if
--- http_config
    longpoll_zone zone=events:1m;
--- config
    location = /status { if ($arg_x) { longpoll_status events; } }
--- must_die
--- error_log
[emerg]
"longpoll_status" directive is not allowed here



=== TEST 22: every directive is accepted in each of its contexts
--- http_config
    longpoll_zone zone=everywhere:1m buffer=10 ttl=1h inactive=1d
                  delete_on_read=off;
    longpoll_max_timeout 100s;
    longpoll_max_response_size 10k;
    longpoll_error_status 400;
    longpoll_drain 500ms;
    longpoll_max_unsent 1m;
    longpoll_category $arg_a;
--- config
    longpoll_max_timeout 90s;
    longpoll_max_response_size 20k;
    longpoll_error_status 404;
    longpoll_category $arg_a $arg_b "separator=;";

    location = /events {
        longpoll_subscribe everywhere;
        longpoll_publish everywhere format=auto;
        longpoll_delete everywhere;
        longpoll_category $arg_a $arg_b;
        longpoll_max_timeout 80s;
        longpoll_max_response_size 30k;
        longpoll_error_status 499;

        if ($arg_if) {
            longpoll_subscribe everywhere;
            longpoll_publish everywhere format=json;
            longpoll_delete everywhere;
            longpoll_category $arg_c separator=.;
            longpoll_max_timeout 70s;
            longpoll_max_response_size 40k;
            longpoll_error_status 422;
        }
    }

    location = /one { longpoll_status everywhere format=json; }
    location = /two { longpoll_status all format=prometheus; }
--- scenario
my %max = ('?' => '80 499', '?if=1' => '70 422');

for my $args (sort keys %max) {
    my $r = get("/events$args");
    my ($seconds) = $r->body =~ /Must be 1-(\d+)\.\"\}$/;

    is("$seconds " . $r->status, $max{$args}, "/events$args");
}

is(get('/one')->status, 200, 'status of a zone');
is(get('/two')->status, 200, 'status of all');



=== TEST 23: a zone may be declared after the directives that use it
--- http_config
    server {
        listen 127.0.0.1:$TEST_NGINX_RAND_PORT_1;
        location = /events  { longpoll_subscribe behind; }
        location = /publish { longpoll_publish   behind; }
    }

    longpoll_zone zone=behind:1m;
--- config
--- scenario
my $cat = category();
my $id = publish($cat, '1', port => rand_port(1));
my $r = ask({ port => rand_port(1) }, category => $cat, since_time => 0);

is_deeply([$r->ids], [$id], 'it works');



=== TEST 24: the defaults: 120 seconds at most, errors are sent with 200
--- request
GET /events?category=farm&timeout=121
--- error_code: 200
--- response_body chomp
{"error": "Invalid or missing 'timeout' arg.  Must be 1-120."}



=== TEST 25: longpoll_max_timeout of http holds for its servers
--- http_config
    longpoll_zone zone=events:1m;
    longpoll_max_timeout 45s;
--- request
GET /events?category=farm&timeout=46
--- response_body chomp
{"error": "Invalid or missing 'timeout' arg.  Must be 1-45."}



=== TEST 26: longpoll_max_timeout may be given in minutes
--- http_config
    longpoll_zone zone=events:1m;
    longpoll_max_timeout 2m;
--- request
GET /events?category=farm
--- response_body chomp
{"error": "Invalid or missing 'timeout' arg.  Must be 1-120."}



=== TEST 27: a poll may ask for exactly longpoll_max_timeout
--- http_config
    longpoll_zone zone=events:1m;
    longpoll_max_timeout 7s;
--- scenario
my $p = poll(category => category(), timeout => 7);

wait_waiting(1);
ok($p->parked, 'the poll waits');



=== TEST 28: longpoll_error_status is the status of a poll's errors
--- config
    location = /events {
        longpoll_subscribe events;
        longpoll_error_status 422;
    }
--- request
GET /events?timeout=1
--- error_code: 422
--- response_headers
Content-Type: application/json
Cache-Control: no-cache, no-store, must-revalidate
--- response_body chomp
{"error": "Invalid subscription category, must be 1-1024 characters long."}



=== TEST 29: longpoll_error_status changes neither events nor 405
--- config
    location = /events {
        longpoll_subscribe events;
        longpoll_error_status 422;
    }
    location = /publish { longpoll_publish events; }
--- scenario
my $cat = category();

publish($cat, '1');
is(ask(category => $cat, since_time => 0)->status, 200, 'events');
is(http('DELETE', '/events')->status, 405, 'another method');



=== TEST 30: one location polls with GET and publishes with POST
--- config
    location = /both {
        longpoll_subscribe events;
        longpoll_publish events;
    }
--- scenario
my $cat = category();
my $id = publish($cat, '"both"', uri => '/both');
my $r = ask({ uri => '/both' }, category => $cat, since_time => 0);

is_deeply([$r->ids], [$id], 'published and polled');



=== TEST 31: an if block polls and publishes as its location does
--- config
    location = /both {
        longpoll_subscribe events;
        longpoll_publish events;

        if ($arg_x) {
            set $y 1;
        }
    }
--- scenario
my $cat = category();
my $id = publish($cat, '"if"', uri => '/both?x=1');
my $r = ask({ uri => '/both' }, x => 1, category => $cat, since_time => 0);

is_deeply([$r->ids], [$id], 'published and polled');



=== TEST 32: an if block may use a zone of its own
--- http_config
    longpoll_zone zone=events:1m;
    longpoll_zone zone=ifzone:1m;
--- config
    location = /both {
        longpoll_subscribe events;
        longpoll_publish events;

        if ($arg_x) {
            longpoll_publish ifzone;
        }
    }
    location = /other { longpoll_subscribe ifzone; }
--- scenario
my $cat = category();
my $id = publish($cat, '"if"', uri => '/both?x=1');
my $r = ask({ uri => '/other' }, category => $cat, since_time => 0);

is_deeply([$r->ids], [$id], 'the event is in the zone of the if block');



=== TEST 33: a limit_except block polls as its location does
--- config
    location = /events {
        longpoll_subscribe events;
        longpoll_publish events;

        limit_except POST {
            deny 192.0.2.1;
        }
    }
--- scenario
my $cat = category();
my $id = publish($cat, '1', uri => '/events');

is_deeply([ask(category => $cat, since_time => 0)->ids], [$id], 'polled');



=== TEST 34: limit_except refuses a method as elsewhere in nginx
--- config
    location = /events {
        longpoll_subscribe events;
        longpoll_publish events;

        limit_except GET {
            deny all;
        }
    }
--- request
POST /events
{"category":"limited","data":1}
--- error_code: 403
--- response_body_like: 403 Forbidden



=== TEST 35: a nested location does not inherit polling, as with proxy_pass
--- config
    location /events {
        longpoll_subscribe events;

        location /events/nested { root html; }
    }
--- request
GET /events/nested?category=farm&timeout=1&since_time=0
--- error_code: 404



=== TEST 36: two zones share no events
--- http_config
    longpoll_zone zone=events:1m;
    longpoll_zone zone=worlds:1m;
--- config
    location = /events  { longpoll_subscribe events; }
    location = /publish { longpoll_publish   events; }
    location = /other   { longpoll_subscribe worlds; }
    location = /publish2 { longpoll_publish  worlds; }
--- scenario
my $cat = category();

publish($cat, '"here"');
publish($cat, '"there"', uri => '/publish2');

is_deeply([ask(category => $cat, since_time => 0)->data], ['here'], 'here');
is_deeply([ask({ uri => '/other' }, category => $cat, since_time => 0)->data],
          ['there'], 'there');



=== TEST 37: nginx -t leaves a running zone as it is
--- http_config
    longpoll_zone zone=tested:1m;
--- config
    location = /events  { longpoll_subscribe tested; }
    location = /publish { longpoll_publish   tested; }
--- scenario
my $cat = category();
my $id = publish($cat, '"kept"');
my $p = poll(category => $cat);

wait_waiting(1);

my ($code, $said) = conf_test();

is($code, 0, 'the test is successful');
unlike($said, qr/\[(?:warn|error|crit|alert|emerg)\]/, 'and says no more');
ok($p->parked, 'the poll is still waiting');
is_deeply([ask(category => $cat, since_time => 0)->ids], [$id], 'events');



=== TEST 38: a reload with a broken configuration leaves everything as it is
--- http_config
    longpoll_zone zone=broken:1m buffer=5;
--- config
    location = /events  { longpoll_subscribe broken; }
    location = /publish { longpoll_publish   broken; }
--- scenario
my $cat = category();
my @before = worker_pids();
my @ids = map { publish($cat, $_) } 1 .. 5;

change_conf { s/buffer=5/buffer=2 colour=red/ };
kill HUP => master_pid();
wait_log('error.log', qr/\[emerg\].*colour=red/);

is_deeply([worker_pids()], \@before, 'the workers are the same');
is_deeply([ask(category => $cat, since_time => 0)->ids], \@ids,
          'all five events');
--- alert chomp
colour=red



=== TEST 39: longpoll_category needs a value
--- http_config
    longpoll_zone zone=events:1m;
--- config
    location = /a { longpoll_category; }
--- must_die
--- error_log
[emerg]
invalid number of arguments in "longpoll_category"



=== TEST 40: longpoll_category twice in one block is refused
--- http_config
    longpoll_zone zone=events:1m;
--- config
    location = /a { longpoll_category $arg_a; longpoll_category $arg_b; }
--- must_die
--- error_log
[emerg]
"longpoll_category" directive is duplicate



=== TEST 41: longpoll_category with an unknown variable is refused
--- http_config
    longpoll_zone zone=events:1m;
--- config
    location = /a { longpoll_category $nothing_like_it; }
--- must_die
--- error_log
[emerg]
unknown "nothing_like_it" variable



=== TEST 42: longpoll_delete with a second argument is refused
--- http_config
    longpoll_zone zone=events:1m;
--- config
    location = /a { longpoll_delete events all; }
--- must_die
--- error_log
[emerg]
invalid number of arguments in "longpoll_delete"



=== TEST 43: if and limit_except blocks delete and read bodies like a location
--- config
        location = /events { longpoll_subscribe events; }
        location = /if {
            longpoll_category $arg_c;
            longpoll_publish events format=json;
            longpoll_delete events;

            if ($arg_if) {
                set $nothing "";
            }
        }
        location = /limit {
            longpoll_category $arg_c;
            longpoll_publish events format=json;
            longpoll_delete events;

            limit_except GET {
                allow all;
            }
        }
--- scenario
for my $uri ('/if?if=1', '/limit?') {
    my $cat = category();

    is(post("$uri&c=$cat", '[1]')->status, 200, "$uri: publish");
    is_deeply([ask(category => $cat, since_time => 0)->data], [[1]],
              "$uri: as JSON");
    is(http('DELETE', "$uri&c=$cat")->status, 200, "$uri: delete");
    is(ask(category => $cat, since_time => 0, timeout => 1)->kind, 'timeout',
       "$uri: gone");
}



=== TEST 44: longpoll_max_unsent 0 is refused
--- http_config
    longpoll_max_unsent 0;
--- must_die
--- error_log
[emerg]
"longpoll_max_unsent" directive must not be 0; the default is 64m



=== TEST 45: a longpoll_max_unsent that is not a size is refused
--- http_config
    longpoll_max_unsent much;
--- must_die
--- error_log
[emerg]
"longpoll_max_unsent" directive must be in bytes, kilobytes or megabytes, such as "64k"



=== TEST 46: longpoll_max_unsent twice is refused
--- http_config
    longpoll_max_unsent 1m;
    longpoll_max_unsent 2m;
--- must_die
--- error_log
[emerg]
"longpoll_max_unsent" directive is duplicate



=== TEST 47: longpoll_max_unsent stands in http only
--- http_config
    longpoll_zone zone=events:1m;
--- config
    longpoll_max_unsent 1m;
--- must_die
--- error_log
[emerg]
"longpoll_max_unsent" directive is not allowed here
