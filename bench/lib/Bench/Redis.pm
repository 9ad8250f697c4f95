package Bench::Redis;

# The cases of zones over Redis, for bench/run.pl.
#
#     Bench::Redis::cases($quick)
#
# A case has `nodes`, and -d of its command says on which of them an event is
# read.  `ahead` makes one row more, beside nchan over Redis.

use strict;
use warnings;

my $nchan = 'nchan-distributed';

# With storage mode backup nchan 1.3.6 does not give events to clients of another
# node.  A server without Redis has one node.

my $elsewhere = qr/redis|distributed/;


sub cases {
    my ($quick) = @_;

    return map {
        my %case = (unit => 'us', figure => 'cpu_us', redis => 1, fresh => 1,
                    rounds => 3, %$_);

        \%case, $case{ahead} ? {
            %case, name => "$case{name}-ahead", run => undef,
            from => $case{name}, goal => 1.00, of => $nchan,
            title => 'the same, beside nchan over Redis', again => 1,
        } : ();
    } costs($quick), receipts($quick), catch_ups($quick), carries($quick);
}

# CPU of an event: nginx of all nodes, and Redis

sub costs {
    my ($quick) = @_;

    # how the processes share two processors differs from second to second

    my $n = $quick ? 2000 : 100_000;
    my @cases = ({
        name => 'redis-publish', nodes => 1, rounds => 5,
        title => 'publish 100 B, one node: nginx',
        run => "-c 32 -k 1000 -n $n publish /",
        goal => 1.60, of => 'longpoll', ahead => 1,
    }, backend('redis-publish', 'publish 100 B, one node'), {
        name => 'redis-asked', nodes => 1, rounds => 5,
        title => 'publish 100 B, one node, categories that were read: nginx',
        run => "-c 32 -k 1000 -n $n asked /",
        goal => 1.00, of => $nchan,
    }, backend('redis-asked',
               'publish 100 B, one node, categories that were read'));

    $n = $quick ? 1000 : 10_000;

    for ([ 1, 'on the one node' ], [ 3, 'on another of 3' ],
         [ 8, 'on another of 8' ])
    {
        my ($nodes, $where) = @$_;
        my $title = "publish, delivery $where, next poll";
        my $name = "redis-own-$nodes";

        push @cases, {
            name => $name, nodes => $nodes, title => "$title: nginx",
            run => "-t 20 -c 480 -w 48 -n $n -d 1 own /",
            only => $nodes > 1 ? $elsewhere : qr/./,
            goal => 1.00, of => $nchan,
        }, backend($name, $title);
    }

    return @cases;
}

sub backend {
    my ($name, $title) = @_;

    return { name => "$name-backend", from => $name, title => "$title: Redis",
             figure => 'backend_us', goal => 1.00, of => $nchan };
}

sub receipts {
    my ($quick) = @_;

    my $n = $quick ? 200 : 10_000;
    my @cases;

    for ([ 3, 0, 'the same of 3 nodes' ], [ 3, 1, 'another of 3 nodes' ],
         [ 8, 1, 'another of 8 nodes' ])
    {
        my ($nodes, $further, $where) = @$_;
        my $name = "redis-receipt-$nodes-$further";

        push @cases, {
            name => $name, nodes => $nodes, rounds => 5, figure => 'p50_us',
            title => "publish to receipt on $where, p50",
            run => "-t 20 -c 16 -n $n -d $further lockstep /",
            only => $further ? qr/$elsewhere|^\w+$/ : qr/-/,
            $further ? (goal => 2.00, of => 'nchan', ahead => 1)
                     : (goal => 1.00, of => $nchan),
        }, {
            name => "$name-p99", from => $name, figure => 'p99_us',
            title => "publish to receipt on $where, p99",
            goal => 1.00, of => $nchan,
        };
    }

    return @cases;
}

sub catch_ups {
    my ($quick) = @_;

    my $n = $quick ? 20_000 : 400_000;
    my @cases = ({
        name => 'redis-away', nodes => 2, by => 'catch_up',
        run => $n, only => qr/^longpoll-redis$/,
    }, { name => 'redis-new', from => 'redis-away' });

    for my $case (@cases) {
        my ($which) = $case->{name} =~ /(\w+)$/;
        my %more = (from => 'redis-away', name => "$case->{name}-cpu");

        $case->{figure} = "${which}_ms";
        $case->{unit} = 'ms';
        $case->{goal} = 2000;

        my $node = $which eq 'new' ? 'a new node' : 'a node that was away';
        $case->{title} = "$node reads $n events" =~ s/000 /,000 /r;
        $case = [ $case,
            { %more, figure => "${which}_cpu_us",
              title => "$node reads, an event: nginx" },
            { %more, figure => "${which}_redis_us", name => "$more{name}-redis",
              title => "$node reads, an event: Redis" } ];
    }

    return map { @$_ } @cases;
}

# What Redis does at a rate, for a table of its own.  A node has one worker.

sub carries {
    my ($quick) = @_;

    return map {
        my ($nodes, $rate) = @$_;

        { name => "redis-carry-$nodes-$rate", nodes => $nodes, carries => 1,
          by => 'carry', run => ($quick ? 2000 : 1.5 * $rate) . " $rate",
          wanted => $rate, figure => 'redis_us', workers => 1, x => 1,
          title => "$rate events a second, $nodes nodes",
          only => qr/^longpoll-redis$/ };
    } [ 1, 10_000 ], [ 4, 10_000 ], $quick ? ()
        : ([ 8, 10_000 ], [ 4, 80_000 ], [ 20, 38_000 ]);
}


1;
