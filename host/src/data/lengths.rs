//! How long examples are: exact counts by length, and six numbers and a histogram that tell of them.

use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How often each number came up. It grows with the numbers that differ, not with the data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lengths(BTreeMap<usize, u64>);

/// Six numbers that tell of many.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// The smallest.
    pub min: usize,
    /// Half of them are not larger.
    pub median: usize,
    /// Nine of ten are not larger.
    pub p90: usize,
    /// 99 of 100 are not larger.
    pub p99: usize,
    /// The largest.
    pub max: usize,
    /// The mean.
    pub mean: f64,
}

impl Lengths {
    /// Counts a number.
    pub fn add(&mut self, number: usize) {
        *self.0.entry(number).or_default() += 1;
    }

    /// Every number, and how often it came up.
    pub fn counts(&self) -> impl Iterator<Item = (usize, u64)> {
        self.0.iter().map(|(number, n)| (*number, *n))
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.values().sum()
    }

    /// Their sum.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().map(|(number, n)| *number as u64 * n).sum()
    }

    /// How many are larger than `most`.
    #[must_use]
    pub fn above(&self, most: usize) -> u64 {
        self.0.iter().filter(|(number, _)| **number > most).map(|(_, n)| n).sum()
    }

    /// Percentiles by nearest rank: the smallest number that so many percent do not exceed.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let count = self.count();
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

    /// First and last number and count of each power of two, from the first to the last that is not
    /// empty.
    #[must_use]
    pub fn histogram(&self) -> Vec<(usize, usize, u64)> {
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

    /// The histogram for programs.
    #[must_use]
    pub fn histogram_json(&self) -> Value {
        let bars = self.histogram().into_iter();
        bars.map(|(from, to, examples)| json!({"from": from, "to": to, "examples": examples}))
            .collect()
    }
}

impl Summary {
    /// For programs.
    #[must_use]
    pub fn json(&self) -> Value {
        let Self { min, median, p90, p99, max, mean } = self;
        json!({"min": min, "median": median, "p90": p90, "p99": p99, "max": max, "mean": mean})
    }

    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        let Self { min, median, p90, p99, max, mean } = self;
        format!(
            "{min} to {max}, mean {mean:.1}, median {median}, 90 % up to {p90}, 99 % up to {p99}"
        )
    }
}

impl FromIterator<(usize, u64)> for Lengths {
    fn from_iter<I: IntoIterator<Item = (usize, u64)>>(counts: I) -> Self {
        Self(counts.into_iter().collect())
    }
}

/// The six numbers and the histogram.
impl Serialize for Lengths {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut value = self.summary().json();
        value["histogram"] = self.histogram_json();
        value.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(numbers: impl IntoIterator<Item = usize>) -> Lengths {
        let mut counts = Lengths::default();
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
        assert_eq!((equal.count(), equal.total(), equal.above(7)), (4, 30, 1));
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
