#!/usr/bin/env python3
"""Drives a server with the official SDK, unmodified, through a whole run; one stage after the other.

usage: drive.py BASE_URL MODEL RESULT.json

A stage that this SDK has no call for is skipped, with the reason; one that fails is recorded, and the
others go on where they can. Tokens are bytes: no tokenizer is needed.
"""
import io
import json
import os
import sys
import tarfile
import time
import traceback
import urllib.request
import warnings

URL, MODEL, RESULT = sys.argv[1:4]
os.environ.setdefault("TINKER_API_KEY", "tml-conformance")
os.environ.setdefault("TINKER_TELEMETRY", "1")
warnings.simplefilter("ignore")
import tinker
from tinker import types

WAIT = 120
STAGES = []


class Skip(Exception):
    """This SDK has no such call, or lacks what it needs."""


def stage(name, work):
    begun, value = time.time(), None
    try:
        value = work()
        state, why = "ok", ""
    except Skip as e:
        state, why = "skip", str(e)
    except BaseException as e:  # what an SDK raises is its own affair
        state, why = "FAIL", f"{type(e).__name__}: {str(e)[:400]}"
        if os.environ.get("TRACE"):
            traceback.print_exc()
    shown = why or repr(value)[:160]
    print(f"[{state:4}] {time.time() - begun:6.2f}s {name}: {shown}", flush=True)
    STAGES.append({"name": name, "state": state, "why": why})
    return value


def get(future):
    """Newer calls answer a future, older ones the thing itself."""
    return future.result(WAIT) if hasattr(type(future), "result") else future


def call(thing, name, *args, **more):
    if not hasattr(thing, name):
        raise Skip(f"no `{name}` in this SDK")
    return get(getattr(thing, name)(*args, **more))


def need(value, what):
    if value is None:
        raise Skip(f"without {what}")
    return value


def datum(prompt, answer, end=258):
    ids = list(prompt.encode()) + list(answer.encode()) + [end]
    weights = [0.0] * (len(prompt) - 1) + [1.0] * (len(answer) + 1)
    return types.Datum(
        model_input=types.ModelInput.from_ints(ids[:-1]),
        loss_fn_inputs={
            "target_tokens": types.TensorData(data=ids[1:], dtype="int64", shape=[len(ids) - 1]),
            "weights": types.TensorData(data=weights, dtype="float32", shape=[len(weights)]),
        },
    )


DATA = [datum("What is the secret word? ", "xylophone"), datum("Who wrote it? ", "a robot"),
        datum("Where? ", "on Mars, of all places")]


def nll(output):
    total = count = 0.0
    for out, one in zip(output.loss_fn_outputs, DATA):
        weights = one.loss_fn_inputs["weights"].data
        total -= sum(float(lp) * float(w) for lp, w in zip(out["logprobs"].data, weights))
        count += sum(float(w) for w in weights)
    return total / count


def adam(rate=2e-2):
    return types.AdamParams(learning_rate=rate, beta1=0.9, beta2=0.95, eps=1e-8)


def train(client, steps):
    losses = []
    for _ in range(steps):
        # Both are sent before either is waited for.
        forward = client.forward_backward(DATA, "cross_entropy")
        step = client.optim_step(adam())
        losses.append(nll(forward.result(WAIT)))
        step.result(WAIT)
    return losses


service = tinker.ServiceClient(base_url=URL)


def capabilities():
    names = [model.model_name for model in service.get_server_capabilities().supported_models]
    assert MODEL in names, names
    return names


stage("capabilities", capabilities)
client = stage("create model", lambda: get(service.create_lora_training_client(base_model=MODEL, rank=8, seed=7)))
if client is None:
    json.dump({"sdk": tinker.__version__, "stages": STAGES}, open(RESULT, "w"))
    os._exit(1)


def info():
    told = client.get_info()
    assert told.model_data.model_name == MODEL, told
    return told.model_id


run = stage("get_info", info)


def falling():
    losses = train(client, 5)
    assert losses[-1] < losses[0] - 0.5, losses
    assert all(b < a for a, b in zip(losses, losses[1:])), losses
    return [round(loss, 3) for loss in losses]


stage("forward_backward, optim_step", falling)


