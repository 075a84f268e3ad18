/*!
Tokens to be scored at the places of a prompt (`target_prompt_logprobs`): a matrix of ids with one row for
each place after the first, dense or sparse. Their log-probabilities come back laid out alike.
*/

use crate::{
    proto,
    tensor::{Tensor, TensorData, dense_proto},
};
use tinsmith_plugin_api::{ColumnData, Error, PromptTargets, Result};

/// How a request laid its ids out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Rows and columns.
    shape: [u64; 2],
    /// Where each row's cells begin, and the column of each cell; none: every cell is given.
    sparse: Option<(Vec<i64>, Vec<i64>)>,
}

/// What a request asks for. A cell that a sparse request leaves out is −1: nothing is wanted there.
///
/// # Errors
/// `rejected` for what is no matrix of token ids.
pub fn read(asked: &TensorData) -> Result<(PromptTargets, Layout)> {
    // A tensor's empty cells are 0, which is a token.
    let one_more = |id: &serde_json::Value| match id.as_i64() {
        Some(id) => id.checked_add(1).map_or_else(|| id.into(), Into::into),
        None => id.clone(),
    };
    let shifted = TensorData { data: asked.data.iter().map(one_more).collect(), ..asked.clone() };
    let Tensor { data, shape } = shifted.read()?;
    let ([rows, width], ColumnData::I64(data)) = (&shape[..], data) else {
        return Err(Error::rejected(format!(
            "must be int64 with two axes, is {} of shape {shape:?}",
            asked.dtype
        )));
    };
    let no_token = || Error::rejected("names what is no token");
    let ids =
        data.into_iter().map(|id| i32::try_from(id.checked_sub(1)?).ok().filter(|id| *id >= -1));
    let targets = PromptTargets {
        ids: ids.collect::<Option<_>>().ok_or_else(no_token)?,
        width: u32::try_from(*width).map_err(|_| no_token())?,
    };
    let sparse = asked.sparse_crow_indices.clone().zip(asked.sparse_col_indices.clone());
    Ok((targets, Layout { shape: [*rows, *width], sparse }))
}

/// A request for these, dense.
///
/// # Errors
/// As [`TensorData::of`].
pub fn write(targets: &PromptTargets, rows: usize) -> Result<TensorData> {
    let ids = targets.ids.iter().map(|id| i64::from(*id)).collect();
    TensorData::of(&ColumnData::I64(ids), vec![rows as i64, i64::from(targets.width)])
}

impl Layout {
    /// Those of the values, `[rows, columns]`, that were asked for.
    fn cells(&self, values: &[f32]) -> Vec<f32> {
        let Some((rows, columns)) = &self.sparse else { return values.to_vec() };
        let width = self.shape[1] as usize;
        let row = |(row, ends): (usize, &[i64])| {
            let columns = columns.get(ends[0] as usize..ends[1] as usize).unwrap_or_default();
            columns.iter().map(move |column| row * width + *column as usize)
        };
        let cells = rows.windows(2).enumerate().flat_map(row);
        cells.map(|cell| values.get(cell).copied().unwrap_or_default()).collect()
    }

    fn axes(&self) -> Vec<i64> {
        self.shape.iter().map(|n| *n as i64).collect()
    }

    /// An answer in the binary dialect.
    #[must_use]
    pub fn to_proto(&self, values: &[f32]) -> proto::Tensor {
        let cells = self.cells(values);
        match &self.sparse {
            None => dense_proto(&ColumnData::F32(cells), self.axes()),
            Some((rows, columns)) => proto::Tensor {
                encoding: Some(proto::tensor::Encoding::SparseCsr(proto::SparseCsr {
                    values: crate::le::pack(cells.into_iter()),
                    crow_indices: crate::le::pack(rows.iter().copied()),
                    col_indices: crate::le::pack(columns.iter().copied()),
                })),
                dtype: proto::DType::Float32 as i32,
                shape: self.axes(),
            },
        }
    }

    /// An answer in the JSON dialect; none for values that JSON cannot say.
    #[must_use]
    pub fn to_json(&self, values: &[f32]) -> Option<TensorData> {
        let dense = TensorData::of(&ColumnData::F32(self.cells(values)), self.axes()).ok()?;
        let (sparse_crow_indices, sparse_col_indices) = self.sparse.clone().unzip();
        Some(TensorData { sparse_crow_indices, sparse_col_indices, ..dense })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn asked(value: Value) -> TensorData {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn dense_ids_come_back_dense() {
        let asked = asked(json!({"data": [0, -1, 7, 3], "dtype": "int64", "shape": [2, 2]}));
        let (targets, layout) = read(&asked).unwrap();
        assert_eq!(targets, PromptTargets { ids: vec![0, -1, 7, 3], width: 2 });
        assert_eq!(write(&targets, 2).unwrap(), asked);
        let answer = layout.to_json(&[-1.0, 0.0, -2.0, -3.0]).unwrap();
        assert_eq!((answer.data.len(), answer.shape), (4, Some(vec![2, 2])));
    }

    #[test]
    fn sparse_ids_come_back_sparse() {
        // Row 0 has nothing, row 1 the columns 0 and 2, row 2 the column 1.
        let sparse = json!({
            "data": [0, 5, 9], "dtype": "int64", "shape": [3, 3],
            "sparse_crow_indices": [0, 0, 2, 3], "sparse_col_indices": [0, 2, 1],
        });
        let (targets, layout) = read(&asked(sparse)).unwrap();
        assert_eq!(targets.ids, [-1, -1, -1, 0, -1, 5, -1, 9, -1]);
        let values: Vec<f32> = (0..9_u8).map(f32::from).collect();
        let json = layout.to_json(&values).unwrap();
        assert_eq!(json.data, [json!(3.0), json!(5.0), json!(7.0)]);
        assert_eq!(json.sparse_crow_indices, Some(vec![0, 0, 2, 3]));
        let back = Tensor::from_proto(&layout.to_proto(&values)).unwrap();
        assert_eq!(back.data, ColumnData::F32(vec![0.0, 0.0, 0.0, 3.0, 0.0, 5.0, 0.0, 7.0, 0.0]));
    }

    #[test]
    fn what_is_no_matrix_of_ids_is_refused() {
        for wrong in [
            json!({"data": [1, 2], "dtype": "int64", "shape": [2]}),
            json!({"data": [1.0, 2.0], "dtype": "float32", "shape": [2, 1]}),
            json!({"data": [1, -2], "dtype": "int64", "shape": [2, 1]}),
            json!({"data": [1, 1_i64 << 40], "dtype": "int64", "shape": [2, 1]}),
            json!({"data": [1, i64::MAX], "dtype": "int64", "shape": [2, 1]}),
            json!({"data": [1, i64::MIN], "dtype": "int64", "shape": [2, 1]}),
        ] {
            assert!(read(&asked(wrong.clone())).is_err(), "{wrong}");
        }
    }
}
