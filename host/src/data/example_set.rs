//! Examples in memory, packed end to end: those of a batch.

use tinsmith_plugin_api::Column;

/// Where an example came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// Index of the dataset in the config.
    pub dataset: u32,
    /// Line of the dataset's file, from 1.
    pub line: u64,
    /// Index of the record in its dataset, from 0; blank lines are not counted.
    pub record: u64,
}

/// Examples packed end to end (CSR): example `i` owns `offsets[i]..offsets[i + 1]` of `tokens`,
/// `weights` and every column.
#[derive(Clone, Debug, PartialEq)]
pub struct ExampleSet {
    /// Token ids, `[T]`.
    pub tokens: Vec<i32>,
    /// Raw weight of each token, `[T]`.
    pub weights: Vec<f32>,
    /// Where each example starts, and the end of the last: `[B + 1]`, first 0.
    pub offsets: Vec<u64>,
    /// Examples with the same number must stay in one batch: `[B]`.
    pub groups: Vec<u64>,
    /// Where each example came from: `[B]`.
    pub source: Vec<Source>,
    /// Named per-token columns besides tokens and weights, each `[T]`.
    pub columns: Vec<Column>,
}

impl Default for ExampleSet {
    fn default() -> Self {
        Self {
            tokens: Vec::new(),
            weights: Vec::new(),
            offsets: vec![0],
            groups: Vec::new(),
            source: Vec::new(),
            columns: Vec::new(),
        }
    }
}

impl ExampleSet {
    /// Number of examples.
    #[must_use]
    pub fn len(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// True if there is no example.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where example `i` lies in `tokens`, `weights` and columns.
    #[must_use]
    pub fn range(&self, i: usize) -> std::ops::Range<usize> {
        self.offsets[i] as usize..self.offsets[i + 1] as usize
    }
}

/// Targets with a weight among the raw weights of one example.
#[must_use]
pub fn trained_tokens(weights: &[f32]) -> u64 {
    weights.iter().skip(1).filter(|w| **w != 0.0).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_token_is_never_trained() {
        assert_eq!(trained_tokens(&[1.0]), 0);
        assert_eq!(trained_tokens(&[1.0, 0.0, 0.5]), 1);
        assert_eq!(trained_tokens(&[]), 0);
    }
}
