/*!
The plan: which examples are trained in which step, at which learning rate, with which weights.

Everything here is a pure function of the config and the examples, and is known, shown and checked
before the first step.
*/

mod context;
mod estimate;
mod honoured;
mod mix;
mod normalise;
mod order;
mod permutation;
mod scale;
mod schedule;
mod shift;
mod unusual;

pub use context::check_context;
pub use estimate::{Estimate, Rates, Speed, dollars, rates, usd_per_token};
pub use honoured::check_honoured;
pub use mix::Mix;
pub use normalise::fold;
pub use order::{Order, OrderOptions, Units};
pub use scale::check_scale;
pub use schedule::LearningRate;
pub use shift::{REFERENCE, Shift, StepBatch};
pub use unusual::unusual;

use crate::{
    Error, Result,
    config::{Config, Optimizer},
    data::{ExampleSet, Figures, Spool},
    runs::PlanFacts,
    text::plural,
};
use tinsmith_plugin_api::Adam;

/// What a run will do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The batches.
    pub order: Order,
    /// The learning rate of each step.
    pub learning_rate: LearningRate,
    /// How examples become datums.
    pub shift: Shift,
    /// Its figures.
    pub facts: PlanFacts,
    /// What the user should know before it starts.
    pub notes: Vec<String>,
    /// Whether the loss is measured against a reference model.
    pub reference: bool,
    optimizer: Optimizer,
}

impl Plan {
    /// Plans a run over these examples with a loss that reads the columns `inputs`.
    ///
    /// # Errors
    /// `data` if there is nothing to train on; `usage` if the loss and the data do not fit.
    pub fn new(config: &Config, train: &Spool, eval: &Spool, inputs: &[String]) -> Result<Self> {
        let training = &config.training;
        let shift = Shift { inputs: inputs.to_vec(), normalization: training.normalization };
        shift.check(train.columns(), &train.facts().parts, &training.loss.name)?;
        let reference = shift.needs_reference(train.columns());
        let options = OrderOptions {
            batch_size: training.batch_size,
            epochs: training.epochs,
            max_steps: training.max_steps,
            shuffle: config.data.shuffle,
            seed: config.data.seed,
            last_batch: training.last_batch,
        };
        let mut notes = Vec::new();
        let mix = Mix::new(&config.datasets);
        let order = Order::new(train, &mix, options)?;
        notes.extend(mix.notes(&train.facts().parts));
        let steps = order.steps();
        if steps == 0 {
            return Err(nothing_to_do(train.facts().figures.examples, training.batch_size));
        }
        if let Some(most) = training.max_steps.filter(|most| *most > steps) {
            notes.push(format!(
                "`training.max_steps` is {most}, but {} of data give {steps} steps",
                plural(u64::from(training.epochs), "epoch")
            ));
        }
        if order.dropped() > 0 {
            notes.push(format!(
                "{} in incomplete last batches are not trained (`training.last_batch: drop`)",
                plural(order.dropped(), "example")
            ));
        }
        if shift.reads_weights() && train.facts().untrained > 0 {
            check_trained(train, &order)?;
        }
        let seen = seen(train, &order, &mix)?;
        let facts = PlanFacts {
            steps,
            epochs: training.epochs,
            examples: train.facts().figures.examples,
            eval_examples: eval.facts().figures.examples,
            seen: seen.examples,
            tokens: seen.tokens,
            trained_tokens: seen.trained_tokens,
        };
        let peak = config.optimizer.learning_rate;
        let learning_rate = LearningRate::new(&config.schedule, peak, steps);
        let warmup = learning_rate.warmup();
        if warmup > steps {
            notes.push(format!(
                "the warm-up is {} long and the run {steps}: it never reaches the learning rate",
                plural(warmup, "step")
            ));
        }
        if reference {
            let model = training
                .reference
                .as_deref()
                .map_or("the base model".into(), |uri| format!("`{uri}`"));
            notes.push(format!("`{REFERENCE}` are those of {model}: one more forward pass a step"));
        }
        let optimizer = config.optimizer.clone();
        Ok(Self { order, learning_rate, shift, facts, notes, optimizer, reference })
    }

