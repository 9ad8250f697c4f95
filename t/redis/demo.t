# `make run-cluster`: two nodes over one Redis, each with its dashboard, and a
# balancer; nothing of it is left behind.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use File::Temp qw( tempdir );
use HTTP::Tiny ();
use IO::Socket::INET ();
use Test::More;

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Backend ();
use Longpoll::Child ();
use Longpoll::Redis ();
use Longpoll::Server qw( wait_until );

plan skip_all => 'there is no redis-server' unless Longpoll::Redis->version;

my $root = abs_path(dirname(abs_path(__FILE__)) . '/../..');
my $dir = tempdir('longpoll-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $http = HTTP::Tiny->new(timeout => 40);

chmod 0755, $dir;               # for root's workers, who are somebody else

my $port = Longpoll::Backend::free_ports(3);
my @nodes = map { "http://127.0.0.1:$_" } $port + 1, $port + 2;
my $run = Longpoll::Child->start([ "$root/tools/run-cluster.sh", $port ],
                                 log => "$dir/log", env => { TMPDIR => $dir });

wait_until('the nodes to share a zone', sub {
    Longpoll::Backend::slurp("$dir/log") =~ /ends with Ctrl-C/;
}, 40);

for (@nodes) {
    my $page = $http->get("$_/");

    like($page->{content}, qr/id="dashboard"/, 'a node has a dashboard');
    is($http->get("$_/dashboard.js")->{headers}{'content-type'},
       'text/javascript', 'and its script');

    my ($status, $list) = $page->{content} =~ /data-(?:status|list)="(.*?)"/g;

    like($http->get("$_/$status")->{content}, qr/"zones":\{"events":/,
         'and the figures');
    like($http->get("$_/${list}events?categories=&limit=9")->{content},
         qr/"categories":/, 'and the categories');
}

my %event = (content => '{"category":"farm","data":"oink"}');

like($http->post("$nodes[1]/publish", \%event)->{content}, qr/true/,
     'what one node takes');
like($http->get("$_/events?category=farm&timeout=30&since_time=0")->{content},
     qr/"oink"/, 'is heard from the other and the balancer')
    for $nodes[0], "http://127.0.0.1:$port";

$run->signal('TERM');
wait_until('all processes to end', sub { !$run->alive }, 40);

is_deeply([ grep { IO::Socket::INET->new(PeerAddr => "127.0.0.1:$_") }
            $port .. $port + 2 ], [], 'TERM ends all processes');
is_deeply([ grep { !m{/log$} } glob "$dir/*" ], [], 'no file is left');

done_testing();
