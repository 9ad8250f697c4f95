# Files from golongpoll, from an editor, or no file at all.  nginx loads the
# lines that are events, names the others in the error log, and keeps them in
# PATH.bad.  A file without any event is not the module's: nginx does not start.

use strict;
use warnings;

use Cwd qw( abs_path );
use Encode qw( encode );
use File::Basename qw( dirname );
use JSON::PP ();
use POSIX ();
use Test::More;
use Time::HiRes qw( time sleep );

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Persist qw( data_of no_alerts wait_until );

$SIG{PIPE} = 'IGNORE';

my $now = int(time * 1000) - 100_000;
my $serial = 0;

sub start { Longpoll::Persist->start(workers => 1, @_) }

# Ids in the form of golongpoll's.

sub v4 { sprintf '%08x-0000-4000-8000-%012x', 0x11111111, $_[0] }

sub line {
    my ($ms, $data, %o) = @_;

    my $cat = $o{cat} // 'farm';
    my $id = $o{id} // v4(++$serial);
    my $at = $now + $ms;

    return qq({"timestamp":$at,"category":"$cat","data":"$data","id":"$id"});
}

sub file { join '', map { "\n$_" } @_ }

# The numbers of the lines that the log names.

sub broken {
    my ($n) = @_;

    my $file = quotemeta $n->file;

    # Standard error has these lines, too, without the time.

    return join ' ', map { /^\d.*\[error\].* "$file" line (\d+) is / }
                     split /^/, $n->log;
}

# Those lines, without their line ends.

sub kept {
    my ($text, $broken) = @_;

    my @lines = split /\n/, $text;

    return map { $lines[$_ - 1] } split ' ', $broken;
}

# The result for each file: [name, text, events, broken lines, ...].

my $big = 'x' x 300_000;
my $long = 'y' x 2_200_000;
my @files = (
    [ "golongpoll's", file(line(1, 'a'), line(2, 'b'), line(2, 'c')),
      'a b c', '' ],
    [ 'empty', '', '', '' ],
    [ 'only line ends', "\n\n\n", '', '' ],
    [ 'no line end in front', line(1, 'a') . file(line(2, 'b')), 'a b', '' ],
    [ 'a line end behind', file(line(1, 'a'), line(2, 'b')) . "\n",
      'a b', '' ],
    [ 'empty lines', "\n\n" . line(1, 'a') . "\n\n\n" . line(2, 'b') . "\n",
      'a b', '' ],
    [ 'a torn last line', file(line(1, 'a'), substr line(2, 'b'), 0, 40), 'a',
      '3' ],
    [ 'a broken line', file(line(1, 'a'), line(2, 'b'), 'hello', line(3, 'c')),
      'a b c', '4' ],
    [ 'several broken ones', join("\n", '{', line(1, 'a'), '', '[]', 'null',
                                  line(2, 'b'), '{}', line(3, 'c') . '}'),
      'a b', '1 4 5 7 8' ],
    [ 'out of order', file(line(3, 'c'), line(1, 'a'), line(2, 'b'),
                           line(2, 'b2'), line(1, 'a2')),
      'a a2 b b2 c', '' ],
    [ 'CRLF', "\r\n" . line(1, 'a') . "\r\n" . line(2, 'b') . "\r\n",
      'a b', '' ],
    [ 'keys in another order, and unknown ones',
      file(qq({"id":"@{[v4(++$serial)]}","data":"a","more":[{"id":1}],)
           . qq("category":"farm","timestamp":@{[$now + 1]}}),
           qq( { "timestamp" : @{[$now + 2]} , "category":"farm",)
           . qq( "data": "b" , "id" : "@{[v4(++$serial)]}" } )),
      'a b', '' ],
    [ 'escapes', file(line(1, 'a\u0041', cat => 'f\u0061rm')), 'aA', '' ],
    [ 'an event without a key',
      file(line(1, 'a'), line(2, 'b') =~ s/"timestamp":\d+,//r,
           line(4, 'd') =~ s/"data"/"date"/r,
           line(5, 'e') =~ s/"category"/"cat"/r, line(6, 'f')),
      'a f', '3 4 5' ],
    [ 'no ids, as golongpoll 1.1 wrote',
      file(map { line($_->[0], $_->[1]) =~ s/,"id":"[^"]+"//r }
               [ 1, 'a' ], [ 2, 'b' ], [ 2, 'c' ], [ 1, 'a2' ]),
      'a a2 b c', '' ],
    [ 'events that are none',
      file(line(1, 'a'), line(2, 'b') =~ s/"farm"/7/r,
           line(3, 'c') =~ s/:(\d+)/:-$1/r, line(4, 'd') =~ s/:(\d+)/:"$1"/r,
           line(5, 'e') =~ s/:(\d+)/:${1}9999999/r,
           line(6, 'f', id => 'no UUID'), line(7, 'g', cat => ''),
           line(8, 'h', cat => 'x' x 1025), line(9, "\xff"), line(10, 'i')),
      'a i', '3 4 5 6 7 8 9 10' ],
    [ 'numbers that no double holds',
      file(line(1, 'a'), line(2, 'b') =~ s/"b"/1e400/r,
           line(3, 'c') =~ s/"c"/{"x":[-18e307]}/r, line(4, 'd')),
      'a d', '3 4' ],
    [ 'too large for the zone', file(line(1, 'a'), line(2, $big),
                                     line(3, 'c')), 'a c', '3' ],
    [ 'a line of megabytes', file(line(1, 'a'), line(2, $long),
                                  line(3, 'c')), 'a c', '3' ],
    [ 'NUL and noise', file(line(1, 'a'), "\0\0\0", join('', map { chr }
                            grep { $_ != 10 } 0 .. 255), line(2, 'b')),
      'a b', '4' ],
    [ 'the same id twice', file(line(1, 'a', id => v4(1)),
                                line(1, 'b', id => v4(1)),
                                line(2, 'c', id => v4(2))), 'a b c', '' ],
    [ 'a time to come', file(line(1, 'a'), line(9_000_000, 'b')), 'a b', '' ],
);

