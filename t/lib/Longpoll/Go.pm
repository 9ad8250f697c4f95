package Longpoll::Go;

# Builds a Go program of the tests.
#
#     my $program = Longpoll::Go::build("$root/t/NAME", $out, $what);
#
# is the file $out, built from the module in that directory; what Go says
# stands in $out.log.  Its modules, which $what names, come from wherever Go is
# set up to get them from.
#
# Without them, or without a Go, it returns nothing, and $Longpoll::Go::Missing
# says which.  A program that does not compile, or whose modules are not those
# of its go.sum, dies.

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

    # what Go wants to know where it may keep things

    local $ENV{HOME} = $ENV{HOME} // (getpwuid $<)[7];

    # a compiler for C, or another version of Go, are not for Go to look for

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

    # Listing what the program is made of brings it here.  Go itself gives up
    # at the first stumble of the network.

    for my $wait (2, 10, 30, 0) {
        last if run($log, "'$go' list -mod=readonly -deps . >/dev/null") == 0;

        die told($log) if told($log) =~ /SECURITY ERROR|go\.(?:mod|sum)\b/;

        if ($wait == 0) {
            print map { "# $_\n" } split /\n/, told($log);
            $Missing = "the modules of $what cannot be had";
            return;
        }

        sleep $wait;
    }

    run($log, "'$go' build -mod=readonly -buildvcs=false -o '$out' .") == 0
        or die "$out does not compile:\n", told($log);

    return $out;
}


# a command's status; the log has what it said

sub run {
    my ($log, $command) = @_;

    return system('/bin/sh', '-c', "exec >>'$log' 2>&1 </dev/null; $command");
}

sub told {
    my ($log) = @_;

    open my $fh, '<', $log or return "$log: $!\n";
    local $/;
    return scalar <$fh>;
}


1;
