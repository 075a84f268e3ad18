/*!
Per-token values with a shape, from and to both dialects.

A tensor is dense, or lists what is not zero row by row (CSR); either way it is dense once read. Values
are floats or integers: a bfloat16 becomes a float, an int32 an int64.
*/

use crate::{
    le,
    proto::{self, DType, tensor::Encoding},
};
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};
use tinsmith_plugin_api::{ColumnData, Error, Result};

/// Values of a sparse tensor at most, once it is dense: 1 GB of floats.
const MOST_VALUES: u64 = 1 << 28;

/// Values with a shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// The values, row by row.
    pub data: ColumnData,
    /// Lengths of the axes; their product is the number of values.
    pub shape: Vec<u64>,
}

impl Tensor {
    /// Values along one axis.
    #[must_use]
    pub fn flat(data: ColumnData) -> Self {
        let shape = vec![len(&data) as u64];
        Self { data, shape }
    }

    /// Reads the binary dialect.
    ///
    /// # Errors
    /// `rejected` for a shape and values that do not agree.
    pub fn from_proto(tensor: &proto::Tensor) -> Result<Self> {
        let dtype = tensor.dtype();
        let shape = shape(&tensor.shape)?;
        match &tensor.encoding {
            None => Self::dense(values(&[], dtype)?, shape),
            Some(Encoding::Dense(bytes)) => Self::dense(values(bytes, dtype)?, shape),
            Some(Encoding::SparseCsr(csr)) => {
                let rows = le::unpack(&csr.crow_indices)?;
                let columns = le::unpack(&csr.col_indices)?;
                Self::sparse(&values(&csr.values, dtype)?, &rows, &columns, shape)
            }
        }
    }

    /// Writes the binary dialect, dense.
    #[must_use]
    pub fn to_proto(&self) -> proto::Tensor {
        dense_proto(&self.data, self.shape.iter().map(|n| *n as i64).collect())
    }

    /// Values along the first axis.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.shape.first().copied().unwrap_or(0)
    }

    fn dense(data: ColumnData, shape: Vec<u64>) -> Result<Self> {
        if shape.is_empty() {
            return Ok(Self::flat(data));
        }
        if product(&shape)? != len(&data) as u64 {
            return Err(Error::rejected(format!("{} values for a shape of {shape:?}", len(&data))));
        }
        Ok(Self { data, shape })
    }

    fn sparse(values: &ColumnData, rows: &[i64], columns: &[i64], shape: Vec<u64>) -> Result<Self> {
        let [height, width] = shape[..] else {
            return Err(Error::rejected(format!(
                "a sparse tensor of shape {shape:?} has not two axes"
            )));
        };
        let given = len(values) as i64;
        let well_formed = rows.len() as u64 == height + 1
            && columns.len() as i64 == given
            && rows.first() == Some(&0)
            && rows.last() == Some(&given)
            && rows.windows(2).all(|w| w[0] <= w[1])
            && columns.iter().all(|c| u64::try_from(*c).is_ok_and(|c| c < width));
        if !well_formed {
            return Err(Error::rejected(format!(
                "the indices of a sparse tensor of shape {shape:?} do not fit it"
            )));
        }
        let size = product(&shape)? as usize;
        let place = |i: usize| {
            // The row whose values end behind this one.
            let row = rows.partition_point(|start| *start <= i as i64) - 1;
            row * width as usize + columns[i] as usize
        };
        let data = match values {
            ColumnData::F32(values) => {
                let mut all = vec![0.0; size];
                values.iter().enumerate().for_each(|(i, v)| all[place(i)] = *v);
                ColumnData::F32(all)
            }
            ColumnData::I64(values) => {
                let mut all = vec![0; size];
                values.iter().enumerate().for_each(|(i, v)| all[place(i)] = *v);
                ColumnData::I64(all)
            }
        };
        Ok(Self { data, shape })
    }
}

/// Dense values of the binary dialect.
pub(crate) fn dense_proto(data: &ColumnData, shape: Vec<i64>) -> proto::Tensor {
    let (bytes, dtype) = match data {
        ColumnData::F32(values) => (le::pack(values.iter().copied()), DType::Float32),
        ColumnData::I64(values) => (le::pack(values.iter().copied()), DType::Int64),
    };
    proto::Tensor { encoding: Some(Encoding::Dense(bytes)), dtype: dtype as i32, shape }
}

/// The values of bytes of a type.
pub(crate) fn values(bytes: &[u8], dtype: DType) -> Result<ColumnData> {
    Ok(match dtype {
        DType::Float32 => ColumnData::F32(le::unpack(bytes)?),
        DType::Int64 => ColumnData::I64(le::unpack(bytes)?),
        DType::Int32 => {
            ColumnData::I64(le::unpack::<i32>(bytes)?.into_iter().map(i64::from).collect())
        }
        DType::Bfloat16 => {
            let halves = le::unpack::<u16>(bytes)?;
            ColumnData::F32(
                halves.into_iter().map(|h| f32::from_bits(u32::from(h) << 16)).collect(),
            )
        }
        DType::Unspecified => return Err(Error::rejected("a tensor does not say its type")),
    })
}

fn shape(axes: &[i64]) -> Result<Vec<u64>> {
    let axis = |n: &i64| {
        u64::try_from(*n).map_err(|_| Error::rejected(format!("a tensor has an axis of {n}")))
    };
    axes.iter().map(axis).collect()
}

fn product(shape: &[u64]) -> Result<u64> {
    let product = shape.iter().try_fold(1_u64, |all, n| all.checked_mul(*n));
    product
        .filter(|size| *size <= MOST_VALUES)
        .ok_or_else(|| Error::rejected(format!("a tensor of shape {shape:?} is too large")))
}

