#!/bin/bash
#
# tools/matrix.sh SUITE dynamic|static: an nginx of Debian's SUITE, and the module
# for it, in build/matrix/SUITE/.
#
# dynamic  debian/nginx is Debian's own; ngx_http_longpoll_module.so is built
#          for it, against the nginx-dev of that suite
# static   the file `static`: nginx from that suite's source, with the module
#
# What was fetched is kept.  The compiler and its libraries are this machine's.
# If they are too old for Debian's nginx, it runs with the libraries and the
# dynamic loader of its own suite.
#
# The exit status is 3 if something could not be fetched; standard output then
# has one line that says why.

set -eu
export LC_ALL=C

cd "$(dirname "$0")/.."

suite=$1 kind=$2
dir=build/matrix/$suite
log=build/matrix/$suite.log

. tools/lib/suite.sh

# The dynamic loader prints its complaints before nginx prints anything.
runs() {
    case $("$1" -v 2>&1) in
        'nginx version: '*) ;;
        *)                  return 1 ;;
    esac
}

fetch_debian() {
    local new=$dir/debian.new wanted

    fetch deb "$new" download nginx nginx-dev

    # without libyajl2: the module is built with this machine's
    wanted=$(libraries "$new"/nginx_*.deb)

    unpack "$new" "$new/files"

    if runs "$new/files/usr/sbin/nginx"; then
        ln -s files/usr/sbin/nginx "$new/nginx"
    else
        fetch deb "$new/debs" download $wanted
        unpack "$new/debs" "$new/libs"
        
        # nginx starts argv[0] when its binary is upgraded
        wrapper usr/sbin/nginx '--argv0 "$0"' >"$new/nginx"
        chmod 755 "$new/nginx"
        rm -rf "$new/debs" "$new/libs/usr/share"
    fi
}

fetch_source() {
    local new=$dir/source.new

    fetch deb-src "$new" source nginx
    rm -f "$new"/*.tar.* "$new"/*.dsc
}

case $kind in
    dynamic) part=debian ;;
    static)  part=source ;;
    *)       exit 2 ;;
esac

mkdir -p "$dir"

if [ ! -e "$dir/$part" ]; then
    fetch_$part
    mv "$dir/$part.new" "$dir/$part"
fi

exec tools/build.sh matrix "$suite" "$kind" >&2
