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
    /// Log-probabilities of the targets of each datum, in nats.
    pub logprobs: Vec<Vec<f32>>,
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
        Self { logprobs, metrics: metrics.collect() }
    }

    /// Reads the binary dialect.
    ///
    /// # Errors
    /// `network` for what is not well-formed: the server answered garbage.
    pub fn from_proto(output: ForwardBackwardOutput) -> Result<Self> {
        let mut logprobs = Vec::new();
        for record in &output.loss_fn_outputs {
            let datums =
                usize::try_from(record.num_datums).map_err(|_| garbled("a negative count"))?;
            let Some(field) = record.fields.get(LOGPROBS) else {
                return Err(garbled("datums without logprobs"));
            };
            logprobs.extend(split(field, datums)?);
        }
        Ok(Self { logprobs, metrics: output.metrics })
    }

    /// Writes the binary dialect.
    #[must_use]
    pub fn to_proto(&self) -> ForwardBackwardOutput {
        let mut offsets = vec![0_i64];
        for datum in &self.logprobs {
            offsets.push(offsets[offsets.len() - 1] + 4 * datum.len() as i64);
        }
        let all: Vec<f32> = self.logprobs.concat();
        let field = BatchedTensor {
            data: le::pack(all.into_iter()),
            offsets: le::pack(offsets.into_iter()),
            dtype: DType::Float32 as i32,
            trailing_shape: Vec::new(),
        };
        let record = ArrayRecord {
            type_tag: KIND.into(),
            fields: BTreeMap::from([(LOGPROBS.to_owned(), field)]),
            num_datums: self.logprobs.len() as i64,
        };
        ForwardBackwardOutput {
            loss_fn_output_type: KIND.into(),
            loss_fn_outputs: vec![record],
            metrics: self.metrics.clone(),
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
            Some(Ok(tensor)) => floats(tensor.data),
            Some(Err(e)) => Err(garbled(e.message())),
            None => Err(garbled("a datum without logprobs")),
        };
        Ok(Self {
            logprobs: output.loss_fn_outputs.iter().map(datum).collect::<Result<_>>()?,
            metrics: output.metrics.clone(),
        })
    }

    /// Writes the JSON dialect.
    ///
    /// # Errors
    /// `rejected` for a log-probability that JSON cannot say.
    pub fn to_json(&self) -> Result<JsonOutput> {
        let datum = |logprobs: &Vec<f32>| {
            let shape = vec![logprobs.len() as i64];
            let tensor = TensorData::of(&ColumnData::F32(logprobs.clone()), shape)?;
            Ok(BTreeMap::from([(LOGPROBS.to_owned(), tensor)]))
        };
        Ok(JsonOutput {
            loss_fn_output_type: KIND.into(),
            loss_fn_outputs: self.logprobs.iter().map(datum).collect::<Result<_>>()?,
            metrics: self.metrics.clone(),
        })
    }
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
            metrics: BTreeMap::from([("loss:sum".to_owned(), 4.5)]),
        }
    }

    #[test]
    fn it_comes_back_in_both_dialects() {
        assert_eq!(Output::from_proto(output().to_proto()).unwrap(), output());
        assert_eq!(Output::from_json(&output().to_json().unwrap()).unwrap(), output());
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
