# docs/migration.md: the configuration that replaces gpoll.

use lib 't/lib';
use Test::Nginx::Socket 'no_plan';
use Longpoll;
use Longpoll::Docs;

no_long_string();
run_tests();

__DATA__

=== TEST 1: gpoll: every client gets a message, whatever categories it asks for
--- recipe: gpoll
--- scenario
shell('gpoll');

my @ids = map { client('/poll', at(8080)) } 1 .. 4;
my $late = pop @ids;
my @polls = map { poll({ at(8080), uri => '/poll' }, category => "c$_",
                       'client-id' => $_) } @ids;

wait_waiting(3);
is(post('/send', "two\nlines", at(8080))->status, 200, 'send');
is($_->answer->body, "two\nlines", 'a client gets the message') for @polls;
is(next_of('/poll', $late, at(8080)), "two\nlines",
   'and so does a client that polls later');
