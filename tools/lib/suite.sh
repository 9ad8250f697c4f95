# tools/lib/suite.sh: programs of another Debian than this machine's, for bash
# scripts that set $suite and $log.

# fetch TYPE DIR COMMAND...: packages of the suite, even if they are installed
fetch() {
    local type=$1 to=$2
    shift 2

    tools/apt.sh "$type" "$suite" "$to" -o Dir::State::status=/dev/null "$@" \
        >"$log" 2>&1 || {
        rm -rf "$to"
        why
        exit 3
    }
}

# The first complaint of apt-get, without addresses.  If the lists cannot be
# fetched, it also complains that packages are unknown: that comes last.
why() {
    {
        grep '^E: Failed to fetch' "$log" || grep '^W: Failed to fetch' "$log" \
            || grep '^E: ' "$log" || echo "see $log"
    } | sed 's/^[EW]: //; s,[a-z]*://[^ ]*/,,; s/ *\[IP.*//; s/  */ /g; q'
}

unpack() {
    local deb
    for deb in "$1"/*.deb; do
        dpkg -x "$deb" "$2"
        rm "$deb"
    done
}

# The libraries that a package is linked with, as it says.
libraries() {
    dpkg-deb -f "$1" Depends | tr ',' '\n' |
        awk '$1 ~ /^(lib|zlib)/ { print $1 }' | sort -u
}

# wrapper FILE [OPTION]: a script in DIR that runs DIR/files/FILE with the
# libraries and the dynamic loader of DIR/libs, and an option of the latter.
wrapper() {
    sed "s,FILE,$1,; s, OPTION,${2:+ $2}," <<\END
#!/bin/bash
shopt -s nullglob
dir=${0%/*}
libs=$(printf '%s:' "$dir"/libs/{,usr/}lib/*-linux-*/)
exec "$dir"/libs/{,usr/}lib/*-linux-*/ld-linux*.so.* OPTION \
    --library-path "${libs%:}" "$dir/files/FILE" "$@"
END
}
