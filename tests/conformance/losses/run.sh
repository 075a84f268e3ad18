#!/bin/sh
# Makes tests/fixtures/losses/golden.json anew: values and gradients by torch autograd.
# Installs torch into VENV (default: .venv beside this script) unless it is there already.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
venv=${VENV:-$here/.venv}
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/python" -c 'import torch' 2>/dev/null || "$venv/bin/pip" install --quiet 'torch==2.*' numpy
out=$here/../../fixtures/losses
mkdir -p "$out"
"$venv/bin/python" "$here/make_golden.py" >"$out/golden.json.new"
mv "$out/golden.json.new" "$out/golden.json"
echo "$out/golden.json"
