//! Proves that the corpus holds nothing of the task: no line in its form, no answer of the dataset,
//! no eight words in a row of a held-out message.

use anyhow::{Context, ensure};
use serde_json::Value;
use std::{collections::HashSet, fs, path::Path};

/// Words in a row that count as copied.
const SPAN: usize = 8;

/// What the corpus must not hold.
#[derive(Debug)]
pub struct Forbidden {
    answers: HashSet<String>,
    spans: HashSet<Vec<String>>,
}

impl Forbidden {
    /// Reads the dataset in `dir`: the answers of both files, the user messages of the held-out one.
    ///
    /// # Errors
    /// If a file is missing or no dataset.
    pub fn read(dir: &Path) -> anyhow::Result<Self> {
        let mut forbidden = Self { answers: HashSet::new(), spans: HashSet::new() };
        for (file, held_out) in [("train.jsonl", false), ("held-out.jsonl", true)] {
            let path = dir.join(file);
            let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            for line in text.lines() {
                let row: Value = serde_json::from_str(line)?;
                for message in row["messages"].as_array().context("no messages")? {
                    let content = message["content"].as_str().context("no content")?;
                    if message["role"] == "assistant" {
                        forbidden.answers.insert(content.to_owned());
                    } else if held_out && message["role"] == "user" {
                        let words = words(content);
                        forbidden.spans.extend(words.windows(SPAN).map(<[String]>::to_vec));
                    }
                }
            }
        }
        Ok(forbidden)
    }

    /// Fails if a document holds any of it.
    ///
    /// # Errors
    /// With what was found.
    pub fn check(&self, document: &str) -> anyhow::Result<()> {
        for line in document.lines() {
            ensure!(!is_form(line), "a line in the task's form: {line}");
        }
        for span in words(document).windows(SPAN) {
            ensure!(!self.spans.contains(span), "words of a held-out message: {}", span.join(" "));
        }
        for part in document.split("<|im_end|>") {
            let content = part.split_once('\n').map_or(part, |(_, content)| content);
            ensure!(!self.answers.contains(content.trim()), "an answer of the dataset: {content}");
        }
        Ok(())
    }
}

/// Whether a line has the task's form: one of its keys, a colon, a value.
fn is_form(line: &str) -> bool {
    line.split_once(": ").is_some_and(|(key, value)| {
        ["who", "what", "when", "where", "cost", "why"].contains(&key.trim()) && !value.is_empty()
    })
}

fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}
