//! Faults of decoding in words: what is wrong, where, and what to write instead.

use super::{
    decode::{Fault, Problem, Segment},
    names, schema,
    tree::Origin,
};
use crate::{Error, error::Place, text::nearest};
use std::path::Path;

/// The error of a fault in the config at `path`.
#[must_use]
pub fn explain(fault: Fault, path: &Path) -> Error {
    let Fault { problem, path: segments, origin } = fault;
    let key = dotted(&segments);
    let mut error = match problem {
        Problem::UnknownKey(known) => unknown_key(&key, &segments, known),
        Problem::MissingKey(name) => missing_key(&key, name),
        Problem::UnknownWord { word, known } => {
            let error = Error::usage(format!("unknown value `{word}`")).field(&key);
            let list = known.join(", ");
            match nearest(&word, known.iter().copied()) {
                Some(word) => error.hint(format!("did you mean `{word}`? known are {list}")),
                None => error.hint(format!("use one of {list}")),
            }
        }
        Problem::Wrong { expected, found } => wrong(&key, &expected, &found),
        Problem::Other(message) => Error::usage(message).field(&key),
    };
    match origin {
        Some(Origin::File { line, column }) => {
            let (line, column) = (Some(line), Some(column));
            error.place = Some(Place { path: path.to_owned(), line, column });
        }
        Some(Origin::Set(text)) => error.context.push(format!("`--set {text}`")),
        Some(Origin::Env(name)) => error.context.push(format!("environment: `{name}`")),
        None => error.place = Some(Place { path: path.to_owned(), line: None, column: None }),
    }
    if error.field.as_deref() == Some("") {
        error.field = None;
    }
    error
}

/// `datasets[0].path` from segments, innermost first.
fn dotted(segments: &[Segment]) -> String {
    let mut path = String::new();
    for segment in segments.iter().rev() {
        match segment {
            Segment::Key(key) => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(key);
            }
            Segment::Index(i) => path.push_str(&format!("[{i}]")),
        }
    }
    path
}

fn unknown_key(path: &str, segments: &[Segment], known: &[&str]) -> Error {
    let Some(Segment::Key(key)) = segments.first() else {
        return Error::usage("unknown key").field(path);
    };
    let error = Error::usage(format!("unknown key `{key}`"));
    let error = match dotted(&segments[1..]) {
        section if section.is_empty() => error,
        section => error.field(section),
    };
    if let Some(hint) = names::hint(key, path) {
        return error.hint(hint);
    }
    if let Some(near) = nearest(key, known.iter().copied()) {
        return error.hint(format!("did you mean `{near}`?"));
    }
    // The right key in the wrong section.
    let elsewhere: Vec<String> = schema::keys()
        .into_iter()
        .filter(|k| k.path.rsplit('.').next() == Some(key))
        .map(|k| format!("`{}`", k.path))
        .collect();
    if !elsewhere.is_empty() && elsewhere.len() <= 3 {
        return error.hint(format!("did you mean {}?", elsewhere.join(" or ")));
    }
    if known.is_empty() {
        return error.hint("this section has no keys yet");
    }
    error.hint(format!("known keys are {}", known.join(", ")))
}

fn missing_key(section: &str, name: &str) -> Error {
    let error = Error::usage(format!("the key `{name}` is missing"));
    let error = if section.is_empty() { error } else { error.field(section) };
    error.hint(match (section, name) {
        ("", "model") | ("model", "base_model") => {
            "name the base model: `model: {base_model: ./base}`".to_owned()
        }
        ("", "datasets") => "name the data: `datasets: [{path: chats.jsonl}]`".to_owned(),
        _ => format!("add `{name}`"),
    })
}

/// Sections that are often written as a single value, and what to write instead.
const SHAPES: [(&str, &str); 12] = [
    ("model", "model: {base_model: ./base}"),
    ("lora", "lora: {rank: 16}"),
    ("datasets", "datasets: [{path: chats.jsonl}]"),
    ("datasets[]", "datasets: [{path: chats.jsonl}]"),
    ("data", "data: {max_length: 2048}"),
    ("data.eval", "data: {eval: {fraction: 0.1}}"),
    ("training", "training: {batch_size: 8, epochs: 1}"),
    ("optimizer", "optimizer: {learning_rate: 1.0e-4}"),
    ("eval", "eval: {every_steps: 50}"),
    ("checkpoint", "checkpoint: {every_steps: 20}"),
    ("limits", "limits: {max_hours: 2}"),
    ("plugins", "plugins: [./my_plugin]"),
];

/// `datasets[3]` is an item of `datasets[]`.
fn is_item(key: &str, shape: &str) -> bool {
    shape.strip_suffix("[]").is_some_and(|list| {
        key.strip_prefix(list).is_some_and(|at| at.starts_with('[') && at.ends_with(']'))
    })
}

fn wrong(key: &str, expected: &str, found: &str) -> Error {
    let expected = match expected {
        "u32" => "a whole number from 0 to 4294967295",
        "u64" => "a whole number of at least 0",
        "f32" | "f64" => "a number",
        "a boolean" => "`true` or `false`",
        "a string" => "text",
        "a sequence" => "a list",
        other if other.starts_with("struct") => "a map of keys",
        other if other.starts_with("variant") || other.starts_with("enum") => "a word",
        other => other,
    };
    let error = Error::usage(format!("expected {expected}, found {found}")).field(key);
    if let Some((_, right)) = SHAPES.iter().find(|(shape, _)| *shape == key || is_item(key, shape))
    {
        return error.hint(format!("write `{right}`"));
    }
    match (expected, found) {
        (_, "nothing") => error.hint("remove the key to get its default"),
        ("`true` or `false`", "the text `yes`" | "the text `on`") => {
            error.hint("write `true`; YAML 1.2 reads `yes` and `on` as text")
        }
        ("`true` or `false`", "the text `no`" | "the text `off`") => {
            error.hint("write `false`; YAML 1.2 reads `no` and `off` as text")
        }
        ("text", _) => error.hint("put it in quotes"),
        (e, f) if e.contains("whole number") && f.ends_with(".0`") => {
            error.hint("write it without a point")
        }
        (e, f) if e.contains("number") && f.starts_with("the text `") => {
            error.hint("write the number without quotes, `_` or units")
        }
        _ => error,
    }
}
