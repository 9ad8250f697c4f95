# Debian's package, as `make package` builds it for this machine's nginx: the
# test unpacks it, and installs nothing.  package.t uses it in bare Debians.
#
# The tarball of a commit is always the same, and has exactly git's files.

use strict;
use warnings;

use Cwd qw( abs_path );
use Digest::SHA ();
use File::Basename qw( dirname );
use Test::More;

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Package qw( compiled complete dead unpacked same_module );

my $root = abs_path(dirname(abs_path(__FILE__)) . '/../..');

chdir $root or die "chdir: $!\n";

my ($tarball) = said('tools/release.sh dist') =~ /^(build\S+)$/m;
my $sum = sum($tarball);

said('make package');
is(sum($tarball), $sum, 'dist: the same bytes twice');

my @there = sort map { m{^[^/]+/(.*[^/])$} ? $1 : () }
    split /\n/, said("tar -tzf $tarball");
my @known = sort split /\n/, said('git ls-tree -r --name-only HEAD');

is_deeply(\@there, \@known, 'dist: exactly the files of the repository');

my @debs = glob 'build/libnginx-mod-http-longpoll_*.deb';
is(scalar @debs, 1, 'make package: one package');

my $dir = unpacked($debs[0]);

compiled($root, 'package');
same_module($dir, 'build/ngx_http_longpoll_module.so', 'package');
complete($dir, 'package');

# the check of the links can fail

my ($demo) = glob "$dir/usr/share/doc/*/demo";

unlink $demo or die "$demo: $!\n";
like(dead($dir), qr{^README\.md:\d+: no 'demo/nginx\.conf'$}m,
     'package: without the link to the demo, links are dead');

done_testing();


sub said {
    my ($command) = @_;
    my $said = `$command 2>&1 </dev/null`;

    die "$command: status $?\n$said" if $?;
    return $said;
}

sub sum {
    return Digest::SHA->new(256)->addfile($_[0])->hexdigest;
}
