//! The likelihood of held-out data under the weights of a run in progress.

use super::{Session, wait};
use crate::{
    Result,
    plan::{Shift, StepBatch},
};
use std::{collections::VecDeque, sync::Arc};
use tinsmith_plugin_api::{Forward, Run, Ticket, ticket};

/// Mean negative log-likelihood of a trained token of the held-out examples, in nats, under the
/// run's weights as they are now. None without held-out examples, or when the user asked to stop.
///
/// # Errors
/// Whatever the trainer answers.
pub fn held_out_nll(session: &Session<'_>, run: &mut dyn Run) -> Result<Option<f64>> {
    let shift = Shift::forward_only();
    let mut queue: VecDeque<(StepBatch, Ticket<Forward>)> = VecDeque::new();
    let mut sum = (0.0, 0.0);
    let mut settle = |queue: &mut VecDeque<(StepBatch, Ticket<Forward>)>| -> Result<()> {
        if let Some((batch, ticket)) = queue.pop_front() {
            let forward = wait(&ticket, session.watch)?;
            let (nll, weight) = batch.nll(&forward.logprobs)?;
            sum = (sum.0 + nll, sum.1 + weight);
        }
        Ok(())
    };
    let mut next = 0;
    while next < session.eval.units() {
        if session.stop.asked() {
            while !queue.is_empty() {
                settle(&mut queue)?;
            }
            return Ok(None);
        }
        if queue.len() >= session.in_flight as usize {
            settle(&mut queue)?;
        }
        let (examples, after) = session.eval.read_some(next, u64::from(session.eval_batch))?;
        next = after;
        let batch = shift.batch(&examples)?;
        let (done, ticket) = ticket();
        run.forward(Arc::clone(&batch.batch), done);
        queue.push_back((batch, ticket));
    }
    while !queue.is_empty() {
        settle(&mut queue)?;
    }
    Ok((sum.1 > 0.0).then(|| sum.0 / sum.1))
}
