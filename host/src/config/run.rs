//! What happens around training: `eval`, `checkpoint`, `tracking` and `limits`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Evaluation on what `data.eval` holds out.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Eval {
    /// Steps between two evaluations. Default: only before and after the run.
    #[schemars(range(min = 1))]
    pub every_steps: Option<u64>,
    /// Held-out prompts answered before and after the run, side by side.
    pub samples: u32,
    /// Longest answer, in tokens.
    #[schemars(range(min = 1))]
    pub max_tokens: u32,
    /// What is measured on the answers. Default: nothing.
    pub checks: Option<Checks>,
}

impl Default for Eval {
    fn default() -> Self {
        Self { every_steps: None, samples: 0, max_tokens: 128, checks: None }
    }
}

/// What is measured on the answers to held-out prompts, for the base and for the result.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Checks {
    /// A regular expression: the share of answers that match it as a whole is the share in form.
    pub form: Option<String>,
    /// A regular expression: each of its matches in a reference answer is a fact, and the share of
    /// facts that stand in the model's answer is the recall.
    pub facts: Option<String>,
}

/// When checkpoints are saved. The final one always is.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Checkpoint {
    /// Steps between two checkpoints. Default: only the final one.
    #[schemars(range(min = 1))]
    pub every_steps: Option<u64>,
    /// Keep this many of the newest and delete older ones. Default: all.
    #[schemars(range(min = 1))]
    pub keep_last: Option<u32>,
}

/// Where metrics go besides the run record, which always has them. No key yet.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Tracking {}

/// Where a run stops by itself, with a checkpoint. `tinsmith serve` keeps its clients together within
/// `max_tokens` and `max_usd`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Trained and context tokens. Default: no limit.
    #[schemars(range(min = 1))]
    pub max_tokens: Option<u64>,
    /// Hours of wall-clock time. Default: no limit.
    pub max_hours: Option<f64>,
    /// US dollars, by `prices`, for everything that is computed. Default: no limit.
    pub max_usd: Option<f64>,
    /// What tokens cost, for the estimate in the plan, the limits and the records. The trainer `local` costs nothing.
    pub prices: Prices,
    /// Tokens a second that the trainer is known to make, for the estimate in the plan. Default: as
    /// fast as the last run of the same trainer and base model in the output folder.
    pub tokens_per_second: Option<f64>,
}

/// What tokens cost, in US dollars. A token counts once for each time that the model reads it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Prices {
    /// US dollars for a million tokens trained on. Default: unknown.
    pub train_per_million_tokens: Option<f64>,
    /// US dollars for a million tokens of the prompts of samples (`tinsmith serve`). Default: unknown.
    pub prefill_per_million_tokens: Option<f64>,
    /// US dollars for a million sampled tokens (`tinsmith serve`). Default: unknown.
    pub sample_per_million_tokens: Option<f64>,
    /// The same by base model, as `model.base_model` names it: `{NAME: {train_per_million_tokens:
    /// …}}`. A model that stands here has this price.
    pub models: BTreeMap<String, Price>,
}

/// What tokens of one base model cost, in US dollars. What does not stand here costs what it does for all.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// US dollars for a million tokens trained on.
    pub train_per_million_tokens: f64,
    /// US dollars for a million tokens of the prompts of samples.
    #[serde(default)]
    pub prefill_per_million_tokens: Option<f64>,
    /// US dollars for a million sampled tokens.
    #[serde(default)]
    pub sample_per_million_tokens: Option<f64>,
}
