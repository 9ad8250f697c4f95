package Bench::Report;

# What a run of bench/run found: performance.md with a table, and plots.
#
#     my $report = Bench::Report->new(rows => [...], servers => [...], ...);
#     $report->table                the table alone, in Markdown
#     $report->write($dir)          $dir/performance.md, $dir/performance/*.svg
#
# A row has a case, the value and spread of each server, rounds, and, where
# there is a goal, ratio or not, and whether it was met.

use strict;
use warnings;

use File::Path qw( make_path );
use POSIX ();

my @plots = (
    [ 'cpu', "The server's CPU time, in microseconds: less is better",
      qw( publish publish-1k fanout fanout-10k lockstep own catchup ) ],
    [ 'memory', "The server's memory, in bytes: less is better",
      qw( parked stored ) ],
    [ 'wait', 'Waiting during a fan-out to 10,000, in milliseconds: less is'
      . ' better', qw( others publisher ) ],
);


sub new {
    my ($class, %o) = @_;
    return bless { %o }, $class;
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

sub goal {
    my ($row) = @_;
    my $case = $row->{case};

    return '-' unless defined $case->{goal};
    return sprintf '<= %.2f x %s', $case->{goal}, $case->{of} if $case->{of};
    return '<= ' . number($case->{goal}, $case->{unit})
        . ($case->{unit} eq 'ms' ? ' ms' : '');
}

sub table {
    my ($self) = @_;

    my @servers = @{ $self->{servers} };
    my $text = '| case | unit | ' . join(' | ', map { $_->{title} } @servers)
        . " | ratio | goal | met |\n|---|---|"
        . '---:|' x (@servers + 1) . "---|---|\n";

    for my $row (@{ $self->{rows} }) {
        my $case = $row->{case};

        $text .= '| ' . join(' | ', $case->{title}, $case->{unit},
            (map { number($row->{value}{ $_->{name} }, $case->{unit})
                   . ($row->{spoiled}{ $_->{name} } ? ' [*]' : '') } @servers),
            defined $row->{ratio} ? sprintf('%.2f', $row->{ratio}) : '-',
            goal($row),
            !defined $row->{met} ? '-' : $row->{met} ? 'yes' : 'NO') . " |\n";
    }

    my %spoiled;
    for my $row (@{ $self->{rows} }) {
        $spoiled{$_} += $row->{spoiled}{$_} for keys %{ $row->{spoiled} };
    }

    return $text . (%spoiled ? "\n" . wrap('[*] Some runs were repeated, because'
        . ' events were lost, doubled, out of order or misrouted, or the server'
        . ' failed: ' . join(', ', map {
            "$_, $spoiled{$_} " . ($spoiled{$_} == 1 ? 'run' : 'runs')
        } sort keys %spoiled) . '.', 0) . "\n" : '');
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
        $cpu // 'CPU', $kb / 2**20, $os // '', $system, $release, $arch;
}

sub write {
    my ($self, $dir) = @_;

    make_path("$dir/performance");

    my $plots = '';
    for my $plot (@plots) {
        my ($name, $title, @cases) = @$plot;
        my %wanted = map { $_ => 1 } @cases;
        my @rows = grep { $wanted{ $_->{case}{name} } && $_->{value} }
            @{ $self->{rows} };
        next unless @rows;

        spew("$dir/performance/$name.svg", $self->svg($title, @rows));
        $plots .= "![$title](performance/$name.svg)\n\n";
    }

    spew("$dir/performance.md", $self->page($plots));
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
    my ($self, $plots) = @_;

    my ($rounds) = sort { $b <=> $a } map { $_->{rounds} // 0 }
        @{ $self->{rows} };
    my $head = wrap('This page was written by `make bench` on '
        . POSIX::strftime('%Y-%m-%d', gmtime) . sprintf(', in %.0f minutes.',
            $self->{seconds} / 60)
        . ($self->{quick} ? ' It was a quick run, to see that it works: the'
            . ' figures mean nothing.' : '') . ' How it measures, and how to'
        . ' measure a server of your own, is told in'
        . ' [Benchmark](benchmark.md).', 0);
    my $machine = wrap('Machine: ' . machine(), 2);
    my $versions = join '', map { '- ' . wrap("$_->{title}: $_->{version}", 2)
        . "\n" } @{ $self->{servers} };
    my $skipped = join '', map { "- SKIPPED: $_\n" } @{ $self->{skipped} };
    my $table = $self->table;
    my $spread = $self->spread;

    my $settings = join "\n", map {
        "$_->{title}:\n\n```nginx\n" . $_->settings . "```\n"
    } @{ $self->{servers} };

    my $commands = join '', map {
        my $case = $_->{case};
        $case->{run} ? wrap("- $case->{title}: `$case->{run}`"
            . ($case->{then} ? ", then `$case->{then}`" : '')
            . ($case->{floor} ? "; of nginx itself `$case->{floor}`" : ''), 2)
            . "\n" : ();
    } @{ $self->{rows} };

    return <<"END";
# Performance

$head

$table
CPU is that of all of the server's processes together, by the scheduler's
count, without the client's. A delivery includes the client's next poll, until
it is parked. Figures are medians of up to $rounds rounds in which the servers
took turns; a ratio is the median of the ratios of each round. The ratio is
that of this module to what its goal names: to the floor, which is what nginx
itself needs for such a request, or to nchan. Everything that came was looked
through; what this module sent was complete, in order, and nothing came twice
or to somebody else.

$plots## Machine and versions

- $machine
$versions$skipped
## Spread

The lowest and the highest of all rounds:

$spread
## Settings

Each nginx has 2 workers, each with a listening socket of its own, and no access
log.

$settings
## Commands

`make bench` runs all of it. By hand, each is `longpoll-bench` with these
options and the server's address:

$commands
END
}

sub spread {
    my ($self) = @_;

    my @servers = @{ $self->{servers} };
    my $text = '| case | ' . join(' | ', map { $_->{title} } @servers)
        . " | ratio |\n|---|" . '---|' x (@servers + 1) . "\n";

    for my $row (@{ $self->{rows} }) {
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


# Bars lie on their sides, a panel for each row, each with a scale of its own:
# its longest bar is as long as there is room.  Colours follow what the reader
# prefers; where nobody asks, they do on white and on black.

sub xml {
    my ($text) = @_;
    my %entity = ('&' => '&amp;', '<' => '&lt;', '>' => '&gt;');
    return $text =~ s/([&<>])/$entity{$1}/gr;
}

sub svg {
    my ($self, $title, @rows) = @_;

    my ($left, $width, $bar, $gap) = (110, 430, 16, 5);
    my $y = 30;
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

        for my $server (@bars) {
            my $value = $row->{value}{ $server->{name} };
            my $length = $most > 0 && $value > 0 ? $width * $value / $most : 0;
            my $kind = $server->{name} eq 'floor' ? 'floor'
                : $server->{name} eq 'longpoll' ? 'own' : 'other';

            $body .= sprintf qq(<text class="name" x="%d" y="%d">%s</text>\n)
                . qq(<rect class="%s" x="%d" y="%d" width="%.1f" height="%d")
                . qq( rx="2"/>\n<text class="value" x="%.1f" y="%d">%s</text>)
                . "\n", $left - 8, $y + 12, xml($server->{title}), $kind,
                $left, $y, $length < 1 ? 1 : $length, $bar,
                $left + $length + 6, $y + 12, number($value, $unit);
            $y += $bar + $gap;
        }
    }

    $y += 15;
    return <<"END";
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 620 $y" role="img">
<title>@{[ xml($title) ]}</title>
<style>
text   { font: 12px sans-serif; fill: #24292f }
.title { font-size: 15px; font-weight: bold }
.case  { font-weight: bold }
.name  { text-anchor: end }
.back  { fill: #ffffff }
.floor { fill: #8c959f }
.own   { fill: #1a7f37 }
.other { fill: #6a9fd8 }
\@media (prefers-color-scheme: dark) {
    text   { fill: #e6edf3 }
    .back  { fill: #0d1117 }
    .floor { fill: #7d8590 }
    .own   { fill: #3fb950 }
    .other { fill: #4478b4 }
}
</style>
<rect class="back" width="620" height="$y"/>
$body</svg>
END
}


1;
