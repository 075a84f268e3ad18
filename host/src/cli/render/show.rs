//! Examples on paper: as JSON lines, as marked text.

use super::{runs::runs, visible::visible};
use crate::{
    Result,
    cli::Ui,
    data::{Rendered, trained_tokens},
    tokenizer::Tokenizer,
};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::{collections::HashSet, fmt::Write, ops::Range};
use tinsmith_plugin_api::ColumnData;

/// One example, and where it comes from.
pub struct Shown<'a> {
    /// The file.
    pub file: &'a str,
    /// The batch that it is in.
    pub batch: &'a Rendered,
    /// Its number in the batch.
    pub example: usize,
    /// How many of its tokens are used.
    pub tokens: usize,
    /// What the user should know about it, such as that it is cut.
    pub note: &'a str,
    /// Ids of control tokens.
    pub controls: &'a HashSet<i32>,
}

/// One JSON line. The order of its keys is part of what the command promises.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    record: u64,
    tokens: &'a [i32],
    weights: &'a [f32],
    #[serde(skip_serializing_if = "Map::is_empty")]
    columns: Map<String, Value>,
}

impl Shown<'_> {
    fn range(&self) -> Range<usize> {
        let start = self.batch.examples.range(self.example).start;
        start..start + self.tokens
    }

    fn row(&self) -> (u64, u64) {
        let record = self.batch.examples.record[self.example] as usize;
        let row = &self.batch.lines.rows[self.batch.given[record] as usize];
        (row.line, row.record)
    }

    /// Appends it as a JSON line, with the file's name where there are several.
    pub fn json(&self, several: bool, out: &mut String) {
        let (range, examples) = (self.range(), &self.batch.examples);
        let columns = examples.columns.iter().map(|column| {
            let values = match &column.data {
                ColumnData::F32(values) => json!(values[range.clone()]),
                ColumnData::I64(values) => json!(values[range.clone()]),
            };
            (column.name.clone(), values)
        });
        let line = Line {
            file: several.then_some(self.file),
            record: self.row().1,
            tokens: &examples.tokens[range.clone()],
            weights: &examples.weights[range.clone()],
            columns: columns.collect(),
        };
        // Numbers and strings always serialise.
        out.push_str(&serde_json::to_string(&line).unwrap_or_default());
        out.push('\n');
    }

    /// Appends it as text for a terminal. Trained text is underlined and green on a terminal with
    /// colours, and between `⟦` and `⟧` elsewhere: never told by colour alone. Control tokens stand
    /// between `⟪` and `⟫`: text that only spells one does not.
    pub fn table(&self, ui: &Ui, tokenizer: &Tokenizer, out: &mut String) -> Result<()> {
        let color = ui.color();
        let (on, off) = if color { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{on}{}{off}{}", self.head(), self.note);
        out.push_str("  ");
        let (range, examples) = (self.range(), &self.batch.examples);
        let mut rest = &examples.tokens[range.clone()];
        for (count, weight) in runs(&examples.weights[range]) {
            let run;
            (run, rest) = rest.split_at(count);
            let text = self.text(run, tokenizer)?;
            let (before, after) = match (weight, color) {
                (0.0, true) => ("\x1b[2m".to_owned(), "\x1b[0m"),
                (0.0, false) => (String::new(), ""),
                (1.0, true) => ("\x1b[4;32m".to_owned(), "\x1b[0m"),
                (1.0, false) => ("⟦".to_owned(), "⟧"),
                (w, true) => (format!("\x1b[4;33m{w}:"), "\x1b[0m"),
                (w, false) => (format!("⟦{w}:"), "⟧"),
            };
            let lines: Vec<&str> = text.split('\n').collect();
            for (i, line) in lines.iter().enumerate() {
                // Colours end with the line, so that nothing leaks into the margin.
                let (open, close) = if color {
                    (before.as_str(), after)
                } else {
                    (
                        if i == 0 { before.as_str() } else { "" },
                        if i + 1 == lines.len() { after } else { "" },
                    )
                };
                if i > 0 {
                    out.push_str("\n  ");
                }
                if !line.is_empty() || !color {
                    let _ = write!(out, "{open}{line}{close}");
                }
            }
        }
        out.push_str("\n\n");
        Ok(())
    }

    /// Tokens as text, with signs around the control tokens.
    fn text(&self, tokens: &[i32], tokenizer: &Tokenizer) -> Result<String> {
        let mut out = String::new();
        for part in tokens.chunk_by(|a, b| !self.controls.contains(a) && !self.controls.contains(b))
        {
            let text = visible(&tokenizer.decode_bytes(part)?);
            // A control token is a part by itself.
            if self.controls.contains(&part[0]) {
                let _ = write!(out, "⟪{text}⟫");
            } else {
                out.push_str(&text);
            }
        }
        Ok(out)
    }

    fn head(&self) -> String {
        let (line, record) = self.row();
        let trained = trained_tokens(&self.batch.examples.weights[self.range()]);
        let ordinal = match self.batch.examples.ordinal[self.example] {
            0 => String::new(),
            n => format!(".{n}"),
        };
        format!(
            "{}:{line}  record {record}{ordinal}  {} tokens long, {trained} trained",
            self.file, self.tokens
        )
    }
}
