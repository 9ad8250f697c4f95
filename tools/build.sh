#!/bin/bash
#
# tools/build.sh module: build/ngx_http_longpoll_module.so, for the nginx that
#         is installed
# tools/build.sh chaos: build/chaos/ngx_http_longpoll_module.so, in which a test
#         chooses where workers die (t/faults/die.c), and what clock makes
# tools/build.sh clock: build/chaos/clock.so, a wall clock that a test can set
#         (t/faults/clock.c)
# tools/build.sh persist: build/persist/disk.so, a disk that is slow, full, or
#         loses what was not synced (t/faults/disk.c)
# tools/build.sh filter: build/filter/filter.so, a module with a body filter
#         (t/faults/filter.c), for the nginx that is installed
# tools/build.sh asan: build/asan/nginx, of the same version, with the module
#         linked in, under AddressSanitizer and UBSan
# tools/build.sh valgrind: build/valgrind/nginx, the same without sanitizers
# tools/build.sh other: build/other/nginx, of the same version, without the
#         module, as nginx.org and its official image have it; its source is
#         build/other/nginx-VERSION.tar.gz
# tools/build.sh matrix SUITE dynamic|static: for an nginx of Debian's SUITE
#         that tools/matrix.sh has fetched: the module, or such an nginx with the
#         module linked in
#
# nginx's configure is run only when its inputs have changed; after that nginx's
# own Makefile knows what to compile.  (bash, because Debian keeps its
# nginx's flags in an array.)

set -eu
export LC_ALL=C PATH=$PATH:/usr/sbin

cd "$(dirname "$0")/.."
root=$PWD
name=ngx_http_longpoll_module

die() {
    printf '%s\n' "$@" >&2
    exit 1
}

case $root in
    *[[:space:]]*) die "nginx's configure cannot build in '$root':" \
                       "move the sources to a path without blanks." ;;
esac

# configure DIR FLAG...: in DIR, unless DIR was configured with the same inputs
configure() {
    local dir=$1 inputs
    shift
    inputs="$* $(nginx -V 2>&1)
            $(dpkg-query -W nginx nginx-dev libhiredis-dev 2>&1)
            $(echo ./*.c src/* src/*/*)
            $(cksum config tools/build.sh tools/asan.c t/faults/die.c)"

    [ "$inputs" != "$(cat "$dir/inputs" 2>/dev/null)" ] || return 0

    echo "configuring $dir"
    rm -rf "$dir/objs" "$dir/inputs"
    (cd "$dir" && ./configure "$@" >configure.log 2>&1) || {
        tail -n 20 "$dir/configure.log" >&2
        die "nginx's configure failed; $dir/configure.log has all of it."
    }
    extra_rules >>"$dir/objs/Makefile"
    printf '%s\n' "$inputs" >"$dir/inputs"
}

# compile DIR TARGET: prints what it compiles, if it does, and the compiler's
# messages
compile() {
    set -- make -s -C "$1" -f objs/Makefile --no-print-directory "$2"

    MAKEFLAGS= "$@" -q 2>/dev/null || echo "compiling $4"
    MAKEFLAGS= "$@" -j"$(nproc)"
}

# replace FILE COPY: only when they differ, so that time stamps mean something
replace() {
    cmp -s "$1" "$2" || { cp "$1" "$2.new" && mv "$2.new" "$2"; }
}

# links DIR SOURCE: configure writes into its own directory, which is DIR by
# these links, not SOURCE
links() {
    local file
    mkdir -p "$1"
    for file in auto configure src; do
        ln -sfn "$2/$file" "$1/$file"
    done
}

# dynamic DIR SOURCE FILE CFLAGS LDFLAGS: in DIR the module, for the nginx of
# the nginx-dev in SOURCE; and from there to FILE
dynamic() {
    local dir=$1 src=$2 to=$3 cflags
    extra_rules() { :; }
    links "$dir" "$src"

    cflags="$(dpkg-buildflags --get CFLAGS) $(dpkg-buildflags --get CPPFLAGS)"
    . "$src/conf_flags"
    configure "$dir" "${NGX_CONF_FLAGS[@]}" --add-dynamic-module="$root" \
        --with-cc-opt="$cflags $4" \
        --with-ld-opt="$(dpkg-buildflags --get LDFLAGS) $5"

    compile "$dir" modules
    replace "$dir/objs/$name.so" "$to"
}

build_persist() {
    mkdir -p build/persist
    "${CC:-cc}" -Wall -Wextra -O2 -fPIC -shared \
        -o build/persist/disk.so t/faults/disk.c
}

build_filter() {
    local nginx=build/nginx

    mkdir -p build/filter
    "${CC:-cc}" -Wall -Wextra -Wno-unused-parameter -O2 -fPIC -shared \
        $(printf -- "-I $nginx/%s " objs src/{core,event,os/unix,http} \
            src/event/{modules,quic} src/http/{modules,v2,v3}) \
        -o build/filter/filter.so t/faults/filter.c
}

build_module() {
    dynamic build/nginx /usr/share/nginx/src build/$name.so '' ''
}

