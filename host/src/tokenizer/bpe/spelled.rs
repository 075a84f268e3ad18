//! A vocabulary in the spelling of byte-level BPE, by bytes.

use super::{
    index::{Index, hash},
    model::Model,
};
use crate::tokenizer::vocabulary::{MOST_IDS, byte_of};

/// The bytes of every token that merging can make.
#[derive(Debug)]
pub struct Spelled {
    /// The token of each byte.
    pub bytes: [u32; 256],
    ids: usize,
    text: Vec<u8>,
    /// Where each token's bytes end, with its id.
    ends: Vec<(u32, u32)>,
}

impl Spelled {
    /// The bytes of a model's tokens.
    ///
    /// # Errors
    /// In words, if not every byte of a text has a token.
    pub fn new(model: &Model) -> Result<Self, String> {
        let ids = model.tokens.end();
        if ids > MOST_IDS {
            return Err("token ids that are too large".into());
        }
        let mut this = Self { bytes: [u32::MAX; 256], ids, text: vec![], ends: vec![] };
        let mut seen = vec![false; ids];
        for (token, id) in model.tokens.iter() {
            if std::mem::replace(&mut seen[id as usize], true) {
                return Err(format!("two tokens with the id {id}"));
            }
            let start = this.text.len();
            for c in token.chars() {
                let Some(byte) = byte_of(c) else {
                    // No text is spelled so.
                    this.text.truncate(start);
                    break;
                };
                this.text.push(byte);
            }
            if let [byte] = this.text[start..] {
                this.bytes[usize::from(byte)] = id;
            }
            if this.text.len() > start {
                let end = u32::try_from(this.text.len()).map_err(|e| e.to_string())?;
                this.ends.push((end, id));
            }
        }
        // These bytes are in no text: UTF-8 does not use them.
        let in_text = |byte: usize| !matches!(byte, 0xC0 | 0xC1 | 0xF5..);
        match (0..256).find(|byte| in_text(*byte) && this.bytes[*byte] == u32::MAX) {
            Some(byte) => Err(format!("no token for the byte {byte:#04x}")),
            None => Ok(this),
        }
    }

    fn iter(&self) -> impl Iterator<Item = (&[u8], u32)> {
        let starts = std::iter::once(0).chain(self.ends.iter().map(|(end, _)| *end as usize));
        starts.zip(&self.ends).map(|(start, (end, id))| (&self.text[start..*end as usize], *id))
    }

    /// Lengths in bytes by id.
    pub fn lens(&self) -> Vec<u32> {
        let mut lens = vec![0; self.ids];
        for (bytes, id) in self.iter() {
            lens[id as usize] = bytes.len() as u32;
        }
        lens
    }
}

/// Tokens by their bytes.
#[derive(Debug)]
pub struct Whole {
    spelled: Spelled,
    index: Index,
}

impl Whole {
    /// A table of these tokens.
    pub fn new(spelled: Spelled) -> Self {
        let mut index = Index::with_capacity(spelled.ends.len());
        for (at, (bytes, _)) in spelled.iter().enumerate() {
            index.insert(hash(bytes), at as u32);
        }
        Self { spelled, index }
    }

    /// The token of exactly these bytes.
    #[inline]
    pub fn id(&self, word: &[u8]) -> Option<u32> {
        let ends = &self.spelled.ends;
        let same = |at: usize| {
            let start = if at == 0 { 0 } else { ends[at - 1].0 as usize };
            self.spelled.text[start..ends[at].0 as usize] == *word
        };
        self.index.find(hash(word), same).map(|at| ends[at].1)
    }
}
