/*!
How often the units of each dataset are seen: `datasets[].weight`.

A dataset's units are put in one order, drawn by the seed, and walked round and round: an epoch takes
`weight` times as many as there are and goes on where the one before it stopped. So every unit is
seen as often as any other, or once more; which ones, the seed decides.
*/

use super::{order::OrderOptions, permutation::Permutation};
use crate::{config::Dataset, data::Part, text::grouped};
use std::collections::BTreeMap;

/// The datasets' weights that are not 1, with the datasets' paths.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mix(BTreeMap<u32, (String, f64)>);

impl Mix {
    /// That of a config's datasets.
    #[must_use]
    pub fn new(datasets: &[Dataset]) -> Self {
        let named = (0..).zip(datasets).filter(|(_, d)| d.weight != 1.0);
        Self(named.map(|(i, d)| (i, (d.path.clone(), d.weight))).collect())
    }

    /// Of datasets with these weights, for tests.
    #[cfg(test)]
    pub(super) fn of(weights: &[f64]) -> Self {
        let named = (0..).zip(weights).map(|(i, weight)| (i, (format!("{i}.jsonl"), *weight)));
        Self(named.collect())
    }

    /// Whether every weight is 1.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.0.is_empty()
    }

    /// What the weights come to, one line each.
    #[must_use]
    pub fn notes(&self, parts: &[Part]) -> Vec<String> {
        let note = |(dataset, (path, weight)): (&u32, &(String, f64))| {
            let part = parts.iter().find(|part| part.dataset == *dataset);
            let examples = part.map_or(0, |part| part.examples);
            let seen = (weight * examples as f64).round() as u64;
            format!(
                "`{path}` has weight {weight}: of its {} examples, {} are seen an epoch",
                grouped(examples),
                grouped(seen)
            )
        };
        self.0.iter().map(note).collect()
    }

    /// The weight of a dataset.
    pub(super) fn weight(&self, dataset: u32) -> f64 {
        self.0.get(&dataset).map_or(1.0, |(_, weight)| *weight)
    }
}

/// The units of an epoch: a sequence of which each place is computed by itself.
#[derive(Debug)]
pub(super) struct Epoch {
    /// Rounds of datasets, in the order of the datasets, and those that come again behind them.
    turns: Vec<Turn>,
    /// Units in all of them.
    units: u64,
    /// The order in which they are trained.
    shuffled: Option<Permutation>,
}

/// Units of one dataset, each at most once.
#[derive(Debug)]
struct Turn {
    /// Place of the first among all turns.
    start: u64,
    /// How many.
    units: u64,
    part: Part,
    /// Place of the first in the dataset's own walk.
    walk: u64,
    /// The order of that walk.
    order: Option<std::rc::Rc<Permutation>>,
}

impl Epoch {
    pub fn new(parts: &[Part], mix: &Mix, options: &OrderOptions, epoch: u32) -> Self {
        let mut rounds: Vec<Vec<Turn>> = Vec::new();
        for part in parts {
            let weight = mix.weight(part.dataset);
            // Epochs count from 0, datasets from the other end.
            let order = (options.shuffle && weight != 1.0).then(|| {
                let stream = u64::from(u32::MAX - part.dataset);
                std::rc::Rc::new(Permutation::new(part.units, options.seed, stream))
            });
            let until = |epoch: f64| (epoch * weight * part.units as f64).round() as u64;
            let (from, to) = (until(f64::from(epoch)), until(f64::from(epoch) + 1.0));
            for (round, walk) in (from..to).step_by(part.units.max(1) as usize).enumerate() {
                if rounds.len() == round {
                    rounds.push(Vec::new());
                }
                let units = part.units.min(to - walk);
                rounds[round].push(Turn {
                    start: 0,
                    units,
                    part: *part,
                    walk,
                    order: order.clone(),
                });
            }
        }
        let mut turns: Vec<Turn> = rounds.into_iter().flatten().collect();
        let mut units = 0;
        for turn in &mut turns {
            turn.start = units;
            units += turn.units;
        }
        let shuffled =
            options.shuffle.then(|| Permutation::new(units, options.seed, u64::from(epoch)));
        Self { turns, units, shuffled }
    }

    /// How many units it has.
    pub fn units(&self) -> u64 {
        self.units
    }

    /// The unit at a place, which is less than [`Epoch::units`].
    pub fn unit(&self, place: u64) -> u64 {
        let place = self.shuffled.as_ref().map_or(place, |order| order.at(place));
        let turn = self.turns.partition_point(|turn| turn.start <= place) - 1;
        let turn = &self.turns[turn];
        let at = (turn.walk + place - turn.start) % turn.part.units;
        turn.part.first + turn.order.as_ref().map_or(at, |order| order.at(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::LastBatch,
        plan::order::{Order, tests::Sizes},
    };
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

    /// How often each unit is seen in each epoch.
    fn seen(order: &Order, sizes: &Sizes, epochs: u32) -> Vec<Vec<u32>> {
        let mut seen = vec![vec![0; sizes.units()]; epochs as usize];
        for step in 0..order.steps() {
            for unit in order.batch(sizes, step).unwrap() {
                seen[order.epoch(step) as usize][unit as usize] += 1;
            }
        }
        seen
    }

    #[test]
    fn weights_by_hand() {
        let (sizes, mix) = (Sizes::of_datasets(&[2, 4]), Mix::of(&[2.0, 0.5]));
        let order = Order::new(&sizes, &mix, options(false, 2, 0)).unwrap();
        let epoch = |e: u32| -> Vec<u64> {
            let steps = (0..order.steps()).filter(|s| order.epoch(*s) == e);
            steps.flat_map(|s| order.batch(&sizes, s).unwrap()).collect()
        };
        // 0 and 1 twice an epoch, of 2 to 5 one half and then the other.
        assert_eq!(epoch(0), [0, 1, 2, 3, 0, 1]);
        assert_eq!(epoch(1), [0, 1, 4, 5, 0, 1]);
        assert_eq!(
            mix.notes(&sizes.parts)[1],
            "`1.jsonl` has weight 0.5: of its 4 examples, 2 are seen an epoch"
        );
    }

    proptest! {
        #[test]
        fn every_unit_as_often_as_the_weight_says(
            datasets in prop::collection::vec((1_usize..12, 0.05_f64..4.0), 1..4),
            epochs in 1_u32..5, seed: u64, shuffle: bool,
        ) {
            let (counts, weights): (Vec<usize>, Vec<f64>) = datasets.iter().copied().unzip();
            let (sizes, mix) = (Sizes::of_datasets(&counts), Mix::of(&weights));
            let order = Order::new(&sizes, &mix, options(shuffle, epochs, seed)).unwrap();
            let seen = seen(&order, &sizes, epochs);
            let mut first = 0;
            for (size, weight) in datasets {
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
            let sizes = Sizes::of_datasets(&[n, m]);
            let options = options(shuffle, 3, seed);
            let with = Order::new(&sizes, &Mix::of(&[1.0, 1.0]), options).unwrap();
            let without = Order::new(&sizes, &Mix::default(), options).unwrap();
            for step in 0..without.steps() {
                prop_assert_eq!(with.batch(&sizes, step).unwrap(), without.batch(&sizes, step).unwrap());
            }
        }
    }
}
