//! What the four policy losses share: their inputs, the ratio, the metrics, the checks.
//!
//! `p` is the learner and `q` the sampler of a token: `ratio = p / q = exp(logprob − old)`, where
//! `old` is the column `logprobs` and `logprob` comes from this forward pass. By convention prompt
//! positions carry `logprobs` 0 and `advantages` 0; metrics leave such positions out.

use crate::lanes::{CHUNK, exp, fill, sum};
use tinsmith_plugin_api::{Error, LossBatch, LossValue, Result};

/// The columns every policy loss reads.
pub(crate) const INPUTS: &[&str] = &["logprobs", "advantages"];

/// One token as a policy loss sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    /// log p of the target, in nats.
    pub(crate) logprob: f32,
    /// log q of the target, in nats.
    pub(crate) old: f32,
    /// Advantage of the token.
    pub(crate) advantage: f32,
    /// p / q.
    pub(crate) ratio: f32,
}

/// What a policy loss makes of one token.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Term {
    /// Its part of the sum, in nats.
    pub(crate) loss: f32,
    /// Derivative of the loss by the log-probability.
    pub(crate) grad: f32,
    /// 1.0 where the clipping took hold, otherwise 0.0.
    pub(crate) clipped: f32,
}

/// Sums `term` over all tokens and writes the gradient.
///
/// Metrics, over the positions whose advantage is not 0: `ratio:mean`, `kl:mean` (old − logprob,
/// in nats: the plain estimate of KL(q‖p)), and their number `active_tokens:sum`, which merges
/// means of several parts exactly. With `clips`, also `clip_fraction:mean`.
///
/// # Errors
/// A data error that names the first token at which the formula has no finite value.
#[inline(always)]
pub(crate) fn evaluate(
    batch: &LossBatch<'_>,
    grad: &mut [f32],
    clips: bool,
    term: impl Fn(Token) -> Term,
) -> Result<LossValue> {
    let old = column(batch, grad, INPUTS, 0)?;
    let advantages = column(batch, grad, INPUTS, 1)?;
    let [mut value, mut ratios, mut gaps, mut clipped, mut active] = [0.0; 5];
    let mut ratio = [0.0; CHUNK];
    let mut result = [0.0; CHUNK];
    for (c, grad) in grad.chunks_mut(CHUNK).enumerate() {
        let range = c * CHUNK..c * CHUNK + grad.len();
        let (lp, old) = (&batch.logprobs[range.clone()], &old[range.clone()]);
        let advantage = &advantages[range];
        let (ratio, result) = (&mut ratio[..grad.len()], &mut result[..grad.len()]);
        fill(ratio, |i| exp(lp[i] - old[i]));
        let ratio = &*ratio;
        let token = |i: usize| Token {
            logprob: lp[i],
            old: old[i],
            advantage: advantage[i],
            ratio: ratio[i],
        };
        let if_active = |i: usize, value: f32| if advantage[i] == 0.0 { 0.0 } else { value };
        // One pass for each result: the compiler drops the unused rest of every term.
        fill(grad, |i| term(token(i)).grad);
        fill(result, |i| term(token(i)).loss);
        value += sum(result);
        fill(result, |i| if_active(i, ratio[i]));
        ratios += sum(result);
        fill(result, |i| if_active(i, old[i] - lp[i]));
        gaps += sum(result);
        fill(result, |i| if_active(i, 1.0));
        active += sum(result);
        if clips {
            fill(result, |i| if_active(i, term(token(i)).clipped));
            clipped += sum(result);
        }
    }
    if !value.is_finite() {
        return Err(first_bad_token(batch.logprobs, old, advantages, term));
    }
    let mut metrics = std::collections::BTreeMap::from([("active_tokens:sum".into(), active)]);
    let mut mean = |name: &str, sum: f64| {
        if active > 0.0 {
            metrics.insert(name.into(), sum / active);
        }
    };
    mean("ratio:mean", ratios);
    mean("kl:mean", gaps);
    if clips {
        mean("clip_fraction:mean", clipped);
    }
    Ok(LossValue { sum: value, metrics })
}

/// The input column `index`, of the same length as everything else.
pub(crate) fn column<'a>(
    batch: &LossBatch<'a>,
    grad: &[f32],
    names: &[&str],
    index: usize,
) -> Result<&'a [f32]> {
    let name = names[index];
    let column = batch.inputs.get(index).ok_or_else(|| {
        Error::data("is missing").at(name).with_hint("the dataset must give it for every token")
    })?;
    let expected = batch.logprobs.len();
    if column.len() != expected || grad.len() != expected {
        let (found, room) = (column.len(), grad.len());
        return Err(Error::data(format!(
            "has {found} values for {expected} tokens and a gradient of {room}"
        ))
        .at(name));
    }
    Ok(column)
}

/// Explains a sum that is not finite. Slow, and only called when something is wrong.
#[cold]
fn first_bad_token(
    logprobs: &[f32],
    old: &[f32],
    advantages: &[f32],
    term: impl Fn(Token) -> Term,
) -> Error {
    for i in 0..logprobs.len() {
        let (logprob, old, advantage) = (logprobs[i], old[i], advantages[i]);
        for (name, value) in [("logprobs", old), ("advantages", advantage)] {
            if !value.is_finite() {
                return Error::data(format!("is {value}")).at(format!("{name}[{i}]"));
            }
        }
        let ratio = exp(logprob - old);
        let loss = term(Token { logprob, old, advantage, ratio }).loss;
        if !loss.is_finite() {
            return Error::data(format!(
                "the loss of token {i} is {loss}: the model gives {logprob} nats where the \
                 sampler had {old}"
            ))
            .with_hint("the model and the sampler are too far apart; lower the learning rate");
        }
    }
    Error::data("the sum of the loss is not finite")
}

/// The term of a token whose advantage is 0: no loss and no gradient, whatever the ratio is.
#[inline(always)]
pub(crate) fn unless_idle(token: Token, loss: f32, grad: f32, clipped: f32) -> Term {
    // Infinities are forgiven here, NaN is not: it is left for the check of the sum.
    let known = !token.logprob.is_nan() & !token.old.is_nan();
    let idle = (token.advantage == 0.0) & known;
    Term { loss: if idle { 0.0 } else { loss }, grad: if idle { 0.0 } else { grad }, clipped }
}
