//! `cross_entropy`: the weighted negative log-likelihood of the targets.

use crate::{
    config::NoConfig,
    lanes::{CHUNK, fill, sum},
    policy::column,
};
use tinsmith_plugin_api::{Error, Loss, LossBatch, LossValue, RemoteLoss, Result};

/// −Σ w·lp over all tokens, in nats. Weights may have any sign and size; where a weight is 0 the
/// log-probability may be −∞.
#[derive(Clone, Copy, Debug)]
pub struct CrossEntropy;

impl Loss for CrossEntropy {
    const NAME: &'static str = "cross_entropy";
    const SUMMARY: &'static str = "Weighted negative log-likelihood of the targets";
    const INPUTS: &'static [&'static str] = &["weights"];
    type Config = NoConfig;

    fn new(_: NoConfig) -> Result<Self> {
        Ok(Self)
    }

    fn remote(&self) -> Option<RemoteLoss> {
        Some(RemoteLoss { name: Self::NAME.into(), config: serde_json::json!({}) })
    }

    fn evaluate(&self, batch: &LossBatch<'_>, grad: &mut [f32]) -> Result<LossValue> {
        let weights = column(batch, grad, Self::INPUTS, 0)?;
        let mut total = 0.0;
        let mut losses = [0.0; CHUNK];
        for (c, grad) in grad.chunks_mut(CHUNK).enumerate() {
            let range = c * CHUNK..c * CHUNK + grad.len();
            let (lp, w) = (&batch.logprobs[range.clone()], &weights[range]);
            let losses = &mut losses[..grad.len()];
            fill(grad, |i| -w[i]);
            fill(losses, |i| {
                let off = (w[i] == 0.0) & !lp[i].is_nan();
                if off { 0.0 } else { -w[i] * lp[i] }
            });
            total += sum(losses);
        }
        if !total.is_finite() {
            return Err(first_bad_token(batch.logprobs, weights));
        }
        Ok(LossValue { sum: total, ..LossValue::default() })
    }
}

/// Explains a sum that is not finite.
#[cold]
fn first_bad_token(logprobs: &[f32], weights: &[f32]) -> Error {
    for (i, (lp, w)) in logprobs.iter().zip(weights).enumerate() {
        if !w.is_finite() {
            return Error::data(format!("is {w}")).at(format!("weights[{i}]"));
        }
        if lp.is_nan() || (*w != 0.0 && !(w * lp).is_finite()) {
            return Error::data(format!(
                "the loss of token {i} is not finite: the model gives {lp} nats to a target of \
                 weight {w}"
            ))
            .with_hint("the model has diverged; lower the learning rate");
        }
    }
    Error::data("the sum of the loss is not finite")
}
