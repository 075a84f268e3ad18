"""What tinker-cookbook's renderers make of conversations: tokens, weights, split examples, generation
prompts, parsed answers and refusals, as JSON Lines, one file a renderer.

How a record reaches the cookbook, whose renderers take messages and no record:
  tools       the renderer's own `create_conversation_prefix_with_tools`, with the text of the first
              message as the system prompt if it is the system's; that message is then left out.
              `{"type": "function", "function": …}` is unwrapped. An empty list is none.
  trainable   for `customized`. Of the messages that tools bring in, the last one has the flag of the
              system message it replaces, or false; all others false.
  tool_calls  become the cookbook's objects.
"""

import copy
import json
import logging
import pathlib
import warnings

import tinker_cookbook.renderers as renderers
from tinker_cookbook.renderers import TrainOnWhat
from tinker_cookbook.renderers.base import ToolCall, ensure_text
from transformers import PreTrainedTokenizerFast

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)

DATE = "2026-01-31"
MODES = [mode.value for mode in TrainOnWhat]
SPLIT = ["last_assistant_message", "last_assistant_turn", "all_assistant_messages"]
# renderer: the tokenizer it is tested with
RENDERERS = {
    "role_colon": "llama3_1",
    "llama3": "llama3_1",
    "qwen3": "qwen3",
    "qwen3_disable_thinking": "qwen3",
    "qwen3_instruct": "qwen3",
    "qwen3_5": "qwen3_5",
    "qwen3_5_disable_thinking": "qwen3_5",
    "qwen3_5_preserve_thinking": "qwen3_5",
    "deepseekv3": "deepseek_v3",
    "deepseekv3_thinking": "deepseek_v3",
    "gpt_oss_no_sysprompt": "gptoss",
    "gpt_oss_low_reasoning": "gptoss",
    "gpt_oss_medium_reasoning": "gptoss",
    "gpt_oss_high_reasoning": "gptoss",
    "kimi_k2": "kimi_k2",
}
# V3.1 has `<think>` as a token, which V3 writes with several: both are tested.
MORE = [("deepseekv3", "deepseek_r1"), ("deepseekv3_thinking", "deepseek_r1")]
# file of golden rows: renderer, tokenizer
SETS = {name: (name, family) for name, family in RENDERERS.items()} | {
    f"{name}.{family}": (name, family) for name, family in MORE}


def name_of(token):
    return token["content"] if isinstance(token, dict) else token


def load_tokenizer(folder):
    """The tokenizer as its file has it. `AutoTokenizer` builds another pre-tokenizer for some of these,
    and a `clean_up_tokenization_spaces` in a config changes decoded texts."""
    folder = pathlib.Path(folder)
    config = json.loads((folder / "tokenizer_config.json").read_text())
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"), bos_token=name_of(config.get("bos_token")),
        eos_token=name_of(config.get("eos_token")), clean_up_tokenization_spaces=False)
    tokenizer.clean_up_tokenization_spaces = False
    return tokenizer, config


def load_renderer(name, tokenizer):
    renderer = renderers.get_renderer(name, tokenizer)
    if name.startswith("gpt_oss"):
        renderer.current_date = DATE
    return renderer


def customized(messages):
    """Flags for `customized`: assistants, and every third message."""
    return [{**m, "trainable": m["role"] == "assistant" or i % 3 == 0} for i, m in enumerate(messages)]


def convert(renderer, messages, tools):
    out = copy.deepcopy(messages)
    for message in out:
        if "tool_calls" in message:
            message["tool_calls"] = [ToolCall(**call) for call in message["tool_calls"]]
    if not tools:
        return out
    specs = [t["function"] if t.get("type") == "function" and "function" in t else t for t in tools]
    first = out[0] if out and out[0]["role"] == "system" else None
    if first is None:
        prefix = renderer.create_conversation_prefix_with_tools(specs)
    else:
        prefix = renderer.create_conversation_prefix_with_tools(specs, ensure_text(first["content"]))
        out = out[1:]
    if any("trainable" in m for m in messages):
        for message in prefix:
            message["trainable"] = False
        prefix[-1]["trainable"] = bool(first and first["trainable"])
    return prefix + out


def example(pair):
    model_input, weights = pair
    return {"tokens": model_input.to_ints(), "weights": [float(w) for w in weights]}


