#!/usr/bin/perl
#
# tools/figures.pl [DIR]: how large the house is, and what is left to tidy.
#
# Counts the C sources of the module in DIR (this tree if it is not given):
#
# functions   how many; their length in lines, from the name to the brace that
#             ends them: median, 90th percentile, the longest
# files       how many; the longest
# lines       of all files; how many of them are comments
# duplicated  lines of code that stand in a run of six or more, which stands
#             somewhere else, too; blanks and lone braces do not count
# circles     groups of files that use each other, by include or call
# old words   words of our own that the words of the field replaced: in
#             identifiers, and, where no ordinary sentence has them, in
#             comments and pages
#
# Nothing of it is a limit; tools/layout.pl and tools/style.pl have those.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( basename dirname );

use lib dirname(abs_path(__FILE__)) . '/lib';

use Source qw( bare name slurp );

chdir($ARGV[0] // dirname(abs_path(__FILE__)) . '/..') or die "chdir: $!\n";

my $run = 6;                    # lines that make a duplicate

my @identifiers = qw( overtake gave given remark marks shown gone sound told
    looks lives life before trusted ended unnamed overlap again stray strays
    lot loose owed owing pay paid cap settle spare saver mention mentions
    bury );
my @prose = qw( overtake overtakes overtaken remark stray strays strayed loose
    owed saver bury buried storm storms );

# lengths of the functions in a file, each with its name
sub functions {
    my ($file) = @_;
    my (@found, $name, $start);
    my $n = 0;

    for (split /\n/, bare(slurp($file))) {
        $n++;

        if (/^(\w+)\(/) {
            ($name, $start) = ($1, $n);

        } elsif (/^}/ && defined $name) {
            push @found, [$n - $start + 1, "$name in $file"];
            undef $name;

        } elsif (/^\S.*;\s*$/) {
            undef $name;            # a declaration
        }
    }

    return @found;
}

sub at {
    my ($part, @sorted) = @_;
    return $sorted[int($part * $#sorted + 0.5)];
}

my @files = sort(glob('*.c'), glob('src/*.[ch]'), glob('src/*/*.[ch]'));
my @pages = sort(glob('*.md'), glob('docs/*.md'), glob('docs/*/*.md'),
                 glob('client/*.md'));
my (@functions, %lines, %comments, %seen, @where, %uses, %defined_in);

for my $file (@files) {
    my $text = slurp($file);
    my $code = bare($text);

    $lines{$file} = $text =~ tr/\n//;
    $comments{$file} = () = join("\n", $text =~ m{/\*.*?\*/}gs) =~ /^/gm;
    push @functions, functions($file);

    $defined_in{$_} = name($file)
        for $file =~ /\.c$/ ? $code =~ /^(ngx_http_\w+)\(/gm : ();

    my @line = grep { /\w/ } map { s/^\s+|\s+$//gr } split /\n/, $code;

    for my $i (0 .. $#line - $run + 1) {
        my $key = join "\n", @line[$i .. $i + $run - 1];
        push @{$seen{$key}}, [$file, $i];
    }
}

my %double;

for my $places (values %seen) {
    next if @$places < 2;

    for my $place (@$places) {
        $double{$place->[0]}{$_} = 1
            for $place->[1] .. $place->[1] + $run - 1;
    }
}

my $double = 0;
$double += keys %$_ for values %double;

# who uses whom, and who comes back to itself
for my $file (@files) {
    my $own = name($file);
    my @used = map { name($_) } slurp($file) =~ /^\s*#\s*include\s*"([^"]+)"/gm;

    push @used, map { $defined_in{$_} // () }
        bare(slurp($file)) =~ /\b(ngx_http_\w+)/g if $file =~ /\.c$/;

    $uses{$own}{$_} = 1 for grep { $_ ne $own } @used;
}

my %reaches;

for my $name (keys %uses) {
    my @next = keys %{$uses{$name}};

    while (defined(my $one = shift @next)) {
        push @next, keys %{$uses{$one} // {}} unless $reaches{$name}{$one}++;
    }
}

my (%told, @circles);

for my $name (sort keys %uses) {
    next if $told{$name} || !$reaches{$name}{$name};
    my @circle = sort grep { $reaches{$name}{$_} && $reaches{$_}{$name} }
        keys %uses;
    $told{$_} = 1 for @circle;
    push @circles, "@circle";
}

# words of our own
my %old;

for my $file (@files) {
    my %in;

    $in{lc $_}++ for map { split /_/ } grep { $_ ne 'NGX_AGAIN' }
        bare(slurp($file)) =~ /\b([a-z]\w*)\b/gi;
    $old{$_} += $in{$_} // 0 for @identifiers;
}

my $said = join ' ', (map { slurp($_) =~ m{/\*.*?\*/}gs } @files),
    map { slurp($_) } @pages;
my $prose = join '|', @prose;
my %said;
$said{lc $1}++ while $said =~ /\b($prose)\b/gi;

my @length = sort { $a <=> $b } map { $_->[0] } @functions;
my ($longest) = sort { $b->[0] <=> $a->[0] } @functions;
my ($file) = sort { $lines{$b} <=> $lines{$a} } @files;
my ($all, $comments) = (0, 0);
$all += $_ for values %lines;
$comments += $_ for values %comments;

printf "functions   %d: median %d lines, 90th percentile %d, longest %d (%s)\n",
    scalar @length, at(0.5, @length), at(0.9, @length), @$longest;
printf "            %d over 100 lines\n", scalar grep { $_ > 100 } @length;
printf "files       %d: longest %d lines (%s)\n", scalar @files, $lines{$file},
    $file;
printf "lines       %d, of these %d in comments\n", $all, $comments;
printf "duplicated  %d lines, %.1f %%\n", $double, 100 * $double / $all;
printf "circles     %d%s\n", scalar @circles, join '', map { ": $_" } @circles;

my @left = grep { $old{$_} } @identifiers;
my ($left, $spoken) = (0, 0);
$left += $old{$_} for @left;
$spoken += $_ for values %said;
printf "old words   %d in identifiers%s\n", $left,
    @left ? ': ' . join(' ', map { "$_ $old{$_}" } @left) : '';
printf "            %d in comments and pages%s\n", $spoken, %said
    ? ': ' . join(' ', map { "$_ $said{$_}" } sort keys %said) : '';
