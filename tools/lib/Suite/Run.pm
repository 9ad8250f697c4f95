package Suite::Run;

# Runs test files and counts what they say.

use strict;
use warnings;

use Cwd qw( abs_path getcwd );
use File::Path qw( make_path remove_tree );
use TAP::Harness;
use TAP::Parser::Aggregator;

our $root = abs_path('.');
our $module = "$root/build/ngx_http_longpoll_module.so";

our ($passed, $failed, $skipped) = (0, 0, 0);

# of the part that runs: its data, and in front of each command `setpriv ...`

our $part;
our @as = ();

my $apart = 0;
my $begin = time;

sub begin {
    my (%o) = @_;

    $ENV{PATH} .= ':/usr/sbin';
    $ENV{TEST_NGINX_BINARY} = abs_path($ENV{TEST_NGINX_BINARY})
        if ($ENV{TEST_NGINX_BINARY} // '') =~ m{/};
    $ENV{TEST_NGINX_BINARY} //= first_nginx();
    $ENV{TEST_NGINX_LOAD_MODULES} //= $module;

    if ($o{random}) {
        $ENV{SEED} ||= 1 + int rand 2 ** 31;
        print "SEED=$ENV{SEED}\n";

    } else {
        $ENV{SEED} ||= 1;

        # the order of blocks, and of Perl's hashes

        $ENV{TEST_NGINX_NO_SHUFFLE} = 1;
        $ENV{PERL_HASH_SEED} = 0;
        $ENV{PERL_PERTURB_KEYS} = 0;
    }
}

sub first_nginx {
    my ($nginx) = grep { -x } map { "$_/nginx" } split /:/, $ENV{PATH};
    return $nginx // 'nginx';
}

# the exit status

sub end {
    print "no test was run\n" if $passed + $failed == 0;
    printf "%d s in all\n", time - $begin;
    print "$passed passed, $failed failed, $skipped skipped\n";
    return $failed || !$passed ? 1 : 0;
}

# Runs a part, or FILEs instead of its own; false: nothing else can run.

sub part {
    local $part = shift;
    my @files = @_;

    my $start = time;
    my $before = $failed;

    print "== $part->{name}\n";

    local %ENV = (%ENV, %{ $part->{env} // {} });

    $ENV{SECONDS} = int(($ENV{SECONDS} || 600) * $part->{share})
        if $part->{share};

    if (!grep { !step(@$_) } @{ $part->{steps} // [] }) {
        if (my $way = $part->{way}) {
            require Suite::Ways;
            Suite::Ways->can($way)->(@files);
        } else {
            files(@files);
        }
    }

    printf "== %s: %d s\n", $part->{name}, time - $start;
    return !$part->{must} || $failed == $before;
}

sub failure {
    my ($what, $count) = @_;
    print "FAILED: $part->{name}: $what\n";
    $failed += $count // 1;
}

sub step {
    return 1 if system(@_) == 0;
    failure("@_");
    return 0;
}

# the files of the part, or those that are given, on its nginx

sub files {
    return if !$part->{files};

    my %seen;
    my @files = grep { !$seen{$_}++ }
                @_ ? @_ : map { glob } @{ $part->{files} };
    my $nginx = $part->{nginx} // '';

    if ($nginx eq 'any') {
        $nginx = $ENV{TEST_NGINX_BINARY} eq "$root/build/asan/nginx"
            ? 'asan' : '';

        # the sanitizers look for leaks when a worker ends, which takes its time

        local $ENV{CHAOS_SLACK} = $ENV{CHAOS_SLACK} // 1.5 if $nginx;
        return watched($nginx, @files) if $nginx;
    }

    return $nginx ? watched($nginx, @files) : tap(@files);
}

# The nginx has the module inside.  A report that it leaves is a failure; a
# process that has nothing to report may leave an empty file.

sub watched {
    my ($by, @files) = @_;
    my $reports = "$root/build/$by/reports";

    local $ENV{TEST_NGINX_BINARY} = $by eq 'valgrind'
        ? "$root/tools/valgrind.sh" : "$root/build/$by/nginx";
    delete local $ENV{TEST_NGINX_LOAD_MODULES};

    remove_tree($reports);
    make_path($reports);
    chmod 01777, $reports or die "chmod $reports: $!\n";    # workers write too

    tap(@files);

    for my $file (grep { -s } sort glob "$reports/*") {
        system('cat', $file);
        failure("$by reported: $file");
    }
}

# Runs files one by one, so that one that bails out does not end the others; or
# several of them at once.  A file may be a command, as an array.

sub tap {
    my $at_once = $part->{at_once} // 1;
    my $sum     = TAP::Parser::Aggregator->new;
    my %command = map { ref $_ ? ("@$_" => $_) : () } @_;
    my @files   = map { ref $_ ? "@$_" : $_ } @_;

    my $harness = TAP::Harness->new({
        failures => 1,
        comments => 1,          # a seed, say
        timer    => 1,
        jobs     => $at_once,
        exec     => sub {
            my $file = $_[1];

            return ['timeout', '--foreground', limit(),
                    $command{$file} ? @{ $command{$file} }
                    : (@as, $at_once > 1 ? apart() : (), $^X, $file)];
        },
    });

    $harness->callback(after_test => sub { count($_[0][0], $_[1]) });

    for my $some ($at_once > 1 ? [@files] : map { [$_] } @files) {
        eval { $harness->aggregate_tests($sum, @$some); 1 }
            or failure("@$some: " . ($@ =~ /(.*)/)[0]);
    }
}

sub limit {
    return ($part->{limit} // 900) + ($ENV{SECONDS} || 0)
           + 30 * ($ENV{ROUNDS} || 0);
}

# Files that run at once must not meet: each has ports, and for Test::Nginx a
# prefix, of its own.  Test::Nginx looks into the error log even where it skips
# all tests and starts no nginx, so the log of an earlier file goes.

sub apart {
    $apart = 1 + $apart % 100;

    my $servroot = getcwd() . "/t/servroot-$apart";

    unlink "$servroot/logs/error.log";

    return ('env', 'TEST_NGINX_PORT=' . (($ENV{TEST_NGINX_PORT} || 1984)
                                         + 200 * $apart),
            "TEST_NGINX_SERVROOT=$servroot");
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

1;
