package Longpoll::Scenario;

# The functions of a --- scenario.  The checks (is, ok, like, ...) put the
# block's name in front of their own.
#
# No function sleeps to let something happen.  Each waits until the server's own
# status, its log or its processes show the change, and dies if they never do.

use strict;
use warnings;

use Time::HiRes qw( time );
use IO::Select ();
use List::Util qw( max );
use Test::More ();

use Test::Nginx::Util ();
use Longpoll::Client;
use Longpoll::Stream;
use Longpoll::Timely qw( timely );
use Longpoll::Workers qw( accepts workers_of );

our $Name = '';

# an id of the module

our $UUID7 =
    qr/[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/;

my $serial = 0;


# Runs the text of a scenario; returns why it died, or nothing.

sub run {
    my ($name, $text, $line) = @_;

    local $Name = $name;
    local $@;
    local $SIG{__DIE__};
    local $SIG{PIPE} = 'IGNORE';

    my $code = eval "package Longpoll::Scenario;\n"
                    . "sub {\n# line $line \"$0\"\n$text\n}";

    return "it does not parse: $@" unless $code;

    return eval { wait_started(); $code->(); 1 } ? undef : "$@";
}


# checks

for my $check (qw( is isnt ok like unlike cmp_ok is_deeply pass fail )) {
    my $real = Test::More->can($check);

    no strict 'refs';

    *$check = sub {
        my @args = @_;
        my $at = { ok => 1, pass => 0, fail => 0, cmp_ok => 3 }->{$check};

        $at = 2 unless defined $at;
        $args[$at] = "$Name - " . (defined $args[$at] ? $args[$at] : $check);

        local $Test::Builder::Level = $Test::Builder::Level + 1;
        return $real->(@args);
    };
}

# Checks that something is timely, by nginx's own times.

sub in_time {
    my ($limit, $name, $try) = @_;

    return cmp_ok(timely($limit, $try), '<', $limit, $name)
        unless $ENV{LONGPOLL_SLOW};

    $try->();
    Test::More->builder->skip("$Name - $name: LONGPOLL_SLOW");
}

sub diag { Test::More::diag(@_) }
sub note { Test::More::note(@_) }


# A category that no other block, and no other run of this one, has used.

sub category {
    my ($word) = @_;

    return sprintf '%s-%d-%d', $word || 'cat', $$, ++$serial;
}


# Sends one request on a connection of its own (or conn => ...), and returns the
# answer.

sub http {
    my ($method, $uri, %o) = @_;

    my $c = $o{conn} || connection(%o);

    return $c->request($method, $uri, %o)->response;
}

sub get { http('GET', @_) }

sub post {
    my ($uri, $body, %o) = @_;
    return http('POST', $uri, %o, body => $body);
}

sub connection { Longpoll::Client->new(@_) }


# publish($category, $json): returns the event's id, or dies.

sub publish {
    my ($cat, $json, %o) = @_;

    my $r = post($o{uri} || '/publish', event($cat, $json), %o);

    die 'publish: ', $r->status, ' ', $r->body, "\n"
        unless $r->status == 200 and $r->body eq '{"success": true}';

    return $r->header('Longpoll-Event-Id');
}

sub event { qq({"category":"$_[0]","data":$_[1]}) }

# A JSON string of so many bytes between its quotes.

sub text { '"' . 'x' x $_[0] . '"' }


# Sends several events in one write: a client cannot send them closer together.

sub publish_together {
    my ($cat, @json) = @_;

    my $c = connection();

    $c->send(join '', map {
        my $body = event($cat, $_);
        $c->{expect} = [ ('POST') x @json ];
        "POST /publish HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
        . length($body) . "\r\n\r\n$body"
    } @json);

    return map { $c->response->header('Longpoll-Event-Id') } @json;
}


# poll({ conn, uri, headers, ... }, category => ..., since_time => ..., ...)
# sends a poll and does not wait for its answer; see Longpoll::Poll below

sub poll {
    my $o = ref $_[0] ? shift : {};

    return Longpoll::Poll->new($o, @_);
}

sub ask { poll(@_)->answer }

# stream({ uri, headers, last, ... }, category => ..., ...) opens a stream, and
# does not wait for its head; see Longpoll::Stream

sub stream {
    my $o = ref $_[0] ? shift : {};

    return Longpoll::Stream->new($o, @_);
}

# the headers of a request for a stream

sub accept_stream { (headers => ['Accept: text/event-stream', @_]) }

# Clients that do not read.  unread() sends a poll on a connection of its own,
# to the first random port, and returns once an answer begins to come.  whole()
# reads the rest; false if the connection ends first.  given_up() counts the
# answers that longpoll_max_unsent has ended.

sub unread {
    my $p = poll({ port => rand_port(1) }, @_);

    IO::Select->new($p->conn->sock)->can_read($Longpoll::Client::Patience)
        or die "no answer begins\n";
    return $p;
}

sub whole {
    my ($p) = @_;
    return eval { $p->answer->status == 200 } ? 1 : 0;
}

sub given_up {
    open my $in, '<', $Test::Nginx::Util::ErrLogFile or die $!;
    return scalar grep { /longpoll_max_unsent/ } <$in>;
}

# gpoll: a new client's id; a client's next message, or the status without one.

sub client {
    my ($uri, %o) = @_;

    my $r = get("$uri?client-id=0", %o);

    return $1 if $r->status == 200 and $r->body =~ /^\{"client-id":"(.*)"\}\z/;
    die 'register: ', $r->status, ' ', $r->body, "\n";
}

sub next_of {
    my ($uri, $id, %o) = @_;

    my $r = get("$uri?client-id=" . escape($id), %o);

    return $r->status == 200 ? $r->body : $r->status;
}

sub query {
    my @args = @_;
    my @pairs;

    while (my ($key, $value) = splice @args, 0, 2) {
        push @pairs, "$key=" . escape($value);
    }

    return join '&', @pairs;
}

sub escape {
    my ($text) = @_;

    $text =~ s/([^A-Za-z0-9_.~-])/sprintf '%%%02X', ord $1/ge;
    return $text;
}


# drive { finished } [$conn => sub { my ($answer) = @_; ... }], ... passes the
# answers of several connections to the subs, as they come.

sub drive (&@) {
    my ($finished, @pairs) = @_;

    my %on = map { fileno($_->[0]->sock) => $_ } @pairs;
    my $select = IO::Select->new(map { $_->[0]->sock } @pairs);
    my $end = time + 3 * $Longpoll::Client::Patience;

    until ($finished->()) {
        die "the clients never came to their end\n" if time > $end;

        for my $sock ($select->can_read(1)) {
            my ($conn, $callback) = @{ $on{fileno $sock} };

            $conn->fill(1);

            while (my $r = $conn->parsed) {
                $callback->($r);
            }

            if ($conn->{eof}) {
                $select->remove($sock);
            }
        }
    }
}


# Waiting for a condition that a test can ask for.

sub wait_until (&$) {
    my ($true, $what) = @_;

    my $end = time + $Longpoll::Client::Patience;

    until ($true->()) {
        die "never came: $what\n" if time > $end;
        select undef, undef, undef, 0.002;
    }

    return 1;
}

# The status of the only zone, or of the named zone, perhaps with arguments.

sub status {
    my ($zone, @args) = @_;

    my $zones = get('/status?' . query(@args))->json->{zones};
    my @names = sort keys %$zones;

    if (!defined $zone) {
        die "which zone of: @names?\n" if @names != 1;
        $zone = $names[0];
    }

    return $zones->{$zone} || die "no zone $zone\n";
}

sub wait_waiting {
    my ($n, %o) = @_;

    my $waiting = 'unknown';

    eval {
        wait_until {
            my $zones = get('/status')->json->{zones};
            my @names = defined $o{zone} ? $o{zone} : keys %$zones;

            $waiting = 0;
            $waiting += $zones->{$_}{waiting} for @names;
            $waiting == $n;
        } "$n waiting";
        1;

    } or die $@ =~ /^never came/ ? "never came: $n waiting; $waiting are\n"
                                 : $@;
}

sub wait_status (&$;$) {
    my ($true, $what, $zone) = @_;

    wait_until { local $_ = status($zone); $true->() } $what;
}


# Waits until the wall clock is in a later millisecond.

sub tick {
    my $now = now_ms();

    wait_until { now_ms() > $now + 1 } 'the next millisecond';
}

sub now_ms { int(time * 1000) }


# Waits for a line of a log that matches.  nginx logs a request only after its
# answer.

sub wait_log {
    my ($file, $pattern) = @_;

    my $path = "$Test::Nginx::Util::LogDir/$file";
    my $found;

    wait_until {
        if (open my $in, '<', $path) {
            ($found) = grep { /$pattern/ } <$in>;
        }
        defined $found;
    } "a line like $pattern in $file";

    chomp $found;
    return $found;
}


# Whether the server's log may have lines of the level debug.

sub with_debug {
    return `$Test::Nginx::Util::NginxBinary -V 2>&1` =~ /--with-debug/;
}


# nginx's own processes

sub master_pid {
    open my $in, '<', $Test::Nginx::Util::PidFile or return;
    my $pid = <$in>;

    return defined $pid && $pid =~ /^(\d+)/ ? $1 : undef;
}

sub nginx_is_up {
    my $pid = master_pid();

    return defined $pid && kill 0, $pid;
}

sub worker_pids {
    my $master = master_pid() or return;
    return workers_of($master);
}

# The command that starts nginx returns before the workers exist.

sub wait_started {
    return if $Test::Nginx::Util::MasterProcessEnabled ne 'on';

    my $n = $Test::Nginx::Util::Workers;

    wait_until { $n <= grep { $_ } worker_pids() } 'the workers';
}

# reload(): sends HUP, and waits until the new workers exist and the old ones
# have exited.  reload(leaving => 1) returns the pids of the old ones as soon as
# they accept no new connections.  workers => the new number of workers, if it
# has changed.

sub reload {
    my (%o) = @_;

    my $n = $o{workers} || $Test::Nginx::Util::Workers;
    my @old = worker_pids();
    my %old = map { $_ => 1 } @old;

    kill HUP => master_pid();

    wait_until { (grep { !$old{$_} } worker_pids()) == $n } 'new workers';
    wait_until { !accepts(@old) } 'the old workers leaving';

    return @old if $o{leaving};

    wait_gone(@old);
}

sub wait_gone {
    my %old = map { $_ => 1 } @_;

    wait_until { !grep { $old{$_} } worker_pids() } "the old workers' exit";
}

# in_one_turn { ... } @pids: stops these workers (or all) while the block sends
# its requests.  So the workers find all of them in one turn of their loops, in
# the order in which they were sent.  The connections must be accepted before.

sub in_one_turn (&@) {
    my ($send, @pids) = @_;

    @pids = worker_pids() unless @pids;
    @pids = (master_pid()) unless @pids;        # with master_process off

    kill STOP => @pids;

    my $sent = eval {
        for my $pid (@pids) {
            wait_until { state($pid) eq 'T' } "worker $pid stopped";
        }

        $send->();
        1;
    };
    my $why = $@;

    kill CONT => @pids;
    die $why unless $sent;
}

# The memory of all workers, in kB.  Where a sanitizer watches nginx, what was
# freed is kept for long: then it is 0, and no growth is seen.

sub resident {
    my $sum = 0;

    return 0 if watched();

    for my $pid (worker_pids()) {
        open my $in, '<', "/proc/$pid/status" or die $!;
        $sum += $_ for map { /^RssAnon:\s+(\d+)/ } <$in>;
    }

    return $sum;
}

sub watched {
    return `$Test::Nginx::Util::NginxBinary -V 2>&1` =~ /-fsanitize=/
           || $ENV{LONGPOLL_SLOW};
}

sub state {
    my ($pid) = @_;

    open my $in, '<', "/proc/$pid/stat" or return '';
    return <$in> =~ /\) (\S) / ? $1 : '';
}

