//! The run record: what a run is, how far it is, and where its results lie.
//!
//! `<output>/runs/<id>.json`. `status` reads this file and nothing else; `train --resume` trusts it.

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
    /// The folder against which paths of the config resolve.
    pub base_dir: String,
    /// What must not change between the parts of a run.
    pub fingerprints: Fingerprints,
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

/// Why a run stopped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Failure {
    /// The kind, as plugins name them, or `interrupted`, `limit`.
    pub kind: String,
    /// One line.
    pub message: String,
    /// What the user can do.
    pub hint: Option<String>,
}

/// What must not change between the parts of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Fingerprints {
    /// sha256 of the datasets.
    pub data: String,
    /// sha256 of what decides the encoding.
    pub tokenizer: String,
    /// Renderer with its plugin, version and settings.
    pub renderer: String,
    /// sha256 of every plugin's library, or `built-in VERSION`, by plugin id.
    pub plugins: BTreeMap<String, String>,
    /// sha256 of the order of examples.
    pub order: String,
    /// Seed of the order.
    pub order_seed: u64,
}

impl Fingerprints {
    /// Names of what differs.
    #[must_use]
    pub fn differences(&self, now: &Self) -> Vec<String> {
        let mut names = Vec::new();
        let mut compare = |name: &str, equal: bool| {
            if !equal {
                names.push(name.to_owned());
            }
        };
        compare("data", self.data == now.data);
        compare("tokenizer", self.tokenizer == now.tokenizer);
        compare("renderer", self.renderer == now.renderer);
        compare("order of examples", self.order == now.order && self.order_seed == now.order_seed);
        let ids: std::collections::BTreeSet<&String> =
            self.plugins.keys().chain(now.plugins.keys()).collect();
        for id in ids {
            compare(&format!("plugin {id}"), self.plugins.get(id) == now.plugins.get(id));
        }
        names
    }
}

/// What was to be done.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PlanFacts {
    /// Optimizer steps.
    pub steps: u64,
    /// Passes over the data.
    pub epochs: u32,
    /// Examples to train on.
    pub examples: u64,
    /// Examples held out.
    pub eval_examples: u64,
    /// Tokens of all steps.
    pub tokens: u64,
    /// Trained tokens of all steps.
    pub trained_tokens: u64,
}

/// How far a run is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Progress {
    /// Optimizer steps that are done.
    pub step: u64,
    /// The batch that comes next.
    pub next_batch: u64,
    /// Tokens of the steps done, each step once.
    pub tokens: u64,
    /// Trained tokens of the steps done, each step once.
    pub trained_tokens: u64,
    /// Steps that were computed again after a resume.
    pub repeated_steps: u64,
    /// Their tokens.
    pub repeated_tokens: u64,
    /// Seconds spent in training, all attempts together.
    pub seconds: f64,
    /// Cost in US dollars, where the trainer tells prices.
    pub usd: Option<f64>,
}

/// Evaluations on held-out data.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Evaluations {
    /// Before the first step.
    pub before: Option<Evaluation>,
    /// After the last step.
    pub after: Option<Evaluation>,
}

/// One evaluation on held-out data.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Evaluation {
    /// Mean negative log-likelihood of a trained token, in nats.
    pub nll: Option<f64>,
    /// Share of answers in the form asked for.
    pub form: Option<f64>,
    /// Mean share of the reference's lines that occur in the answer.
    pub recall: Option<f64>,
    /// Answers that were sampled.
    pub answers: u64,
}

/// One start of a process on a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Attempt {
    /// From 1.
    pub number: u32,
    /// Steps done when it began.
    pub from_step: u64,
    /// The checkpoint it began from.
    pub from_checkpoint: Option<String>,
    /// The trainer's own name for its part.
    pub trainer_run: Option<String>,
    /// When it began, RFC 3339.
    pub started: String,
    /// When it ended, RFC 3339. None for one that was killed.
    pub ended: Option<String>,
    /// The process.
    pub pid: u32,
}

/// A save, noted before it was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PlannedSave {
    /// Its name.
    pub name: String,
    /// Steps done.
    pub step: u64,
    /// The attempt.
    pub attempt: u32,
}

/// Why a checkpoint was saved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckpointKind {
    /// `checkpoint.every_steps`.
    #[default]
    Periodic,
    /// The run was interrupted or reached a limit.
    Interrupt,
    /// All steps are done.
    Final,
}

/// A checkpoint that counts: every operation of its run before it succeeded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CheckpointEntry {
    /// Its name.
    pub name: String,
    /// Steps done, which is the batch that comes next.
    pub step: u64,
    /// Why it was saved.
    pub kind: CheckpointKind,
    /// What the trainer knows it by.
    pub uri: String,
    /// sha256 of its manifest.
    pub sha256: Option<String>,
    /// Size, where known.
    pub bytes: Option<u64>,
    /// Seconds after which it expires.
    pub ttl: Option<u64>,
    /// The attempt that saved it.
    pub attempt: u32,
    /// When, RFC 3339.
    pub created: String,
    /// Tokens trained up to it.
    pub tokens: u64,
    /// Trained tokens up to it.
    pub trained_tokens: u64,
    /// Whether it was deleted since (`checkpoint.keep_last`).
    pub deleted: bool,
}

/// Where the finished adapter lies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AdapterFacts {
    /// The folder.
    pub path: String,
    /// sha256 of each file, by name.
    pub files: BTreeMap<String, String>,
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
