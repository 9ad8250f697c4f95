# Chromium's own EventSource, and client/ beside it, each in a tab of its own
# and both through a proxy (t/clients/js/proxy.js): nginx reloads, workers are
# killed, the network is cut or dead, the browser is stopped.  Both must show
# each event, once and in order.  The page with the EventSource is that of
# docs/protocol.md.
#
# Then eight tabs over HTTP/1.1, which share one stream.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use HTTP::Tiny ();
use POSIX ();
use Test::More;
use Time::HiRes qw( sleep );

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Browser ();
use Longpoll::Child ();
use Longpoll::Server qw( wait_until );

my $root = abs_path(dirname(abs_path(__FILE__)) . '/../..');
my $missing = Longpoll::Browser->missing;

plan skip_all => $missing if $missing;
plan skip_all => 'there is no node'
    unless (`node --version 2>/dev/null` // '') =~ /^v(\d+)/ && $1 >= 18;

my $client_page = <<'_EOC_';
<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>client</title>
<link rel="icon" href="data:,">
<script type="module">
import { Longpoll } from "/client/longpoll.js";

const longpoll = new Longpoll({ subscribe: "events", timeout: 1, margin: 3,
                                retry: { min: 0.05, max: 1 },
                                transport: "stream" });

window.all = [];
window.stream = longpoll.subscribe("farm", {
  shared: location.hash === "#all" });
stream.addEventListener("missed", () => all.push("missed"));
stream.addEventListener("event", ({ detail }) => all.push(detail.data));
window.shown = () => all;
</script>
</html>
_EOC_

my ($page) = slurp("$root/docs/protocol.md")
    =~ /^<!-- page: ten lines -->\n```html\n(.*?)^```\n/ms;

is($page =~ tr/\n//, 10, 'the page of docs/protocol.md has ten lines');

# so that the test can read what is shown
my $ten = $page . <<'_EOC_';
<link rel="icon" href="data:,">
<script>
  window.shown = () => [...document.querySelectorAll("li")].map(li => {
    const n = Number(li.textContent.split(" ")[0]);
    return isNaN(n) ? li.textContent : n;
  });
</script>
_EOC_

my $server = Longpoll::Server->start(
    http => <<'_EOC_',
    longpoll_zone zone=events:32m buffer=20000;
    longpoll_heartbeat 700ms;
    longpoll_drain 200ms;
_EOC_
    server => <<'_EOC_',
        location = /events  { longpoll_subscribe events; }
        location = /publish { longpoll_publish   events; }
_EOC_
    files => {
        'html/ten.html' => \$ten, 'html/client.html' => \$client_page,
        map { ('html/client/' . (m{([^/]+)$})[0] => $_) }
            glob("$root/client/*.js"),
    });

my $log = $server->dir . '/proxy.log';
my $proxy = Longpoll::Child->start(
    [ 'node', "$root/t/clients/js/proxied.js" ], log => $log,
    env => { LONGPOLL_URL => $server->url('') });
my ($between, $control);

wait_until('the proxy', sub {
    ($between, $control) = slurp($log) =~ /^(http\S+) (http\S+)\n/;
});

my $http = HTTP::Tiny->new(timeout => 10, proxy => undef, http_proxy => undef);
my $browser = Longpoll::Browser->start;
my $own = $browser->window;
my $other = $browser->new_window('tab');
my $last = 0;

diag('Chromium ' . $browser->version);
$own->open("$between/ten.html");
$other->open("$between/client.html");
$server->wait_waiting(2);

during('an event now and then', 50, sub { });

during('nginx reloads', 600, sub {
    for (1 .. 3) {
        $server->reload;
        $server->wait_waiting(2);
    }
});

during('workers are killed', 600, sub {
    for (1 .. 3) {
        my %old = map { $_ => 1 } $server->workers;

        kill KILL => keys %old;
        wait_until('new workers', sub {
            2 == grep { !$old{$_} } $server->workers;
        });
        $server->wait_waiting(2);
    }
});

during('the network is cut', 600, sub {
    for (1 .. 4) {
        control('break');
        $server->wait_waiting(2);
    }
});

# Only the client notices that.  An EventSource waits until somebody ends it.

during('the network is dead, and cut later', 100, sub {
    control('stall');
    $other->wait_for("shown().includes($last + 1)", 'the client to go on');
    control('break');
});

# As when a laptop is closed.  More is published than sockets hold.

during('the browser is stopped for a while', 0, sub {
    my @pids = browser_pids();

    ok(@pids > 3, 'the browser has processes');
    kill STOP => @pids;
    my $done = eval {
        $server->publish('farm', sprintf '"%d %s"', $_, 'x' x 2000)
            for $last + 1 .. $last + 3000;
        sleep 2;
        1;
    };
    kill CONT => @pids;
    die $@ unless $done;
}, 3000);

$own->open('about:blank');
$other->open('about:blank');
eval { $server->wait_waiting(0); 1 }
    or die $@, 'the proxy: ', control('living'), "\n";

# More tabs than connections.

my @tabs = map { $browser->new_window('tab') } 1 .. 8;

$_->open($server->url('/client.html#all')) for @tabs;
$_->wait_for('stream.cursor && stream.state === "listening"', 'it to listen')
    for @tabs;
$server->wait_waiting(1);
$server->publish('farm', $_) for 1 .. 20;
$_->wait_for('all.length >= 20', 'the events') for @tabs;
is_deeply([ map { $_->run('return all') } @tabs ], [ ([ 1 .. 20 ]) x 8 ],
          'eight tabs share one stream');

# The tab that has it is closed, again and again.

for my $n (21 .. 26) {
    (shift @tabs)->close;
    $server->publish('farm', $n);
    $_->wait_for("all.length >= $n", 'the event') for @tabs;
}
is_deeply([ map { $_->run('return all') } @tabs ], [ ([ 1 .. 26 ]) x 2 ],
          'and pass it on when they close');
$server->wait_waiting(1);

$browser->end;
$proxy->end;
is(join('', grep { !/ exited on signal 9$/ } $server->alerts), '',
   'no other alert in the error log');
done_testing();


# Publishes so many numbers while the code runs, with short pauses; both tabs
# must then have shown these, and whatever else the code published.

sub during {
    my ($title, $n, $code, $all) = @_;
    my $pid = fork // die "fork: $!\n";

    if ($pid == 0) {
        for ($last + 1 .. $last + $n) {

            # a worker may be killed between the event and its answer

            until (eval { $server->publish('farm', $_, key => $_) }) {
                sleep 0.02;
            }
            sleep 0.004;
        }
        POSIX::_exit(0);
    }

    my $done = eval { $code->(); 1 };
    my $why = $@;

    waitpid $pid, 0;
    ok($done, "$title: it ran to its end") or diag($why);

    my $end = $last + ($all // $n);

    for my $tab ([ $own, 'EventSource' ], [ $other, 'the client' ]) {
        my ($window, $name) = @$tab;

        eval {
            $window->wait_for("shown().includes($end)", 'the last one', 60);
        };

        my @heard = map { s/ x+\z//r } @{ $window->run('return shown()') };

        is(join(' ', @heard), join(' ', 1 .. $end),
           "$title: $name has each event once, in order");
    }
    $last = $end;
}

# does it, and returns the requests that have not ended

sub control {
    my $answer = $http->get("$control/$_[0]");
    return $answer->{success} ? $answer->{content} : die "no proxy\n";
}

# all processes that chromedriver started

sub browser_pids {
    my @all = ($browser->{child}->pid);

    for my $pid (@all) {
        push @all, map { split ' ', slurp($_) }
                       glob "/proc/$pid/task/*/children";
    }
    return @all[1 .. $#all];
}

sub slurp {
    my ($file) = @_;

    open my $in, '<', $file or return '';
    local $/;
    return scalar(<$in>) // '';
}
