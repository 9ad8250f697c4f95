# What happens to a zone's log while nginx is down, or behind its back: copies
# that are put back, files that are emptied, cut or removed, zeros behind the
# last line, files of another user, a PATH that is mounted by itself.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use Test::More;
use Time::HiRes qw( time );

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Persist qw( data_of no_alerts wait_until );

$SIG{PIPE} = 'IGNORE';

my @mounted;

END {
    my $status = $?;
    system 'umount', '-l', $_ for @mounted;
    $? = $status;
}

sub start { Longpoll::Persist->start(workers => 2, @_) }
sub slurp { Longpoll::Persist::slurp(@_) }

# Adds to the end of a file, or changes it, as its user.

sub append {
    my ($file, $text) = @_;

    open my $out, '>>:raw', $file or die "$file: $!\n";
    print $out $text;
    close $out or die "$file: $!\n";
}

sub rewrite {
    my ($file, $code) = @_;

    local $_ = slurp($file);
    $code->();
    Longpoll::Persist::write_file($file, $_);
}


# What a publish takes, a start takes, too.

{
    my $name = 'nested 100 deep';
    my $n = start(parameters => 'flush=1h durable=on',
                  server => <<'_EOC_');
        location = /raw {
            longpoll_category farm;
            longpoll_publish  events format=json;
        }
_EOC_
    my $deep = '[' x 100 . ']' x 100;
    my $raw = $n->client->request(POST => '/raw', body => $deep)->response;

    is($raw->status, 200, "$name: published alone");
    $n->publish(cow => $deep);
    $n->kill_all;
    $n->up;

    for my $cat (qw( farm cow )) {
        my $got = $n->client->request(
            GET => "/events?category=$cat&timeout=1&since_time=1")->response;

        like($got->body, qr/"data":\Q$deep\E,/, "$name: there, $cat");
    }

    no_alerts($n, $name);
}


# A copy of a running log is put back.

for my $durable ('', ' durable=on') {
    my $name = "a copy$durable";
    my $n = start(parameters => "flush=50ms$durable");
    my $copy = $n->dir . '/copy';

    my $a = $n->publish(farm => '"a"');
    $n->publish(farm => '"b"');
    $n->wait_data(qw( a b ));
    $n->copy($copy);
    my $c = $n->publish(farm => '"c"');
    $n->wait_data(qw( a b c ));
    $n->quit;

    # Without the mark it is a crash at the moment of the copy.

    $n->put_back($copy);
    $n->up;
    is(data_of($n->events('farm')), 'a b', "$name: what it has is back");
    is($n->said([ category => 'farm', last_id => $a ]),
       $durable ? 'b' : 'b missed', "$name: as after a crash at that moment");
    $n->quit;

    # With the mark everybody is told.

    $n->put_back($copy);
    $n->spew('', '.restored');
    $n->up;
    is($n->said([ category => 'farm', last_id => $a ],
                [ category => 'none', last_id => $c ],
                [ category => 'farm', since_time => 1 ]),
       'b missed | timeout missed | a b',
       "$name: put back with PATH.restored, and all clients are told");

    my $d = $n->publish(farm => '"d"');

    wait_until('the mark is gone', sub { !-e $n->file('.restored') });
    is($n->said([ category => 'farm', last_id => $d ]), 'timeout',
       "$name: later cursors miss nothing");
    $n->wait_line('d');
    $durable ? $n->kill_all : $n->quit;
    $n->up;
    is($n->said([ category => 'farm', last_id => $d ],
                [ category => 'farm', last_id => $a ]),
       'timeout | b d missed', "$name: told once, and for that copy");
    no_alerts($n, $name);
}


# Somebody changes the files while nginx is down, after a clean end.

