"""Compares `tinsmith render` with the golden rows: tokens, weights, split examples, generation prompts
and refusals. Prints the first differences of each kind and a table (summary.py); exit code 1 if there is a
difference that `exceptions.json` does not explain, or an exception that explains nothing.

Usage: compare.py TINSMITH TOKENIZERS GOLDEN [--counts FILE] [--show N] [--missing-ok] [--only FILE…]
  --counts    where the counts of the table go, for summary.py
  --only      names such as `qwen3` or `template.gemma3`; default: all
  --missing-ok   renderers that this binary does not have are told and left out

An exception has a `reason` and any of these, all of which must hold:
  renderer, id, mode   patterns of the whole name; mode is `prompt` for prompts
  kind        `refused here` | `refused there` | `differs`
  theirs, ours   patterns found in the refusal of the cookbook or transformers, or of tinsmith
  text        pattern found in the record
  untrained   true: all weights of the reference are 0
  same_text   true: both sequences of tokens, and what is trained of them, decode to the same text
  without     as same_text, once what this pattern finds is taken out of both
  joined      true: ours is what transformers gives once text parts are one text, or the same text
  more        what the reference's last example has behind all that ours has, as text
"""

import argparse
import collections
import json
import pathlib
import re
import subprocess
import sys
import tempfile

from tokenizers import Tokenizer

import cookbook
import summary
import templates

HERE = pathlib.Path(__file__).parent
KINDS = ("refused here", "refused there", "differs")
ERROR = re.compile(r"error: (?:.*?\.jsonl):(\d+)(?::\d+)?: (.*)")


class Tinsmith:
    def __init__(self, binary):
        self.binary = binary
        shown = subprocess.run([binary, "plugins", "show", "chat", "--format", "json"],
                               capture_output=True, text=True, check=True).stdout
        self.keys = {}
        for item in json.loads(shown)["provides"]:
            if item["kind"] == "renderer":
                self.keys[item["name"]] = set(item["config_schema"].get("properties", {}))

    def render(self, folder, renderer, mode, split, rows, prompts=False):
        """What it makes of each row: a list of `(tokens, weights)`, or the text of its refusal."""
        with tempfile.TemporaryDirectory() as work:
            path = pathlib.Path(work) / "rows.jsonl"
            with path.open("w") as out:
                for row in rows:
                    record = {"messages": row["messages"]}
                    if prompts:
                        # The command leaves out the last answer, so give it one.
                        record["messages"] = [*row["messages"], {"role": "assistant", "content": "x"}]
                    if "tools" in row:
                        record["tools"] = row["tools"]
                    out.write(json.dumps(record, ensure_ascii=False) + "\n")
            command = [self.binary, "render", path, "--format", "json", "--tokenizer", folder,
                       "--renderer", renderer, "--train-on", mode]
            if split is not None and "split" in self.keys[renderer]:
                command += ["--set", f"renderer.split={split}"]
            if "current_date" in self.keys[renderer]:
                command += ["--set", f"renderer.current_date='{cookbook.DATE}'"]
            if prompts:
                command.append("--generation-prompt")
            done = subprocess.run(command, capture_output=True, text=True)
        out = [[] for _ in rows]
        for line in done.stdout.splitlines():
            example = json.loads(line)
            out[example["record"]].append((example["tokens"], example["weights"]))
        refused = {}
        for line in done.stderr.splitlines():
            if match := ERROR.match(line):
                refused[int(match[1]) - 1] = match[2]
        if done.returncode not in (0, 3) or (done.returncode == 3 and not refused):
            # Refused as a whole, for a renderer or a mode that cannot be.
            message = next((l for l in done.stderr.splitlines() if l.startswith("error")), done.stderr)
            return [message] * len(rows)
        return [refused.get(i, examples) for i, examples in enumerate(out)]


