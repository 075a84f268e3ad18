#!/usr/bin/env bash
# What the plugin boundary costs: instructions of the same plugins, linked and loaded, on 20,000
# records, counted by callgrind. Counts repeat where times do not, so this runs on a busy machine.
# Also the time to open a plugin and to list all of them, the best of twenty.
#
#   tests/bench/boundary.sh [COUNT]
#
# Needs valgrind (Debian: apt-get install valgrind). Keeps its log in .cache/boundary.log.
set -euo pipefail
cd "$(dirname "$0")/../.."

count=${1:-20000}
command -v valgrind >/dev/null || { echo "error: valgrind is not installed" >&2; exit 1; }

nice cargo build --quiet --release -p tinsmith --example boundary --bin tinsmith
target=${CARGO_TARGET_DIR:-target}/release
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export XDG_CACHE_HOME=$work/cache XDG_DATA_HOME=$work/data XDG_CONFIG_HOME=$work/config
mkdir -p "$work/cache"
mkdir -p .cache
log=.cache/boundary.log

# Callgrind counts each byte of a `rep movsb` as an instruction, which a processor does not: copies
# are made with vector moves while it counts.
vector_copies=glibc.cpu.x86_rep_movsb_threshold=100000000

instructions() { # linkage work count
    GLIBC_TUNABLES=$vector_copies valgrind --tool=callgrind --callgrind-out-file="$work/out" \
        "$target/examples/boundary" "$1" "$2" "$3" 2>&1 >/dev/null |
        sed -n 's/.*Collected : \([0-9]*\).*/\1/p'
}

best_ms() { # command…
    for _ in $(seq 20); do
        local begin end
        begin=$(date +%s%N)
        "$@" >/dev/null
        end=$(date +%s%N)
        echo $(((end - begin) / 1000))
    done | sort -n | head -1 | awk '{ printf "%.2f", $1 / 1000 }'
}

# The first opening copies and hashes the libraries; later ones do not. What is counted is a later one.
"$target/examples/boundary" loaded load 0 >/dev/null

{
    echo "commit $(git rev-parse --short HEAD), $(date -u +%FT%TZ), $(rustc -V)"
    printf '%-10s %16s %16s %9s\n' work linked loaded more
    for what in render loss; do
        # Start-up, loading and admission are not the boundary: they are counted with no records
        # and taken off.
        declare -A spent
        for linkage in linked loaded; do
            none=$(instructions "$linkage" "$what" 0)
            all=$(instructions "$linkage" "$what" "$count")
            spent[$linkage]=$((all - none))
        done
        awk -v what="$what" -v a="${spent[linked]}" -v b="${spent[loaded]}" \
            'BEGIN { printf "%-10s %16d %16d %8.2f%%\n", what, a, b, 100 * (b - a) / a }'
    done
    opened=$(for _ in $(seq 20); do "$target/examples/boundary" loaded load 0; done |
        awk '{ print $3 }' | sort -n | head -1)
    echo "open two plugins and check the built-ins: $opened ms"
    echo "tinsmith plugins list: $(best_ms "$target/tinsmith" plugins list) ms"
    echo "tinsmith --help: $(best_ms "$target/tinsmith" --help) ms"
    ls -l "$target"/deps/libtinsmith_{chat,losses,store_file,local}.so | awk '{ print $5, $NF }'
} | tee "$log"
