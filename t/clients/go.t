# Go's client libraries, golongpoll's own and common-library's, against a real
# nginx.  This builds and runs t/clients/go/, which has the cases.
#
# Without the libraries, or without a Go, the test is skipped.  A program that
# does not compile is a failure.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);

my $root;

BEGIN { $root = abs_path(dirname(__FILE__) . '/../..') }

use lib "$root/t/lib";
use Longpoll::Go;

my $program = Longpoll::Go::build("$root/t/clients/go",
                                  "$root/build/clients/go",
                                  'golongpoll and common-library');

if (!$program) {
    print "1..0 # SKIP $Longpoll::Go::Missing\n";
    exit;
}

chdir $root or die "chdir: $!\n";

my $nginx   = $ENV{TEST_NGINX_BINARY} // 'nginx';
my @modules = split ' ', $ENV{TEST_NGINX_LOAD_MODULES}
                         // "$root/build/ngx_http_longpoll_module.so";

$ENV{PATH} .= ':/usr/sbin';
exec $program, '-nginx', $nginx, @modules or die "$program: $!\n";
