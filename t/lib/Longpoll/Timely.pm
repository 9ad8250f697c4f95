package Longpoll::Timely;

# Checks of a duration, on a machine that may be slow itself.

use strict;
use warnings;

use Exporter qw( import );
use Time::HiRes qw( time );

our @EXPORT_OK = qw( timely );

# Calls $try until the time that it returns is below $limit, for up to 40 s;
# returns the last time.  A machine whose host gives its CPUs to others is late
# most of the time.  A module with a defect is late every time.

sub timely {
    my ($limit, $try) = @_;
    my $end = time + 40;
    my $took;

    do { $took = $try->() } until $took < $limit or time > $end;

    return $took;
}

1;
