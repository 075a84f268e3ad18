//! Which records are held out: by a draw that depends on the seed and the records alone.

use super::spool::Rows;
use crate::{Error, Result, config::EvalSplit, random::SplitMix};

/// Which records are held out: told by their place alone, so that nothing is remembered of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// None.
    None,
    /// Those of a dataset of their own.
    Dataset(u32),
    /// Those that drew no more than this.
    Drawn { seed: u64, most: u64 },
}

impl Held {
    /// Whether a record is held out.
    pub fn has(self, dataset: u32, record: u64) -> bool {
        match self {
            Self::None => false,
            Self::Dataset(own) => dataset == own,
            Self::Drawn { seed, most } => draw(seed, dataset, record) <= most,
        }
    }
}

/// Draws the records to hold out. Whole records are drawn, so that no conversation is in both parts.
///
/// # Errors
/// If nothing would be left on one of the two sides, or the rows cannot be read.
pub(super) fn choose(rows: &Rows, part: &EvalSplit, seed: u64) -> Result<Held> {
    let total = rows.len();
    let count = match (part.count, part.fraction) {
        (Some(count), _) => count,
        (None, Some(fraction)) => (fraction * total as f64).round() as u64,
        (None, None) => 0,
    };
    if count == 0 {
        return Err(Error::usage(format!("of {total} usable rows, none would be held out"))
            .hint("hold out a larger share, or leave `data.eval` out"));
    }
    if count >= total {
        return Err(Error::usage(format!(
            "of {total} usable rows, {count} would be held out and none trained on"
        ))
        .hint("hold out fewer"));
    }
    let draws =
        || rows.iter().map(|used| used.map(|u| draw(seed, u.source.dataset, u.source.record)));
    let most = nth_smallest(count, draws)?;
    Ok(Held::Drawn { seed, most })
}

/// What a record draws. No two draw the same: every step can be undone.
fn draw(seed: u64, dataset: u32, record: u64) -> u64 {
    let mix = |x| SplitMix(x).next();
    mix(mix(seed) ^ mix(u64::from(dataset) << 40 ^ record))
}

/// The `count`th smallest of numbers that are gone through four times, 16 bits at a time, instead of
/// being kept and sorted. There are at least `count`, which is not 0.
fn nth_smallest<I: Iterator<Item = Result<u64>>>(
    count: u64,
    numbers: impl Fn() -> I,
) -> Result<u64> {
    let (mut prefix, mut left) = (0, count);
    for shift in [48, 32, 16, 0] {
        let mut histogram = vec![0_u64; 1 << 16];
        for number in numbers() {
            let number = number?;
            if number.checked_shr(shift + 16).unwrap_or(0) == prefix {
                histogram[(number >> shift & 0xFFFF) as usize] += 1;
            }
        }
        let mut digit = 0;
        while digit < 0xFFFF && histogram[digit] < left {
            left -= histogram[digit];
            digit += 1;
        }
        prefix = prefix << 16 | digit as u64;
    }
    Ok(prefix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn rows(records: impl IntoIterator<Item = u64>) -> Rows {
        Rows::of(records.into_iter().map(|record| (0, record)))
    }

    fn held(records: u64, part: &EvalSplit, seed: u64) -> BTreeSet<u64> {
        let held = choose(&rows(0..records), part, seed).unwrap();
        (0..records).filter(|record| held.has(0, *record)).collect()
    }

    #[test]
    fn a_count_and_a_fraction_hold_out_so_many() {
        let count = EvalSplit { count: Some(7), ..EvalSplit::default() };
        assert_eq!(held(100, &count, 0).len(), 7);
        let fraction = EvalSplit { fraction: Some(0.125), ..EvalSplit::default() };
        assert_eq!(held(100, &fraction, 0).len(), 13);
    }

    #[test]
    fn the_seed_decides_and_nothing_else() {
        let part = EvalSplit { count: Some(20), ..EvalSplit::default() };
        let a = held(100, &part, 1);
        let turned = choose(&rows((0..100).rev()), &part, 1).unwrap();
        assert!((0..100).all(|record| turned.has(0, record) == a.contains(&record)));
        assert_ne!(held(100, &part, 2), a);
        // A draw, not the first or last rows: of 20 out of 100, some lie in each half.
        assert!(a.iter().any(|r| *r < 50) && a.iter().any(|r| *r >= 50));
    }

    #[test]
    fn both_sides_keep_something() {
        for part in [
            EvalSplit { count: Some(10), ..EvalSplit::default() },
            EvalSplit { fraction: Some(0.01), ..EvalSplit::default() },
        ] {
            assert_eq!(choose(&rows(0..10), &part, 0).unwrap_err().kind, crate::Kind::Usage);
        }
    }

    proptest! {
        /// The reference sorts.
        #[test]
        fn the_nth_is_that_of_the_sorted(
            mut numbers in prop::collection::vec(
                prop_oneof![any::<u64>(), 0_u64..5, Just(u64::MAX), Just(0xFFFF_0000)], 1..80),
            at: prop::sample::Index,
        ) {
            let n = at.index(numbers.len());
            let found = nth_smallest(n as u64 + 1, || numbers.iter().map(|number| Ok(*number)));
            numbers.sort_unstable();
            prop_assert_eq!(found.unwrap(), numbers[n]);
        }
    }
}
