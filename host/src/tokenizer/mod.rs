/*!
A model's tokenizer: `tokenizer.json` and what lies beside it.

Two encoders share one vocabulary. The first reads special-token strings as the tokens they name,
as templates write them on purpose. The second leaves them text: what a user wrote must not be able
to end a turn or open a system message (transformers calls this `split_special_tokens`).
Neither adds BOS or EOS: a renderer says where those stand.
*/

mod bytes;
mod files;

pub use files::TokenizerFiles;

use crate::{Error, Result};
use bytes::TokenBytes;
use std::{path::Path, sync::Arc};
use tinsmith_plugin_api::{AddedToken, Error as PluginError, Special, TokenizerInfo};
use tokenizers::Tokenizer as Encoder;

/// A model's tokenizer.
#[derive(Debug)]
pub struct Tokenizer {
    parsing: Encoder,
    literal: Encoder,
    bytes: TokenBytes,
    info: TokenizerInfo,
}

impl Tokenizer {
    /// Loads the tokenizer of a Hugging Face directory, or a `tokenizer.json` itself.
    ///
    /// # Errors
    /// A usage error if there is none, a failure if a file is damaged.
    pub fn load(path: &Path) -> Result<Arc<Self>> {
        let files = TokenizerFiles::read(path)?;
        let mut parsing = Encoder::from_bytes(&files.tokenizer).map_err(|e| {
            Error::failed(format!("it is no tokenizer: {e}"))
                .place(files.path.clone(), None, None)
                .hint("download the file again; it must be the `tokenizer.json` of a fast tokenizer")
        })?;
        // Limits and padding saved with a tokenizer are for inference servers; here a sequence is
        // cut by `data.overlong` alone, and counted.
        let _ = parsing.with_truncation(None);
        parsing.with_padding(None);
        let mut literal = parsing.clone();
        literal.set_encode_special_tokens(true);
        let bytes = TokenBytes::new(&parsing);
        let mut added_tokens: Vec<AddedToken> = parsing
            .get_added_tokens_decoder()
            .into_iter()
            .map(|(id, token)| AddedToken {
                id: id as i32,
                content: token.content,
                special: token.special,
            })
            .collect();
        added_tokens.sort_by_key(|token| token.id);
        let info = TokenizerInfo {
            chat_template: files.chat_template.clone(),
            bos_token: files.bos_token.clone(),
            eos_token: files.eos_token.clone(),
            added_tokens,
            vocab_size: bytes.len() as u32,
            fingerprint: files.fingerprint(),
        };
        Ok(Arc::new(Self { parsing, literal, bytes, info }))
    }

    /// Facts for plugins.
    #[must_use]
    pub fn info(&self) -> &TokenizerInfo {
        &self.info
    }

    /// Token ids of `text`; no BOS or EOS is added.
    ///
    /// # Errors
    /// A data error if the model of the tokenizer cannot express the text.
    pub fn encode(&self, text: &str, special: Special) -> Result<Vec<i32>, PluginError> {
        let encoding = self.encoder(special).encode_fast(text, false).map_err(|e| refused(&*e))?;
        Ok(encoding.get_ids().iter().map(|&id| id as i32).collect())
    }

    /// As [`Tokenizer::encode`], with the byte range of `text` that each token covers.
    ///
    /// # Errors
    /// As `encode`.
    #[allow(clippy::type_complexity)]
    pub fn encode_offsets(
        &self,
        text: &str,
        special: Special,
    ) -> Result<(Vec<i32>, Vec<(u32, u32)>), PluginError> {
        let encoding = self.encoder(special).encode(text, false).map_err(|e| refused(&*e))?;
        let ids = encoding.get_ids().iter().map(|&id| id as i32).collect();
        let spans = encoding.get_offsets().iter().map(|&(a, b)| (a as u32, b as u32)).collect();
        Ok((ids, spans))
    }

    /// The id of exactly this token.
    #[must_use]
    pub fn token_id(&self, token: &str) -> Option<i32> {
        self.parsing.token_to_id(token).map(|id| id as i32)
    }

    /// The bytes of these tokens; not necessarily valid UTF-8.
    ///
    /// # Errors
    /// A data error for an id outside the vocabulary.
    pub fn decode_bytes(&self, tokens: &[i32]) -> Result<Vec<u8>, PluginError> {
        let mut out = Vec::with_capacity(tokens.len() * 4);
        for &token in tokens {
            let bytes = self.bytes.get(token).ok_or_else(|| {
                PluginError::data(format!(
                    "token id {token} is not in the vocabulary of {} tokens",
                    self.bytes.len()
                ))
            })?;
            out.extend_from_slice(bytes);
        }
        Ok(out)
    }

    /// The text of these tokens; bytes that are not UTF-8 become U+FFFD.
    ///
    /// # Errors
    /// As [`Tokenizer::decode_bytes`].
    pub fn decode(&self, tokens: &[i32]) -> Result<String, PluginError> {
        Ok(String::from_utf8_lossy(&self.decode_bytes(tokens)?).into_owned())
    }

    /// Checks that every id the tokenizer can produce exists in a model of `vocab_size` rows.
    ///
    /// # Errors
    /// A usage error that names the first token that does not fit.
    pub fn check_fits(&self, vocab_size: usize, model: &Path) -> Result<()> {
        match self.bytes.first_from(vocab_size) {
            None => Ok(()),
            Some((id, token)) => Err(Error::usage(format!(
                "the tokenizer does not fit the model: token `{}` has id {id}, `{}` has a \
                 vocabulary of {vocab_size}",
                String::from_utf8_lossy(token),
                model.display(),
            ))
            .field("model.tokenizer")
            .hint("use the tokenizer that belongs to the base model")),
        }
    }

    fn encoder(&self, special: Special) -> &Encoder {
        match special {
            Special::Parse => &self.parsing,
            Special::Literal => &self.literal,
        }
    }
}

fn refused(e: &(dyn std::error::Error + Send + Sync)) -> PluginError {
    PluginError::data(format!("the tokenizer refused the text: {e}"))
}

#[cfg(test)]
mod tests;
