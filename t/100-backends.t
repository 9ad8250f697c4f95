# docs/backends.md: which client gets which events.  The test takes the
# configurations, the commands and their output from the page.

use lib 't/lib';
use Test::Nginx::Socket 'no_plan';
use Longpoll;
use Longpoll::Docs;

# Debian builds njs for its own nginx only.

$ENV{TEST_NGINX_HAS_NJS} = Longpoll::Docs::has_module('ngx_http_js_module');

no_long_string();
run_tests();

__DATA__

=== TEST 1: the ground: a published event is there
--- recipe: ground
--- scenario
shell('ground');
is(get('/status', at(8081))->status, 200, 'the status is there');



=== TEST 2: auth_request: the application names the categories
--- recipe: auth-request
--- scenario
my $app = app_answering('auth-request');

shell('auth-request');

my ($seen) = grep { $_->{path} eq '/auth' } $app->seen;

is($seen->{method}, 'GET', 'nginx asks the application by GET');
is($seen->{headers}{'x-original-uri'},
   '/events?timeout=30&since_time=0&category=user-18',
   'and passes the address of the poll');

my $p = poll({ at(8080) });

wait_waiting(1);
publish('user-18', 1, at(8081));
publish('user-17', 2, at(8081));
is_deeply([$p->answer->data], [2],
          'a parked poll gets events of its own category');



=== TEST 3: auth_request: refused clients, and an application that is down
--- recipe: auth-request
--- scenario
my $bad = '{"error": "Invalid subscription category, must be 1-1024 characters '
          . 'long."}';
my $app = app(<<'_APP_');
    my ($want) = ($r->{headers}{cookie} || '') =~ /want=(\w+)/;

    return (200, [], '') if $want eq 'none';
    return (200, ['X-Categories: '], '') if $want eq 'empty';
    return (200, ['X-Categories: ,,'], '') if $want eq 'commas';
    return ($want, ['WWW-Authenticate: Basic realm="x"'], 'no') if $want;
_APP_

for (['none', 200, $bad], ['empty', 200, $bad], ['commas', 200, $bad],
     [401, 401], [403, 403], [404, 500], [302, 500])
{
    my ($want, $status, $body) = @$_;
    my $r = get('/events?timeout=2&category=farm&categories=farm', at(8080),
                headers => ["Cookie: want=$want", 'X-Categories: farm']);

    is($r->status, $status, "$want: status");
    is($r->body, $body, "$want: body") if defined $body;
    is($r->header('WWW-Authenticate'), 'Basic realm="x"', 'WWW-Authenticate')
        if $want eq '401';
}

is(get('/auth', at(8080))->status, 404, '/auth is not for clients');

$app->end;
is(get('/events?timeout=2&category=farm', at(8080))->status, 500, 'it is down');



=== TEST 4: auth_request: of repeated headers nginx uses the first, or all
--- recipe: auth-request
--- scenario
my ($a, $b) = (category('a'), category('b'));
my $app = app("return (200, ['X-Categories: $a', 'X-Categories: $b'], '')");
my ($minor) = `$Test::Nginx::Util::NginxBinary -v 2>&1` =~ m{nginx/1\.(\d+)};

publish($a, 1, at(8081));
publish($b, 2, at(8081));
publish(" $b", 3, at(8081));
is_deeply([get('/events?timeout=2&since_time=0', at(8080))->data],
          $minor < 23 ? [1] : [1, 3], 'as the page says');



=== TEST 5: X-Accel-Redirect: the application names the location and category
--- recipe: accel
--- scenario
my $app = app_answering('accel');

shell('accel');

my $r = post('/my/events', 'anything', at(8080));

is($r->header('Set-Cookie'), 'seen=1', "the application's cookie");
is($r->header('Cache-Control'), 'no-cache, no-store, must-revalidate',
   "the poll's Cache-Control");
is($r->header('X-Content-Type-Options'), 'nosniff', 'X-Content-Type-Options');
is(get('/polls?category=user-17&timeout=2&since_time=0', at(8080))->status, 404,
   '/polls is not for clients');



=== TEST 6: X-Accel-Redirect: what happens to bodies, headers and names
--- recipe: accel
--- scenario
my $cat = category() . '-a&b/c,d';
my $app = app('return (200, ["X-Accel-Redirect: /polls?timeout=30&category='
              . escape($cat) . '", "Expires: tomorrow", "Pragma: x",'
              . ' "Content-Type: text/html", "X-Mine: 1", "ETag: \"x\"",'
              . ' "Last-Modified: Sat, 21 Nov 2026 02:38:06 GMT"], "no")');
my $c = connection(at(8080));

$c->request('PUT', '/my/events', body => 'x' x 100_000);
wait_waiting(1);
publish($cat, 1, at(8081));

my $r = $c->response;

is_deeply([$r->data], [1], 'a PUT with a body waits and gets the event');
is(join(' ', $r->header_names), 'Cache-Control Connection Content-Length '
   . 'Content-Type Date Expires Pragma Server X-Content-Type-Options',
   'the headers of a poll');
is($r->header('Expires'), '0', 'Expires');
is($r->header('Pragma'), 'no-cache', 'Pragma');
is($r->header('Content-Type'), 'application/json', 'Content-Type');



