//! Text as it is, with what cannot be seen made visible.

use std::fmt::Write;

/// Text of tokens, ready for a terminal: control characters, and characters that turn the direction
/// of writing, are spelled out, and a line feed is shown and then obeyed. Nothing in a dataset can
/// therefore move the cursor, change colours or hide.
pub fn visible(bytes: &[u8]) -> String {
    let mut shown = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            push(&mut shown, c);
        }
        for byte in chunk.invalid() {
            // Writing to a string cannot fail.
            let _ = write!(shown, "\\x{byte:02X}");
        }
    }
    shown
}

fn push(shown: &mut String, c: char) {
    match c {
        '\n' => shown.push_str("⏎\n"),
        '\t' => shown.push('⇥'),
        '\r' => shown.push('␍'),
        '\u{202A}'..='\u{202E}'
        | '\u{2066}'..='\u{2069}'
        | '\u{200B}'..='\u{200F}'
        | '\u{FEFF}' => {
            let _ = write!(shown, "\\u{{{:X}}}", u32::from(c));
        }
        c if c.is_control() => {
            let _ = write!(shown, "\\u{{{:X}}}", u32::from(c));
        }
        c => shown.push(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_the_terminal_unseen() {
        assert_eq!(visible(b"a\tb\r\n"), "a⇥b␍⏎\n");
        assert_eq!(visible(b"\x1b[31m\x00\x7f"), "\\u{1B}[31m\\u{0}\\u{7F}");
        assert_eq!(visible("\u{202E}x é 日".as_bytes()), "\\u{202E}x é 日");
        assert_eq!(visible(b"\xF0\x9F"), "\\xF0\\x9F");
    }
}
