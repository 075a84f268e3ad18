//! Whether a loss lets itself be normalised.

use super::REFERENCE;
use crate::{
    Error, Result,
    config::{Config, Normalization},
};
use tinsmith_plugin_api::{LossBatch, LossHandle, LossScope};

/// The column that carries the normalisation.
const WEIGHTS: &str = "weights";
/// The column that carries it where the loss reads no weights.
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
    let carries = |name: &&str| inputs.iter().any(|i| i == name);
    let carrier = [WEIGHTS, ADVANTAGES].into_iter().find(carries);
    let (Some(carrier), false) = (carrier, training.normalization == Normalization::None) else {
        return Ok(());
    };
    // Weights of single tokens scale their terms: that is what they are.
    if carrier == WEIGHTS && loss.scope() == LossScope::Token {
        return Ok(());
    }
    let (once, twice) = match (gradient(loss, carrier, 1.0), gradient(loss, carrier, 2.0)) {
        (Ok(once), Ok(twice)) => (once, twice),
        // It wants groups of another size.
        _ if loss.scope() != LossScope::Token => return Ok(()),
        (Err(e), _) | (_, Err(e)) => return Err(e),
    };
    let doubled =
        |(one, two): (&f32, &f32)| (two - 2.0 * one).abs() <= 1e-4 * (1.0 + 2.0 * one.abs());
    if once.iter().zip(&twice).all(doubled) {
        return Ok(());
    }
    Err(Error::usage(format!(
        "the loss `{}` has a term that {carrier} do not scale: normalising would change its balance",
        training.loss.name
    ))
    .field("training.normalization")
    .hint("set `training.normalization: none`, and scale the data if it must be"))
}

/// The gradient of a plausible pair of datums, the values of one input multiplied by `scale`.
fn gradient(loss: &dyn LossHandle, scaled: &str, scale: f32) -> Result<Vec<f32>> {
    let logprobs = [-1.0, -0.5, -2.0];
    let column = |name: &str| {
        let values = match name {
            ADVANTAGES => [0.7, -0.4, 0.2],
            // What another policy gives: near what this one gives.
            "logprobs" | REFERENCE => [-0.95, -0.55, -2.05],
            _ => [1.0; 3],
        };
        values.map(|value| if name == scaled { value * scale } else { value }).to_vec()
    };
    let columns: Vec<Vec<f32>> = loss.inputs().iter().map(|name| column(name)).collect();
    let inputs: Vec<&[f32]> = columns.iter().map(Vec::as_slice).collect();
    let batch =
        LossBatch { logprobs: &logprobs, inputs: &inputs, offsets: &[0, 1, 3], groups: &[0, 0] };
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
            // −ln σ(Σ weight · …): a sigmoid is not linear.
            ("dpo", true),
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
