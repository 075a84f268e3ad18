"""The Python side of encode.sh that is tinker-cookbook: `conversation_to_datum` for every line of a
file of conversations, in one process.

    datums_peer.py TOKENIZER_DIR CHATS.jsonl RENDERER          (RAYON_NUM_THREADS sets the threads)
"""

import array
import hashlib
import importlib.metadata
import json
import logging
import pathlib
import sys
import time

begin = time.perf_counter()
from tinker_cookbook.renderers import get_renderer  # noqa: E402
from tinker_cookbook.supervised.data import conversation_to_datum  # noqa: E402
from transformers import PreTrainedTokenizerFast  # noqa: E402

logging.disable(logging.WARNING)
folder, chats, name = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
config = json.loads((folder / "tokenizer_config.json").read_text())
tokenizer = PreTrainedTokenizerFast(
    tokenizer_file=str(folder / "tokenizer.json"), eos_token=config["eos_token"],
    clean_up_tokenization_spaces=False)
renderer = get_renderer(name, tokenizer)
load = time.perf_counter() - begin

begin, cpu = time.perf_counter(), time.process_time()
with open(chats, encoding="utf-8") as lines:
    datums = [conversation_to_datum(json.loads(line)["messages"], renderer, 32768) for line in lines]
wall, cpu = time.perf_counter() - begin, time.process_time() - cpu

digest, tokens = hashlib.sha256(), 0
for datum in datums:
    ids = datum.model_input.to_ints()
    tokens += len(ids)
    digest.update(array.array("i", ids).tobytes())
    digest.update(array.array("i", datum.loss_fn_inputs["target_tokens"].tolist()).tobytes())
    digest.update(bytes(weight != 0 for weight in datum.loss_fn_inputs["weights"].tolist()))
versions = {p: importlib.metadata.version(p) for p in ("tinker-cookbook", "tokenizers")}
print(json.dumps({"version": versions["tinker-cookbook"], "tokenizers": versions["tokenizers"],
                  "load": load, "wall": wall, "cpu": cpu, "tokens": tokens, "datums": len(datums),
                  "hash": digest.hexdigest()}))
