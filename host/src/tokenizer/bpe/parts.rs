//! What a `tokenizer.json` says that decides the encoding, and what of it is known here.

use super::{
    Encoder,
    added::Added,
    merges::Merges,
    model::{Model, Tokens},
    normal,
    spelled::{Spelled, Whole},
    split::Splitter,
};
use crate::tokenizer::vocabulary::Vocabulary;
use serde::Deserialize;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
};
use tokenizers::AddedToken;

/// The parts of a file; what is not named here does not matter or is switched off.
#[derive(Debug, Deserialize)]
pub struct Parts {
    #[serde(default)]
    normalizer: Value,
    #[serde(default)]
    pre_tokenizer: Value,
    #[serde(default)]
    decoder: Value,
    #[serde(default)]
    added_tokens: Vec<WithId>,
    model: Model,
}

#[derive(Debug, Deserialize)]
struct WithId {
    id: u32,
    #[serde(flatten)]
    token: AddedToken,
}

impl Parts {
    /// Reads a `tokenizer.json`.
    ///
    /// # Errors
    /// In words, what it has that is not known here.
    pub fn read(json: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(json).map_err(|e| e.to_string())
    }

    /// Added tokens by id: those of the file, then those that only `tokenizer_config.json` knows.
    ///
    /// # Errors
    /// In words, if the ids are not those of the vocabulary or the next that are free.
    pub fn added(
        &self,
        config: &BTreeMap<u32, AddedToken>,
    ) -> Result<Vec<(u32, AddedToken)>, String> {
        let mut added: BTreeMap<u32, AddedToken> = BTreeMap::new();
        let mut texts = BTreeSet::new();
        let mut free = self.model.tokens.len() as u32;
        let file = self.added_tokens.iter().map(|t| (t.id, &t.token));
        let all = file.chain(config.iter().map(|(id, token)| (*id, token)));
        for (id, token) in all {
            if added.get(&id) == Some(token) {
                continue;
            }
            let expected = self.model.tokens.id(&token.content).unwrap_or_else(|| {
                free += 1;
                free - 1
            });
            let fresh = !token.content.is_empty() && texts.insert(&token.content);
            if !fresh || id != expected || added.insert(id, token.clone()).is_some() {
                return Err(format!("the added token `{}` with the id {id}", token.content));
            }
        }
        Ok(added.into_iter().collect())
    }

    /// The encoder with these added tokens, the ids of tokens, and their bytes.
    ///
    /// # Errors
    /// In words, what is not known here.
    pub fn build(
        self,
        added: &[(u32, AddedToken)],
    ) -> Result<(Encoder, Tokens, Vocabulary), String> {
        let splitter = Splitter::of(&self.pre_tokenizer)
            .ok_or_else(|| format!("pre-tokenizer {}", self.pre_tokenizer))?;
        let nfc =
            uses_nfc(&self.normalizer).ok_or_else(|| format!("normalizer {}", self.normalizer))?;
        let spelled = Spelled::new(&self.model)?;
        let vocabulary = Vocabulary::byte_level(
            &self.decoder,
            self.model.tokens.iter(),
            added.iter().map(|(id, token)| (*id, token)),
        )
        .map_err(|e| e.to_string())?
        .ok_or_else(|| format!("decoder {}", self.decoder))?;
        let [before, after] = sets(added, nfc)?;
        let encoder = Encoder {
            splitter,
            nfc,
            before,
            after,
            merges: Merges::new(&self.model, spelled.bytes),
            lens: spelled.lens(),
            whole: self.model.ignore_merges.then(|| Whole::new(spelled)),
            pool: Mutex::default(),
        };
        Ok((encoder, self.model.tokens, vocabulary))
    }
}

/// Whether text is brought into NFC; None for another normaliser.
fn uses_nfc(normalizer: &Value) -> Option<bool> {
    match normalizer["type"].as_str() {
        None if normalizer.is_null() => Some(false),
        Some("NFC") => Some(true),
        Some("Sequence") if normalizer["normalizers"] == Value::Array(Vec::new()) => Some(false),
        _ => None,
    }
}

/// The added tokens that are looked for before and after normalisation.
fn sets(added: &[(u32, AddedToken)], nfc: bool) -> Result<[Option<Added>; 2], String> {
    let set = |normalized: bool| {
        let of = added.iter().filter(|(_, token)| token.normalized == normalized);
        let found: Vec<_> = of
            .map(|(id, token)| {
                let text = token.content.as_str();
                let text = if nfc && normalized { normal::nfc(text) } else { text.into() };
                (text.into_owned(), *id, token)
            })
            .collect();
        Added::new(&found)
    };
    Ok([set(false)?, set(true)?])
}
