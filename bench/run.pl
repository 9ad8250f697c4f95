#!/usr/bin/perl
#
# bench/run.pl [--quick] [--scaling] [--redis] [--case NAME]...
#           [--server NAME]... [--rounds N] [--out DIR] [--nginx FILE] [--list]
#
# Measures what the module costs, in comparison with nginx itself and with other
# servers.
#
# build/bench/longpoll-bench (bench/main.c) drives one server after the other
# and checks every answer.  The servers take turns in each round, so that
# whatever else the machine does affects all of them.  A figure is the median of
# the rounds, a ratio the median of the ratios of each round.  The machine must
# not do much else, though: a core shared with a compiler spoils any figure.
#
# If the module loses, doubles, reorders or misroutes an event, the benchmark
# ends.  If another server does, or fails, its run is repeated, twice at most,
# and the table says how often.
#
# The whole benchmark writes docs/performance.md and its plots.  --redis selects
# the cases of zones over Redis, and writes their section of that page.  Other
# cases only, or --quick, which runs every case once and small to see that it
# works, write build/bench/performance.md; --out DIR chooses another directory.
# --list prints cases, with their commands, and servers; --scaling selects the
# cases that show how costs grow.  --nginx FILE chooses another nginx than the
# first in PATH.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use Getopt::Long qw( GetOptions );
use JSON::PP ();
use List::Util qw( uniq );
use Time::HiRes qw( time );

my $root;

BEGIN {
    $root = abs_path(dirname(__FILE__) . '/..');
    unshift @INC, "$root/bench/lib", "$root/t/lib";
}

use Bench::Cluster ();
use Bench::Redis ();
use Bench::Report ();
use Bench::Server ();

my $load = "$root/build/bench/longpoll-bench";
my ($quick, $scaling, $redis, $rounds, $list, $out, @wanted, @names);
my $start = time;
chomp(my $files = `sh -c 'ulimit -Hn'`);
$files = 1e9 if $files eq 'unlimited';

$ENV{PATH} .= ':/usr/sbin';
$| = 1;

GetOptions('quick' => \$quick, 'scaling' => \$scaling, 'redis' => \$redis,
    'case=s' => \@wanted, 'server=s' => \@names,
    'rounds=i' => \$rounds, 'nginx=s' => \$Bench::Server::Nginx,
    'list' => \$list, 'out=s' => \$out) && !@ARGV or exit 2;

# `run` are the arguments of longpoll-bench, `floor` those for nginx alone.
# `figure` is a word of the line that longpoll-bench prints.  `goal` is a factor
# of another server's figure in the same round, or a number.  `fresh` starts a
# new server for each run, as a server does not free its tables.  `slim` uses
# settings for small requests.  `streams` is for the servers that have streams.
# `of` are the servers of whose figures the goal is a factor, of the least one.
# With `beside` the ratio is that to this module's own figure of another case;
# `only` matches the servers that are measured.  `also` makes a row of the same
# figures with another goal, which has `again`.  `then` is a second command, and
# the figures are the second one's divided by the first one's; it may have other
# workers.
# `via` and `kept` are Bench::Server's, for servers that are `fresh`.  `warm` is
# for cases that write much to memory: see warm().
#
# `redis` is for the servers over Redis, of so many `nodes`, and for those beside
# them (bench/lib/Bench/Redis.pm); this module's figure is then that of
# longpoll-redis.  `by` is a method of Bench::Cluster that runs the case.

my $n = $quick ? 2000 : 20_000;
my ($some, $few) = ($n / 4, $n / 20);   # of larger events
my $polls = $quick ? 1000 : 10_000;
my $many = $quick ? 2000 : 100_000;
my $tls = $quick ? 100 : 1000;           # each connection has a handshake
my $rounds_of_1k = $quick ? 3 : 20;     # to 1,000 polls each
my $long = '-t 300 -T 300';             # until all of them are parked
my $own = qr/^longpoll$/;
my $own_and_floor = qr/^(?:longpoll|floor)$/;

