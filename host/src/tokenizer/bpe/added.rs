//! Added tokens in a text, found as `tokenizers` finds them: leftmost, then longest, those that are
//! matched before normalisation first.

use super::classes::{Classes, SPACE};
use aho_corasick::{AhoCorasick, MatchKind};
use regex::Regex;
use std::sync::LazyLock;
use tokenizers::AddedToken;

/// One set of added tokens.
#[derive(Debug)]
pub struct Added {
    search: AhoCorasick,
    tokens: Vec<Token>,
}

#[derive(Clone, Copy, Debug)]
struct Token {
    id: u32,
    special: bool,
    single_word: bool,
    lstrip: bool,
    rstrip: bool,
}

impl Added {
    /// The set of these tokens, `text` being what is looked for; None without any.
    ///
    /// # Errors
    /// If they are too many for one automaton.
    pub fn new(tokens: &[(String, u32, &AddedToken)]) -> Result<Option<Self>, String> {
        if tokens.is_empty() {
            return Ok(None);
        }
        let search = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(tokens.iter().map(|(text, ..)| text))
            .map_err(|e| e.to_string())?;
        let tokens = tokens.iter().map(|(_, id, token)| Token {
            id: *id,
            special: token.special,
            single_word: token.single_word,
            lstrip: token.lstrip,
            rstrip: token.rstrip,
        });
        Ok(Some(Self { search, tokens: tokens.collect() }))
    }

    /// Calls `each` with every part of the text: an added token with its id, or what lies between.
    /// With `literal`, special tokens are text.
    pub fn split(
        &self,
        text: &str,
        literal: bool,
        mut each: impl FnMut(usize, usize, Option<u32>),
    ) {
        let mut from = 0;
        for found in self.search.find_iter(text) {
            let token = self.tokens[found.pattern().as_usize()];
            let (mut start, mut stop) = (found.start(), found.end());
            if literal && token.special {
                continue;
            }
            if token.single_word && !alone(&text[..start], &text[stop..]) {
                continue;
            }
            if token.lstrip {
                start = blank_end(&text[..start]).max(from);
            }
            if token.rstrip {
                stop += blank_start(&text[stop..]);
            }
            if from < start {
                each(from, start, None);
            }
            // White space that is a token may have been taken by the one before it already.
            if start < stop {
                each(start, stop, Some(token.id));
            }
            from = stop;
        }
        if from < text.len() {
            each(from, text.len(), None);
        }
    }
}

/// Whether neither side goes on with `\w`.
fn alone(before: &str, after: &str) -> bool {
    static WORD: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^\w$").ok());
    let word = |c: Option<char>| {
        let mut buffer = [0; 4];
        c.is_some_and(|c| WORD.as_ref().is_some_and(|w| w.is_match(c.encode_utf8(&mut buffer))))
    };
    !word(before.chars().next_back()) && !word(after.chars().next())
}

fn is_space(c: char) -> bool {
    Classes::get().of(c.into()) & SPACE != 0
}

/// Where the white space at the end of a text begins.
fn blank_end(text: &str) -> usize {
    text.trim_end_matches(is_space).len()
}

/// Where the white space at the start of a text ends.
fn blank_start(text: &str) -> usize {
    text.len() - text.trim_start_matches(is_space).len()
}