pub(crate) fn len(data: &ColumnData) -> usize {
    match data {
        ColumnData::F32(values) => values.len(),
        ColumnData::I64(values) => values.len(),
    }
}

/// A tensor of the JSON dialect.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TensorData {
    /// The values: all of them, or those that are not zero.
    pub data: Vec<Value>,
    /// `float32` or `int64`.
    pub dtype: String,
    /// Lengths of the axes; absent: one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<Vec<i64>>,
    /// Where each row begins, and the end of the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sparse_crow_indices: Option<Vec<i64>>,
    /// The column of each value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sparse_col_indices: Option<Vec<i64>>,
}

impl TensorData {
    /// Writes a tensor.
    ///
    /// # Errors
    /// `rejected` for a value that JSON cannot say.
    pub fn of(data: &ColumnData, shape: Vec<i64>) -> Result<Self> {
        let float = |v: &f32| {
            // The shortest decimal that names this f32, not the long one of the f64 it widens to.
            let number = v.to_string().parse().ok().and_then(Number::from_f64);
            number.map(Value::Number).ok_or_else(|| Error::rejected(format!("JSON cannot say {v}")))
        };
        let (data, dtype) = match data {
            ColumnData::F32(values) => {
                (values.iter().map(float).collect::<Result<_>>()?, "float32")
            }
            ColumnData::I64(values) => (values.iter().map(|v| Value::from(*v)).collect(), "int64"),
        };
        Ok(Self { data, dtype: dtype.into(), shape: Some(shape), ..Self::default() })
    }

    /// Reads a tensor.
    ///
    /// # Errors
    /// `rejected` for values that are not of their type, and as [`Tensor::from_proto`].
    pub fn read(&self) -> Result<Tensor> {
        let wrong = |v: &Value| Error::rejected(format!("`{v}` is no {}", self.dtype));
        let data = match self.dtype.as_str() {
            "float32" => {
                let number = |v: &Value| v.as_f64().map(|v| v as f32).ok_or_else(|| wrong(v));
                ColumnData::F32(self.data.iter().map(number).collect::<Result<_>>()?)
            }
            "int64" => {
                let number = |v: &Value| v.as_i64().ok_or_else(|| wrong(v));
                ColumnData::I64(self.data.iter().map(number).collect::<Result<_>>()?)
            }
            other => {
                return Err(Error::rejected(format!("a tensor of type `{other}`"))
                    .with_hint("a tensor is `float32` or `int64`"));
            }
        };
        let shape = shape(self.shape.as_deref().unwrap_or_default())?;
        match (&self.sparse_crow_indices, &self.sparse_col_indices) {
            (Some(rows), Some(columns)) => Tensor::sparse(&data, rows, columns, shape),
            _ => Tensor::dense(data, shape),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn sparse_values_become_dense() {
        // Values and indices of a capture: rows 1 and 2 of 4 have one value each.
        let data: TensorData = serde_json::from_value(json!({
            "data": [9, 8], "dtype": "int64", "shape": [4, 3],
            "sparse_crow_indices": [0, 0, 1, 2, 2], "sparse_col_indices": [0, 2]
        }))
        .unwrap();
        let dense = data.read().unwrap();
        assert_eq!(dense.data, ColumnData::I64(vec![0, 0, 0, 9, 0, 0, 0, 0, 8, 0, 0, 0]));
    }

    #[test]
    fn indices_that_do_not_fit_are_refused() {
        let case = |rows: &[i64], columns: &[i64], shape: &[i64]| {
            let data = json!({
                "data": [1.0, 2.0], "dtype": "float32", "shape": shape,
                "sparse_crow_indices": rows, "sparse_col_indices": columns
            });
            serde_json::from_value::<TensorData>(data).unwrap().read()
        };
        assert!(case(&[0, 1, 2], &[0, 1], &[2, 2]).is_ok());
        for (rows, columns, shape) in [
            (&[0, 1][..], &[0, 1][..], &[2, 2][..]),
            (&[0, 2, 1], &[0, 1], &[2, 2]),
            (&[1, 1, 2], &[0, 1], &[2, 2]),
            (&[0, 1, 2], &[0, 2], &[2, 2]),
            (&[0, 1, 2], &[0, -1], &[2, 2]),
            (&[0, 1, 2], &[0], &[2, 2]),
            (&[0, 1, 2], &[0, 1], &[2]),
            (&[0, 1, 2], &[0, 1], &[2, i64::MAX]),
            (&[0, 1, 2], &[0, 1], &[2, 1 << 40]),
        ] {
            assert!(case(rows, columns, shape).is_err(), "{rows:?} {columns:?} {shape:?}");
        }
    }

    #[test]
    fn narrow_values_are_widened() {
        assert_eq!(values(&[0x80, 0x3f], DType::Bfloat16).unwrap(), ColumnData::F32(vec![1.0]));
        assert_eq!(
            values(&(-7_i32).to_le_bytes(), DType::Int32).unwrap(),
            ColumnData::I64(vec![-7])
        );
        assert!(values(&[0; 4], DType::Unspecified).is_err());
        assert!(values(&[0; 5], DType::Float32).is_err());
    }

    #[test]
    fn floats_are_said_shortly_and_come_back() {
        let data = ColumnData::F32(vec![0.1, 1.0 / 3.0, -1e-30, 3.0]);
        let json = TensorData::of(&data, vec![4]).unwrap();
        assert_eq!(serde_json::to_value(&json).unwrap()["data"][0].to_string(), "0.1");
        assert_eq!(json.read().unwrap().data, data);
        assert!(TensorData::of(&ColumnData::F32(vec![f32::NAN]), vec![1]).is_err());
    }
}
