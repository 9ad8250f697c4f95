# tools/style.pl finds functions that are too long: the test adds files to a
# copy of the sources, and the tool must name each function of more than 100
# lines.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use File::Temp qw( tempdir );
use Test::More;

my $root = abs_path(dirname(abs_path(__FILE__)) . '/../..');
my $dir = tempdir('longpoll-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $us = 'ngx_http_longpoll';
my $long = qr/: the function has 101 lines, at most 100$/;
my $head = "\n/*\n" . " * .\n" x 8 . " */\n\n";

system("cd '$root' && mkdir '$dir/t' && cp -r *.c src bench '$dir'"
       . " && cp -r t/unit t/fuzz t/faults '$dir/t'") == 0 or die "cp: $?\n";

is(said(), '', 'the sources as they are break no rule');

for (
    ['100 lines', '', function('a', 100)],
    ['101 lines', qr/^src\/store\/${us}_a\.c:14$long/, function('a', 101)],

    ['two functions of 100 lines', '',
     function('a', 100) . function('a_b', 100)],

    ['the second one of two', qr/^src\/store\/${us}_a\.c:20$long/,
     function('a', 3) . function('a_b', 101)],

    ['a declaration before it is not a part of it', '',
     "void f(void);\nvoid g(int a,\n    int b);\n\n" . function('a', 100)],

    ['arguments on two lines count',
     qr/^src\/store\/${us}_a\.c:14: the function has 102 lines/,
     function('a', 101) =~ s/\(void\)/(int a,\n    int b)/r],

    ['comments and strings with braces count as lines',
     qr/^src\/store\/${us}_a\.c:14$long/,
     function('a', 101) =~ s/    ;\n    ;/\/*\n} *\//r],
) {
    my ($title, $wanted, $code) = @$_;
    my $file = "$dir/src/store/${us}_a.c";

    open my $out, '>', $file or die "$file: $!\n";
    print $out "$head$code";
    close $out or die "$file: $!\n";

    if ($wanted) {
        like(said(), $wanted, $title);
    } else {
        is(said(), '', $title);
    }

    unlink $file;
}

# The C files of the tests and of the benchmark have the same limit.

for my $path ('t/unit/a.c', 't/fuzz/a.c', 't/faults/a.c', 'bench/a.c') {
    open my $out, '>', "$dir/$path" or die "$path: $!\n";
    print $out $head . function('a', 101);
    close $out or die "$path: $!\n";

    like(said(), qr/^\Q$path\E:14$long/, "101 lines in $path");
    unlink "$dir/$path";
}

done_testing();


# a function of that many lines, from its name to the brace that ends it

sub function {
    my ($name, $lines) = @_;

    return "void\n${us}_$name(void)\n{\n" . "    ;\n" x ($lines - 3)
           . "}\n\n\n";
}

sub said {
    chomp(my $said = `'$^X' '$root/tools/style.pl' '$dir' 2>&1`);
    return $said;
}
