/*!
The run's tokenizer: Hugging Face files in, token ids and bytes out.

Text becomes tokens in two readings. [`Special::Parse`] turns `<|im_end|>` into its control token, as
a chat template wants. [`Special::Literal`] leaves it text, as `split_special_tokens=True` of
Transformers does, so that nobody can end a turn from inside a message; and not only where the file
flags the token ([`AddedToken::is_control`]). Neither adds a BOS or EOS: where those stand is the renderer's business.

Tokens become bytes and not text, because one character may be several tokens.

The `tokenizers` crate says what the tokens are. Where `bpe` knows the kind of tokenizer and agrees
with it, that faster encoder does the work.
*/

mod bpe;
mod files;
mod fingerprint;
mod fits;
mod reference;
mod vocabulary;

pub use fits::context_length;

use crate::{Error, Result};
use bpe::{Fast, Slow};
use reference::Reference;
use std::{fmt, path::Path, sync::Arc};
use tinsmith_plugin_api::{AddedToken, Encoded, Level, Special, TokenizerInfo};
use vocabulary::Vocabulary;

/// A tokenizer, ready for any number of threads.
pub struct Tokenizer {
    encoding: Encoding,
    vocabulary: Vocabulary,
    info: TokenizerInfo,
}

/// Who turns text into tokens.
enum Encoding {
    Fast(Box<Fast>),
    Reference(Box<Reference>),
}

impl fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokenizer").field("fingerprint", &self.info.fingerprint).finish()
    }
}

impl Tokenizer {
    /// Loads the tokenizer of a model folder, or a `tokenizer.json` with the files beside it.
    ///
    /// # Errors
    /// A usage error with the file: missing, broken, or of a kind that cannot be decoded.
    pub fn load(dir_or_file: &Path) -> Result<Arc<Self>> {
        let files = files::read(dir_or_file)?;
        let at = |e: Error| e.place(&files.path, None, None);
        let fingerprint = fingerprint::fingerprint(&files).map_err(|e| {
            broken(format!("not a tokenizer: {e}")).place(
                &files.path,
                Some(e.line() as u64),
                Some(e.column() as u64),
            )
        })?;
        let (encoding, vocabulary) = match Fast::read(&files) {
            Ok((fast, vocabulary)) => match fast.checked(&files, &fingerprint)? {
                Ok(fast) => (Encoding::Fast(Box::new(fast)), vocabulary),
                Err(reference) => by_reference(reference).map_err(at)?,
            },
            Err(what) => by_reference(Reference::load(&files, Slow::Unknown(what))?).map_err(at)?,
        };
        let mut added: Vec<AddedToken> = match &encoding {
            Encoding::Fast(fast) => fast.added.iter().map(|(id, t)| fact(*id, t)).collect(),
            Encoding::Reference(reference) => {
                let added = reference.parse.get_added_tokens_decoder();
                added.iter().map(|(id, t)| fact(*id, t)).collect()
            }
        };
        added.sort_by_key(|t| t.id);
        let info = TokenizerInfo {
            chat_template: files.chat_template,
            bos_token: files.bos_token,
            eos_token: files.eos_token,
            added_tokens: added,
            vocab_size: vocabulary.len() as u32,
            fingerprint,
        };
        Ok(Arc::new(Self { encoding, vocabulary, info }))
    }

    /// Checks that every id of the tokenizer has a row in the model of this folder.
    ///
    /// # Errors
    /// A usage error if it does not fit, or if the folder's `config.json` cannot be read.
    pub fn check_fits(&self, model: &Path) -> Result<()> {
        fits::check(&self.info, model)
    }

    /// Facts about it.
    #[must_use]
    pub fn info(&self) -> &TokenizerInfo {
        &self.info
    }

