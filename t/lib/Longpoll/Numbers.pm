package Longpoll::Numbers;

# A publisher in a process of its own: it numbers the events of each category
# from 1, and publishes each until it is stored, whatever happens to nginx.
#
#     my $p = Longpoll::Numbers->start(port => $port, cats => [ 'a', 'b' ],
#         size => 100,          # bytes of data
#         pause => 0.01,        # seconds after each
#         most => 1000,         # ends by itself after so many of a category
#         refused => 1,         # a 503 may come; it tries again
#     );
#     $p->alive
#     $p->end                   ends it, and returns the number of events of
#                               each category; dies if the publisher did
#
# The data is the text "N:xxx...".  The key N of a category makes sure that an
# event is stored once.

use strict;
use warnings;

use POSIX qw( WNOHANG );
use Time::HiRes qw( sleep time );

use Longpoll::Client ();


sub start {
    my ($class, %o) = @_;

    pipe my $from, my $to or die "pipe: $!\n";
    my $pid = fork // die "fork: $!\n";

    if ($pid == 0) {
        close $from;
        my $ending;
        local $SIG{TERM} = sub { $ending = 1 };
        my $said = eval { run(\%o, \$ending) } // "died: $@";
        syswrite $to, "$said\n";
        POSIX::_exit(0);
    }

    close $to;
    return bless { %o, pid => $pid, from => $from }, $class;
}

sub alive { !waitpid $_[0]{pid}, WNOHANG }

sub end {
    my ($self) = @_;

    kill TERM => $self->{pid};
    my $said = readline($self->{from}) // 'nothing';
    waitpid $self->{pid}, 0;

    die "publisher: $said\n" if $said !~ /^(\d+) events$/;
    return $1;
}

sub run {
    my ($o, $ending) = @_;

    my $payload = 'x' x ($o->{size} // 10);
    my ($c, $n) = (undef, 0);

    until ($$ending or $o->{most} and $n >= $o->{most}) {
        $n++;

        for my $cat (@{ $o->{cats} }) {
            my $end = time + 30;
            my $said = '';

            until ($said eq '{"success": true}') {
                die "$cat $n: $said\n" if time > $end;

                my $r = eval {
                    $c //= Longpoll::Client->new(port => $o->{port});
                    $c->request(POST => '/publish',
                        headers => ["Idempotency-Key: $n"],
                        body => qq({"category":"$cat","data":"$n:$payload"})
                    )->response;
                };

                $said = $r ? $r->body : $@;

                if (!$r) {
                    undef $c;
                    sleep 0.01;
                    next;
                }

                undef $c if ($r->header('Connection') // '') eq 'close';

                next if $r->status == 200;
                die "$cat $n: $said\n" if $r->status != 503 or !$o->{refused};
                sleep 0.01;
            }
        }

        sleep $o->{pause} if $o->{pause};
    }

    return "$n events";
}


1;
