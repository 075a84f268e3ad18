"""Golden rows of every renderer for all conversations, hand-made and by chance.

Usage: make_golden.py TOKENIZERS OUT [--seed N] [--random N] [--only RENDERER…]

Writes OUT/<renderer>.jsonl (cookbook.py) and OUT/template.<family>.jsonl (templates.py). A file whose
inputs have not changed since it was made is left alone.
"""

import argparse
import hashlib
import importlib.metadata
import json
import os
import pathlib

import cookbook
import handmade
import random_talks
import templates

HERE = pathlib.Path(__file__).parent
PACKAGES = ("tinker-cookbook", "transformers", "tokenizers")


def stamp_of(folder, options):
    digest = hashlib.sha256(repr((options.seed, options.random, cookbook.DATE)).encode())
    for package in PACKAGES:
        digest.update(importlib.metadata.version(package).encode())
    for name in ("cookbook.py", "templates.py", "handmade.py", "random_talks.py"):
        digest.update((HERE / name).read_bytes())
    for path in sorted(folder.iterdir()):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def write(path, stamp, rows):
    """Writes the rows behind a first line that says what they were made of."""
    new = path.with_name(path.name + ".new")
    count = 0
    with new.open("w") as out:
        out.write(json.dumps({"stamp": stamp}) + "\n")
        for row in rows:
            out.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n")
            count += 1
    os.replace(new, path)
    print(f"{path.name}: {count} rows", flush=True)


def fresh(path, stamp):
    if not path.exists():
        return False
    with path.open() as file:
        return json.loads(file.readline()).get("stamp") == stamp


def cookbook_rows(renderer, tokenizer, talks):
    for name, talk in talks.items():
        for row in cookbook.rows(renderer, talk):
            yield {"id": name, **row}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tokenizers", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--random", type=int, default=500)
    parser.add_argument("--only", nargs="+", default=[])
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    talks = handmade.ALL | random_talks.talks(options.seed, options.random)
    print(f"{len(talks)} conversations, {len(handmade.ALL)} of them by hand", flush=True)
    loaded, stamps = {}, {}

    def family_of(family):
        if family not in loaded:
            loaded[family] = cookbook.load_tokenizer(options.tokenizers / family)
        return loaded[family]

    def stamp(family):
        if family not in stamps:
            stamps[family] = stamp_of(options.tokenizers / family, options)
        return stamps[family]

    for name, family in cookbook.RENDERERS.items():
        if options.only and name not in options.only:
            continue
        path = options.out / f"{name}.jsonl"
        if fresh(path, stamp(family)):
            continue
        tokenizer = family_of(family)[0]
        renderer = cookbook.load_renderer(name, tokenizer)
        write(path, stamp(family), cookbook_rows(renderer, tokenizer, talks))
    for family in templates.FAMILIES:
        if options.only and "template" not in options.only:
            continue
        path = options.out / f"template.{family}.jsonl"
        if not fresh(path, stamp(family)):
            write(path, stamp(family), templates.rows(*family_of(family), talks))


main()
