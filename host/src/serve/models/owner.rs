//! The thread of a model: it owns the run, and does what comes in its order.
//!
//! Passes and steps of the optimizer are handed to the trainer ahead of the one that is waited for, as far
//! as it allows; everything else waits until nothing is on its way, and nothing goes past it. A model with a
//! log does one operation at a time: what a snapshot holds is then what came before it.

use super::{
    Op,
    flight::{Begun, Event, Flying, MOST, Wake},
    gradient::Gradient,
    record,
};
use crate::serve::{
    app::App,
    futures::{Outcome, Slot, failed},
};
use std::{
    collections::VecDeque,
    sync::{
        Arc,
        mpsc::{Receiver, Sender},
    },
    time::Instant,
};
use tinsmith_plugin_api::{Error, ErrorKind, OpenRun, Outcome as Why, Result, Run};
use tinsmith_tinker_wire::messages::{ModelCreated, WeightsLoaded};

/// An operation and the place of its result.
pub struct Task {
    /// Its number; None: it has none.
    pub seq: Option<i64>,
    pub request: String,
    pub slot: Arc<Slot>,
    pub op: Op,
    pub turn: Turn,
}

/// What became of an operation before this server was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It comes for the first time.
    First,
    /// A server that was killed had promised it: it is done, whatever the limits say now.
    Again,
    /// That server had refused it in its turn, for this reason.
    Refused(String),
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
    /// What was refused of the step that is being made.
    pub gradient: Gradient,
    /// What the trainer has, oldest first.
    pub flying: VecDeque<Flying>,
    pub wake: Wake,
    waiting: VecDeque<Task>,
    /// Steps of the optimizer that may be on their way. None: one operation at a time.
    ahead: Option<usize>,
}

impl Owner {
    pub fn new(app: Arc<App>, id: &str, base: &str, events: Sender<Event>, logged: bool) -> Self {
        let can = app.base(base).map_or(1, |base| base.can.max_in_flight);
        Self {
            app,
            id: id.into(),
            base: base.into(),
            run: None,
            failed: None,
            steps: 0,
            due: false,
            gradient: Gradient::default(),
            flying: VecDeque::new(),
            wake: Wake(events),
            waiting: VecDeque::new(),
            ahead: (!logged).then_some(can.max(1) as usize),
        }
    }

    /// Works until the model is unloaded and all is done. A server that goes down finishes what the
    /// trainer has, and nothing else.
    pub fn work(mut self, events: &Receiver<Event>) {
        let mut more = true;
        while more || !self.flying.is_empty() {
            match events.recv() {
                Ok(Event::Task(task)) => self.waiting.push_back(*task),
                Ok(Event::Answered) => {}
                Ok(Event::End) | Err(_) => more = false,
            }
            self.advance();
        }
        self.close(if self.failed.is_some() { Why::Failed } else { Why::Success });
        // A server that is started again goes on with its models; one that was unloaded is done with.
        if !self.app.is_stopping() {
            self.app.warn_of(self.app.forget_log(&self.id, &self.base));
        }
    }

    /// Tells the results that are there, and begins what may begin.
    fn advance(&mut self) {
        loop {
            self.settle();
            match self.waiting.pop_front() {
                Some(task) if self.may_begin(&task.op) => self.begin(task),
                Some(task) => return self.waiting.push_front(task),
                None => return,
            }
        }
    }

    fn may_begin(&self, op: &Op) -> bool {
        let Some(last) = self.flying.back() else { return true };
        let Some(ahead) = self.ahead else { return false };
        let steps = self.flying.iter().filter(|flying| flying.is_step()).count();
        let goes_ahead = matches!(op, Op::Forward(_) | Op::Step(_));
        goes_ahead && steps < ahead && self.flying.len() < MOST && !last.holds()
    }

    fn begin(&mut self, mut task: Task) {
        if self.app.is_stopping() {
            return task.slot.finish(failed(&stopping()));
        }
        let op = std::mem::replace(&mut task.op, Op::Unload);
        let (name, begun) = (op.name(), Instant::now());
        match self.execute(op, &task) {
            Ok(Begun::Flies(what)) => self.flying.push_back(Flying { task, name, begun, what }),
            Ok(Begun::Done(outcome)) => self.tell(&task, name, begun, Ok(outcome)),
            Err(e) => self.tell(&task, name, begun, Err(e)),
        }
    }

