//! Prompts of what is held out, for answers before and after training.

use super::{
    formats,
    read::{Lines, Reader},
    source::DataSource,
    spool::Used,
};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A prompt of what is held out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeldOut {
    /// The messages up to the last of the assistant, a JSON array.
    pub messages: Value,
    /// The text of that last message.
    pub reference: String,
}

/// Reads the records again, by their place, and takes their prompts. Records without messages, or
/// without text from the assistant, have none; of a pair, the chosen answer counts.
pub(super) fn prompts(
    sources: &[DataSource],
    records: impl Iterator<Item = Result<Used>>,
) -> Result<Vec<HeldOut>> {
    let mut prompts = Vec::new();
    let mut passing = Passing::default();
    for used in records {
        let used = used?;
        let source = &sources[used.source.dataset as usize];
        let line = passing.line(source, &used).map_err(|e| source.blame(e))?;
        let mapped = line.and_then(|line| {
            let mapped = formats::map_record(&line, &source.mapping).ok()?;
            Some(mapped.conversations().first().and_then(|first| prompt(&first.json)))
        });
        let Some(found) = mapped else {
            return Err(Error::data("the file was changed while it was read").place(
                source.name(),
                Some(used.source.line),
                None,
            ));
        };
        prompts.extend(found);
    }
    Ok(prompts)
}

/// A container read again from its beginning: its records come by in order.
#[derive(Default)]
struct Passing {
    dataset: Option<u32>,
    reader: Option<Reader>,
    batch: Lines,
    /// Row of the batch that comes next.
    next: usize,
}

impl Passing {
    fn line(&mut self, source: &DataSource, used: &Used) -> Result<Option<String>> {
        if self.dataset != Some(used.source.dataset) {
            let reader = source.lines()?;
            *self = Self { dataset: Some(used.source.dataset), ..Self::default() };
            self.reader = Some(reader);
        }
        let Some(reader) = &mut self.reader else { return Ok(None) };
        if reader.counted().is_seekable() {
            let lines = source.lines_from(used.offset)?.next_lines()?;
            return Ok(lines.and_then(|l| l.rows.first().map(|row| l.text(row).to_owned())));
        }
        loop {
            while let Some(row) = self.batch.rows.get(self.next) {
                self.next += 1;
                if row.record == used.source.record {
                    return Ok(Some(self.batch.text(row).to_owned()));
                }
            }
            match reader.next_lines()? {
                Some(batch) => (self.batch, self.next) = (batch, 0),
                None => return Ok(None),
            }
        }
    }
}

fn prompt(json: &str) -> Option<HeldOut> {
    let mut record: Value = serde_json::from_str(json).ok()?;
    let Value::Array(mut messages) = record.get_mut("messages")?.take() else { return None };
    let last = messages.iter().rposition(|m| m["role"] == "assistant")?;
    let reference = text(&messages[last]["content"])?;
    messages.truncate(last);
    Some(HeldOut { messages: Value::Array(messages), reference })
}

/// A string, or the text parts of a list.
fn text(content: &Value) -> Option<String> {
    match content {
        Value::String(text) => Some(text.clone()),
        Value::Array(parts) => {
            let texts: Vec<&str> = parts.iter().filter_map(|p| p["text"].as_str()).collect();
            (!texts.is_empty()).then(|| texts.concat())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_prompt_ends_before_the_last_answer() {
        let record = json!({"messages": [
            {"role": "system", "content": "s"}, {"role": "user", "content": "1"},
            {"role": "assistant", "content": "a"}, {"role": "user", "content": "2"},
            {"role": "assistant", "content": [{"type": "text", "text": "b"}]},
            {"role": "user", "content": "thanks"}
        ]});
        let held = prompt(&record.to_string()).unwrap();
        assert_eq!(held.messages.as_array().unwrap().len(), 4);
        assert_eq!(held.reference, "b");
    }

    #[test]
    fn records_without_an_answer_have_no_prompt() {
        for record in [
            json!({"messages": [{"role": "user", "content": "1"}]}),
            json!({"messages": [{"role": "assistant", "content": null, "tool_calls": []}]}),
            json!({"text": "x"}),
        ] {
            assert_eq!(prompt(&record.to_string()), None);
        }
    }
}
