# The cost of an operation in instructions, a figure that is the same on a busy
# machine.
#
# callgrind counts the instructions of a worker for few operations and for many;
# the difference, divided by the operations, must not exceed t/cost/budget.
# There are two figures: the instructions of the module and of yajl, which are
# the same with every nginx, and those of the whole worker, with nginx and libc,
# which include the work that the module causes there.  With another compiler or
# nginx than the budget's the figures differ, and the comparison is skipped.
#
#     tools/test.pl cost               compares
#     tools/test.pl cost -- record     writes the measured figures as the budget
#     COST_ONLY='publish poll' tools/test.pl cost
#
# With COST_ONLY, record writes the lines of these operations only.
#
# A budget is raised by a commit of its own, which says why.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use POSIX ();
use Test::More;

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Browser ();
use Longpoll::Client ();
use Longpoll::Instructions qw( counted built_by );
use Longpoll::Scenario ();
use Longpoll::Stream ();

# In percent.  From run to run the module's own figures varied by 0.1, the
# others by 1, as the kernel reports more or fewer events to nginx at once.

my %tolerance = (own => 1, all => 3);

my $file = dirname(abs_path(__FILE__)) . '/budget';
my $data = 'x' x 100;

plan skip_all => 'cost: valgrind is not installed'
    unless Longpoll::Browser::program('valgrind');

$Longpoll::Client::Patience = 60;


# The operations, in the order of the budget: `run` does n of them, after
# `prepare`; the figures of `less` are subtracted.

my (%clients, %streams);

my @cases = (
    {
        name => 'floor', title => 'an answer of nginx itself',
        few => 200, many => 1200,
        run => sub { ping() for 1 .. $_[0] },
    },
    {
        name => 'publish', title => 'a publish of 100 bytes',
        few => 400, many => 1400,       # the buffer is full in both
        run => sub { publish('farm') for 1 .. $_[0] },
    },
    {
        name => 'large', title => 'a publish of 1,000 bytes',
        few => 400, many => 1400,
        run => sub { publish('farm', $data x 10) for 1 .. $_[0] },
    },
    {
        name => 'text', title => 'a publish of 10,000 bytes of text',
        few => 400, many => 1400,
        run => sub { publish_text($data x 100) for 1 .. $_[0] },
    },
    {
        name => 'turnover', title => 'a publish into a log that is full',
        http => 'longpoll_zone zone=events:64k;', few => 1000, many => 3000,
        run => sub { publish("farm$_") for map { $_ % 8 } 1 .. $_[0] },
    },
    {
        name => 'poll', title => 'a poll that is answered at once',
        few => 200, many => 1200,
        prepare => sub {
            publish('farm') for 1 .. 2;
            my ($first) = get(a => poll('farm', 1))->events;
            return poll('farm', $first->{timestamp}, $first->{id});
        },
        run => sub { get(a => $_[1], 1) for 1 .. $_[0] },
    },
    {
        name => 'catchup', title => 'a poll that is answered with 250 events',
        few => 20, many => 120,
        prepare => sub { publish('farm') for 1 .. 250; poll('farm', 1) },
        run => sub { get(a => $_[1], 250) for 1 .. $_[0] },
    },
    {
        name => 'wake', title => 'a delivery to the only poll, and the next',
        few => 200, many => 1200, less => [qw( publish floor )],
        prepare => sub { publish('farm') for 1 .. 400; park(1) },
        run => sub { wake(1) for 1 .. $_[0] },
    },
    {
        name => 'fanout', title => 'one of 100 deliveries, and the next poll',
        few => 4, many => 24, each => 100, less => [qw( publish floor )],
        prepare => sub { publish('farm') for 1 .. 400; park(100) },
        run => sub { wake(100) for 1 .. $_[0] },
    },
    {
        name => 'timeout', title => 'a poll that times out',
        few => 1, many => 3, each => 200,
        loose => 10,            # how many time out at once varies, too
        prepare => sub { client("w$_") for 1 .. 200 },
        run => sub {
            for (1 .. $_[0]) {
                client("w$_")->request(GET => poll('none', 1, undef, 1))
                    for 1 .. 200;
                client("w$_")->response->kind eq 'timeout'
                    or die "a poll did not time out\n" for 1 .. 200;
            }
        },
    },
    {
        name => 'leave', title => 'a poll that waits, and leaves',
        few => 200, many => 1200,
        loose => 10,            # when nginx sees that a client is gone varies
        run => sub { give_up(100) for 1 .. $_[0] },
    },
    {
        name => 'there', title => 'the same where that is told',
        loose => 10,
        http => 'longpoll_zone zone=events:4m presence=who grace=1h;',
        few => 200, many => 1200,
        run => sub { give_up(100) for 1 .. $_[0] },
    },
    {
        name => 'periods',
        title => 'a delivery after 6,000 time-outs that were given up',
        few => 200, many => 1200, less => [qw( publish floor )],
        loose => 20,            # as with leave, six times for each delivery
        prepare => sub {
            give_up(1 + $_) for 1 .. 6000;
            publish('farm') for 1 .. 400;
            park(1);
        },
        run => sub { wake(1) for 1 .. $_[0] },
    },
    {
        name => 'stream', title => 'one of 100 deliveries down streams',
        few => 10, many => 60, each => 100, less => [qw( publish floor )],
        prepare => sub { publish('farm') for 1 .. 400; stream(100) },
        run => sub { flow(100) for 1 .. $_[0] },
    },
    {
        name => 'beat', title => 'a heartbeat of a stream',
        few => 1, many => 3, each => 400,
        loose => 10,            # how many beat at once varies
        prepare => sub { stream(400, '/beats') },
        run => sub { beat(400) for 1 .. $_[0] },
    },
);


