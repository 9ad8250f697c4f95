# docs/alerts.yml, read by Prometheus' own promtool: the rules are valid, and
# each fires with some figures and not with others (alerts.test.yml).  The part
# of prometheus.yml in the page is a valid configuration.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use File::Path qw( make_path );
use File::Temp qw( tempdir );
use Test::More;

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Pages qw( blocks slurp );
use Longpoll::Promtool ();

my $root = abs_path(dirname(abs_path(__FILE__)) . '/../..');
my $page = 'docs/operations.md';

plan skip_all => 'no promtool, and Debian\'s prometheus could not be fetched'
    unless Longpoll::Promtool::path();

my $rules = slurp("$root/docs/alerts.yml");
my $tests = slurp("$root/t/docs/alerts.test.yml");
my @alerts = $rules =~ /^ +- alert: (\w+)$/mg;

cmp_ok(scalar @alerts, '>', 5, 'there are alerts');

my ($ok, $said) = Longpoll::Promtool::run(qw( check rules ),
                                          "$root/docs/alerts.yml");
ok($ok, 'promtool accepts them') or diag($said);

($ok, $said) = tried($rules);
ok($ok, 'each fires when it should') or diag($said);

# The tests must fail for a rule that always fires, or never.

for my $alert (@alerts) {
    for my $never ('vector(1) > 2', 'vector(1)') {
        my $wrong = $rules;

        $wrong =~ s/- alert: $alert\n +expr:\K.*?(?=\n +for:)/ $never/s
            or die "$alert: no expr\n";

        ($ok) = tried($wrong);
        ok(!$ok, "$alert: the tests notice $never");
    }
}

my @named = slurp("$root/$page") =~ /^\| `(Longpoll\w+)` \|/mg;

is_deeply([sort @named], [sort @alerts], "$page says what to do with each");

# The page's prometheus.yml.

my @yaml = grep { $_->{language} eq 'yaml' } blocks($page);

is(scalar @yaml, 1, "$page shows a configuration of Prometheus");

($ok, $said) = config($yaml[0]{text});
ok($ok, 'promtool accepts that, too') or diag($said);
($ok) = config($yaml[0]{text} =~ s/metrics_path/metrics_file/r);
ok(!$ok, 'and refuses a wrong one');

done_testing();


sub tried {
    my ($text) = @_;

    my $dir = laid_out($text);

    return Longpoll::Promtool::run(qw( test rules ), "$dir/t/docs/test.yml");
}

sub config {
    my ($text) = @_;

    my $dir = laid_out($rules);

    spew("$dir/docs/prometheus.yml", $text);
    return Longpoll::Promtool::run(qw( check config ),
                                   "$dir/docs/prometheus.yml");
}

sub laid_out {
    my ($text) = @_;

    my $dir = tempdir('longpoll-XXXXXX', TMPDIR => 1, CLEANUP => 1);

    make_path("$dir/docs", "$dir/t/docs");
    spew("$dir/docs/alerts.yml", $text);
    spew("$dir/t/docs/test.yml", $tests);

    return $dir;
}

sub spew {
    my ($file, $text) = @_;

    open my $out, '>', $file or die "$file: $!\n";
    print $out $text;
    close $out or die "$file: $!\n";
}
