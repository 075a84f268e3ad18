//! How it is trained: `training`, `optimizer` and `schedule`.

use super::PluginRef;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, IntoDeserializer, MapAccess, Visitor, value::MapAccessDeserializer},
};
use std::fmt;

/// Batches, length and loss of a run.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Training {
    /// Whether an adapter is trained or every weight.
    pub mode: Mode,
    /// Examples an optimizer step, at least 1.
    #[schemars(range(min = 1))]
    pub batch_size: u32,
    /// Passes over the data, at least 1.
    #[schemars(range(min = 1))]
    pub epochs: u32,
    /// Stop after this many optimizer steps. Default: when the epochs end.
    #[schemars(range(min = 1))]
    pub max_steps: Option<u64>,
    /// What the loss of a batch is divided by.
    pub normalization: Normalization,
    /// The loss.
    pub loss: PluginRef,
    /// The checkpoint that a loss with `reference_logprobs` is measured against, as the trainer names
    /// it. Default: the base model.
    pub reference: Option<String>,
    /// Steps sent ahead of the one that is waited for, where the trainer allows it.
    pub submit_ahead: u32,
    /// What happens to the last batch of an epoch when it is not full.
    pub last_batch: LastBatch,
}

impl Default for Training {
    fn default() -> Self {
        Self {
            mode: Mode::default(),
            batch_size: 8,
            epochs: 1,
            max_steps: None,
            normalization: Normalization::default(),
            loss: PluginRef::new(super::DEFAULT_LOSS),
            reference: None,
            submit_ahead: 1,
            last_batch: LastBatch::default(),
        }
    }
}

/// What is trained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// An adapter beside the frozen base.
    #[default]
    Lora,
    /// Every weight of the base.
    Full,
}

/// What the loss of a batch is divided by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Normalization {
    /// The batch's sum of weights: each trained token counts the same.
    #[default]
    Token,
    /// Each example's own sum of weights: each example counts the same.
    Example,
    /// Nothing: a sum.
    None,
}

/// What happens to a batch that is not full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LastBatch {
    /// It is trained.
    #[default]
    Keep,
    /// It is left out.
    Drop,
}

/// AdamW.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Optimizer {
    /// Peak learning rate, above 0.
    pub learning_rate: f64,
    /// Decay of the first moment, from 0 to below 1.
    pub beta1: f64,
    /// Decay of the second moment, from 0 to below 1.
    pub beta2: f64,
    /// Added to the root of the second moment, above 0.
    pub eps: f64,
    /// Decoupled weight decay, at least 0.
    pub weight_decay: f64,
    /// Largest L2 norm of the whole gradient; 0 does not clip.
    pub grad_clip_norm: f64,
}

impl Default for Optimizer {
    fn default() -> Self {
        Self {
            learning_rate: 1e-4,
            beta1: 0.9,
            beta2: 0.95,
            eps: 1e-8,
            weight_decay: 0.0,
            grad_clip_norm: 0.0,
        }
    }
}

/// The learning rate over the run, as a multiple of `optimizer.learning_rate`. A string stands for
/// `{name: …}`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Schedule {
    /// The curve after the warm-up.
    pub name: Curve,
    /// Steps in which the rate rises from 0. Not together with `warmup_ratio`.
    pub warmup_steps: u64,
    /// The same as a share of all steps, from 0 to below 1.
    pub warmup_ratio: f64,
    /// The floor: the rate never falls below this multiple of the peak, from 0 to 1.
    pub min_lr_ratio: f64,
    /// `wsd` only: the share of all steps in which the rate falls, above 0 and at most 1.
    pub decay_ratio: f64,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            name: Curve::default(),
            warmup_steps: 0,
            warmup_ratio: 0.0,
            min_lr_ratio: 0.0,
            decay_ratio: 0.2,
        }
    }
}

/// How the learning rate moves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Curve {
    /// Down a line to the floor.
    #[default]
    Linear,
    /// Down half a cosine to the floor.
    Cosine,
    /// Stays at the peak.
    Constant,
    /// Stays at the peak, then falls to the floor in the last steps.
    Wsd,
}

/// Reads a schedule; a string stands for `{name: …}`.
pub(super) fn schedule<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Schedule, D::Error> {
    struct NameOrMap;
    impl<'de> Visitor<'de> for NameOrMap {
        type Value = Schedule;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("the name of a schedule, or a map")
        }

        fn visit_str<E: de::Error>(self, name: &str) -> Result<Schedule, E> {
            let name = Curve::deserialize(name.into_deserializer())?;
            Ok(Schedule { name, ..Schedule::default() })
        }

        fn visit_unit<E: de::Error>(self) -> Result<Schedule, E> {
            Ok(Schedule::default())
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Schedule, A::Error> {
            Schedule::deserialize(MapAccessDeserializer::new(map))
        }
    }
    deserializer.deserialize_any(NameOrMap)
}

/// The schema of what [`schedule`] reads.
pub(super) fn schedule_schema(generator: &mut SchemaGenerator) -> Schema {
    let (name, table) = (generator.subschema_for::<Curve>(), generator.subschema_for::<Schedule>());
    json_schema!({ "anyOf": [table, name] })
}
