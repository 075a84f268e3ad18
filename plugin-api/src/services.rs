//! What the host lends to a plugin.

use crate::{Error, Result, StorageHandle};
use serde::{Deserialize, Serialize};
use std::{fmt, sync::Arc};

/// How special-token strings inside a text are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Special {
    /// `<|eot_id|>` in the text becomes the special token. For templates, which write them on purpose.
    Parse,
    /// `<|eot_id|>` in the text stays text, and so does every other control token
    /// ([`AddedToken::is_control`]). For what users wrote.
    Literal,
}

/// Importance of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// Shown with `-vv`.
    Debug = 1,
    /// Shown by default.
    Info = 2,
    /// Shown always, marked.
    Warn = 3,
}

/// Facts about the run's tokenizer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TokenizerInfo {
    /// The jinja chat template, if the tokenizer has one.
    pub chat_template: Option<String>,
    /// The text of the beginning-of-sequence token.
    pub bos_token: Option<String>,
    /// The text of the end-of-sequence token.
    pub eos_token: Option<String>,
    /// Every added token.
    pub added_tokens: Vec<AddedToken>,
    /// Number of ids, added tokens included.
    pub vocab_size: u32,
    /// sha256 (hex) of what decides the encoding.
    pub fingerprint: String,
}

/// A token that was added to the vocabulary.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AddedToken {
    /// Its id.
    pub id: i32,
    /// Its text.
    pub content: String,
    /// Whether it is a control token and not text: see [`AddedToken::is_control`].
    pub special: bool,
}

impl AddedToken {
    /// Whether a token is no text: `flagged` so in its file, or spelled as control tokens are, between
    /// `<|` and `|>` or the wide bars of DeepSeek. Some files flag only the ends of texts, and neither
    /// the roles of speakers nor the borders of calls.
    #[must_use]
    pub fn is_control(content: &str, flagged: bool) -> bool {
        let between = |open, close| {
            let inner = content.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
            inner.is_some_and(|inner: &str| {
                !inner.is_empty() && !inner.contains(char::is_whitespace)
            })
        };
        flagged || between("<|", "|>") || between("<｜", "｜>")
    }
}

/// Tokens, and the byte range of the text that each covers.
pub type Encoded = (Vec<i32>, Vec<(u32, u32)>);

/// The host's side of [`Services`]. Plugins do not implement it; hosts and test kits do.
///
/// Every method may be called from any thread.
pub trait HostServices: Send + Sync {
    /// Shows or stores a log line.
    fn log(&self, level: Level, message: &str);
    /// Tells how far a long operation is.
    fn progress(&self, done: u64, total: u64);
    /// Whether the user asked to stop.
    fn cancelled(&self) -> bool;
    /// The thread budget, shared by all pools of the process. At least 1.
    fn threads(&self) -> usize;
    /// Token ids of `text`; no BOS or EOS is added.
    ///
    /// # Errors
    /// `unsupported` where the run has no tokenizer.
    fn encode(&self, text: &str, special: Special) -> Result<Vec<i32>>;
    /// As [`HostServices::encode`], with the byte range of `text` that each token covers.
    ///
    /// # Errors
    /// As `encode`.
    fn encode_offsets(&self, text: &str, special: Special) -> Result<Encoded>;
    /// The id of exactly this token, special or not.
    fn token_id(&self, token: &str) -> Option<i32>;
    /// The bytes of these tokens, special tokens included; not necessarily valid UTF-8.
    ///
    /// # Errors
    /// A data error for an id outside the vocabulary.
    fn decode_bytes(&self, tokens: &[i32]) -> Result<Vec<u8>>;
    /// Facts about the tokenizer.
    ///
    /// # Errors
    /// `unsupported` where the run has no tokenizer.
    fn tokenizer(&self) -> Result<TokenizerInfo>;
    /// Storage rooted at the run's own URI.
    ///
    /// # Errors
    /// `unsupported` where there is no run.
    fn store(&self) -> Result<Arc<dyn StorageHandle>>;
    /// A secret that the plugin's own config names.
    ///
    /// # Errors
    /// `config` if the config names no such secret, `not_found` if it has no value.
    fn secret(&self, name: &str) -> Result<Secret>;
}

/// What the host lends to a plugin. Cheap to clone, usable from any thread.
#[derive(Clone)]
pub struct Services(Arc<dyn HostServices>);

impl fmt::Debug for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Services")
    }
}

impl Services {
    /// Wraps the host's side. For hosts and test kits.
    #[must_use]
    pub fn new(host: Arc<dyn HostServices>) -> Self {
        Self(host)
    }

    /// The host's side. For the adapters.
    pub(crate) fn host(&self) -> &Arc<dyn HostServices> {
        &self.0
    }

    /// A line that users see with `-vv`.
    pub fn debug(&self, message: impl AsRef<str>) {
        self.0.log(Level::Debug, message.as_ref());
    }

    /// A line that users see.
    pub fn info(&self, message: impl AsRef<str>) {
        self.0.log(Level::Info, message.as_ref());
    }

    /// A line that users see, marked as a warning.
    pub fn warn(&self, message: impl AsRef<str>) {
        self.0.log(Level::Warn, message.as_ref());
    }

    /// Tells how far a long operation is.
    pub fn progress(&self, done: u64, total: u64) {
        self.0.progress(done, total);
    }

