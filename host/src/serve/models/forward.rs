//! A pass over a batch: by the trainer, or by a forward pass, the loss here, and a weighted backward
//! pass.

use super::{
    Forward,
    flight::{Wake, answer},
};
use crate::training::{LossPath, cross_entropy};
use std::sync::Arc;
use tinsmith_plugin_api::{
    Batch, Column, ColumnData, Error, ErrorKind, EvaluateLoss, Forward as Answer, LossBatch,
    LossValue, Result, Run, Ticket,
};
use tinsmith_tinker_wire::output::Output;

/// The figure that clients look for.
const LOSS: &str = "loss:sum";

/// A pass that the trainer has.
pub struct Pass {
    asked: Forward,
    ticket: Ticket<Answer>,
    stage: Stage,
    /// Tokens that the trainer was given.
    given: u64,
    /// Of those, what it did not refuse.
    read: u64,
}

enum Stage {
    /// A loss that is evaluated here waits for its log-probabilities: a backward pass is to come.
    Ahead,
    /// Nothing is to come.
    Only,
    /// The backward pass behind that answer.
    Behind(Answer, LossValue),
}

impl Pass {
    /// Tokens that the model reads for a pass.
    pub fn cost(asked: &Forward) -> u64 {
        let passes = if asked.only { 1 } else { asked.loss.path.passes(false) };
        asked.batch.tokens.len() as u64 * passes
    }

    /// Hands it to the trainer.
    pub fn begin(run: &mut dyn Run, asked: Forward, wake: &Wake) -> Self {
        let (done, ticket) = wake.ticket();
        let batch = Arc::clone(&asked.batch);
        let stage = match &asked.loss.path {
            LossPath::Host(_) if !asked.only => Stage::Ahead,
            _ => Stage::Only,
        };
        let given = batch.tokens.len() as u64;
        match &asked.loss.path {
            LossPath::Trainer(loss) if !asked.only => {
                run.forward_backward(batch, loss.clone(), done);
            }
            _ => run.forward(batch, done),
        }
        Self { asked, ticket, stage, given, read: 0 }
    }

    /// Whether nothing may be handed over behind it yet.
    pub fn holds(&self) -> bool {
        matches!(self.stage, Stage::Ahead)
    }

    /// Tokens that the model has read.
    pub fn read(&self) -> u64 {
        self.read
    }

    /// The result, once it is there. Only what was refused leaves the run as it was; without a `run` what
    /// is to come is left out.
    pub fn poll(
        &mut self,
        run: Option<&mut (dyn Run + 'static)>,
        wake: &Wake,
    ) -> Option<Result<Output>> {
        let answer = answer(&self.ticket)?;
        if answer.is_ok() {
            self.read += self.given;
        }
        let result = match std::mem::replace(&mut self.stage, Stage::Only) {
            Stage::Only => answer.map(|answer| self.with_figures(answer)),
            Stage::Behind(before, value) => answer.map(|_| {
                let mut before = before;
                figures(&mut before, value);
                before
            }),
            Stage::Ahead => match answer.and_then(|answer| self.backward(run, answer, wake)) {
                // It may have been answered already.
                Ok(()) => return self.poll(None, wake),
                Err(e) => Err(e),
            },
        };
        Some(result.and_then(|answer| self.output(&answer)))
    }

    /// Evaluates the loss and hands over the backward pass. A loss that cannot be evaluated has changed
    /// nothing.
    fn backward(
        &mut self,
        run: Option<&mut (dyn Run + 'static)>,
        answer: Answer,
        wake: &Wake,
    ) -> Result<()> {
        let LossPath::Host(loss) = &self.asked.loss.path else { return Ok(()) };
        let Some(run) = run else {
            return Err(Error::new(ErrorKind::LOST, "an earlier operation of the model failed"));
        };
        let batch = &self.asked.batch;
        let (value, grad) = evaluate(loss.as_ref(), batch, &answer.logprobs)?;
        let data = ColumnData::F32(grad.into_iter().map(|g| -g).collect());
        let columns = vec![Column { name: "weights".into(), data }];
        let weighted = Arc::new(Batch { columns, ..Batch::clone(batch) });
        let (done, ticket) = wake.ticket();
        run.forward_backward(weighted, cross_entropy(), done);
        (self.ticket, self.stage) = (ticket, Stage::Behind(answer, value));
        Ok(())
    }

    /// Clients count on the loss, and not every trainer tells it. Without its inputs it has no value; the
    /// log-probabilities are still wanted.
    fn with_figures(&self, mut answer: Answer) -> Answer {
        if let Some(call) = &self.asked.loss.call
            && (self.asked.only || !answer.metrics.contains_key(LOSS))
            && let Ok((value, _)) = evaluate(call.as_ref(), &self.asked.batch, &answer.logprobs)
        {
            figures(&mut answer, value);
        }
        answer
    }

    fn output(&self, answer: &Answer) -> Result<Output> {
        let batch = &self.asked.batch;
        if answer.logprobs.len() != batch.tokens.len() {
            let (got, want) = (answer.logprobs.len(), batch.tokens.len());
            let e = format!("the trainer answered {got} log-probabilities for {want} targets");
            return Err(Error::new(ErrorKind::OTHER, e));
        }
        let output = Output::of(answer, batch);
        Ok(match &self.asked.columns {
            Some(columns) => columns.gather(output),
            None => output,
        })
    }
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
    let value = loss.evaluate(&seen, &mut grad).map_err(|e| match e.kind() {
        ErrorKind::DATA => e.with_kind(ErrorKind::REJECTED),
        _ => e,
    })?;
    Ok((value, grad))
}
