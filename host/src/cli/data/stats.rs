//! What a dataset is like: lengths, trained tokens, what would be too long.

use crate::{
    cli::preflight,
    data::{DataReport, Lengths, Rendered},
};
use serde_json::{Value, json};

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

    /// Measures the examples of a batch that no limit has touched. Of a record that was made to fit
    /// already, those count that the whole of it gives.
    pub fn add(&mut self, batch: &Rendered) {
        let examples = &batch.examples;
        for i in 0..examples.len() {
            if batch.shortened.iter().any(|s| s.record == examples.record[i]) {
                continue;
            }
            let weights = &examples.weights[examples.range(i)];
            self.lengths.add(weights.len());
            self.trained.add(weights.iter().skip(1).filter(|w| **w != 0.0).count());
        }
        for (length, trained) in batch.shortened.iter().flat_map(|s| &s.whole) {
            self.lengths.add(*length);
            self.trained.add(*trained);
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
