# Every command in the pages that shows its answer, run in the page's order
# against the README's configuration, and what it prints.
#
# Times, ids and the clients of gpoll are others each time: the first time that
# a page names one, it is the one that nginx gave, and from then on, in commands
# and in answers, it must be the same.  `...` of a page is anything.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use HTTP::Tiny ();
use IO::Select ();
use JSON::PP ();
use Test::More;

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Pages qw( blocks pages );
use Longpoll::Server qw( wait_until );

# what the pages' URLs have beyond the README's

my $more_zones = <<'_EOC_';
    longpoll_zone zone=short:1m buffer=2;
    longpoll_zone zone=told:1m;
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
            longpoll_subscribe told protocol=gpoll;
        }

        location = /tell {
            longpoll_category all;
            longpoll_publish  told;
        }

        location = /start {
            default_type application/json;
            return 200 '{"last_id":"$longpoll_cursor_events"}';
        }
_EOC_

my %setup = (
    short => sub { post('/short', qq({"category":"farm","data":"$_"}))
                       for qw( one two three ) },
    gpoll => sub { post('/tell', 'oink') },
    delivered => sub {
        post('/publish', qq({"category":"farm","data":$_})) for 1 .. 4;
        http(GET => '/events?category=farm&timeout=1&since_time=0');
    },
    parked => sub { background("curl -sS 'http://127.0.0.1:8080/events"
                               . "?category=zoo&timeout=2' 2>/dev/null") },
);

my $uuid = qr/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/;
my $other = qr/\d+\$$uuid|$uuid|\b1\d{12}\b/;

my $client = HTTP::Tiny->new(timeout => 15, proxy => undef,
                             http_proxy => undef);
my ($readme) = map { $_->{text} } grep { $_->{language} eq 'nginx' }
               blocks('README.md');

my ($conf, %really, @parked);
my $run = 0;

for my $page (pages()) {
    my @blocks = grep { $_->{language} eq 'console' } blocks($page) or next;

    start();

    for my $block (@blocks) {
        my $where = "$page:$block->{line}";
        my $marks = $block->{marks};

        $setup{ $marks->{setup} }->() if defined $marks->{setup};

        my @answers = map { run($where, $_, $marks->{waits}) }
                      pairs($where, $block->{text});

        finish($_) for grep { !$_->{setup} } splice @parked;
        push @parked, grep { ref } @answers;
    }

    is(scalar @parked, 0, "$page: nobody waits at its end");
    $conf->end;
    is(join('', $conf->alerts), '', "$page: nothing in the error log");
}

# the test must be able to say no

my $id = '01a1fbf7-d295-7000-817d-7b3c846537e6';

%really = ();
ok(as_told(qq({"id":"$id"}), '{"id":"00000000-0000-7000-8000-000000000001"}'),
   'an id is an id');
ok(!as_told(qq({"id":"$id"}), '{"id":"00000000-0000-7000-8000-000000000002"}'),
   'and no other one afterwards');
ok(!as_told('{"id":"00000000-0000-7000-8000-000000000009"}',
            '{"id":"00000000-0000-7000-8000-000000000001"}'),
   'which another one is not');
ok(!as_told('{"success": true}', '{"success":true}'), 'a blank counts');
ok(!as_told('{"a":1}', '{"a":1,"missed":true}'), 'and so does a key');

cmp_ok($run, '>', 25, 'there were commands');
note("$run commands were run");

done_testing();


sub start {
    %really = ();
    $conf = Longpoll::Pages->new($readme, http => $more_zones, server => $more,
                                 port => $ENV{TEST_NGINX_PORT} || 1984);
    $conf->start;
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


# commands behind `$ `, which may go on in the next line, and what they print

sub pairs {
    my ($where, $text) = @_;

    return map {
        /^\$ ((?:[^\n]*\\\n)*[^\n]*\n)(.*)/s
            or die "$where: no command: $_\n";
        [$1, $2];
    } split /^(?=\$ )/m, $text;
}

sub command {
    my ($command) = @_;

    my $port = $conf->port;

    $command =~ s/($other)/$really{$1} \/\/ $1/ge;
    $command =~ s/\b8080\b/$port/g;
    $command =~ s/^curl /curl -sS /;

    return $command;
}

sub run {
    my ($where, $pair, $waits) = @_;

    my ($command, $told) = @$pair;

    $run++;
    (my $name = $command) =~ s/\\?\s+/ /g;

    my $job = { where => "$where: $name", told => $told,
                out => ask($command, $waits) };

    return $job if $waits;
    finish($job);
    return;
}

sub ask {
    my ($command, $waits) = @_;

    my $before = $waits ? waiting() : 0;

    open(my $out, '-|', '/bin/sh', '-c', command($command))
        or die "sh: $!\n";

    wait_until('the poll is parked', sub { waiting() == $before + 1 })
        if $waits;

    return $out;
}

sub background {
    my ($command) = @_;

    push @parked, { setup => 1, out => ask($command, 1) };
}

sub finish {
    my ($job) = @_;

    my $out = $job->{out};
    my $got = '';

    while (IO::Select->new($out)->can_read(40)) {
        sysread($out, $got, 65536, length $got) or last;
    }

    ok(as_told($job->{told}, $got), $job->{where})
        or diag("printed:  $got\nthe page: $job->{told}");
}

sub as_told {
    my ($told, $got) = map { same_always($_) } @_;

    my ($pattern, @names, %here) = ('');

    for my $part (split /($other|\.\.\.)/, $told) {
        if ($part eq '...') {
            $pattern .= '.*?';
        } elsif ($part !~ /^$other$/) {
            $pattern .= quotemeta $part;
        } elsif (defined $really{$part}) {
            $pattern .= quotemeta $really{$part};
        } elsif ($here{$part}) {
            $pattern .= "\\g{$here{$part}}";
        } else {
            push @names, $part;
            $here{$part} = @names;
            $pattern .= $part =~ /\$/ ? "(\\d+\\\$$uuid)"
                      : $part =~ /-/  ? "($uuid)" : '(\d{13})';
        }
    }

    my @values = $got =~ /\A$pattern\z/s or return 0;
    my %taken = reverse %really;

    for my $i (0 .. $#names) {
        # two events may be of one millisecond
        return 0 if $names[$i] =~ /-/ && exists $taken{ $values[$i] };
        $really{ $names[$i] } = $values[$i];
    }

    return 1;
}

# curl keeps the CRs, and a body's last line has no end

sub same_always {
    my ($text) = @_;

    $text =~ s/\r//g;
    $text =~ s/\n+\z//;
    $text =~ s{^Server: \S+}{Server: nginx}mg;
    $text =~ s{^Date: .*}{Date: now}mg;
    $text =~ s{"version":"[\d.]+"}{"version":"0"}g;
    $text =~ s{"used":\d+}{"used":0}g;         # nginx's versions differ

    return $text;
}
