package Longpoll::Package;

# What must be true of Debian's package, wherever it was built: t/package/deb.t
# builds it on this machine, package.t in bare Debians.
#
#     compiled($tree, $where);        # by the log of `make package` there
#     my $dir = unpacked($deb);       # build/unpacked/, nothing is installed
#     same_module($dir, $made, $where);
#     complete($dir, $where);         # also of a root that has the package
#     dead($dir);                     # lines, one for each dead link
#
# $where begins the tests' names.

use strict;
use warnings;

use Cwd qw( abs_path );
use Exporter qw( import );
use File::Basename qw( dirname );
use File::Path qw( remove_tree );
use Test::More;

our @EXPORT_OK = qw( compiled complete dead unpacked same_module );

my $root = abs_path(dirname(__FILE__) . '/../../..');
my $so = '/usr/lib/nginx/modules/ngx_http_longpoll_module.so';
my $doc = '/usr/share/doc/libnginx-mod-http-longpoll';

# Debian's flags, when it is compiled and when it is linked

sub compiled {
    my ($tree, $where) = @_;
    my @files = map { glob "$tree/$_" } '*.c', 'src/*/*.c';

    open my $fh, '<', "$tree/build/package/build.log" or die "build.log: $!\n";
    my $log = do { local $/; <$fh> } =~ s/\\\n\s*/ /gr;
    my @compiled = grep { m{ -c .*/ngx_http_longpoll_module-[\d.]+/\./\S+\.c$} }
        split /\n/, $log;

    is(scalar @compiled, scalar @files, "$where: every file is compiled");
    is_deeply([ grep { !(/ -fstack-protector-strong / && /FORTIFY_SOURCE=2/
                         && / -O2 / && / -Werror=format-security /) }
                @compiled ], [], "$where: with Debian's flags");
}

sub unpacked {
    my ($deb) = @_;
    my $dir = "$root/build/unpacked";

    remove_tree($dir);
    system('dpkg-deb', '-x', $deb, $dir) == 0 or die "dpkg-deb -x $deb: $?\n";
    return $dir;
}

# dh and tools/build.sh take the same files from `config`.

sub same_module {
    my ($dir, $made, $where) = @_;
    my $module = "$dir$so";
    my ($theirs, $ours) = map {
        `nm -D --defined-only '$_' | cut -d' ' -f2-`
            . `readelf -d '$_' | grep NEEDED`
    } $module, $made;

    like($ours, qr/ ngx_http_longpoll_module$/m,
         "$where: make's module has symbols");
    is($theirs, $ours, "$where: the package's has the same, and its libraries");
    like(scalar `readelf -d '$module'`, qr/BIND_NOW/,
         "$where: all symbols are bound when the module is loaded");
}

sub complete {
    my ($dir, $where) = @_;
    my @absent = grep { !-e "$dir$_" }
        map({ "$doc/$_" } qw( README.md client/README.md docs/protocol.md
                              docs/cluster.md docs/alerts.yml
                              docs/grafana.json copyright changelog.gz
                              examples/index.html )),
        map { "/usr/share/javascript/nginx-longpoll/longpoll.$_" }
            qw( js d.ts );

    is("@absent", '', "$where: the client, the demo and the pages are there");
    is(dead($dir), '', "$where: the links of all pages lead somewhere");
}

# the links of the package's pages that are dead

sub dead {
    my ($dir) = @_;
    return scalar `'$^X' '$root/tools/pages.pl' '$dir$doc' 2>&1`;
}

1;
