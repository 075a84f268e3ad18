"""Prompts of whole chat templates by transformers' `apply_chat_template`, each model's own template."""

import datetime

import transformers.utils.chat_template_utils as chat_template_utils
from cookbook import DATE, attempt

FAMILIES = ["qwen3", "llama3_1", "llama3_1_meta", "gptoss", "deepseek_v3", "deepseek_r1", "gemma3",
            "smollm2", "kimi_k2"]
# Renderers of ours that the cookbook has not: they write what the model's own template writes.
RENDERERS = {"smollm2": "smollm2", "gemma3": "gemma3"}


class Frozen(datetime.datetime):
    """A clock for templates that write today's date."""

    @classmethod
    def now(cls, tz=None):
        return cls.fromisoformat(DATE)


chat_template_utils.datetime = Frozen
chat_template_utils._compile_jinja_template.cache_clear()


def joined(messages):
    """The same messages with the text parts of each as one text."""
    one = lambda parts: "".join(part["text"] for part in parts)
    text = lambda c: isinstance(c, list) and all(isinstance(p, dict) and p.get("type") == "text" for p in c)
    return [{**m, "content": one(m["content"])} if text(m["content"]) else m for m in messages]


def rows(tokenizer, config, talks):
    """One row a prompt, `{id, prompt_of, messages, tools, tokens}`, or with `error`; where contents are
    lists of texts also `joined`, the tokens once each is one text. Templates take tools as `{"type":
    "function", "function": …}`, so these are wrapped, in the record as well."""
    def prompt(messages, tools):
        return attempt(lambda: {"tokens": tokenizer.apply_chat_template(
            messages, tools=tools, chat_template=config["chat_template"],
            add_generation_prompt=True, tokenize=True, return_dict=False)})

    for name, talk in talks.items():
        for count in sorted({len(talk["messages"]), max(len(talk["messages"]) - 1, 0)}):
            messages, tools = talk["messages"][:count], talk.get("tools")
            if tools is not None:
                tools = [t if "function" in t else {"type": "function", "function": t} for t in tools]
            row = {"id": name, "prompt_of": count, "messages": messages}
            if tools is not None:
                row["tools"] = tools
            if joined(messages) != messages:
                row["joined"] = prompt(joined(messages), tools).get("tokens")
            yield row | prompt(messages, tools)
