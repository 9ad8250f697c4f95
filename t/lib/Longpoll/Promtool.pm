package Longpoll::Promtool;

# Prometheus' own promtool: the one in PATH, or the one of Debian's package,
# unpacked below build/.  The package is not installed, since it would start a
# server.
#
#     my $promtool = Longpoll::Promtool::path();    # undef: cannot be had
#     my ($ok, $said) = Longpoll::Promtool::run(@arguments);

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );

my $root = abs_path(dirname(__FILE__) . '/../../..');
my $path;

sub path { return $path //= in_path() // fetched() }

sub in_path {
    my ($found) = grep { -x && !-d } map { "$_/promtool" }
                  split /:/, $ENV{PATH};
    return $found;
}

sub fetched {
    my $dir = "$root/build/prometheus";
    my $program = "$dir/usr/bin/promtool";

    return $program if -x $program;

    system "'$root/tools/apt.sh' deb same '$dir' download prometheus"
           . " >'$root/build/prometheus.log' 2>&1"
           . " && dpkg -x '$dir'/prometheus_*.deb '$dir'";

    return -x $program ? $program : undef;
}

sub run {
    my (@arguments) = @_;

    my $pid = open(my $out, '-|') // die "fork: $!\n";

    if ($pid == 0) {
        open STDERR, '>&', \*STDOUT;
        exec path(), @arguments;
        die "promtool: $!\n";
    }

    my $said = join '', <$out>;

    return (close $out ? 1 : 0, $said);
}


1;
