/*!
The training loop. There is one, for every trainer.

Steps are queued ahead of the one that is waited for: `forward_backward` and `optim_step` of step
n + 1 are on their way before the answer of step n is there. Answers are taken strictly in the order
of the operations, and a checkpoint is recorded when its answer is taken. So a checkpoint that is
recorded has only successes before it, and whatever was queued behind a failure is never looked at:
the run is dropped, because the effect of a failed operation is unknown and the operations behind it
were executed all the same.
*/

use super::{
    LossPath, Recorder, Reference, Session, StepDone, cross_entropy, held_out_nll, wait, weighted,
};
use crate::{
    Error, Result,
    plan::StepBatch,
    runs::{CheckpointKind, Evaluation, Measured},
};
use serde_json::json;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Instant,
};
use tinsmith_plugin_api::{
    Forward, LossValue, Metrics, OpenRun, Outcome, Run, Save, Saved, Ticket, ticket,
};

/// Where an attempt begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Start {
    /// What the trainer opens.
    pub from: OpenRun,
    /// The checkpoint's name, unless it is the base.
    pub checkpoint: Option<String>,
    /// Steps that are done, which is the batch that comes next.
    pub step: u64,
}

/// How an attempt ended that did not fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// All steps are done and the final checkpoint is saved.
    Completed,
    /// The user asked to stop; a checkpoint is saved.
    Interrupted,
    /// A limit of the config was reached; a checkpoint is saved.
    Limit(String),
}

enum Op {
    Step(Box<StepOp>),
    Save { name: String, step: u64, kind: CheckpointKind, ticket: Ticket<Saved> },
}

struct StepOp {
    /// From 0.
    step: u64,
    batch: StepBatch,
    forward: Ticket<Forward>,
    optim: Ticket<Metrics>,
    learning_rate: f64,
    /// The loss, where it was evaluated here.
    value: Option<LossValue>,
}

struct Loop<'s, 'a> {
    session: &'s Session<'a>,
    recorder: &'s mut Recorder,
    run: Box<dyn Run>,
    /// What the loss is measured against.
    reference: Option<Reference>,
    queue: VecDeque<Op>,
    /// The step that is submitted next, from 0.
    next: u64,
    /// Tokens of steps that were submitted, all those of earlier attempts included.
    submitted: u64,
    settled: Instant,
}

/// Trains from `start` until all steps are done or a reason to stop comes.
///
/// # Errors
/// Whatever an operation or a write answered. The run is dropped; the record holds the checkpoints
/// that count.
pub fn train(session: &Session<'_>, recorder: &mut Recorder, start: Start) -> Result<Ended> {
    let opened = session.trainer.open(start.from);
    let mut run = opened.map_err(|e| Error::from(e).not_of_the_data())?;
    recorder.opened(&run.id().0, start.checkpoint.as_deref())?;
    let first = start.step == 0 && recorder.record.evaluations.before.is_none();
    if first && let Some(nll) = held_out_nll(session, run.as_mut())? {
        let before = Evaluation { nll: Some(nll), ..Evaluation::default() };
        recorder.record.evaluations.before = Some(before);
        recorder.metrics(0, Measured::Eval, BTreeMap::from([("nll".into(), nll)]))?;
        session.watch.evaluated(0, nll);
    }
    let submitted = recorder.record.progress.computed_tokens;
    let (queue, next, settled) = (VecDeque::new(), start.step, Instant::now());
    let reference = session.plan.reference.then(|| session.reference()).transpose()?;
    let mut all = Loop { session, recorder, run, reference, queue, next, submitted, settled };
    let ended = all.steps();
    if let Some(reference) = all.reference.take() {
        reference.close(session.watch);
    }
    let outcome = match &ended {
        Ok(Ended::Completed) => Outcome::Success,
        Ok(_) => Outcome::Interrupted,
        Err(_) => Outcome::Failed,
    };
    let closed = all.run.close(outcome);
    let ended = ended?;
    if let Err(e) = closed {
        session.watch.warn(&format!("the trainer could not close the run: {e}"));
    }
    Ok(ended)
}

impl Loop<'_, '_> {
    fn steps(&mut self) -> Result<Ended> {
        let total = self.session.plan.steps();
        let mut why: Option<Ended> = None;
        loop {
            if why.is_none() && self.next < total {
                why = self.reason_to_stop()?;
            }
            let room = self.in_flight() < self.session.in_flight.max(1) as usize;
            if why.is_none() && self.next < total && room {
                self.submit()?;
                self.evaluate_if_due()?;
            } else if let Some(op) = self.queue.pop_front() {
                self.settle(op)?;
            } else {
                break;
            }
        }
        if let Some(why) = why {
            self.save_before_stopping()?;
            return Ok(why);
        }
        self.finish()?;
        Ok(Ended::Completed)
    }

