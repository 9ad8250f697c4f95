# The applications of demo/backends/ as their users run them: the real
# frameworks, each with its own nginx.conf, and two people with a browser each.
#
# The framework comes from its registry and is kept below build/.  If it is not
# available, the application is skipped, by name.  With LONGPOLL_SCREENSHOTS=DIR
# the test writes pictures of the pages there, as seen on a phone and on a
# desktop, light and dark.
#
# Nothing sleeps: nginx's status says when streams are open, the pages show the
# events.

use strict;
use warnings;
use utf8;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use File::Temp qw( tempdir );
use HTTP::Tiny ();
use IO::Socket::INET ();
use JSON::PP ();
use Test::More;

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Axe qw( accessible );
use Longpoll::Backend ();
use Longpoll::Browser ();
use Longpoll::Child ();
use Longpoll::Server qw( wait_until );

my $root = abs_path(dirname(abs_path(__FILE__)) . '/../..');
my $no_browser = Longpoll::Browser->missing;

plan skip_all => "Chromium: $no_browser" if $no_browser;

# The differences between the applications.  field: the field that a page sends.
# choice: what ann selects beside it so that ben gets the event (`apart`: he
# never gets it).  category, data: the category that both hear, and the event's
# data.  tries: the queries with which cleo tries to hear more than she may, and
# the status of each.  polls: the number of polls of ann and ben together.

my %apps = (
    express => {
        field => 'text', choice => [ to => 'ben' ], polls => 2,
        category => 'user:ben',
        data => '{"from":"ann","to":"ben","text":"%1$s"}',
        tries => [ '?category=user:ann&category=user:ben' => 200 ],
    },
    flask => {
        field => 'title', choice => [ team => 'stable' ], polls => 2,
        category => 'stable',
        data => '{"id":%2$d,"team":"stable","title":"%1$s","done":0,'
                . '"version":1}',
        tries => [ '?category=stable' => 200 ],
    },
    go => {
        field => 'name', polls => 2, apart => 1,
        category => 'user:ben', data => '{"ID":"%1$s","Name":"%1$s","Done":50}',
        tries => [ '?category=user:ann&category=user:ben' => 200 ],
    },
    php => {
        field => 'text', choice => [ room => 'kitchen' ], polls => 3,
        category => 'room:kitchen', data => '{"from":"ann","text":"%1$s"}',
        tries => [ '?room=kitchen' => 403,
                   '?room=stable&category=room:kitchen' => 200,
                   '?room[]=kitchen' => 403,
                   '?room=stable&timeout[category]=room:kitchen'
                   . '&timeout[]=room:kitchen' => 400 ],
    },
);

my ($b, $app, $ann, $ben, $title);
my $id = 1000;

my @browsers = map { Longpoll::Browser->start } 1, 2;

($ann, $ben) = map { $_->window } @browsers;
$_->size(1000, 700) for $ann, $ben;

for my $name (split ' ', $ENV{LONGPOLL_BACKENDS} || join ' ', sort keys %apps) {
    SKIP: {
        my $why = Longpoll::Backend->missing($name);

        skip($why, 1) if defined $why;
        whole($name);
    }
}

SKIP: {
    my $why = Longpoll::Backend->missing('go-before');

    skip($why, 1) if defined $why;
    golongpoll();
}

SKIP: {
    my $why = Longpoll::Backend->missing('php');

    skip($why, 1) if defined $why;
    served('php');
}

done_testing();


sub whole {
    my ($name) = @_;

    $b = Longpoll::Backend->start($name);
    $app = $apps{$name};
    $title = $name;

    for my $part (\&stranger, \&two_users, \&another_user,
                  \&app_restarts, \&nginx_reloads, \&nginx_restarts, \&log_out)
    {
        eval { $part->(); 1 }
            or fail("$title: it ran to its end") or diag($@, $b->log);
    }

    is_deeply([ $b->server->alerts ], [], "$title: no alert in the error log");
    is_deeply([ grep { !/^chrome:| status of (?:401|403|50\d) |net::ERR_/ }
                map { $_->{message} } map { $_->console } $ann, $ben ],
              [], "$title: nothing else on the console");
    $b->end;
}


