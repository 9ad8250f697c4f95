#!/bin/sh
#
# tools/apt.sh TYPE SUITE DIR COMMAND...: runs `apt-get COMMAND` in DIR with
# package lists of its own, so that the system's stay as they are.
# tools/apt.sh TYPE SUITE DIR: only leaves DIR/sources.list.
#
# TYPE is deb or deb-src, SUITE the name of one, or `same` for those that this
# machine has.  The archives are the machine's own, too: apt is asked for them,
# which knows every form that its sources may have.

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

# Suites with a dash, as in stable-security, belong to archives that have no
# suite of another name.
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

# apt drops root's rights for a user who may not be able to enter here.
apt() {
    apt-get -o Dir::Etc::sourcelist="$PWD/sources.list" \
        -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::State::lists="$PWD/lists" -o Dir::Cache="$PWD/cache" \
        -o APT::Sandbox::User="$(id -un)" -o APT::Default-Release= \
        -o Acquire::Languages=none -o Acquire::Retries=3 \
        -o Acquire::Check-Valid-Until=false "$@"
}

# An archive that has no such suite only spoils the update, not the rest.
for wait in 2 10 0; do
    apt update || true
    if apt "$@"; then
        exec rm -rf lists cache
    fi
    sleep $wait
done </dev/null

exit 1
