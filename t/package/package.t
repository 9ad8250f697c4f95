# The release and the package in bare Debian systems.  In each suite the test
# unpacks the tarball and runs the README's commands, up to a poll that waits
# and is woken.
#
#     SUITES='bookworm sid'   of Debian, instead of bookworm and trixie
#
# One root builds the package, and another one, without a compiler, installs it.
# Everything is fetched first: if that fails, the suite is skipped; every later
# failure is one of the package.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( basename dirname );
use Test::More;

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Package qw( compiled complete unpacked same_module );

my $root = abs_path(dirname(abs_path(__FILE__)) . '/../..');
my @suites = split ' ', $ENV{SUITES} || 'bookworm trixie';

my $package = 'libnginx-mod-http-longpoll';
my $so = '/usr/lib/nginx/modules/ngx_http_longpoll_module.so';
my $link = '/etc/nginx/modules-enabled/50-mod-http-longpoll.conf';
my $doc = "/usr/share/doc/$package";
my $kept = '/var/lib/nginx/longpoll';

my $patience = 600;                     # seconds, for each command
my ($suite, @made);                     # the roots that are there
my $running;                            # a command, and its group

chdir $root or die "chdir: $!\n";
$SIG{INT} = $SIG{TERM} = sub { exit 1 };

my $readme = run('git', 'show', 'HEAD:README.md');
my ($build, $install) = $readme =~ /^(make package)\n(apt install .*)$/m
    or die "the README does not say how to build the package\n";

my ($tarball) = run('tools/release.sh', 'dist') =~ /^(build\S+)$/m;
my ($name) = basename($tarball) =~ /(.*)\.tar\.gz/;

named();

for (@suites) {
    $suite = $_;
    my $why = eval { suite(); 1 } ? undef : $@;

    SKIP: {
        ref $why and skipped($$why);
        fail("$suite: to the end") or diag($why) if defined $why;
    }
    gone();
}

done_testing();


# Who made the package is who made the module.

