//! `cispo`: a policy gradient whose importance weight is clipped and held fixed, so that no token
//! loses its gradient.

use crate::{
    config::{CispoConfig, Clip},
    policy,
};
use tinsmith_plugin_api::{Loss, LossBatch, LossValue, RemoteLoss, Result};

/// −Σ sg\[clip(r, low, high)\]·logprob·A over all tokens. `sg` stops the gradient: the derivative
/// takes the clipped ratio for a constant, and therefore is not the slope of the value.
#[derive(Clone, Debug)]
pub struct Cispo {
    config: CispoConfig,
    clip: Clip,
}

impl Loss for Cispo {
    const NAME: &'static str = "cispo";
    const SUMMARY: &'static str = "Policy gradient with a clipped, constant importance weight";
    const INPUTS: &'static [&'static str] = policy::INPUTS;
    type Config = CispoConfig;

    fn new(config: CispoConfig) -> Result<Self> {
        let clip = Clip::new(config.clip_low_threshold, config.clip_high_threshold)?;
        Ok(Self { config, clip })
    }

    fn remote(&self) -> Option<RemoteLoss> {
        let config = serde_json::to_value(&self.config).ok()?;
        Some(RemoteLoss { name: Self::NAME.into(), config })
    }

    fn evaluate(&self, batch: &LossBatch<'_>, grad: &mut [f32]) -> Result<LossValue> {
        let clip = self.clip;
        policy::evaluate(batch, grad, true, |token| {
            let weight = clip.apply(token.ratio);
            let grad = -weight * token.advantage;
            let clipped = if weight == token.ratio { 0.0 } else { 1.0 };
            policy::unless_idle(token, grad * token.logprob, grad, clipped)
        })
    }
}
