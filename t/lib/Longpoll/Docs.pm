package Longpoll::Docs;

# Runs the configurations and commands of docs/backends.md and docs/migration.md
# as the pages show them.
#
# In these pages every fenced block that is run has a mark: a comment on a line
# of its own, right above the block:
#
#     <!-- recipe: NAME -->       a configuration, for the http block
#     <!-- main: NAME -->         one for the top of nginx.conf
#     <!-- file: /etc/nginx/X --> a file that a configuration names
#     <!-- answer: NAME -->       what an application answers, as HTTP has it
#     <!-- shell: NAME -->        commands behind `$ `, and what they print
#     <!-- demo: NAME -->         lines of the file demo/backends/NAME,
#                                of which a page may show several blocks
#     <!-- before: SERVER -->     another server's configuration, and the one
#     <!-- after: SERVER -->      that takes its place: t/docs/migration.t runs
#     <!-- tried before: SERVER -->     these two, and the commands for them
#
# A test's block then says
#
#     --- recipe: auth-request
#
# for its http_config.  It gets the page's recipe "ground", which all others
# need, and the named recipes.  A `main:` of the same name comes with a recipe.
# Only these parts of a recipe are replaced: ports, the paths of files and
# sockets (by paths in a directory of this test), modules/ (by Debian's
# directory).
#
# With `--- cut: PATTERN` the lines that match the pattern are left out.  Each
# line `OLD => NEW` of `--- change` replaces a text of the recipe.
#
# A scenario may also call:
#
#     at(8080)               for a request to that port of the page
#     app($perl)             starts an application on port 8000, a Longpoll::App
#     app_answering($name)   starts one that gives the page's answer to every
#                            request
#     shell($name)           runs the commands of the page, and checks that they
#                            print what the page says, except for times and ids;
#                            a client-id of the page stands for nginx's id
#     forget()               deletes all categories of the page's commands
#     file($path)            the path of a page's file in this test
#
# A name that the page does not have dies here, and so does a block without a
# mark.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname basename );
use File::Temp qw( tempdir );
use Test::More ();

use Test::Nginx::Util ();

use Longpoll::App ();
use Longpoll::Scenario ();

my $root = abs_path(dirname(__FILE__) . '/../../..');
my @pages = map { "$root/docs/$_.md" } qw( backends migration );
my $modules = '/usr/lib/nginx/modules';

# The page's ports; the index is the number of the random port that replaces the
# port.

my @ports = qw( 8080 8081 8000 8443 8090 );
my %port = map { $ports[$_] => $_ + 1 } 0 .. $#ports;
my $a_port = join '|', @ports;
my $a_path = qr{/(?:etc/nginx|run|var/log/nginx)/};

my $dir = tempdir('longpoll-XXXXXX', TMPDIR => 1, CLEANUP => 1);
chmod 0755, $dir or die "$dir: $!\n";

my %blocks;

read_page($_) for @pages;

write_file($_, $blocks{file}{$_}) for keys %{ $blocks{file} };


