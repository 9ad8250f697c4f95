#!/bin/sh
#
# tools/apt.sh TYPE SUITE DIR COMMAND...: runs `apt-get COMMAND` in DIR with
# package lists of its own, so that the system's stay as they are.
# tools/apt.sh TYPE SUITE DIR: only leaves DIR/sources.list.
#
# TYPE is deb or deb-src.  SUITE is the name of a suite, or `same` for the
# suites of this machine.  The archives are those of this machine: apt itself
# lists them, as it can read every form of its sources.

set -eu

type=$1 suite=$2 dir=$3
shift 3

rm -rf "$dir"
mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
cd "$dir"

key=
for file in /usr/share/keyrings/debian-archive-keyring.[gp]*; do
    [ ! -e "$file" ] || key="[signed-by=$file]"
done

# An archive of a suite with a dash, as in stable-security, has no other suites.
apt-get indextargets --format '$(REPO_URI) $(RELEASE)' \
    'Created-By: Packages' 'Component: main' | sort -u |
while read -r uri release; do
    case $suite/$release in
        same/*) echo "$type $key $uri $release main" ;;
        */*-*)  ;;
        *)      echo "$type $key $uri $suite main" ;;
    esac
done | sort -u >sources.list

[ $# -gt 0 ] || exec rm -rf lists cache

# apt works as a user of its own, who may not be allowed to enter this
# directory.
apt() {
    apt-get -o Dir::Etc::sourcelist="$PWD/sources.list" \
        -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::State::lists="$PWD/lists" -o Dir::Cache="$PWD/cache" \
        -o APT::Sandbox::User="$(id -un)" -o APT::Default-Release= \
        -o Acquire::Languages=none -o Acquire::Retries=3 \
        -o Acquire::Check-Valid-Until=false "$@"
}

# An archive without this suite makes the update fail, but not what follows.
for wait in 2 10 0; do
    apt update || true
    if apt "$@"; then
        exec rm -rf lists cache
    fi
    sleep $wait
done </dev/null

exit 1