    /// Number of optimizer steps.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.order.steps()
    }

    /// The datums of step `step`, from 0.
    ///
    /// # Errors
    /// As [`Spool::read`] and [`Shift::batch`].
    pub fn batch(&self, train: &Spool, step: u64) -> Result<StepBatch> {
        let build = || self.shift.batch(&self.examples(train, step)?);
        build().map_err(|e| e.context(format!("build the batch of step {}", step + 1)))
    }

    fn examples(&self, train: &Spool, step: u64) -> Result<ExampleSet> {
        train.read(&self.order.batch(train, step)?)
    }

    /// The optimizer's parameters of step `step`, from 0.
    #[must_use]
    pub fn adam(&self, step: u64) -> Adam {
        let optimizer = &self.optimizer;
        Adam {
            learning_rate: self.learning_rate.at(step),
            beta1: optimizer.beta1,
            beta2: optimizer.beta2,
            eps: optimizer.eps,
            weight_decay: optimizer.weight_decay,
            grad_clip_norm: optimizer.grad_clip_norm,
        }
    }

    /// Tokens that the model reads in step `step`, from 0.
    ///
    /// # Errors
    /// `failed` if the examples cannot be read.
    pub fn tokens_of(&self, train: &Spool, step: u64) -> Result<u64> {
        Ok(figures(train, &self.order.batch(train, step)?)?.tokens)
    }
}

/// What some units come to.
fn figures(train: &Spool, units: &[u64]) -> Result<Figures> {
    units.iter().try_fold(Figures::default(), |mut sum, unit| {
        sum += train.figures_of(*unit)?;
        Ok(sum)
    })
}

/// What a run sees, all epochs together.
fn seen(train: &Spool, order: &Order, mix: &Mix) -> Result<Figures> {
    let mut seen = Figures::default();
    // Epochs that are the whole need no looking up; of those that are cut, only the last may be.
    let whole = mix.is_plain() && (!order.is_cut() || order.dropped() == 0);
    let epochs: Vec<_> = order.epochs().collect();
    for (i, steps) in epochs.iter().enumerate() {
        if whole && (i + 1 < epochs.len() || !order.is_cut()) {
            seen += train.facts().figures;
            continue;
        }
        order.each_batch(train, steps.clone(), &mut |_, batch| {
            seen += figures(train, batch)?;
            Ok(())
        })?;
    }
    Ok(seen)
}

/// Every batch has a token that is trained.
fn check_trained(train: &Spool, order: &Order) -> Result<()> {
    order.each_batch(train, 0..order.steps(), &mut |step, batch| match figures(train, batch)? {
        Figures { trained_tokens: 0, examples, .. } => Err(untrained_batch(step, examples)),
        _ => Ok(()),
    })
}

/// A step over such a batch would move the weights by the optimizer's momentum alone.
fn untrained_batch(step: u64, examples: u64) -> Error {
    Error::data(format!(
        "no token of batch {} is trained: every weight of its {} is zero",
        step + 1,
        plural(examples, "example")
    ))
    .hint("see what is trained with `tinsmith render FILE`, set `data.train_on`, or raise `training.batch_size`")
}

