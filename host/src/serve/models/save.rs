//! Writes checkpoints. The trainer writes the bytes under a name that was never used; the record under
//! the client's path is what makes it a checkpoint.

use super::{
    SaveOp,
    owner::{Owner, Task, json},
};
use crate::runs;
use crate::serve::{checkpoints::Record, export, futures::Outcome, ids, moment};
use std::collections::BTreeMap;
use tinsmith_plugin_api::{Error, ErrorKind, Result, Save, Saved, ticket};
use tinsmith_tinker_wire::{
    messages::SavedWeights,
    path::{Kind, TinkerPath},
};

/// What a client asked for besides the path.
struct Asked {
    ttl: Option<u64>,
    overwrite: bool,
    user_metadata: Option<BTreeMap<String, String>>,
}

impl Owner {
    /// Writes one. A failure changes nothing in the run.
    pub fn save(&mut self, save: SaveOp, task: &Task) -> Result<Outcome> {
        match save {
            SaveOp::Named { path, ttl, overwrite, user_metadata } => {
                let asked = Asked { ttl, overwrite, user_metadata };
                let result = self.named(&path, asked, &task.request)?;
                // Done again by another server, it would bring back what was deleted meanwhile.
                if let (Outcome::Json(result), Some(seq)) = (&result, task.seq)
                    && let Some(model) = self.app.models.get(&self.id)
                {
                    model.note_done(&self.app, seq, result);
                }
                Ok(result)
            }
            SaveOp::Ephemeral { sampling } => self.nameless(sampling),
        }
    }

    fn named(&mut self, path: &TinkerPath, asked: Asked, request: &str) -> Result<Outcome> {
        let text = path.to_string();
        let there = self.app.checkpoints.get(&text);
        if let Some(there) = &there
            && there.made_by != request
            && !asked.overwrite
        {
            return Err(Error::rejected(format!("there is a checkpoint `{text}` already"))
                .with_hint("choose another name, or set `overwrite`"));
        }
        let record = match there.filter(|there| there.made_by == request) {
            // Written before a server was killed, which now does again what it had done.
            Some(there) => there,
            None => self.write(path, asked, request)?,
        };
        let size_bytes = (path.kind == Kind::External).then_some(record.bytes).flatten();
        let kind = match path.kind {
            Kind::Training => "save_weights",
            Kind::Sampler => "save_weights_for_sampler",
            Kind::External => "save_weights_external",
        };
        let (path, kind) = (Some(text), kind.into());
        json(&SavedWeights { path, size_bytes, kind, sampling_session_id: None })
    }

    fn write(&mut self, path: &TinkerPath, asked: Asked, request: &str) -> Result<Record> {
        let name = ids::random().map_err(internal)?;
        self.app.begin_files(&name, &self.base).map_err(internal)?;
        let remote = !self.app.base(&self.base)?.can.deterministic;
        let saved = self.saved(match path.kind {
            Kind::Training => Save::State { name: name.clone(), optimizer: true },
            // Today's services give files of training checkpoints only.
            Kind::External if remote => Save::State { name: name.clone(), optimizer: true },
            Kind::Sampler | Kind::External => Save::Sampler { name: name.clone() },
        })?;
        let model = self
            .app
            .model_record(&self.id)
            .ok_or_else(|| Error::new(ErrorKind::LOST, "the session of the model is gone"))?;
        let mut record = Record {
            name,
            path: path.to_string(),
            run: self.id.clone(),
            id: path.checkpoint_id(),
            kind: path.kind.word().into(),
            uri: saved.uri,
            base: self.base.clone(),
            lora: model.lora.clone(),
            created: runs::now(),
            bytes: saved.bytes,
            public: false,
            expires: asked.ttl.map(moment::after),
            user_metadata: asked.user_metadata,
            made_by: request.into(),
            files: None,
        };
        if path.kind == Kind::External {
            let files = export::files(&self.app, &record).map_err(internal)?;
            record.bytes = Some(files.iter().map(|file| file.bytes).sum());
        }
        if let Some(old) = self.app.checkpoints.get(&record.path) {
            self.app.begin_deleting(&old).map_err(internal)?;
        }
        let old = self.app.checkpoints.add(record.clone()).map_err(internal)?;
        self.app.settle_files(&record.name).map_err(internal)?;
        if let Some(old) = old {
            self.app.warn_of(self.app.forget_files(&old));
        }
        self.app.touch_model(&self.id);
        Ok(record)
    }

    /// Waits for the trainer to save.
    pub fn saved(&mut self, what: Save) -> Result<Saved> {
        let run = self.run()?;
        let (done, ticket) = ticket();
        run.save(what, done);
        ticket.wait()
    }
}

/// An error of the host, which is never the client's fault.
pub fn internal(e: crate::Error) -> Error {
    let kind = e.plugin_kind.unwrap_or(ErrorKind::IO);
    e.told_as(kind)
}
