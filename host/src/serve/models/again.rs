//! Models of a server that was killed go on: from their last snapshot, by their logs.

use super::{
    Model, ModelRecord, Op,
    make::LOG,
    owner::{Owner, Task},
};
use crate::{
    Result,
    serve::{
        app::App,
        futures::Outcome,
        ids,
        log::{Entry, Kept, Log, Snapshot},
        order::Order,
        requests::Request,
    },
};
use std::{collections::HashMap, sync::Arc};
use tinsmith_plugin_api::{Error, OpenRun, Save};

impl App {
    /// Brings back the models of sessions that have not ended, and forgets the logs of the others.
    ///
    /// # Errors
    /// `failed` that names a log that cannot be read.
    pub fn bring_back(self: &Arc<Self>) -> Result<usize> {
        let mut count = 0;
        for session in self.sessions.list() {
            for record in &session.models {
                if !self.disk.log(&record.id).join(LOG).exists() {
                    continue;
                }
                if session.ended.is_some() || record.unloaded {
                    self.forget_log(&record.id, &record.base)?;
                } else if self.base(&record.base).is_ok() {
                    self.again(record).map_err(|e| e.context(format!("model `{}`", record.id)))?;
                    count += 1;
                }
            }
        }
        Ok(count)
    }

    fn again(self: &Arc<Self>, record: &ModelRecord) -> Result<()> {
        let folder = self.disk.log(&record.id);
        let base = self.base(&record.base)?;
        let snapshot = Snapshot::read(&folder.join(Snapshot::FILE))?;
        let (log, entries) = Log::open(&folder.join(LOG))?;
        let again = snapshot.uri.is_some();
        let from = match snapshot.uri {
            Some(uri) => OpenRun::Saved { uri, optimizer: true },
            None => record.from(&base.source),
        };
        for (seq, kept) in snapshot.results {
            if let Some(outcome) = kept.outcome() {
                self.futures.slot(&ids::request(&record.id, seq)).0.finish(outcome);
            }
        }
        let model = self.start_model(record, Order::new(snapshot.upto + 1), Some(log))?;
        let request = ids::request(&record.id, 0);
        let slot = self.futures.slot(&request).0;
        let op = Op::Open { from, answer: record.made(), again };
        // Its number is that of the snapshot: what the opening calls for has no other place.
        model.lock().send(Task { seq: Some(snapshot.upto), request, slot, op });
        model.feed(self, entries.into_iter().filter(|entry| entry.head.seq > snapshot.upto));
        Ok(())
    }

    /// Removes the log of a model that is done with, and its snapshot.
    ///
    /// # Errors
    /// `failed` that names what cannot be removed.
    pub fn forget_log(&self, id: &str, base: &str) -> Result<()> {
        let folder = self.disk.log(id);
        let snapshot = Snapshot::read(&folder.join(Snapshot::FILE))?;
        if let (Some(uri), Ok(base)) = (snapshot.uri, self.base(base)) {
            base.trainer.delete(&uri)?;
        }
        match std::fs::remove_dir_all(&folder) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                Err(crate::Error::io("remove", folder, &e))
            }
            _ => Ok(()),
        }
    }
}

impl Model {
    /// Puts what a log holds in its order. Nothing is written: it stands there already.
    fn feed(&self, app: &App, entries: impl Iterator<Item = Entry>) {
        let (marks, asked): (Vec<Entry>, Vec<Entry>) =
            entries.partition(|entry| entry.head.done.is_some());
        let mut done: HashMap<i64, _> = marks
            .into_iter()
            .filter_map(|entry| Some((entry.head.seq, entry.head.done?)))
            .collect();
        for Entry { head, body } in asked {
            let mut inner = self.lock();
            match (done.remove(&head.seq), head.kind, head.refused) {
                (Some(result), ..) => self.place(&mut inner, app, head.seq, Op::Done(result)),
                (None, Some(kind), _) => {
                    let asked = Request::read(kind, body.into());
                    let op = asked.and_then(|asked| asked.op(app, self));
                    self.place(&mut inner, app, head.seq, op.unwrap_or_else(Op::Refused));
                }
                (None, None, why) => {
                    let why = Error::rejected(why.unwrap_or_default());
                    self.place_refused(&mut inner, app, head.seq, &why);
                }
            }
        }
    }

    /// Leaves out of the log what a snapshot has.
    fn shorten(&self, upto: i64) -> Result<()> {
        match &mut self.lock().log {
            Some(log) => log.retain(|head| head.seq > upto),
            None => Ok(()),
        }
    }
}

impl Owner {
    /// Saves the state after the operation of this number, whose result nobody has been told yet, if
    /// there is a log to shorten. A failure is told and tried again after the next step: the log has
    /// everything still.
    pub fn snapshot(&mut self, upto: i64, last: &Outcome) {
        let Some(model) = self.app.models.get(&self.id) else { return };
        self.due = false;
        if model.lock().log.is_none() || self.failed.is_some() {
            return;
        }
        match self.write_snapshot(&model, upto, last) {
            Ok(()) => self.steps = 0,
            Err(e) => self.app.warn_of::<()>(Err(e.context(format!("snapshot of `{}`", self.id)))),
        }
    }

    fn write_snapshot(&mut self, model: &Model, upto: i64, last: &Outcome) -> Result<()> {
        let path = self.app.disk.log(&self.id).join(Snapshot::FILE);
        let old = Snapshot::read(&path)?;
        let name = ids::random()?;
        self.app.begin_files(&name, &self.base)?;
        let saved = self.saved(Save::State { name: name.clone(), optimizer: true })?;
        let before = self.app.futures.of_owner(&self.id).into_iter();
        let before = before.filter_map(|(seq, outcome)| Some((seq, Kept::of(&outcome)?)));
        let results = before
            .chain(Kept::of(last).map(|kept| (upto, kept)))
            .filter(|(seq, _)| (1..=upto).contains(seq))
            .collect();
        if old.uri.is_some() {
            self.app.begin_files(&old.name, &self.base)?;
        }
        Snapshot { upto, uri: Some(saved.uri), name: name.clone(), results }.write(&path)?;
        self.app.settle_files(&name)?;
        model.shorten(upto)?;
        if let Some(uri) = old.uri {
            self.app.base(&self.base)?.trainer.delete(&uri)?;
            self.app.settle_files(&old.name)?;
        }
        Ok(())
    }
}
