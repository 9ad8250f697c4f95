# A worker dies with the zone's lock when nginx's master cannot release it.  The
# master is in the middle of a reload, and wants the lock itself, or the master
# is dead, too.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use POSIX qw( mkfifo );
use Test::More;
use Time::HiRes qw( time );

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Chaos ();
use Longpoll::Client ();
use Longpoll::Server qw( wait_until );

my $dying = Longpoll::Chaos::dying();

$SIG{PIPE} = 'IGNORE';

my ($server, $bomb);

sub start {
    local $ENV{TEST_NGINX_LOAD_MODULES} = $dying;

    $server = Longpoll::Server->start(
        workers => 3,
        http => "longpoll_zone zone=events:1m;\n",
        server => 'location = /events { longpoll_subscribe events;'
                  . ' longpoll_publish events; }');
}

# Arms the store after the next n stores, in any worker.

sub arm {
    my ($n) = @_;

    Longpoll::Chaos::number($bomb, 'Q', $n);
}

sub publish {
    my ($data) = @_;

    return Longpoll::Client->new(port => $server->port)
               ->request(POST => '/events',
                         body => qq({"category":"farm","data":"$data"}));
}

# A worker dies in the middle of a publish.  A dead child is a zombie, or
# reaped.

sub die_with_lock {
    my (@before) = @_;

    arm(5);

    my $lost = publish('lost');
    my $dead;

    wait_until('one is dead', sub {
        ($dead) = grep { !alive($_) } @before;
    });

    undef $lost;
    return $dead;
}

sub alive {
    my ($pid) = @_;

    open my $in, '<', "/proc/$pid/stat" or return 0;
    return <$in> !~ /^\d+ \(.*\) [ZX]/;
}

sub serves {
    my ($name) = @_;

    my $begin = time;
    my @asked = map { publish("$name $_") } 1 .. 20;

    is(join(' ', map { $_->response->body } @asked),
       join(' ', ('{"success": true}') x 20), "$name: publishes are taken");
    cmp_ok(time - $begin, '<', 5, "$name: without much waiting");
}

{
    my $dir = File::Temp::tempdir('longpoll-XXXXXX', TMPDIR => 1, CLEANUP => 1);

    $bomb = Longpoll::Chaos::bomb($dir);
}

local $ENV{LONGPOLL_DIE} = $bomb;


# During a reload.  The master blocks while it opens a file of the
# configuration, until the test writes to it.

{
    start();

    is(publish('first')->response->body, '{"success": true}', 'it begins');

    my @old = $server->workers;
    my $fifo = $server->dir . '/pause';

    mkfifo($fifo, 0600) or die "$fifo: $!\n";

    open my $conf, '>>', $server->dir . '/nginx.conf' or die "nginx.conf: $!\n";
    print $conf "include $fifo;\n";
    close $conf;

    kill HUP => $server->master;
    wait_until('it reads its configuration', sub {
        $server->log =~ /reconfiguring/;
    });

    my $dead = die_with_lock(@old);

    ok(kill(0 => $dead), 'a worker is dead, and the master does not know');

    open my $out, '>', $fifo or die "$fifo: $!\n";
    close $out;

    wait_until('the old ones are gone', sub { !grep { alive($_) } @old });
    serves('reloaded');
    wait_until('three workers', sub { 3 == (() = $server->workers) });
    $server->stop;
}


# Without a master no new workers start, but the others go on.

{
    start();

    my @workers = $server->workers;

    kill KILL => $server->master;
    die_with_lock(@workers);
    serves('without a master');

    my @left = grep { alive($_) } @workers;

    is(scalar(@left), 2, 'two workers are left');
    kill KILL => @left;
    wait_until('all of it gone', sub { !grep { alive($_) } @left });
    $server->stop;
}


done_testing();
