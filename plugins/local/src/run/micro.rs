//! Cuts a batch into parts that go through the model one after the other.
//!
//! The cut depends on the lengths alone, so that the same batch gives the same bytes every time.

use crate::packed::{BatchLoss, Packed, TokenLoss};
use std::ops::Range;
use tinsmith_plugin_api::{LossScope, LossValue, Result};

/// Ranges of sequences, in order, each of at most `budget` tokens; a longer sequence stands alone.
pub fn plan(offsets: &[usize], budget: usize) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let mut start = 0;
    for end in 1..offsets.len() {
        if offsets[end] - offsets[start] > budget && end - start > 1 {
            parts.push(start..end - 1);
            start = end - 1;
        }
    }
    if start + 1 < offsets.len() {
        parts.push(start..offsets.len() - 1);
    }
    parts
}

/// The sequences `part` of a batch as a batch of their own.
pub fn cut(batch: &Packed, part: &Range<usize>) -> Packed {
    let tokens = batch.offsets[part.start]..batch.offsets[part.end];
    let offsets = batch.offsets[part.start..=part.end].iter().map(|o| o - tokens.start).collect();
    Packed {
        tokens: batch.tokens[tokens.clone()].to_vec(),
        targets: batch.targets[tokens.clone()].to_vec(),
        offsets,
        positions: batch.positions[tokens].to_vec(),
    }
}

/// A loss of the whole batch, seen from one of its parts.
pub struct PartLoss<'a> {
    pub loss: &'a BatchLoss<'a>,
    /// Where the part's tokens begin in the batch.
    pub start: usize,
}

impl TokenLoss for PartLoss<'_> {
    fn scope(&self) -> LossScope {
        LossScope::Token
    }

    fn evaluate(
        &self,
        tokens: Range<usize>,
        logprobs: &[f32],
        grad: &mut [f32],
    ) -> Result<LossValue> {
        let in_batch = self.start + tokens.start..self.start + tokens.end;
        self.loss.evaluate(in_batch, logprobs, grad)
    }
}

/// The derivative of a loss that was evaluated before, over the whole batch.
pub struct KnownGradient<'a> {
    /// By each log-probability of the part.
    pub gradient: &'a [f32],
}

impl TokenLoss for KnownGradient<'_> {
    fn scope(&self) -> LossScope {
        LossScope::Token
    }

    fn evaluate(
        &self,
        tokens: Range<usize>,
        _logprobs: &[f32],
        grad: &mut [f32],
    ) -> Result<LossValue> {
        grad.copy_from_slice(&self.gradient[tokens]);
        Ok(LossValue::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_keep_sequences_whole_and_in_order() {
        assert_eq!(plan(&[0, 3, 6, 9], 6), [0..2, 2..3]);
        assert_eq!(plan(&[0, 3, 6, 9], 100), [0..3]);
        assert_eq!(plan(&[0, 10, 11, 30], 5), [0..1, 1..2, 2..3], "longer than the budget");
        assert_eq!(plan(&[0, 1, 2, 3], 1), [0..1, 1..2, 2..3]);
        assert_eq!(plan(&[0], 5), []);
    }

    #[test]
    fn a_part_counts_its_offsets_from_zero() {
        let batch = Packed {
            tokens: vec![1, 2, 3, 4, 5],
            targets: vec![2, 3, 4, 5, 6],
            offsets: vec![0, 2, 5],
            positions: vec![0, 1, 0, 1, 2],
        };
        let part = cut(&batch, &(1..2));
        assert_eq!(part.tokens, [3, 4, 5]);
        assert_eq!(part.targets, [4, 5, 6]);
        assert_eq!(part.offsets, [0, 3]);
        assert_eq!(part.positions, [0, 1, 2]);
    }
}
