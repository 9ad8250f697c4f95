# A random run against a whole nginx.  Clients publish, poll, follow, leave and
# read slowly, while workers are killed, stopped and reloaded, and the clock is
# set.  t/lib/Longpoll/Oracle.pm says what clients may see;
# t/lib/Longpoll/Chaos.pm makes and runs the steps.
#
#     SEED=n      the same steps again; every run prints its seed
#     SECONDS=n   how long, 50; over 70 in rounds, each with a seed of its own
#     WORLD=a,b   only these worlds
#     SHRINK=n    how many seconds to look for a shorter failure, 60; 0: never
#     LANES=n     how many worlds at once, 3
#     CHAOS_SLACK=n   seconds allowed over every promised time, 0.6; slow
#                     machines need more
#
# A failure is run again with ever fewer steps.  The steps are the same each
# time, but processes are not.  So the steps printed at the end failed at least
# once.  If one of them was left out by mistake, it is in the list of all steps.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use File::Path qw( make_path );
use File::Temp qw( tempdir );
use IO::Select ();
use Time::HiRes qw( time );

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Chaos ();
use Longpoll::Server ();

my $root = abs_path(dirname(abs_path(__FILE__)) . '/../..');
my $dying = "$root/build/chaos/ngx_http_longpoll_module.so";
my $clock = "$root/build/chaos/clock.so";

# settles: seconds from the last step to the end of the world

my @worlds = (
    { name => 'dies', zone => ['64m'], conf => ['buffer=100000'], cats => 6,
      size => 3000, oracle => { buffer => 100000 }, dies => 1 },

    { name => 'dies-tiny', zone => ['64k'], cats => 6, size => 2000,
      conf => ['buffer=1000', 'buffer=40'], oracle => { buffer => 40 },
      dies => 1 },

    { name => 'large', zone => ['64m'], conf => ['buffer=100000'], cats => 6,
      size => 3000, oracle => { buffer => 100000 } },

    # With few events here, only an event's own wake-up can wake a poll.

    { name => 'quiet', zone => ['1m'], conf => ['buffer=1000'], cats => 20,
      size => 300, oracle => { buffer => 1000 },
      per_second => { publish => 8, burst => 0.05, again => 1, probe => 2,
                      leave => 4, kill => 1.2 } },

    { name => 'buffer', zone => ['8m'], cats => 6, size => 1000,
      conf => ['buffer=30', 'buffer=20', 'buffer=60'],
      oracle => { buffer => 20 } },

    { name => 'tiny', zone => ['64k'], conf => ['buffer=1000', 'buffer=40'],
      cats => 6, size => 2000, oracle => { buffer => 40 } },

    { name => 'ttl', zone => ['8m'], cats => 6, size => 500,
      conf => ['buffer=10000 ttl=1s', 'buffer=10000 ttl=2s'], settles => 7,
      oracle => { buffer => 10000, ttl => [1, 2] } },

    { name => 'inactive', zone => ['8m'], cats => 30, size => 500,
      conf => ['buffer=10000 inactive=2s', 'buffer=10000 inactive=3s'],
      oracle => { buffer => 10000, inactive => [2, 3] }, settles => 9,
      per_second => { publish => 20 } },

    { name => 'read', zone => ['8m'], cats => 6, size => 500,
      conf => ['buffer=10000 delete_on_read=on'],
      oracle => { buffer => 10000, read => 1 } },

    { name => 'many', zone => ['128k'], conf => ['buffer=20'], cats => 400,
      size => 100, oracle => { buffer => 20, evicts => 1 },
      per_second => { publish => 150 } },

    { name => 'h2', zone => ['8m'], conf => ['buffer=1000'], cats => 6,
      size => 1000, oracle => { buffer => 1000 },
      kinds => [qw( plain tls h2 h2 h2s )], per_second => { leave => 4 } },

    # Every second reload ends the zone's epoch.

    { name => 'size', zone => ['1m', '512k', '2m'], conf => ['buffer=300'],
      cats => 6, size => 500, oracle => { buffer => 300 },
      per_second => { reload => 0.5 }, settles => 6 },

    # A zone with a file.  Publishers wait for the file, or do not.

    { name => 'file', zone => ['1m'], cats => 6, size => 1000,
      conf => ['buffer=50 persist=kept/events flush=100ms',
               'buffer=30 persist=kept/events durable=on'],
      oracle => { buffer => 30 } },

    { name => 'file-dies', zone => ['64k'], cats => 6, size => 2000,
      conf => ['buffer=1000 persist=kept/events durable=on'],
      oracle => { buffer => 1000 }, dies => 1, crowded => 1 },

    { name => 'file-size', zone => ['1m', '512k', '2m'], cats => 6, size => 500,
      conf => ['buffer=300 persist=kept/events flush=100ms',
               'buffer=300 persist=kept/events durable=on'],
      oracle => { buffer => 300 }, per_second => { reload => 0.5 },
      settles => 6 },

    { name => 'clock', zone => ['64m'], conf => ['buffer=100000'], cats => 6,
      size => 1000, oracle => { buffer => 100000 }, clock => 1 },

    { name => 'clock-ttl', zone => ['8m'], cats => 6, size => 500,
      conf => ['buffer=10000 ttl=1s', 'buffer=10000 ttl=2s'], settles => 6,
      oracle => { buffer => 10000, ttl => [1, 2] }, clock => 1 },

    { name => 'clock-inactive', zone => ['8m'], cats => 30, size => 500,
      conf => ['buffer=10000 inactive=2s', 'buffer=10000 inactive=3s'],
      oracle => { buffer => 10000, inactive => [2, 3] }, settles => 6,
      per_second => { publish => 20 }, clock => 1 },
);

