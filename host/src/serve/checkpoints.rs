//! What clients know of checkpoints: paths, times, who may read them. The trainer has the bytes, under
//! a name that is never used twice, so that replacing one is a matter of this record alone.

use super::{app::App, disk::Disk, moment};
use crate::Result;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};
use tinsmith_plugin_api::{Error as PluginError, Lora};
use tinsmith_tinker_wire::{
    messages,
    path::{Kind, TinkerPath},
};

const KIND: &str = "checkpoints";

/// A checkpoint.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// What its files are called here.
    pub name: String,
    /// Its path, by which clients know it.
    pub path: String,
    /// The training run.
    pub run: String,
    /// `KIND/NAME`.
    pub id: String,
    /// `training`, `sampler`, `external`.
    pub kind: String,
    /// What the trainer calls it.
    pub uri: String,
    /// The base model.
    pub base: String,
    /// The adapter.
    pub lora: Lora,
    /// When it was made, RFC 3339.
    pub created: String,
    /// Its size.
    #[serde(default)]
    pub bytes: Option<u64>,
    /// Whether others may read it.
    #[serde(default)]
    pub public: bool,
    /// When it expires, RFC 3339.
    #[serde(default)]
    pub expires: Option<String>,
    /// What the client wanted to find there again.
    #[serde(default)]
    pub user_metadata: Option<BTreeMap<String, String>>,
    /// The request that made it: done again, it makes nothing new.
    #[serde(default)]
    pub made_by: String,
    /// Under which name the trainer wrote the bytes, if that is not `name`: those of a copy are its
    /// source's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<String>,
}

impl Record {
    /// Under which name the trainer wrote the bytes.
    pub fn files(&self) -> &str {
        self.files.as_deref().unwrap_or(&self.name)
    }

    /// As listings show it.
    pub fn view(&self) -> messages::Checkpoint {
        messages::Checkpoint {
            checkpoint_id: self.id.clone(),
            checkpoint_type: self.kind.clone(),
            time: self.created.clone(),
            tinker_path: self.path.clone(),
            size_bytes: self.bytes,
            public: self.public,
            expires_at: self.expires.clone(),
            user_metadata: self.user_metadata.clone(),
        }
    }
}

/// All checkpoints, by their paths.
pub struct Checkpoints {
    disk: Disk,
    all: Mutex<BTreeMap<String, Record>>,
}

