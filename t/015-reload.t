# What a reload cannot have is refused, and the old configuration goes on.

use lib 't/lib';
use Test::Nginx::Socket 'no_plan';
use Longpoll;


# for the scenarios

package Longpoll::Scenario;

# how many of the master's file descriptors are eventfds

sub eventfds {
    my $pid = master_pid();

    return scalar grep { (readlink || '') =~ /eventfd/ } glob "/proc/$pid/fd/*";
}

# Sets the limit of the master's file descriptors; returns the one it had.

sub descriptors {
    my ($limit) = @_;

    my $pid = master_pid();
    my $was = `prlimit --pid $pid --nofile --noheadings --output SOFT,HARD`;

    system('prlimit', '--pid', $pid, "--nofile=$limit:") == 0
        or die "prlimit: $?\n";

    return (split ' ', $was)[0];
}

# nginx first writes why it refuses a configuration, and then frees what it had
# made of it.

sub wait_eventfds {
    my ($n, $what) = @_;

    my $now;

    eval { wait_until { ($now = eventfds()) == $n } $what };
    is($now, $n, $what);
}

# Reloads with another configuration, which is refused for this reason.

sub refused {
    my ($change, $reason) = @_;

    my @before = worker_pids();

    change_conf { $change->() };
    kill HUP => master_pid();
    wait_log('error.log', qr/\[emerg\].*$reason/);

    is_deeply([ worker_pids() ], \@before, 'the workers are the same');
    is(get('/pid')->status, 200, 'and they answer');
}


package main;

master_on();
workers(2);
log_level('notice');
run_tests();

__DATA__

=== TEST 1: too few file descriptors for the first zone
--- http_config
    #zone;
--- config
    location = /late { longpoll_status all; }
--- scenario
my $enough = descriptors(50);

refused(sub { s/#zone;/longpoll_zone zone=late:1m;/ }, 'eventfd\(\) failed');
wait_eventfds(0, 'nothing is left of the try');

descriptors($enough);
reload();
is((keys %{ get('/late')->json->{zones} })[0], 'late', 'with more, it is there');
--- alert
eventfd\(\) failed



=== TEST 2: zones that go and come leave no eventfd behind
--- http_config
    longpoll_zone zone=comes:1m;
--- config
    location = /events  { longpoll_subscribe comes; }
    location = /publish { longpoll_publish   comes; }
--- scenario
my $n = eventfds();

cmp_ok($n, '>', 0, 'a zone has eventfds');

for my $round (1 .. 2) {
    my $cat = category();
    my $id = publish($cat, 1);

    is_deeply([ ask(category => $cat, since_time => 0)->ids ], [$id], 'works');

    change_conf { s/^(\s*)(load_module|longpoll_|location.*longpoll_)/$1#$2/mg };
    reload();
    is(eventfds(), 0, 'none without a zone');

    change_conf { s/#(load_module|longpoll_|location)/$1/g };
    reload();
    is(eventfds(), $n, 'as many again');
}



=== TEST 3: a refused reload leaves the running zone its eventfds
--- http_config
    longpoll_zone zone=stays:1m;
    limit_req_zone $remote_addr zone=after:1m rate=1r/s;
--- config
    location = /events  { longpoll_subscribe stays; }
    location = /publish { longpoll_publish   stays; }
--- scenario
my $n = eventfds();
my $cat = category();
my $on = spread(2);
my ($one, $other) = sort keys %$on;
my $p = poll({ conn => $on->{$one}[0] }, category => $cat);

wait_waiting(1);

# nginx refuses another key only after it has made the zones above

refused(sub { s/remote_addr/remote_port/ }, 'uses the "\$remote_port" key');
wait_eventfds($n, 'as many as before');

my $id = publish($cat, 1, conn => $on->{$other}[1]);

is_deeply([ $p->answer->ids ], [$id], 'the other worker wakes a poll');
--- alert
uses the "\$remote_port" key



=== TEST 4: too few connections for a worker of the first zone
--- http_config
    #zone;
--- config
--- scenario
my $change = sub {
    s/#zone;/longpoll_zone zone=few:1m;/;
    s/worker_connections +\d+;/worker_connections 2;/;
};

refused($change, '2 worker_connections are not enough for 1 listening sockets '
                 . 'and "longpoll_zone", there must be at least 3');

my ($status, $said) = conf_test();

isnt($status, 0, 'nginx -t refuses it, too');

change_conf { s/worker_connections 2;/worker_connections 30;/ };
reload();
is((keys %{ get('/status')->json->{zones} })[0], 'few', 'with more, it is there');
--- alert
worker_connections are not enough
