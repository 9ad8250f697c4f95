#!/usr/bin/perl
#
# tools/style.pl [DIR]: checks nginx's style, as far as a program can.
#
# Every C file has 80 columns, no tabs, no blanks at the end of a line, no //
# comments; a function's type and its brace have lines of their own.  A function
# has at most 100 lines, from its name to its last brace.  Files of the module
# and of bench/ begin with a comment.  Every symbol of the module's objects has
# the prefix, because nginx loads all modules into one name space.
#
# DIR is the tree to look at, this one if it is not given.  Prints one line for
# each fault, and exits with 1 if there was any; t/docs/style.t shows that it
# sees long functions.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);

use lib dirname(abs_path(__FILE__)) . '/lib';

use Source qw(slurp);

chdir($ARGV[0] // dirname(abs_path(__FILE__)) . '/..') or die "chdir: $!\n";

my $prefix  = 'ngx_http_longpoll';
my $longest = 100;
my $bad     = 0;

sub complain {
    print "$_[0]\n";
    $bad = 1;
}

sub lines {
    my ($file, @lines) = @_;

    for my $n (1 .. @lines) {
        local $_ = $lines[$n - 1];
        complain("$file:$n: more than 80 columns") if length > 80;
        complain("$file:$n: a tab")                if /\t/;
        complain("$file:$n: blanks at the end")    if /\s$/;
    }
}

# Removes the text of comments and strings, but keeps the lines.
sub bare {
    my ($code) = @_;
    $code =~ s{(/\*.*?\*/)|("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')}
              {defined $1 ? "\n" x ($1 =~ tr/\n//) : '""'}gse;
    return split /\n/, $code;
}

sub functions {
    my ($file, @lines) = @_;

    for my $n (1 .. @lines) {
        local $_ = $lines[$n - 1];
        complain("$file:$n: a // comment") if m{//};
        complain("$file:$n: the function's brace has a line of its own")
            if /^\w[\w\s*]*\(.*\)\s*\{/;
        next if $_ ne '{';

        # back to the line that has the name and the first parenthesis
        my $head = $n - 1;
        $head-- while $head > 1 && $lines[$head - 1] =~ /^\s+\S/;
        complain("$file:$head: the function's type has a line of its own")
            unless $lines[$head - 1] =~ /^\w+\(/
                && $lines[$head - 2]
                   =~ /^\w[\w\s]*(?:\(\(\w+\)\) \w+)?(?:\s\*+)?$/;
    }
}

# From the line that begins with a name and a parenthesis to the brace that ends
# the function, as tools/figures.pl counts.
sub lengths {
    my ($file, @lines) = @_;
    my $start;

    for my $n (1 .. @lines) {
        local $_ = $lines[$n - 1];
        $start = $n    if /^\w+\(/;
        undef $start   if /^\S.*;\s*$/;
        next unless /^\}/ && defined $start;

        my $length = $n - $start + 1;
        complain("$file:$start: the function has $length lines, at most "
                 . "$longest") if $length > $longest;
        undef $start;
    }
}

sub head {
    my ($file, $code) = @_;
    my ($comment) = $code =~ m{\A\n?(/\*.*?\*/)}s;
    my $n = defined $comment ? 1 + ($comment =~ tr/\n//) : 0;
    my ($min, $max) = $file =~ /\.c$/ ? (8, 40) : (3, 60);

    complain("$file:1: the comment at the head has $n lines, not $min to $max")
        if $n < $min || $n > $max;
}

sub symbols {
    my ($object) = @_;
    my ($noun) = $object =~ m{/${prefix}_([^\W_]+)\w*\.o$} or return;
    my $own = $noun eq 'module' ? $prefix : "${prefix}_$noun";

    for (`nm --defined-only '$object'`) {
        my ($type, $name) = /^\S* (\w) (\S+)$/ or next;
        my $want = $type =~ /t/i ? $own : $type =~ /[A-Z]/ ? $prefix : next;
        complain("$object: '$name' should begin with '$want'")
            unless $name =~ /^$want(?![^\W_])/;
    }
}

my @module = sort(glob('*.c'), glob('src/*.h'), glob('src/*/*'));
my @bench  = sort glob 'bench/{,store/,bare/}*.[ch]';

for my $file (@module, @bench, sort glob 't/{unit,fuzz,faults}/*.[ch]') {
    my $code = slurp($file);
    my @bare = bare($code);

    lines($file, split /\n/, $code);
    functions($file, @bare);
    lengths($file, @bare);
}

for my $file (@module, @bench) {
    head($file, slurp($file));
    complain("$file: no file is called util; what noun is it?")
        if $file =~ /_utils?\./;
}

symbols($_) for sort glob 'build/nginx/objs/addon/*/*.o';

exit $bad;
