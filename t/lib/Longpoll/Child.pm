package Longpoll::Child;

# A program that runs beside a test and never outlives it.
#
#     my $child = Longpoll::Child->start(
#         [ $program, @arguments ],
#         env => { NAME => value },     # beside the test's own
#         log => $file,                 # for what it prints; appended to
#         dir => $dir,                  # removed if the test dies, see below
#     );
#     $child->pid; $child->alive; $child->signal('HUP');
#     $child->end;                      # returns when all processes have ended
#
# A keeper process runs between the test and the program.  It reads from a pipe
# whose other end only the test holds.  When the test asks for it, or ends for
# any reason (kill -9 is one), the keeper ends the program and all that the
# program started, and exits.  If a test was killed, the keeper also removes the
# test's directory.
#
# The program leads a session of its own.  A process belongs to the program if
# it is in that session, descends from it, or has our mark in its environment.
# So processes that became daemons are found as well.  All of them are ended by
# pid, none by name.

use strict;
use warnings;

use File::Path qw( remove_tree );
use IO::Handle ();
use IO::Select ();
use POSIX qw( :sys_wait_h setsid );
use Time::HiRes qw( time sleep );

our $Patience = 3;              # seconds to end gently, and again for the rest

my $serial = 0;
my %living;


sub start {
    my ($class, $command, %o) = @_;

    pipe my $asked, my $ask or die "pipe: $!\n";
    pipe my $report, my $reporter or die "pipe: $!\n";

    my $keeper = fork // die "fork: $!\n";

    if ($keeper == 0) {
        # A keeper that held the pipes of other keepers would stop these from
        # ending.

        close $_->{ask} for values %living;
        close $ask;
        close $report;
        %living = ();

        eval { keep($command, $asked, $reporter, %o); 1 } or warn $@;
        POSIX::_exit(0);
    }

    close $asked;
    close $reporter;

    my $self = bless { ask => $ask, keeper => $keeper }, $class;
    my $said = join '', <$report>;

    $living{$keeper} = $self;

    # the program's pid, before or behind the reason why it did not start

    if ($said !~ /\A(\d+)\n\z/) {
        $self->end;
        die "$command->[0]: did not start: $said\n";
    }

    $self->{pid} = $1;

    return $self;
}

sub pid { $_[0]{pid} }
sub alive { kill 0, $_[0]{pid} }
sub signal { kill $_[1], $_[0]{pid} }


# Closing the pipe asks the keeper to end.  A later keeper may still hold the
# pipe, so we also write to it.

sub end {
    my ($self) = @_;

    return unless delete $living{ $self->{keeper} };

    local ($?, $!);
    local $SIG{PIPE} = 'IGNORE';

    syswrite $self->{ask}, 'e';
    close $self->{ask};
    waitpid $self->{keeper}, 0;
}

END {
    $_->end for values %living;
}


# the keeper

sub keep {
    my ($command, $asked, $reporter, %o) = @_;

    $SIG{$_} = 'IGNORE' for qw( INT TERM HUP PIPE );
    $SIG{CHLD} = 'DEFAULT';

    open STDIN, '<', '/dev/null' or die "/dev/null: $!\n";
    open STDOUT, '>>', $o{log} // '/dev/null' or die "$o{log}: $!\n";
    open STDERR, '>&', \*STDOUT or die "stderr: $!\n";

    my $mark = join '-', 'longpoll', $$, ++$serial, int(1e6 * time);
    my $pid = fork // die "fork: $!\n";

    if ($pid == 0) {
        $SIG{$_} = 'DEFAULT' for qw( INT TERM HUP PIPE );
        setsid();

        $ENV{$_} = $o{env}{$_} for keys %{ $o{env} || {} };
        $ENV{LONGPOLL_CHILD} = $mark;

        { exec { $command->[0] } @$command }

        $reporter->print("$!\n");
        $reporter->flush;
        POSIX::_exit(127);
    }

    # exec closes the program's end of this pipe.

    $reporter->print("$pid\n");
    close $reporter;

    # Reaps the program if it ends by itself.

    my $select = IO::Select->new($asked);

    until ($select->can_read(0.05)) {
        waitpid $pid, WNOHANG;
    }

    my $dead = !sysread $asked, my $byte, 1;

    end_all($pid, $mark);
    remove_tree($o{dir}) if $dead and defined $o{dir};
}


sub end_all {
    my ($pid, $mark) = @_;

    my $gently = time + $Patience;
    my $rest = $gently + $Patience;
    my @left = started_by($pid, $mark);

    kill TERM => $pid if @left;

    while (@left and time < $rest) {
        # Nothing else ends a process that has lost its leader.

        kill KILL => @left if time > $gently or !grep { $_ == $pid } @left;

        sleep 0.02;
        @left = started_by($pid, $mark);
    }
}


# The processes of the program that still run; the session's number is the
# program's pid.

sub started_by {
    my ($leader, $mark) = @_;

    1 while waitpid(-1, WNOHANG) > 0;

    my $ours = qr/(?:^|\0)LONGPOLL_CHILD=\Q$mark\E\0/;
    my (%ppid, %ours);

    for my $stat (glob '/proc/[0-9]*/stat') {
        my ($pid, $state, $ppid, $session, $threads) = slurp($stat)
            =~ /^(\d+) \(.*\) (\S) (\d+) \d+ (\d+) (?:\S+ ){13}(\d+) /s or next;

        # A process whose first thread has ended still has its files and ports
        # while another thread is there.

        next if $state eq 'Z' && $threads < 2 or $pid == $$;

        $ppid{$pid} = $ppid;
        $ours{$pid} = 1 if $session == $leader
            or slurp("/proc/$pid/environ") =~ $ours;
    }

    my $more = 1;

    while ($more) {
        my @born = grep { !$ours{$_} and $ours{ $ppid{$_} } } keys %ppid;

        $ours{$_} = 1 for @born;
        $more = @born;
    }

    return keys %ours;
}

sub slurp {
    my ($file) = @_;

    open my $in, '<', $file or return '';
    local $/;
    return scalar(<$in>) // '';
}


1;
