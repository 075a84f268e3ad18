/*!
A seeded order of `n` things that takes no memory: each place is computed by itself.

The swap-or-not shuffle of Hoang, Morris and Rogaway ("An Enciphering Scheme Based on a Card Shuffle",
CRYPTO 2012, figure 2): in every round a number changes places with its mirror image, or both stay. It
works for any `n`, and every round undoes itself, so that no two numbers meet. Recorded runs depend on
it, number by number.
*/

use crate::random::{SplitMix, mixed};

/// Rounds: six times the bits of a number and more, as the paper's bound asks for, up to two million
/// things; it mixes well far beyond.
const ROUNDS: usize = 128;

/// An order of `0..n`.
#[derive(Clone, Debug)]
pub(super) struct Permutation {
    n: u64,
    /// Of each round: what a number and its mirror image add up to, and what decides.
    rounds: Vec<(u64, u64)>,
}

impl Permutation {
    /// That of a seed and a stream: streams of one seed have nothing to do with each other.
    pub fn new(n: u64, seed: u64, stream: u64) -> Self {
        let mut random = SplitMix(seed);
        random.0 = random.next() ^ stream.wrapping_mul(0xd1b5_4a32_d192_ed03);
        let rounds = match n {
            0 | 1 => Vec::new(),
            _ => (0..ROUNDS).map(|_| (random.below(n), random.next())).collect(),
        };
        Self { n, rounds }
    }

    /// What stands at place `at`, which is less than `n`.
    pub fn at(&self, at: u64) -> u64 {
        self.rounds.iter().fold(at, |x, (sum, tweak)| {
            let mirror = if *sum >= x { sum - x } else { self.n - (x - sum) };
            match mixed(x.max(mirror) ^ tweak) & 1 {
                1 => mirror,
                _ => x,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Each of the 24 orders of four things, 1,000 times on the average. With 23 degrees of freedom,
    /// χ² is above 49.7 once in a thousand (as tables of its distribution say); the seeds are fixed.
    #[test]
    fn small_orders_are_all_as_likely() {
        let mut counts = std::collections::BTreeMap::new();
        for seed in 0..24_000 {
            let order = Permutation::new(4, seed, 0);
            let order: Vec<u64> = (0..4).map(|at| order.at(at)).collect();
            *counts.entry(order).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 24);
        let chi: f64 = counts.values().map(|n| (f64::from(*n) - 1000.0).powi(2) / 1000.0).sum();
        assert!(chi < 49.7, "χ² = {chi}");
    }

    /// How far neighbours land from each other: on the average of all orders, a third of the whole.
    #[test]
    fn neighbours_are_parted() {
        let n = 10_000;
        let order = Permutation::new(n, 3, 1);
        let apart: u64 = (1..n).map(|at| order.at(at).abs_diff(order.at(at - 1))).sum();
        let mean = apart as f64 / (n - 1) as f64 / n as f64;
        assert!((mean - 1.0 / 3.0).abs() < 0.01, "{mean}");
        let stay = (0..n).filter(|at| order.at(*at) == *at).count();
        assert!(stay < 8, "{stay} of {n} stay: one is the average");
    }

    proptest! {
        #[test]
        fn everything_once(n in 0_u64..700, seed: u64, stream: u64) {
            let order = Permutation::new(n, seed, stream);
            let mut all: Vec<u64> = (0..n).map(|at| order.at(at)).collect();
            all.sort_unstable();
            prop_assert_eq!(all, (0..n).collect::<Vec<_>>());
        }

        #[test]
        fn no_number_is_too_large(seed: u64, at: u64) {
            let n = u64::MAX / 2;
            prop_assert!(Permutation::new(n, seed, 0).at(at % n) < n);
        }
    }
}
