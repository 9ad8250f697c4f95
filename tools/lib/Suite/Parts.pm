package Suite::Parts;

# The parts of the tests, as data, and the sets that people run.
#
#     name      what tools/test.pl and make call it
#     does      in one line, for `make help`
#     needs     sets of packages (tools/deps.sh)
#     steps     commands that are run first; each that fails is a failure
#     files     patterns of the test files, which FILEs of the command line
#               replace; the slowest may be named first, each file runs once
#     at_once   how many files run at the same time, 1
#     limit     seconds for one file, 900; and SECONDS, and 30 for each of ROUNDS
#     env       the environment of the files
#     nginx     'asan' or 'valgrind': an nginx that is watched and has the
#               module inside; 'any': the same if TEST_NGINX_BINARY names asan's
#     way       the function in Suite::Ways that runs the part, if it is more
#               than files
#     programs  of t/unit/, the slowest first
#     must      no later part can run if this one fails
#     inner     only sets run it, make has no target for it
#
# Most tests wait more than they work, hence three files and more at once on two
# processors.

use strict;
use warnings;

my $programs = [qw( make -s -j2 build-unit )];

my @parts = (
    { name => 'build', does => 'the module',
      needs => 'build', steps => [[qw( make -s all )]], must => 1,
      inner => 1 },

    { name => 'check', does => 'layout, style, pages, warnings, cppcheck',
      needs => 'build check generator', steps => [[qw( make -s check )]],
      inner => 1 },

    { name => 'unit', does => 't/unit/*.c, the store and the parsers alone',
      needs => 'build test', way => 'unit', at_once => 2,
      programs => [qw( store save disk presence feed text load reader )] },

    { name => 'brief', does => 'the same for a few seconds',
      needs => 'build test', steps => [$programs],
      way => 'brief', at_once => 2, inner => 1,
      programs => [qw( store save disk presence feed text load reader )] },

    { name => 'changed', does => 't/*.t that changed, or whose sources did',
      needs => 'build test', way => 'changed', at_once => 3, inner => 1 },

    { name => 'plain', does => 't/*.t, a fresh nginx for every block',
      needs => 'build test', at_once => 4,
      files => [qw( t/060-workers.t t/050-zone.t t/*.t )],
      steps => [[qw( tools/build.sh filter )]] },

    { name => 'persist', does => "t/persist/*.t, a zone's file; ROUNDS=n",
      needs => 'build test', at_once => 5,
      files => [map { "t/persist/$_.t" } qw( kill writer upgrade resize log * )],
      steps => [[qw( tools/build.sh persist )]], nginx => 'any' },

    { name => 'redis', does => 't/redis/*.t, zones of many nginxes over Redis',
      needs => 'build test redis', at_once => 3,
      steps => [[qw( tools/build.sh clock )],
                ['sh', '-c', 'tools/redis.sh bullseye redis >/dev/null || :']],
      files => [map { "t/redis/$_.t" } qw( chaos faults * )] },

    { name => 'redises', does => "some of them, on Debian's newer Redis, Valkey",
      needs => 'build test redis', at_once => 2, way => 'redises',
      files => [map { "t/redis/$_.t" } qw( cluster connection script )] },

    { name => 'user', does => 'a few of t/*.t, by a user who is not root',
      needs => 'build test', at_once => 3, way => 'user',
      files => [map { "t/$_.t" } qw( 000-sanity 012-refused 060-workers
                                     110-persist persist/restart
                                     persist/load )] },

    { name => 'docs', does => 't/docs/*.t, what the pages show is run',
      needs => 'build test docs', files => [qw( t/docs/*.t )], at_once => 3,
      steps => [['sh', '-c', 'bench/peers.sh push-stream >/dev/null || :']] },

    { name => 'cost', does => 'instructions for an operation; -- record',
      needs => 'build cost', way => 'cost', files => [qw( t/cost/*.t )] },

    { name => 'generator', does => 'does the load generator notice mistakes?',
      needs => 'build generator test redis', files => [qw( t/bench/*.t )],
      steps => [[qw( make -s build-bench )]] },

    { name => 'hup', does => 't/*.t, one nginx, reloaded from block to block',
      needs => 'build test', files => [qw( t/*.t )], at_once => 3,
      env => { TEST_NGINX_USE_HUP => 1 } },

    { name => 'clients', does => "t/clients/*.t, others' clients, frameworks",
      needs => 'build clients run', files => [qw( t/clients/*.t )],
      at_once => 3 },

    { name => 'asan', does => 't/*.t and more, under AddressSanitizer and UBSan',
      needs => 'build test asan redis', at_once => 3,
      files => ['t/*.t', map { "t/redis/$_.t" } qw( connection faults lost
                                                    sentinels )],
      steps => [[qw( tools/build.sh asan )]], nginx => 'asan' },

    { name => 'valgrind', does => 't/*.t, t/persist/*.t, under valgrind; an hour',
      needs => 'build test asan valgrind',
      files => [qw( t/*.t t/persist/*.t )],
      steps => [[qw( tools/build.sh valgrind )],
                [qw( tools/build.sh persist )]], nginx => 'valgrind',
      limit => 3600, env => { LONGPOLL_SLOW => 1 } },

    { name => 'fuzz', does => 't/fuzz/*.c; SECONDS=n of each, 15',
      needs => 'build fuzz', way => 'fuzz', at_once => 2,
      files => [qw( t/fuzz/*.c )], steps => [[qw( make -s all )]] },

    { name => 'chaos', does => 't/chaos/*.t, kills, reloads; SECONDS=n, 50',
      needs => 'build test', files => [qw( t/chaos/*.t )], limit => 900,
      at_once => 2, steps => [[qw( tools/build.sh chaos )]], nginx => 'any' },

    { name => 'smoke', does => "a few of t/*.t, on Debian's newer nginx",
      needs => 'build test asan', at_once => 3, way => 'smoke',
      files => [map { "t/$_.t" } qw( 000-sanity 080-tls-h2 085-h3
                                     900-golongpoll-api )] },

    { name => 'matrix', does => 't/*.t, on nginx 1.22, 1.26 and the newest',
      needs => 'build test asan', at_once => 3, way => 'matrix',
      files => [qw( t/*.t )] },

    { name => 'load', does => '30,000 clients at once, 1,000 reloads',
      needs => 'build generator test', files => [qw( t/load/*.t )],
      steps => [[qw( make -s build-bench )]] },

    { name => 'mutants', does => 'can the tests fail? an hour',
      needs => 'build test asan', files => [qw( t/mutants/mutants.t )],
      limit => 10_800 },

    { name => 'packaging', does => 'Debian\'s package, and docs/install.md elsewhere',
      needs => 'build check test asan dist package packaging',
      files => [map { "t/package/$_.t" } qw( deb install )],
      steps => [[qw( tools/build.sh other )]] },

    { name => 'package', does => "the same package, used in two bare Debians",
      needs => 'dist check root', files => [qw( t/package/package.t )],
      inner => 1,
      limit => 3600 },

    { name => 'models', does => 'the models of t/unit/, for SECONDS',
      needs => 'build test', steps => [$programs],
      way => 'models', at_once => 2, inner => 1,
      programs => [qw( disk store save presence feed )] },
);

# test-all is what test leaves out: together they run each part once, and the
# models longer.  Some parts get a share of SECONDS, 600; fuzz gets it for each
# target.

my %sets = (
    quick => [qw( build check brief changed )],
    test => [qw( build check unit plain persist )],
    'test-all' => ['build', [models => 0.05], qw( cost generator redis user docs
                       hup clients asan fuzz chaos smoke packaging )],
    soak => ['build', [models => 0.3], [fuzz => 0.1], 'persist', 'plain',
             [chaos => 0.4]],
);

# Which tests look at which sources: the first that fits.

our @covers = (
    [qr{^src/cluster/|_(feed|entry|epoch|reply)}
                             => qw( redis/cluster redis/connection )],
    [qr{_conf_redis}         => qw( redis/conf 012-refused )],
    [qr{_gpoll}              => qw( 110-gpoll 111-gpoll-workers )],
    [qr{_(sse|stream|direct)} => qw( 034-stream 036-stream-socket
                                     039-stream-filter )],
    [qr{_(publish|json)}     => qw( 020-publish 025-batch )],
    [qr{_delete}             => qw( 037-delete )],
    [qr{_status}             => qw( 070-status 072-status-category )],
    [qr{_variable}           => qw( 075-variable )],
    [qr{_category}           => qw( 035-category )],
    [qr{^src/(http|wire)/}   => qw( 030-subscribe 040-wait )],
    [qr{^src/worker/}        => qw( 040-wait 060-workers )],
    [qr{^src/store/}         => qw( 040-wait 050-zone )],
    [qr{^src/disk/}          => qw( 110-persist )],
    [qr{_module\.c$|^config$|^src/conf/}
                             => qw( 010-conf 012-refused 015-reload )],
);

my %named = map { $_->{name} => $_ } @parts;

sub all  { return @parts }
sub sets { return sort keys %sets }
sub set  { return map { ref ? $_->[0] : $_ } @{ $sets{$_[0]} } }

# a part, or those of a set

sub named {
    my ($name) = @_;

    return map { ref ? { %{ $named{$_->[0]} }, share => $_->[1] } : $named{$_} }
               @{ $sets{$name} } if $sets{$name};
    return $named{$name} // die "tools/test.pl: no part '$name'\n";
}

1;
