# tools/pages.pl finds mistakes: the test puts each kind of mistake into a copy
# of the pages and sources, and the tool must name it.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use File::Temp qw( tempdir );
use Test::More;

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Pages qw( slurp );

my $root = abs_path(dirname(abs_path(__FILE__)) . '/../..');
my $dir = tempdir('longpoll-XXXXXX', TMPDIR => 1, CLEANUP => 1);

# The files that tools/pages.pl reads, and those that the links name.

system("cd '$root' && cp -r *.md *.c Makefile LICENSE src docs client demo t"
       . " tools bench '$dir'") == 0 or die "cp: $?\n";

is(said(), '', 'as they are, it has nothing to say');

my $module = 'ngx_http_longpoll_module.c';
my $conf = 'src/conf/ngx_http_longpoll_conf.c';
my $zone = 'src/conf/ngx_http_longpoll_conf_zone.c';
my $figures = 'src/http/ngx_http_longpoll_figures.c';
my $variable = 'src/http/ngx_http_longpoll_variable.c';
my $notify = 'src/worker/ngx_http_longpoll_notify.c';
my $directives = 'docs/directives.md';
my $operations = 'docs/operations.md';

for (
    ['README.md', '(docs/directives.md)', '(docs/directive.md)',
     qr/^README\.md:\d+: no 'docs\/directive\.md'$/m],
    ['README.md', '(docs/variables.md)', '(docs/operations.md)',
     qr/^README\.md: docs\/variables\.md is not in it$/],
    ['docs/protocol.md', '(#the-cursor)', '(#a-cursor)',
     qr/^docs\/protocol\.md:\d+: no heading for '#a-cursor'$/m],
    ['docs/protocol.md', "- [Missed](#missed)\n", '',
     qr/^docs\/protocol\.md: 'Missed' is not in its list of sections$/],
    ['client/README.md', "\n## Listening\n",
     "\n## Listening\n\n[x](../docs/protocol.md#nothing)\n",
     qr/^client\/README\.md:\d+: no heading for '.*#nothing'$/],

    [$directives, '## longpoll_drain', '## longpoll_drains',
     qr/directive longpoll_drain is missing\n.*no directive longpoll_drains$/],
    [$module, 'ngx_string("longpoll_drain")', 'ngx_string("longpoll_drip")',
     qr/directive longpoll_drip is missing/],
    [$directives, "Context:  http\n", "Context:  http, server\n",
     qr/^docs\/directives\.md: longpoll_zone: its Context is 'http'$/],
    [$directives, 'Default:  longpoll_max_timeout 120s;',
     'Default:  longpoll_max_timeout 110s;',
     qr/longpoll_max_timeout: its Default is 'longpoll_max_timeout 120s;'$/],
    [$conf, 'max_response_size, 1024 * 1024', 'max_response_size, 512 * 1024',
     qr/its Default is 'longpoll_max_response_size 0\.5m;'$/],
    [$directives, "Default:  -\nContext:  location\n", "Context:  location\n",
     qr/longpoll_status: no Syntax, Default, Context$/],
    [$directives, "```nginx\nlongpoll_drain 5s;\n```\n", '',
     qr/longpoll_drain: no example$/],

    ['docs/variables.md', '## $longpoll_events', '## $longpoll_event',
     qr/ \$longpoll_events is missing\n.*no variable \$longpoll_event$/],
    [$variable, 'ngx_string("longpoll_result")', 'ngx_string("longpoll_end")',
     qr/variable \$longpoll_end is missing/],
    ['docs/variables.md', '- `closing`:', '- `leaving`:',
     qr/result closing is missing\n.*there is no result leaving$/],

    [$operations, '`longpoll_waiting` |', '`longpoll_parked` |',
     qr/figure waiting, longpoll_waiting is missing/],
    [$operations, '| `evicted` |', '| `pushed` |',
     qr/there is no figure pushed, longpoll_evicted_total/],
    [$figures, '{ "expired", ', '{ "aged", ',
     qr/figure aged, longpoll_expired_total is missing/],
    ['docs/alerts.yml', 'longpoll_refused_total', 'longpoll_refuse_total',
     qr/^docs\/alerts\.yml: there is no metric longpoll_refuse_total$/],
    ['docs/grafana.json', 'sum(longpoll_waiting{', 'sum(longpoll_wait{',
     qr/^docs\/grafana\.json: there is no metric longpoll_wait$/],
    ['docs/grafana.json', 'longpoll_refused_total', 'longpoll_missed_total',
     qr/^docs\/grafana\.json: longpoll_refused_total is missing$/],

    [$zone, '"duplicate %V ', '"another %V ',
     qr/not among the mistakes: another %V "%V", each .*\n.*with: duplicate lon/],
    [$zone, '"a number from 0 to 100"', '"a number from 0 to 99"',
     qr/not among the mistakes: invalid .*0 to 99\n.*with: .* 0 to 100$/],
    [$conf, 'must be at least 1s', 'must be 1s or more',
     qr/mistakes: "%V" directive must be 1s or more\n.*with: "longpoll_max_t/],
    ['src/conf/ngx_http_longpoll_conf_redis.c', 'cannot be read, ', 'is shut, ',
     qr/not among the mistakes: the file .* is shut, .*\n.* is refused with: /],
    [$operations, '| `unknown zone "evens"', '| `no zone "evens"',
     qr/not among the mistakes: unknown zone .*\n.* refused with: no zone "ev/],

    [$notify, 'forgetting the polls of', 'losing the polls of',
     qr/not in its log: \[notice\] longpoll: losing .*\n.*nobody logs: /],
    [$operations, 'this one looks for events ten', 'this one looks ten',
     qr/not in its log: \[warn\] .*\n.*nobody logs: longpoll: more than 64/],
) {
    my ($file, $from, $to, $message) = @$_;

    my $text = slurp("$dir/$file");
    my $at = index $text, $from;

    if ($at < 0) {
        fail("$file has '$from'");
        next;
    }

    my $wrong = $text;
    substr $wrong, $at, length $from, $to;
    write_file("$dir/$file", $wrong);

    (my $name = $from) =~ s/\n.*//s;
    like(said(), $message, "$file: another '$name' is noticed");

    write_file("$dir/$file", $text);
}

unlike(said(), qr/./, 'and all of it is as it was');

done_testing();


sub said {
    chomp(my $said = `'$^X' '$dir/tools/pages.pl' 2>&1`);
    return $said;
}

sub write_file {
    my ($file, $text) = @_;

    open my $out, '>', $file or die "$file: $!\n";
    print $out $text;
    close $out or die "$file: $!\n";
}
