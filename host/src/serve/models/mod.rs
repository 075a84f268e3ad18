/*!
Models: adapters that are being trained, each with a thread of its own that owns the trainer's run.

Requests become [`Op`]s, are put in order by their numbers, and go to the thread, which hands them to the
trainer. What the thread answers lies in [`super::futures`] for whoever asks.
*/

mod again;
mod flight;
mod forward;
mod gradient;
mod make;
mod nameless;
mod op;
mod owner;
mod record;
mod save;

pub use op::{Forward, Op, SaveOp};
pub use record::{MadeFrom, ModelRecord, adapter};
pub use save::internal;

use super::{
    app::App,
    futures::{Slot, failed},
    ids,
    log::{Head, Log},
    order::Order,
    requests::Request,
};
use crate::Result;
use flight::Event;
use owner::{Task, Turn};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    thread::JoinHandle,
};
use tinsmith_plugin_api::Error;

/// A model that is loaded.
pub struct Model {
    /// Its id.
    pub id: String,
    /// Its session.
    pub session: String,
    /// Its base model.
    pub base: String,
    inner: Mutex<Inner>,
}

struct Inner {
    order: Order<Task>,
    /// None: the trainer does not compute the same bytes again.
    log: Option<Log>,
    /// None: it is being unloaded.
    queue: Option<mpsc::Sender<Event>>,
    thread: Option<JoinHandle<()>>,
}

impl Model {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an operation; without a number it is the last of those that have come. Where there is a
    /// log, it is on the disk afterwards. Answers the id of its request, which is the same if it had
    /// come before.
    ///
    /// # Errors
    /// `rejected` for a number that no client gives; `failed` if the log cannot be written, and then
    /// nothing has come.
    pub fn submit(&self, app: &App, asked: &Request, op: Op) -> Result<String> {
        let mut inner = self.lock();
        let seq = asked.seq().unwrap_or_else(|| inner.order.last() + 1);
        if inner.is_new(seq)? {
            if let Some(log) = &mut inner.log {
                let head = Head { seq, kind: Some(asked.kind), ..Head::default() };
                log.append(&head, &asked.bytes, true)?;
            }
            self.place(&mut inner, app, seq, op, Turn::First);
        }
        Ok(ids::request(&self.id, seq))
    }

    /// Notes that the operation of this number was refused: those behind it need not wait for it.
    ///
    /// # Errors
    /// As [`Model::submit`].
    pub fn pass(&self, app: &App, seq: i64, why: &Error) -> Result<()> {
        let mut inner = self.lock();
        if inner.is_new(seq)? {
            if let Some(log) = &mut inner.log {
                let refused = Some(why.to_string());
                log.append(&Head { seq, refused, ..Head::default() }, b"", true)?;
            }
            self.place_refused(&mut inner, app, seq, why);
        }
        Ok(())
    }

    fn place(&self, inner: &mut Inner, app: &App, seq: i64, op: Op, turn: Turn) {
        let request = ids::request(&self.id, seq);
        let slot = app.futures.slot(&request).0;
        let ready = inner.order.place(seq, Some(Task { seq: Some(seq), request, slot, op, turn }));
        ready.into_iter().for_each(|task| inner.send(task));
    }

    fn place_refused(&self, inner: &mut Inner, app: &App, seq: i64, why: &Error) {
        app.futures.slot(&ids::request(&self.id, seq)).0.finish(failed(why));
        inner.order.place(seq, None).into_iter().for_each(|task| inner.send(task));
    }

    /// Notes the result of what must not be done again.
    pub fn note_done(&self, app: &App, seq: i64, result: &serde_json::Value) {
        if let Some(log) = &mut self.lock().log {
            let head = Head { seq, done: Some(result.clone()), ..Head::default() };
            app.warn_of(log.append(&head, b"", false));
        }
    }

    /// Notes that an operation was refused in its turn: done again, it is refused again.
    pub fn note_refused(&self, app: &App, seq: i64, why: &Error) {
        if let Some(log) = &mut self.lock().log {
            let head = Head { seq, refused: Some(why.to_string()), ..Head::default() };
            app.warn_of(log.append(&head, b"", true));
        }
    }

    /// Does something after everything that runs or is ready to.
    pub fn after_all(&self, request: &str, slot: Arc<Slot>, op: Op) {
        self.lock().send(Task { seq: None, request: request.into(), slot, op, turn: Turn::First });
    }

    /// Whether an operation of this number has come.
    pub fn has_come(&self, seq: i64) -> bool {
        seq < self.lock().order.next()
    }

    /// Ends the thread once it has done what it was given. Answers what waits for it.
    fn unload(&self) -> Option<JoinHandle<()>> {
        let mut inner = self.lock();
        if let Some(queue) = inner.queue.take() {
            // A thread that is gone needs no telling.
            let _ = queue.send(Event::End);
        }
        inner.thread.take()
    }
}

impl Inner {
    fn is_new(&self, seq: i64) -> Result<bool> {
        self.order.is_new(seq).map_err(|why| Error::rejected(why).at("seq_id").into())
    }

    fn send(&self, task: Task) {
        let gone = || {
            failed(
                &Error::rejected("the model is unloaded")
                    .with_hint("make one from its last checkpoint"),
            )
        };
        match &self.queue {
            Some(queue) => {
                if let Err(mpsc::SendError(Event::Task(task))) =
                    queue.send(Event::Task(Box::new(task)))
                {
                    task.slot.finish(gone());
                }
            }
            None => task.slot.finish(gone()),
        }
    }
}

/// The models that are loaded.
#[derive(Default)]
pub struct Models(Mutex<HashMap<String, Arc<Model>>>);

impl Models {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Model>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A model that is loaded.
    pub fn get(&self, id: &str) -> Option<Arc<Model>> {
        self.lock().get(id).cloned()
    }

    /// How many are loaded.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Unloads a model once it has done what it was given.
    pub fn unload(&self, id: &str) {
        if let Some(model) = self.lock().remove(id) {
            model.unload();
        }
    }

    /// Unloads the models of a session.
    pub fn unload_session(&self, session: &str) {
        self.lock().retain(|_, model| {
            let stays = model.session != session;
            if !stays {
                model.unload();
            }
            stays
        });
    }

    /// Unloads all, and waits until they have finished what they were doing.
    pub fn close(&self) {
        let all: Vec<Arc<Model>> = self.lock().drain().map(|(_, model)| model).collect();
        let threads: Vec<_> = all.iter().filter_map(|model| model.unload()).collect();
        for thread in threads {
            // A panic there was told when it happened, and its task answered that it was lost.
            let _ = thread.join();
        }
    }
}