my @cases = (
    {
        name => 'publish', unit => 'us', figure => 'cpu_us',
        title => 'publish 100 B, 1,000 categories',
        run => "-c 32 -k 1000 -n $n publish /",
        floor => "-c 32 -k 1000 -n $n publish /floor",
        goal => 1.15, of => 'floor',
    },
    {
        name => 'publish-1k', unit => 'us', figure => 'cpu_us', warm => 1,
        title => 'publish 1 kB, 1,000 categories',
        run => "-c 32 -k 1000 -s 1000 -n $n publish /",
        floor => "-c 32 -k 1000 -s 1000 -n $n publish /floor",
        goal => 1.15, of => 'floor', also => [ 1.00, 'nchan|push-stream' ],
    },
    {
        name => 'publish-10k', unit => 'us', figure => 'cpu_us', warm => 1,
        title => 'publish 10 kB where each pushes an old one out',
        run => "-c 32 -k 32 -a 250 -s 10000 -n $some publish /",
        floor => "-c 32 -k 32 -s 10000 -n $some publish /floor",
        goal => 1.25, of => 'floor', also => [ 1.00, 'nchan|push-stream' ],
        rounds => 5,
    },
    {
        name => 'publish-100k', unit => 'us', figure => 'cpu_us', warm => 1,
        title => 'publish 100 kB where each pushes an old one out',
        run => "-c 4 -k 4 -a 250 -s 100000 -n $few publish /",
        floor => "-c 4 -k 4 -s 100000 -n $few publish /floor",
        goal => 1.30, of => 'floor', also => [ 1.00, 'nchan|push-stream' ],
        rounds => 5,
    },
    (map { +{
        name => "publish-$_", unit => 'us', figure => 'cpu_us', warm => 1,
        title => "publish 100 kB, a body of $_ alone",
        run => "-p $_ -c 4 -k 4 -a 250 -s 100000 -n $few publish /$_",
        floor => "-c 4 -k 4 -s 100000 -n $few publish /floor",
        goal => 1.30, of => 'floor', only => $own_and_floor,
    } } qw( text json )),
    {
        name => 'publish-full', unit => 'us', figure => 'cpu_us',
        title => 'publish 100 B where each pushes an old one out',
        run => "-c 32 -k 100 -a 250 -n $n publish /",
        floor => "-c 32 -k 100 -n $n publish /floor",
        goal => 1.15, of => 'floor',
    },
    {
        name => 'fanout', unit => 'us', figure => 'cpu_us',
        title => 'fan-out to 1,000, per delivery',
        run => "-c 1000 -n $rounds_of_1k fanout /",
        floor => "-c 1000 -n $rounds_of_1k burst /answer",
        goal => 1.25, of => 'floor', also => [ 0.80, 'nchan' ],
    },
    {
        name => 'fanout-10k', unit => 'us', figure => 'cpu_us',
        title => 'fan-out to 10,000, per delivery',
        run => '-c 10000 -n ' . ($quick ? 2 : 5) . ' fanout /',
        floor => '-c 10000 -n ' . ($quick ? 2 : 5) . ' burst /answer',
        goal => 1.25, of => 'floor',
    },
    {
        name => 'publisher', unit => 'ms', figure => 'publisher_p50_us',
        title => "the publisher's own answer, fan-out to 10,000",
        from => 'fanout-10k', divide => 1000, goal => 0.3,
    },
    {
        name => 'others', unit => 'ms', figure => 'others_p99_us',
        title => "another publisher's p99 wait, fan-out to 10,000",
        run => '-c 10000 -o 32 -n ' . ($quick ? 2 : 5) . ' fanout /',
        divide => 1000, goal => 15,
    },
    {
        name => 'lockstep', unit => 'us', figure => 'cpu_us',
        title => 'lock-step publish and receive, per round',
        run => '-c 16 -n ' . $n / 5 . ' lockstep /',
        goal => 0.65, of => 'nchan',
    },
    {
        name => 'own', unit => 'us', figure => 'cpu_us',
        title => '2,000 subscribers on their own categories, per event',
        run => "-c 2000 -w 64 -n $n own /",
        goal => 0.70, of => 'nchan|push-stream',
    },
    (map { +{
        name => $_, unit => 'us', figure => 'cpu_us', fresh => 1, via => $_,
        title => 'fan-out to 1,000 over '
            . ($_ eq 'tls' ? 'TLS' : 'HTTP/2') . ', per delivery',
        run => "-c $tls -n $rounds_of_1k fanout /",
        floor => "-c $tls -n $rounds_of_1k burst /answer",
        goal => 1.30, of => 'floor', only => $own_and_floor, rounds => 5,
    } } qw( tls h2 )),
    {
        name => 'h2-alike', unit => 'us', figure => 'cpu_us', fresh => 1,
        title => 'the same, where nginx itself has such addresses and headers',
        run => "-c $tls -n $rounds_of_1k fanout /", via => 'h2',
        floor => "-c $tls -n $rounds_of_1k burst /alike?timeout=30&category=c0"
            . '&since_time=1616040198889'
            . '&last_id=0198c0de-0000-7000-8000-000000000000',
        of => 'floor', only => $own_and_floor, rounds => 5,
    },
    {
        name => 'churn', unit => 'us', figure => 'cpu_us',
        title => 'a client that connects, polls and leaves',
        run => "-c 1000 -n $rounds_of_1k churn /",
        floor => "-c 1000 -n $rounds_of_1k churn /answer",
        goal => 1.15, of => 'floor', only => $own_and_floor,
    },
    {
        name => 'catchup', unit => 'us', figure => 'cpu_us',
        title => 'catch-up of 250 x 100 B, the whole answer',
        run => '-c 16 -k 10 -n ' . $n / 10 . ' catchup /',
        floor => '-c 16 -n ' . $n / 5 . ' get /catchup',
        goal => 2.5, of => 'floor',
    },
    {
        name => 'categories', unit => 'x', figure => 'cpu_us', fresh => 1,
        title => 'publish to 100,000 categories instead of 1,000',
        run => "-c 32 -k 1000 -a 1 -n $n publish /",
        then => '-c 32 -k ' . ($quick ? 10_000 : 100_000)
            . " -a 1 -n $n publish /",
        goal => 1.10, rounds => 5,
    },
    (map { (
        {
            name => "durable-$_", unit => 'x', figure => 'cpu_us', fresh => 1,
            title => "publish with durable=on instead of off, on $_",
            run => "-c 32 -k 1000 -n $n publish /", kept => $_,
            then => "-c 32 -k 1000 -n $n publish /kept",
            ($_ eq 'tmpfs' ? (goal => 1 / 0.60) : ()), rounds => 5,
            only => $own,
        }, {
            name => "durable-$_-rate", unit => 'x', figure => 'seconds',
            title => "the same, seconds, on $_", from => "durable-$_",
            ($_ eq 'tmpfs' ? (goal => 1 / 0.60) : ()),
        },
    ) } qw( tmpfs disk )),
    {
        name => 'eight-publish', unit => 'x', figure => 'cpu_us', fresh => 1,
        title => 'publish 100 B, 8 workers instead of 2', workers => 2,
        run => "-c 32 -k 1000 -n $n publish /", then_workers => 8,
        then => "-c 32 -k 1000 -n $n publish /",
        goal => 1.15, only => $own, rounds => 5,
    },
    {
        name => 'eight-fanout', unit => 'x', figure => 'cpu_us', fresh => 1,
        title => 'fan-out to 1,000, 8 workers instead of 2', workers => 2,
        run => "-c 1000 -n $rounds_of_1k fanout /", then_workers => 8,
        then => "-c 1000 -n $rounds_of_1k fanout /",
        goal => 1.15, only => $own, rounds => 5,
    },
    (map { my ($name, $what, $e) = @$_; (
        {
            name => "$name-100k", unit => 'x', figure => 'cpu_us', fresh => 1,
            title => "fan-out to 100,000 $what instead of 10,000, 8 workers",
            run => "$long -W 60000 $e-c $polls -n 5 fanout /", workers => 8,
            then => "$long -W 60000 $e-c $many -n 2 fanout /", streams => !!$e,
            goal => 1.15, only => $own, rounds => 3,
        }, {
            name => "$name-100k-memory", unit => 'x', figure => 'pss',
            title => "memory of each of 100,000 $what instead of 10,000,"
                . ' 8 workers', fresh => 1, workers => 8,
            run => "$long $e-c $polls -k $polls park /", streams => !!$e,
            then => "$long $e-c $many -k $many park /",
            goal => 1.03, only => $own, rounds => 3,
        },
    ) } [ 'polls', 'polls', '' ], [ 'streams', 'streams', '-e ' ]),
    {
        name => 'parked', unit => 'bytes', figure => 'pss', fresh => 1,
        title => 'a parked poll on a category of its own',
        run => "-c $polls -k $polls park /",
        floor => "-c $polls park /sleep",
        goal => 1.03, of => 'floor', rounds => 3,
    },
    {
        name => 'parked-slim', unit => 'bytes', figure => 'pss', fresh => 1,
        title => 'a parked poll, with slim settings', slim => 1,
        run => "-c $polls -k $polls park /",
        floor => "-c $polls park /sleep",
        goal => 1.04, of => 'floor', rounds => 3,
    },
    {
        name => 'parked-one', unit => 'bytes', figure => 'pss', fresh => 1,
        title => 'a parked poll, all on one category',
        run => "-c $polls park /",
        floor => "-c $polls park /sleep",
        goal => 1.03, of => 'floor', rounds => 3,
    },
    {
        name => 'parked-tls', unit => 'bytes', figure => 'pss', fresh => 1,
        title => 'a parked poll over TLS, on a category of its own',
        run => "-c $tls -k $tls park /", via => 'tls',
        floor => "-c $tls park /sleep",
        goal => 1.03, of => 'floor', only => $own_and_floor, rounds => 3,
    },
    {
        name => 'stored', unit => 'bytes', figure => 'pss', fresh => 1,
        title => 'a buffered event of 100 B',
        run => '-c 32 -k ' . ($quick ? 96 : 384) . ' -n '
            . ($quick ? 96 : 384) * 249 . ' store /',
        goal => 190, rounds => 3,
    },
    {
        name => 'stream', unit => 'us', figure => 'cpu_us', streams => 1,
        title => 'fan-out to 1,000 streams, per delivery',
        run => '-e -c 1000 -n ' . ($quick ? 3 : 40) . ' fanout /',
        goal => 1.15, of => 'bare', also => [ 1.00, 'push-stream' ],
    },
    {
        name => 'stream-10k', unit => 'us', figure => 'cpu_us', streams => 1,
        title => 'fan-out to 10,000 streams, per delivery',
        run => '-e -c 10000 -n ' . ($quick ? 2 : 10) . ' fanout /',
        goal => 1.15, of => 'bare', also => [ 1.00, 'push-stream' ],
    },
    {
        name => 'stream-own', unit => 'us', figure => 'cpu_us', streams => 1,
        title => '2,000 streams on their own categories, per event',
        run => "-e -c 2000 -w 64 -n $n own /",
        goal => 0.70, of => 'nchan|push-stream',
    },
    {
        name => 'stream-tls', unit => 'us', figure => 'cpu_us', streams => 1,
        title => 'fan-out to 1,000 streams over TLS, per delivery',
        run => "-e -c $tls -n $rounds_of_1k fanout /", via => 'tls',
        fresh => 1, only => $own, rounds => 5,
    },
    {
        name => 'open', unit => 'bytes', figure => 'pss', fresh => 1,
        title => 'an open stream on a category of its own', streams => 1,
        run => "-e -c $polls -k $polls park /",
        goal => 1.03, beside => 'parked', rounds => 3,
    },
    {
        name => 'open-one', unit => 'bytes', figure => 'pss', fresh => 1,
        title => 'an open stream, all on one category', streams => 1,
        run => "-e -c $polls park /",
        goal => 1.03, beside => 'parked-one', rounds => 3,
    },
    {
        name => 'open-tls', unit => 'bytes', figure => 'pss', fresh => 1,
        title => 'an open stream over TLS, on a category of its own',
        run => "-e -c $tls -k $tls park /", via => 'tls', streams => 1,
        only => $own, rounds => 3,
    },
    {
        name => 'open-later', unit => 'bytes', figure => 'private', fresh => 1,
        title => 'an open stream, all on one category, after '
            . ($quick ? '500' : '10,000') . ' events, without shared memory',
        streams => 1,
        run => '-e -t 300 -c 1000 -a ' . ($quick ? 500 : 10_000) . ' park /',
        goal => 1.03, beside => 'parked-one', rounds => 1,
        only => $own,
    },
);

