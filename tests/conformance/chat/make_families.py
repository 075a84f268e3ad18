"""Golden rows of role_colon, llama3 and chatml from tinker-cookbook's renderers (chatml: its
`qwen3_instruct`). Usage: make_families.py TOKENIZER_JSON"""

import importlib.metadata
import json
import sys

import tinker_cookbook.renderers as renderers
from tinker_cookbook.renderers import TrainOnWhat
from transformers import PreTrainedTokenizerFast

import conversations

MODES = [m.value for m in TrainOnWhat]
FAMILIES = [
    ("role_colon", "role_colon", None, "<|endoftext|>"),
    ("role_colon", "role_colon", "<|begin_of_text|>", "<|end_of_text|>"),
    ("llama3", "llama3", "<|begin_of_text|>", "<|end_of_text|>"),
    ("chatml", "qwen3_instruct", None, "<|endoftext|>"),
]


def main():
    out = {
        "made_by": "tests/conformance/chat/make_families.py, tinker-cookbook "
        + importlib.metadata.version("tinker-cookbook"),
        "families": [],
    }
    for ours, theirs, bos, eos in FAMILIES:
        tokenizer = PreTrainedTokenizerFast(tokenizer_file=sys.argv[1], bos_token=bos, eos_token=eos)
        tokenizer.clean_up_tokenization_spaces = False
        renderer = renderers.get_renderer(theirs, tokenizer)
        rows, parses = [], []
        talks = dict(conversations.ALL)
        if ours == "chatml":
            # The cookbook keeps control-token texts literal here; in the other two it does not.
            talks["control"] = conversations.CONTROL
        for name, messages in talks.items():
            for mode in MODES if name in ("plain", "long") else ["all_assistant_messages"]:
                talk = [dict(m) for m in messages]
                if mode == "customized":
                    for i, m in enumerate(talk):
                        m["trainable"] = i in (0, 2)
                model_input, weights = renderer.build_supervised_example(talk, TrainOnWhat(mode))
                rows.append({"messages": talk, "train_on": mode, "tokens": model_input.to_ints(),
                             "weights": [float(w) for w in weights]})
        stop = renderer.get_stop_sequences()
        answers = [" Paris.\n\nUser:", " Paris.\n\nUser: and\n\nUser:", " Paris", "",
                   "Paris<|im_end|>", "Paris<|eot_id|>", " Paris." + eos]
        for text in answers:
            tokens = tokenizer.encode(text, add_special_tokens=False)
            message, termination = renderer.parse_response(tokens)
            content = message["content"]
            assert isinstance(content, str)
            parses.append({"tokens": tokens, "content": content, "termination": str(termination)})
        prompts = [{"messages": m[:-1], "tokens": renderer.build_generation_prompt(m[:-1]).to_ints()}
                   for m in talks.values()]
        out["families"].append({"renderer": ours, "bos": bos, "eos": eos, "stop": stop, "rows": rows,
                                "prompts": prompts, "parses": parses})
    print(json.dumps(out, ensure_ascii=False, separators=(",", ":")))


main()
