# The demo as a visitor has it: `make run`, windows that talk in rooms and in
# private, the printed curl lines, the pieces of nginx.conf, nginx stopped and
# started, and no process left at the end.  The test also asks by hand for
# categories that a user may not hear: the server must refuse them, not the
# page.
#
# With LONGPOLL_SCREENSHOTS=DIR the test writes pictures of the pages there, as
# seen on a phone and on a desktop, light and dark.

use strict;
use warnings;
use utf8;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use HTTP::Tiny ();
use IO::Socket::INET ();
use JSON::PP ();
use Test::More;
use Time::HiRes qw( sleep time );

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Axe qw( accessible );
use Longpoll::Browser ();
use Longpoll::Child ();
use Longpoll::Server qw( wait_until );
use Longpoll::Workers qw( workers_of );

my $root = abs_path(dirname(abs_path(__FILE__)) . '/../..');
my $missing = Longpoll::Browser->missing;

plan skip_all => $missing if $missing;

my $port = Longpoll::Server::free_port(($ENV{TEST_NGINX_PORT} || 1984) + 1);
my $url = "http://127.0.0.1:$port/";
my ($run, $said) = start();
my $http = HTTP::Tiny->new(timeout => 10, proxy => undef, http_proxy => undef);


# two windows in a room

my $browser = Longpoll::Browser->start;
my $one = $browser->window;
my $two = $browser->new_window;

$one->open($url);
like($one->wait_for('document.querySelector("#log .empty")?.textContent'),
     qr/second window/, 'an empty room says how');
is($one->find('#state')->text, 'listening', 'and listens');

$two->open($url);
$two->wait_for('document.querySelector("#log .empty")', 'the chat');
wait_waiting(1);
pass('both windows share one request');

name($one, 'Ann');
say_in($one, 'hello <b>you</b> & "all"');
is(heard($two, 1), 'Ann: hello <b>you</b> & "all"',
   'the other window shows the message, as text');
is(heard($one, 1), 'You: hello <b>you</b> & "all"', 'and so does the own one');
name($two, 'ann');
is($two->wait_for('document.querySelector(".note")?.textContent', 'a note'),
   'The name ann is taken.', 'a name that is taken is refused');
name($two, 'Ben <i>Bo</i>');
say_in($two, "\x{e9}\x{1f437}");
is(heard($one, 2), "Ben <i>Bo</i>: \x{e9}\x{1f437}",
   'and the other way round, names as text, too');
is($two->find('#text')->property('value'), '', 'a sent text is cleared');
is_deeply([people($one), people($two)], ['Ben <i>Bo</i>', 'Ann'],
          'each window lists the other user');


# the printed lines

