# docs/tutorial.md, step by step, as its reader does it: the files that it shows
# are those of demo/tutorial/, its commands print what it says, and two users
# have its page in a browser each.
#
# Only ports differ, and the paths of the module and of the client.
#
# With LONGPOLL_SCREENSHOTS=DIR the test writes a picture of the page there.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( basename dirname );
use File::Copy qw( copy );
use File::Temp qw( tempdir );
use IO::Socket::INET ();
use Test::More;

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Axe qw( accessible );
use Longpoll::Browser ();
use Longpoll::Child ();
use Longpoll::Commands ();
use Longpoll::Pages qw( blocks slurp );
use Longpoll::Server qw( wait_until );

my $root = abs_path(dirname(abs_path(__FILE__)) . '/../..');
my $demo = "$root/demo/tutorial";
my $page = 'docs/tutorial.md';

my (%shown, %shell, @programs);

for my $block (blocks($page)) {
    my $marks = $block->{marks};

    if ($marks->{file}) {
        $shown{ $marks->{file} } .= $block->{text};
    } elsif ($marks->{shell}) {
        $shell{ $marks->{shell} } = $block;
    } else {
        push @programs, $block->{text};
    }
}

for my $file (map { basename($_) } glob "$demo/*") {
    is($shown{$file} =~ s/^\n//mgr, slurp("$demo/$file") =~ s/^\n//mgr,
       "the page shows all of $file");
}

my ($run_nginx, $run_app) = @programs;

is($programs[2], $run_nginx, 'nginx is started again as it was');

plan skip_all => 'python3 is not installed'
    if system 'python3 --version >/dev/null 2>&1';

