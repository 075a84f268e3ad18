"""Values and gradients of the policy losses, by torch autograd in float64.

`dpo` is that of tinker-cookbook 0.6.1. The others' formulas are those of the Tinker documentation (training losses), written as it writes them;
torch differentiates them. Inputs are rounded to float32 first, so that both sides see the same
numbers. Prints JSON.
"""

import json
import math

import torch

CASES = [
    ("cross_entropy", {}),
    ("importance_sampling", {}),
    ("ppo", {"clip_low_threshold": 0.8, "clip_high_threshold": 1.2}),
    ("ppo", {"clip_low_threshold": 0.5, "clip_high_threshold": 3.0}),
    ("cispo", {"clip_low_threshold": 0.0, "clip_high_threshold": 4.0}),
    ("cispo", {"clip_low_threshold": 0.8, "clip_high_threshold": 1.2}),
    ("dro", {"beta": 0.05}),
    ("dro", {"beta": 0.7}),
]


def loss_of(name, config, lp, old, advantages, weights):
    ratio = torch.exp(lp - old)
    if name == "cross_entropy":
        return (-lp * weights).sum()
    if name == "importance_sampling":
        return -(ratio * advantages).sum()
    if name == "dro":
        return -(lp * advantages - 0.5 * config["beta"] * (lp - old) ** 2).sum()
    clipped = torch.clamp(ratio, config["clip_low_threshold"], config["clip_high_threshold"])
    if name == "ppo":
        return -torch.minimum(ratio * advantages, clipped * advantages).sum()
    if name == "cispo":
        return -(clipped.detach() * lp * advantages).sum()
    raise ValueError(name)


def pairs_golden():
    """Three pairs, and what tinker-cookbook's own `compute_dpo_loss` and autograd make of them; the
    loss with smoothed labels is written as its paper writes it."""
    from tinker_cookbook.preference.train_dpo import compute_dpo_loss

    torch.manual_seed(11)
    f32 = lambda x: x.to(torch.float32).to(torch.float64)
    lengths = [4, 3, 5, 5, 1, 6]
    count = sum(lengths)
    lp = f32(-3 * torch.rand(count, dtype=torch.float64))
    reference = f32(lp + 1.5 * torch.randn(count, dtype=torch.float64))
    weights = f32((torch.rand(count, dtype=torch.float64) > 0.3).double())
    weights[3] = 0.5
    cases = []
    for beta, smoothing in [(0.1, 0.0), (2.0, 0.0), (0.5, 0.2)]:
        leaf = lp.clone().requires_grad_(True)
        sums = lambda x: [(x * w).sum() for x, w in zip(x.split(lengths), weights.split(lengths))]
        ours, theirs = sums(leaf), sums(reference)
        value, metrics = compute_dpo_loss(ours[::2], ours[1::2], theirs[::2], theirs[1::2], beta)
        value = value * 3
        if smoothing:
            ratio = lambda i: ours[i] - theirs[i]
            margin = beta * torch.stack([ratio(i) - ratio(i + 1) for i in (0, 2, 4)])
            log = torch.nn.functional.logsigmoid
            value = (-(1 - smoothing) * log(margin) - smoothing * log(-margin)).sum()
        (grad,) = torch.autograd.grad(value, leaf)
        cases.append({"beta": beta, "label_smoothing": smoothing, "sum": value.item(),
                      "grad": grad.tolist(), "metrics": {k: float(v) for k, v in metrics.items()}})
    return {"lengths": lengths, "logprobs": lp.tolist(), "reference": reference.tolist(),
            "weights": weights.tolist(), "cases": cases}


def main():
    torch.manual_seed(7)
    count = 41
    f32 = lambda x: x.to(torch.float32).to(torch.float64)
    lp = f32(-4 * torch.rand(count, dtype=torch.float64) ** 2)
    old = f32(lp + 0.6 * torch.randn(count, dtype=torch.float64))
    advantages = f32(torch.randn(count, dtype=torch.float64))
    weights = f32((torch.rand(count, dtype=torch.float64) > 0.4).double() * 0.5)
    # A prompt, by the recipes' convention; then ratios far outside every clip interval.
    old[:6] = 0.0
    advantages[:6] = 0.0
    old[6:10] = f32(lp[6:10] + torch.tensor([3.0, 3.0, -3.0, -3.0], dtype=torch.float64))
    advantages[6:10] = f32(torch.tensor([1.0, -1.0, 1.0, -1.0], dtype=torch.float64))
    cases = []
    for name, config in CASES:
        leaf = lp.clone().requires_grad_(True)
        value = loss_of(name, config, leaf, old, advantages, weights)
        (grad,) = torch.autograd.grad(value, leaf)
        active = advantages != 0
        ratio = torch.exp(lp - old)
        entry = {"loss": name, "config": config, "sum": value.item(), "grad": grad.tolist()}
        if name != "cross_entropy":
            entry["ratio_mean"] = ratio[active].mean().item()
            entry["kl_mean"] = (old - lp)[active].mean().item()
        assert math.isfinite(entry["sum"])
        cases.append(entry)
    pairs = pairs_golden()
    print(json.dumps({
        "pairs": pairs,
        "made_by": f"tests/conformance/losses/make_golden.py, torch {torch.__version__}, float64",
        "logprobs": lp.tolist(), "old": old.tolist(), "advantages": advantages.tolist(),
        "weights": weights.tolist(), "cases": cases,
    }))


main()
