//! Sampling: what a trainer's model answers, token by token.

use crate::{Done, Error, Result};
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
    /// Likeliest tokens wanted at each place of the prompt; 0: none.
    pub topk_prompt_logprobs: u32,
    /// Likeliest tokens wanted at each place of the samples; 0: none.
    pub topk_sample_logprobs: u32,
    /// Only the last so many tokens of the prompt are asked for by `prompt_logprobs` and
    /// `topk_prompt_logprobs`; None: all.
    pub prompt_logprobs_last_n: Option<u32>,
    /// Tokens whose log-probabilities are wanted at each place of the prompt.
    pub target_prompt_logprobs: Option<PromptTargets>,
}

/// Tokens to be scored in place of the prompt's own: row `i` stands for the prompt's token `i + 1`, after
/// those before it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromptTargets {
    /// Ids, −1 where none is wanted: `[len(prompt) − 1, width]`, row by row.
    pub ids: Vec<i32>,
    /// Ids of a row.
    pub width: u32,
}

/// The likeliest tokens at each of some places and their log-probabilities in nats, the likeliest first,
/// the smaller id before an equal one. A place that was not asked for has none.
pub type TopLogprobs = Vec<Vec<(i32, f32)>>;

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
            topk_prompt_logprobs: 0,
            topk_sample_logprobs: 0,
            prompt_logprobs_last_n: None,
            target_prompt_logprobs: None,
        }
    }
}

impl SampleRequest {
    /// The first place of the prompt that `prompt_logprobs` and `topk_prompt_logprobs` ask for. Nothing
    /// comes before the first token: it has no log-probability.
    #[must_use]
    pub fn first_scored(&self) -> usize {
        let last = self.prompt_logprobs_last_n.map_or(usize::MAX, |n| n as usize);
        self.prompt.len().saturating_sub(last).max(1)
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
    /// The likeliest tokens at each place of the prompt. `[len(prompt)]`.
    #[serde(default)]
    pub topk_prompt_logprobs: Option<TopLogprobs>,
    /// Log-probabilities of [`SampleRequest::target_prompt_logprobs`] in nats, of the same shape, and 0
    /// where none was wanted.
    #[serde(default)]
    pub target_prompt_logprobs: Option<Vec<f32>>,
}

impl Samples {
    /// Whether these hold all that was asked for. A trainer that was built before there was such a
    /// question does not see it, and would pass over it in silence.
    ///
    /// # Errors
    /// `unsupported`, naming what is missing.
    pub fn cover(&self, asked: &Wanted) -> Result<()> {
        let ranked = || self.sequences.iter().all(|sample| sample.topk_logprobs.is_some());
        let missing = [
            ("prompt_logprobs", asked.prompt && self.prompt_logprobs.is_none()),
            ("topk_prompt_logprobs", asked.topk_prompt && self.topk_prompt_logprobs.is_none()),
            ("topk_sample_logprobs", asked.topk_sample && !ranked()),
            ("target_prompt_logprobs", asked.targets && self.target_prompt_logprobs.is_none()),
        ];
        match missing.iter().find(|(_, missing)| *missing) {
            Some((name, _)) => {
                let e = Error::unsupported("the trainer does not answer it");
                Err(e.at(*name).with_hint("leave it out"))
            }
            None => Ok(()),
        }
    }
}

/// Which log-probabilities a request asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    prompt: bool,
    topk_prompt: bool,
    topk_sample: bool,
    targets: bool,
}

impl From<&SampleRequest> for Wanted {
    fn from(asked: &SampleRequest) -> Self {
        Self {
            prompt: asked.prompt_logprobs,
            topk_prompt: asked.topk_prompt_logprobs > 0,
            topk_sample: asked.topk_sample_logprobs > 0,
            targets: asked.target_prompt_logprobs.is_some(),
        }
    }
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
    /// The likeliest tokens at each place, where they were asked for (temperature 1, no cut).
    #[serde(default)]
    pub topk_logprobs: Option<TopLogprobs>,
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
