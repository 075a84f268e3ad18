"""Deterministic conversations for the benchmark of encoding: English, code, ten scripts, numbers.

    encode_texts.py CONVERSATIONS CHATS.jsonl TEXTS.jsonl

CHATS has the conversations, TEXTS the content of every message, one JSON string a line. Words follow
Zipf's law, as those of real text do: a few hundred common ones and 30,000 made of syllables.
"""

import bisect
import itertools
import json
import random
import sys

COMMON = """the of and to a in is that it for was on are as with they be at one have this from or had by
but what some we can out other were all there when up use your how said an each she which do their time if
will way about many then them write would like so these her long make thing see him two has look more day
could go come did number sound no most people my over know water than call first who may down side been now
find any new work part take get place made live where after back little only round man year came show every
good me give our under name very through just form sentence great think say help low line differ turn cause
much mean before move right boy old too same tell does set three want air well also play small end put home
read hand port large spell add even land here must big high such follow act why ask men change went light
kind off need house picture try us again animal point mother world near build self earth father head stand
own page should country found answer school grow study still learn plant cover food sun four between state
keep eye never last let thought city tree cross farm hard start might story saw far sea draw left late run
don't while press close night real life few north open seem together next white children begin got walk
example ease paper group always music those both mark often letter until mile river car feet care second
book carry took science eat room friend began idea fish mountain stop once base hear horse cut sure watch
color face wood main enough plain girl usual young ready above ever red list though feel talk bird soon body
dog family direct pose leave song measure door product black short numeral class wind question happen
complete ship area half rock order fire south problem piece told knew pass since top whole king space heard
best hour better true during hundred five remember step early hold west ground interest reach fast verb sing
listen six table travel less morning ten simple several vowel toward war lay against pattern slow center
love person money serve appear road map rain rule govern pull cold notice voice unit power town fine certain
fly fall lead cry dark machine note wait plan figure star box noun field rest correct able pound done beauty
drive stood contain front teach week final gave green oh quick develop ocean warm free minute strong special
mind behind clear tail produce fact street inch multiply nothing course stay wheel full force blue object
decide surface deep moon island foot system busy test record boat common gold possible plane stead dry
wonder laugh thousand ago ran check game shape equate hot miss brought heat snow tire bring yes distant fill
east paint language among it's I'm you're isn't we'll they've that's can't""".split()
SYLLABLES = """an be con de dis en ex fer gen hy in jo ka lan men nor op per qui re sub tran un ver wil
xen yo zen al ber cal der est for gra hal ist jen kel lor mon nal or pol ron sen ter ul ven wor ing tion ment
ness able ive ous ly er ed""".split()
SCRIPTS = [
    "это было время когда люди думали что мир можно понять и описать словами каждый день новая работа вопрос "
    "ответ данные модель обучение система результат человек жизнь город страна книга язык",
    "ο κόσμος είναι μεγάλος και οι άνθρωποι μιλούν πολλές γλώσσες κάθε μέρα νέα ερώτηση απάντηση βιβλίο πόλη",
    "هذا هو العالم الذي نعيش فيه كل يوم سؤال جديد وجواب جديد في المدينة والكتاب واللغة والحياة والعمل",
    "זה העולם שבו אנחנו חיים כל יום שאלה חדשה ותשובה חדשה בעיר בספר בשפה ובחיים",
    "यह वह दुनिया है जिसमें हम रहते हैं हर दिन एक नया प्रश्न और उत्तर शहर किताब भाषा जीवन काम",
    "이것은 우리가 사는 세계입니다 매일 새로운 질문과 대답이 있습니다 도시 책 언어 생활 일 모델 학습 데이터",
    "நாம் வாழும் உலகம் இது ஒவ்வொரு நாளும் புதிய கேள்வி பதில் நகரம் புத்தகம் மொழி வாழ்க்கை",
    "der die das und ist nicht können für über größer schöne Straße Übung zwölf Mädchen heißt möglich außerdem",
    "le la les été où être déjà français élève naïve çà garçon œuvre même forêt hôpital très après",
    "niño mañana señor qué cómo está también país según corazón inglés año español después más aquí",
]
HAN = (
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家"
    "种事成方多经么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日军者意无力它与长把机十"
    "民第公此已工使情明性知全三又关点正业外将两高间由问很最重并物手应战向头文体政美相见被利什二等产或新己制身果加西斯"
    "月话合回特代内信表化老给世位次度门任常先海通教儿原东声提立及比员解水名真论处走义各入几口认条平系气题活尔更别打女"
)
KANA = "のはがをにでとしてますですこれそれあなたわたしいるあるするなるモデルデータテキストトークンユーザー"
EMOJI = ["🙂", "👍🏽", "👩‍💻", "🎉", "🇩🇪", "❤️", "🚀"]


