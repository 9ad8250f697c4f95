package Longpoll::Pages;

# The fenced blocks of the pages, and an nginx that runs a configuration as the
# page shows it.  (docs/backends.md and docs/migration.md have marks of their
# own, which Longpoll::Docs handles, and so has docs/tutorial.md, which
# t/clients/tutorial.t runs.)
#
#     for my $block (blocks('docs/protocol.md')) { ... }
#
# A block is { page, line, language, text, marks }.  Marks are HTML comments
# right above the block, one a line.  Readers of the page do not see them:
#
#     <!-- not run: WHY -->     it cannot be run, for that reason
#     <!-- waits -->            its command is answered during the next block
#     <!-- setup: NAME -->      the test must prepare something before
#     <!-- page: NAME -->       t/clients opens it in a browser
#
# Any other comment there dies, and so does a mark without a block.  In the
# pages with marks of their own only these are allowed.
#
#     my $conf = Longpoll::Pages->new($text, port => 3310, http => '...',
#                                     server => '...');
#     my ($ok, $said) = $conf->test;     # nginx -t
#     $conf->start;                      # until it goes out of scope
#     $conf->port                        # replaces the page's first port
#     $conf->pid                         # of its master
#     $conf->alerts                      # of the error log
#
# The first directive of a block decides what is put around it: a directive of
# the main level, of http, or of a server.  `http` and `server` are added in
# these places.  Zones that the block uses and does not declare are declared.
# Ports and paths of files are replaced.  A server without listen gets a port.
# `nginx` names another nginx than the usual one.  With `load` nginx loads that
# module and no other.

use strict;
use warnings;

use Cwd qw( abs_path );
use Exporter qw( import );
use File::Basename qw( dirname );
use File::Find ();
use File::Path qw( make_path );
use File::Temp qw( tempdir );

use Longpoll::Child ();
use Longpoll::Server qw( wait_until );

our @EXPORT_OK = qw( blocks pages slurp );

my $root = abs_path(dirname(__FILE__) . '/../../..');
my $elsewhere = qr{^docs/(?:backends|migration|tutorial)\.md$};
my $here = qr/not run|waits|setup|page/;
my $there = qr/recipe|main|file|answer|page|shell|demo
               |(?:tried[ ])?(?:before|after)/x;
my $installed = '/usr/lib/nginx/modules';

my $main_level = qr/^(?:load_module|events|http|worker_\w+|user|env)\b/m;
my $server_level = qr/^(?:location|listen|server_name|if)\b/m;


sub slurp {
    my ($file) = @_;

    open my $in, '<', $file or die "$file: $!\n";
    local $/;
    return scalar <$in>;
}

# the pages whose blocks are run here

sub pages {
    my @found;

    File::Find::find({ no_chdir => 1, wanted => sub {
        $File::Find::prune = 1 if m{/(?:\.git|build|node_modules|servroot.*)$};
        push @found, substr $_, 1 + length $root if /\.md$/;
    } }, $root);

    return grep { !/$elsewhere/ } sort @found;
}

