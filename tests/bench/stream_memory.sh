#!/usr/bin/env bash
# Peak memory of the commands that read datasets, and of a whole run, on files of growing size: it must
# not grow with the file. The conversations are those of the quickstart, repeated with a number of their
# own: short rows, so that what is kept of each would show. The run's trainer computes nothing
# (tests/plugins/null-trainer): what is measured is the host. `resume` is a run that dies three steps
# before its end and goes on.
#
#   tests/bench/stream_memory.sh [MEGABYTES…]        (default: 100 1000 5000)
#
# TOKENIZER names a folder with a tokenizer.json (default: the quickstart's base); a large vocabulary
# takes memory of its own, the same for every size. Needs python3, which reads the kernel's own figure
# for each finished process, and four times the largest size on the disk of TMPDIR. Keeps its table in
# .cache/stream_memory.log.
set -euo pipefail
cd "$(dirname "$0")/../.."

sizes=("$@")
[ ${#sizes[@]} -gt 0 ] || sizes=(100 1000 5000)
nice cargo build --quiet --release -p tinsmith -p null-trainer
release=${CARGO_TARGET_DIR:-target}/release
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p .cache

{
    echo "commit $(git rev-parse --short HEAD), $(date -u +%FT%TZ), $(nproc) processors," \
        "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)"
    python3 - "$release" "$work" "${TOKENIZER:-configs/quickstart/base}" "${sizes[@]}" <<'PYTHON'
import os, shutil, subprocess, sys, time

release, work, tokenizer, *sizes = sys.argv[1:]
tinsmith = os.path.join(release, "tinsmith")
shared = {"darwin": "libnull_trainer.dylib", "win32": "null_trainer.dll"}
plugin = os.path.join(release, shared.get(sys.platform, "libnull_trainer.so"))
lines = open("configs/quickstart/train.jsonl", encoding="utf-8").read().splitlines()
data, out, config = (os.path.join(work, name) for name in ("chats.jsonl", "out", "run.yaml"))
base = os.path.abspath("configs/quickstart/base")
BATCH, EVAL = 2048, 5000
open(config, "w").write(f"""
model: {{base_model: {base}, tokenizer: {os.path.abspath(tokenizer)}}}
datasets: [{{path: {data}}}]
data: {{eval: {{count: {EVAL}}}, max_length: 1024}}
renderer: chatml
trainer: 'null'
training: {{batch_size: {BATCH}}}
checkpoint: {{every_steps: 8}}
output: {out}
""")
reading = ["--tokenizer", tokenizer, "-q"]
training = ["-q", "--plugin", plugin]
commands = {
    "render": ["render", data, "--format", "json", *reading],
    "data check": ["data", "check", data, *reading],
    "data stats": ["data", "stats", data, *reading],
    "upload": ["upload", data, "--output", out, *reading],
    "dry run": ["train", config, "--dry-run", *training],
    "train": ["train", config, *training],
    "killed": ["train", config, *training],
    "resume": ["train", "--resume", "latest", "--output", out, *training],
}


def run(args, env, may_die):
    begin = time.monotonic()
    child = subprocess.Popen([tinsmith, *args], stdout=subprocess.DEVNULL, env={**os.environ, **env})
    _, status, usage = os.wait4(child.pid, 0)
    if status != 0 and not may_die:
        sys.exit(f"{args} failed: status {status}")
    return f"{usage.ru_maxrss / 1e3:.0f} ({time.monotonic() - begin:.1f})"


rows = {name: [] for name in commands}
counts = []
for size in sizes:
    number = 0
    with open(data, "w", encoding="utf-8") as file:
        while file.tell() < int(size) * 1_000_000:
            for line in lines:
                number += 1
                # The first text of the line gets a number, so that no two are the same.
                file.write(line.replace('"content": "', f'"content": "{number} ', 1) + "\n")
    counts.append(number)
    steps = -(-(number - EVAL) // BATCH)
    for name, args in commands.items():
        env = {"NULL_TRAINER_ABORT_AT": str(steps - 2)} if name == "killed" else {}
        rows[name].append(run(args, env, name == "killed"))
        if name in ("upload", "train", "resume"):
            shutil.rmtree(out)
print(f"{'':12}" + "".join(f"{size + ' MB':>16}" for size in sizes) + "   peak resident MB (seconds)")
print(f"{'rows':12}" + "".join(f"{count:>16,}" for count in counts))
for name, row in rows.items():
    print(f"{name:12}" + "".join(f"{cell:>16}" for cell in row))
PYTHON
} | tee .cache/stream_memory.log
