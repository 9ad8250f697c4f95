#!/usr/bin/perl
#
# tools/test.pl PART... [-- FILE...]: runs parts of the tests and adds them up.
#
# build   the module
# check   what `make check` checks
# unit    t/unit/*.c, each a program that prints TAP
# generator  t/bench/*.t, the load generator, on a server that makes mistakes
# cost    t/cost/*.t, instructions for an operation; -- record takes what is
#         measured as what may be
# plain   t/*.t, with a fresh nginx for every block
# hup     t/*.t, with one nginx that is reloaded from block to block
# user    a few of t/*.t without root's rights, if it is root who asks
# asan    t/*.t, with an nginx under AddressSanitizer and UBSan
# valgrind  t/*.t, with an nginx under valgrind's memcheck
# fuzz    t/fuzz/*.c, each a target of libFuzzer: $SECONDS seconds of each
# docs    t/docs/*.t, what the pages say and show
# persist t/persist/*.t, a zone's file: nginx is stopped, killed, started again
# clients t/clients/*.t, clients and frameworks that others wrote
# matrix  t/*.t, with every nginx of tools/matrix.sh, dynamic and static
# smoke   a few of t/*.t, with the newer of these
# chaos   t/chaos/*.t, a random run; see there for SEED, SECONDS and others
# soak    the same, for ten minutes or SECONDS
# load    t/load/*.t, very many clients and reloads
# package t/package/package.t, the package in Debians of its own
# mutants t/mutants/mutants.t: can the tests fail?
#
# FILEs stand for t/*.t, t/clients/*.t, or the names of targets.  The last line
# is `N passed, N failed, N skipped`.  What cannot be counted counts as a
# failure: a test file that dies, bails out or runs another number of tests than
# planned, a build that fails, a report of a sanitizer or of valgrind.

use strict;
use warnings;

use Cwd qw(abs_path getcwd);
use File::Basename qw(basename dirname);
use File::Path qw(make_path remove_tree);
use File::Temp qw(tempdir);
use TAP::Harness;
use TAP::Parser::Aggregator;

chdir dirname(abs_path(__FILE__)) . '/..' or die "chdir: $!\n";

my $root   = abs_path('.');
my $module = "$root/build/ngx_http_longpoll_module.so";
our $limit = 900;                           # seconds for one test file

# Debian's, from the oldest nginx that is supported to the newest there is
my @suites  = qw(bookworm trixie sid);
my @smoke   = map { "t/$_.t" }
              qw(000-sanity 080-tls-h2 085-h3 900-golongpoll-api);
my @user    = map { "t/$_.t" } qw(000-sanity 060-workers 110-persist);

my @also_user = map { "t/persist/$_.t" } qw(life load);

my ($passed, $failed, $skipped) = (0, 0, 0);
my @files;
our $part;
our @as = ();                               # setpriv, to be somebody else
our $jobs = 1;
my $at_once = 3;                            # of what waits more than it works
my $apart = 0;

my %parts = (
    build => sub { step('make', '-s', 'all') },
    check => sub { step('make', '-s', 'check') },
    unit  => sub {
        local $jobs = 2;
        step('make', '-s', 'build-unit') && tap(programs());
    },
    generator => sub {
        step('make', '-s', 'build-bench') && tap(sort glob 't/bench/*.t');
    },
    cost => sub {
        local $ENV{COST_RECORD} = 1 if "@ARGV" eq 'record';
        tap(sort glob 't/cost/*.t');
    },
    plain => sub { local $jobs = $at_once; tap(@files) },
    hup   => sub {
        local $ENV{TEST_NGINX_USE_HUP} = 1;
        local $jobs = $at_once;
        tap(@files);
    },
    user  => \&user,
    asan  => \&asan,
    valgrind => \&valgrind,
    fuzz  => \&fuzz,
    docs  => sub {
        system('bench/peers.sh push-stream >/dev/null');   # several want it
        local $jobs = $at_once;
        tap(@ARGV ? @ARGV : sort glob 't/docs/*.t');
    },
    chaos => \&chaos,
    soak  => sub { local $ENV{SECONDS} = $ENV{SECONDS} || 600; chaos() },
    persist => \&persist,
    clients => sub {
        local $jobs = $at_once;
        tap(@ARGV ? @ARGV : sort glob 't/clients/*.t');
    },

    matrix => sub {
        for my $suite (@suites) {
            row($suite, $_, @files) for qw(dynamic static);
        }
    },

    mutants => sub { local $limit = 3600; tap('t/mutants/mutants.t') },
    package => sub { local $limit = 3600; tap('t/package/package.t') },
    load    => sub { tap(@ARGV ? @ARGV : sort glob 't/load/*.t') },

    smoke => sub {
        row($suites[-1], 'dynamic', @smoke);
        row($suites[-2], 'dynamic', @smoke);
        row($suites[-2], 'static', grep { !/tls|h3/ } @smoke);
    },
);

