# The load generator notices mistakes: its modes run against t/bench/faulty.pl,
# which makes one mistake in each run.

use strict;
use warnings;

use Config;
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use IPC::Open2 qw(open2);
use Test::More;

my $root  = abs_path(dirname(__FILE__) . '/../..');
my $bench = "$root/build/bench/longpoll-bench";

my $pid = open2(my $out, my $in, $^X, "$root/t/bench/faulty.pl");
chomp(our $port = <$out>);

my %modes = (
    fanout   => '-c 3 -n 10',
    lockstep => '-c 2 -n 16',
    own      => '-c 4 -w 2 -n 24',
    publish  => '-c 2 -k 4 -n 24',
    asked    => '-c 2 -k 4 -n 24',
    catchup  => '-c 2 -k 2 -f 8 -n 6',
    store    => '-c 2 -k 4 -n 24',
);

# The counters of each fault.  An event that is misrouted is also lost.
my %counted = (
    none     => [],
    close    => [],
    chunks   => [],
    pages    => [],
    drop     => [qw(lost)],
    double   => [qw(doubled)],
    swap     => [qw(reordered)],
    deaf     => [qw(lost)],
    misroute => [qw(misrouted lost)],
    corrupt  => [qw(misrouted lost)],
    refuse   => [qw(bad)],
    status   => [qw(bad)],
);

my @kinds = qw(bad misrouted lost doubled reordered);
my $run   = 0;
our $limit = '';

# run(PROTOCOL, FAULT, OPTION...) returns the exit code and the figures.
sub run {
    my ($proto, $fault, @args) = @_;
    my $url = "http://127.0.0.1:$port/$proto/$fault/r" . ++$run;
    my @all = $proto eq 'nchan' ? ('-G', "/nchan/$fault/r$run/all") : ();

    open my $fh, '-|', "$limit $bench -l -t 60 -p $proto @all @args $url 2>&1"
        or die "$bench: $!\n";
    my $said = join '', <$fh>;
    close $fh;

    my %figure = $said =~ /(\w+)=([-.\d]+)/g;
    return ($? >> 8, $said, %figure);
}