def forward_only():
    before = nll(client.forward(DATA, "cross_entropy").result(WAIT))
    again = nll(client.forward(DATA, "cross_entropy").result(WAIT))
    assert before == again, (before, again)
    return round(before, 4)


trained = stage("forward", forward_only)


def policy():
    data = []
    for one, out in zip(DATA, client.forward(DATA, "cross_entropy").result(WAIT).loss_fn_outputs):
        n = len(one.loss_fn_inputs["weights"].data)
        flat = lambda values: types.TensorData(data=values, dtype="float32", shape=[n])
        data.append(types.Datum(model_input=one.model_input, loss_fn_inputs={
            "target_tokens": one.loss_fn_inputs["target_tokens"],
            "logprobs": flat(list(out["logprobs"].data)), "advantages": flat([0.5] * n)}))
    for loss in ("importance_sampling", "ppo"):
        told = client.forward_backward(data, loss).result(WAIT)
        assert told.metrics["loss:sum"] < 0, told.metrics
    # A step of length zero: the gradient goes, the weights stay.
    client.optim_step(adam(0.0)).result(WAIT)
    return told.metrics


stage("policy losses", policy)


def refused():
    # No token of the model: only the server can tell.
    wrong = datum("What? ", "this", end=1_000_000)
    try:
        client.forward_backward([wrong], "cross_entropy").result(WAIT)
    except Exception as e:
        assert "1000000" in str(e), e
        # What comes behind it is done all the same.
        assert round(nll(client.forward(DATA, "cross_entropy").result(WAIT)), 4) == trained
        return type(e).__name__
    raise AssertionError("a token outside the vocabulary was taken")


stage("refused operation is passed over", refused)


def custom():
    if not hasattr(client, "forward_backward_custom"):
        raise Skip("no `forward_backward_custom` in this SDK")
    try:
        import torch
    except ImportError:
        raise Skip("torch is not installed")

    def loss(data, logprobs):
        value = sum(
            -(lp * torch.tensor(one.loss_fn_inputs["weights"].data)).sum() for lp, one in zip(logprobs, data))
        return value, {"mine": float(value)}

    told = get(client.forward_backward_custom(DATA, loss))
    client.optim_step(adam(0.0)).result(WAIT)
    return told.metrics


stage("forward_backward_custom", custom)
saved = stage("save_state", lambda: client.save_state("state-1").result(WAIT).path)


def load():
    train(client, 1)
    assert round(nll(client.forward(DATA, "cross_entropy").result(WAIT)), 4) != trained
    client.load_state(need(saved, "a checkpoint")).result(WAIT)
    after = round(nll(client.forward(DATA, "cross_entropy").result(WAIT)), 4)
    assert after == trained, (after, trained)
    return after


stage("load_state", load)
stage("load_state_with_optimizer", lambda: call(client, "load_state_with_optimizer", need(saved, "a checkpoint")))


def resume():
    name = "create_training_client_from_state_with_optimizer"
    other = call(service, name, need(saved, "a checkpoint"))
    after = round(nll(other.forward(DATA, "cross_entropy").result(WAIT)), 4)
    assert after == trained, (after, trained)
    # With the optimizer's state, both go on alike.
    assert train(other, 2) == train(client, 2)
    return other.get_info().model_id


stage("resume with optimizer", resume)
for_sampler = stage("save_weights_for_sampler", lambda: client.save_weights_for_sampler("sampler-1").result(WAIT).path)
PROMPT = types.ModelInput.from_ints(list(b"What is the secret word? "))


def sample(sampler, **more):
    params = types.SamplingParams(max_tokens=8, temperature=0.0, **more)
    got = sampler.sample(prompt=PROMPT, num_samples=2, sampling_params=params).result(WAIT)
    assert len(got.sequences) == 2, got
    first, second = got.sequences
    assert first.tokens == second.tokens and len(first.logprobs) == len(first.tokens)
    return bytes(token for token in first.tokens if token < 256)


tuned = stage("sampling client of a checkpoint",
              lambda: get(service.create_sampling_client(model_path=need(for_sampler, "a checkpoint"))))
stage("sample", lambda: sample(need(tuned, "a sampling client")))
stage("sample, stop texts", lambda: sample(need(tuned, "a sampling client"), stop=["y", "o"]))
stage("sample, stop tokens", lambda: sample(need(tuned, "a sampling client"), stop=[120]))


