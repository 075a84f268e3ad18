#!/usr/bin/env bash
# Clients of the Tinker API, on the same server and the same batches: `tinsmith train` with `trainer: tinker`
# beside the official SDK. Wall time, and CPU time of the client alone; the server's is the same for both.
#
#   tests/bench/tinker_client.sh [ROUNDS] [STEPS] [BATCH]      (default: 5 60 32)
#
# The server is `tinsmith serve` with a random model so small that the client counts. The SDK gets its
# batches ready-made, as lists of tokens and weights, and sends step n + 1 before it waits for step n, as
# its documentation advises; `tinsmith` reads, renders and tokenises the conversations besides. The CPU time
# of the steps is, for the SDK, from its first request to the last result; for `tinsmith`, that of the run
# less that of a run of one step over the same data.
#
# Needs Python 3.11 or newer and a package index; installs the SDK into .venv beside this script (SDK_ENV).
# Keeps its table in .cache/tinker_client.log.
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
    "$env/bin/python" "$here/tinker_client.py" "$release/tinsmith" "${1:-5}" "${2:-60}" "${3:-32}"
} 2>&1 | tee .cache/tinker_client.log
# The status of a pipe is that of `tee`.
grep -q '^as meant' .cache/tinker_client.log
