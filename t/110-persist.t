# A zone's file: what nginx -t refuses, what a reload may change, and polls and
# publishes in a zone with a file.  The tests that end nginx are in t/persist/.

use lib 't/lib';
use Test::Nginx::Socket 'no_plan';
use Longpoll;

use File::Temp qw( tempdir );

# The workers may run as another user.

my $dir = tempdir('longpoll-XXXXXX', TMPDIR => 1, CLEANUP => 1);

mkdir "$dir/sealed" or die $!;
chmod 0777, $dir or die $!;

# a file of golongpoll's, whose clock began in 1970

open my $file, '>', "$dir/p21" or die $!;
print $file "\n", qq({"timestamp":$_,"category":"old","data":$_,)
                  . qq("id":"0f9b2c9e-0000-4000-8000-00000000000$_"})
    for 0, 1;
close $file or die $!;
chmod 0666, "$dir/p21" or die $!;

chmod 0555, "$dir/sealed" or die $!;

$ENV{TEST_NGINX_DATA} = $dir;
$ENV{TEST_NGINX_SEALED} = $> == 0 ? '/dev/null' : "$dir/sealed";

no_long_string();
master_on();
workers(2);
log_level('notice');
run_tests();

__DATA__

=== TEST 1: a directory that is not there is refused
--- http_config
    longpoll_zone zone=pa:1m persist=$TEST_NGINX_DATA/none/events;
--- must_die
--- error_log
[emerg]
none" of "persist=
cannot be written to



=== TEST 2: a directory that cannot be written to is refused
--- http_config
    longpoll_zone zone=pa:1m persist=$TEST_NGINX_SEALED/events;
--- must_die
--- error_log
[emerg]
cannot be written to



=== TEST 3: a path that names a directory is refused
--- http_config
    longpoll_zone zone=pa:1m persist=$TEST_NGINX_DATA/;
--- must_die
--- error_log
[emerg]
invalid parameter "persist=



=== TEST 4: an empty path is refused
--- http_config
    longpoll_zone zone=pa:1m persist=;
--- must_die
--- error_log
[emerg]
invalid parameter "persist="



=== TEST 5: flush=0 is refused
--- http_config
    longpoll_zone zone=pa:1m persist=$TEST_NGINX_DATA/a flush=0;
--- must_die
--- error_log
[emerg]
flush=0



=== TEST 6: a flush that is not a time is refused
--- http_config
    longpoll_zone zone=pa:1m persist=$TEST_NGINX_DATA/a flush=soon;
--- must_die
--- error_log
[emerg]
flush=soon



=== TEST 7: durable accepts only on and off
--- http_config
    longpoll_zone zone=pa:1m persist=$TEST_NGINX_DATA/a durable=yes;
--- must_die
--- error_log
[emerg]
durable=yes



=== TEST 8: flush without a file is refused
--- http_config
    longpoll_zone zone=pa:1m flush=1s;
--- must_die
--- error_log
[emerg]
need "persist"



=== TEST 9: durable without a file is refused
--- http_config
    longpoll_zone zone=pa:1m durable=on;
--- must_die
--- error_log
[emerg]
need "persist"



=== TEST 10: durable=off without a file is refused, too
--- http_config
    longpoll_zone zone=pa:1m durable=off;
--- must_die
--- error_log
[emerg]
need "persist"



=== TEST 11: two zones with one file are refused
--- http_config
    longpoll_zone zone=pa:1m persist=$TEST_NGINX_DATA/same;
    longpoll_zone zone=pb:1m persist=$TEST_NGINX_DATA/same;
--- must_die
--- error_log
[emerg]
is the file of zone "pa" already



=== TEST 12: a file alone, and a file with all parameters
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



=== TEST 13: a reload cannot change, add or remove a zone's file
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



=== TEST 14: a reload can change flush and durable
--- http_config
    longpoll_zone zone=p14:1m persist=$TEST_NGINX_DATA/p14 flush=1h;
--- config
    location = /publish { longpoll_publish p14; }
    location = /events  { longpoll_subscribe p14; }
--- scenario
my $cat = category();
my $file = "$ENV{TEST_NGINX_DATA}/p14";
my $has = sub {
    open my $in, '<', $file or return 0;
    return scalar grep { /"data":"?$_[0]"?,/ } <$in>;
};

# The writer may write the first event of an epoch at once.

publish($cat, '"first"');
wait_until { -s "$file.state" } 'the notes';
publish($cat, '"a"') for 1 .. 3;
ok(!$has->('"b"'), 'not written so far');

change_conf { s/flush=1h/flush=50ms/ };
reload();
publish($cat, '"b"');
wait_until { $has->('b') } 'b in the file';
is($has->('a'), 3, 'the others in front of it');

change_conf { s/flush=50ms/flush=1h durable=on/ };
reload();

for my $n (1 .. 20) {
    publish($cat, qq("durable$n"));
    die "durable$n is not in the file\n" unless $has->("durable$n");
}

pass('with durable=on it is there when it is answered');

change_conf { s/ durable=on// };
reload();
publish($cat, '"late"') for 1 .. 20;
cmp_ok($has->('late'), '<', 20, 'without it is not');
change_conf { s/flush=1h/flush=50ms/ };
reload();
wait_until { $has->('late') == 20 } 'late in the file';
is($has->('durable\d+'), 20, 'each once');



=== TEST 15: durable: parked polls, batches and the order, on both workers
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



=== TEST 16: durable: a key is repeated while its event waits for the disk
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



=== TEST 17: two zones have two files, and each uses its own
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

    open my $in, '<', "$ENV{TEST_NGINX_DATA}/$name" or die "$name: $!\n";
    my $text = join '', <$in>;

    like($text, qr/$own/, "$name has its event");
    unlike($text, qr/$other/, "$name has not the other one's");
}



=== TEST 18: one file under two names is refused
--- http_config
    longpoll_zone zone=pa:1m persist=$TEST_NGINX_DATA/same;
    longpoll_zone zone=pb:1m persist=$TEST_NGINX_DATA/.//same;
--- must_die
--- error_log
[emerg]
is the file of zone "pa" already



=== TEST 19: a file whose name is that of another zone's second file is refused
--- http_config
    longpoll_zone zone=pa:1m persist=$TEST_NGINX_DATA/same.state;
    longpoll_zone zone=pb:1m persist=$TEST_NGINX_DATA/./same;
--- must_die
--- error_log
[emerg]
is the file of zone "pa" already



=== TEST 20: two files whose names begin alike are accepted
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



=== TEST 21: a poll from the beginning gets an event of the millisecond 0, too
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
