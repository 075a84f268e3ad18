//! How the loss meets the trainer: chosen once, before the first step.

use crate::{Error, Result, plan::StepBatch};
use serde_json::Value;
use std::sync::Arc;
use tinsmith_plugin_api::{
    Batch, Capabilities, Column, ColumnData, EvaluateLoss, Forward, LossBatch, LossHandle, LossRef,
    LossValue,
};

/// The loss that every trainer knows that evaluates losses at all.
const CROSS_ENTROPY: &str = "cross_entropy";

/// Where the loss is evaluated.
#[derive(Clone)]
pub enum LossPath {
    /// By the trainer, which knows it or calls back inside its backward pass.
    Trainer(LossRef),
    /// Here, between a forward pass and a backward pass that is given `weights = −gradient`.
    Host(Arc<dyn LossHandle>),
}

impl std::fmt::Debug for LossPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.describe())
    }
}

impl LossPath {
    /// Chooses: natively, else by calling back, else by a forward pass and a weighted backward pass.
    ///
    /// # Errors
    /// `usage` if the trainer can do none of the three.
    pub fn choose(
        name: &str,
        loss: Arc<dyn LossHandle>,
        trainer: &str,
        can: &Capabilities,
    ) -> Result<Self> {
        if let Some(remote) = loss.remote()?
            && can.native_losses.contains(&remote.name)
        {
            let (name, config) = (remote.name, remote.config);
            return Ok(Self::Trainer(LossRef { name, config, call: None }));
        }
        if can.calls_loss {
            let call: Arc<dyn EvaluateLoss> = loss;
            let (name, config) = (name.to_owned(), Value::Null);
            return Ok(Self::Trainer(LossRef { name, config, call: Some(call) }));
        }
        let refused = |why: &str| {
            Err(Error::usage(format!("trainer `{trainer}` cannot use the loss `{name}`: {why}"))
                .field("training.loss")
                .hint(format!("it knows {}", can.native_losses.join(", "))))
        };
        if can.divides_by_mask {
            return refused(
                "it divides gradients by the mask, so a weighted backward pass is wrong",
            );
        }
        if !can.native_losses.iter().any(|n| n == CROSS_ENTROPY) {
            return refused("it neither knows it, nor calls back, nor has cross_entropy");
        }
        Ok(Self::Host(loss))
    }

    /// How often the model reads each token of a batch: a loss that is evaluated here has a forward pass
    /// of its own, and one that is measured against a `reference` has one more.
    #[must_use]
    pub fn passes(&self, reference: bool) -> u64 {
        1 + u64::from(matches!(self, Self::Host(_))) + u64::from(reference)
    }

    /// Where it is evaluated, for people.
    #[must_use]
    pub fn explain(&self) -> &'static str {
        match self {
            Self::Trainer(LossRef { call: None, .. }) => "the trainer's own",
            Self::Trainer(_) => "called by the trainer in its backward pass",
            Self::Host(_) => "evaluated between a forward and a backward pass",
        }
    }

    /// The word for it, as plans and records spell it.
    #[must_use]
    pub fn describe(&self) -> &'static str {
        match self {
            Self::Trainer(LossRef { call: None, .. }) => "native",
            Self::Trainer(_) => "callback",
            Self::Host(_) => "forward and weighted backward",
        }
    }
}

/// Evaluates a loss here. Answers its value and the batch whose cross-entropy has the same
/// gradient: `weights = −dL/dlogprob`, because cross_entropy is −Σ weights · logprobs.
///
/// # Errors
/// Whatever the loss answers; `failed` if the trainer answered with too few log-probabilities.
pub fn weighted(
    loss: &dyn LossHandle,
    step: &StepBatch,
    forward: &Forward,
) -> Result<(LossValue, Batch)> {
    let batch = &step.batch;
    step.check_answer(&forward.logprobs)?;
    let mut inputs = Vec::new();
    for name in loss.inputs() {
        inputs.push(batch.f32(name).ok_or_else(|| {
            Error::failed(format!("the batch has no column `{name}` for the loss"))
        })?);
    }
    let mut grad = vec![0.0_f32; batch.tokens.len()];
    let seen = LossBatch {
        logprobs: &forward.logprobs,
        inputs: &inputs,
        offsets: &batch.offsets,
        groups: &batch.groups,
    };
    let value = loss.evaluate(&seen, &mut grad)?;
    grad.iter_mut().for_each(|g| *g = -*g);
    let weights = Column { name: "weights".into(), data: ColumnData::F32(grad) };
    let (tokens, targets) = (batch.tokens.clone(), batch.targets.clone());
    let (offsets, groups) = (batch.offsets.clone(), batch.groups.clone());
    Ok((value, Batch { tokens, targets, offsets, groups, columns: vec![weights] }))
}

/// The trainer's own cross-entropy.
#[must_use]
pub fn cross_entropy() -> LossRef {
    LossRef { name: CROSS_ENTROPY.into(), config: Value::Null, call: None }
}
