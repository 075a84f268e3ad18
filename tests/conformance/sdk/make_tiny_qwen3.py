#!/usr/bin/env python3
"""Writes a random Qwen3 of two blocks with a tokenizer of single bytes: small enough to train in seconds.

usage: make_tiny_qwen3.py DIR    (needs nothing but Python)
"""
import json
import os
import random
import struct
import sys

HIDDEN, INNER, LAYERS, HEADS, KV_HEADS, HEAD = 64, 128, 2, 4, 2, 16
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


def byte_letters():
    """How byte-level BPE spells bytes: printable ones as themselves, the others shifted."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    shifted = iter(range(256, 512))
    return [chr(b) if b in plain else chr(next(shifted)) for b in range(256)]


def tokenizer():
    vocab = {letter: i for i, letter in enumerate(byte_letters())}
    added = [
        {"id": 256 + i, "content": text, "single_word": False, "lstrip": False, "rstrip": False,
         "normalized": False, "special": True}
        for i, text in enumerate(SPECIAL)
    ]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None,
        "pre_tokenizer": byte_level, "post_processor": None, "decoder": byte_level,
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False,
                  "ignore_merges": False, "vocab": vocab, "merges": []},
    }


def weights(vocab):
    draw = random.Random(0)
    matrix = lambda rows, columns, spread: ([rows, columns], [draw.gauss(0, spread) for _ in range(rows * columns)])
    ones = lambda n: ([n], [1.0] * n)
    out = {"model.embed_tokens.weight": matrix(vocab, HIDDEN, 0.3), "model.norm.weight": ones(HIDDEN)}
    for i in range(LAYERS):
        p = f"model.layers.{i}."
        out |= {
            p + "input_layernorm.weight": ones(HIDDEN), p + "post_attention_layernorm.weight": ones(HIDDEN),
            p + "self_attn.q_proj.weight": matrix(HEADS * HEAD, HIDDEN, 0.05),
            p + "self_attn.k_proj.weight": matrix(KV_HEADS * HEAD, HIDDEN, 0.05),
            p + "self_attn.v_proj.weight": matrix(KV_HEADS * HEAD, HIDDEN, 0.05),
            p + "self_attn.o_proj.weight": matrix(HIDDEN, HEADS * HEAD, 0.05),
            p + "self_attn.q_norm.weight": ones(HEAD), p + "self_attn.k_norm.weight": ones(HEAD),
            p + "mlp.gate_proj.weight": matrix(INNER, HIDDEN, 0.05),
            p + "mlp.up_proj.weight": matrix(INNER, HIDDEN, 0.05),
            p + "mlp.down_proj.weight": matrix(HIDDEN, INNER, 0.05),
        }
    return out


def main(folder):
    os.makedirs(folder, exist_ok=True)
    write = lambda name, value: json.dump(value, open(os.path.join(folder, name), "w"), indent=1)
    vocab = 256 + len(SPECIAL)
    write("config.json", {
        "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "attention_bias": False,
        "bos_token_id": 256, "eos_token_id": 258, "head_dim": HEAD, "hidden_act": "silu",
        "hidden_size": HIDDEN, "intermediate_size": INNER, "max_position_embeddings": 1024,
        "num_attention_heads": HEADS, "num_hidden_layers": LAYERS, "num_key_value_heads": KV_HEADS,
        "rms_norm_eps": 1e-6, "rope_theta": 1000000, "tie_word_embeddings": True,
        "torch_dtype": "float32", "vocab_size": vocab,
    })
    write("generation_config.json", {"eos_token_id": [258, 256]})
    write("tokenizer.json", tokenizer())
    write("tokenizer_config.json", {
        "tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|im_end|>", "model_max_length": 1024,
        "chat_template": "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n"
                         "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
    })
    header, data, end = {}, [], 0
    for name, (shape, values) in sorted(weights(vocab).items()):
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [end, end + 4 * len(values)]}
        end += 4 * len(values)
        data.append(struct.pack(f"<{len(values)}f", *values))
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    with open(os.path.join(folder, "model.safetensors"), "wb") as out:
        out.write(struct.pack("<Q", len(head)) + head + b"".join(data))


if __name__ == "__main__":
    main(sys.argv[1])