sub main {
    my @parts;

    $| = 1;
    $ENV{PATH} .= ':/usr/sbin';
    $ENV{TEST_NGINX_BINARY} = abs_path($ENV{TEST_NGINX_BINARY})
        if ($ENV{TEST_NGINX_BINARY} // '') =~ m{/};
    $ENV{TEST_NGINX_BINARY} //= first_nginx();
    $ENV{TEST_NGINX_LOAD_MODULES} //= $module;

    push @parts, shift @ARGV while @ARGV && $ARGV[0] ne '--';
    shift @ARGV;
    @files = @ARGV ? @ARGV : sort glob 't/*.t';

    for (@parts) {
        $part = $_;
        my $run = $parts{$part} or die "tools/test.pl: no part '$part'\n";
        my $start = time;
        print "== $part\n";
        $run->();
        printf "== %s: %d s\n", $part, time - $start;
        last if $part eq 'build' && $failed;
    }

    print "no test was run\n" if $passed + $failed == 0;
    print "$passed passed, $failed failed, $skipped skipped\n";
    exit($failed || !$passed ? 1 : 0);
}

sub first_nginx {
    my ($nginx) = grep { -x } map { "$_/nginx" } split /:/, $ENV{PATH};
    return $nginx // 'nginx';
}

# NAME_x.c is a part of NAME
sub programs {
    return map { m{/([^_/]+)\.c$} ? "build/unit/$1" : () }
        sort glob 't/unit/*.c';
}

sub failure {
    my ($what, $count) = @_;
    print "FAILED: $part: $what\n";
    $failed += $count // 1;
}

sub step {
    return 1 if system(@_) == 0;
    failure("@_");
    return 0;
}

# Runs files one by one, so that one that bails out does not end the others; or
# $jobs of them at once.
sub tap {
    my $sum     = TAP::Parser::Aggregator->new;
    my $harness = TAP::Harness->new({
        failures => 1,
        comments => 1,          # a seed, say
        jobs     => $jobs,
        exec     => sub {
            my $file = $_[1];
            my @apart = $jobs > 1
                        && $file =~ m{^t/(?:(?:clients|docs)/)?[^/]+\.t$}
                        ? apart() : ();

            return ['timeout', '--foreground', $limit,
                    $file =~ /\.t$/ ? (@as, @apart, $^X, $file)
                    : $file =~ m{^t/fuzz/(\w+)} ? ('tools/fuzz.sh', $1) : $file];
        },
    });

    $harness->callback(after_test => sub { count($_[0][0], $_[1]) });

    for my $files ($jobs > 1 ? [@_] : map { [$_] } @_) {
        eval { $harness->aggregate_tests($sum, @$files); 1 }
            or failure("@$files: " . ($@ =~ /(.*)/)[0]);
    }
}

# Files that run at once must not meet: each has ports, and for Test::Nginx a
# prefix, of its own.
sub apart {
    $apart++;

    return ('env', 'TEST_NGINX_PORT=' . (($ENV{TEST_NGINX_PORT} || 1984)
                                         + 200 * $apart),
            'TEST_NGINX_SERVROOT=' . getcwd() . "/t/servroot-$apart");
}

# To TAP a skipped test has passed; here it has not.
sub count {
    my ($file, $tap) = @_;
    my ($error) = $tap->parse_errors;
    $error //= 'wait status ' . $tap->wait if $tap->wait;

    $passed  += $tap->passed - $tap->skipped;
    $skipped += $tap->skipped;

    if ($tap->failed) {
        failure("$file: tests " . join(' ', $tap->failed),
                scalar $tap->failed);
    } elsif (defined $error) {
        failure("$file: $error");
    } elsif ($tap->skip_all) {
        $skipped++;
    }
}

# Who is root cannot see what only root may do: once with workers that are not,
# and once without root.  What the tests read is copied to where everybody can
# go, and they leave their own there.
sub user {
    if ($> != 0) {
        print "not root: the other parts were run by an ordinary user\n";
        return;
    }

    my (undef, undef, $uid, $gid) = getpwnam 'nobody' or die "no nobody\n";
    my $dir = tempdir('longpoll-XXXXXX', TMPDIR => 1, CLEANUP => 1);
    my @t = @ARGV ? @files : @user;

    chmod 0755, $dir or die "chmod $dir: $!\n";
    step('cp', '-r', 't', 'docs', $module, $dir) or return;
    remove_tree("$dir/t/servroot");

    chdir $dir or die "chdir $dir: $!\n";
    local $ENV{TEST_NGINX_LOAD_MODULES} = "$dir/" . basename($module);

    {
        local $ENV{TEST_NGINX_WORKER_USER} = 'nobody ' . getgrgid $gid;
        print "-- workers of nobody\n";
        tap(@ARGV ? @t : $t[0]);        # others are in persist and chaos
    }

    local @as = ('setpriv', "--reuid=$uid", "--regid=$gid", '--clear-groups');
    print "-- all of it nobody\n";

    if (step('chown', '-R', "$uid:$gid", '.')) {
        local $jobs = $at_once;
        tap(@t, @ARGV ? () : @also_user);
    }

    chdir $root or die "chdir $root: $!\n";
}

sub fuzz {
    my @targets = @ARGV ? map { "t/fuzz/$_.c" } @ARGV : sort glob 't/fuzz/*.c';

    local $ENV{SECONDS} = $ENV{SECONDS} // 15;
    local $limit = 300 + $ENV{SECONDS};
    local $jobs = 2;

    step('make', '-s', 'all') && tap(@targets);
}

# They wait more than they work.  The nginx may be the one with sanitizers, as
# in chaos.
sub persist {
    my @t = @ARGV ? @ARGV : sort glob 't/persist/*.t';

    step('tools/build.sh', 'persist') or return;

    local $jobs = $at_once;
    return tap(@t) if $ENV{TEST_NGINX_BINARY} ne "$root/build/asan/nginx";

    delete local $ENV{TEST_NGINX_LOAD_MODULES};
    watched('asan', @t);
}

# The nginx may be one with sanitizers and the module inside, which has no
# module to load, and leaves reports.
sub chaos {
    step('tools/build.sh', 'chaos') or return;

    local $limit = $limit + ($ENV{SECONDS} || 0);

    if ($ENV{TEST_NGINX_BINARY} ne "$root/build/asan/nginx") {
        tap(sort glob 't/chaos/*.t');
        return;
    }

    # the sanitizers look for leaks when a worker ends, which takes its time

    local $ENV{CHAOS_SLACK} = $ENV{CHAOS_SLACK} // 1.5;

    delete local $ENV{TEST_NGINX_LOAD_MODULES};
    watched('asan', sort glob 't/chaos/*.t');
}

sub asan {
    step('tools/build.sh', 'asan') or return;

    local $ENV{TEST_NGINX_BINARY} = "$root/build/asan/nginx";
    delete local $ENV{TEST_NGINX_LOAD_MODULES};
    local $jobs = $at_once;

    watched('asan', @files);
}

# Some ten times slower: what waits for an answer must wait longer.
sub valgrind {
    step('tools/build.sh', 'valgrind') or return;

    local $limit = 4 * $limit;
    local $ENV{LONGPOLL_SLOW} = 1;
    local $ENV{TEST_NGINX_BINARY} = "$root/tools/valgrind.sh";
    delete local $ENV{TEST_NGINX_LOAD_MODULES};

    watched('valgrind', @files);
}

# what is reported meanwhile is a failure; who has nothing to say may leave an
# empty file
sub watched {
    my ($by, @t) = @_;
    my $reports = "$root/build/$by/reports";

    remove_tree($reports);
    make_path($reports);
    chmod 01777, $reports or die "chmod $reports: $!\n";    # workers write too

    tap(@t);

    for my $file (grep { -s } sort glob "$reports/*") {
        system('cat', $file);
        failure("$by reported: $file");
    }
}

# tools/matrix.sh says whether it could fetch its nginx: what cannot be had has
# neither passed nor failed.
sub row {
    my ($suite, $kind, @t) = @_;
    my $dir    = "$root/build/matrix/$suite";
    my $nginx  = $kind eq 'static' ? "$dir/static" : "$dir/debian/nginx";
    my $start  = time;
    my @before = ($passed, $failed, $skipped);

    print "-- nginx of $suite, $kind\n";
    chomp(my $why = `tools/matrix.sh $suite $kind`);

    if ($? >> 8 == 3) {
        print "skipped: nginx of $suite, $kind: $why\n";
        $skipped++;
        return;
    }

    local $part = "$part, $suite, $kind";
    return failure("tools/matrix.sh $suite $kind") if $?;

    local $ENV{TEST_NGINX_BINARY} = $nginx;
    local $ENV{TEST_NGINX_LOAD_MODULES}
        = $kind eq 'static' ? '' : "$dir/ngx_http_longpoll_module.so";

    local $jobs = $at_once;
    tap(@t);

    my ($version) = `$nginx -v 2>&1` =~ m{nginx version: nginx/(\S+)};
    printf "-- nginx %s (%s), %s: %d passed, %d failed, %d skipped, %d s\n",
        $version // 'that does not run', $suite, $kind, $passed - $before[0],
        $failed - $before[1], $skipped - $before[2], time - $start;
}

main();
