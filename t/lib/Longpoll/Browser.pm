package Longpoll::Browser;

# A headless Chromium for a test, driven by its chromedriver over WebDriver
# (https://www.w3.org/TR/webdriver2/).  On Debian: chromium, chromium-driver.
#
#     my $missing = Longpoll::Browser->missing;     # a sentence, or nothing
#     my $browser = Longpoll::Browser->start;       # dies if it cannot
#     my $window = $browser->window;                # the one there is
#     my $other = $browser->new_window;             # or ->new_window('tab')
#     $browser->end;                # happens by itself when the test ends
#
# What a window can do (calls to different windows may be mixed at will):
#
#     $window->open($url);              returns when the page is loaded
#     $window->run($js, @args);         the value of `return ...`
#     $window->run_async($js, @args);   the argument of `done(...)`
#     $window->wait_for($js, $what);    until that expression is true: its
#                                       value; dies after $Patience seconds
#     $window->find($css);              an element; dies if there is none
#     $window->find_all($css);          all of them
#     $window->size($width, $height);
#     $window->screenshot($file);       what the window shows, as PNG
#     $window->console;                 what was logged since the last call:
#                                       { level, message, source }, ...
#     $window->title, ->url, ->back, ->refresh, ->close
#     $window->cdp($method, { ... });   Chromium's own protocol, for the rest
#
# and an element:
#
#     $element->type($text);            keys; "\x{E007}" is Enter
#     $element->click, ->clear, ->text, ->attribute($name), ->property($name)
#
# Arguments and values may be anything that JSON has; true and false come as
# objects of JSON::PP::Boolean.  A failure dies with WebDriver's own message.
#
# The profile is new.  It is in a temporary directory that is removed with the
# browser.  Chromium's sandbox is on, except for root, since it does not run as
# root.  Windows in the background run at full speed.  Chromium does not keep a
# page that the window has left, so its polls end.

use strict;
use warnings;

use File::Temp qw( tempdir );
use HTTP::Tiny ();
use IO::Socket::INET ();
use JSON::PP ();
use Time::HiRes qw( time sleep );

use Longpoll::Child ();

our $Patience = 15;             # seconds for a page to do something
our $Slow = 60;                 # for the browser to start, or to answer at all

my $json = JSON::PP->new->utf8->allow_nonref;

my @switches = qw(
    --headless=new
    --no-first-run
    --no-default-browser-check
    --no-proxy-server
    --disable-background-networking
    --disable-background-timer-throttling
    --disable-backgrounding-occluded-windows
    --disable-breakpad
    --disable-component-update
    --disable-crash-reporter
    --disable-default-apps
    --disable-dev-shm-usage
    --disable-domain-reliability
    --disable-extensions
    --disable-features=BackForwardCache
    --disable-gpu
    --disable-renderer-backgrounding
    --disable-sync
    --metrics-recording-only
    --password-store=basic
);

# The browser never makes a request to another machine.

push @switches, '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1';

my @living;

END {
    $_->end for @living;
}


sub missing {
    my @missing = grep { !defined program($_) } qw( chromium chromedriver );

    return @missing ? 'not installed: ' . join(', ', @missing) : ();
}

sub program {
    my ($name) = @_;

    my ($path) = grep { -x && !-d } map { "$_/$name" } split /:/, $ENV{PATH};
    return $path;
}


# chromedriver takes a port that is free in IPv6, and dies if the port is not
# free in IPv4.  Closed connections, for example, can hold very many ports.
# Then we look for a port that no connection has.

sub start {
    my ($class) = @_;

    for my $try (1 .. 3) {
        my $port = $try == 1 ? 0 : free_port();
        my $self = eval { $class->start_at($port) };

        return $self if $self;
        die $@ if $try == 3 or $@ !~ /Address already in use/;
    }
}

sub free_port {
    my $port = ($ENV{TEST_NGINX_PORT} || 1984) + 100 + int rand 90;

    $port++ until IO::Socket::INET->new(Listen => 1,
                                        LocalAddr => "127.0.0.1:$port");
    return $port;
}

