/*!
In which order the examples are trained: a seeded shuffle per epoch, cut into batches.

The order is a pure function of the units of examples, the seed and the epoch, and every batch is
computed by itself: a run of billions of examples keeps nothing of it in memory, and a resumed run
finds its place at once. Where all units have as many examples, a batch is found by division; else the
place of every [`MARK`]th batch is kept, and the walk from there is short.
*/

use super::mix::{Epoch, Mix};
use crate::{
    Result,
    config::LastBatch,
    data::{Facts, Part, Spool},
};
use sha2::{Digest, Sha256};
use std::ops::Range;

/// Batches from one kept place to the next.
const MARK: u64 = 64;

/// What stays together, and how large it is.
pub trait Units {
    /// The datasets, the smallest and the largest unit.
    fn facts(&self) -> &Facts;

    /// Examples of a unit.
    ///
    /// # Errors
    /// `failed` if it cannot be read.
    fn examples_of(&self, unit: u64) -> Result<u64>;
}

impl Units for Spool {
    fn facts(&self) -> &Facts {
        self.facts()
    }

    fn examples_of(&self, unit: u64) -> Result<u64> {
        Ok(self.figures_of(unit)?.examples)
    }
}

/// Every batch of a run, in the order of training.
#[derive(Clone, Debug)]
pub struct Order {
    options: OrderOptions,
    parts: Vec<Part>,
    mix: Mix,
    /// Examples of each unit, if all have as many.
    even: Option<u64>,
    /// The first batch of each epoch, and the end of the last.
    epochs: Vec<u64>,
    /// Place in its epoch of every [`MARK`]th batch, unless the units are even.
    marks: Vec<u64>,
    dropped: u64,
    /// Whether some epoch ends before its data do.
    cut: bool,
    /// sha256 over the sizes of units that are not even.
    sizes: String,
}

/// How examples are put in order.
#[derive(Clone, Copy, Debug)]
pub struct OrderOptions {
    /// Examples in a batch.
    pub batch_size: u32,
    /// Passes over the data.
    pub epochs: u32,
    /// Steps after which to stop, where that is earlier.
    pub max_steps: Option<u64>,
    /// Whether each epoch is shuffled.
    pub shuffle: bool,
    /// Seed of the shuffles.
    pub seed: u64,
    /// What becomes of an incomplete last batch.
    pub last_batch: LastBatch,
}

impl Order {
    /// Orders units; those of some datasets more often than once an epoch, or not in each.
    ///
    /// # Errors
    /// `failed` if the units cannot be read.
    pub fn new(units: &dyn Units, mix: &Mix, options: OrderOptions) -> Result<Self> {
        let facts = units.facts();
        let even = (facts.smallest == facts.largest).then_some(u64::from(facts.largest.max(1)));
        let mut order = Self {
            options: OrderOptions { batch_size: options.batch_size.max(1), ..options },
            parts: facts.parts.clone(),
            mix: mix.clone(),
            even,
            epochs: vec![0],
            marks: Vec::new(),
            dropped: 0,
            cut: false,
            sizes: String::new(),
        };
        if even.is_none() {
            order.sizes = sizes(units)?;
        }
        let most = options.max_steps.unwrap_or(u64::MAX);
        let full = u64::from(order.options.batch_size)
            .saturating_sub(u64::from(facts.largest).saturating_sub(1));
        for number in 0..options.epochs {
            let first = order.steps();
            if first >= most {
                break;
            }
            let epoch = order.sequence(number);
            let (mut batches, last) = match even {
                Some(examples) => order.count_even(&epoch, examples),
                None => order.mark(units, &epoch, first, most)?,
            };
            // A batch closed because the next unit did not fit counts as full.
            if last > 0 && last < full && options.last_batch == LastBatch::Drop {
                batches -= 1;
                order.cut = true;
                // Behind the last step of the run they would not be trained anyway.
                order.dropped += if first + batches < most { last } else { 0 };
            }
            order.epochs.push(first + batches);
        }
        order.cut |= order.steps() > most;
        if let Some(end) = order.epochs.last_mut() {
            *end = (*end).min(most);
        }
        Ok(order)
    }

    /// Batches of an epoch whose units are all as large, and examples of the last.
    fn count_even(&self, epoch: &Epoch, examples: u64) -> (u64, u64) {
        let a_batch = self.units_of_batch(examples);
        match (epoch.units().div_ceil(a_batch), epoch.units() % a_batch) {
            (batches, 0) => (batches, if batches == 0 { 0 } else { a_batch * examples }),
            (batches, rest) => (batches, rest * examples),
        }
    }

    fn units_of_batch(&self, examples: u64) -> u64 {
        (u64::from(self.options.batch_size) / examples).max(1)
    }

