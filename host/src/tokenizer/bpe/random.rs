//! Random texts for the tests: all of Unicode, and what splitters and merges get wrong.

/// A small generator of random numbers (SplitMix64): the same texts on every machine.
#[derive(Debug)]
pub struct Random(pub u64);

/// Pieces on which patterns turn.
const PIECES: &[&str] = &[
    "'s",
    "'S",
    "'t",
    "'re",
    "'RE",
    "'Ve",
    "'m",
    "'ll",
    "'lL",
    "'d",
    "'ſ",
    "'",
    "’s",
    "''",
    "'l",
    "'r",
    "ſ",
    "K",
    " ",
    "  ",
    "   ",
    "\t",
    "\n",
    "\r",
    "\r\n",
    "\n\n",
    " \n",
    "\n ",
    "\u{b}",
    "\u{c}",
    "\u{85}",
    "\u{a0}",
    "\u{1680}",
    "\u{2003}",
    "\u{2028}",
    "\u{2029}",
    "\u{202f}",
    "\u{205f}",
    "\u{3000}",
    "\u{feff}",
    "\u{200b}",
    "\u{200c}",
    "\u{200d}",
    "\u{180e}",
    "\u{ad}",
    "\u{0}",
    "\u{1}",
    "\u{7f}",
    "\u{9f}",
    "\u{fffd}",
    "\u{ffff}",
    "\u{10ffff}",
    "\u{e000}",
    "\u{301}",
    "\u{300}",
    "\u{308}",
    "\u{327}",
    "\u{323}",
    "\u{345}",
    "\u{94d}",
    "\u{93c}",
    "\u{5b0}",
    "\u{64b}",
    "\u{e31}",
    "\u{3099}",
    "\u{309a}",
    "\u{20dd}",
    "\u{fe0f}",
    "\u{1d165}",
    "\u{1e000}",
    "\u{11930}",
    "\u{1ab0}",
    "\u{1dc0}",
    "\u{340}",
    "\u{344}",
    "\u{37e}",
    "\u{2126}",
    "\u{212a}",
    "\u{212b}",
    "\u{1f71}",
    "\u{f900}",
    "\u{fb1d}",
    "\u{2f800}",
    "\u{ac00}",
    "\u{1100}\u{1161}",
    "\u{11a8}",
    "e\u{301}",
    "e\u{323}\u{301}",
    "a\u{301}\u{323}",
    "A\u{30a}",
    "ế",
    "Ǆ",
    "ǅ",
    "ǆ",
    "ᾈ",
    "ʰ",
    "ª",
    "0",
    "1",
    "12",
    "123",
    "1234",
    "12345678",
    "٣",
    "५",
    "፩",
    "Ⅷ",
    "½",
    "²",
    "①",
    "𝟘",
    "㊿",
    "〇",
    "零",
    "\u{1fbf0}",
    ".",
    "...",
    ",",
    "!",
    "?!",
    "-",
    "--",
    "_",
    "/",
    "//",
    "\\",
    "\"",
    "#",
    "$",
    "€",
    "+",
    "=",
    "==",
    "^",
    "~",
    "`",
    "|",
    "<",
    ">",
    "<|",
    "|>",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "@",
    "&",
    "*",
    "%",
    ";",
    ":",
    "«",
    "»",
    "—",
    "…",
    "、",
    "。",
    "・",
    "゠",
    "゛",
    "ー",
    "ヿ",
    "龥",
    "龦",
    "一",
    "丁",
    "ぁ",
    "\u{3040}",
    "ァ",
    "漢字",
    "かな",
    "カナ",
    "한국어",
    "हिन्दी",
    "ไทย",
    "தமிழ்",
    "العربية",
    "עִבְרִית",
    "Привет",
    "Ελλάδα",
    "ქართული",
    "አማርኛ",
    "\u{1f469}\u{200d}\u{1f4bb}",
    "🇩🇪",
    "👍🏽",
    "🙂",
    "❤\u{fe0f}",
    "☃",
    "𠀀",
    "𐐀",
    "𐐨",
    "the",
    " the",
    "The",
    "THE",
    "Hello",
    "helloWorld",
    "HTTPServer",
    "iPhone",
    "a",
    "A",
    "b",
    "ab",
    "é",
    "É",
    "ß",
    "ı",
    "İ",
    "ing",
    "tion",
    " a",
    " A",
    "\n#",
    "user",
    "assistant",
    "<think>",
    "</think>",
    "<|im_end|>",
    "<|im_start|>",
    "<|endoftext|>",
    "<|eot_id|>",
    "<｜User｜>",
    "<|im_",
    "end|>",
];

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    /// One of these.
    fn of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }

    /// Any character; most are of the first plane.
    fn character(&mut self) -> char {
        let end = [0x80, 0x250, 0x3000, 0x1_0000, 0x2_0000, 0x11_0000][self.below(6)];
        char::from_u32(self.below(end) as u32).unwrap_or('\u{fffd}')
    }

    /// A word of one block of characters, as a script has them.
    fn script(&mut self, text: &mut String) {
        let block = self.below(0x3400) as u32 * 16;
        for _ in 0..self.below(10) {
            text.extend(char::from_u32(block + self.below(48) as u32));
        }
    }

    /// A random text with some of these tokens in it.
    pub fn text(&mut self, tokens: &[String]) -> String {
        let mut text = String::new();
        for _ in 0..=self.below(10) {
            match self.below(13) {
                0..=5 => text.push_str(self.of(PIECES)),
                6 => text.push(self.character()),
                7 => self.script(&mut text),
                8 => {
                    for _ in 0..self.below(12) {
                        text.push(char::from(b'a' + self.below(26) as u8));
                    }
                }
                9 => {
                    // Bytes that are not UTF-8, as a reader would replace them.
                    let bytes: Vec<u8> = (0..self.below(8)).map(|_| self.next() as u8).collect();
                    text.push_str(&String::from_utf8_lossy(&bytes));
                }
                10 if !tokens.is_empty() => {
                    let token = &tokens[self.below(tokens.len())];
                    // Whole, or cut short at either end.
                    let cut = |at: usize| (0..=at).rev().find(|i| token.is_char_boundary(*i));
                    match self.below(4) {
                        0 => text.push_str(&token[..cut(self.below(token.len())).unwrap_or(0)]),
                        1 => text.push_str(&token[cut(self.below(token.len())).unwrap_or(0)..]),
                        _ => text.push_str(token),
                    }
                }
                11 => {
                    let (piece, times) = (self.of(PIECES), self.below(6));
                    text.push_str(&piece.repeat(times));
                }
                _ => text.push_str(self.of(&[" ", "\n", "  ", " the ", ". "])),
            }
        }
        // Seldom: words longer than any table, and than what is merged without a heap.
        if self.below(200) == 0 {
            let (piece, times) = (self.of(PIECES), self.below(300));
            text.push_str(&piece.repeat(times));
        }
        text
    }
}
