# A zone's file: what a reload may change, and polls and publishes in a zone with
# a file.  The tests that end nginx are in t/persist/.

use lib 't/lib';
use Test::Nginx::Socket 'no_plan';
use Longpoll;

use File::Temp qw( tempdir );

# The workers may run as another user.

my $dir = tempdir('longpoll-XXXXXX', TMPDIR => 1, CLEANUP => 1);

chmod 0777, $dir or die $!;

# a file of golongpoll's, whose clock began in 1970

open my $file, '>', "$dir/p21" or die $!;
print $file "\n", qq({"timestamp":$_,"category":"old","data":$_,)
                  . qq("id":"0f9b2c9e-0000-4000-8000-00000000000$_"})
    for 0, 1;
close $file or die $!;
chmod 0666, "$dir/p21" or die $!;

$ENV{TEST_NGINX_DATA} = $dir;


# for the scenarios: the lines of a log, PATH and all segments

sub Longpoll::Scenario::log_lines {
    my ($path) = @_;

    return map { open my $in, '<', $_ or die "$_: $!\n"; <$in> }
               grep { -e } $path, sort glob "$path.[0-9]*";
}

no_long_string();
master_on();
workers(2);
log_level('notice');
run_tests();

__DATA__

=== TEST 1: a file alone, and a file with all parameters
--- http_config
    longpoll_zone zone=p12:1m persist=$TEST_NGINX_DATA/p12;
    longpoll_zone zone=p12b:1m flush=100ms durable=on buffer=3
                  persist=$TEST_NGINX_DATA/p12b;
--- config
    location = /publish { longpoll_publish p12b; }
    location = /events  { longpoll_subscribe p12b; }
--- scenario
my $cat = category();
my @ids = map { publish($cat, $_) } 1 .. 5;

is_deeply([ ask(category => $cat, since_time => 1)->ids ], [ @ids[2 .. 4] ],
          'buffer');

my ($status, $said) = conf_test();

is($status, 0, 'nginx -t beside it') or diag($said);
is(publish($cat, 6) gt $ids[4], 1, 'has changed nothing');



=== TEST 2: a reload cannot change, add or remove a zone's file
--- http_config
    longpoll_zone zone=p13:1m persist=$TEST_NGINX_DATA/p13;
    longpoll_zone zone=p13b:1m;
--- config
    location = /publish { longpoll_publish p13; }
    location = /events  { longpoll_subscribe p13; }
--- scenario
my $cat = category();
my $first = publish($cat, 1);
my $file = "$ENV{TEST_NGINX_DATA}/p13";
my @pids = worker_pids();

for my $try ([ sub { s/persist=\S+p13;/persist=${file}other;/ },
               qr/"persist" cannot be changed from "\S+p13" to "\S+other"/ ],
             [ sub { s/persist=\S+other;/;/ },
               qr/"p13": "persist" cannot be changed from "\S+p13" to / ],
             [ sub { s{zone=p13:1m ;}{zone=p13:1m persist=$file;};
                     s{zone=p13b:1m}{zone=p13b:1m persist=${file}b} },
               qr/"p13b": "persist" cannot be changed from .* to "\S+p13b"/ ])
{
    my ($change, $sentence) = @$try;

    change_conf { $change->() };
    kill HUP => master_pid();
    wait_log('error.log', $sentence);
    is_deeply([ worker_pids() ], \@pids, 'the workers are the same');
    is_deeply([ ask(category => $cat, since_time => 1)->ids ], [ $first ],
              'and serve on');
}

change_conf { s{(zone=p13b:1m) persist=\S+;}{$1;} };
reload();
is_deeply([ ask(category => $cat, since_time => 1)->ids ], [ $first ],
          'then a reload with the old ones');
--- alert: "persist" cannot be changed



=== TEST 3: a reload can change flush and durable
--- http_config
    longpoll_zone zone=p14:1m persist=$TEST_NGINX_DATA/p14 flush=1h;
--- config
    location = /publish { longpoll_publish p14; }
    location = /events  { longpoll_subscribe p14; }
--- scenario
my $cat = category();
my $file = "$ENV{TEST_NGINX_DATA}/p14";
my $has = sub { scalar grep { /"data":"?$_[0]"?,/ } log_lines($file) };

# A new writer writes at once, and once more within a second.

my ($early, $late) = (0, 0);

wait_until {
    publish($cat, '"a"');
    $has->('a') < ++$early;
} 'an answer in front of its line';

change_conf { s/flush=1h/flush=50ms/ };
reload();
publish($cat, '"b"');
wait_until { $has->('b') } 'b in the file';
is($has->('a'), $early, 'the others in front of it');

change_conf { s/flush=50ms/flush=1h durable=on/ };
reload();

for my $n (1 .. 20) {
    publish($cat, qq("durable$n"));
    die "durable$n is not in the file\n" unless $has->("durable$n");
}

pass('with durable=on it is there when it is answered');

