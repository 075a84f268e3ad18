//! Names the field of a record that has the wrong type. Slow, and only called for bad records.

use super::raw::REASONING;
use serde_json::{Map, Value};
use tinsmith_plugin_api::{Error, Result};

/// The error behind `e`, with the path of the field where one is to blame.
pub(super) fn diagnose(json: &str, e: &serde_json::Error) -> Error {
    match serde_json::from_str::<Value>(json).map(|value| record(&value)) {
        Ok(Err(named)) => named,
        // A tree keeps one of two equal keys: what is left to be wrong is a key that stands twice.
        Ok(Ok(())) => Error::data(e.to_string()).with_hint("write every key once"),
        Err(e) => unreadable(&e),
    }
}

/// The error behind JSON that a tree cannot hold.
pub(crate) fn unreadable(e: &serde_json::Error) -> Error {
    let text = e.to_string();
    let hint = match text.starts_with("number out of range") {
        true => "a number is larger than 1.8e308: write it as text, or leave it out",
        false => "write the record with a JSON library",
    };
    Error::data(text).with_hint(hint)
}

fn record(value: &Value) -> Result<()> {
    let hint = "a record holds `messages`, or `prompt` and `completion`";
    let Value::Object(fields) = value else {
        return Err(wrong("a JSON object", Some(value)).with_hint(hint));
    };
    match fields.get("messages") {
        None | Some(Value::Null) => {}
        Some(Value::Array(list)) => messages(list).map_err(|e| e.within("messages"))?,
        other => return Err(wrong("a list of messages", other).at("messages").with_hint(hint)),
    }
    for name in ["prompt", "completion"] {
        match fields.get(name) {
            None | Some(Value::Null | Value::String(_)) => {}
            Some(Value::Array(list)) => messages(list).map_err(|e| e.within(name))?,
            other => {
                let expected = "a string or a list of messages";
                return Err(wrong(expected, other).at(name).with_hint(hint));
            }
        }
    }
    list_or_nothing(fields, "tools")
}

fn messages(list: &[Value]) -> Result<()> {
    for (i, value) in list.iter().enumerate() {
        message(value).map_err(|e| e.within(format!("[{i}]")))?;
    }
    Ok(())
}

fn message(value: &Value) -> Result<()> {
    let hint = "a message is an object with `role` and `content`";
    let Value::Object(fields) = value else {
        return Err(wrong("an object", Some(value)).with_hint(hint));
    };
    if let Some(role) = fields.get("role")
        && !matches!(role, Value::String(_) | Value::Null)
    {
        return Err(wrong("a string", Some(role)).at("role").with_hint(hint));
    }
    match fields.get("content") {
        None | Some(Value::String(_) | Value::Null) => {}
        Some(Value::Array(parts)) => {
            for (i, value) in parts.iter().enumerate() {
                part(value).map_err(|e| e.within(format!("content[{i}]")))?;
            }
        }
        other => {
            let expected = "a string or a list of text parts";
            return Err(wrong(expected, other).at("content").with_hint(hint));
        }
    }
    let texts = ["tool_call_id", "name"].into_iter().chain(REASONING);
    for name in texts {
        match fields.get(name) {
            None | Some(Value::String(_) | Value::Null) => {}
            other => {
                let e = wrong("a string", other).at(name);
                return Err(e.with_hint("give a string, or leave it out"));
            }
        }
    }
    let mut thoughts = REASONING.into_iter().filter(|key| {
        fields.get(*key).and_then(Value::as_str).is_some_and(|text| !text.is_empty())
    });
    if let (Some(_), Some(second)) = (thoughts.next(), thoughts.next()) {
        let e = Error::data("the message has its reasoning twice").at(second);
        return Err(e.with_hint("keep one of the two"));
    }
    match fields.get("weight") {
        None | Some(Value::Number(_) | Value::Null) => {}
        other => {
            let e = wrong("a number", other).at("weight");
            return Err(e.with_hint("`weight` says how much the message counts; 0 is not trained"));
        }
    }
    match fields.get("trainable") {
        None | Some(Value::Bool(_) | Value::Null) => {}
        other => {
            let e = wrong("true or false", other).at("trainable");
            return Err(e.with_hint("`trainable` says whether the message is trained"));
        }
    }
    list_or_nothing(fields, "tool_calls")
}

fn part(value: &Value) -> Result<()> {
    let hint =
        r#"a part is {"type": "text", "text": "…"} or {"type": "thinking", "thinking": "…"}"#;
    let Value::Object(fields) = value else {
        return Err(wrong("an object", Some(value)).with_hint(hint));
    };
    let key = match fields.get("type") {
        Some(Value::String(kind)) if kind == "text" => "text",
        Some(Value::String(kind)) if kind == "thinking" => "thinking",
        Some(Value::String(kind)) => {
            let what = format!("`{}` parts cannot be rendered", super::quoted(kind));
            return Err(Error::data(what).at("type").with_hint("only text parts are supported"));
        }
        other => return Err(wrong("a string", other).at("type").with_hint(hint)),
    };
    match fields.get(key) {
        Some(Value::String(_)) => Ok(()),
        other => Err(wrong("a string", other).at(key).with_hint(hint)),
    }
}

fn list_or_nothing(fields: &Map<String, Value>, name: &str) -> Result<()> {
    match fields.get(name) {
        None | Some(Value::Array(_) | Value::Null) => Ok(()),
        other => {
            Err(wrong("a list", other).at(name).with_hint("give a JSON list, or leave it out"))
        }
    }
}

fn wrong(expected: &str, found: Option<&Value>) -> Error {
    let found = match found {
        None => "nothing",
        Some(Value::Null) => "null",
        Some(Value::Bool(_)) => "a boolean",
        Some(Value::Number(_)) => "a number",
        Some(Value::String(_)) => "a string",
        Some(Value::Array(_)) => "an array",
        Some(Value::Object(_)) => "an object",
    };
    Error::data(format!("must be {expected}, found {found}"))
}
