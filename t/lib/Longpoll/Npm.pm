package Longpoll::Npm;

# What tests need from npm's registry: the packages of t/clients/js/, by its
# lock file, below build/clients/js/.
#
#     my $why = Longpoll::Npm::missing();       # a sentence, or nothing
#     Longpoll::Npm::file('react/index.js')     # a file of a package
#
# missing() fetches them once.

use strict;
use warnings;

use Cwd qw( abs_path );
use Fcntl qw( LOCK_EX );
use File::Basename qw( dirname );
use File::Copy qw( copy );
use File::Path qw( make_path remove_tree );

use Longpoll::Browser ();
use Longpoll::Server ();

my $root = abs_path(dirname(__FILE__) . '/../../..');
my $js = "$root/t/clients/js";
my $build = "$root/build/clients/js";


sub node {
    my $version = `node --version 2>/dev/null`;

    return $version =~ /^v(\d+)\./ && $1 >= 18
           && defined Longpoll::Browser::program('npm');
}

sub file { return "$build/node_modules/$_[0]" }

sub missing {
    return 'there is no node 18 or newer with npm' unless node();

    # tests may run at the same time

    make_path($build);
    open my $lock, '>', "$build/lock" or die "$build/lock: $!\n";
    flock $lock, LOCK_EX or die "$build/lock: $!\n";

    return fetched();
}

sub fetched {
    my $wanted = slurp("$js/package-lock.json");

    return if slurp("$build/fetched") eq $wanted;

    copy("$js/$_", $build) or die "$_: $!\n"
        for qw( package.json package-lock.json );

    for my $wait (2, 10, 0) {
        my $said = `cd '$build' && timeout 120 npm ci --ignore-scripts \\
            --no-audit --no-fund --no-update-notifier --fetch-retries 1 \\
            --fetch-timeout 60000 --cache "\$PWD/cache" 2>&1 </dev/null`;

        die "it is not what the lock file says\n" if $said =~ /EINTEGRITY/;

        if ($? == 0) {
            remove_tree("$build/cache");
            Longpoll::Server::spew("$build/fetched", $wanted);
            return;
        }

        sleep $wait;
    }

    return 'npm cannot fetch it';
}

sub slurp {
    my ($file) = @_;

    open my $in, '<', $file or return '';
    local $/;
    return scalar(<$in>) // '';
}


1;
