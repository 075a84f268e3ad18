/*!
The text of an answer in which control tokens can be told from text that spells them.

A model may *write about* `<|channel|>`, letter by letter. Families read an answer as text, so what
ordinary tokens spell is parted by a character that the answer does not hold; the character is taken out
of whatever was read.
*/

use crate::controls::Controls;
use serde_json::Value;
use tinsmith_plugin_api::{Result, Services};

/// Characters that are none, by the Unicode standard (section 23.7): for internal use.
const NONCHARACTERS: std::ops::RangeInclusive<char> = '\u{FDD0}'..='\u{FDEF}';

/// A text, and what parts the control tokens in it that are none.
#[derive(Debug)]
pub(super) struct Spelled {
    text: String,
    mark: Option<char>,
}

impl Spelled {
    /// The text of these tokens.
    ///
    /// # Errors
    /// A data error for ids outside the vocabulary.
    pub(super) fn new(services: &Services, controls: &Controls, tokens: &[i32]) -> Result<Self> {
        let text = services.decode(tokens)?;
        let mark = NONCHARACTERS.into_iter().find(|mark| !text.contains(*mark));
        let Some(mark) = mark.filter(|_| controls.first(&text).is_some()) else {
            return Ok(Self { text, mark: None });
        };
        let mut parted = String::with_capacity(text.len() + mark.len_utf8());
        for run in tokens.chunk_by(|a, b| !controls.has(*a) && !controls.has(*b)) {
            let said = services.decode(run)?;
            let mut rest = said.as_str();
            while let Some((_, found)) = controls.first(rest).filter(|_| !controls.has(run[0])) {
                let inside = found.start + rest[found].chars().next().map_or(0, char::len_utf8);
                parted += &rest[..inside];
                parted.push(mark);
                rest = &rest[inside..];
            }
            parted += rest;
        }
        // Most answers hold real ones alone.
        Ok(if parted.contains(mark) {
            Self { text: parted, mark: Some(mark) }
        } else {
            Self { text, mark: None }
        })
    }

    /// What `read` makes of the text.
    pub(super) fn read(self, read: impl FnOnce(&str) -> Value) -> Value {
        let mut value = read(&self.text);
        if let Some(mark) = self.mark {
            unmark(&mut value, mark);
        }
        value
    }
}

/// Takes the mark out of every string.
fn unmark(value: &mut Value, mark: char) {
    match value {
        Value::String(text) => text.retain(|c| c != mark),
        Value::Array(values) => values.iter_mut().for_each(|value| unmark(value, mark)),
        Value::Object(map) => map.values_mut().for_each(|value| unmark(value, mark)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
