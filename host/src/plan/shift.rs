//! Examples become datums: each token is predicted from those before it.

use super::fold;
use crate::{
    Error, Result,
    config::Normalization,
    data::{Columns, ExampleSet, Part},
};
use std::sync::Arc;
use tinsmith_plugin_api::{Batch, Column, ColumnData};

/// A batch, and what its metrics need besides.
#[derive(Clone, Debug)]
pub struct StepBatch {
    /// What the trainer is given.
    pub batch: Arc<Batch>,
    /// Raw weight of each target, before normalisation: `[T]`.
    pub weights: Vec<f32>,
    /// Targets whose raw weight is not zero.
    pub trained: u64,
}

impl StepBatch {
    /// Tokens of the model's input.
    #[must_use]
    pub fn tokens(&self) -> u64 {
        self.batch.tokens.len() as u64
    }

    /// Checks that a trainer answered one log-probability a target.
    ///
    /// # Errors
    /// `failed` if it did not.
    pub fn check_answer(&self, logprobs: &[f32]) -> Result<()> {
        if logprobs.len() == self.weights.len() {
            return Ok(());
        }
        Err(Error::failed(format!(
            "the trainer answered {} log-probabilities for {} targets",
            logprobs.len(),
            self.weights.len()
        ))
        .hint("this is a fault of the trainer's plugin or of its server"))
    }

    /// Σ w · −logprob and Σ w over the targets, with raw weights `w`: their ratio is the mean
    /// negative log-likelihood of a trained token, in nats.
    ///
    /// # Errors
    /// As [`StepBatch::check_answer`].
    pub fn nll(&self, logprobs: &[f32]) -> Result<(f64, f64)> {
        self.check_answer(logprobs)?;
        Ok(self.weights.iter().zip(logprobs).filter(|(w, _)| **w != 0.0).fold(
            (0.0, 0.0),
            |(sum, weight), (w, logprob)| {
                (sum - f64::from(*w) * f64::from(*logprob), weight + f64::from(*w))
            },
        ))
    }
}

/// The input of a loss that the host computes where no data gives it: log-probabilities of the targets
/// under the model that the run is measured against.
pub const REFERENCE: &str = "reference_logprobs";

/// How examples become datums.
#[derive(Clone, Debug)]
pub struct Shift {
    /// The columns that the loss reads, in its order.
    pub inputs: Vec<String>,
    /// What is folded into `weights`, or into `advantages` where the loss reads those instead.
    pub normalization: Normalization,
}

impl Shift {
    /// For a forward pass alone: no columns.
    #[must_use]
    pub fn forward_only() -> Self {
        Self { inputs: Vec::new(), normalization: Normalization::None }
    }

    /// Checks that the examples of these datasets have what the loss reads, and that there is
    /// something to fold the normalisation into.
    ///
    /// # Errors
    /// `usage` that names the loss's input.
    pub fn check(&self, columns: &Columns, parts: &[Part], loss: &str) -> Result<()> {
        let computed = self.needs_reference(columns);
        let known = |name: &str| {
            name == "weights"
                || computed && name == REFERENCE
                || columns.known.iter().any(|c| c.name == name)
        };
        if let Some(missing) = self.inputs.iter().find(|name| !known(name)) {
            return Err(Error::usage(format!(
                "loss `{loss}` reads `{missing}`, which the data does not have"
            ))
            .field("training.loss")
            .hint("give it as a column of tokens (`format: tokens`) or by the renderer, or choose another loss"));
        }
        // A column that some other dataset gives is zero here: nobody means that.
        if let Some((dataset, name)) = self.lacking(columns, parts) {
            return Err(Error::usage(format!(
                "loss `{loss}` reads `{name}`, which this dataset does not have"
            ))
            .field(format!("datasets[{dataset}]"))
            .hint("give all datasets of the run the columns that its loss reads"));
        }
        if !self.reads_weights() && self.normalization != Normalization::None {
            return Err(Error::usage(format!(
                "loss `{loss}` reads neither `weights` nor `advantages`: \
                 there is nothing to fold a normalisation into"
            ))
            .field("training.normalization")
            .hint("set `training.normalization: none`"));
        }
        Ok(())
    }