my $missing = Longpoll::Browser->missing;
my $dir = tempdir('longpoll-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my %port = ports(8080, 8081, 8000);
my $said = "$dir/said";
my $commands = Longpoll::Commands->new(Ports->new(%port));

lay_out();
chdir $dir or die "$dir: $!\n";

my $nginx = run($run_nginx, 8080, 8081);

step('nginx');

my $app = run($run_app, 8000);

step($_) for qw( stranger ann poll );

SKIP: {
    skip("Chromium: $missing", 1) if $missing;
    in_browsers();
}

$_->end for $nginx, $app;
is(join('', grep { /\[(?:error|crit|alert|emerg)\]/ } split /^/, slurp($said)),
   '', 'nginx has no complaints');
unlike(slurp($said), qr/Traceback/, 'nor has the application');
is_deeply([sort keys %shell], [], 'every step was done');

chdir '/';
done_testing();


sub in_browsers {
    my @browsers = map { Longpoll::Browser->start } 1, 2;
    my ($ann, $ben) = map { $_->window } @browsers;

    $_->open("http://127.0.0.1:$port{8080}/") for $ann, $ben;
    log_in($ann, 'ann', 'pig');
    shows($ann, 'state', 'not the password', 'a wrong password is refused');
    log_in($ann, 'ann', 'cow');
    log_in($ben, 'ben', 'pig');
    shows($_, 'list', 'ann to ben: lunch?', 'the page begins with the state')
        for $ann, $ben;
    listens($_) for $ann, $ben;

    send_note($ben, 'all', '<b>on my way</b>');
    shows($_, 'list', 'ben to all: <b>on my way</b>', 'a note to all comes')
        for $ann, $ben;

    step('publish');
    shows($ben, 'list', 'cron to ben: Hi', 'a note to ben comes');
    send_note($ben, 'all', 'the last one');
    shows($ann, 'list', 'the last one', 'a later note comes to ann');
    unlike(text($ann, 'list'), qr/cron/, 'and that to ben did not');

    step('missed');
    shows($_, 'list', 'ann to all: 11', 'the eleventh note comes')
        for $ann, $ben;

    $nginx->end;
    ok(eval { listens($_, 0) }, 'the page says that nginx is gone')
        for $ann, $ben;
    step('past');

    $nginx = run($run_nginx, 8080, 8081);
    shows($_, 'list', 'Nobody heard this.', 'the page makes good for it')
        for $ann, $ben;
    listens($_) for $ann, $ben;
    send_note($ann, 'ben', 'welcome back');
    shows($_, 'list', 'welcome back', 'and hears what comes') for $ann, $ben;

    accessible($ben, 'the page');
    is_deeply(repeated($_), [], 'no line is there twice') for $ann, $ben;
    is_deeply([grep { !/^chrome:| status of (?:401|403|502) |net::ERR_/ }
               map { $_->{message} } map { $_->console } $ann, $ben],
              [], 'the console is silent');

    $ann->screenshot("$ENV{LONGPOLL_SCREENSHOTS}/tutorial.png")
        if $ENV{LONGPOLL_SCREENSHOTS};
}

sub log_in {
    my ($window, $name, $password) = @_;

    $window->wait_for('!document.getElementById("login").hidden', 'the form');
    fill($window, 'login', name => $name, password => $password);
}

sub send_note {
    my ($window, $to, $text) = @_;

    fill($window, 'write', to => $to, text => $text);
    $window->wait_for('!document.getElementById("write").elements.text.value',
                      'it to be sent');
}

sub fill {
    my ($window, $form, %values) = @_;

    $window->run(<<'_EOC_', $form, \%values);
        const form = document.getElementById(arguments[0]);

        for (const [name, value] of Object.entries(arguments[1])) {
          form.elements[name].value = value;
        }
        form.requestSubmit();
_EOC_
}

sub text {
    my ($window, $id) = @_;

    return $window->run('return document.getElementById(arguments[0])'
                        . '.textContent', $id);
}

sub shows {
    my ($window, $id, $text, $what) = @_;

    my $came = eval {
        wait_until($what, sub { index(text($window, $id), $text) >= 0 });
    };

    ok($came, $what) or diag(text($window, $id), "\n", slurp($said));
}

# The page says nothing while it listens, and something while it does not.

sub listens {
    my ($window, $does) = (@_, 1);

    wait_until($does ? 'the page to listen' : 'the page to notice',
               sub { (text($window, 'state') eq '') == $does });
}

sub repeated {
    my ($window) = @_;

    return $window->run(<<'_EOC_');
        const ids = [...document.querySelectorAll("li")].map(line => line.id);

        return ids.filter((id, i) => ids.indexOf(id) !== i);
_EOC_
}


# Runs the commands of a step, and checks what they print.

sub step {
    my ($name) = @_;

    my $block = delete $shell{$name} or die "$page has no step '$name'\n";

    $commands->block("$page:$block->{line}", $block->{text});
}

sub ports {
    my $next = ($ENV{TEST_NGINX_PORT} || 1984) + 60;

    return map { $next = 1 + Longpoll::Server::free_port($next);
                 $_ => $next - 1 } @_;
}

sub lay_out {
    my ($module) = Longpoll::Server::modules();
    my $load = defined $module ? "load_module $module;" : '';

    chmod 0755, $dir or die "$dir: $!\n";
    mkdir "$dir/client" or die "$dir/client: $!\n";

    for my $file (glob "$root/client/*.js") {
        copy($file, "$dir/client") or die "$file: $!\n";
        chmod 0644, "$dir/client/" . basename($file);
    }

    for my $file (map { basename($_) } glob "$demo/*") {
        my $text = slurp("$demo/$file");

        $text =~ s/\b(8080|8081|8000)\b/$port{$1}/g;
        $text =~ s{load_module \S+;}{$load};
        $text =~ s{/usr/share/javascript/nginx-longpoll/}{$dir/client/};
        Longpoll::Server::spew("$dir/$file", $text);
    }
}

# Runs a program of the page until it listens on these of the page's ports.

sub run {
    my ($command, @ports) = @_;

    my $program = Longpoll::Server::nginx();
    my $child = Longpoll::Child->start(
        ['/bin/sh', '-c', 'exec ' . $command =~ s/^nginx/$program/r],
        log => $said, dir => $dir);

    for my $port (@port{@ports}) {
        wait_until("somebody on port $port", sub {
            die "it ended\n", slurp($said) unless $child->alive;
            IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port");
        });
    }

    return $child;
}


package Ports;

sub new { my ($class, %port) = @_; return bless \%port, $class }
sub port { return $_[0]{ $_[1] } }
