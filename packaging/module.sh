#!/bin/sh
#
# packaging/module.sh SOURCE [FILE]: builds the module for an nginx that is not
# Debian's: nginx.org's packages, the official image, Alpine's, Fedora's.
#
# SOURCE is the source of the same version of nginx, unpacked or as
# nginx-VERSION.tar.gz, as nginx.org has it.  FILE is where the module is put,
# build/ngx_http_longpoll_module.so if it is not given.  NGINX names the nginx,
# if it is not the first in PATH.  CFLAGS and LDFLAGS, where they are set, replace
# the flags below.
#
# The script then lets nginx load the module, as nginx compares the versions and
# looks up every symbol when it does, and prints how to install it.

set -eu
export LC_ALL=C PATH="$PATH:/usr/sbin:/usr/local/sbin"

root=$(cd "$(dirname "$0")/.." && pwd)
name=ngx_http_longpoll_module
dir=$root/build/module
nginx=${NGINX:-nginx}
hard='-O2 -g -fstack-protector-strong -Wformat -Werror=format-security'
CFLAGS=${CFLAGS-$hard -D_FORTIFY_SOURCE=2}
LDFLAGS=${LDFLAGS--Wl,-z,relro -Wl,-z,now}
unset MAKEFLAGS

die() {
    printf '%s\n' "$*" >&2
    exit 1
}

# argument NAME: the value of nginx's configure argument --NAME=
argument() {
    printf '%s\n' "$arguments" | tr ' ' '\n' | sed -n "s/^--$1=//p" | tail -n 1
}

# What the module is built with and without as nginx is: it has persist= only with
# threads, rediss:// only with SSL, and closes connections of HTTP/2 and HTTP/3
# only where nginx has them.  What nginx was built without is also a part of the
# signature that it compares.
options() {
    printf '%s\n' "$arguments" | tr ' ' '\n' |
        grep -E '^--(without-.*|with-(threads|http_(ssl|v2|v3)_module))$' || :
}

unpack() {
    rm -rf "$dir"
    mkdir -p "$dir"

    if [ -d "$source" ]; then
        (cd "$source" && tar -cf - auto configure src) | tar -xf - -C "$dir"
    else
        tar -xzf "$source" -C "$dir" && mv "$dir"/nginx-*/* "$dir"
    fi
}

build() (
    cd "$dir"
    ./configure --with-compat $(options) --add-dynamic-module="$root" \
        --with-cc-opt="$CFLAGS" --with-ld-opt="$LDFLAGS" &&
        make -s -f objs/Makefile -j "$(nproc)" modules
)

loads() {
    printf '%s\n' "load_module $file;" 'events {}' "pid $dir/check.pid;" \
        >"$dir/check.conf"
    "$nginx" -t -e stderr -p "$dir" -c "$dir/check.conf"
}

[ $# -ge 1 ] || die "packaging/module.sh SOURCE [FILE]: SOURCE is nginx's."
source=$1
file=${2:-$root/build/$name.so}
case $file in /*) ;; *) file=$PWD/$file ;; esac

case $root in
    *[[:space:]]*) die "nginx's configure cannot build in '$root':" \
                       "move the sources to a path without blanks." ;;
esac

said=$("$nginx" -V 2>&1) || die "There is no nginx to build for: install it," \
    "or name it, as in NGINX=/opt/nginx/sbin/nginx $0 $*"
version=$(echo "$said" | sed -n 's,^nginx version: [^/]*/\([0-9.]*\).*,\1,p')
arguments=$(echo "$said" | sed -n 's/^configure arguments: //p')

case " $arguments " in
    *' --with-compat '*) ;;
    *) die "This nginx loads no modules of others, as it was built without" \
           "--with-compat: build it again with --add-module=$root" ;;
esac

[ -e "$source" ] || die "There is no $source: nginx $version needs its own" \
    "source, https://nginx.org/download/nginx-$version.tar.gz"
unpack 2>/dev/null || :

found=$(sed -n 's/^#define NGINX_VERSION  *"\(.*\)"/\1/p' \
    "$dir/src/core/nginx.h" 2>/dev/null) || :
[ "$found" = "$version" ] || die "$source is nginx ${found:-of no version}, but" \
    "the nginx here is $version and needs its own source," \
    "https://nginx.org/download/nginx-$version.tar.gz"

echo "building the module for nginx $version"
build >"$dir/build.log" 2>&1 || {
    tail -n 20 "$dir/build.log" >&2
    die "The module was not built; $dir/build.log has all that was said." \
        "It needs a C compiler, make, and the headers of yajl 2, PCRE, zlib" \
        "and OpenSSL."
}

mkdir -p "$(dirname "$file")"
cp "$dir/objs/$name.so" "$file.new"
mv "$file.new" "$file"
loads >"$dir/check.log" 2>&1 || {
    cat "$dir/check.log" >&2
    die "nginx $version does not load the module."
}

modules=$(argument modules-path)
prefix=$(argument prefix | grep . || echo /usr/local/nginx)
modules=${modules:-$prefix/modules}
cat <<END
nginx $version loads the module.  To install it, as root:

    install -D -m 644 $file $modules/$name.so

The first line of $(argument conf-path | grep . || echo "$prefix/conf/nginx.conf"):

    load_module $modules/$name.so;
END
