"""One training step of PyTorch + transformers + PEFT and of tinsmith's local trainer, side by side.

SmolLM2-135M's shape with random weights, LoRA of rank 16 on all seven linear layers of each block, 4 sequences of 256
tokens, forward and backward, f32, the same number of threads. The programs take turns, each round a fresh process, so
that a busy machine slows both; the table gives medians. CPU seconds are those of all threads, for a step. Peak memory is the process's own high-water mark.

    local_vs_peft.py STEP_BINARY [--rounds N] [--threads N] [--steps N] [--dtype f32|bf16]
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time


def torch_side(threads, steps, dtype):
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=49152, hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9,
        num_key_value_heads=3, max_position_embeddings=8192, tie_word_embeddings=True, rms_norm_eps=1e-5,
        rope_parameters=dict(rope_type="default", rope_theta=100000.0))
    config._attn_implementation = "sdpa"
    model = LlamaForCausalLM(config).to(torch.float32 if dtype == "f32" else torch.bfloat16)
    linears = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    model = get_peft_model(model, LoraConfig(r=16, lora_alpha=32, target_modules=linears, task_type="CAUSAL_LM"))
    model.train()
    ids = torch.randint(0, config.vocab_size, (4, 256))
    seconds = []
    for step in range(steps + 1):
        if step == 1:
            cpu = time.process_time()
        start = time.perf_counter()
        model(input_ids=ids, labels=ids, use_cache=False).loss.backward()
        seconds.append(time.perf_counter() - start)
        model.zero_grad(set_to_none=False)
    cpu = (time.process_time() - cpu) / steps
    step = statistics.median(seconds[1:])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(json.dumps(dict(engine="torch+peft", version=torch.__version__, tokens_per_s=1024 / step, step_s=step, cpu_s=cpu,
                          peak_rss_mb=peak)))


def run(command):
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(out.strip().splitlines()[-1])


def cpu():
    for line in open("/proc/cpuinfo"):
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown CPU"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--dtype", default="f32", choices=["f32", "bf16"])
    args = parser.parse_args()
    if args.binary == "torch":
        return torch_side(args.threads, args.steps, args.dtype)
    common = ["--threads", str(args.threads), "--steps", str(args.steps), "--dtype", args.dtype]
    sides = {"tinsmith": [args.binary, *common], "PyTorch + PEFT": [sys.executable, __file__, "torch", *common]}
    rounds = {name: [] for name in sides}
    for _ in range(args.rounds):
        for name, command in sides.items():
            rounds[name].append(run(command))
    median = lambda name, key: statistics.median(r[key] for r in rounds[name])
    print(f"{cpu()}, {args.threads} threads, load {os.getloadavg()[0]:.1f}, {args.dtype}, torch "
          f"{rounds['PyTorch + PEFT'][0]['version']}; medians of {args.rounds} rounds of {args.steps} steps")
    print(f"{'':16}{'tokens/s':>10}{'s a step':>10}{'CPU s':>10}{'peak MB':>10}")
    for name in sides:
        print(f"{name:16}{median(name, 'tokens_per_s'):10.0f}{median(name, 'step_s'):10.2f}"
              f"{median(name, 'cpu_s'):10.2f}"
              f"{median(name, 'peak_rss_mb'):10.0f}")
    speed = median("tinsmith", "tokens_per_s") / median("PyTorch + PEFT", "tokens_per_s")
    memory = median("tinsmith", "peak_rss_mb") / median("PyTorch + PEFT", "peak_rss_mb")
    cpu_time = median("tinsmith", "cpu_s") / median("PyTorch + PEFT", "cpu_s")
    print(f"tinsmith has {speed:.2f} times the speed, {cpu_time:.2f} times the CPU time and {memory:.2f} times the peak memory")


main()
