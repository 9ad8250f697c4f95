package Bench::Report;

# The report of bench/run.pl: performance.md with a table, and plots.
#
#     my $report = Bench::Report->new(rows => [...], servers => [...], ...);
#     $report->table                the table alone, in Markdown
#     $report->write($dir)          $dir/performance.md, $dir/performance/*.svg
#
# A row has a case, the value and spread of each server, the rounds, and, if the
# case has a goal, the ratio and whether the goal is met.  The rows of a series
# have a table of their own, and a plot of lines.  Those of zones over Redis have
# a section of their own: with `section`, write() changes only that of the page.

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

sub goal {
    my ($row) = @_;
    my $case = $row->{case};

    return '-' unless defined $case->{goal};
    return sprintf '<= %.2f x %s', $case->{goal}, $case->{of} =~ s/\|/ or /gr
        if $case->{of};
    return sprintf '<= %.2f x a poll', $case->{goal} if $case->{beside};
    return '<= ' . number($case->{goal}, $case->{unit})
        . ($case->{unit} eq 'ms' ? ' ms' : '');
}

# The rows of polls, of streams, and of zones over Redis: not all servers have
# all of these.

sub part_of {
    my ($case) = @_;
    return $case->{redis} ? 'redis' : $case->{streams} ? 'streams' : 'polls';
}

sub parts {
    my ($self) = @_;

    return grep { @$_ } map {
        my $part = $_;
        [ grep { part_of($_->{case}) eq $part } @{ $self->{rows} } ];
    } qw( polls streams );
}

sub table {
    my ($self) = @_;

    return join "\n", (map { $self->part(@$_) } $self->parts),
        $self->part(@{ $self->{redis} });
}

# the servers that have a figure in one of the rows

sub having {
    my ($self, @rows) = @_;

    return grep {
        my $name = $_->{name};
        grep { defined $_->{value}{$name} } @rows;
    } @{ $self->{servers} };
}

