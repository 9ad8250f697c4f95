package Bench::Report;

# The report of bench/run.pl: performance.md with tables, and plots.
#
#     my $report = Bench::Report->new(rows => [...], servers => [...], ...);
#     $report->table                the tables of the cases, in Markdown
#     $report->write($dir)          $dir/performance.md, $dir/performance/*.svg
#
# A row has a case, the value and spread of each server, the rounds, and, if the
# case has a goal, the ratio and whether the goal is met.  The rows of one unit
# have a table.  The rows of a series have a table of their own, and a plot of
# lines.  Those of zones over Redis have a section of their own: with `section`,
# write() changes only that of the page.

use strict;
use warnings;

use File::Path qw( make_path );
use POSIX ();

# What a connection takes, and what a delivery to it: the cases.

my @carried = (
    [ 'a poll', 'parked', 'fanout' ],
    [ 'a poll over TLS', 'parked-tls', 'tls' ],
    [ 'a stream', 'open', 'stream' ],
    [ 'a stream over TLS', 'open-tls', 'stream-tls' ],
);

# cores, GB

my @boxes = ([1, 1], [2, 4], [4, 8], [8, 32], [16, 64]);

# bytes of a connection that are no worker's: its sockets in the kernel, and an
# entry of worker_connections

my $beside = 4800 + 432;

# A table has the cases of one unit, and these are their order.

my @tables = ('CPU, us', 'CPU of streams, us', 'time, us', 'time, ms',
              'times as much', 'memory, bytes');

my @plots = (
    [ 'cpu', "The server's CPU time, in microseconds: less is better",
      qw( publish publish-1k publish-10k publish-100k fanout fanout-10k lockstep
          own catchup ) ],
    [ 'streams', "The server's CPU time of streams, in microseconds: less is"
      . ' better', qw( stream stream-10k stream-own ) ],
    [ 'memory', "The server's memory, in bytes: less is better",
      qw( parked parked-slim parked-one open open-one stored ) ],
    [ 'wait', 'Waiting during a fan-out to 10,000, in milliseconds: less is'
      . ' better', qw( others publisher ) ],
);


sub new {
    my ($class, %o) = @_;
    my (@rows, @series, @redis);

    for my $row (grep { $_->{value} } @{ $o{rows} }) {
        my $name = $row->{case}{series};

        if ($row->{case}{redis}) {
            push @redis, $row;
        } elsif (!defined $name) {
            push @rows, $row;
        } elsif (@series && $series[-1][0]{case}{series} eq $name) {
            push @{ $series[-1] }, $row;
        } else {
            push @series, [ $row ];
        }
    }

    return bless { %o, rows => \@rows, series => \@series, redis => \@redis },
        $class;
}


sub number {
    my ($value, $unit) = @_;

    return '-' unless defined $value;
    return sprintf '%.2f x', $value if $unit eq 'x';
    return sprintf $value < 1 ? '%.2f' : '%.1f', $value if $value < 100;

    my $n = sprintf '%.0f', $value;
    1 while $n =~ s/^(\d+)(\d{3})/$1,$2/;
    return $n;
}

