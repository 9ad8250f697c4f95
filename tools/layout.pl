#!/usr/bin/perl
#
# tools/layout.pl [DIR]: floors and circles.
#
# The folders of src/ are floors, listed below from the top to the ground.  A
# file uses files of its own floor and of floors below, never of one above; and
# no two files of a floor use each other, directly or over others.  A file uses
# another one if it includes its header, or if it calls a function that the
# other one defines.  A file stands for itself: NAME.c and NAME.h are one file,
# and no two names are ever taken for one.
#
# DIR is the tree to look at, this one if it is not given.  Prints one line for
# each fault, and exits with 1 if there was any.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( basename dirname );

chdir($ARGV[0] // dirname(abs_path(__FILE__)) . '/..') or die "chdir: $!\n";

my @floors = qw( module conf http disk cluster worker store wire words );
my %height = map { $floors[$_] => $#floors - $_ } 0 .. $#floors;

# the floor of each file, the lines that use others, who defines a function
my (%floor, %uses, %defined_in);
my $bad = 0;

sub complain { print "$_[0]\n"; $bad = 1 }

sub slurp {
    my ($file) = @_;
    local $/;
    open my $in, '<', $file or die "$file: $!\n";
    return <$in>;
}

# comments and strings become blanks, lines stay where they are
sub bare {
    my ($code) = @_;
    $code =~ s{(/\*.*?\*/|"(?:\\.|[^"\\\n])*")}{$1 =~ s/[^\n]/ /gr}ges;
    return $code;
}

# "publish" for ngx_http_longpoll_publish.[ch], "words" for ngx_http_longpoll.h
sub name {
    return basename($_[0]) =~ /^ngx_http_longpoll(?:_(\w+))?\.[ch]$/
        ? $1 // 'words' : undef;
}

sub floor_of {
    my ($file) = @_;
    return 'module' if $file !~ m{/};
    return $file =~ m{^src/(\w+)/} ? $1 : 'words';
}

my @files = sort(glob('*.c'), glob('src/*.h'), glob('src/*/*'));

for my $file (@files) {
    my $name = name($file);

    if (!defined $name || !defined $height{floor_of($file)}) {
        complain("$file: stands on no floor");
        next;
    }

    complain("$file: '$name' stands on two floors")
        if ($floor{$name} // floor_of($file)) ne floor_of($file);
    $floor{$name} = floor_of($file);

    # at the beginning of a line stands the name of what is defined

    $defined_in{$_} = $name
        for $file =~ /\.c$/ ? bare(slurp($file)) =~ /^(ngx_http_\w+)\(/gm : ();
}

for my $file (@files) {
    my $name = name($file) // next;
    my $n = 0;

    my @code = split /\n/, bare(slurp($file));

    for my $line (split /\n/, slurp($file)) {
        my @used;

        push @used, name($1)
            if $line =~ /^\s*#\s*include\s*"([^"]+)"/;
        push @used, map { $defined_in{$_} } $code[$n] =~ /\b(ngx_http_\w+)/g
            if $file =~ /\.c$/;            # a header only declares
        $n++;

        for my $other (grep { defined && $_ ne $name } @used) {

            if (!$floor{$other}) {
                complain("$file:$n: there is no '$other'");

            } elsif ($height{$floor{$other}} > $height{$floor{$name}}) {
                complain("$file:$n: '$name' of $floor{$name}/ may not use"
                         . " '$other' of $floor{$other}/, which is above it");

            } else {
                $uses{$name}{$other} //= "$file:$n";
            }
        }
    }
}

# What a file uses, directly or over others, and that uses the file, is in a
# circle with it.
sub reaches {
    my ($from) = @_;
    my (%seen, @next);

    @next = keys %{$uses{$from}};

    while (defined(my $name = shift @next)) {
        push @next, keys %{$uses{$name}} unless $seen{$name}++;
    }

    return \%seen;
}

my %reaches = map { $_ => reaches($_) } keys %floor;

for my $name (sort keys %floor) {
    next unless $reaches{$name}{$name};

    my @circle = grep { $reaches{$name}{$_} && $reaches{$_}{$name} }
        sort keys %floor;

    next if $circle[0] ne $name;            # each circle once

    # TODO: the store is still one piece of many files
    next if !grep { !/^zone/ } @circle;

    complain("a circle: @circle");
    for my $one (@circle) {
        complain("    $uses{$one}{$_}: $one uses $_")
            for grep { $uses{$one}{$_} } @circle;
    }
}

exit $bad;