    /// Puts a result where it is asked for.
    pub fn tell(
        &mut self,
        task: &Task,
        name: &'static str,
        begun: Instant,
        result: Result<Outcome>,
    ) {
        self.app.metrics.count(name, result.is_err(), begun.elapsed());
        let outcome = result.unwrap_or_else(|e| failed(&e));
        // Before the client is told: it may delete what it loaded, and the server may be killed.
        if let (true, Some(seq)) = (self.due, task.seq) {
            self.snapshot(seq, &outcome);
        }
        task.slot.finish(outcome);
    }

    fn execute(&mut self, op: Op, task: &Task) -> Result<Begun> {
        let outcome = match op {
            Op::Forward(asked) => return self.begin_pass(asked, task),
            Op::Step(adam) => return self.begin_step(adam, task),
            Op::Open { from, answer, again } => {
                // Another checkpoint may be deleted; the way back must not depend on it.
                let borrowed = !again && matches!(from, OpenRun::Saved { .. });
                self.open(from)?;
                self.due = borrowed;
                Outcome::Json(answer)
            }
            Op::Done(result) => Outcome::Json(result),
            Op::Refused(why) => return Err(why),
            Op::Unload => {
                // On the disk before it is answered: another server must not bring it back.
                self.app.change_model(&self.id, |model| model.unloaded = true);
                self.app.models.unload(&self.id);
                let kind = "unload_model".into();
                json(&ModelCreated { model_id: self.id.clone(), kind })?
            }
            Op::Load { path, optimizer } => self.load(path, optimizer)?,
            Op::Save(save) => self.save(save, task)?,
        };
        Ok(Begun::Done(outcome))
    }

    fn open(&mut self, from: OpenRun) -> Result<()> {
        let run = self.app.base(&self.base)?.trainer.open(from);
        match run {
            Ok(run) => {
                self.close(Why::Success);
                (self.run, self.failed) = (Some(run), None);
                self.gradient = Gradient::default();
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

    /// The run, if it is to be trusted.
    pub fn run(&mut self) -> Result<&mut dyn Run> {
        match (&mut self.run, &self.failed) {
            (Some(run), None) => Ok(run.as_mut()),
            (_, why) => Err(given_up(&self.app, &self.id, why.as_deref())),
        }
    }

    /// What is answered once the run is not to be trusted any more.
    pub fn given_up(&self) -> Error {
        given_up(&self.app, &self.id, self.failed.as_deref())
    }

    /// What failed and was not refused has an unknown effect: nothing is done to the run any more.
    pub fn trusted<T>(&mut self, result: Result<T>) -> Result<T> {
        result.map_err(|e| {
            if e.kind() == ErrorKind::REJECTED || self.failed.is_some() {
                return e;
            }
            self.failed = Some(e.to_string());
            self.app.change_model(&self.id, |model| model.corrupted = true);
            let way = way_back(&self.app, &self.id);
            let hint = e.hint().map_or_else(|| way.clone(), |hint| format!("{hint}; {way}"));
            // The client asked for nothing wrong: it is the trainer's key, or its session, that is.
            let e = match e.kind() {
                ErrorKind::NOT_FOUND | ErrorKind::CONFIG => e.with_kind(ErrorKind::OTHER),
                _ => e,
            };
            e.with_hint(hint)
        })
    }

    fn close(&mut self, why: Why) {
        if let Some(run) = self.run.take() {
            self.app.warn_of(run.close(why).map_err(crate::Error::from));
        }
    }
}

fn given_up(app: &App, id: &str, why: Option<&str>) -> Error {
    let why = why.unwrap_or("it was never opened");
    let e = format!("the model was given up after an earlier failure: {why}");
    Error::new(ErrorKind::OTHER, e).with_hint(way_back(app, id))
}

/// Where a client goes on that cannot go on with the model.
fn way_back(app: &App, id: &str) -> String {
    record::go_on_from(app.checkpoints.list(Some(id)).last())
}

fn stopping() -> Error {
    Error::new(ErrorKind::LOST, "the server is going down")
}

/// A result as JSON.
pub fn json(result: &impl serde::Serialize) -> Result<Outcome> {
    Ok(Outcome::Json(serde_json::to_value(result)?))
}
