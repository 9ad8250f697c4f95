#!/bin/sh
#
# tools/valgrind.sh ARGUMENT...: an nginx for the tests that runs under
# valgrind, with all the processes that it starts.
#
# With COST_DIR in the environment the nginx is $COST_NGINX under callgrind,
# which counts instructions: each process writes its own to $COST_DIR/PID when
# it ends.  Otherwise it is build/valgrind/nginx under memcheck: each process
# writes a report to build/valgrind/reports, which is empty if nothing is wrong.
# A leak is memory that nothing points to when the process ends.

root=$(cd "$(dirname "$0")/.." && pwd)

if [ -n "${COST_DIR-}" ]; then

    # What libc does for memcpy and its like depends on the processor.  Here it
    # does what any x86-64 can, so that the count is the same everywhere; a libc
    # that does not know one of these names passes over it.

    export GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX512BW,-AVX2,\
-AVX2_Usable,-AVX,-AVX_Fast_Unaligned_Load,-SSSE3,-SSE4_1,-SSE4_2,-BMI1,\
-BMI2,-ERMS,-FSRM,-RTM,-MOVBE

    exec valgrind -q --tool=callgrind --trace-children=yes \
        --callgrind-out-file="$COST_DIR/%p" "$COST_NGINX" "$@"
fi

exec valgrind -q --trace-children=yes --vgdb=no --num-callers=30 \
    --leak-check=full --show-leak-kinds=definite \
    --suppressions="$root/tools/valgrind.supp" \
    --log-file="$root/build/valgrind/reports/$(date +%s).%p" \
    "$root/build/valgrind/nginx" "$@"
