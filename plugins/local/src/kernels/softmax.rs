//! The end of the head: a row of logits to a log-probability, and back.

use super::simd::{self, vectorised};
use rayon::prelude::*;

/// For each row of `logits` (`[M, vocab]`): log-probability of its target, and the row's logsumexp.
pub fn logprobs(
    logits: &[f32],
    vocab: usize,
    targets: &[u32],
    logprobs: &mut [f32],
    logsumexp: &mut [f32],
) {
    let row = |(((row, &target), logprob), lse): (((&[f32], &u32), &mut f32), &mut f32)| {
        *lse = logsumexp_of(row);
        *logprob = row[target as usize] - *lse;
    };
    logits.par_chunks(vocab).zip(targets).zip(logprobs).zip(logsumexp).for_each(row);
}

vectorised! {
    fn logsumexp_of<'a>(row: &'a [f32]) -> f32 {
        let max = simd::max(row);
        max + simd::exp_sum(row, max).ln()
    }
}

/// Turns logits into the gradient of the loss by the logits, in place:
/// `dlogits = dlogprob · (onehot(target) − softmax)`.
pub fn backward(
    logits: &mut [f32],
    vocab: usize,
    targets: &[u32],
    logsumexp: &[f32],
    dlogprob: &[f32],
) {
    let row = |(((row, &target), &lse), &d): (((&mut [f32], &u32), &f32), &f32)| {
        scaled_softmax(row, lse, -d);
        row[target as usize] += d;
    };
    logits.par_chunks_mut(vocab).zip(targets).zip(logsumexp).zip(dlogprob).for_each(row);
}

vectorised! {
    fn scaled_softmax<'a>(row: &'a mut [f32], lse: f32, factor: f32) {
        for x in row.iter_mut() {
            *x = factor * simd::exp(*x - lse);
        }
    }
}
