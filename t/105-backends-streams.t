# docs/backends.md: streams behind an application, and behind a proxy.  The
# configurations are the page's.

use lib 't/lib';
use Test::Nginx::Socket 'no_plan';
use Longpoll;
use Longpoll::Docs;

no_long_string();
run_tests();

__DATA__

=== TEST 1: EventSource: the application names the categories of a stream
--- recipe: auth-request
--- scenario
my $app = app(<<'_APP_');
    my ($user) = ($r->{headers}{cookie} || '') =~ /user=(\w+)/;

    return $user ? (200, ["X-Categories: all,user-$user"], '')
                 : (401, ['WWW-Authenticate: Basic realm="x"'], '');
_APP_

my $s = stream({ at(8080), accept_stream('Cookie: user=ann') },
               category => 'user-bob');

is($s->head->status, 200, 'a stream');
$s->caught_up;

publish($_, qq("$_"), at(8081)) for 'user-bob', 'all', 'user-ann';
is_deeply([$s->data(2)], ['all', 'user-ann'], 'gets its own categories');
is(scalar $app->seen, 1, 'and the application was asked once');

my $refused = stream({ at(8080) });

is($refused->head->status, 401, 'a stranger gets the 401');



=== TEST 2: EventSource: a browser that comes back has missed nothing
--- recipe: auth-request
--- scenario
my $app = app('return (200, ["X-Categories: all"], "")');
my $s = stream({ at(8080) });

$s->caught_up;
publish('all', '"one"', at(8081));

my ($id) = $s->ids(1);

$s->close;
publish('all', '"two"', at(8081));

my $next = stream({ at(8080), last => $id });

is($next->next->{id}, $id, 'begins where it was');
is_deeply([$next->data(1)], ['two'], 'gets what it would have missed');
$next->caught_up;
publish('all', '"three"', at(8081));
is_deeply([$next->data(1)], ['three'], 'and what comes next');



=== TEST 3: a proxy in front passes each frame on at once
--- recipe: behind-proxy proxy
--- scenario
my $s = stream({ at(8090) }, category => 'farm');

is($s->head->header('Content-Type'), 'text/event-stream', 'the type');
$s->caught_up;

for my $n (1 .. 3) {
    publish('farm', $n, at(8081));
    is_deeply([$s->data(1)], [$n], "event $n comes before the next is published");
}
