"""Conversations by chance, the same for the same seed: `talks(seed, count)`."""

import json
import random

from handmade import NESTED, NOTHING, WEATHER, assistant, call, system, text, think, tool, user

WORDS = (
    "the of and a in to is was it for on are as with his they at be this from I have or by one had not "
    "but what all were when we there can an your which their said if do will each about how up out them "
    "Berlin Ærøskøbing naïve café Straße İstanbul Москва привет Ελλάδα 東京 数字 你好 안녕 नमस्ते שלום مرحبا "
    "don't I'm we'll THEY'RE it's 'tis O'Neill camelCase snake_case ALLCAPS x1y2 v2.0 e.g. i.e. U.S.A."
).split()
PIECES = [
    "1234567890", "3.14159", "0x1F", "1,000,000.00", "½", "٣٤٥", "Ⅷ", "😀", "👩‍🚀", "🇩🇪", "e\u0301", "Å", "ﬁ",
    "\u00a0", "\u200b", "\u2028", "\ufeff", "\t", "  ", "   ", "\n", "\n\n", "\n\n\n", "\r\n", " \n ", "\x00",
    "\x7f", "\x1b[0m", "```python\nprint('x')\n```", "https://example.org/?q=1&r=%20", "<b>bold</b>", "&amp;",
    "{'a': 1}", '{"a": [1, null, true]}', "[link](x)", "$x^2$", "# Title\n", "- item\n", "| a | b |\n",
    "----------", "=======", "!!!", "???", "...", "…", "—", "“q”", "«q»", "\\", "\\n", "/path/to/file.txt",
    "User:", "\n\nUser:", "\n\nAssistant: ", "System:", "assistant\n", "user", "\ue000", "\U0001f9ff", "a" * 70,
]
CONTROL = [
    "<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>",
    "<|begin_of_text|>", "<|start|>", "<|end|>", "<|message|>", "<|channel|>", "<|return|>", "<|call|>",
    "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>", "<｜tool▁calls▁begin｜>",
    "<|im_user|>", "<|im_middle|>", "<|tool_call_begin|>", "[EOS]", "<start_of_turn>", "<end_of_turn>", "<bos>",
]
TAGS = ["<think>", "</think>", "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>",
        "<tools>", "<function=f>", "</function>", "<parameter=a>", "</parameter>"]
CITIES = ["Oslo", "Zürich", "東京", "New York", 'a "b"', "x\ny", ""]
VALUES = [0, 1, -3, 2.5, 1e21, 1e-7, True, False, None, "", "x", "é 😀", [], {}, [1, "a", None], {"k": {"v": [True]}}]


