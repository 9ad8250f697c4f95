# Every command in the pages that shows its answer: the test runs it in the
# page's order against the README's configuration, and Longpoll::Commands
# compares the output.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use HTTP::Tiny ();
use JSON::PP ();
use Test::More;

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Pages qw( blocks pages );
use Longpoll::Server qw( wait_until );
use Longpoll::Commands ();

# Zones and locations that the pages' URLs need beyond the README's.

my $more_zones = <<'_EOC_';
    longpoll_zone zone=short:1m buffer=2;
    longpoll_zone zone=tried:1m;
_EOC_

my $more = <<'_EOC_';
        location = /delete  { longpoll_delete events; }
        location = /status  { longpoll_status events; }
        location = /metrics { longpoll_status events format=prometheus; }
        location = /all     { longpoll_status all; }

        location = /short {
            longpoll_subscribe short;
            longpoll_publish   short;
        }

        location = /poll {
            longpoll_category  all;
            longpoll_subscribe tried protocol=gpoll;
        }

        location = /tell {
            longpoll_category all;
            longpoll_publish  tried;
        }

        location = /start {
            default_type application/json;
            return 200 '{"last_id":"$longpoll_cursor_events"}';
        }
_EOC_

my ($conf, $commands);

my %setup = (
    short => sub { post('/short', qq({"category":"farm","data":"$_"}))
                       for qw( one two three ) },
    gpoll => sub { post('/tell', 'oink') },
    delivered => sub {
        post('/publish', qq({"category":"farm","data":$_})) for 1 .. 4;
        http(GET => '/events?category=farm&timeout=1&since_time=0');
    },
    parked => sub {
        $commands->background("curl -sS 'http://127.0.0.1:8080/events"
                              . "?category=zoo&timeout=2' 2>/dev/null");
    },
);

my $client = HTTP::Tiny->new(timeout => 15, proxy => undef,
                             http_proxy => undef);
my ($readme) = map { $_->{text} } grep { $_->{language} eq 'nginx' }
               blocks('README.md');

for my $page (pages()) {
    my @blocks = grep { $_->{language} eq 'console' } blocks($page) or next;

    start();

    for my $block (@blocks) {
        my $marks = $block->{marks};

        $setup{ $marks->{setup} }->() if defined $marks->{setup};
        $commands->block("$page:$block->{line}", $block->{text},
                     waits => $marks->{waits});
    }

    $commands->finish;
    $conf->end;
    is(join('', $conf->alerts), '', "$page: nothing in the error log");
}

# The test must notice a wrong answer.

my $id = '01a1fbf7-d295-7000-817d-7b3c846537e6';

$commands = Longpoll::Commands->new($conf);
ok($commands->matches(qq({"id":"$id"}), one(1)),
   'an id of the page stands for the id of nginx');
ok(!$commands->matches(qq({"id":"$id"}), one(2)), 'and later for no other id');
ok(!$commands->matches('{"id":"00000000-0000-7000-8000-000000000009"}', one(1)),
   'nor does another id of the page stand for it');
ok(!$commands->matches('{"success": true}', '{"success":true}'),
   'a missing blank is a difference');
ok(!$commands->matches('{"a":1}', '{"a":1,"missed":true}'),
   'and so is another key');

cmp_ok($Longpoll::Commands::Run, '>', 25, 'there were commands');
note("$Longpoll::Commands::Run commands were run");

done_testing();


sub one { qq({"id":"00000000-0000-7000-8000-00000000000$_[0]"}) }

sub start {
    $conf = Longpoll::Pages->new($readme, http => $more_zones, server => $more,
                                 port => $ENV{TEST_NGINX_PORT} || 1984);
    $conf->start;

    $commands = Longpoll::Commands->new($conf, parked => sub {
        my $before = waiting();

        return sub {
            wait_until('the poll is parked', sub { waiting() > $before });
        };
    });
}

sub http {
    my ($method, $uri, @content) = @_;

    return $client->request($method, 'http://127.0.0.1:' . $conf->port . $uri,
                            { map { (content => $_) } @content });
}

sub post {
    my ($uri, $body) = @_;

    my $r = http(POST => $uri, $body);

    die "$uri: $r->{status} $r->{content}\n" unless $r->{success};
}

sub waiting {
    my $zones = JSON::PP::decode_json(http(GET => '/all')->{content})->{zones};
    my $sum = 0;

    $sum += $_->{waiting} for values %$zones;
    return $sum;
}
