#!/usr/bin/perl
#
# tools/pages.pl: compares the pages (*.md) with the sources.
# tools/pages.pl DIR: the links alone, of the pages in another directory.
#
#   links        every relative link has its file, every #anchor its heading; a
#                page that begins with a list of its sections lists all of them;
#                README.md lists every page of docs/
#   directives   a row of the command table is a section of docs/directives.md,
#                with Syntax, Default, Context and an example, and the other way
#                round; Context and Default are what the table and the merging
#                of configurations say
#   variables    the same for docs/variables.md, and for the values of
#                $longpoll_result
#   figures      a row of the table of figures is a row of the tables of
#                Monitoring in docs/operations.md, under both its names, and the
#                other way round; docs/alerts.yml knows no others, and
#                docs/grafana.json knows these
#   mistakes     each line by which the module refuses a configuration is in the
#                table of docs/operations.md that says what to write, or in the
#                list below it, and these have no other line
#   log          each line that src/ can log while nginx runs is in the tables
#                of docs/operations.md, and no other line is
#
# t/docs/pages.t shows that each of these is noticed.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Find ();

use lib dirname(abs_path(__FILE__)) . '/lib';

use Source qw(slurp);

chdir($ARGV[0] // dirname(abs_path(__FILE__)) . '/..') or die "chdir: $!\n";

my $bad = 0;

my %slugs;

sub complain {
    print "$_[0]\n";
    $bad = 1;
}

sub pages {
    my @found;

    File::Find::find({ no_chdir => 1, wanted => sub {
        $File::Find::prune = 1 if m{/(?:\.git|build|node_modules|servroot.*)$};
        push @found, s{^\./}{}r if /\.md$/ && -f;
    } }, '.');

    return sort @found;
}

# blanks fenced blocks, but keeps the lines
sub prose {
    my ($text) = @_;
    my $fence;

    return join '', map {
        my $line = $_;
        if ($line =~ /^\s*(```|~~~)/) {
            $fence = !$fence;
            $line = "\n";
        }
        $fence ? "\n" : $line;
    } split /^/, $text;
}

# the anchors of a page, as GitHub makes them
sub slugs {
    my ($page) = @_;

    return $slugs{$page} //= do {
        my (%slug, %seen);

        for my $head (prose(slurp($page)) =~ /^#{1,6} (.*)/mg) {
            my $slug = lc $head;
            $slug =~ s/\]\([^)]*\)/]/g;
            $slug =~ s/[^\w\- ]//g;
            $slug =~ tr/ /-/;
            my $n = $seen{$slug}++;
            $slug{$n ? "$slug-$n" : $slug} = $head;
        }
        \%slug;
    };
}

sub links {
    my ($page) = @_;
    my $text = prose(slurp($page)) =~ s/`[^`]*`/' ' x length $&/ger;

    while ($text =~ /\]\(\s*([^)\s]+)\s*\)/g) {
        my $target = $1;
        my $line = 1 + (substr($text, 0, $-[0]) =~ tr/\n//);
        next if $target =~ /^(?:https?|mailto):/;

        my ($path, $anchor) = split /#/, $target, 2;
        my $file = $path eq '' ? $page : dirname($page) . "/$path";
        1 while $file =~ s{(?:^|/)\K(?!\.\./)[^/]+/\.\./}{};
        $file =~ s{^(?:\./)+}{};

        if (!-e $file) {
            complain("$page:$line: no '$target'");
        } elsif (defined $anchor && !(-f $file && slugs($file)->{$anchor})) {
            complain("$page:$line: no heading for '$target'");
        }
    }
}

sub contents {
    my ($page) = @_;
    my ($head, $rest) = split /^(?=## )/m, prose(slurp($page)), 2;
    return unless defined $rest;

    my %listed = map { $_ => 1 } $head =~ /^- \[[^]]*\]\(#([^)]+)\)/mg;
    return unless %listed;

    my $slugs = slugs($page);
    my %top = map { $_ => 1 } $rest =~ /^## (.*)/mg;

    complain("$page: '$slugs->{$_}' is not in its list of sections")
        for grep { $top{ $slugs->{$_} } && !$listed{$_} } sort keys %$slugs;
}

sub table {
    my ($file, $type) = @_;
    my @rows = slurp($file)
        =~ /^static\s+$type\s+\w+\[\]\s*=\s*\{(.*?)^\};/msg
        or die "$file: no table of $type\n";
    return join '', @rows;
}

# the sections of a page, by their headings
sub sections {
    my ($page, $level) = @_;
    return slurp($page) =~ /^$level ([^\n]*)\n(.*?)(?=^$level |\z)/msg;
}

# complains about what only one of the lists has
sub same {
    my ($page, $what, $ours, $theirs) = @_;
    my %ours = map { $_ => 1 } @$ours;
    my %theirs = map { $_ => 1 } @$theirs;

    complain("$page: $what $_ is missing")
        for grep { !$theirs{$_} } sort keys %ours;
    complain("$page: there is no $what $_")
        for grep { !$ours{$_} } sort keys %theirs;
}


my @contexts = (
    [qr/\bNGX_HTTP_MAIN_CONF\b/, 'http'],
    [qr/\bNGX_HTTP_SRV_CONF\b/,  'server'],
    [qr/\bNGX_HTTP_LOC_CONF\b/,  'location'],
    [qr/\bNGX_HTTP_LIF_CONF\b/,  'if in location'],
    [qr/\bNGX_HTTP_LMT_CONF\b/,  'limit_except'],
);

sub directives {
    my $page = 'docs/directives.md';
    my $source = 'ngx_http_longpoll_module.c';
    my $code = slurp('src/conf/ngx_http_longpoll_conf.c');
    my %section = sections($page, '##');
    my %context;

    for (split /(?<=\}),/, table($source, 'ngx_command_t')) {
        my ($name, $type) = /ngx_string\("(\w+)"\),\s*([\w|\s]+),/ or next;
        $context{$name} = join ', ', map { $type =~ $_->[0] ? $_->[1] : () }
                                     @contexts;
    }

    same($page, 'directive', [keys %context],
         [grep { /^longpoll_/ } keys %section]);

    for my $name (sort grep { defined $section{$_} } keys %context) {
        my ($form, $rest) = $section{$name} =~ /\A\n```\n(.*?)^```\n(.*)/ms;
        my ($syntax, $default, $where) = ($form // '')
            =~ /\ASyntax:   (\S.*?)\nDefault:  (\S.*?)\nContext:  (\S.*?)\n\z/s
            or complain("$page: $name: no Syntax, Default, Context"), next;

        complain("$page: $name: its Syntax is another directive's")
            unless $syntax =~ /^$name [^;]*;$/;
        complain("$page: $name: its Context is '$context{$name}'")
            unless $where eq $context{$name};
        complain("$page: $name: no example")
            unless grep { /^\s*$name\s/m } $rest =~ /^```nginx\n(.*?)^```/msg;

        my ($field) = $name =~ /^longpoll_(\w+)/;
        my ($value) = $code
            =~ /_(?:merge|init)_\w+_value\([^;]*\b$field,\s*([\w *]+)\)/;
        my $is = ($value // 'NULL') ne 'NULL'
               ? "$name " . unit($field, $value) . ';' : '-';
        complain("$page: $name: its Default is '$is'") unless $default eq $is;
    }
}

my %status = (NGX_HTTP_OK => 200);
my %named = (NGX_HTTP_LONGPOLL_STREAM_ENDLESS => 'on');

sub unit {
    my ($field, $value) = @_;
    my $n = 1;

    return $named{$value} if $named{$value};
    $n *= /^\d+$/ ? $_ : $status{$_} // die "tools/pages.pl: what is $_?\n"
        for split /\s*\*\s*/, $value;
    return $n / 1000 . 's' if $field =~ /timeout|drain|heartbeat/;
    return $n / 1048576 . 'm' if $field =~ /size|unsent/;
    return $n;
}

sub variables {
    my $page = 'docs/variables.md';
    my $source = 'src/http/ngx_http_longpoll_variable.c';
    my %section = sections($page, '##');
    my @ours = table($source, 'ngx_http_variable_t')
        =~ /ngx_string\("(\w+)"\)/g;

    same($page, 'variable', [map { '$' . s/_$/_NAME/r } @ours],
         [grep { /^\$/ } keys %section]);

    my @results = table($source, 'ngx_str_t') =~ /ngx_string\("(\w+)"\)/g;
    same($page, 'result', \@results,
         [($section{'$longpoll_result'} // '') =~ /^- `(\w+)`:/mg]);
}

sub figures {
    my $page = 'docs/operations.md';
    my %section = sections($page, '##');
    my %of = reverse table('src/http/ngx_http_longpoll_figures.c',
                           'ngx_http_longpoll_figure_t')
        =~ /\{ "(\w+)", "(\w+)"/g;

    same($page, 'figure', [map { "$of{$_}, $_" } keys %of],
         [map { s/` \| `/, /r } ($section{Monitoring} // '')
              =~ /^\| `(\w+` \| `longpoll_\w+)` \|/mg]);

    my %known = map { $_ => 1 } keys %of, 'longpoll_build_info';

    for my $rules ('docs/alerts.yml', 'docs/grafana.json') {
        complain("$rules: there is no metric $_")
            for grep { !$known{$_} }
                slurp($rules) =~ s/^ *#.*//mgr =~ /\b(longpoll_\w+)/g;
    }

    my $panels = 'docs/grafana.json';
    my $text = slurp($panels);

    complain("$panels: $_ is missing")
        for grep { $text !~ /\b$_\b/ } sort keys %known;
}

# the conversions of ngx_log_error() as regular expressions
my %conversion = (V => '.+?', s => '.+?', '*s' => '.+?',
                  map { $_ => '\d+' } qw( ui uL uz d l z P ));

my $string = qr/"(?:\\.|[^"\\])*"/;

# strings one behind the other, as one
sub joined {
    my ($strings) = @_;
    return join '', map { substr($_, 1, -1) =~ s/\\"/"/gr }
                        $strings =~ /$string/g;
}

# The lines that the module can log while nginx runs.  Errors of the
# configuration are not among them, as nginx -t prints them with a line number,
# nor are messages of debug builds.
sub messages {
    my %message;

    for my $file (grep { !m{^src/conf/|_assert\.c$} } sort glob 'src/*/*.c') {
        my $code = slurp($file);

        while ($code =~ /\bngx_log_error\((?:NGX_LOG_)?(\w+),[^"]*?
                         ((?:$string\s*)+)/gsx)
        {
            my ($level, $text) = (lc $1, joined($2));
            next if $level eq 'info';
            $message{"[$level] $text"} = qr/^${\ pattern($text)}$/;
        }
    }

    return %message;
}

sub pattern {
    my ($text) = @_;
    return join '', map {
        /^%([\w*]+)/ ? $conversion{$1} // die "tools/pages.pl: what is $_?\n"
                  : quotemeta
    } split /(%(?:ui|uL|uz|\*s|[VsdlzP]))/, $text;
}

# The lines by which the module refuses a configuration.  A message that ends
# with the values of a parameter is one for each row of the table of parameters.
sub refusals {
    my (%macro, %text);
    my @code = map { slurp($_) } 'ngx_http_longpoll_module.c',
        glob 'src/conf/*.[ch]';
    my @values = map { joined($_) }
        table('src/conf/ngx_http_longpoll_conf_zone.c',
              'ngx_http_longpoll_conf_param_t') =~ /\),\s*((?:$string\s*)+)\}/g;

    for (@code) {
        s/\\\n//g;
        $macro{$1} = $2 while s/^#define (\w+)\s+((?:$string\s*)+)$//m;
    }

    for my $code (@code) {
        $code =~ s/\b(\w+)\b/exists $macro{$1} ? $macro{$1} : $1/ge;

        $text{joined($1)} = 1
            while $code =~ /\b(?:ngx_log_error|ngx_conf_log_error)
                            \(NGX_LOG_EMERG,[^"]*?((?:$string\s*)+)/gsx;
        $text{'"%V" directive ' . joined($1)} = 1
            while $code =~ /^\s+return\s+((?:$string\s*)+);/gm;
    }

    delete $text{'"%V" directive is duplicate'};

    my ($any) = grep { /^invalid .* must be %s$/ } keys %text
        or die "tools/pages.pl: no message about values\n";
    delete $text{$any};
    $text{$any =~ s/%s$/$_/r} = 1 for @values;

    return map { $_ => qr/^${\ pattern(s{ in %s:%ui$}{}r)}$/ } keys %text;
}

# Each message of the sources has its line among those of the page, and each of
# these lines has its message.
sub compare {
    my ($page, $lacks, $has, $message, @told) = @_;

    for my $text (sort keys %$message) {
        complain("$page: $lacks: $text")
            unless grep { $_ =~ $message->{$text} } @told;
    }

    for my $line (@told) {
        complain("$page: $has: $line")
            unless grep { $line =~ $_ } values %$message;
    }
}

sub mistakes {
    my $page = 'docs/operations.md';
    my %section = sections($page, '###');
    my ($ours) = ($section{'nginx does not start'} // '')
        =~ /^\| the module says \|(.*)/ms;
    my %message = refusals();
    my @told = ($ours // '') =~ /^(?:\||-) `(.*?)`(?: \||$)/mg;

    compare($page, 'not among the mistakes', 'nothing is refused with',
            \%message, @told);
}

sub log_lines {
    my $page = 'docs/operations.md';
    my %section = sections($page, '##');
    my %message = messages();
    my @told = ($section{'What the error log says'} // '')
        =~ /^\| `(longpoll.*?)` \|/mg;

    compare($page, 'not in its log', 'nobody logs', \%message, @told);
}

my @pages = pages();

links($_) for @pages;
exit $bad if @ARGV;

my %linked = map { $_ => 1 } slurp('README.md') =~ /\]\((docs\/[^)#]+)/g;

for my $page (@pages) {
    contents($page);
    complain("README.md: $page is not in it")
        if $page =~ m{^docs/[^/]+$} && !$linked{$page};
}

directives();
variables();
figures();
mistakes();
log_lines();

exit $bad;
