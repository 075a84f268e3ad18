/*!
Datums, from and to both dialects: a client packs those of a batch, a server makes a batch of those that
came.

A datum's position `t` predicts `target_tokens[t]`: the client has shifted. Every per-token input has as
many rows as the model input has tokens.
*/

use crate::{
    le,
    messages::{Chunk, JsonDatum, ModelInput},
    proto,
    tensor::{Tensor, TensorData, dense_proto},
};
use std::collections::BTreeMap;
use tinsmith_plugin_api::{Batch, Column, ColumnData, Error, Result};

/// The targets of a datum among its inputs.
pub const TARGETS: &str = "target_tokens";

/// A datum of text.
#[derive(Clone, Debug, PartialEq)]
pub struct Datum {
    /// Model input, `[T]`.
    pub tokens: Vec<i32>,
    /// Per-token inputs of the loss, the targets among them, each `[T]` or `[T, K]`.
    pub inputs: BTreeMap<String, Tensor>,
}

impl Datum {
    /// Reads the binary dialect.
    ///
    /// # Errors
    /// `rejected` for what is no text, and for tensors that are not well-formed.
    pub fn from_proto(datum: &proto::Datum) -> Result<Self> {
        let mut tokens = Vec::new();
        for chunk in &datum.model_input {
            match &chunk.chunk {
                Some(proto::chunk::Chunk::EncodedText(text)) => {
                    tokens.extend(le::unpack::<i32>(&text.tokens)?);
                }
                Some(proto::chunk::Chunk::Image(_)) => return Err(no_text("a picture")),
                Some(proto::chunk::Chunk::Dmel(_)) => return Err(no_text("audio")),
                None => return Err(no_text("a part of no kind")),
            }
        }
        let tensor = |(name, tensor): (&String, &proto::Tensor)| {
            Ok((name.clone(), Tensor::from_proto(tensor).map_err(|e| e.within(name))?))
        };
        Ok(Self { tokens, inputs: datum.loss_fn_inputs.iter().map(tensor).collect::<Result<_>>()? })
    }

    /// Reads the JSON dialect.
    ///
    /// # Errors
    /// As [`Datum::from_proto`].
    pub fn from_json(datum: &JsonDatum) -> Result<Self> {
        let tensor = |(name, tensor): (&String, &TensorData)| {
            Ok((name.clone(), tensor.read().map_err(|e| e.within(name))?))
        };
        Ok(Self {
            tokens: text_of(&datum.model_input)?,
            inputs: datum.loss_fn_inputs.iter().map(tensor).collect::<Result<_>>()?,
        })
    }
}

/// The tokens of a model input.
///
/// # Errors
/// `rejected` for what is no text.
pub fn text_of(input: &ModelInput) -> Result<Vec<i32>> {
    let mut tokens = Vec::new();
    for chunk in &input.chunks {
        match (&chunk.tokens, chunk.kind.as_str()) {
            (Some(text), "" | "encoded_text") => tokens.extend_from_slice(text),
            (_, "dmel") => return Err(no_text("audio")),
            (_, "image" | "image_asset_pointer") => return Err(no_text("a picture")),
            (_, kind) => return Err(no_text(&format!("a part of kind `{kind}`"))),
        }
    }
    Ok(tokens)
}

fn no_text(what: &str) -> Error {
    Error::rejected(format!("a model input holds {what}"))
        .with_hint("only text can be trained on and sampled from here")
}

/// Datums as a batch, each a group of its own. All must have the same inputs, along one axis.
///
/// # Errors
/// `rejected` with the datum and the input that does not fit.
pub fn to_batch(datums: Vec<Datum>) -> Result<Batch> {
    to_batch_of(datums.into_iter().enumerate())
}

/// As [`to_batch`], of datums with their numbers: those of one number are a group.
///
/// # Errors
/// As [`to_batch`].
pub fn to_batch_of(datums: impl Iterator<Item = (usize, Datum)>) -> Result<Batch> {
    let mut batch = Batch { offsets: vec![0], ..Batch::default() };
    for (number, datum) in datums {
        let first = batch.groups.is_empty();
        append(&mut batch, datum, first).map_err(|e| e.within(format!("data[{number}]")))?;
        batch.offsets.push(batch.tokens.len() as u64);
        batch.groups.push(number as u64);
    }
    if batch.is_empty() {
        return Err(Error::rejected("there is no datum"));
    }
    Ok(batch)
}

