"""Golden rows of whole chat templates from transformers' apply_chat_template.

Usage: make_templates.py TOKENIZER_JSON TEMPLATE_DIR             the committed rows
       make_templates.py --real TOKENIZERS                       rows of real tokenizers, each with its
                                                                 own template (make_tokenizers.py)

What is trained is written down here a second time, by format and not by search: per template, the
text that follows the header of an answer (`answer`), for the modes that train assistants.
"""

import importlib.metadata
import json
import pathlib
import sys

from transformers import PreTrainedTokenizerFast

import conversations
import cookbook
import templates

THINK = "<think>\n\n</think>\n\n"
# name: bos, eos, what an answer trains, whether earlier answers are shown otherwise, messages of roles
FORMATS = {
    "qwen3": (None, "<|im_end|>", lambda c: THINK + c.lstrip("\n") + "<|im_end|>", True),
    "deepseek_v3": ("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>",
                    lambda c: c + "<｜end▁of▁sentence｜>", False),
    "merging": ("<|begin_of_text|>", "<|im_end|>", lambda c: c.strip() + "<|im_end|>", False),
    "marked": (None, "<|im_end|>", lambda c: c + "<|im_end|>", False),
    "bare": (None, "<|endoftext|>", lambda c: " " + c + "<|endoftext|>", False),
    "llama3_1": (None, None, lambda c: c.strip() + "<|eot_id|>", False),
    "gemma3": (None, None, lambda c: c.strip() + "<end_of_turn>", False),
    "llama3_1_meta": (None, None, lambda c: c.strip() + "<|eot_id|>", False),
    "gptoss": (None, None, lambda c: "<|channel|>final<|message|>" + c + "<|return|>", True),
    "deepseek_r1": (None, None, lambda c: c + "<｜end▁of▁sentence｜>", False),
    "smollm2": (None, None, lambda c: c + "<|im_end|>", False),
    "kimi_k2": (None, None, lambda c: c + "<|im_end|>", False),
}
TALKS = {k: v for k, v in conversations.ALL.items() if k != "spaces"}


def rows_of(name, tokenizer, template):
    _, _, answer, rewrites = FORMATS[name]
    rows = []
    for messages in TALKS.values():
        answers = [m["content"] for m in messages if m["role"] == "assistant"]
        text = tokenizer.apply_chat_template(messages, chat_template=template, tokenize=False)
        tokens = tokenizer.apply_chat_template(
            messages, chat_template=template, tokenize=True, return_dict=False)
        prompt = tokenizer.apply_chat_template(
            messages[:-1], chat_template=template, tokenize=True, return_dict=False,
            add_generation_prompt=True)
        row = {"messages": messages, "text": text, "tokens": tokens, "prompt": prompt,
               "last": [answer(answers[-1])]}
        if not rewrites or len(answers) == 1:
            row["all"] = [answer(a) for a in answers]
        if "generation" in template and name == "marked":
            encoded = tokenizer.apply_chat_template(
                messages, chat_template=template, tokenize=True, return_dict=True,
                return_assistant_tokens_mask=True)
            row["mask"] = encoded["assistant_masks"]
        rows.append(row)
    return rows


def main():
    out = {"made_by": "tests/conformance/chat/make_templates.py, transformers "
           + importlib.metadata.version("transformers"), "templates": []}
    if sys.argv[1] == "--real":
        for name in templates.FAMILIES:
            folder = pathlib.Path(sys.argv[2]) / name
            tokenizer, config = cookbook.load_tokenizer(folder)
            template = config["chat_template"]
            out["templates"].append({
                "name": name, "template": template, "bos": tokenizer.bos_token,
                "eos": tokenizer.eos_token,
                "tokenizer": str((folder / "tokenizer.json").resolve()),
                "rows": rows_of(name, tokenizer, template)})
    else:
        for path in sorted(pathlib.Path(sys.argv[2]).glob("*.jinja")):
            name, template = path.stem, path.read_text()
            bos, eos = FORMATS[name][:2]
            tokenizer = PreTrainedTokenizerFast(
                tokenizer_file=sys.argv[1], bos_token=bos, eos_token=eos)
            out["templates"].append({"name": name, "bos": bos, "eos": eos,
                                     "rows": rows_of(name, tokenizer, template)})
    print(json.dumps(out, ensure_ascii=False, separators=(",", ":")))


main()
