#!/usr/bin/perl
#
# tools/layout.pl [DIR]: floors and circles.
#
# The folders of src/ are floors, listed below from the top to the ground.  A
# file uses files of its own floor and of floors below, never of one above; and
# no two files of a floor use each other, directly or over others.  The files of
# bench/ are one floor.
#
# A file uses another one if it includes its header, or if it calls a function
# that the other one defines.  A file stands for itself: NAME.c and NAME.h are
# one file, and no two names are ever taken for one.
#
# DIR is the tree to look at, this one if it is not given.  Prints one line for
# each fault, and exits with 1 if there was any; t/docs/layout.t shows that each
# fault is seen.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( basename dirname );

use lib dirname(abs_path(__FILE__)) . '/lib';

use Source qw( bare name slurp );

chdir($ARGV[0] // dirname(abs_path(__FILE__)) . '/..') or die "chdir: $!\n";

my $bad = 0;

sub complain { print "$_[0]\n"; $bad = 1 }

# The functions that other files can call: at the beginning of a line stands the
# name, and on the line above the type.
sub functions {
    my ($code) = @_;
    return $code =~ /^(?!static\b)\w.*\n(\w+)\(/mg;
}

sub floor_of {
    my ($file) = @_;
    return 'module' if $file !~ m{/};
    return $file =~ m{^src/(\w+)/} ? $1 : 'words';
}

look([sort(glob('*.c'), glob('src/*.h'), glob('src/*/*'))],
     [qw( module conf http disk cluster worker store wire words )],
     \&name, \&floor_of);

look([sort glob 'bench/*.[ch]'], ['bench'],
     sub { $_[0] =~ m{^bench/(\w+)\.[ch]$} ? $1 : undef }, sub { 'bench' });

exit $bad;


# Looks at files that stand on floors; $name and $floor_of say what a file is
# called, and where it stands.
sub look {
    my ($files, $floors, $name, $floor_of) = @_;
    my %height = map { $floors->[$_] => $#$floors - $_ } 0 .. $#$floors;

    # the floor of each file, who defines a function, the lines that use others

    my (%floor, %defined_in, %uses);

    for my $file (@$files) {
        my $one = $name->($file);

        if (!defined $one || !defined $height{$floor_of->($file)}) {
            complain("$file: stands on no floor");
            next;
        }

        complain("$file: '$one' stands on two floors")
            if ($floor{$one} // $floor_of->($file)) ne $floor_of->($file);
        $floor{$one} = $floor_of->($file);

        $defined_in{$_} = $one
            for $file =~ /\.c$/ ? functions(bare(slurp($file))) : ();
    }

    for my $file (@$files) {
        my $one = $name->($file) // next;

        for my $use (uses($file, $name, \%defined_in)) {
            my ($n, $other) = @$use;

            next if $other eq $one;

            if (!$floor{$other}) {
                complain("$file:$n: there is no '$other'");

            } elsif ($height{$floor{$other}} > $height{$floor{$one}}) {
                complain("$file:$n: '$one' of $floor{$one}/ may not use"
                         . " '$other' of $floor{$other}/, which is above it");

            } else {
                $uses{$one}{$other} //= "$file:$n";
            }
        }
    }

    circles(\%uses);
}

# [line, name] of each file that a file uses
sub uses {
    my ($file, $name, $defined_in) = @_;
    my @code = split /\n/, bare(slurp($file));
    my @uses;
    my $n = 0;

    for my $line (split /\n/, slurp($file)) {
        push @uses, [$n + 1, $name->(dirname($file) . "/$1")]
            if $line =~ /^\s*#\s*include\s*"([^"]+)"/;
        push @uses, map { [$n + 1, $defined_in->{$_}] }
                    ($code[$n] // '') =~ /\b([a-z]\w+)\b/g
            if $file =~ /\.c$/;            # a header only declares
        $n++;
    }

    return grep { defined $_->[1] } @uses;
}

# What a file uses, directly or over others, and that uses the file, is in a
# circle with it.
sub circles {
    my ($uses) = @_;
    my %reaches = map { $_ => reaches($uses, $_) } keys %$uses;

    for my $name (sort keys %reaches) {
        next unless $reaches{$name}{$name};

        my @circle = grep { $reaches{$name}{$_} && $reaches{$_}{$name} }
            sort keys %reaches;

        next if $circle[0] ne $name;        # each circle once

        complain("a circle: @circle");
        for my $one (@circle) {
            complain("    $uses->{$one}{$_}: $one uses $_")
                for grep { $uses->{$one}{$_} } @circle;
        }
    }
}

sub reaches {
    my ($uses, $from) = @_;
    my %seen;
    my @next = keys %{ $uses->{$from} };

    while (defined(my $name = shift @next)) {
        push @next, keys %{ $uses->{$name} // {} } unless $seen{$name}++;
    }

    return \%seen;
}
