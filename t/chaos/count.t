# A worker dies at one of the stores of a publish, at each in turn.  The client
# publishes again with the same key: the event exists once, and is counted.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use File::Temp ();
use Test::More;

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Chaos ();
use Longpoll::Client ();
use Longpoll::Server qw( wait_until );

my $dying = Longpoll::Chaos::dying();

$SIG{PIPE} = 'IGNORE';

my $dir = File::Temp::tempdir('longpoll-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $bomb = Longpoll::Chaos::bomb($dir);
my $server = do {
    local $ENV{LONGPOLL_DIE} = $bomb;
    local $ENV{TEST_NGINX_LOAD_MODULES} = $dying;

    Longpoll::Server->start(
        workers => 1,
        http => "longpoll_zone zone=events:1m;\n",
        server => 'location = /events { longpoll_subscribe events;'
                  . ' longpoll_publish events; }');
};

# Publishes until there is an answer; true if the first attempt had one.

sub publish {
    my ($n) = @_;

    my ($answer, $tries);

    wait_until('an answer', sub {
        $tries++;
        $answer = eval {
            Longpoll::Client->new(port => $server->port)->request(
                POST => '/events', headers => ["Idempotency-Key: $n"],
                body => qq({"category":"farm","data":$n}))->response->body;
        };
        defined $answer;
    });

    die "$answer\n" if $answer ne '{"success": true}';

    return $tries == 1;
}


my ($n, $whole, @wrong) = (0, 0);

# The worker dies before store n.  One of the stores lies between counting and
# committing.

while (!$whole and $n < 200) {
    $n++;
    Longpoll::Chaos::number($bomb, 'Q', $n);
    $whole = publish($n);
    Longpoll::Chaos::number($bomb, 'Q', 0);

    my $is = $server->status('events');

    push @wrong, "store $n: $is->{events} events, $is->{published} published"
        if $is->{events} != $n or $is->{published} < $n
            or $is->{published} > $n + 1;
}

cmp_ok($n, '>', 20, 'a publish has many stores');
ok($whole, 'but not more');
is(join("\n", @wrong), '', 'it is there once, and counted');
is(join('', grep { !/exited on signal 9|was locked by/ } $server->alerts), '',
   'the log has only the deaths');
note("$n stores");

done_testing();
