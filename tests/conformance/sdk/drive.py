#!/usr/bin/env python3
"""Drives a server with the official SDK, unmodified, through a whole run; one stage after the other.

usage: drive.py BASE_URL MODEL RESULT.json

A stage that this SDK has no call for is skipped, with the reason; one that fails is recorded, and the
others go on where they can. Tokens are bytes: no tokenizer is needed.
"""
import asyncio
import inspect
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


# A random model learns fast; a real one wants less.
RATE = float(os.environ.get("RATE", "2e-2"))


def adam(rate=RATE):
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


def several():
    """Two targets at each place, the second with a weight of 0: the loss of the first alone."""
    pair = lambda values, other: [cell for value in values for cell in (value, other)]
    data = []
    for one in DATA:
        n = len(one.loss_fn_inputs["weights"].data)
        tensor = lambda name, dtype, other: types.TensorData(
            data=pair([int(v) if dtype == "int64" else float(v) for v in one.loss_fn_inputs[name].data], other),
            dtype=dtype, shape=[n, 2])
        data.append(types.Datum(model_input=one.model_input, loss_fn_inputs={
            "target_tokens": tensor("target_tokens", "int64", 65), "weights": tensor("weights", "float32", 0.0)}))
    told = client.forward(data, "cross_entropy").result(WAIT)
    plain = client.forward(DATA, "cross_entropy").result(WAIT)
    assert abs(told.metrics["loss:sum"] - plain.metrics["loss:sum"]) < 1e-4, told.metrics
    for wide, flat in zip(told.loss_fn_outputs, plain.loss_fn_outputs):
        n = len(flat["logprobs"].data)
        assert list(wide["logprobs"].shape) == [n, 2]
        assert all(abs(a - b) < 1e-5 for a, b in zip(list(wide["logprobs"].data)[::2], flat["logprobs"].data))
    return told.metrics


stage("several targets at a place", several)


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


def asked_for(name):
    """Whether `sample` of this SDK takes such an argument."""
    if name not in inspect.signature(need(tuned, "a sampling client").sample).parameters:
        raise Skip(f"no `{name}` in this SDK")


def alone(**more):
    params = types.SamplingParams(max_tokens=4, temperature=0.0)
    return tuned.sample(prompt=PROMPT, num_samples=1, sampling_params=params, **more).result(WAIT)


def top_prompt():
    asked_for("topk_prompt_logprobs")
    got = alone(include_prompt_logprobs=True, topk_prompt_logprobs=3)
    top = got.topk_prompt_logprobs
    assert len(top) == 25 and top[0] is None, top
    for own, token, place in zip(got.prompt_logprobs[1:], PROMPT.to_ints()[1:], top[1:]):
        assert len(place) == 3 and place[0][1] >= place[1][1] >= place[2][1] and place[0][1] >= own, place
        # The prompt's own token has one log-probability, wherever it is told.
        assert all(abs(lp - own) < 1e-5 for id_, lp in place if id_ == token), (own, place)
    return top[1]


def top_sample():
    asked_for("topk_sample_logprobs")
    first = alone(topk_sample_logprobs=2).sequences[0]
    # Greedy: the likeliest is the one that was drawn.
    told = [place[0] for place in first.topk_logprobs]
    assert told == list(zip(first.tokens, first.logprobs)), (told, first)
    return told[0]


