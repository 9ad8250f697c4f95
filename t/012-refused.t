# What nginx -t refuses: each mistake, with the whole sentence.

use lib 't/lib';
use Test::Nginx::Socket 'no_plan';
use Longpoll;

use File::Temp qw( tempdir );
use POSIX qw( mkfifo );

our $dir = tempdir('longpoll-XXXXXX', TMPDIR => 1, CLEANUP => 1);

our $group = getgrgid((getpwnam 'nobody')[3]);

chmod 0755, $dir or die $!;
mkdir "$dir/$_" or die $! for qw( open shut directory );
chmod 0777, "$dir/open" or die $!;
chmod 0555, "$dir/shut" or die $!;

open my $out, '>', "$dir/plain" or die $!;
close $out or die $!;

symlink 'plain', "$dir/link" or die $!;
mkfifo("$dir/pipe", 0666) or die $!;


# for the scenarios

package Longpoll::Scenario;

# Puts text at the marks of the configuration, and runs nginx -t:
# returns its exit status and its only line of level emerg, without the place.

sub tried {
    my ($http, $location) = @_;

    my $was;

    s/\$dir\b/$main::dir/g for $http, $location;

    change_conf {
        $was = $_;
        s/#http;/$http/;
        s/#location;/$location/;
        s/^error_log .*/error_log stderr;/m;
        s/^user .*//m;
        s/^/user nobody $main::group;\n/ if $> == 0;
    };

    # The block's own log must stay without alerts.

    my ($status, $said) = conf_test('-e /dev/null');

    change_conf { $_ = $was };

    my ($line) = $said =~ /\[emerg\] (.*)/;

    $line = '' unless defined $line;
    $line =~ s/^\d+#\d+: //;
    $line =~ s/ in \S+nginx\.conf:\d+$/ in CONF/;
    $line =~ s/\Q$main::dir/DIR/g;

    return ($status, $line);
}

# Checks rows of a configuration and what is said about it.

sub refused {
    my ($put, @rows) = @_;

    while (my ($conf, $sentence) = splice @rows, 0, 2) {
        my ($status, $said) = tried($put->($conf));

        is($said, $sentence, "said about: $conf");
        isnt($status, 0, "refused: $conf");
    }
}

sub accepted {
    my ($put, @confs) = @_;

    for my $conf (@confs) {
        my ($status, $said) = tried($put->($conf));

        is($said, '', "nothing is said about: $conf");
        is($status, 0, "accepted: $conf");
    }
}

sub in_zone { ("longpoll_zone $_[0];", '') }
sub in_location { ('longpoll_zone zone=other:1m;', $_[0]) }


package main;

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value(http_config => <<'_EOC_');
    longpoll_zone zone=events:1m;
    longpoll_zone zone=once:1m delete_on_read=on;
    #http;
_EOC_

    $block->set_value(config => <<'_EOC_');
    location /tried { #location;
    }
_EOC_
});

no_long_string();
run_tests();

__DATA__

=== TEST 1: longpoll_zone
--- scenario
my $name = 'it must be "zone=name:size" in CONF';
my $size = 'it must be in bytes, kilobytes or megabytes, such as "1024m" in CONF';
my $names = 'it must be "zone=", "buffer=", "ttl=", "inactive=", '
            . '"delete_on_read=", "persist=", "flush=", "durable=", "presence=", '
            . '"grace=", "redis=", "auth=", "ca=", "keep=", "keys=", '
            . '"replicas=", "timeout=" or "restart=", and a value in CONF';
my $ascii = 'it must be of visible ASCII characters without ":", a quote and a '
            . 'backslash in CONF';
my $once = 'it may be there once in CONF';
my $number = 'it must be a number from 1 to 2147483647 in CONF';
my $time = 'it must be a time, such as "1h", or "off" in CONF';
my $flag = 'it must be "on" or "off" in CONF';
my $category = '"presence" must be a category of 1 to 1024 bytes of UTF-8 in CONF';

