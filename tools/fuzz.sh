#!/bin/sh
#
# tools/fuzz.sh NAME:        t/fuzz/NAME.c for $SECONDS seconds (15), as TAP
# tools/fuzz.sh merge NAME:  adds to the corpus the inputs that reach more
#
# The run begins with t/fuzz/corpus/NAME/ and, if there is one,
# t/fuzz/NAME.dict; the inputs that it adds stand in build/fuzz/inputs/NAME/
# until the next run.  SEED is the seed.  A finding is kept as
# build/fuzz/found/NAME-*; to run it:
#
#     build/fuzz/NAME build/fuzz/found/NAME-...

set -eu

cd "$(dirname "$0")/.."

merge=
if [ "$1" = merge ]; then
    merge=1
    shift
fi

name=$1
seconds=${SECONDS:-15}
seed=${SEED:-$(date +%s)}
inputs=build/fuzz/inputs/$name
corpus=t/fuzz/corpus/$name
log=build/fuzz/$name.log

export UBSAN_OPTIONS=print_stacktrace=1
unset ASAN_OPTIONS

mkdir -p build/fuzz/found

# Only edges count, which keeps a corpus small; a run finds the rest again in
# seconds.  Inputs that do not have a hash for a name were made by hand, and
# stay.
if [ "$merge" ]; then
    rm -rf build/fuzz/merged
    mkdir build/fuzz/merged
    "build/fuzz/$name" -set_cover_merge=1 -use_counters=0 build/fuzz/merged \
        "$corpus" "$inputs" >$log 2>&1
    find "$corpus" -name '????????????????????????????????????????' -delete
    find build/fuzz/merged -type f -exec mv '{}' "$corpus" ';'
    ls "$corpus" | wc -l
    exit
fi

if ! echo 'int LLVMFuzzerTestOneInput(void) { return 0; }' |
    clang -fsanitize=fuzzer,address -x c -o build/fuzz/$name.probe - 2>$log
then
    echo "1..0 # SKIP $name: no clang with libFuzzer here"
    exit
fi

echo 1..1

if ! make -s "build/fuzz/$name" >$log 2>&1; then
    sed 's/^/# /' $log
    echo "not ok 1 - $name: builds"
    exit 1
fi

rm -rf "$inputs"
mkdir -p "$inputs"

dict=
[ ! -e "t/fuzz/$name.dict" ] || dict=-dict=t/fuzz/$name.dict

echo "# $name: seed $seed"

status=0
"build/fuzz/$name" -seed="$seed" -max_total_time="$seconds" -timeout=20 \
    -max_len=4096 -rss_limit_mb=2048 $dict \
    -artifact_prefix="build/fuzz/found/$name-" "$inputs" "$corpus" \
    >$log 2>&1 </dev/null || status=$?

done=$(sed -n 's/^Done \([0-9]*\) runs.*/\1/p' $log)

if [ $status = 0 ] && [ -n "$done" ]; then
    echo "# $name: $done executions in $seconds s"
    echo "ok 1 - $name: nothing is found"
    exit
fi

{
    grep -a -B1 '^seed ' $log || true       # what the model says
    grep -a -E '^t/fuzz/|runtime error|ERROR:|^ *#[0-9]+ .*/src/ngx_http' $log
} | head -n 15 | sed 's/^/# /'
sed -n 's/.*Test unit written to \(.*\)/\1/p' $log | while read -r file; do
    echo "# found: build/fuzz/$name $file"
done
echo "# $log has all of it"
echo "not ok 1 - $name: nothing is found"
exit 1
