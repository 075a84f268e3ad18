//! Rows whose very text came before.

use super::Rendered;
use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash, Hasher},
};

/// Texts that are remembered, at most: some 19 MB, so that memory does not grow with the data.
const MOST: usize = 1_800_000;

/// Finds rows that repeat an earlier one, byte for byte.
///
/// Texts are compared by a hash of 64 bits: among as many as are remembered, two that differ are
/// taken for the same with a chance of one in ten million.
#[derive(Debug, Default)]
pub struct Duplicates {
    seen: HashSet<u64>,
    /// Whether there were more texts than are remembered: rows that repeat one of the others are
    /// missed.
    pub partial: bool,
}

impl Duplicates {
    /// Whether this text came before.
    pub fn repeats(&mut self, text: &str) -> bool {
        let hash = hash(text);
        if self.seen.len() >= MOST {
            self.partial = true;
            return self.seen.contains(&hash);
        }
        !self.seen.insert(hash)
    }

    /// Whether this text came before; it is not remembered.
    #[must_use]
    pub fn has(&self, text: &str) -> bool {
        self.seen.contains(&hash(text))
    }

    /// How many rows of a batch that were not refused repeat an earlier one.
    pub fn count(&mut self, batch: &Rendered) -> u64 {
        let good = good_rows(batch);
        good.filter(|text| self.repeats(text)).count() as u64
    }
}

/// The texts of a batch's rows that were not refused.
pub fn good_rows(batch: &Rendered) -> impl Iterator<Item = &str> {
    let bad: HashSet<u64> = batch.refused.iter().map(|r| r.record).collect();
    let rows = batch.lines.rows.iter().filter(move |row| !bad.contains(&row.record));
    rows.map(move |row| batch.lines.text(row))
}

/// As it is compared.
pub(super) fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_but_the_first_of_its_text_repeats() {
        let mut duplicates = Duplicates::default();
        let found: Vec<bool> =
            ["a", "b", "a", "a ", "a"].iter().map(|text| duplicates.repeats(text)).collect();
        assert_eq!(found, [false, false, true, false, true]);
        assert!(duplicates.has("a ") && !duplicates.has("c") && !duplicates.partial);
    }
}
