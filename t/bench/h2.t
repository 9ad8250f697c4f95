# The load generator speaks HTTP/2 with nginx, and notices where nobody does.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use Test::More;

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Server ();

my $root = abs_path(dirname(__FILE__) . '/../..');
my $bench = "$root/build/bench/longpoll-bench";

my ($listen, $directive) = Longpoll::Server::http2();
my $port = Longpoll::Server::free_port(5000);
my $server = Longpoll::Server->start(http => <<"_EOC_", server => '');
    longpoll_zone zone=events:64m;

    server {
        listen 127.0.0.1:$port $listen;
        $directive
        keepalive_requests      7;
        client_max_body_size    2m;

        location = /events      { longpoll_subscribe events; }
        location = /publish     { longpoll_publish events; }
        location = /few/publish {
            client_max_body_size 150k;
            longpoll_publish     events;
        }
        location = /none        { return 204; }
        location = /moved       { return 301 /; }
    }
_EOC_

# run(PORT, OPTION...) returns the exit code and what was said.

sub run {
    my ($to, @args) = @_;

    open my $fh, '-|', "$bench -l -2 -t 20 @args 2>&1" =~ s/URL/127.0.0.1:$to/r
        or die "$bench: $!\n";
    my $said = join '', <$fh>;
    close $fh;

    return ($? >> 8, $said);
}

# keepalive_requests ends every connection after seven requests.

for ('-c 3 -n 20 fanout', '-c 2 -n 30 lockstep', '-c 4 -w 2 -n 40 own',
     '-c 2 -k 4 -n 40 publish', '-c 2 -k 2 -f 8 -n 20 catchup',
     '-c 20 -n 2 churn', '-e -c 3 -n 20 fanout', '-e -c 3 -a 20 park')
{
    my ($code, $said) = run($port, "$_ http://URL");

    is($code, 0, "$_: nothing is lost") or diag($said);
}

# A frame has 16,384 bytes, and the server takes 65,536 of a body at first.

for my $size (1000, 16_384, 100_000, 1_000_000) {
    my ($code, $said)
        = run($port, "-c 2 -k 2 -n 20 -f 8 -s $size publish http://URL");

    is($code, 0, "a body of $size bytes arrives") or diag($said);
}

for my $size (160_000, 1_000_000) {
    my ($code, $said) = run($port, '-c 2 -n 20 -u /few/publish',
                            "-s $size publish http://URL");

    is($code, 1, "a refused body of $size bytes fails the run") or diag($said);
    like($said, qr/\bbad=\d/, 'and each refusal is counted');
}

for ([ '/none', 'an answer without a body' ], [ '/moved', 'a short one' ]) {
    my ($path, $what) = @$_;
    my ($code, $said) = run($port, "-p plain -c 2 -n 40 get http://URL$path");

    is($code, 1, "$what is no event, but an answer") or diag($said);
}

{
    my ($code, $said)
        = run($server->port, '-c 1 -n 1 publish http://URL');

    is($code, 2, 'a server without HTTP/2 ends the run');
    like($said, qr/does not support HTTP\/2/, 'and the message says why');
}

is_deeply([ $server->alerts ], [], 'nothing wrong in the error log');
done_testing;
