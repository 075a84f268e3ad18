//! What a dataset is like: lengths, trained tokens, what would be too long.

use crate::data::{DataReport, Rendered};
use serde_json::{Value, json};
use std::fmt::Write;

/// Width of the longest bar.
const BAR: usize = 40;

/// Lengths of examples: two small numbers each.
pub struct Stats {
    max_length: usize,
    lengths: Vec<u32>,
    trained: Vec<u32>,
}

impl Stats {
    /// Examples longer than `max_length` tokens are counted as such.
    pub fn new(max_length: usize) -> Self {
        Self { max_length, lengths: Vec::new(), trained: Vec::new() }
    }

    /// Measures the examples of a batch.
    pub fn add(&mut self, batch: &Rendered) {
        let examples = &batch.examples;
        for i in 0..examples.len() {
            let weights = &examples.weights[examples.range(i)];
            self.lengths.push(weights.len() as u32);
            self.trained.push(weights.iter().skip(1).filter(|w| **w != 0.0).count() as u32);
        }
    }

    fn too_long(&self) -> u64 {
        self.lengths.iter().filter(|l| **l as usize > self.max_length).count() as u64
    }

    /// For programs.
    pub fn json(&self, report: &DataReport) -> Value {
        let histogram: Vec<Value> = histogram(&self.lengths)
            .into_iter()
            .map(|(from, to, examples)| json!({"from": from, "to": to, "examples": examples}))
            .collect();
        let max = (self.max_length < usize::MAX).then_some(self.max_length);
        json!({
            "rows": report.rows, "refused": report.refused, "blank": report.blank,
            "examples": self.lengths.len(), "untrained": report.untrained_examples,
            "tokens": total(&self.lengths), "trained_tokens": total(&self.trained),
            "length": Summary::of(&self.lengths).json(),
            "trained": Summary::of(&self.trained).json(),
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
        let (tokens, trained) = (total(&self.lengths), total(&self.trained));
        let share = if tokens == 0 { 0.0 } else { 100.0 * trained as f64 / tokens as f64 };
        row(
            "rows",
            format!("{}, {} bad, {} blank lines", report.rows, report.refused, report.blank),
        );
        row(
            "examples",
            format!(
                "{}, {} without a trained token",
                self.lengths.len(),
                report.untrained_examples
            ),
        );
        row("tokens", format!("{tokens}, {trained} trained ({share:.1} %)"));
        row("length", Summary::of(&self.lengths).text());
        row("trained", Summary::of(&self.trained).text());
        if self.max_length < usize::MAX {
            row("too long", format!("{} above `max_length` {}", self.too_long(), self.max_length));
        }
        let bars = histogram(&self.lengths);
        let most = bars.iter().map(|(_, _, n)| *n).max().unwrap_or(1);
        out.push('\n');
        for (from, to, n) in bars {
            let width = (BAR * n).div_ceil(most);
            let _ = writeln!(out, "{:>14}  {} {n}", format!("{from}–{to}"), "█".repeat(width));
        }
        out
    }
}

/// Five numbers of a list.
struct Summary {
    min: u32,
    median: u32,
    p90: u32,
    p99: u32,
    max: u32,
    mean: f64,
}

impl Summary {
    fn of(values: &[u32]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_unstable();
        // Nearest rank: the smallest value that so many percent do not exceed.
        let rank = |percent: usize| {
            let at = (sorted.len() * percent).div_ceil(100).max(1) - 1;
            sorted.get(at).copied().unwrap_or(0)
        };
        let mean = if values.is_empty() { 0.0 } else { total(values) as f64 / values.len() as f64 };
        Self {
            min: sorted.first().copied().unwrap_or(0),
            median: rank(50),
            p90: rank(90),
            p99: rank(99),
            max: sorted.last().copied().unwrap_or(0),
            mean,
        }
    }

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

fn total(values: &[u32]) -> u64 {
    values.iter().map(|v| u64::from(*v)).sum()
}

/// Counts by power of two, from the first to the last that is not empty.
fn histogram(lengths: &[u32]) -> Vec<(u32, u32, usize)> {
    let mut counts = [0_usize; 33];
    for length in lengths {
        counts[(32 - length.leading_zeros()) as usize] += 1;
    }
    let first = counts.iter().position(|n| *n > 0).unwrap_or(0);
    let last = counts.iter().rposition(|n| *n > 0).map_or(0, |last| last + 1);
    (first..last)
        .map(|bits| {
            let from = if bits == 0 { 0 } else { 1_u32 << (bits - 1) };
            let to = if bits == 0 { 0 } else { u32::MAX >> (32 - bits) };
            (from, to, counts[bits])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_ranks() {
        let values: Vec<u32> = (1..=100).rev().collect();
        let s = Summary::of(&values);
        assert_eq!((s.min, s.median, s.p90, s.p99, s.max), (1, 50, 90, 99, 100));
        assert!((s.mean - 50.5).abs() < 1e-9);
        let none = Summary::of(&[]);
        assert_eq!((none.min, none.p99, none.max), (0, 0, 0));
    }

    #[test]
    fn buckets_are_powers_of_two_without_gaps() {
        assert_eq!(
            histogram(&[1, 2, 3, 9, 15, 16]),
            [(1, 1, 1), (2, 3, 2), (4, 7, 0), (8, 15, 2), (16, 31, 1)]
        );
        assert_eq!(histogram(&[0]), [(0, 0, 1)]);
        assert!(histogram(&[]).is_empty());
        assert_eq!(histogram(&[u32::MAX]), [(1 << 31, u32::MAX, 1)]);
    }
}
