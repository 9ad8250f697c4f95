#!/bin/sh
#
# tools/deps.sh SET...: installs what the sets need on a Debian machine.
#
# Sets are build, check, test, redis, docs, asan, valgrind, cost, fuzz, client,
# clients, run, generator, bench, site, dist, package, packaging and root.
# Packages that are installed stay as they are; while none is missing, only
# dpkg's records are read.  The extras below are large, or not to be had
# everywhere: if one cannot be installed, its name is printed, and the tests that
# need it are skipped.
#
# The module is built for Debian's nginx: where there is another one, or none of
# Debian's tools, nothing is installed.

set -eu

cd "$(dirname "$0")/.."
log=build/deps.log

die() {
    printf '%s\n' "$@" >&2
    exit 1
}

packages() {
    case $1 in
        build) echo gcc libc6-dev make nginx nginx-dev libyajl-dev ;;
        check) echo binutils cppcheck perl ;;
        test)  echo perl curl openssl ;;
        asan)  echo dpkg-dev ;;
        valgrind) echo valgrind ;;
        cost)  echo binutils perl ;;
        run|docs) echo curl perl ;;
        dist|packaging) echo git ;;
        client) echo esbuild ;;
        package) echo build-essential debhelper ;;
        generator) echo gcc libc6-dev make libnghttp2-dev libssl-dev ;;
        fuzz|clients|bench|site|redis|root) echo perl ;;
        *)     die "tools/deps.sh: no set '$1'" ;;
    esac
}

extras() {
    case $1 in
        build) echo libhiredis-dev ;;
        redis) echo redis-server ;;
        fuzz) echo clang libclang-rt-dev ;;
        cost) echo valgrind ;;
        root) echo mmdebstrap ;;
        packaging) echo rpm ;;
        test)
            # tools/go.sh fetches Go, for HTTP/3
            echo ca-certificates libnginx-mod-http-js libnginx-mod-http-lua
            echo libnginx-mod-http-subs-filter ;;
        docs)
            # proxies whose configuration the pages show; the test of
            # the alerts fetches promtool
            echo ca-certificates haproxy apache2-bin libnginx-mod-nchan ;;
        site)
            python3 -c 'import ensurepip, venv' 2>/dev/null ||
                echo ca-certificates python3-venv ;;
        bench)
            # the other servers; bench/peers.sh fetches two more
            echo ca-certificates openssl libnginx-mod-http-echo
            echo libnginx-mod-nchan ;;
        clients)
            # tools/go.sh fetches Go
            echo ca-certificates chromium chromium-driver chromium-sandbox
            echo php-fpm ruby jq esbuild

            # these may be installed without Debian's packages
            command -v javac >/dev/null || echo default-jdk-headless
            command -v npm >/dev/null || echo nodejs npm
            python3 -c 'import ensurepip, venv' 2>/dev/null ||
                echo python3-venv ;;
    esac
}

# those of the packages given that are not installed
missing() {
    for package in $(printf '%s\n' "$@" | sort -u); do
        case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>&1) in
            installed) ;;
            *)         echo "$package" ;;
        esac
    done
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

may_install() {
    [ "$(id -u)" = 0 ] || command -v sudo >/dev/null || die \
        "Only root can install packages, and there is no sudo here." \
        "As root, run: tools/deps.sh $sets"
    : >$log
}

# The package of nginx starts a server when it is installed, and the packages of
# its modules restart it; PHP's starts one, too.  Somebody who builds a module
# did not ask for that: no service starts while these are installed.
hold_services() {
    if [ ! -e $policy ]; then
        trap 'as_root rm -f $policy' EXIT
        trap 'exit 1' INT TERM
        printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
        as_root chmod 755 $policy
    fi
}

# apt-get install, again if the mirror fails or another apt holds the lock
apt_install() {
    for wait in 2 10 30 0; do
        {
            as_root apt-get -o Acquire::Retries=3 update || true
            as_root env DEBIAN_FRONTEND=noninteractive apt-get \
                -o Acquire::Retries=3 -o DPkg::Lock::Timeout=120 \
                install -y --no-install-recommends "$@" && return
        } >>$log 2>&1 </dev/null
        sleep $wait
    done
    return 1
}

# Test::Nginx is packaged in Debian's unstable only, but runs anywhere.
install_test_nginx() {
    may_install
    echo "installing Test::Nginx"
    if tools/apt.sh deb sid build/sid download libtest-nginx-perl >>$log 2>&1 \
        && apt_install ./build/sid/libtest-nginx-perl_*_all.deb
    then
        return
    fi
    apt_install cpanminus || true
    as_root cpanm --notest --quiet Test::Nginx >>$log 2>&1 </dev/null || die \
        "Test::Nginx could not be installed, neither from Debian's unstable" \
        "nor from CPAN.  $log tells why; is the network there?"
}

elsewhere="packaging/module.sh builds the module for any other nginx, as
docs/install.md says."

command -v dpkg-query >/dev/null || die \
    "This is not a Debian machine, so nothing was installed: $elsewhere"

# nginx.org's package has the same name as Debian's; what somebody built may
# come first in PATH.
case " $* " in
    *' build '*|*' package '*)
        foreign=$(PATH=$PATH:/usr/sbin command -v nginx) || foreign=
        [ -z "$foreign" ] || {
            [ "$foreign" -ef /usr/sbin/nginx ] &&
                [ -z "$(missing nginx-common)" ]
        } || die "$foreign is not Debian's nginx, so nothing was" \
            "installed: $elsewhere" ;;
esac

mkdir -p build
sets=$*
policy=/usr/sbin/policy-rc.d
wanted=$(for set in "$@"; do packages "$set"; done)
wanted=$(missing $wanted | tr '\n' ' ')

if [ -n "$wanted" ]; then
    echo "installing $wanted"
    may_install
    case " $wanted" in
        *' nginx '*) hold_services ;;
    esac
    apt_install $wanted || {
        tail -n 15 $log >&2
        die "These packages could not be installed: $wanted" \
            "$log has all that apt-get said; is the network there?"
    }
fi

extra=$(for set in "$@"; do extras "$set"; done)
for package in $([ -z "$extra" ] || missing $extra); do
    echo "installing $package"
    case $package in
        libnginx-mod-*|php-fpm|haproxy|redis-server) hold_services ;;
    esac
    ( may_install ) && apt_install "$package" ||
        echo "$package could not be installed; tests that need it are skipped"
done

case " $* " in
    *' test '*) perl -MTest::Nginx::Util -e1 2>/dev/null \
                    || install_test_nginx ;;
esac
