package Longpoll::Workers;

# What a test must know of nginx's workers, and only /proc tells (proc(5)).
#
#     workers_of($master)       the pids of its workers, in order
#     accepts(@pids)            those that still take new connections
#     memory(@pids)             kB that they have, zones and files aside, each
#                               its share of what is shared

use strict;
use warnings;

use Exporter qw( import );

our @EXPORT_OK = qw( workers_of accepts memory );


sub workers_of {
    my ($master) = @_;

    my @pids;

    for my $file (glob '/proc/[0-9]*/stat') {
        open my $in, '<', $file or next;

        # pid (comm) state ppid

        my ($pid, $state, $ppid) = (<$in> // '')
            =~ /^(\d+) \(.*\) (\S) (\d+) / or next;

        push @pids, $pid if $ppid == $master and $state ne 'Z';
    }

    return sort { $a <=> $b } @pids;
}


# A worker that has been told to go closes its listening sockets first.  Until
# then it may be the one that a new connection meets, even when others answer.

sub accepts {
    my @pids = @_;

    my %listening;

    for my $table (qw( /proc/net/tcp /proc/net/tcp6 )) {
        open my $in, '<', $table or next;

        while (<$in>) {
            my ($state, $inode) = (split)[3, 9];
            $listening{"socket:[$inode]"} = 1 if $state eq '0A';
        }
    }

    return grep {
        grep { $listening{readlink($_) // ''} } glob "/proc/$_/fd/*"
    } @pids;
}

sub memory {
    my @pids = @_;

    my $sum = 0;

    for my $pid (@pids) {
        open my $in, '<', "/proc/$pid/smaps_rollup" or next;

        while (<$in>) {
            $sum += $1 if /^Pss_Anon:\s+(\d+) kB/;
        }
    }

    return $sum;
}


1;
