#!/usr/bin/env bash
# Fuzzes reader, formats, renderers and parsers (src/lib.rs says how), from the corpus that lies beside
# this script, and packs what was learned into it. An input that breaks something is left in
# .cache/fuzz/ and shown.
#
#   tests/fuzz/run.sh [SECONDS]          (default: 1800)
#
# Needs a C++ compiler and the network; installs cargo-fuzz if it is missing. Coverage is an unstable
# option of the compiler: RUSTC_BOOTSTRAP lets the stable one have it, here and nowhere else.
set -euo pipefail
cd "$(dirname "$0")/../.."

seconds=${1:-1800}
command -v cargo-fuzz >/dev/null || cargo install cargo-fuzz --locked
cache=$PWD/.cache/fuzz
mkdir -p "$cache"
export RUSTC_BOOTSTRAP=1
fuzz=(--fuzz-dir tests/fuzz/libfuzzer --target-dir "$cache/target" --sanitizer none)
nice cargo fuzz build "${fuzz[@]}" data
target=$(find "$cache/target" -path '*/release/data' -type f | head -n 1)
nice cargo build --quiet --release -p tinsmith-fuzz
pack=${CARGO_TARGET_DIR:-target}/release/fuzz-corpus

rm -rf "$cache/corpus" "$cache/found"
mkdir -p "$cache/found"
"$pack" unpack tests/fuzz/corpus.hex "$cache/corpus"
begin=$(date +%s)
# Without `-len_control=0` it would spend its time on inputs too short to hold a row.
if ! nice "$target" "$cache/corpus" -artifact_prefix="$cache/found/" -max_total_time="$seconds" \
    -max_len=1024 -len_control=0 -rss_limit_mb=4096 -print_final_stats=1 >"$cache/fuzz.log" 2>&1; then
    tail -n 40 "$cache/fuzz.log"
    for input in "$cache"/found/*; do
        "$pack" show "$input"
    done
    exit 1
fi
grep -E '^(stat::|#.*DONE)' "$cache/fuzz.log"
echo "commit $(git rev-parse --short HEAD), $(($(date +%s) - begin)) s, no finding"

# The fewest inputs that reach as much code: how often each place was passed is left out, or thousands
# would be kept.
mkdir -p "$cache/fewest"
"$target" -set_cover_merge=1 -use_counters=0 -max_len=1024 "$cache/fewest" "$cache/corpus" >"$cache/merge.log" 2>&1
"$pack" pack "$cache/fewest" tests/fuzz/corpus.hex
rm -rf "$cache/fewest"
wc -lc tests/fuzz/corpus.hex
