/*!
How often the examples of each dataset are seen: `datasets[].weight`.

A dataset's groups are put in one order, drawn by the seed, and walked round and round: an epoch takes
`weight` times as many as there are and goes on where the one before it stopped. So every group is
seen as often as any other, or once more; which ones, the seed decides.
*/

use super::order::{OrderOptions, shuffle};
use crate::{config::Dataset, data::ExampleSet, text::grouped};
use std::{collections::BTreeMap, ops::Range};

/// Which dataset each example is of, and the weights that are not 1.
#[derive(Clone, Debug, Default)]
pub struct Mix {
    /// Empty where every weight is 1.
    datasets: Vec<u32>,
    weights: BTreeMap<u32, (String, f64)>,
}

impl Mix {
    /// That of a config's datasets.
    #[must_use]
    pub fn new(datasets: &[Dataset], train: &ExampleSet) -> Self {
        let weights: BTreeMap<u32, (String, f64)> = (0..)
            .zip(datasets)
            .filter(|(_, d)| d.weight != 1.0)
            .map(|(i, d)| (i, (d.path.clone(), d.weight)))
            .collect();
        if weights.is_empty() {
            return Self::default();
        }
        Self { datasets: train.source.iter().map(|s| s.dataset).collect(), weights }
    }

    /// What the weights come to, one line each.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let note = |(dataset, (path, weight)): (&u32, &(String, f64))| {
            let examples = self.datasets.iter().filter(|d| *d == dataset).count();
            let seen = (weight * examples as f64).round() as u64;
            format!(
                "`{path}` has weight {weight}: of its {} examples, {} are seen an epoch",
                grouped(examples as u64),
                grouped(seen)
            )
        };
        self.weights.iter().map(note).collect()
    }

    /// The shares of these groups, which are ranges of examples.
    pub(super) fn shares(&self, units: &[Range<usize>], options: OrderOptions) -> Shares {
        let mut of: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (i, unit) in (0..).zip(units) {
            let dataset = self.datasets.get(unit.start).copied().unwrap_or(0);
            of.entry(dataset).or_default().push(i);
        }
        let share = |(dataset, mut units): (u32, Vec<u32>)| {
            let weight = self.weights.get(&dataset).map_or(1.0, |(_, weight)| *weight);
            // Epochs count from 0, datasets from the other end.
            if options.shuffle && weight != 1.0 {
                shuffle(&mut units, options.seed, u32::MAX - dataset);
            }
            (units, weight)
        };
        Shares(of.into_iter().map(share).collect())
    }
}

/// The groups of each dataset in the order in which they take turns, and its weight.
#[derive(Debug)]
pub(super) struct Shares(Vec<(Vec<u32>, f64)>);

impl Shares {
    /// The groups of an epoch: in the order of the datasets, and those that come again behind them.
    pub(super) fn sequence(&self, epoch: u32) -> Vec<u32> {
        let mut rounds: Vec<Vec<u32>> = Vec::new();
        for (units, weight) in &self.0 {
            let n = units.len() as u64;
            let until = |epoch: f64| (epoch * weight * n as f64).round() as u64;
            let (from, to) = (until(f64::from(epoch)), until(f64::from(epoch) + 1.0));
            for (round, start) in (from..to).step_by(units.len().max(1)).enumerate() {
                if rounds.len() == round {
                    rounds.push(Vec::new());
                }
                let turn = start..to.min(start + n);
                rounds[round].extend(turn.map(|at| units[(at % n) as usize]));
            }
        }
        for round in &mut rounds {
            round.sort_unstable();
        }
        rounds.concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::LastBatch, plan::Order};
    use proptest::prelude::*;

    fn options(shuffle: bool, epochs: u32, seed: u64) -> OrderOptions {
        OrderOptions {
            batch_size: 3,
            epochs,
            max_steps: None,
            shuffle,
            seed,
            last_batch: LastBatch::Keep,
        }
    }

    /// Datasets of so many examples, each a group, with these weights.
    fn mix(sizes: &[(usize, f64)]) -> (Vec<u64>, Mix) {
        let mut mix = Mix::default();
        for (i, (size, weight)) in (0..).zip(sizes) {
            mix.datasets.extend(std::iter::repeat_n(i, *size));
            mix.weights.insert(i, (format!("{i}.jsonl"), *weight));
        }
        ((0..mix.datasets.len() as u64).collect(), mix)
    }

    /// How often each example is seen in each epoch.
    fn seen(order: &Order, examples: usize, epochs: u32) -> Vec<Vec<u32>> {
        let mut seen = vec![vec![0; examples]; epochs as usize];
        for step in 0..order.steps() {
            for i in order.batch(step) {
                seen[order.epoch(step) as usize][*i as usize] += 1;
            }
        }
        seen
    }

    #[test]
    fn weights_by_hand() {
        let (groups, mix) = mix(&[(2, 2.0), (4, 0.5)]);
        let order = Order::mixed(&groups, &mix, options(false, 2, 0));
        let epoch = |e: u32| -> Vec<u32> {
            let steps = (0..order.steps()).filter(|s| order.epoch(*s) == e);
            steps.flat_map(|s| order.batch(s).to_vec()).collect()
        };
        // 0 and 1 twice an epoch, of 2 to 5 one half and then the other.
        assert_eq!(epoch(0), [0, 1, 2, 3, 0, 1]);
        assert_eq!(epoch(1), [0, 1, 4, 5, 0, 1]);
        assert_eq!(
            mix.notes()[1],
            "`1.jsonl` has weight 0.5: of its 4 examples, 2 are seen an epoch"
        );
    }

    proptest! {
        #[test]
        fn every_example_as_often_as_the_weight_says(
            sizes in prop::collection::vec((1_usize..12, 0.05_f64..4.0), 1..4),
            epochs in 1_u32..5, seed: u64, shuffle: bool,
        ) {
            let (groups, mix) = mix(&sizes);
            let order = Order::mixed(&groups, &mix, options(shuffle, epochs, seed));
            prop_assert_eq!(&order, &Order::mixed(&groups, &mix, options(shuffle, epochs, seed)));
            let seen = seen(&order, groups.len(), epochs);
            let mut first = 0;
            for (size, weight) in sizes {
                let mine = first..first + size;
                first += size;
                for epoch in &seen {
                    let sum: u32 = epoch[mine.clone()].iter().sum();
                    prop_assert!((f64::from(sum) - weight * size as f64).abs() <= 1.0);
                }
                let all: Vec<u32> = mine.map(|i| seen.iter().map(|e| e[i]).sum()).collect();
                let (least, most) = (all.iter().min().unwrap(), all.iter().max().unwrap());
                prop_assert!(most - least <= 1, "{:?}", all);
            }
        }

        #[test]
        fn weights_of_one_change_nothing(n in 1_usize..30, m in 1_usize..30, seed: u64, shuffle: bool) {
            let (groups, mix) = mix(&[(n, 1.0), (m, 1.0)]);
            let options = options(shuffle, 3, seed);
            prop_assert_eq!(Order::mixed(&groups, &mix, options), Order::new(&groups, options));
        }
    }
}
