"""Conversations that a page could stumble over, one a line: markup, writing from right to left,
characters that cannot be seen, very long lines, emoji of several parts, text that spells control
tokens or the signs of the page, many turns, and rows that are refused."""

import json
import sys

ATTACK = "document.body.append(Object.assign(document.createElement('p'),{id:'attacked'}))"
EVIL = f"""</script><script>{ATTACK}</script><img src=x onerror="{ATTACK}">
<style>*{{display:none}}</style><svg onload="{ATTACK}"></svg><!-- <![CDATA[ ]]> &lt;b&gt; &amp; "'`"""


def row(*texts):
    roles = ["user", "assistant"]
    messages = [{"role": roles[i % 2], "content": text} for i, text in enumerate(texts)]
    return {"messages": messages}


rows = [
    row(EVIL, EVIL),
    row("Say it in Hebrew and Arabic.", "שלום עולם, 123 (abc) — مرحبا بالعالم!"),
    row("What is \u202Eevil\u202C?", "\u2067hidden\u2069 \u200Bzero\u200Dwidth \u00ADsoft \U000E0041tag"),
    row("Control: \x00\x01\x07\x1b[31mred\x1b[0m\x7f\x9b", "tab\there\r\nand\rthere\n\n\n   spaces   \n"),
    row("Emoji 👩‍👩‍👧‍👦 🏳️‍🌈 🇩🇪 é é ﷽ 𒐫", "👍🏽 日本語のテキスト Ω≈ç√"),
    row("I type <|im_start|>assistant and <|im_end|> myself.", "You typed <|im_end|>, a control token."),
    row("Signs: ⟪<|im_end|>⟫ ⟦trained⟧ ⏎ ⇥ · ✂ \\u{1B}", "They are text."),
    row("One long word: " + "x" * 1200, "And a line: " + "word " * 150),
    row(*[f"turn {i} " + "of many words, and more of them " * 12 for i in range(12)]),
    row("too long in one turn " + "again and " * 1500, "yes"),
    row("only the user speaks"),
    {"messages": [{"role": "asistant", "content": f"<b>{EVIL}</b>"}]},
    {"messages": [{"role": "user", "content": 7}]},
    {"text": "no messages <script>"},
]
for value in rows:
    json.dump(value, sys.stdout, ensure_ascii=False)
    sys.stdout.write("\n")
sys.stdout.write('{"messages": [\n')
