# The scripts that Redis runs: ids, numbers, epochs.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use Test::More;

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Redis ();

plan skip_all => 'there is no redis-server' unless Longpoll::Redis->version;

my $max = '18446744073709551615';

my ($log, $life, $number) = my @keys = map { "p:{z}:$_" } qw( log life number );
my ($one, $two, $three) = map { "00000000000000$_" } 1 .. 3;


# The texts are in the module, each with a NUL behind it.

my $module = 'build/ngx_http_longpoll_module.so';
open my $in, '<:raw', $module or die "$module: $!\n";
my @texts = do { local $/; <$in> } =~ /(local lines = redis\.call[^\0]+)\0/g;
close $in;

my ($publish) = grep { /'PX'/ } @texts;
my ($beat) = grep { /'h', ARGV/ } @texts;
my ($begin) = grep { /'l', ARGV/ } @texts;

ok($publish && $beat && $begin && @texts == 3, 'the module has three scripts');
cmp_ok($_, '<=', 20, 'a script has at most 20 lines') for map { tr/\n// } @texts;

my $redis = Longpoll::Redis->start;

sub publish {
    my ($epoch, $n, %o) = @_;

    return $redis->call('EVAL', $publish, $o{key} ? 4 : 3, @keys,
                        $o{key} // (), $epoch, $n, $o{ttl} // 60_000,
                        ('c', 'a', 'd', 1) x $n);
}

sub begin {
    my ($first, $epoch, $ms, $lines) = @_;

    return $redis->call('EVAL', $begin, 3, @keys, $first, $epoch, 'run.id',
                        $ms // 0, $lines // '');
}

sub beat { $redis->call('EVAL', $beat, 3, @keys, $_[0], 'node:1') }

sub last_id { +{ @{ $redis->call(qw( XINFO STREAM ), $log) } }
              ->{'last-generated-id'} }
sub newest { $redis->call('XREVRANGE', $log, qw( + - COUNT 1 ))->[0] }
sub ms { $_[0] =~ /^(\d+)-/ ? $1 : die "no id: $_[0]\n" }
sub add { $redis->call('XADD', $log, $_[0], 'a', 'stranger') }


# an epoch begins

is(publish($one, 1), 0, 'without an epoch nothing is published');
is(beat($one), 0, 'nor beaten');
is($redis->call('EXISTS', $log), 0, 'and there is no stream');

my $lines = begin('', $one);

like($lines, qr/\A$one \d+-0 run\.id\n\z/, 'an epoch begins');
is($redis->call('GET', $life), $lines, 'and is in the list');
is_deeply(newest()->[1], ['n', 1, 'l', $one], 'and in the stream');
is(last_id(), ms($lines =~ /(\d+-0)/) . "-$max", 'whose ms is over');

is(begin('', $two), $lines, 'another node comes too late');
is(begin($two, $three), $lines, 'so does one that knows another list');
is($redis->call('XLEN', $log), 1, 'and changes nothing');


# ids

my $id = publish($one, 1);
is(newest()->[0], $id, 'an event has the id of its entry');
is(last_id(), $id, 'which is the last one');

$id = publish($one, 3);
like($id, qr/^\d+-([2-9]|\d\d+)$/, 'of three events the last one is told');
is(last_id(), $id, 'and what follows comes behind it');
is(newest()->[1][1], 3, 'an entry has one number');

is(publish($two, 1), 0, 'another epoch publishes nothing');
is(newest()->[1][1], 3, 'and takes no number');

$id = beat($one);
is(newest()->[0], $id, 'a beat is an entry');
is_deeply(newest()->[1], ['n', 4, 'h', 'node:1'], 'with a number');
is(last_id(), ms($id) . "-$max", 'and its ms is over');


# keys

my $key = 'p:{z}:key:1';
$id = publish($one, 2, key => $key);
is(publish($one, 2, key => $key), "=$id", 'a key is known: the first id');
is(newest()->[1][1], 5, 'nothing more is stored');
cmp_ok($redis->call('PTTL', $key), '>', 50_000, 'for its time');


# a clock that was set back: ids stay in one ms, until it is full

my $ms = ms($id) + 3_600_000;
add("$ms-0");

is(publish($one, 1000), "$ms-1000", 'a batch follows in the same ms');
add("$ms-64530");
is(publish($one, 5), "$ms-64535", 'as long as a batch of 1,000 would fit');
is(last_id(), "$ms-64535", 'so goes the last id');
is(publish($one, 1), "$ms-64536", 'then one more');
is(last_id(), "$ms-$max", 'ends the ms');
is(publish($one, 1), $ms + 1 . '-0', 'and the next one begins');


# a stranger has used up the ids

for my $seq (65_530, 70_000, '17000000000000000000') {
    $ms = ms(last_id()) + 10;
    add("$ms-$seq");
    is(publish($one, 10), $ms + 1 . '-9', "behind $ms-$seq: the next ms");
    is($redis->call('XRANGE', $log, "$ms-$seq", "$ms-$max")->[1], undef,
       'nothing is left behind it');
}

$ms = ms(last_id()) + 10;
add("$ms-70000");
is(beat($one), $ms + 1 . '-0', 'a beat as well');


# epochs follow each other

$ms = ms(last_id()) + 7_000;
$lines = begin($one, $two, $ms, $redis->call('GET', $life));
like($lines, qr/\A$two @{[ $ms + 1 ]}-0 run\.id\n$one /, 'behind what was read');

$ms = ms(last_id());
$lines = begin($two, $three, 5, 'kept');
is($lines, "$three @{[ $ms + 1 ]}-0 run.id\nkept",
   'and behind all, with the lines that stay');

$redis->call('SET', $life, "not one\n");
like(begin('not', $one), qr/\A$one \S+ run\.id\n\z/,
     'what cannot be read is replaced');


# what is not there, or of another type

$redis->call('DEL', $log);
is(publish($one, 1), 0, 'without a stream nothing is published');
is($redis->call('EXISTS', $log), 0, 'and none begins');
begin($one, $two);
like(publish($two, 1), qr/^\d+-\d+$/, 'until an epoch begins');

$redis->call(qw( CONFIG SET maxmemory 1 ));
my $n = $redis->call('GET', $number);
ok(!eval { publish($two, 1) } && $@ =~ /^OOM/, 'a full Redis says so');
is($redis->call('GET', $number), $n, 'and stores nothing');

done_testing;
