# With durable=on, events that wait for a slow disk may fill the zone, or its
# categories.  Then publishes are refused, and everything else goes on.  An
# answer of 200 means that the event is on disk.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use JSON::PP qw( encode_json );
use Test::More;

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Persist qw( wait_until );

plan skip_all => 'not built: build/persist/disk.so'
    unless Longpoll::Persist->disk_is_built;

my $refusal = '{"error": "Event could not be written to disk."}';

sub start {
    my (%o) = @_;

    my $n = Longpoll::Persist->start(
        disk => 1, workers => 2, parameters => 'flush=1h durable=on', %o,
        server => "location = /ok { return 200 ok; }\n");

    $n->publish(first => 0);
    $n->wait_writer;

    return $n;
}

# An array with one event in each of COUNT categories.

sub batch {
    my ($name, $count) = @_;

    return encode_json([map { { category => "$name-$_", data => $_ } }
                            1 .. $count]);
}

# While an fsync does not end, the publishes of CODE are taken or refused, each
# with COUNT events, and nginx serves other requests.  Then the fsync ends.
# Returns which of them were answered 200, and which 503.

sub answers {
    my ($n, $name, $count, $code) = @_;

    my %got = (200 => [], 503 => []);

    my $ok = eval {
        $n->set_disk(delay => 3_600_000);

        my @posts = $code->();

        wait_until('all taken or refused', sub {
            my $s = $n->status('events');
            $n->client->request(GET => '/ok')->response;
            ($s->{events} + $s->{evicted} - 1) / $count + $s->{refused}
                == @posts;
        });

        $n->set_disk(delay => 0);

        for my $i (0 .. $#posts) {
            my $r = $posts[$i]->response;
            push @{$got{$r->status}}, $i;
            is($r->body, $refusal, "$name: a refusal") if $r->status != 200;
        }

        1;
    };

    if (!$ok) {
        fail("$name: nginx goes on");
        diag($@);
        $n->kill_all;
        return;
    }

    is(join(' ', sort keys %got), '200 503', "$name: 200 or 503");
    is($n->status('events')->{refused}, scalar(@{$got{503}}),
       "$name: refusals are counted");
    is(join('', $n->alerts), '', "$name: no alerts");

    return \%got;
}

# The events of the file, by category.

sub in_file { map { $_->{category} => $_->{data} } $_[0]->lines }


# Each publish has a category for each event.  A zone has a slot for each 512
# bytes, and three quarters of them may have events.

for my $case ([ '64k', 2, 90, 1 ], [ '1m', 3, 1000, 1 ],
              [ '64m', 132, 1000, 98 ])
{
    my ($size, $posts, $count, $taken) = @$case;
    my $name = "$posts x $count categories in $size";
    my $n = start(size => $size);

    my $got = answers($n, $name, $count, sub {
        map { $n->post('', '', body => batch("p$_", $count)) } 1 .. $posts;
    }) or next;

    is(scalar(@{$got->{200}}), $taken, "$name: as many as there are slots");
    is(scalar(@{$got->{503}}), $posts - $taken, "$name: the rest is refused");

    my %there = in_file($n);
    my @lost = grep { !defined $there{$_} }
               map { my $i = $_ + 1; map { "p$i-$_" } 1 .. $count }
                   @{$got->{200}};

    is("@lost", '', "$name: what was taken is in the file");
    is(scalar(grep { /^p/ } keys %there), $taken * $count,
       "$name: and nothing else");
    is($n->post('', '', body => batch('later', $count))->response->status,
       200, "$name: what is on disk makes room");
}


# The same with single publishes.

{
    my $name = '140 publishes in one fsync';
    my $n = start(size => '64k');

    my $got = answers($n, $name, 1, sub {
        map { $n->post("c$_" => $_) } 1 .. 140;
    }) or last;

    is(scalar(@{$got->{200}}), 96, "$name: as many as there are slots");

    my %there = in_file($n);
    is(join(' ', grep { !defined $there{"c" . ($_ + 1)} } @{$got->{200}}), '',
       "$name: what was taken is in the file");
}


# Events that wait for the disk fill the log.

{
    my $name = '30 publishes of 8 kB in 64k';
    my $n = start(size => '64k');

    my $got = answers($n, $name, 1, sub {
        map { $n->post("c$_" => qq("$_) . 'x' x 8000 . '"') } 1 .. 30;
    }) or last;

    my %there = in_file($n);

    cmp_ok(scalar(@{$got->{200}}), '>', 1, "$name: some fit");
    is(join(' ', grep { !defined $there{'c' . ($_ + 1)} } @{$got->{200}}), '',
       "$name: what was taken is in the file");

    # One after the other all of them fit: what is on disk makes room.

    my @status = map { $n->post("c$_" => '"' . 'x' x 8000 . '"')->response
                         ->status } 31 .. 60;
    is("@status", join(' ', (200) x 30), "$name: later all are taken");
}


# What expires while it waits for the disk was published all the same.

for my $parameter (qw( ttl inactive )) {
    my $name = "$parameter=1s, an fsync of 3 s";
    my $n = start(size => '64k',
                  parameters => "flush=1h durable=on $parameter=1s");

    # The first event may be gone before the others come, or not.

    wait_until('nothing', sub { $n->status('events')->{events} == 0 });
    $n->set_disk(delay => 3_600_000);

    my @posts = map { $n->post("c$_" => $_) } 1 .. 10;

    wait_until('all taken', sub { $n->status('events')->{events} == 10 });
    $n->poll(category => 'first', timeout => 3)->response;
    $n->set_disk(delay => 0);

    is(join(' ', map { eval { $_->response->status } // 'none' } @posts),
       join(' ', (200) x 10), "$name: each publisher is answered");

    my %there = in_file($n);

    is(join(' ', grep { !defined $there{"c$_"} } 1 .. 10), '',
       "$name: all are in the file");
    is($n->status('events')->{published}, 11, "$name: all are counted");
    wait_until('nothing', sub { $n->status('events')->{events} == 0 });
    pass("$name: then they are gone");
}


done_testing();
