#!/bin/bash
#
# tools/redis.sh SUITE redis|valkey: a server of Debian's SUITE, fetched into
# build/redis/SUITE-NAME/, with the libraries and the dynamic loader of its own
# suite.  Prints the program's path, for REDIS_SERVER of the tests.
#
# The exit status is 3 if it could not be fetched; standard output then has one
# line that says why.

set -eu
export LC_ALL=C

cd "$(dirname "$0")/.."

suite=$1 name=$2
dir=build/redis/$suite-$name
log=build/redis/$suite-$name.log

. tools/lib/suite.sh

mkdir -p build/redis

if [ ! -e "$dir" ]; then
    rm -rf "$dir.new"
    fetch deb "$dir.new" download "$name-server" "$name-tools"
    wanted=$(libraries "$dir.new/$name"-tools_*.deb)

    # and what these need
    case $suite in
        bullseye) wanted="$wanted libgcrypt20 libgpg-error0 liblz4-1 liblzma5
                          libzstd1 libgcc-s1 libstdc++6 lua-bitop lua-cjson" ;;
        *)        wanted="$wanted libcap2 libgcc-s1 zlib1g libzstd1" ;;
    esac
    unpack "$dir.new" "$dir.new/files"

    fetch deb "$dir.new/debs" download $wanted
    unpack "$dir.new/debs" "$dir.new/libs"

    wrapper "usr/bin/$name-server" >"$dir.new/$name-server"
    chmod 755 "$dir.new/$name-server"
    rm -rf "$dir.new/debs" "$dir.new/libs/usr/share"
    mv "$dir.new" "$dir"
fi

echo "$PWD/$dir/$name-server"
