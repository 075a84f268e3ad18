//! Sampling: what a trainer's model answers, token by token.

use crate::Done;
use serde::{Deserialize, Serialize};

/// Samples from a base model or an adapter.
pub trait Sampler: Send + Sync {
    /// Samples; may stream through [`Done::partial`] when `num_samples` is 1.
    fn sample(&self, request: SampleRequest, done: Done<Samples>);
}

/// A sampling request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SampleRequest {
    /// Token ids.
    pub prompt: Vec<i32>,
    /// Independent samples, at least 1.
    pub num_samples: u32,
    /// Most tokens to sample. None: as many as fit the context.
    pub max_tokens: Option<u32>,
    /// 0 is greedy; 1 the model's own distribution.
    pub temperature: f32,
    /// Sample among the k likeliest; −1 or 0: all.
    pub top_k: i32,
    /// Sample among the likeliest that make up this share; 1: all.
    pub top_p: f32,
    /// The same seed gives the same samples.
    pub seed: Option<u64>,
    /// Token ids that end a sample. None: the model's EOS tokens; empty: none at all.
    pub stop_tokens: Option<Vec<i32>>,
    /// Texts that end a sample.
    pub stop_strings: Vec<String>,
    /// Whether the log-probability of each prompt token is wanted.
    pub prompt_logprobs: bool,
}

impl Default for SampleRequest {
    fn default() -> Self {
        Self {
            prompt: Vec::new(),
            num_samples: 1,
            max_tokens: None,
            temperature: 1.0,
            top_k: -1,
            top_p: 1.0,
            seed: None,
            stop_tokens: None,
            stop_strings: Vec::new(),
            prompt_logprobs: false,
        }
    }
}

/// What a sampling request gives.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Samples {
    /// One per sample.
    pub sequences: Vec<Sampled>,
    /// Log-probability of each prompt token in nats; none for the first. `[len(prompt)]`.
    #[serde(default)]
    pub prompt_logprobs: Option<Vec<Option<f32>>>,
}

/// One sample.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sampled {
    /// Sampled token ids, the stop token included.
    pub tokens: Vec<i32>,
    /// Log-probability of each under the model (temperature 1, no cut), in nats.
    pub logprobs: Vec<f32>,
    /// Why it ended.
    pub stop_reason: StopReason,
}

/// Why a sample ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// A stop token or text.
    Stop,
    /// `max_tokens` or the context length.
    Length,
}
