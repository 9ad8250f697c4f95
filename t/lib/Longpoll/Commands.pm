package Longpoll::Commands;

# Runs the commands of a page, and compares their output with the page's.
#
#     my $commands = Longpoll::Commands->new($conf);  # a Longpoll::Pages
#     $commands->block($where, $text);                # a check for each command
#     $commands->block($where, $text, waits => 1);    # parks its polls first
#     $commands->finish;                              # checks the parked polls
#     $commands->background($command);                # output is not checked
#     $commands->matches($expected, $got)             # compares two outputs
#
# A block has commands behind `$ `, each followed by its output.  A command may
# continue on the next line behind a backslash.  The ports in the commands are
# the page's.
#
# Times, ids and the clients of gpoll differ in each run.  The first time that
# the page shows one, it stands for the value that nginx sent.  From then on, in
# commands and in answers, it must be that value.  `...` of a page matches
# anything.  Dates and versions are not compared.

use strict;
use warnings;

use IO::Select ();
use Test::More ();

my $uuid = qr/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/;
my $other = qr/\d+\$$uuid|$uuid|\b1\d{12}\b/;

our $Run = 0;


# `parked` is a sub: it waits until so many more polls are parked than before.

sub new {
    my ($class, $conf, %o) = @_;

    return bless { conf => $conf, really => {}, parked => [],
                   wait => $o{parked} }, $class;
}

sub block {
    my ($self, $where, $text, %o) = @_;

    my @parked = splice @{ $self->{parked} };

    for (split /^(?=\$ )/m, $text) {
        my ($command, $expected) = /^\$ ((?:[^\n]*\\\n)*[^\n]*\n)(.*)/s
            or die "$where: no command: $_\n";

        $Run++;
        (my $name = $command) =~ s/\\?\s+/ /g;

        my $job = { where => "$where: $name", expected => $expected,
                    out => $self->ask($command, $o{waits}) };

        $o{waits} ? push @{ $self->{parked} }, $job : $self->answer($job);
    }

    $self->answer($_) for @parked;
}

sub finish {
    my ($self) = @_;

    $self->answer($_) for splice @{ $self->{parked} };
}

sub background {
    my ($self, $command) = @_;

    push @{ $self->{parked} }, { out => $self->ask($command, 1) };
}

sub ask {
    my ($self, $command, $waits) = @_;

    $command =~ s/(?<=127\.0\.0\.1:)(\d+)/$self->{conf}->port($1)/ge;
    $command =~ s/($other)/$self->{really}{$1} \/\/ $1/ge;
    $command =~ s/^curl /curl -sS /;

    my $parked = $waits ? $self->{wait}->() : undef;

    open(my $out, '-|', '/bin/sh', '-c', $command) or die "sh: $!\n";
    $parked->() if $parked;

    return $out;
}

sub answer {
    my ($self, $job) = @_;

    my $out = $job->{out};
    my $got = '';

    while (IO::Select->new($out)->can_read(40)) {
        sysread($out, $got, 65536, length $got) or last;
    }

    return unless defined $job->{expected};

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    Test::More::ok($self->matches($job->{expected}, $got), $job->{where})
        or Test::More::diag("printed:  $got\nthe page: $job->{expected}");
}

sub matches {
    my ($self, @both) = @_;

    my ($expected, $got) = map { same_always($_) } @both;
    my $really = $self->{really};
    my ($pattern, @names, %here) = ('');

    for my $part (split /($other|\.\.\.)/, $expected) {
        if ($part eq '...') {
            $pattern .= '.*?';
        } elsif ($part !~ /^$other$/) {
            $pattern .= quotemeta $part;
        } elsif (defined $really->{$part}) {
            $pattern .= quotemeta $really->{$part};
        } elsif ($here{$part}) {
            $pattern .= "\\g{$here{$part}}";
        } else {
            push @names, $part;
            $here{$part} = @names;
            $pattern .= $part =~ /\$/ ? "(\\d+\\\$$uuid)"
                      : $part =~ /-/  ? "($uuid)" : '(\d{13})';
        }
    }

    my @values = $got =~ /\A$pattern\z/s or return 0;
    my %taken = reverse %$really;

    for my $i (0 .. $#names) {
        # Two events may have the same millisecond.
        return 0 if $names[$i] =~ /-/ && exists $taken{ $values[$i] };
        $really->{ $names[$i] } = $values[$i];
    }

    return 1;
}

# curl keeps the CRs, and a body's last line has no newline.

sub same_always {
    my ($text) = @_;

    $text =~ s/\r//g;
    $text =~ s/\n+\z//;
    $text =~ s{^Server: \S+}{Server: nginx}mg;
    $text =~ s{^(Date|Last-Modified): .*}{$1: then}mg;
    $text =~ s{"version":"[\d.]+"}{"version":"0"}g;
    $text =~ s{"used":\d+}{"used":0}g;         # nginx's versions differ

    return $text;
}


1;
