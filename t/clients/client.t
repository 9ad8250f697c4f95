# The JavaScript client in client/, against a real nginx with two workers.
#
# - as a package (tools/client.sh): its files and size, tsc's check of the types,
#   and the README's lines, run from the package, by import and by require()
# - in Node: t/clients/js/*.test.js, by Node's own test runner; client.test.js
#   once with event streams and once with polls.  They send commands for nginx
#   to a port of this test, one word a connection.
# - in a headless Chromium, with polls and with event streams: tabs that share a
#   connection, networks that fail, pages that are reloaded; and from a <script>
#
# Without Node, Chromium, esbuild, or TypeScript from npm's registry, the part that
# needs it is skipped by name.
#
# Nothing sleeps: nginx's status says when polls are parked, the pages show the
# events.

use strict;
use warnings;
use utf8;

use Cwd qw( abs_path );
use File::Basename qw( basename dirname );
use File::Copy qw( copy );
use File::Path qw( make_path remove_tree );
use IO::Select ();
use IO::Socket::INET ();
use JSON::PP ();
use POSIX ();
use Test::More;
use Time::HiRes qw( sleep time );

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Browser ();
use Longpoll::Child ();
use Longpoll::Npm ();
use Longpoll::Server qw( wait_until );

my $root = abs_path(dirname(abs_path(__FILE__)) . '/../..');
my $js = "$root/t/clients/js";
my $build = "$root/build/clients/js";
my @files = qw( LICENSE README.md batch.js cursor.js eventstream.js iterator.js
                longpoll.d.ts longpoll.js package.json request.js shared.js
                source.js stream.js transport.js );
my @made = qw( longpoll.cjs longpoll.d.cts longpoll.min.js );

my $http = <<'_EOC_';
    longpoll_zone zone=events:16m buffer=5000;
    longpoll_zone zone=small:1m buffer=2;
    longpoll_drain 200ms;
_EOC_

my $locations = <<'_EOC_';
        location = /events  { longpoll_subscribe events; }
        location = /publish { longpoll_publish   events; }

        location = /small {
            longpoll_subscribe small;
            longpoll_publish   small;
        }

        location = /own {
            longpoll_category  own;
            longpoll_subscribe events;
            longpoll_publish   events;
        }

        location = /pieces {
            longpoll_subscribe         events;
            longpoll_max_response_size 1k;
        }

        location = /slow {
            longpoll_subscribe events;
            limit_rate         4k;
        }

        location = /short {
            longpoll_subscribe   events;
            longpoll_max_timeout 10s;
        }

        location = /strict {
            longpoll_subscribe    events;
            longpoll_max_timeout  10s;
            longpoll_error_status 400;
        }

        location = /keyed {
            longpoll_subscribe events;
            longpoll_publish   events;
            if ($http_x_farm_key != "barn door")    { return 403; }
            if ($args !~ "(^|&)farm=a%20b&zoo$")    { return 403; }
        }

        location = /later {
            add_header Retry-After 1 always;
            return 429;
        }

        location = /early {
            return 200 '{"timeout":"no events before timeout","timestamp":17}';
        }

        location = /portal {
            default_type text/html;
            return 200 '<!DOCTYPE html><title>Welcome</title>';
        }

        location = /empty { return 200 '{"events":[]}'; }
        location = /null  { return 200 'null'; }
_EOC_

$locations .= "        location = /says/$_ { return $_; }\n"
    for qw( 401 403 404 429 503 );

my $script = <<'_EOC_';
<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>script</title>
<link rel="icon" href="data:,">
<script src="/client/longpoll.min.js"></script>
<script>
window.got = [];
const { Longpoll } = NginxLongpoll;
const longpoll = new Longpoll({ subscribe: "events", publish: "publish" });
longpoll.subscribe("script", { start: "beginning" })
        .addEventListener("event", ({ detail }) => got.push(detail.data));
longpoll.publish("script", "moo");
</script>
</html>
_EOC_

my $page = <<'_EOC_';
<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>client</title>
<link rel="icon" href="data:,">
<script type="module">
import { Longpoll } from "/client/longpoll.js";

const longpoll = new Longpoll({ subscribe: "events?of=page",
                                publish: "publish",
                                retry: { min: 0.05, max: 0.4 },
                                transport: location.hash.slice(1) });

