//! What the engine eats: packed rows, and a loss as a function of log-probabilities.

use crate::model::ModelConfig;
use std::ops::Range;
use tinsmith_plugin_api::{Batch, Error, EvaluateLoss, LossBatch, LossScope, LossValue, Result};

/// Tokens of all datums end to end, without padding.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Packed {
    /// Model input, `[T]`, each below the vocabulary size.
    pub tokens: Vec<u32>,
    /// What each position is to predict, `[T]`.
    pub targets: Vec<u32>,
    /// Where each sequence starts, and the end of the last: `[B + 1]`.
    pub offsets: Vec<usize>,
    /// Position of each token within its sequence, `[T]`.
    pub positions: Vec<u32>,
}

impl Packed {
    /// Checks a batch whole and packs it for a model.
    ///
    /// # Errors
    /// `rejected` if the arrays disagree, a token id is outside the vocabulary, or a sequence is
    /// longer than the model's context.
    pub fn new(batch: &Batch, config: &ModelConfig) -> Result<Self> {
        batch.validate()?;
        let tokens = token_ids(&batch.tokens, "tokens", config)?;
        let targets = token_ids(&batch.targets, "targets", config)?;
        let offsets: Vec<usize> = batch.offsets.iter().map(|&o| o as usize).collect();
        let mut positions = Vec::with_capacity(tokens.len());
        for (i, range) in offsets.windows(2).enumerate() {
            let len = range[1] - range[0];
            if len > config.max_positions {
                return Err(Error::rejected(format!(
                    "datum {i} has {len} tokens, the model's context is {}",
                    config.max_positions
                ))
                .with_hint("lower `data.max_length`"));
            }
            positions.extend(0..len as u32);
        }
        Ok(Self { tokens, targets, offsets, positions })
    }

    /// Number of tokens.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// True if there is no token.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }
}

/// Token ids as the engine has them.
///
/// # Errors
/// `rejected` for one outside the vocabulary.
pub(crate) fn token_ids(values: &[i32], what: &str, config: &ModelConfig) -> Result<Vec<u32>> {
    let check = |(i, &id): (usize, &i32)| match u32::try_from(id) {
        Ok(id) if (id as usize) < config.vocab => Ok(id),
        _ => Err(Error::rejected(format!(
            "`{what}[{i}]` is {id}, the model's vocabulary has {} entries",
            config.vocab
        ))
        .with_hint("use the tokenizer that belongs to the base model")),
    };
    values.iter().enumerate().map(check).collect()
}

/// A loss as the engine sees it: log-probabilities in, value and gradient out.
pub trait TokenLoss: Sync {
    /// What [`TokenLoss::evaluate`] must see at once.
    fn scope(&self) -> LossScope;

    /// The loss (a sum, in nats) over a range of the batch's tokens, and in `grad` its derivative by
    /// each log-probability. `grad` arrives filled with zeros; both slices have the range's length.
    /// The range is the whole batch unless the scope is [`LossScope::Token`].
    ///
    /// # Errors
    /// Whatever the loss answers.
    fn evaluate(
        &self,
        tokens: Range<usize>,
        logprobs: &[f32],
        grad: &mut [f32],
    ) -> Result<LossValue>;
}

/// A loss of the host together with the columns of a batch that it reads.
pub struct BatchLoss<'a> {
    loss: &'a dyn EvaluateLoss,
    batch: &'a Batch,
    columns: Vec<&'a [f32]>,
}

impl std::fmt::Debug for BatchLoss<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BatchLoss").field("inputs", &self.loss.inputs()).finish_non_exhaustive()
    }
}

impl<'a> BatchLoss<'a> {
    /// Finds the loss's input columns in the batch.
    ///
    /// # Errors
    /// `rejected` if one is missing.
    pub fn new(loss: &'a dyn EvaluateLoss, batch: &'a Batch) -> Result<Self> {
        let column = |name: &String| {
            batch.f32(name).ok_or_else(|| {
                Error::rejected(format!("the loss reads column `{name}`, which the batch lacks"))
                    .with_hint("choose a loss whose inputs the data has")
            })
        };
        let columns = loss.inputs().iter().map(column).collect::<Result<Vec<_>>>()?;
        Ok(Self { loss, batch, columns })
    }
}

impl TokenLoss for BatchLoss<'_> {
    fn scope(&self) -> LossScope {
        self.loss.scope()
    }

    fn evaluate(
        &self,
        tokens: Range<usize>,
        logprobs: &[f32],
        grad: &mut [f32],
    ) -> Result<LossValue> {
        let columns: Vec<&[f32]> = self.columns.iter().map(|c| &c[tokens.clone()]).collect();
        let (offsets, groups) = clip(&self.batch.offsets, &self.batch.groups, &tokens);
        let part = LossBatch { logprobs, inputs: &columns, offsets: &offsets, groups: &groups };
        self.loss.evaluate(&part, grad)
    }
}

/// The datums that touch `tokens`, cut to that range: offsets from 0, and their groups.
fn clip(offsets: &[u64], groups: &[u64], tokens: &Range<usize>) -> (Vec<u64>, Vec<u64>) {
    let (start, end) = (tokens.start as u64, tokens.end as u64);
    let mut cut = vec![0];
    let mut kept = Vec::new();
    for (range, &group) in offsets.windows(2).zip(groups) {
        if range[1] > start && range[0] < end {
            cut.push(range[1].min(end) - start);
            kept.push(group);
        }
    }
    (cut, kept)
}