def main():
    conversations, chats, texts = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    rng = random.Random(20240607)
    rare = ["".join(rng.choice(SYLLABLES) for _ in range(rng.randint(2, 4))) for _ in range(30_000)]
    words = COMMON + rare
    total = list(itertools.accumulate(1 / (rank + 3) for rank in range(len(words))))

    def word():
        return words[bisect.bisect(total, rng.random() * total[-1])]

    def number():
        kinds = [
            lambda: str(rng.randint(0, 99)),
            lambda: str(rng.randint(1900, 2030)),
            lambda: f"{rng.random() * 1000:.2f}",
            lambda: f"{rng.randint(0, 10**9):,}",
            lambda: f"{rng.randint(2000, 2030)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}",
            lambda: f"{rng.randint(1, 100)}%",
        ]
        return rng.choice(kinds)()

    def sentence():
        parts = [number() if rng.random() < 0.04 else word() for _ in range(rng.randint(4, 22))]
        parts[0] = parts[0].capitalize()
        if len(parts) > 8:
            parts[rng.randint(3, len(parts) - 3)] += ","
        return " ".join(parts) + rng.choice(["."] * 6 + ["?", "!", ":"])

    def paragraph():
        return " ".join(sentence() for _ in range(rng.randint(1, 6)))

    def name():
        parts = [word().replace("'", "") for _ in range(rng.randint(1, 3))]
        if rng.random() < 0.5:
            return "_".join(parts).lower()
        return parts[0] + "".join(part.capitalize() for part in parts[1:])

    def code():
        lines, depth = [], 0
        for _ in range(rng.randint(4, 24)):
            pad = "    " * depth
            kind = rng.random()
            if kind < 0.25:
                lines.append(f"{pad}{name()} = {name()}({name()}, {number()})")
            elif kind < 0.4:
                lines.append(f"{pad}if {name()}[{rng.randint(0, 9)}] != \"{word()}\":")
                depth = min(depth + 1, 4)
            elif kind < 0.5:
                lines.append(f"{pad}def {name()}(self, {name()}: int = {rng.randint(0, 512)}) -> str:")
                depth = min(depth + 1, 4)
            elif kind < 0.6:
                lines.append(f"{pad}return {{\"{name()}\": {name()}.{name()}(), \"{name()}\": [0x{rng.randint(0, 65535):04X}]}}")
                depth = max(depth - 1, 0)
            elif kind < 0.75:
                lines.append(f"{pad}# {sentence()}")
            elif kind < 0.85:
                lines.append("")
                depth = max(depth - 1, 0)
            else:
                lines.append(f"{pad}for (let {name()} = 0; i < {name()}.length; i++) {{ {name()} += {number()}; }}")
        return "```python\n" + "\n".join(lines) + "\n```"

    def scripts():
        kind = rng.random()
        if kind < 0.35:
            han = ["".join(rng.choice(HAN) for _ in range(rng.randint(4, 18))) for _ in range(rng.randint(2, 8))]
            return "，".join(han) + "。"
        if kind < 0.5:
            return "".join(rng.choice(KANA) if rng.random() < 0.7 else rng.choice(HAN) for _ in range(rng.randint(20, 90))) + "。"
        all_words = rng.choice(SCRIPTS).split()
        return " ".join(rng.choice(all_words) for _ in range(rng.randint(8, 50))) + "."

    def listing():
        items = [f"{i + 1}. **{word().capitalize()}**: {sentence()}" for i in range(rng.randint(2, 6))]
        return "\n".join(items)

    def data():
        row = {name(): rng.choice([number(), word(), sentence()]) for _ in range(rng.randint(2, 6))}
        return json.dumps(row, indent=rng.choice([None, 2]))

    def content(longest):
        parts = []
        for _ in range(rng.randint(1, longest)):
            make = rng.choices([paragraph, code, scripts, listing, data], [10, 3, 3, 2, 1])[0]
            parts.append(make())
        text = "\n\n".join(parts)
        return text + " " + rng.choice(EMOJI) if rng.random() < 0.05 else text

    with open(chats, "w", encoding="utf-8") as out, open(texts, "w", encoding="utf-8") as flat:
        for _ in range(conversations):
            messages = []
            if rng.random() < 0.3:
                messages.append({"role": "system", "content": sentence()})
            for _ in range(rng.randint(1, 3)):
                messages.append({"role": "user", "content": content(2)})
                messages.append({"role": "assistant", "content": content(4)})
            out.write(json.dumps({"messages": messages}, ensure_ascii=False) + "\n")
            for message in messages:
                flat.write(json.dumps(message["content"], ensure_ascii=False) + "\n")


main()
