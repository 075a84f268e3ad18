/*!
The plan: which examples are trained in which step, at which learning rate, with which weights.

Everything here is a pure function of the config and the examples, and is known, shown and checked
before the first step.
*/

mod context;
mod honoured;
mod normalise;
mod order;
mod schedule;
mod shift;
mod unusual;

pub use context::check_context;
pub use honoured::check_honoured;
pub use normalise::fold;
pub use order::{Order, OrderOptions};
pub use schedule::LearningRate;
pub use shift::{Shift, StepBatch};
pub use unusual::unusual;

use crate::{
    Error, Result,
    config::{Config, Optimizer},
    data::ExampleSet,
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
        let order = Order::new(&train.groups, options);
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
        let (tokens, trained_tokens) = count(train, order.examples());
        if trained_tokens == 0 {
            return Err(Error::data("no token of the data is trained: every weight is zero")
                .hint("see what is trained with `tinsmith render FILE`, or set `data.train_on`"));
        }
        let facts = PlanFacts {
            steps,
            epochs: training.epochs,
            examples: train.len() as u64,
            eval_examples: eval.len() as u64,
            tokens,
            trained_tokens,
        };
        let peak = config.optimizer.learning_rate;
        let learning_rate = LearningRate::new(&config.schedule, peak, steps);
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
        let range = set.range(*i as usize);
        let weights = &set.weights[range.start + 1..range.end];
        let weighted = weights.iter().filter(|w| **w != 0.0).count();
        (tokens + weights.len() as u64, trained + weighted as u64)
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
}
