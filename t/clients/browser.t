# golongpoll's own JavaScript client, unmodified, in a headless Chromium against
# an nginx with two workers.
#
# The client is js-client/client.js of the Go module that golongpoll publishes.
# Go fetches it when the test runs; no file here contains it.  The page below
# records the events of its clients, and their messages on the console
# (loggingEnabled).  These messages show the moment when a client has read a
# time-out and has not polled again.
#
# Without Chromium, or without the client, the test is skipped, and says so.
#
# Nothing sleeps: the server's status says when a poll is parked, the page shows
# the events.  A browser opens six connections to a server, for all its windows
# together; so no more than five polls are parked at a time.  Of two equal GETs
# the browser sends the second only after the answer to the first, since that
# answer might be cacheable.  So of several clients with one cursor, only one
# poll is parked, and the others follow it.

use strict;
use warnings;
use utf8;

use Cwd qw( abs_path );
use Digest::SHA ();
use File::Basename qw( dirname );
use File::Temp qw( tempdir );
use IO::Select ();
use JSON::PP ();
use POSIX ();
use Test::More;
use Time::HiRes ();

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Browser ();
use Longpoll::Server qw( wait_until );

my $module = 'github.com/jcuga/golongpoll';
my $version = 'v1.3.0';
my $zip_sum = 'h1:00lQC7C1a/4YcGnWcdWi1YzJYfat1Hal2+Cnlvgyado=';
my $mod_sum = 'h1:1ijFh83w68ylU44F+xSEyrXChP/7NnoAvgCVHWMggWA=';
my $file_sum =
    '42c9021edcb38a6387387b9c63bece5d5ebfea22f8267cebef4718c4f2fdff38';

my $page = <<'_EOC_';
<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>clients</title>
<link rel="icon" href="data:,">
<script src="client.js"></script>
<script>
"use strict";

// Of each client by its name: the events and failures that it reported, what it
// said on the console, and what happens at a time-out.
const got = {};

const log = console.log;

console.log = line => {
  for (const g of Object.values(got)) {
    const head = `golongpoll client["${g.category}"]: `;
    if (!line.startsWith(head)) continue;
    const said = line.slice(head.length);
    g.said.push(said);
    if (said === "no events, requesting again." && g.onTimeout) g.onTimeout();
  }
  log(line);
};

function listen(name, options = {}) {
  const g = got[name] = { events: [], failures: [], said: [],
                          category: options.category, goOn: true, ...options };

  g.client = golongpoll.newClient({
    subscribeUrl: "/events", publishUrl: "/publish",
    loggingEnabled: true, reattemptWaitSeconds: 1,
    ...options,
    onEvent(event) {
      g.events.push(event);
      if (g.onEvent) g.onEvent(event);
    },
    onFailure(error) {
      g.failures.push(error);
      return g.goOn;
    },
  });

  return g.client !== null;
}

const timeouts = g =>
  g.said.filter(line => line === "no events, requesting again.").length;

// at once, while everything else in this page stands still
function publishNow(category, data) {
  const request = new XMLHttpRequest();
  request.open("POST", "/publish", false);
  request.send(JSON.stringify({ category, data }));
  if (request.status !== 200) throw new Error(request.responseText);
}

// the polls for a category, as the browser timed them
performance.setResourceTimingBufferSize(10000);
const polls = category => performance.getEntriesByType("resource").filter(
  entry => new URL(entry.name).searchParams.get("category") === category);
</script>
</html>
_EOC_

my $http = <<'_EOC_';
    longpoll_zone zone=events:8m buffer=5000;
_EOC_

my $locations = <<'_EOC_';
        location = /events  { longpoll_subscribe events; }
        location = /publish { longpoll_publish   events; }

        location = /short {
            longpoll_subscribe events;
            longpoll_max_timeout 50s;
        }

        location = /strict {
            longpoll_subscribe events;
            longpoll_error_status 400;
        }

        location = /closed {
            longpoll_subscribe events;
            longpoll_publish   events;
            deny all;
        }

        location = /keyed {
            longpoll_subscribe events;
            longpoll_publish   events;
            if ($http_x_farm_key != "barn door") { return 403; }
            if ($http_x_second   != "two")       { return 403; }
        }

        location = /private {
            longpoll_subscribe events;
            longpoll_publish   events;
            auth_basic           "farm";
            auth_basic_user_file users;

            # With 401 the browser would ask for another password.
            error_page 401 =403 @refused;
        }

        location @refused { return 403; }