sub start_at {
    my ($class, $port) = @_;

    my $dir = tempdir('longpoll-browser-XXXXXX', TMPDIR => 1, CLEANUP => 1);
    my $log = "$dir/chromedriver.log";

    my $self = bless {
        dir => $dir,
        log => $log,
        http => HTTP::Tiny->new(timeout => $Slow, proxy => undef,
                                http_proxy => undef),
    }, $class;

    # Chromium and its libraries keep all their files in there.

    $self->{child} = Longpoll::Child->start(
        [ program('chromedriver') // 'chromedriver', "--port=$port" ],
        env => { HOME => $dir, TMPDIR => $dir, XDG_CONFIG_HOME => "$dir/config",
                 XDG_CACHE_HOME => "$dir/cache", XDG_RUNTIME_DIR => $dir,
                 DBUS_SESSION_BUS_ADDRESS => 'disabled:' },
        log => $log, dir => $dir);

    push @living, $self;

    eval { $self->begin; 1 } or do {
        my $why = $@;
        my $said = $self->said;
        $self->end;
        die "the browser did not start: $why$said";
    };

    return $self;
}

sub begin {
    my ($self) = @_;

    my $end = time + $Slow;
    my $port;

    until (($port) = $self->said =~ /started successfully on port (\d+)/) {
        die "chromedriver ended\n" unless $self->{child}->alive;
        die "chromedriver named no port\n" if time > $end;
        sleep 0.02;
    }

    $self->{base} = "http://127.0.0.1:$port/session";

    my @args = (@switches, "--user-data-dir=$self->{dir}/profile");
    push @args, '--no-sandbox' if $> == 0;

    my $session = $self->call(POST => '', {
        capabilities => { alwaysMatch => {
            browserName => 'chrome',
            'goog:loggingPrefs' => { browser => 'ALL' },
            'goog:chromeOptions' => { binary => program('chromium'),
                                      args => \@args },
            timeouts => { script => 1000 * $Patience,
                          pageLoad => 1000 * $Slow },
            unhandledPromptBehavior => 'accept and notify',
        } },
    });

    $self->{base} .= "/$session->{sessionId}";
    $self->{begun} = 1;
    $self->{version} = $session->{capabilities}{browserVersion};
    $self->{front} = $self->call(GET => '/window');
    $self->{window} = Longpoll::Browser::Window->new($self, $self->{front});
}

sub said {
    my ($self) = @_;

    open my $in, '<', $self->{log} or return '';
    return join '', <$in>;
}

sub version { $_[0]{version} }
sub window { $_[0]{window} }

sub new_window {
    my ($self, $type) = @_;

    my $made = $self->call(POST => '/window/new',
                           { type => $type // 'window' });

    return Longpoll::Browser::Window->new($self, $made->{handle});
}

# The browser removes its files if it can; otherwise it is killed.

sub end {
    my ($self) = @_;

    local ($?, $@);

    @living = grep { $_ != $self } @living;
    $self->{http}->timeout($Patience);

    eval { $self->call(DELETE => '') } if delete $self->{begun};
    $self->{child}->end;
}


# Runs one command of WebDriver: returns its value, or dies with the error.

sub call {
    my ($self, $method, $path, $arguments) = @_;

    my %o;

    if ($method eq 'POST') {
        $o{content} = $json->encode($arguments // {});
        $o{headers}{'Content-Type'} = 'application/json; charset=utf-8';
    }

    my $answer = $self->{http}->request($method, $self->{base} . $path, \%o);
    my $value = eval { $json->decode($answer->{content})->{value} };

    return $value if $answer->{success};

    my $why = ref $value eq 'HASH' ? "$value->{error}: $value->{message}"
                                   : "$answer->{status} $answer->{content}";
    $why =~ s/\n.*//s;

    die "browser: $method $path: $why\n";
}


package Longpoll::Browser::Window;

use MIME::Base64 qw( decode_base64 );
use Time::HiRes qw( time sleep );

# WebDriver's key for "this is an element"

my $element = 'element-6066-11e4-a52e-4f735466cecf';


sub new {
    my ($class, $browser, $handle) = @_;

    return bless { browser => $browser, handle => $handle }, $class;
}

# Commands go to one window at a time.

sub call {
    my ($self, @command) = @_;

    my $browser = $self->{browser};

    if ($browser->{front} ne $self->{handle}) {
        $browser->call(POST => '/window', { handle => $self->{handle} });
        $browser->{front} = $self->{handle};
    }

    return $browser->call(@command);
}


sub open { $_[0]->call(POST => '/url', { url => $_[1] }) }
sub url { $_[0]->call(GET => '/url') }
sub title { $_[0]->call(GET => '/title') }
sub back { $_[0]->call(POST => '/back') }
sub refresh { $_[0]->call(POST => '/refresh') }

sub close {
    my ($self) = @_;

    $self->call(DELETE => '/window');
    $self->{browser}{front} = '';
}


sub run {
    my ($self, $js, @args) = @_;

    return $self->call(POST => '/execute/sync',
                       { script => $js, args => \@args });
}

sub run_async {
    my ($self, $js, @args) = @_;

    $js = "const done = arguments[arguments.length - 1];\n$js";

    return $self->call(POST => '/execute/async',
                       { script => $js, args => \@args });
}

sub wait_for {
    my ($self, $js, $what, $patience) = @_;

    my $end = time + ($patience // $Longpoll::Browser::Patience);

    for ( ;; ) {
        my $value = $self->run("return ($js);");
        return $value if $value;
        die 'never came: ', $what // $js, "\n" if time > $end;
        sleep 0.01;
    }
}


sub find {
    my ($self, $css) = @_;

    my $found = $self->call(POST => '/element', selector($css));

    return Longpoll::Browser::Element->new($self, $found->{$element});
}

sub find_all {
    my ($self, $css) = @_;

    my $found = $self->call(POST => '/elements', selector($css));

    return map { Longpoll::Browser::Element->new($self, $_->{$element}) }
           @$found;
}

sub selector { return { using => 'css selector', value => $_[0] } }


sub size {
    my ($self, $width, $height) = @_;

    $self->call(POST => '/window/rect',
                { width => $width, height => $height });
}

sub screenshot {
    my ($self, $file) = @_;

    my $png = decode_base64($self->call(GET => '/screenshot'));

    CORE::open(my $out, '>:raw', $file) or die "$file: $!\n";
    print $out $png;
    CORE::close($out) or die "$file: $!\n";
}

sub console {
    my ($self) = @_;

    return @{ $self->call(POST => '/se/log', { type => 'browser' }) };
}

sub cdp {
    my ($self, $method, $params) = @_;

    return $self->call(POST => '/goog/cdp/execute',
                       { cmd => $method, params => $params // {} });
}


package Longpoll::Browser::Element;


sub new {
    my ($class, $window, $id) = @_;

    return bless { window => $window, id => $id }, $class;
}

sub call {
    my ($self, $method, $what, @arguments) = @_;

    return $self->{window}->call($method, "/element/$self->{id}/$what",
                                 @arguments);
}

sub type { $_[0]->call(POST => 'value', { text => $_[1] }) }
sub click { $_[0]->call(POST => 'click') }
sub clear { $_[0]->call(POST => 'clear') }
sub text { $_[0]->call(GET => 'text') }
sub attribute { $_[0]->call(GET => "attribute/$_[1]") }
sub property { $_[0]->call(GET => "property/$_[1]") }


1;
