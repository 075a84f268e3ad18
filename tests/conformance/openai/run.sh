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
. "$here/../server.sh"
tinsmith="$(find_program "$root")"

work="$(mktemp -d)"
server=""
cleanup() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT

export SERVE_KEY=tml-openai
serve "$work" "$tinsmith" -q --model "small=$root/configs/quickstart/base" --port 0 --state "$work/state" \
    --api-key-env SERVE_KEY
mkdir -p "$root/.cache"
"$venv/bin/python" "$here/drive.py" "$url/v1" "$SERVE_KEY" | tee "$root/.cache/openai.log"
