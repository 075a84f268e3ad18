//! Examples that the host makes itself, of texts and of tokens that were made elsewhere.

use super::formats::{PlainText, TokenRow};
use crate::{Error, tokenizer::Tokenizer};
use tinsmith_plugin_api::Special;

/// An example: what one row gives.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Made {
    pub tokens: Vec<i32>,
    pub weights: Vec<f32>,
    pub columns: Vec<(String, Vec<f32>)>,
}

/// A whole text: BOS where the tokenizer has one, the text, EOS where it has one. All of it is
/// trained, the EOS too, so that the model learns where texts end; BOS never is. What looks like a
/// control token stays text.
///
/// # Errors
/// A data error for what the tokenizer cannot spell.
pub(super) fn text(text: &PlainText, tokenizer: &Tokenizer) -> Result<Made, Error> {
    let mut tokens: Vec<i32> = tokenizer.bos().into_iter().collect();
    let mut weights = vec![0.0; tokens.len()];
    let encoded = tokenizer
        .encode(&text.text, Special::Literal)
        .map_err(|e| Error::from(e).field(&text.field))?;
    tokens.extend(encoded);
    tokens.extend(tokenizer.eos());
    weights.resize(tokens.len(), 1.0);
    Ok(Made { tokens, weights, columns: Vec::new() })
}

/// Tokens as they are, if the tokenizer knows them.
///
/// # Errors
/// A data error that names the first id outside of the vocabulary.
pub(super) fn tokens(row: TokenRow, tokenizer: &Tokenizer) -> Result<Made, Error> {
    let known = tokenizer.info().vocab_size;
    let TokenRow { tokens, weights, columns, field } = row;
    match tokens.iter().position(|id| *id as u32 >= known) {
        None => Ok(Made { tokens, weights, columns }),
        Some(i) => Err(Error::data(format!("the tokenizer has no token {}", tokens[i]))
            .field(format!("{field}[{i}]"))
            .hint(format!(
                "its ids go up to {}: were the rows made with another tokenizer?",
                known.saturating_sub(1)
            ))),
    }
}
