package Longpoll::Axe;

# axe-core, from npm, finds what keeps people from using a page: contrast, names,
# roles, the keyboard.
#
#     accessible($window, $what);       # a check of the page, light and dark
#
# Without npm the check is skipped, by name.

use strict;
use warnings;

use Exporter qw( import );
use Test::More ();

use Longpoll::Npm ();
use Longpoll::Pages qw( slurp );

our @EXPORT_OK = qw( accessible );

my ($missing, $source);


sub accessible {
    my ($window, $what) = @_;

    $missing //= Longpoll::Npm::missing() // '';
    $source //= slurp(Longpoll::Npm::file('axe-core/axe.min.js'))
        unless $missing;

    SKIP: {
        Test::More::skip("axe-core: $missing", 1) if $missing;

        Test::More::is(join('', map { found($window, $_) } qw( light dark )),
                       '', "$what: axe-core finds nothing");
    }
}

sub found {
    my ($window, $scheme) = @_;

    $window->cdp('Emulation.setEmulatedMedia', { features =>
        [{ name => 'prefers-color-scheme', value => $scheme }] });
    $window->run($source);

    return join '', map { "$scheme: $_\n" }
           @{ $window->run_async(<<'_EOC_') };
        axe.run(document, { resultTypes: ["violations"] }).then(
          ({ violations }) => done(violations.flatMap(
            ({ id, nodes }) => nodes.map(
              ({ html, any }) => `${id}: ${html} ${any[0]?.message ?? ""}`))),
          error => done([String(error)]));
_EOC_
}


1;
