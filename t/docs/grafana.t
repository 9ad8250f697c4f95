# docs/grafana.json, as Grafana reads it: panels that do not overlap, and
# expressions that Prometheus understands.  (tools/pages.pl asks for each figure
# of the module in it, and for no other.)

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use File::Temp qw( tempdir );
use JSON::PP ();
use Test::More;

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Pages qw( slurp );
use Longpoll::Promtool ();

my $root = abs_path(dirname(abs_path(__FILE__)) . '/../..');
my $dashboard = JSON::PP::decode_json(slurp("$root/docs/grafana.json"));
my @panels = @{ $dashboard->{panels} };
my %variable = map { $_->{name} => 1 } @{ $dashboard->{templating}{list} };
my (%id, %taken, @overlap, @exprs);

for my $panel (@panels) {
    my ($x, $y, $w, $h) = @{ $panel->{gridPos} }{qw( x y w h )};

    $id{ $panel->{id} }++;
    cmp_ok($x + $w, '<=', 24, "$panel->{title}: it fits");
    push @exprs, map { $_->{expr} } @{ $panel->{targets} };

    for my $column ($x .. $x + $w - 1) {
        push @overlap, $panel->{title}
            if grep { $taken{"$column,$_"}++ } $y .. $y + $h - 1;
    }
}

is(keys %id, @panels, 'every panel has its own id');
is_deeply(\@overlap, [], 'no two panels overlap');
is_deeply([grep { !$variable{$_} && !/^__/ } map { /\$\{?(\w+)/g }
           JSON::PP->new->encode($dashboard)], [], 'variables are declared');

SKIP: {
    skip('no promtool, and it could not be fetched', 2)
        unless Longpoll::Promtool::path();

    my ($ok, $said) = rules(@exprs);

    ok($ok, 'promtool understands the expressions') or diag($said);
    ($ok) = rules(@exprs, 'sum by (longpoll_events)');
    ok(!$ok, 'and no wrong one');
}

done_testing();


sub rules {
    my $dir = tempdir('longpoll-XXXXXX', TMPDIR => 1, CLEANUP => 1);
    my $n = 0;

    open my $out, '>', "$dir/rules.yml" or die "$dir: $!\n";
    print $out JSON::PP::encode_json({ groups => [{ name => 'x', rules => [
        map { +{ record => 'x' . ++$n,
                 expr => s/\$__rate_interval/5m/gr } } @_ ] }] });
    close $out;

    return Longpoll::Promtool::run(qw( check rules ), "$dir/rules.yml");
}
