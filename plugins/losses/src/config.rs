//! What a config file may say about each loss.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tinsmith_plugin_api::{Error, Result};

/// For losses without settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NoConfig {}

/// Settings of `ppo`. The thresholds bound the ratio itself; they are not distances from 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PpoConfig {
    /// Lowest ratio that still gives a gradient for negative advantages.
    pub clip_low_threshold: f64,
    /// Highest ratio that still gives a gradient for positive advantages.
    pub clip_high_threshold: f64,
}

impl Default for PpoConfig {
    fn default() -> Self {
        Self { clip_low_threshold: 0.8, clip_high_threshold: 1.2 }
    }
}

/// Settings of `cispo`. The thresholds bound the ratio itself; by default only from above.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CispoConfig {
    /// Smallest factor of the gradient.
    pub clip_low_threshold: f64,
    /// Largest factor of the gradient.
    pub clip_high_threshold: f64,
}

impl Default for CispoConfig {
    fn default() -> Self {
        Self { clip_low_threshold: 0.0, clip_high_threshold: 4.0 }
    }
}

/// Settings of `dpo`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DpoConfig {
    /// Strength of the pull towards the reference model: the larger, the nearer the model stays to it.
    pub beta: f64,
    /// Share of pairs that are believed to be the wrong way round, below 0.5.
    pub label_smoothing: f64,
}

impl Default for DpoConfig {
    fn default() -> Self {
        Self { beta: 0.1, label_smoothing: 0.0 }
    }
}

impl DpoConfig {
    pub(crate) fn check(&self) -> Result<()> {
        if !self.beta.is_finite() || self.beta <= 0.0 {
            return Err(Error::config("must be greater than 0").at("beta"));
        }
        if !(0.0..0.5).contains(&self.label_smoothing) {
            return Err(Error::config("must be at least 0 and less than 0.5").at("label_smoothing"));
        }
        Ok(())
    }
}

/// Settings of `dro`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DroConfig {
    /// Strength of the quadratic pull towards the sampler's log-probabilities. The Tinker API
    /// documents no default; this is the value of its example, and it is always sent.
    pub beta: f64,
}

impl Default for DroConfig {
    fn default() -> Self {
        Self { beta: 0.05 }
    }
}

impl DroConfig {
    pub(crate) fn check(&self) -> Result<()> {
        if self.beta.is_finite() && self.beta >= 0.0 {
            return Ok(());
        }
        let found = self.beta;
        Err(Error::config(format!("must be a number of at least 0, found {found}"))
            .at("beta")
            .with_hint("0 removes the pull, the usual value is 0.05"))
    }
}

/// The interval of ratios that a clipping loss leaves alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clip {
    low: f32,
    high: f32,
}

impl Clip {
    /// Refuses intervals that are empty or reach below zero, where no ratio can be.
    pub(crate) fn new(low: f64, high: f64) -> Result<Self> {
        if !(low.is_finite() && low >= 0.0) {
            return Err(Error::config(format!("must be a number of at least 0, found {low}"))
                .at("clip_low_threshold")
                .with_hint("the thresholds bound the ratio itself, such as 0.8 and 1.2"));
        }
        if !(high.is_finite() && high >= low) {
            return Err(Error::config(format!(
                "must be a number of at least `clip_low_threshold` ({low}), found {high}"
            ))
            .at("clip_high_threshold")
            .with_hint("the thresholds bound the ratio itself, such as 0.8 and 1.2"));
        }
        Ok(Self { low: low as f32, high: high as f32 })
    }

    /// The ratio, moved into the interval; NaN stays NaN. Written out because the check that
    /// `f32::clamp` makes of its bounds keeps the compiler from using vectors.
    #[inline(always)]
    #[allow(clippy::manual_clamp)]
    pub(crate) fn apply(self, ratio: f32) -> f32 {
        let raised = if ratio < self.low { self.low } else { ratio };
        if raised > self.high { self.high } else { raised }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_must_make_an_interval() {
        assert!(Clip::new(0.0, 4.0).is_ok());
        let low = Clip::new(-0.2, 0.2).unwrap_err();
        assert_eq!(low.field(), Some("clip_low_threshold"));
        let high = Clip::new(1.2, 0.8).unwrap_err();
        assert_eq!(high.field(), Some("clip_high_threshold"));
        assert!(Clip::new(0.8, f64::NAN).is_err());
    }

    #[test]
    fn unknown_keys_are_refused() {
        let e = serde_json::from_str::<PpoConfig>(r#"{"clip": 0.2}"#).unwrap_err();
        assert!(e.to_string().starts_with("unknown field `clip`"), "{e}");
        assert!(serde_json::from_str::<NoConfig>(r#"{"beta": 1}"#).is_err());
    }
}
