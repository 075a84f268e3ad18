//! Keeps control-token texts that users wrote apart from those that the template writes.
//!
//! A conversation *about* chat formats may hold `<|im_end|>` as text. Before the template runs, each
//! such text in the record is replaced by one private-use character; afterwards every control-token
//! text in the output is the template's own. Encoding puts the texts back, literally.

use aho_corasick::{AhoCorasick, MatchKind};
use std::ops::Range;
use tinsmith_plugin_api::{AddedToken, Error, Result};

/// Stand-ins are counted from here: the private-use plane 15, which has no characters of its own.
const FIRST: u32 = 0xf_0000;
/// Stand-ins of one conversation; the plane has 65,534 characters.
const MOST: u32 = 0xfff0;

/// The tokenizer's control tokens.
#[derive(Debug)]
pub(super) struct Specials {
    texts: AhoCorasick,
    ids: Vec<i32>,
}

impl Specials {
    pub(super) fn new(added: &[AddedToken]) -> Result<Self> {
        let control = || added.iter().filter(|token| token.special && !token.content.is_empty());
        let texts = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(control().map(|token| &token.content))
            .map_err(|e| Error::config(format!("the tokenizer's control tokens: {e}")))?;
        Ok(Self { texts, ids: control().map(|token| token.id).collect() })
    }

    /// The control tokens in `text`, in order.
    pub(super) fn all<'a>(
        &'a self,
        text: &'a str,
    ) -> impl Iterator<Item = (i32, Range<usize>)> + 'a {
        self.texts.find_iter(text).map(|found| (self.ids[found.pattern()], found.range()))
    }

    /// The first control token in `text`.
    pub(super) fn first(&self, text: &str) -> Option<(i32, Range<usize>)> {
        self.all(text).next()
    }
}

/// The texts that were replaced in one conversation.
#[derive(Debug, Default)]
pub(super) struct Shield {
    texts: Vec<String>,
}

impl Shield {
    /// Replaces the control-token texts in a user's string.
    pub(super) fn cover(&mut self, text: &mut String, specials: &Specials) -> Result<()> {
        if text.chars().any(|c| c as u32 >= FIRST) {
            return Err(Error::data("holds characters of the private-use planes, from U+F0000 on")
                .with_hint("remove them: no text uses them, and this renderer does itself"));
        }
        let mut covered = String::new();
        let mut rest = 0;
        for (_, range) in specials.all(text) {
            let stand_in = (self.texts.len() < MOST as usize)
                .then(|| char::from_u32(FIRST + self.texts.len() as u32))
                .flatten()
                .ok_or_else(|| {
                    Error::data(format!("holds more than {MOST} control-token texts"))
                })?;
            covered.push_str(&text[rest..range.start]);
            covered.push(stand_in);
            self.texts.push(text[range.clone()].to_owned());
            rest = range.end;
        }
        if rest > 0 {
            covered.push_str(&text[rest..]);
            *text = covered;
        }
        Ok(())
    }

    /// Whether nothing was replaced.
    pub(super) fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// The text behind a stand-in.
    pub(super) fn text(&self, c: char) -> Option<&str> {
        let index = (c as u32).checked_sub(FIRST)?;
        self.texts.get(index as usize).map(String::as_str)
    }
}