my %promises = (
    lost    => 'acknowledged events came, or "missed" did',
    twice   => 'no event came twice',
    order   => 'events came in order',
    whole   => 'no reader got an event of others, or a broken one',
    missed  => '"missed" came only where an event was dropped',
    key     => 'a key stood for one event',
    woken   => 'waiting polls were answered in time',
    publish => 'no publish waited',
    answers => 'every answer was a valid one',
    figures => 'the figures agree with the model, and end at zero',
    workers => 'old workers exited in time',
    log     => 'the error log holds nothing else',
);

$| = 1;
one(@ARGV) if @ARGV;

my $end = time + ($ENV{SECONDS} || 50);
my $seed = $ENV{SEED} || 1 + int(rand(2 ** 31));
my $lanes = $ENV{LANES} || 3;
my $port = $ENV{TEST_NGINX_PORT} || 1984;
my %wanted = map { $_ => 1 } split /[\s,]+/, $ENV{WORLD} // '';
my ($tests, $failed) = (0, 0);

@worlds = grep { $wanted{ $_->{name} } } @worlds if %wanted;
die "no such world: $ENV{WORLD}\n" unless @worlds;

do {
    print "# SEED=$seed\n";
    round();
    $seed++;
} while (time < $end - 20);

print "1..$tests\n";
exit($failed ? 1 : 0);


# Each world runs for its share of the time that is left.  A world that begins
# later may get more.

