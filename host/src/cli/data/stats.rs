//! What a dataset is like: lengths, trained tokens, what would be too long.

use crate::data::{DataReport, Fate, Rendered};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fmt::Write};

/// Width of the longest bar.
const BAR: u64 = 40;

/// Lengths of examples, and tokens of them that are trained.
pub struct Stats {
    max_length: usize,
    lengths: Counts,
    trained: Counts,
}

impl Stats {
    /// Examples longer than `max_length` tokens are counted as such.
    pub fn new(max_length: usize) -> Self {
        Self { max_length, lengths: Counts::default(), trained: Counts::default() }
    }

    /// Measures the examples of a batch; copies that are left out are none.
    pub fn add(&mut self, batch: &Rendered, fates: &[Fate]) {
        let examples = &batch.examples;
        for i in (0..examples.len()).filter(|i| fates[*i] != Fate::Duplicate) {
            let weights = &examples.weights[examples.range(i)];
            self.lengths.add(weights.len());
            self.trained.add(weights.iter().skip(1).filter(|w| **w != 0.0).count());
        }
    }

    fn too_long(&self) -> u64 {
        self.lengths.0.iter().filter(|(l, _)| **l > self.max_length).map(|(_, n)| n).sum()
    }

    /// For programs.
    pub fn json(&self, report: &DataReport) -> Value {
        let histogram: Vec<Value> = self
            .lengths
            .histogram()
            .into_iter()
            .map(|(from, to, examples)| json!({"from": from, "to": to, "examples": examples}))
            .collect();
        let max = (self.max_length < usize::MAX).then_some(self.max_length);
        json!({
            "rows": report.rows, "refused": report.refused, "blank": report.blank,
            "duplicates": report.duplicates, "pairs": report.pairs,
            "examples": self.lengths.count(), "untrained": report.untrained_examples,
            "tokens": self.lengths.total(), "trained_tokens": self.trained.total(),
            "length": self.lengths.summary().json(),
            "trained": self.trained.summary().json(),
            "max_length": max, "too_long": self.too_long(), "histogram": histogram,
            "files": report.files,
        })
    }

    /// For people.
    pub fn table(&self, report: &DataReport) -> String {
        let mut out = String::new();
        let mut row = |name: &str, value: String| {
            // Writing to a string cannot fail.
            let _ = writeln!(out, "{name:>14}  {value}");
        };
        let (tokens, trained) = (self.lengths.total(), self.trained.total());
        let share = if tokens == 0 { 0.0 } else { 100.0 * trained as f64 / tokens as f64 };
        row(
            "rows",
            format!("{}, {} bad, {} blank lines", report.rows, report.refused, report.blank),
        );
        if report.duplicates > 0 {
            row("left out", format!("{} exact copies of earlier rows", report.duplicates));
        }
        row(
            "examples",
            format!(
                "{}, {} without a trained token",
                self.lengths.count(),
                report.untrained_examples
            ),
        );
        row("tokens", format!("{tokens}, {trained} trained ({share:.1} %)"));
        row("length", self.lengths.summary().text());
        row("trained", self.trained.summary().text());
        if self.max_length < usize::MAX {
            row("too long", format!("{} above `max_length` {}", self.too_long(), self.max_length));
        }
        let bars = self.lengths.histogram();
        let most = bars.iter().map(|(_, _, n)| *n).max().unwrap_or(1);
        out.push('\n');
        for (from, to, n) in bars {
            let width = (BAR * n).div_ceil(most) as usize;
            let _ = writeln!(out, "{:>14}  {} {n}", format!("{from}–{to}"), "█".repeat(width));
        }
        out
    }
}

/// How often each number came up. It grows with the numbers that differ, not with the data.
#[derive(Default)]
struct Counts(BTreeMap<usize, u64>);

impl Counts {
    fn add(&mut self, number: usize) {
        *self.0.entry(number).or_default() += 1;
    }

    fn count(&self) -> u64 {
        self.0.values().sum()
    }

    fn total(&self) -> u64 {
        self.0.iter().map(|(number, n)| *number as u64 * n).sum()
    }

    fn summary(&self) -> Summary {
        let count = self.count();
        // Nearest rank: the smallest number that so many percent do not exceed.
        let rank = |percent: u64| {
            let wanted = (count * percent).div_ceil(100).max(1);
            let mut seen = 0;
            let found = self.0.iter().find(|(_, n)| {
                seen += **n;
                seen >= wanted
            });
            found.map_or(0, |(number, _)| *number)
        };
        Summary {
            min: rank(0),
            median: rank(50),
            p90: rank(90),
            p99: rank(99),
            max: rank(100),
            mean: if count == 0 { 0.0 } else { self.total() as f64 / count as f64 },
        }
    }

    /// Counts by power of two, from the first to the last that is not empty.
    fn histogram(&self) -> Vec<(usize, usize, u64)> {
        let bits = |number: usize| usize::BITS - number.leading_zeros();
        let mut counts = [0; usize::BITS as usize + 1];
        for (number, n) in &self.0 {
            counts[bits(*number) as usize] += n;
        }
        let ends = self.0.keys().next().zip(self.0.keys().next_back());
        let range = ends.map_or(1..1, |(first, last)| bits(*first)..bits(*last) + 1);
        range
            .map(|bits| {
                let to = usize::MAX.checked_shr(usize::BITS - bits).unwrap_or(0);
                (to.div_ceil(2), to, counts[bits as usize])
            })
            .collect()
    }
}

/// Six numbers that tell of many.
struct Summary {
    min: usize,
    median: usize,
    p90: usize,
    p99: usize,
    max: usize,
    mean: f64,
}

impl Summary {
    fn json(&self) -> Value {
        let Self { min, median, p90, p99, max, mean } = self;
        json!({"min": min, "median": median, "p90": p90, "p99": p99, "max": max, "mean": mean})
    }

    fn text(&self) -> String {
        let Self { min, median, p90, p99, max, mean } = self;
        format!(
            "{min} to {max}, mean {mean:.1}, median {median}, 90 % up to {p90}, 99 % up to {p99}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(numbers: impl IntoIterator<Item = usize>) -> Counts {
        let mut counts = Counts::default();
        numbers.into_iter().for_each(|number| counts.add(number));
        counts
    }

    #[test]
    fn percentiles_are_nearest_ranks() {
        let s = counts((1..=100).rev()).summary();
        assert_eq!((s.min, s.median, s.p90, s.p99, s.max), (1, 50, 90, 99, 100));
        assert!((s.mean - 50.5).abs() < 1e-9);
        let none = counts([]).summary();
        assert_eq!((none.min, none.p99, none.max), (0, 0, 0));
        let equal = counts([7, 7, 7, 9]);
        let s = equal.summary();
        assert_eq!((s.min, s.median, s.p90, s.max), (7, 7, 9, 9));
        assert_eq!((equal.count(), equal.total()), (4, 30));
    }

    #[test]
    fn buckets_are_powers_of_two_without_gaps() {
        assert_eq!(
            counts([1, 2, 3, 9, 15, 16]).histogram(),
            [(1, 1, 1), (2, 3, 2), (4, 7, 0), (8, 15, 2), (16, 31, 1)]
        );
        assert_eq!(counts([0]).histogram(), [(0, 0, 1)]);
        assert!(counts([]).histogram().is_empty());
    }
}
