/*!
The examples of a run on disk, rendered once: what is trained on is what was checked, whatever becomes
of the datasets, and memory does not grow with them.

```text
tokens   units of examples, end to end ([`codec`])
train    for each unit that is trained: where it lies, and its figures; in the order of the datasets
eval     the same of what is held out
```
A unit is what must stay in one batch: an example, or the examples of a group. A batch is read by the
numbers of its units, each with one seek; so the order of training costs no memory either.
*/

mod array;
mod codec;
mod entry;
mod manifest;
mod rows;
mod write;

pub use entry::{Facts, Figures, Part};
pub(super) use manifest::SpoolManifest;
pub(super) use rows::{Rows, Used};
pub use write::Place;
pub(super) use write::Writer;

use super::ExampleSet;
use crate::{Error, Result};
use array::{Array, read_at};
use entry::Entry;
use std::{
    collections::{BTreeSet, HashSet},
    fs::File,
    sync::Arc,
};
use tinsmith_plugin_api::Column;

/// Which columns there are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Columns {
    /// Their names and kinds, without values.
    pub known: Vec<Column>,
    /// Which dataset gave which column; elsewhere it is zero.
    pub given: BTreeSet<(u32, String)>,
}

/// Examples on disk, in units that are numbered from 0.
#[derive(Debug)]
pub struct Spool {
    entries: Array<{ entry::WORDS }>,
    /// None where only figures are kept.
    tokens: Option<Arc<File>>,
    columns: Arc<Columns>,
    facts: Facts,
}

impl Spool {
    /// What is known of all units.
    #[must_use]
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Its columns.
    #[must_use]
    pub fn columns(&self) -> &Columns {
        &self.columns
    }

    /// Number of units.
    #[must_use]
    pub fn units(&self) -> u64 {
        self.entries.len()
    }

    /// True if there is no example.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.len() == 0
    }

    /// The figures of a unit.
    ///
    /// # Errors
    /// `failed` if the file cannot be read.
    pub fn figures_of(&self, unit: u64) -> Result<Figures> {
        Ok(self.entry(unit)?.figures())
    }

    /// The first unit with an example of more than `tokens` tokens: its dataset, its line, and the
    /// length of its longest example.
    ///
    /// # Errors
    /// `failed` if the file cannot be read.
    pub fn longer_than(&self, tokens: u64) -> Result<Option<(u32, u64, u64)>> {
        if self.facts.longest <= tokens {
            return Ok(None);
        }
        for row in self.entries.iter() {
            let Entry { dataset, line, longest, .. } = Entry::from(row?);
            if u64::from(longest) > tokens {
                return Ok(Some((dataset, line, u64::from(longest))));
            }
        }
        Ok(None)
    }

    /// The examples of these units, in this order, each unit a group of its own.
    ///
    /// # Errors
    /// `failed` if a file cannot be read, or is damaged.
    pub fn read(&self, units: &[u64]) -> Result<ExampleSet> {
        let Some(file) = &self.tokens else {
            return Err(Error::failed("the examples of a plan are not kept"));
        };
        let mut set = ExampleSet { columns: self.columns.known.clone(), ..ExampleSet::default() };
        let (mut seen, mut again) = (HashSet::new(), u64::MAX);
        let mut bytes = Vec::new();
        for unit in units {
            let entry = self.entry(*unit)?;
            bytes.resize(entry.bytes as usize, 0);
            read_at(file, &mut bytes, entry.offset)
                .map_err(|e| Error::failed(format!("read the prepared examples: {e}")))?;
            // A unit that a weight brings twice is two groups.
            let group = if seen.insert(*unit) { *unit } else { again };
            again -= u64::from(group == again);
            match codec::decode(&bytes, &self.columns.known, group, &mut set) {
                Some(examples) if examples == entry.examples => {}
                _ => return Err(damaged(*unit)),
            }
            set.source.resize(set.len(), entry.source());
        }
        Ok(set)
    }

    /// Units from `first` on: at least one, and as many as have no more than `examples` examples.
    ///
    /// # Errors
    /// As [`Spool::read`].
    pub fn read_some(&self, first: u64, examples: u64) -> Result<(ExampleSet, u64)> {
        let (mut next, mut count) = (first, 0);
        while next < self.units() {
            count += u64::from(self.entry(next)?.examples);
            if count > examples && next > first {
                break;
            }
            next += 1;
        }
        Ok((self.read(&(first..next).collect::<Vec<_>>())?, next))
    }

    /// All of it, for tests.
    #[cfg(test)]
    pub fn all(&self) -> ExampleSet {
        self.read(&(0..self.units()).collect::<Vec<_>>()).unwrap()
    }

    fn entry(&self, unit: u64) -> Result<Entry> {
        self.entries.get(unit).map(Entry::from)
    }
}

fn damaged(unit: u64) -> Error {
    Error::failed(format!("the prepared examples are damaged at unit {unit}")).hint(
        "something else wrote to the run's folder, or the disk fails; delete the run's `examples` \
         folder and resume: they are rendered again",
    )
}

#[cfg(test)]
mod tests;
