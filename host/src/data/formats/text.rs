//! `{"text": …}`: trained as a whole, as it stands. No renderer sees it: it has no turns.

use super::NoRecord;
use crate::data::{Mapping, scan};

const SHAPE: &str = "each record is `{\"text\": …}`";

/// A text and the name of its field.
#[derive(Clone, Debug, PartialEq)]
pub struct PlainText {
    /// The text, not empty.
    pub text: String,
    /// What its field is called.
    pub field: String,
}

/// Maps a line.
pub(super) fn map(line: &str, mapping: &Mapping) -> Result<PlainText, NoRecord> {
    let members = scan::members(line, 0);
    let name = mapping.name(&mapping.fields.text, "text");
    let (span, json) = super::required(line, &members, name, SHAPE)?;
    match serde_json::from_str(json) {
        Ok(text) => Ok(PlainText { text, field: name.to_owned() }),
        Err(_) => Err((span.start, super::wrong("a string", name, SHAPE))),
    }
}