window.got = {};
window.longpoll = longpoll;

// what a stream tells, in order; `iterate` to read it by an iterator
window.listen = (name, categories, { iterate, ...options } = {}) => {
  const storage = options.storage && sessionStorage;
  const stream = longpoll.subscribe(categories, { ...options, storage });
  const g = got[name] = { all: [], errors: [], states: [], stream };
  const tell = e => g.all.push(e.missed ? "missed" : e.data);

  stream.addEventListener("state", ({ detail }) => g.states.push(detail));
  stream.addEventListener("error",
                          ({ detail }) => g.errors.push(detail.message));

  if (iterate) {
    (async () => { for await (const e of stream) tell(e); })();
  } else {
    stream.addEventListener("missed", ({ detail }) => tell(detail));
    stream.addEventListener("event", ({ detail }) => tell(detail));
  }
};
</script>
</html>
_EOC_

my ($server, $browser, $transport, $serial);

main();


sub main {
    my $node = Longpoll::Npm::node();
    my $esbuild = defined Longpoll::Browser::program('esbuild');

    system("$root/tools/client.sh >/dev/null") == 0 or die "no package\n"
        if $esbuild;

    $server = Longpoll::Server->start(
        http => $http, server => $locations,
        files => {
            'html/page' => \'a page', 'html/page.html' => \$page,
            'html/script.html' => \$script,
            map({ ("html/client/$_" => "$root/client/$_") }
                grep { /\.js$/ } @files),
            map({ ("html/client/$_" => "$root/build/client/$_") }
                $esbuild ? 'longpoll.min.js' : ()),
        });

    SKIP: {
        skip('there is no node 18 or newer with npm', 4) unless $node;

        my $why = Longpoll::Npm::missing();

        SKIP: {
            skip('package: there is no esbuild', 1) unless $esbuild;
            as_published();
        }

        SKIP: {
            skip('types: there is no esbuild', 1) unless $esbuild;
            skip("TypeScript: $why", 1) if defined $why;
            types();
        }

        readme();
        in_node('eventstream.test.js');
        in_node('transport.test.js');
        in_node('client.test.js', 'poll');
        in_node('client.test.js', 'stream');
        in_node('stream.test.js');
    }

    SKIP: {
        my $missing = Longpoll::Browser->missing;

        skip("Chromium: $missing", 1) if $missing;
        in_browser($esbuild);
    }

    my @alerts = grep { !/ exited on signal 9$/ } $server->alerts;

    is("@alerts", '', 'no other alert in the error log');
    done_testing();
}

# the package, installed where the tests of it run

sub as_published {
    my $to = "$build/node_modules/nginx-longpoll";
    my ($version) = slurp("$root/src/ngx_http_longpoll.h")
        =~ /NGX_HTTP_LONGPOLL_VERSION\s+"([^"]+)"/;
    my $file = "nginx-longpoll-$version.tgz";

    remove_tree($to);
    make_path($to);
    system('tar', '-xzf', "$root/build/$file", '--strip-components=1', '-C', $to)
        == 0 or die "tar: $?\n";

    is(join(' ', sort map { basename($_) } glob "$to/*"),
       join(' ', sort @files, @made), 'package: exactly these files');

    my $package = JSON::PP::decode_json(slurp("$to/package.json"));

    is_deeply([ grep { !-e "$to/$_" } @{ $package->{files} } ], [],
              'package: it has what it names');
    is($package->{version}, $version, 'package: of the same version');
    is(slurp("$root/client/LICENSE"), slurp("$root/LICENSE"),
       'package: under the same licence');

    my $readme = slurp("$root/client/README.md");

    like($readme, qr{^npm install \./build/\Q$file\E$}m,
         'README: installs this package');

    my ($size, $gzipped) = map { sprintf '%.0f', $_ / 1000 }
        -s "$to/longpoll.min.js",
        length `gzip -9nc <'$to/longpoll.min.js'`;
    my ($said) = $readme =~ /is (\d+) kB, \d+ kB with gzip/;
    my ($said_gzipped) = $readme =~ /is \d+ kB, (\d+) kB with gzip/;

    cmp_ok(abs($said - $size), '<=', 1, "README: its size, $size kB");
    cmp_ok(abs($said_gzipped - $gzipped), '<=', 1,
           "README: and $gzipped kB with gzip");

    Longpoll::Server::spew("$build/required.cjs", <<'_EOC_');
