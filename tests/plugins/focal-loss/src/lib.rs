//! Focal loss: tokens that the model knows already count less.
#![forbid(unsafe_code)]

use schemars::JsonSchema;
use serde::Deserialize;
use tinsmith_plugin_api::{Error, Loss, LossBatch, LossValue, Result, plugin};

#[derive(Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Config {
    /// How much less: 0 is cross-entropy.
    gamma: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self { gamma: 2.0 }
    }
}

struct Focal(Config);

impl Loss for Focal {
    const NAME: &'static str = "focal";
    const SUMMARY: &'static str = "cross-entropy that gives known tokens less weight";
    const INPUTS: &'static [&'static str] = &["weights"];
    type Config = Config;

    fn new(config: Config) -> Result<Self> {
        if config.gamma < 0.0 {
            return Err(Error::config("must not be negative").at("gamma"));
        }
        Ok(Self(config))
    }

    /// L = −Σ w · (1 − p)^γ · ln p, with p = exp(logprob).
    fn evaluate(&self, batch: &LossBatch<'_>, gradient: &mut [f32]) -> Result<LossValue> {
        let gamma = self.0.gamma;
        let mut sum = 0.0;
        for ((&logprob, &weight), out) in batch.logprobs.iter().zip(batch.inputs[0]).zip(gradient) {
            let (logprob, weight) = (f64::from(logprob), f64::from(weight));
            let p = logprob.exp();
            let rest = 1.0 - p;
            sum -= weight * rest.powf(gamma) * logprob;
            let inner = rest.powf(gamma) - gamma * rest.powf(gamma - 1.0) * p * logprob;
            *out = (-weight * inner) as f32;
        }
        Ok(LossValue { sum, ..LossValue::default() })
    }
}

plugin! { losses: [Focal] }

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use tinsmith_plugin_api::testing::{check_gradient, loss};

    #[test]
    fn the_gradient_is_right() {
        check_gradient::<Focal>(&json!({}));
        check_gradient::<Focal>(&json!({ "gamma": 0.5 }));
    }

    #[test]
    fn a_negative_gamma_is_refused() {
        let e = loss::<Focal>(&json!({ "gamma": -1 })).map(drop).unwrap_err();
        assert_eq!(e.field(), Some("gamma"));
    }
}
