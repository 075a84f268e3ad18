//! Which records are exact copies of earlier ones: by a hash of what they are mapped to, in which
//! white space and the order of keys do not count.

use super::formats::Mapped;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::HashSet;

/// The first half of a sha256: among a billion records, a false hit is as likely as one in 10^20.
pub type Print = [u8; 16];

/// The hash of a mapped record.
pub(super) fn print(mapped: &Mapped<'_>) -> Print {
    let mut hash = Sha256::new();
    for conversation in mapped.conversations() {
        let mut value: Value = serde_json::from_str(&conversation.json).unwrap_or_default();
        value.sort_all_objects();
        hash.update(value.to_string());
        hash.update(b"\n");
    }
    match mapped {
        Mapped::Text(text) => hash.update(&text.text),
        Mapped::Tokens(row) => {
            row.tokens.iter().for_each(|t| hash.update(t.to_le_bytes()));
            row.weights.iter().for_each(|w| hash.update(w.to_bits().to_le_bytes()));
            for (name, values) in &row.columns {
                hash.update(name);
                values.iter().for_each(|v| hash.update(v.to_bits().to_le_bytes()));
            }
        }
        Mapped::One(_) | Mapped::Pair(_) => {}
    }
    let mut print = Print::default();
    print.copy_from_slice(&hash.finalize()[..16]);
    print
}

/// The records seen so far.
#[derive(Clone, Debug, Default)]
pub struct Seen(HashSet<(bool, Print)>);

impl Seen {
    /// Whether this record is new. Those that are held out by a file of their own are compared among
    /// themselves.
    pub(super) fn is_new(&mut self, held_out: bool, print: Print) -> bool {
        self.0.insert((held_out, print))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::Format,
        data::{Mapping, map_record},
    };

    fn of(line: &str) -> Print {
        print(&map_record(line, &Mapping::plain(Format::Auto)).unwrap())
    }

    #[test]
    fn what_is_said_counts_and_not_how() {
        let a = r#"{"prompt": "p", "completion": "c"}"#;
        assert_eq!(of(a), of(r#"{"completion":"c",  "prompt":"\u0070"}"#));
        let messages = r#"{"messages": [{"content": "p", "role": "user"},
            {"role": "assistant", "content": "c"}]}"#;
        assert_eq!(of(a), of(messages));
        assert_ne!(of(a), of(r#"{"prompt": "p", "completion": "c "}"#));
        assert_ne!(of(a), of(r#"{"prompt": "p", "completion": "c", "tools": [1]}"#));
        assert_ne!(of(r#"{"tokens": [1, 2]}"#), of(r#"{"tokens": [1, 2], "weights": [0, 1]}"#));
        let pair =
            |a: &str, b: &str| of(&format!(r#"{{"prompt":"p","chosen":"{a}","rejected":"{b}"}}"#));
        assert_ne!(pair("a", "b"), pair("b", "a"));
    }
}
