# The publishers of docs/backends.md, one in each language: each publishes what
# it is given, and fails where nginx refuses the event or is not there.
#
# A language that is not installed is skipped, by name.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use File::Temp qw( tempdir );
use JSON::PP ();
use Test::More;

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Pages qw( slurp );
use Longpoll::Server ();

my $root = abs_path(dirname(abs_path(__FILE__)) . '/../..');
my $demo = "$root/demo/backends/publish";
my $dir = tempdir('longpoll-XXXXXX', TMPDIR => 1, CLEANUP => 1);

# how to run each; the first word must be in PATH

my %run = (
    'publish.py'   => ["python3 $demo/publish.py"],
    'publish.php'  => ["php $demo/publish.php"],
    'publish.go'   => ["$dir/publish", "go build -o $dir/publish"
                                       . " $demo/publish.go"],
    'Publish.java' => ["java -cp $dir Publish", "javac -d $dir"
                                                . " $demo/Publish.java"],
    'publish.rb'   => ["ruby $demo/publish.rb"],
    'publish.sh'   => ["sh $demo/publish.sh", 'jq --version'],
);

is_deeply([sort keys %run], [map { s{.*/}{}r } sort glob "$demo/*"],
          'all publishers are run');

my $page = slurp("$root/docs/backends.md");
my $server = Longpoll::Server->start(
    http => "    longpoll_zone zone=events:1m;\n",
    server => <<'_EOC_');
        location = /events  { longpoll_subscribe events; }
        location = /publish { longpoll_publish   events; }
_EOC_

# what JSON must escape, and what it need not

my $text = "Gr\xc3\xbc\xc3\x9fe \xf0\x9f\x90\x84 \"moo\" \\ 100 %\nand more";
my $category = "the \"old\" farm";

for my $file (sort keys %run) {
    SKIP: {
        my ($run, $make) = @{ $run{$file} };
        my ($program) = split / /, $make // $run;

        skip("$file: there is no $program", 6)
            if system "command -v $program >/dev/null";

        like($page, qr{\]\(\.\./demo/backends/publish/\Q$file\E\)},
             "$file: the page names it");
        is($make ? said($make) : 0, 0, "$file: it is well-formed");

        my $before = $server->status('events')->{published};

        is(said($run, $server->url('/publish'), "$category $file", $text), 0,
           "$file: it publishes");
        is_deeply([heard("$category $file")], [{ text => $text }],
                  "$file: what it is given");
        isnt(said($run, $server->url('/publish'), '', $text), 0,
             "$file: it fails if it is refused");
        is($server->status('events')->{published}, $before + 1,
           "$file: one event in all");
        isnt(said($run, 'http://127.0.0.1:1/publish', $category, $text), 0,
             "$file: and if nobody is there");
    }
}

$server->end;
is_deeply([$server->alerts], [], 'no alert in the error log');

done_testing();


# Runs a command: its exit status.

sub said {
    my ($command, @arguments) = @_;

    return system 'sh', '-c', "exec $command \"\$\@\" >>'$dir/log' 2>&1", 'sh',
                  @arguments;
}

sub heard {
    my ($category) = @_;

    my $name = $category =~ s/([^\w])/sprintf '%%%02X', ord $1/ger;
    my $answer = $server->get("/events?category=$name&timeout=5&since_time=0");
    my $json = JSON::PP::decode_json($answer->{content});

    return map { +{ text => utf8($_->{data}{text}) } } @{ $json->{events} };
}

sub utf8 { my ($text) = @_; utf8::encode($text); return $text }
