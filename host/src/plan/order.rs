//! In which order the examples are trained: a seeded shuffle per epoch, cut into batches.
//!
//! The order is a pure function of the number of examples, their groups, the seed and the epoch, so
//! that a resumed run finds its place by counting. The generator is written out here: no update of
//! a crate may ever change the order of a recorded run.

use super::mix::Mix;
use crate::config::LastBatch;
use sha2::{Digest, Sha256};
use std::ops::Range;

/// Every batch of a run, in the order of training.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// Indices of examples, batch after batch.
    examples: Vec<u32>,
    /// Where each batch starts in `examples`, and the end of the last: `[steps + 1]`.
    starts: Vec<usize>,
    /// The epoch of each batch, from 0.
    epochs: Vec<u32>,
    /// Examples of incomplete last batches that are not trained, all epochs together.
    dropped: u64,
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
    /// Orders examples; equal neighbouring numbers in `groups` stay together in one batch.
    #[must_use]
    pub fn new(groups: &[u64], options: OrderOptions) -> Self {
        Self::mixed(groups, &Mix::default(), options)
    }

    /// As [`Order::new`], with some examples more often than once an epoch, or not in each.
    #[must_use]
    pub fn mixed(groups: &[u64], mix: &Mix, options: OrderOptions) -> Self {
        let units = units(groups);
        let shares = mix.shares(&units, options);
        let largest = units.iter().map(Range::len).max().unwrap_or(1);
        let batch_size = options.batch_size.max(1) as usize;
        let most = options.max_steps.unwrap_or(u64::MAX);
        let mut order = Self { starts: vec![0], ..Self::default() };
        for epoch in 0..options.epochs {
            if order.steps() >= most {
                break;
            }
            let mut sequence = shares.sequence(epoch);
            if options.shuffle {
                shuffle(&mut sequence, options.seed, epoch);
            }
            let mut open = 0;
            for unit in sequence {
                let unit = &units[unit as usize];
                if open > 0 && open + unit.len() > batch_size {
                    order.close(epoch, &mut open);
                }
                order.examples.extend(unit.clone().map(|i| i as u32));
                open += unit.len();
            }
            // A batch closed because the next group did not fit counts as full.
            let full = batch_size.saturating_sub(largest - 1);
            if open > 0 && open < full && options.last_batch == LastBatch::Drop {
                // Behind the last step of the run they would not be trained anyway.
                order.dropped += if order.steps() < most { open as u64 } else { 0 };
                order.examples.truncate(order.examples.len() - open);
            } else if open > 0 {
                order.close(epoch, &mut open);
            }
        }
        let steps = order.steps().min(most) as usize;
        order.starts.truncate(steps + 1);
        order.epochs.truncate(steps);
        order.examples.truncate(order.starts[steps]);
        order
    }

    fn close(&mut self, epoch: u32, open: &mut usize) {
        self.starts.push(self.examples.len());
        self.epochs.push(epoch);
        *open = 0;
    }

    /// Number of batches, which is the number of optimizer steps.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.epochs.len() as u64
    }

    /// Examples of batch `step`.
    #[must_use]
    pub fn batch(&self, step: u64) -> &[u32] {
        let step = step as usize;
        &self.examples[self.starts[step]..self.starts[step + 1]]
    }

    /// Epoch of batch `step`, from 0.
    #[must_use]
    pub fn epoch(&self, step: u64) -> u32 {
        self.epochs[step as usize]
    }

    /// Examples of incomplete last batches that are not trained, all epochs together.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// sha256 (hex) of every batch: equal exactly if the order is.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        for step in 0..self.steps() {
            let batch = self.batch(step);
            hash.update((batch.len() as u64).to_le_bytes());
            batch.iter().for_each(|i| hash.update(i.to_le_bytes()));
        }
        format!("{:x}", hash.finalize())
    }
}

/// Runs of equal neighbouring group numbers.
pub(super) fn units(groups: &[u64]) -> Vec<Range<usize>> {
    let mut units: Vec<Range<usize>> = Vec::new();
    for (i, group) in groups.iter().enumerate() {
        match units.last_mut() {
            Some(last) if groups[last.start] == *group => last.end = i + 1,
            _ => units.push(i..i + 1),
        }
    }
    units
}

/// Fisher–Yates with SplitMix64, seeded by `seed` and `epoch`.
pub(super) fn shuffle(items: &mut [u32], seed: u64, epoch: u32) {
    let mut random = SplitMix(seed);
    random.0 = random.next() ^ u64::from(epoch).wrapping_mul(0xd1b5_4a32_d192_ed03);
    for last in (1..items.len()).rev() {
        items.swap(last, random.below(last as u64 + 1) as usize);
    }
}

