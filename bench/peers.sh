#!/bin/sh
#
# bench/peers.sh push-stream|golongpoll: fetches that server, into build/bench/.
#
# push-stream is in newer suites of Debian only, as a module for their nginx;
# both are unpacked, not installed.  golongpoll is built from its Go module.
# The other servers are packages, which tools/deps.sh installs.
#
# The exit status is 3 if something could not be fetched; standard output then
# has one line that says why.

set -eu
export LC_ALL=C

cd "$(dirname "$0")/.."
out=$PWD/build/bench
log=$out/$1.log
see="see build/bench/$1.log"

cannot() {
    echo "$1"
    exit 3
}

push_stream() {
    dir=$out/push-stream
    [ ! -x "$dir/usr/sbin/nginx" ] || return 0

    tools/apt.sh deb trixie "$dir.new" -o Dir::State::status=/dev/null \
        download nginx libnginx-mod-http-push-stream >"$log" 2>&1 ||
        {
            rm -rf "$dir.new"
            cannot "Debian's packages could not be fetched; $see"
        }

    for deb in "$dir.new"/*.deb; do
        dpkg -x "$deb" "$dir.new" && rm "$deb"
    done
    "$dir.new/usr/sbin/nginx" -v >>"$log" 2>&1 ||
        cannot "the nginx of Debian's trixie does not run here; $see"
    rm -rf "$dir"
    mv "$dir.new" "$dir"
}

# Go itself gives up when the network fails once.
golongpoll() {
    export HOME="${HOME:-$out}" CGO_ENABLED=0 GOTOOLCHAIN=local
    go=$(tools/go.sh "$(sed -n 's/^go //p' bench/go/go.mod)" 2>"$log") ||
        cannot "there is no Go, neither here nor in Debian's unstable"

    cd bench/go
    for wait in 2 10 30 0; do
        if "$go" build -mod=readonly -buildvcs=false \
            -o "$out/golongpoll" . >>"$log" 2>&1
        then
            return 0
        fi
        [ -z "$(grep -E 'SECURITY|go\.(mod|sum)|\.go:' "$log")" ] || break
        sleep $wait
    done
    cannot "its module could not be fetched or built; $see"
}

mkdir -p "$out"
case $1 in
    push-stream) push_stream ;;
    golongpoll)  golongpoll ;;
    *)           exit 2 ;;
esac
