package Longpoll::Instructions;

# The number of instructions that a worker runs, counted by valgrind's
# callgrind.
#
#     my $counts = counted(sub {
#         my ($server) = @_;            # a Longpoll::Server with one worker
#         ...
#     }, http => ..., server => ...);   # as Longpoll::Server has them
#
#     $counts->{all}                    from the worker's start to its exit
#     $counts->{own}                    of these in the module and in yajl
#     $counts->{by}{$function}          the same, function by function
#
# The counts include the worker's start and exit.  So count twice, for few
# operations and for many, and take the difference.  The kernel's instructions
# are not counted.
#
#     built_by()                        the module's compiler: "GCC 12"

use strict;
use warnings;

use Cwd qw( abs_path );
use Exporter qw( import );
use File::Basename qw( dirname );
use File::Temp qw( tempdir );

use Longpoll::Child ();
use Longpoll::Server ();

our @EXPORT_OK = qw( counted built_by );

my $root = abs_path(dirname(__FILE__) . '/../../..');


sub counted {
    my ($do, %o) = @_;

    my $dir = tempdir('longpoll-XXXXXX', TMPDIR => 1, CLEANUP => 1);
    chmod 01777, $dir or die "chmod $dir: $!\n";        # workers write too

    # callgrind writes the counts at exit, which takes time on a slow machine.

    local $Longpoll::Child::Patience = 30;
    local $ENV{TEST_NGINX_LOAD_MODULES} = join ' ', Longpoll::Server::modules();
    local $ENV{COST_NGINX} = Longpoll::Server::nginx();
    local $ENV{COST_DIR} = $dir;
    local $ENV{TEST_NGINX_BINARY} = "$root/tools/valgrind.sh";

    my $server = Longpoll::Server->start(%o, workers => 1);
    my ($worker) = $server->workers;

    my $done = eval { $do->($server); 1 };
    my $why = $@;

    $server->end;
    die $why, $server->log unless $done;
    die $server->alerts if $server->alerts;

    return parsed("$dir/$worker");
}


# The format is callgrind's (its manual, "Callgrind Format Specification").  A
# name stands in full once, and later as a number.  The line behind "calls=" has
# the cost of the called function; we count that cost in the function itself.

sub parsed {
    my ($file) = @_;

    open my $in, '<', $file or die "callgrind has left no figures: $!\n";

    my %sum = (all => 0, own => 0, by => {});
    my (%ob, %fn, $own, $name);
    local $_;

    while (<$in>) {
        if (/^([-+*\d]\S*) (\d+)$/) {
            $sum{all} += $2;
            next unless $own;
            $sum{own} += $2;
            $sum{by}{$name} += $2;

        } elsif (/^ob=\((\d+)\)(?: (.*))?/) {
            $ob{$1} = $2 if defined $2;
            $own = $ob{$1} =~ m{/(?:ngx_http_longpoll_module|libyajl)\.so};

        } elsif (/^fn=\((\d+)\)(?: (.*))?/) {
            $fn{$1} = $2 if defined $2;
            $name = $fn{$1};

        # The name of a called function may stand here for the first time.

        } elsif (/^cob=\((\d+)\) (.*)/) {
            $ob{$1} = $2;

        } elsif (/^cfn=\((\d+)\) (.*)/) {
            $fn{$1} = $2;

        } elsif (/^calls=/) {
            <$in>;
        }
    }

    die "$file: callgrind counted nothing\n" unless $sum{all};

    return \%sum;
}


sub built_by {
    my ($module) = Longpoll::Server::modules();

    my $said = `readelf -p .comment '$module' 2>&1`;

    return "GCC $1" if $said =~ /GCC: \(.*?\) (\d+)\./;
    return $said =~ /(clang version \d+)/ ? $1 : 'an unknown compiler';
}


1;
