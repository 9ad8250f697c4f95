package Longpoll::Workers;

# What a test needs to know about nginx's workers and only /proc tells
# (proc(5)).
#
#     workers_of($master)       the pids of its workers, in order
#     accepts(@pids)            those that still accept new connections
#     memory(@pids)             kB that they use, without zones and files; each
#                               worker counts its share of shared memory

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


# A leaving worker closes its listening sockets first.  Until then it may accept
# a new connection, even when other workers answer already.

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
