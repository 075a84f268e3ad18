//! `ppo`: importance sampling that stops where the policy has moved far enough.

use crate::{
    config::{Clip, PpoConfig},
    policy,
};
use tinsmith_plugin_api::{Loss, LossBatch, LossValue, RemoteLoss, Result};

/// −Σ min(r·A, clip(r, low, high)·A) over all tokens.
#[derive(Clone, Debug)]
pub struct Ppo {
    config: PpoConfig,
    clip: Clip,
}

impl Loss for Ppo {
    const NAME: &'static str = "ppo";
    const SUMMARY: &'static str = "Proximal policy optimisation with a clipped ratio";
    const INPUTS: &'static [&'static str] = policy::INPUTS;
    type Config = PpoConfig;

    fn new(config: PpoConfig) -> Result<Self> {
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
            let free = token.ratio * token.advantage;
            let bound = clip.apply(token.ratio) * token.advantage;
            let clipped = free > bound;
            let loss = if clipped { -bound } else { -free };
            let grad = if clipped { 0.0 } else { -free };
            policy::unless_idle(token, loss, grad, if clipped { 1.0 } else { 0.0 })
        })
    }
}
