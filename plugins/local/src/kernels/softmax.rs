//! The end of the head: a row of logits to a log-probability, and back.

use super::simd;
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
        simd::run(|| {
            let max = simd::max(row);
            *lse = max + simd::exp_sum(row, max).ln();
            *logprob = row[target as usize] - *lse;
        });
    };
    logits.par_chunks(vocab).zip(targets).zip(logprobs).zip(logsumexp).for_each(row);
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
        simd::run(|| {
            for x in row.iter_mut() {
                *x = -d * simd::exp(*x - lse);
            }
            row[target as usize] += d;
        });
    };
    logits.par_chunks_mut(vocab).zip(targets).zip(logsumexp).zip(dlogprob).for_each(row);
}
