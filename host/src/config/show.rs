//! The resolved config as YAML that loads again, each value with its origin as a comment.

use super::{Loaded, scalar, tree::Kind};
use serde_json::Value;
use std::fmt::Write;

/// Column at which comments begin, where the value leaves room.
const COMMENT: usize = 40;

/// Prints the config.
pub fn show(loaded: &Loaded) -> String {
    let mut out = String::new();
    if let Value::Object(sections) = loaded.resolved_json() {
        for (key, value) in &sections {
            entry(&mut out, loaded, "", key, value, 0);
        }
    }
    out
}

fn entry(out: &mut String, loaded: &Loaded, prefix: &str, key: &str, value: &Value, indent: usize) {
    let path = if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") };
    let line = format!("{:indent$}{}:", "", scalar_text(key));
    match value {
        Value::Object(map) if !map.is_empty() => {
            let _ = writeln!(out, "{line}");
            for (key, value) in map {
                entry(out, loaded, &path, key, value, indent + 2);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            let _ = writeln!(out, "{line}");
            for (i, item) in items.iter().enumerate() {
                list_item(out, loaded, &format!("{path}[{i}]"), item, indent + 2);
            }
        }
        _ => leaf(out, loaded, &path, &line, value),
    }
}

fn list_item(out: &mut String, loaded: &Loaded, path: &str, item: &Value, indent: usize) {
    let dash = format!("{:indent$}-", "");
    match item {
        Value::Object(map) if !map.is_empty() => {
            let mut block = String::new();
            for (key, value) in map {
                entry(&mut block, loaded, path, key, value, indent + 2);
            }
            // The first key stands on the line of the dash.
            let _ = write!(out, "{dash} {}", block.trim_start());
        }
        Value::Array(items) if !items.is_empty() => {
            // Lists in lists stand in one line; only plugins have them.
            leaf(out, loaded, path, &dash, item);
        }
        _ => leaf(out, loaded, path, &dash, item),
    }
}

fn leaf(out: &mut String, loaded: &Loaded, path: &str, before: &str, value: &Value) {
    let line = format!("{before} {}", value_text(value));
    let origin = loaded.origin(path).unwrap_or_else(|| "default".into());
    let origin = origin.replace(['\n', '\r'], " ");
    let _ = writeln!(out, "{line:<COMMENT$}  # {origin}");
}

fn value_text(value: &Value) -> String {
    match value {
        Value::String(text) => scalar_text(text),
        // JSON is YAML.
        other => other.to_string(),
    }
}

/// Text without quotes where YAML reads it as the same text, else quoted.
fn scalar_text(text: &str) -> String {
    let plain = !text.is_empty()
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-./+".contains(c))
        && !text.starts_with('-')
        && matches!(scalar::resolve(text), Ok(Kind::Text(_)));
    if plain { text.to_owned() } else { Value::String(text.to_owned()).to_string() }
}
