/*!
`{"tokens": […], "weights": […]}` or `{"input_ids": […], "labels": […]}`: made elsewhere, trained as
it is. Every other list of numbers is a column of the same length, such as `advantages` and
`logprobs`; a value stands beside the token that it belongs to.

Labels are the tokens again, with -100 where nothing is trained, as Transformers writes them before
the shift. Without weights and labels every token is trained.
*/

use super::{NoRecord, build::Members, find};
use crate::{
    Error,
    data::{Mapping, scan},
};
use serde::de::DeserializeOwned;
use std::ops::Range;

/// What a label says of a token that is not trained.
const IGNORED: i64 = -100;

/// Lists that tokenizers write beside the ids and that no loss reads.
const OF_TOKENIZERS: [&str; 4] =
    ["attention_mask", "position_ids", "token_type_ids", "special_tokens_mask"];

const SHAPE: &str = "each record is `{\"tokens\": […], \"weights\": […]}` or \
                     `{\"input_ids\": […], \"labels\": […]}`";

/// An example that was made elsewhere.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenRow {
    /// Token ids, `[T]`.
    pub tokens: Vec<i32>,
    /// Their raw weights, `[T]`.
    pub weights: Vec<f32>,
    /// Columns by name, each `[T]`, in the order of their names.
    pub columns: Vec<(String, Vec<f32>)>,
    /// What the field of the tokens is called.
    pub field: String,
}

/// Maps a line.
pub(super) fn map(line: &str, mapping: &Mapping) -> Result<TokenRow, NoRecord> {
    let members = scan::members(line, 0);
    let (name, span) = ids(line, &members, mapping)?;
    let numbers: Vec<i64> = list(line, &span, name, "whole numbers")?;
    let mut tokens = Vec::with_capacity(numbers.len());
    for (i, id) in numbers.iter().enumerate() {
        match i32::try_from(*id) {
            Ok(id) if id >= 0 => tokens.push(id),
            _ => {
                let at = scan::locate(line, &format!("{name}[{i}]"));
                let error =
                    Error::data(format!("{id} is no token id")).field(format!("{name}[{i}]"));
                return Err((at, error.hint("ids are whole numbers from 0 on")));
            }
        }
    }
    if tokens.is_empty() {
        return Err((span.start, super::empty(name)));
    }
    let weights = weights(line, &members, mapping, name, &numbers)?;
    let columns = columns(line, &members, mapping, name, tokens.len())?;
    Ok(TokenRow { tokens, weights, columns, field: name.to_owned() })
}

/// The field of the ids.
fn ids<'m>(
    line: &str,
    members: &Members,
    mapping: &'m Mapping,
) -> Result<(&'m str, Range<usize>), NoRecord> {
    let name = mapping.name(&mapping.fields.tokens, "tokens");
    let other =
        if mapping.fields.tokens.is_none() { find(line, members, "input_ids")? } else { None };
    match (find(line, members, name)?, other) {
        (Some(span), None) => Ok((name, span)),
        (None, Some(span)) => Ok(("input_ids", span)),
        (Some(_), Some(span)) => {
            let error = Error::data("has `tokens` and also `input_ids`");
            let hint = "say which with `fields: {tokens: …}` of the dataset";
            Err((span.start, error.hint(hint)))
        }
        (None, None) => Err((0, super::missing(line, name, SHAPE))),
    }
}

fn weights(
    line: &str,
    members: &Members,
    mapping: &Mapping,
    tokens: &str,
    ids: &[i64],
) -> Result<Vec<f32>, NoRecord> {
    let weights = mapping.name(&mapping.fields.weights, "weights");
    let labels = mapping.name(&mapping.fields.labels, "labels");
    match (find(line, members, weights)?, find(line, members, labels)?) {
        (None, None) => Ok(vec![1.0; ids.len()]),
        (Some(span), None) => {
            let values = floats(line, &span, weights)?;
            same_length(&span, weights, values.len(), tokens, ids.len())?;
            Ok(values)
        }
        (None, Some(span)) => {
            let values: Vec<i64> = list(line, &span, labels, "whole numbers")?;
            same_length(&span, labels, values.len(), tokens, ids.len())?;
            let wrong = values.iter().zip(ids).position(|(l, id)| *l != IGNORED && l != id);
            if let Some(i) = wrong {
                let field = format!("{labels}[{i}]");
                let message = format!("is {}, `{tokens}[{i}]` is {}", values[i], ids[i]);
                let error = Error::data(message).field(&field);
                return Err((
                    scan::locate(line, &field),
                    error.hint(
                        "labels repeat the tokens in their places, -100 where nothing is trained; \
                     they are not shifted",
                    ),
                ));
            }
            Ok(values.iter().map(|l| if *l == IGNORED { 0.0 } else { 1.0 }).collect())
        }
        (Some(_), Some(span)) => {
            let error = Error::data(format!("has `{weights}` and also `{labels}`"));
            Err((span.start, error.hint("both say what is trained: keep one")))
        }
    }
}