refused(\&in_zone,
    'buffer=10' => '"longpoll_zone" must have "zone=name:size" parameter in CONF',
    'zone=a'       => qq(invalid parameter "zone=a", $name),
    'zone=:1m'     => qq(invalid parameter "zone=:1m", $name),
    'zone=a:'      => qq(invalid zone size "zone=a:", $size),
    'zone=a:many'  => qq(invalid zone size "zone=a:many", $size),
    'zone=a:-1m'   => qq(invalid zone size "zone=a:-1m", $size),
    'zone=a:1g'    => qq(invalid zone size "zone=a:1g", $size),
    'zone=a:99999999999999m' =>
        qq(invalid zone size "zone=a:99999999999999m", $size),
    'zone=a:0'     => 'zone "zone=a:0" is too small, the least size is 64k in CONF',
    'zone=a:4k'    => 'zone "zone=a:4k" is too small, the least size is 64k in CONF',
    'zone=a:65535' =>
        'zone "zone=a:65535" is too small, the least size is 64k in CONF',
    'zone=a:65537m' => 'zone "zone=a:65537m" is too large, at most 65536m in CONF',
    qq("zone=a b:1m") => qq(invalid zone name in "zone=a b:1m", $ascii),
    'zone=all:1m'  => 'invalid zone name in "zone=all:1m", as '
                      . '"longpoll_status all" means all zones; give it '
                      . 'another one in CONF',
    'zone=events:1m' => 'duplicate longpoll_zone "events", each must have a name '
                        . 'of its own in CONF',
    'zone=a:1m zone=b:1m' => qq(duplicate parameter "zone=b:1m", $once),
    'zone=a:1m ttl=1h ttl=2h' => qq(duplicate parameter "ttl=2h", $once),
    (map { ("zone=a:1m $_" => qq(invalid parameter "$_", $names)) }
         qw( colour=red buffer Buffer=10 ttl persist delete_on_read durable
             presence name=a )),
    'a:1m' => qq(invalid parameter "a:1m", $names),
    (map { ("zone=a:1m $_" => qq(invalid parameter "$_", $number)) }
         qw( buffer=0 buffer=-3 buffer=10x buffer= buffer=2147483648 )),
    (map { ("zone=a:1m $_" => qq(invalid parameter "$_", $time)) }
         qw( ttl=0 ttl=soon ttl= inactive=0 inactive=never )),
    (map { ("zone=a:1m $_" => qq(invalid parameter "$_", $flag)) }
         qw( delete_on_read=perhaps delete_on_read= durable=yes )),
    (map { ("zone=a:1m $_" => '"flush" and "durable" need "persist=path" in CONF') }
         qw( flush=1s durable=on durable=off )),
    (map { ("zone=a:1m persist=\$dir/open/a $_" =>
            qq(invalid parameter "$_", it must be a time, such as "5s" in CONF)) }
         qw( flush=0 flush=off flush=soon )),
    (map { ("zone=a:1m $_" => $category) }
         'presence=', 'presence=' . 'x' x 1025, "presence=\xff"),
    (map { ("zone=a:1m presence=who $_" =>
            qq(invalid parameter "$_", it must be a time, such as "5s" in CONF)) }
         qw( grace=0 grace=off grace= )),
    'zone=a:1m grace=5s' => '"grace" needs "presence=category" in CONF',
    'zone=a:1m presence=who presence=me' =>
        qq(duplicate parameter "presence=me", $once),
    'zone=a:1m presence=who delete_on_read=on' =>
        '"presence" cannot be used with "delete_on_read", as its events are '
        . 'for all who ask; remove one of them in CONF');

accepted(\&in_zone, 'zone=a:64k', 'zone=a:64k persist=$dir/open/a durable=on',
         'zone=a:64k presence=who grace=1ms',
         'zone=a:64k persist=$dir/open/a presence=' . 'x' x 1024,
         'zone=a:1024m', 'zone=a:1m buffer=2147483647', 'zone=all_:1m');



