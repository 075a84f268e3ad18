//! The tokenizer's control tokens, and where a text spells them.

use aho_corasick::{AhoCorasick, MatchKind};
use std::{collections::HashSet, ops::Range};
use tinsmith_plugin_api::{AddedToken, Error, Result};

/// The tokenizer's control tokens.
#[derive(Debug)]
pub(crate) struct Controls {
    texts: AhoCorasick,
    /// By the number of their text.
    ids: Vec<i32>,
    /// The same, to be looked up.
    known: HashSet<i32>,
}

impl Controls {
    pub(crate) fn new(added: &[AddedToken]) -> Result<Self> {
        let control = || added.iter().filter(|token| token.special && !token.content.is_empty());
        let texts = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(control().map(|token| &token.content))
            .map_err(|e| Error::config(format!("the tokenizer's control tokens: {e}")))?;
        let ids: Vec<i32> = control().map(|token| token.id).collect();
        let known = ids.iter().copied().collect();
        Ok(Self { texts, ids, known })
    }

    /// Whether this is one.
    pub(crate) fn has(&self, token: i32) -> bool {
        self.known.contains(&token)
    }

    /// The control tokens in `text`, in order.
    pub(crate) fn all<'a>(
        &'a self,
        text: &'a str,
    ) -> impl Iterator<Item = (i32, Range<usize>)> + 'a {
        self.texts.find_iter(text).map(|found| (self.ids[found.pattern()], found.range()))
    }

    /// The first control token in `text`.
    pub(crate) fn first(&self, text: &str) -> Option<(i32, Range<usize>)> {
        self.all(text).next()
    }
}