class Side:
    """The text of tokens, and of what is trained of them."""

    def __init__(self, folder):
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))

    def text(self, examples, without=None):
        def decode(ids):
            text = self.tokenizer.decode(ids, skip_special_tokens=False)
            return re.sub(without, "", text) if without else text

        return [(decode(t), decode([i for i, w in zip(t, ws) if w])) for t, ws in examples]

    def appends(self, to, longer, text):
        """Whether `longer` is `to` and, behind its last example, `text`."""
        (*some, (all_of_it, trained)), (*others, (more, more_trained)) = self.text(to), self.text(longer)
        return some == others and more == all_of_it + text and more_trained in (trained, trained + text)


class Exceptions:
    def __init__(self, path):
        self.all = json.loads(path.read_text())
        self.used = collections.Counter()

    def explains(self, row, renderer, mode, kind, theirs, ours, side):
        for i, wanted in enumerate(self.all):
            if self.holds(wanted, row, renderer, mode, kind, theirs, ours, side):
                self.used[i] += 1
                return wanted["reason"]
        return None

    def holds(self, wanted, row, renderer, mode, kind, theirs, ours, side):
        whole = {"renderer": renderer, "id": row["id"], "mode": mode}
        for key, value in wanted.items():
            match key:
                case "reason":
                    ok = True
                case "kind":
                    ok = kind == value
                case "renderer" | "id" | "mode":
                    ok = re.fullmatch(value, whole[key])
                case "theirs":
                    ok = isinstance(theirs, str) and re.search(value, theirs)
                case "ours":
                    ok = isinstance(ours, str) and re.search(value, ours)
                case "text":
                    record = {"messages": row["messages"], "tools": row.get("tools")}
                    ok = re.search(value, json.dumps(record, ensure_ascii=False))
                case "untrained":
                    ok = not isinstance(theirs, str) and not any(w for _, ws in theirs for w in ws)
                case "same_text":
                    ok = kind == "differs" and side.text(theirs) == side.text(ours)
                case "without":
                    ok = kind == "differs" and side.text(theirs, value) == side.text(ours, value)
                case "joined":
                    one = row.get("joined")
                    one = one and [(one, [0.0] * len(one))]
                    ok = one and not isinstance(ours, str) and side.text(one) == side.text(ours)
                case "more":
                    ok = kind == "differs" and side.appends(ours, theirs, value)
                case _:
                    raise ValueError(f"no such condition: {key}")
            if not ok:
                return False
        return True


def expected(row, key):
    """What the reference makes of a row: a list of `(tokens, weights)` or the text of its refusal."""
    if key == "examples":
        made = row["examples"]
        if isinstance(made, dict):
            return made["error"]
        # Examples that train nothing are left out of what is split here (0006).
        all_of_it = [(e["tokens"], e["weights"]) for e in made]
        return [e for e in all_of_it if any(e[1])] if len(made) > 1 else all_of_it
    if "error" in row:
        return row["error"]
    return [(row["tokens"], row.get("weights", [0.0] * len(row["tokens"])))]


def kind_of(theirs, ours):
    match isinstance(theirs, str), isinstance(ours, str):
        case True, True:
            return "refused by both"
        case False, True:
            return "refused here"
        case True, False:
            return "refused there"
    # An example without tokens is not printed.
    return "equal" if [e for e in theirs if e[0]] == ours else "differs"


def spell(side, made, other):
    """Where two lists of examples part."""
    if isinstance(made, str):
        return "refused: " + made[:200]
    if isinstance(other, str):
        return side.text(made)[0][0][:200] if made else "nothing"
    if len(made) != len(other):
        return f"{len(made)} examples of {[len(t) for t, _ in made]} tokens"
    for (tokens, weights), (tokens2, weights2) in zip(made, other):
        pairs, pairs2 = list(zip(tokens, weights)), list(zip(tokens2, weights2))
        if pairs != pairs2:
            at = next((i for i, (a, b) in enumerate(zip(pairs, pairs2)) if a != b),
                      min(len(pairs), len(pairs2)))
            piece = pairs[max(at - 3, 0):at + 5]
            return f"at token {at}: " + " ".join(
                f"{side.tokenizer.id_to_token(t)}/{t}*{w:g}" for t, w in piece)
    return "equal"


