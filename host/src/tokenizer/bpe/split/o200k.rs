//! o200k of gpt-oss: words are cut where the case changes.

use super::{
    classes::{CASELESS, END, LETTER, LOWER, MARK, NEWLINE, NUMBER, Reader, SPACE, UPPER},
    shared,
};

/// As gpt-oss spells it.
pub const PATTERN: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// `[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]`
const HEAD: u16 = UPPER | CASELESS | MARK;
/// `[\p{Ll}\p{Lm}\p{Lo}\p{M}]`
const TAIL: u16 = LOWER | CASELESS | MARK;

/// Every word of the text.
#[inline]
pub fn split(text: Reader<'_>, mut each: impl FnMut(usize, usize)) {
    let mut at = 0;
    while at < text.len() {
        let end = word(text, at);
        each(at, end);
        at = end;
    }
}

#[inline]
fn word(text: Reader<'_>, at: usize) -> usize {
    let (class, len) = text.at(at);
    if class & NUMBER != 0 {
        return text.skip_most(at, NUMBER, 3);
    }
    // The optional first character, then the first alternative, without it, then the second.
    let lead = class & (NEWLINE | LETTER) == 0;
    let start = if lead { at + len } else { at };
    let heads = text.skip(start, HEAD);
    let first = tail(text, start, heads);
    let letters = first.or_else(|| {
        // Here a first character can only be a mark: it is head and tail.
        let alone = if lead && class & MARK != 0 { tail(text, at, heads) } else { None };
        alone.or((heads > start).then_some(heads))
    });
    if let Some(end) = letters {
        return shared::contraction(text, end).unwrap_or(end);
    }
    if class & SPACE == 0
        || (text.byte(at) == b' ' && text.at(at + 1).0 & (SPACE | LETTER | NUMBER | END) == 0)
    {
        let mut end = text.skip_but(at + len, SPACE | LETTER | NUMBER);
        while matches!(text.byte(end), b'\r' | b'\n' | b'/') {
            end += 1;
        }
        return end;
    }
    shared::lines_or_spaces(text, at)
}

/// Where `HEAD*TAIL+` ends, with the greedy heads of `start..heads`. If no tail follows them, the last
/// of them that is a tail as well is given back.
#[inline]
fn tail(text: Reader<'_>, start: usize, heads: usize) -> Option<usize> {
    let end = text.skip(heads, TAIL);
    if end > heads {
        return Some(end);
    }
    let (mut at, mut last) = (start, None);
    while at < heads {
        let (class, len) = text.at(at);
        at += len;
        if class & TAIL != 0 {
            last = Some(at);
        }
    }
    last
}
