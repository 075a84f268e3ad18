"""The table of the suite: what was compared, renderer by renderer.

Usage: summary.py COUNTS ANSWERS       exit code 1 if something is not explained
  COUNTS    what compare.py counted: examples (one a conversation), splits and prompts, by `tinsmith render`
  ANSWERS   what `cargo test --test golden_families -- --nocapture` printed: of its lines those that begin
            with `tally`, for the answers read back (parse_response) by real tokenizers

  refused here     tinsmith refuses what the reference renders
  refused there    the reference refuses what tinsmith renders
"""

import collections
import json
import pathlib
import sys

COLUMNS = ["equal", "refused by both", "explained: differs", "explained: refused here",
           "explained: refused there", "unexplained"]


def show(rows):
    """Prints the table and returns how many rows are not explained."""
    merged = {}
    for row in rows:
        for key in ((row["renderer"], row["what"]), ("all", row["what"]), ("all", "")):
            merged.setdefault(key, collections.Counter()).update(row["counts"])
    totals = [key for key in merged if key[0] == "all"]
    heads = ["rows", *COLUMNS]
    print(f"{'':32}{'':10}" + "".join(f"{h.rpartition(': ')[0]:>16}" for h in heads))
    print(f"{'renderer':32}{'what':10}" + "".join(f"{h.rpartition(': ')[2]:>16}" for h in heads))
    for key in [k for k in merged if k[0] != "all"] + sorted(totals, key=lambda k: k[1] == ""):
        counts = merged[key]
        cells = [counts.total(), *(counts[c] for c in COLUMNS)]
        print(f"{key[0]:32}{key[1]:10}" + "".join(f"{c:>16}" for c in cells))
    return merged["all", ""]["unexplained"] if merged else 0


def answers(path):
    for line in path.read_text().splitlines():
        if line.startswith("tally "):
            _, renderer, what, *counts = line.split()
            if what == "answers":
                yield {"renderer": renderer, "what": what, "counts": dict(zip(COLUMNS, map(int, counts)))}


def main():
    counts, tallies = map(pathlib.Path, sys.argv[1:])
    rows = json.loads(counts.read_text()) + list(answers(tallies))
    order = list(dict.fromkeys(row["renderer"] for row in rows))
    sys.exit(show(sorted(rows, key=lambda row: order.index(row["renderer"]))) > 0)


if __name__ == "__main__":
    main()
