#!/bin/sh
# Makes the reference values of the local trainer anew, by PyTorch, transformers and PEFT:
#   tests/fixtures/local/<case>/   models, gradients, parameters after AdamW steps (make_golden.py)
#   tests/fixtures/local/adamw.json   steps of torch.optim.AdamW (adamw.py)
# Installs what it needs into VENV (default: .venv beside this script) unless it is there already, and
# keeps a log with the commit and the versions in .cache/local_peft.log.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
venv=${VENV:-$here/.venv}
out=$here/../../fixtures/local
mkdir -p "$here/../../../.cache"
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/python" -c 'import torch, transformers, peft, safetensors' 2>/dev/null ||
  "$venv/bin/pip" install --quiet 'torch==2.*' 'transformers==5.*' 'peft==0.*' safetensors numpy
{
  echo "commit $(git -C "$here" rev-parse HEAD 2>/dev/null || echo unknown)"
  "$venv/bin/python" "$here/make_golden.py" "$out"
  "$venv/bin/python" "$here/adamw.py" >"$out/adamw.json.new"
  mv "$out/adamw.json.new" "$out/adamw.json"
  cat "$out/golden.json"
} 2>&1 | tee "$here/../../../.cache/local_peft.log"
