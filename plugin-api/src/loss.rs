//! Losses: a function of log-probabilities, with its gradient.

use crate::Result;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::collections::BTreeMap;

/// A loss over the log-probabilities of target tokens.
///
/// Losses are sums, never means: whatever averaging a run wants is folded into its inputs
/// (`weights`, `advantages`) by the plan.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a loss",
    note = "implement `Loss`: NAME, INPUTS, Config, `new` and `evaluate` are enough"
)]
pub trait Loss: Sized + Send + Sync + 'static {
    /// The name a config file uses: `cross_entropy`, `ppo`…
    const NAME: &'static str;
    /// One sentence for `plugins show`.
    const SUMMARY: &'static str = "";
    /// Per-token f32 columns it reads besides the log-probabilities, in this order.
    const INPUTS: &'static [&'static str];
    /// What `evaluate` must see at once.
    const SCOPE: LossScope = LossScope::Token;
    /// The plugin's part of the config section; serde is the validator.
    type Config: DeserializeOwned + JsonSchema;

    /// Builds the loss.
    ///
    /// # Errors
    /// [`crate::ErrorKind::CONFIG`] for settings that do not fit together.
    fn new(config: Self::Config) -> Result<Self>;

    /// How a server that knows this loss is told to use it. `None`: it must be evaluated here.
    fn remote(&self) -> Option<RemoteLoss> {
        None
    }

    /// The value (a sum, in nats) and, in `grad[T]`, its derivative by each log-probability.
    /// `grad` arrives filled with zeros.
    ///
    /// # Errors
    /// A data error if an input holds what the formula cannot take.
    fn evaluate(&self, batch: &LossBatch<'_>, grad: &mut [f32]) -> Result<LossValue>;
}

/// How much of a batch a loss must see at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LossScope {
    /// Each token stands alone: a trainer may evaluate any part of a batch at a time.
    Token,
    /// All datums of a group together.
    Group,
    /// The whole batch together.
    Batch,
}

/// What a loss is given.
#[derive(Clone, Copy, Debug)]
pub struct LossBatch<'a> {
    /// Log-probability of every target, in nats: `[T]`.
    pub logprobs: &'a [f32],
    /// The columns named by `INPUTS`, in that order, each `[T]`.
    pub inputs: LossInputs<'a>,
    /// Where each datum starts, and the end of the last: `[B + 1]`.
    pub offsets: &'a [u64],
    /// Datums with the same number belong together: `[B]`.
    pub groups: &'a [u64],
}

/// Input columns in the order of `INPUTS`.
pub type LossInputs<'a> = &'a [&'a [f32]];

/// What a loss answers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LossValue {
    /// The loss: a sum over tokens, in nats.
    pub sum: f64,
    /// Named figures; the name ends in its reduction: `clip_fraction:mean`.
    #[serde(default)]
    pub metrics: BTreeMap<String, f64>,
}

/// A loss as a Tinker server knows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RemoteLoss {
    /// `loss_fn` on the wire.
    pub name: String,
    /// `loss_fn_config` on the wire: a flat map of numbers and strings.
    #[serde(default)]
    pub config: Value,
}
