//! The text of single tokens: which characters several tokens hold together, which tokens are control
//! tokens, and which text only looks like one.

use crate::{Result, cli::render::visible::visible, tokenizer::Tokenizer};
use regex::Regex;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};

/// Tokens that can hold one character together, at most: a character has four bytes, and a token of
/// them at least one.
const TOGETHER: usize = 4;

/// A token as the page's table has it: its bytes in hex, its text, and whether it is text (0), a
/// control token (1) or another added token (2).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Entry(String, String, u8);

/// Takes token lists apart.
pub struct Pieces<'a> {
    tokenizer: &'a Tokenizer,
    kinds: HashMap<i32, u8>,
    /// Finds the text of a control token.
    control: Option<Regex>,
    table: BTreeMap<i32, Entry>,
}

impl<'a> Pieces<'a> {
    pub fn new(tokenizer: &'a Tokenizer) -> Self {
        let added = &tokenizer.info().added_tokens;
        Self {
            tokenizer,
            kinds: added.iter().map(|t| (t.id, if t.special { 1 } else { 2 })).collect(),
            control: control(added.iter().filter(|t| t.special).map(|t| t.content.as_str())),
            table: BTreeMap::new(),
        }
    }

    /// The table of all tokens so far.
    pub fn take_table(&mut self) -> BTreeMap<i32, Entry> {
        std::mem::take(&mut self.table)
    }

    /// Takes tokens into the table, and answers the characters that are spread over several of them:
    /// by the first of these, the text and how many they are.
    pub fn joined(&mut self, tokens: &[i32]) -> Result<BTreeMap<usize, (String, usize)>> {
        for id in tokens {
            if !self.table.contains_key(id) {
                let bytes = self.tokenizer.decode_bytes(&[*id])?;
                let hex = bytes.iter().fold(String::new(), |hex, b| hex + &format!("{b:02x}"));
                let kind = self.kinds.get(id).copied().unwrap_or(0);
                self.table.insert(*id, Entry(hex, visible(&bytes), kind));
            }
        }
        let mut joined = BTreeMap::new();
        let mut i = 0;
        while i < tokens.len() {
            let mut step = 1;
            if self.kinds.contains_key(&tokens[i]) {
                i += step;
                continue;
            }
            for n in 1..=TOGETHER.min(tokens.len() - i) {
                if n > 1 && self.kinds.contains_key(&tokens[i + n - 1]) {
                    break;
                }
                let bytes = self.tokenizer.decode_bytes(&tokens[i..i + n])?;
                match std::str::from_utf8(&bytes) {
                    Ok(_) if n == 1 => break,
                    Ok(_) => {
                        joined.insert(i, (visible(&bytes), n));
                        step = n;
                        break;
                    }
                    // A character is begun and not ended: the next token may end it.
                    Err(e) if e.error_len().is_none() => {}
                    Err(_) => break,
                }
            }
            i += step;
        }
        Ok(joined)
    }

    /// Whether text among these tokens spells a control token without being one.
    pub fn spells_control(&self, tokens: &[i32]) -> Result<bool> {
        let Some(control) = &self.control else { return Ok(false) };
        for text in tokens.split(|id| self.kinds.get(id) == Some(&1)) {
            let bytes = self.tokenizer.decode_bytes(text)?;
            if control.is_match(&String::from_utf8_lossy(&bytes)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// None where there are none, or more than an expression can hold: then text is only text.
fn control<'a>(texts: impl Iterator<Item = &'a str>) -> Option<Regex> {
    let texts: Vec<String> = texts.filter(|t| !t.is_empty()).map(regex::escape).collect();
    if texts.is_empty() { None } else { Regex::new(&texts.join("|")).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use tinsmith_plugin_api::Special;
    use tinsmith_test_support::tiny_tokenizer;

    fn tokenizer() -> Arc<Tokenizer> {
        let dir = tempfile::tempdir().unwrap();
        tiny_tokenizer::write(dir.path()).unwrap();
        Tokenizer::load(dir.path()).unwrap()
    }

    /// The tiny tokenizer has a token for each byte: the crab is F0 9F A6 80.
    #[test]
    fn a_character_of_several_tokens_is_told_once() {
        let tokenizer = tokenizer();
        let mut pieces = Pieces::new(&tokenizer);
        let tokens = tokenizer.encode("a🦀é", Special::Literal).unwrap();
        assert_eq!(tokens, [0x61, 0xF0, 0x9F, 0xA6, 0x80, 0xC3, 0xA9]);
        let joined = pieces.joined(&tokens).unwrap();
        let expected = [(1, ("🦀".to_owned(), 4)), (5, ("é".to_owned(), 2))];
        assert_eq!(joined, BTreeMap::from(expected));
        let table = pieces.take_table();
        assert_eq!(table[&0x9F], Entry("9f".into(), "\\x9F".into(), 0));
        // A character that does not end is no character.
        assert!(pieces.joined(&[0xF0, 0x9F, 0x61]).unwrap().is_empty());
        assert!(pieces.joined(&[0xF0, tiny_tokenizer::EOS, 0x9F]).unwrap().is_empty());
    }

    #[test]
    fn a_control_token_is_told_from_text_that_spells_it() {
        let tokenizer = tokenizer();
        let mut pieces = Pieces::new(&tokenizer);
        let control = tokenizer.encode("a<|im_end|>", Special::Parse).unwrap();
        let text = tokenizer.encode("a<|im_end|>", Special::Literal).unwrap();
        assert_eq!(control, [0x61, tiny_tokenizer::EOS]);
        assert!(!pieces.spells_control(&control).unwrap());
        assert!(pieces.spells_control(&text).unwrap());
        pieces.joined(&control).unwrap();
        let table = pieces.take_table();
        assert_eq!(table[&tiny_tokenizer::EOS].2, 1);
        assert_eq!(table[&0x61].2, 0);
    }
}