my %harm = (
    'PATH is emptied'       => sub { truncate $_[0]->file, 0 },
    'PATH is removed'       => sub { unlink $_[0]->file },
    'a segment is emptied'  => sub { truncate(($_[0]->segments)[-2], 0) },
    'the last segment is emptied' => sub {
        truncate(($_[0]->segments)[-1], 0);
    },
    'a segment is removed'  => sub { unlink(($_[0]->segments)[-2]) },
    'a line is cut out'     => sub {
        rewrite(($_[0]->segments)[-1], sub { s/^\{.*"b".*\n//m or die });
    },
    'a line is torn'        => sub {
        rewrite(($_[0]->segments)[-1], sub { s/"b".*\n/"b"/ or die });
    },
    'the end is torn'       => sub {
        my ($last) = ($_[0]->segments)[-1];
        truncate $last, (-s $last) - 9;
    },
    'the end is gone'       => sub {
        rewrite(($_[0]->segments)[-1], sub { s/^#\{"end".*\n//m or die });
    },
    'an old end is put back' => sub {
        Longpoll::Persist::write_file(($_[0]->segments)[-1], $_[1]);
    },
    'a letter is changed'   => sub {
        rewrite(($_[0]->segments)[-1], sub { s/"b"/"bb"/ or die });
    },
);

for my $harm (sort keys %harm) {
    my $name = "while nginx is down, $harm";
    my $n = start(parameters => 'flush=50ms');

    $n->wait_writer_idle;
    my $a = $n->publish(farm => '"a"');
    $n->quit;

    my $old = slurp(($n->segments)[-1]);

    $n->up;
    $n->publish(farm => '"b"');
    $n->publish(farm => '"c"');
    $n->quit;

    my %was = map { $_->{data} => 1 } $n->lines;
    is(join(' ', sort keys %was), 'a b c', "$name: the log has all");

    $harm{$harm}->($n, $old);

    my $up = eval { $n->up; 1 };

    ok($up, "$name: nginx starts") or next;
    like($n->said([ category => 'farm', last_id => $a ]), qr/missed$/,
         "$name: clients are told");

    my $new = $n->publish(farm => '"new"');

    $n->wait_line('new');
    $n->quit;
    $n->up;
    is($n->said([ category => 'farm', last_id => $new ]), 'timeout',
       "$name: a later cursor misses nothing after the next clean end");
    no_alerts($n, $name);
}


# After a power cut a file may end with zeros, or with half of a line.

for my $tail ("\0" x 100, '{"timestamp":16', "\0" x 5000 . "}\n", "\n\n") {
    my $name = 'behind the last line: '
               . ($tail =~ /^\{/ ? 'half a line' : length($tail) . ' bytes');
    my $n = start(parameters => 'flush=1h durable=on');
    my @id = map { $n->publish(farm => qq("$_")) } qw( a b c );

    $n->kill_all;
    append(($n->segments)[-1], $tail);
    $n->up;
    is(data_of($n->events('farm')), 'a b c',
       "$name: what was acknowledged is there");
    is($n->said([ category => 'farm', last_id => $id[2] ],
                [ category => 'farm', last_id => $id[0] ]),
       'timeout | b c', "$name: and nobody misses anything");
    $n->publish(farm => '"d"');
    $n->kill_all;
    $n->up;
    is(data_of($n->events('farm')), 'a b c d', "$name: nginx goes on behind it");
    no_alerts($n, $name);
}


# The workers run as another user than before.

SKIP: {
    my $name = 'another user';

    skip "$name: only root can change it", 5
        if $> or !getpwnam 'daemon' or !getpwnam 'www-data';

    my $n = start(parameters => 'flush=50ms', user => 'daemon');
    my $a = $n->publish(farm => '"a"');

    $n->wait_data('a');
    $n->quit;
    $n->configure(user => 'www-data');
    $n->give($n->data);
    $n->up;
    is(data_of($n->events('farm')), 'a', "$name: the events are there");
    $n->publish(farm => '"b"');
    $n->wait_data(qw( a b ));
    pass("$name: nginx goes on writing");
    wait_until('all is well', sub { $n->status('events')->{disk}{ok} });

    my ($segment) = ($n->segments)[-1];

    is((stat $segment)[4], scalar getpwnam('www-data'),
       "$name: to a file of the new user");
    $n->quit;
    $n->up;
    is($n->said([ category => 'farm', last_id => $a ]), 'b',
       "$name: nothing is missed");
    no_alerts($n, $name);
}


# PATH is a file that is mounted by itself, as some do in containers: nothing can
# be renamed over it.

sub mounted {
    my ($from, $to) = @_;

    return 0 if $> or system('mount', '--bind', $from, $to) != 0;
    push @mounted, $to;
    return 1;
}

SKIP: {
    my $name = 'PATH mounted by itself';
    my $n = start(parameters => 'flush=50ms durable=on buffer=2');
    my $big = 'x' x 3000;

    $n->publish(farm => '"a"');
    $n->wait_writer_idle;
    $n->quit;

    skip "$name: nothing can be mounted here", 4
        unless mounted($n->file, $n->file);

    $n->up;
    $n->publish(farm => qq("$_-$big")) for 1 .. 400;
    $n->wait_log('rename\(\S+new"\) failed, events are on disk, but');
    is(scalar(() = $n->log =~ /^\d.*failed/mg), 1, "$name: logged, once");
    $n->publish(farm => qq("$_")) for 1, 2;
    ok($n->status('events')->{disk}{ok}, "$name: events are on disk");
    $n->kill_all;
    system 'umount', pop @mounted;
    $n->up;
    is(data_of($n->events('farm')), '1 2', "$name: all the same");
    wait_until('small files', sub { $n->bytes < 1e6 });
    no_alerts($n, $name);
}

# So is an empty file from the start.  There is no base, and can be none.

SKIP: {
    my $name = 'an empty PATH mounted by itself';
    my $n = start(parameters => 'flush=50ms durable=on');

    $n->wait_writer_idle;
    $n->quit;
    unlink $n->file, $n->segments;
    $n->spew('');

    skip "$name: nothing can be mounted here", 6
        unless mounted($n->file, $n->file);

    $n->up;
    $n->wait_log('rename\(\S+new"\) failed, events are not on disk');
    is($n->post(farm => '"a"')->response->status, 503,
       "$name: nothing is acknowledged");
    ok(!$n->status('events')->{disk}{ok}, "$name: the status says so");

    my $failures = $n->status('events')->{disk}{failures};
    my $begin = time;

    wait_until('a second', sub { time > $begin + 1 });
    cmp_ok($n->status('events')->{disk}{failures} - $failures, '<', 60,
           "$name: the writer does not try all the time");

    $begin = time;
    $n->quit;
    cmp_ok(time - $begin, '<', 5, "$name: and nginx ends without waiting for it");
    system 'umount', pop @mounted;
    $n->up;
    is($n->publish(farm => '"b"') && data_of($n->events('farm')), 'b',
       "$name: without the mount it is");
    no_alerts($n, $name);
}


# Two nginxes have one directory.

{
    my $name = 'two nginxes';
    my $one = start(parameters => 'flush=50ms durable=on');

    $one->publish(farm => '"a"');

    my $two = start(parameters => 'flush=50ms durable=on',
                    path => $one->file('.other'));

    $two->wait_log('another nginx has the directory');
    my $r = $two->post(farm => '"b"')->response;
    is($r->status, 503, "$name: the second one can write nothing");
    is(scalar(() = $two->log =~ /^\d.*another nginx has the directory/mg), 1,
       "$name: and says so once");
    is($one->publish(farm => '"c"') && data_of($one->events('farm')), 'a c',
       "$name: the first one goes on");
    $one->quit;
    wait_until('the second one can write', sub {
        $two->post(farm => '"d"')->response->status == 200;
    });
    pass("$name: when the first one has ended, the second one writes");
    no_alerts($one, $name);
    no_alerts($two, $name);
}


done_testing();