fn append(batch: &mut Batch, mut datum: Datum, first: bool) -> Result<()> {
    let length = datum.tokens.len() as u64;
    if length == 0 {
        return Err(Error::rejected("the model input is empty").at("model_input"));
    }
    for (name, tensor) in &datum.inputs {
        if tensor.rows() != length || tensor.shape.len() > 1 && tensor.shape[1..] != [1] {
            let shape = &tensor.shape;
            let e =
                Error::rejected(format!("its shape is {shape:?} for an input of {length} tokens"));
            let e = e.with_hint("every input of a loss has one value a token");
            return Err(e.at(name));
        }
    }
    let targets = datum.inputs.remove(TARGETS).map(|tensor| tensor.data);
    let Some(ColumnData::I64(targets)) = targets else {
        return Err(Error::rejected("the targets are missing, or are no int64").at(TARGETS));
    };
    for target in targets {
        let target = i32::try_from(target)
            .map_err(|_| Error::rejected(format!("{target} is no token")).at(TARGETS))?;
        batch.targets.push(target);
    }
    if first {
        for (name, tensor) in datum.inputs {
            batch.columns.push(Column { name, data: tensor.data });
        }
    } else {
        for column in &mut batch.columns {
            let given = datum.inputs.remove(&column.name).map(|tensor| tensor.data);
            match (&mut column.data, given) {
                (ColumnData::F32(all), Some(ColumnData::F32(more))) => all.extend(more),
                (ColumnData::I64(all), Some(ColumnData::I64(more))) => all.extend(more),
                (_, None) => {
                    return Err(
                        Error::rejected("data[0] has it, and this one has not").at(&column.name)
                    );
                }
                (_, Some(_)) => {
                    return Err(Error::rejected("its type is not that in data[0]").at(&column.name));
                }
            }
        }
        if let Some(name) = datum.inputs.keys().next() {
            return Err(Error::rejected("data[0] has it not").at(name));
        }
    }
    batch.tokens.append(&mut datum.tokens);
    Ok(())
}

/// The columns of a batch that a loss reads.
fn wanted<'a>(batch: &'a Batch, inputs: Option<&'a [&str]>) -> impl Iterator<Item = &'a Column> {
    batch.columns.iter().filter(move |c| inputs.is_none_or(|names| names.contains(&&*c.name)))
}

/// Datum `i` of a batch in the binary dialect, with the named columns, or all of them.
#[must_use]
pub fn to_proto(batch: &Batch, i: usize, inputs: Option<&[&str]>) -> proto::Datum {
    let range = batch.range(i);
    let text = le::pack(batch.tokens[range.clone()].iter().copied());
    let chunk = proto::chunk::Chunk::EncodedText(proto::EncodedTextChunk { tokens: text });
    let shape = vec![range.len() as i64];
    let targets = le::pack(batch.targets[range.clone()].iter().map(|t| i64::from(*t)));
    let targets = proto::Tensor {
        encoding: Some(proto::tensor::Encoding::Dense(targets)),
        dtype: proto::DType::Int64 as i32,
        shape: shape.clone(),
    };
    let mut tensors = BTreeMap::from([(TARGETS.to_owned(), targets)]);
    for column in wanted(batch, inputs) {
        let part = part(&column.data, range.clone());
        tensors.insert(column.name.clone(), dense_proto(&part, shape.clone()));
    }
    proto::Datum {
        model_input: vec![proto::Chunk { chunk: Some(chunk) }],
        loss_fn_inputs: tensors,
        ..proto::Datum::default()
    }
}

