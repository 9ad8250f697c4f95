# The dashboard in a browser, on a server of its own, as docs/operations.md
# installs it: real polls, events and time-outs, a reload, nginx stopped and
# started.  No test can have a hundred thousand polls for an hour.  For these a
# script answers in nginx's place, and the test checks that the page draws them
# in the right places and that they fit.
#
# With LONGPOLL_SCREENSHOTS=DIR the test writes pictures there, with no polls,
# with a hundred thousand, and with a Redis that is gone, on a phone and on a
# desktop, light and dark.

use strict;
use warnings;
use utf8;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use JSON::PP ();
use Test::More;

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Axe qw( accessible );
use Longpoll::Browser ();
use Longpoll::Client ();
use Longpoll::Server ();

my $root = abs_path(dirname(abs_path(__FILE__)) . '/../..');
my $missing = Longpoll::Browser->missing;

plan skip_all => $missing if $missing;

binmode $_, ':encoding(UTF-8)'
    for map { Test::More->builder->$_ } qw( output failure_output );

my ($block) = slurp("$root/docs/operations.md")
    =~ /^```nginx\n(location \/dashboard\/ \{.*?^\})$/ms;

ok($block, 'docs/operations.md says how to install it');
$block =~ s{/var/www/}{html/};

# a category whose name looks like a tag

my $tag = '<b>bold</b>';
my $server = Longpoll::Server->start(
    http   => "longpoll_zone zone=events:1m;\nlongpoll_zone zone=$tag:64k;\n"
              . "longpoll_zone zone=here:1m presence=online;\n",
    server => <<"_EOC_",
$block
        location = /events  { longpoll_subscribe events; }
        location = /publish { longpoll_publish   events; }
        location = /here { longpoll_subscribe here; }
        location = /dashboard/list/here { longpoll_status here; }
        location = /small   { longpoll_subscribe $tag; longpoll_publish $tag;
                              longpoll_category small; }
_EOC_
    files  => { map { ("html/dashboard/" . basename_of($_) => $_) }
                glob "$root/demo/dashboard/*" },
);
my $url = $server->url('/dashboard/');
my $browser = Longpoll::Browser->start;
my $window = $browser->window;
my @parked;


# the page with real figures

$window->size(1440, 900);
$window->open($url);
shows('waiting', '0', 'nobody waits');
choose('events');
shows('used', '0%', 'an empty zone');
choose('');
Longpoll::Client->new(port => $server->port)
    ->send(join "\r\n", 'POST /small HTTP/1.1', 'Host: a',
           'Content-Length: 10000', '', 'x' x 10_000);
Longpoll::Server::wait_until('an event', sub {
    $server->status($tag)->{events} == 1
});
my $small = $server->status($tag);

shows('used', sprintf('%.0f%%', 100 * $small->{used} / $small->{size}),
      'the fullest zone');
is(foot('used'), "of 64 kB · $tag, the fullest", 'and its name');

park(7);
shows('waiting', '7', 'parked polls are counted');
push @parked, get('/small?timeout=100');
$server->wait_waiting(8);
shows('waiting', '8', 'in all zones');
choose($tag);
shows('waiting', '1', 'or in one of them, whatever its name');
is($window->run('return document.querySelectorAll(".dashboard b").length'), 0,
   'which is no tag');
choose('events');
shows('waiting', '7', 'or in the other');
is(cell('polls parked'), '7', 'and in the table');

# the others come when only the other zone's poll waits: one may get two events

$server->publish('c', 1);
$server->wait_waiting(1);
$server->publish('c', 1) for 1 .. 2;
appears('published', '3 in all', 'events are counted');
appears('delivered', '7 in all', 'and deliveries, one for each poll');
shows('events', '3', 'and what is stored');
ok($window->run('return Number(/at most ([\d.]+)/.exec(document.querySelector('
                . '"[data-key=delivered] .foot").textContent)[1]) > 0'),
   'there was a rate');
shows('delivered', '0', 'which is over');
$_->sock->close for splice @parked;
$server->wait_waiting(0);
my $short = get('/events?category=t&timeout=1');
appears('timeouts', '1 in all', 'a time-out is counted');


# a reload

$window->run(<<'_EOC_');
    window.said = [];
    new MutationObserver(() => said.push(
        document.querySelector(".state").textContent)
    ).observe(document.querySelector(".state"),
              { childList: true, subtree: true, characterData: true });
_EOC_

park(5);
shows('waiting', '5', 'five wait');
$server->reload;
$server->wait_waiting(0);
shows('waiting', '0', 'their worker leaves');
$_->sock->close for splice @parked;
park(6);
shows('waiting', '6', 'and polls come to the new worker');
appears('published', '3 in all', 'the counters continue');
is_deeply($window->run('return said'), [], 'the page has noticed nothing');
is(holes('waiting'), 1, 'and has no hole');


# nginx is stopped and started

$server->stop;
$window->wait_for('/^nginx does not answer, for \d+ s$/.test('
                  . 'document.querySelector(".state").textContent)',
                  'the page to notice');
shows('waiting', "\x{2013}", 'no number is made up');
is($window->run('return getComputedStyle(document.querySelector(".state"))'
                . '.backgroundColor'), 'rgb(179, 49, 43)', 'and it is red');
accessible($window, 'nginx gone');
pictures('gone', 390, 844);
pictures('gone', 1440, 900);
display(1440, 900, 'light');
$server->start_again;
shows('waiting', '0', 'the dashboard shows the new nginx');
is($window->find('.state')->text, 'live', 'and says so');
is(holes('waiting'), 2, 'the time without nginx is a hole');
ok($window->run('return [...document.querySelectorAll(".line")].every('
                . 'e => !/NaN|Infinity/.test(e.getAttribute("d")))'),
   'numbers everywhere');


# the categories of a zone

choose('');
$window->wait_for('document.querySelector(".categories .foot").textContent'
                  . ' === "choose a zone"', 'the zones');
choose('events');
$server->publish("room:$_", 1) for 1 .. 60;
$server->publish('user:ann', $_) for 1 .. 2;
push @parked, get('/events?category=user:bob&timeout=100');
$server->wait_waiting(1);

list('');
like(rows(), qr/^50 /, 'a page of categories');
$window->run('[...document.querySelectorAll(".categories form button")][1]'
             . '.click()');
$window->wait_for('document.querySelectorAll(".categories tbody tr").length'
                  . ' === 12', 'the next page');
pass('and the next page has the rest');

list('user:');
$window->wait_for('document.querySelectorAll(".categories tbody tr").length'
                  . ' === 2', 'two of them');
like(rows(), qr{^2 .*\buser:ann/2/0/}, 'one with two events');
accessible($window, 'a list of categories');

choose('here');
push @parked, get('/here?category=cat&timeout=100');
$server->wait_waiting(2);
list('cat');
$window->wait_for('document.querySelectorAll(".categories tbody tr").length'
                  . ' === 1', 'one that is present');
like(rows(), qr{^1 cat/0/1/–/yes$}, 'who is present in a zone with presence');
choose('events');
list('user:');
$window->wait_for('document.querySelectorAll(".categories tbody tr").length'
                  . ' === 2', 'two of them');
like(rows(), qr{\buser:bob/0/1/–}, 'and one that a poll waits for');

$window->run('[...document.querySelectorAll(".categories tbody button")].find('
             . 'e => e.textContent === "user:ann").click()');
$window->wait_for('/^user:ann: 2 events, 0 waiting/.test('
                  . 'document.querySelector(".categories .one").textContent)',
                  'a look into it');
$server->publish('user:ann', 3);
$window->wait_for('/^user:ann: 3 events/.test('
                  . 'document.querySelector(".categories .one").textContent)',
                  'a third event');
pass('a category that is looked into is asked for again');


# values read from the plots

$window->find('[data-key=waiting] svg')->type("\x{E012}\x{E012}");
like($window->wait_for('/\d+ s ago/.test(document.querySelector('
                       . '"[data-key=delivered] .foot").textContent)'
                       . ' && document.querySelector("[data-key=delivered]'
                       . ' .foot").textContent', 'the past'),
     qr/^\d+ s ago$/, 'the keyboard goes back in time, in all plots');

my @calls = (
    ['rates', 'figures', <<'_EOC_', [3, 1.5, undef, undef, undef, 0]],
        const h = new m.History();
        const at = (time, published) => h.add(time, published === undefined
          ? undefined : { a: { published }, b: { published: 10 * published } });
        at(1, 0); at(2, 3); at(4, 6); at(5); at(6, 7); at(7, 1); at(8, 1);
        done(h.rate("published", "a").map(point => point.value));
_EOC_
    ['a gauge, held', 'figures', <<'_EOC_', [7, 7, 7, 7, 2, undef, 3]],
        const h = new m.History();
        [7, 7, 0, 2, 2, undefined, 3].forEach((waiting, i) => h.add(i,
          waiting === undefined ? waiting : { a: { waiting } }));
        done(h.held("waiting", "a").map(point => point.value));
_EOC_
    ['the rest of it', 'figures', <<'_EOC_', [7, 2]],
        const h = new m.History();
        [7, 0, 2, 1].forEach((waiting, i) => h.add(i, { a: { waiting } }));
        done(h.held("waiting", "a", 2).map(point => point.value));
_EOC_
    ['their sum', 'figures', <<'_EOC_', [33, undef, 0]],
        const h = new m.History();
        const at = (time, a, b) => h.add(time, { a: { published: a },
                                                 b: { published: b } });
        at(1, 0, 0); at(2, 3, 30); at(3, 1, 90); at(4, 1, 90);
        done(h.rate("published").map(point => point.value));
_EOC_
    ['a figure of a disk', 'figures', <<'_EOC_', [3, undef, undef]],
        const zones = { a: { disk: { lag_ms: 3 } }, b: {} };
        done(["a", "b", ""].map(name => m.value(zones, "disk.lag_ms", name)));
_EOC_
    ['what is wrong', 'figures', <<'_EOC_',
        done(m.troubles({
          a: {}, b: { disk: { ok: true } }, c: { disk: { ok: false } },
          d: { redis: { connected: 1, synced: 1 } },
          e: { redis: { connected: 0, synced: 1 } },
          f: { redis: { connected: 1, synced: 0 } },
        }));
_EOC_
     ['c: not all events are on disk', 'e: no connection to Redis',
      'f: still reads from Redis']],
    ['the hour', 'figures', <<'_EOC_', [3700, 5000, 120]],
        const h = new m.History();
        for (let i = 1; i <= 5000; i++) h.add(i, { a: { published: i } });
        done([h.samples.length, h.last.time,
              h.rate("published", "a", 4881).length]);
_EOC_
    ['round scales', 'plot', <<'_EOC_', [1, 1, 2, 4, 20, 100000, 200000, 0.4]],
        done([0, 1, 2, 3, 11, 100000, 100001].map(n => m.ceiling(n, true))
             .concat(m.ceiling(0.3)));
_EOC_
    ['short numbers', 'plot', <<'_EOC_',
        done([0, 0.05, 0.5, 12, 999, 1000, 1500, 99999, 100000, 999999, 2.5e7]
             .map(m.short));
_EOC_
     [qw( 0 0.05 0.5 12 999 1k 1.5k 100k 100k 1M 25M )]],
);

for (@calls) {
    my ($name, $module, $js, $expected) = @$_;

    is_deeply($window->run_async("import('${url}$module.js').then(m => {$js})"
                                 . '.catch(error => done(String(error)))'),
              $expected, $name);
}

is_deeply([grep { !/^chrome:| net::ERR_|Failed to load/ }
           map { $_->{message} } $window->console], [],
          'the console is silent');


# no polls, a hundred thousand, and no Redis

for (['zero', '', '0'],
     ['cut', <<'_EOC_', '7', 'events: no connection to Redis'],
        z.waiting = 7;
        z.redis = { connected: n < 60 ? 1 : 0, synced: 1, in_flight: 0,
                    lag_ms: n < 60 ? 250 : 1000 * (n - 60), reconnects: 12,
                    lives: 1, gaps: 0, bad: 0 };
_EOC_
     ['many', <<'_EOC_', '100,000'])
        const w = n % 40 < 20 ? 1 : 0.7;
        z.waiting = n < 90 ? Math.round(1e5 * w) : 100000;
        z.published += 3;
        z.delivered += Math.round(3e5 * w);
        z.timeouts += Math.round(2200 * w);
        z.events = 284682;
        z.used = 66e6;
        if (n % 40 < 3) { z.missed += 120; z.evicted += 4400; }
        if (n > 30 && n < 40) throw new TypeError("gone");
_EOC_
{
    my ($name, $js, $waiting, $state) = @$_;
    my $pretended = pretend($js);

    for my $size ([390, 844], [1440, 900]) {
        display(@$size, 'light');
        $window->open($url);
        $window->wait_for('window.asked > 125', 'two minutes');
        shows('waiting', $waiting, "$name, $size->[0] wide");
        is($window->find('.state')->text, $state // 'live', 'the state');
        is($window->run('return [...document.querySelectorAll("tbody th")]'
                        . '.filter(e => /^Redis/.test(e.textContent)).length'),
           $state ? 6 : 0, 'figures of Redis, where there is one');
        is_deeply($window->run(misfits()), [], 'every element fits');
        is_deeply($window->run(beyond()), [], 'what is bad is on the screen');
        is($window->run(orphans()), 0, 'no row of cards is shorter');
        pictures($name, @$size);
    }

    $window->cdp('Page.removeScriptToEvaluateOnNewDocument',
                 { identifier => $pretended });
}

$browser->end;
$server->stop;
is_deeply([$server->alerts], [], 'the error log has no alerts');

done_testing();


sub slurp {
    my ($file) = @_;

    open my $fh, '<:encoding(UTF-8)', $file or die "$file: $!\n";
    local $/;
    return scalar <$fh>;
}

sub basename_of { (split m{/}, $_[0])[-1] }

sub get {
    my ($uri) = @_;
    my $client = Longpoll::Client->new(port => $server->port);

    $client->send("GET $uri HTTP/1.1\r\nHost: a\r\n\r\n");
    return $client;
}

sub park {
    my ($n) = @_;

    push @parked, get('/events?category=c&timeout=100') for 1 .. $n;
    $server->wait_waiting($n);
}


# the text of an element on the page

sub part { "document.querySelector('[data-key=$_[0]] .$_[1]').textContent" }

sub shows {
    my ($key, $text, $what) = @_;
    my $json = JSON::PP->new->allow_nonref->encode($text);
    my $came = eval { $window->wait_for(part($key, 'now') . " === $json") };

    is($window->run('return ' . part($key, 'now')), $text, $what);
}

sub foot { $window->run('return ' . part($_[0], 'foot')) }

sub appears {
    my ($key, $text, $what) = @_;

    eval { $window->wait_for(part($key, 'foot') . ".endsWith('$text')") };
    like(foot($key), qr/\Q$text\E$/, $what);
}

sub choose {
    $window->run(<<'_EOC_', @_);
        const select = document.querySelector("select[aria-label=Zone]");
        select.value = arguments[0];
        select.dispatchEvent(new Event("change"));
_EOC_
}

# Asks for the first page of names that begin so.

sub list {
    $window->run(<<'_EOC_', @_);
        document.querySelector(".categories input").value = arguments[0];
        document.querySelector(".categories form").requestSubmit();
_EOC_
    $window->wait_for('document.querySelector(".categories .foot").textContent'
                      . ' === ""', 'the page');
}

# The number of rows, and what they show.

sub rows {
    return $window->run(<<'_EOC_');
        const rows = [...document.querySelectorAll(".categories tbody tr")];

        return rows.length + " " + rows.map(row => [...row.cells].map(
            cell => cell.textContent).join("/")).join(" ");
_EOC_
}

sub cell {
    return $window->run(<<'_EOC_', @_);
        return [...document.querySelectorAll("tbody tr")].find(
          row => row.cells[0].textContent === arguments[0])
          .cells[1].textContent;
_EOC_
}

# the number of pieces of a line

sub holes {
    return $window->run('return document.querySelector(arguments[0])'
                        . '.getAttribute("d").split("M").length - 1',
                        "[data-key=$_[0]] .line");
}

# Lets two minutes pass at once.  The page uses its own clock and timers, which
# this replaces, and nginx's answers come from $js.

sub pretend {
    my ($js) = @_;
    my $source = <<"_EOC_";
{
  const { fetch, setTimeout } = window, now = performance.now.bind(performance);
  const z = { size: 67108864, used: 14e6 };
  let n = 0;

  for (const key of ["categories", "events", "waiting", "published",
                     "delivered", "timeouts", "missed", "evicted", "expired",
                     "trimmed", "refused", "disconnected"]) z[key] = 0;

  // not the one that would end a fetch
  window.setTimeout = (f, ms, ...rest) =>
    setTimeout(f, ms > 5000 || n > 125 ? ms : 0, ...rest);
  Object.defineProperty(document, "hidden", { get: () => n < 125 });
  performance.now = () => 1000 * n;
  window.fetch = async () => {
    window.asked = ++n;
    $js
    return new Response(JSON.stringify({ zones: { events: z } }));
  };
}
_EOC_

    return $window->cdp('Page.addScriptToEvaluateOnNewDocument',
                        { source => $source })->{identifier};
}

# elements that are wider than their box, or that cover another one

sub misfits {
    return <<'_EOC_';
        const out = [];
        const apart = (a, b) => a.right <= b.left || b.right <= a.left
                                || a.bottom <= b.top || b.bottom <= a.top;

        if (document.documentElement.scrollWidth > innerWidth) out.push("page");

        for (const card of document.querySelectorAll(".card")) {
          const place = card.getBoundingClientRect();
          const all = card.querySelectorAll("h3, .now, .unit, .foot, text");
          const texts = [...all]
            .map(e => [e.textContent, e.getBoundingClientRect()])
            .filter(([text]) => text);

          texts.forEach(([text, box], i) => {
            if (box.left < place.left || box.right > place.right) {
              out.push(`${text} is outside`);
            }
            for (const [other, there] of texts.slice(i + 1)) {
              if (!apart(box, there)) out.push(`${text} over ${other}`);
            }
          });

          const { height } = card.querySelector(".area").getBBox();
          if (height > 94.1) out.push(`${texts[0][0]}: above its scale`);
        }
        return out;
_EOC_
}

# cards of what should not happen, below the first screen

sub beyond {
    return <<'_EOC_';
        return ["missed", "evicted"].filter(key => document.querySelector(
          `[data-key=${key}]`).getBoundingClientRect().bottom > innerHeight);
_EOC_
}

# the places of the last row that no card has

sub orphans {
    return <<'_EOC_';
        const cards = [...document.querySelectorAll(".card")];
        const columns = new Set(cards.map(c => c.getBoundingClientRect().x));

        return cards.length % columns.size;
_EOC_
}

sub display {
    my ($width, $height, $scheme) = @_;

    $window->cdp('Emulation.setEmulatedMedia', { features =>
        [{ name => 'prefers-color-scheme', value => $scheme }] });
    $window->cdp('Emulation.setDeviceMetricsOverride',
                 { width => $width, height => $height, deviceScaleFactor => 1,
                   mobile => JSON::PP::false });
    $window->run_async('requestAnimationFrame(() =>'
                       . ' requestAnimationFrame(done))');
}

sub pictures {
    my ($name, $width, $height) = @_;

    return unless $ENV{LONGPOLL_SCREENSHOTS};

    for my $scheme (qw( light dark )) {
        display($width, $height, $scheme);
        $window->screenshot(
            "$ENV{LONGPOLL_SCREENSHOTS}/dashboard-$name-$width-$scheme.png");
    }
}
