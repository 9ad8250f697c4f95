#!/bin/sh
#
# tools/site.sh: makes the site of the pages, build/site/html, with mkdocs.
#
# mkdocs comes from PyPI, by the hashes of tools/site.txt, and stays below
# build/.  The exit status is 3 if it could not be fetched; any dead link is a
# failure.

set -eu

cd "$(dirname "$0")/.."
dir=$PWD/build/site

if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
    echo "no python3 with venv"
    exit 3
fi

mkdir -p "$dir"
if [ "$(cksum <tools/site.txt)" != "$(cat "$dir/fetched" 2>/dev/null)" ]; then
    rm -rf "$dir/venv"
    python3 -m venv "$dir/venv"
    "$dir/venv/bin/pip" install --require-hashes --only-binary :all: --quiet \
        --no-cache-dir --disable-pip-version-check --retries 1 \
        -r tools/site.txt >"$dir/log" 2>&1 </dev/null || {
        tail -n 3 "$dir/log" >&2
        echo "mkdocs cannot be had"
        exit 3
    }
    cksum <tools/site.txt >"$dir/fetched"
fi

rm -rf "$dir/pages" "$dir/html"
mkdir -p "$dir/pages"
tools/site.pl "$dir/pages"
cp tools/site.css "$dir/pages/"
cp tools/site.yml "$dir/mkdocs.yml"

# with --quiet it would not count its warnings
NO_MKDOCS_2_WARNING=1 "$dir/venv/bin/mkdocs" build --strict \
    -f "$dir/mkdocs.yml" >"$dir/log" 2>&1 || {
    grep -v '^INFO' "$dir/log" >&2
    exit 1
}
echo "The site is build/site/html/index.html."