my ($poll, $publish) = $said =~ /^(curl '[^\n]+)\n\n(curl -d [^\n]+)\n/m;

open my $out, '-|', "$poll 2>/dev/null" or die "$poll: $!\n";

wait_waiting(2);
is(`$publish 2>/dev/null`, '{"success": true}',
   'the printed publish is accepted');
like(join('', <$out>), qr/^\{"events":\[\{.*"data":"hello".*\}\]\}$/,
     'the printed poll gets the message');
is(heard($_, 3), 'somebody, by curl: hello', 'and so do the windows')
    for $one, $two;

(my $forged = $publish) =~ s/'hello'/'{"from":{"name":"Ann"},"text":"x"}'/;
`$forged 2>/dev/null -H 'Content-Type: application/json'`;
is(heard($two, 4), 'somebody, by curl: {"from":{"name":"Ann"},"text":"x"}',
   'a publish by curl cannot name another sender');

for my $path (qw( lobby join say broadcast )) {
    is($http->post($url . $path, { headers => { Origin => 'http://a.example' },
                                   content => '{}' })->{status}, 403,
       "a page of another site cannot use /$path");
}


# another room

choose($two, 'garden');
say_in($two, 'anybody here?');
is($one->wait_for(new_in('garden'), 'the garden'), '1',
   'another room counts its new messages');
choose($one, 'garden');
is(heard($one, 1), 'Ben <i>Bo</i>: anybody here?', 'and shows them');
choose($one, 'lobby');
is(heard($one, 4), 'somebody, by curl: {"from":{"name":"Ann"},"text":"x"}',
   'the first room shows its messages');


# in private

my $three = $browser->new_window;

$three->open($url);
name($three, 'Cleo');
say_in($three, 'and me');
is(heard($one, 5), 'Cleo: and me', 'a third window');

choose($one, 'Ben <i>Bo</i>');
say_in($one, 'only for you');
is($two->wait_for(new_in('Ann'), 'a private message'), '1',
   'a private message is counted');
choose($two, 'Ann');
is(heard($two, 1), 'Ann: only for you', 'and reaches its receiver');
is(heard($one, 1), 'You: only for you', 'and its sender');
say_in($two, 'understood');
is(heard($one, 2), 'Ben <i>Bo</i>: understood', 'and back');

choose($one, 'lobby');
say_in($one, 'goes to all');
is(heard($three, 6), 'Ann: goes to all',
   'the third window gets the next public message');
unlike($three->run('return document.body.textContent'),
       qr/only for you|understood/, 'and no private message');

my ($ann, $ben, $cleo) = map { token($_) } $one, $two, $three;
my %id = map { $_->{name} => $_->{id} } @{ people_event($cleo) };

ok($id{'Ben <i>Bo</i>'}, 'whose ids everybody knows');

for my $args ('', map { "&category=$_" } "private:$id{Ann}",
              "private:$id{'Ben <i>Bo</i>'}")
{
    my $own = polled($cleo, $args);

    like($own, qr/goes to all/, "a poll by hand$args gets the rooms");
    unlike($own, qr/only for you|understood|"private:/,
           'and no private category of others');
}


like(polled($ben), qr/"category":"private:\Q$id{'Ben <i>Bo<\/i>'}\E"/,
     'the owner of a private category gets it');
is($http->get("${url}events?timeout=1&since_time=0")->{status}, 401,
   'a poll without a token is refused');
is(status_of($cleo x 2, 'events?timeout=1&since_time=0'), 401,
   'and so is one with a wrong token');
is(status_of($cleo, $_), 404, "$_ is not for browsers")
    for qw( auth publish people.pl run/people.sock );
is($http->post("${url}say", {
    headers => { Authorization => "Bearer $cleo" },
    content => qq({"to":"private:$id{Ann}","text":"x"}) })->{status}, 404,
   'a browser may not publish to a category');


# the explanations below the chat

$one->size(1440, 900);

# One of the windows has the stream, which nginx ends every 25 seconds.

my ($leads, $open);

$_->size(1440, 900) for $two, $three;
wait_until('a stream that is open' => sub {
    for my $window ($one, $two, $three) {
        ($open) = grep { /\nopen, / } requests_of($window);
        return $leads = $window if $open;
    }
});

like($open, qr{^GET[ ]/events\?since_time=\d+(&last_id=[-0-9a-f]{36})?
               \nopen,}x, 'a window shows the stream that is open');
ok((grep { /^id: [-0-9a-f]{36}\ndata: \{.*goes to all/m }
        map { requests_of($_) } $one, $two, $three), 'and its frames');
is($leads->find('#transport')->text, 'The messages come down a stream.',
   'and says that it is one');
ok(!$leads->find('#unshared')->property('offsetWidth'),
   'and nothing about windows that cannot share it');

my $conf = slurp("$root/demo/nginx.conf") =~ s/\b8080\b/$port/r;

is($one->find('#conf')->property('textContent'), pieces($conf, 'chat'),
   'and the pieces of nginx.conf');

$two->size(390, 844);
ok(!shown($two, '#under'), 'a phone has the chat first');
$two->find('#toggle')->click;
ok(shown($two, '#under'), 'and a button shows the rest');
$two->find('#toggle')->click;
ok(fits($_), 'nothing is wider than the window') for $one, $two;


# the other pages

$three->open("${url}gpoll.html");
$three->wait_for('document.getElementById("state").textContent.startsWith('
                 . '"registered")', 'the broadcast');
is($three->wait_for('document.querySelector("#conf b")'
                    . ' && document.getElementById("conf").textContent',
                    'nginx.conf'),
   pieces($conf, 'broadcast'), 'the broadcast shows its piece of nginx.conf');
$http->post("${url}broadcast", { content => '{"client-id":"<b>1</b>"}' });
is($three->wait_for('document.querySelector("#heard li")?.textContent',
                    'a message'),
   'somebody else{"client-id":"<b>1</b>"}',
   'and messages that are not of its form');
wait_until('the user who left' => sub {
    !grep { $_ eq 'Cleo' } people($one);
});
pass('a user who left is not listed any more');

$three->open("${url}dashboard.html");
$three->wait_for(figure('waiting') . ' === "1"', 'the stream to be counted');
pass('the dashboard counts the stream that waits');
is($three->find('#conf')->property('textContent'), pieces($conf, 'dashboard'),
   'and shows its piece of nginx.conf');
ok(fits($three), 'and fits');

accessible($one, 'the chat');
pictures() if $ENV{LONGPOLL_SCREENSHOTS};


# a reload

my ($master) = grep { (readlink("/proc/$_/exe") // '') =~ /nginx/ }
               workers_of($run->pid);
my %old = map { $_ => 1 } workers_of($master);

kill HUP => $master;
wait_until('new workers only' => sub {
    my @workers = workers_of($master);
    @workers == 2 && !grep { $old{$_} } @workers;
});
wait_waiting(1);
choose($one, 'Ben <i>Bo</i>');
say_in($one, 'after it');
is(heard($two, -1), 'Ann: after it', 'private talks continue over a reload');
choose($one, 'lobby');
$three->wait_for(figure('waiting') . ' === "1"', 'the stream to be counted');
accessible($three, 'the dashboard');
is($three->find('.dashboard .state')->text, 'live',
   'and so does the dashboard');

# The pages made none of the refused requests above, except one join.

is_deeply([grep { !/^chrome:|join - .* status of 409/ }
           map { $_->{message} } map { $_->console } $one, $two, $three], [],
          'the console is silent');


# nginx is stopped and started, and so is the application.

stop();
is($one->wait_for('[...document.querySelectorAll("#state[data-state=broken]")]'
                  . '.map(e => e.textContent).find(t => /answer/.test(t))',
                  'the page to notice'),
   'nginx does not answer', 'the page says so');
is($one->run('return getComputedStyle(document.querySelector(".person .sign"),'
             . ' "::before").backgroundColor'), 'rgba(0, 0, 0, 0)',
   'and no longer that Ben is there');
say_in($one, 'lost?', 1);
like($one->wait_for('[...document.querySelectorAll(".note")].pop()'
                    . '?.textContent', 'a note'),
     qr/^Not sent: /, 'the page says what it could not send');
is($one->find('#text')->property('value'), 'lost?', 'and kept');
picture($one, "gone-$_", $_, 390, 844) for $ENV{LONGPOLL_SCREENSHOTS}
                                           ? qw( light dark ) : ();
$one->find('#rename')->click;
is($one->run('return document.activeElement.id'), 'name',
   'the button Rename leads to the name');

($run) = start();
wait_waiting(1);
wait_until('both to know each other' => sub {
    join(',', people($one), people($two)) eq 'Ben <i>Bo</i>,Ann';
});
pass('both windows come back, under their names');
$one->find('#form div button')->click;
choose($two, 'lobby');
is(heard($two, -1), 'Ann: lost?', 'the lobby continues');
choose($two, 'Ann');
say_in($two, 'still only for you');
is($one->wait_for(new_in('Ben <i>Bo</i>'), 'a private message'), '1',
   'and so does the private talk');


# more windows than a browser has connections

my @more = map { $browser->new_window('tab') } 1 .. 6;

$_->open($url) for @more;
choose($_, 'lobby') for $one, $two;
say_in($one, 'to all eight');
is(heard($_, -1), 'Ann: to all eight', 'each of eight windows has the message')
    for $two, @more;
wait_waiting(1);
pass('by one stream');

my $guest = $more[-1]->find('#name')->property('value');

choose($one, $guest);
say_in($one, 'to the last one');
is($more[-1]->wait_for(new_in('Ann'), 'a private message'), '1',
   'and its own private ones');
$_->close for @more;


# a browser that cannot share

$one->url;                              # a window that is there is in front

my $lone = $browser->new_window('tab');

$lone->cdp('Page.addScriptToEvaluateOnNewDocument', { source =>
    'Object.defineProperty(navigator, "locks", { value: undefined })' });
$lone->open($url);
like($lone->wait_for('!document.getElementById("unshared").hidden'
                     . ' && document.getElementById("unshared").textContent',
                     'it to say so'),
     qr/cannot share/, 'a window that cannot share says so');
choose($one, 'lobby');
say_in($one, 'to a lone one');
is(heard($lone, -1), 'Ann: to a lone one', 'and has a stream of its own');
wait_waiting(2);
$lone->close;


# a plain EventSource

$three->open("${url}lobby.html");
$three->wait_for('heard.lastChild?.textContent === "to a lone one"',
                 'the messages of the lobby');
choose($one, 'lobby');
say_in($one, 'and to an EventSource');
is($three->wait_for('heard.lastChild.textContent === "and to an EventSource"',
                    'the next one'), 1, 'the lobby, by an EventSource');
like($three->find('#state')->text, qr/^What somebody says/,
     'which says that it listens');
accessible($three, 'the lobby');
picture($three, "lobby-$_", $_, 390, 844) for $ENV{LONGPOLL_SCREENSHOTS}
                                            ? qw( light dark ) : ();
stop();
$three->wait_for('document.querySelector("#state").textContent'
                 . ' === "The connection is gone."', 'it to notice');
pass('and when it does not');


# the end

$browser->end;
ok(!IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port"),
   'the port is closed');
ok(!-e "$root/build/run", 'no file is left');

done_testing();


sub start {
    my $log = "$root/build/demo.log";

    unlink $log;
    my $child = Longpoll::Child->start(["$root/tools/run.sh", $port],
                                       log => $log);

    wait_until('the demo to be up' => sub {
        slurp($log) =~ /^curl -d .*\n\n/m;
    });

    return ($child, slurp($log));
}

# Sends Ctrl-C or TERM; all other processes must then end by themselves.

sub stop {
    $run->signal('TERM');
    wait_until('the demo to end' => sub { !$run->alive });
}

sub slurp {
    my ($file) = @_;

    open my $fh, '<', $file or return '';
    local $/;
    return scalar(<$fh>) // '';
}

sub wait_waiting {
    my ($n) = @_;

    wait_until("$n parked" => sub {
        my $r = $http->get("${url}dashboard/status");

        return $r->{success} && $n
            == JSON::PP::decode_json($r->{content})->{zones}{chat}{waiting};
    });
}


# By hand: the answer to a poll from the beginning, and the status of a GET.

sub as {
    my ($token, $path) = @_;
    return $http->get("$url$path",
                      { headers => { Authorization => "Bearer $token" } });
}

sub polled {
    my ($token, $args) = @_;
    return as($token, 'events?timeout=2&since_time=0' . ($args // ''))
           ->{content};
}

sub status_of { as(@_)->{status} }

sub people_event {
    my ($token) = @_;
    my $events = JSON::PP::decode_json(polled($token))->{events};

    return (grep { $_->{category} eq 'people' } @$events)[-1]{data};
}

sub token { $_[0]->run('return sessionStorage.token') }


# the pieces of the configuration that belong to a page

sub pieces {
    my ($text, $page) = @_;
    my @pieces = $text =~ /^ *#> $page\n(.*?)\n^ *#<$/gms;

    for (@pieces) {
        my ($indent) = sort { length $a <=> length $b } /^( *)\S/gm;
        s/^$indent//gm;
    }

    return join "\n\n", @pieces;
}


# in a window

sub name {
    my ($window, $name) = @_;

    $window->wait_for('document.getElementById("name").value', 'a name');
    $window->run('document.getElementById("name").value = ""');
    $window->find('#name')->type("$name\x{E004}");
}

sub say_in {
    my ($window, $text, $fails) = @_;

    $window->find('#text')->type("$text\x{E007}");
    $window->wait_for('document.getElementById("text").value === ""',
                      "'$text' to be sent") unless $fails;
}

sub talk {
    my ($name) = @_;
    my $json = JSON::PP->new->allow_nonref->encode($name);

    return "[...document.querySelectorAll('.talk')].find("
         . "e => e.querySelector('.label').textContent === $json)";
}

sub choose {
    my ($window, $name) = @_;

    $window->wait_for(talk($name), $name);
    $window->run(talk($name) . '.click()');
}

# the number of new messages of a talk, once it has some

sub new_in {
    my ($name) = @_;
    return talk($name) . '?.querySelector(".new:not([hidden])")?.textContent';
}

sub people {
    my ($window) = @_;

    return @{ $window->run('return [...document.querySelectorAll('
        . '"#people li:not([hidden]) .talk:not(.away) .label")].map('
        . 'e => e.textContent)') };
}

# the nth message in a window, once it is there: "who: what"

sub heard {
    my ($window, $n) = @_;

    my $line = '[...document.querySelectorAll(".message")].at('
             . ($n > 0 ? $n - 1 : $n) . ')';

    return $window->wait_for("$line && $line.querySelector('b').textContent "
        . "+ ': ' + $line.querySelector('.bubble').textContent", "message $n");
}

# the requests that a window shows

sub requests_of {
    my ($window) = @_;

    return @{ $window->run('return [...document.querySelectorAll('
        . '"#requests > li")].map(e => e.innerText)') };
}

sub figure { "document.querySelector('[data-key=$_[0]] .now').textContent" }

sub shown {
    my ($window, $css) = @_;
    return $window->run('return Boolean(document.querySelector(arguments[0])'
                        . '.offsetWidth)', $css);
}

sub fits {
    my ($window) = @_;
    return $window->run('return document.documentElement.scrollWidth'
                        . ' <= innerWidth && document.body.scrollHeight'
                        . ' <= innerHeight');
}

sub pictures {
    my %pages = (chat => $one, dashboard => $three);
    my %sizes = (phone => [390, 844], desktop => [1440, 900]);

    for my $scheme (qw( light dark )) {
        for my $size (sort keys %sizes) {
            for my $page (sort keys %pages) {
                picture($pages{$page}, "$page-$size-$scheme", $scheme,
                        @{ $sizes{$size} });
            }
        }
    }
}

sub picture {
    my ($window, $name, $scheme, $width, $height) = @_;

    $window->cdp('Emulation.setEmulatedMedia', { features =>
        [{ name => 'prefers-color-scheme', value => $scheme }] });
    $window->cdp('Emulation.setDeviceMetricsOverride',
                 { width => $width, height => $height, deviceScaleFactor => 1,
                   mobile => JSON::PP::false });
    $window->run_async('requestAnimationFrame(() =>'
                       . ' requestAnimationFrame(done))');
    $window->screenshot("$ENV{LONGPOLL_SCREENSHOTS}/$name.png");
}
