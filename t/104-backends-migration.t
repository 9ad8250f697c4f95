# docs/migration.md: what takes the place of gpoll.

use lib 't/lib';
use Test::Nginx::Socket 'no_plan';
use Longpoll;
use Longpoll::Docs;

no_long_string();
run_tests();

__DATA__

=== TEST 1: gpoll: a message goes to everybody, whatever they ask for
--- recipe: gpoll
--- scenario
shell('gpoll');

my @polls = map { poll({ at(8080), uri => '/poll' }, category => "c$_") }
            1 .. 3;

wait_waiting(3);
is(post('/send', "two\nlines", at(8080))->status, 200, 'send');
is_deeply([$_->answer->data], ["two\nlines"], 'a client has it') for @polls;

my @late = get('/poll?timeout=2&since_time=0', at(8080))->data;

is($late[-1], "two\nlines", 'and one that comes later');
