#!/usr/bin/perl
#
# people.pl SOCKET PUBLISH: the application behind the demo's chat.
#
# It knows who is who, and who may hear what; nginx does the waiting.  It
# listens on the unix socket SOCKET, and publishes at PUBLISH, which is nginx's.
#
#     POST /join {name, token}     who one is from now on: {id, name, rooms};
#                                  the token goes into Authorization
#     GET /auth                    nginx asks, about each poll: the categories
#                                  that its user hears, in X-Categories
#     POST /say {to, text}         publishes; `to` is a room or somebody's id
#     POST /leave                  the window closes
#
# A user's private messages have a category of their own, made of an id that
# all may know; that nobody else hears it is up to /auth alone.  The id is a
# digest of the token, which is the browser's secret.  A message is written
# here, sender and all, so that nobody speaks for somebody else.  Who is here is
# an event as well, with the whole list in it: the last one counts.
#
# All of it is gone when the program ends; who comes back then is told 401,
# joins again, and is who he was.  One request is served after the other, since
# none takes long.

use strict;
use warnings;
use utf8;
use feature qw(fc);

use Digest::SHA qw(sha256_hex);
use IO::Select ();
use IO::Socket::UNIX ();
use JSON::PP ();

my $here  = 40;                         # seconds; a poll takes 25
my $most  = 1000;                       # people
my @rooms = qw(lobby garden workshop);

my ($socket, $publish) = @ARGV;
my $json = JSON::PP->new->utf8->canonical;
my %people;                             # by token: id, name, seen, here
my $changed = 0;                        # the list is to be published

my %answers = (
    'POST /join'  => \&join_in,
    'GET /auth'   => \&auth,
    'POST /say'   => \&tell,
    'POST /leave' => \&leave,
);

sub main {
    $SIG{PIPE} = 'IGNORE';
    $SIG{$_} = sub { exit 0 } for qw(INT TERM HUP);
    unlink $socket;

    my $listen = IO::Socket::UNIX->new(Local => $socket, Listen => 128)
        or die "$socket: $!\n";
    chmod 0666, $socket or die "$socket: $!\n";

    for (my $ready = IO::Select->new($listen); ; ) {
        if ($ready->can_read(1) and my $client = $listen->accept) {
            eval {
                local $SIG{ALRM} = sub { die "too slow\n" };
                alarm 2;
                serve($client);
            };
            warn "people.pl: $@" if $@;
            alarm 0;
        }
        look_around();
    }
}


# the four answers: a status, an object, and further lines of the head

