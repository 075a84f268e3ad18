//! What is known of each unit, and of all of them together.

use crate::data::Source;
use serde::{Deserialize, Serialize};

/// Numbers of 8 bytes that a unit's entry takes.
pub(super) const WORDS: usize = 6;

/// Where a unit lies, where it came from, and its figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    /// Byte in the file of tokens.
    pub offset: u64,
    /// Bytes there.
    pub bytes: u32,
    pub line: u64,
    pub record: u64,
    pub dataset: u32,
    pub examples: u32,
    /// Tokens that the model reads: all of each example but its last.
    pub tokens: u32,
    /// Those of them after which a trained token is predicted.
    pub trained: u32,
    /// Tokens of the longest example.
    pub longest: u32,
}

impl Entry {
    pub fn figures(&self) -> Figures {
        Figures {
            examples: self.examples.into(),
            tokens: self.tokens.into(),
            trained_tokens: self.trained.into(),
        }
    }

    pub fn source(&self) -> Source {
        Source { dataset: self.dataset, line: self.line, record: self.record }
    }
}

fn both(high: u32, low: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

impl From<Entry> for [u64; WORDS] {
    fn from(e: Entry) -> Self {
        [
            e.offset,
            e.line,
            e.record,
            both(e.bytes, e.dataset),
            both(e.examples, e.longest),
            both(e.tokens, e.trained),
        ]
    }
}

impl From<[u64; WORDS]> for Entry {
    fn from(words: [u64; WORDS]) -> Self {
        let [offset, line, record, place, size, tokens] = words;
        let (high, low) = (|word: u64| (word >> 32) as u32, |word: u64| word as u32);
        Self {
            offset,
            line,
            record,
            bytes: high(place),
            dataset: low(place),
            examples: high(size),
            longest: low(size),
            tokens: high(tokens),
            trained: low(tokens),
        }
    }
}

/// What a unit, or several, come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// Examples.
    pub examples: u64,
    /// Tokens that the model reads: all of each example but its last.
    pub tokens: u64,
    /// Those of them after which a trained token is predicted.
    pub trained_tokens: u64,
}

impl std::ops::AddAssign for Figures {
    fn add_assign(&mut self, more: Self) {
        self.examples += more.examples;
        self.tokens += more.tokens;
        self.trained_tokens += more.trained_tokens;
    }
}

/// The units of one dataset: they lie together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Index of the dataset.
    pub dataset: u32,
    /// Its first unit.
    pub first: u64,
    /// How many units.
    pub units: u64,
    /// How many examples.
    pub examples: u64,
}

/// What is known of all units.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The datasets that have any, in order.
    pub parts: Vec<Part>,
    /// All of them together, once over the data.
    pub figures: Figures,
    /// Examples of the smallest unit.
    pub smallest: u32,
    /// Examples of the largest unit.
    pub largest: u32,
    /// Units without a trained token.
    pub untrained: u64,
    /// Tokens of the longest example.
    pub longest: u64,
}

impl Facts {
    /// Units.
    #[must_use]
    pub fn units(&self) -> u64 {
        self.parts.last().map_or(0, |last| last.first + last.units)
    }

    /// Counts the next unit.
    pub(super) fn add(&mut self, entry: &Entry) {
        let number = self.units();
        match self.parts.last_mut() {
            Some(last) if last.dataset == entry.dataset => {
                last.units += 1;
                last.examples += u64::from(entry.examples);
            }
            _ => self.parts.push(Part {
                dataset: entry.dataset,
                first: number,
                units: 1,
                examples: u64::from(entry.examples),
            }),
        }
        self.figures += entry.figures();
        self.smallest =
            if number == 0 { entry.examples } else { self.smallest.min(entry.examples) };
        self.largest = self.largest.max(entry.examples);
        self.untrained += u64::from(entry.trained == 0);
        self.longest = self.longest.max(u64::from(entry.longest));
    }
}