const { Longpoll, LongpollError } = require("nginx-longpoll");
const longpoll = new Longpoll({ publish: process.argv[2] });
console.log(typeof LongpollError);
longpoll.publish("required", 1).then(id => console.log(id.length));
_EOC_
    my $url = $server->url('/publish');
    is(`node '$build/required.cjs' '$url' 2>&1`, "function\n36\n",
       'package: require() has all of it');
}

sub types {
    copy("$js/usage.ts", $build) or die "usage.ts: $!\n";

    for my $how ('--module nodenext --target es2022',
                 '--module esnext --target es2022 --moduleResolution bundler')
    {
        my $said = `cd '$build' && node node_modules/typescript/bin/tsc \\
                    --noEmit --strict --lib es2022,dom $how usage.ts`;

        is($said, '', "types: tsc has nothing to say, $how");
    }

    Longpoll::Server::spew("$build/required.cts", <<'_EOC_');
import { Longpoll } from "nginx-longpoll";
export const longpoll: Longpoll = new Longpoll({ publish: "/publish" });
_EOC_
    is(`cd '$build' && node node_modules/typescript/bin/tsc --noEmit --strict \\
        --lib es2022,dom --module nodenext required.cts`, '',
       'types: nor of a module that uses require()');

    my $usage = slurp("$js/usage.ts");
    my %used = map { $_ => 1 } map { split /[\s,]+/ }
               $usage =~ /^import (?:type )?\{\s*(.*?)\s*\}\s*from/msg;

    is_deeply([ sort keys %used ],
              [ sort(slurp("$root/client/longpoll.d.ts")
                     =~ /^export \w+ (\w+)/mg) ],
              'types: usage.ts has all that are exported');

    # TypeScript finds nothing that older JavaScript would write in another way.

    copy("$js/es2020.js", $build) or die "es2020.js: $!\n";
    is(`cd '$build' && node es2020.js '$root'/client/*.js 2>&1`, '',
       'types: and the client is written in ES2020');

    my ($exported) = slurp("$root/client/longpoll.js")
        =~ /^export \{ (.*) \};$/m;
    my %js = map { $_ => 1 } split(/, /, $exported),
             slurp("$root/client/longpoll.js") =~ /^export class (\w+)/mg;
    my %ts = map { $_ => 1 } slurp("$root/client/longpoll.d.ts")
                             =~ /^export (?:class|const|function) (\w+)/mg;

    is_deeply(\%ts, \%js, 'types: of what there is');
}

# the first block of the README, and its output

