# What a follower of presence believes is what is true, every moment.  Users come,
# poll again, stream and leave, while workers die at a store or are killed, and
# nginx is reloaded, also with a zone of another size, or is started anew.
#
#     SEED=n      the same worlds and steps again
#     SECONDS=n   how long, 50: in worlds of 25 seconds, each with a seed of its
#                 own, the next one
#     CHAOS_SLACK=n   seconds allowed over every promised time, 1
#
# A category is true while a user is connected for it.  From the second after it
# became true it must be believed, and from a second after grace on it must not
# be.  What a death, a reload or a busy machine may take longer is added.  For
# who is there when a reload changes the size, grace begins up to two seconds
# behind longpoll_drain.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use File::Temp ();
use IO::Select ();
use JSON::PP ();
use List::Util qw( min );
use Test::More;
use Time::HiRes qw( time );

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Chaos ();
use Longpoll::Client ();
use Longpoll::Server ();

my $dying = Longpoll::Chaos::dying();

$SIG{PIPE} = 'IGNORE';

my $seed = $ENV{SEED} // time % 1000000 | 0;
my $end = time + ($ENV{SECONDS} // 50);
my $slack = $ENV{CHAOS_SLACK} // 1;

# what deaths leave in the log, and streams of a worker that is stopped

my $known = qr/exited on signal 9|was locked by|open socket #|aborting$/;

# seconds that each of them may delay what is told

my %costs = (death => 1.5, reload => 0.7, start => 2);

my $drain = 0.3;

my ($server, $bomb, %world, %cats, @users, $follower, %believed, @wrong);
my ($events, $resets, $starts, $lost, $turned, $armed);


# a world

sub begin {
    srand $seed;

    %world = (
        workers => 1 + int rand 4,
        grace => 1 + int rand 3,
        size => '4m',
        file => ('', ' persist=kept/events flush=100ms',
                 ' persist=kept/events durable=on')[$seed % 3],
        pace => 0.02 + 0.3 * rand,      # steps of users, in a turn
        harm => 0.004 + 0.02 * rand,    # deaths and reloads, in a turn
    );

    %cats = map { ("c$_" => { on => 0, left => [0, 0] }) } 0 .. 4 + int rand 16;
    %believed = @wrong = ();
    ($events, $resets, $starts, $lost, $turned, $armed) = (0, 0, 1, 0);

    my @names = sort keys %cats;

    # of fewer users, few would not be in the categories of those who stay

    @users = map { { cats => [@names[rand @names]] } } 1 .. 10 + int rand 24;
    push @{ $_->{cats} }, (grep { $_ ne $users[0]{cats}[0] } @names)[rand 3]
        for grep { rand() < 0.3 } @users;
    for my $one (@users) {
        my %once = map { $_ => 1 } @{ $one->{cats} };
        $one->{cats} = [sort keys %once];
        $one->{uri} = '/events?timeout=' . (rand() < 0.3 ? 1 : 60)
                      . join '', map { "&category=$_" } @{ $one->{cats} };
    }

    # these always want to be there

    $_->{wants} = $_->{steady} = 1 for @users[0, 1];

    $follower = {};
    $bomb = Longpoll::Chaos::bomb(File::Temp::tempdir('longpoll-XXXXXX',
                                                      TMPDIR => 1,
                                                      CLEANUP => 1));

    $server = with_bomb(sub {
        Longpoll::Server->start(
            workers => $world{workers}, http => http(),
            server => 'location = /events { longpoll_subscribe events;'
                      . ' longpoll_publish events; }');
    });

    diag("seed $seed: $world{workers} workers, grace $world{grace}s$world{file}");
}

sub with_bomb {
    my ($do) = @_;

    local $ENV{LONGPOLL_DIE} = $bomb;
    local $ENV{TEST_NGINX_LOAD_MODULES} = $dying;
    return $do->();
}

sub http {
    return "longpoll_zone zone=events:$world{size} presence=who"
           . " grace=$world{grace}s$world{file};\n"
           . sprintf("longpoll_drain %dms;\n", 1000 * $drain);
}


# A worker that is to die at a store may have done so.

sub died {
    return if !$armed;

    open my $in, '<:raw', $bomb or die "$bomb: $!\n";
    read $in, my $left, 8;

    if (unpack('Q', $left) == 0) {
        $armed = 0;
        $lost += $costs{death};
    }
}

sub nobody_dies {
    died();
    Longpoll::Chaos::number($bomb, 'Q', 0);
    $armed = 0;
}


# time, less what was lost

sub stamp { [time, $lost] }

sub since {
    my ($stamp) = @_;
    return time - $stamp->[0] - ($lost - $stamp->[1]);
}


# connections

sub connected {
    my ($one) = @_;

    return if $one->{conn};

    my $c = eval { Longpoll::Client->new(port => $server->port) } or return;
    my @stream = $one->{streams}
                 ? (headers => ['Accept: text/event-stream',
                                'Connection: close'])
                 : ();
    my $uri = $one->{uri}
        // '/events?category=who&timeout=60&'
           . ($one->{cursor} ? "last_id=$one->{cursor}" : 'since_time=1');

    eval { $c->request(GET => $uri, @stream) } or return;
    $one->{conn} = $c;

    for my $cat (map { $cats{$_} } @{ $one->{cats} || [] }) {

        # a short absence is none

        $cat->{came} = stamp()
            if $cat->{on}++ == 0 and time - $cat->{left}[0] > $world{grace} / 2;
    }
}

sub left {
    my ($one) = @_;

    my $c = delete $one->{conn} or return;
    $c->close;

    --$_->{on} or $_->{left} = stamp()
        for map { $cats{$_} } @{ $one->{cats} || [] };
}

# Reads what has come; whoever got an answer, or lost a connection, asks again.

sub turn {
    my ($wait) = @_;

    died();

    my $late = defined $turned ? time - $turned - 0.1 : 0;
    $lost += $late if $late > 0;

    for my $one ($follower, @users) {
        $one == $follower || $one->{wants} ? connected($one) : left($one);
    }

    my %on = map { fileno($_->{conn}->sock) => $_ }
             grep { $_->{conn} } $follower, @users;
    my $select = IO::Select->new(map { $_->{conn}->sock } values %on);

    for my $sock ($select->can_read($wait)) {
        my $one = $on{ fileno $sock };

        eval { $one->{conn}->fill(1) };

        if (!$one->{streams} and my $r = $one->{conn}->parsed) {
            believe($r) if $one == $follower;
            left($one);
        }

        left($one) if $one->{conn} and $one->{conn}{eof};
    }

    $turned = time;
    judge();
}


# the follower

sub believe {
    my ($r) = @_;

    my $answer = eval { $r->json } or return;

    push @wrong, 'the follower missed events'
        if $answer->{missed} and $resets == $starts;

    for my $event (@{ $answer->{events} || [] }) {
        my ($name, $present) = @{ $event->{data} }{qw( category present )};

        $follower->{cursor} = $event->{id};
        $events++;

        if ($present eq 'reset') {
            push @wrong, 'another reset' if ++$resets > $starts;
            %believed = ();
            $_->{came} = stamp() for values %cats;      # told once more
            next;
        }

        my $cat = $cats{$name};
        my $told = $present ? 'there' : 'not there';

        push @wrong, "$name is reported twice: $told"
            if !!$present == !!$believed{$name};
        push @wrong, "$name left, and is there"
            if !$present and $cat->{on}
               and since($cat->{came}) > $world{grace} + 1 + $slack;

        $believed{$name} = $present ? 1 : 0;
    }
}

sub judge {
    for my $name (sort keys %cats) {
        my $cat = $cats{$name};

        push @wrong, sprintf '%s came %.2f s ago, and is not believed', $name,
                             since($cat->{came})
            if !$believed{$name} and $cat->{on}
               and since($cat->{came}) > 1 + $slack;
        my $left = min(since($cat->{left}), time - ($cat->{held} // 0));

        push @wrong, sprintf '%s left %.2f s ago, and is believed', $name, $left
            if $believed{$name} and !$cat->{on}
               and $left > $world{grace} + 1 + $slack;
    }
}


# steps

my @user_steps = (
    (sub {
        my $one = $users[rand @users];

        return if $one->{steady};
        $one->{wants} = !$one->{wants};
        left($one);
        $one->{streams} = rand() < 0.4;
    }) x 5,

    sub {
        my $name = (sort keys %cats)[rand keys %cats];

        eval {
            Longpoll::Client->new(port => $server->port)->request(
                POST => '/events', body => qq({"category":"$name","data":1}));
        };
    },
);

my @harms = (
    (sub {
        Longpoll::Chaos::number($bomb, 'Q', 1 + int 200 * rand() ** 2);
        $armed = 1;
    }) x 4,

    sub {
        my @workers = $server->workers;
        kill KILL => $workers[rand @workers] if @workers;
        $lost += $costs{death};
    },

    sub {
        if (rand() < 0.5) {
            $world{size} = $world{size} eq '4m' ? '2m' : '4m';
            $server->{http} = http();
            $server->write_conf;
            $_->{held} = time + 2 + $drain for grep { $_->{on} } values %cats;
        }
        kill HUP => $server->master;
        $lost += $costs{reload};
    },

    sub {
        return if rand() < 0.7;

        nobody_dies();
        $server->stop;
        with_bomb(sub { $server->start_again });
        $starts++;
        $lost += $costs{start};
    },
);

# All steps are over: what is believed must soon be true.

sub settle {
    nobody_dies();

    # judge() says before that what is late

    my $last = time + $world{grace} + 1 + $slack + $costs{start};
    my ($is, $want);

    do {
        turn(0.02);
        $is = join ' ', sort grep { $believed{$_} } keys %believed;
        $want = join ' ', sort grep { $cats{$_}{on} } keys %cats;
    } until $is eq $want or @wrong or time > $last;

    push @wrong, "at last: believed $is, true $want" if $is ne $want;
}

sub live {
    my ($last) = @_;

    while (time < $last and !@wrong) {
        my $until = time + 5;

        while (time < $until and !@wrong) {
            $user_steps[rand @user_steps]->() if rand() < $world{pace};
            $harms[rand @harms]->() if rand() < $world{harm};
            turn(0.02);
        }

        settle();
    }

    $_->{wants} = 0 for @users;
    settle();
}

do {
    begin();

    my $last = time + 25;
    live($last < $end ? $last : $end);

    my $name = "seed $seed";

    is(join("\n", @wrong), '', "$name: what is believed is true");
    cmp_ok($events, '>', 10, "$name: $events events, $resets resets");
    is(join('', grep { !/$known/ } $server->alerts),
       '', "$name: the log has only the deaths");

    $server->stop;
    $seed++;
} while (time < $end - 10);

done_testing();
