//! Sampled answers, read back.

pub(crate) mod blocks;
pub(crate) mod calls;

use serde_json::{Value, json};
use tinsmith_plugin_api::{Parsed, Result, Services, Termination};

/// An assistant message as chat JSON.
pub(crate) fn assistant(content: &str) -> Value {
    json!({"role": "assistant", "content": content})
}

/// The text of an answer and how it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) text: String,
    pub(crate) termination: Termination,
}

impl Ended {
    /// The message in the text. A text that did not end as it should stays as it was sampled: what
    /// is in it is cut off somewhere, perhaps within a call.
    pub(crate) fn read(self, message: impl FnOnce(&str) -> Value) -> Parsed {
        let message = match self.termination {
            Termination::Malformed => assistant(&self.text),
            Termination::Stop | Termination::Eos => message(&self.text),
        };
        Parsed { message, termination: self.termination }
    }
}

/// Reads an answer that ends with one of the tokens `stops`. What follows the first is dropped; an
/// answer with two of them, or with neither one nor `eos` at its end, is malformed.
///
/// # Errors
/// A data error for ids outside the vocabulary.
pub(crate) fn until_token(
    services: &Services,
    tokens: &[i32],
    stops: &[i32],
    eos: Option<i32>,
) -> Result<Ended> {
    let found = tokens.iter().filter(|token| stops.contains(token)).count();
    let end = tokens.iter().position(|token| stops.contains(token));
    let (content, termination) = match (end, tokens) {
        (Some(end), _) if found == 1 => (&tokens[..end], Termination::Stop),
        (Some(end), _) => (&tokens[..end], Termination::Malformed),
        (None, [content @ .., last]) if Some(*last) == eos => (content, Termination::Eos),
        (None, _) => (tokens, Termination::Malformed),
    };
    Ok(Ended { text: services.decode(content)?, termination })
}

/// The id of the tokenizer's end-of-sequence token, if it has one.
///
/// # Errors
/// `unsupported` where the run has no tokenizer.
pub(crate) fn eos(services: &Services) -> Result<Option<i32>> {
    let info = services.tokenizer()?;
    Ok(info.eos_token.as_deref().and_then(|eos| services.token_id(eos)))
}
