//! `importance_sampling`: the policy gradient, corrected for where the samples came from.

use crate::{config::NoConfig, policy};
use tinsmith_plugin_api::{Loss, LossBatch, LossValue, RemoteLoss, Result};

/// −Σ r·A over all tokens, with r = exp(logprob − old) and A the advantage.
#[derive(Clone, Copy, Debug)]
pub struct ImportanceSampling;

impl Loss for ImportanceSampling {
    const NAME: &'static str = "importance_sampling";
    const SUMMARY: &'static str = "Policy gradient with importance weights";
    const INPUTS: &'static [&'static str] = policy::INPUTS;
    type Config = NoConfig;

    fn new(_: NoConfig) -> Result<Self> {
        Ok(Self)
    }

    fn remote(&self) -> Option<RemoteLoss> {
        Some(RemoteLoss { name: Self::NAME.into(), config: serde_json::json!({}) })
    }

    fn evaluate(&self, batch: &LossBatch<'_>, grad: &mut [f32]) -> Result<LossValue> {
        policy::evaluate(batch, grad, false, |token| {
            let loss = -token.ratio * token.advantage;
            policy::unless_idle(token, loss, loss, 0.0)
        })
    }
}
