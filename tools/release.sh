#!/bin/sh
#
# tools/release.sh version [FILE]: prints the version
# tools/release.sh check:    do all the files that name the version agree?
# tools/release.sh dist:     makes the tarball of a release, prints its name
# tools/release.sh package:  makes Debian's package, for the installed nginx
#
# The version stands in src/ngx_http_longpoll.h, or in a FILE that is like it.
# Debian's version has a revision behind it, for a package that changes while
# the source does not.
#
# The tarball is build/ngx_http_longpoll_module-VERSION.tar.gz.  It holds what
# git has committed and nothing else; the same commit makes the same bytes.
#
# The package is build/libnginx-mod-http-longpoll_VERSION_ARCHITECTURE.deb, and
# is built from that tarball, or outside a clone from this directory.  The
# source package, the log and the symbols are in build/package/.

set -eu

cd "$(dirname "$0")/.."

die() {
    printf '%s\n' "$@" >&2
    exit 1
}

version() {
    sed -n 's/^#define NGX_HTTP_LONGPOLL_VERSION  *"\(.*\)"$/\1/p' \
        "${1:-src/ngx_http_longpoll.h}"
}

# says FILE SED: each version that the sed script finds in FILE is the version
says() {
    for found in $(sed -n "$2" "$1" | grep . || echo none); do
        if [ "$found" != "$version" ]; then
            echo "$1: the version is $version, not $found"
            failed=1
        fi
    done
}

# CHANGES.md and debian/changelog begin with the newest version.
check() {
    version=$(version)
    failed=0

    says CHANGES.md          's/^## \([^ ]*\).*/\1/p; /^## /q'
    says client/package.json 's/^  "version": "\(.*\)",$/\1/p'
    says client/README.md    's/^npm install .*-\([^-]*\)\.tgz$/\1/p'
    says debian/changelog    '1s/^[^ ]* (\(.*\)-[^-]*) .*/\1/p'
    says packaging/alpine/APKBUILD 's/^pkgver=//p'
    says packaging/rpm/nginx-mod-http-longpoll.spec 's/^Version:  *//p'
    says docs/protocol.md    's/^{"version":"\([^"]*\)".*/\1/p'

    return $failed
}

dist() {
    [ -e .git ] ||
        die "This is no clone of the repository: it is a release already."

    mkdir -p build
    git show HEAD:src/ngx_http_longpoll.h >build/dist.h
    name=ngx_http_longpoll_module-$(version build/dist.h)
    to=build/$name.tar.gz
    rm build/dist.h

    [ -z "$(git status --porcelain)" ] ||
        echo "What is not committed is not in $to." >&2

    git -c tar.umask=0022 archive --prefix="$name/" HEAD >"$to.tar"
    gzip -9n <"$to.tar" >"$to.new"
    rm "$to.tar"
    mv "$to.new" "$to"
    echo "$to"
}

package() {
    dir=build/package
    package=libnginx-mod-http-longpoll

    rm -rf $dir build/${package}_*.deb
    mkdir -p $dir

    if [ -e .git ]; then
        from=$(dist)
        name=$(basename "$from" .tar.gz)
        cp "$from" $dir/
    else
        name=ngx_http_longpoll_module-$(version)
        tar -cz --exclude=./build --exclude='./t/servroot*' \
            --transform "s,^\.,$name," -f "$dir/$name.tar.gz" .
    fi

    cd $dir
    tar -xzf "$name.tar.gz"
    mv "$name.tar.gz" "${package}_${name##*-}.orig.tar.gz"
    cd "$name"

    dpkg-buildpackage -us -uc >../build.log 2>&1 || {
        tail -n 20 ../build.log >&2
        die "The package was not built; $dir/build.log has all of it."
    }

    cd ../../..
    cp $dir/${package}_*.deb build/
    ls build/${package}_*.deb
}

case ${1-} in
    version|check|dist|package) "$@" ;;
    *) die "tools/release.sh version|check|dist|package" ;;
esac
