//! What `forward_backward` answers, from and to both dialects.

use crate::{
    le,
    messages::JsonOutput,
    proto::{ArrayRecord, BatchedTensor, DType, ForwardBackwardOutput},
    tensor::{TensorData, values},
};
use std::collections::BTreeMap;
use tinsmith_plugin_api::{Batch, ColumnData, Error, Forward, Result};

const LOGPROBS: &str = "logprobs";
const KIND: &str = "ArrayRecord";

/// The result of one request: what the model makes of its datums.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Output {
    /// Log-probabilities of the targets of each datum, in nats, place by place.
    pub logprobs: Vec<Vec<f32>>,
    /// Targets of each datum at a place, where they have a second axis; datums beyond the end have none.
    pub columns: Vec<Option<u64>>,
    /// Figures, named `name:reduction`.
    pub metrics: BTreeMap<String, f64>,
}

impl Output {
    /// Of what a trainer answered for a batch. Figures that are not numbers are left out, and those
    /// without a reduction get one: a client takes `name:reduction` only.
    #[must_use]
    pub fn of(forward: &Forward, batch: &Batch) -> Self {
        let logprobs = (0..batch.len())
            .map(|i| forward.logprobs.get(batch.range(i)).unwrap_or_default().to_vec())
            .collect();
        let metrics = forward.metrics.iter().filter(|(_, v)| v.is_finite());
        let metrics = metrics.map(|(name, value)| match name.matches(':').count() {
            0 => (format!("{name}:mean"), *value),
            1 => (name.clone(), *value),
            _ => {
                let (head, reduction) = name.rsplit_once(':').unwrap_or((name, "mean"));
                (format!("{}:{reduction}", head.replace(':', ".")), *value)
            }
        });
        Self { logprobs, columns: Vec::new(), metrics: metrics.collect() }
    }

    fn columns(&self, datum: usize) -> Option<u64> {
        self.columns.get(datum).copied().flatten()
    }

    /// Reads the binary dialect.
    ///
    /// # Errors
    /// `network` for what is not well-formed: the server answered garbage.
    pub fn from_proto(output: ForwardBackwardOutput) -> Result<Self> {
        let (mut logprobs, mut columns) = (Vec::new(), Vec::new());
        for record in &output.loss_fn_outputs {
            let datums =
                usize::try_from(record.num_datums).map_err(|_| garbled("a negative count"))?;
            let Some(field) = record.fields.get(LOGPROBS) else {
                return Err(garbled("datums without logprobs"));
            };
            logprobs.extend(split(field, datums)?);
            let width = field.trailing_shape.first().and_then(|n| u64::try_from(*n).ok());
            columns.resize(logprobs.len(), width);
        }
        Ok(Self { logprobs, columns: unless_flat(columns), metrics: output.metrics })
    }

    /// Writes the binary dialect. Datums of another number of columns need a record of their own.
    #[must_use]
    pub fn to_proto(&self) -> ForwardBackwardOutput {
        let numbers: Vec<usize> = (0..self.logprobs.len()).collect();
        let alike = numbers.chunk_by(|a, b| self.columns(*a) == self.columns(*b));
        let mut records: Vec<ArrayRecord> = alike.map(|datums| self.record(datums)).collect();
        if records.is_empty() {
            records.push(self.record(&[]));
        }
        ForwardBackwardOutput {
            loss_fn_output_type: KIND.into(),
            loss_fn_outputs: records,
            metrics: self.metrics.clone(),
        }
    }

    fn record(&self, datums: &[usize]) -> ArrayRecord {
        let (mut offsets, mut all) = (vec![0_i64], Vec::new());
        for datum in datums {
            all.extend_from_slice(&self.logprobs[*datum]);
            offsets.push(4 * all.len() as i64);
        }
        let columns = datums.first().and_then(|datum| self.columns(*datum));
        let field = BatchedTensor {
            data: le::pack(all.into_iter()),
            offsets: le::pack(offsets.into_iter()),
            dtype: DType::Float32 as i32,
            trailing_shape: columns.iter().map(|n| *n as i64).collect(),
        };
        ArrayRecord {
            type_tag: KIND.into(),
            fields: BTreeMap::from([(LOGPROBS.to_owned(), field)]),
            num_datums: datums.len() as i64,
        }
    }

    /// Reads the JSON dialect.
    ///
    /// # Errors
    /// As [`Output::from_proto`].
    pub fn from_json(output: &JsonOutput) -> Result<Self> {
        let datum = |fields: &BTreeMap<String, TensorData>| match fields
            .get(LOGPROBS)
            .map(TensorData::read)
        {
            Some(Ok(tensor)) => Ok((tensor.shape.get(1).copied(), floats(tensor.data)?)),
            Some(Err(e)) => Err(garbled(e.message())),
            None => Err(garbled("a datum without logprobs")),
        };
        let datums = output.loss_fn_outputs.iter().map(datum).collect::<Result<Vec<_>>>()?;
        let (columns, logprobs) = datums.into_iter().unzip();
        Ok(Self { logprobs, columns: unless_flat(columns), metrics: output.metrics.clone() })
    }

    /// Writes the JSON dialect.
    ///
    /// # Errors
    /// `rejected` for a log-probability that JSON cannot say.
    pub fn to_json(&self) -> Result<JsonOutput> {
        let datum = |(number, logprobs): (usize, &Vec<f32>)| {
            let all = logprobs.len() as i64;
            let shape = match self.columns(number).map(|n| n as i64) {
                Some(columns) => vec![all.checked_div(columns).unwrap_or(0), columns],
                None => vec![all],
            };
            let tensor = TensorData::of(&ColumnData::F32(logprobs.clone()), shape)?;
            Ok(BTreeMap::from([(LOGPROBS.to_owned(), tensor)]))
        };
        Ok(JsonOutput {
            loss_fn_output_type: KIND.into(),
            loss_fn_outputs: self.logprobs.iter().enumerate().map(datum).collect::<Result<_>>()?,
            metrics: self.metrics.clone(),
        })
    }
}

