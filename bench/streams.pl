#!/usr/bin/perl
#
# bench/streams.pl [--events N] [--streams N]
#
# The memory of a worker that sends events down streams for long: by kind of
# connection, what each stream takes after 1,000 events and after 100,000 (or
# N).  Every event is read, and counted.  Prints a table for
# docs/internals/wait.md.
#
# Each kind has an nginx of its own, with one worker.  A figure is the private
# memory of that worker, less that before the streams came, divided by their
# number.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use File::Temp qw( tempdir );
use Getopt::Long qw( GetOptions );

use lib map { dirname(abs_path(__FILE__)) . $_ } '/../t/lib', '/lib';

use Bench::Server ();
use IO::Socket::SSL ();
use Longpoll::Client ();
use Longpoll::H2 ();
use Longpoll::Scenario ();
use Longpoll::Server ();
use Longpoll::Stream ();
use Longpoll::Workers ();

my ($events, $streams) = (100_000, 4);
my $batch = 500;

GetOptions('events=i' => \$events, 'streams=i' => \$streams) && !@ARGV
    or exit 2;

$Longpoll::Client::Patience = 60;

my $dir = tempdir('longpoll-XXXXXX', TMPDIR => 1, CLEANUP => 1);

Bench::Server::certificate($dir);

my $locations = <<'_EOC_';
        location = /events  { longpoll_subscribe events; }
        location = /publish { longpoll_publish   events; }
        location = /gzip {
            gzip               on;
            gzip_types         text/event-stream;
            longpoll_subscribe events;
        }
_EOC_

my @kinds = (
    [ 'HTTP/1.1', sub { { port => $_[0]->port } } ],
    [ 'HTTP/1.1, gzip',
      sub { { port => $_[0]->port, uri => '/gzip', gzip => 1 } } ],
    [ 'HTTP/1.1, TLS', sub { { port => $_[1], tls => {} } } ],
    [ 'HTTP/2', sub { { h2 => Longpoll::H2->new(port => $_[2]) } } ],
    [ 'HTTP/2, TLS',
      sub { { h2 => Longpoll::H2->new(
                  port => $_[3], tls => { SSL_alpn_protocols => ['h2'] }) } } ],
);

printf "| kB for a stream | after 1,000 events | after %s |\n|---|--:|--:|\n",
    scalar reverse join ',', unpack '(A3)*', reverse $events;

for my $kind (@kinds) {
    my ($name, $connect) = @$kind;

    printf "| %s | %.0f | %.0f |\n", $name, measured($connect);
}


# kB for each stream, after 1,000 events and after all

sub measured {
    my ($connect) = @_;

    my ($server, @ports) = nginx();
    my $publisher = Longpoll::Client->new(port => $server->port);
    my ($before) = settled($server, $publisher);

    my @s = map { Longpoll::Stream->new($connect->($server, @ports),
                                        category => 'farm') } 1 .. $streams;

    $_->next for @s;

    run($publisher, \@s, 1000);
    my $first = memory($server) - $before;

    run($publisher, \@s, $events - 1000);
    my $last = memory($server) - $before;

    $server->end;

    return map { $_ / $streams } $first, $last;
}

sub nginx {
    my $port = 2004;            # behind those of Longpoll::Server
    my @ports = map { $port = Longpoll::Server::free_port($port + 1) } 1 .. 3;
    my ($listen, $directive) = Longpoll::Server::http2();
    my $tls = "ssl_certificate $dir/cert.pem; ssl_certificate_key $dir/key.pem;";
    my @servers = ("listen 127.0.0.1:$ports[0] ssl; $tls",
                   "listen 127.0.0.1:$ports[1] $listen; $directive",
                   "listen 127.0.0.1:$ports[2] ssl $listen; $directive $tls");

    my $server = Longpoll::Server->start(
        http => "longpoll_zone zone=events:16m buffer=10000;\n"
                . join('', map { "server {\n$_\n$locations}\n" } @servers),
        server => $locations, workers => 1);

    return ($server, @ports);
}

# The worker's memory once it has published and answered; what it needs once is
# there.

sub settled {
    my ($server, $publisher) = @_;

    my $s = Longpoll::Stream->new({ port => $server->port },
                                  category => 'farm');

    $s->next;
    run($publisher, [$s], 1000);
    $s->close;
    $server->wait_waiting(0);

    return memory($server);
}

sub memory { Longpoll::Workers::memory($_[0]->workers) }

sub run {
    my ($publisher, $s, $n) = @_;

    my $one = '{"category":"farm","data":"' . 'x' x 100 . '"}';

    for (my $left = $n; $left > 0; $left -= $batch) {
        my $some = $left < $batch ? $left : $batch;
        my $r = $publisher->request('POST', '/publish', body => '['
                    . join(',', ($one) x $some) . ']')->response;

        die $r->body if $r->status != 200;

        for my $stream (@$s) {
            for (1 .. $some) {
                my $frame = $stream->next;
                redo if $frame->{kind} eq 'place';
                die "$frame->{text}\n" if $frame->{kind} ne 'event';
            }
        }
    }
}
