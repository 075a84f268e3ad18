//! What is known of a run: what was to be done, how far it is, what came of it.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Why a run stopped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Failure {
    /// The kind: a plugin's own, or `failed`, `usage`, `data`, `interrupted`.
    pub kind: String,
    /// One line.
    pub message: String,
    /// What the user can do.
    pub hint: Option<String>,
}

/// What must not change between the parts of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Fingerprints {
    /// sha256 of the datasets.
    pub data: String,
    /// sha256 of the tokens, weights and columns that they were rendered to.
    pub examples: String,
    /// sha256 of what decides the encoding.
    pub tokenizer: String,
    /// Renderer with its plugin, version and settings.
    pub renderer: String,
    /// sha256 of every plugin's library, or `built-in VERSION`, by plugin id.
    pub plugins: BTreeMap<String, String>,
    /// sha256 of the order of examples.
    pub order: String,
    /// Seed of the order.
    pub order_seed: u64,
}

impl Fingerprints {
    /// Names of what differs.
    #[must_use]
    pub fn differences(&self, now: &Self) -> Vec<String> {
        let mut names = Vec::new();
        let mut compare = |name: &str, equal: bool| {
            if !equal {
                names.push(name.to_owned());
            }
        };
        compare("data", self.data == now.data);
        // With the same data: what a renderer makes of it depends on something else.
        compare("rendered examples", self.data != now.data || self.examples == now.examples);
        compare("tokenizer", self.tokenizer == now.tokenizer);
        compare("renderer", self.renderer == now.renderer);
        compare("order of examples", self.order == now.order && self.order_seed == now.order_seed);
        let ids: BTreeSet<&String> = self.plugins.keys().chain(now.plugins.keys()).collect();
        for id in ids {
            compare(&format!("plugin {id}"), self.plugins.get(id) == now.plugins.get(id));
        }
        names
    }
}

/// What was to be done.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PlanFacts {
    /// Optimizer steps.
    pub steps: u64,
    /// Passes over the data.
    pub epochs: u32,
    /// Examples to train on.
    pub examples: u64,
    /// Examples held out.
    pub eval_examples: u64,
    /// Examples of all steps, each time one is seen.
    pub seen: u64,
    /// Tokens of all steps: those that the model reads, all of each example but its last.
    pub tokens: u64,
    /// Trained tokens of all steps.
    pub trained_tokens: u64,
}

/// What became of the rows of the datasets:
/// `rows = used + refused + skipped + overlong + untrained + duplicates`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DataFacts {
    /// Records read.
    pub rows: u64,
    /// Rows with at least one example in use, those held out included.
    pub used: u64,
    /// Rows with something wrong in them.
    pub refused: u64,
    /// Rows of which the renderer made no example.
    pub skipped: u64,
    /// Rows left out because they are too long.
    pub overlong: u64,
    /// Rows left out because no token of theirs is trained.
    pub untrained: u64,
    /// Rows left out because an earlier one is their exact copy.
    pub duplicates: u64,
    /// Examples in use that were cut.
    pub truncated: u64,
    /// Those of them that lost trained tokens.
    pub answers_cut: u64,
    /// Those of them of which the cut goes through an answer: its end is not trained.
    pub ends_cut: u64,
    /// Rows that fit since their oldest turns were left out.
    pub shortened: u64,
    /// These turns.
    pub dropped_turns: u64,
    /// Rows trained on that repeat an earlier one, byte for byte.
    pub repeated: u64,
    /// Rows held out whose text also stands in a row trained on.
    pub leaked: u64,
    /// Tokens of the longest example, before any cut.
    pub longest: u64,
}

/// How far a run is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Progress {
    /// Optimizer steps that are done.
    pub step: u64,
    /// The batch that comes next.
    pub next_batch: u64,
    /// Tokens of the steps done, each step once.
    pub tokens: u64,
    /// Trained tokens of the steps done, each step once.
    pub trained_tokens: u64,
    /// Steps that were computed more than once, each time but the first.
    pub repeated_steps: u64,
    /// Their tokens.
    pub repeated_tokens: u64,
    /// Tokens of every step that was computed, whether or not it counts.
    pub computed_tokens: u64,
    /// Seconds spent in training, all attempts together.
    pub seconds: f64,
    /// Cost of every step that was computed, in US dollars, where a price is known.
    pub usd: Option<f64>,
}

/// Evaluations on held-out data.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Evaluations {
    /// Before the first step.
    pub before: Option<Evaluation>,
    /// After the last step.
    pub after: Option<Evaluation>,
}

/// One evaluation on held-out data.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Evaluation {
    /// Mean negative log-likelihood of a trained token, in nats.
    pub nll: Option<f64>,
    /// Share of answers in the form asked for.
    pub form: Option<f64>,
    /// Share of the references' facts (`eval.checks.facts`) that stand in the answers.
    pub recall: Option<f64>,
    /// Answers that were sampled.
    pub answers: u64,
}

/// Where the finished adapter lies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AdapterFacts {
    /// The folder.
    pub path: String,
    /// sha256 of each file, by name.
    pub files: BTreeMap<String, String>,
}
