#!/usr/bin/perl
#
# people.pl SOCKET PUBLISH: the application behind the demo's chat.
#
# The application knows the users and decides which categories each may hear;
# polls wait in nginx.  It listens on the unix socket SOCKET and publishes at
# nginx's socket PUBLISH.
#
#     POST /join {name, token}     sets the user's name: {id, name, rooms};
#                                  later requests have the token in their
#                                  header Authorization
#     GET /auth                    nginx asks this for each stream or poll; the
#                                  answer has the user's categories in
#                                  X-Categories
#     POST /say {to, text}         publishes; `to` is a room or a user's id
#     POST /leave                  the window closes
#
# Each user has a category for private messages.  Its name contains the user's
# id, which is no secret: /auth alone decides who hears the category.  The id is
# a digest of the token, which only the user's browser knows.  The application
# writes the sender into each message, so that nobody can send under another
# name.  The list of users is an event, too; the newest one counts.
#
# The windows of one browser share a stream, though each is a user of its own.  So
# Authorization may have several tokens.  The first is that of the window which
# asks; the others count for /auth alone.
#
# Nothing is stored.  After a restart a client gets 401, joins again with the
# same token, and has the same id.  Requests are served one after the other,
# since none takes long.

use strict;
use warnings;
use utf8;
use feature qw(fc);

use Digest::SHA qw(sha256_hex);
use IO::Select ();
use IO::Socket::UNIX ();
use JSON::PP ();

my $here  = 40;                         # seconds; a stream takes 25
my $most  = 1000;                       # people
my @rooms = qw(lobby garden workshop);

my ($socket, $publish) = @ARGV;
my $json = JSON::PP->new->utf8->canonical;
my %people;                             # by token: id, name, seen, here
my $changed = 0;                        # publish the list of users

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


# The four handlers return a status, an object and further header lines.

sub join_in {
    my ($r, $me) = @_;
    my $name = $r->{json}{name};

    return refuse(400, 'The name is missing.') if !defined $name || ref $name;

    $name =~ s/[\s\pC]+/ /g;
    $name =~ s/^ | $//g;
    return refuse(400, 'A name has 1 to 24 characters.')
        unless $name =~ /^.{1,24}$/;

    for my $token (grep { fc $people{$_}{name} eq fc $name } keys %people) {
        my $other = $people{$token};
        next if $me && $other == $me;
        return refuse(409, "The name $name is taken.") if $other->{here};
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
    my ($r, $me, @others) = @_;

    return refuse(401, 'Please join first.') if !$me;

    my %all = map { $_->{id} => $_ } $me, @others;
    see($_) for values %all;

    return (200, {}, 'X-Categories: ' . join ',', 'people',
                     map({ "room:$_" } @rooms),
                     map({ "private:$_" } sort keys %all));
}

sub tell {
    my ($r, $me) = @_;
    my ($to, $text) = @{ $r->{json} }{qw(to text)};

    return refuse(401, 'Please join first.') if !$me;
    return refuse(400, 'A message has 1 to 2,000 characters.')
        if !defined $text || ref $text || $text !~ /^.{1,2000}$/s;

    $to = '' if !defined $to || ref $to;

    my %data = (from => { %$me{qw(id name)} }, text => $text);
    my ($other) = grep { $_->{id} eq $to } values %people;
    my @where;

    if (grep { "room:$_" eq $to } @rooms) {
        @where = $to;
    } elsif ($other) {
        # one publish: both users get the message, or neither
        my %ids = map { $_->{id} => 1 } $me, $other;
        @where = map { "private:$_" } keys %ids;
        $data{to} = { %$other{qw(id name)} };
    } else {
        return refuse(404, 'There is no such room or person.');
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


# the list of users

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
    $changed = 0 if $status && $status == 200;  # else try in a second
}


# as much HTTP as nginx needs here

sub serve {
    my ($client) = @_;
    my ($line, $head, $body) = message($client);
    my ($method, $path) = $line =~ m{^(\S+) ([^ ?]+)} or return;
    my ($tokens) = ($head->{authorization} // '') =~ /^Bearer ([\w,]+)$/;
    my ($token, @more) = split /,/, $tokens // '';
    my $told = eval { $json->decode($body) };
    my %r = (head => $head, json => ref $told eq 'HASH' ? $told : {});
    my $answer = $answers{"$method $path"} || sub { refuse(404, 'No such page.') };
    my @others = grep { $_ } map { $people{$_} } grep { $_ } @more[0 .. 30];
    my ($status, $object, @headers)
        = $answer->(\%r, $people{$token // $r{json}{token} // ''}, @others);

    my $text = ref $object ? $json->encode($object) : $object;

    print $client join "\r\n", "HTTP/1.0 $status -",
        'Content-Type: application/json', 'Cache-Control: no-store',
        'Content-Length: ' . length $text, @headers, '', $text;
}

# Reads a message: first line, headers by lower-case name, body.
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

# Publishes events, and returns nginx's answer.
sub published {
    my ($events, $key) = @_;
    my $text = $json->encode($events);
    my $nginx = IO::Socket::UNIX->new(Peer => $publish)
        or return refuse(502, 'nginx does not answer.');

    print $nginx join "\r\n", 'POST /publish HTTP/1.0',
        'Content-Length: ' . length $text,
        defined $key ? "Idempotency-Key: $key" : (), '', $text;

    my ($line, $head, $body) = message($nginx);
    my ($status) = $line =~ m{^HTTP/\S+ (\d+)}
        or return refuse(502, 'nginx sent no answer.');
    my $id = $head->{'longpoll-event-id'};

    return ($status, $body, defined $id ? "Longpoll-Event-Id: $id" : ());
}

main();