sub read_page {
    my ($page) = @_;

    my ($mark, $fence, @text);

    open my $in, '<', $page or die "$page: $!\n";

    while (my $line = <$in>) {
        if (defined $fence) {
            if ($line ne "```\n") {
                push @text, $line;
                next;
            }

            my ($kind, $name) = @$mark;

            if ($kind eq 'demo') {
                push @{ $blocks{demo}{$name} }, join '', @text;

            } else {
                die "$page:$.: $kind $name is there twice\n"
                    if exists $blocks{$kind}{$name};

                $blocks{$kind}{$name} = join '', @text;
            }

            ($fence, $mark, @text) = ();

        } elsif ($line =~ /^```(\w*)$/) {
            die "$page:$.: a block without a mark above it\n" unless $mark;
            $fence = $1;

        } elsif ($line =~ /^<!--[ ](recipe|main|file|answer|shell|demo
                                   |(?:tried[ ])?(?:before|after)):
                           [ ](\S+)[ ]-->$/x) {
            $mark = [$1, $2];

        } elsif ($mark) {
            die "$page:$.: no block behind the mark '@$mark'\n";
        }
    }

    die "$page: the last block has no end\n" if defined $fence;
}


sub block {
    my ($kind, $name) = @_;

    return $blocks{$kind}{$name} // die "no page has the $kind '$name'\n";
}

# Whether a file of demo/backends/ has exactly the lines of each block.

sub shown {
    my ($name) = @_;

    open my $in, '<', "$root/demo/backends/$name" or return 0;
    local $/;
    my $file = "\n" . <$in>;

    return !grep { index($file, "\n$_") < 0 } @{ block('demo', $name) };
}

sub marks { return sort keys %{ $blocks{ $_[0] } || {} } }


sub recipe {
    my ($name) = @_;

    return here(block('recipe', $name));
}

# Replaces ports and paths.  A port of the page becomes a variable, and
# Test::Nginx replaces the variable by the number.

sub here {
    my ($text) = @_;

    $text =~ s/\blisten (?=\d+[ ;])/listen 127.0.0.1:/g;
    $text =~ s/\b($a_port)\b/\$TEST_NGINX_RAND_PORT_$port{$1}/g;
    $text =~ s{$a_path}{$dir/}g;
    $text =~ s{\bmodules/}{$modules/}g;

    return $text;
}

sub write_file {
    my ($path, $text) = @_;

    open my $out, '>', file($path) or die file($path) . ": $!\n";
    print $out $text;
    close $out or die file($path) . ": $!\n";
}

sub file { return "$dir/" . basename($_[0]) }

# Whether this nginx can load a module of Debian's; only the packaged nginx can.

sub has_module {
    my (@names) = @_;

    my @files = map { m{/} ? $_ : "$modules/$_.so" } @names;

    return 0 if grep { !-e } @files;

    my $conf = "$dir/load.conf";
    my $load = join '', map { "load_module $_;\n" } @files;

    open my $out, '>', $conf or die "$conf: $!\n";
    print $out "$load pid $dir/load.pid; events {} http { access_log off; }\n";
    close $out;

    return system("$Test::Nginx::Util::NginxBinary -t -p $dir -c $conf"
                  . " -e $dir/load.log >/dev/null 2>&1") == 0;
}


# With TEST_NGINX_USE_HUP the zone still has the events that the page's commands
# published in another block.

my $forget = "        location = /forget { longpoll_delete events; }\n";

sub categories {
    my $text = join '', values %{ $blocks{shell} };
    my %seen = map { $_ => 1 } $text =~ /"category":"([^"]+)"/g;

    return sort keys %seen;
}

Test::Nginx::Util::add_block_preprocessor(sub {
    my ($block) = @_;

    return unless defined $block->recipe;

    my @names = split ' ', $block->recipe;

    unshift @names, 'ground' if $names[0] ne 'ground';

    my $http = join "\n", '    keepalive_requests 100000;',
               map { recipe($_) } @names;

    if (defined $block->cut) {
        chomp(my $cut = $block->cut);
        $http =~ s/^\s*$cut\n//mg or die $block->name, ": nothing to cut\n";
    }

    for (split /\n/, $block->change // '') {
        my ($old, $new) = split / => /;
        $http =~ s/\Q$old\E/$new/ or die $block->name, ": there is no $old\n";
    }

    $block->set_value(http_config => $http);
    $block->set_value(config => ($block->config // '') . $forget);

    my @main = map { here($blocks{main}{$_} // '') } @names;
    $block->set_value(main_config => join '', @main) if grep { length } @main;
});


package Longpoll::Scenario;

our $UUID7;

sub at { return (port => rand_port($port{ $_[0] })) }

sub app { return Longpoll::App->start(rand_port($port{8000}), @_) }

sub app_answering {
    my ($name) = @_;

    my ($head, $body) = split /^\n/m, Longpoll::Docs::block('answer', $name), 2;
    my ($line, @headers) = split /\n/, $head;
    my ($status) = $line =~ m{^HTTP/1\.1 (\d+) } or die "answer $name: $line\n";

    return app(sprintf 'return (%d, [%s], %s)', $status,
               join(', ', map { "'$_'" } @headers), "q(" . ($body // '') . ")");
}

sub file { return Longpoll::Docs::file(@_) }

# Pairs of a command and its output.  A command may continue on a second line.

sub shell_pairs {
    my ($name) = @_;

    my @pairs;

    for (split /^(?=\$ )/m, Longpoll::Docs::block('shell', $name)) {
        my ($command, $prints) = /^\$ ((?:[^\n]*\\\n)*[^\n]*\n)(.*)/s
            or die "shell $name: no command: $_\n";

        $command =~ s/\b($a_port)\b/rand_port($port{$1})/ge;
        $command =~ s{$a_path}{$dir/}g;
        push @pairs, [$command, $prints];
    }

    return @pairs;
}

sub shell {
    my ($name) = @_;

    my %clients;

    forget();

    for (shell_pairs($name)) {
        my ($command, $prints) = @$_;

        $command =~ s/\Q$_\E/$clients{$_}/g for keys %clients;

        my $got = `{ $command } 2>/dev/null`;
        my ($given) = $got =~ /"client-id":"(.*?)"/;

        $clients{$1} = $given
            if defined $given and $prints =~ /"client-id":"(.*?)"/;

        $command =~ s/\\?\s+/ /g;
        is(same_always($got), same_always($prints), "$name: $command");
    }
}

sub forget {
    my $r = post('/forget?' . query(map { (category => $_) }
                                    Longpoll::Docs::categories()), '');

    die 'forget: ', $r->body, "\n" if $r->body ne '{"success": true}';
}

# curl keeps the CRs, and a body's last line has no newline.

sub same_always {
    my ($text) = @_;

    $text =~ s/\r//g;
    $text =~ s/\n+\z//;
    $text =~ s/$UUID7/ID/g;
    $text =~ s/"client-id":"\d+\$[0-9a-f-]{36}"/CLIENT/g;
    $text =~ s/\b17\d{11}\b/TIME/g;
    $text =~ s/\d\.\d{3}\b/SECONDS/g;
    $text =~ s{^Server: \S+}{Server: nginx}mg;
    $text =~ s{nginx/[\d.]+}{nginx}g;
    $text =~ s{^Date: .*}{Date: now}mg;

    return $text;
}


1;
