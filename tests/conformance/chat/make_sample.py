"""Golden rows that `cargo test -p tinsmith-chat` reads without Python (`tests/golden_families.rs`).

Usage: make_sample.py OUT                      the committed sample: some of the conversations, by a small
                                               tokenizer that is made as well
       make_sample.py --real TOKENIZERS OUT    all hand-made conversations, by the real tokenizers

OUT/talks.jsonl holds the conversations, `{id, messages, tools}`, OUT/<renderer>.jsonl one object a line:

  first         {made_by, renderer, tokenizer, bos, eos, current_date, extends, stop, modes}
  an example    {id, tokens, weights, split, refused}
                weights   for each of the modes its runs, or null where it is refused. Runs are the tokens
                          of weight 1, `3-7,9-12`: from, and up to but not including; all others have 0
                split     for the first three modes what the plural builder makes: `=` for the example that
                          `tokens` and `weights` tell, null where it refuses, else [[tokens, runs], …]
                refused   {mode: why}, or why, if that is the same for all modes
  a prompt      {id, prompt_of, tokens} or {id, prompt_of, refused}: of the first `prompt_of` messages
  an answer     {response, message, termination} or {response, refused}

The tokens of splits and prompts are `[n, rest]`: the first n of the example before them, then `rest`.
In `customized` a message has the flag `trainable` if it is the assistant's or its index a multiple of 3.
"""

import importlib.metadata
import json
import os
import pathlib
import sys

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

import cookbook
import handmade
from make_tokenizer import CONTROL, PATTERN

# Bigger ones add little; the three efforts of gpt-oss differ in one word of their system message.
LEFT_OUT = {
    "long_word", "long_line", "many_newlines", "scripts", "code", "numbers", "json_text", "quotes", "one_letter",
    "blank_system", "newlines_only", "think_in_system", "think_inline_later", "think_parts_blank",
    "think_two_parts_in_a_row", "text_parts_empty", "control_gemma", "empty_all", "systems_everywhere",
    "call_spaced_arguments", "call_unicode_arguments", "call_other_ids", "call_wrong_id", "call_array_arguments",
    "call_round_no_list", "tool_without_call", "crlf", "contractions", "odd_spaces", "control_chars",
    "call_no_tool_id", "call_swapped_results", "tool_only", "system_last", "blank_user", "think_inline_empty",
    "call_with_text_newline", "tool_spaces", "extra_keys",
}
WITH_TOOLS = {"tools_unused", "tools_unused_system_parts", "call_round", "call_think_text"}
EFFORTS = {"system_three_turns", "think_parts_multi", "call_round", "no_messages", "control_harmony"}
SAME_ANSWERS = {"qwen3_5_preserve_thinking", "gpt_oss_low_reasoning", "gpt_oss_medium_reasoning",
                "gpt_oss_high_reasoning"}
MORE_CONTROL = [
    "<|startoftext|>", "<|return|>", "<|constrain|>", "<|channel|>", "<|start|>", "<|end|>", "<|message|>",
    "<|call|>", "[BOS]", "[EOS]", "<|im_user|>", "<|im_assistant|>", "<|im_system|>", "<|im_middle|>",
    "<|tool_calls_section_begin|>", "<|tool_calls_section_end|>", "<|tool_call_begin|>",
    "<|tool_call_argument_begin|>", "<|tool_call_end|>", "<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>",
]
# As in the models' own: tokens, but text and no control tokens.
TAGS = [
    "<think>", "</think>", "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>",
    "<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>", "<｜tool▁call▁begin｜>", "<｜tool▁call▁end｜>", "<｜tool▁sep｜>",
    "<｜tool▁output▁begin｜>", "<｜tool▁output▁end｜>", "<｜tool▁outputs▁begin｜>", "<｜tool▁outputs▁end｜>",
]
# bos, eos
ENDS = {
    "role_colon": ("<|begin_of_text|>", "<|end_of_text|>"),
    "llama3": ("<|begin_of_text|>", "<|eot_id|>"),
    "qwen3": (None, "<|im_end|>"),
    "deepseekv3": ("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"),
    "gpt_oss": ("<|startoftext|>", "<|return|>"),
    "kimi_k2": ("[BOS]", "[EOS]"),
}


def ends_of(name):
    return next(ends for prefix, ends in ENDS.items() if name.startswith(prefix))


def texts_of(talk):
    for message in talk["messages"]:
        content = message["content"]
        parts = [content] if isinstance(content, str) else [v for p in content for v in p.values()]
        yield from parts
        yield from (c["function"]["arguments"] for c in message.get("tool_calls", []))


