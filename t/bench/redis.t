# bench/run.pl --redis, with this module only and small cases, measures and writes
# its section of the report.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use Test::More;

my $root;

BEGIN {
    $root = abs_path(dirname(__FILE__) . '/../..');
    unshift @INC, "$root/t/lib", "$root/bench/lib";
}

use Bench::Report ();
use Longpoll::Redis ();

plan skip_all => 'there is no redis-server' unless Longpoll::Redis->version;

my $dir  = tempdir(CLEANUP => 1);
my $said = `$root/bench/run.pl --redis --quick --server longpoll --server longpoll-redis --out $dir 2>&1`;

is($?, 0, 'the program succeeds') or diag($said);

my $page = slurp("$dir/performance.md");

for my $title ('publish 100 B, one node: Redis',
               'publish 100 B, one node, categories that were read: Redis',
               'publish, delivery on another of 8, next poll: nginx',
               'publish, delivery on another of 8, next poll: Redis',
               'publish to receipt on another of 3 nodes, p50',
               'publish to receipt on another of 3 nodes, p99',
               'a node that was away reads 20,000 events',
               'a new node reads 20,000 events')
{
    my ($unit, $before) = $title =~ /reads/ ? ('time, ms', '')
        : $title =~ /p\d/ ? ('time, us', '\| \S+ ') : ('CPU, us', '\| \S+ ');
    my ($table) = $page =~ /^## Zones over .*?^\| $unit \|.*?\n((?:\|.*\n)+)/ms;
    my ($value) = ($table // '')
        =~ /^\| \Q$title\E $before\| ([\d.,]+) \|/m;
    ok($value && $value =~ tr/0-9.//cdr > 0, "$title: a figure")
        or diag($page);
}

like($page, qr/^\| publish 100 B, one node: nginx .* <= 1\.60 x this module: (?:yes|NO)[ ;]/m,
     'a publish is compared with one without Redis');

# What Redis has and sends is the same in every run.

for my $nodes (1, 4) {
    my ($figures) = $page =~ /^\| $nodes \| 10,000 \| (.*) \|$/m;
    my ($memory, $to_node, $to_redis) = reverse split / \| /, $figures // '';

    ok(($memory // 0) > 130 && $memory < 150, "$nodes nodes: an event in Redis");
    ok(($to_node // 0) > 170 && $to_node < 300,
       "$nodes nodes: an event on its way to a node");
    ok(($to_redis // 0) > 300 && $to_redis < 500,
       "$nodes nodes: an event on its way to Redis");
}

# A page gets the section, once.
{
    my $row = { case => { redis => 1, name => 'a', title => 'a case', unit => 'us',
                          figure => 'cpu_us' },
                value => { x => 77 }, spread => {}, rounds => 1 };
    my $report = Bench::Report->new(rows => [ $row ], section => 1,
        servers => [ { name => 'x', title => 'x' } ], carried => []);
    my $rest = $page =~ s/^## Zones over Redis\n.*?(?=^## )//msr;

    unlike($rest, qr/Redis: commit|1\.60 x this module/, 'a run fills that section only');

    for my $before ($page, $rest) {
        spew("$dir/performance.md", $before);
        $report->write($dir);

        my $after = slurp("$dir/performance.md");

        is(() = $after =~ /^## Zones over Redis$/mg, 1, 'the page has it once');
        like($after, qr/^\| a case \| 77/m, 'with the new figures');
        is($after =~ s/^## Zones over Redis\n.*?(?=^## )//msr, $rest,
           'and the rest as it was');
    }
}

done_testing;

sub slurp {
    open my $fh, '<', $_[0] or return "$_[0]: $!\n";
    local $/;
    return scalar <$fh>;
}

sub spew {
    open my $fh, '>', $_[0] or die "$_[0]: $!\n";
    print $fh $_[1];
    close $fh or die "$_[0]: $!\n";
}
