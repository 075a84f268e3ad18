//! Whether a loss lets itself be normalised.

use crate::{
    Error, Result,
    config::{Config, Normalization},
};
use tinsmith_plugin_api::{LossBatch, LossHandle};

/// The column that carries the normalisation where the loss reads no `weights`.
const ADVANTAGES: &str = "advantages";

/// Refuses a normalisation that would change what is minimised. It is folded into `weights`, or into
/// `advantages` where the loss reads those alone; a loss with a term that these do not scale (`dro`
/// has one) would get another balance of its terms. Found out by asking the loss: with twice the
/// advantages its gradient must be twice as large.
///
/// # Errors
/// `usage` at `training.normalization`; whatever the loss answers.
pub fn check_scale(config: &Config, loss: &dyn LossHandle) -> Result<()> {
    let (training, inputs) = (&config.training, loss.inputs());
    let carried = inputs.iter().any(|i| i == ADVANTAGES) && !inputs.iter().any(|i| i == "weights");
    if training.normalization == Normalization::None || !carried {
        return Ok(());
    }
    let (once, twice) = (gradient(loss, 1.0)?, gradient(loss, 2.0)?);
    let doubled =
        |(one, two): (&f32, &f32)| (two - 2.0 * one).abs() <= 1e-4 * (1.0 + 2.0 * one.abs());
    if once.iter().zip(&twice).all(doubled) {
        return Ok(());
    }
    Err(Error::usage(format!(
        "the loss `{}` has a term that advantages do not scale: normalising would change its balance",
        training.loss.name
    ))
    .field("training.normalization")
    .hint("set `training.normalization: none`, and scale advantages in the data"))
}

/// The gradient of a plausible datum of three tokens, its advantages multiplied by `scale`.
fn gradient(loss: &dyn LossHandle, scale: f32) -> Result<Vec<f32>> {
    let logprobs = [-1.0, -0.5, -2.0];
    let column = |name: &str| match name {
        ADVANTAGES => vec![0.7 * scale, -0.4 * scale, 0.2 * scale],
        // What the policy gave when it sampled: near what it gives now.
        "logprobs" => vec![-0.95, -0.55, -2.05],
        _ => vec![1.0; 3],
    };
    let columns: Vec<Vec<f32>> = loss.inputs().iter().map(|name| column(name)).collect();
    let inputs: Vec<&[f32]> = columns.iter().map(Vec::as_slice).collect();
    let batch = LossBatch { logprobs: &logprobs, inputs: &inputs, offsets: &[0, 3], groups: &[0] };
    let mut grad = vec![0.0; logprobs.len()];
    loss.evaluate(&batch, &mut grad)?;
    Ok(grad)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugins::{PluginOptions, Registry};
    use serde_json::{Map, json};

    #[test]
    fn only_a_loss_with_an_unscaled_term_is_refused() {
        let registry = Registry::load(&PluginOptions::default()).unwrap();
        for (name, refused) in [
            ("cross_entropy", false),
            ("importance_sampling", false),
            ("ppo", false),
            ("cispo", false),
            // −Σ (logprob · advantage − ½ β (logprob − old)²): the square is not scaled.
            ("dro", true),
        ] {
            let loss = registry.loss(name, &Map::new()).unwrap();
            let config = |normalization: &str| -> Config {
                serde_json::from_value(json!({
                    "model": {"base_model": "m"}, "datasets": [{"path": "d"}],
                    "training": {"loss": name, "normalization": normalization},
                }))
                .unwrap()
            };
            let token = check_scale(&config("token"), loss.as_ref());
            assert_eq!(token.is_err(), refused, "{name}");
            assert!(check_scale(&config("none"), loss.as_ref()).is_ok(), "{name}");
        }
    }
}