sub stranger {
    my $http = HTTP::Tiny->new(max_redirect => 0);
    my $args = "?timeout=5&since_time=0&category=$app->{category}&room=kitchen";

    $b->publish($app->{category}, '"secret"');

    my $before = published();

    is($http->get($b->url("/events$args"))->{status}, 401,
       "$title: a poll without a login is refused");
    is($http->get($b->url("$_$args"))->{status}, 404, "$title: and $_")
        for '/auth', '/polls';
    is($http->post($b->url('/publish'), { content =>
           qq({"category":"$app->{category}","data":1}) })->{status}, 404,
       "$title: and a publish");
    is(published(), $before, "$title: nothing was published");
    is($b->server->waiting, 0, "$title: no poll waits");

    # The zone begins a new epoch.  The pages must not show that as a gap.
    $b->server->stop;
    $b->server->start_again;
}


sub two_users {
    for (1, 2) {
        $_->open($b->url('/')) for $ann, $ben;
        $_->call(DELETE => '/cookie') for $ann, $ben;
    }

    pictures('login');
    accessible($ann, "$title, without a login");
    log_in($ann, 'ann', 'pig');
    $ann->wait_for('document.getElementById("state")?.textContent',
                   'a refusal');
    like($ann->find('#state')->text, qr/not the password/,
         "$title: a wrong password is refused");

    log_in($ann, 'ann', 'cow');
    log_in($ben, 'ben', 'pig');
    $_->wait_for('document.getElementById("user")?.textContent', 'a name')
        for $ann, $ben;
    $b->server->wait_waiting($app->{polls});
    is($ben->find('#user')->text, 'ben', "$title: they are logged in");

    act('<b>hello</b> & "you"');
    ok(each_once('<b>hello</b> & "you"'),
       "$title: the right users get the event");

    $b->server->wait_waiting($app->{polls});
    act('Grüße 🐄');
    ok(each_once('Grüße 🐄'), "$title: and the next event");
    ok(all_done(), "$title: all jobs reach their end");
    pictures('page');
    accessible($ann, $title);
}


# cleo has no browser, and asks for categories that she may not hear.

sub another_user {
    my $http = HTTP::Tiny->new(max_redirect => 0, timeout => 10,
                               cookie_jar => Cookies->new);
    my %login = (name => 'cleo', password => 'hen');
    my $r = $title eq 'express'
        ? $http->post($b->url('/api/login'), {
              headers => { 'Content-Type' => 'application/json' },
              content => JSON::PP::encode_json(\%login) })
        : $http->post_form($b->url('/login'), \%login);

    like($r->{status}, qr/^(?:204|30[23])$/, "$title: cleo logs in");

    my @tries = @{ $app->{tries} };

    while (my ($try, $status) = splice @tries, 0, 2) {
        $try .= '&timeout=1' unless $try =~ /timeout/;
        $r = $http->get($b->url("/events$try&since_time=0"));

        is($r->{status}, $status, "$title: cleo asks $try");
        unlike($r->{content}, qr/"events"/, "$title: and gets no event");
    }

    # Another site makes her browser send a request, with the cookie.

    my $before = published();

    for my $origin ('https://evil.example', 'null', $b->own_url('')) {
        my %o = (headers => { Origin => $origin }, content => 'x');
        my @got = map { $_->{status} }
            $http->get($b->url('/events?timeout=1&room=stable'), \%o),
            map({ $http->post($b->url($_), \%o) }
                qw( /say /tasks /jobs /api/messages /login )),
            $http->post($b->own_url('/publish'), { %o,
                content => '{"category":"x","data":1}' });

        is("@got", join(' ', (403) x @got), "$title: $origin may do nothing");
    }

    is(published(), $before, "$title: nothing was published");
}


# Open streams do not need the application.  A new one gets an error while the
# application is down, and the client goes on from its cursor.

