#!/bin/sh
# Makes tests/fixtures/losses/golden.json anew: values and gradients by torch autograd.
# `dpo` by tinker-cookbook's own. Uses, or makes, the packages of tests/conformance/chat/run.sh (VENV).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
venv=${VENV:-$here/../chat/.venv}
"$venv/bin/python" -c 'import torch, tinker_cookbook' 2>/dev/null ||
  VENV=$venv "$here/../chat/run.sh" prepare
out=$here/../../fixtures/losses
mkdir -p "$out"
"$venv/bin/python" "$here/make_golden.py" >"$out/golden.json.new"
mv "$out/golden.json.new" "$out/golden.json"
echo "$out/golden.json"
