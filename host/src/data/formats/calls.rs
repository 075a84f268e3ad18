//! ShareGPT's function calls: a message whose text is the call as JSON.

use super::NoRecord;
use crate::Error;
use serde_json::{Value, json};
use std::ops::Range;

/// The list of tool calls, as JSON, that a message's text holds: one call or a list of them, each
/// with `name` and `arguments`.
pub(super) fn of(line: &str, content: Option<Range<usize>>) -> Result<String, NoRecord> {
    let wrong = |at: usize, what: &str| {
        let error = Error::data(what.to_owned());
        Err((at, error.hint(r#"a function call is the text `{"name": …, "arguments": {…}}`"#)))
    };
    let Some(span) = content else { return wrong(0, "is missing") };
    let value = serde_json::from_str::<Value>(&line[span.clone()]).unwrap_or_default();
    let call = match value {
        Value::String(text) => serde_json::from_str(&text).unwrap_or_default(),
        other => other,
    };
    let calls = match call {
        Value::Array(calls) if !calls.is_empty() => calls,
        one => vec![one],
    };
    let mut out = Vec::with_capacity(calls.len());
    for call in &calls {
        let (Some(name), Some(arguments)) = (call["name"].as_str(), call.get("arguments")) else {
            return wrong(span.start, "is no function call");
        };
        out.push(json!({"type": "function",
            "function": {"name": name, "arguments": arguments}}));
    }
    Ok(Value::from(out).to_string())
}
