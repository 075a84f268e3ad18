//! Batches and columns as they cross: borrowed slices, copied once on the other side.

use super::std_types::{RSlice, RStr, RString, RVec};
use crate::{Batch, Column, ColumnData};
use abi_stable::StableAbi;
use std::sync::Arc;

/// [`Batch`], lent for the time of one call. Arrays as there.
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
pub struct RawBatch<'a> {
    tokens: RSlice<'a, i32>,
    targets: RSlice<'a, i32>,
    offsets: RSlice<'a, u64>,
    groups: RSlice<'a, u64>,
    columns: RSlice<'a, RawColumn<'a>>,
}

/// [`Column`], lent. One of the two arrays is used, as `floats` says.
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
pub struct RawColumn<'a> {
    name: RStr<'a>,
    floats: bool,
    f32: RSlice<'a, f32>,
    i64: RSlice<'a, i64>,
}

/// [`Column`], given away. One of the two arrays is used, as `floats` says.
#[repr(C)]
#[derive(StableAbi)]
pub struct RawOwnedColumn {
    name: RString,
    floats: bool,
    f32: RVec<f32>,
    i64: RVec<i64>,
}

/// Lends `batch` to `f`.
pub(super) fn lend<R>(batch: &Batch, f: impl FnOnce(RawBatch<'_>) -> R) -> R {
    let columns: Vec<RawColumn<'_>> = batch.columns.iter().map(RawColumn::from).collect();
    f(RawBatch {
        tokens: batch.tokens.as_slice().into(),
        targets: batch.targets.as_slice().into(),
        offsets: batch.offsets.as_slice().into(),
        groups: batch.groups.as_slice().into(),
        columns: columns.as_slice().into(),
    })
}

impl RawBatch<'_> {
    /// A copy that may outlive the call.
    pub(super) fn to_shared(self) -> Arc<Batch> {
        Arc::new(Batch {
            tokens: self.tokens.to_vec(),
            targets: self.targets.to_vec(),
            offsets: self.offsets.to_vec(),
            groups: self.groups.to_vec(),
            columns: self.columns.iter().map(Column::from).collect(),
        })
    }
}

impl<'a> From<&'a Column> for RawColumn<'a> {
    fn from(column: &'a Column) -> Self {
        let (floats, f32, i64): (bool, &[f32], &[i64]) = match &column.data {
            ColumnData::F32(values) => (true, values, &[]),
            ColumnData::I64(values) => (false, &[], values),
        };
        Self { name: column.name.as_str().into(), floats, f32: f32.into(), i64: i64.into() }
    }
}

impl From<&RawColumn<'_>> for Column {
    fn from(raw: &RawColumn<'_>) -> Self {
        let data = match raw.floats {
            true => ColumnData::F32(raw.f32.to_vec()),
            false => ColumnData::I64(raw.i64.to_vec()),
        };
        Self { name: raw.name.as_str().to_owned(), data }
    }
}

impl From<Column> for RawOwnedColumn {
    fn from(column: Column) -> Self {
        let (floats, f32, i64) = match column.data {
            ColumnData::F32(values) => (true, values, Vec::new()),
            ColumnData::I64(values) => (false, Vec::new(), values),
        };
        Self { name: column.name.into(), floats, f32: f32.into(), i64: i64.into() }
    }
}

impl From<RawOwnedColumn> for Column {
    fn from(raw: RawOwnedColumn) -> Self {
        let data = match raw.floats {
            true => ColumnData::F32(raw.f32.into_vec()),
            false => ColumnData::I64(raw.i64.into_vec()),
        };
        Self { name: raw.name.into_string(), data }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_comes_back_as_it_went() {
        let batch = Batch {
            tokens: vec![1, 2, 3],
            targets: vec![2, 3, 4],
            offsets: vec![0, 1, 3],
            groups: vec![0, 9],
            columns: vec![
                Column { name: "weights".into(), data: ColumnData::F32(vec![0.0, 1.0, f32::NAN]) },
                Column { name: "ids".into(), data: ColumnData::I64(vec![-1, 0, i64::MAX]) },
            ],
        };
        let mut copy = None;
        lend(&batch, |raw| copy = Some(raw.to_shared()));
        let copy = copy.unwrap();
        // NaN is unequal to itself: compare what is printed.
        assert_eq!(format!("{copy:?}"), format!("{batch:?}"));
    }
}
