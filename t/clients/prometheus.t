# The output of longpoll_status for Prometheus, checked by Prometheus' own
# promtool.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use HTTP::Tiny ();
use Test::More;

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Promtool ();
use Longpoll::Server ();

my $root = abs_path(dirname(abs_path(__FILE__)) . '/../..');
my $promtool = Longpoll::Promtool::path();

plan skip_all => 'no promtool, and Debian\'s prometheus could not be fetched'
    unless $promtool;

my $server = Longpoll::Server->start(
    http => <<'_EOC_',
longpoll_zone zone=events:1m;
longpoll_zone zone=a.b-c/d%e:1m;
_EOC_
    server => <<'_EOC_',
location = /events  { longpoll_subscribe events; }
location = /publish { longpoll_publish events; longpoll_delete events; }
location = /metrics { longpoll_status all format=prometheus; }
location = /one     { longpoll_status events format=prometheus; }
_EOC_
);

my $http = HTTP::Tiny->new;

check('/metrics', 'before anything has happened');

$server->publish("c$_", '"x"') for 1 .. 20;
$http->get($server->url('/events?category=c1&timeout=1&since_time=0'));
$http->get($server->url('/events?category=none&timeout=1'));
$http->post($server->url('/publish'), { content => 'wrong' });

check('/metrics', 'all zones');
check('/one', 'one zone');

my $text = $http->get($server->url('/one'))->{content};
my %got = $text =~ /^longpoll_(\w+)\{zone="events"\} (\d+)$/mg;
my $zone = $server->status('events');

is($got{$_}, $zone->{$_}, "$_ is what the JSON says")
    for qw( categories events waiting );
is($got{"${_}_total"}, $zone->{$_}, "$_ is what the JSON says")
    for qw( published delivered timeouts missed evicted expired trimmed refused
            disconnected );
is($got{size_bytes}, $zone->{size}, 'size is what the JSON says');

# Checks that promtool can fail.

my ($ok) = promtool("longpoll_x_total 1\nlongpoll_x_total 2\n");
ok(!$ok, 'promtool refuses a wrong page');

done_testing();


sub check {
    my ($uri, $what) = @_;

    my $r = $http->get($server->url($uri));

    is($r->{headers}{'content-type'},
       'text/plain; version=0.0.4; charset=utf-8', "$what: type");

    my ($ok, $said) = promtool($r->{content});

    ok($ok, "$what: promtool accepts it");
    is($said, '', "$what: and prints nothing");
}

sub promtool {
    my ($metrics) = @_;

    my $file = "$root/build/metrics.txt";

    Longpoll::Server::spew($file, $metrics);
    my $said = `'$promtool' check metrics <'$file' 2>&1`;

    return ($? == 0, $said);
}
