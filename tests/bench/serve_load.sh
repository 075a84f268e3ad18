#!/usr/bin/env bash
# 64 sessions of the official SDK at once (8 processes of 8 clients) on one `tinsmith serve` over the local
# trainer: each trains without waiting, saves, and samples from weights with and without a name. Not one
# call may fail, and sessions of the same seed and data must get the same losses and samples.
#
# usage: serve_load.sh [PROCESSES] [CLIENTS] [STEPS]
#
# Needs Python with venv and a package index; installs the SDK into .venv beside this script (SDK_ENV).
# Keeps its table in .cache/serve_load.log. Ends with status 1 after any error.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
root="$(cd "$here/../.." && pwd)"
env="${SDK_ENV:-$here/.venv/sdk}"
if ! "$env/bin/python" -c 'import tinker' 2>/dev/null; then
    python3 -m venv "$env"
    "$env/bin/pip" install --quiet 'tinker==0.38.0'
fi
cd "$root"
nice cargo build --release --quiet -p tinsmith
release="${CARGO_TARGET_DIR:-target}/release"
mkdir -p .cache
{
    echo "commit $(git rev-parse --short HEAD 2>/dev/null || echo unknown), $(date -u +%FT%TZ), $(nproc) processors," \
        "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)"
    "$env/bin/python" "$here/serve_load.py" "$release/tinsmith" "${1:-8}" "${2:-8}" "${3:-6}"
} 2>&1 | tee .cache/serve_load.log
# The status of a pipe is that of `tee`.
grep -q '^as meant' .cache/serve_load.log
