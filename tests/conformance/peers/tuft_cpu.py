#!/usr/bin/env python3
"""TuFT's command line on a machine without a GPU.

usage: tuft_cpu.py ARGUMENTS    (those of `tuft`)

Ray is told that there is one GPU, because the model's worker asks for one. The worker resets CUDA's memory
statistics, which fails without CUDA: Ray starts it with this folder's `sitecustomize`, made below, that makes
it do nothing.
"""
import os
import pathlib
import sys
import tempfile

NO_STATISTICS = """
import sys


class BeforeTheModel:
    def find_spec(self, name, path=None, target=None):
        if name == "tuft.backends.hf_training_model":
            sys.meta_path.remove(self)
            import torch

            torch.cuda.reset_peak_memory_stats = lambda *device: None
        return None


sys.meta_path.insert(0, BeforeTheModel())
"""

with tempfile.TemporaryDirectory() as folder:
    pathlib.Path(folder, "sitecustomize.py").write_text(NO_STATISTICS)
    os.environ["PYTHONPATH"] = folder
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray

    ray.init(num_cpus=2, num_gpus=1, include_dashboard=False)
    from tuft.cli import main

    sys.exit(main())