for my $file (@files) {
    my ($name, $text, $want, $broken) = @$file;
    my $n = start(parameters => 'flush=50ms', content => $text);

    is(data_of($n->events('farm')), $want, "$name: the zone has these");
    is(broken($n), $broken, "$name: the error log names the other lines");
    $n->publish(farm => '"new"');

    # The writer begins a log, and keeps what it does not take over.

    my @want = (split(' ', $want), 'new');

    eval { $n->wait_data(@want); 1 } or diag($@);
    is(join(' ', map { $_->{data} } $n->lines), "@want",
       "$name: the log has these");
    like($n->raw, qr/\A\#\{"base":.*\n(?:\{.*\}\n|\#\{.*\}\n)*\z/,
         "$name: PATH is a base, and has no other lines");
    is($n->raw('.bad'), join('', map { "$_\n" } kept($text, $broken)),
       "$name: PATH.bad has the other lines");

    my @times = map { $_->{timestamp} } $n->lines;

    is("@times", join(' ', sort { $a <=> $b } @times),
       "$name: its times never go back");

    $n->quit;
    $n->up;
    is(data_of($n->events('farm')), "@want",
       "$name: the next epoch loads the same");
    no_alerts($n, $name);
}


# A surrogate without its other half is told as U+FFFD.

{
    my $name = 'half a surrogate';
    my $n = start(content => file(line(1, 'cut \ud83d'),
                                  line(2, '\ud83d\udc37\udc37')));

    like($n->client->request(
             GET => '/events?category=farm&timeout=1&since_time=1')
             ->response->body,
         qr/"data":"cut \\ufffd",.*"data":"\\ud83d\\udc37\\ufffd",/,
         "$name: is none");
    is(broken($n), '', "$name: the line is an event");
    no_alerts($n, $name);
}


# A file with more events than the buffer or the zone can hold.

{
    my $name = 'more than fits';
    my $n = start(parameters => 'flush=1h buffer=3',
                  content => file(map { line($_, "d$_") } 1 .. 2000));

    is(data_of($n->events('farm')), 'd1998 d1999 d2000', "$name: buffer");
    no_alerts($n, $name);

    my $kb = 'x' x 1000;

    $n = start(parameters => 'flush=1h', size => '256k',
               content => file(map { line($_, "$_-$kb", cat => "c$_") }
                                   1 .. 2000));

    my $events = $n->status('events')->{events};

    cmp_ok($events, '>', 50, "$name: the zone has as many as fit");
    is(data_of($n->events('c2000')), "2000-$kb", "$name: the newest of them");
    is($n->said([ category => 'c1', since_time => $now ]),
       'timeout missed', "$name: a poll misses the others");
    no_alerts($n, $name);
}


# Cursors from golongpoll stay valid.

