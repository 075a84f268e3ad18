//! cl100k and its kin, which differ in how many digits go together and whether marks are letters.

use super::{
    classes::{END, LETTER, NEWLINE, NUMBER, Reader, SPACE},
    shared,
};

/// Llama 3; cl100k as Hugging Face spells it.
pub const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// Qwen2, Qwen2.5, Qwen3.
pub const QWEN2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// Qwen3.5.
pub const QWEN35: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// Every word of the text. `DIGITS` go together; `MARKS` are the classes that count as letters too.
#[inline]
pub fn split<const DIGITS: usize, const MARKS: u16>(
    text: Reader<'_>,
    mut each: impl FnMut(usize, usize),
) {
    let mut at = 0;
    while at < text.len() {
        let end = word::<DIGITS, MARKS>(text, at);
        each(at, end);
        at = end;
    }
}

#[inline(always)]
fn word<const DIGITS: usize, const MARKS: u16>(text: Reader<'_>, at: usize) -> usize {
    let letters = LETTER | MARKS;
    let (class, len) = text.at(at);
    if class & LETTER != 0 {
        return text.skip(at + len, letters);
    }
    if class & NUMBER != 0 {
        return text.skip_most(at, NUMBER, DIGITS);
    }
    if let Some(end) = shared::contraction(text, at) {
        return end;
    }
    if class & NEWLINE == 0 {
        let (next, next_len) = text.at(at + len);
        if next & letters != 0 {
            return text.skip(at + len + next_len, letters);
        }
        if class & MARKS != 0 {
            // A mark alone: taken as the optional character it has no letter after it, so it is one.
            return at + len;
        }
        if class & SPACE == 0 || (text.byte(at) == b' ' && next & (SPACE | NUMBER | END) == 0) {
            let end = text.skip_but(at + len, SPACE | letters | NUMBER);
            return text.skip(end, NEWLINE);
        }
    }
    shared::lines_or_spaces(text, at)
}