def targets():
    asked_for("target_prompt_logprobs")
    rows = len(PROMPT.to_ints()) - 1
    # The prompt's own tokens, beside one cell that nobody wants.
    ids = [cell for token in PROMPT.to_ints()[1:] for cell in (token, -1)]
    dense = types.TensorData(data=ids, dtype="int64", shape=[rows, 2])
    got = alone(include_prompt_logprobs=True, target_prompt_logprobs=dense)
    told = list(got.target_prompt_logprobs.data)
    assert list(got.target_prompt_logprobs.shape) == [rows, 2]
    assert all(abs(a - b) < 1e-6 for a, b in zip(told[::2], got.prompt_logprobs[1:])), told
    assert not any(told[1::2]), told
    # One place is computed by other kernels than all of them: the last bits differ.
    sparse = types.TensorData(data=[PROMPT.to_ints()[-1]], dtype="int64", shape=[rows, 2],
                              sparse_crow_indices=[0] * rows + [1], sparse_col_indices=[1])
    got = alone(target_prompt_logprobs=sparse).target_prompt_logprobs
    assert list(got.sparse_crow_indices) == [0] * rows + [1] and abs(got.data[0] - told[-2]) < 1e-4, (got, told[-2])
    return told[-2]


def last_n():
    asked_for("prompt_logprobs_last_n")
    whole, last = tuned.compute_logprobs(PROMPT).result(WAIT), tuned.compute_logprobs(PROMPT, 3).result(WAIT)
    assert last[:-3] == [None] * 22 and last[-3:] == whole[-3:], last
    return last[-1]


def many():
    """Results are asked for one by one, or all at once where the server says so."""
    got = [tuned.sample(prompt=PROMPT, num_samples=1,
                        sampling_params=types.SamplingParams(max_tokens=4, temperature=1.0, seed=i))
           for i in range(64)]
    drawn = {tuple(one.result(WAIT).sequences[0].tokens) for one in got}
    assert len(drawn) > 1
    at_once = getattr(tuned, "_futures_poller", None) is not None
    config = getattr(service.holder, "_client_config", None)
    assert at_once == bool(getattr(config, "sample_use_retrieve_futures", False))
    return "asked for at once" if at_once else "asked for one by one"


def call_off():
    if not hasattr(service.holder, "enqueue_cancel"):
        raise Skip("this SDK calls nothing off")
    figures = lambda: urllib.request.urlopen(f"{URL}/metrics", timeout=WAIT).read().decode()
    count = lambda: sum(float(line.split()[-1]) for line in figures().splitlines()
                        if 'operation="sample_called_off",outcome="failed"' in line)
    before = count()

    async def abandon():
        params = types.SamplingParams(max_tokens=900, temperature=1.0, stop=[])
        asked = tuned.sample(prompt=PROMPT, num_samples=256, sampling_params=params)
        if not hasattr(type(asked), "__await__"):
            asked = asyncio.wrap_future(asked)
        try:
            await asyncio.wait_for(asked, 1.0)
        except asyncio.TimeoutError:
            return
        raise AssertionError("it was done within a second")

    asyncio.run(abandon())
    until = time.time() + WAIT
    while count() == before:
        assert time.time() < until, "it was not called off"
        time.sleep(0.1)
    return count()


stage("topk_prompt_logprobs", top_prompt)
stage("topk_sample_logprobs", top_sample)
stage("target_prompt_logprobs", targets)
stage("prompt_logprobs_last_n", last_n)
stage("many samples at once", many)
stage("abandoned sample is called off", call_off)
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


def copy():
    if not hasattr(service, "copy_weights"):
        raise Skip("no `copy_weights` in this SDK")
    archive = tinker.ServiceClient(base_url=URL, project_id="archive")
    path = get(archive.copy_weights(need(saved, "a checkpoint"), ttl_seconds=7200))
    find = lambda path: next(c for c in get(rest.list_user_checkpoints()).checkpoints if c.tinker_path == path)
    assert find(path).checkpoint_type == "training" and find(path).expires_at is not None
    assert find(saved).expires_at is None
    return path


copied = stage("copy_weights", copy)


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


def from_copy():
    # Its source is deleted.
    other = get(service.create_training_client_from_state(need(copied, "a copy")))
    after = round(nll(other.forward(DATA, "cross_entropy").result(WAIT)), 4)
    assert after == trained, (after, trained)


stage("a copy outlives its source", from_copy)
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
