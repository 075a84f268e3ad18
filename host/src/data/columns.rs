//! Named per-token columns, packed end to end beside tokens and weights.

use std::ops::Range;
use tinsmith_plugin_api::{Column, ColumnData};

/// Appends a range of every column of `from`, behind `start` values. A column that comes late is
/// zero before, and one that `from` lacks is zero there.
pub(super) fn append(to: &mut Vec<Column>, from: &[Column], range: Range<usize>, start: usize) {
    let end = start + range.len();
    for column in from {
        let at = to.iter().position(|c| same_kind(c, column)).unwrap_or_else(|| {
            to.push(empty(column));
            to.len() - 1
        });
        resize(&mut to[at..=at], start);
        match (&mut to[at].data, &column.data) {
            (ColumnData::F32(to), ColumnData::F32(from)) => {
                to.extend_from_slice(&from[range.clone()]);
            }
            (ColumnData::I64(to), ColumnData::I64(from)) => {
                to.extend_from_slice(&from[range.clone()]);
            }
            // They are of one kind.
            _ => {}
        }
    }
    resize(to, end);
}

/// A column of this name and kind without a value.
pub(super) fn empty(like: &Column) -> Column {
    let data = match like.data {
        ColumnData::F32(_) => ColumnData::F32(Vec::new()),
        ColumnData::I64(_) => ColumnData::I64(Vec::new()),
    };
    Column { name: like.name.clone(), data }
}

/// Moves a range of every column to where values are no longer wanted.
pub(super) fn copy_within(columns: &mut [Column], range: &Range<usize>, to: usize) {
    for column in columns {
        match &mut column.data {
            ColumnData::F32(values) => values.copy_within(range.clone(), to),
            ColumnData::I64(values) => values.copy_within(range.clone(), to),
        }
    }
}

/// Gives every column this many values: zeros at the end, or fewer.
pub(super) fn resize(columns: &mut [Column], len: usize) {
    for column in columns {
        match &mut column.data {
            ColumnData::F32(values) => values.resize(len, 0.0),
            ColumnData::I64(values) => values.resize(len, 0),
        }
    }
}

/// Whether two columns have one name and one kind of values.
pub(super) fn same_kind(a: &Column, b: &Column) -> bool {
    a.name == b.name && std::mem::discriminant(&a.data) == std::mem::discriminant(&b.data)
}
