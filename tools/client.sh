#!/bin/sh
#
# tools/client.sh: makes the package of the JavaScript client, prints its name
#
# The package is build/nginx-longpoll-VERSION.tgz, and unpacked build/client/:
# the files of client/ and, made by esbuild from them,
#
#     longpoll.min.js  all of it for a <script>, which defines NginxLongpoll
#     longpoll.cjs     all of it for require()
#
# The same sources and the same esbuild make the same bytes.

set -eu

cd "$(dirname "$0")/.."
to=build/client
file=build/nginx-longpoll-$(tools/release.sh version).tgz

command -v esbuild >/dev/null || {
    echo "There is no esbuild: as root, run tools/deps.sh client" >&2
    exit 1
}

bundle() {
    esbuild client/longpoll.js --bundle --target=es2020 --log-level=warning "$@"
}

rm -rf $to
mkdir -p $to
cp client/* $to/
cp client/longpoll.d.ts $to/longpoll.d.cts
bundle --format=cjs --outfile=$to/longpoll.cjs
bundle --format=iife --global-name=NginxLongpoll --minify \
    --outfile=$to/longpoll.min.js

# as npm lays it out
tar -cf - --sort=name --owner=0 --group=0 --numeric-owner --mode=u=rw,go=r \
    --mtime='1985-10-26 UTC' --transform 's,^\./,package/,' \
    -C $to $(cd $to && ls -d ./*) |
    gzip -9n >"$file"
echo "$file"