    /// Whether the user asked to stop. Long loops should ask now and then.
    #[must_use]
    pub fn cancelled(&self) -> bool {
        self.0.cancelled()
    }

    /// The thread budget, shared by all pools of the process. At least 1.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.0.threads().max(1)
    }

    /// Token ids of what a user wrote: special-token strings stay literal; no BOS or EOS is added.
    ///
    /// # Errors
    /// `unsupported` where the run has no tokenizer.
    pub fn encode(&self, text: &str) -> Result<Vec<i32>> {
        self.0.encode(text, Special::Literal)
    }

    /// Token ids of `text` with the given reading of special-token strings.
    ///
    /// # Errors
    /// `unsupported` where the run has no tokenizer.
    pub fn encode_with(&self, text: &str, special: Special) -> Result<Vec<i32>> {
        self.0.encode(text, special)
    }

    /// As [`Services::encode_with`], with the byte range of `text` that each token covers.
    ///
    /// # Errors
    /// `unsupported` where the run has no tokenizer.
    pub fn encode_offsets(&self, text: &str, special: Special) -> Result<Encoded> {
        self.0.encode_offsets(text, special)
    }

    /// The id of exactly this token, special or not.
    #[must_use]
    pub fn token_id(&self, token: &str) -> Option<i32> {
        self.0.token_id(token)
    }

    /// The id of a token that must exist.
    ///
    /// # Errors
    /// A config error that names the token.
    pub fn require_token(&self, token: &str) -> Result<i32> {
        self.token_id(token).ok_or_else(|| {
            Error::config(format!("the tokenizer has no token `{token}`")).with_hint(
                "choose the renderer that belongs to this model, or `renderer: template`",
            )
        })
    }

    /// The bytes of these tokens; not necessarily valid UTF-8.
    ///
    /// # Errors
    /// A data error for an id outside the vocabulary.
    pub fn decode_bytes(&self, tokens: &[i32]) -> Result<Vec<u8>> {
        self.0.decode_bytes(tokens)
    }

    /// The text of these tokens; bytes that are not UTF-8 become U+FFFD.
    ///
    /// # Errors
    /// A data error for an id outside the vocabulary.
    pub fn decode(&self, tokens: &[i32]) -> Result<String> {
        Ok(String::from_utf8_lossy(&self.0.decode_bytes(tokens)?).into_owned())
    }

    /// Decodes a stream of tokens without ever cutting a character in two.
    #[must_use]
    pub fn stream_decoder(&self) -> StreamDecoder {
        StreamDecoder { services: self.clone(), pending: Vec::new() }
    }

    /// Facts about the tokenizer.
    ///
    /// # Errors
    /// `unsupported` where the run has no tokenizer.
    pub fn tokenizer(&self) -> Result<TokenizerInfo> {
        self.0.tokenizer()
    }

    /// Storage rooted at the run's own URI.
    ///
    /// # Errors
    /// `unsupported` where there is no run.
    pub fn store(&self) -> Result<Arc<dyn StorageHandle>> {
        self.0.store()
    }

    /// A secret that the plugin's own config names.
    ///
    /// # Errors
    /// `config` if the config names no such secret, `not_found` if it has no value.
    pub fn secret(&self, name: &str) -> Result<Secret> {
        self.0.secret(name)
    }
}

/// A key or password. It prints as `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself. Never log what this returns.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Turns a stream of tokens into text, holding back bytes that do not yet form a character.
#[derive(Debug)]
pub struct StreamDecoder {
    services: Services,
    pending: Vec<u8>,
}

impl StreamDecoder {
    /// The text that became complete with these tokens.
    ///
    /// # Errors
    /// A data error for an id outside the vocabulary.
    pub fn push(&mut self, tokens: &[i32]) -> Result<String> {
        self.pending.extend(self.services.decode_bytes(tokens)?);
        let mut text = String::new();
        let mut rest = self.pending.as_slice();
        loop {
            match std::str::from_utf8(rest) {
                Ok(valid) => {
                    text.push_str(valid);
                    rest = &[];
                    break;
                }
                Err(e) => {
                    let (valid, after) = rest.split_at(e.valid_up_to());
                    text.push_str(&String::from_utf8_lossy(valid));
                    match e.error_len() {
                        Some(bad) => {
                            text.push(char::REPLACEMENT_CHARACTER);
                            rest = &after[bad..];
                        }
                        None => {
                            rest = after;
                            break;
                        }
                    }
                }
            }
        }
        self.pending = rest.to_vec();
        Ok(text)
    }

    /// What was held back, with U+FFFD for bytes that never became a character.
    #[must_use]
    pub fn finish(self) -> String {
        String::from_utf8_lossy(&self.pending).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_tokens_are_known_by_flag_or_spelling() {
        assert!(AddedToken::is_control("[INST]", true));
        // Not flagged in the files of DeepSeek V3, Kimi K2 and Qwen3.
        for text in ["<｜User｜>", "<｜tool▁sep｜>", "<|tool_call_begin|>", "<|fim_prefix|>"]
        {
            assert!(AddedToken::is_control(text, false), "{text}");
        }
        for text in ["<think>", "<tool_call>", "\n\n", "<||>", "<| a |>", "<|a", "▁▁"] {
            assert!(!AddedToken::is_control(text, false), "{text}");
        }
    }
}
