//! `dpo`: makes chosen answers likelier than rejected ones, measured against a reference model.

use crate::config::DpoConfig;
use tinsmith_plugin_api::{Error, Loss, LossBatch, LossScope, LossValue, Result};

/// Σ over pairs of −(1 − ε)·ln σ(m) − ε·ln σ(−m), with the margin
/// m = β·(Σ w·(logprob − reference) over the chosen − the same over the rejected), in nats.
///
/// Direct preference optimisation (Rafailov et al., 2023, arXiv 2305.18290, equation 7); ε is the share
/// of labels that are wrong (Mitchell, 2023). A pair is a group of two datums, the chosen one first. The
/// sum is over pairs: tinker-cookbook takes their mean.
///
/// `reference_logprobs` are those of the model that the run starts from: the host computes them.
#[derive(Clone, Debug)]
pub struct Dpo(DpoConfig);

impl Loss for Dpo {
    const NAME: &'static str = "dpo";
    const SUMMARY: &'static str = "Direct preference optimisation of chosen over rejected answers";
    const INPUTS: &'static [&'static str] = &["weights", "reference_logprobs"];
    const SCOPE: LossScope = LossScope::Group;
    type Config = DpoConfig;

    fn new(config: DpoConfig) -> Result<Self> {
        config.check()?;
        Ok(Self(config))
    }

    fn evaluate(&self, batch: &LossBatch<'_>, grad: &mut [f32]) -> Result<LossValue> {
        let DpoConfig { beta, label_smoothing: wrong } = self.0;
        let [weights, reference] = batch.inputs else {
            return Err(Error::data("dpo reads `weights` and `reference_logprobs`"));
        };
        let datum = |i: usize| batch.offsets[i] as usize..batch.offsets[i + 1] as usize;
        let reward = |i: usize| -> f64 {
            let ratio = |t: usize| f64::from(batch.logprobs[t]) - f64::from(reference[t]);
            beta * datum(i).map(|t| f64::from(weights[t]) * ratio(t)).sum::<f64>()
        };
        let (mut value, mut pairs) = (LossValue::default(), 0.0);
        let [mut margins, mut right, mut chosen, mut rejected] = [0.0; 4];
        let mut first = 0;
        for group in batch.groups.chunk_by(|a, b| a == b) {
            if group.len() != 2 {
                return Err(Error::data(format!(
                    "dpo compares pairs, and a group of the batch has {} datums",
                    group.len()
                ))
                .with_hint("give rows with `chosen` and `rejected`"));
            }
            let rewards = [reward(first), reward(first + 1)];
            let margin = rewards[0] - rewards[1];
            if !margin.is_finite() {
                return Err(Error::data("a log-probability of the batch is not finite"));
            }
            value.sum += (1.0 - wrong) * softplus(-margin) + wrong * softplus(margin);
            // dL/dm = σ(m) − (1 − ε)
            let slope = beta * (sigmoid(margin) - (1.0 - wrong));
            for (i, sign) in [(first, 1.0), (first + 1, -1.0)] {
                datum(i).for_each(|t| grad[t] = (sign * slope * f64::from(weights[t])) as f32);
            }
            margins += margin;
            right += f64::from(u8::from(margin > 0.0));
            (chosen, rejected) = (chosen + rewards[0], rejected + rewards[1]);
            pairs += 1.0;
            first += 2;
        }
        let figures = [
            ("accuracy:mean", right),
            ("margin:mean", margins),
            ("chosen_reward:mean", chosen),
            ("rejected_reward:mean", rejected),
        ];
        value.metrics = figures.map(|(name, sum)| (name.to_owned(), sum / pairs)).into();
        Ok(value)
    }
}

/// ln(1 + eˣ), which is −ln σ(−x), without overflow.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}
