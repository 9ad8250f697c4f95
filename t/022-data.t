# Data that is not stored as it came, or not at all: numbers that no double
# holds, and surrogates without their other half.  Clients that read JSON
# strictly refuse a whole answer for one of these.

use lib 't/lib';
use Test::Nginx::Socket 'no_plan';
use Longpoll;

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value(config => <<'_EOC_');
        location = /events  { longpoll_subscribe events; }
        location = /publish { longpoll_publish   events; }

        location = /json {
            longpoll_category $arg_c;
            longpoll_publish  events format=json;
        }
        location = /text {
            longpoll_category $arg_c;
            longpoll_publish  events format=text;
        }
        location = /gpoll {
            longpoll_category  $arg_c;
            longpoll_subscribe events protocol=gpoll;
        }
_EOC_
});

no_long_string();
run_tests();

__DATA__

=== TEST 1: a number that no double holds is refused, however it is published
--- scenario
my $cat = category();
my $refused = '400 {"error": "Invalid POST body json."}';
my @taken = grep {
    my $r = post(@$_);

    $r->status . ' ' . $r->body ne $refused
} map {
    my $data = $_;

    (['/publish', event($cat, $data)],
     ['/publish', '[' . event($cat, 1) . ',' . event($cat, $data) . ','
                  . event($cat, 2) . ']'],
     ["/json?c=$cat", $data], ["/json?c=$cat", "\n$data\n"])
} map {
    ($_, "[1,$_]", qq({"a":[{"b":$_},2]}))
} ('1e309', '-1e400', '18E+307', '1.7976931348623159e308',
   '1.797693134862315808e308', '0.17976931348623159e309', '1' . '0' x 309,
   '2' x 309, '1e99999999999999999999');

is_deeply(\@taken, [], 'as data, in data, in an array of events, alone');
is(post('/publish', qq({"category":"$cat","data":1e400,"data":1}))->status, 400,
   'data that another data replaces');

publish($cat, '"small"');
is_deeply([ask(category => $cat, since_time => 0)->data], ['small'],
          'none is stored');



=== TEST 2: a number that a double holds is stored as it came
--- scenario
my @numbers = ('17e307', '1.7976931348623157e308', '1.7976931348623158e308',
               '-1E+308', '1e-400', '0e999', '0.0e99999999999999999999',
               '1' x 309, '1' . '0' x 320 . 'e-15', '0.' . '0' x 400 . '1',
               '0.' . '0' x 400 . '1e700', '[1e308,{"1e400":"1e400"}]');

for my $number (@numbers) {
    my $cat = category();

    for (['/publish', event($cat, $number)], ["/json?c=$cat", $number]) {
        is(post(@$_)->status, 200, "$_->[0] $number");
    }

    like(ask(category => $cat, since_time => 0)->body,
         qr/("data":\Q$number\E,"id".*){2}/, "$number as it came");
}

my $cat = category();

is(post('/publish', qq({"category":"$cat","data":1,"x":1e400}))->status, 200,
   'members that are not stored may be any number, as with golongpoll');
is(post("/text?c=$cat", '1e400')->status, 200, 'so may text');



=== TEST 3: a surrogate without its other half is stored as \ufffd
--- scenario
my @cases = (
    ['"cut \ud83d"', '"cut \ufffd"'], ['"\uDC37"', '"\ufffd"'],
    ['"\ud83d\ud83d\udc37"', '"\ufffd\ud83d\udc37"'],
    ['"\ud83dx\udc37\n"', '"\ufffdx\ufffd\n"'],
    ['"\udc37\ud83d"', '"\ufffd\ufffd"'],
    ['"\ud83d\\\\udc37"', '"\ufffd\\\\udc37"'],
    ['{"\ud83d":[1.0, {"a\udfff" : "\ud83d\u0041"}]}',
     '{"\ufffd":[1.0, {"a\ufffd" : "\ufffd\u0041"}]}'],
    ["[\"\\ud83d\",\n\"\\udc37\"]", '["\ufffd", "\ufffd"]'],
);

for (@cases) {
    my ($data, $stored) = @$_;
    my $cat = category();

    post('/publish', event($cat, $data));
    post('/publish', '[' . event($cat, 0) . ',' . event($cat, $data) . ']');
    post("/json?c=$cat", $data);
    like(ask(category => $cat, since_time => 0)->body,
         qr/"data":\Q$stored\E,"id".*"data":0,.*("data":\Q$stored\E,"id".*){2}/,
         $data);
}



=== TEST 4: nothing else of the data changes
--- scenario
for my $data ('"\ud83d\uDC37\uFFFD\ufffd\ud7ff\uE000"', '"\\\\ud83d"',
              '{"\uD83D\udc37":"\u00E4\/\u0000"}',
              '"ud83d"', '["\\\\\\\\ud83d",1.00]')
{
    my $cat = category();

    post('/publish', event($cat, $data));
    post("/json?c=$cat", $data);
    like(ask(category => $cat, since_time => 0)->body,
         qr/("data":\Q$data\E,"id".*){2}/, $data);
}

my $cat = category();

post("/text?c=$cat", 'cut \ud83d');
like(ask(category => $cat, since_time => 0)->body,
     qr/"data":"cut \\\\ud83d","id"/, 'text has no escapes');



=== TEST 5: a category is decoded as golongpoll does it: to U+FFFD
--- scenario
my $cat = category();

publish($cat . '\ud83d', '"\ud83d"');

my $r = ask(category => "$cat\xef\xbf\xbd", since_time => 0);

like($r->body, qr/"category":"$cat\xef\xbf\xbd","data":"\\ufffd",/, 'by its name');



=== TEST 6: a client of gpoll gets the same text
--- scenario
my $cat = category();
my $id = client("/gpoll?c=$cat");

publish($cat, '"cut \ud83d"');
publish($cat, '["cut \ud83d"]');

for my $text ("cut \xef\xbf\xbd", '["cut \ufffd"]') {
    is(get("/gpoll?c=$cat&client-id=" . escape($id))->body, $text, $text);
}