sub readme {
    my ($code) = slurp("$root/client/README.md") =~ /^```js\n(.*?)^```\n/ms;
    my $url = $server->url('');

    $code =~ s{"(/events|/publish)"}{"$url$1"}g;
    cmp_ok($code =~ tr/\n//, '<=', 11, 'README: it is short');
    Longpoll::Server::spew("$build/readme.mjs", $code);

    my $child = Longpoll::Child->start(
        [ 'node', "$build/readme.mjs" ], log => "$build/readme.log.$$");

    eval {
        wait_until('the README to print', sub {
            slurp("$build/readme.log.$$") =~ /\n/ or !$child->alive;
        });
    };

    $server->wait_waiting(1);
    $server->publish('zoo', '"roar"');
    eval {
        wait_until('the README to go on', sub {
            slurp("$build/readme.log.$$") =~ /roar/ or !$child->alive;
        });
    };
    is(slurp("$build/readme.log.$$"), "farm { cow: 'moo' }\nzoo roar\n",
       'README: does what it says');
    $child->end;
    unlink "$build/readme.log.$$";
    $server->wait_waiting(0);
}


# Runs the tests of a file in Node, and their commands for nginx.  What is only
# for another transport is skipped there.

sub in_node {
    my ($name, $transport) = @_;

    my $listen = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1:0')
        or die "no port: $!\n";
    my $file = "$js/$name";
    my $title = 'node' . ($transport ? ", $transport" : '');
    my $log = "$build/node.tap.$$";
    my $node = Longpoll::Child->start(
        [ 'node', '--test', '--test-reporter=tap', $file ], log => $log,
        env => { LONGPOLL_URL => $server->url(''),
                 LONGPOLL_CONTROL => $listen->sockport,
                 LONGPOLL_TRANSPORT => $transport // '' });
    my $select = IO::Select->new($listen);
    my $end = time + 200;

    while ($node->alive and time < $end) {
        obey($listen->accept) if $select->can_read(0.05);
    }

    fail("$title: it has come to its end") if $node->alive;
    $node->end;

    my $tap = slurp($log);
    my @tests = slurp($file) =~ /^(?:test|through|polls)\(\s*"([^"]+)"/mg;
    my $known = 0;

    for my $name (@tests) {
        next if $tap =~ /^\ *ok[ ]\d+[ ]-[ ]\Q$name\E[ ]\#[ ]SKIP/m;

        my ($not, $more) = $tap =~
            /^\ *(not[ ])?ok[ ]\d+[ ]-[ ]\Q$name\E\n
             ((?:(?!\ *(?:not[ ])?ok[ ]|\ *\#[ ]Subtest).*\n)*)/mx;

        $known += defined $more;
        ok(defined $more && !$not, "$title: $name")
            or diag($more // "it was not run: $tap");
    }

    my ($all) = $tap =~ /^# fail (\d+)$/m;

    is($all, 0, "$title: nothing else failed") or diag($tap);
    unlink $log;
}

sub obey {
    my ($socket) = @_;

    my %do = (
        stop    => sub { $server->stop },
        start   => sub { $server->start_again },
        reload  => sub { $server->reload },
        hold    => sub { kill STOP => $server->workers },
        release => sub { kill CONT => $server->workers },

        kill => sub {
            my @old = $server->workers;
            my %old = map { $_ => 1 } @old;

            kill KILL => @old;
            wait_until('new workers', sub {
                2 == grep { !$old{$_} } $server->workers;
            });
        },
    );

    chomp(my $word = <$socket> // '');
    print $socket eval { $do{$word}->(); 1 } ? "done\n" : $@;

    # The keeper of a new nginx holds this socket, too.

    shutdown $socket, 2;
}


# in a browser

sub in_browser {
    my ($esbuild) = @_;

    $browser = Longpoll::Browser->start;
    diag('Chromium ' . $browser->version);

    for my $one (qw( poll stream )) {
        $transport = $one;
        part('tabs that share a connection', \&shared);
        part('a tab behind the others', \&behind);
        part('a tab that was deaf', \&deaf);
        part('a tab that hangs', \&silent);
        part('tabs, and nginx that goes and comes', \&shared_restart);
        part('without Web Locks', \&without_locks);
        part('a network that fails', \&network) if $one eq 'poll';
        part('a page loaded again', \&loaded_again);
    }

    SKIP: {
        skip('script: there is no esbuild', 1) unless $esbuild;
        part('the bundle of a <script>', \&from_script);
    }

    $browser->end;
}

sub from_script {
    my ($title) = @_;

    $browser->window->open($server->url('/script.html'));
    eval { $browser->window->wait_for('window.got[0]', 'the event'); 1 };
    is($browser->window->run('return got.join()'), 'moo', $title);
    $browser->window->open('about:blank');
}

my @windows;

sub part {
    my ($title, $code) = @_;

    $title = "browser, $transport: $title";
    $browser->window->open('about:blank');
    eval { $code->($title); 1 }
        or fail("$title: it ran to its end")
            or diag($@, (split /^/, $server->log)[-10 .. -1]);

    eval {
        $_->close for splice @windows;
        $server->wait_waiting(0);
        1;
    } or fail("$title: no request is left waiting") or diag($@);
}

sub window {
    my $window;

    # Chromium opens a new window in front of an existing one.

    $browser->window->url;
    push @windows, $window = $browser->new_window('tab');
    $window->open($server->url("/page.html#$transport"));
    $window->wait_for('window.longpoll', 'the client');
    return $window;
}

sub category { sprintf 'cat-%d-%d', $$, ++$serial }

sub listen_in {
    my ($window, $name, $categories, %o) = @_;

    $window->run('listen(...arguments)', $name, $categories, \%o);
}

sub shut {
    my ($window) = @_;

    $window->close;
    @windows = grep { $_ != $window } @windows;
}

sub heard { $_[0]->run("return got.$_[1].all") }

sub wait_heard {
    my ($window, $name, $n) = @_;

    $window->wait_for("got.$name.all.length >= $n", "$n of $name");
}

# Publishes these numbers while the code runs, with short pauses.

sub flood {
    my ($category, $numbers, $code) = @_;

    my $pid = fork // die "fork: $!\n";

    if ($pid == 0) {
        for (@$numbers) {
            eval { $server->publish($category, $_); 1 } or POSIX::_exit(1);
            sleep 0.001;
        }
        POSIX::_exit(0);
    }

    my $done = eval { $code->(); 1 };
    my $why = $@;

    waitpid $pid, 0;
    die $why unless $done;
    die "the flood failed\n" if $?;
}

sub shared {
    my ($title) = @_;
    my ($name, $n) = (category(), 600);
    my @tabs = map { window() } 1 .. 3;

    # A tab may iterate or listen.

    listen_in($tabs[$_], 'a', $name, shared => \1, iterate => $_ == 1)
        for 0 .. 2;

    $_->wait_for('got.a.stream.state === "listening"', 'it to listen')
        for @tabs;
    $server->wait_waiting(1);
    pass("$title: one request waits");
    is($_->run('return got.a.stream.isShared'), 1, "$title: they say so")
        for @tabs;

    # The tab that polls closes: first the whole tab, then only its stream.

    flood($name, [ 1 .. $n ], sub {
        wait_heard($tabs[-1], 'a', 100);
        shut(shift @tabs);
        wait_heard($tabs[-1], 'a', 300);
        shift(@tabs)->run('got.a.stream.close()');
        wait_heard($tabs[-1], 'a', $n);
    });

    is_deeply(heard($tabs[0], 'a'), [ 1 .. $n ],
              "$title: nothing is lost or doubled when one closes");
    $server->wait_waiting(1);
    is($tabs[0]->run('return got.a.stream.state'), 'listening',
       "$title: and no other stream closes");

    # The same without traffic.

    push @tabs, window();
    listen_in($tabs[-1], 'a', $name, shared => \1);
    $tabs[-1]->wait_for('got.a.stream.cursor', 'a cursor');

    my $other = category();

    $server->wait_waiting(1);
    shut(shift @tabs);
    $server->publish($name, '"for the next one"');
    wait_heard($tabs[0], 'a', 1);
    is_deeply(heard($tabs[0], 'a'), [ 'for the next one' ],
              "$title: another tab continues from its cursor");

    # A tab with another name in `shared` has its own poll.

    push @tabs, window();
    listen_in($tabs[-1], 'a', $name, shared => 'ann');
    $server->wait_waiting(2);
    pass("$title: a tab with another name has its own poll");
    is_deeply($tabs[0]->run('return [got.a.errors, got.a.stream.state]'),
              [ [], 'listening' ], "$title: all the time it is well");
    is($_->wait_for('got.a.stream.transport', 'a transport'), $transport,
       "$title: a tab knows the transport") for @tabs;
}

# One tab does not hear the others for a while, as if it had been frozen.

sub deaf {
    my ($title) = @_;
    my $name = category();
    my ($one, $two) = map { window() } 1, 2;

    $two->run(<<'_EOC_');
        Object.defineProperty(BroadcastChannel.prototype, "onmessage", {
          set(heard) {
            this.addEventListener("message", message => {
              if (!window.deaf) heard(message);
            });
          },
        });
_EOC_
    listen_in($one, 'a', $name, shared => \1);
    $server->wait_waiting(1);
    listen_in($two, 'a', $name, shared => \1);
    $server->publish($name, 1);
    wait_heard($_, 'a', 1) for $one, $two;

    $two->run('window.deaf = true');
    $server->publish($name, $_) for 2, 3;
    wait_heard($one, 'a', 3);
    $two->run('window.deaf = false');
    $server->publish($name, 4);
    wait_heard($_, 'a', 4) for $one, $two;
    is_deeply(heard($_, 'a'), [ 1 .. 4 ], "$title: both tabs have all events")
        for $one, $two;
}

# One tab has the lock and does nothing.

sub silent {
    my ($title) = @_;
    my $name = category();
    my ($one, $two) = map { window() } 1, 2;
    my %o = (shared => \1, timeout => 1, margin => 1);

    listen_in($one, 'a', $name, %o);
    $server->wait_waiting(1);
    $one->run_async(<<'_EOC_');
        (async () => {
          const { name } = (await navigator.locks.query()).held[0];
          navigator.locks.request(name, () => new Promise(() => {}));
          got.a.stream.close();
          done();
        })();
_EOC_

    listen_in($two, 'a', $name, %o);
    $two->wait_for('got.a.stream.cursor', 'it to poll');
    $server->wait_waiting(1);
    $server->publish($name, 1);
    wait_heard($two, 'a', 1);
    is_deeply(heard($two, 'a'), [ 1 ], "$title: the other tab polls by itself");

    # The other tab takes the lock once the first is closed.

    shut($one);
    wait_until('the lock to be had', sub {
        $two->run_async('navigator.locks.query()
            .then(({ pending }) => done(!pending.length))');
    });
    $server->publish($name, 2);
    wait_heard($two, 'a', 2);
    is_deeply(heard($two, 'a'), [ 1, 2 ], "$title: until it gets the lock");
}

sub behind {
    my ($title) = @_;
    my $name = category();
    my ($one, $two) = map { window() } 1, 2;

    $server->publish($name, $_) for 1 .. 5;
    listen_in($one, 'a', $name, shared => \1);
    $server->wait_waiting(1);
    $one->wait_for('got.a.stream.cursor', 'a cursor');

    listen_in($two, 'a', $name, shared => \1, start => 'beginning');
    wait_heard($two, 'a', 5);
    $server->publish($name, 6);
    wait_heard($_->[0], 'a', $_->[1]) for [ $one, 1 ], [ $two, 6 ];
    is_deeply(heard($one, 'a'), [ 6 ], "$title: the first stream begins now");
    is_deeply(heard($two, 'a'), [ 1 .. 6 ],
              "$title: the other stream at the beginning");
    $server->wait_waiting(1);

    # A stream whose iterator does not read gets no more than its queue holds.

    $two->run(<<'_EOC_', $name);
        const stream = longpoll.subscribe(arguments[0], {
          shared: true, start: "beginning", queue: 10,
        });
        window.slow = stream[Symbol.asyncIterator]();
        window.stream = stream;
_EOC_
    $two->wait_for('stream.cursor?.since_time === 0', 'it to begin');
    $server->publish($name, $_) for 7 .. 200;
    wait_heard($one, 'a', 195);
    is($two->run('return stream.state'), 'paused',
       "$title: a slow stream pauses");

    my $all = $two->run_async(<<'_EOC_');
        (async () => {
          const all = [];
          while (all.length < 200) all.push((await slow.next()).value.data);
          done(all);
        })();
_EOC_

    is_deeply($all, [ 1 .. 200 ], "$title: and gets all events");
    is_deeply(heard($one, 'a'), [ 6 .. 200 ],
              "$title: so does the first stream");
    is_deeply(heard($two, 'a'), [ 1 .. 200 ], "$title: and the other");
}

sub shared_restart {
    my ($title) = @_;
    my $name = category();
    my @tabs = map { window() } 1, 2;

    listen_in($_, 'a', $name, shared => \1) for @tabs;
    $server->wait_waiting(1);
    $server->publish($name, 1);
    wait_heard($_, 'a', 1) for @tabs;

    $server->stop;
    $_->wait_for('got.a.errors.length >= 2', 'errors') for @tabs;
    is($_->run('return got.a.errors[0]'), 'no answer',
       "$title: both tabs get the error") for @tabs;
    $server->start_again;
    $server->publish($name, 2);
    wait_heard($_, 'a', 3) for @tabs;
    is_deeply(heard($_, 'a'), [ 1, 'missed', 2 ], "$title: and \"missed\"")
        for @tabs;
    is($_->run('return got.a.states.includes("broken")'), 1,
       "$title: and the state of the connection") for @tabs;
}

sub without_locks {
    my ($title) = @_;
    my $name = category();
    my @tabs = map { window() } 1, 2;

    $_->run('Object.defineProperty(navigator, "locks", { value: undefined })')
        for @tabs;
    listen_in($_, 'a', $name, shared => \1) for @tabs;
    $server->wait_waiting(2);
    $server->publish($name, 1);
    wait_heard($_, 'a', 1) for @tabs;
    is_deeply(heard($_, 'a'), [ 1 ],
              "$title: each tab listens for itself") for @tabs;
    is($_->run('return got.a.stream.isShared'), 0, "$title: and says so")
        for @tabs;
}

sub network {
    my ($title) = @_;
    my $name = category();
    my $window = window();
    my %no = (latency => 0, downloadThroughput => -1, uploadThroughput => -1);

    $window->cdp('Network.enable');
    listen_in($window, 'a', $name, retry => { min => 60, max => 60 });
    $server->wait_waiting(1);
    $server->publish($name, 1);
    wait_heard($window, 'a', 1);
    $server->wait_waiting(1);

    for my $round (1, 2) {
        $window->cdp('Network.emulateNetworkConditions',
                     { offline => \1, %no });
        $window->wait_for('got.a.stream.state === "offline"', 'it to notice');

        # A second after its poll began the client would call itself listening.

        my $at = $window->run('return performance.now()');
        $window->wait_for("performance.now() > $at + 1100", 'that');
        is($window->run('return got.a.stream.state'), 'offline',
           "$title: round $round, while the network is away");

        # A poll that is under way may still be answered; the next one fails.

        $server->publish($name, 2 * $round);
        $window->wait_for("got.a.errors.length === $round", 'an error');
        $server->publish($name, 2 * $round + 1);

        # Being online again also ends the client's pause of a minute.

        $window->cdp('Network.emulateNetworkConditions',
                     { offline => \0, %no });
        wait_heard($window, 'a', 2 * $round + 1);
        $server->wait_waiting(1);
    }

    is_deeply(heard($window, 'a'), [ 1 .. 5 ], "$title: all events, once");
    is($window->run('return got.a.stream.state'), 'listening',
       "$title: the state says so");

    # With short pauses the client tries again and again.

    listen_in($window, 'b', "$name-b");
    $window->wait_for('got.b.stream.state === "listening"', 'it to listen');
    $window->cdp('Network.emulateNetworkConditions', { offline => \1, %no });
    $window->wait_for('got.b.stream.state === "offline"', 'it to notice');
    $server->publish("$name-b", 1);
    $window->wait_for('got.b.errors.length >= 5', 'five errors');
    $window->cdp('Network.emulateNetworkConditions', { offline => \0, %no });
    $server->publish("$name-b", 2);
    wait_heard($window, 'b', 2);
    like(join(' ', @{ $window->run('return got.b.states') }),
         qr/^connecting listening offline( listening offline)? connecting listening$/,
         "$title: offline is said once, not with each try");
}

sub loaded_again {
    my ($title) = @_;
    my $name = category();
    my @tabs = map { window() } 1, 2;
    my $all = 'window.all = () => (sessionStorage.all ?? "")
                                  + got.a.all.map(n => n + " ").join("")';

    # With a tab that shares the connection, and alone.

    for my $shared (0, 1) {
        my %o = (storage => 1, shared => $shared ? \1 : \0);
        my $category = "$name-$shared";

        listen_in($_, 'a', $category, %o) for @tabs;
        $tabs[0]->run($all);
        $_->wait_for('got.a.stream.cursor', 'a cursor') for @tabs;
        $server->wait_waiting($shared ? 1 : 2);

        for my $from (1, 101) {
            flood($category, [ $from .. $from + 99 ], sub {
                wait_heard($tabs[0], 'a', 30);

                # The page keeps the events that it has heard before it is
                # unloaded.

                $tabs[0]->run('onpagehide = () => {
                                 sessionStorage.all = all();
                               };');
                $tabs[0]->refresh;
                $tabs[0]->wait_for('window.longpoll', 'the client');
                $tabs[0]->run($all);
                listen_in($tabs[0], 'a', $category, %o);
            });
        }

        wait_heard($tabs[1], 'a', 200);
        $tabs[0]->wait_for('all().endsWith(" 200 ")', 'the last one');
        is($tabs[0]->run('return all()'), join('', map { "$_ " } 1 .. 200),
           "$title: it continues from its cursor, shared: $shared");
        is_deeply(heard($tabs[1], 'a'), [ 1 .. 200 ],
                  "$title: the other tab has all events, shared: $shared");

        $_->run('got.a.stream.close(); sessionStorage.clear()') for @tabs;
        $server->wait_waiting(0);
    }
}


sub slurp {
    my ($file) = @_;

    open my $in, '<:encoding(UTF-8)', $file or return '';
    local $/;
    return scalar(<$in>) // '';
}
