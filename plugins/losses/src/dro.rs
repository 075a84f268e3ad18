//! `dro`: a policy gradient with a quadratic pull towards the sampler, and no ratio at all.

use crate::{config::DroConfig, policy};
use tinsmith_plugin_api::{Loss, LossBatch, LossValue, RemoteLoss, Result};

/// −Σ (logprob·A − ½·β·(logprob − old)²) over all tokens.
///
/// The pull acts on every token, also where the advantage is 0: there, `old` decides what it
/// pulls to.
#[derive(Clone, Debug)]
pub struct Dro {
    config: DroConfig,
    beta: f32,
}

impl Loss for Dro {
    const NAME: &'static str = "dro";
    const SUMMARY: &'static str =
        "Direct reward optimisation: policy gradient with a quadratic pull";
    const INPUTS: &'static [&'static str] = policy::INPUTS;
    type Config = DroConfig;

    fn new(config: DroConfig) -> Result<Self> {
        config.check()?;
        let beta = config.beta as f32;
        Ok(Self { config, beta })
    }

    fn remote(&self) -> Option<RemoteLoss> {
        let config = serde_json::to_value(&self.config).ok()?;
        Some(RemoteLoss { name: Self::NAME.into(), config })
    }

    fn evaluate(&self, batch: &LossBatch<'_>, grad: &mut [f32]) -> Result<LossValue> {
        let beta = self.beta;
        policy::evaluate(batch, grad, false, |token| {
            let gap = token.logprob - token.old;
            policy::Term {
                loss: 0.5 * beta * gap * gap - token.logprob * token.advantage,
                grad: beta * gap - token.advantage,
                clipped: 0.0,
            }
        })
    }
}