sub join_in {
    my ($r, $me) = @_;
    my $name = $r->{json}{name};

    return refuse(400, 'Who?') if !defined $name || ref $name;

    $name =~ s/[\s\pC]+/ /g;
    $name =~ s/^ | $//g;
    return refuse(400, 'A name has 1 to 24 characters.')
        unless $name =~ /^.{1,24}$/;

    for my $token (grep { fc $people{$_}{name} eq fc $name } keys %people) {
        my $other = $people{$token};
        next if $me && $other == $me;
        return refuse(409, "There is another $name.") if $other->{here};
        delete $people{$token};
    }

    if (!$me) {
        my ($token) = ($r->{json}{token} // '') =~ /^(\w{32})$/
            or return refuse(400, 'A token has 32 characters.');

        make_room();
        $me = $people{$token} = { id => substr sha256_hex($token), 0, 16 };
    }

    $me->{name} = $name;
    see($me);
    $changed = 1;

    return (200, { %$me{qw(id name)}, rooms => \@rooms });
}

sub auth {
    my ($r, $me) = @_;

    return refuse(401, 'Who are you?') if !$me;
    see($me);

    return (200, {}, 'X-Categories: ' . join ',', 'people',
                     map({ "room:$_" } @rooms), "private:$me->{id}");
}

sub tell {
    my ($r, $me) = @_;
    my ($to, $text) = @{ $r->{json} }{qw(to text)};

    return refuse(401, 'Who are you?') if !$me;
    return refuse(400, 'A message has 1 to 2,000 characters.')
        if !defined $text || ref $text || $text !~ /^.{1,2000}$/s;

    $to = '' if !defined $to || ref $to;

    my %data = (from => { %$me{qw(id name)} }, text => $text);
    my ($other) = grep { $_->{id} eq $to } values %people;
    my @where;

    if (grep { "room:$_" eq $to } @rooms) {
        @where = $to;
    } elsif ($other) {
        # both hear of it, or nobody does
        my %ids = map { $_->{id} => 1 } $me, $other;
        @where = map { "private:$_" } keys %ids;
        $data{to} = { %$other{qw(id name)} };
    } else {
        return refuse(404, 'Nobody is there to hear it.');
    }

    my ($key) = ($r->{head}{'idempotency-key'} // '') =~ /^([\w-]{1,64})$/;

    return published([map { { category => $_, data => \%data } } @where],
                     $key);
}

sub leave {
    my ($r, $me) = @_;

    $changed = 1 if $me && $me->{here};
    $me->{seen} = $me->{here} = 0 if $me;

    return (200, {});
}

sub refuse { return ($_[0], { error => $_[1] }) }


# who is here

sub see {
    my ($me) = @_;

    $changed = 1 if !$me->{here};
    @$me{qw(seen here)} = (time, 1);
}

sub make_room {
    my @oldest = sort { $people{$a}{seen} <=> $people{$b}{seen} } keys %people;

    delete $people{shift @oldest} while @oldest >= $most;
}

sub look_around {
    for my $one (grep { $_->{here} } values %people) {
        next if $one->{seen} > time - $here;
        $one->{here} = 0;
        $changed = 1;
    }

    return if !$changed;

    my @list = map { { %$_{qw(id name)} } }
               sort { fc $a->{name} cmp fc $b->{name} }
               grep { $_->{here} } values %people;

    $#list = 99 if @list > 100;

    my ($status) = eval {
        published([{ category => 'people', data => \@list }]);
    };
    $changed = 0 if $status && $status == 200;  # else in a second
}


# HTTP, as far as nginx speaks it here

sub serve {
    my ($client) = @_;
    my ($line, $head, $body) = message($client);
    my ($method, $path) = $line =~ m{^(\S+) ([^ ?]+)} or return;
    my ($token) = ($head->{authorization} // '') =~ /^Bearer (\w+)$/;
    my $told = eval { $json->decode($body) };
    my %r = (head => $head, json => ref $told eq 'HASH' ? $told : {});
    my $answer = $answers{"$method $path"} || sub { refuse(404, 'What?') };
    my ($status, $object, @more)
        = $answer->(\%r, $people{$token // $r{json}{token} // ''});

    my $text = ref $object ? $json->encode($object) : $object;

    print $client join "\r\n", "HTTP/1.0 $status -",
        'Content-Type: application/json', 'Cache-Control: no-store',
        'Content-Length: ' . length $text, @more, '', $text;
}

# the first line, the headers by names in lower case, and the body
sub message {
    my ($sock) = @_;
    my $line = <$sock> // '';
    my %head;

    while (($_ = <$sock> // '') =~ /^([^:\s]+):\s*(.*?)\s*$/) {
        $head{lc $1} = $2;
    }

    read $sock, my $body, $head{'content-length'} || 0;
    return ($line, \%head, $body // '');
}

# what nginx answers, for whoever asked for it
sub published {
    my ($events, $key) = @_;
    my $text = $json->encode($events);
    my $nginx = IO::Socket::UNIX->new(Peer => $publish)
        or return refuse(502, 'nginx is not there.');

    print $nginx join "\r\n", 'POST /publish HTTP/1.0',
        'Content-Length: ' . length $text,
        defined $key ? "Idempotency-Key: $key" : (), '', $text;

    my ($line, $head, $body) = message($nginx);
    my ($status) = $line =~ m{^HTTP/\S+ (\d+)}
        or return refuse(502, 'nginx said nothing.');
    my $id = $head->{'longpoll-event-id'};

    return ($status, $body, defined $id ? "Longpoll-Event-Id: $id" : ());
}

main();
