//! The logits after some tokens, and what the model itself makes of them: temperature 1, nothing cut.

use tinsmith_plugin_api::{Error, ErrorKind, Result};

/// A row of logits, `[vocab]`.
pub struct Row<'a> {
    pub logits: &'a [f32],
    /// The first of the largest.
    pub likeliest: usize,
    /// The largest.
    pub max: f64,
    /// Logarithm of the sum of `exp(logit - max)`.
    log_total: f64,
}

impl<'a> Row<'a> {
    /// # Errors
    /// `other` if the logits are not finite.
    pub fn new(logits: &'a [f32]) -> Result<Self> {
        let mut likeliest = 0;
        for (id, logit) in logits.iter().enumerate() {
            if *logit > logits[likeliest] {
                likeliest = id;
            }
        }
        let max = logits.get(likeliest).map_or(f64::NAN, |&l| f64::from(l));
        let total: f64 = logits.iter().map(|&l| (f64::from(l) - max).exp()).sum();
        if !(max.is_finite() && total.is_finite()) {
            return Err(Error::new(ErrorKind::OTHER, "the model's logits are not finite")
                .with_hint("the weights are damaged or training diverged"));
        }
        Ok(Self { logits, likeliest, max, log_total: total.ln() })
    }

    /// Log-probability of a token, in nats.
    pub fn logprob(&self, token: usize) -> f32 {
        (f64::from(self.logits[token]) - self.max - self.log_total) as f32
    }

    /// The `k` likeliest tokens and their log-probabilities.
    pub fn top(&self, k: usize) -> Vec<(i32, f32)> {
        let logprob = |id: usize| (id as i32, self.logprob(id));
        likeliest(self.logits, k).into_iter().map(logprob).collect()
    }
}

/// The `k` likeliest of a row of logits.
pub fn likeliest(logits: &[f32], k: usize) -> Vec<usize> {
    let mut kept: Vec<usize> = (0..logits.len()).collect();
    keep_likeliest(logits, &mut kept, k);
    kept
}

/// Leaves the `k` likeliest of some tokens, in falling order; among equals the smaller id comes first.
pub fn keep_likeliest(logits: &[f32], kept: &mut Vec<usize>, k: usize) {
    let order = |a: &usize, b: &usize| logits[*b].total_cmp(&logits[*a]).then(a.cmp(b));
    if k == 0 {
        kept.clear();
    } else if k < kept.len() {
        kept.select_nth_unstable_by(k - 1, order);
        kept.truncate(k);
    }
    kept.sort_unstable_by(order);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Logits whose softmax is 0.5, 0.25, 0.125, 0.125.
    const LOGITS: [f32; 4] = [2.0 * std::f32::consts::LN_2, std::f32::consts::LN_2, 0.0, 0.0];

    #[test]
    fn logprobs_are_logarithms_of_the_shares() {
        let row = Row::new(&LOGITS).unwrap();
        for (token, share) in [0.5_f32, 0.25, 0.125, 0.125].iter().enumerate() {
            assert!((row.logprob(token) - share.ln()).abs() < 1e-6, "{token}");
        }
        assert!(Row::new(&[f32::NAN, 0.0]).is_err());
        assert!(Row::new(&[]).is_err());
    }

    #[test]
    fn the_likeliest_come_first_and_equals_by_their_ids() {
        let top = |k| -> Vec<i32> {
            let row = Row::new(&[0.0, 3.0, 1.0, 3.0, 1.0]).unwrap();
            row.top(k).into_iter().map(|(id, _)| id).collect()
        };
        assert!(top(0).is_empty());
        assert_eq!(top(3), [1, 3, 2]);
        assert_eq!(top(9), [1, 3, 2, 4, 0]);
    }
}
