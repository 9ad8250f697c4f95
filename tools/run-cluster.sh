#!/bin/sh
#
# tools/run-cluster.sh [PORT]: two nodes on one Redis, behind a balancer on
# 127.0.0.1, in the foreground.
#
# All have a prefix of their own, in the system's temporary directory.  Ctrl-C or
# TERM ends everything.

set -eu

cd "$(dirname "$0")/.."
port=${1:-8080}
export PATH="$PATH:/usr/sbin"
umask 022

die() {
    printf '%s\n' "$@" >&2
    exit 1
}

command -v redis-server >/dev/null || die "There is no redis-server."

for p in "$port" $((port + 1)) $((port + 2)); do
    perl -MIO::Socket::INET -e 'exit !IO::Socket::INET->new(
        Listen => 1, LocalAddr => "127.0.0.1:$ARGV[0]", ReuseAddr => 1)' "$p" ||
        die "Port $p of 127.0.0.1 is taken;" \
            "'make run-cluster PORT=...' takes it and the next two."
done

# the name of a socket must be short
prefix=$(mktemp -d)
pids=

# Ends all processes, waits for them and removes the prefix, on every way out.
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

chmod 755 "$prefix"

for name in 1 2 balancer; do
    mkdir -p "$prefix/$name/modules" "$prefix/$name/tmp"
    cp build/ngx_http_longpoll_module.so "$prefix/$name/modules/"
done

sed "s|/REDIS|$prefix/redis.sock|; s/:8081/:$((port + 1))/" \
    demo/cluster/node.conf >"$prefix/1/nginx.conf"
sed "s|/REDIS|$prefix/redis.sock|; s/:8081/:$((port + 2))/" \
    demo/cluster/node.conf >"$prefix/2/nginx.conf"
cp -R demo/dashboard "$prefix/1/html"
cp -R demo/dashboard "$prefix/2/html"
sed "s/:8080/:$port/; s/:8081/:$((port + 1))/; s/:8082/:$((port + 2))/" \
    demo/cluster/balancer.conf >"$prefix/balancer/nginx.conf"

# root's workers run as a user without rights
user=
if [ "$(id -u)" = 0 ]; then
    user=www-data
    id "$user" >/dev/null 2>&1 || user=nobody
    user="user $user $(id -gn "$user");"
fi

redis-server --port 0 --unixsocket "$prefix/redis.sock" --unixsocketperm 777 \
    --save '' --dir "$prefix" --logfile redis.log & pids=$!

# nodes that are first would log that there is no Redis
until [ -S "$prefix/redis.sock" ]; do
    kill -0 "$pids" 2>/dev/null ||
        die "$(cat "$prefix/redis.log" 2>/dev/null)" "Redis did not start."
    sleep 0.1
done

for name in 1 2 balancer; do
    nginx -p "$prefix/$name" -c nginx.conf -e stderr \
        -g "daemon off; $user" & pids="$pids $!"
done

# do all processes still run?
all() {
    for pid in $pids; do
        kill -0 "$pid" 2>/dev/null || return
    done
}

synced() {
    for p in $((port + 1)) $((port + 2)); do
        curl -fsS "http://127.0.0.1:$p/status" 2>/dev/null |
            grep -q '"synced":1' || return
    done
    [ -s "$prefix/balancer/balancer.pid" ]
}

until synced; do
    all || die "$(cat "$prefix/redis.log" 2>/dev/null)" \
        "The demo did not start."
    sleep 0.1
done

cat <<END
Two nodes share a zone.  Each has a dashboard, http://127.0.0.1:$((port + 1))/ and
http://127.0.0.1:$((port + 2))/; the balancer on port $port gives each request to
the next one.  All ends with Ctrl-C.  To listen on one node and to talk on the
other, in two terminals:

curl 'http://127.0.0.1:$((port + 1))/events?category=farm&timeout=30'

curl -d '{"category":"farm","data":"oink"}' http://127.0.0.1:$((port + 2))/publish

curl http://127.0.0.1:$port/status

END

while all; do
    sleep 1 &
    wait $! || true
done
die "It did not last."
