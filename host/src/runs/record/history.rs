//! What happened to a run: attempts, saves, checkpoints.

use serde::{Deserialize, Serialize};

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
