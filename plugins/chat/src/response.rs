//! Sampled answers, read back.

pub(crate) mod blocks;
pub(crate) mod calls;
mod spelled;

use crate::controls::Controls;
use serde_json::{Value, json};
use spelled::Spelled;
use tinsmith_plugin_api::{Parsed, Result, Services, Termination, TokenizerInfo};

/// An assistant message as chat JSON.
pub(crate) fn assistant(content: &str) -> Value {
    json!({"role": "assistant", "content": content})
}

/// Reads answers of one tokenizer.
#[derive(Debug)]
pub(crate) struct Reader {
    services: Services,
    controls: Controls,
    /// The tokenizer's end-of-sequence token, if it has one.
    eos: Option<i32>,
}

impl Reader {
    /// Looks up what is read by its id.
    ///
    /// # Errors
    /// `unsupported` where the run has no tokenizer.
    pub(crate) fn new(services: &Services) -> Result<Self> {
        let info = services.tokenizer()?;
        let controls = Controls::new(&info.added_tokens)?;
        Ok(Self { services: services.clone(), controls, eos: eos(services, &info) })
    }

    /// The tokenizer's end-of-sequence token, if it has one.
    pub(crate) fn eos(&self) -> Option<i32> {
        self.eos
    }

    /// The text of some tokens, control tokens and all.
    ///
    /// # Errors
    /// A data error for ids outside the vocabulary.
    pub(crate) fn text(&self, tokens: &[i32]) -> Result<String> {
        self.services.decode(tokens)
    }

    /// An answer that ended in this way with these tokens.
    ///
    /// # Errors
    /// A data error for ids outside the vocabulary.
    pub(crate) fn ended(&self, content: &[i32], termination: Termination) -> Result<Ended> {
        Ok(Ended { said: Spelled::new(&self.services, &self.controls, content)?, termination })
    }

    /// Reads an answer that ends with one of the tokens `stops`. What follows the first is dropped;
    /// an answer with two of them, or with neither one nor EOS at its end, is malformed.
    ///
    /// # Errors
    /// A data error for ids outside the vocabulary.
    pub(crate) fn until_token(&self, tokens: &[i32], stops: &[i32]) -> Result<Ended> {
        let found = tokens.iter().filter(|token| stops.contains(token)).count();
        let end = tokens.iter().position(|token| stops.contains(token));
        let (content, termination) = match (end, tokens) {
            (Some(end), _) if found == 1 => (&tokens[..end], Termination::Stop),
            (Some(end), _) => (&tokens[..end], Termination::Malformed),
            (None, [content @ .., last]) if Some(*last) == self.eos => (content, Termination::Eos),
            (None, _) => (tokens, Termination::Malformed),
        };
        self.ended(content, termination)
    }
}

/// An answer and how it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    said: Spelled,
    termination: Termination,
}

impl Ended {
    /// The message in the answer. One that did not end as it should stays as it was sampled: what
    /// is in it is cut off somewhere, perhaps within a call.
    pub(crate) fn read(self, message: impl FnOnce(&str) -> Value) -> Parsed {
        let message = match self.termination {
            Termination::Malformed => self.said.read(assistant),
            Termination::Stop | Termination::Eos => self.said.read(message),
        };
        Parsed { message, termination: self.termination }
    }
}

/// The id of the tokenizer's end-of-sequence token, if it has one.
pub(crate) fn eos(services: &Services, info: &TokenizerInfo) -> Option<i32> {
    info.eos_token.as_deref().and_then(|eos| services.token_id(eos))
}