/// Nothing where every datum has one axis.
fn unless_flat(columns: Vec<Option<u64>>) -> Vec<Option<u64>> {
    if columns.iter().all(Option::is_none) { Vec::new() } else { columns }
}

fn garbled(what: &str) -> Error {
    Error::new(
        tinsmith_plugin_api::ErrorKind::NETWORK,
        format!("the server's answer to `forward_backward` is garbled: {what}"),
    )
}

fn floats(data: ColumnData) -> Result<Vec<f32>> {
    match data {
        ColumnData::F32(values) => Ok(values),
        ColumnData::I64(_) => Err(garbled("logprobs that are integers")),
    }
}

/// A field of several datums, datum by datum.
fn split(field: &BatchedTensor, datums: usize) -> Result<Vec<Vec<f32>>> {
    let all = floats(values(&field.data, field.dtype()).map_err(|e| garbled(e.message()))?)?;
    // Bytes of a value as it was sent.
    let size = if field.dtype() == DType::Bfloat16 { 2 } else { 4 };
    let offsets = le::unpack::<i64>(&field.offsets).map_err(|e| garbled(e.message()))?;
    if offsets.len() != datums + 1 {
        return Err(garbled("offsets that are not those of its datums"));
    }
    let part = |ends: &[i64]| {
        let place =
            |at: i64| usize::try_from(at).ok().filter(|at| at % size == 0).map(|at| at / size);
        let part = place(ends[0]).zip(place(ends[1])).and_then(|(from, to)| all.get(from..to));
        part.map(<[f32]>::to_vec).ok_or_else(|| garbled("offsets outside its values"))
    };
    offsets.windows(2).map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output() -> Output {
        Output {
            logprobs: vec![vec![-0.5, -1.0, -1.5], vec![-0.1]],
            columns: Vec::new(),
            metrics: BTreeMap::from([("loss:sum".to_owned(), 4.5)]),
        }
    }

    #[test]
    fn it_comes_back_in_both_dialects() {
        assert_eq!(Output::from_proto(output().to_proto()).unwrap(), output());
        assert_eq!(Output::from_json(&output().to_json().unwrap()).unwrap(), output());
    }

    /// A client finds the first axis of a datum by dividing its values by the trailing shape.
    #[test]
    fn several_targets_at_a_place_come_back_with_their_shape() {
        let logprobs = vec![vec![-1.0; 6], vec![-2.0; 4], vec![-3.0; 4], vec![-4.0; 3]];
        let columns = vec![Some(3), Some(2), Some(2), None];
        let output = Output { logprobs, columns, ..output() };
        let binary = output.to_proto();
        let shapes: Vec<_> = binary
            .loss_fn_outputs
            .iter()
            .map(|record| (record.num_datums, record.fields[LOGPROBS].trailing_shape.clone()))
            .collect();
        assert_eq!(shapes, [(1, vec![3]), (2, vec![2]), (1, vec![])]);
        assert_eq!(Output::from_proto(binary).unwrap(), output);
        let json = output.to_json().unwrap();
        assert_eq!(json.loss_fn_outputs[0][LOGPROBS].shape, Some(vec![2, 3]));
        assert_eq!(Output::from_json(&json).unwrap(), output);
    }

    #[test]
    fn half_floats_are_read_by_their_own_offsets() {
        let mut sent = output().to_proto();
        let field = sent.loss_fn_outputs[0].fields.get_mut(LOGPROBS).unwrap();
        field.dtype = DType::Bfloat16 as i32;
        // −1 and 2.
        field.data = vec![0x80, 0xbf, 0x00, 0x40];
        field.offsets = le::pack([0_i64, 2, 4].into_iter());
        assert_eq!(Output::from_proto(sent).unwrap().logprobs, [[-1.0], [2.0]]);
    }

    #[test]
    fn garbled_answers_are_refused() {
        let garble = |change: fn(&mut ArrayRecord, &mut BatchedTensor)| {
            let mut sent = output().to_proto();
            let record = &mut sent.loss_fn_outputs[0];
            let mut field = record.fields.remove(LOGPROBS).unwrap();
            change(record, &mut field);
            record.fields.insert(LOGPROBS.into(), field);
            Output::from_proto(sent).unwrap_err()
        };
        garble(|record, _| record.num_datums = -1);
        garble(|record, _| record.num_datums = 3);
        garble(|_, field| field.offsets = le::pack([0_i64, 12, 20].into_iter()));
        garble(|_, field| field.offsets = le::pack([0_i64, 2, 16].into_iter()));
        garble(|_, field| field.offsets = le::pack([8_i64, 4, 16].into_iter()));
        garble(|_, field| field.offsets = le::pack([-4_i64, 4, 16].into_iter()));
        garble(|_, field| field.data.truncate(15));
        garble(|_, field| field.dtype = DType::Unspecified as i32);
        let e = garble(|_, field| field.dtype = DType::Int32 as i32);
        assert!(e.to_string().contains("integers"), "{e}");
    }

    #[test]
    fn figures_of_a_trainer_get_a_reduction() {
        let metrics = [("loss:sum", 1.0), ("ratio", 2.0), ("a:b:max", 3.0), ("bad:sum", f64::NAN)];
        let metrics = metrics.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
        let forward = Forward { logprobs: Vec::new(), metrics };
        let names: Vec<String> =
            Output::of(&forward, &Batch::default()).metrics.into_keys().collect();
        assert_eq!(names, ["a.b:max", "loss:sum", "ratio:mean"]);
    }
}