sub part {
    my ($self, @rows) = @_;

    my @servers = $self->having(@rows) or return;

    my $text = '| case | unit | ' . join(' | ', map { $_->{title} } @servers)
        . " | ratio | goal | met |\n|---|---|"
        . '---:|' x (@servers + 1) . "---|---|\n";

    for my $row (@rows) {
        my $case = $row->{case};

        $text .= '| ' . join(' | ', $case->{title}, $case->{unit},
            (map { number($row->{value}{ $_->{name} }, $case->{unit})
                   . ($row->{spoiled}{ $_->{name} } ? ' [*]' : '') } @servers),
            defined $row->{ratio} ? sprintf('%.2f', $row->{ratio}) : '-',
            goal($row),
            !defined $row->{met} ? '-' : $row->{met} ? 'yes' : 'NO') . " |\n";
    }

    my %spoiled;
    for my $row (@rows) {
        $spoiled{$_} += $row->{spoiled}{$_} for keys %{ $row->{spoiled} };
    }

    return $text unless %spoiled;
    return "$text\n" . wrap('[*] Some runs were repeated, because events were'
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
        $growth .= "### $title\n\n![$title](performance/"
            . "by-$case->{series}.svg)\n\n" . $self->grown(@$series) . "\n";
    }
    $growth = "## How it grows\n\n" . $self->summary . "\n$growth"
        if $growth ne '';
    $growth .= $self->lock if @{ $self->{lock} // [] };
    $growth .= $self->boxes;

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
    my $head = wrap('This page was written by `make bench` on '
        . POSIX::strftime('%Y-%m-%d', gmtime) . sprintf(', in %d seconds.',
            $self->{seconds})
        . ($self->{quick} ? ' It was a quick run, to see that it works: the'
            . ' figures mean nothing.' : '') . ' How it measures, and how to'
        . ' measure a server of your own, is told in'
        . ' [Benchmark](benchmark.md).', 0);
    my $machine = wrap('Machine: ' . machine(), 2);
    my @servers = grep { !$_->{class} } @{ $self->{servers} };
    my $versions = versions(@servers);
    my $skipped = join '', map { "- SKIPPED: $_\n" } @{ $self->{skipped} };
    my $table = join "\n", map { $self->part(@$_) } $self->parts;
    my $goals = $self->goals(@{ $self->{rows} });
    my $spread = $self->spread;

    my $settings = settings(@servers);

    my $slim = !grep({ $_->{case}{slim} } @{ $self->{rows} }) ? ''
        : "Slim settings are these, in all of them:\n\n```nginx\n"
            . $Bench::Server::slim . "```\n\n";

    my $commands = commands(@{ $self->{rows} },
                            map { @$_ } @{ $self->{series} });

    my $told = wrap(<<"END", 0);
CPU is that of all of the server's processes together, by the scheduler's count,
without the client's. A delivery includes the client's next poll, until it is
parked. Figures are medians, of up to @{[ $rounds // 0 ]} rounds in which the
servers took turns; a ratio is the median of the ratios of each round. It is
that of this module to what its goal names: to the floor, which is what nginx
itself needs for such a request; to bare, a program that only sends the same
bytes; to nchan or push-stream; or to this module's own parked poll. Everything that came was looked
through; what this module sent was complete, in order, and nothing came twice or
to somebody else.
END

    return <<"END";
# Performance

$head

$goals$table
$told

$plots$growth@{[ $self->section ]}## Machine and versions

- $machine
$versions$skipped
## Spread

The lowest and the highest of all rounds:

$spread
## Settings

Each nginx has 2 workers, each with a listening socket of its own, no access log,
and `client_body_buffer_size 128k`.

$settings
$slim## Commands

`make bench` runs all of it. By hand, each is `longpoll-bench` with these
options and the server's address:

$commands
END
}

sub commands {
    return join '', map {
        my $case = $_->{case};
        $case->{run} && !$case->{by} ? wrap("- $case->{title}: `$case->{run}`"
            . ($case->{then} ? ", then `$case->{then}`" : '')
            . ($case->{floor} ? "; of nginx itself `$case->{floor}`" : ''), 2)
            . "\n" : ();
    } @_;
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
        . POSIX::strftime('%Y-%m-%d', gmtime) . ": medians of $rounds rounds, in"
        . <<'END', 0);
 which the servers took turns. A node is a whole nginx with 2 workers. All nodes,
Redis and the clients run on one machine: a network's time comes on top of these,
but an event, which each node reads, takes the nodes' time one after the other,
where nodes with machines of their own read at once. Each run begins with an empty
Redis without persistence. CPU is that of all nodes together, or of Redis.
Publishers ask all nodes, and one client gets each event. "This module" and
"nchan" alone are one nginx without Redis. With its storage mode distributed, its
default, nchan publishes when Redis has the event; with backup it gives it to the
node's own clients before that, and clients of another node get none.
END

    return join "\n", "## Zones over Redis\n", "$told\n",
        $self->goals(@rows) . $self->part(@rows), $self->carried,
        "The lowest and the highest of all rounds:\n",
        $self->spread_part(@rows), versions(@servers),
        "The settings, with Redis's address in place of REDIS:\n",
        settings(@servers),
        "The commands, to be called with the nodes' addresses and Redis's"
        . " process:\n", commands(@rows) . "\n";
}

sub carried {
    my ($self) = @_;

    my @rows = @{ $self->{carried} } or return;
    my $text = wrap(<<'END', 0) . "\n\n";
What Redis does for events of 100 bytes that come at such a rate. Its own
connections publish them, as many as there are nodes, with the commands that a
node sends, past HTTP. The share is that of one core, at that rate.
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

# a sentence: how many goals are met, and which are not

sub goals {
    my ($self, @of) = @_;

    my @rows = grep { defined $_->{met} } @of or return '';
    my @not = map { $_->{case}{title} } grep { !$_->{met} } @rows;

    return wrap(sprintf('Goals: %d of %d met', @rows - @not, scalar @rows)
        . (@not ? '; not met: ' . join('; ', @not) : '') . '.', 0) . "\n\n";
}

# All series of this module in one table: the first figure of a series, the last
# one in comparison, and that of nginx's floor in the same comparison.

sub summary {
    my ($self) = @_;

    my $text = "| what | unit | over | this module | last to first | nginx's own"
        . " | the design says |\n|---|---|---|---|---:|---:|---|\n";

    for my $series (@{ $self->{series} }) {
        my @rows = grep { defined $_->{value}{longpoll} } @$series;
        next unless @rows;

        my $case = $rows[0]{case};
        my ($what) = $case->{title} =~ /^(.*): /;

        $text .= '| ' . join(' | ', $what, $case->{unit},
            join(', ', map { whole($_->{case}{x}) } @rows) . " $case->{of_x}",
            join(', ', map { number($_->{value}{longpoll}, $case->{unit}) }
                @rows),
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
All workers share one lock. What an operation does while it has it, in
microseconds of CPU, as `make holds` measures it over plain memory, and what
share that is of all that the operation costs. With so many workers that the
lock is never free, a zone could do so many in a second; more zones have more
locks.
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

    my $text = "## What one box carries\n\n" . wrap(<<"END", 0)
Connections that wait at the same time in three quarters of the memory, and
deliveries of 100 bytes in each second by half of the cores, with this machine's
cores. The rest is a reserve: for the system, for data that clients have not read,
and for peaks. A connection takes the memory of its worker, as above, and $beside
bytes of the kernel and of `worker_connections`. The zone with the events comes on
top.
END
        . "\n\n| | bytes each | CPU of a delivery, us |"
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

sub spread {
    my ($self) = @_;

    return join "\n", map { $self->spread_part(@$_) } $self->parts;
}

sub spread_part {
    my ($self, @rows) = @_;

    my @servers = $self->having(@rows) or return;
    my $text = '| case | ' . join(' | ', map { $_->{title} } @servers)
        . " | ratio |\n|---|" . '---|' x (@servers + 1) . "\n";

    for my $row (@rows) {
        $text .= '| ' . join(' | ', $row->{case}{title},
            (map {
                my $spread = $row->{spread}{ $_->{name} };
                $spread ? join(' to ', map { number($_, $row->{case}{unit}) }
                               @$spread) : '-';
            } @servers),
            defined $row->{ratio} ? sprintf('%.2f to %.2f',
                                            @{ $row->{ratio_spread} }) : '-')
            . " |\n";
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