    /// What there is to say about the speed of this tokenizer: nothing where all is well.
    #[must_use]
    pub fn notice(&self) -> Option<(Level, String)> {
        let Encoding::Reference(reference) = &self.encoding else { return None };
        let level = match reference.slow {
            Slow::Unknown(_) => Level::Debug,
            Slow::Differs(_) => Level::Warn,
        };
        Some((level, format!("this tokenizer encodes slowly: {}", reference.slow)))
    }

    /// Token ids of `text`.
    ///
    /// # Errors
    /// A data error for a text that the vocabulary cannot spell.
    pub fn encode(&self, text: &str, special: Special) -> tinsmith_plugin_api::Result<Vec<i32>> {
        match &self.encoding {
            Encoding::Fast(fast) => Ok(fast.encoder.encode(text, special == Special::Literal)),
            Encoding::Reference(reference) => reference.encode(text, special),
        }
    }

    /// Token ids of `text`, with the byte range of `text` that each covers. Tokens that share a
    /// character all have the range of the whole character.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn encode_offsets(
        &self,
        text: &str,
        special: Special,
    ) -> tinsmith_plugin_api::Result<Encoded> {
        match &self.encoding {
            Encoding::Fast(fast) => {
                Ok(fast.encoder.encode_offsets(text, special == Special::Literal))
            }
            Encoding::Reference(reference) => reference.encode_offsets(text, special),
        }
    }

    /// The id of exactly this token, special or not.
    #[must_use]
    pub fn token_id(&self, token: &str) -> Option<i32> {
        let id = match &self.encoding {
            Encoding::Fast(fast) => fast.token_id(token),
            Encoding::Reference(reference) => reference.parse.token_to_id(token),
        };
        id.map(|id| id as i32)
    }

    /// The token that begins every text, where the tokenizer has one.
    #[must_use]
    pub fn bos(&self) -> Option<i32> {
        self.info.bos_token.as_deref().and_then(|token| self.token_id(token))
    }

    /// The token that ends every text, where the tokenizer has one.
    #[must_use]
    pub fn eos(&self) -> Option<i32> {
        self.info.eos_token.as_deref().and_then(|token| self.token_id(token))
    }

    /// The bytes of these tokens, control tokens by their text. The bytes of two lists, one after
    /// the other, are the bytes of the joined list.
    ///
    /// # Errors
    /// A data error for an id outside the vocabulary.
    pub fn decode_bytes(&self, tokens: &[i32]) -> tinsmith_plugin_api::Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(tokens.len() * 4);
        for &id in tokens {
            let token = self.vocabulary.bytes(id).ok_or_else(|| {
                tinsmith_plugin_api::Error::data(format!(
                    "token {id} is outside of the vocabulary of {} tokens",
                    self.vocabulary.len()
                ))
            })?;
            bytes.extend_from_slice(token);
        }
        Ok(bytes)
    }

    /// The text of these tokens; bytes that are not UTF-8 become U+FFFD.
    ///
    /// # Errors
    /// As [`Tokenizer::decode_bytes`].
    pub fn decode(&self, tokens: &[i32]) -> tinsmith_plugin_api::Result<String> {
        Ok(String::from_utf8_lossy(&self.decode_bytes(tokens)?).into_owned())
    }
}

fn by_reference(reference: Reference) -> Result<(Encoding, Vocabulary)> {
    let vocabulary = Vocabulary::new(&reference.parse)?;
    Ok((Encoding::Reference(Box::new(reference)), vocabulary))
}

/// Whether a token is no text, whatever its file says.
fn is_control(token: &tokenizers::AddedToken) -> bool {
    AddedToken::is_control(&token.content, token.special)
}

fn fact(id: u32, token: &tokenizers::AddedToken) -> AddedToken {
    AddedToken { id: id as i32, content: token.content.clone(), special: token.special }
}

fn broken(message: impl Into<String>) -> Error {
    Error::usage(message)
        .hint("the file must be a `tokenizer.json` of Hugging Face; download it again")
}

#[cfg(test)]
mod tests;
