#!/bin/sh
#
# tools/go.sh VERSION: prints the path of a Go of that version or newer.
#
# This is the Go in PATH, or else Debian's newest, unpacked below build/, which
# is linked statically and so runs on an older system, too.

set -eu

cd "$(dirname "$0")/.."
wanted=$1
dir=$PWD/build/go
log=build/go.log

# suits GO: is it as new as wanted, or newer?
suits() {
    version=$(GOTOOLCHAIN=local "$1" env GOVERSION 2>/dev/null) || return
    printf '%s\n' "$wanted" "${version#go}" | sort -VC
}

found() {
    if suits "$1"; then
        echo "$1"
        exit
    fi
}

# The package golang-go depends on that of the newest version.
fetch() {
    tools/apt.sh deb sid "$dir" download golang-go || return
    go=$(dpkg-deb -f "$dir"/golang-go_*.deb Depends |
        grep -o 'golang-[0-9.]*-go') || return
    tools/apt.sh deb sid "$dir" download "$go" "${go%-go}-src" || return
    for package in "$dir"/*.deb; do
        dpkg-deb -x "$package" "$dir" || return
        rm "$package"
    done
}

if go=$(command -v go); then
    found "$go"
fi
for go in "$dir"/usr/lib/go-*/bin/go; do
    found "$go"
done

mkdir -p build
echo "# fetching Go from Debian's unstable" >&2
fetch >$log 2>&1 </dev/null || {
    tail -n 5 $log | sed 's/^/# /' >&2
    rm -rf "$dir"
    exit 1
}
for go in "$dir"/usr/lib/go-*/bin/go; do
    found "$go"
done
exit 1
