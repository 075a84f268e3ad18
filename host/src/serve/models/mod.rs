/*!
Models: adapters that are being trained, each with a thread of its own that owns the trainer's run.

Requests become [`Op`]s, are put in order by their numbers, and go to the thread one by one. What the
thread answers lies in [`super::futures`] for whoever asks.
*/

mod forward;
mod op;
mod owner;
mod record;
mod save;

pub use op::{Forward, Op, SaveOp};
pub use record::{LoraRecord, ModelRecord};

use super::{
    app::App,
    futures::{Outcome, Slot, failed},
    ids,
    order::{Order, Placed},
};
use crate::{Result, runs};
use owner::{Owner, Task};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    thread::JoinHandle,
};
use tinsmith_plugin_api::{Error, OpenRun};

/// The number that stands for the making of a model.
const MAKING: i64 = 0;

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
    /// None: it is being unloaded.
    queue: Option<mpsc::Sender<Task>>,
    thread: Option<JoinHandle<()>>,
}

impl Model {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an operation; without a number it is the last of those that have come. Answers the id of
    /// its request, which is the same if it had come before.
    ///
    /// # Errors
    /// `rejected` for a number that no client gives.
    pub fn submit(
        &self,
        app: &App,
        seq: Option<i64>,
        op: Op,
    ) -> tinsmith_plugin_api::Result<String> {
        let mut inner = self.lock();
        let seq = seq.unwrap_or_else(|| inner.order.last() + 1);
        let request = ids::request(&self.id, seq);
        let task = || {
            let slot = app.futures.slot(&request).0;
            Some(Task { request: request.clone(), slot, op })
        };
        match inner.order.place(seq, task) {
            Placed::New(ready) => ready.into_iter().for_each(|task| inner.send(task)),
            Placed::Again => {}
            Placed::Wrong(why) => return Err(Error::rejected(why).at("seq_id")),
        }
        Ok(request)
    }

    /// Does something after everything that runs or is ready to.
    pub fn after_all(&self, request: &str, slot: Arc<Slot>, op: Op) {
        self.lock().send(Task { request: request.into(), slot, op });
    }

    /// Notes that the operation of this number was refused: those behind it need not wait for it.
    pub fn pass(&self, app: &App, seq: i64, why: &Error) {
        let mut inner = self.lock();
        if let Placed::New(ready) = inner.order.place(seq, || None) {
            app.futures.slot(&ids::request(&self.id, seq)).0.finish(failed(why));
            for task in ready {
                inner.send(task);
            }
        }
    }

    /// Whether an operation of this number has come.
    pub fn has_come(&self, seq: i64) -> bool {
        seq < self.lock().order.next()
    }

    /// Ends the thread once it has done what it was given. Answers what waits for it.
    fn unload(&self) -> Option<JoinHandle<()>> {
        let mut inner = self.lock();
        inner.queue = None;
        inner.thread.take()
    }
}

impl Inner {
    /// If the thread is gone, the task is dropped and answers that it is.
    fn send(&self, task: Task) {
        match &self.queue {
            Some(queue) => {
                if let Err(mpsc::SendError(task)) = queue.send(task) {
                    task.slot.finish(failed(&gone()));
                }
            }
            None => task.slot.finish(failed(&gone())),
        }
    }
}

fn gone() -> Error {
    Error::rejected("the model is unloaded").with_hint("make one from its last checkpoint")
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
            // A panic there was told when it happened, and its task answered `lost`.
            let _ = thread.join();
        }
    }
}

impl App {
    /// Makes a model: its thread opens the run. Answers the id of the request.
    ///
    /// # Errors
    /// `failed` if it cannot be written down or no thread can be started.
    pub fn make_model(
        self: &Arc<Self>,
        record: ModelRecord,
        from: OpenRun,
        answer: serde_json::Value,
    ) -> Result<String> {
        let id = record.id.clone();
        let request = ids::request(&id, MAKING);
        let (slot, new) = self.futures.slot(&request);
        if !new {
            return Ok(request);
        }
        let session = record.session().to_owned();
        let base = record.base.clone();
        self.sessions.change(&session, |session| session.models.push(record))?;
        let (queue, tasks) = mpsc::channel();
        let owner = Owner::new(Arc::clone(self), &id, &base);
        let thread = std::thread::Builder::new()
            .name(format!("model {}", id.rsplit(':').next().unwrap_or_default()))
            .spawn(move || owner.work(&tasks))
            .map_err(|e| crate::Error::failed(format!("start the thread of a model: {e}")))?;
        let op = Op::Open(from, answer);
        let inner = Inner { order: Order::new(1), queue: Some(queue), thread: Some(thread) };
        inner.send(Task { request: request.clone(), slot, op });
        let model = Model { id: id.clone(), session, base, inner: Mutex::new(inner) };
        self.models.lock().insert(id, Arc::new(model));
        Ok(request)
    }

    /// What is written of a model.
    pub fn model_record(&self, id: &str) -> Option<ModelRecord> {
        let session = self.sessions.get(record::session_of(id))?;
        session.models.into_iter().find(|model| model.id == id)
    }

    /// Changes what is written of a model.
    pub fn change_model(&self, id: &str, change: impl FnOnce(&mut ModelRecord)) {
        self.warn_of(self.sessions.change(record::session_of(id), |session| {
            if let Some(model) = session.models.iter_mut().find(|model| model.id == id) {
                change(model);
                model.last_request = runs::now();
            }
        }));
    }

    /// What a request is answered whose result is nowhere: it was read long ago, or the server was
    /// started anew. None: there never was such a request.
    pub fn lost_result(&self, request: &str) -> Option<Outcome> {
        let (model, seq) = request.rsplit_once(':')?;
        let record = self.model_record(model)?;
        let seq: i64 = seq.parse().ok()?;
        if self.models.get(model).is_some_and(|model| !model.has_come(seq)) {
            return None;
        }
        Some(failed(&record.gone(self.checkpoints.list(Some(model)).last())))
    }
}