# connections that a worker has accepted, and that wait for the next request

sub connections {
    my ($n) = @_;

    my @c = map { connection() } 1 .. $n;

    $_->request('GET', '/pid')->response for @c;
    return @c;
}

# Changes the configuration for the next reload.

sub change_conf (&) {
    my ($change) = @_;

    open my $in, '<', $Test::Nginx::Util::ConfFile or die $!;
    local $_ = join '', <$in>;
    my $was = $_;

    $change->();
    die "the configuration is as it was\n" if $_ eq $was;

    open my $out, '>', $Test::Nginx::Util::ConfFile or die $!;
    print $out $_;
    close $out or die $!;
}

# nginx -t, perhaps with more options, with this block's configuration: its exit
# status and its output.

sub conf_test {
    my (@options) = @_;

    my $root = $Test::Nginx::Util::ServRoot;
    my $said = `$Test::Nginx::Util::NginxBinary -t @options -p $root/ -c $Test::Nginx::Util::ConfFile 2>&1`;

    return ($? >> 8, $said);
}

# spread($n): returns $n keep-alive connections to every worker, as { pid =>
# [...] }.  Workers accept unevenly, so we open more, and hold them until every
# worker has $n.

sub spread {
    my ($n, %o) = @_;

    my @pids = worker_pids();
    my %on = map { $_ => [] } @pids;

    wait_until {
        my @batch = map { connection(%o) } 1 .. 8;

        $_->request('GET', '/pid') for @batch;
        push @{ $on{ $_->response->body } }, $_ for @batch;

        !grep { @{ $on{$_} } < $n } @pids;
    } "$n connections on each of @pids";

    return { map { $_ => [ @{ $on{$_} }[0 .. $n - 1] ] } @pids };
}


