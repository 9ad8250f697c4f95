# Files from golongpoll, from an editor, or no file at all.  nginx loads the
# lines that are events, names the others in the log, and always starts.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use Test::More;
use Time::HiRes qw( time sleep );

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Persist qw( wait_until );

$SIG{PIPE} = 'IGNORE';

my $now = int(time * 1000) - 100_000;
my $serial = 0;

sub start { Longpoll::Persist->start(workers => 1, @_) }
sub data { join ' ', map { $_->[1] } @_ }

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

sub no_alerts {
    my ($n, $name) = @_;

    is(join('', $n->alerts), '', "$name: no alerts");
}

# The numbers of the lines that the log calls no event.

sub broken {
    my ($n) = @_;

    my $file = quotemeta $n->file;

    # Standard error has these lines, too, without the time.

    return join ' ', map { /^\d.*\[error\].* "$file" line (\d+) is not an event,/ }
                     split /^/, $n->log;
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
           line(3, 'c') =~ s/"id"/"it"/r, line(4, 'd') =~ s/"data"/"date"/r,
           line(5, 'e') =~ s/"category"/"cat"/r, line(6, 'f')),
      'a f', '3 4 5 6' ],
    [ 'events that are none',
      file(line(1, 'a'), line(2, 'b') =~ s/"b"/null/r,
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
                                     line(3, 'c')), 'a c', '' ],
    [ 'a line of megabytes', file(line(1, 'a'), line(2, $long),
                                  line(3, 'c')), 'a c', '' ],
    [ 'NUL and noise', file(line(1, 'a'), "\0\0\0", join('', map { chr }
                            grep { $_ != 10 } 0 .. 255), line(2, 'b')),
      'a b', '3 4' ],
    [ 'the same id twice', file(line(1, 'a', id => v4(1)),
                                line(1, 'b', id => v4(1)),
                                line(2, 'c', id => v4(2))), 'a b c', '' ],
    [ 'a time to come', file(line(1, 'a'), line(9_000_000, 'b')), 'a b', '' ],
);

