//! The Unicode classes that pre-tokenising patterns name, as one table: a load instead of a regular
//! expression.
//!
//! The table is made from the ranges of `regex-syntax`, which are those of the engine that
//! `tokenizers` runs: both sides always speak the same version of Unicode.

use regex_syntax::hir::{Class, HirKind};
use std::sync::LazyLock;

/// `\p{Lu}` and `\p{Lt}`.
pub const UPPER: u16 = 1;
/// `\p{Ll}`.
pub const LOWER: u16 = 1 << 1;
/// `\p{Lm}` and `\p{Lo}`.
pub const CASELESS: u16 = 1 << 2;
/// `\p{L}`.
pub const LETTER: u16 = UPPER | LOWER | CASELESS;
/// `\p{M}`.
pub const MARK: u16 = 1 << 3;
/// `\p{N}`.
pub const NUMBER: u16 = 1 << 4;
/// `\s`.
pub const SPACE: u16 = 1 << 5;
/// `\p{P}`.
pub const PUNCTUATION: u16 = 1 << 6;
/// `\p{S}`.
pub const SYMBOL: u16 = 1 << 7;
/// `[\r\n]`.
pub const NEWLINE: u16 = 1 << 8;
/// `char::is_numeric`, which the pre-tokenizer `Digits` asks and which may be of another version.
pub const NUMERIC: u16 = 1 << 9;
/// `[一-龥぀-ゟ゠-ヿ]` of DeepSeek.
pub const CJK: u16 = 1 << 10;
/// No character: the text is over. In no class and not in the complement of one.
pub const END: u16 = 1 << 15;

const PATTERNS: [(&str, u16); 11] = [
    (r"[\p{Lu}\p{Lt}]", UPPER),
    (r"\p{Ll}", LOWER),
    (r"[\p{Lm}\p{Lo}]", CASELESS),
    (r"\p{L}", 0),
    (r"\p{M}", MARK),
    (r"\p{N}", NUMBER),
    (r"\s", SPACE),
    (r"\p{P}", PUNCTUATION),
    (r"\p{S}", SYMBOL),
    (r"[\r\n]", NEWLINE),
    (r"[一-龥぀-ゟ゠-ヿ]", CJK),
];

const BLOCK: usize = 256;
const BLOCKS: usize = 0x11_0000 / BLOCK;

/// Classes by character.
#[derive(Debug)]
pub struct Classes {
    ascii: [u16; 128],
    /// Which block a character's 256 neighbours have; most have one in common.
    index: Vec<u16>,
    blocks: Vec<[u16; BLOCK]>,
}

impl Classes {
    /// The table of this process. The first call makes it.
    pub fn get() -> &'static Self {
        static CLASSES: LazyLock<Classes> = LazyLock::new(Classes::new);
        &CLASSES
    }

    fn new() -> Self {
        let mut flat = vec![0_u16; BLOCKS * BLOCK];
        for (pattern, bit) in PATTERNS {
            for (first, last) in ranges(pattern) {
                flat[first as usize..=last as usize].iter_mut().for_each(|c| *c |= bit);
            }
        }
        for c in ('\0'..=char::MAX).filter(|c| c.is_numeric()) {
            flat[c as usize] |= NUMERIC;
        }
        let mut this = Self { ascii: [0; 128], index: Vec::with_capacity(BLOCKS), blocks: vec![] };
        this.ascii.copy_from_slice(&flat[..128]);
        for block in flat.chunks_exact(BLOCK) {
            // Those just made are the likely ones: planes are mostly uniform.
            let known = this.blocks.iter().rposition(|b| b == block).unwrap_or_else(|| {
                let mut new = [0; BLOCK];
                new.copy_from_slice(block);
                this.blocks.push(new);
                this.blocks.len() - 1
            });
            this.index.push(known as u16);
        }
        this
    }

    /// The classes of a character.
    #[inline]
    pub fn of(&self, c: u32) -> u16 {
        self.blocks[usize::from(self.index[c as usize / BLOCK])][c as usize % BLOCK]
    }
}

fn ranges(pattern: &str) -> Vec<(u32, u32)> {
    let hir = regex_syntax::parse(pattern).expect("the patterns of this file parse");
    match hir.kind() {
        HirKind::Class(Class::Unicode(class)) => {
            class.ranges().iter().map(|r| (r.start().into(), r.end().into())).collect()
        }
        _ => unreachable!("the patterns of this file are classes"),
    }
}

/// A text that is read by class.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    classes: &'static Classes,
}

impl<'a> Reader<'a> {
    /// Reads `text`.
    pub fn new(text: &'a str, classes: &'static Classes) -> Self {
        Self { bytes: text.as_bytes(), classes }
    }

    /// Length in bytes.
    #[inline]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The byte at `at`; NUL behind the end.
    #[inline]
    pub fn byte(&self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or(0)
    }

    /// The classes and the length in bytes of the character that begins at `at`.
    #[inline(always)]
    pub fn at(&self, at: usize) -> (u16, usize) {
        match self.bytes.get(at) {
            Some(&byte) if byte < 0x80 => (self.classes.ascii[usize::from(byte)], 1),
            Some(&byte) => self.beyond_ascii(at, byte),
            None => (END, 0),
        }
    }

    #[inline]
    fn beyond_ascii(&self, at: usize, lead: u8) -> (u16, usize) {
        let next = |i: usize| u32::from(self.byte(at + i) & 0x3F);
        let lead = u32::from(lead);
        let (c, len) = if lead < 0xE0 {
            ((lead & 0x1F) << 6 | next(1), 2)
        } else if lead < 0xF0 {
            ((lead & 0x0F) << 12 | next(1) << 6 | next(2), 3)
        } else {
            ((lead & 0x07) << 18 | next(1) << 12 | next(2) << 6 | next(3), 4)
        };
        (self.classes.of(c), len)
    }

    /// Where the characters of these classes that begin at `at` end.
    #[inline(always)]
    pub fn skip(&self, mut at: usize, classes: u16) -> usize {
        loop {
            let (class, len) = self.at(at);
            if class & classes == 0 {
                return at;
            }
            at += len;
        }
    }

    /// Where the characters of none of these classes that begin at `at` end.
    #[inline(always)]
    pub fn skip_but(&self, mut at: usize, classes: u16) -> usize {
        loop {
            let (class, len) = self.at(at);
            if class & (classes | END) != 0 {
                return at;
            }
            at += len;
        }
    }

    /// As [`Reader::skip`], but at most `most` characters.
    #[inline]
    pub fn skip_most(&self, mut at: usize, classes: u16, most: usize) -> usize {
        for _ in 0..most {
            let (class, len) = self.at(at);
            if class & classes == 0 {
                break;
            }
            at += len;
        }
        at
    }
}