fn columns(
    line: &str,
    members: &Members,
    mapping: &Mapping,
    tokens: &str,
    length: usize,
) -> Result<Vec<(String, Vec<f32>)>, NoRecord> {
    let mut columns: Vec<(String, Vec<f32>)> = Vec::new();
    let fields = &mapping.fields;
    let taken =
        [tokens, mapping.name(&fields.weights, "weights"), mapping.name(&fields.labels, "labels")];
    for (k, value) in members {
        let name = scan::key(line, k);
        let wanted = mapping.columns.as_ref().map(|wanted| wanted.contains(&name));
        if taken.contains(&name.as_str()) || wanted == Some(false) {
            continue;
        }
        if wanted.is_none() && OF_TOKENIZERS.contains(&name.as_str()) {
            check_mask(line, value, &name)?;
            continue;
        }
        let numbers = line[value.clone()].starts_with('[')
            && serde_json::from_str::<Vec<f64>>(&line[value.clone()]).is_ok_and(|l| !l.is_empty());
        if wanted.is_none() && !numbers {
            continue;
        }
        let values = floats(line, value, &name)?;
        same_length(value, &name, values.len(), tokens, length)?;
        if columns.iter().any(|(known, _)| *known == name) {
            let error = Error::data("stands twice").field(name);
            return Err((k.start, error.hint("write every key once")));
        }
        columns.push((name, values));
    }
    for name in mapping.columns.iter().flatten() {
        if !columns.iter().any(|(known, _)| known == name) {
            let hint = "`columns` of the dataset names it: one number for each token";
            return Err((0, Error::data("is missing").field(name).hint(hint)));
        }
    }
    columns.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(columns)
}

/// Padding would be trained, or seen.
fn check_mask(line: &str, span: &Range<usize>, name: &str) -> Result<(), NoRecord> {
    if name == "attention_mask"
        && let Ok(mask) = serde_json::from_str::<Vec<f64>>(&line[span.clone()])
        && let Some(i) = mask.iter().position(|m| *m == 0.0)
    {
        let field = format!("{name}[{i}]");
        let error = Error::data("is 0: the row is padded").field(&field);
        let hint = "write rows without padding; batches are packed, not padded";
        return Err((scan::locate(line, &field), error.hint(hint)));
    }
    Ok(())
}

fn same_length(
    span: &Range<usize>,
    name: &str,
    found: usize,
    tokens: &str,
    length: usize,
) -> Result<(), NoRecord> {
    if found == length {
        return Ok(());
    }
    let error = Error::data(format!("has {found} values, `{tokens}` has {length}")).field(name);
    Err((
        span.start,
        error.hint(
            "a list of numbers is a column, with a value for each token; `columns` of the dataset \
         names those that are",
        ),
    ))
}

fn floats(line: &str, span: &Range<usize>, name: &str) -> Result<Vec<f32>, NoRecord> {
    let wide: Vec<f64> = list(line, span, name, "numbers")?;
    let values: Vec<f32> = wide.iter().map(|v| *v as f32).collect();
    match values.iter().position(|v| !v.is_finite()) {
        None => Ok(values),
        Some(i) => {
            let field = format!("{name}[{i}]");
            let error = Error::data(format!("{:e} is too large a number", wide[i])).field(&field);
            Err((scan::locate(line, &field), error.hint("values are 32-bit floats")))
        }
    }
}

/// A list whose items are all of one type; else the first that is not is told.
fn list<T: DeserializeOwned>(
    line: &str,
    span: &Range<usize>,
    name: &str,
    of: &str,
) -> Result<Vec<T>, NoRecord> {
    let text = &line[span.clone()];
    if let Ok(values) = serde_json::from_str(text) {
        return Ok(values);
    }
    if !text.starts_with('[') {
        return Err((span.start, super::wrong(&format!("a list of {of}"), name, SHAPE)));
    }
    let elements = scan::elements(line, span.start);
    let bad = |e: &Range<usize>| serde_json::from_str::<T>(&line[e.clone()]).is_err();
    let at = elements.iter().position(bad).unwrap_or(0);
    let place = elements.get(at).map_or(span.start, |e| e.start);
    let one = of.trim_end_matches('s');
    let error = Error::data(format!("must be a {one}")).field(format!("{name}[{at}]"));
    Err((place, error.hint(SHAPE)))
}
