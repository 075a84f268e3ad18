#!/usr/bin/env python3
"""A table of what became of every stage in every SDK. Exit code 1 if one failed.

usage: table.py RESULT.json...
"""
import json
import sys

results = [json.load(open(path)) for path in sys.argv[1:]]
names = list(dict.fromkeys(stage["name"] for result in results for stage in result["stages"]))
found = [{stage["name"]: stage for stage in result["stages"]} for result in results]
wide = max(map(len, names))
print(f"{'stage':{wide}}  " + "  ".join(f"{result['sdk']:>7}" for result in results))
for name in names:
    states = [stages.get(name, {"state": "FAIL"})["state"] for stages in found]
    print(f"{name:{wide}}  " + "  ".join(f"{'-' if state == 'skip' else state:>7}" for state in states))
skipped = {}
for result, stages in zip(results, found):
    for stage in stages.values():
        if stage["state"] == "skip":
            skipped.setdefault(f"{stage['name']}: {stage['why']}", []).append(result["sdk"])
for why, sdks in skipped.items():
    print(f"- {why} ({', '.join(sdks)})")
failed = [(result["sdk"], stage) for result in results for stage in result["stages"] if stage["state"] == "FAIL"]
for sdk, stage in failed:
    print(f"FAIL {sdk} {stage['name']}: {stage['why']}")
sys.exit(1 if failed or any(set(names) - set(stages) for stages in found) else 0)