fn nothing_to_do(examples: u64, batch_size: u32) -> Error {
    if examples == 0 {
        return Error::data("there is no example to train on")
            .hint("check the data with `tinsmith data check FILE`");
    }
    Error::data(format!(
        "{} do not fill a batch of {batch_size}, and incomplete batches are dropped",
        plural(examples, "example")
    ))
    .hint("lower `training.batch_size`, or set `training.last_batch: keep`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::fake::spool;
    use serde_json::json;

    fn config(training: &serde_json::Value) -> Config {
        serde_json::from_value(json!({
            "model": {"base_model": "m"}, "datasets": [{"path": "d.jsonl"}], "training": training,
        }))
        .unwrap()
    }

    fn plan(training: &serde_json::Value, lengths: &[usize]) -> Result<Plan> {
        let examples = lengths.iter().map(|n| vec![1.0; *n]);
        let (_dir, train) = spool(examples);
        Plan::new(&config(training), &train, &spool([]).1, &["weights".into()])
    }

    #[test]
    fn figures_by_hand() {
        // 5 examples, 2 a batch: 3 steps an epoch. Inputs are one shorter than examples.
        let plan = plan(&json!({"batch_size": 2, "epochs": 2}), &[3, 4, 5, 6, 7]).unwrap();
        let facts = &plan.facts;
        assert_eq!((facts.steps, facts.tokens, facts.trained_tokens), (6, 40, 40));
        assert!(plan.notes.is_empty());
    }

    #[test]
    fn what_is_left_out_is_said() {
        let most = plan(&json!({"batch_size": 2, "max_steps": 9}), &[3, 3]).unwrap();
        assert!(most.notes[0].contains("max_steps"), "{:?}", most.notes);
        let training = json!({"batch_size": 2, "last_batch": "drop"});
        let dropped = plan(&training, &[3, 3, 3]).unwrap();
        assert!(dropped.notes[0].starts_with("1 example"), "{:?}", dropped.notes);
        assert!(plan(&training, &[3]).unwrap_err().hint.unwrap().contains("last_batch"));
    }

    #[test]
    fn nothing_to_train_on_is_refused() {
        assert!(plan(&json!({}), &[]).unwrap_err().message.contains("no example"));
    }

    /// Every way to count what a run sees, against a count of its batches.
    #[test]
    fn what_is_seen_is_what_the_batches_hold() {
        let (_dir, train) = spool((0..23).map(|i| vec![1.0; 2 + i % 5]));
        for training in [
            json!({"batch_size": 4, "epochs": 3}),
            json!({"batch_size": 4, "epochs": 3, "max_steps": 8}),
            json!({"batch_size": 4, "epochs": 3, "max_steps": 12}),
            json!({"batch_size": 4, "epochs": 2, "last_batch": "drop"}),
            json!({"batch_size": 4, "epochs": 1, "last_batch": "drop", "max_steps": 5}),
        ] {
            for weight in [1.0, 1.5] {
                let mut config = config(&training);
                config.datasets[0].weight = weight;
                let plan = Plan::new(&config, &train, &spool([]).1, &["weights".into()]).unwrap();
                let sets = (0..plan.steps()).map(|step| plan.examples(&train, step).unwrap());
                let (examples, tokens) = sets.fold((0, 0), |(examples, tokens), set| {
                    (examples + set.len(), tokens + set.tokens.len() - set.len())
                });
                let facts = &plan.facts;
                assert_eq!(
                    (facts.seen, facts.tokens),
                    (examples as u64, tokens as u64),
                    "{training}"
                );
                assert_eq!(facts.trained_tokens, facts.tokens);
                let of_steps = (0..plan.steps()).map(|s| plan.tokens_of(&train, s).unwrap());
                assert_eq!(of_steps.sum::<u64>(), facts.tokens);
            }
        }
    }

    /// As docs/decisions/0003 says: refused, not divided by zero, and before the first step.
    #[test]
    fn a_batch_whose_weights_are_all_zero_is_refused() {
        let (_dir, data) = spool([vec![1.0; 3], vec![0.0; 3], vec![1.0; 3]]);
        let plan = |batch_size: u32, inputs: &[&str]| {
            let mut config = config(&json!({"batch_size": batch_size, "normalization": "none"}));
            config.data.shuffle = false;
            let inputs: Vec<String> = inputs.iter().map(|name| (*name).to_owned()).collect();
            Plan::new(&config, &data, &spool([]).1, &inputs)
        };
        let e = plan(1, &["weights"]).unwrap_err();
        assert_eq!(e.kind, crate::Kind::Data);
        assert!(e.message.starts_with("no token of batch 2 is trained"), "{e}");
        plan(2, &["weights"]).unwrap();
        // A loss that reads no weights may train all the same.
        plan(1, &[]).unwrap();
    }

    #[test]
    fn a_warm_up_longer_than_the_run_is_said() {
        let mut config = config(&json!({"batch_size": 1}));
        config.schedule.warmup_steps = 4;
        let plan = |config: &Config, examples: usize| {
            let (_dir, data) = spool(vec![vec![1.0; 3]; examples]);
            Plan::new(config, &data, &spool([]).1, &["weights".into()]).unwrap()
        };
        assert!(plan(&config, 4).notes.is_empty());
        let short = plan(&config, 2);
        assert!(short.notes[0].contains("4 steps long and the run 2"), "{:?}", short.notes);
        assert_eq!(short.learning_rate.at(1), config.optimizer.learning_rate / 2.0);
    }
}