sub round {
    my @left = sort { ($b->{settles} // 0) <=> ($a->{settles} // 0) } @worlds;
    my %running;
    my $in = IO::Select->new;

    while (@left or %running) {
        while (@left and keys %running < $lanes) {
            my $rows = @left / $lanes;
            my $slot = ($end - time) / ($rows < 1 ? 1 : $rows);
            my $world = shift @left;

            $slot = 30 if $slot > 30;
            $slot -= $world->{settles} // 4.5;
            $slot = 2 if $slot < 2;

            if (my $why = missing($world)) {
                $tests++;
                print "ok $tests - $world->{name} # SKIP $why\n";
                next;
            }

            my ($lane) = grep { my $n = $_; !grep { $_->[1] == $n }
                                values %running } 0 .. $lanes - 1;

            local $ENV{TEST_NGINX_PORT} = $port + 50 * $lane;

            open my $out, '-|', $^X, $0, $world->{name}, $seed, $slot
                or die "$^X: $!\n";
            $in->add($out);
            $running{$out} = [$world->{name}, $lane];
        }

        for my $out ($in->can_read) {
            relay($out) and next;

            my $name = $running{$out}[0];

            $in->remove($out);
            delete $running{$out};
            close $out and next;
            $tests++;
            $failed++;
            print "not ok $tests - $name: came to its end ($?)\n";
        }
    }
}

# Passes on one line of a world; returns false at its end.

sub relay {
    my ($out) = @_;

    my $line = '';

    # Reads unbuffered, since select must see the rest.

    until ($line =~ /\n/) {
        sysread $out, $line, 1, length $line or return 0;
    }

    if ($line =~ s/^(not )?ok - //) {
        $tests++;
        $failed++ if $1;
        $line = ($1 // '') . "ok $tests - $line";
    }

    print $line;
    return 1;
}

sub missing {
    my ($world) = @_;

    return 'not built: build/chaos/clock.so' if $world->{clock} and !-e $clock;
    return no_tls() if $world->{kinds};
    return unless $world->{dies};
    return 'the nginx that is asked for has its module inside'
        if defined $ENV{TEST_NGINX_BINARY}
            and !defined $ENV{TEST_NGINX_LOAD_MODULES};
    return 'not built: build/chaos' unless -e $dying;
    return;
}


sub no_tls {
    return 'Perl has no IO::Socket::SSL' unless eval { require IO::Socket::SSL };
    return 'there is no openssl to make a certificate' unless certificate();

    my $nginx = Longpoll::Server::nginx();
    my $has = `$nginx -V 2>&1`;

    return 'this nginx has no TLS' if $has !~ /--with-http_ssl_module/;
    return 'this nginx has no HTTP/2' if $has !~ /--with-http_v2_module/;
    return;
}

# A certificate of our own, for this run.

sub certificate {
    my $dir = tempdir('longpoll-XXXXXX', TMPDIR => 1, CLEANUP => 1);

    system('openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1'
           . " -nodes -days 2 -subj /CN=localhost -keyout $dir/key.pem"
           . " -out $dir/cert.pem >/dev/null 2>&1") == 0 or return;

    return ["$dir/cert.pem", "$dir/key.pem"];
}


# Runs one world, in a process of its own.

sub one {
    my ($name, $seed, $seconds) = @_;

    my ($world) = grep { $_->{name} eq $name } @worlds;

    $world->{module} = $dying if $world->{dies};
    $world->{certificate} = certificate() if $world->{kinds};
    $world->{preload} = $clock;

    my $steps = Longpoll::Chaos::schedule($seed, $world, $seconds);
    my $chaos = Longpoll::Chaos->new($world);
    my $begin = time;
    my @failures = $chaos->run($steps, $seconds);
    my %failed;

    push @{ $failed{ $_->{promise} } }, $_ for @failures;

    for my $promise (sort keys %promises) {
        my @some = @{ $failed{$promise} || [] };

        print @some ? 'not ' : '', "ok - $name: $promises{$promise}\n";
        splice @some, 5 if @some > 5;
        printf "# %.3f s: %s\n", $_->{at}, $_->{text} for @some;
    }

    my $count = $chaos->{count};

    printf "# %s: %.1f s, %d of %d steps, %d publishes, %d deliveries, "
           . "%d deaths, %d of them with the lock\n",
        $name, time - $begin, $chaos->{steps} // 0, scalar @$steps,
        scalar @{ $chaos->{all} }, $chaos->{oracle}{delivered},
        $chaos->{deaths} // 0, $chaos->{locked} // 0;
    print '# ', join(' ', map { "$_ $count->{$_}" } sort keys %$count), "\n";
    points($name, $seconds, $chaos->point_counts) if $world->{dies};

    shrink($world, $seed, $steps, $seconds, \@failures) if @failures;
    exit 0;
}

# The points outside the lock where a worker can die.  A short run has no time
# for all of them.  No world here has presence, so none reaches "announced".

sub points {
    my ($name, $seconds, @counts) = @_;

    my @missing = map { $_->[0] } grep { !$_->[1] and $_->[0] ne 'announce' }
                  @counts;

    print '# points: reached, killed at: ',
          join(', ', map { "$_->[0] $_->[1] $_->[2]" } @counts), "\n";
    print @missing ? 'not ' : '', "ok - $name: workers reached every point\n"
        if $seconds > 20;
    print "# never: @missing\n" if @missing;
}

# Leaves out ever smaller pieces, as long as the run still fails.

sub shrink {
    my ($world, $seed, $steps, $seconds, $failures) = @_;

    my $until = time + ($ENV{SHRINK} // 60);
    my %promise = map { $_->{promise} => 1 } @$failures;
    my $last = $failures->[-1]{at};
    my $runs = 0;

    my $fails = sub {
        my ($some) = @_;
        my @again = Longpoll::Chaos->new($world)->run($some, $seconds);

        $runs++;
        return grep { $promise{ $_->{promise} } } @again;
    };

    # First the later steps, then whole kinds of steps, then pieces.

    $steps = [ grep { $_->[0] <= $last } @$steps ];
    $seconds = $last + 1.5 if $seconds > $last + 1.5;

    for my $kind (sort keys %{ { map { $_->[1] => 1 } @$steps } }) {
        last if time > $until;

        my @some = grep { $_->[1] ne $kind } @$steps;
        $steps = \@some if $fails->(\@some);
    }

    for (my $n = 2; $n <= @$steps and time < $until; $n *= 2) {
        my $size = int(@$steps / $n) || 1;

        for (my $from = @$steps - $size; $from >= 0 and time < $until;
             $from -= $size)
        {
            my @some = @$steps;
            splice @some, $from, $size;
            $steps = \@some if $fails->(\@some);
        }
    }

    make_path("$root/build/chaos");
    my $file = "build/chaos/failed-$seed-$world->{name}";

    open my $out, '>', "$root/$file" or die "$file: $!\n";
    print $out "$_->{promise}: $_->{text}\n" for @$failures;
    print $out Longpoll::Chaos::shown($_), "\n" for @$steps;
    close $out;

    print "# SEED=$seed WORLD=$world->{name}: ", scalar @$steps,
          " steps still fail after $runs runs, see $file\n";

    my @shown = @$steps;
    splice @shown, 20 if @shown > 20;
    print '# ', Longpoll::Chaos::shown($_), "\n" for @shown;
    print "# ...\n" if @shown < @$steps;
}
