package Longpoll::Node;

# One of several nginxes with a zone `events` over the same Redis: a
# Longpoll::Persist without a file, with these methods:
#
#     my $n = Longpoll::Node->start(
#         redis      => $redis,         # or a proxy, or a URL
#         parameters => 'keep=1m',      # more of longpoll_zone
#     );
#     $n->redis                         its figures of Redis
#     $n->wait_synced                   waits until it has all that Redis has
#     $n->reader                        the pid of the worker that reads, or
#                                       nothing
#     $n->wait_reader
#
#     Longpoll::Node->several($n, %o)   starts so many, and waits for them

use strict;
use warnings;

use parent 'Longpoll::Persist';

use Longpoll::Server qw( wait_until );


sub start {
    my ($class, %o) = @_;

    my $redis = $o{redis};
    my $url = !ref $redis ? $redis
            : $redis->can('url') ? $redis->url
            : 'redis://' . $redis->address;

    return $class->SUPER::start(
        %o, path => '', parameters => "redis=$url " . ($o{parameters} // ''));
}

sub several {
    my ($class, $n, %o) = @_;

    my @nodes = map { $class->start(%o) } 1 .. $n;

    $_->wait_synced for @nodes;

    return @nodes;
}

sub redis { $_[0]->status('events')->{redis} }

sub wait_synced {
    my ($self) = @_;

    wait_until('all of Redis', sub {
        my $redis = $self->redis;
        $redis->{synced} and $redis->{connected};
    });
}

# The worker that has said last that it is connected.

sub reader {
    my ($self) = @_;

    my ($last) = reverse $self->log
                         =~ / (\d+)#.*zone "events": redis \S+ connected/g;
    my ($pid) = grep { $_ == ($last // 0) } $self->workers;

    return $pid;
}

sub wait_reader {
    my ($self) = @_;

    my $pid;
    wait_until('a reader', sub { $pid = $self->reader });

    return $pid;
}


1;
