package Suite::Ways;

# The parts of the tests that are more than files that are run.  Each function
# gets the FILEs of the command line.

use strict;
use warnings;

use File::Basename qw( basename );
use File::Path qw( remove_tree );
use File::Temp qw( tempdir );

use Suite::Parts ();
use Suite::Run ();

# Debian's suites, from the oldest nginx that is supported to the newest

my @suites = qw( bookworm trixie sid );

my $quick = 6;                      # test files in `changed`, at most

sub programs { return @{ $Suite::Run::part->{programs} } }

sub unit {
    my @names = @_ ? @_ : programs();
    my @programs = map { "build/unit/$_" } @names;

    Suite::Run::tap(map { [$_, $ENV{SEED}] } @programs)
        if Suite::Run::step(qw( make -s -j2 ), @programs);
}

sub brief {
    Suite::Run::tap(map {
        ["build/unit/$_", $_ eq 'text' ? () : (soak => 6), $ENV{SEED}]
    } programs());
}

sub models {
    my $seconds = $ENV{SECONDS} || 600;

    Suite::Run::tap(map { ["build/unit/$_", soak => $seconds, $ENV{SEED}] }
                    programs());
}

# What differs from where the branch began, committed or not, decides.

sub changed {
    my ($upstream) = `git rev-parse -q --verify \@{upstream} 2>/dev/null`
                     =~ /(\w+)/;
    my $from = $upstream ? `git merge-base HEAD $upstream` : 'HEAD';
    my %wanted = ('t/000-sanity.t' => 1);

    chomp $from;

    for my $file (map { chomp; $_ } `git diff --name-only $from 2>/dev/null`,
                  `git ls-files -o --exclude-standard 2>/dev/null`)
    {
        $wanted{$file} = 2 if $file =~ m{^t/[^/]+\.t$} && -e $file;

        my ($covers) = grep { $file =~ $_->[0] } @Suite::Parts::covers;

        next if $file !~ /\.[ch]$|^config$/ || !$covers;
        $wanted{"t/$_.t"} //= 1 for @$covers[1 .. $#$covers];
    }

    # the tests that changed themselves come first

    my @files = sort { $wanted{$b} <=> $wanted{$a} || $a cmp $b } keys %wanted;
    my @left = splice @files, $quick;

    print "-- left to `make plain`: @left\n" if @left;
    Suite::Run::tap(sort @files);
}

sub cost {
    my (@files) = @_;

    local $ENV{COST_RECORD} = 1 if "@files" eq 'record';
    Suite::Run::files($ENV{COST_RECORD} ? () : @files);
}

# $SECONDS of each target

sub fuzz {
    my @targets = map { basename($_, '.c') } @_ ? @_ : sort glob 't/fuzz/*.c';

    local $ENV{SECONDS} = $ENV{SECONDS} // 15;
    Suite::Run::tap(map { ['tools/fuzz.sh', $_] } @targets);
}

# Root cannot see what only root may do: once with workers of another user, and
# once all of it without root.  What the tests read is copied to where everybody
# can go, and they leave their files there.

sub user {
    my @files = @_;
    my @own = @{ $Suite::Run::part->{files} };

    if ($> != 0) {
        print "not root: the other parts were run by an ordinary user\n";
        return;
    }

    my (undef, undef, $uid, $gid) = getpwnam 'nobody' or die "no nobody\n";
    my $dir = tempdir('longpoll-XXXXXX', TMPDIR => 1, CLEANUP => 1);

    chmod 0755, $dir or die "chmod $dir: $!\n";
    Suite::Run::step('cp', '-r', 't', 'docs', $Suite::Run::module, $dir)
        or return;
    remove_tree("$dir/t/servroot");

    chdir $dir or die "chdir $dir: $!\n";
    local $ENV{TEST_NGINX_LOAD_MODULES}
        = "$dir/" . basename($Suite::Run::module);

    {
        local $ENV{TEST_NGINX_WORKER_USER} = 'nobody ' . getgrgid $gid;
        print "-- workers of nobody\n";
        Suite::Run::tap(@files ? @files : $own[0]);
    }

    local @Suite::Run::as = ('setpriv', "--reuid=$uid", "--regid=$gid",
                             '--clear-groups');
    print "-- all of it nobody\n";

    Suite::Run::tap(@files ? @files : @own)
        if Suite::Run::step('chown', '-R', "$uid:$gid", '.');

    chdir $Suite::Run::root or die "chdir $Suite::Run::root: $!\n";
}

sub smoke {
    my @files = @_ ? @_ : @{ $Suite::Run::part->{files} };

    row($suites[-1], 'dynamic', @files);
    row($suites[-2], 'dynamic', @files);
    row($suites[-2], 'static', grep { !/tls|h3/ } @files);
}

sub redises {
    my @files = @_ ? @_ : @{ $Suite::Run::part->{files} };

    for my $name (qw( redis valkey )) {
        local $Suite::Run::part = { %$Suite::Run::part,
            name => "$Suite::Run::part->{name}, $name" };

        my $server = fetched("$name of $suites[1]", 'tools/redis.sh',
                             $suites[1], $name) // next;

        local $ENV{REDIS_SERVER} = $server;
        Suite::Run::tap(@files);
    }
}

# What a script that fetches says, or undef.  What cannot be had has neither
# passed nor failed.

sub fetched {
    my ($what, @command) = @_;

    print "-- $what\n";
    chomp(my $said = `@command`);

    return $said if $? == 0;

    if ($? >> 8 == 3) {
        print "skipped: $what: $said\n";
        $Suite::Run::skipped++;

    } else {
        Suite::Run::failure("@command");
    }

    return undef;
}

sub matrix {
    my @files = @_ ? @_ : map { glob } @{ $Suite::Run::part->{files} };

    for my $suite (@suites) {
        row($suite, $_, @files) for qw( dynamic static );
    }
}

sub row {
    my ($suite, $kind, @files) = @_;
    my $dir    = "$Suite::Run::root/build/matrix/$suite";
    my $nginx  = $kind eq 'static' ? "$dir/static" : "$dir/debian/nginx";
    my $start  = time;
    my @before = counts();

    local $Suite::Run::part = { %$Suite::Run::part,
        name => "$Suite::Run::part->{name}, $suite, $kind" };

    defined fetched("nginx of $suite, $kind", 'tools/matrix.sh', $suite, $kind)
        or return;

    local $ENV{TEST_NGINX_BINARY} = $nginx;
    local $ENV{TEST_NGINX_LOAD_MODULES}
        = $kind eq 'static' ? '' : "$dir/ngx_http_longpoll_module.so";

    Suite::Run::tap(@files);

    my ($version) = `$nginx -v 2>&1` =~ m{nginx version: nginx/(\S+)};
    my @after = counts();

    printf "-- nginx %s (%s), %s: %d passed, %d failed, %d skipped, %d s\n",
        $version // 'that does not run', $suite, $kind,
        map({ $after[$_] - $before[$_] } 0 .. 2), time - $start;
}

sub counts {
    return ($Suite::Run::passed, $Suite::Run::failed, $Suite::Run::skipped);
}

1;
