# The React hook that docs/backends.md names, in a page with React, in a browser:
# it shows events as they come, follows the category that it is given, and leaves
# with its component.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( basename dirname );
use Test::More;

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Browser ();
use Longpoll::Npm ();
use Longpoll::Server qw( wait_until );

my $root = abs_path(dirname(abs_path(__FILE__)) . '/../..');
my $missing = Longpoll::Browser->missing // Longpoll::Npm::missing();

plan skip_all => $missing if $missing;

my $page = <<'_EOC_';
<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>react</title>
<link rel="icon" href="data:,">
<script src="/react.js"></script>
<script src="/react-dom.js"></script>
<script type="importmap">
{ "imports": { "react": "/hooks.js", "nginx-longpoll": "/client/longpoll.js" } }
</script>
<div id="page"></div>
<script type="module">
import { useEvents } from "/useEvents.js";

const h = React.createElement;
const root = ReactDOM.createRoot(document.getElementById("page"));

function Farm({ category }) {
  const [heard, hear] = React.useState([]);
  const state = useEvents(category, "beginning", {
    onEvent: ({ data }) => hear(heard => [...heard, data]),
    onMissed: () => hear(heard => [...heard, "missed"]),
  });

  return h("p", null, `${category} ${state}: ${heard.join(" ")}`);
}

window.show = category =>
  root.render(category && h(React.StrictMode, null, h(Farm, { category })));
</script>
</html>
_EOC_

my $server = Longpoll::Server->start(
    http => "    longpoll_zone zone=events:1m buffer=3;\n",
    server => <<'_EOC_',
        location = /events  { longpoll_subscribe events; }
        location = /publish { longpoll_publish   events; }
_EOC_
    files => {
        'html/page.html' => \$page,
        'html/hooks.js' => \("export const { useEffect, useRef, useState }"
                             . " = window.React;\n"),
        'html/useEvents.js' => "$root/demo/backends/react/useEvents.js",
        map({ ("html/$_.js" =>
               Longpoll::Npm::file("$_/umd/$_.development.js")) }
            qw( react react-dom )),
        map({ ('html/client/' . basename($_) => $_) } glob "$root/client/*.js"),
    });
my $browser = Longpoll::Browser->start;
my $window = $browser->window;

$window->open($server->url('/page.html'));
$window->wait_for('window.show', 'the script');

$server->publish('farm', '"moo"');
$window->run('show("farm")');
shows('farm listening: moo', 'it begins where it is told to');
$server->wait_waiting(1);
$server->publish('farm', qq("$_")) for qw( oink baa );
shows('farm listening: moo oink baa', 'and goes on with what comes');

$server->publish('zoo', '"roar"');
$window->run('show("zoo")');
shows('zoo listening: moo oink baa roar', 'another category');
$server->wait_waiting(1);
is($server->waiting, 1, 'in place of the first one');

$server->stop;
$server->start_again;
$server->publish('zoo', '"hiss"');
shows('zoo listening: moo oink baa roar missed hiss', 'missed comes in order');

$window->run('show(null)');
$server->wait_waiting(0);
pass('the component takes its connection along');

is_deeply([grep { !/^chrome:|net::ERR_|React DevTools/ }
           map { $_->{message} } $window->console], [],
          'the console is silent');

$browser->end;
$server->end;
is_deeply([$server->alerts], [], 'no alert in the error log');

done_testing();


sub shows {
    my ($text, $what) = @_;

    my $shown;

    eval {
        wait_until($what, sub {
            $shown = $window->run('return document.getElementById("page")'
                                  . '.textContent');
            $shown eq $text;
        });
    };
    is($shown, $text, $what);
}
