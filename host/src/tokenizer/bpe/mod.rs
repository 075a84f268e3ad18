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
mod fast;
mod index;
mod mark;
mod merges;
mod model;
mod normal;
mod parts;
mod spelled;
mod split;
mod words;

pub use fast::Fast;

use added::Added;
use merges::Merges;
use spelled::Whole;
use split::Splitter;
use std::{
    borrow::Cow,
    fmt,
    sync::{Mutex, PoisonError},
};
use tinsmith_plugin_api::Encoded;
use tokenizers::{NormalizedString, normalizer::Range};
use words::{Key, Words};

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
    pool: Mutex<Vec<State>>,
}

/// What a thread needs while it encodes.
#[derive(Debug, Default)]
struct State {
    words: Words,
    merging: merges::Scratch,
    ids: Vec<i32>,
}

impl Encoder {
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

    /// Token ids of a text with the range of bytes that each covers.
    pub fn encode_offsets(&self, text: &str, literal: bool) -> Encoded {
        self.with_state(|state| {
            let mut spans = Vec::new();
            each_part(self.before.as_ref(), text, literal, |start, stop, token| {
                if let Some(id) = token {
                    state.ids.push(id as i32);
                    return spans.push((start as u32, stop as u32));
                }
                let part = &text[start..stop];
                let changed = self.nfc && matches!(normal::nfc(part), Cow::Owned(_));
                let mut span = |a: usize, b: usize| {
                    spans.push(((start + a) as u32, (start + b) as u32));
                };
                if !changed {
                    return self.part_offsets(part, literal, state, &mut span);
                }
                // Only `tokenizers` knows where the characters of a normalised text come from.
                let mut normalized = NormalizedString::from(part);
                normalized.nfc();
                self.part_offsets(normalized.get(), literal, state, &mut |a, b| {
                    let range = normalized.convert_offsets(Range::Normalized(a..b));
                    let range = range.unwrap_or(0..part.len());
                    span(range.start, range.end);
                });
            });
            (state.ids.clone(), spans)
        })
    }

    /// Adds the tokens of a normalised part and calls `span` with the range of each.
    fn part_offsets(
        &self,
        part: &str,
        literal: bool,
        state: &mut State,
        span: &mut impl FnMut(usize, usize),
    ) {
        each_part(self.after.as_ref(), part, literal, |start, stop, token| {
            if let Some(id) = token {
                state.ids.push(id as i32);
                return span(start, stop);
            }
            self.splitter.split(&part[start..stop], |a, b| {
                let first = state.ids.len();
                self.word(part, start + a, start + b, state);
                let mut at = start + a;
                for id in &state.ids[first..] {
                    let end = at + self.lens[*id as usize] as usize;
                    let (from, to) = whole_characters(part, at, end);
                    span(from, to);
                    at = end;
                }
            });
        });
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
fn whole_characters(text: &str, mut start: usize, mut end: usize) -> (usize, usize) {
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    while !text.is_char_boundary(end) {
        end += 1;
    }
    (start, end)
}

#[cfg(test)]
mod random;
#[cfg(test)]
mod tests;
