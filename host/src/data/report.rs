//! What became of every row: nothing is left out without being counted.

use super::{
    lengths::Lengths, limits::Fate, pipeline::Rendered, read::Digested, refused::RefusedRow,
};
use crate::{Error, Result, runs::DataFacts};
use serde::{Deserialize, Serialize};

/// Refused rows that a report names; the rest is counted.
const NAMED: usize = 20;

/// One dataset, as it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileReport {
    /// The file, or the id of a staged dataset.
    pub name: String,
    /// Bytes read.
    pub bytes: u64,
    /// sha256 of these bytes, in hex.
    pub sha256: String,
    /// Records, refused ones included.
    pub rows: u64,
    /// Lines with nothing but white space.
    pub blank: u64,
}

/// What became of every row of some datasets.
///
/// `rows = used + refused + skipped + overlong + untrained + duplicates`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataReport {
    /// The datasets, in order.
    pub files: Vec<FileReport>,
    /// Records read.
    pub rows: u64,
    /// Blank lines, which are no records.
    pub blank: u64,
    /// Rows with at least one example in use.
    pub used: u64,
    /// Rows with something wrong in them.
    pub refused: u64,
    /// Rows of which the renderer made no example.
    pub skipped: u64,
    /// Rows left out because every example of theirs is too long.
    pub overlong: u64,
    /// Rows left out because no token of theirs is trained.
    pub untrained: u64,
    /// Rows left out because an earlier one is their exact copy (`data.dedupe`).
    pub duplicates: u64,
    /// Rows in use that are preference pairs.
    pub pairs: u64,
    /// Examples in use.
    pub examples: u64,
    /// Their tokens that the model reads: all of each example but its last, which is only
    /// predicted.
    pub tokens: u64,
    /// Those of them after which a trained token is predicted.
    pub trained_tokens: u64,
    /// Lengths of the examples in use, as they are used: whole examples, as `data.max_length`
    /// counts.
    // What is told of them is less than what is counted.
    #[serde(skip_deserializing)]
    pub lengths: Lengths,
    /// Tokens of the longest example rendered, before any cut.
    pub longest: u64,
    /// Examples left out because they are too long.
    pub dropped_examples: u64,
    /// Examples left out because no token of theirs is trained.
    pub untrained_examples: u64,
    /// Examples in use that were cut.
    pub truncated: u64,
    /// Those of them that lost trained tokens.
    pub answers_cut: u64,
    /// Those of them of which the cut goes through an answer: its end is not trained.
    pub ends_cut: u64,
    /// Rows that fit since their oldest turns were left out.
    pub shortened: u64,
    /// These turns.
    pub dropped_turns: u64,
    /// Rows that repeat an earlier one, byte for byte, and were kept (`data.dedupe: none`), where that
    /// was looked for.
    pub repeated: u64,
    /// Whether there were too many rows to find every one of them.
    pub repeated_partial: bool,
    /// Rows held out for evaluation: drawn, or of a dataset of their own.
    pub held_out: u64,
    /// Rows held out whose text also stands in a row trained on.
    pub leaked: u64,
    /// The first refused rows.
    pub first_refused: Vec<RefusedRow>,
}

impl DataReport {
    /// Counts a batch whose examples had these fates.
    pub fn add(&mut self, name: &str, rendered: &Rendered, fates: &[Fate]) {
        let rows = row_fates(rendered, fates);
        self.rows += (rows.len() + rendered.refused.len()) as u64;
        self.blank += rendered.lines.blank;
        self.refused += rendered.refused.len() as u64;
        for fate in rows {
            match fate {
                None => self.skipped += 1,
                Some(Fate::Used { .. }) => self.used += 1,
                Some(Fate::Overlong) => self.overlong += 1,
                Some(Fate::Untrained | Fate::Refused) => self.untrained += 1,
                Some(Fate::Duplicate) => self.duplicates += 1,
            }
        }
        for (i, fate) in fates.iter().enumerate() {
            let range = rendered.examples.range(i);
            self.longest = self.longest.max(range.len() as u64);
            match *fate {
                Fate::Used { tokens, cut } => {
                    let kept = &rendered.examples.weights[range.start..range.start + tokens];
                    self.examples += 1;
                    self.tokens += tokens.saturating_sub(1) as u64;
                    self.trained_tokens += super::trained_tokens(kept);
                    self.lengths.add(tokens);
                    if let Some(cut) = cut {
                        self.longest = self.longest.max((tokens + cut.lost) as u64);
                        self.truncated += 1;
                        self.answers_cut += u64::from(cut.answer);
                        self.ends_cut += u64::from(cut.end);
                    }
                }
                Fate::Overlong => self.dropped_examples += 1,
                Fate::Untrained => self.untrained_examples += 1,
                Fate::Refused | Fate::Duplicate => {}
            }
        }
        let examples = &rendered.examples;
        let first = |i: &usize| examples.ordinal[*i] == 0 && matches!(fates[*i], Fate::Used { .. });
        let pairs = (0..fates.len())
            .filter(first)
            .filter(|i| rendered.pairs.binary_search(&examples.record[*i]).is_ok());
        self.pairs += pairs.count() as u64;
        for row in &rendered.shortened {
            self.shortened += 1;
            self.dropped_turns += row.turns;
            let longest = row.whole.iter().map(|(length, _)| *length).max();
            self.longest = self.longest.max(longest.unwrap_or(0) as u64);
        }
        let room = NAMED.saturating_sub(self.first_refused.len());
        self.first_refused.extend(rendered.refused.iter().take(room).map(|r| r.told(name)));
    }

