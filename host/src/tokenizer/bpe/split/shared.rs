//! What the patterns have in common.

use super::classes::{NEWLINE, Reader, SPACE};

/// Where `(?i:'s|'t|'re|'ve|'m|'ll|'d)` ends, if it matches at `at`.
#[inline]
pub fn contraction(text: Reader<'_>, at: usize) -> Option<usize> {
    if text.byte(at) != b'\'' {
        return None;
    }
    let second = |byte: u8| text.byte(at + 2) | 0x20 == byte;
    match text.byte(at + 1) | 0x20 {
        b's' | b't' | b'm' | b'd' => Some(at + 2),
        b'r' | b'v' if second(b'e') => Some(at + 3),
        b'l' if second(b'l') => Some(at + 3),
        // `ſ`, U+017F, is an `s` where case does not matter. (0xC5 has the bit of 0x20 not set.)
        0xE5 if text.byte(at + 1) == 0xC5 && text.byte(at + 2) == 0xBF => Some(at + 3),
        _ => None,
    }
}

/// Where `\s+(?!\S)|\s+` ends at `at`, where there is white space.
#[inline]
pub fn spaces(text: Reader<'_>, at: usize) -> usize {
    blank(text, at, false)
}

/// Where `\s*[\r\n]+|\s+(?!\S)|\s+` ends at `at`, where there is white space.
#[inline]
pub fn lines_or_spaces(text: Reader<'_>, at: usize) -> usize {
    blank(text, at, true)
}

#[inline(always)]
fn blank(text: Reader<'_>, from: usize, lines: bool) -> usize {
    let (mut at, mut last, mut newline) = (from, from, from);
    loop {
        let (class, len) = text.at(at);
        if class & SPACE == 0 {
            break;
        }
        last = at;
        at += len;
        if lines && class & NEWLINE != 0 {
            newline = at;
        }
    }
    if newline > from {
        newline
    } else if at == text.len() || last == from {
        // All of it at the end of the text; or one alone, which the last alternative takes.
        at
    } else {
        last
    }
}