sub app_restarts {
    $b->server->wait_waiting($app->{polls});
    $b->stop_app;
    is($b->server->waiting, $app->{polls},
       "$title: streams stay without the application");

    for my $text ('by another program', 'and again by it') {
        another_program($text);
        hears($ben, $text);
    }
    is($ben->find('#state')->text, '', "$title: the page misses nothing");

    $b->server->reload;
    $ben->wait_for('/50/.test(document.getElementById("state").textContent)',
                   'the page to notice');
    pass("$title: a page that comes back says what is wrong");

    another_program('while it was away');
    $b->start_app;

    hears($ben, 'while it was away');
    $b->server->wait_waiting($app->{polls});
    act('it is back');
    ok(each_once('it is back'), "$title: users stay logged in");
    is(count($ben, 'by another program'), 1, "$title: nothing came twice");
    $ben->wait_for('!document.getElementById("state").textContent',
                   'the page to be content');
}


sub nginx_reloads {
    $b->server->wait_waiting($app->{polls});

    my @old = $b->server->reload(leaving => 1);

    act('one of a reload');
    ok(each_once('one of a reload'),
       "$title: users get an event while nginx reloads");
    act('two of a reload');
    $b->server->wait_gone(@old);
    act('three of a reload');
    ok(each_once('three of a reload'), "$title: and one after the reload");
    ok(each_once('two of a reload'), "$title: and the one in between");
    is(count($_, 'one of a reload'), $app->{apart} && $_ == $ben ? 0 : 1,
       "$title: nothing came twice") for $ann, $ben;
}


# The zone is empty then.  A client that has seen some of its events gets
# "missed".