def attempt(make):
    """What `make` returns, or how it refuses."""
    try:
        return make()
    except Exception as e:  # noqa: BLE001 - every refusal is a result
        return {"error": type(e).__name__ + ": " + " ".join(str(e).split())[:300]}


def rows(renderer, talk):
    """One row a mode: `{mode, messages, tokens, weights, examples}`, or with `error` instead; `examples`
    is what the plural builder makes, or `{error}`. Then one a prompt: `{prompt_of, tokens}`."""
    tools = talk.get("tools")
    for mode in MODES:
        messages = customized(talk["messages"]) if mode == "customized" else talk["messages"]
        row = {"mode": mode, "messages": messages}
        if tools is not None:
            row["tools"] = tools
        what = TrainOnWhat(mode)
        row |= attempt(lambda: example(renderer.build_supervised_example(
            convert(renderer, messages, tools), what)))
        row["examples"] = attempt(lambda: [example(pair) for pair in renderer.build_supervised_examples(
            convert(renderer, messages, tools), what)])
        yield row
    for count in sorted({len(talk["messages"]), max(len(talk["messages"]) - 1, 0)}):
        messages = talk["messages"][:count]
        row = {"prompt_of": count, "messages": messages}
        if tools is not None:
            row["tools"] = tools
        yield row | attempt(lambda: {"tokens": renderer.build_generation_prompt(
            convert(renderer, messages, tools)).to_ints()})


def jsonable(message):
    out = dict(message)
    for key in ("tool_calls", "unparsed_tool_calls"):
        if key in out:
            out[key] = [c if isinstance(c, dict) else c.model_dump() for c in out[key]]
    return out


def parse(renderer, tokens):
    def go():
        message, termination = renderer.parse_response(list(tokens))
        return {"message": jsonable(message), "termination": str(termination.value)}

    return {"response": list(tokens)} | attempt(go)


