#!/bin/sh
#
# tools/backend.sh get NAME: builds demo/backends/NAME in build/backends/NAME,
#         with all that it needs from its registry
# tools/backend.sh app NAME: executes that application; PORT, PUBLISH and SECRET
#         are in the environment
# tools/backend.sh NAME [PORT]: both, with nginx in front, in the foreground; the
#         two ports above PORT are taken as well
#
# NAME is express, flask, go or php; `go-before` is the program that go was made
# from.  Nothing is installed outside build/ but Debian's own packages, and that
# is for tools/deps.sh.
#
# The exit status is 3 if something could not be fetched; standard output then
# has one line that says why.

set -eu

cd "$(dirname "$0")/.."
root=$PWD
export PATH="$PATH:/usr/sbin"

die() {
    printf '%s\n' "$@" >&2
    exit 1
}

# without WHY...: ends with status 3
without() {
    echo "$*"
    exit 3
}

demo() {
    case $1 in
        express|flask|go|php) echo "$1" ;;
        go-before)            echo go ;;
        *) die "tools/backend.sh: no application '$1'" ;;
    esac
}

# registry WHAT WRONG COMMAND...: runs the command, and again if the network
# failed; output that matches WRONG is not a failure of the network
registry() {
    what=$1 wrong=$2
    shift 2

    for wait in 2 10 0; do
        if "$@" >"$log" 2>&1 </dev/null; then
            return
        fi
        if grep -qE "$wrong" "$log"; then
            cat "$log" >&2
            die "$what are not what the lock file says."
        fi
        sleep $wait
    done

    sed 's,[a-z]*://[^ ]*,,g' "$log" | tail -n 5 >&2
    without "$what cannot be had"
}

# Copies the sources; what was fetched for the same lock files is kept.
get() {
    demo=$(demo "$1")
    dir=$root/build/backends/$demo
    log=$root/build/backends/$demo.log

    mkdir -p "$dir"
    cp -R "demo/backends/$demo/." "$dir"
    rm -rf build/backends/shared
    cp -R demo/backends/shared build/backends
    cp client/*.js build/backends/shared
    cd "$dir"

    case $demo in
        express) get_express ;;
        flask)   get_flask ;;
        go)      get_go ;;
        php)     php >/dev/null ;;
    esac
}

# fetched FILE...: was everything fetched for these very files?  got FILE...:
# yes
fetched() { [ "$(cksum "$@")" = "$(cat fetched 2>/dev/null)" ]; }
got() { cksum "$@" >fetched; }

get_express() {
    command -v npm >/dev/null &&
        node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' ||
        without "no node 18 or newer with npm"

    fetched package.json package-lock.json && return
    rm -rf node_modules
    registry "the packages of Express" EINTEGRITY \
        npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier \
        --fetch-retries 1 --fetch-timeout 60000 --cache "$PWD/cache"
    rm -rf cache
    got package.json package-lock.json
}

get_flask() {
    python3 -c 'import ensurepip, venv' 2>/dev/null ||
        without "no python3 with venv"

    fetched requirements.txt && return
    rm -rf venv
    python3 -m venv venv
    registry "the packages of Flask" 'DO NOT MATCH THE HASHES' \
        venv/bin/pip install --require-hashes --only-binary :all: \
        --no-cache-dir --disable-pip-version-check --retries 1 \
        -r requirements.txt
    got requirements.txt
}

get_go() {
    version=$(sed -n 's/^go //p' go.mod)
    go=$("$root/tools/go.sh" "$version") || without "no Go $version or newer"

    export HOME="${HOME:-$PWD}" CGO_ENABLED=0 GOTOOLCHAIN=local
    registry "the modules of Go" 'SECURITY ERROR|go\.(mod|sum)\>' \
        "$go" list -mod=readonly -deps -tags golongpoll .
    "$go" build -mod=readonly -buildvcs=false -o after .
    "$go" build -mod=readonly -buildvcs=false -tags golongpoll -o before .
}

php() {
    for program in php-fpm $(cd /usr/sbin && echo php-fpm[0-9]*); do
        command -v "$program" && return
    done
    without "no php-fpm"
}

app() {
    demo=$(demo "$1")
    cd "build/backends/$demo"

    case $1 in
        express)   exec node app.js ;;
        flask)     exec venv/bin/gunicorn --bind "127.0.0.1:$PORT" \
                       --workers 2 --no-control-socket app:app ;;
        go)        exec ./after ;;
        go-before) exec ./before ;;
        php)       exec "$(php)" -y "$PWD/fpm.conf" ;;
    esac
}

pids=
prefix=

# Ends both processes, waits for them and removes the prefix, on every way out.
finish() {
    trap '' INT TERM HUP
    for pid in $pids; do
        kill -TERM "$pid" 2>/dev/null || true
    done
    wait
    rm -rf "$prefix"
}

serve() {
    demo=$(demo "$1")
    port=${2:-8080}
    (get "$demo")

    publish=$((port + 1)) app=$((port + 2))

    # root's nginx workers, and PHP, may not be allowed to read the files here
    umask 022
    trap finish EXIT
    trap 'exit 0' INT TERM HUP
    prefix=$(mktemp -d)
    mkdir -p "$prefix/html" "$prefix/modules" "$prefix/tmp" "$prefix/app"
    chmod 755 "$prefix"
    cp -R build/backends/shared "$prefix/html"
    cp demo/backends/nginx.conf "$prefix"
    cp build/ngx_http_longpoll_module.so "$prefix/modules"
    [ "$demo" != php ] || cp demo/backends/php/*.php "$prefix/app"
    sed "s/\b8080\b/$port/; s/\b8081\b/$publish/; s/\b8000\b/$app/" \
        "demo/backends/$demo/nginx.conf" >"$prefix/backend.conf"

    globals='daemon off;'
    if [ "$(id -u)" = 0 ]; then
        user=www-data
        id "$user" >/dev/null 2>&1 || user=nobody
        globals="$globals user $user $(id -gn "$user");"
    fi

    SECRET=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
    PORT=$app PUBLISH=http://127.0.0.1:$publish/publish
    export SECRET PORT PUBLISH

    # curl says 7 while nobody listens; whatever PHP says is not HTTP
    tools/backend.sh app "$demo" & pids=$!
    while kill -0 $pids 2>/dev/null && {
        curl -s -m 2 --noproxy '*' -o /dev/null "http://127.0.0.1:$app/"
        [ $? = 7 ]
    }; do sleep 0.1; done
    nginx -p "$prefix" -c nginx.conf -e stderr -g "$globals" & pids="$pids $!"

    url=http://127.0.0.1:$port/
    until curl -sf -m 2 --noproxy '*' -o /dev/null "$url" || ! both; do
        sleep 0.1
    done
    both && echo "$demo is at $url and ends with Ctrl-C."

    while both; do
        sleep 1 &
        wait $! || true
    done
    die "It did not last; is one of the ports $port to $app taken?"
}

# do both processes still run?
both() { kill -0 "${pids% *}" 2>/dev/null && kill -0 "${pids#* }" 2>/dev/null; }

case ${1-} in
    get|app) "$@" ;;
    *)       serve "$@" ;;
esac
