//! The thread of a model: it owns the run, and does what comes, one by one.

use super::{Op, record};
use crate::serve::{
    app::App,
    futures::{Outcome, Slot, failed},
};
use std::{
    sync::{Arc, mpsc::Receiver},
    time::Instant,
};
use tinsmith_plugin_api::{Adam, Error, ErrorKind, OpenRun, Outcome as Why, Result, Run, ticket};
use tinsmith_tinker_wire::messages::{ModelCreated, OptimStepped, WeightsLoaded};

/// An operation and the place of its result.
pub struct Task {
    /// Its number; None: it has none.
    pub seq: Option<i64>,
    pub request: String,
    pub slot: Arc<Slot>,
    pub op: Op,
}

impl Drop for Task {
    /// A panic, or a queue that ends: whoever waits is told. What has a result keeps it.
    fn drop(&mut self) {
        let lost = Error::new(ErrorKind::LOST, "the operation was dropped without an answer");
        self.slot.finish(failed(&lost));
    }
}

/// What the thread has.
pub struct Owner {
    pub app: Arc<App>,
    pub id: String,
    pub base: String,
    pub run: Option<Box<dyn Run>>,
    /// Why the run is not to be trusted any more.
    pub failed: Option<String>,
    /// Steps since the last snapshot.
    pub steps: u64,
    /// Whether what came last left no gradient and calls for a snapshot.
    pub due: bool,
}

impl Owner {
    pub fn new(app: Arc<App>, id: &str, base: &str) -> Self {
        Self {
            app,
            id: id.into(),
            base: base.into(),
            run: None,
            failed: None,
            steps: 0,
            due: false,
        }
    }

    /// Works until the model is unloaded and the queue is empty. A server that goes down finishes the
    /// operation in progress, and no other.
    pub fn work(mut self, tasks: &Receiver<Task>) {
        for mut task in tasks {
            if self.app.is_stopping() {
                task.slot.finish(failed(&stopping()));
                continue;
            }
            let op = std::mem::replace(&mut task.op, Op::Unload);
            let (name, begun) = (op.name(), Instant::now());
            let result = self.execute(op, &task);
            self.app.metrics.count(name, result.is_err(), begun.elapsed());
            let outcome = result.unwrap_or_else(|e| failed(&e));
            // Before the client is told: it may delete what it loaded, and the server may be killed.
            if let (true, Some(seq)) = (self.due, task.seq) {
                self.snapshot(seq, &outcome);
            }
            task.slot.finish(outcome);
        }
        self.close(if self.failed.is_some() { Why::Failed } else { Why::Success });
        // A server that is started again goes on with its models; one that was unloaded is done with.
        if !self.app.is_stopping() {
            self.app.warn_of(self.app.forget_log(&self.id, &self.base));
        }
    }

    fn execute(&mut self, op: Op, task: &Task) -> Result<Outcome> {
        match op {
            Op::Open { from, answer, again } => {
                // Another checkpoint may be deleted; the way back must not depend on it.
                let borrowed = !again && matches!(from, OpenRun::Saved { .. });
                self.open(from)?;
                self.due = borrowed;
                Ok(Outcome::Json(answer))
            }
            Op::Done(result) => Ok(Outcome::Json(result)),
            Op::Refused(why) => Err(why),
            Op::Unload => {
                // On the disk before it is answered: another server must not bring it back.
                self.app.change_model(&self.id, |model| model.unloaded = true);
                self.app.models.unload(&self.id);
                let kind = "unload_model".into();
                json(&ModelCreated { model_id: self.id.clone(), kind })
            }
            Op::Load { path, optimizer } => self.load(path, optimizer),
            Op::Forward(forward) => {
                let result = self.run().and_then(|run| super::forward::run(run, &forward));
                self.trusted(result).map(Outcome::Output)
            }
            Op::Step(adam) => self.step(adam),
            Op::Save(save) => self.save(save, task),
        }
    }

    fn open(&mut self, from: OpenRun) -> Result<()> {
        let run = self.app.base(&self.base)?.trainer.open(from);
        match run {
            Ok(run) => {
                self.close(Why::Success);
                (self.run, self.failed) = (Some(run), None);
                self.app.change_model(&self.id, |model| model.corrupted = false);
                Ok(())
            }
            Err(e) => {
                if self.run.is_none() {
                    self.failed = Some(e.to_string());
                }
                Err(e)
            }
        }
    }

    /// Another checkpoint in place of what the model has.
    fn load(&mut self, path: String, optimizer: bool) -> Result<Outcome> {
        let saved = self.app.checkpoints.at(&path)?;
        if saved.base != self.base {
            return Err(Error::rejected(format!(
                "`{path}` is of the base model `{}`, and this one is of `{}`",
                saved.base, self.base
            )));
        }
        self.open(OpenRun::Saved { uri: saved.uri, optimizer })?;
        self.app.change_model(&self.id, |model| model.lora = saved.lora);
        self.due = true;
        let model_id = Some(self.id.clone());
        json(&WeightsLoaded { path: Some(path), model_id, kind: "load_weights".into() })
    }

    fn step(&mut self, adam: Adam) -> Result<Outcome> {
        let result = self.run().and_then(|run| {
            let (done, ticket) = ticket();
            run.optim_step(adam, done);
            ticket.wait()
        });
        let metrics = self.trusted(result)?;
        self.steps += 1;
        self.due |= self.steps >= self.app.settings.snapshot_steps;
        let finite = metrics.into_iter().filter(|(_, value)| value.is_finite()).collect();
        json(&OptimStepped { metrics: Some(finite) })
    }

    /// The run, if it is to be trusted.
    pub fn run(&mut self) -> Result<&mut dyn Run> {
        match (&mut self.run, &self.failed) {
            (Some(run), None) => Ok(run.as_mut()),
            (_, why) => {
                let why = why.as_deref().unwrap_or("it was never opened");
                let last = self.app.checkpoints.list(Some(&self.id));
                let e = format!("the model was given up after an earlier failure: {why}");
                Err(Error::new(ErrorKind::OTHER, e).with_hint(record::go_on_from(last.last())))
            }
        }
    }

    /// What failed and was not refused has an unknown effect: nothing is done to the run any more.
    fn trusted<T>(&mut self, result: Result<T>) -> Result<T> {
        if let Err(e) = &result
            && e.kind() != ErrorKind::REJECTED
            && self.failed.is_none()
        {
            self.failed = Some(e.to_string());
            self.app.change_model(&self.id, |model| model.corrupted = true);
        }
        result
    }

    fn close(&mut self, why: Why) {
        if let Some(run) = self.run.take() {
            self.app.warn_of(run.close(why).map_err(crate::Error::from));
        }
    }
}

fn stopping() -> Error {
    Error::new(ErrorKind::LOST, "the server is going down")
}

/// A result as JSON.
pub fn json(result: &impl serde::Serialize) -> Result<Outcome> {
    Ok(Outcome::Json(serde_json::to_value(result)?))
}
