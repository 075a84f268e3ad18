"""Runs both sides of encode.sh in turn and prints medians and ratios."""

import json
import os
import platform
import statistics
import subprocess
import sys
import time

encode, tinsmith, tokenizer, chats, texts, rounds, *pythons = sys.argv[1:]
here = os.path.dirname(os.path.abspath(__file__))
THREADS = "2"
env = {**os.environ, "RAYON_NUM_THREADS": THREADS, "TOKENIZERS_PARALLELISM": "true"}


def run(*command):
    return json.loads(subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout)


def whole():
    """JSONL to examples: the whole program, with the start and the loading of the tokenizer."""
    begin = time.perf_counter()
    options = ["--tokenizer", os.path.dirname(tokenizer), "--renderer", "chatml", "--threads", THREADS, "-q"]
    command = [tinsmith, "data", "stats", chats, *options]
    child = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    if status != 0:
        sys.exit(f"data stats failed: status {status}")
    return {"load": 0.0, "wall": time.perf_counter() - begin, "cpu": usage.ru_utime + usage.ru_stime,
            "rss": usage.ru_maxrss / 1e3}


sides = {"tinsmith": [], "data stats": []}
for _ in range(int(rounds)):
    sides["tinsmith"].append(run(encode, tokenizer, texts, THREADS))
    sides["data stats"].append(whole())
    for python in pythons:
        row = run(python, os.path.join(here, "encode_peer.py"), tokenizer, texts)
        sides.setdefault(f"tokenizers {row['version']}", []).append(row)

model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
print(f"{model}, {os.cpu_count()} processors, {platform.system()} {platform.release()}, {THREADS} threads")
tokens = sides["tinsmith"][0]["tokens"]
print(f"{sum(1 for _ in open(chats))} conversations, {sum(1 for _ in open(texts))} texts, "
      f"{os.path.getsize(texts) / 1e6:.1f} MB, {tokens} tokens; medians of {rounds} interleaved runs")
print(f"{'':20}{'load s':>9}{'wall s':>9}{'cpu s':>9}{'M tokens/s':>12}   same ids")
middle = {}
for name, rows in sides.items():
    load, wall, cpu = (statistics.median(row[key] for row in rows) for key in ("load", "wall", "cpu"))
    middle[name] = (wall, cpu)
    same = "" if "hash" not in rows[0] else str(rows[0]["hash"] == sides["tinsmith"][0]["hash"])
    print(f"{name:20}{load:9.2f}{wall:9.2f}{cpu:9.2f}{tokens / wall / 1e6:12.2f}   {same}")
print(f"peak resident memory of data stats: {statistics.median(row['rss'] for row in sides['data stats']):.0f} MB")
for name, (wall, cpu) in middle.items():
    if name.startswith("tokenizers"):
        for ours in ("tinsmith", "data stats"):
            print(f"{ours} against {name}: {wall / middle[ours][0]:.1f} times in wall time, "
                  f"{cpu / middle[ours][1]:.1f} times in CPU time")