sub client {
    my ($name) = @_;
    return $clients{$name} //= Longpoll::Client->new(port => $clients{port});
}

# Returns when nginx has answered all earlier requests.

sub ping {
    my $answer = client('p')->request(GET => '/floor')->response;
    $answer->status == 204 or die 'floor: ', $answer->status, "\n";
}

sub publish {
    my ($category, $what) = @_;
    $what //= $data;

    posted('/publish', qq({"category":"$category","data":"$what"}));
}

sub publish_text {
    posted('/text', $_[0]);
}

sub posted {
    my ($uri, $body) = @_;

    my $answer = client('b')->request(POST => $uri, body => $body)->response;
    $answer->body eq '{"success": true}'
        or die 'publish: ', $answer->status, ' ', $answer->body, "\n";
}

sub poll {
    my ($category, $since, $id, $timeout) = @_;

    return "/events?timeout=" . ($timeout // 110) . "&category=$category"
        . "&since_time=$since" . (defined $id ? "&last_id=$id" : '');
}

sub get {
    my ($name, $uri, $events) = @_;

    my $answer = client($name)->request(GET => $uri)->response;
    check($answer, $events) if $events;
    return $answer;
}

# The check is cheap, so that the client does not slow the test down.

sub check {
    my ($answer, $events) = @_;
    my $found = () = $answer->body =~ /"data":"$data"/g;

    $found == $events or die "not $events events: ", $answer->body, "\n";
}

sub park {
    my ($n) = @_;

    client("w$_")->request(GET => '/events?timeout=110&category=farm')
        for 1 .. $n;
    ping();
    return $n;
}

# A poll whose client leaves before its time-out, which differs from all others.

sub give_up {
    my ($timeout) = @_;

    client('gone')->request(GET => poll('none', 1, undef, $timeout));
    ping();
    delete($clients{gone})->close;
}

# When wake() returns, all polls are parked again.

sub wake {
    my ($n) = @_;

    publish('farm');

    my @next = map {
        my $answer = client("w$_")->response;

        check($answer, 1);
        my ($since, $id) = $answer->body
            =~ /"timestamp":(\d+),.*"id":"([-\w]+)"/ or die $answer->body;
        poll('farm', $since, $id);
    } 1 .. $n;

    client("w$_")->request(GET => $next[$_ - 1]) for 1 .. $n;
    ping();
}


sub stream {
    my ($n, $path) = @_;

    $streams{$_} = Longpoll::Stream->new(
        { port => $clients{port}, uri => $path }, category => 'farm')
        for 1 .. $n;

    $_->caught_up for @streams{1 .. $n};
    return $n;
}

# An event down all streams.  The check is as cheap as that of polls.

sub flow {
    my ($n) = @_;

    publish('farm');
    came($_, qr/"data":"$data"/) for 1 .. $n;
    ping();
}

sub beat {
    my ($n) = @_;

    came($_, qr/^event: place\n/) for 1 .. $n;
}

sub came {
    my ($number, $what) = @_;

    my $frame = $streams{$number}->next;
    $frame->{text} =~ $what or die "another frame: $frame->{text}\n";
}


# Returns the instructions of one operation.

sub spent {
    my ($case) = @_;

    my %http = (
        http => 'keepalive_requests 1000000; '
            . ($case->{http} // 'longpoll_zone zone=events:4m;'),
        server => <<'_EOC_',
            longpoll_max_timeout 1d;
            location = /events  { longpoll_subscribe events; }
            location = /publish { longpoll_publish   events; }
            location = /text    { longpoll_publish   events;
                                  longpoll_category  farm; }
            location = /floor   { return 204; }
            location = /beats   { longpoll_subscribe events;
                                  longpoll_heartbeat 5s; }
_EOC_
    );

    my ($few, $many) = map {
        my $n = $_;

        counted(sub {
            my ($server) = @_;
            %clients = (port => $server->port);
            my $prepared = $case->{prepare} && $case->{prepare}->();
            $case->{run}->($n, $prepared);
            %clients = %streams = ();
        }, %http);
    } @$case{qw( few many )};

    my $ops = $case->{many} - $case->{few};
    my $each = $ops * ($case->{each} // 1);
    my %by = map { $_ => ($many->{by}{$_} - ($few->{by}{$_} // 0)) / $each }
        keys %{ $many->{by} };

    return { by => \%by,
             map { $_ => ($many->{$_} - $few->{$_}) / $ops } qw( own all ) };
}


# The budget has a line with compiler and nginx, and one for each figure.

sub this_build {
    my ($nginx) = `@{[ Longpoll::Server::nginx() ]} -v 2>&1` =~ m{/([\d.]+)};

    return ((POSIX::uname())[4], built_by(), 'nginx ' . ($nginx // 'unknown'));
}

sub budget {
    open my $in, '<', $file or die "$file: $!\n";

    my %budget;
    while (<$in>) {
        $budget{build} = [ split /, /, $1 ] if /^build (.*)/;
        $budget{$1} = { own => $2, all => $3 }
            if /^(\w+)\s+(-?\d+)\s+(-?\d+)\s/;
    }
    return %budget;
}

sub record {
    my ($spent, @build) = @_;

    my %old = budget();
    my %line = map {
        $_->{name} => $spent->{ $_->{name} } // $old{ $_->{name} }
    } @cases;

    open my $out, '>', $file or die "$file: $!\n";
    print $out <<'_EOC_', 'build ', join(', ', @build), "\n\n";
# Instructions for an operation: of the module and yajl, and of all the worker.
# `tools/test.pl cost -- record` writes this.  Raising a figure is a commit of
# its own that says why.

_EOC_
    printf $out "%-9s %7.0f %7.0f  %s\n", $_->{name},
        @{ $line{ $_->{name} } }{qw( own all )}, $_->{title}
        for grep { $line{ $_->{name} } } @cases;
    close $out or die "$file: $!\n";
}


my (%spent, %figure);
my %only = map { $_ => 1 } split ' ', $ENV{COST_ONLY} // '';

# what is subtracted is counted, too

my %counted = map { $_ => 1 } %only
    ? map { $_->{name}, @{ $_->{less} // [] } } grep { $only{ $_->{name} } }
        @cases
    : map { $_->{name} } @cases;

for my $case (@cases) {
    my $name = $case->{name};
    next if !$counted{$name};

    $spent{$name} = eval { spent($case) };
    my $why = $@;
    ok($spent{$name}, "$case->{title}: counted") or diag($why);
}

for my $case (grep { $spent{ $_->{name} } } @cases) {
    my $name = $case->{name};
    next if %only and !$only{$name};
    my @less = map { $spent{$_} } @{ $case->{less} // [] };
    next if grep { !$_ } @less;

    for my $kind (qw( own all )) {
        my $sum = $spent{$name}{$kind};
        $sum -= $_->{$kind} for @less;
        $figure{$name}{$kind} = $sum / ($case->{each} // 1);
    }
}

my @build = this_build();

if ($ENV{COST_RECORD}) {
    my $all = %only ? keys %only : @cases;
    my %old = budget();

    is(scalar keys %figure, $all, 'all is counted, and recorded')
        and (!%only || is("@build", "@{$old{build}}", 'with this build'))
        and record(\%figure, @build);
    done_testing;
    exit;
}

my %budget = budget();

note("SKIPPED: the budget is for @{$budget{build}}, this is @build")
    if "@build" ne "@{$budget{build}}";

for my $case (grep { $figure{ $_->{name} } } @cases) {
    my $name = $case->{name};

    note(sprintf '%s: %.1f, %.1f', $name, @{ $figure{$name} }{qw( own all )});

    for my $kind (qw( own all )) {
        my $what = $kind eq 'own' ? 'the module' : 'all the worker';
        my $last = $kind eq 'own' ? 1 : 2;
        my $other = join ', ', grep { defined } map {
            $build[$_] ne ($budget{build}[$_] // '') ? $build[$_] : undef
        } 0 .. $last;

        SKIP: {
            skip "$case->{title}, instructions of $what: the budget is not for"
                . " $other", 1 if $other;

            compare($case, $kind, $what);
        }
    }
}

sub compare {
    my ($case, $kind, $what) = @_;

    my $name = $case->{name};
    my $is = $figure{$name}{$kind};
    my $may = $budget{$name}{$kind};

    return fail("$name has no budget") unless defined $may;

    my $more = $kind eq 'all' && $case->{loose} || $tolerance{$kind};
    my $room = abs($may) * $more / 100;

    # On a slow machine fewer operations share the cost of the tick of each
    # second.

    $room = 25 if $room < 25;

    ok($is <= $may + $room, sprintf '%s: %.0f instructions of %s, of %d',
       $case->{title}, $is, $what, $may)
        or most_of(sprintf('%s: %.0f instructions of %s; the budget has %d, and'
            . ' %.0f are tolerated', $case->{title}, $is, $what, $may, $room),
            $spent{$name}{by});

    diag(sprintf '%s: %.0f instructions of %s are less than the %d of the'
        . ' budget: lower it', $case->{title}, $is, $what, $may)
        if $is < $may - $room;
}

# The functions that have most of the module's own instructions.

sub most_of {
    my ($text, $by) = @_;

    diag($text);
    my @most = sort { $by->{$b} <=> $by->{$a} } keys %$by;
    diag(sprintf '%8.0f  %s', $by->{$_}, $_) for grep { defined } @most[0 .. 9];
}

done_testing;
