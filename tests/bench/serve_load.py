"""Many sessions of the official SDK on one server: serve_load.sh says what is asked of it.

usage: serve_load.py TINSMITH PROCESSES CLIENTS STEPS
       serve_load.py --process URL MODEL FIRST CLIENTS STEPS     (the clients of one process)
"""

import collections
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import urllib.request
import warnings

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Sessions of the same seed have the same data, too.
SEEDS = 4
WAIT = 600


def process(url, model, first, clients, steps):
    """Runs its clients at once, each a thread with a session of its own. Prints what they were told."""
    warnings.simplefilter("ignore")
    import tinker

    told = [None] * clients

    def work(i):
        try:
            told[i] = client(tinker, url, model, (first + i) % SEEDS, steps)
        except BaseException as e:  # what an SDK raises is its own affair
            trace = traceback.format_exc().strip().splitlines()[-6:]
            told[i] = {"error": f"session {first + i}: {type(e).__name__}: {e}", "trace": trace}

    threads = [threading.Thread(target=work, args=(i,)) for i in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps(told))
    sys.stdout.flush()
    os._exit(0)


def client(tinker, url, model, seed, steps):
    """Trains, saves and samples in one session."""
    types = tinker.types
    service = tinker.ServiceClient(base_url=url, api_key="tml-bench")
    training = get(service.create_lora_training_client(base_model=model, rank=8, seed=seed))
    data = [datum(types, "What is the secret word? ", f"xylophone {seed}"), datum(types, "Who wrote it? ", "a robot")]
    adam = types.AdamParams(learning_rate=1e-2, eps=1e-8)
    # Everything is sent before anything is waited for.
    sent = [
        (training.forward_backward(data, "cross_entropy"), training.forward_backward(data[:1], "cross_entropy"),
         training.optim_step(adam))
        for _ in range(steps)
    ]
    losses = []
    for one, two, step in sent:
        one, two, step = get(one), get(two), get(step)
        losses.append([one.metrics["loss:sum"], two.metrics["loss:sum"], step.metrics["grad_norm"]])
    get(training.save_state("state"))
    path = get(training.save_weights_for_sampler("sampler")).path
    named = get(service.create_sampling_client(model_path=path))
    nameless = get(training.save_weights_and_get_sampling_client())
    prompt = types.ModelInput.from_ints(list(b"What is the secret word? "))
    params = types.SamplingParams(max_tokens=12, temperature=1.0, seed=seed)
    # Two requests of each at once.
    asked = [sampler.sample(prompt=prompt, num_samples=2, sampling_params=params)
             for sampler in (named, nameless) for _ in range(2)]
    drawn = [[[list(s.tokens), list(s.logprobs)] for s in get(one).sequences] for one in asked]
    assert all(one == drawn[0] for one in drawn), "weights with and without a name give other samples"
    logprobs = get(named.compute_logprobs(prompt))
    service.close("success")
    return {"seed": seed, "losses": losses, "samples": drawn[0], "logprobs": logprobs, "requests": len(asked) + 1}


def get(future):
    return future.result(WAIT) if hasattr(type(future), "result") else future


def datum(types, prompt, answer):
    ids = list(prompt.encode()) + list(answer.encode()) + [258]
    weights = [0.0] * (len(prompt) - 1) + [1.0] * (len(answer) + 1)
    return types.Datum(model_input=types.ModelInput.from_ints(ids[:-1]),
                       loss_fn_inputs={"target_tokens": ids[1:], "weights": weights})


def main(tinsmith, processes, clients, steps):
    tinsmith = os.path.abspath(tinsmith)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        subprocess.run(
            [sys.executable, ROOT / "tests/conformance/sdk/make_tiny_qwen3.py", folder / "tiny"], check=True
        )
        warned = open(folder / "server.log", "w+")
        server = subprocess.Popen(
            [tinsmith, "serve", "--model", folder / "tiny", "--port", "0", "--state", folder / "state"],
            stdout=subprocess.PIPE, stderr=warned, text=True,
        )
        try:
            url = server.stdout.readline().strip()
            begun = time.time()
            told = drive(url, processes, clients, steps, folder)
            wall = time.time() - begun
            figures = urllib.request.urlopen(f"{url}/metrics").read().decode()
            status = pathlib.Path(f"/proc/{server.pid}/status").read_text()
            peak = int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024
        finally:
            server.terminate()
            code = server.wait()
        warned.seek(0)
        warnings_ = [line for line in warned.read().splitlines() if re.match(r"(warn|error)", line)]
    report(told, steps, wall, figures, peak, warnings_, code)


def drive(url, processes, clients, steps, folder):
    """Starts the processes at once. Answers what each session came to."""
    env = os.environ | {"TINKER_TELEMETRY": "0"}
    args = lambda p: [sys.executable, __file__, "--process", url, "tiny", str(p * clients), str(clients), str(steps)]
    outs = [open(folder / f"{p}.json", "w+") for p in range(processes)]
    running = [subprocess.Popen(args(p), stdout=out, env=env) for p, out in enumerate(outs)]
    told = []
    for p, (one, out) in enumerate(zip(running, outs)):
        code = one.wait()
        out.seek(0)
        lines = out.read().splitlines()
        told += json.loads(lines[-1]) if lines else [{"error": f"process {p} ended with {code}"}] * clients
    return told


def report(told, steps, wall, figures, peak, warned, code):
    errors = [one for one in told if "error" in one]
    for one in errors[:10]:
        print(one["error"], *one.get("trace", []), sep="\n    ")
    count = lambda outcome: sum(
        float(line.rsplit(" ", 1)[1]) for line in figures.splitlines()
        if line.startswith("tinsmith_operations_total") and f'outcome="{outcome}"' in line)
    groups = collections.defaultdict(set)
    for one in told:
        if "error" not in one:
            groups[one["seed"]].add(json.dumps([one["losses"], one["samples"], one["logprobs"]]))
    same = all(len(group) == 1 for group in groups.values())
    apart = len(set().union(*groups.values())) == len(groups) if same else False
    failed = len(errors) + int(count("failed"))
    rows = [("sessions", len(told)), ("steps", steps * (len(told) - len(errors))),
            ("samples", sum(one.get("requests", 0) for one in told)), ("errors", failed),
            ("wall s", f"{wall:.1f}"), ("operations/s", f"{count('done') / wall:.1f}"), ("peak MB", f"{peak:.0f}")]
    print("".join(f"{name:>14}" for name, _ in rows))
    print("".join(f"{value:>14}" for _, value in rows))
    for line in figures.splitlines():
        if line.startswith("tinsmith_operation_seconds_total"):
            print("   ", line.removeprefix("tinsmith_operation_seconds_total"))
    for line in warned[:10]:
        print(line)
    print(f"sessions of the same seed were told {'the same' if same else 'NOT the same'},"
          f" those of others {'something else' if apart else 'NOT something else'}")
    if not failed and same and apart and not warned and code == 0:
        print("as meant: not one error")


if __name__ == "__main__":
    if sys.argv[1] == "--process":
        process(*sys.argv[2:4], *map(int, sys.argv[4:]))
    else:
        main(sys.argv[1], *map(int, sys.argv[2:]))
