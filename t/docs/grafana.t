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
    skip('no promtool, and it could not be fetched', 3)
        unless Longpoll::Promtool::path();

    my ($ok, $said) = rules(@exprs);

    ok($ok, 'promtool understands the expressions') or diag($said);
    ($ok) = rules(@exprs, 'sum by (longpoll_events)');
    ok(!$ok, 'and no wrong one');

    ($ok, $said) = counted('Events published');
    ok($ok, 'an event of two nodes is counted once') or diag($said);
}

done_testing();


sub rules {
    my $n = 0;

    return Longpoll::Promtool::run(qw( check rules ), written(rules =>
        { groups => [{ name => 'x', rules => [
            map { +{ record => 'x' . ++$n,
                     expr => s/\$__rate_interval/5m/gr } } @_ ] }] }));
}

# The first expression of a panel, for two nginxes with a zone over Redis and
# two zones of their own, where each has an event in a second.

sub counted {
    my ($title) = @_;

    my ($panel) = grep { $_->{title} eq $title } @panels;
    my $expr = $panel->{targets}[0]{expr} =~ s/\$__rate_interval/5m/gr
                                          =~ s/\$\w+/.*/gr;
    my @zones = map { my $at = qq({job="j",instance="$_",zone=);
                      (qq($at"shared"}), qq($at"own"})) } 'a', 'b';

    return Longpoll::Promtool::run(qw( test rules ), written(test =>
        { evaluation_interval => '1m', tests => [{
            interval => '1m',
            input_series => [
                map({ +{ series => "longpoll_published_total$_",
                         values => '0+60x10' } } @zones),
                map({ +{ series => "longpoll_redis_connected$_",
                         values => '1x10' } } grep { /shared/ } @zones) ],
            promql_expr_test => [{
                expr => $expr, eval_time => '10m', exp_samples => [
                    { labels => '{zone="own"}', value => 2 },
                    { labels => '{zone="shared"}', value => 1 }] }] }] }));
}

sub written {
    my ($name, $what) = @_;

    my $dir = tempdir('longpoll-XXXXXX', TMPDIR => 1, CLEANUP => 1);

    open my $out, '>', "$dir/$name.yml" or die "$dir: $!\n";
    print $out JSON::PP::encode_json($what);
    close $out or die "$dir: $!\n";

    return "$dir/$name.yml";
}
