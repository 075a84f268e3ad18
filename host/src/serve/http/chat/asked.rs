//! What a client asks for.

use crate::training::Tools;
use serde::Deserialize;
use serde_json::Value;
use tinsmith_plugin_api::{Error, Result, SampleRequest};

/// The body of a request.
#[derive(Debug, Deserialize)]
pub struct Asked {
    /// A base model, or the path of a checkpoint.
    pub model: String,
    /// The conversation.
    pub messages: Value,
    /// Whether the answer comes piece by piece.
    #[serde(default)]
    pub stream: bool,
    #[serde(default)]
    n: Option<u32>,
    #[serde(default)]
    max_tokens: Option<u32>,
    #[serde(default)]
    max_completion_tokens: Option<u32>,
    #[serde(default)]
    temperature: Option<f32>,
    #[serde(default)]
    top_p: Option<f32>,
    #[serde(default)]
    seed: Option<i64>,
    #[serde(default)]
    stop: Option<Stop>,
    #[serde(default)]
    tools: Option<Vec<Value>>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Stop {
    One(String),
    Several(Vec<String>),
}

impl Asked {
    /// Refuses what cannot be done.
    ///
    /// # Errors
    /// `unsupported` that names it.
    pub fn check(&self) -> Result<()> {
        if self.tools.as_ref().is_some_and(|tools| !tools.is_empty()) {
            return Err(Error::unsupported("tools are not known here").at("tools"));
        }
        if self.stream && self.n.is_some_and(|n| n > 1) {
            let e = Error::unsupported("only one answer can be streamed").at("n");
            return Err(e.with_hint("ask for one, or without `stream`"));
        }
        if !(1..=128).contains(&self.n.unwrap_or(1)) {
            return Err(Error::rejected("must be from 1 to 128").at("n"));
        }
        Ok(())
    }

    /// The texts of the client and the tokens that end the answer, and the request.
    ///
    /// # Errors
    /// What the renderer says of the messages.
    pub fn request(self, tools: &Tools) -> Result<(Vec<String>, Vec<i32>, SampleRequest)> {
        let end = tools.renderer.stop()?;
        let own = match self.stop {
            None => Vec::new(),
            Some(Stop::One(text)) => vec![text],
            Some(Stop::Several(texts)) => texts,
        };
        let mut stop_strings = end.strings;
        stop_strings.extend(own.iter().cloned());
        let request = SampleRequest {
            prompt: tools.renderer.generation_prompt(&self.messages)?,
            num_samples: self.n.unwrap_or(1),
            max_tokens: self.max_completion_tokens.or(self.max_tokens),
            temperature: self.temperature.unwrap_or(1.0),
            top_p: self.top_p.unwrap_or(1.0),
            seed: self.seed.map(i64::cast_unsigned),
            stop_tokens: (!end.tokens.is_empty()).then(|| end.tokens.clone()),
            stop_strings: stop_strings.clone(),
            ..SampleRequest::default()
        };
        Ok((stop_strings, end.tokens, request))
    }
}
