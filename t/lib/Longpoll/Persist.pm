package Longpoll::Persist;

# An nginx with a zone `events` that has a file.  A test can stop, kill and
# start it again.  It is a Longpoll::Server with these methods:
#
#     my $n = Longpoll::Persist->start(
#         parameters => 'flush=100ms',  # of longpoll_zone
#         size       => '1m',
#         http       => '', server => '',   # more of these, see Server
#         disk       => 1,              # with t/faults/disk.c; 'shadow' keeps
#                                       # what a power cut would leave, too
#         content    => $text,          # of the file, from the start
#         before     => sub { ... },    # makes files that exist from the start
#     );
#
#     $n->file, $n->file('.new')        the paths; $n->data is their directory
#     $n->segments                      those of the segments that count
#     $n->names                         names of all files that are there
#     $n->bytes                         of all files
#     $n->raw, $n->raw('.new')          the bytes of a file
#     $n->text                          all lines of the log: of PATH, and of the
#                                       segments behind its base
#     $n->lines                         its events, decoded; those of segments
#                                       once
#     $n->control('drop')               its control lines of a kind, decoded
#     $n->spew($text)                   makes the file, as the worker user
#     $n->copy($dir), $n->put_back($dir)    a backup of all files
#     $n->wait_data(@data)              waits until the log has these, in order
#     $n->wait_line($data)              waits until it has a line with these
#     $n->notes                         how many notes the log has of what is gone
#     $n->wait_notes($n)                waits until it has $n of them
#
#     $n->publish($cat, $json, %o)      the id; o: key, uri, client
#     $n->post($cat, $json, %o)         sent; answers from ->response
#     $n->poll(category => ..., ...)    the same; timeout=1 if none is given
#     $n->said(\@query, ...)            sends several polls at once, and
#                                       returns the answer to each: 'a1 a2',
#                                       'a1 a2 missed' or 'timeout'
#     $n->events($cat)                  all its events; [id, data] each
#
#     $n->quit, $n->term                wait until all processes have ended
#     $n->kill_all                      kills all processes with -9 at once
#     $n->up                            starts it again
#     $n->configure(%o)                 for the next start or reload
#     $n->writer                        the pid of the writer, or nothing
#     $n->wait_writer
#     $n->wait_log($pattern, $n)        waits until the log has it n times
#
#     $n->set_disk(delay => ms, room => bytes, error => errno, ...)
#     $n->disk('syncs')
#     $n->power_cut('names', ...)       kill_all, then a power cut; see there
#
#     data_of($n->events($cat))         their data, as said() has them
#     no_alerts($n, $name, $but)        a test: nginx logged no alert, but $but
#     tick()                            waits for the next millisecond
#
# Nothing sleeps to let something happen.

use strict;
use warnings;

use parent 'Longpoll::Server';

use Cwd qw( abs_path );
use Exporter qw( import );
use File::Basename qw( dirname );
use JSON::PP ();
use Test::More ();
use Time::HiRes qw( time sleep );

use Longpoll::Client ();
use Longpoll::Server qw( wait_until );

our @EXPORT_OK = qw( wait_until said event shuffled data_of no_alerts
                     tick );

my $root = abs_path(dirname(__FILE__) . '/../../..');
my $preload = "$root/build/persist/disk.so";
my @words = qw( delay syncs room error calls victim when rename );


sub start {
    my ($class, %o) = @_;

    $o{parameters} //= 'flush=100ms';
    $o{size} //= '1m';
    $o{more_http} = delete $o{http} // '';
    $o{more_server} = delete $o{server} // '';

    # While this nginx is down, the nginx of another test file must not take its
    # port.

    local $ENV{TEST_NGINX_PORT} = ($ENV{TEST_NGINX_PORT} || 1984) + 20 * place();

    return $class->SUPER::start(%o);
}

# the number of the test's file in its directory

sub place {
    my @files = sort glob dirname(abs_path($0)) . '/*.t';
    my ($n) = grep { $files[$_] eq abs_path($0) } 0 .. $#files;

    return $n // 0;
}

sub DESTROY { $_[0]{child}->end if $_[0]{child} }

sub disk_is_built { -e $preload }

sub configure {
    my ($self, %o) = @_;

    @$self{keys %o} = values %o;
    $self->write_conf;
}

sub write_conf {
    my ($self) = @_;

    my $path = $self->{path} // 'data/events';

    $self->{http} = "longpoll_zone zone=events:$self->{size} "
                    . ($path eq '' ? '' : "persist=$path ")
                    . "$self->{parameters};\n" . $self->{more_http};
    $self->{server} = <<"_EOC_" . $self->{more_server};
        location = /events  { longpoll_subscribe events; }
        location = /publish { longpoll_publish   events; }
        location = /delete  { longpoll_delete    events; }
        location = /place   { return 200 \$longpoll_cursor_events; }
_EOC_

    $self->SUPER::write_conf;
}


