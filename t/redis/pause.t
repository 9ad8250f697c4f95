# The reader of a node on which nobody waits pauses for 5 ms after each read.  A
# poll or a publish that comes meanwhile ends the pause.
#
# So it takes no longer than on the same node while another poll waits there: then
# the reader does not pause.  The test measures both in turns.
#
# Behind a read of several entries the reader pauses for 1 ms also while somebody
# waits.  A crowd of publishers of one worker ends that pause, when Redis has
# stored what all of them sent.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use Test::More;
use Time::HiRes qw( time );

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Node ();
use Longpoll::Persist qw( no_alerts wait_until );
use Longpoll::Redis ();

plan skip_all => 'there is no redis-server' unless Longpoll::Redis->version;

my $pause = 5;                  # ms
my $redis = Longpoll::Redis->start;
my ($here, $there) = my @nodes = Longpoll::Node->several(2, redis => $redis);


# A reply that begins with a stranger's entry is asked for twice: in between the
# reader looks for its last entry, by XRANGE.

sub reads {
    my %calls = $redis->call('INFO', 'commandstats')
        =~ /^cmdstat_(xread|xrange):calls=(\d+)/mg;

    return $calls{xread} - ($calls{xrange} // 0);
}

# both nodes read such an entry, and skip it

sub stranger {
    $redis->call(XADD => 'longpoll:{events}:log', '*', qw( hello world ));
}

{
    my $before = reads();
    my $start = time;

    stranger() for 1 .. 500;

    my $reads = reads() - $before;
    my $most = 2 * (1e3 * (time - $start) / $pause + 3);

    cmp_ok($reads, '<=', $most, 'nodes on which nobody waits read once in 5 ms');
    wait_until('all entries', sub { $_->redis->{bad} == 500 }) for @nodes;
}

# A stranger's entry has the reader pause; then the clock starts.

my $turn = 0;
my %takes = (
    publish => sub { $there->publish(x => 1) },
    poll    => sub {
        my $poll = $there->poll(category => "p$turn", since_time => 1, timeout => 10);
        $here->publish("p$turn" => 1);
        $poll->response;
    },
);

sub took {
    my ($what) = @_;

    $turn++;
    stranger();

    my $start = time;
    $takes{$what}->();
    return 1e3 * (time - $start);
}

# a quarter of the turns took no longer, in ms

sub quarter { return (sort { $a <=> $b } @_)[@_ / 4] }

for my $what (sort keys %takes) {
    my (@idle, @busy);

    for (1 .. 4) {
        $there->wait_waiting(0);
        push @idle, map { took($what) } 1 .. 10;

        my $waits = $there->poll(category => 'never', timeout => 60);
        $there->wait_waiting(1);
        push @busy, map { took($what) } 1 .. 10;
        $waits->close;
    }

    cmp_ok(quarter(@idle), '<', quarter(@busy) + $pause / 2,
           "a $what ends the pause")
        or diag("idle @idle\nbusy @busy");
}

# Of 32 clients one of the two workers has 16 or more, and eight are a crowd.

SKIP: {
    my $nginx = $ENV{TEST_NGINX_BINARY} // 'nginx';

    skip('nginx has no debug log', 1)
        unless `$nginx -V 2>&1` =~ /--with-debug/;

    my $node = Longpoll::Node->start(redis => $redis,
                                     main => "error_log debug.log debug_core;\n");

    push @nodes, $node;
    $node->wait_synced;

    my @clients = map { $node->client } 1 .. 32;

    wait_until('publishers that end a pause', sub {
        my @posts = map { $node->post(crowd => 1, client => $_) } @clients;

        $_->response for @posts;
        return $node->log('debug.log') =~ /publishers end a pause/;
    });
    pass('a crowd of publishers ends a pause');
}

no_alerts($_, 'a node') for @nodes;

done_testing();