sub try {
    my ($proto, $fault, $mode, @more) = @_;
    my @counted = @{ $counted{$fault} };

    # A fan-out has no second category that an event could go to.
    @counted = 'lost' if $fault eq 'misroute' && $mode eq 'fanout';

    # If an event never comes, the generator should not wait for it for long.
    my $wait = $fault =~ /drop|misroute|corrupt|deaf/
        || $fault eq 'swap' && $mode =~ /fanout|own|lockstep/ ? 100 : 5000;

    my ($code, $said, %figure)
        = run($proto, $fault, "-W $wait @more $modes{$mode} $mode");
    my @wrong = grep { !$figure{$_} } @counted;
    my %may   = map { $_ => 1 } @counted;

    # A poll without a cursor asks for the events after its arrival.
    $may{lost} = 1 if $fault eq 'status';
    push @wrong, grep { !$may{$_} && ($figure{$_} // 1) != 0 } @kinds;
    push @wrong, "exit code $code" if $code != (@counted ? 1 : 0);
    push @wrong, 'nothing was checked' unless $figure{checked};

    ok(!@wrong, "$proto, @more $mode: " . (!@counted ? "$fault is no mistake"
        : "$fault is counted as " . join ' and ', @counted))
        or diag("wrong: @wrong\n$said");
}

for my $mode (sort keys %modes) {
    for my $fault (sort keys %counted) {
        # publish, asked, store and catchup wait for no event, own and lockstep
        # would wait for each lost one.
        next if $fault eq 'status' && $mode =~ /publish|asked|store|catchup/
            || $fault eq 'deaf' && $mode =~ /own|lockstep/;

        try('golongpoll', $fault, $mode);
    }
}

for my $proto (qw(nchan pushstream)) {
    for my $mode (qw(own catchup)) {
        try($proto, $_, $mode) for grep { !/status|deaf/ } sort keys %counted;
    }
}

# The same down streams.
for my $proto (qw(golongpoll nchan)) {
    my @faults = qw(none chunks drop double swap misroute corrupt refuse deaf);

    for my $fault (@faults) {
        try($proto, $fault, 'fanout', '-e');
        try($proto, $fault, 'own', '-e') if $fault ne 'deaf';
    }
}

# Events that go down streams, while their memory is measured.
{
    my ($code, $said, %figure)
        = run('golongpoll', 'none', '-e -c 20 -f 5 -a 30 park');
    is($code, 0, 'streams that are parked get all events') or diag($said);
    is($figure{checked}, 20 * 30 + 10 * 35, 'and each of them is looked at');

    ($code, $said, %figure) = run('golongpoll', 'double',
                                  '-e -c 20 -f 5 -a 30 park');
    is($code, 1, 'an event that comes twice down them fails the run')
        or diag($said);

    ($code, $said) = run('golongpoll', 'status', '-e -c 20 park');
    is($code, 0, 'streams without events are parked') or diag($said);
}

# Clients that come and leave: at the end one event is for all of them.  The
# seventh publish of these runs is the faulty one.
for my $fault (qw(none drop double corrupt refuse)) {
    my %counts = map { $_ => 1 } @{ $counted{$fault} };
    my ($code, $said, %figure);

    for (1 .. 7) {
        ($code, $said, %figure)
            = run('golongpoll', $fault, '-W 200 -c 5 -n 2 churn');
        --$run if $_ < 7;
    }

    is(join(' ', $code, grep { $figure{$_} } @kinds),
       join(' ', %counts ? 1 : 0, grep { $counts{$_} } @kinds),
       "clients that come and leave: $fault") or diag($said);
}

{
    my ($code, $said, %figure) = run('golongpoll', 'status', '-c 20 -n 2 churn');
    is($code, 1, 'a poll that is answered before its client leaves is counted')
        or diag($said);
    ok($figure{bad}, 'as a bad answer');
}

for (['cut', 'connection \d+ was lost'], ['hang', 'time is up']) {
    my ($fault, $words) = @$_;
    my ($code, $said) = run('golongpoll', $fault, '-t 1 -k 4 -n 20 publish');
    is($code, 2, "$fault ends the run");
    like($said, qr/$words/, "$fault is reported");
}

{
    my ($code, $said, %figure) = run('golongpoll', 'none', $modes{asked}, 'asked');
    is($figure{checked}, 4 + 4 + 24, 'asked: the first events are read, and all at the end')
        or diag($said);
}

# With fewer files than connections the generator has several processes.
{
    local $limit = 'ulimit -n 140 &&';

    for (['none', 0], ['drop', 1, 'lost'], ['double', 1, 'doubled']) {
        my ($fault, $want, @counted) = @$_;
        my ($code, $said, %figure)
            = run('golongpoll', $fault, '-W 500 -c 100 -n 8 fanout');
        my $is = join ' ', $code, map { "$_ " . ($figure{$_} // '-') }
            grep { $figure{$_} // 1 } @kinds;
        is($is, join(' ', $want, map { "$_ 100" } @counted),
           "100 polls in three processes: $fault") or diag($said);
    }

    my ($code, $said) = run('golongpoll', 'none', '-k 100 -c 100 publish');
    is($code, 2, 'too many connections end the run');
    like($said, qr/open files/, 'and the message says why');
}

# Several servers.  These share no events, so what is published on one of them
# does not come on the next.
{
    my $other = open2(my $its_out, my $its_in, $^X, "$root/t/bench/faulty.pl");
    chomp(my $its_port = <$its_out>);
    local $port = "$port,127.0.0.1:$its_port";

    for (['publish', 0], ['own', 0], ['own', 1, '-d 1'], ['own', 0, '-d 2']) {
        my ($mode, $want, @more) = @$_;
        my ($code, $said, %figure)
            = run('golongpoll', 'none', "-W 100 @more $modes{$mode}", $mode);

        is($code, $want, "two servers, @more $mode") or diag($said);
        is($figure{lost}, $want ? 28 : 0, 'what is lost is counted');
    }

    close $its_in;
    waitpid $other, 0;
}

# A backend's CPU time is not the server's.
{
    my ($code, $said, %figure) = run('golongpoll', 'none', $modes{own}, 'own');
    is($figure{backend_us}, undef, 'without a backend') or diag($said);

    ($code, $said, %figure)
        = run('golongpoll', 'none', "-X $$ $modes{own}", 'own');
    is($code, 0, 'with a backend') or diag($said);
    ok($figure{backend_us} < $figure{cpu_us}, 'its time is counted apart');
}

# The CPU time of a thread that has ended is the server's.
SKIP: {
    skip('perl has no threads', 2) unless $Config{useithreads};

    my ($code, $said, %figure) = run('golongpoll', 'thread', $modes{own}, 'own');
    is($code, 0, 'a server whose thread ends') or diag($said);
    cmp_ok($figure{cpu_us} * 24, '>=', 200_000, 'the time of that thread');
}

# Earlier runs may have left more events than one answer holds.
for my $mode (qw(publish catchup)) {
    for (1, 2) {
        my ($code, $said) = run('golongpoll', 'pages', $modes{$mode}, $mode);
        is($code, 0, "$mode: run $_ reads over those before") or diag($said);
        --$run;
    }
    ++$run;
}

# A poll that is answered is not parked.
{
    my ($code, $said, %figure) = run('golongpoll', 'status', '-c 20 park');
    is($code, 1, 'a parked poll that is answered fails the run');
    ok($figure{bad}, 'and is counted');

    ($code, $said) = run('golongpoll', 'early', '-t 1 -c 20 park');
    is(() = $said =~ /a parked poll was answered/g, 5,
       'of thousands of such answers five are shown') or diag($said);
}

# The page documents every option.
{
    my $usage = `$bench 2>&1`;
    open my $fh, '<', "$root/docs/benchmark.md" or die "benchmark.md: $!\n";
    my $page = join '', <$fh>;
    my @options = $usage =~ /(?:^|\s)-(\w)\s/g;
    my @missing = grep { $page !~ /^\| `-$_\b/m } @options;

    is("@missing", '', 'docs/benchmark.md has all ' . @options . ' options');
}

close $in;
waitpid $pid, 0;
done_testing;
