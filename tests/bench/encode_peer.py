"""The Python side of encode.sh: `encode_batch_fast` on the texts of a file, once.

    encode_peer.py TOKENIZER.json TEXTS.jsonl          (RAYON_NUM_THREADS sets the threads)
"""

import array
import hashlib
import json
import sys
import time

import tokenizers

texts = [json.loads(line) for line in open(sys.argv[2], encoding="utf-8")]
begin = time.perf_counter()
tokenizer = tokenizers.Tokenizer.from_file(sys.argv[1])
load = time.perf_counter() - begin
begin, cpu = time.perf_counter(), time.process_time()
encodings = tokenizer.encode_batch_fast(texts, add_special_tokens=False)
wall, cpu = time.perf_counter() - begin, time.process_time() - cpu
digest, tokens = hashlib.sha256(), 0
for encoding in encodings:
    ids = encoding.ids
    tokens += len(ids)
    digest.update(array.array("i", ids).tobytes())
print(json.dumps({"version": tokenizers.__version__, "load": load, "wall": wall, "cpu": cpu,
                  "tokens": tokens, "hash": digest.hexdigest()}))
