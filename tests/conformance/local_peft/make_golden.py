"""Reference values of the local trainer, by PyTorch, transformers and PEFT.

Writes tests/fixtures/local/<case>/: a tiny model in Hugging Face layout and `golden.safetensors` with a batch of
unequal, masked sequences, log-probabilities, gradients, and parameters after five AdamW steps with clipping and
weight decay. Each sequence runs alone, without padding; the loss is -sum(weight * logprob).

    make_golden.py OUT
"""

import hashlib
import json
import pathlib
import sys

import peft
import torch
import transformers
from safetensors.torch import load_file, save_file

LENGTHS = [7, 1, 66, 13]
STEPS = 5
ADAM = dict(lr=3e-3, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1)
CLIP = 0.5
LINEARS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
SHAPE = dict(hidden_size=32, intermediate_size=48, num_hidden_layers=2, vocab_size=48, max_position_embeddings=256)

CASES = {
    # Grouped heads, llama3 rotation that changes frequencies within these lengths, a head of its own.
    "llama_f32": dict(
        config=transformers.LlamaConfig(
            **SHAPE, num_attention_heads=4, num_key_value_heads=2, rms_norm_eps=1e-5, tie_word_embeddings=False,
            rope_parameters=dict(rope_type="llama3", rope_theta=10000.0, factor=8.0, low_freq_factor=1.0,
                                 high_freq_factor=4.0, original_max_position_embeddings=32)),
        dtype=torch.float32, targets=LINEARS + ["lm_head"], full=True),
    # q/k norm, a head width that is not hidden / heads, a tied head.
    "qwen3_tied": dict(
        config=transformers.Qwen3Config(
            **SHAPE, num_attention_heads=4, num_key_value_heads=2, head_dim=16, rms_norm_eps=1e-6,
            tie_word_embeddings=True, rope_parameters=dict(rope_type="default", rope_theta=1000000.0)),
        dtype=torch.float32, targets=LINEARS, full=True),
    # Weights on disk in bfloat16; the arithmetic is f32 in both programs.
    "llama_bf16": dict(
        config=transformers.LlamaConfig(
            **SHAPE, num_attention_heads=2, num_key_value_heads=1, rms_norm_eps=1e-5, tie_word_embeddings=True,
            rope_parameters=dict(rope_type="default", rope_theta=10000.0)),
        dtype=torch.bfloat16, targets=LINEARS, full=False),
}


def randomise(model, seed):
    """Weights of a lively size, norms about 1."""
    g = torch.Generator().manual_seed(seed)
    for name, p in model.named_parameters():
        noise = torch.randn(p.shape, generator=g)
        p.data = (1 + 0.2 * noise if "norm" in name else 0.15 * noise).to(p.dtype)


def make_batch(vocab, seed):
    g = torch.Generator().manual_seed(seed)
    total = sum(LENGTHS)
    tokens = torch.randint(0, vocab, (total,), generator=g)
    targets = torch.randint(0, vocab, (total,), generator=g)
    weights = torch.rand(total, generator=g) * (torch.rand(total, generator=g) > 0.35)
    return tokens, targets, weights / 10


def logprobs(model, tokens, targets):
    out, start = [], 0
    for n in LENGTHS:
        ids = tokens[start:start + n].unsqueeze(0)
        logits = model(input_ids=ids, use_cache=False).logits[0].float()
        out.append(torch.log_softmax(logits, -1).gather(-1, targets[start:start + n, None])[:, 0])
        start += n
    return torch.cat(out)


def train(model, batch, name_of, prefix, golden):
    """Log-probabilities and gradients at the start, parameters after the steps."""
    tokens, targets, weights = batch
    trained = {name_of(n): p for n, p in model.named_parameters() if p.requires_grad}
    optimizer = torch.optim.AdamW(trained.values(), **ADAM)
    for step in range(STEPS):
        optimizer.zero_grad()
        lp = logprobs(model, tokens, targets)
        loss = -(weights * lp).sum()
        loss.backward()
        if step == 0:
            golden[f"{prefix}.logprobs"] = lp.detach().clone()
            golden[f"{prefix}.loss"] = loss.detach().reshape(1)
            for n, p in trained.items():
                golden[f"{prefix}.grad.{n}"] = p.grad.clone()
        norm = torch.nn.utils.clip_grad_norm_(trained.values(), CLIP)
        assert norm > CLIP, f"the clip norm does nothing: {norm}"
        optimizer.step()
    for n, p in trained.items():
        golden[f"{prefix}.after.{n}"] = p.detach().clone()


def load(path, config):
    """The model as a reader of the directory sees it, widened to f32."""
    model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32, attn_implementation="eager")
    missing, unexpected = model.load_state_dict({k: v.float() for k, v in load_file(path).items()}, strict=False)
    assert not unexpected and set(missing) <= {"lm_head.weight"}, (missing, unexpected)
    model.tie_weights()
    return model


def case(out, name, config, dtype, targets, full):
    folder = out / name
    folder.mkdir(parents=True, exist_ok=True)
    config.eos_token_id = 2
    model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    randomise(model, seed=len(name))
    state = {k: v.detach().to(dtype).contiguous() for k, v in model.state_dict().items()}
    if config.tie_word_embeddings:
        state.pop("lm_head.weight", None)
    save_file(state, folder / "model.safetensors")
    described = {k: v for k, v in config.to_dict().items() if k in KEPT}
    described["architectures"] = [type(model).__name__]
    (folder / "config.json").write_text(json.dumps(described, indent=1, sort_keys=True) + "\n")

    batch = make_batch(config.vocab_size, seed=5)
    golden = dict(zip(("tokens", "targets", "weights"), (batch[0].to(torch.int32), batch[1].to(torch.int32), batch[2])))
    golden["lengths"] = torch.tensor(LENGTHS, dtype=torch.int32)

    lora = peft.LoraConfig(r=4, lora_alpha=6, target_modules=targets, lora_dropout=0.0, task_type="CAUSAL_LM")
    adapted = peft.get_peft_model(load(folder / "model.safetensors", config), lora)
    g = torch.Generator().manual_seed(9)
    peft_name = lambda n: n.replace(".default", "")
    for n, p in adapted.named_parameters():
        if p.requires_grad:
            p.data = 0.2 * torch.randn(p.shape, generator=g)
            golden[f"lora.start.{peft_name(n)}"] = p.detach().clone()
    train(adapted, batch, peft_name, "lora", golden)
    if full:
        train(load(folder / "model.safetensors", config), batch, lambda n: n, "full", golden)
    save_file({k: v.contiguous() for k, v in golden.items()}, folder / "golden.safetensors")


KEPT = {"model_type", "hidden_size", "intermediate_size", "num_hidden_layers", "vocab_size", "head_dim", "hidden_act",
        "max_position_embeddings", "num_attention_heads", "num_key_value_heads", "rms_norm_eps", "eos_token_id",
        "tie_word_embeddings", "rope_parameters", "attention_bias", "mlp_bias"}


def main():
    torch.set_num_threads(1)
    out = pathlib.Path(sys.argv[1])
    for name, what in CASES.items():
        case(out, name, **what)
    made_by = dict(torch=torch.__version__, transformers=transformers.__version__, peft=peft.__version__,
                   generator=hashlib.sha256(pathlib.Path(__file__).read_bytes()).hexdigest(),
                   lengths=LENGTHS, steps=STEPS, clip=CLIP, rank=4, alpha=6, **ADAM)
    (out / "golden.json").write_text(json.dumps(made_by, indent=1) + "\n")


main()
