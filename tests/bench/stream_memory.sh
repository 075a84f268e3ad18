#!/usr/bin/env bash
# Peak memory of the commands that read datasets, on files of growing size: it must not grow with
# the file. The conversations are those of the quickstart, repeated with a number of their own.
#
#   tests/bench/stream_memory.sh [MEGABYTES…]        (default: 10 100 1000)
#
# Needs python3, which reads the kernel's own figure for each finished process. Keeps its table in
# .cache/stream_memory.log.
set -euo pipefail
cd "$(dirname "$0")/../.."

sizes=("$@")
[ ${#sizes[@]} -gt 0 ] || sizes=(10 100 1000)
nice cargo build --quiet --release
tinsmith=${CARGO_TARGET_DIR:-target}/release/tinsmith
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p .cache

{
    echo "commit $(git rev-parse --short HEAD), $(date -u +%FT%TZ), $(nproc) processors"
    python3 - "$tinsmith" "$work" "${sizes[@]}" <<'PYTHON'
import os, subprocess, sys, time

tinsmith, work, *sizes = sys.argv[1:]
base = "configs/quickstart/base"
lines = open("configs/quickstart/train.jsonl", encoding="utf-8").read().splitlines()
data = os.path.join(work, "chats.jsonl")
commands = {
    "render": ["render", data, "--format", "json"],
    "data check": ["data", "check", data],
    "data stats": ["data", "stats", data],
    "upload": ["upload", data, "--output", os.path.join(work, "out")],
}
print(f"{'':12}" + "".join(f"{size + ' MB':>14}" for size in sizes) + "   peak resident MB (seconds)")
rows = {name: [] for name in commands}
for size in sizes:
    with open(data, "w", encoding="utf-8") as file:
        number = 0
        while file.tell() < int(size) * 1_000_000:
            for line in lines:
                number += 1
                # The first text of the line gets a number, so that no two are the same.
                file.write(line.replace('"content": "', f'"content": "{number} ', 1) + "\n")
    for name, args in commands.items():
        begin = time.monotonic()
        child = subprocess.Popen([tinsmith, *args, "--tokenizer", base, "-q"], stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        if status != 0:
            sys.exit(f"{name} on {size} MB failed: status {status}")
        rows[name].append(f"{usage.ru_maxrss / 1e3:.0f} ({time.monotonic() - begin:.0f})")
for name, row in rows.items():
    print(f"{name:12}" + "".join(f"{cell:>14}" for cell in row))
PYTHON
} | tee .cache/stream_memory.log