=== TEST 2: persist
--- scenario
my $path = 'it must be the path of a file in CONF';
my $long = 'a' x 233;
my $deep = ('d/' x 2100) . 'a';
my $user = $> == 0 ? 'nobody' : 'who runs nginx';
my $other = sub {
    qq("persist=$_[0]" is a $_[1], "persist" must be the path of a file in CONF);
};
my $own = 'each must have one of its own in CONF';
my $shared = qq("persist=DIR/open/b" is the file of zone "a" already, $own);
my $shut = sub {
    qq(longpoll_zone "a": "persist=$_[0]" needs a directory in which user )
    . qq("$user" can create files ($_[1]));
};

refused(\&in_zone,
    'zone=a:1m persist=' => qq(invalid parameter "persist=", $path),
    'zone=a:1m persist=$dir/' => qq(invalid parameter "persist=DIR/", $path),
    'zone=a:1m persist=$dir/directory' =>
        $other->('DIR/directory', 'directory'),
    'zone=a:1m persist=$dir/link' => $other->('DIR/link', 'symbolic link'),
    'zone=a:1m persist=$dir/pipe' =>
        $other->('DIR/pipe', 'device, a pipe or a socket'),
    'zone=a:1m persist=/dev/null' =>
        $other->('/dev/null', 'device, a pipe or a socket'),
    'zone=a:1m persist=$dir/none/a' =>
        'there is no directory "DIR/none" for "persist=DIR/none/a", '
        . 'make it for the user of the workers in CONF',
    'zone=a:1m persist=$dir/plain/a' =>
        'there is no directory "DIR/plain" for "persist=DIR/plain/a", '
        . 'make it for the user of the workers in CONF',
    "zone=a:1m persist=\$dir/open/$long" =>
        qq("persist=DIR/open/$long" is too long, a file's name may have 232 )
        . 'characters and its path 4072 in CONF',
    'zone=a:1m persist=$dir/shut/a' =>
        $shut->('DIR/shut/a', '13: Permission denied'),
    'zone=a:1m persist=$dir/open/a; longpoll_zone zone=b:1m persist=$dir/open/a' =>
        qq("persist=DIR/open/a" is the file of zone "a" already, $own),
    (map { ("zone=a:1m persist=\$dir/open/b$_; "
            . 'longpoll_zone zone=b:1m persist=$dir/open/b' => $shared) }
         qw( .new .bad .restored .00000001 .999999999999999999 )));

accepted(\&in_zone, 'zone=a:1m persist=$dir/open/a',
         'zone=a:1m persist=$dir/open/' . 'a' x 232,
         (map { "zone=a:1m persist=\$dir/open/b$_; "
                . 'longpoll_zone zone=b:1m persist=$dir/open/b' }
              qw( .state .1 .0000001 .000000001 .00000001x )),
         'zone=a:1m persist=$dir/open/a; '
         . 'longpoll_zone zone=b:1m persist=$dir/open/b');



=== TEST 3: longpoll_category
--- scenario
my $none = '"longpoll_category" must have a category of 1 to 1024 bytes of UTF-8, '
           . 'and none that is longer or not UTF-8 in CONF';
my $many = '"longpoll_category" has too many categories, there may be 64 in CONF';
my $names = sub { join $_[1], map { "c$_" } 1 .. $_[0] };

refused(\&in_location,
    'longpoll_category separator=,;' =>
        '"longpoll_category" must have a category beside the separator in CONF',
    'longpoll_category a separator=ab;' =>
        'invalid parameter "separator=ab", it must be one character in CONF',
    'longpoll_category a separator=;' =>
        'invalid parameter "separator=", it must be one character in CONF',
    'longpoll_category a separator=, separator=.;' =>
        'duplicate parameter "separator=.", it may be there once in CONF',
    'longpoll_category "";' => $none,
    'longpoll_category "" "";' => $none,
    'longpoll_category ",,," separator=,;' => $none,
    'longpoll_category ' . 'a' x 1025 . ';' => $none,
    "longpoll_category a\xff;" => $none,
    'longpoll_category ' . $names->(65, ' ') . ';' => $many,
    'longpoll_category ' . $names->(65, ' ') . ' $arg_a;' => $many,
    'longpoll_category ' . $names->(65, ',') . ' separator=,;' => $many);

accepted(\&in_location,
    'longpoll_category ' . $names->(64, ' ') . ' c1 "";',
    'longpoll_category ' . $names->(64, ' ') . ' $arg_a;',
    'longpoll_category "" $arg_a;', 'longpoll_category ' . 'a' x 1024 . ';');



=== TEST 4: the directives of a location
--- scenario
my $protocol = 'it must be "protocol=golongpoll" or "protocol=gpoll" in CONF';
my $format = 'it must be "format=auto", "format=json" or "format=text" in CONF';
my $zone = 'it must be the name of a "longpoll_zone" in CONF';
my $status = 'it must be "format=json" or "format=prometheus" in CONF';

refused(\&in_location,
    (map { ("$_ nowhere;" => qq(unknown zone "nowhere" in "$_", $zone)) }
         qw( longpoll_subscribe longpoll_publish longpoll_delete
             longpoll_status )),
    (map { ("longpoll_subscribe $_;" =>
            qq(unknown zone "$_" in "longpoll_subscribe", $zone)) }
         qw( zone=events events:1m all )),
    (map { ("$_ events; $_ events;" => qq("$_" directive is duplicate in CONF)) }
         qw( longpoll_subscribe longpoll_publish longpoll_delete
             longpoll_status )),
    'longpoll_delete events; longpoll_status all;' =>
        '"longpoll_status" directive is incompatible with "longpoll_subscribe", '
        . '"longpoll_publish" and "longpoll_delete", it must have a location of '
        . 'its own in CONF',
    'longpoll_status all; longpoll_delete events;' =>
        '"longpoll_delete" directive is incompatible with "longpoll_status", '
        . 'which must have a location of its own in CONF',
    (map { ("longpoll_subscribe events $_;" =>
            qq(invalid parameter "$_", $protocol)) }
         qw( protocol=mqtt protocol= gpoll )),
    (map { ("longpoll_publish events $_;" => qq(invalid parameter "$_", $format)) }
         qw( format=xml format= json other )),
    (map { ("longpoll_status events $_;" => qq(invalid parameter "$_", $status)) }
         qw( format=xml colour=red )),
    'longpoll_subscribe events protocol=gpoll;' =>
        '"protocol=gpoll" of "longpoll_subscribe" needs a "longpoll_category" '
        . 'in its location in CONF',
    'longpoll_subscribe once protocol=gpoll; longpoll_category a;' =>
        '"protocol=gpoll" of "longpoll_subscribe" needs a zone without '
        . '"delete_on_read", which "once" has in CONF');



=== TEST 5: longpoll_stream, longpoll_heartbeat
--- scenario
my $stream = 'it must be "on", "off", or the longest time that a stream lasts, '
             . 'such as "1h" in CONF';

refused(\&in_location,
    (map { ("longpoll_stream $_;" => qq(invalid value "$_", $stream)) }
         qw( 0 0s -1 ON yes 5x 1.5s 5m10m )),
    'longpoll_stream;' =>
        'invalid number of arguments in "longpoll_stream" directive in CONF',
    'longpoll_stream on off;' =>
        'invalid number of arguments in "longpoll_stream" directive in CONF',
    'longpoll_stream on; longpoll_stream 5m;' =>
        '"longpoll_stream" directive is duplicate in CONF',
    (map { ("longpoll_heartbeat $_;" =>
            qq("longpoll_heartbeat" directive must be a time, such as "15s" in CONF)) }
         qw( off -1 5x )),
    'longpoll_heartbeat 1s; longpoll_heartbeat 0;' =>
        '"longpoll_heartbeat" directive is duplicate in CONF');

accepted(\&in_location,
    (map { "longpoll_subscribe events; longpoll_stream $_;" }
         qw( on off 1ms 90s 1h30m 365d 5 )),
    (map { "longpoll_subscribe events; longpoll_heartbeat $_;" }
         qw( 0 1ms 15s 1d 5 )),
    'if ($arg_a) { longpoll_stream off; longpoll_heartbeat 0; }');

accepted(\&in_zone,
    'zone=more:1m; longpoll_stream 1h; longpoll_heartbeat 1s');



=== TEST 6: a location with two directives that answer requests
--- scenario
my $proxy = 'proxy_pass http://127.0.0.1:1;';
my $other = sub {
    qq("$_[0]" is incompatible with "proxy_pass" and other directives that answer )
    . 'requests, each must have a location of its own in CONF';
};
my $return = sub {
    qq("$_[0]" is never reached beside "return", which must be in an "if" or in )
    . 'another location in CONF';
};

for my $name (qw( longpoll_subscribe longpoll_publish longpoll_delete
                  longpoll_status ))
{
    refused(\&in_location,
        "$proxy $name events;" => $other->($name),
        "$name events; $proxy" => $other->($name),
        "$name events; empty_gif;" => $other->($name),
        "$name events; return 204;" => $return->($name),
        "return 204; $name events;" => $return->($name),
        "if (\$arg_a) { return 403; } $name events; return 302 /other;" =>
            $return->($name),
        "if (\$arg_a ~ x) { set \$b 1; } $name events; return 200 '\$b a';" =>
            $return->($name));
}

refused(\&in_location,
    "if (\$arg_a) { longpoll_subscribe events; $proxy }" =>
        $other->('longpoll_subscribe'),
    "limit_except GET { longpoll_publish events; $proxy }" =>
        $other->('longpoll_publish'));

# a block has its own handler, and an "if" may go another way

accepted(\&in_location,
    "$proxy if (\$arg_a) { longpoll_subscribe events; }",
    "longpoll_subscribe events; if (\$arg_a) { $proxy }",
    "longpoll_subscribe events; limit_except GET { $proxy }",
    "$proxy limit_except GET { longpoll_publish events; }",
    'longpoll_subscribe events; longpoll_publish events; '
    . 'longpoll_delete events; limit_except GET { deny all; }',
    'longpoll_subscribe events; if ($arg_a) { return 403; }',
    'if ($arg_a) { return 403; } if ($arg_b ~ x) { return 404 "no\n"; } '
    . 'longpoll_publish events;',
    'if ($arg_a) { break; } longpoll_publish events; return 403;',
    'rewrite ^/a /b break; longpoll_publish events; return 403;',
    'set $a "return"; longpoll_status all;',
    'longpoll_subscribe events; location = /tried/more { return 204; }');



=== TEST 7: times, sizes, statuses, and where a directive stands
--- scenario
my $time = 'must be a time, such as "15s" in CONF';
my $size = 'must be in bytes, kilobytes or megabytes, such as "64k" in CONF';
my $status = 'must be 200 or between 400 and 499 in CONF';

refused(\&in_location,
    (map { ("longpoll_max_timeout $_;" =>
            qq("longpoll_max_timeout" directive $time)) }
         qw( off 2x -1 )),
    'longpoll_max_timeout 0;' =>
        '"longpoll_max_timeout" directive must be at least 1s in CONF',
    (map { ("longpoll_max_response_size $_;" =>
            qq("longpoll_max_response_size" directive $size)) }
         qw( 1g off many )),
    (map { ("longpoll_error_status $_;" =>
            qq("longpoll_error_status" directive $status)) }
         qw( 999 302 0 -1 bad )));

refused(\&in_location,
    (map { ("$_;" => '"' . (split)[0] . '" directive is not allowed here in CONF') }
         'longpoll_zone zone=more:1m', 'longpoll_drain 5s',
         'longpoll_max_unsent 1m'));

refused(\&in_zone,
    'zone=more:1m; longpoll_subscribe events' =>
        '"longpoll_subscribe" directive is not allowed here in CONF',
    'zone=more:1m; longpoll_drain off' => qq("longpoll_drain" directive $time),
    'zone=more:1m; longpoll_max_unsent 1g' =>
        qq("longpoll_max_unsent" directive $size));

accepted(\&in_location,
    'longpoll_max_timeout 1s; longpoll_max_response_size 64k;',
    'longpoll_error_status 200;', 'longpoll_error_status 404;');
