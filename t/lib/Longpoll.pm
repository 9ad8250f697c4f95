package Longpoll;

# What the tests of this module use beyond Test::Nginx::Socket.
#
#     use lib 't/lib';
#     use Test::Nginx::Socket 'no_plan';
#     use Longpoll;
#
#     run_tests();
#
# Sections of a block that this module adds:
#
#   --- scenario      Perl, run while nginx is up, with the helpers of
#                     Longpoll::Scenario: several clients at once.  It replaces
#                     --- request.
#   --- alert         a regular expression.  The block must cause an alert, and
#                     every alert must match.  If a worker died by signal 9,
#                     nginx may also log that this worker held the zone's lock.
#
# A block without --- config has the usual one: the zone "events" (1m, unless
# --- http_config says otherwise), /events for polls, and /publish to publish.
# A scenario also has /status (all zones) and /pid.
#
# These checks run for every block.  The error log has no [alert], [crit] or
# [emerg], neither while the block runs nor when its nginx quits.  After a
# scenario, once its clients have left, no poll is parked.  A scenario without a
# single check fails.
#
# With TEST_NGINX_USE_HUP=1 one nginx is reloaded from block to block, and its
# zones keep their events.  So each block uses categories of its own, and a
# block that reads the zone's counters uses a zone of its own.
#
# With LONGPOLL_SLOW=1 answers may take longer, and checks of a duration are
# skipped.

use strict;
use warnings;

use Test::More ();
use Test::Nginx::Util ();

use Longpoll::Client ();
use Longpoll::Scenario ();

Test::Nginx::Util::timeout($Longpoll::Client::Patience)
    unless $ENV{TEST_NGINX_TIMEOUT};

# We check --- alert ourselves: Test::Nginx only warns.

my $alert = qr/\[(?:alert|crit|emerg)\]/;

# the master's message when it takes the lock from a dead worker

my $locked = qr/shared memory zone "\w+" was locked by \d+/;

my $usual_zone = "longpoll_zone zone=events:1m;\n";

my $usual_locations = <<'_EOC_';
        location = /events  { longpoll_subscribe events; }
        location = /publish { longpoll_publish   events; }
_EOC_

my %at_hand = (
    '/status' => "        location = /status { longpoll_status all; }\n",
    '/pid'    => "        location = /pid { return 200 \$pid; }\n",
);

# A random port must still be free when nginx opens it.  So neither ports that
# the system may give to a client meanwhile, nor those that other test files were
# given (tools/lib/Suite/Run.pm), are used unless there are no others.

my $free_port = \&Test::Nginx::Util::gen_rand_port;
my $files_below = 22_400;
my $clients_from = 0;

if (open my $in, '<', '/proc/sys/net/ipv4/ip_local_port_range') {
    ($clients_from) = <$in> =~ /(\d+)/;
}

no warnings 'redefine';

*Test::Nginx::Util::gen_rand_port = sub (;$$$) {
    for ( ;; ) {
        my $port = $free_port->(@_);

        return $port if !$port
                        or $port > $files_below and $port < $clients_from
                        or $clients_from < $files_below + 2000;
        Test::Nginx::Util::release_port_locks($port);
    }
};

use warnings 'redefine';


# The directive for HTTP/2 in cleartext depends on nginx's version.

my ($major, $minor, $patch) =
    `$Test::Nginx::Util::NginxBinary -v 2>&1` =~ m{/(\d+)\.(\d+)\.(\d+)};

my $http2_on = defined $major
    && ($major * 1000 + $minor) * 1000 + $patch >= 1_025_001;

$ENV{TEST_NGINX_LISTEN_HTTP} = $http2_on ? '' : 'http2';
$ENV{TEST_NGINX_HTTP_ON} = $http2_on ? 'http2 on;' : '';


Test::Nginx::Util::add_block_preprocessor(sub {
    my ($block) = @_;

    if (defined $block->must_die) {
        $block->set_value(config => '') unless defined $block->config;
        $block->set_value(suppress_stderr => 1);
        return;
    }

    my $http = $block->http_config;
    my $config = $block->config;

    $http = $usual_zone unless defined $http;
    $config = $usual_locations unless defined $config;

    if (defined $block->scenario) {
        # A client of a scenario may keep its connection.

        $http = "    keepalive_requests 1000000;\n$http"
            if $http !~ /keepalive_requests/;

        for my $uri (sort keys %at_hand) {
            $config .= $at_hand{$uri} if $config !~ /location = \Q$uri\E /;
        }
    }

    $block->set_value(http_config => $http);
    $block->set_value(config => $config);

    # We read this log when the block's nginx has quit.  With TEST_NGINX_USE_HUP
    # nginx does not quit; the next block's log has the lines of its old
    # workers.

    unless ($Test::Nginx::Util::UseHup or defined $block->alert
            or defined $block->no_shutdown_error_log)
    {
        $block->set_value(no_shutdown_error_log =>
                          "[alert]\n[crit]\n[emerg]");
    }
});


my $run_request = $Test::Nginx::Util::RunTestHelper;

$Test::Nginx::Util::RunTestHelper = sub {
    my ($block, $dry_run, $repeated) = @_;

    if (defined $block->scenario) {
        run_scenario($block) unless $dry_run;

        $Test::Nginx::Util::CheckErrorLog->($block, undef, $dry_run,
                                            $repeated, 0)
            if defined $block->error_log or defined $block->no_error_log;

    } else {
        $run_request->($block, $dry_run, $repeated);
    }

    check_alerts($block) unless $dry_run;
};


sub run_scenario {
    my ($block) = @_;

    my $tb = Test::More->builder;
    my $before = $tb->current_test;
    my $name = $block->name;

    my $died = Longpoll::Scenario::run($name, $block->scenario,
                                       source_line($name));

    if (defined $died) {
        Test::More::fail("$name - the scenario ran to its end");
        Test::More::diag($died);
        return;
    }

    Test::More::fail("$name - the scenario checks something")
        if $tb->current_test == $before;

    return unless Longpoll::Scenario::nginx_is_up();

    my $waiting = eval {
        local $SIG{__DIE__};
        Longpoll::Scenario::wait_waiting(0);
        0;
    };

    Test::More::is($waiting, 0, "$name - no poll is left waiting");
    Test::More::diag($@) unless defined $waiting;
}


# The line of the scenario in its file, so that messages have useful line
# numbers.

sub source_line {
    my ($name) = @_;

    (my $title = $name) =~ s/^\Q$0\E //;

    open my $in, '<', $0 or return 1;
    my $found;

    while (my $line = <$in>) {
        $found = 1 if $line =~ /^===\s+\Q$title\E\s*$/;
        return $. + 1 if $found and $line =~ /^--- scenario/;
    }

    return 1;
}


sub check_alerts {
    my ($block) = @_;

    my $name = $block->name;
    my @lines;

    if (open my $in, '<', $Test::Nginx::Util::ErrLogFile) {
        @lines = grep { /$alert/ } <$in>;
    }

    if (defined $block->alert) {
        chomp(my $want = $block->alert);

        Test::More::ok(scalar(grep { /$want/ } @lines),
                       "$name - an alert like $want");
        @lines = grep { !/$want/ } @lines;
        @lines = grep { !/$locked/ } @lines if $want =~ /signal 9/;
    }

    Test::More::is(join('', @lines), '', "$name - no alert in the error log");
}


1;