sub whole { return number($_[0], '') =~ s/\.0+$//r }

# what a row's goal is, and whether it is met

sub goal {
    my ($self, $row) = @_;
    my $case = $row->{case};

    return '-' unless defined $case->{goal};

    my %title = map { $_->{name} => $_->{title} } @{ $self->{servers} };
    my $goal = $case->{of} ? sprintf '%.2f x %s', $case->{goal},
            join ' or ', map { $title{$_} // $_ } split /\|/, $case->{of}
        : $case->{beside} ? sprintf '%.2f x a poll', $case->{goal}
        : number($case->{goal}, $case->{unit})
            . ($case->{unit} eq 'ms' ? ' ms' : '');

    return "<= $goal" . (!defined $row->{met} ? '' : $row->{met} ? ': yes'
                         : ': NO');
}

sub ratio {
    my ($row) = @_;

    return '-' unless defined $row->{ratio};
    return within(map { sprintf '%.2f', $_ } $row->{ratio},
                  @{ $row->{ratio_spread} });
}

# polls, streams or zones over Redis: not all servers take part in all of these

sub part_of {
    my ($case) = @_;
    return $case->{redis} ? 'redis' : $case->{streams} ? 'streams' : 'polls';
}

# the table of a case: its unit, which is the head of the first column

sub table_of {
    my ($case) = @_;
    my $unit = $case->{unit};

    return 'times as much' if $unit eq 'x';
    return 'memory, bytes' if $unit eq 'bytes';
    return 'time, ms' if $unit eq 'ms';
    return 'time, us' if $case->{figure} =~ /^p\d/;
    return $case->{streams} ? 'CPU of streams, us' : 'CPU, us';
}

sub tables {
    my ($self, @rows) = @_;

    return join "\n", (map {
        my $name = $_;
        $self->part($name, grep { table_of($_->{case}) eq $name } @rows);
    } @tables), spoiled(@rows);
}

sub table {
    my ($self) = @_;

    return join "\n", grep { $_ ne '' }
        map { $self->tables(@$_) } @$self{qw( rows redis )};
}

# the servers that have a figure in one of the rows

sub having {
    my ($self, @rows) = @_;

    return grep {
        my $name = $_->{name};
        grep { defined $_->{value}{$name} } @rows;
    } @{ $self->{servers} };
}

# Of this module and the ratio, the lowest and the highest of all rounds, too.  A
# row with another goal for the same figures shares the line of the row before.

sub part {
    my ($self, $name, @rows) = @_;

    my @servers = $self->having(@rows) or return;
    my $ratios = grep { defined $_->{ratio} } @rows;
    my $goals = grep { defined $_->{met} } @rows;
    my @more = (('ratio') x !!$ratios, ('goal: met') x !!$goals);

    my $text = join(' | ', "| $name", (map { $_->{title} } @servers), @more)
        . " |\n|---|" . '---:|' x @servers . '---|' x @more . "\n";

    while (my $row = shift @rows) {
        my @all = $row;
        my @cells = map { cell($row, $_->{name}) } @servers;

        push @all, shift @rows while @rows && $rows[0]{case}{again};
        push @cells, join '; ', map { ratio($_) } @all if $ratios;
        push @cells, join '; ', map { $self->goal($_) } @all if $goals;

        $text .= '| ' . join(' | ', $row->{case}{title}, @cells) . " |\n";
    }

    return $text;
}

sub cell {
    my ($row, $name) = @_;
    my $value = $row->{value}{$name};       # map would make one
    my @all = map { number($_, $row->{case}{unit}) =~ s/ x$//r }
        $value,
        $name =~ /^longpoll/ ? @{ $row->{spread}{$name} // [] } : ();

    return within(@all) . ($row->{spoiled}{$name} ? ' [*]' : '');
}

sub within {
    my ($text, @ends) = @_;
    return $text if !@ends || $ends[0] eq $ends[1];
    return "$text ($ends[0] to $ends[1])";
}

sub spoiled {
    my (@rows) = @_;
    my (%runs, %spoiled);

    # rows of other figures of the same runs have the same

    for my $row (@rows) {
        $runs{ $row->{case}{from} // $row->{case}{name} } = $row->{spoiled};
    }
    for my $of (values %runs) {
        $spoiled{$_} += $of->{$_} for keys %$of;
    }

    return unless %spoiled;
    return wrap('[*] Some runs were repeated, because events were'
        . ' lost, doubled, out of order or misrouted, or the server failed: '
        . join(', ', map {
            "$_, $spoiled{$_} " . ($spoiled{$_} == 1 ? 'run' : 'runs')
        } sort keys %spoiled) . '.', 0) . "\n";
}


sub slurp {
    open my $in, '<', $_[0] or return '';
    local $/;
    return <$in> // '';
}

sub machine {
    my ($system, $release, $arch) = (POSIX::uname())[0, 2, 4];
    my $info  = slurp('/proc/cpuinfo');
    my $cpus  = () = $info =~ /^processor\s*:/mg;
    my ($cpu) = $info =~ /^model name\s*:\s*(.*)/m;
    my ($kb)  = slurp('/proc/meminfo') =~ /^MemTotal:\s*(\d+)/m;
    my ($os)  = slurp('/etc/os-release') =~ /^PRETTY_NAME="?(.*?)"?$/m;

    return sprintf "%d x %s, %.0f GB of memory; %s, %s %s %s", $cpus,
        $cpu // 'CPU', $kb / 2**20, $os // '', $system,
        $release =~ s/-.*//r, $arch;
}

sub write {
    my ($self, $dir) = @_;

    make_path("$dir/performance");
    return $self->write_section("$dir/performance.md") if $self->{section};

    my $plots = '';
    for my $plot (@plots) {
        my ($name, $title, @cases) = @$plot;
        my %wanted = map { $_ => 1 } @cases;
        my @rows = grep { $wanted{ $_->{case}{name} } } @{ $self->{rows} };
        next unless @rows;

        spew("$dir/performance/$name.svg", $self->svg($title, @rows));
        $plots .= "![$title](performance/$name.svg)\n\n";
    }

    my $growth = '';
    for my $series (@{ $self->{series} }) {
        my $case = $series->[0]{case};
        my ($what) = $case->{title} =~ /^(.*): /;
        my $title = "\u$what, by $case->{of_x}, in "
            . ($case->{unit} eq 'us' ? 'microseconds' : $case->{unit});

        spew("$dir/performance/by-$case->{series}.svg",
             $self->lines($title, @$series));
        $growth .= "### $title\n\n![plot](performance/"
            . "by-$case->{series}.svg)\n\n" . $self->grown(@$series) . "\n";
    }
    $growth = "## How it grows\n\n" . $self->summary . "\n$growth"
        if $growth ne '';
    $growth .= $self->lock if @{ $self->{lock} // [] };

    spew("$dir/performance.md", $self->page($plots, $growth));
}

# in place of what the page had, or in front of what is told of the machine

sub write_section {
    my ($self, $name) = @_;

    my $page = slurp($name);
    my $section = $self->section;

    $page =~ s/^## Zones over Redis\n.*?(?=^## )/$section/ms
        or $page =~ s/(?=^## Machine and versions\n)/$section/m
        or die "$name has no section of the machine\n";
    spew($name, $page);
}

sub spew {
    my ($name, $text) = @_;
    open my $file, '>', $name or die "$name: $!\n";
    print $file $text;
    close $file or die "$name: $!\n";
}

sub wrap {
    my ($text, $indent) = @_;
    my @lines = '';

    for (split ' ', $text) {
        push @lines, '' if length("$lines[-1] $_") + $indent > 80;
        $lines[-1] .= ($lines[-1] eq '' ? '' : ' ') . $_;
    }
    return join "\n" . ' ' x $indent, @lines;
}

sub page {
    my ($self, $plots, $growth) = @_;

    my ($rounds) = sort { $b <=> $a } map { $_->{rounds} }
        @{ $self->{rows} }, map { @$_ } @{ $self->{series} };
    my $head = wrap('`make bench` wrote this page on '
        . POSIX::strftime('%Y-%m-%d', gmtime) . '.'
        . ($self->{quick} ? ' It was a quick run, to see that it works: the'
            . ' figures mean nothing.' : '') . ' [Benchmark](benchmark.md) says'
        . ' how it measures, and how to measure a server of your own.', 0);
    my $machine = wrap('Machine: ' . machine(), 2);
    my @servers = grep { !$_->{class} } @{ $self->{servers} };
    my $versions = versions(@servers);
    my $skipped = join '', map { "- SKIPPED: $_\n" } @{ $self->{skipped} };
    my $tables = $self->tables(@{ $self->{rows} });
    my $goals = $self->goals('goals-that-are-not-met', @{ $self->{rows} });

    my $settings = settings(@servers);

    my $slim = !grep({ $_->{case}{slim} } @{ $self->{rows} }) ? ''
        : "\nSlim settings are these, in all of them:\n\n```nginx\n"
            . $Bench::Server::slim . "```\n";

    my $told = wrap(<<"END", 0);
CPU is that of all processes of the server. A delivery includes the client's next
poll, until it is parked. Figures are medians of up to @{[ $rounds // 0 ]}
rounds, in which the servers took turns; in brackets are the lowest and the
highest of this module. A ratio is the median of the ratios of each round: that of
this module to what its goal names. *nginx itself* is what nginx needs for such a request;
*bare* is a program that only sends the same bytes; *a poll* is this module's own.
The benchmark checks every event; of this module's none was lost, doubled, out of
order or misrouted.
END

    return <<"END" . $settings . $slim;
# Performance

$head

@{[ $self->boxes ]}## Beside other servers

$goals$told

$tables
$plots$growth@{[ $self->section ]}## Machine and versions

- $machine
$versions$skipped
## Settings

Each nginx has 2 workers, each with a listening socket of its own, no access log,
and `client_body_buffer_size 128k`. `bench/run.pl --list` prints the commands.

END
}

sub versions {
    return join '', map { '- ' . wrap("$_->{title}: $_->{version}", 2) . "\n" }
        @_;
}

sub settings {
    return join "\n", map {
        "$_->{title}:\n\n```\n" . $_->settings . "```\n"
    } @_;
}

# zones over Redis: all that the page says of them

sub section {
    my ($self) = @_;

    my @rows = @{ $self->{redis} };
    return '' unless @rows || @{ $self->{carried} };

    my ($rounds) = sort { $b <=> $a } 0, map { $_->{rounds} } @rows;
    my @servers = grep { $_->{class} } @{ $self->{servers} };
    my $told = wrap('Measured by `make bench ARGS=--redis` on '
        . POSIX::strftime('%Y-%m-%d', gmtime) . ": medians of up to $rounds rounds, as"
        . <<'END', 0);
 above. A node is a whole nginx with 2 workers. All nodes, Redis and the clients
run on one machine. So a network's time comes on top; but the nodes read an event
one after the other, where nodes with machines of their own read at once. Redis
has no persistence. CPU is that of all nodes together, or of Redis. Publishers ask
all nodes, and one client gets each event. "This module" and "nchan" alone are one
nginx without Redis. With its storage mode distributed, the default, nchan
publishes when Redis has the event; with backup it gives the event to the node's
own clients before that, and clients of another node get none.
END

    return join "\n", "## Zones over Redis\n", "$told\n",
        $self->goals('zones-over-redis', @rows) . $self->tables(@rows),
        $self->carried, versions(@servers),
        'Settings that differ from those [below](#settings), with the address of'
        . " Redis\nin place of REDIS:\n", settings(@servers) . "\n";
}

sub carried {
    my ($self) = @_;

    my @rows = @{ $self->{carried} } or return;
    my $text = wrap(<<'END', 0) . "\n\n";
What Redis does for events of 100 bytes at a rate. As many connections as there
are nodes publish them, with a node's commands, past HTTP. The share of a core is
at that rate.
END
    my @columns = (
        [ 'nodes', 'nodes' ], [ 'events a second', 'wanted' ],
        [ 'reached', 'rate' ], [ "Redis's CPU, us", 'redis_us' ],
        [ 'share of a core, %', 'share' ],
        [ "a reader's CPU, us", 'reader_us' ],
        [ "a node's reads a second", 'reads' ],
        [ 'bytes to Redis', 'in_bytes' ], [ 'bytes to a node', 'out_bytes' ],
        [ "bytes of Redis's memory", 'memory' ],
    );

    return $text . join('', map { "| $_->[0] " } @columns) . "|\n"
        . '|--:' x @columns . "|\n" . join '', map {
            my $row = $_;
            join('', map { '| ' . whole($row->{ $_->[1] }) . ' ' } @columns)
                . "|\n";
        } @rows;
}

# how many goals are met, and where to read about the others

sub goals {
    my ($self, $anchor, @of) = @_;

    my @rows = grep { defined $_->{met} } @of or return '';
    my $met = grep { $_->{met} } @rows;

    return wrap(sprintf('Goals: %d of %d met.', $met, scalar @rows)
        . ($met == @rows ? '' : " [Costs](internals/costs.md#$anchor) says where"
            . ' the time goes in the others.'), 0) . "\n\n";
}

# All series of this module in one table: the last figure in comparison with the
# first one, and that of nginx's floor in the same comparison.

sub summary {
    my ($self) = @_;

    my $text = "| what | last to first | nginx itself | the design says |\n"
        . "|---|---:|---:|---|\n";

    for my $series (@{ $self->{series} }) {
        my @rows = grep { defined $_->{value}{longpoll} } @$series;
        next unless @rows;

        my $case = $rows[0]{case};
        my ($what) = $case->{title} =~ /^(.*): /;

        $text .= '| ' . join(' | ', "$what, by $case->{of_x}",
            growth('longpoll', @rows), growth('floor', @rows),
            $case->{design} // '-') . " |\n";
    }
    return $text;
}

# if the last figure is missing, up to the last that there is

sub growth {
    my ($name, @rows) = @_;

    my ($last) = grep { $_->{value}{$name} } reverse @rows;
    return '-' if !$rows[0]{value}{$name} || $last == $rows[0];

    return number($last->{value}{$name} / $rows[0]{value}{$name}, 'x')
        . ($last == $rows[-1] ? '' : ", to " . whole($last->{case}{x}));
}

sub lock {
    my ($self) = @_;

    my $text = "### The zone's lock\n\n" . wrap(<<'END', 0)
All workers share the zone's lock. These are microseconds of CPU that an operation
takes in all, and while it has the lock (`make holds`, over plain memory). A zone
whose lock is never free could do so many in a second; more zones have more locks.
END
        . "\n\n| operation | all of it | with the lock | share | at most, each"
        . " second |\n|---|---:|---:|---:|---:|\n";

    for my $row (@{ $self->{lock} }) {
        $text .= sprintf "| %s | %s | %.2f | %.2f %% | %s |\n", $row->{title},
            number($row->{cpu}, 'us'), $row->{us},
            100 * $row->{us} / $row->{cpu},
            rounded(1e6 / ($row->{us} + 0 || 0.01));
    }
    return "$text\n";
}

# what some machines carry, from the figures of connections and deliveries

sub boxes {
    my ($self) = @_;

    my %figure = map { $_->{case}{name} => $_->{value}{longpoll} }
        @{ $self->{rows} };
    my @known = grep { $figure{ $_->[1] } && $figure{ $_->[2] } } @carried
        or return '';

    my $bytes = whole($beside);
    my $text = <<"END"
## What one machine carries

The table has the connections that wait at the same time, and the deliveries of
100 bytes in each second, with the cores of [this machine](#machine-and-versions).
For another machine:

- connections: 0.75 x memory / bytes of a connection
- deliveries in each second: 0.5 x cores x 1,000,000 / CPU of a delivery

The rest is a reserve for the system, for data that clients have not read, and for
peaks. A connection takes the memory of its worker, as below, and $bytes bytes of
the kernel and of `worker_connections`. The zone comes on top:
[Sizing](operations.md#sizing).

END
        . '| | bytes of a connection | CPU of a delivery, us |'
        . join('', map { " $_->[0] x CPU, $_->[1] GB |" } @boxes)
        . "\n|---|---:|---:|" . '---:|' x @boxes . "\n";

    for my $one (@known) {
        my ($title, $bytes, $us) = ($one->[0], map { $figure{$_} } @$one[1, 2]);

        $bytes += $beside;
        $text .= '| ' . join(' | ', $title, number($bytes, 'bytes'),
            number($us, 'us'), map {
                rounded(0.75 * $_->[1] * 2**30 / $bytes) . '; '
                    . rounded(0.5 * $_->[0] * 1e6 / $us) . '/s'
            } @boxes) . " |\n";
    }
    return "$text\n";
}

# two digits are enough

sub rounded { return number(sprintf('%.1e', $_[0]), '') }

# the table of a series
sub grown {
    my ($self, @rows) = @_;

    my @servers = $self->having(@rows);
    my $text = "| $rows[0]{case}{of_x} | "
        . join(' | ', map { $_->{title} } @servers) . " |\n|---:|"
        . '---:|' x @servers . "\n";

    for my $row (@rows) {
        $text .= '| ' . join(' | ', whole($row->{case}{x}),
            map { number($row->{value}{ $_->{name} }, $row->{case}{unit}) }
                @servers) . " |\n";
    }
    return $text;
}


# Bars are horizontal, with a panel for each row.  Each panel has its own scale:
# its longest bar fills the width.  Colours follow the reader's preference for
# light or dark; without one they can be read on white and on black.

sub xml {
    my ($text) = @_;
    my %entity = ('&' => '&amp;', '<' => '&lt;', '>' => '&gt;');
    return $text =~ s/([&<>])/$entity{$1}/gr;
}

sub svg {
    my ($self, $title, @rows) = @_;

    my ($left, $width, $bar, $gap) = (110, 430, 16, 5);
    my ($y, $marks) = (30, 0);
    my $body = sprintf qq(<text class="title" x="10" y="%d">%s</text>\n), $y,
        xml($title);

    for my $row (@rows) {
        my $unit = $row->{case}{unit};
        my @bars = grep { defined $row->{value}{ $_->{name} } }
            @{ $self->{servers} };
        my ($most) = sort { $b <=> $a } values %{ $row->{value} };

        $y += 34;
        $body .= sprintf qq(<text class="case" x="10" y="%d">%s</text>\n), $y,
            xml($row->{case}{title});
        $y += 9;

        my $goal = aim($row);
        undef $goal if !$most || defined $goal && $goal > $most;

        for my $server (@bars) {
            my $value = $row->{value}{ $server->{name} };
            my $length = $most > 0 && $value > 0 ? $width * $value / $most : 0;
            my $kind = kind($server->{name});

            my $end = $left + $length;

            $body .= sprintf qq(<text class="name" x="%d" y="%d">%s</text>\n)
                . qq(<rect class="%s" x="%d" y="%d" width="%.1f" height="%d")
                . qq( rx="2"/>\n), $left - 8, $y + 12, xml($server->{title}),
                $kind, $left, $y, $length < 1 ? 1 : $length, $bar;

            # behind the mark of the goal, if that is further right

            if ($kind eq 'own' && defined $goal) {
                my $x = $left + $width * $goal / $most;
                $body .= sprintf qq(<line class="goal" x1="%.1f" y1="%d")
                    . qq( x2="%.1f" y2="%d"/>\n), $x, $y - 3, $x,
                    $y + $bar + 3;
                $end = $x if $x > $end;
                $marks++;
            }

            $body .= sprintf qq(<text class="value" x="%.1f" y="%d">%s</text>)
                . "\n", $end + 6, $y + 12, number($value, $unit);
            $y += $bar + $gap;
        }
    }

    return frame($title, $y + 15, $body) unless $marks;

    $body .= sprintf qq(<line class="goal" x1="%d" y1="%d" x2="%d" y2="%d"/>\n)
        . qq(<text x="%d" y="%d">this module's goal</text>\n), $left, $y + 12,
        $left, $y + 26, $left + 8, $y + 24;

    return frame($title, $y + 40, $body);
}

# the goal's position on the scale of the row

sub aim {
    my ($row) = @_;

    my ($goal, $of) = @{ $row->{case} }{qw( goal of )};

    return $goal * $row->{value}{longpoll} / $row->{ratio}
        if $row->{case}{beside} && $row->{ratio};
    return $goal unless defined $goal && $of;
    my ($least) = sort { $a <=> $b } grep { defined }
        map { $row->{value}{$_} } split /\|/, $of;
    return defined $least ? $goal * $least : undef;
}

# The scale of the figures begins at zero, so that a nearly flat line looks
# flat, and is logarithmic only if they are far apart.  Names are at the ends of
# the lines, moved apart if they would overlap.
sub lines {
    my ($self, $title, @rows) = @_;

    my ($left, $top, $width, $height) = (60, 50, 420, 240);
    my @x = map { log $_->{case}{x} } @rows;
    my @all = sort { $a <=> $b } grep { $_ > 0 }
        map { values %{ $_->{value} } } @rows;
    my ($scale, @ticks) = scale(@all[0, -1]);
    my $body = sprintf qq(<text class="title" x="10" y="30">%s</text>\n),
        xml($title);

    my $px = sub {
        return $left + $width * (@x > 1 ? ($_[0] - $x[0]) / ($x[-1] - $x[0])
                                        : .5);
    };
    my $py = sub { return $top + $height * (1 - $scale->($_[0])) };

    for my $tick (@ticks) {
        my $y = $py->($tick);
        $body .= sprintf qq(<line class="grid" x1="%d" y1="%.1f" x2="%d")
            . qq( y2="%.1f"/>\n<text class="name" x="%d" y="%.1f">%s)
            . "</text>\n", $left, $y, $left + $width, $y, $left - 8,
            $y + 4, whole($tick);
    }
    for my $row (@rows) {
        $body .= sprintf qq(<text class="x" x="%.1f" y="%d">%s</text>\n),
            $px->(log $row->{case}{x}), $top + $height + 20,
            whole($row->{case}{x});
    }

    my @names;
    for my $server (@{ $self->{servers} }) {
        my $name = $server->{name};
        my @points = map { [ $px->(log $_->{case}{x}),
                             $py->($_->{value}{$name}) ] }
            grep { ($_->{value}{$name} // 0) > 0 } @rows;
        next unless @points;

        my $kind = kind($name);
        $body .= sprintf qq(<polyline class="line %s %s" points="%s"/>\n),
            $kind, $name, join ' ', map { sprintf '%.1f,%.1f', @$_ } @points;
        $body .= sprintf qq(<circle class="%s" cx="%.1f" cy="%.1f" r="3"/>\n),
            $kind, @$_ for @points;
        push @names, [ $points[-1][1], $server->{title} ];
    }

    my $last = 0;
    for (sort { $a->[0] <=> $b->[0] } @names) {
        my ($y, $text) = @$_;
        $y = $last + 14 if $y < $last + 14;
        $last = $y;
        $body .= sprintf qq(<text x="%d" y="%.1f">%s</text>\n),
            $left + $width + 12, $y + 4, xml($text);
    }

    $body .= sprintf qq(<text class="x" x="%d" y="%d">%s</text>\n),
        $left + $width / 2, $top + $height + 42, xml($rows[0]{case}{of_x});
    return frame($title, $top + $height + 55, $body);
}

# a figure's position, from 0 to 1, and the figures that have a line

sub scale {
    my ($low, $high) = @_;
    my @ticks = map { my $power = 10 ** $_; map { $_ * $power } 1, 2, 5 }
        -3 .. 9;

    if ($high < 8 * $low) {
        my ($step) = grep { $high / $_ <= 6 } @ticks;
        my $most = POSIX::ceil($high / $step) * $step;

        return sub { $_[0] / $most },
            map { $_ * $step } 0 .. POSIX::floor($most / $step + .5);
    }

    $low /= 1.5;
    return sub { log($_[0] / $low) / log($high / $low) },
        grep { $_ >= $low && $_ <= $high } @ticks;
}

sub kind {
    my ($name) = @_;
    return $name =~ /floor|bare/ ? 'floor' : $name eq 'longpoll' ? 'own' : 'other';
}

sub frame {
    my ($title, $y, $body) = @_;

    return <<"END";
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 620 $y" role="img">
<title>@{[ xml($title) ]}</title>
<style>
text   { font: 12px sans-serif; fill: #24292f }
.title { font-size: 15px; font-weight: bold }
.case  { font-weight: bold }
.name  { text-anchor: end }
.back  { fill: #ffffff }
.x     { text-anchor: middle }
.floor { fill: #8c959f; stroke: #8c959f }
.own   { fill: #1a7f37; stroke: #1a7f37 }
.other { fill: #6a9fd8; stroke: #6a9fd8 }
.grid  { stroke: #d0d7de }
.line  { fill: none; stroke-width: 2 }
.push-stream { stroke-dasharray: 7 3 }
.golongpoll  { stroke-dasharray: 2 3 }
.goal  { stroke: #cf222e; stroke-width: 1.5; stroke-dasharray: 3 2 }
\@media (prefers-color-scheme: dark) {
    text   { fill: #e6edf3 }
    .back  { fill: #0d1117 }
    .floor { fill: #7d8590; stroke: #7d8590 }
    .own   { fill: #3fb950; stroke: #3fb950 }
    .other { fill: #4478b4; stroke: #4478b4 }
    .grid  { stroke: #30363d }
    .line  { fill: none }
    .goal  { stroke: #ff7b72 }
}
</style>
<rect class="back" width="620" height="$y"/>
$body</svg>
END
}


1;
