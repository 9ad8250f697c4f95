#!/usr/bin/perl
#
# tools/test.pl PART... [-- FILE...]     runs parts of the tests, and adds up
# tools/test.pl quick|test|test-all|soak   runs a set of parts
# tools/test.pl help                     lists parts and sets
#
# tools/lib/Suite/Parts.pm says what the parts and the sets are, Run.pm runs the
# files of a part and counts, Ways.pm has the parts that are more than files.
#
# FILEs are test files, or names of fuzz targets or unit programs, to run instead
# of all files of the parts.  The last line is `N passed, N failed, N skipped`.
# What cannot be counted counts as a failure: a test file that dies, bails out or
# runs another number of tests than planned, a build that fails, a report of a
# sanitizer or of valgrind.
#
# SEED is the seed of everything that is random, 1 if it is not set, so that the
# inputs are the same each time; `soak` takes a new one, and prints it.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );

use lib dirname(abs_path(__FILE__)) . '/lib';

use Suite::Parts ();

chdir dirname(abs_path(__FILE__)) . '/..' or die "chdir: $!\n";

sub main {
    my (@names, @files);

    $| = 1;

    push @names, shift @ARGV while @ARGV && $ARGV[0] ne '--';
    shift @ARGV;
    @files = @ARGV;

    return help() if "@names" eq 'help';
    die "tools/test.pl PART... [-- FILE...], or: tools/test.pl help\n"
        unless @names;

    my @parts = map { Suite::Parts::named($_) } @names;

    # before anything is loaded that these packages may bring

    my %needs = map { $_ => 1 } map { split ' ', $_->{needs} // '' } @parts;

    system('tools/deps.sh', sort keys %needs) == 0 or exit 1 if %needs;

    require Suite::Run;

    Suite::Run::begin(random => scalar grep { $_ eq 'soak' } @names);

    for my $part (@parts) {
        Suite::Run::part($part, @files) or last;
    }

    exit Suite::Run::end();
}

sub help {
    printf "make %-12s %s\n", $_->{name}, $_->{does}
        for grep { !$_->{inner} } Suite::Parts::all();
    printf "make %-12s = %s\n", $_, join ' ', Suite::Parts::set($_)
        for Suite::Parts::sets();
}

main();
