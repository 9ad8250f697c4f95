# The rows of docs/install.md that are not Debian's, as far as they can be run on
# this machine, against an nginx that is built like nginx.org's own
# (tools/build.sh other): packaging/module.sh, the RPM, and Alpine's package,
# whose functions run here without abuild.  The files for images are read as
# docker and docker-nginx's build_module.sh read them.
#
# What tools/deps.sh, packaging/module.sh and make say and take is here, too.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use File::Path qw( make_path remove_tree );
use IO::Socket::INET ();
use Test::More;

use lib dirname(abs_path(__FILE__)) . '/../lib';

use Longpoll::Server ();

my $root = abs_path(dirname(abs_path(__FILE__)) . '/../..');
my $name = 'ngx_http_longpoll_module';
my $other = "$root/build/other";
my $dir = "$root/build/install";
my ($version) = slurp("$root/src/ngx_http_longpoll.h")
    =~ /NGX_HTTP_LONGPOLL_VERSION\s+"(.*)"/;

chdir $root or die "chdir: $!\n";
remove_tree($dir);
make_path("$dir/bin", "$dir/bare", "$dir/odd");

variables();
sentences();

# for these, build/other/nginx is the nginx of the machine

symlink "$other/nginx", "$dir/bin/nginx" or die "symlink: $!\n";
$ENV{PATH} = "$dir/bin:$ENV{PATH}";

my ($source) = glob "$other/nginx-*.tar.gz" or die "no source of nginx\n";
my ($nginx) = $source =~ /nginx-([\d.]+)\.tar\.gz/;

dynamic();
docker();
docker_nginx();

# abuild and rpmbuild have flags of their own

$ENV{CFLAGS} = '-O0';
alpine();
rpm();

done_testing();


# `make run PORT=1` and `PORT=1 make run` are the same.

sub variables {
    for (['run', 'PORT', '8123', qr{^tools/run\.sh 8123$}m],
         ['backend', 'NAME', 'flask', qr{^tools/backend\.sh flask 8080$}m],
         ['plain', 'T', 't/000-sanity.t',
          qr{^tools/test\.pl build plain -- t/000-sanity\.t$}m],
         ['bench', 'ARGS', '--quick', qr{^bench/run\.pl --quick$}m])
    {
        my ($target, $variable, $value, $wanted) = @$_;
        my $given = "$variable=$value";

        like(said('make', '-n', $target, $given), $wanted,
             "make $target $given");
        like(said('env', $given, 'make', '-n', $target), $wanted,
             "$given make $target");
    }
}

# where nothing of Debian's can be installed