    fn in_flight(&self) -> usize {
        self.queue.iter().filter(|op| matches!(op, Op::Step(_))).count()
    }

    fn reason_to_stop(&self) -> Result<Option<Ended>> {
        if self.session.stop.asked() {
            return Ok(Some(Ended::Interrupted));
        }
        let limits = &self.session.config.limits;
        if let Some(most) = limits.max_hours
            && self.recorder.seconds() / 3600.0 >= most
        {
            return Ok(Some(Ended::Limit(format!("`limits.max_hours` ({most}) is reached"))));
        }
        if limits.max_tokens.is_none() && limits.max_usd.is_none() {
            return Ok(None);
        }
        let next = self.session.plan.tokens_of(self.session.train, self.next)?;
        let tokens = self.submitted + next;
        let reached = |key: &str, most: String| {
            Some(Ended::Limit(format!("the next step would exceed `limits.{key}` ({most})")))
        };
        Ok(match (limits.max_tokens, limits.max_usd) {
            (Some(most), _) if tokens > most => reached("max_tokens", most.to_string()),
            (_, Some(most)) if self.session.usd(tokens).is_some_and(|usd| usd > most) => {
                reached("max_usd", format!("${most}"))
            }
            _ => None,
        })
    }

    /// Queues one step, and the checkpoint that is due after it: right behind its optimizer step,
    /// before anything of the next one.
    fn submit(&mut self) -> Result<()> {
        let (session, step) = (self.session, self.next);
        let mut batch = session.plan.batch(session.train, step)?;
        if let Some(reference) = &mut self.reference {
            batch = reference.fill(batch, session.watch)?;
        }
        let (forward_done, mut forward) = ticket();
        let mut value = None;
        match session.loss {
            LossPath::Trainer(loss) => {
                self.run.forward_backward(Arc::clone(&batch.batch), loss.clone(), forward_done);
            }
            LossPath::Host(loss) => {
                self.run.forward(Arc::clone(&batch.batch), forward_done);
                // It is executed behind what is queued: a failure there is the one to tell.
                self.settle_all()?;
                let answer =
                    wait(&forward, session.watch).map_err(|e| failed(e, "forward", step))?;
                let (evaluated, backward) = weighted(loss.as_ref(), &batch, &answer)?;
                value = Some(evaluated);
                let (done, backward_answer) = ticket();
                self.run.forward_backward(Arc::new(backward), cross_entropy(), done);
                forward = backward_answer;
            }
        }
        let adam = session.plan.adam(step);
        let (optim_done, optim) = ticket();
        self.run.optim_step(adam, optim_done);
        self.submitted += batch.tokens();
        self.next = step + 1;
        let learning_rate = adam.learning_rate;
        let op = StepOp { step, batch, forward, optim, learning_rate, value };
        self.queue.push_back(Op::Step(Box::new(op)));
        if let Some(kind) = self.checkpoint_due(step + 1) {
            self.save(step + 1, kind)?;
        }
        Ok(())
    }

    fn checkpoint_due(&self, done: u64) -> Option<CheckpointKind> {
        let every = self.session.config.checkpoint.every_steps;
        if done == self.session.plan.steps() {
            Some(CheckpointKind::Final)
        } else {
            every.filter(|n| done.is_multiple_of(*n)).map(|_| CheckpointKind::Periodic)
        }
    }

    fn save(&mut self, step: u64, kind: CheckpointKind) -> Result<()> {
        let name = match kind {
            CheckpointKind::Final => "final".to_owned(),
            _ => format!("{step:06}"),
        };
        self.recorder.planned_save(&name, step)?;
        let (done, ticket) = ticket();
        self.run.save(Save::State { name: name.clone(), optimizer: true }, done);
        self.queue.push_back(Op::Save { name, step, kind, ticket });
        Ok(())
    }

    /// Takes the answer of the oldest operation.
    fn settle(&mut self, op: Op) -> Result<()> {
        match op {
            Op::Step(op) => self.settle_step(*op),
            Op::Save { name, step, kind, ticket } => {
                let saved = wait(&ticket, self.session.watch)
                    .map_err(|e| failed(e, "save the checkpoint", step - 1))?;
                self.recorder.checkpoint(&name, step, kind, saved)?;
                self.session.watch.checkpoint(&name);
                self.forget_old()
            }
        }
    }

