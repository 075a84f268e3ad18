//! Rendered examples, packed: what a renderer produces.

use crate::{Column, ColumnData, Error};

/// Examples of some records, packed end to end (CSR).
///
/// Example `i` owns `tokens[offsets[i]..offsets[i+1]]` and the same range of `weights` and of every
/// column. Weights are raw, as the renderer means them: 0.0 for context, 1.0 for trained tokens.
/// Normalisation belongs to the plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Examples {
    /// Token ids, `[T]`.
    pub tokens: Vec<i32>,
    /// Raw weight of each token, `[T]`.
    pub weights: Vec<f32>,
    /// Where each example starts, and the end of the last: `[B + 1]`, first 0.
    pub offsets: Vec<u64>,
    /// Index of the record each example came from, within the batch given to the renderer: `[B]`.
    pub record: Vec<u32>,
    /// 0 for the first example of a record, 1 for the second…: `[B]`.
    pub ordinal: Vec<u32>,
    /// Examples with the same number must stay in one batch (pairs, sets): `[B]`.
    pub group: Vec<u64>,
    /// Named per-token columns besides tokens and weights, each `[T]`.
    pub columns: Vec<Column>,
    /// Records that could not be rendered. The others are here all the same.
    pub errors: Vec<RecordError>,
    current: u32,
    next_ordinal: u32,
    next_group: u64,
    group_open: bool,
}

/// Why one record gave no example.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordError {
    /// Index within the batch given to the renderer.
    pub record: u32,
    /// What is wrong with it.
    pub error: Error,
}

/// Where one example lies in the packed arrays.
pub type ExampleRange = std::ops::Range<usize>;

impl Default for Examples {
    fn default() -> Self {
        Self {
            tokens: Vec::new(),
            weights: Vec::new(),
            offsets: vec![0],
            record: Vec::new(),
            ordinal: Vec::new(),
            group: Vec::new(),
            columns: Vec::new(),
            errors: Vec::new(),
            current: 0,
            next_ordinal: 0,
            next_group: 0,
            group_open: false,
        }
    }
}

impl Examples {
    /// Adds a span to the current example: `weight` 0.0 is context, 1.0 is trained.
    pub fn span(&mut self, tokens: &[i32], weight: f32) -> &mut Self {
        self.tokens.extend_from_slice(tokens);
        self.weights.resize(self.tokens.len(), weight);
        self
    }

    /// Adds one token to the current example.
    pub fn token(&mut self, token: i32, weight: f32) -> &mut Self {
        self.span(&[token], weight)
    }

    /// Ends the current example. An example without tokens is not kept.
    pub fn finish(&mut self) {
        if self.open_tokens() == 0 {
            return;
        }
        for column in &mut self.columns {
            column.pad(self.tokens.len());
        }
        self.offsets.push(self.tokens.len() as u64);
        self.record.push(self.current);
        self.ordinal.push(self.next_ordinal);
        self.next_ordinal += 1;
        self.group.push(self.next_group);
        if !self.group_open {
            self.next_group += 1;
        }
    }

    /// From here to [`Examples::end_group`], examples stay together in one batch.
    pub fn begin_group(&mut self) {
        self.group_open = true;
    }

    /// Ends the group begun last.
    pub fn end_group(&mut self) {
        if self.group_open {
            self.group_open = false;
            self.next_group += 1;
        }
    }

    /// Gives the last `values.len()` tokens of the current example a value in the column `name`.
    /// Tokens without a value get 0.0.
    pub fn column(&mut self, name: &str, values: &[f32]) -> &mut Self {
        let end = self.tokens.len();
        let start = end.saturating_sub(values.len());
        let found = self.columns.iter().position(|c| c.name == name);
        let at = found.unwrap_or_else(|| {
            self.columns.push(Column { name: name.into(), data: ColumnData::F32(Vec::new()) });
            self.columns.len() - 1
        });
        self.columns[at].pad(start);
        if let ColumnData::F32(column) = &mut self.columns[at].data {
            column.extend_from_slice(&values[..end - start]);
        }
        self
    }

    /// Number of finished examples.
    #[must_use]
    pub fn len(&self) -> usize {
        self.record.len()
    }

    /// True if no example was finished.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.record.is_empty()
    }

    /// Where example `i` lies in `tokens`, `weights` and columns.
    #[must_use]
    pub fn range(&self, i: usize) -> ExampleRange {
        self.offsets[i] as usize..self.offsets[i + 1] as usize
    }

    /// Tokens of the example that is not finished yet.
    #[must_use]
    pub fn open_tokens(&self) -> usize {
        self.tokens.len().saturating_sub(self.offsets.last().copied().unwrap_or(0) as usize)
    }

    /// The adapter calls this before each record.
    pub(crate) fn begin_record(&mut self, record: u32) {
        self.current = record;
        self.next_ordinal = 0;
    }

    /// The adapter calls this after each record: a failed record leaves no trace but its error.
    pub(crate) fn end_record(&mut self, result: Result<(), Error>, finished_before: usize) {
        self.end_group();
        let Err(error) = result else { return };
        self.errors.push(RecordError { record: self.current, error });
        let keep = finished_before;
        self.record.truncate(keep);
        self.ordinal.truncate(keep);
        self.group.truncate(keep);
        self.offsets.truncate(keep + 1);
        let tokens = self.offsets.last().copied().unwrap_or(0) as usize;
        self.tokens.truncate(tokens);
        self.weights.truncate(tokens);
        for column in &mut self.columns {
            column.truncate(tokens);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_record_leaves_no_tokens_behind() {
        let mut out = Examples::default();
        out.begin_record(0);
        out.span(&[1, 2], 0.0).span(&[3], 1.0).finish();
        out.end_record(Ok(()), 0);
        out.begin_record(1);
        out.span(&[4, 5], 1.0).column("advantages", &[0.5, 0.5]).finish();
        out.span(&[6], 1.0);
        out.end_record(Err(Error::data("no")), 1);
        out.begin_record(2);
        out.span(&[7], 1.0).column("advantages", &[2.0]).finish();
        out.end_record(Ok(()), 1);
        assert_eq!(out.tokens, [1, 2, 3, 7]);
        assert_eq!(out.weights, [0.0, 0.0, 1.0, 1.0]);
        assert_eq!(out.offsets, [0, 3, 4]);
        assert_eq!(out.record, [0, 2]);
        assert_eq!(out.columns[0].data, ColumnData::F32(vec![0.0, 0.0, 0.0, 2.0]));
        assert_eq!(out.errors[0].record, 1);
    }

    #[test]
    fn groups_number_examples_that_stay_together() {
        let mut out = Examples::default();
        out.token(1, 1.0).finish();
        out.begin_group();
        out.token(2, 1.0).finish();
        out.token(3, 1.0).finish();
        out.end_group();
        out.token(4, 1.0).finish();
        assert_eq!(out.group, [0, 1, 1, 2]);
        assert_eq!(out.ordinal, [0, 1, 2, 3]);
    }
}