/// Datum `i` of a batch in the JSON dialect, with the named columns, or all of them.
///
/// # Errors
/// `rejected` for a value that JSON cannot say.
pub fn to_json(batch: &Batch, i: usize, inputs: Option<&[&str]>) -> Result<JsonDatum> {
    let range = batch.range(i);
    let shape = vec![range.len() as i64];
    let targets = batch.targets[range.clone()].iter().map(|t| i64::from(*t)).collect();
    let targets = TensorData::of(&ColumnData::I64(targets), shape.clone())?;
    let mut tensors = BTreeMap::from([(TARGETS.to_owned(), targets)]);
    for column in wanted(batch, inputs) {
        let tensor = TensorData::of(&part(&column.data, range.clone()), shape.clone());
        tensors.insert(column.name.clone(), tensor.map_err(|e| e.at(&column.name))?);
    }
    Ok(JsonDatum {
        model_input: ModelInput { chunks: vec![Chunk::text(batch.tokens[range].to_vec())] },
        loss_fn_inputs: tensors,
    })
}

fn part(data: &ColumnData, range: std::ops::Range<usize>) -> ColumnData {
    match data {
        ColumnData::F32(values) => ColumnData::F32(values[range].to_vec()),
        ColumnData::I64(values) => ColumnData::I64(values[range].to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch() -> Batch {
        Batch {
            tokens: vec![1, 2, 3, 4, 5],
            targets: vec![2, 3, 4, 5, 6],
            offsets: vec![0, 3, 5],
            groups: vec![0, 1],
            columns: vec![
                Column {
                    name: "weights".into(),
                    data: ColumnData::F32(vec![0.0, 1.0, 0.1, 0.5, 2.0]),
                },
                Column { name: "other".into(), data: ColumnData::I64(vec![1, 2, 3, 4, 5]) },
            ],
        }
    }

    #[test]
    fn a_batch_comes_back_in_both_dialects() {
        let mut sorted = batch();
        sorted.columns.sort_by(|a, b| a.name.cmp(&b.name));
        let binary = (0..2).map(|i| Datum::from_proto(&to_proto(&batch(), i, None)).unwrap());
        assert_eq!(to_batch(binary.collect()).unwrap(), sorted);
        let json = (0..2).map(|i| Datum::from_json(&to_json(&batch(), i, None).unwrap()).unwrap());
        assert_eq!(to_batch(json.collect()).unwrap(), sorted);
    }

    #[test]
    fn only_what_a_loss_reads_is_sent() {
        let datum = to_proto(&batch(), 1, Some(&["weights", "advantages"]));
        let names: Vec<&str> = datum.loss_fn_inputs.keys().map(String::as_str).collect();
        assert_eq!(names, [TARGETS, "weights"]);
    }

    #[test]
    fn a_datum_that_does_not_fit_is_named() {
        let datums = || -> Vec<Datum> {
            (0..2).map(|i| Datum::from_proto(&to_proto(&batch(), i, None)).unwrap()).collect()
        };
        let refused = |change: fn(&mut Datum)| {
            let mut datums = datums();
            change(&mut datums[1]);
            to_batch(datums).unwrap_err().to_string()
        };
        assert!(
            refused(|d| drop(d.inputs.remove("weights"))).starts_with("`data[1].weights`: data[0]")
        );
        assert!(refused(|d| drop(d.inputs.remove(TARGETS))).starts_with("`data[1].target_tokens`"));
        assert!(refused(|d| d.tokens.push(9)).contains("shape is [2] for an input of 3 tokens"));
        assert!(refused(|d| d.tokens.clear()).starts_with("`data[1].model_input`"));
        assert!(
            refused(|d| {
                let other = d.inputs["other"].clone();
                d.inputs.insert("more".into(), other);
            })
            .starts_with("`data[1].more`: data[0] has it not")
        );
        assert!(
            refused(|d| {
                let other = d.inputs["other"].clone();
                d.inputs.insert("weights".into(), other);
            })
            .contains("its type is not that in data[0]")
        );
        assert!(
            refused(|d| {
                d.inputs.insert(TARGETS.into(), Tensor::flat(ColumnData::I64(vec![1, 1 << 40])));
            })
            .contains("1099511627776 is no token")
        );
        assert!(to_batch(Vec::new()).unwrap_err().to_string().contains("there is no datum"));
    }
}
