//! How records become examples: `data`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How records become examples.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Data {
    /// Which tokens are trained; the renderer's modes, such as `last_assistant_message`.
    pub train_on: String,
    /// Longest example, in tokens, at least 2.
    #[schemars(range(min = 2))]
    pub max_length: u32,
    /// What happens to a longer one.
    pub overlong: Overlong,
    /// What happens to a record that cannot be read or rendered.
    pub on_bad_record: OnBadRecord,
    /// What happens to a record of which an earlier one is the exact copy.
    pub dedupe: Dedupe,
    /// Whether each epoch has an order of its own. Otherwise: the order of the files.
    pub shuffle: bool,
    /// Seed of the order and of the evaluation split.
    pub seed: u64,
    /// What is held out. Default: nothing.
    pub eval: Option<EvalSplit>,
}

impl Default for Data {
    fn default() -> Self {
        Self {
            train_on: "all_assistant_messages".into(),
            max_length: 2048,
            overlong: Overlong::default(),
            on_bad_record: OnBadRecord::default(),
            dedupe: Dedupe::default(),
            shuffle: true,
            seed: 0,
            eval: None,
        }
    }
}

/// What happens to an example longer than `max_length`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Overlong {
    /// The data is rejected.
    #[default]
    Error,
    /// The example is left out and counted.
    Drop,
    /// Its last tokens are cut off and counted.
    TruncateRight,
    /// Its first tokens are cut off and counted; a token that begins every text stays.
    TruncateLeft,
    /// Its oldest turns are left out, as many as needed, and counted; system messages and the last
    /// turn stay. Where that is not enough: as `drop`.
    DropTurns,
}

/// What happens to a record that cannot be read or rendered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnBadRecord {
    /// The data is rejected.
    #[default]
    Error,
    /// The record is left out, counted and named.
    Skip,
}

/// What happens to a record of which an earlier one is the exact copy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Dedupe {
    /// It is trained like any other.
    #[default]
    None,
    /// It is left out and counted.
    Exact,
}

/// What is held out for evaluation: exactly one of the three.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EvalSplit {
    /// A dataset of its own, relative to the config.
    pub path: Option<String>,
    /// A share of the records, between 0 and 1.
    pub fraction: Option<f64>,
    /// A number of records.
    pub count: Option<u64>,
}
