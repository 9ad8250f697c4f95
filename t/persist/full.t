# A file system that is really full, and one that is really read-only: a small
# tmpfs, which only root can mount.  disk.t has the other cases.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use Test::More;

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Persist qw( data_of no_alerts wait_until );

my @mounted;

sub mounted {
    my ($dir, $options) = @_;

    return system('mount', '-t', 'tmpfs', '-o', $options, 'tmpfs', $dir) == 0;
}

END {
    my $status = $?;
    system 'umount', '-l', $_ for @mounted;
    $? = $status;
}

plan skip_all => 'a tmpfs is mounted by root' if $> != 0;

sub start {
    my (%o) = @_;

    return Longpoll::Persist->start(workers => 2, %o, before => sub {
        my ($n) = @_;

        if (!mounted($n->data, 'size=64k')) {
            plan skip_all => 'no tmpfs can be mounted here';
        }

        push @mounted, $n->data;
        $n->give($n->data);
    });
}

# Fills the file system, except for LEFT bytes.

sub fill {
    my ($n, $left) = @_;

    open my $out, '>', $n->data . '/filler' or die "filler: $!\n";
    1 while syswrite $out, 'x' x 4096;
    truncate $out, (-s $out) - $left or die "filler: $!\n";
}

sub empty { unlink $_[0]->data . '/filler' or die "filler: $!\n" }


sub logged { scalar(() = $_[0]->log =~ /$_[1]/g) }


# The disk is full, without durable.

{
    my $name = 'full';
    my $n = start(parameters => 'flush=100ms buffer=1000', size => '1m');
    my $long = 'x' x 1000;
    my $first = $n->publish(farm => '"a"');

    $n->wait_data('a');
    fill($n, 8192);

    # A part of an event may fit.

    $n->publish(farm => qq("$_$long")) for 1 .. 20;
    $n->wait_log('events are not on disk');
    is(data_of($n->events('farm')), join(' ', 'a', map { "$_$long" } 1 .. 20),
       "$name: nginx still serves all events");

    empty($n);
    $n->wait_data('a', map { "$_$long" } 1 .. 20);
    $n->wait_log('has all events again');
    is(logged($n, 'not on disk'), 1, "$name: logged once");
    $n->quit;
    $n->up;
    is(data_of($n->events('farm')), join(' ', 'a', map { "$_$long" } 1 .. 20),
       "$name: nothing is lost");
    is($n->said([ category => 'farm', last_id => $first, timeout => 1 ]),
       join(' ', map { "$_$long" } 1 .. 20), "$name: nothing is missed");
    no_alerts($n, $name);
}


# The disk is full, with durable=on.

{
    my $name = 'full, durable=on';
    my $n = start(parameters => 'flush=200ms durable=on buffer=1000',
                  size => '1m');
    my $long = 'x' x 3000;
    my @there = ('a');

    $n->publish(farm => '"a"');
    fill($n, 8192);

    my $status = 200;

    for (1 .. 10) {
        $status = $n->post(farm => qq("$_$long"))->response->status;
        last if $status != 200;
        push @there, "$_$long";
    }

    is($status, 503, "$name: a publish is refused");
    cmp_ok(@there, '<', 10, "$name: when the disk has no room");
    is(data_of($n->events('farm')), "@there",
       "$name: the zone has the accepted events");
    is(join(' ', map { $_->{data} } $n->lines), "@there",
       "$name: and so has the log");

    empty($n);
    wait_until('room', sub {
        $n->post(farm => '"z"', key => 'z')->response->status == 200;
    });
    $n->kill_all;
    $n->up;
    is(data_of($n->events('farm')), "@there z", "$name: nothing is lost");
    is(logged($n, 'not on disk'), 1, "$name: logged once");
}


# The file system is read-only from the start, since one with an open file
# cannot become read-only.

{
    my $name = 'read-only';
    my $n = start();
    my $dir = $n->data;

    $n->publish(farm => '"a"');
    $n->quit;
    mounted($dir, 'remount,ro') or die "remount\n";

    ok(!eval { $n->up; 1 }, "$name: nginx does not start");
    like($@, qr/persist=\S+" needs a directory in which user "\S+" can create files \(30: /,
         "$name: and says why");

    mounted($dir, 'remount,rw') or die "remount\n";
    $n->up;
    is(data_of($n->events('farm')), 'a', "$name: writable again, all is there");
}


done_testing();
