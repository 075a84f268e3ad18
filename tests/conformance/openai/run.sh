#!/usr/bin/env bash
# The official `openai` Python client, unmodified, on the chat completions of `tinsmith serve` over the
# quickstart's model: models, answers whole and streamed, log-probabilities, usage, several answers, stop
# texts, seeds, and errors as the client's own exceptions.
#
# Installs the client into .venv beside this script (VENV). TINSMITH is the program to test (default: a
# debug build). Keeps its table in .cache/openai.log.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
root="$(cd "$here/../../.." && pwd)"
venv="${VENV:-$here/.venv}"
if ! "$venv/bin/python" -c 'import openai' 2>/dev/null; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet 'openai==3.57.0'
fi
if [ -z "${TINSMITH:-}" ]; then
    cargo build --quiet --manifest-path "$root/Cargo.toml" -p tinsmith
    TINSMITH="${CARGO_TARGET_DIR:-$root/target}/debug/tinsmith"
fi

work="$(mktemp -d)"
server=""
cleanup() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT

export SERVE_KEY=tml-openai
"$TINSMITH" serve -q --model "small=$root/configs/quickstart/base" --port 0 --state "$work/state" \
    --api-key-env SERVE_KEY >"$work/url" 2>"$work/server.log" &
server=$!
for _ in $(seq 300); do
    [ -s "$work/url" ] && break
    kill -0 "$server" 2>/dev/null || { cat "$work/server.log" >&2; exit 1; }
    sleep 0.1
done
mkdir -p "$root/.cache"
"$venv/bin/python" "$here/drive.py" "$(head -n 1 "$work/url")/v1" "$SERVE_KEY" | tee "$root/.cache/openai.log"