class Writer:
    def __init__(self, seed):
        self.rng = random.Random(seed)

    def maybe(self, chance):
        return self.rng.random() < chance

    def some(self, low, high):
        return self.rng.randint(low, high)

    def pick(self, items):
        return items[self.rng.randrange(len(items))]

    def character(self):
        """Any character but surrogates; mostly from the blocks that people write in."""
        block = self.pick([(0x20, 0x7e), (0xa0, 0x24f), (0x300, 0x36f), (0x370, 0x5ff), (0x600, 0xdff),
                           (0x1e00, 0x2bff), (0x3000, 0x9fff), (0xac00, 0xd7a3), (0xf900, 0xfffd),
                           (0x10000, 0x1ffff), (0x20000, 0x2ffff), (0, 0x1f)])
        return chr(self.some(*block))

    def prose(self, control=0.04, tags=0.03):
        """Text; `control` and `tags` are the chances of control tokens and tags in it."""
        kind = self.rng.random()
        if kind < 0.03:
            return ""
        if kind < 0.06:
            return self.pick([" ", "\n", " \n\t", "   ", "\n\n"])
        if kind < 0.10:
            return "".join(self.character() for _ in range(self.some(1, 40)))
        out = []
        for _ in range(self.some(1, 30)):
            out.append(self.pick(WORDS) if self.maybe(0.8) else self.pick(PIECES))
            if self.maybe(0.9):
                out.append(self.pick([" ", " ", " ", " ", ", ", ". ", "\n"]))
        if self.maybe(control):
            out.insert(self.some(0, len(out)), self.pick(CONTROL))
        if self.maybe(tags):
            out.insert(self.some(0, len(out)), self.pick(TAGS))
        joined = "".join(out)
        return joined if self.maybe(0.2) else joined.strip()

    def content(self, parts=0.1):
        """A string or, with the chance `parts`, a list of text parts."""
        if not self.maybe(parts):
            return self.prose()
        return [text(self.prose()) for _ in range(self.pick([1, 1, 1, 2, 3]))]

    def reasoned(self):
        """What an assistant says with its reasoning, as parts or inline."""
        thought, said = self.prose(tags=0), self.prose(tags=0.01)
        match self.some(0, 9):
            case 0 | 1 | 2 | 3 | 4:
                return [think(thought), text(said)]
            case 5:
                return [think(thought), text(self.prose()), think(self.prose()), text(said)]
            case 6:
                return [text(said), think(thought)]
            case 7:
                return f"<think>{thought}</think>{said}"
            case 8:
                return f"<think>\n{thought}\n</think>\n\n{said}"
            case _:
                return [think(thought)]

    def answer(self, reasons):
        return assistant(self.reasoned() if self.maybe(reasons) else self.content(0.07))

    def arguments(self):
        match self.some(0, 3):
            case 0:
                value = {"city": self.pick(CITIES)}
            case 1:
                value = {}
            case _:
                value = {self.pick(["a", "b", "city", "größe", "x y"]): self.pick(VALUES)
                         for _ in range(self.some(1, 4))}
        return json.dumps(value, ensure_ascii=self.maybe(0.5),
                          separators=self.pick([(", ", ": "), (",", ":")]))

    def turn_with_tools(self, reasons, ids):
        """An assistant's calls, their results, and perhaps the answer."""
        out = []
        for _ in range(self.pick([1, 1, 1, 2])):
            calls = []
            for _ in range(self.pick([1, 1, 2])):
                name = self.pick(["get_weather", "now", "book"])
                calls.append(call(name, self.arguments(), f"functions.{name}:{ids[0]}"))
                ids[0] += 1
            content = self.reasoned() if self.maybe(reasons) else self.pick(["", "", self.prose()])
            out.append(assistant(content, calls))
            for made in calls:
                named = made["function"]["name"] if self.maybe(0.9) else None
                out.append(tool(self.content(0.05), named, made["id"] if self.maybe(0.9) else None))
        if self.maybe(0.8):
            out.append(self.answer(reasons))
        return out

    def talk(self):
        reasons = self.pick([0, 0, 0, 0.5, 1])
        tools = self.maybe(0.25)
        messages, ids = [], [0]
        if self.maybe(0.4):
            messages.append(system(self.content(0.05)))
        if self.maybe(0.06):
            messages.append(self.answer(reasons))
        for _ in range(self.pick([1, 1, 1, 2, 2, 3, 4])):
            messages.append(user(self.content()))
            if self.maybe(0.03):
                messages.append(user(self.content()))
            if tools and self.maybe(0.6):
                messages += self.turn_with_tools(reasons, ids)
            else:
                messages.append(self.answer(reasons))
            if self.maybe(0.03):
                messages.append(self.answer(reasons))
            if self.maybe(0.03):
                messages.append(system(self.prose()))
        if self.maybe(0.08):
            messages.append(user(self.content()))
        if self.maybe(0.04):
            messages.insert(0, system(self.prose()))
        if not tools:
            return {"messages": messages}
        listed = [t for t in (WEATHER, NOTHING, NESTED) if self.maybe(0.6)]
        if self.maybe(0.2):
            listed = [{"type": "function", "function": t} for t in listed]
        return {"messages": messages, "tools": listed} if listed else {"messages": messages}


def talks(seed, count):
    """`count` conversations by name."""
    return {f"random_{i:04}": Writer(f"{seed}/{i}").talk() for i in range(count)}
