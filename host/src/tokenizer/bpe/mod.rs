/*!
A fast encoder for byte-level BPE, beside the `tokenizers` crate, which stays the reference.

It knows the pre-tokenising patterns of the vocabularies in use (`split/`), NFC or no normaliser, and
added tokens of every kind. A tokenizer that has anything else is left to `tokenizers`, and so is one
for which the two do not agree on the texts of `check.rs`. Where the time goes: a word that was met
before costs one look into a table (`words.rs`); a new one is merged by rank (`merges.rs`).
*/

mod added;
mod check;
mod classes;
mod index;
mod merges;
mod model;
mod normal;
mod spelled;
mod split;
mod words;

use added::Added;
use merges::Merges;
use model::Model;
use serde::Deserialize;
use serde_json::Value;
use spelled::{Spelled, Whole};
use split::Splitter;
use std::{
    borrow::Cow,
    collections::BTreeSet,
    fmt,
    sync::{Mutex, PoisonError},
};
use tinsmith_plugin_api::Encoded;
use tokenizers::AddedToken;
use words::{Key, Words};

/// What a `tokenizer.json` says that decides the encoding.
#[derive(Debug, Deserialize)]
pub struct Parts {
    #[serde(default)]
    normalizer: Value,
    #[serde(default)]
    pre_tokenizer: Value,
    model: Model,
}

/// Why a tokenizer is left to `tokenizers`.
#[derive(Debug)]
pub enum Slow {
    /// It has what is not known here.
    Unknown(String),
    /// The two do not agree on this text.
    Differs(String),
}

impl fmt::Display for Slow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(what) => write!(f, "the fast encoder does not know {what}"),
            Self::Differs(text) => write!(
                f,
                "the fast encoder does not agree with `tokenizers` on {text:?}; please report it"
            ),
        }
    }
}

/// Encodes as `tokenizers` would, for any number of threads.
#[derive(Debug)]
pub struct Encoder {
    splitter: Splitter,
    nfc: bool,
    /// Added tokens that are looked for before normalisation, and after it.
    before: Option<Added>,
    after: Option<Added>,
    merges: Merges,
    /// Tokens by their bytes, where a word that is a token needs no merging.
    whole: Option<Whole>,
    /// Length in bytes of every token that merging makes.
    lens: Vec<u32>,
    pool: Mutex<Vec<Box<State>>>,
}

/// What a thread needs while it encodes.
#[derive(Debug, Default)]
struct State {
    words: Words,
    merging: merges::Scratch,
    ids: Vec<i32>,
}

impl Encoder {
    /// The encoder of a `tokenizer.json`, if it does as `reference` does.
    ///
    /// # Errors
    /// Why it is not to be used.
    pub fn checked(json: &[u8], reference: &mut tokenizers::Tokenizer) -> Result<Self, Slow> {
        let added: Vec<_> = reference.get_added_tokens_decoder().into_iter().collect();
        let this = Self::new(json, &added).map_err(Slow::Unknown)?;
        match check::first_difference(&this, reference).map_err(Slow::Unknown)? {
            Some(text) => Err(Slow::Differs(text)),
            None => Ok(this),
        }
    }

    /// The encoder of a `tokenizer.json` with these added tokens.
    ///
    /// # Errors
    /// In words, what it has that is not known here.
    pub fn new(json: &[u8], added: &[(u32, AddedToken)]) -> Result<Self, String> {
        let parts: Parts = serde_json::from_slice(json).map_err(|e| e.to_string())?;
        let splitter = Splitter::of(&parts.pre_tokenizer)
            .ok_or_else(|| format!("pre-tokenizer {}", parts.pre_tokenizer))?;
        let nfc = uses_nfc(&parts.normalizer)
            .ok_or_else(|| format!("normalizer {}", parts.normalizer))?;
        let spelled = Spelled::new(&parts.model)?;
        let [before, after] = sets(added, nfc)?;
        Ok(Self {
            splitter,
            nfc,
            before,
            after,
            merges: Merges::new(&parts.model, spelled.bytes),
            lens: spelled.lens(),
            whole: parts.model.ignore_merges.then(|| Whole::new(spelled)),
            pool: Mutex::default(),
        })
    }

