"""One client after the other on one server: tinker_client.sh says what is compared.

usage: tinker_client.py TINSMITH ROUNDS STEPS BATCH
       tinker_client.py --sdk URL MODEL BATCHES     (one run of the SDK, in a process of its own)
"""

import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]


def sdk(url, model, batches):
    """Trains on ready-made batches, one step ahead. Prints times and the last loss."""
    begin = time.time()
    import tinker
    from tinker import types

    batches = json.load(open(batches))
    data = [
        [
            types.Datum(
                model_input=types.ModelInput.from_ints(tokens[:-1]),
                loss_fn_inputs={"target_tokens": tokens[1:], "weights": weights[1:]},
            )
            for tokens, weights in batch
        ]
        for batch in batches
    ]
    service = tinker.ServiceClient(base_url=url, api_key="tml-bench")
    client = service.create_lora_training_client(base_model=model, rank=8, seed=1)
    started = time.time()
    cpu_started = time.process_time()
    adam = types.AdamParams(learning_rate=1e-3, eps=1e-8)
    waiting, last = [], None
    for batch in data:
        waiting.append((client.forward_backward(batch, "cross_entropy"), client.optim_step(adam)))
        if len(waiting) > 1:
            forward, step = waiting.pop(0)
            last = forward.result()
            step.result()
    for forward, step in waiting:
        last = forward.result()
        step.result()
    loss = last.metrics["loss:sum"]
    print(json.dumps({
        "start": started - begin, "loss": loss, "wall": time.time() - started,
        "cpu": time.process_time() - cpu_started, "cpu_all": time.process_time(),
    }))
    sys.stdout.flush()
    os._exit(0)


def main(tinsmith, rounds, steps, batch):
    tinsmith = os.path.abspath(tinsmith)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        subprocess.run(
            [sys.executable, ROOT / "tests/conformance/sdk/make_tiny_qwen3.py", folder / "tiny"], check=True
        )
        lines = (ROOT / "configs/quickstart/train.jsonl").read_text().splitlines()
        (folder / "chats.jsonl").write_text(
            "".join(lines[i % len(lines)] + "\n" for i in range(steps * batch))
        )
        server = subprocess.Popen(
            [tinsmith, "serve", "-q", "--model", folder / "tiny", "--port", "0", "--state", folder / "state"],
            stdout=subprocess.PIPE, text=True,
        )
        try:
            url = server.stdout.readline().strip()
            compare(tinsmith, folder, url, rounds, steps, batch)
        finally:
            server.terminate()
            server.wait()


def compare(tinsmith, folder, url, rounds, steps, batch):
    (folder / "run.yaml").write_text(f"""
model: {{base_model: tiny, tokenizer: {folder}/tiny}}
lora: {{rank: 8, seed: 1, train_unembed: true}}
renderer: chatml
datasets: [{{path: {folder}/chats.jsonl}}]
data: {{shuffle: false, max_length: 4096}}
training: {{batch_size: {batch}, max_steps: {steps}, normalization: none, submit_ahead: 1}}
optimizer: {{learning_rate: 1.0e-3, beta1: 0.9, beta2: 0.95, eps: 1.0e-8, weight_decay: 0, grad_clip_norm: 0}}
schedule: constant
trainer: {{name: tinker, base_url: "{url}"}}
output: {folder}/out
""")
    rendered = subprocess.run(
        [tinsmith, "render", folder / "chats.jsonl", "--config", folder / "run.yaml", "--format", "json", "-q"],
        check=True, capture_output=True, text=True,
    ).stdout
    rows = [json.loads(line) for line in rendered.splitlines()]
    examples = [(row["tokens"], row["weights"]) for row in rows]
    batches = [examples[i * batch : (i + 1) * batch] for i in range(steps)]
    (folder / "batches.json").write_text(json.dumps(batches))
    tokens = sum(len(tokens) - 1 for part in batches for tokens, _ in part)
    print(f"{steps} steps of {batch} examples, {tokens} tokens; medians of {rounds} interleaved runs")
    ours, theirs = [], []
    for _ in range(rounds):
        # What one step costs besides the steps: the start, reading and rendering.
        start = run_ours(tinsmith, folder, ["--set", "training.max_steps=1"])
        run = run_ours(tinsmith, folder)
        ours.append(run | {"cpu": max(run["cpu_all"] - start["cpu_all"], 0.0) * steps / (steps - 1)})
        theirs.append(run_theirs(folder, url))
    med = lambda runs, key: statistics.median(run[key] for run in runs)
    print(f"{'':16}{'wall s':>9}{'steps/s':>9}{'cpu of steps s':>16}{'cpu of all s':>14}   last loss")
    for name, runs in [("tinsmith", ours), ("tinker 0.38.0", theirs)]:
        wall = med(runs, "wall")
        print(f"{name:16}{wall:9.2f}{steps / wall:9.2f}{med(runs, 'cpu'):16.3f}{med(runs, 'cpu_all'):14.3f}"
              f"   {runs[-1]['loss']:.4f}")
    ratio = {key: med(ours, key) / med(theirs, key) for key in ["wall", "cpu", "cpu_all"]}
    print(f"of the SDK's: wall time {ratio['wall']:.2f} (meant: 1 at most), the client's CPU time"
          f" {ratio['cpu']:.3f} for the steps and {ratio['cpu_all']:.3f} for the whole process (meant: 0.2 at most)")
    close = abs(ours[-1]["loss"] - theirs[-1]["loss"]) <= 1e-3 * abs(theirs[-1]["loss"])
    print("the last losses are " + ("the same" if close else "NOT THE SAME"))
    if close and max(ratio["cpu"], ratio["cpu_all"]) <= 0.2 and ratio["wall"] <= 1.05:
        print("as meant")


def run_ours(tinsmith, folder, more=()):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([tinsmith, "train", folder / "run.yaml", "-q", *more], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    metrics = max((folder / "out/runs").glob("*/metrics.jsonl"), key=lambda path: path.stat().st_mtime)
    rows = [json.loads(line) for line in metrics.read_text().splitlines()]
    rows = [row for row in rows if row["kind"] == "step"]
    return {"wall": sum(row["seconds"] for row in rows), "cpu_all": cpu, "loss": rows[-1]["loss:sum"]}


def run_theirs(folder, url):
    out = subprocess.run(
        [sys.executable, __file__, "--sdk", url, "tiny", folder / "batches.json"],
        check=True, capture_output=True, text=True, env=os.environ | {"TINKER_TELEMETRY": "0"},
    ).stdout
    return json.loads(out.splitlines()[-1])


if __name__ == "__main__":
    if sys.argv[1] == "--sdk":
        sdk(*sys.argv[2:])
    else:
        main(sys.argv[1], *map(int, sys.argv[2:]))