sub blocks {
    my ($page) = @_;

    my ($block, $marks, @blocks) = (undef, {});
    my $known = $page =~ $elsewhere ? $there : $here;
    my $n = 0;

    for my $line (split /^/, slurp("$root/$page")) {
        $n++;

        if ($block) {
            if ($line ne "```\n") {
                $block->{text} .= $line;
                next;
            }

            push @blocks, $block;
            undef $block;

        } elsif ($line =~ /^```(\w*)$/) {
            $block = { page => $page, line => $n, language => $1,
                       marks => $marks, text => '' };
            $marks = {};

        } elsif ($line =~ /^<!-- ($known)(?:: (.*))? -->$/) {
            $marks->{$1} = $2 // 1;

        } elsif ($line =~ /^<!--/) {
            die "$page:$n: what is this mark?\n";

        } elsif (%$marks) {
            die "$page:$n: no block behind the mark\n";
        }
    }

    die "$page: the last block has no end\n" if $block;
    return @blocks;
}


sub new {
    my ($class, $text, %o) = @_;

    my $dir = tempdir('longpoll-XXXXXX', TMPDIR => 1, CLEANUP => 1);

    chmod 0755, $dir or die "$dir: $!\n";
    make_path("$dir/tmp", "$dir/logs", "$dir/kept");
    chmod 0777, "$dir/kept" or die "$dir/kept: $!\n";

    my $self = bless { dir => $dir, ports => {}, next => $o{port} // 1984,
                       nginx => $o{nginx} // Longpoll::Server::nginx() },
               $class;

    $text = $self->here($text);

    if ($text =~ /$main_level/) {
        $text = "events {}\n$text" if $text !~ /^events\b/m;
        $text .= "http {\n}\n" if $text !~ /^http\b/m;
    } else {
        $text = "server {\n$text}\n" if $text =~ /$server_level/;
        $text = "events {}\nhttp {\n$text}\n";
    }

    my $all = join '', $text, $o{http} // '', $o{server} // '';
    my %used = map { $_ => 1 }
        $all =~ /(?:\blongpoll_(?:subscribe|publish|delete|status)\s+
                   |\$longpoll_cursor_)(\w+)/gx;
    delete @used{ 'all', $all =~ /\bzone=(\w+):/g };

    my $http = join '', 'access_log off;', ($o{http} // ''),
        (map { "${_}_temp_path tmp/$_;" }
             qw( client_body proxy fastcgi uwsgi scgi )),
        map { "longpoll_zone zone=$_:1m;" } sort keys %used;

    $text =~ s/^http \{\n\K/$http\n/m;

    my $listen = 'listen 127.0.0.1:' . $self->port . ";\n";

    $text = join '', map {
        s/^\s*server \{\n\K/$listen/ if /^\s*server \{/ && !/\blisten\b/;
        $_;
    } split /(?=^\s*server \{)/m, $text;

    $text =~ s/^\s*listen [^;]*;\n\K/$o{server} \/\/ ''/me;

    my @load = $o{load} ? @{ $o{load} } : Longpoll::Server::modules();
    my $load = join '', map { "load_module $_;\n" } @load;

    $load = '' if $text =~ /\bload_module\b/;
    Longpoll::Server::spew("$dir/nginx.conf", $load . $text);
    return $self;
}

# Replaces ports and paths.

sub here {
    my ($self, $text) = @_;

    my ($own) = Longpoll::Server::modules();
    my $load = defined $own ? "load_module $own;" : '';

    $text =~ s{load_module modules/ngx_http_longpoll_module\.so;}{$load};
    $text =~ s{\bmodules/(?=\w+\.so)}{$installed/}g;
    $text =~ s{/(?:var/lib|var/log|run|etc)/(?:[\w-]+/)*}{$self->{dir}/kept/}g;
    $text =~ s{\blisten\s+\K(?:[\d.]+:)?(\d+)\b}
              {'127.0.0.1:' . $self->port($1)}ge;

    return $text;
}

sub port {
    my ($self, $page) = @_;

    my $ports = $self->{ports};

    return $ports->{$page // (sort keys %$ports)[0] // 0} //= do {
        $self->{next} = 1 + Longpoll::Server::free_port($self->{next});
        $self->{next} - 1;
    };
}

sub dir { $_[0]{dir} }

sub command {
    my ($self) = @_;

    my $user = '';

    if ($> == 0) {
        my ($name) = grep { defined getpwnam $_ } qw( www-data nobody );
        $user = "user $name " . getgrgid((getpwnam $name)[3]) . '; ';
    }

    return ($self->{nginx}, '-p', "$self->{dir}/", '-c',
            'nginx.conf', '-e', 'error.log', '-g',
            "${user}daemon off; pid nginx.pid; error_log error.log notice;");
}

sub test {
    my ($self) = @_;

    my @command = $self->command;
    my $pid = open(my $out, '-|') // die "fork: $!\n";

    if ($pid == 0) {
        open STDERR, '>&', \*STDOUT;
        exec @command, '-t';
        die "$command[0]: $!\n";
    }

    my $said = join '', <$out>;

    return (close $out ? 1 : 0, $said);
}

sub start {
    my ($self) = @_;

    my $dir = $self->{dir};

    $self->{child} = Longpoll::Child->start([ $self->command ],
                                            log => "$dir/error.log",
                                            dir => $dir);

    wait_until('nginx listens', sub {
        die "nginx ended\n", slurp("$dir/error.log")
            unless $self->{child}->alive;
        IO::Socket::INET->new(PeerAddr => '127.0.0.1:' . $self->port);
    });
}

sub end { $_[0]{child}->end }

sub pid { $_[0]{child}->pid }

sub alerts {
    my ($self) = @_;

    return grep { /\[(?:warn|error|crit|alert|emerg)\]/ }
           split /^/, slurp("$self->{dir}/error.log");
}


1;
