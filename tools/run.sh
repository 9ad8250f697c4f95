#!/bin/sh
#
# tools/run.sh [PORT]: serves the demo in the foreground, on 127.0.0.1.
#
# Its nginx has a prefix of its own, build/run, and touches none of the system's
# files.  Ctrl-C or TERM ends everything.

set -eu

cd "$(dirname "$0")/.."
port=${1:-8080}
export PATH="$PATH:/usr/sbin"
umask 022

die() {
    printf '%s\n' "$@" >&2
    exit 1
}

perl -MIO::Socket::INET -e 'exit !IO::Socket::INET->new(
    Listen => 1, LocalAddr => "127.0.0.1:$ARGV[0]", ReuseAddr => 1)' "$port" ||
    die "Port $port of 127.0.0.1 is taken; 'make run PORT=...' takes another."

prefix=$PWD/build/run
pids=

# Ends both processes, waits for them and removes the prefix, on every way out.
finish() {
    trap '' INT TERM HUP
    for pid in $pids; do
        kill -TERM "$pid" 2>/dev/null || true
    done
    wait
    rm -rf "$prefix"
}
trap finish EXIT
trap 'exit 0' INT TERM HUP

lay_out() {
    mkdir -p "$prefix/html/client" "$prefix/modules" "$prefix/tmp" \
        "$prefix/run"
    cp demo/people.pl "$prefix"
    cp -R demo/*.html demo/*.css demo/*.js demo/dashboard "$prefix/html/"
    cp client/*.js "$prefix/html/client/"
    cp build/ngx_http_longpoll_module.so "$prefix/modules/"
    sed "s/127\.0\.0\.1:8080/127.0.0.1:$port/" demo/nginx.conf \
        >"$prefix/nginx.conf"
    chmod -R go+rX "$prefix"
}

rm -rf "$prefix"
lay_out
globals='daemon off;'
as=

# Root's workers and the application run as a user without rights, who may not
# even be allowed to read the files here, as under /root.
if [ "$(id -u)" = 0 ]; then
    user=www-data
    id "$user" >/dev/null 2>&1 || user=nobody
    group=$(id -gn "$user")
    globals="$globals user $user $group;"
    as="setpriv --reuid=$user --regid=$group --clear-groups"

    if ! $as test -r "$prefix/html/index.html"; then
        rm -rf "$prefix"
        prefix=$(mktemp -d)
        lay_out
    fi
    chown "$user:$group" "$prefix/run"
fi

# The name of a socket must be short: it is relative to the prefix.
cd "$prefix"
$as perl people.pl run/people.sock run/publish.sock & pids=$!
nginx -p "$prefix" -c nginx.conf -e stderr -g "$globals" & pids="$pids $!"

# do both processes still run?
both() { kill -0 "${pids% *}" 2>/dev/null && kill -0 "${pids#* }" 2>/dev/null; }

# The pid file is there once the port is open.
until [ -s nginx.pid ] && [ -S run/people.sock ]; do
    both || die "The demo did not start."
    sleep 0.1
done

cat <<END
The demo is at http://127.0.0.1:$port/ and ends with Ctrl-C.  To listen and to
talk by hand, in two terminals:

curl 'http://127.0.0.1:$port/lobby?timeout=30'

curl -d 'hello' http://127.0.0.1:$port/lobby

END

while both; do
    sleep 1 &
    wait $! || true
done
die "It did not last."
