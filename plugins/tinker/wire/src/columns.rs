/*!
Several targets at each place: `target_tokens` and `weights` of shape `[T, K]` (distillation, say).

The loss −Σ w·lp of such a datum is a plain sum, so it is the sum over K datums of one target each, and so
is its gradient. A trainer is given these, and what it answers is put together again, `[T, K]`.
*/

use crate::{
    datum::{Datum, TARGETS},
    output::Output,
    tensor::Tensor,
};
use tinsmith_plugin_api::{ColumnData, Error, Result};

/// The loss that may have several targets at each place.
pub const LOSS: &str = "cross_entropy";

/// Targets of one request at most, once they are spread.
const MOST_TARGETS: u64 = 1 << 24;

/// How many targets each datum has at a place; none: they lie along one axis.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns(Vec<Option<u64>>);

impl Columns {
    /// Spreads datums of several targets at each place over datums of one, which keep the number of
    /// theirs.
    ///
    /// # Errors
    /// `rejected` for inputs that have not the targets' shape, and for too many targets.
    pub fn spread(datums: Vec<Datum>) -> Result<(Vec<(usize, Datum)>, Self)> {
        let (mut spread, mut columns, mut all) = (Vec::new(), Vec::new(), 0_u64);
        for (number, datum) in datums.into_iter().enumerate() {
            let shape = datum.inputs.get(TARGETS).map(|targets| targets.shape.clone());
            let Some([_, width]) = shape.as_deref() else {
                columns.push(None);
                spread.push((number, datum));
                continue;
            };
            all = all.saturating_add(width.saturating_mul(datum.tokens.len() as u64));
            if all > MOST_TARGETS {
                let e = format!("more than {MOST_TARGETS} targets in one request");
                return Err(Error::rejected(e).with_hint("send fewer datums at once"));
            }
            columns.push(Some(*width));
            let part = |k| Ok((number, column(&datum, *width, k)?));
            let parts = (0..*width).map(part).collect::<Result<Vec<_>>>();
            spread.extend(parts.map_err(|e: Error| e.within(format!("data[{number}]")))?);
        }
        Ok((spread, Self(columns)))
    }

    /// What a trainer answered for the datums that were spread, as the client sent them.
    #[must_use]
    pub fn gather(&self, output: Output) -> Output {
        let mut parts = output.logprobs.into_iter();
        let datum = |columns: &Option<u64>| match columns {
            None => parts.next().unwrap_or_default(),
            Some(columns) => rows(&parts.by_ref().take(*columns as usize).collect::<Vec<_>>()),
        };
        let logprobs = self.0.iter().map(datum).collect();
        Output { logprobs, columns: self.0.clone(), metrics: output.metrics }
    }
}

/// Column after column, place by place.
fn rows(columns: &[Vec<f32>]) -> Vec<f32> {
    let places = columns.first().map_or(0, Vec::len);
    let row = |place| columns.iter().filter_map(move |column| column.get(place).copied());
    (0..places).flat_map(row).collect()
}

/// A datum with the targets of column `k`, and the inputs that belong to them.
fn column(datum: &Datum, width: u64, k: u64) -> Result<Datum> {
    let places = datum.tokens.len() as u64;
    let (step, k) = (width as usize, k as usize);
    let one = |(name, tensor): (&String, &Tensor)| {
        if tensor.shape != [places, width] {
            let e = format!(
                "its shape is {:?}, and the targets of {places} tokens have {width} at each",
                tensor.shape
            );
            let e = Error::rejected(e).at(name);
            return Err(e.with_hint("give every input the targets' shape, [tokens, targets]"));
        }
        let data = match &tensor.data {
            ColumnData::F32(all) => {
                ColumnData::F32(all.iter().skip(k).step_by(step).copied().collect())
            }
            ColumnData::I64(all) => {
                ColumnData::I64(all.iter().skip(k).step_by(step).copied().collect())
            }
        };
        Ok((name.clone(), Tensor::flat(data)))
    };
    let inputs = datum.inputs.iter().map(one).collect::<Result<_>>()?;
    Ok(Datum { tokens: datum.tokens.clone(), inputs })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn tensor(data: ColumnData, shape: &[u64]) -> Tensor {
        Tensor { data, shape: shape.to_vec() }
    }

    /// Three tokens with two targets at each, beside two tokens with one.
    fn datums() -> Vec<Datum> {
        let wide = BTreeMap::from([
            (TARGETS.to_owned(), tensor(ColumnData::I64(vec![1, 11, 2, 12, 3, 13]), &[3, 2])),
            (
                "weights".to_owned(),
                tensor(ColumnData::F32(vec![0.1, 0.9, 0.2, 0.8, 0.3, 0.7]), &[3, 2]),
            ),
        ]);
        let flat =
            BTreeMap::from([(TARGETS.to_owned(), tensor(ColumnData::I64(vec![6, 7]), &[2]))]);
        vec![
            Datum { tokens: vec![0, 1, 2], inputs: wide },
            Datum { tokens: vec![5, 6], inputs: flat },
        ]
    }

    #[test]
    fn each_column_is_a_datum_and_comes_back() {
        let (spread, columns) = Columns::spread(datums()).unwrap();
        let (numbers, spread): (Vec<usize>, Vec<Datum>) = spread.into_iter().unzip();
        assert_eq!(numbers, [0, 0, 1]);
        assert_eq!(spread[1].tokens, [0, 1, 2]);
        assert_eq!(spread[1].inputs[TARGETS], Tensor::flat(ColumnData::I64(vec![11, 12, 13])));
        assert_eq!(spread[0].inputs["weights"], Tensor::flat(ColumnData::F32(vec![0.1, 0.2, 0.3])));
        assert_eq!(spread[2], datums()[1]);
        let logprobs = vec![vec![-1.0, -2.0, -3.0], vec![-11.0, -12.0, -13.0], vec![-6.0, -7.0]];
        let output = columns.gather(Output { logprobs, ..Output::default() });
        assert_eq!(output.logprobs[0], [-1.0, -11.0, -2.0, -12.0, -3.0, -13.0]);
        assert_eq!(output.logprobs[1], [-6.0, -7.0]);
        assert_eq!(output.columns, [Some(2), None]);
    }

    #[test]
    fn inputs_of_another_shape_are_refused() {
        let mut one = datums();
        let weights = tensor(ColumnData::F32(vec![1.0; 3]), &[3]);
        one[0].inputs.insert("weights".into(), weights);
        let e = Columns::spread(one).unwrap_err();
        assert!(e.to_string().starts_with("`data[0].weights`: its shape is [3]"), "{e}");
        let mut many = datums();
        many[0].tokens = vec![0; 1 << 13];
        many[0].inputs.insert(TARGETS.into(), tensor(ColumnData::I64(vec![]), &[1 << 13, 1 << 13]));
        assert!(Columns::spread(many).unwrap_err().hint().is_some());
    }
}
