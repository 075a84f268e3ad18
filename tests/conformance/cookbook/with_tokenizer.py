"""Writes a random Qwen3 of two blocks for a tokenizer that there is.

usage: with_tokenizer.py TOKENIZER_DIR DIR    (needs numpy and safetensors)
"""

import json
import pathlib
import shutil
import sys

import numpy
from safetensors.numpy import save_file

HIDDEN, INNER, LAYERS, HEADS, KV_HEADS, HEAD, VOCABULARY = 64, 128, 2, 4, 2, 16, 151936


def main():
    source, folder = map(pathlib.Path, sys.argv[1:])
    folder.mkdir(parents=True)
    for file in source.iterdir():
        if file.is_file():
            shutil.copy(file, folder / file.name)
    config = {
        "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "hidden_size": HIDDEN,
        "intermediate_size": INNER, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS, "head_dim": HEAD, "vocab_size": VOCABULARY,
        "rms_norm_eps": 1e-6, "rope_theta": 1000000, "max_position_embeddings": 4096,
        "tie_word_embeddings": True, "attention_bias": False, "hidden_act": "silu",
        "eos_token_id": 151645, "bos_token_id": 151643, "torch_dtype": "float32",
    }
    (folder / "config.json").write_text(json.dumps(config))
    random = numpy.random.default_rng(5)
    normal = lambda *shape: (0.02 * random.standard_normal(shape)).astype(numpy.float32)
    ones = lambda size: numpy.ones(size, numpy.float32)
    tensors = {"model.embed_tokens.weight": 10 * normal(VOCABULARY, HIDDEN), "model.norm.weight": ones(HIDDEN)}
    for layer in range(LAYERS):
        at = f"model.layers.{layer}."
        tensors |= {
            at + "input_layernorm.weight": ones(HIDDEN),
            at + "post_attention_layernorm.weight": ones(HIDDEN),
            at + "self_attn.q_proj.weight": normal(HEADS * HEAD, HIDDEN),
            at + "self_attn.k_proj.weight": normal(KV_HEADS * HEAD, HIDDEN),
            at + "self_attn.v_proj.weight": normal(KV_HEADS * HEAD, HIDDEN),
            at + "self_attn.o_proj.weight": normal(HIDDEN, HEADS * HEAD),
            at + "self_attn.q_norm.weight": ones(HEAD),
            at + "self_attn.k_norm.weight": ones(HEAD),
            at + "mlp.gate_proj.weight": normal(INNER, HIDDEN),
            at + "mlp.up_proj.weight": normal(INNER, HIDDEN),
            at + "mlp.down_proj.weight": normal(HIDDEN, INNER),
        }
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


main()
