//! Models are made, and what is written of them.

use super::{
    Inner, Model, ModelRecord, Op,
    owner::{Owner, Task, Turn},
    record,
};
use crate::{
    Result, runs,
    serve::{
        app::App,
        futures::{Outcome, failed},
        ids,
        log::Log,
        order::Order,
        sessions::Session,
    },
};
use std::sync::{Arc, Mutex, mpsc};

/// The number that stands for the making of a model.
const MAKING: i64 = 0;

/// The file of a log.
pub const LOG: &str = "log";

impl App {
    /// Makes a model: its thread opens the run. Answers the id of the request.
    ///
    /// # Errors
    /// `failed` if it cannot be written down or no thread can be started.
    pub fn make_model(self: &Arc<Self>, record: ModelRecord) -> Result<String> {
        let request = ids::request(&record.id, MAKING);
        let (slot, new) = self.futures.slot(&request);
        if !new {
            return Ok(request);
        }
        let base = self.base(&record.base)?;
        let log = match base.can.deterministic {
            true => {
                let folder = self.disk.log(&record.id);
                runs::create_folder(&folder)?;
                Some(Log::open(&folder.join(LOG))?.0)
            }
            false => None,
        };
        let (from, answer) = (record.from(&base.source), record.made());
        let model = self.start_model(&record, Order::new(1), log)?;
        let session = record.session().to_owned();
        self.sessions.change(&session, |session| session.models.push(record))?;
        let op = Op::Open { from, answer, again: false };
        let turn = Turn::First;
        model.lock().send(Task { seq: Some(MAKING), request: request.clone(), slot, op, turn });
        Ok(request)
    }

    /// Starts the thread of a model, which has nothing to do yet.
    pub(super) fn start_model(
        self: &Arc<Self>,
        record: &ModelRecord,
        order: Order<Task>,
        log: Option<Log>,
    ) -> Result<Arc<Model>> {
        let (id, base) = (record.id.clone(), record.base.clone());
        let (queue, tasks) = mpsc::channel();
        let events = queue.clone();
        let owner = Owner::new(Arc::clone(self), &id, &base, events, log.is_some());
        let thread = std::thread::Builder::new()
            .name(format!("model {}", id.rsplit(':').next().unwrap_or_default()))
            .spawn(move || owner.work(&tasks))
            .map_err(|e| crate::Error::failed(format!("start the thread of a model: {e}")))?;
        let inner = Mutex::new(Inner { order, log, queue: Some(queue), thread: Some(thread) });
        let session = record.session().to_owned();
        let model = Arc::new(Model { id: id.clone(), session, base, inner });
        self.models.lock().insert(id, Arc::clone(&model));
        Ok(model)
    }

    /// What is written of a model.
    pub fn model_record(&self, id: &str) -> Option<ModelRecord> {
        let find = |session: &Session| session.models.iter().find(|model| model.id == id).cloned();
        self.sessions.read(record::session_of(id), find)?
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

    /// Notes that something became of a model. It is on the disk with the next change of its session: a
    /// time is not worth a write of its own.
    pub fn touch_model(&self, id: &str) {
        self.sessions.touch(record::session_of(id), |session| {
            if let Some(model) = session.models.iter_mut().find(|model| model.id == id) {
                model.last_request = runs::now();
            }
        });
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
