# The page's recipes with presence, and their programs: one keeps a list of who
# is online over its own restart and nginx's, the other does jobs.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use HTTP::Tiny ();
use JSON::PP ();
use Test::More;

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Child ();
use Longpoll::Client ();
use Longpoll::Server qw( wait_until );

my $root = abs_path(dirname(abs_path(__FILE__)) . '/../..');

plan skip_all => 'python3 is not installed'
    if system 'python3 --version >/dev/null 2>&1';

my ($server, $private, $python);

begin('online', '/publish');

my $file = $server->dir . '/online.json';
$python = run_python();

is_online('nobody is online');

my @ann = map { inbox('ann') } 1, 2;
my $bob = inbox('bob');

is_online('two users are', 'user:ann', 'user:bob');

$ann[0]->close;
$bob->close;
is_online('one has left, the other has a window left', 'user:ann');

kill_python();
$ann[1]->close;
my $cat = inbox('cat');
wait_until('the third user', sub { $server->waiting == 1 });

$python = run_python();
is_online('what happened meanwhile is caught up with', 'user:cat');

kill_python('KILL');
$python = run_python();
$bob = inbox('bob');
is_online('also after a crash', 'user:bob', 'user:cat');

kill_python();
$bob->close;
$ann[0] = inbox('ann');
wait_until('bob is gone', sub { !is_present('user:bob') });
make_room();
$python = run_python();
my $dan = inbox('dan');
is_online('what was missed is asked for', 'user:ann', 'user:cat', 'user:dan');

$dan->close;
is_online('and what comes then is told', 'user:ann', 'user:cat');

kill_python();
make_room();
unlink $file;
$python = run_python();
is_online('without its file it asks who is there', 'user:ann', 'user:cat');

$server->stop;
$server->start_again;
$cat = inbox('cat');
is_online('a new life begins with nobody', 'user:cat');

is(scalar $server->alerts, 0, 'no alert in the error log');

kill_python();


begin('jobs');

my @first = map { job(7) } 1, 2;
my $gone = job(8);

wait_until('three wait', sub { $server->waiting == 3 });
$gone->half_close;
wait_until('one has gone', sub { !is_present('job:8') });

$python = run_program('jobs.py', qw( wanted status publish ));
is_deeply([map { $_->response->data } @first],
          [({ done => 'job:7' }) x 2], 'a job that somebody waits for is done');
is_deeply([job(9)->response->data], [{ done => 'job:9' }], 'so is a later one');
is_deeply([job(7)->response->data], [{ done => 'job:7' }],
          'a result is there for others');
is_deeply([job(10)->response->data], [{ done => 'job:10' }], 'one more job');
is_deeply([map { category("job:$_")->{events} } 7 .. 10], [1, 0, 1, 1],
          'each is done once, and the one that nobody waits for is not');

$server->stop;
$server->start_again;
is_deeply([job(7)->response->data], [{ done => 'job:7' }],
          'in a new life all begins anew');

kill_python();
$server->stop;
unlink $server->dir . '/python.log';
$python = run_program('jobs.py', qw( wanted status publish ));
wait_until('a program without an nginx', sub { python_log() =~ /refused/ });
$server->start_again;
is_deeply([job(7)->response->data], [{ done => 'job:7' }],
          'the program may be there before nginx is');

kill_python();

my $fails = job(11);
wait_until('the job that fails', sub { is_present('job:11') });

$python = run_jobs(<<'END');
def do(job):
    if job == "job:11":
        raise ValueError("no such report")
    return {"done": job}
END

wait_until('its failure is logged', sub {
    python_log() =~ /^job:11: ValueError\('no such report'\)$/m;
});
is_deeply([job(12)->response->data], [{ done => 'job:12' }],
          'a job that fails does not keep others from being done');

kill_python();
done_testing();


# A server with a recipe, and perhaps a public location to publish.

sub begin {
    my ($name, $publish) = @_;

    my $recipe = recipe($name);

    $server->stop if $server;
    $private = Longpoll::Server::free_port(20000 + $$ % 20000);

    $recipe =~ s/listen 8080;.*?\n    (?=location)//s;
    $recipe =~ s/127\.0\.0\.1:8082/127.0.0.1:$private/;
    $recipe =~ s/grace=\w+/grace=300ms/;

    my ($zone, $public, $backend) = $recipe
        =~ /\A(longpoll_zone .*?;\n)\s*server \{\s*(.*)\n\}\s*(server \{.*)\z/s;
    my ($zone_name) = $zone =~ /zone=(\w+)/;

    $public .= "\nlocation = $publish { longpoll_publish $zone_name; }\n"
        if $publish;

    $server = Longpoll::Server->start(http => $zone . $backend,
                                      server => $public);
}


sub recipe {
    my ($name) = @_;

    open my $in, '<', "$root/docs/backends.md" or die $!;
    my ($text) = join('', <$in>)
                 =~ /<!-- recipe: \Q$name\E -->\n```nginx\n(.*?)```/s;
    return $text;
}

# Other events push out those of presence.

sub make_room {
    $server->publish('much', '"' . 'x' x 900_000 . '"') for 1 .. 20;
    is(category('online')->{events}, 0, 'the events make room');
}

# A category's figures.

sub category {
    my ($name) = @_;

    my $answer = HTTP::Tiny->new->get(
                     "http://127.0.0.1:$private/status?category=$name");

    my ($zone) = values %{ JSON::PP::decode_json($answer->{content})->{zones} };

    return $zone->{category};
}

sub is_present { category($_[0])->{present} }

# A poll for a user's messages, or for a job's result.

sub inbox { return request("/inbox/$_[0]?timeout=60") }
sub job { return request("/job/$_[0]?timeout=60&since_time=1") }

sub request {
    my ($uri) = @_;

    my $c = Longpoll::Client->new(port => $server->port);

    $c->request('GET', $uri);
    return $c;
}

sub run_python { return run_program('online.py', qw( online status )) }

sub run_program {
    my ($name, @locations) = @_;

    return Longpoll::Child->start(
        [ 'python3', "$root/demo/backends/$name",
          (map { "http://127.0.0.1:$private/$_" } @locations),
          $name eq 'online.py' ? $file : () ],
        log => $server->dir . '/python.log');
}

# jobs.py with another do().

sub run_jobs {
    my ($do) = @_;

    return Longpoll::Child->start(
        [ 'python3', '-c',
          "import sys\nsys.path.insert(0, '$root/demo/backends')\n"
          . "import jobs\n${do}jobs.do = do\njobs.main(*sys.argv[1:])\n",
          map { "http://127.0.0.1:$private/$_" } qw( wanted status publish ) ],
        log => $server->dir . '/python.log');
}

sub python_log {
    open my $in, '<', $server->dir . '/python.log' or die $!;
    return join '', <$in>;
}

sub kill_python {
    $python->signal($_[0]) if $_[0];
    $python->end;
}

sub is_online {
    my ($name, @want) = @_;
    my @got;

    eval {
        wait_until($name, sub {
            open my $in, '<', $file or return 0;
            my $state = eval { JSON::PP::decode_json(join '', <$in>) }
                        or return 0;

            @got = @{ $state->{online} };
            "@got" eq "@want";
        });
    };

    is_deeply(\@got, \@want, $name);
}