    /// Whether the loss is measured against a reference model whose log-probabilities no data gives.
    #[must_use]
    pub fn needs_reference(&self, columns: &Columns) -> bool {
        let given = |name: &str| columns.known.iter().any(|c| c.name == name);
        self.inputs.iter().any(|name| name == REFERENCE) && !given(REFERENCE)
    }

    /// The first dataset without a column that the loss reads.
    fn lacking(&self, columns: &Columns, parts: &[Part]) -> Option<(u32, &String)> {
        let read = |dataset: u32| self.inputs.iter().map(move |name| (dataset, name));
        parts.iter().flat_map(|part| read(part.dataset)).find(|(dataset, name)| {
            *name != "weights"
                && !(*name == REFERENCE && self.needs_reference(columns))
                && !columns.given.contains(&(*dataset, (*name).clone()))
        })
    }

    /// Whether the loss reads the weights, as they are or folded into the advantages.
    #[must_use]
    pub fn reads_weights(&self) -> bool {
        self.inputs.iter().any(|name| name == "weights" || name == "advantages")
    }

    /// The datums of these examples: input = all tokens but the last, target = all but the first.
    /// Weights and columns belong to the token they stand beside, so they shift with the targets.
    ///
    /// # Errors
    /// `data` for an example of fewer than two tokens, and as [`fold`].
    pub fn batch(&self, set: &ExampleSet) -> Result<StepBatch> {
        let mut batch = Batch { offsets: vec![0], groups: set.groups.clone(), ..Batch::default() };
        let mut weights = Vec::new();
        for range in (0..set.len()).map(|i| set.range(i)) {
            if range.len() < 2 {
                return Err(Error::data("an example of fewer than two tokens predicts nothing"));
            }
            batch.tokens.extend_from_slice(&set.tokens[range.start..range.end - 1]);
            batch.targets.extend_from_slice(&set.tokens[range.start + 1..range.end]);
            weights.extend_from_slice(&set.weights[range.start + 1..range.end]);
            batch.offsets.push(batch.tokens.len() as u64);
        }
        let mut folded = weights.clone();
        fold(&mut folded, &batch.offsets, self.normalization)?;
        let reads_weights = self.inputs.iter().any(|name| name == "weights");
        for name in &self.inputs {
            let data = if name == "weights" {
                ColumnData::F32(folded.clone())
            } else {
                let mut data = column(set, name)?;
                if let (ColumnData::F32(values), "advantages", false) =
                    (&mut data, name.as_str(), reads_weights)
                {
                    values.iter_mut().zip(&folded).for_each(|(value, weight)| *value *= weight);
                }
                data
            };
            batch.columns.push(Column { name: name.clone(), data });
        }
        let trained = weights.iter().filter(|w| **w != 0.0).count() as u64;
        Ok(StepBatch { batch: Arc::new(batch), weights, trained })
    }
}