# the port behind this block's $TEST_NGINX_RAND_PORT_N

sub rand_port {
    my ($n) = @_;
    return $Test::Nginx::Util::RandPorts->{"TEST_NGINX_RAND_PORT_$n"};
}


# backend($n): a backend of nginx's, on rand_port($n), that the scenario plays;
# see Longpoll::Backend below

sub backend { Longpoll::Backend->new(rand_port(@_)) }


no warnings 'portable';

# ids: 48 bits of ms, version 7, a counter of 12 + 4 bits, 58 bits of epoch

sub id_ms {
    my ($id) = @_;

    my ($high, $low) = $id =~ /^([0-9a-f]{8})-([0-9a-f]{4})-/ or die "id $id";
    return hex("$high$low");
}

# the same id, $ms later

sub id_moved {
    my ($id, $ms) = @_;

    my $hex = sprintf '%012x', id_ms($id) + $ms;
    $id =~ s/^.{13}/substr($hex, 0, 8) . '-' . substr($hex, 8)/e;
    return $id;
}

# the same id of another epoch

sub id_of_another_epoch {
    my ($id) = @_;

    $id =~ s/([0-9a-f]{12})$/sprintf '%012x', hex($1) ^ 0xffffffffffff/e;
    return $id;
}


package Longpoll::Poll;

