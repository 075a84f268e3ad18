//! Sampling.

use super::{ModelInput, is_false, is_zero};
use crate::tensor::TensorData;
use serde::{Deserialize, Serialize};

/// `POST /create_sampling_session`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateSamplingSession {
    /// Its session.
    pub session_id: String,
    /// Which sampling session of the session, from 0.
    #[serde(default)]
    pub sampling_session_seq_id: u64,
    /// The base model, or
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_model: Option<String>,
    /// the checkpoint to sample from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_path: Option<String>,
}

/// Answer of `create_sampling_session`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SamplingSession {
    /// Its id.
    pub sampling_session_id: String,
    /// `create_sampling_session`.
    #[serde(rename = "type", default, skip_serializing_if = "String::is_empty")]
    pub kind: String,
}

/// Answer of `GET /samplers/ID`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sampler {
    /// The sampling session.
    pub sampler_id: String,
    /// The base model.
    pub base_model: String,
    /// The checkpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_path: Option<String>,
}

/// What ends a sample: absent: the model's own tokens; an empty list: nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Stop {
    /// One text.
    Text(String),
    /// Tokens; also the empty list.
    Tokens(Vec<i32>),
    /// Texts.
    Texts(Vec<String>),
}

/// How tokens are drawn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SamplingParams {
    /// Most tokens; absent: as many as fit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// Seed; absent: by chance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// What ends a sample.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop: Option<Stop>,
    /// 0 is greedy.
    pub temperature: f32,
    /// Among the k likeliest; −1: all.
    pub top_k: i32,
    /// Among the likeliest that make up this share.
    pub top_p: f32,
}

impl Default for SamplingParams {
    fn default() -> Self {
        Self { max_tokens: None, seed: None, stop: None, temperature: 1.0, top_k: -1, top_p: 1.0 }
    }
}

/// `POST /asample`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asample {
    /// How many.
    #[serde(default = "one")]
    pub num_samples: u32,
    /// What comes before.
    pub prompt: ModelInput,
    /// How tokens are drawn.
    #[serde(default)]
    pub sampling_params: SamplingParams,
    /// The sampling session, or
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampling_session_id: Option<String>,
    /// Which request of the sampling session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq_id: Option<i64>,
    /// the base model, or
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_model: Option<String>,
    /// the checkpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_path: Option<String>,
    /// Whether the log-probability of each token of the prompt is wanted.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_false")]
    pub prompt_logprobs: bool,
    /// Likeliest tokens wanted at each place of the prompt.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_zero")]
    pub topk_prompt_logprobs: u32,
    /// Likeliest tokens wanted at each place of the samples.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_zero")]
    pub topk_sample_logprobs: u32,
    /// Other tokens wanted at each place of the prompt.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_zero")]
    pub prompt_alt_tokens_k: u32,
    /// Tokens whose log-probabilities are wanted at each place of the prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_prompt_logprobs: Option<TensorData>,
    /// Only of the last so many tokens of the prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_logprobs_last_n: Option<u32>,
}

fn one() -> u32 {
    1
}

/// Older clients say null for what they do not want.
fn or_default<'de, D: serde::Deserializer<'de>, T: Deserialize<'de> + Default>(
    d: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(d)?.unwrap_or_default())
}

/// Result of `asample` in the JSON dialect.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct JsonSamples {
    /// One for each sample.
    pub sequences: Vec<JsonSequence>,
    /// Of each token of the prompt; null: not computed.
    #[serde(default)]
    pub prompt_logprobs: Option<Vec<Option<f32>>>,
    /// The likeliest tokens at each place of the prompt; null: not computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topk_prompt_logprobs: Option<JsonTop>,
    /// Of the tokens that the request named, at each place of the prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_prompt_logprobs: Option<TensorData>,
    /// `sample`.
    #[serde(rename = "type", default, skip_serializing_if = "String::is_empty")]
    pub kind: String,
}

/// The likeliest tokens at each of some places: ids and log-probabilities.
pub type JsonTop = Vec<Option<Vec<(i32, f32)>>>;

/// A sample in the JSON dialect.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct JsonSequence {
    /// `stop`, `length`.
    pub stop_reason: String,
    /// Ids.
    pub tokens: Vec<i32>,
    /// Of each token.
    #[serde(default)]
    pub logprobs: Option<Vec<f32>>,
    /// The likeliest tokens at each place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topk_logprobs: Option<JsonTop>,
}