class Table:
    def __init__(self, show, exceptions):
        self.counts, self.show, self.exceptions = [], show, exceptions
        self.shown, self.bad = collections.Counter(), 0

    def add(self, renderer, what, mode, rows, theirs, ours, side):
        counts = collections.Counter()
        for row, a, b in zip(rows, theirs, ours, strict=True):
            kind = kind_of(a, b)
            if kind not in KINDS:
                counts[kind] += 1
            elif self.exceptions.explains(row, renderer, mode, kind, a, b, side):
                counts["explained: " + kind] += 1
            else:
                counts["unexplained"] += 1
                self.bad += 1
                self.shown[renderer, what, mode, kind] += 1
                if self.shown[renderer, what, mode, kind] <= self.show:
                    print(f"{renderer}, {what}, {mode}: {row['id']}: {kind}\n"
                          f"  reference {spell(side, a, b)}\n  tinsmith  {spell(side, b, a)}")
        self.counts.append({"renderer": renderer, "what": what, "counts": counts})


def read(path):
    with path.open() as file:
        next(file)
        return [json.loads(line) for line in file]


def sets():
    """What is compared: name, renderer of ours, tokenizer, file of golden rows, and whether these are of
    transformers, which has prompts only."""
    for name, (renderer, family) in cookbook.SETS.items():
        yield name, renderer, family, name, False
    yield "chatml", "chatml", "qwen3", "qwen3_instruct", False
    for family in templates.FAMILIES:
        yield f"template.{family}", "template", family, f"template.{family}", True
    for renderer, family in templates.RENDERERS.items():
        yield renderer, renderer, family, f"template.{family}", True


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary", type=pathlib.Path)
    parser.add_argument("tokenizers", type=pathlib.Path)
    parser.add_argument("golden", type=pathlib.Path)
    parser.add_argument("--counts", type=pathlib.Path)
    parser.add_argument("--show", type=int, default=2)
    parser.add_argument("--missing-ok", action="store_true")
    parser.add_argument("--only", nargs="+", default=[])
    options = parser.parse_args()
    tinsmith = Tinsmith(options.binary)
    exceptions = Exceptions(HERE / "exceptions.json")
    table, missing = Table(options.show, exceptions), []
    for name, renderer, family, golden, by_template in sets():
        if options.only and name not in options.only:
            continue
        if renderer not in tinsmith.keys:
            missing.append(renderer)
            continue
        folder = options.tokenizers / family
        side, rows = Side(folder), read(options.golden / f"{golden}.jsonl")
        for mode in cookbook.MODES if not by_template else ():
            some = [r for r in rows if r.get("mode") == mode]
            one = [expected(r, "tokens") for r in some]
            table.add(name, "examples", mode, some, one,
                      tinsmith.render(folder, renderer, mode, "never", some), side)
            if mode in cookbook.SPLIT:
                table.add(name, "splits", mode, some, [expected(r, "examples") for r in some],
                          tinsmith.render(folder, renderer, mode, "auto", some), side)
        prompts = [r for r in rows if "prompt_of" in r]
        table.add(name, "prompts", "prompt", prompts, [expected(r, "tokens") for r in prompts],
                  tinsmith.render(folder, renderer, "all_assistant_messages", None, prompts, True), side)
    print()
    summary.show(table.counts)
    if options.counts:
        options.counts.write_text(json.dumps(table.counts))
    for i, exception in enumerate(exceptions.all):
        print(f"explained {exceptions.used[i]:6}: {exception['reason']}")
    stale = [e["reason"] for i, e in enumerate(exceptions.all) if not exceptions.used[i]]
    if missing:
        print("not in this binary: " + ", ".join(missing))
    if stale and not options.only and not missing:
        print("exceptions that explain nothing: " + "; ".join(stale))
        table.bad += 1
    if table.bad or (missing and not options.missing_ok):
        sys.exit(1)


main()
