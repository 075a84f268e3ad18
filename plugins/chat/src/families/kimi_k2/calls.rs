//! Answers with calls, read back.

use crate::{
    python,
    response::{
        blocks::{self, Stretch, Tags},
        calls::Calls,
    },
};
use serde_json::{Value, json};

/// Around all calls of an answer.
pub(super) const SECTION: Tags = ("<|tool_calls_section_begin|>", "<|tool_calls_section_end|>");
/// As the model writes it at times.
const SECTION_TOO: Tags = ("<|tool_call_section_begin|>", "<|tool_call_section_end|>");
/// Around one call.
pub(super) const CALL: Tags = ("<|tool_call_begin|>", "<|tool_call_end|>");
/// Between the id of a call and its arguments.
pub(super) const ARGUMENTS: &str = "<|tool_call_argument_begin|>";

/// Reads the text of an answer. What stands behind its calls is no content.
pub(super) fn read(text: &str) -> Value {
    let mut calls = Calls::default();
    let mut said = text;
    let mut before = 0;
    for stretch in blocks::cut(text, &[SECTION, SECTION_TOO]) {
        match stretch {
            Stretch::Text(text) => before += text.len(),
            Stretch::Block { inner, .. } => {
                said = &text[..before];
                section(inner, &mut calls);
                break;
            }
        }
    }
    let _ = [SECTION, SECTION_TOO, CALL].into_iter().any(|tags| calls.unclosed(text, tags));
    let mut message = json!({"role": "assistant", "content": blocks::thoughts(said)});
    calls.into_message(&mut message);
    message
}

fn section(text: &str, calls: &mut Calls) {
    let mut rest = text;
    while let Some(start) = rest.find(CALL.0) {
        let inner = &rest[start + CALL.0.len()..];
        let id = inner.split_once(ARGUMENTS).map(|(id, _)| id).filter(|id| is_id(id));
        let call = id.and_then(|id| {
            let (arguments, after) = inner[id.len() + ARGUMENTS.len()..].split_once(CALL.1)?;
            Some((python::strip(id), arguments, after))
        });
        let Some((id, arguments, after)) = call else {
            rest = inner;
            continue;
        };
        let raw = &rest[start..rest.len() - after.len()];
        calls.json(name(id), python::strip(arguments), Some(id), raw);
        rest = after;
    }
}

/// Whether this is an id as `functions.get_weather:0`.
fn is_id(text: &str) -> bool {
    let number = python::strip(text).rsplit_once(':').filter(|(name, _)| !name.is_empty());
    let digits = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    !text.contains('<') && number.is_some_and(|(_, number)| digits(number))
}

/// The function in an id.
fn name(id: &str) -> &str {
    let name = id.split_once(':').map_or(id, |(name, _)| name);
    name.split_once('.').map_or(name, |(_, name)| name)
}