def small_tokenizer(path):
    """Byte-level BPE with the control tokens of every family. The words of the tool prompts are among
    what it learns, so that these take few tokens."""
    def make(text, size):
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
            pre_tokenizers.Split(Regex(PATTERN), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ])
        tokenizer.decoder = decoders.ByteLevel()
        tokenizer.train_from_iterator(text, trainers.BpeTrainer(
            vocab_size=size, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
        control = [AddedToken(t, normalized=False) for t in CONTROL + MORE_CONTROL]
        tokenizer.add_special_tokens(control)
        tokenizer.add_tokens([AddedToken(t, normalized=False) for t in TAGS])
        return tokenizer

    bare = PreTrainedTokenizerFast(tokenizer_object=make([], 256))
    prompts = []
    for name in cookbook.RENDERERS:
        renderer = cookbook.load_renderer(name, bare)
        try:
            made = renderer.create_conversation_prefix_with_tools([handmade.WEATHER, handmade.NOTHING])
        except NotImplementedError:
            continue
        prompts += [m["content"] for m in made]
    texts = [t for name in sample() for t in texts_of(handmade.ALL[name])]
    make((texts + prompts) * 3, 1100).save(str(path), pretty=False)


def sample():
    """The conversations of the committed sample. Of those with a list of tools a few are enough."""
    talks = handmade.ALL
    return [n for n in talks if n not in LEFT_OUT and (not talks[n].get("tools") or n in WITH_TOOLS)]


def runs(weights):
    out, start = [], None
    for i, weight in enumerate([*weights, 0.0]):
        assert weight in (0.0, 1.0), weight
        if weight and start is None:
            start = i
        elif not weight and start is not None:
            out.append(f"{start}-{i}")
            start = None
    return ",".join(out)


def reason(error):
    return error[:100]


def against(base, tokens):
    """`tokens` as what they share with `base` and the rest."""
    n = 0
    while n < min(len(base), len(tokens)) and base[n] == tokens[n]:
        n += 1
    return [n, tokens[n:]]


def rows_of(renderer, name, talk):
    example, refused, rows = {"id": name}, {}, list(cookbook.rows(renderer, talk))
    modes, prompts = rows[:len(cookbook.MODES)], rows[len(cookbook.MODES):]
    for row in modes:
        if "error" in row:
            refused[row["mode"]] = reason(row["error"])
        else:
            assert example.setdefault("tokens", row["tokens"]) == row["tokens"], (name, row["mode"])
    base = example.get("tokens", [])
    if "tokens" in example:
        example["weights"] = [None if "error" in r else runs(r["weights"]) for r in modes]
    split = []
    for row in modes[:len(cookbook.SPLIT)]:
        made = row["examples"]
        if isinstance(made, dict):
            split.append(None)
        elif "error" not in row and made == [{k: row[k] for k in ("tokens", "weights")}]:
            split.append("=")
        else:
            split.append([[against(base, e["tokens"]), runs(e["weights"])] for e in made])
    if any(split):
        example["split"] = split
    if refused:
        same = len(refused) == len(modes) and len(set(refused.values())) == 1
        example["refused"] = next(iter(refused.values())) if same else refused
    yield example
    for row in prompts:
        made = {"refused": reason(row["error"])} if "error" in row else {"tokens": against(base, row["tokens"])}
        yield {"id": name, "prompt_of": row["prompt_of"], **made}


def answer(row):
    if "error" in row:
        return {"response": row["response"], "refused": reason(row["error"])}
    message = row["message"]
    for call in message.get("tool_calls", []):
        if call["id"] is None:
            del call["id"]
    if "unparsed_tool_calls" in message:
        # What is wrong with them is told in other words.
        message["unparsed_tool_calls"] = [c["raw_text"] for c in message["unparsed_tool_calls"]]
    return {"response": row["response"], "message": message, "termination": row["termination"]}


def write(path, objects):
    new = path.with_name(path.name + ".new")
    lines = (json.dumps(o, ensure_ascii=False, separators=(",", ":")) for o in objects)
    new.write_text("".join(line + "\n" for line in lines))
    os.replace(new, path)


def file_of(name, tokenizer, file, talks, answers):
    renderer = cookbook.load_renderer(name, tokenizer)
    yield {"made_by": "tests/conformance/chat/make_sample.py, tinker-cookbook "
           + importlib.metadata.version("tinker-cookbook"), "renderer": name, "tokenizer": file,
           "bos": tokenizer.bos_token, "eos": tokenizer.eos_token, "current_date": cookbook.DATE,
           "extends": renderer.has_extension_property, "stop": renderer.get_stop_sequences(),
           "modes": cookbook.MODES}
    for talk in talks:
        yield from rows_of(renderer, talk, handmade.ALL[talk])
    for row in cookbook.parses(renderer, tokenizer, answers) if answers is not None else ():
        yield answer(row)


def main():
    real = sys.argv[1] == "--real"
    out = pathlib.Path(sys.argv[-1])
    out.mkdir(parents=True, exist_ok=True)
    talks = list(handmade.ALL) if real else sample()
    write(out / "talks.jsonl", ({"id": n, **handmade.ALL[n]} for n in talks))
    if not real:
        small_tokenizer(out / "tokenizer.json")
    for name, (renderer, family) in cookbook.SETS.items():
        if name != renderer and not real:
            continue
        if real:
            folder = pathlib.Path(sys.argv[2]).resolve() / family
            tokenizer, file = cookbook.load_tokenizer(folder)[0], str(folder / "tokenizer.json")
            some, answers = talks, handmade.ALL
        else:
            bos, eos = ends_of(name)
            file = "tokenizer.json"
            tokenizer = PreTrainedTokenizerFast(
                tokenizer_file=str(out / file), bos_token=bos, eos_token=eos,
                clean_up_tokenization_spaces=False)
            tokenizer.clean_up_tokenization_spaces = False
            effort = name.endswith("_reasoning")
            some = [t for t in talks if not effort or t in EFFORTS]
            answers = None if name in SAME_ANSWERS else {}
        write(out / f"{name}.jsonl", file_of(renderer, tokenizer, file, some, answers))
        print(f"{name}: {len(some)} conversations", flush=True)


main()
