/*!
The run's tokenizer: Hugging Face files in, token ids and bytes out.

Text becomes tokens in two readings. [`Special::Parse`] turns `<|im_end|>` into its control token, as
a chat template wants. [`Special::Literal`] leaves it text, as `split_special_tokens=True` of
Transformers does, so that nobody can end a turn from inside a message. Neither adds a BOS or EOS:
where those stand is the renderer's business.

Tokens become bytes and not text, because one character may be several tokens.

The `tokenizers` crate says what the tokens are. Where [`bpe`] knows the kind of tokenizer and agrees
with it, that faster encoder does the work.
*/

mod bpe;
mod files;
mod fingerprint;
mod fits;
mod vocabulary;

pub use fits::context_length;

use crate::{Error, Result};
use regex::Regex;
use std::{fmt, path::Path, sync::Arc, sync::OnceLock};
use tinsmith_plugin_api::{AddedToken, Encoded, Level, Special, TokenizerInfo};
use vocabulary::Vocabulary;

/// A tokenizer, ready for any number of threads.
pub struct Tokenizer {
    /// Control tokens in the text are parsed.
    parse: tokenizers::Tokenizer,
    /// Control tokens in the text stay text. Made when the first text needs it: most never do.
    literal: OnceLock<tokenizers::Tokenizer>,
    control: Control,
    /// The faster encoder, or why there is none.
    fast: Result<bpe::Encoder, bpe::Slow>,
    vocabulary: Vocabulary,
    info: TokenizerInfo,
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
        let mut parse = tokenizers::Tokenizer::from_bytes(&files.tokenizer)
            .map_err(|e| at(broken(format!("not a tokenizer: {e}"))))?;
        files.add_tokens(&mut parse).map_err(at)?;
        // BOS, EOS, cutting and filling are decided by renderers and the data's limits.
        parse.with_post_processor(None::<tokenizers::PostProcessorWrapper>);
        parse.with_padding(None);
        parse.with_truncation(None).map_err(|e| at(broken(e.to_string())))?;
        parse.set_encode_special_tokens(false);

        let vocabulary = Vocabulary::new(&parse).map_err(at)?;
        let mut added: Vec<AddedToken> = parse
            .get_added_tokens_decoder()
            .into_iter()
            .map(|(id, t)| AddedToken { id: id as i32, content: t.content, special: t.special })
            .collect();
        added.sort_by_key(|t| t.id);
        let info = TokenizerInfo {
            chat_template: files.chat_template,
            bos_token: files.bos_token,
            eos_token: files.eos_token,
            added_tokens: added,
            vocab_size: vocabulary.len() as u32,
            fingerprint,
        };
        let fast = bpe::Encoder::checked(&files.tokenizer, &mut parse);
        let control = Control::of(&parse);
        Ok(Arc::new(Self { parse, literal: OnceLock::new(), control, fast, vocabulary, info }))
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
        let slow = self.fast.as_ref().err()?;
        let level = match slow {
            bpe::Slow::Unknown(_) => Level::Debug,
            bpe::Slow::Differs(_) => Level::Warn,
        };
        Some((level, format!("this tokenizer encodes slowly: {slow}")))
    }

    /// Token ids of `text`.
    ///
    /// # Errors
    /// A data error for a text that the vocabulary cannot spell.
    pub fn encode(&self, text: &str, special: Special) -> tinsmith_plugin_api::Result<Vec<i32>> {
        if let Ok(fast) = &self.fast {
            return Ok(fast.encode(text, special == Special::Literal));
        }
        let encoding =
            self.encoder(text, special).encode_fast(text, false).map_err(|e| unspellable(&e))?;
        Ok(encoding.get_ids().iter().map(|id| *id as i32).collect())
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
        let fast = self.fast.as_ref().ok();
        if let Some(encoded) =
            fast.and_then(|f| f.encode_offsets(text, special == Special::Literal))
        {
            return Ok(encoded);
        }
        let encoding =
            self.encoder(text, special).encode(text, false).map_err(|e| unspellable(&e))?;
        let ids = encoding.get_ids().iter().map(|id| *id as i32).collect();
        let ranges = encoding.get_offsets().iter().map(|(a, b)| (*a as u32, *b as u32)).collect();
        Ok((ids, ranges))
    }

    /// The id of exactly this token, special or not.
    #[must_use]
    pub fn token_id(&self, token: &str) -> Option<i32> {
        self.parse.token_to_id(token).map(|id| id as i32)
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

    fn encoder(&self, text: &str, special: Special) -> &tokenizers::Tokenizer {
        let same = match &self.control {
            Control::None => true,
            Control::Spelled(regex) => special == Special::Parse || !regex.is_match(text),
            Control::Unknown => special == Special::Parse,
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

fn broken(message: impl Into<String>) -> Error {
    Error::usage(message)
        .hint("the file must be a `tokenizer.json` of Hugging Face; download it again")
}

fn unspellable(e: &tokenizers::Error) -> tinsmith_plugin_api::Error {
    tinsmith_plugin_api::Error::data(format!("the tokenizer cannot encode this text: {e}"))
}

#[cfg(test)]
mod tests;
