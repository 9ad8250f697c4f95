# docs/migration.md, from nchan and from push-stream: the old server accepts the
# page's old configuration, this module accepts the new one, and both answer as
# the page says.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use Test::More;

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Pages qw( blocks slurp );
use Longpoll::Server ();
use Longpoll::Commands ();

my $root = abs_path(dirname(abs_path(__FILE__)) . '/../..');
my $page = 'docs/migration.md';
my $port = $ENV{TEST_NGINX_PORT} || 1984;

my $nchan = '/usr/lib/nginx/modules/ngx_nchan_module.so';
my $peer = "$root/build/bench/push-stream/usr";

my %blocks;

for my $block (blocks($page)) {
    my ($mark) = grep { /before|after/ } keys %{ $block->{marks} } or next;
    $blocks{ $block->{marks}{$mark} }{$mark} = $block;
}

is_deeply([sort keys %blocks], ['nchan', 'push-stream'],
          'the page has two servers');

my %old = (
    # Both modules are loaded, since the page says that this works.
    nchan => [ load => [ $nchan, Longpoll::Server::modules() ] ],
    'push-stream' => [ nginx => "$peer/sbin/nginx", load => [
        "$peer/lib/nginx/modules/ngx_http_push_stream_module.so" ] ],
);

for my $name (sort keys %blocks) {
    my $why = missing($name);

    SKIP: {
        skip "$name: $why", 1 + @{[ $blocks{$name}{'tried before'}{text}
                                    =~ /^\$ /mg ]} if $why;
        run($name, 'before', @{ $old{$name} });
    }

    run($name, 'after');
    documented($name);
}

done_testing();


sub missing {
    my ($name) = @_;

    if ($name eq 'nchan') {
        return -e $nchan && loads($nchan)
               ? undef : 'no libnginx-mod-nchan for this nginx';
    }

    chomp(my $why = `'$root/bench/peers.sh' push-stream 2>&1`);
    return $? ? $why : undef;
}

sub loads {
    my ($module) = @_;

    my ($ok) = Longpoll::Pages->new("events {}\n", load => [ $module ],
                                    port => $port)->test;
    return $ok;
}

sub run {
    my ($name, $when, @o) = @_;

    my ($conf, $tried) = @{ $blocks{$name} }{ $when, "tried $when" };
    my $nginx = Longpoll::Pages->new($conf->{text}, port => $port, @o);

    $nginx->start;
    Longpoll::Commands->new($nginx)
        ->block("$page:$tried->{line}", $tried->{text});
    $nginx->end;
    is(join('', $nginx->alerts), '', "$name, $when: nothing in the error log");
}

# The tables name every directive of the old configuration, and the old server
# knows every directive that they name.

sub documented {
    my ($name) = @_;

    my %seen;
    my $text = slurp("$root/$page");

    for my $directive ($blocks{$name}{before}{text}
                       =~ /\b((?:nchan|push_stream)_\w+)/g)
    {
        next if $seen{$directive}++;
        like($text, qr/^\|.*`$directive\b.*\|/m, "the table has $directive");
    }

    my $module = $old{$name}[-1][0];
    return unless -e $module;

    my $binary = slurp($module);
    my $prefix = $name =~ tr/-/_/r;
    my @unknown = grep { index($binary, "$_\0") < 0 }
                  $text =~ /[`\$]((?:$prefix)_\w*[a-z])(?!\w|\.\.\.)/g;

    is("@unknown", '', "$name has every directive that the page names");
}
