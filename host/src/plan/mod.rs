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
mod scale;
mod schedule;
mod shift;
mod unusual;

pub use context::check_context;
pub use estimate::{Estimate, Speed};
pub use honoured::check_honoured;
pub use mix::Mix;
pub use normalise::fold;
pub use order::{Order, OrderOptions};
pub use scale::check_scale;
pub use schedule::LearningRate;
pub use shift::{Shift, StepBatch};
pub use unusual::unusual;

use crate::{
    Error, Result,
    config::{Config, Optimizer},
    data::{ExampleSet, trained_tokens},
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
    optimizer: Optimizer,
}

impl Plan {
    /// Plans a run over these examples with a loss that reads the columns `inputs`.
    ///
    /// # Errors
    /// `data` if there is nothing to train on or an example predicts nothing; `usage` if the loss
    /// and the data do not fit.
    pub fn new(
        config: &Config,
        train: &ExampleSet,
        eval: &ExampleSet,
        inputs: &[String],
    ) -> Result<Self> {
        let training = &config.training;
        check_lengths(train)?;
        check_lengths(eval)?;
        let shift = Shift { inputs: inputs.to_vec(), normalization: training.normalization };
        shift.check(train, &training.loss.name)?;
        let mut options = OrderOptions {
            batch_size: training.batch_size,
            epochs: training.epochs,
            max_steps: None,
            shuffle: config.data.shuffle,
            seed: config.data.seed,
            last_batch: training.last_batch,
        };
        let mut notes = Vec::new();
        options.max_steps = training.max_steps;
        let mix = Mix::new(&config.datasets, train);
        let order = Order::mixed(&train.groups, &mix, options);
        notes.extend(mix.notes());
        let steps = order.steps();
        if steps == 0 {
            return Err(nothing_to_do(train.len(), training.batch_size));
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
        let (mut seen, mut tokens, mut trained_tokens) = (0, 0, 0);
        for step in 0..steps {
            seen += order.batch(step).len() as u64;
            let (inputs, trained) = count(train, order.batch(step));
            if trained == 0 && shift.reads_weights() {
                return Err(untrained_batch(step, &order));
            }
            tokens += inputs;
            trained_tokens += trained;
        }
        let facts = PlanFacts {
            steps,
            epochs: training.epochs,
            examples: train.len() as u64,
            eval_examples: eval.len() as u64,
            seen,
            tokens,
            trained_tokens,
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
        Ok(Self { order, learning_rate, shift, facts, notes, optimizer: config.optimizer.clone() })
    }

    /// Number of optimizer steps.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.order.steps()
    }

    /// The datums of step `step`, from 0.
    ///
    /// # Errors
    /// As [`Shift::batch`].
    pub fn batch(&self, train: &ExampleSet, step: u64) -> Result<StepBatch> {
        self.shift
            .batch(train, self.order.batch(step))
            .map_err(|e| e.context(format!("build the batch of step {}", step + 1)))
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

    /// Tokens and trained tokens of step `step`, from 0.
    #[must_use]
    pub fn tokens_of(&self, train: &ExampleSet, step: u64) -> (u64, u64) {
        count(train, self.order.batch(step))
    }

    /// Tokens and trained tokens of the first `steps` steps.
    #[must_use]
    pub fn tokens_until(&self, train: &ExampleSet, steps: u64) -> (u64, u64) {
        (0..steps.min(self.steps())).fold((0, 0), |(tokens, trained), step| {
            let (t, w) = self.tokens_of(train, step);
            (tokens + t, trained + w)
        })
    }
}

/// Input tokens of these examples, and targets with a weight.
fn count(set: &ExampleSet, examples: &[u32]) -> (u64, u64) {
    examples.iter().fold((0, 0), |(tokens, trained), i| {
        let weights = &set.weights[set.range(*i as usize)];
        (tokens + weights.len() as u64 - 1, trained + trained_tokens(weights))
    })
}

/// An example of one token predicts nothing. Renderers do not make such; if one does, its data is
/// not trained as if they were not there.
fn check_lengths(set: &ExampleSet) -> Result<()> {
    let short: Vec<usize> = (0..set.len()).filter(|i| set.range(*i).len() < 2).collect();
    let Some(first) = short.first() else { return Ok(()) };
    let place = match set.source.get(*first) {
        Some(source) => {
            format!("; the first is in line {} of dataset {}", source.line, source.dataset)
        }
        None => String::new(),
    };
    let have = if short.len() == 1 { "has" } else { "have" };
    let examples = plural(short.len() as u64, "example");
    Err(Error::data(format!("{examples} {have} fewer than two tokens and predict nothing{place}"))
        .hint("remove these records, or choose another renderer"))
}

/// A step over such a batch would move the weights by the optimizer's momentum alone.
fn untrained_batch(step: u64, order: &Order) -> Error {
    let (batch, size) = (step + 1, order.batch(step).len() as u64);
    Error::data(format!(
        "no token of batch {batch} is trained: every weight of its {} is zero",
        plural(size, "example")
    ))
    .hint("see what is trained with `tinsmith render FILE`, set `data.train_on`, or raise `training.batch_size`")
}

fn nothing_to_do(examples: usize, batch_size: u32) -> Error {
    if examples == 0 {
        return Error::data("there is no example to train on")
            .hint("check the data with `tinsmith data check FILE`");
    }
    Error::data(format!(
        "{} do not fill a batch of {batch_size}, and incomplete batches are dropped",
        plural(examples as u64, "example")
    ))
    .hint("lower `training.batch_size`, or set `training.last_batch: keep`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn config(training: &serde_json::Value) -> Config {
        serde_json::from_value(json!({
            "model": {"base_model": "m"}, "datasets": [{"path": "d.jsonl"}], "training": training,
        }))
        .unwrap()
    }

    fn set(lengths: &[usize]) -> ExampleSet {
        let mut set = ExampleSet { offsets: vec![0], ..ExampleSet::default() };
        for (i, len) in lengths.iter().enumerate() {
            set.tokens.extend(std::iter::repeat_n(i as i32, *len));
            set.weights.push(0.0);
            set.weights.extend(std::iter::repeat_n(1.0, len - 1));
            set.offsets.push(set.tokens.len() as u64);
            set.groups.push(i as u64);
        }
        set
    }

    fn plan(training: &serde_json::Value, lengths: &[usize]) -> Result<Plan> {
        let none = ExampleSet { offsets: vec![0], ..ExampleSet::default() };
        Plan::new(&config(training), &set(lengths), &none, &["weights".into()])
    }

    #[test]
    fn figures_by_hand() {
        // 5 examples, 2 a batch: 3 steps an epoch. Inputs are one shorter than examples.
        let plan = plan(&json!({"batch_size": 2, "epochs": 2}), &[3, 4, 5, 6, 7]).unwrap();
        let facts = &plan.facts;
        assert_eq!((facts.steps, facts.tokens, facts.trained_tokens), (6, 40, 40));
        assert_eq!(plan.tokens_until(&set(&[3, 4, 5, 6, 7]), 3), (20, 20));
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
    fn short_and_untrained_examples_are_refused() {
        let e = plan(&json!({}), &[3, 1, 1]).unwrap_err();
        assert!(e.message.starts_with("2 examples"), "{e}");
        assert!(plan(&json!({}), &[]).unwrap_err().message.contains("no example"));
    }

    /// As docs/decisions/0003 says: refused, not divided by zero, and before the first step.
    #[test]
    fn a_batch_whose_weights_are_all_zero_is_refused() {
        let mut data = set(&[3, 3, 3]);
        data.weights[3..6].fill(0.0);
        let none = ExampleSet::default();
        let plan = |batch_size: u32, inputs: &[&str]| {
            let mut config = config(&json!({"batch_size": batch_size, "normalization": "none"}));
            config.data.shuffle = false;
            let inputs: Vec<String> = inputs.iter().map(|name| (*name).to_owned()).collect();
            Plan::new(&config, &data, &none, &inputs)
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
            let (data, none) = (set(&vec![3; examples]), ExampleSet::default());
            Plan::new(config, &data, &none, &["weights".into()]).unwrap()
        };
        assert!(plan(&config, 4).notes.is_empty());
        let short = plan(&config, 2);
        assert!(short.notes[0].contains("4 steps long and the run 2"), "{:?}", short.notes);
        assert_eq!(short.learning_rate.at(1), config.optimizer.learning_rate / 2.0);
    }
}
