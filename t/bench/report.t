# The report of bench/run.pl, of figures that are known, and the list of cases.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use Test::More;

my $root;

BEGIN {
    $root = abs_path(dirname(__FILE__) . '/../..');
    unshift @INC, "$root/bench/lib";
}

use Bench::Report ();

my %peer = (spoiled => { peer => 2 },
            value => { longpoll => 12.71, peer => 21.5 },
            spread => { longpoll => [ 12.4, 12.8 ], peer => [ 21.5, 30 ] });
my %us = (unit => 'us', figure => 'cpu_us', goal => 1, of => 'peer');

my $slow = { %us, name => 'slow', title => 'a case for one of them' };
my $report = Bench::Report->new(
    servers => [ { name => 'longpoll', title => 'this module' },
                 { name => 'peer', title => 'a peer' } ],
    rows => [
        { %peer, case => { %us, name => 'one', title => 'a case' },
          ratio => 0.6, ratio_spread => [ 0.5, 0.7 ], met => 1 },
        { %peer, case => { %us, name => 'one-other', from => 'one', again => 1,
                           goal => 0.5, title => 'the same, beside' },
          ratio => 0.6, ratio_spread => [ 0.6, 0.6 ], met => 0 },
        { case => $slow, value => { longpoll => 3 },
          spread => { longpoll => [ 3, 3 ] } },
        { case => { name => 'two', unit => 'x', title => 'times' },
          value => { longpoll => 1.2 }, spread => { longpoll => [ 1, 1.2 ] } },
    ]);

is($report->table, <<'END', 'a table for each unit');
| CPU, us | this module | a peer | ratio | goal: met |
|---|---:|---:|---|---|
| a case | 12.7 (12.4 to 12.8) | 21.5 [*] | 0.60 (0.50 to 0.70); 0.60 | <= 1.00 x a peer: yes; <= 0.50 x a peer: NO |
| a case for one of them | 3.0 | - | - | <= 1.00 x a peer |

| times as much | this module |
|---|---:|
| times | 1.20 (1.00 to 1.20) |

[*] Some runs were repeated, because events were lost, doubled, out of order or
misrouted, or the server failed: peer, 2 runs.
END

is_deeply([ map { sort keys %{ $_->{value} } } @{ $report->{rows} } ],
          [ qw( longpoll peer ) x 2, 'longpoll', 'longpoll' ],
          'no figure is made up');
like(`$root/bench/run.pl --list`, qr/^publish  .*
 +-c 32 -k 1000 -n 20000 publish \/
 +nginx itself: -c 32 -k 1000 -n 20000 publish \/floor$/m,
     'a case is listed with its commands');
like(`$root/bench/run.pl --list`, qr/^sizes-10000  .*
 +-c 32 -k 100 -s 10000 -n 2000 publish \/$/m, 'and so is one of a series');

done_testing;
