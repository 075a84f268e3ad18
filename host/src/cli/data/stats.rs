//! What a dataset is like: lengths, trained tokens, what would be too long.

use crate::{
    cli::preflight,
    data::{DataReport, Fate, Lengths, Rendered, trained_tokens},
};
use serde_json::{Value, json};
use std::collections::HashSet;

/// Length of an example, and trained tokens of it.
pub type Measure = (usize, usize);

/// Measures the examples of a batch.
pub fn measure(batch: &Rendered) -> Vec<Measure> {
    let examples = &batch.examples;
    let of = |i| {
        let weights = &examples.weights[examples.range(i)];
        (weights.len(), trained_tokens(weights) as usize)
    };
    (0..examples.len()).map(of).collect()
}

/// Lengths of examples as they are rendered, before any limit, and tokens of them that are trained.
pub struct Stats {
    max_length: usize,
    lengths: Lengths,
    trained: Lengths,
}

impl Stats {
    /// Examples longer than `max_length` tokens are counted as such.
    pub fn new(max_length: usize) -> Self {
        Self { max_length, lengths: Lengths::default(), trained: Lengths::default() }
    }

    /// Adds the examples of a batch as they were before any limit; copies that are left out are none.
    /// Of a record that was made to fit already, those count that the whole of it gives.
    pub fn add(&mut self, batch: &Rendered, fates: &[Fate], whole: &[Measure]) {
        let records = &batch.examples.record;
        let copies: HashSet<u32> = fates
            .iter()
            .zip(records)
            .filter(|(fate, _)| **fate == Fate::Duplicate)
            .map(|(_, record)| *record)
            .collect();
        let short: HashSet<u32> = batch.shortened.iter().map(|s| s.record).collect();
        let as_rendered = records.iter().zip(whole).filter(|(record, _)| !short.contains(record));
        let shortened = batch.shortened.iter().flat_map(|s| s.whole.iter().map(|w| (&s.record, w)));
        for (record, (length, trained)) in as_rendered.chain(shortened) {
            if !copies.contains(record) {
                self.lengths.add(*length);
                self.trained.add(*trained);
            }
        }
    }

    /// Tokens that the model would read: all but the last of each example.
    fn tokens(&self) -> u64 {
        self.lengths.total() - self.lengths.count()
    }

    /// For programs.
    pub fn json(&self, report: &DataReport) -> Value {
        let max = (self.max_length < usize::MAX).then_some(self.max_length);
        json!({
            "rows": report.rows, "refused": report.refused, "blank": report.blank,
            "duplicates": report.duplicates, "repeated": report.repeated, "pairs": report.pairs,
            "examples": self.lengths.count(), "untrained": report.untrained_examples,
            "tokens": self.tokens(), "trained_tokens": self.trained.total(),
            "length": self.lengths.summary().json(),
            "trained": self.trained.summary().json(),
            "max_length": max, "too_long": self.lengths.above(self.max_length),
            "histogram": self.lengths.histogram_json(),
            "trained_histogram": self.trained.histogram_json(),
            "files": report.files, "summary": report,
        })
    }

    /// For people: what became of the rows, then every example as it is rendered.
    pub fn table(&self, lines: &[preflight::Line]) -> String {
        let mut out = preflight::table(lines);
        let (count, trained) = (self.lengths.count(), self.trained.total());
        let mut whole = vec![
            ("rendered", format!("{count} examples before any limit, {trained} tokens trained")),
            ("length", self.lengths.summary().text()),
            ("trained", self.trained.summary().text()),
        ];
        if self.max_length < usize::MAX {
            let above = self.lengths.above(self.max_length);
            whole.push(("too long", format!("{above} above `max_length` {}", self.max_length)));
        }
        out.push('\n');
        out += &preflight::table(&whole);
        out.push('\n');
        out += &preflight::histogram(&self.lengths);
        out
    }
}
