package Longpoll::Go;

# Builds a Go program of the tests.
#
#     my $program = Longpoll::Go::build("$root/t/NAME", $out, $what);
#
# builds the file $out from the module in that directory; Go's messages go to
# $out.log.  Go gets the modules, which $what names, from its usual sources.
#
# If the modules or Go are missing, build() returns nothing, and
# $Longpoll::Go::Missing says which.  A program that does not compile dies, and
# so do modules that do not match the go.sum.

use strict;
use warnings;

use Cwd qw( abs_path getcwd );
use File::Basename qw( dirname );
use File::Path qw( make_path );

our $Missing;

my $root = abs_path(dirname(__FILE__) . '/../../..');


sub build {
    my ($dir, $out, $what) = @_;

    my $log = "$out.log";
    my $back = getcwd();

    make_path(dirname($out));
    unlink $log;

    # Go needs these to find its directories.

    local $ENV{HOME} = $ENV{HOME} // (getpwuid $<)[7];

    # Go must not look for a C compiler or for another version of Go.

    local $ENV{CGO_ENABLED} = 0;
    local $ENV{GOTOOLCHAIN} = 'local';

    chdir $dir or die "chdir $dir: $!\n";
    my $built = eval { in_place($out, $log, $what) };
    my $why = $@;
    chdir $back or die "chdir $back: $!\n";

    die $why if $why;
    return $built;
}


sub in_place {
    my ($out, $log, $what) = @_;

    my ($needed) = `grep '^go ' go.mod` =~ /([\d.]+)/;

    chomp(my $go = `'$root/tools/go.sh' $needed`);

    if ($? || !$go) {
        $Missing = "no Go $needed or newer, neither here nor in Debian's"
                   . ' unstable';
        return;
    }

    # Listing the program's packages downloads its modules.  Go itself does not
    # retry after a network error.

    for my $wait (2, 10, 30, 0) {
        last if run($log, "'$go' list -mod=readonly -deps . >/dev/null") == 0;

        die log_of($log) if log_of($log) =~ /SECURITY ERROR|go\.(?:mod|sum)\b/;

        if ($wait == 0) {
            print map { "# $_\n" } split /\n/, log_of($log);
            $Missing = "the modules of $what cannot be had";
            return;
        }

        sleep $wait;
    }

    run($log, "'$go' build -mod=readonly -buildvcs=false -o '$out' .") == 0
        or die "$out does not compile:\n", log_of($log);

    return $out;
}


# Returns a command's status; its output goes to the log.

sub run {
    my ($log, $command) = @_;

    return system('/bin/sh', '-c', "exec >>'$log' 2>&1 </dev/null; $command");
}

sub log_of {
    my ($log) = @_;

    open my $fh, '<', $log or return "$log: $!\n";
    local $/;
    return scalar <$fh>;
}


1;
