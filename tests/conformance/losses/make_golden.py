"""Values and gradients of the policy losses, by torch autograd in float64.

The formulas are those of the Tinker documentation (training losses), written as it writes them;
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
    print(json.dumps({
        "made_by": f"tests/conformance/losses/make_golden.py, torch {torch.__version__}, float64",
        "logprobs": lp.tolist(), "old": old.tolist(), "advantages": advantages.tolist(),
        "weights": weights.tolist(), "cases": cases,
    }))


main()
