# Go's client libraries, golongpoll's own and common-library's, against a real
# nginx: builds t/clients/go/, which says more, and becomes it.
#
# The libraries come from wherever Go is set up to get modules from.  Without
# them, or without a Go, this is skipped; a program that does not compile is a
# failure.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Path qw(make_path);

my $root = abs_path(dirname(__FILE__) . '/../..');
my $out  = "$root/build/clients";
my $log  = "$out/go.log";

make_path($out);

# what Go wants to know where it may keep things
$ENV{HOME} //= (getpwuid $<)[7];

# a compiler for C, or another version of Go, are not for Go to look for
$ENV{CGO_ENABLED} = 0;
$ENV{GOTOOLCHAIN} = 'local';

sub skip_all {
    print "1..0 # SKIP @_\n";
    exit;
}

# run(COMMAND): its status; the log has what it said
sub run {
    my ($command) = @_;
    return system('/bin/sh', '-c', "exec >>'$log' 2>&1 </dev/null; $command");
}

sub told {
    open my $fh, '<', $log or return "$log: $!\n";
    local $/;
    return scalar <$fh>;
}

unlink $log;
chdir "$root/t/clients/go" or die "chdir: $!\n";
my ($needed) = `grep '^go ' go.mod` =~ /([\d.]+)/;

chomp(my $go = `'$root/tools/go' $needed`);
skip_all("no Go $needed or newer, neither here nor in Debian's unstable")
    if $? || !$go;

# Listing what the program is made of brings it here.  Go itself gives up at
# the first stumble of the network.
my $missing;

for my $wait (2, 10, 30, 0) {
    $missing = run("'$go' list -mod=readonly -deps . >/dev/null") or last;
    die told() if told() =~ /SECURITY ERROR|go\.(?:mod|sum)\b/;
    sleep $wait;
}

if ($missing) {
    print map { "# $_\n" } split /\n/, told();
    skip_all('the modules of golongpoll and common-library cannot be had');
}

run("'$go' build -mod=readonly -buildvcs=false -o '$out/go' .") == 0
    or die "t/clients/go does not compile:\n", told();

chdir $root or die "chdir: $!\n";

my $nginx   = $ENV{TEST_NGINX_BINARY} // 'nginx';
my @modules = split ' ', $ENV{TEST_NGINX_LOAD_MODULES}
                         // "$root/build/ngx_http_longpoll_module.so";

$ENV{PATH} .= ':/usr/sbin';
exec "$out/go", '-nginx', $nginx, @modules or die "$out/go: $!\n";