=== TEST 7: X-Accel-Redirect: the configuration names the category
--- recipe: accel-category
--- scenario
my $app = app('return (200, ["X-Accel-Redirect: /polls?$r->{args}",'
              . ' $r->{args} =~ /nobody/ ? () : "X-Category: user-17"], "")');

shell('accel-category');
is(get('/my/events?timeout=2&nobody=1&category=user-17', at(8080))->kind,
   'error', 'a request without the header is refused');



=== TEST 8: X-Accel-Redirect: a publish that the application allows
--- recipe: accel-publish
--- scenario
my $app = app_answering('accel-publish');
my $large = 'x' x 300_000;

shell('accel-publish');
is(($app->seen)[0]{body}, 'hello', 'the application sees it');
is(post('/say', $large, at(8080))->status, 200, 'a large one');
is_deeply([ask({ at(8081) }, category => 'room-5', since_time => 0)->data],
          ['hello', $large], 'is stored whole');

$app->end;
$app = app('return (403, [], "no")');
is(post('/say', 'x', at(8080))->status, 403,
   'the application refuses a publish');



=== TEST 9: auth_basic: a category for each user
--- recipe: user
--- scenario
shell('user');

my $bob = 'Authorization: Basic Ym9iOm90aGVy';

is(get('/events?timeout=2&since_time=0&category=user:ann', at(8080),
       headers => [$bob])->kind, 'timeout',
   'another user does not get the event');
is(get('/events?timeout=2&category=user:ann', at(8080))->status, 401,
   'a poll without a password is refused');



=== TEST 10: auth_basic: a client without the password is refused
--- recipe: user
--- cut: auth_basic .*
--- scenario
my $bad = '{"error": "Invalid subscription category, must be 1-1024 characters '
          . 'long."}';

is(get('/events?timeout=2&category=user:', at(8080))->body, $bad, 'refused');



=== TEST 11: without auth_basic a user name is only the client's claim
--- recipe: user
--- cut: auth_basic .*
--- scenario
shell('user');



=== TEST 12: JWT: a token names the user
--- recipe: jwt
--- skip_eval
20: !$ENV{TEST_NGINX_HAS_NJS}
--- scenario
use Digest::SHA ();
use MIME::Base64 ();

my $key = 'thirty-two bytes or more, by chance';

my $token = sub {
    my ($head, $claims, $secret) = @_;
    my $text = join '.', map { MIME::Base64::encode_base64url($_) }
                         $head, $claims;

    return "$text." . Digest::SHA::hmac_sha256_base64($text, $secret // $key)
                      =~ tr{+/}{-_}r;
};
my $as = sub {
    return http(GET => '/events?timeout=1&since_time=0', at(8080),
                headers => ["Authorization: $_[0]"]);
};

shell('jwt');

my $head = '{"alg":"HS256"}';
my $good = $token->($head, '{"sub":"ann","exp":4102444800}');

my ($signature) = $good =~ /(\.[^.]*)\z/;

is(($as->("Bearer $good")->events)[0]{data}, 1, 'a token is good');

for (
    ['no token',         ''],
    ['another scheme',   "Basic $good"],
    ['half a token',     'Bearer ' . $good =~ s/\.[^.]*\z//r],
    ['another key',      'Bearer ' . $token->($head,
                             '{"sub":"ann","exp":4102444800}', 'x')],
    ['another user',     'Bearer ' . $token->($head,
                             '{"sub":"bob","exp":4102444800}')
                             =~ s/\.[^.]*\z/$signature/r],
    ['another algorithm', 'Bearer ' . $token->('{"alg":"none"}',
                             '{"sub":"ann","exp":4102444800}')],
    ['an old one',       'Bearer ' . $token->($head, '{"sub":"ann","exp":1}')],
    ['without an end',   'Bearer ' . $token->($head, '{"sub":"ann"}')],
    ['without a user',   'Bearer ' . $token->($head, '{"exp":4102444800}')],
    ['without JSON',     'Bearer ' . $token->($head, 'ann')],
) {
    my ($name, $value) = @$_;

    is($as->($value)->status, 401, "$name is refused");
}



=== TEST 13: secure_link: a link for one category, and for some time
--- recipe: link
--- scenario
use Digest::MD5 ();

my $sign = sub {
    my ($room, $until) = @_;

    return Digest::MD5::md5_base64("$room $until a long secret")
           =~ tr{+/}{-_}r;
};
my $by = sub {
    my ($room, $until, $sign, $more) = @_;

    return get("/events/$room?timeout=1&since_time=0&until=$until&sign=$sign"
               . ($more // ''), at(8080));
};

shell('link');

my $farm = $sign->('farm', 4102444800);

is(($by->('farm', 4102444800, $farm)->events)[0]{data}, 'oink', 'a link is good');
is(($by->('farm', 4102444800, $farm, '&category=zoo')->events)[0]{category},
   'room:farm', 'for its own category');
is($by->('zoo', 4102444800, $farm)->status, 403, 'not for another room');
is($by->('farm', 4102444801, $farm)->status, 403, 'nor for longer');
is($by->('farm', 1000, $sign->('farm', 1000))->status, 410, 'and not when it is over');
is($by->('farm', '', '')->status, 403, 'nothing without a signature');