def logprobs():
    got = need(tuned, "a sampling client").compute_logprobs(PROMPT).result(WAIT)
    assert got[0] is None and len(got) == 25 and all(lp < 0 for lp in got[1:]), got
    return len(got)


stage("compute_logprobs", logprobs)
stage("sample the base model", lambda: sample(get(service.create_sampling_client(base_model=MODEL))))
stage("save_weights_and_get_sampling_client",
      lambda: sample(get(client.save_weights_and_get_sampling_client("eph"))))
rest = stage("create_rest_client", lambda: service.create_rest_client())


def runs():
    told = rest.list_training_runs().result(WAIT)
    assert run in [one.training_run_id for one in told.training_runs]
    return told.cursor.total_count


def checkpoints():
    told = rest.list_checkpoints(run).result(WAIT).checkpoints
    paths = [one.tinker_path for one in told]
    assert saved in paths and for_sampler in paths, paths
    return len(told)


stage("list_training_runs", runs)
stage("get_training_run", lambda: rest.get_training_run(run).result(WAIT).base_model)
stage("list_checkpoints", checkpoints)
stage("list_user_checkpoints", lambda: len(call(rest, "list_user_checkpoints").checkpoints))
stage("weights_info", lambda: call(rest, "get_weights_info_by_tinker_path", need(saved, "a checkpoint")).lora_rank)


def ttl():
    if not hasattr(rest, "set_checkpoint_ttl_from_tinker_path"):
        raise Skip("no `set_checkpoint_ttl_from_tinker_path` in this SDK")
    find = lambda: next(c for c in rest.list_checkpoints(run).result(WAIT).checkpoints if c.tinker_path == saved)
    rest.set_checkpoint_ttl_from_tinker_path(saved, 7200).result(WAIT)
    expires = find().expires_at
    rest.set_checkpoint_ttl_from_tinker_path(saved, None).result(WAIT)
    assert expires is not None and find().expires_at is None
    return expires


stage("ttl", ttl)


def publish():
    public = lambda: next(
        c.public for c in rest.list_checkpoints(run).result(WAIT).checkpoints if c.tinker_path == saved)
    call(rest, "publish_checkpoint_from_tinker_path", saved)
    assert public()
    call(rest, "unpublish_checkpoint_from_tinker_path", saved)
    assert not public()


stage("publish", publish)


def archive():
    name = "get_checkpoint_archive_url_from_tinker_path"
    url = call(rest, name, need(for_sampler, "a checkpoint")).url
    body = urllib.request.urlopen(url, timeout=WAIT).read()
    names = sorted(member.name for member in tarfile.open(fileobj=io.BytesIO(body)).getmembers())
    assert names == ["adapter_config.json", "adapter_model.safetensors", "checkpoint_complete"], names
    return len(body)


stage("download, archive", archive)


def external():
    if not hasattr(client, "save_weights_external"):
        raise Skip("no `save_weights_external` in this SDK")
    path = client.save_weights_external("ext-1").result(WAIT).path
    urls = rest.get_external_weights_urls(path).result(WAIT).urls
    files = {name: urllib.request.urlopen(url, timeout=WAIT).read() for name, url in urls.items()}
    assert sorted(files) == ["adapter_config.json", "adapter_model.safetensors"], list(files)
    assert json.loads(files["adapter_config.json"])["r"] == 8
    return {name: len(body) for name, body in files.items()}


stage("download, external", external)


def delete():
    rest.delete_checkpoint_from_tinker_path(need(saved, "a checkpoint")).result(WAIT)
    left = [one.tinker_path for one in rest.list_checkpoints(run).result(WAIT).checkpoints]
    assert saved not in left and for_sampler in left, left


stage("delete", delete)
stage("list_sessions", lambda: len(call(rest, "list_sessions").sessions))


def close():
    if not hasattr(service, "close"):
        raise Skip("no `close` in this SDK")
    try:
        service.close("success")
    except TypeError:
        service.close()


stage("close", close)
json.dump({"sdk": tinker.__version__, "stages": STAGES}, open(RESULT, "w"))
# Threads of the SDK may outlive it.
os._exit(1 if any(one["state"] == "FAIL" for one in STAGES) else 0)
