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


def stamp_of(folder, tokenizer, options, source):
    """What the rows of a file follow from: versions, options, our sources, the tokenizer."""
    digest = hashlib.sha256(repr((options.seed, options.random, cookbook.DATE)).encode())
    for package in PACKAGES:
        digest.update(importlib.metadata.version(package).encode())
    for name in (source, "handmade.py", "random_talks.py"):
        digest.update((HERE / name).read_bytes())
    digest.update((folder / "tokenizer.json").read_bytes())
    digest.update(repr((tokenizer.bos_token, tokenizer.eos_token)).encode())
    if source == "templates.py":
        digest.update((folder / "tokenizer_config.json").read_bytes())
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


def cookbook_rows(renderer, talks):
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
    loaded = {}

    def family_of(family):
        if family not in loaded:
            loaded[family] = cookbook.load_tokenizer(options.tokenizers / family)
        return loaded[family]

    def make(name, family, source, rows):
        if options.only and name not in options.only:
            return
        path, (tokenizer, config) = options.out / f"{name}.jsonl", family_of(family)
        stamp = stamp_of(options.tokenizers / family, tokenizer, options, source)
        if not fresh(path, stamp):
            write(path, stamp, rows(tokenizer, config))

    for name, (renderer, family) in cookbook.SETS.items():
        make(name, family, "cookbook.py", lambda tokenizer, _: cookbook_rows(
            cookbook.load_renderer(renderer, tokenizer), talks))
    for family in templates.FAMILIES:
        make(f"template.{family}", family, "templates.py",
             lambda tokenizer, config: templates.rows(tokenizer, config, talks))


main()