impl Checkpoints {
    /// Those that an earlier server left.
    ///
    /// # Errors
    /// `failed` that names a file that cannot be read.
    pub fn open(disk: &Disk) -> Result<Self> {
        let records = disk.read_all::<Record>(KIND)?;
        let all = records.into_iter().map(|record| (record.path.clone(), record)).collect();
        Ok(Self { disk: disk.clone(), all: Mutex::new(all) })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Record>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The one at a path; one that has expired is not there.
    pub fn get(&self, path: &str) -> Option<Record> {
        self.lock().get(path).filter(|record| is_alive(record)).cloned()
    }

    /// The one at a path, also if it has expired.
    fn any(&self, path: &str) -> Option<Record> {
        self.lock().get(path).cloned()
    }

    /// The one at a path, or an error that says so.
    ///
    /// # Errors
    /// `not_found`, or `rejected` for what is no path.
    pub fn at(&self, path: &str) -> tinsmith_plugin_api::Result<Record> {
        let path: TinkerPath = path.parse()?;
        self.get(&path.to_string()).ok_or_else(|| missing(&path.to_string()))
    }

    /// The one that a request made.
    pub fn made_by(&self, request: &str) -> Option<Record> {
        let all = self.lock();
        all.values().find(|record| record.made_by == request && is_alive(record)).cloned()
    }

    /// Whether a checkpoint lies there, also one that has expired.
    fn names(&self, base: &str, uri: &str) -> bool {
        self.lock().values().any(|record| record.base == base && record.uri == uri)
    }

    /// Adds a checkpoint that `make` makes of another one, over the same bytes. They are there: nobody
    /// deletes what a record names, and both records are looked at under one lock.
    ///
    /// # Errors
    /// `not_found` if there is no such checkpoint, `rejected` if there is one in its place already.
    pub fn add_copy(&self, path: &str, make: impl FnOnce(&Record) -> Record) -> Result<Record> {
        let mut all = self.lock();
        let source =
            all.get(path).filter(|record| is_alive(record)).ok_or_else(|| missing(path))?;
        let copy = make(source);
        if all.contains_key(&copy.path) {
            let e = format!("there is a checkpoint `{}` already", copy.path);
            return Err(PluginError::rejected(e).into());
        }
        self.disk.write(KIND, &copy.name, &copy)?;
        all.insert(copy.path.clone(), copy.clone());
        Ok(copy)
    }

    /// Those of a run, or all, oldest first.
    pub fn list(&self, run: Option<&str>) -> Vec<Record> {
        let all = self.lock();
        let of_run = |record: &&Record| run.is_none_or(|run| run == record.run);
        let mut found: Vec<Record> =
            all.values().filter(of_run).filter(|r| is_alive(r)).cloned().collect();
        found.sort_by(|a, b| a.created.cmp(&b.created));
        found
    }

    /// The newest of a run of a kind.
    pub fn last(&self, run: &str, kind: Kind) -> Option<Record> {
        self.list(Some(run)).into_iter().rfind(|record| record.kind == kind.word())
    }

    /// Adds one. Answers the one it replaces, whose files are nobody's now.
    ///
    /// # Errors
    /// `failed` if it cannot be written.
    pub fn add(&self, record: Record) -> Result<Option<Record>> {
        self.disk.write(KIND, &record.name, &record)?;
        let old = self.lock().insert(record.path.clone(), record);
        if let Some(old) = &old {
            self.disk.remove(KIND, &old.name)?;
        }
        Ok(old)
    }

    /// Changes one.
    ///
    /// # Errors
    /// `failed` if it cannot be written.
    pub fn change(&self, path: &str, change: impl FnOnce(&mut Record)) -> Result<bool> {
        let mut all = self.lock();
        let Some(record) = all.get_mut(path).filter(|record| is_alive(record)) else {
            return Ok(false);
        };
        let mut changed = record.clone();
        change(&mut changed);
        self.disk.write(KIND, &changed.name, &changed)?;
        *record = changed;
        Ok(true)
    }

    /// Removes the record of one, and answers it.
    ///
    /// # Errors
    /// `failed` if that cannot be done.
    pub fn remove(&self, path: &str) -> Result<Option<Record>> {
        let removed = self.lock().remove(path);
        if let Some(record) = &removed {
            self.disk.remove(KIND, &record.name)?;
        }
        Ok(removed)
    }

    /// The paths of those that have expired.
    pub fn expired(&self) -> Vec<String> {
        let all = self.lock();
        all.values().filter(|record| !is_alive(record)).map(|record| record.path.clone()).collect()
    }
}

fn missing(path: &str) -> PluginError {
    PluginError::not_found(format!("there is no checkpoint `{path}`"))
        .with_hint("it may have expired or been deleted; list those that are left")
}

fn is_alive(record: &Record) -> bool {
    record.expires.as_deref().is_none_or(|moment| !moment::is_past(moment))
}

impl App {
    /// Deletes a checkpoint with its files. False: there was none.
    ///
    /// # Errors
    /// `failed` if that cannot be done.
    pub fn delete_checkpoint(&self, path: &str) -> Result<bool> {
        let Some(record) = self.checkpoints.any(path) else { return Ok(false) };
        self.begin_deleting(&record)?;
        match self.checkpoints.remove(path)? {
            Some(record) => self.forget_files(&record).map(|()| true),
            None => Ok(false),
        }
    }

    /// Removes the files of a checkpoint that no record names any more.
    ///
    /// # Errors
    /// `failed` if that cannot be done.
    pub fn forget_files(&self, record: &Record) -> Result<()> {
        self.samplers.forget(&record.base, &record.uri);
        let folder = self.disk.export(&record.name);
        match std::fs::remove_dir_all(&folder) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(crate::Error::io("remove", folder, &e));
            }
            _ => {}
        }
        // A model that is not served any more keeps its files until it is again, and a copy keeps them.
        let shared = self.checkpoints.names(&record.base, &record.uri);
        match self.base(&record.base) {
            _ if shared => {}
            Ok(base) => base.trainer.delete(&record.uri)?,
            Err(_) => return Ok(()),
        }
        self.settle_files(&record.name)
    }
}
