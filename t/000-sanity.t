# The module loads, and a published event reaches the clients that poll.

use lib 't/lib';
use Test::Nginx::Socket 'no_plan';
use Longpoll;

run_tests();

__DATA__

=== TEST 1: a parked poll sees the event that arrives while it waits
--- scenario
my $cat = category('farm');
my $p = poll(category => $cat);

wait_waiting(1);

my $id = publish($cat, '"oink"');
my $r = $p->answer;

is($r->status, 200, 'status');
like($r->body,
     qr/^\{"events":\[\{"timestamp":\d{13},"category":"$cat","data":"oink","id":"$id"\}\]\}$/,
     'body');



=== TEST 2: a poll is answered at once if an event is there
--- scenario
my $cat = category('farm');
my $id = publish($cat, '"oink"');
my $r = ask(category => $cat, since_time => 0);

is_deeply([$r->ids], [$id], 'the event');
is(status()->{waiting}, 0, 'nothing was parked');



=== TEST 3: a poll without events is answered when its timeout is over
--- scenario
my $r = ask(category => category('farm'), timeout => 1);

is($r->status, 200, 'status');
like($r->body, qr/^\{"timeout":"no events before timeout","timestamp":\d{13}\}$/,
     'body');



=== TEST 4: an event wakes only the polls for its category
--- scenario
my ($farm, $zoo) = (category('farm'), category('zoo'));
my $p = poll(category => $zoo);

wait_waiting(1);
publish($farm, '"oink"');
my $id = publish($zoo, '"roar"');

is_deeply([$p->answer->ids], [$id], 'what the poll asked for');



=== TEST 5: configurations without the module's directives work as before
--- http_config
--- config
        location = /x { return 200 "nothing to see"; }
--- request
GET /x
--- response_body chomp
nothing to see



=== TEST 6: the error log names the module only for configuration errors
--- scenario
my $cat = category('farm');

publish($cat, '"secret-of-the-publisher"');
ask(category => $cat, since_time => 0);
get('/events?category=secret-of-the-client&timeout=zero');
post('/publish', 'secret-of-the-client');

pass('four requests');
--- log_level: info
--- no_error_log
[error]
[warn]
secret-of
