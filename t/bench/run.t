# bench/run.pl, with this module only and small cases, measures and writes its
# report.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use Test::More;

my $root;

BEGIN {
    $root = abs_path(dirname(__FILE__) . '/../..');
    unshift @INC, "$root/t/lib";
}

use Longpoll::Child ();
use Longpoll::Server qw(wait_until);
use Longpoll::Workers qw(workers_of);

my $dir  = tempdir(CLEANUP => 1);

sub slurp {
    open my $fh, '<', "$dir/$_[0]" or return "$_[0]: $!\n";
    local $/;
    return scalar <$fh>;
}

my @cases = qw(publish fanout own catchup stored workers lock publish-10k
               publish-100k publish-text publish-json tls h2 churn parked
               parked-tls durable-tmpfs durable-tmpfs-rate durable-disk
               eight-publish eight-fanout polls-100k polls-100k-memory stream
               streams-100k streams-100k-memory stream-tls open open-tls);
my @how   = (qw(--quick --server longpoll --out), $dir,
             map { ('--case', $_) } @cases);
my $said  = `$root/bench/run.pl @how 2>&1`;

is($?, 0, 'the program succeeds') or diag($said);

my $page = slurp('performance.md');

# the head of the table with figures of this unit

my %head = (us => 'CPU, us', x => 'times as much', bytes => 'memory, bytes');

for (['publish 100 B, 1,000 categories', 'us'],
     ['fan-out to 1,000, per delivery', 'us'],
     ['2,000 subscribers on their own categories, per event', 'us'],
     ['catch-up of 250 x 100 B, the whole answer', 'us'],
     ['a buffered event of 100 B', 'bytes'],
     ['publish 10 kB where each pushes an old one out', 'us'],
     ['publish 100 kB where each pushes an old one out', 'us'],
     ['publish 100 kB, a body of text alone', 'us'],
     ['publish 100 kB, a body of json alone', 'us'],
     ['fan-out to 1,000 over TLS, per delivery', 'us'],
     ['fan-out to 1,000 over HTTP/2, per delivery', 'us'],
     ['a client that connects, polls and leaves', 'us'],
     ['publish with durable=on instead of off, on tmpfs', 'x'],
     ['publish with durable=on instead of off, on disk', 'x'],
     ['publish 100 B, 8 workers instead of 2', 'x'],
     ['fan-out to 1,000, 8 workers instead of 2', 'x'],
     ['fan-out to 100,000 polls instead of 10,000, 8 workers', 'x'],
     ['fan-out to 100,000 streams instead of 10,000, 8 workers', 'x'],
     ['memory of each of 100,000 polls instead of 10,000, 8 workers', 'x'],
     ['memory of each of 100,000 streams instead of 10,000, 8 workers', 'x'],
     ['a parked poll over TLS, on a category of its own', 'bytes'],
     ['an open stream over TLS, on a category of its own', 'bytes'])
{
    my ($title, $unit) = @$_;
    my ($table) = $page =~ /^\| \Q$head{$unit}\E \|.*\n((?:\|.*\n)+)/m;
    my ($value) = ($table // '') =~ /^\| \Q$title\E \| ([\d.,]+) \|/m;
    ok($value && $value =~ tr/0-9.//cdr > 0, "$title: a figure")
        or diag($page);
}

for my $workers (1, 2, 4, 8) {
    like($page, qr/^\| $workers \| [\d.]+ \|$/m, "$workers workers: a figure");
}

like($page, qr/^\| fan-out .*, by workers \| [\d.]+ x \| - \| flat \|$/m,
     'a row says how it grows');

for my $what ('publish 100 B', 'publish 100 B, 8 workers',
              'fan-out of one event to 1,000, 8 workers',
              'publish, delivery and next poll', 'catch-up of 250 x 100 B')
{
    like($page, qr/^\| \Q$what\E \| [\d.,]+ \| [\d.]+ \| [\d.]+ % \| [\d,]+ \|$/m,
         "$what: the share of the lock");
}

like($page, qr/^Goals: \d+ of 10 met/m, 'how many goals are met');

for my $what ('a poll', 'a poll over TLS', 'a stream', 'a stream over TLS') {
    like($page, qr{^\| $what \| [\d,]+ \| [\d.]+ (\| [\d,]+; [\d,]+/s ){5}\|$}m,
         "$what: what machines carry");
}

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

# A generator that has no result yet is ended, too.
{
    my $run = Longpoll::Child->start(
        ["$root/bench/run.pl", qw(--quick --server longpoll --case publish
                                  --rounds 1000 --out), $dir],
        log => "$dir/log");
    my $loader;

    wait_until('the generator runs', sub {
        ($loader) = grep { (readlink "/proc/$_/exe" // '') =~ /longpoll-bench$/ }
            workers_of($run->pid);
        $loader and kill STOP => $loader;
    });

    $run->signal('TERM');
    ok(eval { wait_until('the end', sub { !$run->alive }) },
       'a benchmark that is told to end does so');
    ok(!kill(0 => $loader), 'and so does its generator');
    $run->end;
}

done_testing;
