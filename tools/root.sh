#!/bin/sh
#
# tools/root.sh new SUITE NAME:       build/roots/SUITE/NAME, a bare Debian of SUITE
# tools/root.sh in SUITE NAME COMMAND...:     a command in it
# tools/root.sh alone SUITE NAME COMMAND...:  the same without any network but a
#                                  loopback of its own
# tools/root.sh gone SUITE NAME:      removes it
#
# When a command ends, its processes end and its mounts go away.  No service
# starts when it is installed.  The caller must be root, or have sudo.
#
# A bare Debian has what apt needs, and no more.  It is kept as
# build/roots/SUITE/base.tar, fetched packages in build/roots/SUITE/archives.
# Its archives and apt's settings for them (a proxy, say) are the machine's.
#
# The exit status of `new` is 3 if something could not be had; standard output
# then has one line that says why.

set -eu

cd "$(dirname "$0")/.."

what=$1 suite=$2 name=$3
shift 3
dir=$PWD/build/roots/$suite
root=$dir/$name
log=$dir/base.log
policy=/usr/sbin/policy-rc.d

without() {
    echo "$*"
    exit 3
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# this machine's settings for fetching, as a file of apt.conf.d
acquire() {
    apt-config dump --no-empty --format '%f "%v";%n' Acquire |
        grep -E '^Acquire::(https?|ftp|ForceIPv|Check-)' || true
    echo 'Acquire::Languages "none";'
    echo 'Acquire::Retries "3";'
}

# the first complaint of apt, without addresses
why() {
    { grep '^E: ' "$log" || echo "see $log"; } |
        sed "s/^E: //; s,[a-z]*://[^ ]*/,,; s,$PWD/,,; q"
}

base() {
    tools/apt.sh deb "$suite" "$dir/apt"
    acquire >"$dir/apt/acquire"

    set -- --variant=apt --skip=cleanup/apt/lists --format=tar \
        --aptopt="$dir/apt/acquire" --aptopt='APT::Get::Assume-Yes "true"'

    as_root mmdebstrap "$@" '' "$dir/base.new" "$dir/apt/sources.list"
}

new() {
    [ "$(id -u)" = 0 ] || command -v sudo >/dev/null ||
        without "only root can make one, and there is no sudo"
    command -v mmdebstrap >/dev/null || without "mmdebstrap is not installed"
    mkdir -p "$dir/archives/partial"

    for wait in 2 10 0; do
        [ ! -e "$dir/base.tar" ] || break
        if base >"$log" 2>&1 </dev/null; then
            mv "$dir/base.new" "$dir/base.tar"
        else
            sleep $wait
        fi
    done
    [ -e "$dir/base.tar" ] || without "$(why)"

    as_root unshare -mpnf true >>"$log" 2>&1 ||
        without "this machine lets nobody have name spaces"

    gone
    as_root mkdir "$root"
    as_root tar -xf "$dir/base.tar" -C "$root" --numeric-owner

    # the keyring may have another name there
    for file in $(grep -o '/[^] ]*keyring[^] ]*' "$dir/apt/sources.list"); do
        [ -e "$root$file" ] || as_root cp "$file" "$root$file"
    done

    printf '#!/bin/sh\nexit 101\n' | as_root tee "$root$policy" >/dev/null
    as_root chmod 755 "$root$policy"
}

gone() {
    as_root rm -rf --one-file-system "$root"
}

# in a mount name space of its own: executes a command in the root
enter='
    root=$1
    shift
    mount --bind "${root%/*}/archives" "$root/var/cache/apt/archives"
    mount -t proc proc "$root/proc"
    mount -t tmpfs tmpfs "$root/run"
    mount -t tmpfs tmpfs "$root/dev"
    for file in null zero full random urandom tty; do
        : >"$root/dev/$file"
        mount --bind "/dev/$file" "$root/dev/$file"
    done
    ln -s /proc/self/fd "$root/dev/fd"
    mkdir "$root/dev/shm" && chmod 1777 "$root/dev/shm"
    exec chroot "$root" "$@"'

# brings the loopback up: SIOCSIFFLAGS, IFF_UP
loopback='perl -MSocket -e '\''
    socket my $s, AF_INET, SOCK_DGRAM, 0 or die "socket: $!\n";
    my $up = pack "Z16 s x14", "lo", 1;
    ioctl $s, 0x8914, $up or die "lo: $!\n"'\'

run() {
    namespaces=$1
    shift

    # the environment is empty but for these
    set -- env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C \
        DEBIAN_FRONTEND=noninteractive "$@"

    as_root unshare "$namespaces" --kill-child sh -euc "$enter" sh "$root" "$@"
}

case $what in
    new|gone)  $what ;;
    in)        as_root cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
               run -mpf "$@" ;;
    alone)     enter="$loopback
                   $enter"
               run -mpnf "$@" ;;
    *)         exit 2 ;;
esac
