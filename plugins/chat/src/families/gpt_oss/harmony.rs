//! Answers in Harmony, read back.

use crate::{
    python,
    response::{
        blocks::{text_part, thinking_part},
        calls::Calls,
    },
};
use serde_json::{Value, json};

const MESSAGE: &str = "<|message|>";
const START: &str = "<|start|>";
const ENDS: [&str; 3] = ["<|end|>", "<|call|>", "<|return|>"];

/// One message of an answer.
struct Spoken<'a> {
    header: &'a str,
    body: &'a str,
    /// Header, body and end.
    whole: &'a str,
}

/// Reads the text of an answer, which begins within the header of its first message.
pub(super) fn read(text: &str) -> Value {
    let mut calls = Calls::default();
    let mut parts = Vec::new();
    for spoken in messages(text) {
        let Spoken { header, body, whole } = spoken;
        if python::strip(body).is_empty() {
            continue;
        }
        if let Some(name) = word(header, "to=").and_then(|to| to.strip_prefix("functions.")) {
            calls.json(name, python::strip(body), None, whole);
            continue;
        }
        match word(header, "<|channel|>") {
            Some("analysis") => parts.push(thinking_part(body)),
            Some("final" | "commentary") => parts.push(text_part(body)),
            _ => {}
        }
    }
    if text.matches("to=functions.").count() > calls.len() {
        let start = text.rfind(START).unwrap_or(0);
        calls.bad(&text[start..], "the call has no arguments");
    }
    let content = match parts.is_empty() {
        false => Value::Array(parts),
        // A text that holds no message at all is kept as it is.
        true if calls.is_empty() => json!(text),
        true => json!(""),
    };
    let mut message = json!({"role": "assistant", "content": content});
    calls.into_message(&mut message);
    message
}

fn messages(text: &str) -> Vec<Spoken<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(header_end) = rest.find(MESSAGE) {
        let start = rest[..header_end].rfind(START).unwrap_or(0);
        let body = header_end + MESSAGE.len();
        let ends = ENDS.iter().filter_map(|end| Some((body + rest[body..].find(end)?, end.len())));
        let (end, length) = ends.min().unwrap_or((rest.len(), 0));
        found.push(Spoken {
            header: &rest[start..header_end],
            body: &rest[body..end],
            whole: &rest[start..end + length],
        });
        rest = &rest[end + length..];
    }
    found
}

/// The word behind `mark`: up to white space or the next control token.
fn word<'a>(header: &'a str, mark: &str) -> Option<&'a str> {
    header.match_indices(mark).find_map(|(at, _)| {
        let rest = &header[at + mark.len()..];
        let end = rest.find(|c: char| c == '<' || c.is_whitespace()).unwrap_or(rest.len());
        (end > 0).then(|| &rest[..end])
    })
}