change_conf { s/ durable=on// };
reload();

wait_until {
    publish($cat, '"late"');
    $has->('late') < ++$late;
} 'an answer in front of its line again';

change_conf { s/flush=1h/flush=50ms/ };
reload();
wait_until { $has->('late') == $late } 'late in the file';
is($has->('durable\d+'), 20, 'each once');



=== TEST 4: durable: parked polls, batches and the order, on both workers
--- http_config
    longpoll_zone zone=p15:1m persist=$TEST_NGINX_DATA/p15 durable=on;
--- config
    location = /publish { longpoll_publish p15; }
    location = /events  { longpoll_subscribe p15; }
--- scenario
my $on = spread(3);

for my $from (sort keys %$on) {
    for my $to (sort keys %$on) {
        my $cat = category();
        my $p = poll({ conn => $on->{$to}[0] }, category => $cat);

        wait_waiting(1);
        my $id = publish($cat, 1, conn => $on->{$from}[1]);

        is_deeply([ $p->answer->ids ], [ $id ], 'a poll is woken');
    }
}

# One of the two workers is not the writer.

for my $pid (sort keys %$on) {
    in_time(0.2, 'a publisher is told at once', sub {
        my @took = sort { $a <=> $b } map {
            my $at = time;

            publish(category(), 1, conn => $on->{$pid}[1]);
            time - $at;
        } 1 .. 9;

        return $took[4];
    });
}

my ($cat, $other) = (category(), category());
my $p = poll({ conn => $on->{ (sort keys %$on)[0] }[0] }, category => $cat,
             category => $other);

wait_waiting(1);
post('/publish', '[' . join(',', map { event($_ % 2 ? $cat : $other, $_) }
                                     1 .. 100) . ']');
is(join(' ', $p->answer->data), join(' ', 1 .. 100),
   'a batch is seen as one, and in order');

my @ids = publish_together($cat, 1 .. 30);

is_deeply(\@ids, [ sort @ids ], 'ids ascend');
is(http('HEAD', '/publish')->status, 405, 'HEAD');
is(status('p15')->{published}, 4 + 18 + 100 + 30, 'all are counted, once');



=== TEST 5: durable: a key is repeated while its event waits for the disk
--- http_config
    longpoll_zone zone=p16:1m persist=$TEST_NGINX_DATA/p16 durable=on;
--- config
    location = /publish { longpoll_publish p16; }
    location = /events  { longpoll_subscribe p16; }
--- scenario
my $cat = category();
my @c = connections(10);

in_one_turn {
    $_->request('POST', '/publish', body => event($cat, 1),
                headers => [ 'Idempotency-Key: one' ]) for @c;
};

my %ids = map { $_->response->header('Longpoll-Event-Id') => 1 } @c;

is(scalar keys %ids, 1, 'one id for all');
is_deeply([ ask(category => $cat, since_time => 1)->ids ], [ keys %ids ],
          'one event');
is(status('p16')->{published}, 1, 'published once');



=== TEST 6: two zones have two logs, and each uses its own
--- http_config
    longpoll_zone zone=p17:1m persist=$TEST_NGINX_DATA/p17 durable=on;
    longpoll_zone zone=p17b:1m persist=$TEST_NGINX_DATA/p17b durable=on;
--- config
    location = /publish  { longpoll_publish p17; }
    location = /publishb { longpoll_publish p17b; }
    location = /events   { longpoll_subscribe p17; }
--- scenario
my $cat = category();
my $a = publish($cat, '"one"');
my $b = publish($cat, '"two"', uri => '/publishb');

for my $pair ([ p17 => $a, $b ], [ p17b => $b, $a ]) {
    my ($name, $own, $other) = @$pair;

    my $text = join '', log_lines("$ENV{TEST_NGINX_DATA}/$name");

    like($text, qr/$own/, "$name has its event");
    unlike($text, qr/$other/, "$name has not the other one's");
}



=== TEST 7: one file under two names is refused
--- http_config
    longpoll_zone zone=pa:1m persist=$TEST_NGINX_DATA/same;
    longpoll_zone zone=pb:1m persist=$TEST_NGINX_DATA/.//same;
--- must_die
--- error_log
[emerg]
is the file of zone "pa" already



=== TEST 8: a file whose name is that of another zone's segment is refused
--- http_config
    longpoll_zone zone=pa:1m persist=$TEST_NGINX_DATA/same.00000007;
    longpoll_zone zone=pb:1m persist=$TEST_NGINX_DATA/./same;
--- must_die
--- error_log
[emerg]
is the file of zone "pa" already



=== TEST 9: two files whose names begin alike are accepted
--- http_config
    longpoll_zone zone=p20:1m  persist=$TEST_NGINX_DATA/p20;
    longpoll_zone zone=p20b:1m persist=$TEST_NGINX_DATA/p20.other;
--- config
    location = /events  { longpoll_subscribe p20; }
    location = /publish { longpoll_publish p20; }
--- request
POST /publish
{"category":"farm","data":1}
--- response_body chomp
{"success": true}



=== TEST 10: a poll from the beginning gets an event of the millisecond 0, too
--- http_config
    longpoll_zone zone=p21:1m persist=$TEST_NGINX_DATA/p21;
--- config
    location = /events { longpoll_subscribe p21; }
--- scenario
for my $since (0, -1) {
    my $r = ask(category => 'old', since_time => $since);

    is_deeply([$r->data], [0, 1], "since_time=$since");
    ok(!$r->missed, "since_time=$since: nothing is missed");
}

my @id = ask(category => 'old', since_time => 0)->ids;

is_deeply([ask(category => 'old', since_time => 0, last_id => $id[0])->data],
          [1], 'a client goes on behind it');
is_deeply([ask(category => 'old', since_time => 1, last_id => $id[0])->data],
          [1], 'or with a later time');



=== TEST 11: a reload cannot give a zone's file to a zone of another name
--- http_config
    longpoll_zone zone=p23:1m persist=$TEST_NGINX_DATA/p23;
--- config
    location = /publish { longpoll_publish p23; }
    location = /events  { longpoll_subscribe p23; }
--- scenario
my $cat = category();
my $id = publish($cat, 1);
my @pids = worker_pids();
my $dir = $ENV{TEST_NGINX_DATA};

symlink $dir, "$dir/again" or die "symlink: $!\n";

for my $path ('p23', 'again/p23', 'p23.00000001') {
    change_conf { s/p23\b/renamed/g; s/persist=\S+/persist=$dir\/$path;/ };
    kill HUP => master_pid();
    wait_log('error.log', qr/"persist=\S+\/\Q$path\E" is the file of the running /
                          . qr/zone "p23", only a restart can give it to zone /
                          . qr/"renamed"/);
    change_conf { s/renamed\b/p23/g };
}

is_deeply([ worker_pids() ], \@pids, 'the workers are the same');
is_deeply([ ask(category => $cat, since_time => 1)->ids ], [ $id ],
          'and serve on');
change_conf { s/persist=\S+/persist=$dir\/p23;/ };
reload();
is_deeply([ ask(category => $cat, since_time => 1)->ids ], [ $id ],
          'a reload with the old name');
--- alert
is the file of the running zone



=== TEST 12: a reload that cannot load the file of a new zone is refused
--- http_config
    longpoll_zone zone=p22:1m;
    #zone;
--- config
    location = /publish { longpoll_publish p22; }
    location = /events  { longpoll_subscribe p22; }
--- scenario
my $cat = category();
my $id = publish($cat, 1);
my @pids = worker_pids();
my $file = "$ENV{TEST_NGINX_DATA}/p22b";

# not one line of it is an event

open my $out, '>', $file or die "$file: $!\n";
print $out "\x1f\x8b\x08 somebody's\n";
close $out;

change_conf { s/#zone;/longpoll_zone zone=p22b:1m persist=$file;/ };

my ($status, $said) = conf_test();

is($status, 0, 'nginx -t loads nothing') or diag($said);
kill HUP => master_pid();
wait_log('error.log', qr/"p22b": "\S+p22b" is no file of events/);
is_deeply([ worker_pids() ], \@pids, 'the workers are the same');
is_deeply([ ask(category => $cat, since_time => 1)->ids ], [ $id ],
          'and serve on');

open $out, '>', $file or die "$file: $!\n";
print $out qq(\n{"timestamp":1600000000000,"category":"farm","data":"oink",)
           . qq("id":"6f3c0f6e-6c3b-4d1c-8f4e-1f2d3c4b5a69"});
close $out;

change_conf { s/longpoll_subscribe p22;/longpoll_subscribe p22b;/ };
reload();
is_deeply([ ask(category => 'farm', since_time => 0)->data ], [ 'oink' ],
          'with a file that can be loaded, it is');
--- alert: p22b



=== TEST 13: the status of a zone with a file says whether it is being written
--- http_config
    longpoll_zone zone=p24:1m persist=$TEST_NGINX_DATA/p24 durable=on;
    longpoll_zone zone=p24b:1m;
--- config
    location = /publish { longpoll_publish p24; }
    location = /events  { longpoll_subscribe p24; }
    location = /json    { longpoll_status all; }
    location = /metrics { longpoll_status all format=prometheus; }
    location = /without { longpoll_status p24b format=prometheus; }
--- scenario
publish('farm', 1);

my $bytes = 0;
$bytes += -s for grep { /p24(\.\d+)?\z/ } glob "$ENV{TEST_NGINX_DATA}/p24*";

like(get('/json')->body,
     qr/"p24":\{[^{}]*,"disconnected":0,
        "disk":\{"ok":true,"lag_ms":0,"failures":0,"bytes":$bytes\}\},
        "p24b":\{[^{}]*,"disconnected":0\}/x,
     'as the last of its figures');

my $text = get('/metrics')->body;

like($text, qr/^longpoll_disk_$_$/m, $_)
    for 'ok\{zone="p24"\} 1', 'lag_seconds\{zone="p24"\} 0\.000',
        'failures_total\{zone="p24"\} 0', "bytes\\{zone=\"p24\"\\} $bytes";
unlike($text, qr/longpoll_disk_\w+\{zone="p24b"/, 'a zone without one has none');
unlike(get('/without')->body, qr/longpoll_disk/, 'nor has its page');
