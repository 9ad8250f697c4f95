# Every configuration in the pages: nginx -t accepts it without a warning.  If
# it has locations of the module, nginx is started, and the test sends a request
# to each of them.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use HTTP::Tiny ();
use Test::More;

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Pages qw( blocks pages );

my $port = $ENV{TEST_NGINX_PORT} || 1984;
my $http = HTTP::Tiny->new(timeout => 15, proxy => undef, http_proxy => undef);
my ($run, $asked, @left) = (0, 0);

for my $block (map { blocks($_) } pages()) {
    next if $block->{language} ne 'nginx';

    my $where = "$block->{page}:$block->{line}";
    my $why = $block->{marks}{'not run'};

    if (defined $why) {
        push @left, "$where: $why";
        next;
    }

    my $conf = Longpoll::Pages->new($block->{text}, port => $port);
    my ($ok, $said) = $conf->test;

    $run++;
    ok($ok, "$where: nginx accepts it") or diag($said);
    is($said =~ /(.*\[warn\].*)/ ? $1 : '', '', "$where: without a warning");

    ask($conf, $where, $block->{text}) if $ok;
}

# The test must notice a broken configuration.

for my $wrong ("longpoll_drain 5 s;\n",
               "location = /x { longpoll_subscribe events buffer=1; }\n",
               "server {\n    location = /x { longpoll_drain 1s; }\n}\n")
{
    my ($ok, $said) = Longpoll::Pages->new($wrong, port => $port)->test;

    ok(!$ok, 'nginx refuses a wrong configuration');
    like($said, qr/\[emerg\] .* in .*nginx\.conf:\d+/, 'and names the line');
}

cmp_ok($run, '>', 15, 'there were configurations');
cmp_ok($asked, '>', 10, 'and locations');
note("$run configurations were tried, $asked locations asked; ",
     scalar @left, ' configurations cannot be');
note($_) for @left;

done_testing();


# Every location of the module answers OPTIONS at once, unless nginx's access
# rules refuse the request first.

sub ask {
    my ($conf, $where, $text) = @_;

    my %location = $text =~ /\blocation\ =\ (\S+)\s*
                             \{([^{}]*?longpoll_
                             (?:subscribe|publish|delete|status)\ [^}]*)\}/gx;

    delete $location{$_} for grep { $location{$_} =~ /\binternal;/ }
                             keys %location;
    return unless %location;

    $conf->start;

    for my $uri (sort keys %location) {
        my $r = $http->request(OPTIONS => 'http://127.0.0.1:' . $conf->port
                                          . $uri);
        my $closed = $location{$uri} =~ /auth_basic/ ? 401
                   : $location{$uri} =~ /deny\s+all/
                     && $location{$uri} !~ /127\.0\.0\.1/ ? 403 : 204;

        $asked++;
        is($r->{status}, $closed, "$where: $uri answers");
        like($r->{headers}{allow}, qr/OPTIONS/, "$where: and names its methods")
            if $closed == 204;
    }

    $conf->end;

    # The limit of open files depends on the machine, and there is no Redis.

    is(join('', grep { !/setrlimit|redis \S+ lost/ } $conf->alerts), '',
       "$where: nothing in the error log");
}
