//! The same steps on two trainers, side by side.

use super::{LossPath, Reference, Watch, cross_entropy, wait, weighted};
use crate::{
    Error, Result,
    data::Spool,
    plan::{Plan, StepBatch},
};
use serde::Serialize;
use std::sync::Arc;
use tinsmith_plugin_api::{AdapterSpec, OpenRun, Outcome, Run, TrainerHandle, ticket};

/// One of the two.
pub struct Side<'a> {
    /// What computes.
    pub trainer: &'a dyn TrainerHandle,
    /// The base model: a folder or a name.
    pub base: &'a str,
    /// How the loss meets the trainer.
    pub loss: &'a LossPath,
}

impl std::fmt::Debug for Side<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Side").field("base", &self.base).finish_non_exhaustive()
    }
}

/// How far two trainers are apart after as many steps.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Apart {
    /// The step, from 1. What is compared is the model before it.
    pub step: u64,
    /// Trained tokens of its batch.
    pub trained_tokens: u64,
    /// Mean negative log-likelihood of a trained token on each side, in nats.
    pub nll: [f64; 2],
    /// Mean distance of the log-probabilities of trained tokens, in nats.
    pub mean: f64,
    /// Largest such distance.
    pub most: f64,
    /// Global norm of the gradient on each side, where a trainer tells it.
    pub grad_norm: [Option<f64>; 2],
}

/// Trains `steps` steps of a plan on both sides, and compares what they make of each batch.
///
/// # Errors
/// Whatever a trainer answered, with the side it was.
pub fn compare(
    sides: &[Side<'_>; 2],
    adapter: &AdapterSpec,
    plan: &Plan,
    train: &Spool,
    steps: u64,
    watch: &dyn Watch,
    mut told: impl FnMut(&Apart) -> Result<()>,
) -> Result<Vec<Apart>> {
    let mut runs = Vec::new();
    for side in sides {
        let from = OpenRun::Base { model: side.base.to_owned(), adapter: adapter.clone() };
        let run = side.trainer.open(from);
        runs.push(run.map_err(|e| Error::from(e).not_of_the_data().context(name(runs.len())))?);
    }
    let mut references = Vec::new();
    for side in sides.iter().filter(|_| plan.reference) {
        references.push(Reference::open(side.trainer, side.base, adapter, None)?);
    }
    let mut all = Vec::new();
    for step in 0..steps.min(plan.steps()) {
        let batch = plan.batch(train, step)?;
        let mut made = Vec::new();
        for (i, (side, run)) in sides.iter().zip(&mut runs).enumerate() {
            let batch = match references.get_mut(i) {
                Some(reference) => &reference.fill(batch.clone(), watch)?,
                None => &batch,
            };
            let answer = one(side, run.as_mut(), plan, batch, step, watch);
            made.push(answer.map_err(|e| e.context(format!("step {} {}", step + 1, name(i))))?);
        }
        let apart = apart(step, &batch, [&made[0], &made[1]])?;
        told(&apart)?;
        all.push(apart);
    }
    references.into_iter().for_each(|reference| reference.close(watch));
    for run in runs {
        if let Err(e) = run.close(Outcome::Success) {
            watch.warn(&format!("the trainer could not close the run: {e}"));
        }
    }
    Ok(all)
}

fn name(side: usize) -> &'static str {
    if side == 0 { "of the config" } else { "of `--against`" }
}

/// What a trainer made of a batch.
struct Answer {
    logprobs: Vec<f32>,
    grad_norm: Option<f64>,
}

fn one(
    side: &Side<'_>,
    run: &mut dyn Run,
    plan: &Plan,
    batch: &StepBatch,
    step: u64,
    watch: &dyn Watch,
) -> Result<Answer> {
    let (done, forward) = ticket();
    let forward = match side.loss {
        LossPath::Trainer(loss) => {
            run.forward_backward(Arc::clone(&batch.batch), loss.clone(), done);
            wait(&forward, watch)?
        }
        LossPath::Host(loss) => {
            run.forward(Arc::clone(&batch.batch), done);
            let forward = wait(&forward, watch)?;
            let (_, backward) = weighted(loss.as_ref(), batch, &forward)?;
            let (done, answer) = ticket();
            run.forward_backward(Arc::new(backward), cross_entropy(), done);
            wait(&answer, watch)?;
            forward
        }
    };
    let (done, stepped) = ticket();
    run.optim_step(plan.adam(step), done);
    let figures = wait(&stepped, watch)?;
    // Some servers put their own name before a figure, and a reduction behind it.
    let norm = figures.iter().find(|(key, _)| {
        let key = key.split(':').next().unwrap_or(key);
        key.rsplit('/').next() == Some("grad_norm")
    });
    Ok(Answer { logprobs: forward.logprobs, grad_norm: norm.map(|(_, norm)| *norm) })
}

fn apart(step: u64, batch: &StepBatch, made: [&Answer; 2]) -> Result<Apart> {
    let mut nll = [0.0; 2];
    for (nll, answer) in nll.iter_mut().zip(made) {
        let (sum, weight) = batch.nll(&answer.logprobs)?;
        *nll = sum / weight;
    }
    let (mut sum, mut most, mut count) = (0.0, 0.0_f64, 0_u64);
    let both = made[0].logprobs.iter().zip(&made[1].logprobs);
    for ((a, b), _) in both.zip(&batch.weights).filter(|(_, weight)| **weight != 0.0) {
        let distance = (f64::from(*a) - f64::from(*b)).abs();
        // A side that computes no number is infinitely far from one that does.
        let distance = if distance.is_nan() { f64::INFINITY } else { distance };
        (sum, most, count) = (sum + distance, most.max(distance), count + 1);
    }
    Ok(Apart {
        step: step + 1,
        trained_tokens: count,
        nll,
        mean: sum / count.max(1) as f64,
        most,
        grad_norm: made.map(|answer| answer.grad_norm),
    })
}
