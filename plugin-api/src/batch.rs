//! A batch of datums: what a trainer eats.

use crate::{Error, Result};

/// A named per-token column. All columns of one [`Batch`] or `Examples` have the same length.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// The name losses know it by: `weights`, `advantages`, `logprobs`…
    pub name: String,
    /// One value a token, `[T]`.
    pub data: ColumnData,
}

/// The values of a [`Column`].
#[derive(Clone, Debug, PartialEq)]
pub enum ColumnData {
    /// 32-bit floats.
    F32(Vec<f32>),
    /// 64-bit integers.
    I64(Vec<i64>),
}

impl Column {
    /// Values in this column.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.data {
            ColumnData::F32(v) => v.len(),
            ColumnData::I64(v) => v.len(),
        }
    }

    /// True if the column holds no value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn pad(&mut self, len: usize) {
        match &mut self.data {
            ColumnData::F32(v) if v.len() < len => v.resize(len, 0.0),
            ColumnData::I64(v) if v.len() < len => v.resize(len, 0),
            _ => {}
        }
    }

    pub(crate) fn truncate(&mut self, len: usize) {
        match &mut self.data {
            ColumnData::F32(v) => v.truncate(len),
            ColumnData::I64(v) => v.truncate(len),
        }
    }
}

/// Datums packed end to end (CSR), never a list of small objects.
///
/// Datum `i` owns the range `offsets[i]..offsets[i+1]` of `tokens`, `targets` and every column.
/// `targets` are `tokens` shifted by one: position `t` of the input predicts `targets[t]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// Model input, `[T]` token ids.
    pub tokens: Vec<i32>,
    /// What each position is to predict, `[T]` token ids.
    pub targets: Vec<i32>,
    /// Where each datum starts, and the end of the last: `[B + 1]`, first 0.
    pub offsets: Vec<u64>,
    /// Datums with the same number belong together (pairs, sets): `[B]`.
    pub groups: Vec<u64>,
    /// Inputs of the loss by name, each `[T]`: `weights`, `advantages`, `logprobs`…
    pub columns: Vec<Column>,
}

impl Batch {
    /// Number of datums.
    #[must_use]
    pub fn len(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// True if there is no datum.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The f32 column of that name.
    #[must_use]
    pub fn f32(&self, name: &str) -> Option<&[f32]> {
        self.columns.iter().find(|c| c.name == name).and_then(|c| match &c.data {
            ColumnData::F32(values) => Some(values.as_slice()),
            ColumnData::I64(_) => None,
        })
    }

    /// Where datum `i` lies.
    #[must_use]
    pub fn range(&self, i: usize) -> std::ops::Range<usize> {
        self.offsets[i] as usize..self.offsets[i + 1] as usize
    }

    /// Checks that all arrays agree in length and offsets rise.
    ///
    /// # Errors
    /// [`crate::ErrorKind::REJECTED`] with the first disagreement.
    pub fn validate(&self) -> Result<()> {
        let total = self.tokens.len();
        if self.offsets.first() != Some(&0) || self.offsets.last() != Some(&(total as u64)) {
            return Err(Error::rejected("offsets of the batch do not span its tokens"));
        }
        if self.offsets.windows(2).any(|w| w[0] >= w[1]) {
            return Err(Error::rejected("a datum of the batch is empty"));
        }
        if self.targets.len() != total {
            return Err(Error::rejected(format!(
                "{} targets for {total} tokens",
                self.targets.len()
            )));
        }
        if self.groups.len() != self.len() {
            return Err(Error::rejected(format!(
                "{} groups for {} datums",
                self.groups.len(),
                self.len()
            )));
        }
        for column in &self.columns {
            if column.len() != total {
                return Err(Error::rejected(format!(
                    "column `{}` has {} values for {total} tokens",
                    column.name,
                    column.len()
                )));
            }
        }
        Ok(())
    }
}
