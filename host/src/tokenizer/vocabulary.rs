//! The bytes of every token, in one table.

use crate::{Error, Result};
use serde_json::Value;
use std::collections::BTreeMap;
use tokenizers::AddedToken;

/// Ids of a vocabulary, at most. The largest of published models is below 2^19; a single id far above
/// the others would have the table take all memory.
pub(super) const MOST_IDS: usize = 1 << 24;

/// How a vocabulary spells bytes that are not text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spelling {
    /// One character a byte, as GPT-2 does: `Ġ` is a space.
    ByteLevel,
    /// As sentencepiece does: this character is a space, and `<0x0A>` may be a byte.
    Sentencepiece { space: char, bytes: bool },
    /// Tokens are what they look like.
    Plain,
}

/// Bytes by token id.
#[derive(Debug)]
pub struct Vocabulary {
    bytes: Vec<u8>,
    /// Where each token's bytes start, and the end of the last.
    starts: Vec<u32>,
    /// Ids that no token has.
    holes: Vec<i32>,
}

impl Vocabulary {
    /// The table of a tokenizer.
    ///
    /// # Errors
    /// A usage error for a decoder whose tokens do not stand for bytes one by one.
    pub fn new(tokenizer: &tokenizers::Tokenizer) -> Result<Self> {
        let to_json = |e: serde_json::Error| Error::usage(format!("the tokenizer's decoder: {e}"));
        let decoder = serde_json::to_value(tokenizer.get_decoder()).map_err(to_json)?;
        let before = serde_json::to_value(tokenizer.get_pre_tokenizer()).map_err(to_json)?;
        let vocab = tokenizer.get_vocab(true);
        let added = tokenizer.get_added_tokens_decoder();
        let tokens = vocab.iter().map(|(text, id)| (text.as_str(), *id));
        Self::build(spelling(&decoder, &before)?, tokens, added.iter().map(|(id, t)| (*id, t)))
    }

    /// The table of a byte-level vocabulary; None if its decoder is of another kind.
    ///
    /// # Errors
    /// A usage error for ids that are too large.
    pub fn byte_level<'a>(
        decoder: &Value,
        tokens: impl Iterator<Item = (&'a str, u32)>,
        added: impl Iterator<Item = (u32, &'a AddedToken)>,
    ) -> Result<Option<Self>> {
        let known = decoder.is_null() || decoder["type"] == "ByteLevel";
        known.then(|| Self::build(Spelling::ByteLevel, tokens, added)).transpose()
    }

    fn build<'a>(
        spelling: Spelling,
        tokens: impl Iterator<Item = (&'a str, u32)>,
        added: impl Iterator<Item = (u32, &'a AddedToken)>,
    ) -> Result<Self> {
        let added: BTreeMap<u32, &AddedToken> = added.collect();
        let mut texts: Vec<Option<&str>> = Vec::new();
        for (text, id) in tokens.chain(added.iter().map(|(id, t)| (t.content.as_str(), *id))) {
            let at = id as usize;
            if at >= MOST_IDS {
                return Err(Error::usage(format!("token id {id} is too large"))
                    .hint(format!("ids are counted from 0 and lie below {MOST_IDS}")));
            }
            if texts.len() <= at {
                texts.resize(at + 1, None);
            }
            texts[at] = Some(text);
        }
        let mut this = Self { bytes: Vec::new(), starts: vec![0], holes: Vec::new() };
        for (id, text) in texts.iter().enumerate() {
            match (added.get(&(id as u32)), text) {
                // Added tokens are text, but sentencepiece's own runs of spaces may be among them.
                (Some(token), _) if token.special || spelling == Spelling::ByteLevel => {
                    this.bytes.extend_from_slice(token.content.as_bytes());
                }
                (Some(token), _) => spelling.spell(&token.content, &mut this.bytes),
                (None, Some(text)) => spelling.spell(text, &mut this.bytes),
                (None, None) => this.holes.push(id as i32),
            }
            let end = u32::try_from(this.bytes.len())
                .map_err(|_| Error::usage("the tokens of the vocabulary are too long"))?;
            this.starts.push(end);
        }
        Ok(this)
    }

    /// Number of ids, up to the largest.
    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// The bytes of a token; None if there is none with this id.
    pub fn bytes(&self, id: i32) -> Option<&[u8]> {
        let i = usize::try_from(id).ok().filter(|i| *i < self.len())?;
        if self.holes.binary_search(&id).is_ok() {
            return None;
        }
        Some(&self.bytes[self.starts[i] as usize..self.starts[i + 1] as usize])
    }
}

impl Spelling {
    fn spell(self, token: &str, out: &mut Vec<u8>) {
        match self {
            Self::ByteLevel => {
                let start = out.len();
                for c in token.chars() {
                    match byte_of(c) {
                        Some(byte) => out.push(byte),
                        None => {
                            // Not spelled in bytes after all, so it is text as it stands.
                            out.truncate(start);
                            out.extend_from_slice(token.as_bytes());
                            return;
                        }
                    }
                }
            }
            Self::Sentencepiece { space, bytes } => match byte_token(token).filter(|_| bytes) {
                Some(byte) => out.push(byte),
                None => {
                    let mut buffer = [0; 4];
                    for c in token.chars() {
                        let c = if c == space { ' ' } else { c };
                        out.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes());
                    }
                }
            },
            Self::Plain => out.extend_from_slice(token.as_bytes()),
        }
    }
}

/// The byte that byte-level BPE writes as `c`: printable bytes stand for themselves, the others, in
/// order, for the characters from U+0100 on.
pub(super) fn byte_of(c: char) -> Option<u8> {
    const fn printable(byte: u8) -> bool {
        matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF)
    }
    // The bytes that are not printable, in order.
    const OTHERS: [u8; 0x44] = {
        let (mut others, mut found, mut byte) = ([0; 0x44], 0, 0);
        while found < others.len() {
            if !printable(byte) {
                others[found] = byte;
                found += 1;
            }
            byte = byte.wrapping_add(1);
        }
        others
    };
    match u32::from(c) {
        code @ 0..=0xFF => Some(code as u8).filter(|b| printable(*b)),
        code => OTHERS.get(code.wrapping_sub(0x100) as usize).copied(),
    }
}

