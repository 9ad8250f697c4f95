# What a follower of presence believes is what is true.  Users come, poll again,
# stream and leave, while workers die at a store or are killed, and nginx is
# reloaded, also with a zone of another size.
#
#     SEED=n      the same steps again
#     SECONDS=n   how long, 50

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use File::Temp ();
use IO::Select ();
use JSON::PP ();
use Test::More;
use Time::HiRes qw( time );

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Chaos ();
use Longpoll::Client ();
use Longpoll::Server ();

my $root = abs_path(dirname(abs_path(__FILE__)) . '/../..');
my $dying = "$root/build/chaos/ngx_http_longpoll_module.so";

plan skip_all => 'not built: build/chaos' unless -e $dying;
plan skip_all => 'the nginx that is asked for has its module inside'
    if defined $ENV{TEST_NGINX_BINARY}
        and !defined $ENV{TEST_NGINX_LOAD_MODULES};

$SIG{PIPE} = 'IGNORE';

my $seed = $ENV{SEED} // time % 1000000 | 0;
my $seconds = $ENV{SECONDS} // 50;
my $slack = $ENV{CHAOS_SLACK} // 3;     # seconds, for a busy machine
my $grace = 1;

# with an odd seed events wait for the disk

my $file = $seed % 2 ? ' persist=kept/events durable=on' : '';

srand $seed;
diag("seed $seed");

my $dir = File::Temp::tempdir('longpoll-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $bomb = Longpoll::Chaos::bomb($dir);
my $size = '4m';
my $server = do {
    local $ENV{LONGPOLL_DIE} = $bomb;
    local $ENV{TEST_NGINX_LOAD_MODULES} = $dying;

    Longpoll::Server->start(
        workers => 3, http => http(),
        server => 'location = /events { longpoll_subscribe events;'
                  . ' longpoll_publish events; }');
};

sub http {
    return "longpoll_zone zone=events:$size presence=who grace=${grace}s$file;\n"
           . "longpoll_drain 300ms;\n";
}


# users; those that are steady always want to be there

my %users = map { ("u$_" => { name => "u$_", wants => 0 }) } 0 .. 11;
my @steady = @users{qw( u0 u1 )};

$_->{wants} = 1 for @steady;

my $follower = { uri => sub {
    '/events?category=who&timeout=60&'
    . ($_[0]{cursor} ? "last_id=$_[0]{cursor}" : 'since_time=1');
} };
my (%believed, @wrong, $events);

$_->{uri} = sub { "/events?category=$_[0]{name}&timeout=60" }
    for values %users;

sub connected {
    my ($one) = @_;

    return if $one->{conn};

    my $c = eval { Longpoll::Client->new(port => $server->port) } or return;
    my @stream = $one->{streams} ? (headers => ['Accept: text/event-stream'])
                                 : ();

    $one->{conn} = $c if eval { $c->request(GET => $one->{uri}->($one), @stream) };
}

sub left {
    my ($one) = @_;
    (delete $one->{conn})->close if $one->{conn};
}

# Reads what has come; whoever got an answer, or lost a connection, asks again.

sub turn {
    my ($wait) = @_;

    for my $one ($follower, values %users) {
        $one == $follower || $one->{wants} ? connected($one) : left($one);
    }

    my %on = map { fileno($_->{conn}->sock) => $_ }
             grep { $_->{conn} } $follower, values %users;
    my $select = IO::Select->new(map { $_->{conn}->sock } values %on);

    for my $sock ($select->can_read($wait)) {
        my $one = $on{ fileno $sock };

        eval { $one->{conn}->fill(1) };

        if ($one == $follower) {
            while (my $r = $one->{conn}->parsed) {
                believe($r);
                left($one);
                last;
            }
        } elsif (!$one->{streams} and $one->{conn}->parsed) {
            left($one);
        }

        left($one) if $one->{conn} and $one->{conn}{eof};
    }
}

sub believe {
    my ($r) = @_;

    my $answer = eval { $r->json } or return;

    push @wrong, 'the follower missed events' if $answer->{missed};

    for my $event (@{ $answer->{events} || [] }) {
        my ($name, $present) = @{ $event->{data} }{qw( category present )};

        $follower->{cursor} = $event->{id};
        $events++;

        if ($present eq 'reset') {
            push @wrong, 'another reset' if $events > 1;
            %believed = ();
            next;
        }

        push @wrong, "$name is reported twice: " . ($present ? 'there' : 'not there')
            if !!$present == !!$believed{$name};
        push @wrong, "$name left, and was there all the time"
            if !$present and grep { $_->{name} eq $name } @steady;

        $believed{$name} = $present ? 1 : 0;
    }
}


# steps

my @steps = (
    (sub {
        my ($one) = (values %users)[rand keys %users];

        return if grep { $_ == $one } @steady;
        $one->{wants} = !$one->{wants};
        left($one);
        $one->{streams} = rand() < 0.4;
    }) x 30,

    (sub {
        my $name = 'u' . int rand keys %users;

        eval {
            Longpoll::Client->new(port => $server->port)->request(
                POST => '/events', body => qq({"category":"$name","data":1}));
        };
    }) x 6,

    (sub {
        Longpoll::Chaos::number($bomb, 'Q', 1 + int 200 * rand() ** 2);
    }) x 4,

    sub { kill KILL => ($server->workers)[0] // return },

    sub {
        if (rand() < 0.5) {
            $size = $size eq '4m' ? '2m' : '4m';
            $server->{http} = http();
            $server->write_conf;
        }
        kill HUP => $server->master;
    },
);

# All steps are over: what is believed must soon be true.

sub settle {
    my ($name) = @_;

    Longpoll::Chaos::number($bomb, 'Q', 0);

    my $end = time + $grace + 1 + $slack;
    my ($is, $want);

    do {
        turn(0.02);
        $is = join ' ', sort grep { $believed{$_} } keys %believed;
        $want = join ' ', sort map { $_->{name} } grep { $_->{wants} }
                               values %users;
    } until $is eq $want or time > $end;

    is($is, $want, $name);
}

my $end = time + $seconds;
my $rounds = 0;

while (time < $end and !@wrong) {
    my $until = time + 4;

    while (time < $until) {
        $steps[rand @steps]->() if rand() < 0.3;
        turn(0.02);
    }

    settle('round ' . ++$rounds);
}

$_->{wants} = 0 for values %users;
@steady = ();
settle('all have left');

is(join("\n", @wrong), '', 'each change comes once, and nobody leaves who stays');
cmp_ok($events, '>', 10, "$events events");

is(join('', grep { !/exited on signal 9|was locked by/ } $server->alerts), '',
   'the log has only the deaths');

done_testing();