    /// Token ids of a text. With `literal`, special tokens in it are text.
    pub fn encode(&self, text: &str, literal: bool) -> Vec<i32> {
        self.with_state(|state| {
            each_part(self.before.as_ref(), text, literal, |start, stop, token| {
                if let Some(id) = token {
                    return state.ids.push(id as i32);
                }
                let part = &text[start..stop];
                let part = if self.nfc { normal::nfc(part) } else { Cow::Borrowed(part) };
                each_part(self.after.as_ref(), &part, literal, |start, stop, token| match token {
                    Some(id) => state.ids.push(id as i32),
                    None => {
                        let part = &part[start..stop];
                        self.splitter.split(part, |a, b| self.word(part, a, b, state));
                    }
                });
            });
            state.ids.clone()
        })
    }

    /// Token ids of a text with the range of bytes that each covers; None for a text that is not
    /// normalised, whose ranges `tokenizers` knows.
    pub fn encode_offsets(&self, text: &str, literal: bool) -> Option<Encoded> {
        self.with_state(|state| {
            let mut spans = Vec::new();
            let mut same = true;
            each_part(self.before.as_ref(), text, literal, |start, stop, token| {
                if let Some(id) = token {
                    state.ids.push(id as i32);
                    return spans.push((start as u32, stop as u32));
                }
                let part = &text[start..stop];
                same &= !self.nfc || matches!(normal::nfc(part), Cow::Borrowed(_));
                each_part(self.after.as_ref(), part, literal, |from, to, token| match token {
                    Some(id) => {
                        state.ids.push(id as i32);
                        spans.push(((start + from) as u32, (start + to) as u32));
                    }
                    None => {
                        let from = start + from;
                        let part = &text[from..start + to];
                        self.splitter.split(part, |a, b| {
                            let first = state.ids.len();
                            self.word(part, a, b, state);
                            let mut at = from + a;
                            for id in &state.ids[first..] {
                                let end = at + self.lens[*id as usize] as usize;
                                spans.push(whole_characters(text, at, end));
                                at = end;
                            }
                        });
                    }
                });
            });
            same.then(|| (state.ids.clone(), spans))
        })
    }

    /// Adds the tokens of the word at `start..end` of a text.
    #[inline]
    fn word(&self, text: &str, start: usize, end: usize, state: &mut State) {
        let text = text.as_bytes();
        let key = Key::of(text, start, end);
        if let Some(ids) = state.words.get(&key) {
            state.ids.extend_from_slice(ids);
        } else {
            self.new_word(&text[start..end], &key, state);
        }
    }

    #[inline(never)]
    fn new_word(&self, word: &[u8], key: &Key, state: &mut State) {
        let one;
        let ids = match self.whole.as_ref().and_then(|whole| whole.id(word)) {
            Some(id) => {
                one = [id];
                &one
            }
            None => self.merges.merge(word, &mut state.merging),
        };
        state.words.put(key, ids);
        state.ids.extend(ids.iter().map(|id| *id as i32));
    }

    fn with_state<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        let pool = || self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        let known = pool().pop();
        let mut state = known.unwrap_or_default();
        state.ids.clear();
        let result = work(&mut state);
        pool().push(state);
        result
    }
}

/// The parts of a text between and at the added tokens of a set.
#[inline]
fn each_part(
    set: Option<&Added>,
    text: &str,
    literal: bool,
    mut each: impl FnMut(usize, usize, Option<u32>),
) {
    match set {
        Some(set) => set.split(text, literal, each),
        None if text.is_empty() => {}
        None => each(0, text.len(), None),
    }
}

/// A range of bytes, widened to whole characters.
fn whole_characters(text: &str, mut start: usize, mut end: usize) -> (u32, u32) {
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    while !text.is_char_boundary(end) {
        end += 1;
    }
    (start as u32, end as u32)
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
    let texts: BTreeSet<&str> = added.iter().map(|(_, t)| t.content.as_str()).collect();
    if texts.len() < added.len() || texts.contains("") {
        return Err("added tokens without a text of their own".into());
    }
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

#[cfg(test)]
mod random;
#[cfg(test)]
mod tests;
