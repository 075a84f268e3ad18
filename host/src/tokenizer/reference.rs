//! The `tokenizers` crate: what it makes of a text is right by definition.

use super::{bpe, broken, files::Files, is_control};
use crate::{Error, Result};
use regex::Regex;
use std::sync::OnceLock;
use tinsmith_plugin_api::{Encoded, Special};

/// A tokenizer of the `tokenizers` crate, in both readings.
pub struct Reference {
    /// Control tokens in the text are parsed.
    pub parse: tokenizers::Tokenizer,
    /// Control tokens in the text stay text. Made when the first text needs it: most never do.
    literal: OnceLock<tokenizers::Tokenizer>,
    control: OnceLock<Control>,
    /// Why the fast encoder does not do the work.
    pub slow: bpe::Slow,
}

/// How to tell that a text holds no control token, so that both readings are the same.
enum Control {
    /// There are none.
    None,
    /// This finds them.
    Spelled(Regex),
    /// They are matched after normalisation: only encoding tells.
    Unknown,
}

impl Reference {
    /// Reads the files.
    ///
    /// # Errors
    /// A usage error with the file.
    pub fn load(files: &Files, slow: bpe::Slow) -> Result<Self> {
        let at = |e: Error| e.place(&files.path, None, None);
        let mut parse = tokenizers::Tokenizer::from_bytes(&files.tokenizer)
            .map_err(|e| at(broken(format!("not a tokenizer: {e}"))))?;
        files.add_tokens(&mut parse).map_err(at)?;
        // BOS, EOS, cutting and filling are decided by renderers and the data's limits.
        parse.with_post_processor(None::<tokenizers::PostProcessorWrapper>);
        parse.with_padding(None);
        parse.with_truncation(None).map_err(|e| at(broken(e.to_string())))?;
        parse.set_encode_special_tokens(false);
        flag_control_tokens(&mut parse);
        Ok(Self { parse, literal: OnceLock::new(), control: OnceLock::new(), slow })
    }

    /// See [`super::Tokenizer::encode`].
    pub fn encode(&self, text: &str, special: Special) -> tinsmith_plugin_api::Result<Vec<i32>> {
        let encoding =
            self.encoder(text, special).encode_fast(text, false).map_err(|e| unspellable(&e))?;
        Ok(encoding.get_ids().iter().map(|id| *id as i32).collect())
    }

    /// See [`super::Tokenizer::encode_offsets`].
    pub fn encode_offsets(
        &self,
        text: &str,
        special: Special,
    ) -> tinsmith_plugin_api::Result<Encoded> {
        let encoding =
            self.encoder(text, special).encode(text, false).map_err(|e| unspellable(&e))?;
        let ids = encoding.get_ids().iter().map(|id| *id as i32).collect();
        let ranges = encoding.get_offsets().iter().map(|(a, b)| (*a as u32, *b as u32)).collect();
        Ok((ids, ranges))
    }

    fn encoder(&self, text: &str, special: Special) -> &tokenizers::Tokenizer {
        let same = special == Special::Parse
            || match self.control.get_or_init(|| Control::of(&self.parse)) {
                Control::None => true,
                Control::Spelled(regex) => !regex.is_match(text),
                Control::Unknown => false,
            };
        if same {
            return &self.parse;
        }
        self.literal.get_or_init(|| {
            let mut literal = self.parse.clone();
            literal.set_encode_special_tokens(true);
            literal
        })
    }
}

/// What is a control token is one for the crate too: it goes by the flag alone.
fn flag_control_tokens(tokenizer: &mut tokenizers::Tokenizer) {
    let added = tokenizer.get_added_tokens_decoder().into_values();
    let unflagged = added.filter(|token| !token.special && is_control(token));
    let flagged: Vec<_> = unflagged
        .map(|mut token| {
            token.special = true;
            token
        })
        .collect();
    if !flagged.is_empty() {
        tokenizer.add_special_tokens(&flagged);
    }
}

impl Control {
    fn of(tokenizer: &tokenizers::Tokenizer) -> Self {
        let added = tokenizer.get_added_tokens_decoder();
        let special: Vec<_> = added.values().filter(|t| t.special).collect();
        if special.is_empty() {
            return Self::None;
        }
        if special.iter().any(|t| t.normalized) {
            return Self::Unknown;
        }
        let spelled: Vec<String> = special.iter().map(|t| regex::escape(&t.content)).collect();
        // Hundreds of reserved tokens are common; a set too large to compile is only slower.
        Regex::new(&spelled.join("|")).map_or(Self::Unknown, Self::Spelled)
    }
}

fn unspellable(e: &tokenizers::Error) -> tinsmith_plugin_api::Error {
    tinsmith_plugin_api::Error::data(format!("the tokenizer cannot encode this text: {e}"))
}