# The workers must be able to write there.

sub lay_out {
    my ($self) = @_;

    $self->SUPER::lay_out;

    my @dirs = ($self->data);
    push @dirs, $self->shadow if $self->{disk};

    for my $dir (@dirs) {
        mkdir $dir, 0755 or die "$dir: $!\n";
        $self->give($dir);
    }

    $self->spew($self->{content}) if defined $self->{content};
    $self->{before}->($self) if $self->{before};

    return unless $self->{disk};

    open my $out, '>', "$self->{dir}/disk" or die "disk: $!\n";
    print $out "\0" x (8 * @words);
}

sub user {
    (grep { defined getpwnam $_ } $_[0]{user} // (), qw( www-data nobody ))[0];
}

# Gives the files to the worker user.

sub give {
    my ($self, @files) = @_;

    return if $> != 0;

    my (undef, undef, $uid, $gid) = getpwnam $self->user;
    chown $uid, $gid, @files;
}

sub start_again {
    my ($self) = @_;

    my $dir = $self->{dir};

    if ($self->{disk}) {
        local $ENV{LD_PRELOAD} = $preload;
        local $ENV{LONGPOLL_DISK} = $self->data;
        local $ENV{LONGPOLL_DISK_SET} = "$dir/disk";
        local $ENV{LONGPOLL_DISK_SHADOW} = $self->shadow
            if $self->{disk} eq 'shadow';

        return $self->SUPER::start_again;
    }

    return $self->SUPER::start_again;
}


# files

sub data { "$_[0]{dir}/data" }
sub shadow { "$_[0]{dir}/shadow" }
sub file { "$_[0]{dir}/data/events" . ($_[1] // '') }

sub raw { slurp($_[0]->file($_[1])) }

sub slurp {
    my ($file) = @_;

    open my $in, '<:raw', $file or return '';
    local $/;
    return scalar(<$in>) // '';
}

# The segments are read before PATH: the writer renames a new PATH before it
# removes what that replaces.

sub log_files {
    my ($self) = @_;

    my $path = $self->file;
    my %segment = map { /\.(\d{8,20})\z/ ? ($1 => slurp($_)) : () }
                  glob "$path.[0-9]*";
    my $base = slurp($path);
    my $upto = $base =~ /\A#\{"base":(\d+),/ ? $1 : 0;

    return ([ $path, $base ],
            map { [ "$path.$_", $segment{$_} ] }
            sort { $a <=> $b } grep { $_ > $upto } keys %segment);
}

sub segments {
    my ($self) = @_;

    my (undef, @segments) = map { $_->[0] } $self->log_files;

    return @segments;
}

sub names { map { s{.*/}{}r } glob $_[0]->data . '/*' }

sub bytes {
    my ($self) = @_;

    my $sum = 0;
    $sum += (-s $_) // 0 for glob $self->data . '/*';

    return $sum;
}

sub text { join '', map { "$_\n" } all_lines($_[0]->log_files) }

# The end of a segment may be torn.  golongpoll's file has no line end there.

sub all_lines {
    return grep { length }
           map { split /\n/, $_->[0] =~ /\.\d+\z/ ? $_->[1] =~ s/[^\n]*\z//r
                                                 : $_->[1] } @_;
}

sub lines {
    my ($self) = @_;

    my $json = JSON::PP->new->allow_nonref;
    my ($path, @segments) = $self->log_files;
    my %seen;

    return ((map { $json->decode($_) } grep { !/^#/ } all_lines($path)),
            grep { !$seen{ $_->{id} }++ }
            map { $json->decode($_) } grep { !/^#/ } all_lines(@segments));
}

sub control {
    my ($self, $kind) = @_;

    my $json = JSON::PP->new;

    return grep { exists $_->{$kind} }
           map { /^#(\{.*\})\z/ ? $json->decode($1) : () }
           all_lines($self->log_files);
}

sub spew {
    my ($self, $text, $suffix) = @_;

    my $file = $self->file($suffix);

    write_file($file, $text);
    chmod 0600, $file;
    $self->give($file);
}

# A copy as docs/operations.md tells to make one, and how to put it back.

sub copy {
    my ($self, $dir) = @_;

    mkdir $dir or die "$dir: $!\n";

    my $path = $self->file;

    for my $file ((sort glob "$path.[0-9]*"), $path) {
        write_file("$dir/" . ($file =~ s{.*/}{}r), slurp($file));
    }
}

sub put_back {
    my ($self, $dir) = @_;

    my $path = $self->file;

    unlink $path, "$path.new", glob "$path.[0-9]*";

    for my $file (glob "$dir/*") {
        my $to = $self->data . '/' . ($file =~ s{.*/}{}r);

        write_file($to, slurp($file));
        chmod 0600, $to;
        $self->give($to);
    }
}

# A reader may see half of a line.

sub wait_data {
    my ($self, @data) = @_;

    my $got;

    eval {
        wait_until('data in the file', sub {
            $got = join ' ', eval { map { $_->{data} // 'null' } $self->lines };
            $got eq join ' ', @data;
        });
    } or die "never came: @data in the file, which has $got\n";
}

sub wait_line {
    my ($self, $data) = @_;

    wait_until("$data in the file", sub {
        eval { grep { ($_->{data} // 'null') eq $data } $self->lines };
    });
}

sub notes { scalar(() = map { $_[0]->control($_) } qw( gone drop )) }

sub wait_notes {
    my ($self, $n) = @_;

    wait_until("$n notes", sub { $self->notes >= $n });
}

sub wait_log {
    my ($self, $pattern, $n) = @_;

    wait_until("$pattern in the log", sub {
        my @found = $self->log =~ /$pattern/g;
        @found >= ($n // 1);
    });
}


# requests

sub client { Longpoll::Client->new(port => $_[0]->port) }

sub event { qq({"category":"$_[0]","data":$_[1]}) }

sub post {
    my ($self, $cat, $json, %o) = @_;

    my @headers = defined $o{key} ? "Idempotency-Key: $o{key}" : ();

    return ($o{client} // $self->client)->request(
        $o{method} // 'POST', $o{uri} // '/publish', headers => \@headers,
        body => $o{body} // event($cat, $json));
}

sub publish {
    my ($self, $cat, $json, %o) = @_;

    my $r = $self->post($cat, $json, %o)->response;

    die 'publish: ' . $r->status . ' ' . $r->body . "\n"
        unless $r->body eq '{"success": true}';

    return $r->header('Longpoll-Event-Id');
}

sub forget {
    my ($self, $cat) = @_;

    my $r = $self->client->request(POST => "/delete?category=$cat",
                                   body => '')->response;

    die 'delete: ' . $r->body . "\n" unless $r->status == 200;
}

sub poll {
    my ($self, @query) = @_;

    my %query = @query;
    my @pairs = exists $query{timeout} ? () : 'timeout=1';

    while (my ($name, $value) = splice @query, 0, 2) {
        push @pairs, "$name=$value";
    }

    return $self->client->request(GET => '/events?' . join '&', @pairs);
}

sub said {
    my ($self, @queries) = @_;

    my @polls = map { $self->poll(@$_) } @queries;
    my @said = map { summary($_->response) } @polls;

    return wantarray ? @said : join ' | ', @said;
}

sub data_of { join ' ', map { $_->[1] } @_ }

sub no_alerts {
    my ($self, $name, $but) = @_;

    my @alerts = grep { !$but or !/$but/ } $self->alerts;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    Test::More::is(join('', @alerts), '', "$name: no alerts");
}

sub tick {
    my $now = int(time * 1000);

    wait_until('the next millisecond', sub { int(time * 1000) > $now });
}

sub summary {
    my ($r) = @_;

    my $kind = $r->kind;

    return join ' ', $kind eq 'events' ? $r->data : $kind,
                     $r->missed ? 'missed' : ();
}

# Polls from the beginning, and stops at the newest event, so that no poll
# waits.

sub events {
    my ($self, $cat) = @_;

    my $c = $self->client;
    my ($since, $id, @all) = (1, '');

    $self->{missed} = 0;

    my $n = $c->request(GET => "/status?category=$cat")->response
              ->json->{zones}{events}{category}{events};

    while (@all < $n) {
        my $r = $c->request(GET => "/events?category=$cat&timeout=1"
                                   . "&since_time=$since&last_id=$id")
                  ->response;

        $self->{missed} = 1 if $r->missed;
        last unless $r->kind eq 'events';
        push @all, map { [ $_->{id}, $_->{data} ] } $r->events;
        ($since, $id) = (($r->events)[-1]{timestamp}, ($r->events)[-1]{id});
    }

    return @all;
}


# processes

sub ended {
    my ($self, $signal) = @_;

    my @pids = ($self->master, $self->workers);

    kill $signal => $self->master;
    wait_until('the end of all processes', sub { !grep { running($_) } @pids });
    $self->{child}->end;
}

sub quit { $_[0]->ended('QUIT') }
sub term { $_[0]->ended('TERM') }

sub kill_all {
    my ($self) = @_;

    my @pids = ($self->master, $self->workers);

    kill KILL => @pids;
    wait_until('the end of all processes', sub { !grep { running($_) } @pids });
    $self->{child}->end;
}

sub up { $_[0]->start_again }

# The old master is the parent of the new one, which is not a worker.

sub workers {
    my ($self, $master) = @_;
    my $new = $self->master;

    return grep { $_ != $new } $self->SUPER::workers($master);
}

# A binary upgrade begins: returns the old master and the new one, which have
# workers.

sub upgrade {
    my ($self) = @_;
    my $old = $self->master;

    kill USR2 => $old;
    wait_until('a new master with workers', sub {
        my $new = $self->pid_of('nginx.pid');

        defined $new and $new != $old
            and ($self->pid_of('nginx.pid.oldbin') // 0) == $old
            and 2 == (() = $self->workers($new));
    });

    return ($old, $self->master);
}

# A process exists, and has its sockets, as long as one of its threads does.

sub running {
    my ($pid) = @_;

    return grep { slurp($_) =~ /^\d+ \(.*\) [^ZX]/ }
           glob "/proc/$pid/task/*/stat";
}

# The writer is the worker that has said so last.

sub writer {
    my ($self) = @_;

    my ($last) = reverse $self->log
                         =~ / (\d+)#.* zone "events": this worker writes/g;
    my ($pid) = grep { $_ == ($last // 0) } $self->workers;

    return $pid;
}

sub wait_writer {
    my ($self) = @_;

    my $pid;
    wait_until('a writer', sub { $pid = $self->writer });

    return $pid;
}

# the epoch of the zone's own ids, as the log has it

sub epoch {
    my ($self) = @_;

    my $id = $self->client->request(GET => '/place')->response->body;
    my ($high, $low) = $id =~ /-(\w{4})-(\w{12})\z/ or die "no id: $id\n";

    return sprintf '%04x%s', hex($high) & 0x3ff, $low;
}

# A new writer writes what there is, whatever flush says.  Waits until it has done
# so: all its threads sleep, in ten looks.

sub wait_writer_idle {
    my ($self) = @_;

    my $pid = $self->wait_writer;
    my $looks = 0;

    my $epoch = $self->epoch;

    wait_until('the first line of the epoch', sub {
        grep { $_->{life} eq $epoch }
             map { $self->control($_) } qw( base after );
    });
    wait_until('the writer has nothing to do', sub {
        my $busy = grep { slurp($_) !~ /^\d+ \(.*\) S/ }
                        glob "/proc/$pid/task/*/stat";

        $looks = $busy ? 0 : $looks + 1;
        return $looks == 10;
    });
}


# the disk

sub set_disk {
    my ($self, %o) = @_;

    my %at = map { $words[$_] => $_ } 0 .. $#words;

    open my $out, '+<', "$self->{dir}/disk" or die "disk: $!\n";

    for my $name (keys %o) {
        sysseek $out, 8 * $at{$name}, 0;
        syswrite $out, pack 'q', $o{$name};
    }
}

sub disk {
    my ($self, $name) = @_;

    my %at = map { $words[$_] => $_ } 0 .. $#words;

    return (unpack 'q*', slurp("$self->{dir}/disk"))[$at{$name}];
}

# After a power cut a file has the bytes of its last fsync.  The directory has
# the names of its own last fsync ('names'), or newer ones ('files').  nginx
# must cope with either.

sub power_cut {
    my ($self, $names) = @_;

    $self->kill_all;

    my %ino;

    if ($names eq 'names') {
        %ino = reverse map { /^(\d+) (.*)/ }
               split /\n/, slurp($self->shadow . '/names');

    } else {
        for my $file (glob $self->data . '/*') {
            my $name = $file =~ s{.*/}{}r;
            $ino{$name} = (stat $file)[1];
        }
    }

    my %kept = map { $_ => slurp($self->shadow . "/$ino{$_}") } keys %ino;

    unlink glob $self->$_ . '/*' for qw( data shadow );

    # Other files have these inode numbers now.  The remaining files are on
    # disk.

    my $listing = '';

    for my $name (keys %kept) {
        my $file = $self->data . "/$name";

        write_file($file, $kept{$name});
        chmod 0600, $file;
        $self->give($file);

        my $number = (stat $file)[1];
        write_file($self->shadow . "/$number", $kept{$name});
        $listing .= "$number $name\n";
    }

    write_file($self->shadow . '/names', $listing);
    $self->give(glob $self->shadow . '/*');
}

sub write_file {
    my ($file, $text) = @_;

    open my $out, '>:raw', $file or die "$file: $!\n";
    print $out $text;
    close $out or die "$file: $!\n";
}


1;
