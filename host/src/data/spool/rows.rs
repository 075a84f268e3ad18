//! The rows in use, while a run is prepared: which are held out, and which texts come more than once.

use super::{
    Place,
    array::{Array, ArrayWriter},
};
use crate::{Result, data::Source};

/// Numbers of 8 bytes that a row takes.
pub(super) const WORDS: usize = 5;

/// Rows whose texts are compared at once: in memory they take 16 MB.
const PART: u64 = 1 << 20;
/// Parts at most, each a file: more rows than these hold make the parts larger.
const PARTS: u64 = 64;

/// Where a record in use begins, and what its text hashes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::data) struct Used {
    pub source: Source,
    pub offset: u64,
    pub text: u64,
}

impl From<Used> for [u64; WORDS] {
    fn from(used: Used) -> Self {
        let Source { dataset, line, record } = used.source;
        [u64::from(dataset), line, record, used.offset, used.text]
    }
}

impl From<[u64; WORDS]> for Used {
    fn from([dataset, line, record, offset, text]: [u64; WORDS]) -> Self {
        Self { source: Source { dataset: dataset as u32, line, record }, offset, text }
    }
}

/// How the texts of rows repeat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::data) struct Overlap {
    /// Rows held out.
    pub held_out: u64,
    /// Rows held out whose very text is also trained on.
    pub leaked: u64,
    /// Rows trained on whose very text another one has, but one for each text.
    pub repeated: u64,
}

/// Rows in use, in the order of the datasets.
#[derive(Debug)]
pub(in crate::data) struct Rows {
    rows: Array<WORDS>,
    place: Place,
}

impl Rows {
    pub(super) fn new(rows: Array<WORDS>, place: Place) -> Self {
        Self { rows, place }
    }

    /// Rows that are nothing but their places, for tests.
    #[cfg(test)]
    pub fn of(places: impl Iterator<Item = (u32, u64)>) -> Self {
        let mut rows = ArrayWriter::new(Place::Nowhere.nameless().unwrap(), "rows");
        for (dataset, record) in places {
            let source = Source { dataset, line: record + 1, record };
            rows.push(Used { source, offset: 0, text: record }.into()).unwrap();
        }
        Self::new(rows.finish().unwrap(), Place::Nowhere)
    }

    pub fn len(&self) -> u64 {
        self.rows.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = Result<Used>> {
        self.rows.iter().map(|row| row.map(Used::from))
    }

    /// Compares the texts of all rows, a part of all hashes at a time.
    pub fn overlap(&self, is_held: impl Fn(u32, u64) -> bool) -> Result<Overlap> {
        self.overlap_by(PART, is_held)
    }

    fn overlap_by(&self, part: u64, is_held: impl Fn(u32, u64) -> bool) -> Result<Overlap> {
        let mut all = Overlap::default();
        let parts = self.len().div_ceil(part).clamp(1, PARTS);
        let mut files = Vec::new();
        for _ in 1..parts {
            files.push(ArrayWriter::<2>::new(self.place.nameless()?, "texts"));
        }
        let mut texts = Vec::new();
        for used in self.iter() {
            let used = used?;
            let held = is_held(used.source.dataset, used.source.record);
            all.held_out += u64::from(held);
            match files.get_mut((used.text % parts) as usize) {
                Some(file) => file.push([used.text, u64::from(held)])?,
                None => texts.push([used.text, u64::from(held)]),
            }
        }
        all.count(texts);
        for file in files {
            all.count(file.finish()?.iter().collect::<Result<_>>()?);
        }
        Ok(all)
    }
}

impl Overlap {
    fn count(&mut self, mut texts: Vec<[u64; 2]>) {
        texts.sort_unstable();
        for same in texts.chunk_by(|a, b| a[0] == b[0]) {
            let held = same.iter().filter(|text| text[1] == 1).count();
            let trained = same.len() - held;
            self.repeated += trained.saturating_sub(1) as u64;
            self.leaked += if trained > 0 { held as u64 } else { 0 };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn texts_are_compared_across_parts() {
        let mut writer = ArrayWriter::new(Place::Nowhere.nameless().unwrap(), "rows");
        let rows = 2100;
        let text = |i: u64| i.wrapping_mul(0x9E37_79B9_7F4A_7C15) % (rows * 3 / 4);
        let is_held = |_: u32, record: u64| record % 10 == 3;
        // The reference counts in a map.
        let mut expected: HashMap<u64, (u64, u64)> = HashMap::new();
        for record in 0..rows {
            let source = Source { dataset: 0, line: record + 1, record };
            writer.push(Used { source, offset: 0, text: text(record) }.into()).unwrap();
            let both = expected.entry(text(record)).or_default();
            *(if is_held(0, record) { &mut both.0 } else { &mut both.1 }) += 1;
        }
        let found =
            Rows::new(writer.finish().unwrap(), Place::Nowhere).overlap_by(1000, is_held).unwrap();
        let leaked: u64 = expected.values().filter(|(_, t)| *t > 0).map(|(h, _)| h).sum();
        let repeated: u64 = expected.values().map(|(_, t)| t.saturating_sub(1)).sum();
        assert_eq!((found.leaked, found.repeated), (leaked, repeated));
        assert!(leaked > 0 && repeated > 0);
        assert_eq!(found.held_out, (0..rows).filter(|r| r % 10 == 3).count() as u64);
    }
}
