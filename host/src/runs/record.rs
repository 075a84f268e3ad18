//! The run record: what a run is, how far it is, and where its results lie.
//!
//! `<output>/runs/<id>.json`. `status` reads this file and nothing else; `train --resume` trusts it.

mod facts;
mod history;

pub use facts::{
    AdapterFacts, DataFacts, Evaluation, Evaluations, Failure, Fingerprints, PlanFacts, Progress,
};
pub use history::{Attempt, CheckpointEntry, CheckpointKind, PlannedSave};

use super::{Machine, durable};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{collections::BTreeMap, fs, path::Path};

/// Version of the format. Raised when an older tinsmith would misread a record.
pub const SCHEMA: u32 = 1;

/// Everything that is recorded about a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunRecord {
    /// Version of the format.
    pub schema: u32,
    /// The run's name.
    pub id: String,
    /// A name given by the user.
    pub name: Option<String>,
    /// What it is doing.
    pub status: Status,
    /// Why it stopped, unless it completed.
    pub error: Option<Failure>,
    /// When it was planned, RFC 3339.
    pub created: String,
    /// When this record was last written, RFC 3339.
    pub updated: String,
    /// When it ended, RFC 3339.
    pub finished: Option<String>,
    /// The trainer's name.
    pub trainer: String,
    /// Base model: a folder or a name.
    pub base_model: String,
    /// Seed of the adapter's first values.
    pub lora_seed: u64,
    /// The config with every default and without secrets.
    pub config: Value,
    /// The config file.
    pub config_file: Option<String>,
    /// Plugins that the command line named (`--plugin`): going on needs them again.
    pub plugin_paths: Vec<String>,
    /// The folder against which paths of the config resolve.
    pub base_dir: String,
    /// What must not change between the parts of a run.
    pub fingerprints: Fingerprints,
    /// What became of the rows of the datasets.
    pub data: DataFacts,
    /// What was to be done.
    pub plan: PlanFacts,
    /// How far it is.
    pub progress: Progress,
    /// The last figures of the training loop, by name.
    pub last: BTreeMap<String, f64>,
    /// Evaluations on held-out data.
    pub evaluations: Evaluations,
    /// Every start of a process on this run.
    pub attempts: Vec<Attempt>,
    /// Names of saves, noted before they were asked for.
    pub planned_saves: Vec<PlannedSave>,
    /// Checkpoints that count.
    pub checkpoints: Vec<CheckpointEntry>,
    /// Where the finished adapter lies.
    pub adapter: Option<AdapterFacts>,
    /// Where it was trained last.
    pub machine: Machine,
}

/// What a run is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Nothing was trained yet.
    #[default]
    Planned,
    /// A process trains it.
    Running,
    /// It stopped on request or at a limit, with a checkpoint.
    Interrupted,
    /// It stopped on an error.
    Failed,
    /// All steps are done and the adapter is there.
    Completed,
}

impl Status {
    /// The word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Running => "running",
            Self::Interrupted => "interrupted",
            Self::Failed => "failed",
            Self::Completed => "completed",
        }
    }
}

impl RunRecord {
    /// Checkpoints that still exist, oldest first.
    pub fn live_checkpoints(&self) -> impl DoubleEndedIterator<Item = &CheckpointEntry> {
        self.checkpoints.iter().filter(|c| !c.deleted)
    }

    /// Number of the current attempt, from 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempts.last().map_or(0, |a| a.number)
    }

    /// Reads a record.
    ///
    /// # Errors
    /// `failed` that names the file: absent, damaged (with line and column), or of a newer version.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = fs::read(path).map_err(|e| Error::io("read the run record", path, &e))?;
        let damaged = |e: &serde_json::Error| {
            Error::failed(format!("the run record is damaged: {e}"))
                .place(path, Some(e.line() as u64), Some(e.column() as u64))
                .hint("restore the file from a backup, or start a new run")
        };
        let value: Value = serde_json::from_slice(&bytes).map_err(|e| damaged(&e))?;
        let schema = value.get("schema").and_then(Value::as_u64).ok_or_else(|| {
            Error::failed("the run record is damaged: it has no `schema`")
                .place(path, None, None)
                .hint("restore the file from a backup, or start a new run")
        })?;
        if schema > u64::from(SCHEMA) {
            return Err(Error::failed(format!(
                "the run record has version {schema}, this tinsmith reads up to {SCHEMA}"
            ))
            .place(path, None, None)
            .hint("update tinsmith"));
        }
        // From the bytes again, so that an error tells line and column.
        serde_json::from_slice(&bytes).map_err(|e| damaged(&e))
    }

    /// Writes the record, atomically and durably.
    ///
    /// # Errors
    /// `failed` that names the file; it is then as it was.
    pub fn write(&self, path: &Path) -> Result<()> {
        let mut text = serde_json::to_vec_pretty(self)
            .map_err(|e| Error::failed(format!("write the run record: {e}")))?;
        text.push(b'\n');
        durable::replace(path, &text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> RunRecord {
        RunRecord { schema: SCHEMA, id: "r".into(), ..RunRecord::default() }
    }

    #[test]
    fn a_record_survives_the_round_trip() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r.json");
        let mut record = record();
        record.progress.step = 7;
        record.last.insert("nll".into(), 0.1 + 0.2);
        record.checkpoints.push(CheckpointEntry { name: "000007".into(), ..Default::default() });
        record.write(&path).unwrap();
        assert_eq!(RunRecord::read(&path).unwrap(), record);
    }

    #[test]
    fn damage_and_newer_versions_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r.json");
        record().write(&path).unwrap();
        let whole = fs::read(&path).unwrap();
        for cut in [0, 1, whole.len() / 2, whole.len() - 3] {
            fs::write(&path, &whole[..cut]).unwrap();
            let e = RunRecord::read(&path).unwrap_err();
            assert!(e.message.contains("damaged"), "{e}");
            assert!(e.to_string().starts_with(&path.display().to_string()), "{e}");
            assert!(e.hint.is_some());
        }
        fs::write(&path, r#"{"schema": 2, "status": "dreaming"}"#).unwrap();
        let e = RunRecord::read(&path).unwrap_err();
        assert!(e.message.contains("version 2"), "{e}");
        fs::write(&path, r#"{"id": "x"}"#).unwrap();
        assert!(RunRecord::read(&path).unwrap_err().message.contains("no `schema`"));
        fs::write(&path, r#"{"schema": 1, "progress": 3}"#).unwrap();
        assert!(RunRecord::read(&path).unwrap_err().message.contains("damaged"));
    }

    #[test]
    fn differences_are_named() {
        let was = Fingerprints { data: "a".into(), ..Fingerprints::default() };
        let mut now = was.clone();
        assert!(was.differences(&now).is_empty());
        now.data = "b".into();
        now.plugins.insert("chat".into(), "1".into());
        assert_eq!(was.differences(&now), ["data", "plugin chat"]);
    }
}
