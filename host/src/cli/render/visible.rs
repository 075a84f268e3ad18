//! Text as it is, with what cannot be seen made visible.

use std::fmt::Write;

/// Text of tokens, ready for a terminal or a page: control characters, characters that cannot be seen
/// or turn the direction of writing, and the signs that tell trained text and control tokens, are
/// spelled out, and a line feed is shown and then obeyed. Nothing in a dataset can therefore move the
/// cursor, change colours, hide, or pass for a control token.
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
        // Soft hyphen, marks of direction, joiners, separators of lines, tags; the last are ours.
        '\u{AD}'
        | '\u{61C}'
        | '\u{180E}'
        | '\u{200B}'..='\u{200F}'
        | '\u{2028}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}'
        | '\u{FEFF}'
        | '\u{FFF9}'..='\u{FFFB}'
        | '\u{E0000}'..='\u{E007F}'
        | '⟦'
        | '⟧'
        | '⟪'
        | '⟫' => {
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
        // The signs of the table, and letters that no screen shows.
        assert_eq!(visible("⟪a⟫⟦".as_bytes()), "\\u{27EA}a\\u{27EB}\\u{27E6}");
        assert_eq!(visible("\u{E0041}\u{2028}".as_bytes()), "\\u{E0041}\\u{2028}");
    }
}