_EOC_

my @kinds = (
    '"oink"', '""', '"two\nlines\tand \"quotes\" \\\\ \/"',
    '"Grüße, 世界, 🐄, \u00e9 \ud83d\udc04 \u0000 \u2028"',
    '0', '-0', '42', '-1.5e-7', '9007199254740991', '2.50', '1e300',
    'true', 'false', '[]', '{}', '[1,[2,[3,{"a":[null]}]]]',
    '{"moo":null,"":"empty","ключ":{"x":[true,false]}}',
    '{"__proto__":1,"toString":2,"b":1,"a":2}',
    '"</script><script>document.title = \"taken over\"</script>"',
    '"<img src=x onerror=\"document.title = 1\"> &amp; &lt;b&gt;"',
);

my ($browser, $server, $window, @others);
my $serial = 0;


# The client: its path, or the reason why it is missing.  Go has the checksums,
# and so asks no other server for them.

sub client_js {
    my $tool = abs_path(dirname(abs_path(__FILE__)) . '/../../tools/go.sh');

    chomp(my $go = `'$tool' 1.16`);
    return (undef, 'there is no go to fetch it') if $? or $go eq '';

    my $dir = tempdir(CLEANUP => 1);
    my $said = '';

    Longpoll::Server::spew("$dir/go.mod", "module client\n\ngo 1.16\n");
    Longpoll::Server::spew("$dir/go.sum", "$module $version $zip_sum\n"
                           . "$module $version/go.mod $mod_sum\n");

    for my $wait (2, 10, 0) {
        $said = `cd '$dir' && exec timeout 120 '$go' mod download -json \\
                 $module\@$version 2>&1`;

        my ($path) = $said =~ /^\s*"Dir":\s*("(?:[^"\\]|\\.)+")/m;

        return JSON::PP->new->utf8->allow_nonref->decode($path)
               . '/js-client/client.js' if $? == 0 and defined $path;

        last if $said =~ /checksum mismatch/;
        sleep $wait;            # for a network that stumbles
    }

    return (undef, $said);
}


sub category {
    my ($word) = @_;

    return sprintf '%s-%d-%d', $word // 'cat', $$, ++$serial;
}

# Starts a client in a window.

sub listen_in {
    my ($w, $name, %options) = @_;

    $w->run('return listen(arguments[0], arguments[1])', $name, \%options)
        or die "the client does not take these options\n";
}

sub listener { listen_in($window, @_) }

sub wait_events {
    my ($w, $name, $n) = @_;

    $w->wait_for("got.$name.events.length >= $n", "$n events of $name");
}

# The events and messages of a client.

sub events { $_[0]->run("return got.$_[1].events") }
sub ids { [ map { $_->{id} } @{ events(@_) } ] }
sub failures { $window->run("return got.$_[0].failures") }

sub data {
    my ($w, $name) = @_;
    return $w->run("return got.$name.events.map(e => JSON.stringify(e.data))");
}

sub as_page_reads {
    return $window->run(
        'return arguments[0].map(t => JSON.stringify(JSON.parse(t)))', [ @_ ]);
}


# A second window, for the parts that need one.

sub other_window {
    push @others, $browser->new_window;
    $others[-1]->open($server->url('/page.html'));
    return $others[-1];
}


# One part of the test, with a page of its own.  At its end the console may only
# have allowed messages, and no poll may be parked.

sub part {
    my ($title, $code, %o) = @_;

    note($title);

    eval {
        $window->open($server->url('/page.html'));
        $window->console;
        $code->($title);
        1;
    } or fail("$title: it ran to its end") or diag($@);

    my $allowed = $o{allowed} // qr/^(?!)/;
    my @wrong = grep { $_ !~ $allowed }
                map { $_->{message} } grep { $_->{level} eq 'SEVERE' }
                map { $_->console } $window, @others;

    is_deeply(\@wrong, [], "$title: nothing is wrong on the console");

    eval {
        $_->close for splice @others;
        $window->open('about:blank');
        $server->wait_waiting(0);
        1;
    } or fail("$title: no poll is left waiting") or diag($@);
}


