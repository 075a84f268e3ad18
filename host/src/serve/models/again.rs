//! Models of a server that was killed go on: from their last snapshot, by their logs.

use super::{
    Model, ModelRecord, Op,
    make::LOG,
    owner::{Owner, Task, Turn},
};
use crate::{
    Result,
    serve::{
        app::App,
        futures::Outcome,
        ids,
        log::{Entry, Head, Kept, Log, Snapshot},
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
            if session.ended.is_some() {
                self.forget_nameless(&session.id)?;
            }
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
        let (seq, turn) = (Some(snapshot.upto), Turn::Again);
        model.lock().send(Task { seq, request, slot, op, turn });
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
        let (asked, marks): (Vec<Entry>, Vec<Entry>) =
            entries.partition(|entry| entry.head.kind.is_some());
        let mut marks: HashMap<i64, _> =
            marks.into_iter().map(|entry| (entry.head.seq, entry.head)).collect();
        for Entry { head: Head { seq, kind, .. }, body } in asked {
            let Some(kind) = kind else { continue };
            let mark = marks.remove(&seq).unwrap_or_default();
            let turn = mark.refused.map_or(Turn::Again, Turn::Refused);
            let op = match mark.done {
                Some(result) => Op::Done(result),
                None => {
                    let asked = Request::read(kind, body.into());
                    let op = asked.and_then(|asked| asked.op(app, self));
                    op.unwrap_or_else(Op::Refused)
                }
            };
            self.place(&mut self.lock(), app, seq, op, turn);
        }
        // Those that were refused as they came.
        for (seq, mark) in marks {
            if let Some(why) = mark.refused {
                self.place_refused(&mut self.lock(), app, seq, &Error::rejected(why));
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
