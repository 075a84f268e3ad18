//! DeepSeek V3: numbers by three, then Chinese and Japanese, then the rest, each within what the one
//! before it left.

use super::{
    classes::{CJK, END, LETTER, MARK, NEWLINE, NUMBER, PUNCTUATION, Reader, SPACE, SYMBOL},
    shared,
};

/// As DeepSeek spells them. The line ends in the third are characters and not escapes.
pub const PATTERNS: [&str; 3] = [
    r"\p{N}{1,3}",
    "[一-龥぀-ゟ゠-ヿ]+",
    concat!(
        r##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^"##,
        "\r\n",
        r"\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[",
        "\r\n",
        r"]*|\s*[",
        "\r\n",
        r"]+|\s+(?!\S)|\s+"
    ),
];

/// What the first two patterns leave in one piece at `at`.
#[inline]
pub fn segment(text: Reader<'_>, at: usize) -> usize {
    let (class, _) = text.at(at);
    if class & NUMBER != 0 {
        text.skip_most(at, NUMBER, 3)
    } else if class & CJK != 0 {
        text.skip(at, CJK)
    } else {
        text.skip_but(at, NUMBER | CJK)
    }
}

/// Every word of one such piece.
#[inline]
pub fn split(text: Reader<'_>, mut each: impl FnMut(usize, usize)) {
    let mut at = 0;
    while at < text.len() {
        let mut end = at;
        // What the pattern does not match stays together up to where it does.
        let found = loop {
            match word(text, end) {
                Some(found) => break found,
                None => end += text.at(end).1,
            }
            if end == text.len() {
                break end;
            }
        };
        if end > at {
            each(at, end);
        }
        if found > end {
            each(end, found);
        }
        at = found;
    }
}

#[inline]
fn word(text: Reader<'_>, at: usize) -> Option<usize> {
    const WORD: u16 = LETTER | MARK;
    const MARKS: u16 = PUNCTUATION | SYMBOL;
    let (class, len) = text.at(at);
    if text.byte(at).is_ascii_punctuation() && text.byte(at + 1).is_ascii_alphabetic() {
        let mut end = at + 2;
        while text.byte(end).is_ascii_alphabetic() {
            end += 1;
        }
        return Some(end);
    }
    if class & WORD != 0 {
        return Some(text.skip(at + len, WORD));
    }
    let (next, next_len) = text.at(at + len);
    if class & (NEWLINE | MARKS) == 0 && next & WORD != 0 {
        return Some(text.skip(at + len + next_len, WORD));
    }
    if class & MARKS != 0 || (text.byte(at) == b' ' && next & MARKS != 0) {
        return Some(text.skip(text.skip(at + len, MARKS), NEWLINE));
    }
    debug_assert!(class & END == 0, "words begin inside the text");
    (class & SPACE != 0).then(|| shared::lines_or_spaces(text, at))
}
