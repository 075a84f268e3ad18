//! Folds the normalisation into the weights of a batch: losses are sums, so whatever average a run
//! wants is in its weights.

use crate::{Error, Result, config::Normalization};

/// Scales `weights` (`[T]`, raw, already shifted to targets) in place by `rule`.
///
/// - `token`: divided by the sum over the whole optimizer batch, so that the loss is the mean over
///   its trained tokens.
/// - `example`: divided by the sum over the example, so that each example counts 1 however long it
///   is, and the loss is a sum over examples.
/// - `none`: left as they are.
///
/// An example without any weight stays at zero; a batch does too, but [`super::Plan`] refuses those.
/// Sums are taken in f64, in order.
///
/// # Errors
/// `data` if weights cancel out or are not finite: there is no mean to take.
pub fn fold(weights: &mut [f32], offsets: &[u64], rule: Normalization) -> Result<()> {
    match rule {
        Normalization::None => Ok(()),
        Normalization::Token => scale(weights, "the batch"),
        Normalization::Example => offsets
            .windows(2)
            .try_for_each(|w| scale(&mut weights[w[0] as usize..w[1] as usize], "an example")),
    }
}

fn scale(weights: &mut [f32], of: &str) -> Result<()> {
    let sum: f64 = weights.iter().map(|w| f64::from(*w)).sum();
    if weights.iter().all(|w| *w == 0.0) {
        return Ok(());
    }
    if !sum.is_finite() || sum <= 0.0 {
        return Err(Error::data(format!("the weights of {of} sum to {sum}, which is no divisor"))
            .hint("set `training.normalization: none` to train on weights as they are"));
    }
    weights.iter_mut().for_each(|w| *w = (f64::from(*w) / sum) as f32);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_two_rules_by_hand() {
        let raw = [0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0];
        let offsets = [0, 3, 8];
        let mut token = raw;
        fold(&mut token, &offsets, Normalization::Token).unwrap();
        let sixth = (1.0_f64 / 6.0) as f32;
        assert_eq!(token, [0.0, sixth, sixth, 0.0, sixth, sixth, sixth, sixth]);
        let mut example = raw;
        fold(&mut example, &offsets, Normalization::Example).unwrap();
        assert_eq!(example, [0.0, 0.5, 0.5, 0.0, 0.25, 0.25, 0.25, 0.25]);
        let mut none = raw;
        fold(&mut none, &offsets, Normalization::None).unwrap();
        assert_eq!(none, raw);
    }

    #[test]
    fn weights_that_cancel_are_refused_and_zeros_are_not() {
        assert!(fold(&mut [1.0, -1.0], &[0, 2], Normalization::Token).is_err());
        assert!(fold(&mut [f32::NAN, 1.0], &[0, 2], Normalization::Token).is_err());
        let mut zeros = [0.0; 3];
        fold(&mut zeros, &[0, 1, 3], Normalization::Example).unwrap();
        assert_eq!(zeros, [0.0; 3]);
    }

    proptest! {
        #[test]
        fn sums_are_one(examples in prop::collection::vec(prop::collection::vec(0.0_f32..4.0, 1..20), 1..10)) {
            let mut offsets = vec![0_u64];
            let mut raw = Vec::new();
            for example in &examples {
                raw.extend_from_slice(example);
                offsets.push(raw.len() as u64);
            }
            let sum = |w: &[f32]| w.iter().map(|w| f64::from(*w)).sum::<f64>();
            let near = |got: f64, had: f64| if had == 0.0 { got == 0.0 } else { (got - 1.0).abs() < 1e-5 };
            let mut token = raw.clone();
            fold(&mut token, &offsets, Normalization::Token).unwrap();
            prop_assert!(near(sum(&token), sum(&raw)));
            let mut each = raw.clone();
            fold(&mut each, &offsets, Normalization::Example).unwrap();
            for w in offsets.windows(2) {
                let range = w[0] as usize..w[1] as usize;
                prop_assert!(near(sum(&each[range.clone()]), sum(&raw[range])));
            }
        }
    }
}
