# docs/operations.md, Proxies in front: HAProxy and Apache run with the page's
# configurations in front of an nginx, and do what the page says.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use HTTP::Tiny ();
use IO::Socket::INET ();
use JSON::PP ();
use Test::More;
use Time::HiRes qw( time );

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Child ();
use Longpoll::Pages qw( blocks );
use Longpoll::Server qw( wait_until );

my %shown = map { $_->{language} => $_->{text} } blocks('docs/operations.md');
my $server = Longpoll::Server->start(
    http => "longpoll_zone zone=events:1m;\n",
    server => "location = /events { longpoll_subscribe events; }\n",
);
my $dir = $server->dir;
my $port = Longpoll::Server::free_port($server->port + 1);
my $client = HTTP::Tiny->new(timeout => 15, proxy => undef,
                             http_proxy => undef);

SKIP: {
    my $haproxy = program('haproxy') or skip 'no haproxy', 4;
    my $text = here($shown{haproxy});

    spew("$dir/haproxy.cfg", $text);
    runs('HAProxy', [ $haproxy, '-db', '-f', "$dir/haproxy.cfg" ], sub {
        leaves('HAProxy', 0);
    });

    # Without abortonclose the page's promise does not hold.

    $text =~ s/^ +option +abortonclose\n//m or die "no abortonclose\n";
    spew("$dir/haproxy.cfg", $text);

    my ($version) = `$haproxy -v` =~ /version (\d+\.\d+)/;

    runs("HAProxy $version without abortonclose",
         [ $haproxy, '-db', '-f', "$dir/haproxy.cfg" ],
         sub { leaves('without abortonclose', $version < 3 ? 1 : undef) });
}

SKIP: {
    my $apache = program('apache2') or skip 'no apache2', 2;
    my $modules = '/usr/lib/apache2/modules';
    my $user = $> == 0 ? "User www-data\nGroup www-data\n" : '';
    my $load = join '', map { "LoadModule ${_}_module $modules/mod_$_.so\n" }
                            qw( mpm_event authz_core proxy proxy_http );

    spew("$dir/apache.conf", <<"_EOC_" . here($shown{apache}));
ServerRoot $dir
ServerName localhost
PidFile $dir/apache.pid
ErrorLog $dir/apache.log
$load${user}Listen 127.0.0.1:$port
_EOC_

    runs('Apache', [ $apache, '-DFOREGROUND', '-f', "$dir/apache.conf" ],
         sub { leaves('Apache', 1) });
}

done_testing();


sub program {
    my ($name) = @_;

    my ($path) = grep { -x && !-d } map { "$_/$name" }
                 split(/:/, $ENV{PATH}), '/usr/sbin';
    return $path;
}

sub here {
    my ($text) = @_;

    my $own = $server->port;

    $text =~ s/\b127\.0\.0\.1:8080\b/127.0.0.1:$own/g;
    $text =~ s/\bbind :8090\b/bind 127.0.0.1:$port/;

    return $text;
}

sub spew { Longpoll::Server::spew(@_) }

sub runs {
    my ($what, $command, $more) = @_;

    my $child = Longpoll::Child->start($command, log => "$dir/proxy.log");

    wait_until("$what listens", sub {
        die "$what ended\n" unless $child->alive;
        IO::Socket::INET->new("127.0.0.1:$port");
    });

    my $r = $client->get("http://127.0.0.1:$port/events?category=a&timeout=1");

    like($r->{content}, qr/^\{"timeout":/, "$what: a poll comes through");
    $more->();
    $child->end;
    $server->wait_waiting(0);
}

# A client leaves.  STAYS says whether its poll stays until its timeout.  If it
# is undefined, the test only notes the time.  A proxy that closes its
# connection does so at once, long before the longer timeout.

sub leaves {
    my ($what, $stays) = @_;

    my $sock = IO::Socket::INET->new("127.0.0.1:$port") or die "$what: $!\n";
    my $timeout = $stays // 1 ? 3 : 60;
    my $start = time;

    print $sock "GET /events?category=a&timeout=$timeout HTTP/1.1\r\n",
                "Host: x\r\n\r\n";
    $server->wait_waiting(1);
    close $sock;
    $server->wait_waiting(0);

    my $took = time - $start;

    if (!defined $stays) {
        note("$what: the poll is over after $took s");
    } elsif ($stays) {
        cmp_ok($took, '>', 2.5, "$what: the poll stays until its time-out");
    } else {
        pass("$what: the poll is over when its client is");
    }
}