/// `<0x0A>` is the byte 10.
fn byte_token(token: &str) -> Option<u8> {
    let hex = token.strip_prefix("<0x")?.strip_suffix('>')?;
    // `from_str_radix` would also read a sign.
    let digits = hex.len() == 2 && hex.bytes().all(|b| b.is_ascii_hexdigit());
    u8::from_str_radix(hex, 16).ok().filter(|_| digits)
}

fn spelling(decoder: &Value, pre_tokenizer: &Value) -> Result<Spelling> {
    if decoder.is_null() {
        let byte_level = kinds(pre_tokenizer).contains(&"ByteLevel");
        return Ok(if byte_level { Spelling::ByteLevel } else { Spelling::Plain });
    }
    let kinds = kinds(decoder);
    const KNOWN: [&str; 7] =
        ["ByteLevel", "ByteFallback", "Fuse", "Metaspace", "Replace", "Sequence", "Strip"];
    if let Some(other) = kinds.iter().find(|k| !KNOWN.contains(k)) {
        return Err(Error::usage(format!("decoder `{other}` is not supported"))
            .hint("byte-level and sentencepiece vocabularies are"));
    }
    if kinds.contains(&"ByteLevel") {
        return Ok(Spelling::ByteLevel);
    }
    match space(decoder) {
        Some(space) => {
            Ok(Spelling::Sentencepiece { space, bytes: kinds.contains(&"ByteFallback") })
        }
        None => Ok(Spelling::Plain),
    }
}

/// The types of a component and of its parts.
fn kinds(component: &Value) -> Vec<&str> {
    let mut found: Vec<&str> = component["type"].as_str().into_iter().collect();
    for list in ["decoders", "pretokenizers"] {
        for part in component[list].as_array().into_iter().flatten() {
            found.extend(kinds(part));
        }
    }
    found
}

/// The character that a sentencepiece decoder turns into a space.
fn space(decoder: &Value) -> Option<char> {
    let one = |text: &Value| {
        let mut chars = text.as_str()?.chars();
        chars.next().filter(|_| chars.next().is_none())
    };
    match decoder["type"].as_str()? {
        "Metaspace" => one(&decoder["replacement"]),
        "Replace" if decoder["content"] == " " => one(&decoder["pattern"]["String"]),
        "Sequence" => decoder["decoders"].as_array()?.iter().find_map(space),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_one_character() {
        // Fixed points of GPT-2's table: space, newline, the first and last byte.
        for (c, byte) in [('Ġ', 0x20), ('Ċ', 0x0A), ('Ā', 0x00), ('ÿ', 0xFF), ('A', 0x41)] {
            assert_eq!(byte_of(c), Some(byte), "{c}");
        }
        let mut bytes: Vec<u8> =
            (0..0x150).filter_map(char::from_u32).filter_map(byte_of).collect();
        bytes.sort_unstable();
        assert_eq!(bytes, (0..=255).collect::<Vec<u8>>());
        assert_eq!(byte_of(' '), None);
        assert_eq!(byte_of('日'), None);
    }

    #[test]
    fn byte_tokens_are_two_hex_digits() {
        assert_eq!(byte_token("<0x0A>"), Some(10));
        assert_eq!(byte_token("<0xFF>"), Some(255));
        assert_eq!(byte_token("<0x0>"), None);
        assert_eq!(byte_token("<0x+1>"), None);
        assert_eq!(byte_token("0x0A"), None);
    }
}