{
    my $name = "golongpoll's ids";
    my ($x, $y, $z) = map { v4($_) } 1001 .. 1003;
    my $n = start(content => file(line(1, 'a', id => v4(1000)),
                                  line(2, 'x', id => $x),
                                  line(2, 'y', id => $y),
                                  line(2, 'z', id => $z),
                                  line(3, 'b', id => v4(1004))));
    my $at = $now + 2;

    is($n->said([ category => 'farm', since_time => $at, last_id => $x ],
                [ category => 'farm', since_time => $at, last_id => $y ],
                [ category => 'farm', since_time => $at, last_id => $z ],
                [ category => 'farm', since_time => $at ],
                [ category => 'farm', since_time => $at - 1 ],
                [ category => 'farm', since_time => $at,
                  last_id => v4(9999) ],
                [ category => 'farm', since_time => 1, last_id => $z ]),
       'y z b | z b | b | b | x y z b | x y z b | a x y z b',
       "$name: with since_time");
    is(join(' ', map { $_->[0] } $n->events('farm')),
       join(' ', map { v4($_) } 1000 .. 1004),
       "$name: the events keep golongpoll's ids");
    is($n->client->request(
           GET => "/events?category=farm&timeout=1&last_id=$x")
           ->response->kind, 'error',
       "$name: without since_time they are an error");

    my $new = $n->publish(farm => '"new"');

    $n->quit;
    $n->up;
    is($n->said([ category => 'farm', since_time => $at, last_id => $y ],
                [ category => 'farm', last_id => $new ]),
       'z b new | timeout', "$name: also in the next epoch");
    is(join(' ', map { $_->[0] } $n->events('farm')),
       join(' ', (map { v4($_) } 1000 .. 1004), $new),
       "$name: with the same ids");
    no_alerts($n, $name);
}


# The file belongs to another user, and the workers may read it.

SKIP: {
    my $name = "another user's file";

    skip "$name: only root can make one", 4 if $>;

    my $n = start(parameters => 'flush=50ms', before => sub {
        $_[0]->spew(file(line(1, 'a'), line(2, 'b')));
        chown 0, 0, $_[0]->file or die $!;
        chmod 0644, $_[0]->file or die $!;
    });

    is(data_of($n->events('farm')), 'a b', "$name: nginx loads it");
    $n->publish(farm => '"c"');
    $n->wait_data(qw( a b c ));

    my @stat = stat $n->file;

    is($stat[2] & 07777, 0600, "$name: the new file is for its owner only");
    isnt($stat[4], 0, "$name: and belongs to the workers' user");
    no_alerts($n, $name);
}


# An event whose data is null, which golongpoll publishes.

{
    my $name = 'data of null';
    my $n = start(content => file(line(1, 'a') =~ s/"a"/null/r,
                                  line(2, 'b')));
    my $got = sub {
        $n->client->request(
            GET => '/events?category=farm&timeout=1&since_time=1')
            ->response->body;
    };

    like($got->(), qr/"data":null,.*"data":"b",/, "$name: is loaded");
    is(broken($n), '', "$name: the line is an event");
    $n->quit;
    $n->up;
    like($got->(), qr/"data":null,.*"data":"b",/, "$name: and stays");
    no_alerts($n, $name);
}


# Somebody else's lines between the events of a log of the module's own.

{
    my $name = 'lines of others';
    my $n = start(parameters => 'flush=50ms buffer=3');
    my @others = ('# a note of mine', 'hello', '{"not":"an event"}',
                  '#{"base":1}', "\xff\xfe");
    my @id = map { $n->publish(farm => qq("$_")) } qw( a b );

    $n->wait_data(qw( a b ));
    $n->quit;

    my $path = ($n->segments)[-1];
    my @lines = split /^/, Longpoll::Persist::slurp($path);
    my ($at) = grep { $lines[$_] =~ /"data":"b"/ } 0 .. $#lines;

    splice @lines, $at, 0, map { "$_\n" } @others;
    Longpoll::Persist::write_file($path, join '', @lines);

    $n->up;
    is($n->said([ category => 'farm', since_time => 1 ]), 'a b',
       "$name: the events are there");

    for my $line (map { $at + 1 + $_ } 0 .. $#others) {
        like($n->log, qr/\[error\] .*"\Q$path\E" line $line is not an event/,
             "$name: line $line is named");
    }

    # Until PATH is rewritten they stay where they are; then they are kept.

    my $inode = (stat $n->file)[1];
    my $big = 'x' x 10_000;

    wait_until('a base', sub {
        $n->publish(pig => qq("$big")) for 1 .. 20;
        (stat $n->file)[1] != $inode;
    });
    is($n->raw('.bad'), join('', map { "$_\n" } @others),
       "$name: they are kept in PATH.bad");
    $n->quit;
    $n->up;
    unlike($n->text, qr/a note of mine/, "$name: and not in the log");
    is($n->said([ category => 'farm', last_id => $id[0] ]), 'b missed',
       "$name: clients from before are told");
    no_alerts($n, $name);
}


