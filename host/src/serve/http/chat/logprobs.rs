//! The log-probability of each token of an answer, as clients of this API read it.

use serde_json::{Value, json};
use tinsmith_plugin_api::{Result, Sampled, Services};

/// `{"content": […]}`: every sampled token with its text, its bytes and its log-probability in nats, the
/// token that ended the answer included.
///
/// # Errors
/// A data error for a token that the tokenizer does not have.
pub fn of(sample: &Sampled, services: &Services) -> Result<Value> {
    let tokens = sample.tokens.iter().zip(&sample.logprobs);
    let content = tokens.map(|(token, logprob)| {
        let bytes = services.decode_bytes(&[*token])?;
        // A part of a character has bytes and no text of its own.
        let text = String::from_utf8_lossy(&bytes);
        Ok(json!({"token": text, "logprob": logprob, "bytes": bytes, "top_logprobs": []}))
    });
    Ok(json!({"content": content.collect::<Result<Vec<Value>>>()?, "refusal": null}))
}
