//! The examples of a run, packed end to end: flat arrays, no object per row.

use super::columns;
use std::collections::BTreeSet;
use tinsmith_plugin_api::{Column, ColumnData, Examples};

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
    /// Examples with the same number must stay in one batch: `[B]`, rising.
    pub groups: Vec<u64>,
    /// Where each example came from: `[B]`.
    pub source: Vec<Source>,
    /// Named per-token columns besides tokens and weights, each `[T]`.
    pub columns: Vec<Column>,
    /// Which dataset gave which column; elsewhere it is zero.
    pub given: BTreeSet<(u32, String)>,
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
            given: BTreeSet::new(),
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

    /// Feeds everything that is trained on to a hash.
    pub fn feed(&self, hash: &mut impl sha2::Digest) {
        // In blocks: a call a number would take longer than rendering.
        let mut block = Vec::with_capacity(1 << 16);
        let mut feed = |bytes: &[u8]| {
            block.extend_from_slice(bytes);
            if block.len() >= (1 << 16) - 8 {
                hash.update(&block);
                block.clear();
            }
        };
        self.tokens.iter().for_each(|token| feed(&token.to_le_bytes()));
        self.weights.iter().for_each(|weight| feed(&weight.to_bits().to_le_bytes()));
        self.offsets.iter().chain(&self.groups).for_each(|n| feed(&n.to_le_bytes()));
        for column in &self.columns {
            feed(column.name.as_bytes());
            match &column.data {
                ColumnData::F32(values) => {
                    values.iter().for_each(|v| feed(&v.to_bits().to_le_bytes()));
                }
                ColumnData::I64(values) => values.iter().for_each(|v| feed(&v.to_le_bytes())),
            }
        }
        hash.update(&block);
    }

    /// Where example `i` lies in `tokens`, `weights` and columns.
    #[must_use]
    pub fn range(&self, i: usize) -> std::ops::Range<usize> {
        self.offsets[i] as usize..self.offsets[i + 1] as usize
    }

    /// Targets with a weight: tokens that the run learns to predict. The first token of an example
    /// is predicted by nothing, whatever its weight.
    #[must_use]
    pub fn trained_tokens(&self) -> u64 {
        (0..self.len()).map(|i| trained_tokens(&self.weights[self.range(i)])).sum()
    }

    /// Appends the first `tokens` tokens of one example of a rendered batch, as the next of `group`.
    pub(super) fn push(
        &mut self,
        from: &Examples,
        example: usize,
        tokens: usize,
        group: u64,
        source: Source,
    ) {
        let start = from.range(example).start;
        let range = start..start + tokens;
        let (start, end) = (self.tokens.len(), self.tokens.len() + range.len());
        self.tokens.extend_from_slice(&from.tokens[range.clone()]);
        self.weights.extend_from_slice(&from.weights[range.clone()]);
        for column in &from.columns {
            if !self.given.iter().any(|(d, n)| (*d, n) == (source.dataset, &column.name)) {
                self.given.insert((source.dataset, column.name.clone()));
            }
        }
        columns::append(&mut self.columns, &from.columns, range, start);
        self.offsets.push(end as u64);
        self.groups.push(group);
        self.source.push(source);
    }

    /// Takes the examples out for which `take` says so, in order, and closes the gaps in place: a
    /// large set is never held twice. Columns stay the same on both sides.
    pub(super) fn take_out(&mut self, take: impl Fn(&Source) -> bool) -> Self {
        let mut out = Self {
            columns: self.columns.iter().map(columns::empty).collect(),
            given: self.given.clone(),
            ..Self::default()
        };
        let (mut kept, mut end) = (0, 0);
        for i in 0..self.len() {
            let range = self.range(i);
            if take(&self.source[i]) {
                columns::append(&mut out.columns, &self.columns, range.clone(), out.tokens.len());
                out.tokens.extend_from_slice(&self.tokens[range.clone()]);
                out.weights.extend_from_slice(&self.weights[range.clone()]);
                out.offsets.push(out.tokens.len() as u64);
                out.groups.push(self.groups[i]);
                out.source.push(self.source[i]);
                continue;
            }
            let length = range.len();
            self.tokens.copy_within(range.clone(), end);
            self.weights.copy_within(range.clone(), end);
            columns::copy_within(&mut self.columns, &range, end);
            self.groups[kept] = self.groups[i];
            self.source[kept] = self.source[i];
            kept += 1;
            end += length;
            self.offsets[kept] = end as u64;
        }
        self.tokens.truncate(end);
        self.weights.truncate(end);
        columns::resize(&mut self.columns, end);
        self.groups.truncate(kept);
        self.source.truncate(kept);
        self.offsets.truncate(kept + 1);
        out
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

    fn source(record: u64) -> Source {
        Source { dataset: 0, line: record + 1, record }
    }

    fn rendered(lengths: &[usize], column: Option<&str>) -> Examples {
        let mut out = Examples::default();
        for &length in lengths {
            let tokens: Vec<i32> = (0..length as i32).collect();
            out.span(&tokens, 1.0);
            if let Some(name) = column {
                out.column(name, &vec![length as f32; length]);
            }
            out.finish();
        }
        out
    }

    #[test]
    fn a_column_that_comes_late_or_goes_is_zero_elsewhere() {
        let mut set = ExampleSet::default();
        set.push(&rendered(&[2], None), 0, 2, 0, source(0));
        set.push(&rendered(&[4], Some("advantages")), 0, 3, 1, source(1));
        set.push(&rendered(&[1], None), 0, 1, 2, source(2));
        assert_eq!(set.offsets, [0, 2, 5, 6]);
        assert_eq!(set.columns.len(), 1);
        assert_eq!(set.columns[0].data, ColumnData::F32(vec![0.0, 0.0, 4.0, 4.0, 4.0, 0.0]));
    }

    #[test]
    fn what_is_taken_out_and_what_stays_are_the_whole() {
        let mut set = ExampleSet::default();
        let from = rendered(&[2, 3, 1, 4, 2], Some("a"));
        for i in 0..5 {
            set.push(&from, i, from.range(i).len(), i as u64, source(i as u64));
        }
        let whole = set.clone();
        let out = set.take_out(|s| s.record % 2 == 1);
        assert_eq!(out.source.iter().map(|s| s.record).collect::<Vec<_>>(), [1, 3]);
        assert_eq!(set.source.iter().map(|s| s.record).collect::<Vec<_>>(), [0, 2, 4]);
        for part in [&out, &set] {
            for i in 0..part.len() {
                let was = whole.range(part.source[i].record as usize);
                assert_eq!(part.tokens[part.range(i)], whole.tokens[was.clone()]);
                assert_eq!(part.weights.len(), part.tokens.len());
                assert_eq!(part.columns[0].len(), part.tokens.len());
                assert_eq!(part.range(i).len(), was.len());
            }
        }
        assert_eq!(out.tokens.len() + set.tokens.len(), whole.tokens.len());
    }

    #[test]
    fn the_first_token_is_never_trained() {
        assert_eq!(trained_tokens(&[1.0]), 0);
        assert_eq!(trained_tokens(&[1.0, 0.0, 0.5]), 1);
        assert_eq!(trained_tokens(&[]), 0);
    }
}