push @cases, Bench::Redis::cases($quick);

@cases = map {
    my ($case, ($goal, $of)) = ($_, @{ $_->{also} // [] });
    ($case, $of ? {
        %$case{qw( unit figure streams )}, name => "$case->{name}-other",
        title => 'the same, beside ' . $of =~ s/\|/ and /r, again => 1,
        from => $case->{name}, goal => $goal, of => $of,
    } : ());
} @cases;

# How costs grow: each of these becomes several cases, one for each value of X
# in its commands.  `design` is what the design promises.

my @series = (
    {
        name => 'polls', of_x => 'parked polls', unit => 'us',
        title => 'fan-out, per delivery', over => [1000, 3000, 10_000, 30_000],
        design => 'flat',
        run => '-c X -n 5 fanout /', floor => '-c X -n 5 burst /answer',
    },
    {
        name => 'memory', of_x => 'parked polls', unit => 'bytes',
        title => 'memory of a parked poll', design => 'flat',
        over => [1000, 3000, 10_000, 30_000], figure => 'pss', fresh => 1,
        run => '-c X -k X park /', floor => '-c X park /sleep',
    },
    {
        name => 'buffered', of_x => 'events in the buffers', unit => 'us',
        title => 'publish', over => [1000, 10_000, 100_000], fresh => 1,
        design => 'flat',
        run => "-c 32 -k 500 -a Y -n $n publish /",
        then_y => sub { $_[0] / 500 },
    },
    {
        name => 'cats', of_x => 'categories', unit => 'us',
        title => 'publish', over => [100, 1000, 10_000, 100_000], fresh => 1,
        design => 'flat',
        run => "-c 32 -k X -a 1 -n $n publish /",
    },
    {
        name => 'sizes', of_x => 'bytes of an event', unit => 'us', warm => 1,
        title => 'publish', over => [10, 100, 1000, 10_000, 100_000],
        design => 'grows with the bytes, which are looked at and copied',
        run => '-c 32 -k 100 -s X -n 2000 publish /',
        floor => '-c 32 -k 100 -s X -n 2000 publish /floor',
    },
    {
        name => 'workers', of_x => 'workers', unit => 'us',
        title => 'fan-out to 1,000, per delivery', over => [1, 2, 4, 8],
        fresh => 1, workers => 1, design => 'flat',
        run => '-c 1000 -n 20 fanout /', floor => '-c 1000 -n 20 burst /answer',
    },
    {
        name => 'workers-publish', of_x => 'workers', unit => 'us',
        title => 'publish', over => [1, 2, 4, 8], fresh => 1, workers => 1,
        design => 'flat, while nobody waits for the lock',
        run => "-c 32 -k 1000 -n $n publish /",
        floor => "-c 32 -k 1000 -n $n publish /floor",
    },
    {
        name => 'workers-own', of_x => 'workers', unit => 'us',
        title => 'publish, delivery and next poll', over => [1, 2, 4, 8],
        fresh => 1, workers => 1,
        design => 'grows: most events wake another worker',
        run => "-c 2000 -w 64 -n $n own /",
    },
);

for my $series (@series) {
    for my $x (@{ $series->{over} }) {
        my $y = $series->{then_y} ? $series->{then_y}->($x) : $x;
        my %one = (figure => 'cpu_us', rounds => 3, %$series,
            ($series->{workers} ? (workers => $x) : ()),
            series => $series->{name}, x => $x, name => "$series->{name}-$x",
            title => "$series->{title}: $x $series->{of_x}");

        for (grep { defined } @one{qw( run floor )}) {
            s/\bX\b/$x/g;
            s/\bY\b/$y/g;
        }
        push @cases, \%one;
    }
}

# The share of an operation that holds the zone's lock: the CPU time of a case,
# so many `times`, and the same operation in bench/store/holds.c.

my @lock = (
    { case => 'publish', title => 'publish 100 B',
      holds => 'publish 100 B, 1,000 categories, full' },
    { case => 'own', title => 'publish, delivery and next poll',
      holds => 'publish 100 B, wake, next poll, 1,000 categories' },
    { case => 'catchup', title => 'catch-up of 250 x 100 B',
      holds => 'poll, 250 x 100 B there, of 10 categories' },
    (map { ({
        case => "workers-publish-$_", title => "publish 100 B, $_ workers",
        holds => 'publish 100 B, 1,000 categories, full',
    }, {
        case => "workers-$_", times => 1000,
        title => "fan-out of one event to 1,000, $_ workers",
        holds => "publish 100 B, $_ workers wake, polls come back",
    }) } 2, 4, 8),
);

my %case = map { $_->{name} => $_ } @cases;
my (%server, %running, %runs, %spoiled, @skipped, $alarmed, $loader);
our $whereabouts = '';

# Perl closes the pipe from the generator, and waits for it, before END.

$SIG{$_} = sub {
    kill KILL => $loader if $loader;
    exit 1;
} for qw( HUP INT TERM );

main();


sub main {
    my @all = Bench::Server->names;

    return list(@all) if $list;

    # these alone, and in full, are a section of the page
    my $section = $redis && !$quick && !$scaling && !@wanted && !@names
        && !$rounds && !defined $out;

    push @wanted, (map { $_->{name} } @series), 'lock' if $scaling;
    push @wanted, map { $_->{name} } grep { $_->{redis} } @cases if $redis;
    my $lock = @wanted ? grep { $_ eq 'lock' } @wanted : !$quick;

    # the name of a series selects all its cases
    @wanted = map {
        my $name = $_;
        my @all = $name eq 'lock' ? map { $case{ $_->{case} } } @lock
            : grep { ($_->{series} // '') eq $name } @cases;
        @all ? map { $_->{name} } @all : $name;
    } @wanted;

    for (@wanted) {
        $case{$_} or die "no case '$_'; --list names them\n";
    }
    for my $name (@names) {
        grep { $_ eq $name } @all
            or die "no server '$name'; --list names them\n";
    }

    my $whole = !$quick && !@wanted && !@names && ($rounds // 9) >= 9;
    my %named = map { $_ => 1 } @names ? @names : @all;
    my %asked = map { $_ => 1 } @wanted ? @wanted
        : grep { !$quick || !$case{$_}{series} } keys %case;

    my %parts = map { Bench::Report::part_of($case{$_}) => 1 } keys %asked;

    # a case that is another figure of a case, or is beside it, needs that case
    for my $case (map { $case{$_} } keys %asked) {
        $asked{$_} = 1 for grep { defined } @$case{qw( from beside )};
    }

    system('make', '-s', '-C', $root, 'build-bench') == 0 or exit 1;

    for my $name (grep { $named{$_} } @all) {
        next unless grep { $parts{$_} } Bench::Server->parts($name);

        progress("preparing $name");
        my $server = Bench::Server->find($name);

        if (!defined $server->{why} && !eval { $server->start; 1 }) {
            die $@ if $name eq 'longpoll';
            $server->{why} = $@ =~ s/\n(?=.)/ /gr =~ s/\n//r;
        }
        $server->stop;

        if (defined $server->{why}) {
            skipped($server->{title}, $server->{why});
            next;
        }
        $server{$name} = $server;
    }

    my @run = grep { $asked{ $_->{name} } && $_->{run} } @cases;
    for my $i (0 .. $#run) {
        local $whereabouts = sprintf '[%d of %d] ', $i + 1, scalar @run;
        my $begun = time;
        measure($run[$i]);
        say_line(summary($run[$i]), sprintf 'in %.0f s', time - $begun)
            if $runs{ $run[$i]{name} };
    }

    stop_all();
    die "this module logged alerts\n" if $alarmed;
    lock_held() if $lock;
    report($whole, $section, grep { $asked{ $_->{name} } } @cases);
}

sub list {
    my (@all) = @_;

    for my $case (@cases) {
        printf "%-24s%s\n", $case->{name}, $case->{title};
        next if $case->{by};

        for ([ run => '' ], [ then => 'then ' ], [ floor => 'nginx itself: ' ]) {
            my ($key, $word) = @$_;
            print ' ' x 26, "$word$case->{$key}\n" if $case->{$key};
        }
    }
    printf "%-24s%s\n", 'lock', "the share of the zone's lock in "
        . join ', ', map { $_->{case} } @lock;
    print "servers: @all\n";
}


# measuring

sub measure {
    my ($case) = @_;

    my $times = $quick ? 1 : $rounds // $case->{rounds} // 9;
    my @turn  = grep {
        $server{$_} && $case->{ $_ eq 'floor' ? 'floor' : 'run' }
            && $server{$_}{ Bench::Report::part_of($case) }
            && !($case->{slim} && $server{$_}{program})
            && $_ =~ ($case->{only} // qr/./)
    } Bench::Server->names;

    local $Bench::Server::Workers
        = $case->{workers} // $Bench::Server::Workers;
    local $Bench::Server::Slim = $case->{slim};
    local $Bench::Server::Via = $case->{via} // '';
    local $Bench::Server::Kept = $case->{kept};
    local $Bench::Cluster::Nodes = $case->{nodes} // 1;

    # The number of open files limits the connections of a server's process, and
    # of the generator, which has several processes in some modes only.
    @turn = grep {
        my $command = $case->{ $_ eq 'floor' ? 'floor' : 'run' };
        my ($conns) = sort { $b <=> $a } 0, map { /-c (\d+)/ } grep { defined }
            $command, $case->{then};
        my $each = $command =~ / (?:fanout|park) /
            ? $conns / $server{$_}->processes * 1.05 : $conns;
        my $can = $each + 200 <= $files;
        skipped("$server{$_}{title}, $case->{title}",
                "a process may have $files open files here") unless $can;
        $can;
    } @turn;

    for my $i (1 .. $times) {
        for my $name (@turn) {
            progress("$case->{title}: $name, round $i of $times");
            push @{ $runs{ $case->{name} }{$name} }, turn($case, $name);
        }
        push @turn, shift @turn;
    }

    stop_all() if $case->{fresh};
}

# The store alone, over plain memory: microseconds of all holds of one call.

sub lock_held {
    my @known = grep { $runs{ $_->{case} } } @lock or return;
    my %mean;

    progress('the lock');
    system('make', '-s', '-C', $root, 'build/holds') == 0 or exit 1;

    open my $in, '-|', "$root/build/holds", uniq map { $_->{holds} } @known
        or die "build/holds: $!\n";

    while (<$in>) {
        my ($name, $us) = /^\| \d+ \| (.*?) \| \d+ \| ([\d.]+) / or next;
        $mean{$name} = $us;
    }
    close $in or die "build/holds failed\n";

    $_->{us} = $mean{ $_->{holds} }
        // die "bench/store/holds.c has no row '$_->{holds}'\n" for @known;
}

# one run of one server: its figures, or undef
sub turn {
    my ($case, $name) = @_;
    my $command = $case->{ $name eq 'floor' ? 'floor' : 'run' };

    for (1 .. 3) {
        my $result = eval {
            stop_all() if $case->{fresh};
            warm() if $case->{warm};
            my $by = $case->{by};
            my $first = $by
                ? started($name)->$by($command)
                : run($name, $command);

            $case->{then} ? then($case, $name, $first) : $first;
        };
        return $result if $result;

        my $why = $@;
        stop($name);
        die "\n$why" if $name =~ /floor|bare|longpoll/;

        say_line("$server{$name}{title}, $case->{title}:\n$why");
        $spoiled{ $case->{name} }{$name}++;
    }
    return;
}

# A virtual machine's host gives it a page when it writes there first, and may
# take it back once it is free.  That takes several times as long as the rest of a
# page fault.  So another process writes to as much memory as a run takes, and
# ends.

sub warm {
    system($^X, '-e', '$_ = "\0" x shift', 256_000_000) == 0
        or die "no memory\n";
}

# the second command's figures, divided by those of the first

sub then {
    my ($case, $name, $first) = @_;

    local $Bench::Server::Workers
        = $case->{then_workers} // $Bench::Server::Workers;
    stop_all() if $case->{fresh};
    my $second = run($name, $case->{then});

    return { map {
        ("first_$_" => $first->{$_}, "then_$_" => $second->{$_},
         $_ => $second->{$_} / $first->{$_})
    } grep { defined $second->{$_} && $first->{$_} != 0 } keys %$first };
}

sub started {
    my ($name) = @_;

    return $running{$name}++ ? $server{$name} : $server{$name}->start;
}

sub run {
    my ($name, $command) = @_;
    my $server = started($name);
    my @words  = split ' ', $command;
    my $path   = pop @words;

    my @command = ($load, '-l', '-t', 120, $server->options, @words,
                   $server->url($path));
    $loader = open my $out, '-|', 'sh', '-c', 'exec "$@" 2>&1', 'sh', @command
        or die "$load: $!\n";
    my $said = join '', <$out>;
    close $out;
    undef $loader;

    my $code = $? >> 8;
    my %figure = $said =~ /(\w+)=([-.\d]+)/g;

    die "@command\n$said" if $code == 1;
    die "@command\n$said", "exit code $code; the server's last words:\n",
        $server->log if $code;
    return \%figure;
}

# An alert in the module's log is a failure; those of other servers are printed.
sub stop {
    my ($name) = @_;
    my @alerts = delete $running{$name} ? $server{$name}->stop : ();

    return unless @alerts;
    say_line("$server{$name}{title}: " . @alerts
        . ' alerts in its error log, the first: ' . $alerts[0] =~ s/\n//r);
    $alarmed = 1 if $name =~ /^longpoll/;
}

sub stop_all { stop($_) for keys %running }


# figures

sub median {
    my @sorted = sort { $a <=> $b } @_ or return;
    return ($sorted[$#sorted / 2] + $sorted[@sorted / 2]) / 2;
}

sub values_of {
    my ($case, $name) = @_;
    my $runs = $runs{ $case->{from} // $case->{name} }{$name} // return;
    return map { $_ && defined $_->{ $case->{figure} }
        ? $_->{ $case->{figure} } / ($case->{divide} // 1) : undef } @$runs;
}

# of several servers the least figure of each round

sub least_of {
    my ($case, $names) = @_;
    my @all = map { [ values_of($case, $_) ] } split /\|/, $names;
    my ($most) = sort { $b <=> $a } map { $#$_ } @all;

    return map {
        my $i = $_;
        (sort { $a <=> $b } grep { defined } map { $_->[$i] } @all)[0];
    } 0 .. $most;
}

# the figures of one row
sub figures {
    my ($case) = @_;
    my %row = (case => $case);

    for my $name (keys %server) {
        my @values = grep { defined } values_of($case, $name);
        next unless @values;
        $row{value}{$name} = median(@values);
        $row{spread}{$name} = [ (sort { $a <=> $b } @values)[0, -1] ];
        $row{rounds} = @values if @values > ($row{rounds} // 0);
    }

    # compares figures of the same round
    if (my $of = $case->{of} // $case->{beside}) {
        my @own  = values_of($case, own($case));
        my @base = $case->{of} ? least_of($case, $of)
            : values_of($case{$of}, 'longpoll');
        my @ratios = map { $own[$_] / $base[$_] }
            grep { defined $own[$_] && $base[$_] } 0 .. $#own;
        $row{ratio} = median(@ratios) if @ratios;
        $row{ratio_spread} = [ (sort { $a <=> $b } @ratios)[0, -1] ];
    }

    my $reached = $case->{of} || $case->{beside}
        ? $row{ratio} : $row{value}{ own($case) };
    $row{met} = $reached <= $case->{goal}
        if defined $reached && defined $case->{goal};
    $row{spoiled} = $spoiled{ $case->{from} // $case->{name} };
    return \%row;
}

sub own { $_[0]{redis} ? 'longpoll-redis' : 'longpoll' }

sub summary {
    my ($case) = @_;
    my $row = figures($case);
    return "$case->{title} ($case->{unit}): " . join ', ',
        (map { sprintf '%s %.4g', $_, $row->{value}{$_} }
            grep { defined $row->{value}{$_} } Bench::Server->names),
        defined $row->{ratio}
            ? sprintf('%.3f x %s', $row->{ratio},
                      $case->{of} // $case->{beside}) : ();
}

# all figures of a case of Bench::Cluster::carry

sub carried {
    my ($case) = @_;
    my @runs = grep { $_ } @{ $runs{ $case->{name} }{ own($case) } // [] }
        or return;

    return { %$case, map {
        my $key = $_;
        $key => median(map { $_->{$key} } @runs);
    } keys %{ $runs[0] } };
}

sub report {
    my ($whole, $section, @shown) = @_;
    my $dir = $out // ($whole || $section ? "$root/docs" : "$root/build/bench");

    my $report = Bench::Report->new(
        rows => [ map { figures($_) } grep { !$_->{carries} } @shown ],
        carried => [ map { carried($_) } grep { $_->{carries} } @shown ],
        servers => [ map { $server{$_} // () } Bench::Server->names ],
        skipped => \@skipped,
        lock => [ map {
            my $own = figures($case{ $_->{case} })->{value}{longpoll};
            defined $_->{us} && $own
                ? { %$_, cpu => $own * ($_->{times} // 1) } : ();
        } @lock ],
        quick => $quick,
        section => $section,
    );

    print $report->table, "\n";
    $report->write($dir);
    print "written: ", $dir =~ s{^\Q$root/}{}r, "/performance.md\n";

    my $json = ($out // "$root/build/bench") . '/runs.json';
    open my $file, '>', $json or die "$json: $!\n";
    print $file JSON::PP->new->canonical->pretty->encode(\%runs);
    close $file;

    my @goals = grep { defined $_->{met} } map { @$_ } @$report{qw( rows redis )};
    my $met = grep { $_->{met} } @goals;
    printf "%d goals met, %d not met, %d skipped, %d s\n", $met,
        @goals - $met, scalar @skipped, time - $start;
}


# progress

sub progress {
    my ($what) = @_;
    my $line = sprintf '%4d s  %s%s', time - $start, $whereabouts, $what;

    print STDERR -t STDERR ? "\r\e[K$line" : "$line\n";
}

sub skipped {
    my ($what, $why) = @_;
    say_line("SKIPPED: $what: $why");
    push @skipped, "$what: $why";
}

sub say_line {
    print STDERR "\r\e[K" if -t STDERR;
    print "@_\n";
}

END {
    my $code = $?;
    stop_all();
    $? = $code;
}
