//! The prompt that inference would give the model, through the same pipeline as examples.

use serde_json::{Value, json};
use std::sync::Arc;
use tinsmith_plugin_api::{
    Error, Examples, Parsed, Record, RecordError, RendererHandle, Result, Stop,
};

/// Renders each record to the prompt before its last answer: tokens of weight 0.
pub struct Prompts(pub Arc<dyn RendererHandle>);

impl Prompts {
    fn prompt(&self, json: &str) -> Result<Vec<i32>> {
        let record = Record::new(json);
        let Some(Value::Array(messages)) = record.get("messages")? else {
            return Err(Error::data("must be a list of messages").at("messages"));
        };
        let answered = messages.last().is_some_and(|m| m["role"] == "assistant");
        let shown = &messages[..messages.len() - usize::from(answered)];
        let tools =
            record.get("tools")?.and_then(Value::as_array).filter(|tools| !tools.is_empty());
        self.0.generation_prompt(&match tools {
            Some(tools) => json!({"messages": shown, "tools": tools}),
            None => Value::Array(shown.to_vec()),
        })
    }
}

impl RendererHandle for Prompts {
    fn render_batch(&self, records: &[&str]) -> Result<Examples> {
        let mut out = Examples::default();
        for (i, json) in records.iter().enumerate() {
            let i = i as u32;
            match self.prompt(json) {
                Ok(tokens) => {
                    let before = out.len();
                    out.span(&tokens, 0.0).finish();
                    if out.len() > before {
                        (out.record[before], out.ordinal[before]) = (i, 0);
                    }
                }
                Err(error) if error.kind() == tinsmith_plugin_api::ErrorKind::DATA => {
                    out.errors.push(RecordError { record: i, error });
                }
                Err(error) => return Err(error),
            }
        }
        Ok(out)
    }

    fn generation_prompt(&self, messages: &Value) -> Result<Vec<i32>> {
        self.0.generation_prompt(messages)
    }

    fn stop(&self) -> Result<Stop> {
        self.0.stop()
    }

    fn parse_response(&self, tokens: &[i32]) -> Result<Parsed> {
        self.0.parse_response(tokens)
    }
}