use Time::HiRes qw( time );


sub new {
    my ($class, $o, @args) = @_;

    my %given = @args;
    push @args, timeout => 30 unless exists $given{timeout};

    my $conn = $o->{conn} || Longpoll::Client->new(%$o);
    my $uri = ($o->{uri} || '/events') . '?'
              . Longpoll::Scenario::query(@args);

    my $self = bless { conn => $conn, sent => time }, $class;

    $conn->request($o->{method} || 'GET', $uri, %$o);

    return $self;
}


sub conn { $_[0]{conn} }

sub answer {
    my ($self, %o) = @_;
    return $self->{answer} ||= $self->{conn}->response(%o);
}

# the time until the answer, in seconds

sub took { $_[0]->answer->at - $_[0]{sent} }

sub parked { $_[0]{conn}->silent }

sub close { $_[0]{conn}->close }
sub reset { $_[0]{conn}->reset }


package Longpoll::Backend;

use IO::Select ();
use IO::Socket::INET ();


sub new {
    my ($class, $port) = @_;

    my $sock = IO::Socket::INET->new(Listen => 64, ReuseAddr => 1,
                                     LocalAddr => "127.0.0.1:$port")
        or die "port $port: $!\n";

    return bless { sock => $sock }, $class;
}


# Waits for the next request; the caller answers it when it likes.

sub request {
    my ($self) = @_;

    IO::Select->new($self->{sock})->can_read($Longpoll::Client::Patience)
        or die "no request came to the backend\n";

    my $conn = $self->{sock}->accept or die "accept: $!\n";

    return bless { conn => $conn }, 'Longpoll::Backend::Request';
}


package Longpoll::Backend::Request;


sub answer {
    my ($self, $status, @headers) = @_;

    my $conn = $self->{conn};
    my $head = '';

    $head .= $self->byte until $head =~ /\r\n\r\n\z/;

    syswrite $conn, join("\r\n", "HTTP/1.0 $status Answer",
                         'Content-Length: 0', @headers, '', '')
        or die "the backend's answer: $!\n";

    $conn->close;
}

sub byte {
    my ($self) = @_;

    my $n = sysread $self->{conn}, my $byte, 1;
    return $n ? $byte : die "the request to the backend broke off\n";
}


1;