# Answers as a model might write them, spelled as text; `$` is the renderer's stop token.
ANSWERS = [
    "Paris.$", "Paris.", "", "$", "Paris.$$", "Paris.$ and$", "  Paris. \n$", "\n\nParis.\n\n$",
    "<think>\nLook.\n</think>\n\nParis.$", "<think>Look.</think>Paris.$", "Look.</think>Paris.$",
    "Look.\n</think>\n\nParis.$", "<think>\nLook.$", "<think>\nLook.", "<think>\n\n</think>\n\nParis.$",
    "<think>a</think>b<think>c</think>d$", "Paris <think>a</think>.$", "</think>$", "<think></think>$",
    "Über 数字 😀👩‍🚀 e\u0301$", "😀", "\x00\x07$",
    '<tool_call>\n{"name": "f", "arguments": {"a": 1}}\n</tool_call>$',
    'Look:\n\n<tool_call>\n{"name": "f", "arguments": {"a": "x", "b": [1.50, null, true]}}\n</tool_call>\n'
    '<tool_call>\n{"name": "g", "arguments": {}}\n</tool_call>$',
    '<tool_call>\n{"name": "f", "arguments": "{}"}\n</tool_call>$',
    "<tool_call>\n{not json}\n</tool_call>$", '<tool_call>\n{"name": 3, "arguments": {}}\n</tool_call>$',
    '<tool_call>\n{"arguments": {}}\n</tool_call>$', '<tool_call>\n[1]\n</tool_call>$',
    '<tool_call>\n{"name": "f", "arguments": {"a": 1}}\n$', "text <tool_call>$", "text </tool_call>$",
    '<think>\nuse f\n</think>\n\n<tool_call>\n{"name": "f", "arguments": {"a": 1}}\n</tool_call>$',
    '<tool_call>{"name": "f", "arguments": {"a": 1}}</tool_call> after$',
    "<tool_call>\n<function=f>\n<parameter=a>\n1\n</parameter>\n<parameter=b>\nx y\n</parameter>\n"
    "</function>\n</tool_call>$",
    "Go.\n\n<tool_call>\n<function=f>\n</function>\n</tool_call>\n<tool_call>\n<function=g>\n<parameter=z>\n"
    "line\nline\n</parameter>\n</function>\n</tool_call>$",
    "<tool_call>\n<function=f>\n<parameter=a>\n1\n</function>\n</tool_call>$",
    "<tool_call>\n<function=f>\n<parameter=a>\nTrue\n</parameter>\n<parameter=b>\nNone\n</parameter>\n"
    '<parameter=c>\n{"k": [1, "2"]}\n</parameter>\n</function>\n</tool_call>$',
    "<tool_call>\nnothing\n</tool_call>$",
    '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>{"a": 1}<｜tool▁call▁end｜><｜tool▁calls▁end｜>$',
    'Look.<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>{"a": 1}<｜tool▁call▁end｜>'
    "<｜tool▁call▁begin｜>g<｜tool▁sep｜>{}<｜tool▁call▁end｜><｜tool▁calls▁end｜>$",
    "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>{bad<｜tool▁call▁end｜><｜tool▁calls▁end｜>$",
    '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>{"a": 1}$', "<｜tool▁calls▁begin｜>$",
    "<|channel|>final<|message|>Paris.<|return|>",
    "<|channel|>analysis<|message|>Look.<|end|><|start|>assistant<|channel|>final<|message|>Paris.<|return|>",
    "<|channel|>analysis<|message|>Look.<|end|><|start|>assistant to=functions.f<|channel|>commentary "
    '<|constrain|>json<|message|>{"a": 1}<|call|>',
    '<|channel|>commentary to=functions.f <|constrain|>json<|message|>{"a": 1}<|call|>',
    " to=functions.f<|channel|>commentary <|constrain|>json<|message|>{bad<|call|>",
    "<|channel|>commentary<|message|>I will look.<|end|><|start|>assistant to=functions.f<|channel|>"
    'commentary <|constrain|>json<|message|>{"a": 1}<|call|>',
    "<|channel|>analysis<|message|>Look.", "<|channel|>final<|message|>Par", "<|channel|>final",
    "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>analysis<|message|>b<|end|>"
    "<|start|>assistant<|channel|>final<|message|>c<|return|>",
    "<|channel|>final<|message|>Paris.<|end|>", "<|channel|>poem<|message|>Roses.<|return|>",
    "<think></think>Paris.$", "<think>Look.</think><|tool_calls_section_begin|><|tool_call_begin|>"
    'functions.f:0<|tool_call_argument_begin|>{"a": 1}<|tool_call_end|><|tool_calls_section_end|>$',
    'Go.<|tool_calls_section_begin|><|tool_call_begin|>functions.f:0<|tool_call_argument_begin|>{"a": 1}'
    "<|tool_call_end|><|tool_call_begin|>functions.g:1<|tool_call_argument_begin|>{}<|tool_call_end|>"
    "<|tool_calls_section_end|>$",
    "<|tool_calls_section_begin|><|tool_call_begin|>functions.f:0<|tool_call_argument_begin|>{bad"
    "<|tool_call_end|><|tool_calls_section_end|>$",
    "<|tool_calls_section_begin|><|tool_call_begin|>f<|tool_call_argument_begin|>{}<|tool_call_end|>"
    "<|tool_calls_section_end|>$",
    '<|tool_calls_section_begin|><|tool_call_begin|>functions.f:0<|tool_call_argument_begin|>{"a": 1}$',
    " Paris.\n\nUser:", " Paris.\n\nUser: and\n\nUser:", " Paris.\n\nUser", "Paris\n\n", " Paris.%",
    "Paris.%", "Paris.<|im_end|>", "Paris.<|eot_id|>", "Paris.<|im_end|>\n",
]


def parses(renderer, tokenizer, talks):
    """Answers by hand, then what `talks` teach, whole, cut in the middle and without its end."""
    stop = [s for s in renderer.get_stop_sequences() if isinstance(s, int)]
    spell = tokenizer.decode(stop[:1]) if stop else "\n\nUser:"
    responses = []
    for answer in ANSWERS:
        answer = answer.replace("$", spell).replace("%", tokenizer.eos_token or "")
        responses.append(tokenizer.encode(answer, add_special_tokens=False))
    for talk in talks.values():
        try:
            pair = renderer.build_supervised_example(
                convert(renderer, talk["messages"], talk.get("tools")),
                TrainOnWhat.LAST_ASSISTANT_MESSAGE)
        except Exception:  # noqa: BLE001 - told by rows()
            continue
        made = example(pair)
        taught = [t for t, w in zip(made["tokens"], made["weights"]) if w]
        if taught:
            responses += [taught, taught[:-1], taught[: len(taught) // 2], taught + taught[-1:]]
    seen = set()
    for response in responses:
        if tuple(response) not in seen:
            seen.add(tuple(response))
            yield parse(renderer, response)
