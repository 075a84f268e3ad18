//! What every part of the loop looks at and none changes.

use super::{LossPath, Reference, Stop, Watch};
use crate::{
    Result,
    config::{Config, Mode},
    data::Spool,
    plan::{Plan, usd_per_token},
};
use std::time::Duration;
use tinsmith_plugin_api::{AdapterSpec, Lora, TrainerHandle};

/// A run to be trained.
pub struct Session<'a> {
    /// What computes.
    pub trainer: &'a dyn TrainerHandle,
    /// The batches, in order.
    pub plan: &'a Plan,
    /// The examples.
    pub train: &'a Spool,
    /// The held-out examples.
    pub eval: &'a Spool,
    /// How the loss meets the trainer.
    pub loss: &'a LossPath,
    /// The base model: a folder or a name.
    pub base: &'a str,
    /// Which weights are trained.
    pub adapter: AdapterSpec,
    /// Steps in flight at once, at least 1.
    pub in_flight: u32,
    /// Examples of one batch of an evaluation.
    pub eval_batch: u32,
    /// When checkpoints are saved, evaluations run and the run stops.
    pub config: &'a Config,
    /// Whether the user asked to stop.
    pub stop: &'a Stop,
    /// How long to wait before a first new beginning; each later one waits twice as long.
    pub retry_after: Duration,
    /// Who watches.
    pub watch: &'a dyn Watch,
}

impl std::fmt::Debug for Session<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("base", &self.base).finish_non_exhaustive()
    }
}

impl Session<'_> {
    /// What training on so many tokens costs, in US dollars, where a price is known.
    #[must_use]
    pub fn usd(&self, tokens: u64) -> Option<f64> {
        let passes = self.loss.passes(self.plan.reference);
        usd_per_token(self.config).map(|usd| usd * (tokens * passes) as f64)
    }

    /// The model that the loss is measured against.
    ///
    /// # Errors
    /// As [`Reference::open`].
    pub fn reference(&self) -> Result<Reference> {
        let checkpoint = self.config.training.reference.as_deref();
        Reference::open(self.trainer, self.base, &self.adapter, checkpoint)
    }
}

/// Which weights a config trains.
#[must_use]
pub fn adapter_spec(config: &Config) -> AdapterSpec {
    let lora = &config.lora;
    match config.training.mode {
        Mode::Full => AdapterSpec::Full,
        Mode::Lora => AdapterSpec::Lora(Lora {
            rank: lora.rank,
            alpha: lora.alpha,
            seed: lora.seed,
            train_attn: lora.train_attn,
            train_mlp: lora.train_mlp,
            train_unembed: lora.train_unembed,
        }),
    }
}
