//! A record as a template sees it.

use super::shield::Shield;
use crate::{controls::Controls, schema::unreadable};
use minijinja::{Value, value::Serde};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use tinsmith_plugin_api::{Error, Result};

/// The messages and tools of a record, with control-token texts shielded.
#[derive(Debug)]
pub(super) struct Conversation {
    pub(super) messages: Vec<Value>,
    /// The record's list of tools, or none.
    pub(super) tools: Value,
    pub(super) shield: Shield,
}

impl Default for Conversation {
    fn default() -> Self {
        Self { messages: Vec::new(), tools: Value::from(()), shield: Shield::default() }
    }
}

impl Conversation {
    /// The conversation of a record that `schema::parse` has accepted.
    pub(super) fn of_record(json: &str, controls: &Controls) -> Result<Self> {
        let mut record: Json = serde_json::from_str(json).map_err(|e| unreadable(&e))?;
        let mut take = |name: &str| record.get_mut(name).map(Json::take).unwrap_or_default();
        let messages = match take("messages") {
            Json::Array(messages) => messages,
            _ => {
                let prompt = spoken("user", take("prompt"));
                prompt.into_iter().chain(spoken("assistant", take("completion"))).collect()
            }
        };
        Self::shielded(messages, take("tools"), controls)
    }

    /// The conversation of a JSON array of messages.
    pub(super) fn of_messages(messages: &Json, controls: &Controls) -> Result<Self> {
        let messages = messages.as_array().cloned().unwrap_or_default();
        Self::shielded(messages, Json::Null, controls)
    }

    /// The same conversation with another content in message `i`.
    pub(super) fn with_content(&self, i: usize, content: &str) -> Self {
        let mut messages = self.messages.clone();
        let names = messages[i].try_iter().into_iter().flatten();
        let field =
            |name: Value| (name.to_string(), messages[i].get_item(&name).unwrap_or_default());
        let mut fields: BTreeMap<String, Value> = names.map(field).collect();
        fields.insert("content".into(), Value::from(content));
        messages[i] = Value::from(fields);
        Self { messages, tools: self.tools.clone(), shield: Shield::default() }
    }

    /// The content of message `i` as the template sees it, if it is a string.
    pub(super) fn content(&self, i: usize) -> Option<String> {
        self.messages[i].get_attr("content").ok()?.as_str().map(str::to_owned)
    }

    fn shielded(messages: Vec<Json>, mut tools: Json, controls: &Controls) -> Result<Self> {
        let mut shield = Shield::default();
        let mut texts = |value: &mut Json| each_string(value, &mut |s| shield.cover(s, controls));
        let mut shown = Vec::with_capacity(messages.len());
        for (i, mut message) in messages.into_iter().enumerate() {
            tidy(&mut message);
            texts(&mut message).map_err(|e| e.within(format!("messages[{i}]")))?;
            shown.push(Value::from(Serde(message)));
        }
        texts(&mut tools).map_err(|e| e.within("tools"))?;
        Ok(Self { messages: shown, tools: Value::from(Serde(tools)), shield })
    }
}

/// A prompt or completion as messages.
fn spoken(role: &str, part: Json) -> Vec<Json> {
    match part {
        Json::Array(messages) => messages,
        text => vec![serde_json::json!({"role": role, "content": text})],
    }
}

/// Joins text parts, which not every template takes, and drops the nulls that column formats fill
/// in for absent keys, since templates ask whether a key is defined.
fn tidy(message: &mut Json) {
    let Json::Object(fields) = message else { return };
    fields.retain(|name, value| name == "content" || !value.is_null());
    // These are tinsmith's, not the template's.
    fields.shift_remove("trainable");
    fields.shift_remove("weight");
    if let Some(Json::Array(parts)) = fields.get("content") {
        let texts = parts.iter().filter_map(|part| part.get("text").and_then(Json::as_str));
        let joined = texts.collect::<String>();
        fields.insert("content".into(), Json::String(joined));
    }
}

/// Changes every string in a tree, values and keys of nested objects alike.
fn each_string(value: &mut Json, change: &mut impl FnMut(&mut String) -> Result<()>) -> Result<()> {
    match value {
        Json::String(text) => change(text),
        Json::Array(items) => items.iter_mut().try_for_each(|item| each_string(item, change)),
        Json::Object(fields) => {
            for (name, item) in fields.iter_mut() {
                each_string(item, change).map_err(|e: Error| e.within(name))?;
            }
            Ok(())
        }
        _ => Ok(()),
    }
}
