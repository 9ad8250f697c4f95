#!/bin/sh
#
# tools/check.sh: checks the sources without running them.
#
# A check that fails does not keep the others from running.

set -eu

cd "$(dirname "$0")/.."
root=$PWD
failed=0

check() {
    if ! "$@"; then
        echo "FAILED: $*"
        failed=1
    fi
}

# each COMPILER FLAG...: compiles the files that standard input names.  nginx's
# headers are most of each, so they are compiled once.
each() {
    headers=$root/build/check/nginx.h

    mkdir -p "$root/build/check"
    printf '#include <%s>\n' ngx_config.h ngx_core.h ngx_event.h ngx_http.h \
        >"$headers"
    "$@" -x c-header -o "$headers.gch" "$headers" || return

    xargs -P "$(nproc)" -I '{}' "$@" -include "$headers" -S -o /dev/null '{}'
}

# warnings FLAG...: compiles every source with nginx's own flags, more warnings
# and FLAGs.
warnings() {
    cc=$(make -s -C build/nginx -f objs/Makefile --no-print-directory \
        --eval 'flags: ; @echo $(CC) $(CFLAGS) $(ALL_INCS)' flags) || return
    cc="$cc -fPIC -Wextra -Wshadow -Wno-unused-parameter -Werror -g0"

    (
        cd build/nginx || exit
        printf '%s\n' "$root"/*.c "$root"/src/*/*.c | each $cc "$@"
    )
}

# The programs of the tests and of the benchmark, which are made only where they
# run.  What the tests' builds define is defined here, too.
programs() {
    cc=$(make -s --no-print-directory \
        --eval 'flags: ; @echo $(CC) $(C_FLAGS)' flags) || return
    cc="$cc -DNGX_HTTP_LONGPOLL_DEBUG=1 -DNGX_HTTP_LONGPOLL_STEPS=1"
    cc="$cc -DNGX_HTTP_LONGPOLL_WRITER_SLACK=2500 -Werror -g0"

    printf '%s\n' bench/*/*.c t/*/*.c | each $cc &&
        printf '%s\n' bench/*.c |
            xargs -P "$(nproc)" -I '{}' $cc -fsyntax-only '{}'
}

# Without NGX_PTR_SIZE, cppcheck would stop at an #error and skip nearly all
# files without a word; --force makes it check debug builds as well.  It gets
# one file at a time: of a list it checks one after the other.  With -j it looks
# at each file by itself.
analysis() {
    printf '%s\n' ./*.c src/*/*.c bench/*.c bench/*/*.c |
        xargs -P "$(nproc)" -I '{}' cppcheck --quiet --error-exitcode=1 \
            --inline-suppr --enable=warning,performance,portability \
            --suppress=normalCheckLevelMaxBranches -DNGX_PTR_SIZE=8 --force \
            -j 2 -I src $(printf -- "-I %s " src/*/) '{}'
}

check tools/layout.pl
check tools/style.pl
check tools/release.sh check
check tools/pages.pl
check perl t/mutants/mutants.t check
check warnings
check warnings -DNGX_DEBUG=0 -DNGX_THREADS=0
check programs
check analysis

exit $failed
