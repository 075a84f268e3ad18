//! The log-probability of each token of an answer, as clients of this API read it.

use serde_json::{Value, json};
use tinsmith_plugin_api::{Result, Sampled, Services};

/// `{"content": […]}`: every sampled token with its text, its bytes and its log-probability in nats, and the
/// likeliest ones in its place, if they were asked for. The token that ended the answer is one of them.
///
/// # Errors
/// A data error for a token that the tokenizer does not have.
pub fn of(sample: &Sampled, services: &Services) -> Result<Value> {
    let mut content = Vec::with_capacity(sample.tokens.len());
    for (i, (token, logprob)) in sample.tokens.iter().zip(&sample.logprobs).enumerate() {
        let mut entry = one(*token, *logprob, services)?;
        let likeliest = sample.topk_logprobs.as_ref().and_then(|top| top.get(i));
        let top = likeliest.into_iter().flatten();
        let top = top.map(|(token, logprob)| one(*token, *logprob, services));
        entry["top_logprobs"] = Value::Array(top.collect::<Result<_>>()?);
        content.push(entry);
    }
    Ok(json!({"content": content, "refusal": null}))
}

fn one(token: i32, logprob: f32, services: &Services) -> Result<Value> {
    let bytes = services.decode_bytes(&[token])?;
    // A part of a character has bytes and no text of its own.
    let text = String::from_utf8_lossy(&bytes);
    Ok(json!({"token": text, "logprob": logprob, "bytes": bytes}))
}
