#!/bin/sh
# Speed and memory of a local training step beside PyTorch + PEFT, as ratios on this machine.
# Installs what it needs into VENV (default: the one of tests/conformance/local_peft) unless it is
# there already; keeps the table with the commit in .cache/local_vs_peft.log. Arguments go to local_vs_peft.py.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
venv=${VENV:-$here/../conformance/local_peft/.venv}
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/python" -c 'import torch, transformers, peft' 2>/dev/null ||
  "$venv/bin/pip" install --quiet 'torch==2.*' 'transformers==5.*' 'peft==0.*' safetensors numpy
cd "$here/../.."
mkdir -p .cache
cargo build --release --quiet -p tinsmith-local --example step
binary=${CARGO_TARGET_DIR:-target}/release/examples/step
{
  echo "commit $(git rev-parse HEAD 2>/dev/null || echo unknown)"
  "$venv/bin/python" "$here/local_vs_peft.py" "$binary" "$@"
} 2>&1 | tee .cache/local_vs_peft.log
