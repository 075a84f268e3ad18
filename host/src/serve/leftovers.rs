//! What a crash can leave: bytes that a trainer wrote and that no record names, or not any more. Whoever
//! writes or deletes such bytes says so first; a server that is started again looks after them.

use super::{app::App, checkpoints::Record, log::Snapshot};
use crate::Result;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use tinsmith_plugin_api::Level;

const KIND: &str = "pending";

#[derive(Serialize, Deserialize)]
struct Pending {
    name: String,
    base: String,
    /// Under which name the trainer wrote the bytes, if that is not `name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    files: Option<String>,
}

impl App {
    /// Says that the bytes of this name may soon have no record.
    ///
    /// # Errors
    /// `failed` if it cannot be written down.
    pub fn begin_files(&self, name: &str, base: &str) -> Result<()> {
        self.disk.write(KIND, name, &Pending { name: name.into(), base: base.into(), files: None })
    }

    /// Says that the bytes of this checkpoint may soon have no record.
    ///
    /// # Errors
    /// `failed` if it cannot be written down.
    pub fn begin_deleting(&self, record: &Record) -> Result<()> {
        let Record { name, base, files, .. } = record.clone();
        self.disk.write(KIND, &record.name, &Pending { name, base, files })
    }

    /// Says that they have one, or are gone.
    ///
    /// # Errors
    /// `failed` if it cannot be written down.
    pub fn settle_files(&self, name: &str) -> Result<()> {
        self.disk.remove(KIND, name)
    }

    /// Deletes what a server left that was killed in between. Only names that it wrote down are looked
    /// for: a trainer may have other checkpoints.
    ///
    /// # Errors
    /// `failed` if that cannot be done.
    pub fn sweep(&self) -> Result<()> {
        let pending = self.disk.read_all::<Pending>(KIND)?;
        if pending.is_empty() {
            return Ok(());
        }
        let used = self.used()?;
        for Pending { name, base, files } in pending {
            let files = files.as_ref().unwrap_or(&name);
            // A model that is not served now is looked after when it is.
            let Ok(base) = self.base(&base) else { continue };
            for found in base.trainer.checkpoints(None)?.iter().filter(|c| c.name == *files) {
                if !used.contains(&(base.name.clone(), found.uri.clone())) {
                    base.trainer.delete(&found.uri)?;
                    self.log(Level::Debug, &format!("`{}` was nobody's and is deleted", found.uri));
                }
            }
            self.settle_files(&name)?;
        }
        Ok(())
    }

    /// What some record names: base models and what their trainers call it.
    fn used(&self) -> Result<HashSet<(String, String)>> {
        let records = self.checkpoints.list(None).into_iter();
        let mut used: HashSet<_> = records.map(|record| (record.base, record.uri)).collect();
        for session in self.sessions.list() {
            for sampling in session.samplings {
                used.extend(sampling.uri.map(|uri| (sampling.base, uri)));
            }
            for model in session.models {
                let snapshot = Snapshot::read(&self.disk.log(&model.id).join(Snapshot::FILE))?;
                used.extend(snapshot.uri.map(|uri| (model.base, uri)));
            }
        }
        Ok(used)
    }
}
