//! A loss that panics on demand.

use crate::Config;
use tinsmith_plugin_api::{Loss, LossBatch, LossValue, RemoteLoss, Result};

pub(crate) struct Bad(Config);

impl Loss for Bad {
    const NAME: &'static str = "bad";
    const INPUTS: &'static [&'static str] = &["weights"];
    type Config = Config;

    fn new(config: Config) -> Result<Self> {
        config.reach("new");
        Ok(Self(config))
    }

    fn remote(&self) -> Option<RemoteLoss> {
        self.0.reach("remote");
        None
    }

    fn evaluate(&self, batch: &LossBatch<'_>, gradient: &mut [f32]) -> Result<LossValue> {
        self.0.reach("evaluate");
        gradient.fill(-1.0);
        let sum = -batch.logprobs.iter().map(|logprob| f64::from(*logprob)).sum::<f64>();
        // No number, on purpose: it must cross as it is.
        Ok(LossValue { sum, metrics: [("nothing:mean".to_owned(), f64::NAN)].into() })
    }
}
