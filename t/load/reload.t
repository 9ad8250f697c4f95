# A thousand reloads under traffic: each client receives each event once and in
# order, and at the end no process has grown.
#
#     RELOADS=n   how many, 1000
#
# Publishers and clients are processes of their own.  When a leaving worker
# answers, the client polls again.  A client dies if an event is lost, doubled
# or out of order.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use POSIX ();
use Test::More;
use Time::HiRes qw( time sleep );

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Client ();
use Longpoll::Server ();
use Longpoll::Workers qw( memory );

my $reloads = $ENV{RELOADS} || 1000;
my $drain = 0.3;
my $clients = 8;

my $server = Longpoll::Server->start(
    http => "longpoll_zone zone=events:8m buffer=100000;\n"
            . "longpoll_drain ${\ ($drain * 1000)}ms;\n",
    server => "location = /events  { longpoll_subscribe events; }\n"
              . "location = /publish { longpoll_publish events; }\n");

my $port = $server->port;
my $master = $server->{child}->pid;

my @clients = map { child(\&follow, $_) } 1 .. $clients;
$server->wait_waiting($clients);
my @publishers = map { child(\&publish, $_) } 0, 1;

my (@seconds, %kilobytes, %files);
my $early = 1 + int($reloads / 10);
my $start = time;

for my $n (1 .. $reloads) {
    my @old = $server->reload(leaving => 1);
    my $signalled = time;

    $server->wait_gone(@old);
    push @seconds, time - $signalled;

    if ($n == $early or $n == $reloads) {
        $kilobytes{$n} = memory($master, $server->workers);
        $files{$n} = () = glob "/proc/$master/fd/*";
    }

    last if grep { !kill 0, $_->{pid} } @clients, @publishers;
}

note(sprintf '%.0f s', time - $start);
is(scalar @seconds, $reloads, 'all reloads');

kill TERM => map { $_->{pid} } @publishers;
my $published = 0;

for my $child (@publishers, @clients) {
    my $said = readline($child->{from}) // 'nothing';
    my $role = $child->{code} == \&publish ? 'publisher' : 'client';

    chomp $said;
    like($said, qr/^\d+ events$/, "$role $child->{n}");
    note("$role $child->{n}: $said");
    $published += $1 if $role eq 'publisher' and $said =~ /^(\d+)/;
}

cmp_ok($published, '>', $reloads, 'there was traffic');

my ($slowest) = sort { $b <=> $a } @seconds;
cmp_ok($slowest, '<', $drain + 1,
       "no old worker stays for a second over its drain ($slowest)");

cmp_ok($kilobytes{$reloads}, '<', $kilobytes{$early} * 1.1 + 512,
       "$kilobytes{$early} kB after $early reloads, $kilobytes{$reloads} at the"
       . ' end');
is($files{$reloads}, $files{$early}, 'open files of the master');
is_deeply([$server->alerts], [], 'nothing wrong in the error log');
$server->wait_waiting(0);

done_testing();


sub child {
    my ($code, $n) = @_;

    pipe my $from, my $to or die "pipe: $!\n";
    my $pid = fork // die "fork: $!\n";

    if ($pid == 0) {
        close $from;
        my $said = eval { $code->($n) } // "$@";
        syswrite $to, "$said\n";
        POSIX::_exit(0);
    }

    return { pid => $pid, from => $from, code => $code, n => $n };
}

# Publishes numbers until SIGTERM; the last event is marked as the last.

sub publish {
    my ($n) = @_;

    my $ending;
    local $SIG{TERM} = sub { $ending = 1 };

    for (my $i = 1; ; $i++) {
        my $last = $ending ? 'true' : 'false';
        my $c = Longpoll::Client->new(port => $port);
        my $r = $c->request('POST', '/publish', body =>
            qq({"category":"c$n","data":{"n":$i,"last":$last}}))->response;

        die "publish $i: ", $r->status, ' ', $r->body, "\n"
            if $r->body ne '{"success": true}';

        $c->close;
        return "$i events" if $last eq 'true';
        sleep 0.004;
    }
}

# Three of four clients follow one category, the fourth follows both.

sub follow {
    my ($n) = @_;

    my %wanted = map { ("c$_" => 1) } $n % 4 ? $n % 2 : (0, 1);
    my $uri = '/events?timeout=60' . join '', map { "&category=$_" } keys %wanted;
    my ($since, $id) = ('0', undef);
    my ($c, $events) = (undef, 0);

    while (%wanted) {
        $c //= Longpoll::Client->new(port => $port);

        # The cursor of golongpoll's clients, or the id alone.

        my $cursor = $n % 3 && defined $id ? '' : "&since_time=$since";
        $cursor .= "&last_id=$id" if defined $id;

        my $r = eval {
            $c->request('GET', $uri . $cursor)->response(within => 70);
        };

        if (!$r) {
            # nginx has closed the idle connection.

            die $@ if $@ !~ /^the connection ended before the answer$|^send: /;
            undef $c;
            next;
        }

        undef $c if ($r->header('Connection') // '') eq 'close';

        die "missed: ", $r->body, "\n" if $r->missed;

        if ($r->kind eq 'timeout') {
            $since = $r->timestamp;
            next;
        }

        for my $event ($r->events) {
            my ($cat, $data) = @{$event}{qw( category data )};

            die "$cat: $data->{n} where $wanted{$cat} was to come\n"
                if $data->{n} != $wanted{$cat}++;

            delete $wanted{$cat} if $data->{last};
            ($since, $id) = @{$event}{qw( timestamp id )};
            $events++;
        }
    }

    return "$events events";
}
