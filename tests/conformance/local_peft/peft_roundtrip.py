"""Adapters go both ways between the local trainer and PEFT, and compute the same.

Run by hand, with torch, transformers and peft installed; needs cargo:

    python tests/conformance/local_peft/peft_roundtrip.py

The Rust half is plugins/local/examples/peft_roundtrip.rs. It trains adapters over random tiny bases;
PEFT loads them and must find the same log-probabilities. Then PEFT writes an adapter of its own on
two kinds of layers only, and the local trainer must agree with PEFT about that.
"""

import json
import os
import pathlib
import subprocess
import tempfile

os.environ["TQDM_DISABLE"] = "1"

import peft
import torch
import transformers

ROOT = pathlib.Path(__file__).resolve().parents[3]


def rust(what, folder):
    command = ["cargo", "run", "-q", "-p", "tinsmith-local", "--example", "peft_roundtrip", "--", what, folder]
    subprocess.run(command, check=True, cwd=ROOT)


def logprobs(model, tokens):
    ids = torch.tensor([tokens])
    with torch.no_grad():
        rows = torch.log_softmax(model(ids).logits[0, :-1].double(), dim=-1)
    return rows.gather(1, ids[0, 1:, None])[:, 0].tolist()


def base(folder):
    model = transformers.AutoModelForCausalLM.from_pretrained(folder / "base", dtype=torch.float32)
    return model.eval()


def main():
    print(f"torch {torch.__version__}, transformers {transformers.__version__}, peft {peft.__version__}")
    folder = pathlib.Path(tempfile.mkdtemp())
    rust("write", folder)
    for case in sorted(path for path in folder.iterdir() if path.is_dir()):
        probe = json.loads((case / "probe.json").read_text())
        plain = logprobs(base(case), probe["tokens"])
        model = peft.PeftModel.from_pretrained(base(case), case / "adapter").eval()
        found = logprobs(model, probe["tokens"])
        worst = max(abs(a - b) for a, b in zip(found, probe["logprobs"]))
        moved = max(abs(a - b) for a, b in zip(found, plain))
        print(f"{case.name:>10}  our adapter, read by PEFT: largest difference {worst:.1e} nats "
              f"(the adapter itself moves them by {moved:.1f})")
        assert worst < 1e-4 and moved > 0.5

        torch.manual_seed(3)
        config = peft.LoraConfig(r=5, lora_alpha=7, target_modules=["v_proj", "down_proj"], task_type="CAUSAL_LM")
        model = peft.get_peft_model(base(case), config).eval()
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.3)
        model.save_pretrained(case / "peft")
        named = case / "peft" / "adapter_config.json"
        named.write_text(json.dumps(json.loads(named.read_text()) | {"base_model_name_or_path": "base"}))
        expected = {"tokens": probe["tokens"], "logprobs": logprobs(model, probe["tokens"])}
        (case / "peft.json").write_text(json.dumps(expected))
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder / "llama" / "base")
    chat = tokenizer.apply_chat_template([{"role": "user", "content": "Hi"}], tokenize=False, add_generation_prompt=True)
    assert chat == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n", chat
    rust("read", folder)


main()