# A time that is far ahead.

{
    my $name = 'a line of the year 2100';
    my $n = start(parameters => 'flush=50ms ttl=2s',
                  content => file(line(1, 'a'), line(0, 'b')
                                  =~ s/:\d+/:4102444800000/r));

    like($n->log, qr/"${\ quotemeta $n->file }" line 3 .*ahead/,
         "$name: is named in the log");
    $n->publish(farm => '"new"');
    is(data_of($n->events('farm')), 'b new', "$name: and loaded");
    wait_until('the end of the new event', sub {
        data_of($n->events('farm')) !~ /new/;
    });
    pass("$name: the ttl of others goes on");
    no_alerts($n, $name);
}


# A file at PATH that is not the module's: nginx does not start, and leaves it as
# it is.

my $json = JSON::PP->new->pretty->encode(
    [ map { JSON::PP->new->decode(line($_, "d$_")) } 1 .. 3 ]);
my %foreign = (
    'gzip' => "\x1f\x8b\x08\0\0\0\0\0\0\3\xabVJ,-\xc9\1\n\xa2\n",
    'UTF-16' => encode('UTF-16', line(1, 'a') . "\n" . line(2, 'b') . "\n"),
    'pretty JSON' => $json,
    'notes' => "buy milk\ncall Ann\n",
    'zeros' => "\0" x 5000,
    'a broken event' => substr(line(1, 'a'), 0, 50) . "\n",
);

for my $foreign (sort keys %foreign) {
    my $name = "at PATH, $foreign";
    my $n;
    my $up = eval {
        start(before => sub {
            $n = $_[0];
            $n->spew($foreign{$foreign});
        });
        1;
    };

    ok(!$up, "$name: nginx does not start");
    like($n->log, qr/\[emerg\] .*"${\ quotemeta $n->file }" is no file of events/,
         "$name: and says why");
    is($n->raw, $foreign{$foreign}, "$name: the file is as it was");
    is(join(' ', $n->names), 'events', "$name: and alone");
}


# PATH, or a segment, is something other than a file that can be read.

my %odd = (
    'a symbolic link' => sub { symlink 'other', $_[0] or die $! },
    'a directory' => sub { mkdir $_[0] or die $! },
    'a pipe' => sub { POSIX::mkfifo($_[0], 0666) },
);

for my $odd (sort keys %odd) {
    for my $segment (0, 1) {
        my $name = $odd . ($segment ? ' for a segment' : '');
        my $n = start(parameters => 'flush=50ms');

        $n->publish(farm => '"a"');
        $n->wait_writer_idle;
        $n->quit;

        my $file = $segment ? ($n->segments)[-1] : $n->file;

        rename $file, $n->data . '/other' or die $!;
        $odd{$odd}->($file);

        my @before = map { [ (lstat $n->data . "/$_")[1, 7] ] } $n->names;
        my $up = eval { $n->up; 1 };

        ok(!$up, "$name: nginx does not start");
        like($n->log, qr/\[emerg\] .*\Q${\ ($file =~ s{.*\/}{}r) }\E"/,
             "$name: and names it");
        is_deeply([ map { [ (lstat $n->data . "/$_")[1, 7] ] } $n->names ],
                  \@before, "$name: nothing has changed");
    }
}


# A file with a hole of gigabytes, and one of terabytes.

for my $size (3 << 30, 2 << 40) {
    for my $segment (0, 1) {
        my $name = "$size bytes" . ($segment ? ', of a segment' : '');
        my $n = start(parameters => 'flush=50ms durable=on');

        $n->publish(farm => '"a"');
        $n->wait_writer_idle;
        $n->quit;

        my $file = $segment ? ($n->segments)[-1] : $n->file;
        my $was = -s $file;

      SKIP: {
            truncate $file, $size
                or skip "$name: no such file can be here", 3;

            $n->configure(through => [ 'prlimit', '--as=' . (400 << 20) ])
                if ($ENV{TEST_NGINX_BINARY} // '') !~ /asan/;
            $n->up;
            pass("$name: nginx starts, and in bounded memory");
            $n->publish(farm => '"b"');
            is(data_of($n->events('farm')), 'a b',
               "$name: the events are there");
            no_alerts($n, $name);
        }

        $n->quit;
        unlink $file;
    }
}


done_testing();
