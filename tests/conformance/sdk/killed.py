#!/usr/bin/env python3
"""Kills the server again and again while the official SDK trains, and compares with a run that was left
alone: every loss and gradient norm must be the same.

usage: killed.py TINSMITH MODEL_DIR STATE_DIR [STEPS]
"""
import os
import random
import socket
import subprocess
import sys
import threading
import time
import warnings

TINSMITH, MODEL, STATE = sys.argv[1:4]
STEPS = int(sys.argv[4]) if len(sys.argv) > 4 else 40
SEED = int(os.environ.get("SEED", "0"))
os.environ.setdefault("TINKER_API_KEY", "tml-conformance")
os.environ.setdefault("TINKER_TELEMETRY", "0")
warnings.simplefilter("ignore")
import tinker
from tinker import types

WAIT = 180
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    PORT = str(free.getsockname()[1])


def start():
    command = [TINSMITH, "serve", "-q", "--model", MODEL, "--port", PORT, "--state", STATE,
               "--set", "serve.snapshot_steps=5"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE)
    server.stdout.readline()
    return server


def datum(prompt, answer):
    ids = list(prompt.encode()) + list(answer.encode()) + [258]
    weights = [0.0] * (len(prompt) - 1) + [1.0] * (len(answer) + 1)
    inputs = {
        "target_tokens": types.TensorData(data=ids[1:], dtype="int64", shape=[len(ids) - 1]),
        "weights": types.TensorData(data=weights, dtype="float32", shape=[len(weights)]),
    }
    return types.Datum(model_input=types.ModelInput.from_ints(ids[:-1]), loss_fn_inputs=inputs)


DATA = [datum("What is the secret word? " * 5, "xylophone")] * 16


class Killer(threading.Thread):
    """Ends the server without warning, and starts it again."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.stop, self.kills = server, threading.Event(), 0

    def run(self):
        draw = random.Random(SEED)
        while not self.stop.wait(draw.uniform(0.4, 1.2)):
            self.server.kill()
            self.server.wait()
            self.kills += 1
            time.sleep(draw.uniform(0.0, 0.3))
            self.server = start()


def train():
    service = tinker.ServiceClient(base_url=f"http://127.0.0.1:{PORT}")
    client = service.create_lora_training_client(base_model=os.path.basename(MODEL), rank=8, seed=7)
    if hasattr(type(client), "result"):
        client = client.result(WAIT)
    ahead, told = [], []

    def wait():
        first, second, step = ahead.pop(0)
        told.append((first.result(WAIT).metrics["loss:sum"], second.result(WAIT).metrics["loss:sum"],
                     step.result(WAIT).metrics["grad_norm"]))

    for _ in range(STEPS):
        ahead.append((client.forward_backward(DATA, "cross_entropy"),
                      client.forward_backward(DATA[:3], "cross_entropy"),
                      client.optim_step(types.AdamParams(learning_rate=1e-2, eps=1e-8))))
        if len(ahead) > 2:
            wait()
    while ahead:
        wait()
    return told


server = start()
expected = train()
killer = Killer(server)
killer.start()
found = train()
killer.stop.set()
killer.join()
killer.server.kill()
same = found == expected
print(f"seed {SEED}: {STEPS} steps, killed {killer.kills} times, {'the same' if same else 'NOT the same'}")
os._exit(0 if same and killer.kills else 1)
