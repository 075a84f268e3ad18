"""Steps of torch.optim.AdamW, for plugins/local/tests/adamw.rs.

Gradients and parameters are random; every setting changes from step to step, as the Tinker API
allows. The gradient is clipped with torch.nn.utils.clip_grad_norm_. All numbers are float32, written
so that they read back exactly. Prints JSON.
"""

import json

import torch

COUNT = 13
CASES = {
    "defaults": [dict(lr=1e-4, betas=(0.9, 0.95), eps=1e-12, weight_decay=0.0, clip=0.0)] * 5,
    "decay_and_clip": [dict(lr=3e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.1, clip=0.5)] * 5,
    "changing": [
        dict(lr=1e-2, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.0, clip=0.0),
        dict(lr=5e-3, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.3, clip=1.0),
        dict(lr=0.0, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.3, clip=1.0),
        dict(lr=2e-3, betas=(0.8, 0.99), eps=1e-3, weight_decay=0.0, clip=100.0),
        dict(lr=1e-3, betas=(0.0, 0.9), eps=1e-6, weight_decay=0.01, clip=0.1),
    ],
}


def main():
    torch.manual_seed(11)
    cases = []
    for name, settings in CASES.items():
        param = torch.nn.Parameter(torch.randn(COUNT))
        optimizer = torch.optim.AdamW([param], foreach=False, fused=False)
        start = param.tolist()
        steps = []
        for setting in settings:
            gradient = torch.randn(COUNT) * 10 ** (4 * torch.rand(COUNT) - 3)
            gradient[0] = 0.0
            param.grad = gradient.clone()
            norm = torch.linalg.vector_norm(gradient.double()).item()
            if setting["clip"] > 0:
                torch.nn.utils.clip_grad_norm_([param], setting["clip"])
            optimizer.param_groups[0].update({k: setting[k] for k in ("lr", "betas", "eps", "weight_decay")})
            optimizer.step()
            state = optimizer.state[param]
            steps.append(
                {
                    "learning_rate": setting["lr"],
                    "beta1": setting["betas"][0],
                    "beta2": setting["betas"][1],
                    "eps": setting["eps"],
                    "weight_decay": setting["weight_decay"],
                    "grad_clip_norm": setting["clip"],
                    "gradient": gradient.tolist(),
                    "norm": norm,
                    "params": param.tolist(),
                    "exp_avg": state["exp_avg"].tolist(),
                    "exp_avg_sq": state["exp_avg_sq"].tolist(),
                }
            )
        cases.append({"name": name, "start": start, "steps": steps})
    print(json.dumps({"torch": torch.__version__, "cases": cases}, indent=1))


main()
