//! Sampled answers, read back.

use tinsmith_plugin_api::{Parsed, Result, Services, Termination};

/// An assistant message as chat JSON.
pub(crate) fn assistant(content: &str, termination: Termination) -> Parsed {
    let message = serde_json::json!({"role": "assistant", "content": content});
    Parsed { message, termination }
}

/// Reads an answer that ends with one of the tokens `stops`. What follows the first is dropped; an
/// answer with two of them, or with neither one nor `eos` at its end, is malformed.
pub(crate) fn until_token(
    services: &Services,
    tokens: &[i32],
    stops: &[i32],
    eos: Option<i32>,
) -> Result<Parsed> {
    let found = tokens.iter().filter(|token| stops.contains(token)).count();
    let end = tokens.iter().position(|token| stops.contains(token));
    let (content, termination) = match (end, tokens) {
        (Some(end), _) if found == 1 => (&tokens[..end], Termination::Stop),
        (Some(end), _) => (&tokens[..end], Termination::Malformed),
        (None, [content @ .., last]) if Some(*last) == eos => (content, Termination::Eos),
        (None, _) => (tokens, Termination::Malformed),
    };
    Ok(assistant(&services.decode(content)?, termination))
}

/// The id of the tokenizer's end-of-sequence token, if it has one.
pub(crate) fn eos(services: &Services) -> Result<Option<i32>> {
    let info = services.tokenizer()?;
    Ok(info.eos_token.as_deref().and_then(|eos| services.token_id(eos)))
}