    fn settle_step(&mut self, op: StepOp) -> Result<()> {
        let watch = self.session.watch;
        let forward =
            wait(&op.forward, watch).map_err(|e| failed(e, "forward_backward", op.step))?;
        let optim = wait(&op.optim, watch).map_err(|e| failed(e, "optim_step", op.step))?;
        let (nll, weight) = op.batch.nll(&forward.logprobs)?;
        let nll = nll / weight;
        let seconds = self.settled.elapsed().as_secs_f64();
        self.settled = Instant::now();
        let (tokens, trained) = (op.batch.tokens(), op.batch.trained);
        let mut figures: BTreeMap<String, f64> = forward.metrics;
        figures.extend(op.value.into_iter().flat_map(|value| {
            value.metrics.into_iter().chain([("loss:sum".to_owned(), value.sum)])
        }));
        figures.extend(optim);
        figures.extend([
            ("nll".to_owned(), nll),
            ("learning_rate".to_owned(), op.learning_rate),
            ("tokens".to_owned(), tokens as f64),
            ("trained_tokens".to_owned(), trained as f64),
            ("seconds".to_owned(), seconds),
            ("tokens_per_second".to_owned(), tokens as f64 / seconds.max(1e-9)),
            ("epoch".to_owned(), f64::from(self.session.plan.order.epoch(op.step))),
        ]);
        if let Some(usd) = self.session.usd(tokens).filter(|usd| *usd > 0.0) {
            figures.insert("usd".to_owned(), usd);
        }
        if trained > 0 && !nll.is_finite() {
            return Err(Error::failed(format!("the loss of step {} is {nll}", op.step + 1))
                .hint("lower `optimizer.learning_rate`, or set `optimizer.grad_clip_norm`"));
        }
        let done = StepDone { step: op.step + 1, tokens, trained, figures };
        watch.step(&done);
        self.recorder.step(done)
    }

    fn settle_all(&mut self) -> Result<()> {
        while let Some(op) = self.queue.pop_front() {
            self.settle(op)?;
        }
        Ok(())
    }

    /// Deletes periodic checkpoints beyond `checkpoint.keep_last`. The newest one is recorded
    /// before an older one goes.
    fn forget_old(&mut self) -> Result<()> {
        let Some(keep) = self.session.config.checkpoint.keep_last else { return Ok(()) };
        let record = &mut self.recorder.record;
        let live = record.live_checkpoints().filter(|c| c.kind != CheckpointKind::Final);
        let beyond = live.count().saturating_sub(keep as usize);
        let entries = record.checkpoints.iter_mut();
        let old = entries.filter(|c| !c.deleted && c.kind != CheckpointKind::Final).take(beyond);
        let mut deleted = Vec::new();
        for entry in old {
            match self.session.trainer.delete(&entry.uri) {
                Ok(()) => {
                    entry.deleted = true;
                    deleted.push(entry.name.clone());
                }
                Err(e) => {
                    let name = &entry.name;
                    self.session.watch.warn(&format!("checkpoint `{name}` is not deleted: {e}"));
                }
            }
        }
        if deleted.is_empty() {
            return Ok(());
        }
        self.recorder.event("deleted", &json!({"checkpoints": deleted}))?;
        self.recorder.write()
    }

    fn evaluate_if_due(&mut self) -> Result<()> {
        let every = self.session.config.eval.every_steps;
        let due = every.is_some_and(|n| self.next.is_multiple_of(n));
        if !due || self.next == self.session.plan.steps() {
            return Ok(());
        }
        self.settle_all()?;
        self.evaluate()?;
        Ok(())
    }

    fn evaluate(&mut self) -> Result<Option<f64>> {
        let nll = held_out_nll(self.session, self.run.as_mut())
            .map_err(|e| e.context(format!("evaluate after step {}", self.next)))?;
        if let Some(nll) = nll {
            let figures = BTreeMap::from([("nll".to_owned(), nll)]);
            self.recorder.metrics(self.next, Measured::Eval, figures)?;
            self.session.watch.evaluated(self.next, nll);
        }
        self.settled = Instant::now();
        Ok(nll)
    }

    fn save_before_stopping(&mut self) -> Result<()> {
        let step = self.recorder.record.progress.step;
        let saved = self.recorder.record.live_checkpoints().any(|c| c.step == step);
        if step > 0 && !saved {
            self.save(step, CheckpointKind::Interrupt)?;
            self.settle_all()?;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        // A process may have died between the last step and its checkpoint's record.
        let step = self.recorder.record.progress.step;
        if !self.recorder.record.live_checkpoints().any(|c| c.kind == CheckpointKind::Final) {
            self.save(step, CheckpointKind::Final)?;
            self.settle_all()?;
        }
        if self.recorder.record.evaluations.after.is_none()
            && let Some(nll) = self.evaluate()?
        {
            let after = Evaluation { nll: Some(nll), ..Evaluation::default() };
            self.recorder.record.evaluations.after = Some(after);
        }
        self.recorder.write()
    }
}

fn failed(error: tinsmith_plugin_api::Error, op: &str, step: u64) -> Error {
    Error::from(error).context(op).context(format!("step {}", step + 1))
}