sub nginx_restarts {
    $b->server->stop;
    $ann->wait_for('/^No events: no answer\.$/'
                   . '.test(document.getElementById("state").textContent)',
                   'the page to notice');

    # what the page says may be replaced soon, as it tries to listen again

    $ann->run('const state = document.getElementById("state");
               window.said = [];
               new MutationObserver(() => said.push(state.textContent))
                   .observe(state, { childList: true });');
    submit('nobody is there');
    $ann->wait_for('said.some(text => /^Not \w+: no answer\.$/.test(text))',
                   'the page to say so');
    is($ann->run("return document.getElementById('say').elements.$app->{field}"
                 . '.value'), 'nobody is there',
       "$title: without nginx, what a user sends is not lost");
    pictures('gone');
    $b->server->start_again;
    $_->run('window.before = true') for $ann, $ben;
    $b->server->wait_waiting($app->{polls});
    act('after the end');

    if ($title eq 'flask') {
        $_->wait_for('!window.before && document.readyState === "complete"',
                     'the page to begin anew') for $ann, $ben;
        is(count($ben, 'it is back'), 1,
           "$title: the page shows its state again");
    } else {
        hears($ann, 'missed');
        pass("$title: the page says that it missed events");
    }

    ok(each_once('after the end'), "$title: and gets later events");
}


sub log_out {
    $_->find('#logout')->click for $ann, $ben;
    $_->wait_for('document.querySelector("#login:not([hidden])")', 'a form')
        for $ann, $ben;
    $b->server->wait_waiting(0);
    pass("$title: users who logged out have no parked poll");
}


# The program before nginx: polls reach it without nginx.

sub golongpoll {
    $title = 'go-before';
    $b = Longpoll::Backend->start($title);
    $app = $apps{go};

    eval {
        $_->open($b->app_url('/')) for $ann, $ben;
        log_in($ann, 'ann', 'cow');
        log_in($ben, 'ben', 'pig');
        $_->wait_for('document.getElementById("user")?.textContent', 'a name')
            for $ann, $ben;

        is(HTTP::Tiny->new->get($b->app_url('/events?timeout=1'))->{status},
           401, "$title: a poll without a login is refused");
        act('the same page');
        ok(each_once('the same page'), "$title: the page works without nginx");
        act('and again');
        ok(each_once('and again') && all_done(),
           "$title: and gets a second event");
        1;
    } or fail("$title: it ran to its end") or diag($@, $b->log);

    $b->end;
}


# Runs what `make backend` runs.

sub served {
    my ($name) = @_;

    my $dir = tempdir('longpoll-XXXXXX', TMPDIR => 1, CLEANUP => 1);

    chmod 0755, $dir;           # for root's workers, who are somebody else

    my $port = Longpoll::Backend::free_ports(3);
    my $run = Longpoll::Child->start(
        [ "$root/tools/backend.sh", $name, $port ], log => "$dir/log",
        env => { TMPDIR => $dir });

    wait_until('the page to be served',
               sub { Longpoll::Backend::slurp("$dir/log") =~ /^$name is at/m });

    my $http = HTTP::Tiny->new;

    like($http->get("http://127.0.0.1:$port/")->{content}, qr/id="login"/,
         "$name: make backend serves the page");
    is($http->get("http://127.0.0.1:$port/shared/longpoll.js")->{status}, 200,
       "$name: and its script");
    is($http->get("http://127.0.0.1:$port/events")->{status}, 401,
       "$name: nginx asks the application");

    $run->signal('TERM');
    wait_until('make to end', sub { !$run->alive });

    is_deeply([ grep { listens($_) } $port .. $port + 2 ], [],
              "$name: TERM ends all processes");
    is_deeply([ grep { !m{/log$} } glob "$dir/*" ], [],
              "$name: no file is left");
}

sub listens {
    return IO::Socket::INET->new(PeerAddr => "127.0.0.1:$_[0]");
}


sub published {
    my $answer = HTTP::Tiny->new->get($b->own_url('/status'));
    my $status = JSON::PP::decode_json($answer->{content});

    return $status->{zones}{events}{published};
}

sub log_in {
    my ($window, $name, $password) = @_;

    $window->wait_for('document.querySelector("#login:not([hidden])")',
                      'the form');
    $window->find("#login [name=$_->[0]]")->clear,
    $window->find("#login [name=$_->[0]]")->type($_->[1])
        for [ name => $name ], [ password => $password ];
    $window->find('#login button')->click;
}

# ann sends a text with the page's own form.

sub act {
    submit(@_);
    $ann->wait_for("!document.getElementById('say').elements.$app->{field}"
                   . '.value', 'it to be sent');
}

sub submit {
    my ($text) = @_;

    my %set = (@{ $app->{choice} || [] }, $app->{field} => $text);

    $ann->run('const form = document.getElementById("say");
               for (const [name, value] of Object.entries(arguments[0])) {
                 form.elements[name].value = value;
               }
               form.requestSubmit();', \%set);
}

# Another program, not the application, publishes the same event.

sub another_program {
    my ($text) = @_;

    $b->publish($app->{category}, sprintf $app->{data}, $text, ++$id);
}

# Whether each user who should get the text has it once, and no other user has
# it.

sub each_once {
    my ($text) = @_;

    hears($ann, $text);
    hears($ben, $text) unless $app->{apart};
    return count($ann, $text) == 1
           && count($ben, $text) == ($app->{apart} ? 0 : 1);
}

sub all_done {
    $ann->wait_for('[...document.querySelectorAll("progress")]
                    .every(p => p.value === 100)', 'the end of all jobs');
    return 1;
}

sub lines {
    my ($text) = @_;

    return '[...document.querySelectorAll("#list li")].filter(line =>
            line.textContent.includes('
           . JSON::PP->new->allow_nonref->encode($text) . '))';
}

sub count { $_[0]->run('return ' . lines($_[1]) . '.length') }
sub hears { $_[0]->wait_for(lines($_[1]) . '.length', "'$_[1]'") }

sub pictures {
    my ($what) = @_;

    my $dir = $ENV{LONGPOLL_SCREENSHOTS} or return;

    for ([ phone => 390, 844 ], [ desktop => 1000, 700 ]) {
        my ($size, @size) = @$_;

        for my $scheme (qw( dark light )) {
            $ann->cdp('Emulation.setEmulatedMedia', { features =>
                [{ name => 'prefers-color-scheme', value => $scheme }] });
            $ann->size(@size);
            $ann->screenshot("$dir/$title-$what-$size-$scheme.png");
        }
    }
}


package Cookies;

# The methods of a cookie jar that HTTP::Tiny calls; this jar sees only one
# site.

sub new { bless {}, shift }
sub add { $_[0]{$1} = $2 if $_[2] =~ /^([^=]+)=([^;]*)/ }
sub cookie_header { my ($c) = @_; join '; ', map { "$_=$c->{$_}" } keys %$c }
