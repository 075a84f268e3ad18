#!/usr/bin/env bash
# A training recipe of tinker-cookbook 0.6.1, unmodified, to its end on `tinsmith serve`: supervised
# training on the conversations that come with it (16 steps), with checkpoints saved. It must exit with 0
# and its loss must fall.
#
# The model is a random Qwen3 with the real tokenizer. Installs the cookbook by
# tests/conformance/chat/run.sh prepare, whose .venv (VENV) is used. TINSMITH is the program to test
# (default: a debug build). Keeps its table in .cache/cookbook.log.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
root="$(cd "$here/../../.." && pwd)"
venv="${VENV:-$root/tests/conformance/chat/.venv}"
python="$venv/bin/python"
"$python" -c 'import tinker_cookbook' 2>/dev/null || VENV="$venv" "$root/tests/conformance/chat/run.sh" prepare
. "$here/../server.sh"
tinsmith="$(find_program "$root")"

work="$(mktemp -d)"
server=""
cleanup() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT

"$python" "$here/with_tokenizer.py" "$root/.cache/chat/tokenizers/qwen3" "$work/model"
serve "$work" "$tinsmith" --model "$work/model=$work/model" --port 0 --state "$work/state"

data="$("$python" -c 'import pathlib, tinker_cookbook as t; print(pathlib.Path(t.__file__).parent / "example_data" / "conversations.jsonl")')"
status=0
TINKER_API_KEY=tml-any timeout 900 "$python" -m tinker_cookbook.recipes.chat_sl.train \
    base_url="$url" model_name="$work/model" renderer_name=qwen3_instruct \
    dataset="$data" batch_size=8 max_length=96 lora_rank=8 learning_rate=1e-3 eval_every=0 save_every=0 \
    log_path="$work/log" behavior_if_log_dir_exists=delete >"$work/recipe.log" 2>&1 || status=$?
if [ "$status" != 0 ]; then
    tail -n 40 "$work/recipe.log" "$work/server.log" >&2
    echo "the recipe exits with $status" >&2
    exit 1
fi
mkdir -p "$root/.cache"
"$python" - "$work/log/metrics.jsonl" <<'PYTHON' | tee "$root/.cache/cookbook.log"
import json, sys

rows = [json.loads(line) for line in open(sys.argv[1])]
losses = [row["train_mean_nll"] for row in rows if "train_mean_nll" in row]
print(f"tinker-cookbook 0.6.1, chat_sl: {len(losses)} steps, mean loss {losses[0]:.3f} to {losses[-1]:.3f}, exit 0")
sys.exit(not (len(losses) == 16 and losses[-1] < losses[0]))
PYTHON
