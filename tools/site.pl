#!/usr/bin/perl
#
# tools/site.pl DIR: writes the pages of the site into DIR, for mkdocs: those of
# README.md and docs/, as they are, but
#
# - what they link to outside of docs/, a file or a directory, becomes a page that
#   shows it
# - paragraphs of a list are indented as Python's Markdown wants it
#
# tools/site.sh makes the site from them.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(basename dirname);
use File::Copy qw(copy);
use File::Find ();
use File::Path qw(make_path);

use lib dirname(abs_path(__FILE__)) . '/lib';

use Source qw(slurp);

my $to = abs_path($ARGV[0] // die "tools/site.pl DIR\n");

chdir dirname(abs_path(__FILE__)) . '/..' or die "chdir: $!\n";

my %language = (js => 'js', py => 'python', html => 'html', go => 'go',
                php => 'php', pl => 'perl', css => 'css', conf => 'nginx',
                sh => 'sh', rb => 'ruby', java => 'java', json => 'json');
my %shown;

sub spew {
    my ($file, $text) = @_;

    make_path(dirname("$to/$file"));
    open my $out, '>:encoding(UTF-8)', "$to/$file" or die "$to/$file: $!\n";
    print $out $text;
    close $out or die "$to/$file: $!\n";
}

# a file's text as a block of a page
sub block {
    my ($file) = @_;
    my ($end) = $file =~ /\.(\w+)$/;

    return "````" . ($language{ $end // '' } // 'text') . "\n"
           . slurp($file) =~ s/\n?\z/\n/r . "````\n";
}

# makes the page that shows a file or a directory, and returns its name
sub show {
    my ($path) = @_;
    my $page = -d $path ? "$path/index.md" : "$path.md";

    return $page if $shown{$page}++;

    my @files = -d $path ? grep { -f && -T } sort glob "$path/*" : ($path);

    spew($page, "# $path\n\n" . join "\n", map {
        (@files > 1 ? '## ' . basename($_) . "\n\n" : '') . block($_)
    } @files);
    return $page;
}

sub link_to {
    my ($page, $target) = @_;

    return $target if $target =~ /^(?:[a-z]+:|#)/;

    my $path = dirname($page) . "/$target";

    1 while $path =~ s{(?:^|/)\K(?!\.\./)[^/]+/\.\./}{};
    $path =~ s{^(?:\./)+|/$}{}g;
    $path =~ s/#.*//;

    return $target if $path =~ m{\.md$|^docs/} || !-e $path;
    return '../' x ($page =~ tr{/}{}) . show($path);
}

# One line of prose; a line of a list that goes on has four blanks.
sub line {
    my ($page, $line) = @_;

    $line =~ s/^ {2,3}(?=\S)/    /;
    $line =~ s/\]\(([^)\s]+)\)/'](' . link_to($page, $1) . ')'/ge;
    return $line;
}

sub page {
    my ($page) = @_;
    my $fence;

    # a link may go over the end of a line
    my $text = slurp($page) =~ s/\]\(\s+/](/gr;

    spew($page, join '', map {
        $fence = !$fence if /^```/;
        $fence || /^```/ ? $_ : line($page, $_);
    } split /^/, $text);
}

my @pages = (qw(README.md CHANGES.md CONTRIBUTING.md SECURITY.md
                client/README.md));

File::Find::find({ no_chdir => 1, wanted => sub {
    return unless -f;
    push @pages, $_ if /\.md$/;
    make_path(dirname("$to/$_")), copy($_, "$to/$_") unless /\.md$/;
} }, 'docs');

page($_) for @pages;