sub main {
    my $missing = Longpoll::Browser->missing;

    plan skip_all => "Chromium: $missing" if defined $missing;

    my ($client, $why) = client_js();

    if (!defined $client) {
        die $why if $why =~ /checksum mismatch/;
        diag($why);
        plan skip_all => "golongpoll's client.js could not be fetched";
    }

    is(Digest::SHA->new(256)->addfile($client)->hexdigest, $file_sum,
       "client.js is golongpoll's own");

    $server = Longpoll::Server->start(
        http => $http, server => $locations,
        files => { 'html/page.html' => \$page, 'html/client.js' => $client,
                   users => \"cow:{PLAIN}mööh & more\n" });

    $browser = Longpoll::Browser->start;
    $window = $browser->window;
    diag('Chromium ' . $browser->version);

    parts();

    is_deeply([ grep { !/ exited on signal 9$/ } $server->alerts ], [],
              'no other alert in the error log');
    done_testing();
}


sub parts {

part 'events' => sub {
    my ($title) = @_;
    my $cat = category('a&b=c +%<i>"é');
    my $before = int(1000 * Time::HiRes::time());

    listener('a', category => $cat);
    $server->wait_waiting(1);

    my @ids = map { $server->publish($cat, $_) } @kinds;

    wait_events($window, 'a', scalar @kinds);

    my $events = events($window, 'a');
    my $after = int(1000 * Time::HiRes::time());

    is_deeply(ids($window, 'a'), \@ids, "$title: each event, once, in order");
    is_deeply(data($window, 'a'), as_page_reads(@kinds),
              "$title: data of every kind");
    is_deeply([ grep { $_->{category} ne $cat } @$events ], [],
              "$title: the category");
    is_deeply([ grep { $_->{timestamp} < $before or $_->{timestamp} > $after }
                @$events ], [], "$title: the time");
    is_deeply($window->run('return [got.a.client.sinceTime,
                                    got.a.client.lastId]'),
              [ $events->[-1]{timestamp}, $ids[-1] ],
              "$title: the client's cursor has moved");
    is($window->title, 'clients', "$title: no data was read as HTML");
    is_deeply(failures('a'), [], "$title: no failure");
};


part 'past events' => sub {
    my ($title) = @_;
    my $cat = category();
    my @ids = map { $server->publish($cat, $_) } 1 .. 50;

    listener('all', category => $cat, sinceTime => 1);
    wait_events($window, 'all', 50);
    is_deeply(ids($window, 'all'), \@ids,
              "$title: a client from the beginning gets all");

    my $event = events($window, 'all')->[19];

    # With another time-out its polls differ from those of the first client.

    listener('rest', category => $cat, sinceTime => $event->{timestamp},
             lastId => $event->{id}, pollTimeoutSeconds => 44);
    wait_events($window, 'rest', 30);

    listener('none', category => $cat);
    $server->wait_waiting(3);
    push @ids, $server->publish($cat, '"new"');

    wait_events($window, $_->[0], $_->[1])
        for [ all => 51 ], [ rest => 31 ], [ none => 1 ];

    is_deeply(ids($window, 'all'), \@ids, "$title: and then the new one");
    is_deeply(ids($window, 'rest'), [ @ids[20 .. 50] ],
              "$title: a client with a cursor gets those behind it");
    is_deeply(ids($window, 'none'), [ $ids[50] ],
              "$title: a client that begins now gets none of them");
};


part 'many events over two reloads' => sub {
    my ($title) = @_;
    my $cat = category();
    my $n = 1500;
    my $other = other_window();

    listen_in($_, 'a', category => $cat) for $window, $other;
    $server->wait_waiting(2);

    pipe my $in, my $out or die "pipe: $!\n";
    pipe my $stop, my $go_on or die "pipe: $!\n";
    my $pid = fork // die "fork: $!\n";

    # The publisher goes on until both reloads are over, however fast it is.

    if ($pid == 0) {
        close $in;
        close $go_on;

        eval {
            my $i = 0;

            until ($i >= $n and IO::Select->new($stop)->can_read(0)) {
                print $out $server->publish($cat, ++$i), "\n";
            }

            close $out;
        };
        POSIX::_exit($@ ? 1 : 0);
    }

    close $out;
    close $stop;

    my @old;

    for my $seen (200, 700) {
        wait_events($window, 'a', $seen);
        push @old, $server->reload(leaving => 1);
    }

    close $go_on;

    chomp(my @ids = <$in>);
    waitpid $pid, 0;
    is($?, 0, "$title: all are published");
    $n = @ids;

    for my $w ([ one => $window ], [ other => $other ]) {
        wait_events($w->[1], 'a', $n);
        is_deeply(ids($w->[1], 'a'), \@ids,
                  "$title: the $w->[0] window has each once, in order");
        is_deeply($w->[1]->run('return got.a.failures'), [],
                  "$title: and no failure");
    }

    $server->wait_gone(@old);
};


part 'a reload while the client waits' => sub {
    my ($title) = @_;
    my $cat = category();

    listener('a', category => $cat);

    for my $round (1 .. 2) {
        $server->wait_waiting(1);
        $server->reload;
        $server->wait_waiting(1);
        # An unused connection to a leaving worker may cost the client one more
        # poll.

        my $n = $window->run('return timeouts(got.a)');
        cmp_ok($n, '>=', $round,
               "$title: the client has an answer, and polls again");
        cmp_ok($n, '<=', 4 * $round, "$title: but not in a loop");

        $server->publish($cat, $round);
        wait_events($window, 'a', $round);
    }

    is_deeply(data($window, 'a'), [ 1, 2 ], "$title: the events come");
    is_deeply(failures('a'), [], "$title: no failure");
};


part 'time-outs' => sub {
    my ($title) = @_;
    my $cat = category();
    my $before = $server->status('events')->{timeouts};

    listener('a', category => $cat, pollTimeoutSeconds => 1);
    $window->wait_for('timeouts(got.a) >= 3', 'three time-outs');
    $server->wait_waiting(1);

    my $id = $server->publish($cat, '"at last"');
    wait_events($window, 'a', 1);

    is_deeply(ids($window, 'a'), [ $id ], "$title: an event behind them");
    is_deeply(failures('a'), [], "$title: no failure");
    cmp_ok($server->status('events')->{timeouts} - $before, '>=', 3,
           "$title: the server counts them");

    my ($fast, $slow) = (sort { $a <=> $b } @{ $window->run(
        'return polls(arguments[0]).slice(0, 3).map(p => p.duration)',
        $cat) })[0, -1];

    cmp_ok($fast, '>', 850, "$title: not before their time");
    cmp_ok($fast, '<', 1000, "$title: but within the second");
};


part 'events around a time-out' => sub {
    my ($title) = @_;
    my @cats = map { category() } 1 .. 4;
    my $rounds = 5;

    # Two clients get an event right after they have read a time-out answer and
    # before they poll again.  The other two get it around the answer, each time
    # a little later.  The answer comes 900 to 950 ms after the poll.

    listener("c$_", category => $cats[$_], pollTimeoutSeconds => 1)
        for 0 .. 3;

    $window->run(<<'_EOC_', $rounds);
        for (const g of [got.c0, got.c1]) {
            let n = 0;
            g.onTimeout = () => {
                if (n < arguments[0]) publishNow(g.category, ++n);
            };
        }

        let step = 0;
        for (const g of [got.c2, got.c3]) {
            let n = 0;
            const next = () => setTimeout(() => {
                g.client.publish(g.category, ++n);
            }, 870 + step++ % 10 * 10);

            g.onEvent = () => { if (n < arguments[0]) next(); };
            next();
        }
_EOC_

    for my $name (map { "c$_" } 0 .. 3) {
        wait_events($window, $name, $rounds);
        is_deeply(data($window, $name), [ 1 .. $rounds ],
                  "$title: $name has each once");
        is_deeply(failures($name), [], "$title: and no failure");
    }

    cmp_ok($window->run('return timeouts(got.c0)'), '>=', $rounds,
           "$title: there were time-outs");
};


part 'publishing' => sub {
    my ($title) = @_;
    my $cat = category('<é&🐄>');

    listener('a', category => $cat);
    $server->wait_waiting(1);

    my $publish = <<'_EOC_';
        const [category, text] = arguments;
        got.a.client.publish(category, JSON.parse(text),
                             () => done("published"),
                             (status, text) => done([status, text]));
_EOC_

    is_deeply([ map { $window->run_async($publish, $cat, $_) } @kinds ],
              [ ('published') x @kinds ], "$title: data of every kind");
    wait_events($window, 'a', scalar @kinds);
    is_deeply(data($window, 'a'), as_page_reads(@kinds),
              "$title: each comes, once, in order");

    is_deeply($window->run_async($publish, 'é' x 512, '1'), 'published',
              "$title: a category of 1,024 bytes");
    is_deeply($window->run_async($publish, 'é' x 512 . 'x', '1'),
              [ 400, qq({"error": "Invalid or missing 'category' arg, )
                     . 'must be 1-1024 characters long."}' ],
              "$title: one byte more is refused");

    $window->run('got.a.client.publishUrl = "/closed"');
    is($window->run_async($publish, $cat, '1')->[0], 403,
       "$title: where it is forbidden");

    $window->run('got.a.client.publishUrl = "/nowhere"');
    is($window->run_async($publish, $cat, '1')->[0], 404,
       "$title: where there is nothing");
}, allowed => qr/ status of (?:400|403|404) /;


part 'errors' => sub {
    my ($title) = @_;
    my $long = 'é' x 512 . 'x';
    my $cat = category();

    my @cases = (
        [ { category => $long },
          'Invalid subscription category, must be 1-1024 characters long.' ],
        [ { category => $cat, pollTimeoutSeconds => 121 },
          "Invalid or missing 'timeout' arg.  Must be 1-120." ],
        [ { category => $cat, pollTimeoutSeconds => 51,
            subscribeUrl => '/short' },
          "Invalid or missing 'timeout' arg.  Must be 1-50." ],
        [ { category => $cat, lastId => 'oink' },
          "Param 'last_id' was not a valid UUID." ],
        [ { category => $long, subscribeUrl => '/strict' },
          'request FAILED, response status: 400' ],
        [ { category => $cat, subscribeUrl => '/nowhere' },
          'request FAILED, response status: 404' ],
        [ { category => $cat, subscribeUrl => '/closed' },
          'request FAILED, response status: 403' ],
        [ { category => $cat, subscribeUrl => '/publish' },
          'request FAILED, response status: 405' ],
    );

    listener("c$_", %{ $cases[$_][0] }) for 0 .. $#cases;

    # This client gives up where the others go on.

    listener('quits', %{ $cases[0][0] }, goOn => JSON::PP::false);

    for my $n (0 .. $#cases) {
        $window->wait_for("got.c$n.failures.length >= 3", 'three failures');
        is_deeply([ @{ failures("c$n") }[0 .. 2] ], [ ($cases[$n][1]) x 3 ],
                  "$title: $cases[$n][1]");
    }

    is_deeply(failures('quits'), [ $cases[0][1] ],
              "$title: no further poll after onFailure said no");

    # The client recovers from an error.

    $window->run(<<'_EOC_');
        for (const name in got) got[name].goOn = false;
        got.c1.goOn = true;
        got.c1.client.pollTimeoutSeconds = 100;
_EOC_

    $server->wait_waiting(1);
    my $id = $server->publish($cat, 1);
    wait_events($window, 'c1', 1);
    is_deeply(ids($window, 'c1'), [ $id ],
              "$title: the client continues after an error");
}, allowed => qr/ status of (?:400|403|404|405) /;


part 'headers and passwords' => sub {
    my ($title) = @_;
    my $cat = category();
    my @key = ({ key => 'X-Farm-Key', value => 'barn door' },
               { key => 'X-Second', value => 'two' });
    my %keyed = (category => $cat, subscribeUrl => '/keyed',
                 publishUrl => '/keyed');
    my %private = (category => $cat, subscribeUrl => '/private',
                   publishUrl => '/private');

    listener('no_key', %keyed, extraRequestHeaders => [ $key[0] ]);
    listener('key', %keyed, extraRequestHeaders => \@key);
    listener('no_user', %private, basicAuthUsername => 'cow',
             basicAuthPassword => 'moo');
    listener('user', %private, basicAuthUsername => 'cow',
             basicAuthPassword => 'mööh & more');

    $window->wait_for("got.$_.failures.length >= 1", "a failure of $_")
        for qw( no_key no_user );
    $window->run('got.no_key.goOn = got.no_user.goOn = false');
    $server->wait_waiting(2);

    for my $name (qw( key user )) {
        is($window->run_async("got.$name.client.publish(
               got.$name.category, '$name', () => done('published'),
               (...why) => done(why))"), 'published', "$title: $name may");
    }

    for my $name (qw( no_key no_user )) {
        is($window->run_async("got.$name.client.publish(
               got.$name.category, '$name', () => done('published'),
               status => done(status))"), 403, "$title: $name may not");
        is(failures($name)->[0], 'request FAILED, response status: 403',
           "$title: nor may it poll");
    }

    for my $name (qw( key user )) {
        wait_events($window, $name, 2);
        is_deeply(data($window, $name), [ qw( "key" "user" ) ],
                  "$title: $name gets both events");
        is_deeply(failures($name), [], "$title: and no failure");
    }
}, allowed => qr/ status of 403 /;


part 'a server that stops and starts again' => sub {
    my ($title) = @_;
    my $cat = category();

    listener('a', category => $cat);
    $server->wait_waiting(1);
    $server->publish($cat, '"before"');
    wait_events($window, 'a', 1);

    $server->wait_waiting(1);
    $server->stop;
    $window->wait_for('got.a.failures.length >= 2', 'two failures');
    $server->start_again;

    # One event before the client is back, and one after it.

    $server->publish($cat, '"between"');
    wait_events($window, 'a', 2);
    $server->wait_waiting(1);
    $server->publish($cat, '"after"');
    wait_events($window, 'a', 3);

    is_deeply(data($window, 'a'), [ qw( "before" "between" "after" ) ],
              "$title: the client continues");
    is_deeply([ grep { $_ ne 'request FAILED, response status: 0' }
                @{ failures('a') } ], [], "$title: with no other failure");
}, allowed => qr/ net::ERR_/;


part 'workers that are killed' => sub {
    my ($title) = @_;
    my $cat = category();
    my @ids;

    listener('a', category => $cat);
    $server->wait_waiting(1);
    push @ids, $server->publish($cat, 1);
    wait_events($window, 'a', 1);

    $server->wait_waiting(1);
    my @workers = $server->workers;
    kill KILL => @workers;

    # The browser itself repeats the request, unless it used the connection only
    # once.

    push @ids, $server->publish($cat, 2);
    wait_events($window, 'a', 2);
    $server->wait_waiting(1);
    push @ids, $server->publish($cat, 3);
    wait_events($window, 'a', 3);

    is(scalar(grep { my $pid = $_; grep { $_ == $pid } @workers }
              $server->workers), 0, "$title: the workers are dead");
    is_deeply(ids($window, 'a'), \@ids, "$title: nothing is lost or doubled");
}, allowed => qr/ net::ERR_/;


part 'two windows' => sub {
    my ($title) = @_;
    my $cat = category();
    my $other = other_window();

    listen_in($_, 'a', category => $cat) for $window, $other;

    for my $n (1 .. 10) {
        my $from = $n % 2 ? $window : $other;

        $from->run('got.a.client.publish(got.a.category, arguments[0])', $n);
        wait_events($_, 'a', $n) for $window, $other;
    }

    is_deeply(data($_, 'a'), [ 1 .. 10 ], "$title: each has every event")
        for $window, $other;
    is_deeply(ids($other, 'a'), ids($window, 'a'), "$title: the same ones");
};

}

main();
