//! A pass over a batch: by the trainer, or by a forward pass, the loss here, and a weighted backward
//! pass.

use super::Forward;
use crate::training::{LossPath, cross_entropy};
use std::sync::Arc;
use tinsmith_plugin_api::{
    Batch, Column, ColumnData, Error, ErrorKind, EvaluateLoss, Forward as Answer, LossBatch,
    LossRef, LossValue, Result, Run, ticket,
};
use tinsmith_tinker_wire::output::Output;

/// The figure that clients look for.
const LOSS: &str = "loss:sum";

/// Runs it. Only what was refused leaves the run as it was.
pub fn run(run: &mut dyn Run, asked: &Forward) -> Result<Output> {
    let batch = &asked.batch;
    let answer = match (&asked.loss.path, &asked.loss.call) {
        (_, call) if asked.only => {
            let mut answer = forward(run, batch)?;
            if let Some(call) = call {
                // Without its inputs a loss has no value; the log-probabilities are still wanted.
                if let Ok((value, _)) = evaluate(call.as_ref(), batch, &answer.logprobs) {
                    figures(&mut answer, value);
                }
            }
            answer
        }
        (LossPath::Trainer(loss), call) => {
            let mut answer = backward(run, batch, loss.clone())?;
            // Clients count on the loss, and not every trainer tells it.
            if let Some(call) = call
                && !answer.metrics.contains_key(LOSS)
                && let Ok((value, _)) = evaluate(call.as_ref(), batch, &answer.logprobs)
            {
                figures(&mut answer, value);
            }
            answer
        }
        (LossPath::Host(loss), _) => {
            let mut answer = forward(run, batch)?;
            let (value, grad) = evaluate(loss.as_ref(), batch, &answer.logprobs)?;
            let data = ColumnData::F32(grad.into_iter().map(|g| -g).collect());
            let columns = vec![Column { name: "weights".into(), data }];
            let weighted = Batch { columns, ..Batch::clone(batch) };
            backward(run, &Arc::new(weighted), cross_entropy())?;
            figures(&mut answer, value);
            answer
        }
    };
    if answer.logprobs.len() != batch.tokens.len() {
        let (got, want) = (answer.logprobs.len(), batch.tokens.len());
        let e = format!("the trainer answered {got} log-probabilities for {want} targets");
        return Err(Error::new(ErrorKind::OTHER, e));
    }
    let output = Output::of(&answer, batch);
    Ok(match &asked.columns {
        Some(columns) => columns.gather(output),
        None => output,
    })
}

fn forward(run: &mut dyn Run, batch: &Arc<Batch>) -> Result<Answer> {
    let (done, ticket) = ticket();
    run.forward(Arc::clone(batch), done);
    ticket.wait()
}

fn backward(run: &mut dyn Run, batch: &Arc<Batch>, loss: LossRef) -> Result<Answer> {
    let (done, ticket) = ticket();
    run.forward_backward(Arc::clone(batch), loss, done);
    ticket.wait()
}

fn figures(answer: &mut Answer, value: LossValue) {
    answer.metrics.extend(value.metrics);
    answer.metrics.insert(LOSS.into(), value.sum);
}

fn evaluate(
    loss: &dyn EvaluateLoss,
    batch: &Batch,
    logprobs: &[f32],
) -> Result<(LossValue, Vec<f32>)> {
    let input = |name: &String| {
        let lacks = || Error::rejected(format!("the loss reads `{name}`, which no datum has"));
        batch.f32(name).ok_or_else(lacks)
    };
    let inputs = loss.inputs().iter().map(input).collect::<Result<Vec<_>>>()?;
    if logprobs.len() != batch.tokens.len() {
        return Err(Error::new(ErrorKind::OTHER, "log-probabilities and targets differ in number"));
    }
    let mut grad = vec![0.0_f32; batch.tokens.len()];
    let (offsets, groups) = (&batch.offsets, &batch.groups);
    let seen = LossBatch { logprobs, inputs: &inputs, offsets, groups };
    let value = loss.evaluate(&seen, &mut grad)?;
    Ok((value, grad))
}
