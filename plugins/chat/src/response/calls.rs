//! Calls of tools in the text of an answer: those that can be made, and those that cannot.

use super::blocks::Tags;
use crate::python;
use serde_json::{Value, json};

/// How much of a text that is no call is kept, in characters.
const KEPT: usize = 16_384;

/// What an answer calls.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    good: Vec<Value>,
    bad: Vec<Value>,
}

impl Calls {
    /// Whether nothing was called, or was meant to be.
    pub(crate) fn is_empty(&self) -> bool {
        self.good.is_empty() && self.bad.is_empty()
    }

    /// How many calls there were, good and bad.
    pub(crate) fn len(&self) -> usize {
        self.good.len() + self.bad.len()
    }

    /// A call with its arguments as JSON text.
    pub(crate) fn good(&mut self, name: &str, arguments: &str, id: Option<&str>) {
        let function = json!({"name": name, "arguments": arguments});
        let mut call = json!({"type": "function", "function": function});
        if let Some(id) = id {
            call["id"] = json!(id);
        }
        self.good.push(call);
    }

    /// A call whose arguments are good if they are JSON.
    pub(crate) fn json(&mut self, name: &str, arguments: &str, id: Option<&str>, raw: &str) {
        match serde_json::from_str::<Value>(arguments) {
            Ok(_) => self.good(name, arguments, id),
            Err(e) => self.bad(raw, &format!("invalid JSON: {e}")),
        }
    }

    /// A call written as `{"name": …, "arguments": {…}}`.
    pub(crate) fn object(&mut self, text: &str, raw: &str) {
        match Object::read(text) {
            Ok(call) => self.good(&call.name, &call.arguments, call.id.as_deref()),
            Err(e) => self.bad(raw, &e),
        }
    }

    /// A text that was meant to be a call.
    pub(crate) fn bad(&mut self, raw: &str, error: &str) {
        let raw: String = raw.chars().take(KEPT).collect();
        self.bad.push(json!({"raw_text": raw, "error": error}));
    }

    /// A block that was opened and never closed. True if there was one.
    pub(crate) fn unclosed(&mut self, text: &str, (open, close): Tags) -> bool {
        let opened = text.matches(open).count();
        let unclosed = opened > text.matches(close).count();
        if let (true, Some(at)) = (unclosed, text.rfind(open)) {
            self.bad(&text[at..], &format!("`{open}` is never closed by `{close}`"));
        }
        unclosed
    }

    /// Adds the calls to a message.
    pub(crate) fn into_message(self, message: &mut Value) {
        for (key, calls) in [("tool_calls", self.good), ("unparsed_tool_calls", self.bad)] {
            if !calls.is_empty() {
                message[key] = Value::Array(calls);
            }
        }
    }
}

/// A call that was written as a JSON object.
#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) name: String,
    pub(crate) arguments: String,
    pub(crate) id: Option<String>,
}

impl Object {
    /// Reads `{"name": …, "arguments": {…}}`, or says why it is no call.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let call: Value =
            serde_json::from_str(text.trim()).map_err(|e| format!("invalid JSON: {e}"))?;
        let Value::Object(fields) = &call else {
            return Err("the call is no JSON object".to_owned());
        };
        let Some(Value::String(name)) = fields.get("name") else {
            return Err("`name` is missing or no string".to_owned());
        };
        let Some(arguments @ Value::Object(_)) = fields.get("arguments") else {
            return Err("`arguments` is missing or no object".to_owned());
        };
        Ok(Self {
            name: name.clone(),
            arguments: python::json(arguments, python::DUMPS),
            id: fields.get("id").and_then(Value::as_str).map(str::to_owned),
        })
    }
}