/// Sebastiano Vigna's SplitMix64.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform below `bound`, without bias: draws from the incomplete last block are refused.
    fn below(&mut self, bound: u64) -> u64 {
        let refused = (u64::MAX - bound + 1) % bound;
        loop {
            let drawn = self.next();
            if drawn <= u64::MAX - refused {
                return drawn % bound;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn options(batch_size: u32, epochs: u32, seed: u64) -> OrderOptions {
        OrderOptions {
            batch_size,
            epochs,
            max_steps: None,
            shuffle: true,
            seed,
            last_batch: LastBatch::Keep,
        }
    }

    #[test]
    fn splitmix_gives_the_published_sequence() {
        // First outputs for seed 1234567, from the reference C code's test vectors
        // (as in Rosetta Code, "Pseudo-random numbers/Splitmix64").
        let mut random = SplitMix(1_234_567);
        let drawn: Vec<u64> = (0..5).map(|_| random.next()).collect();
        assert_eq!(
            drawn,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423,
                4_593_380_528_125_082_431,
                16_408_922_859_458_223_821
            ]
        );
    }

    #[test]
    fn a_remainder_is_kept_or_counted() {
        let groups: Vec<u64> = (0..10).collect();
        let kept = Order::new(&groups, options(4, 2, 0));
        let sizes: Vec<usize> = (0..kept.steps()).map(|s| kept.batch(s).len()).collect();
        assert_eq!(sizes, [4, 4, 2, 4, 4, 2]);
        assert_eq!(kept.dropped(), 0);
        let dropped =
            Order::new(&groups, OrderOptions { last_batch: LastBatch::Drop, ..options(4, 2, 0) });
        assert_eq!(dropped.steps(), 4);
        assert_eq!(dropped.dropped(), 4);
        // What `max_steps` leaves out is not the remainder's fault.
        let last_batch = LastBatch::Drop;
        let short = OrderOptions { last_batch, max_steps: Some(1), ..options(4, 2, 0) };
        assert_eq!(Order::new(&groups, short).dropped(), 0);
    }

    #[test]
    fn the_order_is_pinned() {
        // Recorded runs depend on it: a change here breaks the resume of every run in the world.
        // The numbers come from the same algorithm written in Python.
        let groups: Vec<u64> = (0..8).collect();
        let order = Order::new(&groups, options(8, 2, 42));
        assert_eq!(order.batch(0), [3, 6, 0, 7, 1, 2, 5, 4]);
        assert_eq!(order.batch(1), [4, 1, 2, 7, 5, 0, 3, 6]);
        assert_eq!(order, Order::new(&groups, options(8, 2, 42)));
        assert_ne!(order, Order::new(&groups, options(8, 2, 43)));
        let unshuffled = OrderOptions { shuffle: false, ..options(8, 1, 42) };
        assert_eq!(Order::new(&groups, unshuffled).batch(0), [0, 1, 2, 3, 4, 5, 6, 7]);
    }

    proptest! {
        #[test]
        fn every_example_once_an_epoch_and_groups_whole(
            sizes in prop::collection::vec(1_usize..5, 1..40),
            batch_size in 1_u32..12, epochs in 1_u32..4, seed: u64,
        ) {
            let groups: Vec<u64> = sizes.iter().enumerate()
                .flat_map(|(g, n)| std::iter::repeat_n(g as u64, *n)).collect();
            let order = Order::new(&groups, options(batch_size, epochs, seed));
            let mut seen = vec![0_u32; groups.len() * epochs as usize];
            for step in 0..order.steps() {
                let batch = order.batch(step);
                prop_assert!(!batch.is_empty());
                let first = groups[batch[0] as usize];
                let one_group = batch.iter().all(|i| groups[*i as usize] == first);
                prop_assert!(batch.len() <= batch_size as usize || one_group);
                for i in batch {
                    seen[order.epoch(step) as usize * groups.len() + *i as usize] += 1;
                    // The whole group is in this batch.
                    let group = groups[*i as usize];
                    let here = batch.iter().filter(|j| groups[**j as usize] == group).count();
                    prop_assert_eq!(here, sizes[group as usize]);
                }
            }
            prop_assert!(seen.iter().all(|n| *n == 1));
        }

        #[test]
        fn max_steps_is_a_prefix(n in 1_u64..60, batch_size in 1_u32..9, most in 1_u64..20, seed: u64) {
            let groups: Vec<u64> = (0..n).collect();
            let whole = Order::new(&groups, options(batch_size, 3, seed));
            let cut = Order::new(&groups, OrderOptions { max_steps: Some(most), ..options(batch_size, 3, seed) });
            prop_assert_eq!(cut.steps(), whole.steps().min(most));
            for step in 0..cut.steps() {
                prop_assert_eq!(cut.batch(step), whole.batch(step));
            }
        }
    }
}