sub named {
    my ($who) = run('git', 'log', '-1', '--format=%an <%ae>') =~ /(.*)/;
    my %names = ('debian/control' => qr/^Maintainer: (.*)$/m,
                 'debian/changelog' => qr/^ -- (.*?)  /m,
                 'debian/upstream/metadata' => qr/^Contact: (.*)$/m,
                 'packaging/alpine/APKBUILD' => qr/^# Maintainer: (.*)$/m);

    for (sort keys %names) {
        my ($name) = slurp($_) =~ $names{$_};
        is($name, $who, "$_: the maintainer of git's log");
    }
}

sub suite {
    my $tree = "/srv/$name";

    new('build');
    wanted('build', 'apt-get', 'update');
    wanted('build', 'apt-get', 'install', '-y', 'make');
    inside('build', 'mkdir', '-p', $tree);
    copy($tarball, 'build', '/srv/');
    inside('build', 'tar', '-xzf', "/srv/$name.tar.gz", '-C', '/srv');
    wanted('build', "$tree/tools/deps.sh", 'build', 'package');

    builds($tree);
    my $deb = packages($tree);
    lintian($tree);

    # The name of hiredis' library has its version; libhiredis-dev brings it.

    new('use');
    wanted('use', 'apt-get', 'update');
    wanted('use', 'apt-get', 'install', '-y', '--download-only', 'nginx',
           'libyajl2', 'libhiredis-dev', 'curl');
    installs($deb, $tree);
    enables($deb);
    works_without_hiredis();
    purges();
}

# building from the tarball

sub builds {
    my ($tree) = @_;
    my $made = "$tree/build/ngx_http_longpoll_module.so";

    inside('build', 'make', '-C', $tree);
    ok(exists_in('build', $made), "$suite: the tarball builds by itself");
}

sub packages {
    my ($tree) = @_;

    inside('build', 'sh', '-ec', "cd $tree; $build");

    my @debs = files('build', "$tree/build/${package}_*.deb");
    is(scalar @debs, 1, "$suite: $build: one package");
    my $deb = $debs[0] or die "no package\n";

    compiled(path('build', $tree), $suite);
    same_module(unpacked(path('build', $deb)),
                path('build', "$tree/build/ngx_http_longpoll_module.so"), $suite);

    return $deb;
}

sub lintian {
    my ($tree) = @_;

    SKIP: {
        eval {
            wanted('build', 'apt-get', 'install', '-y',
                   '--no-install-recommends', 'lintian');
            1;
        } or skipped("lintian: ${$@}");

        my ($changes) = files('build', "$tree/build/package/*.changes");

        # Each Debian release has a newer version of the standards.  The
        # package names the version of the oldest.

        my $said = inside('build', 'lintian', '--allow-root', '--display-info',
                          '--fail-on', 'none', '--suppress-tags',
                          'out-of-date-standards-version', $changes);

        is($said, '', "$suite: lintian has nothing to say");
    }
}

# This root has only the packages that the package depends on.

sub installs {
    my ($deb, $tree) = @_;
    my $there = "/srv/$name";

    inside('use', 'mkdir', '-p', "$there/build");
    copy(path('build', $deb), 'use', "$there/build/");
    inside('use', 'sh', '-ec', "cd $there; $install");

    ok(exists_in('use', $so), "$suite: $install");
    like(inside('use', 'dpkg', '-s', $package), qr/^Depends:.*\blibyajl2\b/m,
         "$suite: it depends on yajl's library");
    complete(path('use', ''), $suite);

    my ($mode, $uid, $gid) = (stat path('use', $kept))[2, 4, 5];
    my ($workers) = map { (split /:/)[2] } grep { /^www-data:/ }
        split /\n/, slurp(path('use', '/etc/passwd'));
    is(sprintf('%o %d', $mode & 07777, $uid), "750 $workers",
       "$suite: $kept is the workers'");

    # Debian's own test of the package

    inside('use', 'apt-get', 'install', '-y', 'curl');
    copy(path('build', "$tree/$_"), 'use', "$there/") for 'README.md', 'debian';

    like(eval { alone('use', "$there/debian/tests/poll") } // $@,
         qr/"category":"farm","data":"oink"/,
         "$suite: a poll waits, and a publish wakes it");
}

# An administrator can disable the module, and a removed package can come back.

sub enables {
    my ($deb) = @_;
    my $file = "/srv/$name/build/" . basename($deb);
    my $again = "apt-get install -y --reinstall $file";

    inside('use', 'sh', '-c', $again);
    ok(links_in('use', $link), "$suite: the reinstalled module is enabled");

    inside('use', 'rm', $link);
    inside('use', 'sh', '-c', $again);
    ok(!links_in('use', $link), "$suite: a disabled module stays disabled");

    inside('use', 'ln', '-sf', '/usr/share/nginx/modules-available/'
                              . 'mod-http-longpoll.conf', $link);

    # as README.Debian says

    my $conf = '/etc/nginx/conf.d/longpoll.conf';

    like(inside('use', 'cat', "$doc/README.Debian"),
         qr/Before you remove the package, take its directives out/,
         "$suite: README.Debian says what comes before a removal");
    inside('use', 'sh', '-c', "echo 'longpoll_zone zone=a:1m;' >$conf");
    inside('use', 'apt-get', 'remove', '-y', $package);
    ok(!links_in('use', $link), "$suite: a removed module is not enabled");
    ok(!defined eval { inside('use', 'nginx', '-qt') }
       && $@ =~ /unknown directive "longpoll_zone"/,
       "$suite: nginx misses it where its directives are left");
    inside('use', 'rm', $conf);
    is(inside('use', 'nginx', '-qt'), '', "$suite: and nginx does not miss it");

    inside('use', 'sh', '-c', $again);
    ok(links_in('use', $link), "$suite: the module that comes back is enabled");
}

sub works_without_hiredis {
    my $conf = '/etc/nginx/conf.d/longpoll.conf';
    my ($hiredis) = inside('use', 'dpkg', '-s', $package)
        =~ /^Recommends:.*\b(libhiredis[\d.]+)/m
        or die "hiredis is not recommended\n";

    inside('use', 'sh', '-c',
           "echo 'longpoll_zone zone=a:1m redis=redis://127.0.0.1;' >$conf");
    is(inside('use', 'nginx', '-qt'), '', "$suite: a zone over Redis");

    inside('use', 'dpkg', '-r', $hiredis);
    ok(!defined eval { inside('use', 'nginx', '-qt') }
       && $@ =~ /"redis" needs the library hiredis, install it: libhired/,
       "$suite: without hiredis that is refused");

    inside('use', 'rm', $conf);
    is(inside('use', 'nginx', '-qt'), '', "$suite: and all else works");
}

sub purges {
    inside('use', 'apt-get', 'purge', '-y', $package);

    is(inside('use', 'find', '/', '-xdev', '-iname', '*longpoll*',
              '-not', '-path', '/srv/*', '-not', '-path', '/proc/*',
              '-not', '-path', '/var/cache/apt/*'),
       '', "$suite: the purged package leaves no file");
    is(inside('use', 'nginx', '-qt'), '', "$suite: and nginx works");
}


# Roots.  The output of a command is both of its streams.

sub new {
    my ($which) = @_;
    my $said = `tools/root.sh new $suite $which`;

    chomp($said);
    push @made, $which;
    die \$said if $? >> 8 == 3;
    die "tools/root.sh new $suite $which: $?\n" if $?;
}

sub gone {
    while (defined(my $which = pop @made)) {
        system('tools/root.sh', 'gone', $suite, $which);
    }
}

sub END {
    my $status = $?;
    kill KILL => -$running if defined $running;
    gone();
    $? = $status;
}

sub path {
    my ($which, $file) = @_;
    return "$root/build/roots/$suite/$which$file";
}

sub inside { return run('tools/root.sh', 'in', $suite, @_) }
sub alone  { return run('tools/root.sh', 'alone', $suite, @_) }

# Runs a download, which may fail.

sub wanted {
    my ($which, @command) = @_;

    for my $wait (2, 10, 0) {
        return if defined eval { inside($which, @command) };
        sleep $wait;
    }
    my ($line) = $@ =~ /^(E: .*)$/m;
    my $why = "@command: " . ($line // 'failed');
    $why =~ s{\w+://\S+}{...}g;
    die \$why;
}

sub skipped {
    my ($why) = @_;
    note("skipped: $suite: $why");
    skip("$suite: $why", 1);
}

sub copy {
    my ($from, $which, $to) = @_;
    run($> == 0 ? () : 'sudo', 'cp', '-r', $from, path($which, $to));
}

sub exists_in { return -e path(@_) }
sub links_in  { return -l path(@_) }

sub files {
    my ($which, $pattern) = @_;
    my $before = path($which, '');
    return map { substr $_, length $before } glob path($which, $pattern);
}

sub run {
    my @command = ('timeout', '--signal=KILL', $patience, @_);

    $running = open my $fh, '-|', 'sh', '-c', 'exec "$@" 2>&1 </dev/null', 'sh',
        @command or die "sh: $!\n";
    my $said = do { local $/; <$fh> } // '';

    my $done = close $fh;
    undef $running;
    die "@_: status $?\n$said" unless $done;
    return $said;
}

sub slurp {
    my ($file) = @_;
    open my $fh, '<', $file or die "$file: $!\n";
    local $/;
    return scalar <$fh>;
}