fn column(set: &ExampleSet, name: &str) -> Result<ColumnData> {
    let column = set.columns.iter().find(|c| c.name == name);
    let targets = (0..set.len()).map(|i| set.range(i)).map(|range| range.start + 1..range.end);
    match column.map(|c| &c.data) {
        Some(ColumnData::F32(values)) => {
            let values = targets.flat_map(|range| values[range].iter().copied());
            Ok(ColumnData::F32(values.collect()))
        }
        Some(ColumnData::I64(values)) => {
            let values = targets.flat_map(|range| values[range].iter().copied());
            Ok(ColumnData::I64(values.collect()))
        }
        // Filled in before the batch is used.
        None if name == REFERENCE => Ok(ColumnData::F32(targets.flatten().map(|_| 0.0).collect())),
        None => Err(Error::data(format!("the examples have no column `{name}`"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advantages(values: Vec<f32>) -> Column {
        Column { name: "advantages".into(), data: ColumnData::F32(values) }
    }

    /// Two examples, of three tokens and of four.
    fn set() -> ExampleSet {
        ExampleSet {
            tokens: vec![10, 11, 12, 20, 21, 22, 23],
            weights: vec![0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 1.0],
            offsets: vec![0, 3, 7],
            groups: vec![5, 6],
            columns: vec![advantages(vec![9.0, 1.0, 2.0, 9.0, 3.0, 4.0, 5.0])],
            ..ExampleSet::default()
        }
    }

    /// The second of them alone.
    fn second() -> ExampleSet {
        ExampleSet {
            tokens: vec![20, 21, 22, 23],
            weights: vec![1.0, 1.0, 0.0, 1.0],
            offsets: vec![0, 4],
            groups: vec![6],
            ..ExampleSet::default()
        }
    }

    fn columns(given: &[u32]) -> Columns {
        let given = given.iter().map(|dataset| (*dataset, "advantages".to_owned()));
        Columns { known: vec![advantages(Vec::new())], given: given.collect() }
    }

    fn parts(datasets: u32) -> Vec<Part> {
        let part = |dataset| Part { dataset, first: u64::from(dataset), units: 1, examples: 1 };
        (0..datasets).map(part).collect()
    }

    fn shift(inputs: &[&str], normalization: Normalization) -> Shift {
        Shift { inputs: inputs.iter().map(|s| (*s).to_owned()).collect(), normalization }
    }

    #[test]
    fn targets_and_weights_move_one_place() {
        // By hand, from the rule: inputs tokens[..n-1], targets tokens[1..], weights[1..].
        let step = shift(&["weights"], Normalization::None).batch(&set()).unwrap();
        let batch = &step.batch;
        assert_eq!(batch.tokens, [10, 11, 20, 21, 22]);
        assert_eq!(batch.targets, [11, 12, 21, 22, 23]);
        assert_eq!(batch.f32("weights").unwrap(), [0.0, 1.0, 1.0, 0.0, 1.0]);
        assert_eq!(batch.offsets, [0, 2, 5]);
        assert_eq!(batch.groups, [5, 6]);
        assert_eq!((step.trained, step.tokens()), (3, 5));
        batch.validate().unwrap();
    }

    #[test]
    fn the_sum_that_divides_is_of_shifted_weights() {
        // Example 1 begins with a weight that no target has: 3 targets count, not 4.
        let step = shift(&["weights"], Normalization::Token).batch(&set()).unwrap();
        let third = (1.0_f64 / 3.0) as f32;
        assert_eq!(step.batch.f32("weights").unwrap(), [0.0, third, third, 0.0, third]);
    }

    #[test]
    fn advantages_carry_the_normalisation_where_weights_are_not_read() {
        let rule = shift(&["advantages"], Normalization::Example);
        let step = rule.batch(&set()).unwrap();
        assert_eq!(step.batch.f32("advantages").unwrap(), [0.0, 2.0, 1.5, 0.0, 2.5]);
        rule.check(&columns(&[0]), &parts(1), "dro").unwrap();
        let read = shift(&["logprobs"], Normalization::None);
        let e = read.check(&columns(&[0]), &parts(1), "ppo").unwrap_err();
        assert_eq!(e.field.as_deref(), Some("training.loss"));
    }

    #[test]
    fn nll_is_over_trained_targets_only() {
        let step = shift(&["weights"], Normalization::Token).batch(&second()).unwrap();
        assert_eq!(step.nll(&[-1.0, -100.0, -3.0]).unwrap(), (4.0, 2.0));
        assert!(step.nll(&[-1.0, -100.0]).unwrap_err().message.contains("2 log-prob"));
    }

    #[test]
    fn a_dataset_without_a_column_that_the_loss_reads_is_named() {
        let rule = shift(&["advantages"], Normalization::None);
        let e = rule.check(&columns(&[0]), &parts(2), "dro").unwrap_err();
        assert_eq!(e.field.as_deref(), Some("datasets[1]"));
        rule.check(&columns(&[0, 1]), &parts(2), "dro").unwrap();
    }

    #[test]
    fn one_token_is_refused() {
        let set = ExampleSet {
            tokens: vec![1],
            weights: vec![1.0],
            offsets: vec![0, 1],
            groups: vec![0],
            ..ExampleSet::default()
        };
        assert!(Shift::forward_only().batch(&set).is_err());
    }
}