build_clock() {
    mkdir -p build/chaos
    "${CC:-cc}" -Wall -Wextra -O2 -fPIC -shared \
        -o build/chaos/clock.so t/faults/clock.c
}

build_chaos() {
    build_clock
    "${CC:-cc}" -Wall -Wextra -Wno-unused-parameter -O2 -fPIC \
        -c -o build/chaos/die.o t/faults/die.c
    dynamic build/chaos/nginx /usr/share/nginx/src build/chaos/$name.so \
        -DNGX_HTTP_LONGPOLL_STEPS=1 "$root/build/chaos/die.o"
}

# the modules that the tests need, and that Debian's nginx has
whole=(--prefix=/nonexistent --with-debug --with-threads --with-pcre-jit
    --with-http_ssl_module --with-http_v2_module --with-http_realip_module
    --with-http_auth_request_module --with-http_stub_status_module
    --with-http_sub_module --with-http_addition_module
    --with-http_secure_link_module --add-module="$root")

# Sets $source to the unpacked source of the nginx that is installed.  An
# archive may no longer have the source of exactly this package: then another
# revision of Debian's does, or the newest of the release.
fetch_source() {
    local version upstream want dir=build/source log=build/source.log
    version=$(dpkg-query -W -f '${source:Version}' nginx)
    upstream=${version%-*}
    source=$root/$dir/nginx-${upstream#*:}

    [ "$version" != "$(cat $dir/version 2>/dev/null)" ] || return 0

    echo "fetching the source of nginx $version"
    for want in "=$version" "" "/$(. /etc/os-release; echo "$VERSION_CODENAME")"
    do
        if tools/apt.sh deb-src same $dir source "nginx$want" >$log 2>&1 &&
            [ -d "$source" ]
        then
            echo "$version" >$dir/version
            return 0
        fi
    done

    tail -n 15 $log >&2
    die "The source package of nginx $version could not be fetched;" \
        "$log has what apt-get said; is the network there?"
}

# watched DIR CFLAGS LDFLAGS: DIR/nginx, with the module inside.  Every
# allocation from a pool becomes a malloc(), so that a sanitizer or valgrind
# knows its bounds.  They do not know bounds in shared memory: the module's own
# checks do (NGX_HTTP_LONGPOLL_DEBUG).
watched() {
    local source
    fetch_source
    links "$1/build" "$source"

    configure "$1/build" "${whole[@]}" \
        --with-cc-opt="-O1 -g -fno-omit-frame-pointer $2 \
            -DNGX_DEBUG_PALLOC=1 -DNGX_HTTP_LONGPOLL_DEBUG=1" \
        --with-ld-opt="$3"

    compile "$1/build" binary
    replace "$1/build/objs/nginx" "$1/nginx"
}

# UBSan is for the module's own objects only: nginx's core does not pass it.  It
# traps, and ASan reports the trap with a stack; UBSan's own reports ignore
# log_path when it is used together with ASan, and would be lost.
build_asan() {
    local asan=-fsanitize=address
    local ubsan='-fsanitize=undefined -fsanitize-undefined-trap-on-error'
    extra_rules() { echo "objs/addon/%.o: CFLAGS += $ubsan -Wno-error"; }

    mkdir -p build/asan/reports
    "${CC:-cc}" -c -o build/asan/options.o tools/asan.c \
        -DREPORTS="\"$root/build/asan/reports\""

    watched build/asan $asan "$asan $root/build/asan/options.o"
}

# the nginx of tools/valgrind.sh
build_valgrind() {
    extra_rules() { :; }
    watched build/valgrind '' ''
}

build_other() {
    local source dir=build/other
    extra_rules() { :; }
    fetch_source
    links $dir/build "$source"

    configure $dir/build --prefix=/etc/nginx --conf-path=/etc/nginx/nginx.conf \
        --modules-path=/usr/lib/nginx/modules --with-compat --with-threads \
        --with-http_ssl_module --with-http_v2_module \
        --http-log-path=/var/log/nginx/access.log --with-cc-opt=-O0 \
        --error-log-path=/var/log/nginx/error.log --pid-path=/run/nginx.pid

    compile $dir/build binary
    replace $dir/build/objs/nginx $dir/nginx
    tar -czf "$dir/$(basename "$source").tar.gz" -C "$(dirname "$source")" \
        "$(basename "$source")"
}

# Warnings are errors in the module, but not in nginx, as the compiler may be
# newer than nginx.  nginx has HTTP/3 since 1.25.
build_matrix() {
    local dir=build/matrix/$1 source

    if [ "$2" = dynamic ]; then
        dynamic "$dir/dynamic" "$root/$dir/debian/files/usr/share/nginx/src" \
            "$dir/$name.so" '' ''
        return
    fi

    extra_rules() { echo "objs/src/%.o: CFLAGS += -Wno-error"; }
    source=$(echo "$dir"/source/nginx-*)
    [ ! -e "$source/src/http/v3" ] || whole+=(--with-http_v3_module)

    configure "$source" "${whole[@]}"
    compile "$source" binary
    replace "$source/objs/nginx" "$dir/static"
}

build_"$@"