    /// What a run records of it.
    #[must_use]
    pub fn facts(&self) -> DataFacts {
        DataFacts {
            rows: self.rows,
            used: self.used,
            refused: self.refused,
            skipped: self.skipped,
            overlong: self.overlong,
            untrained: self.untrained,
            duplicates: self.duplicates,
            truncated: self.truncated,
            answers_cut: self.answers_cut,
            ends_cut: self.ends_cut,
            shortened: self.shortened,
            dropped_turns: self.dropped_turns,
            repeated: self.repeated,
            leaked: self.leaked,
            longest: self.longest,
        }
    }

    /// Notes that a dataset is read.
    pub fn end(&mut self, name: String, digest: Digested) {
        let before: (u64, u64) =
            self.files.iter().fold((0, 0), |(r, b), f| (r + f.rows, b + f.blank));
        self.files.push(FileReport {
            name,
            bytes: digest.bytes,
            sha256: digest.sha256,
            rows: self.rows - before.0,
            blank: self.blank - before.1,
        });
    }

    /// Checks that every dataset has a record.
    ///
    /// # Errors
    /// A data error that names the file.
    pub fn check_files(&self) -> Result<()> {
        let Some(empty) = self.files.iter().find(|f| f.rows == 0) else { return Ok(()) };
        let what = if empty.bytes == 0 { "the file is empty" } else { "the file has no record" };
        Err(Error::data(what)
            .place(&empty.name, None, None)
            .hint("each line is one record, such as `{\"messages\": [{\"role\": \"user\", …}]}`"))
    }

    /// The error that nothing is left to train on, with the reasons counted.
    #[must_use]
    pub fn nothing_left(&self) -> Error {
        let counts = [
            (self.untrained, "without a trained token"),
            (self.overlong, "longer than `data.max_length`"),
            (self.refused, "bad"),
            (self.skipped, "skipped by the renderer"),
            (self.duplicates, "copies of others"),
            (self.held_out, "held out for evaluation"),
        ];
        let told: Vec<String> =
            counts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
        let hint = if self.untrained > 0 {
            "does `data.train_on` choose messages that the data has? \
             `tinsmith render` shows the weights"
        } else {
            "`tinsmith data stats` shows lengths and reasons"
        };
        Error::data(format!("nothing to train on: of {} rows, {}", self.rows, told.join(", ")))
            .hint(hint)
    }

    /// What a user should know before training: one line each, none where all is well.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let note = |count: u64, one: &str, many: &str| {
            (count > 0).then(|| format!("{count} {}", if count == 1 { one } else { many }))
        };
        [
            note(self.refused, "bad row left out", "bad rows left out"),
            note(self.skipped, "row skipped by the renderer", "rows skipped by the renderer"),
            note(
                self.dropped_examples,
                "example left out: longer than `data.max_length`",
                "examples left out: longer than `data.max_length`",
            ),
            note(
                self.untrained_examples,
                "example left out: no token of it is trained",
                "examples left out: no token of them is trained",
            ),
            note(
                self.duplicates,
                "row left out: an exact copy of an earlier one",
                "rows left out: exact copies of earlier ones",
            ),
            note(
                self.truncated,
                "example cut at `data.max_length`",
                "examples cut at `data.max_length`",
            )
            .map(|text| {
                let (within, ends) = (self.answers_cut, self.ends_cut);
                format!(
                    "{text}, {within} of them within an answer; {ends} lost the end of an answer"
                )
            }),
            note(
                self.shortened,
                "row fits without its oldest turns",
                "rows fit without their oldest turns",
            )
            .map(|text| format!("{text}; turns left out: {}", self.dropped_turns)),
            note(
                self.repeated,
                "row repeats an earlier one, byte for byte",
                "rows repeat an earlier one, byte for byte",
            )
            .map(|text| if self.repeated_partial { format!("at least {text}") } else { text }),
            note(
                self.leaked,
                "held-out row also stands in the training data",
                "held-out rows also stand in the training data",
            ),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// The best fate of the examples of each row that was not refused; None for a row without any.
fn row_fates(rendered: &Rendered, fates: &[Fate]) -> Vec<Option<Fate>> {
    let mut rows: Vec<Option<Fate>> = vec![None; rendered.given.len()];
    let rank = |fate: &Fate| match fate {
        Fate::Used { .. } => 3,
        Fate::Overlong => 2,
        Fate::Duplicate => 4,
        Fate::Untrained => 1,
        Fate::Refused => 0,
    };
    for (record, fate) in rendered.examples.record.iter().zip(fates) {
        let row = &mut rows[*record as usize];
        if row.as_ref().is_none_or(|known| rank(known) < rank(fate)) {
            *row = Some(*fate);
        }
    }
    // Both lists rise by record.
    let mut refused = rendered.refused.iter().map(|r| r.record).peekable();
    let mut kept = Vec::with_capacity(rows.len());
    for (row, given) in rows.into_iter().zip(&rendered.given) {
        let record = rendered.lines.rows[*given as usize].record;
        while refused.peek().is_some_and(|r| *r < record) {
            refused.next();
        }
        if refused.peek() != Some(&record) {
            kept.push(row);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Estimate;
    use serde_json::{Value, json};

    /// The page that says what the keys mean names every one.
    #[test]
    fn every_key_is_explained() {
        const PAGE: &str = include_str!("../../../docs/reference/report.md");
        let lengths = {
            let mut lengths = Lengths::default();
            lengths.add(3);
            lengths
        };
        let estimate = Estimate::default();
        let told = [json!(DataReport::default()), json!(lengths), json!(estimate)];
        for key in told.iter().filter_map(Value::as_object).flat_map(|map| map.keys()) {
            assert!(PAGE.contains(&format!("`{key}`")), "`{key}` is not explained");
        }
    }
}