sub sentences {
    my $there = qr{packaging/module\.sh builds the module for any other nginx};

    symlink "/bin/$_", "$dir/bare/$_" for qw( sh dirname env );
    like(refused("PATH=$dir/bare", 'tools/deps.sh', 'build'),
         qr/^This is not a Debian machine, so nothing was installed: $there/,
         'tools/deps.sh says what to do where there is no dpkg');

    odd_nginx('1.30.0', '--with-compat');
    like(refused("PATH=$dir/odd:$ENV{PATH}", 'tools/deps.sh', 'build'),
         qr{^\Q$dir\E/odd/nginx is not Debian's nginx, .*installed: $there}s,
         "and where nginx is not Debian's");

    my @module = ('packaging/module.sh', "$other/build");

    like(refused("NGINX=$dir/odd/nginx", @module),
         qr{ but the nginx here is 1\.30\.0 and needs its own source, \S+},
         'packaging/module.sh refuses the source of another version');

    like(refused("NGINX=$dir/odd/nginx", 'packaging/module.sh', 'README.md'),
         qr{nginx of no version, but .* needs its own source},
         'and what is no source');

    like(refused("NGINX=$dir/odd/nginx", 'packaging/module.sh', 'none.tar.gz'),
         qr{^There is no none\.tar\.gz: nginx 1\.30\.0 needs its own source, },
         'and a source that is not there');

    odd_nginx('1.30.0', '--with-threads');
    like(refused("NGINX=$dir/odd/nginx", @module),
         qr{without --with-compat: build it again with --add-module=\Q$root\E$},
         'and an nginx that loads no modules of others');

    like(refused("NGINX=$dir/none", @module),
         qr{^There is no nginx to build for: install it, or name it},
         'and no nginx at all');
}

sub odd_nginx {
    my ($is, $arguments) = @_;

    spew("$dir/odd/nginx", "#!/bin/sh\nexec >&2\necho nginx version: nginx/$is\n"
                           . "echo configure arguments: $arguments\n");
    chmod 0755, "$dir/odd/nginx" or die "chmod: $!\n";
}

# What the Dockerfile copies to its first stage suffices to build the module.

sub dynamic {
    my $text = slurp('packaging/Dockerfile') =~ s/\\\n//gr;
    my @from = $text =~ /^FROM (.*)$/mg;

    is("@from", '${NGINX_FROM_IMAGE} AS build ${NGINX_FROM_IMAGE}',
       'Dockerfile: both stages are of one image');

    my ($first) = $text =~ /^RUN (.*)$/m;

    like(refused("PATH=$dir/bare", 'sh', '-c', $first),
         qr/^Name an image of nginx that is made from Debian: --build-arg /,
         'and not of one that is not made from Debian');

    for ($text =~ /^COPY (?!--)(.*)$/mg) {
        my (@files) = split ' ';
        my $to = $dir . pop @files;
        make_path($to);
        said('cp', '-r', (map { -d ? "$_/." : $_ } @files), $to);
    }

    my $file = "$dir/srv/longpoll/build/$name.so";
    my $said = said("$dir/srv/longpoll/packaging/module.sh", $source);

    like($said, qr{^nginx \Q$nginx\E loads the module\.}m,
         'packaging/module.sh has nginx load the module');
    like($said, qr{ install -D -m 644 \Q$file\E /usr/lib/nginx/modules/$name\.so$}m,
         'and says where it belongs');
    like($said, qr{/etc/nginx/nginx\.conf:\s+load_module\ /usr/lib/nginx/modules/
                   $name\.so;$}x,
         'and how it is loaded');
    wakes($file, "nginx.org's nginx, and its image");
    has_all($file);
    like(slurp("$dir/srv/longpoll/build/module/objs/ngx_auto_config.h"),
         qr/^#define NGX_HTTP_V2\b/m, 'and HTTP/2');
}

# the whole image, where there is docker

sub docker {
    my @build = qw( docker build -f packaging/Dockerfile -t nginx-longpoll . );

    SKIP: {
        skip("no docker daemon, or no image nginx:stable; where they are: @build",
             1) if grep { (ran('docker', @$_))[1] } ['info'],
                                                    ['pull', 'nginx:stable'];
        said(@build);
        like(said(qw( docker run --rm nginx-longpoll nginx -t )),
             qr/test is successful/, 'the image has the module');
    }
}

# abuild's variables, and its order: build, check, package

sub alpine {
    my $made = "$dir/alpine";
    my $src = "$made/src";
    my $script = <<'_EOC_';
set -e
srcdir=$1 pkgdir=$2
. packaging/alpine/APKBUILD
test "$pkgver" = "$3"
mkdir -p "$builddir"
git archive HEAD | tar -xf - -C "$builddir"
cp "$4" "$srcdir/nginx-$_nginx.tar.gz"
cd "$builddir"
build
check
package
_EOC_

    make_path($src);
    said('sh', '-c', $script, 'sh', $src, "$made/pkg", $version, $source);

    is(files_of("$made/pkg"),
       join("\n", 'etc/nginx/modules/http_longpoll.conf',
            "usr/lib/nginx/modules/$name.so",
            'usr/share/licenses/nginx-mod-http-longpoll/LICENSE'),
       "Alpine: the package's files");
    like(slurp("$made/pkg/etc/nginx/modules/http_longpoll.conf"),
         qr{^load_module "modules/$name\.so";$}, 'and its load_module');
    wakes("$made/pkg/usr/lib/nginx/modules/$name.so", 'Alpine');
}

sub rpm {
    my $made = "$dir/rpm";

    SKIP: {
        skip('there is no rpmbuild', 5)
            if !grep { -x "$_/rpmbuild" } split /:/, $ENV{PATH};

        my @rpmbuild = ('rpmbuild', '-bb', '--nodeps',
                        '--define', "_topdir $made",
                        '--define', "_sourcedir $made/sources",
                        'packaging/rpm/nginx-mod-http-longpoll.spec');

        make_path("$made/sources", "$made/bin");
        symlink "/usr/bin/$_", "$made/bin/$_" for qw( rpm rpmbuild sed grep cut );
        like(refused("PATH=$made/bin", @rpmbuild),
             qr/There is no nginx to build for: install Fedora's, /,
             'RPM: says that there is no nginx');
        like(refused("PATH=$ENV{PATH}", @rpmbuild),
             qr{^There is no .*/$name-$version\.tar\.gz: tools/release\.sh dist }m,
             'and that there is no tarball');

        said('git', 'archive', "--prefix=$name-$version/",
             '-o', "$made/sources/$name-$version.tar.gz", 'HEAD');
        said('cp', $source, "$made/sources/");

        # Debian's rpm knows no packages of Debian, so none that are needed

        said(@rpmbuild);

        my ($rpm) = glob "$made/RPMS/*/nginx-mod-http-longpoll-$version-*.rpm";

        like(said('rpm', '-qlp', $rpm),
             qr{^/usr/lib/nginx/modules/$name\.so$
                .*^/usr/share/nginx/modules/mod-http-longpoll\.conf$}msx,
             "RPM: the package's files");
        said('rpm2archive', $rpm);
        said('tar', '-xzf', "$rpm.tgz", '-C', $made);
        like(slurp("$made/usr/share/nginx/modules/mod-http-longpoll.conf"),
             qr{^load_module "/usr/lib/nginx/modules/$name\.so";$},
             'and its load_module');
        wakes("$made/usr/lib/nginx/modules/$name.so", 'RPM');
    }
}

# docker-nginx's own build_module.sh reads `config`, too.

sub docker_nginx {
    my $config = slurp('config');
    my ($is) = $config =~ /^ngx_module_name=\$(\w+)$/m;

    is_deeply([ $config =~ /^$is=(.*)$/mg ], [$name],
              'docker-nginx: the name of the module');
    like($config, qr/\. auto\/module$/m, 'and it is a dynamic one');
    is(slurp('packaging/docker-nginx/longpoll/source'),
       "/modules/longpoll/$name\n", 'and its source is a directory');
    is(slurp('packaging/docker-nginx/longpoll/build-deps'),
       "libhiredis-dev libyajl-dev\n", 'and what it needs');
}

# A poll waits in that nginx, and a publish wakes it.

sub wakes {
    my ($file, $where) = @_;

    local $ENV{TEST_NGINX_BINARY} = "$other/nginx";
    local $ENV{TEST_NGINX_LOAD_MODULES} = $file;

    my $server = Longpoll::Server->start(
        http => "longpoll_zone zone=events:1m;\n",
        server => "location = /events  { longpoll_subscribe events; }\n"
                . "location = /publish { longpoll_publish   events; }\n");
    my $poll = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$server->{port}")
        or die "connect: $@\n";

    print $poll "GET /events?category=farm&timeout=30 HTTP/1.0\r\n\r\n";
    $server->wait_waiting(1);
    $server->publish('farm', '"oink"');
    like(join('', <$poll>), qr/"category":"farm","data":"oink"/,
         "$where: a poll waits, and a publish wakes it");
    $server->end;
}

# what the module has only if it was built with the options of nginx

sub has_all {
    my ($file) = @_;

    my $conf = "$dir/all.conf";
    make_path("$dir/all");
    chmod 0777, "$dir/all" or die "chmod: $!\n";
    spew($conf, <<"_EOC_");
load_module $file;
pid $dir/all.pid;
events { }
http {
    longpoll_zone zone=kept:1m persist=$dir/all/events;
    longpoll_zone zone=shared:1m redis=rediss://127.0.0.1:1;
}
_EOC_

    my ($said) = ran("$other/nginx", '-t', '-e', 'stderr', '-p', $dir,
                     '-c', $conf);
    like($said, qr/test is successful/,
         'the module has threads and TLS, as nginx does');
}

sub files_of {
    my ($under) = @_;
    return join "\n", sort map { s{^\./}{}r }
        split /\n/, said('sh', '-c', 'cd "$1" && find . -type f', 'sh', $under);
}

sub refused {
    my ($env, @command) = @_;
    my ($said, $status) = ran('env', $env, @command);
    isnt($status, 0, "$env @command") or return '';
    return $said;
}

sub said {
    my ($said, $status) = ran(@_);
    die "@_: status $status\n$said" if $status;
    return $said;
}

sub ran {
    open my $fh, '-|', 'sh', '-c', 'exec "$@" 2>&1 </dev/null', 'sh', @_
        or die "sh: $!\n";
    my $said = do { local $/; <$fh> } // '';
    close $fh;
    return ($said, $?);
}

sub slurp {
    my ($file) = @_;
    open my $fh, '<', $file or die "$file: $!\n";
    local $/;
    return scalar <$fh>;
}

sub spew {
    my ($file, $text) = @_;
    open my $fh, '>', $file or die "$file: $!\n";
    print $fh $text;
    close $fh or die "$file: $!\n";
}
