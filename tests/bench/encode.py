"""Runs all sides of encode.sh in turn and prints medians and ratios."""

import json
import os
import platform
import statistics
import subprocess
import sys
import time

release, models, chats, texts, rounds, cookbook_rounds, cookbook, *pythons = sys.argv[1:]
here = os.path.dirname(os.path.abspath(__file__))
tokenizer = os.path.join(models, "tokenizer.json")
RENDERER = "qwen3_instruct"
THREADS = 2
# What tinsmith is meant to be, at least.
TARGETS = {"tokenizers": ("encode", 3), "cookbook": ("datums", 10)}
cores = sorted(os.sched_getaffinity(0))[:THREADS]
# Inherited by every side.
os.sched_setaffinity(0, cores)
env = {**os.environ, "RAYON_NUM_THREADS": str(THREADS), "OMP_NUM_THREADS": str(THREADS),
       "TOKENIZERS_PARALLELISM": "true"}


def run(*command):
    return json.loads(subprocess.run(command, env=env, check=True, stdout=subprocess.PIPE, text=True).stdout)


def data_stats():
    """The whole program, with its start and the loading of the tokenizer."""
    begin = time.perf_counter()
    options = ["--tokenizer", models, "--renderer", "chatml", "--threads", str(THREADS), "-q"]
    command = [f"{release}/tinsmith", "data", "stats", chats, *options]
    child = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    if status != 0:
        sys.exit(f"data stats failed: status {status}")
    return {"load": 0.0, "wall": time.perf_counter() - begin, "cpu": usage.ru_utime + usage.ru_stime,
            "rss": usage.ru_maxrss / 1e3}


sides = {"encode": [], "datums": [], "data stats": []}
for turn in range(int(rounds)):
    sides["encode"].append(run(f"{release}/examples/encode", tokenizer, texts, str(THREADS)))
    for python in pythons:
        row = run(python, f"{here}/encode_peer.py", tokenizer, texts)
        sides.setdefault(f"tokenizers {row['version']}", []).append(row)
    sides["datums"].append(run(f"{release}/examples/datums", models, chats, RENDERER, str(THREADS)))
    if turn < int(cookbook_rounds):
        row = run(cookbook, f"{here}/datums_peer.py", models, chats, RENDERER)
        name = f"cookbook {row['version']}, tokenizers {row['tokenizers']}"
        sides.setdefault(name, []).append(row)
    sides["data stats"].append(data_stats())

model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
print(f"{model}, {os.cpu_count()} processors of which {len(cores)} are used, "
      f"{platform.system()} {platform.release()}, {THREADS} threads, load {os.getloadavg()[0]:.1f}")
print(f"{sum(1 for _ in open(chats))} conversations, {os.path.getsize(chats) / 1e6:.1f} MB; "
      f"{sum(1 for _ in open(texts))} texts, {os.path.getsize(texts) / 1e6:.1f} MB; medians of interleaved runs")
print(f"{'':36}{'runs':>5}{'load s':>9}{'wall s':>9}{'cpu s':>9}{'tokens':>12}{'M tokens/s':>12}   same")
middle = {}
for name, rows in sides.items():
    load, wall, cpu = (statistics.median(row[key] for row in rows) for key in ("load", "wall", "cpu"))
    middle[name] = (wall, cpu)
    tokens, same = rows[0].get("tokens", 0), ""
    ours = "encode" if name.startswith("tokenizers") or name == "encode" else "datums"
    if "hash" in rows[0] and name != ours:
        same = str(all(row["hash"] == sides[ours][0]["hash"] for row in rows))
    speed = f"{tokens:12}{tokens / wall / 1e6:12.2f}" if tokens else f"{'':24}"
    print(f"{name:36}{len(rows):5}{load:9.2f}{wall:9.2f}{cpu:9.2f}{speed}   {same}")
print(f"peak resident memory of data stats: {statistics.median(row['rss'] for row in sides['data stats']):.0f} MB")
missed, different = [], []
for name, (wall, cpu) in middle.items():
    ours, times = TARGETS.get(name.split()[0], (None, 0))
    if ours is None:
        continue
    ratio = wall / middle[ours][0]
    print(f"{ours} against {name}: {ratio:.1f} times in wall time (meant: {times}), "
          f"{cpu / middle[ours][1]:.1f} times in CPU time")
    if ratio < times:
        missed.append(name)
    if any(row["hash"] != sides[ours][0]["hash"] for row in sides[name]):
        different.append(name)
print("as fast as meant" if not missed else "not as fast as meant: " + ", ".join(missed))
print("all sides agree" if not different else "not the same ids: " + ", ".join(different))
