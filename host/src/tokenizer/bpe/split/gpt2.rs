//! GPT-2, which `ByteLevel` has built in:
//! `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`

use super::{
    classes::{END, LETTER, NUMBER, Reader, SPACE},
    shared,
};

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
    if let Some(end) = contraction(text, at) {
        return end;
    }
    let start = at + usize::from(text.byte(at) == b' ');
    let (class, len) = text.at(start);
    if class & LETTER != 0 {
        text.skip(start + len, LETTER)
    } else if class & NUMBER != 0 {
        text.skip(start + len, NUMBER)
    } else if class & (SPACE | END) == 0 {
        text.skip_but(start + len, LETTER | NUMBER | SPACE)
    } else {
        shared::spaces(text, at)
    }
}

/// Where `'s|'t|'re|'ve|'m|'ll|'d` ends, if it matches: here case matters.
#[inline]
fn contraction(text: Reader<'_>, at: usize) -> Option<usize> {
    if text.byte(at) != b'\'' {
        return None;
    }
    match (text.byte(at + 1), text.byte(at + 2)) {
        (b's' | b't' | b'm' | b'd', _) => Some(at + 2),
        (b'r' | b'v', b'e') | (b'l', b'l') => Some(at + 3),
        _ => None,
    }
}