for my $file (@files) {
    my ($name, $text, $want, $broken) = @$file;
    my $n = start(parameters => 'flush=50ms', content => $text);

    is(data($n->events('farm')), $want, "$name: the zone has these");
    is(broken($n), $broken, "$name: the log names the other lines");
    $n->publish(farm => '"new"');

    # The writer mends the file, so that golongpoll can load it.

    my @want = (split(' ', $want), 'new');

    eval { $n->wait_data(@want); 1 } or diag($@);
    is(join(' ', map { $_->{data} } $n->lines), "@want",
       "$name: the file has these");
    is($n->raw =~ s/\A\n\{/{/r =~ s/\n\{/{/gr =~ tr/\n//, 0,
       "$name: and no other line ends")
        if $name =~ /out of|broken|torn|none/;

    my @times = map { $_->{timestamp} } $n->lines;

    is("@times", join(' ', sort { $a <=> $b } @times),
       "$name: its times never go back");

    $n->quit;
    $n->up;
    is(data($n->events('farm')), "@want",
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

    is(data($n->events('farm')), 'd1998 d1999 d2000', "$name: buffer");
    no_alerts($n, $name);

    my $kb = 'x' x 1000;

    $n = start(parameters => 'flush=1h', size => '256k',
               content => file(map { line($_, "$_-$kb", cat => "c$_") }
                                   1 .. 2000));

    my $events = $n->status('events')->{events};

    cmp_ok($events, '>', 50, "$name: the zone has as many as fit");
    is(data($n->events('c2000')), "2000-$kb", "$name: the newest of them");
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

    is(data($n->events('farm')), 'a b', "$name: nginx loads it");
    $n->publish(farm => '"c"');
    $n->wait_data(qw( a b c ));

    my @stat = stat $n->file;

    is($stat[2] & 07777, 0600, "$name: the new file is for its owner only");
    isnt($stat[4], 0, "$name: and belongs to the workers' user");
    no_alerts($n, $name);
}


# Broken notes: the events are there, and every cursor is told "missed".

my %notes = (
    'noise' => sub { 'noise' x 100 },
    'empty' => sub { '' },
    'a head that is torn' => sub { substr $_[0], 0, 50 },
    'a head with a wrong bit' => sub { substr($_[0], 40, 1) ^= "\1"; $_[0] },
    "another machine's order" => sub {
        substr($_[0], 0, 16) . join('', map { scalar reverse }
                                        unpack '(a8)*', substr $_[0], 16);
    },
);

for my $notes (sort keys %notes) {
    my $name = "notes, $notes";
    my $n = start(parameters => 'flush=50ms');
    my $x = $n->publish(farm => '"x"');

    $n->publish(farm => '"y"');
    $n->quit;
    $n->spew($notes{$notes}->($n->raw('.state')), '.state');
    $n->up;
    is(data($n->events('farm')), 'x y', "$name: the zone has these");
    is($n->said([ category => 'farm', last_id => $x ]), 'y missed',
       "$name: a cursor may have missed events");
    ok($n->log =~ /events.state" is broken, ignoring it/
       || $notes eq 'empty', "$name: the log says so");

    # After the next clean end no cursor is told "missed".

    my $y = $n->publish(farm => '"z"');

    $n->quit;
    $n->up;
    is($n->said([ category => 'farm', last_id => $y ],
                [ category => 'farm', since_time => 1 ]),
       'timeout | x y z', "$name: after a clean end it has not");
    no_alerts($n, $name);
}

{
    my $name = 'notes, the last one torn';
    my $n = start(parameters => 'flush=50ms buffer=2');
    my @id = map { $n->publish($_ => qq("$_")) } qw( a b c d );

    $n->wait_writer;
    $n->forget($_) for qw( a b c );
    $n->quit;
    $n->spew($n->raw('.state') . 'torn', '.state');
    $n->up;
    is($n->status('events')->{events}, 1,
       "$name: the deleted event is not back");
    is($n->said([ category => 'd', last_id => $id[0] ]), 'd',
       "$name: and no cursor misses it");
    no_alerts($n, $name);
}

{
    my $name = 'a line broken behind its back';
    my $n = start(parameters => 'flush=50ms');
    my $x = $n->publish(farm => '"x"');

    $n->publish(farm => qq("$_")) for qw( y z );
    $n->quit;
    $n->spew($n->raw =~ s/"y"/"y/r);
    $n->up;
    is($n->said([ category => 'farm', last_id => $x ]), 'z missed',
       "$name: a poll misses the event of the broken line");
    no_alerts($n, $name);
}


# The path is something other than a file that the workers can use.

my %odd = (
    'a symbolic link' => sub {
        my $n = shift;
        symlink "$n->{dir}/data/other", $n->file or die $!;
        Longpoll::Persist::write_file("$n->{dir}/data/other",
                                      file(line(1, 'secret')));
    },
    'a directory' => sub { mkdir $_[0]->file or die $! },
    'a pipe' => sub { require POSIX; POSIX::mkfifo($_[0]->file, 0666);
                      $_[0]->give($_[0]->file) },
    'no file of ours' => sub {
        my $n = shift;
        $n->spew(file(line(1, 'secret')));
        chown 0, 0, $n->file;
        chmod 0, $n->file;
    },
);

for my $suffix ('', '.state') {
    for my $odd (sort keys %odd) {

        # nginx -t refuses the directory.  The master can read the other file,
        # and the writer creates its own.

        next if $odd eq 'a directory' && !$suffix;
        next if $odd =~ /no file/ && $> == 0 && !$suffix;

        my $name = "$odd$suffix";
        my $make = sub {
            my $n = shift;
            $odd{$odd}->($n);
            rename $n->file, $n->file($suffix) if $suffix;
        };
        my $n = start(parameters => 'flush=50ms', before => $make);

        $n->wait_log('events are not on disk');

        is($n->said([ category => 'farm', since_time => 1, timeout => 1 ]),
           'timeout', "$name: nothing is loaded");
        is($n->post(farm => '"a"')->response->status, 200,
           "$name: nginx accepts publishes");
        sleep 0.2;

        my @failed = grep { /^\d.*failed/ } split /^/, $n->log;

        cmp_ok(scalar @failed, '<=', 2, "$name: logged at most twice");

        if ($odd =~ /link/) {
            ok(-l $n->file($suffix), "$name: the link is still there");
            is(Longpoll::Persist::slurp("$n->{dir}/data/other")
                   =~ /secret/, 1, "$name: and so is the file that it names");
        }

        -d $n->file($suffix) && !-l $n->file($suffix)
            ? rmdir $n->file($suffix) : unlink $n->file($suffix);
        wait_until('a', sub { $n->raw =~ /"a"/ });
        $n->quit;
        $n->up;
        like(data($n->events('farm')), qr/a$/, "$name: mended");
        no_alerts($n, $name);
    }
}


done_testing();