    /// Walks an epoch, up to the batch behind the `most`th of the run, and keeps some places. Answers
    /// its batches, and the examples of the last.
    fn mark(
        &mut self,
        units: &dyn Units,
        epoch: &Epoch,
        first: u64,
        most: u64,
    ) -> Result<(u64, u64)> {
        let (mut place, mut batches, mut last) = (0, 0, 0);
        while place < epoch.units() && first + batches <= most {
            if (first + batches).is_multiple_of(MARK) {
                // A batch that is dropped at the end of an epoch leaves its mark to the next.
                self.marks.truncate(((first + batches) / MARK) as usize);
                self.marks.push(place);
            }
            (place, last) = self.walk(units, epoch, place, &mut |_| {})?;
            batches += 1;
        }
        Ok((batches, last))
    }

    /// Walks one batch, from a place in its epoch: answers the place behind it, and its examples.
    fn walk(
        &self,
        units: &dyn Units,
        epoch: &Epoch,
        mut place: u64,
        each: &mut dyn FnMut(u64),
    ) -> Result<(u64, u64)> {
        let mut open = 0;
        while place < epoch.units() {
            let unit = epoch.unit(place);
            let examples = match self.even {
                Some(examples) => examples,
                None => units.examples_of(unit)?,
            };
            if open > 0 && open + examples > u64::from(self.options.batch_size) {
                break;
            }
            each(unit);
            open += examples;
            place += 1;
        }
        Ok((place, open))
    }

    fn sequence(&self, epoch: u32) -> Epoch {
        Epoch::new(&self.parts, &self.mix, &self.options, epoch)
    }

    /// Number of batches, which is the number of optimizer steps.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.epochs.last().copied().unwrap_or(0)
    }

    /// Units of batch `step`.
    ///
    /// # Errors
    /// `failed` if the units cannot be read.
    pub fn batch(&self, units: &dyn Units, step: u64) -> Result<Vec<u64>> {
        let mut batch = Vec::new();
        self.each_batch(units, step..step + 1, &mut |_, found| {
            batch = found.to_vec();
            Ok(())
        })?;
        Ok(batch)
    }

    /// Goes through the batches of some steps in order; one after the other is faster than each by
    /// itself.
    ///
    /// # Errors
    /// `failed` if the units cannot be read; whatever `each` answers.
    pub fn each_batch(
        &self,
        units: &dyn Units,
        steps: Range<u64>,
        each: &mut dyn FnMut(u64, &[u64]) -> Result<()>,
    ) -> Result<()> {
        let mut step = steps.start;
        while step < steps.end.min(self.steps()) {
            let number = self.epoch(step);
            let epoch = self.sequence(number);
            let end = steps.end.min(self.epochs[number as usize + 1]);
            let mut place = self.place(units, &epoch, self.epochs[number as usize], step)?;
            let mut batch = Vec::new();
            while step < end {
                batch.clear();
                (place, _) = self.walk(units, &epoch, place, &mut |unit| batch.push(unit))?;
                each(step, &batch)?;
                step += 1;
            }
        }
        Ok(())
    }

    /// Where in its epoch, whose first batch is `first`, a batch begins.
    fn place(&self, units: &dyn Units, epoch: &Epoch, first: u64, step: u64) -> Result<u64> {
        if let Some(examples) = self.even {
            return Ok((step - first) * self.units_of_batch(examples));
        }
        let mark = step / MARK;
        // The mark before an epoch is of another one.
        let (mut at, mut place) = match mark * MARK >= first {
            true => (mark * MARK, self.marks[mark as usize]),
            false => (first, 0),
        };
        while at < step {
            (place, _) = self.walk(units, epoch, place, &mut |_| {})?;
            at += 1;
        }
        Ok(place)
    }

    /// Epoch of batch `step`, from 0.
    #[must_use]
    pub fn epoch(&self, step: u64) -> u32 {
        self.epochs.partition_point(|first| *first <= step) as u32 - 1
    }

    /// The batches of each epoch, in order.
    pub fn epochs(&self) -> impl Iterator<Item = Range<u64>> {
        self.epochs.windows(2).map(|ends| ends[0]..ends[1])
    }

    /// Examples of incomplete last batches that are not trained, all epochs together.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Whether some epoch ends before its data do: by `max_steps`, or without an incomplete batch.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// sha256 (hex) of all that decides it over the same examples: if it is equal, the order is.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let OrderOptions { batch_size, epochs: _, max_steps: _, shuffle, seed, last_batch } =
            self.options;
        let mut hash = Sha256::new();
        hash.update(format!(
            "swap-or-not 1: {batch_size} {shuffle} {seed} {last_batch:?} {:?}\n",
            self.epochs
        ));
        for part in &self.parts {
            let weight = self.mix.weight(part.dataset).to_bits();
            hash.update(format!("{} {} {weight}\n", part.dataset, part.units));
        }
        hash.update(format!("{:?} {}", self.even, self.sizes));
        format!("{:x}", hash.finalize())
    }
}

fn sizes(units: &dyn Units) -> Result<String> {
    let mut hash = Sha256::new();
    for unit in 0..units.facts().units() {
        hash.update(units.examples_of(unit)?.to_le_bytes());
    }
    Ok(format!("{:x}", hash.finalize()))
}

#[cfg(test)]
pub(super) mod tests;
