//! `samples.jsonl`: what base and tuned model answered to held-out prompts.

use super::{durable, journal};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::Path;

/// One prompt and its answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answers {
    /// The messages that were answered.
    pub messages: Value,
    /// The base model's answer.
    pub base: String,
    /// The tuned model's answer.
    pub tuned: String,
    /// The answer of the dataset.
    pub reference: String,
}

impl Answers {
    /// The text of the last message: what was asked.
    #[must_use]
    pub fn question(&self) -> &str {
        let last = self.messages.as_array().and_then(|m| m.last());
        last.and_then(|m| m["content"].as_str()).unwrap_or_default()
    }
}

/// Writes all answers, in the place of earlier ones.
///
/// # Errors
/// `failed` that names the file; it is then as it was.
pub fn write_samples(path: &Path, answers: &[Answers]) -> Result<()> {
    let mut text = String::new();
    for answer in answers {
        text += &serde_json::to_string(answer)
            .map_err(|e| Error::failed(format!("write `{}`: {e}", path.display())))?;
        text.push('\n');
    }
    durable::replace(path, text.as_bytes())
}

/// Reads the answers. An absent file has none.
///
/// # Errors
/// `failed` with file and line where a line is damaged.
pub fn read_samples(path: &Path) -> Result<Vec<Answers>> {
    journal::read(path)
}
