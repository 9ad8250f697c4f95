# bench/run.pl, with this module only and small cases, measures and writes its
# report.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use Test::More;

my $root = abs_path(dirname(__FILE__) . '/../..');
my $dir  = tempdir(CLEANUP => 1);

sub slurp {
    open my $fh, '<', "$dir/$_[0]" or return "$_[0]: $!\n";
    local $/;
    return scalar <$fh>;
}

my @cases = qw(publish fanout own catchup stored workers lock);
my @how   = (qw(--quick --server longpoll --out), $dir,
             map { ('--case', $_) } @cases);
my $said  = `$root/bench/run.pl @how 2>&1`;

is($?, 0, 'the program succeeds') or diag($said);

my $page = slurp('performance.md');

for (['publish 100 B, 1,000 categories', 'us'],
     ['fan-out to 1,000, per delivery', 'us'],
     ['2,000 subscribers on their own categories, per event', 'us'],
     ['catch-up of 250 x 100 B, the whole answer', 'us'],
     ['a buffered event of 100 B', 'bytes'])
{
    my ($title, $unit) = @$_;
    my ($value) = $page =~ /^\| \Q$title\E \| $unit \| ([\d.,]+) \|/m;
    ok($value && $value =~ tr/0-9.//cdr > 0, "$title: a figure")
        or diag($page);
}

for my $workers (1, 2, 4) {
    like($page, qr/^\| $workers \| [\d.]+ \|$/m, "$workers workers: a figure");
}

like($page, qr/^\| fan-out .* \| 1, 2, 4 workers \| [\d., ]+ \| [\d.]+ x \| - \| flat \|$/m,
     'a row says how it grows');

for my $what ('publish 100 B', 'publish, delivery and next poll',
              'catch-up of 250 x 100 B')
{
    like($page, qr/^\| \Q$what\E \| [\d.]+ \| [\d.]+ \| [\d.]+ % \| [\d,]+ \|$/m,
         "$what: the share of the lock");
}

like($page, qr/^Goals: \d of 1 met/m, 'how many goals are met');

for my $name (qw(cpu memory by-workers)) {
    my $svg = slurp("performance/$name.svg");
    like($svg, qr{\A<svg .*</svg>\n\z}s, "$name.svg is complete");
    unlike($svg, qr/nan|inf\b/i, "$name.svg has only numbers");

    my %open;
    $open{$1}++ while $svg =~ /<(\w+)(?=[\s>])(?![^>]*\/>)/g;
    $open{$1}-- while $svg =~ m{</(\w+)>}g;
    is(join(' ', grep { $open{$_} } sort keys %open), '',
       "$name.svg closes what it opens");
    like($page, qr{\(performance/$name\.svg\)}, "$name.svg is on the page");
}

ok(-s "$dir/runs.json", 'all figures of all rounds are kept');

done_testing;
