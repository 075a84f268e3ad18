//! What a client asks for.

use crate::training::Tools;
use serde::Deserialize;
use serde_json::{Map, Value};
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
    /// Whether the log-probabilities of the answer's tokens are wanted.
    #[serde(default)]
    pub logprobs: Option<bool>,
    #[serde(default)]
    top_logprobs: Option<u32>,
    #[serde(default)]
    stream_options: Option<StreamOptions>,
    /// Everything else.
    #[serde(flatten)]
    others: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: bool,
}

/// What would change the answer, and with which value it does not.
const UNKNOWN: [(&str, &[&str]); 10] = [
    ("tools", &["[]"]),
    ("functions", &["[]"]),
    ("tool_choice", &["\"none\"", "\"auto\""]),
    ("function_call", &["\"none\"", "\"auto\""]),
    ("response_format", &[r#"{"type":"text"}"#]),
    ("logit_bias", &["{}"]),
    ("frequency_penalty", &["0", "0.0"]),
    ("presence_penalty", &["0", "0.0"]),
    ("modalities", &["[\"text\"]"]),
    ("audio", &[]),
];

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
        for (key, harmless) in UNKNOWN {
            let given = self.others.get(key).filter(|value| !value.is_null());
            if given.is_some_and(|value| !harmless.contains(&value.to_string().as_str())) {
                let e = Error::unsupported("is not known here, and would change the answer");
                return Err(e.at(key).with_hint("leave it out"));
            }
        }
        if self.stream && self.logprobs == Some(true) {
            let e = Error::unsupported("a streamed answer has no log-probabilities here");
            return Err(e.at("logprobs").with_hint("ask without `stream`"));
        }
        let top = self.top_logprobs.unwrap_or(0);
        if top > 20 || (top > 0 && self.logprobs != Some(true)) {
            let e = Error::rejected("must be from 0 to 20, and goes with `logprobs`");
            return Err(e.at("top_logprobs"));
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

    /// Whether a streamed answer is to end with what was used.
    pub fn wants_usage(&self) -> bool {
        self.stream_options.as_ref().is_some_and(|options| options.include_usage)
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
            topk_sample_logprobs: self.top_logprobs.unwrap_or(0),
            ..SampleRequest::default()
        };
        Ok((stop_strings, end.tokens, request))
    }
}
