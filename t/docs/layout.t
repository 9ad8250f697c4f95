# tools/layout.pl finds mistakes: the test adds files that break each rule to a
# copy of the sources, and the tool must name each of them.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use File::Path qw( make_path );
use File::Temp qw( tempdir );
use Test::More;

my $root = abs_path(dirname(abs_path(__FILE__)) . '/../..');
my $dir = tempdir('longpoll-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $us = 'ngx_http_longpoll';

system("cd '$root' && cp -r *.c src bench '$dir'") == 0 or die "cp: $?\n";

is(said(), '', 'the sources as they are break no rule');

for (
    ['a floor may use a floor below it', '',
     "src/http/${us}_a.c" => include('b') . function('a', 'b'),
     "src/store/${us}_b.c" => function('b')],

    ['an include of a floor above',
     qr/^src\/store\/${us}_b\.c:1: 'b' of store\/ may not use 'a' of http\//,
     "src/store/${us}_b.c" => include('a'), "src/http/${us}_a.h" => "\n"],

    ['an include of a floor above, in a header', qr/^src\/wire\/${us}_b\.h:1: /,
     "src/wire/${us}_b.h" => include('a'), "src/store/${us}_a.h" => "\n"],

    ['a call of a floor above',
     qr/^src\/store\/${us}_b\.c:4: 'b' of store\/ may not use 'a' of worker\//,
     "src/store/${us}_b.c" => function('b', 'a'),
     "src/worker/${us}_a.c" => function('a')],

    ['the module is above all floors', qr/^src\/http\/${us}_b\.c:4: /,
     "src/http/${us}_b.c" => function('b', 'module_a'),
     "${us}_module_a.c" => function('module_a')],

    ['what only comments and strings name is not used', '',
     "src/store/${us}_b.c" => "/* ${us}_a() */\n"
         . function('b') =~ s/\{/{\n    f("${us}_a()");/r,
     "src/worker/${us}_a.c" => function('a')],

    ['a static function is not what others call', '',
     "src/store/${us}_b.c" => 'static ' . function('a') . function('b', 'a'),
     "src/worker/${us}_a.c" => 'static ' . function('a')],

    ['a circle of two, by includes', qr/^a circle: a b$/m,
     "src/store/${us}_a.h" => include('b'),
     "src/store/${us}_b.h" => include('a')],

    ['a circle of two, by calls', qr/^a circle: a b$/m,
     "src/store/${us}_a.c" => function('a', 'b'),
     "src/store/${us}_b.c" => function('b', 'a')],

    ['a circle of three, by an include and calls', qr/^a circle: a b c$/m,
     "src/worker/${us}_a.c" => include('b') . function('a_begin'),
     "src/worker/${us}_b.h" => "\n",
     "src/worker/${us}_b.c" => function('b', 'c'),
     "src/worker/${us}_c.c" => function('c', 'a_begin')],

    ['a_x is another file than a', qr/^a circle: a a_x$/m,
     "src/store/${us}_a.c" => function('a', 'a_x'),
     "src/store/${us}_a_x.c" => function('a_x', 'a')],

    ['a circle in bench/', qr/^a circle: a b$/m,
     'bench/a.c' => function('a', 'b'), 'bench/b.c' => function('b', 'a')],

    ['a folder that is no floor',
     qr/^src\/attic\/${us}_a\.c: stands on no floor$/,
     "src/attic/${us}_a.c" => function('a')],

    ['a file on two floors', qr/: 'a' stands on two floors$/,
     "src/http/${us}_a.c" => function('a'), "src/store/${us}_a.h" => "\n"],

    ['an include of nothing', qr/^src\/http\/${us}_a\.c:1: there is no 'b'$/,
     "src/http/${us}_a.c" => include('b')],
) {
    my ($title, $wanted, %files) = @$_;

    write_file("$dir/$_", $files{$_}) for keys %files;

    if ($wanted) {
        like(said(), $wanted, $title);
    } else {
        is(said(), '', $title);
    }

    unlink map { "$dir/$_" } keys %files;
    rmdir "$dir/src/attic";
}

is(said(), '', 'and all of it is as it was');

done_testing();


sub include { return qq(#include "${us}_$_[0].h"\n) }

# A function definition in nginx's form, with an optional call of another one.

sub function {
    my ($name, $calls) = @_;

    return "void\n${us}_$name(void)\n{\n"
           . (defined $calls ? "    ${us}_$calls();\n" : '') . "}\n\n";
}

sub said {
    chomp(my $said = `'$^X' '$root/tools/layout.pl' '$dir' 2>&1`);
    return $said;
}

sub write_file {
    my ($file, $text) = @_;

    make_path(dirname($file));
    open my $out, '>', $file or die "$file: $!\n";
    print $out $text;
    close $out or die "$file: $!\n";
}
