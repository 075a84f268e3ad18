//! Tokens of one piece of a conversation, written as text and control tokens.

use std::borrow::Cow;
use tinsmith_plugin_api::{Result, Services};

/// Collects the tokens of a header or an output.
///
/// Text between two control tokens is encoded as one text, so that words and line breaks merge as
/// they do where the whole is text; control-token strings in it stay text.
#[derive(Debug)]
pub(crate) struct Writer<'s> {
    services: &'s Services,
    pending: String,
    tokens: Vec<i32>,
}

impl<'s> Writer<'s> {
    pub(crate) fn new(services: &'s Services) -> Self {
        Self { services, pending: String::new(), tokens: Vec::new() }
    }

    /// Appends text.
    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        self.pending.push_str(text);
        self
    }

    /// Appends a control token.
    ///
    /// # Errors
    /// As [`Services::encode`].
    pub(crate) fn control(&mut self, token: i32) -> Result<&mut Self> {
        self.tokens(&[token])
    }

    /// Appends tokens that were encoded before.
    ///
    /// # Errors
    /// As [`Services::encode`].
    pub(crate) fn tokens(&mut self, tokens: &[i32]) -> Result<&mut Self> {
        self.flush()?;
        self.tokens.extend_from_slice(tokens);
        Ok(self)
    }

    /// Appends a tag.
    ///
    /// # Errors
    /// As [`Services::encode`].
    pub(crate) fn tag(&mut self, tag: &Tag) -> Result<&mut Self> {
        match tag.token {
            Some(token) => self.control(token),
            None => Ok(self.text(tag.text)),
        }
    }

    /// Ends a run of text here: what follows does not merge with it.
    ///
    /// # Errors
    /// As [`Services::encode`].
    pub(crate) fn flush(&mut self) -> Result<()> {
        if !self.pending.is_empty() {
            self.tokens.extend(self.services.encode(&self.pending)?);
            self.pending.clear();
        }
        Ok(())
    }

    /// Takes out what was written.
    ///
    /// # Errors
    /// As [`Services::encode`].
    pub(crate) fn take(&mut self) -> Result<Vec<i32>> {
        self.flush()?;
        Ok(std::mem::take(&mut self.tokens))
    }
}

/// A tag of the format: a token where the tokenizer has one, else text.
#[derive(Debug)]
pub(crate) struct Tag {
    text: &'static str,
    token: Option<i32>,
}

impl Tag {
    pub(crate) fn new(services: &Services, text: &'static str) -> Self {
        Self { text, token: services.token_id(text) }
    }
}

/// A text without what lies between `open` and `close`, tags included; a tag without its other half
/// stays.
pub(crate) fn without<'a>(text: &'a str, open: &str, close: &str) -> Cow<'a, str> {
    let mut kept = Cow::Borrowed("");
    let mut rest = text;
    while let Some((before, inner)) = rest.split_once(open) {
        let Some((_, after)) = inner.split_once(close) else { break };
        kept += before;
        rest = after;
    }
    kept += rest;
    kept
}
