# The site of the pages: it is built, it can be searched, and a dead link keeps
# it from being built.  (A failure of the network skips the test, by name.)

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use Test::More;

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Pages qw( slurp );

my $root = abs_path(dirname(abs_path(__FILE__)) . '/../..');
my $site = "$root/build/site";
my $said = `'$root/tools/site.sh' 2>&1`;

plan skip_all => $said if $? == 3 << 8;

is($?, 0, 'the site is built without a warning') or diag($said);

for my $page (qw( docs/tutorial docs/backends client/index
                  docs/internals/zone ), 'index')
{
    ok(-s "$site/html/$page.html", "$page is a page");
}

my $found = slurp("$site/html/search/search_index.json");

for my $word ('longpoll_max_unsent', '$longpoll_cursor_NAME', 'useEvents') {
    ok(index($found, $word) >= 0, "a search finds $word");
}

unlike(slurp("$site/html/docs/tutorial.html"),
       qr/<(?:script|link|img)[^>]+(?:src|href)="(?:https?:)?\/\//,
       'a page needs no other server');
like(slurp("$site/html/docs/protocol.html"), qr/<li>\s*<p>413 /,
     'a list keeps its numbers over paragraphs');

for (['docs/variables.md', '(directives.md)'],
     ['docs/variables.md', '(directives.md#nothing)'])
{
    my ($page, $link) = @$_;

    $link =~ s/directives/directory/ unless $link =~ /#/;
    open my $out, '>>', "$site/pages/$page" or die "$page: $!\n";
    print $out "\n[a link]$link\n";
    close $out;

    $said = `'$site/venv/bin/mkdocs' build --strict -f '$site/mkdocs.yml' \\
             -d '$site/wrong' 2>&1`;
    isnt($?, 0, "$link keeps it from being built");
    like($said, qr/variables\.md/, 'and its page is named');
    system 'rm', '-rf', "$site/wrong";

    truncate "$site/pages/$page", (-s "$site/pages/$page")
                                  - length "\n[a link]$link\n";
}

done_testing();
