//! Where a model begins after a crash.

use crate::{Error, Result, runs, serve::futures::Outcome};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{fs, io, path::Path};
use tinsmith_tinker_wire::{answer::Failure, messages::JsonOutput, output::Output};

/// A state that was saved, and what came before it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Snapshot {
    /// Every operation up to this number is in it.
    pub upto: i64,
    /// What the trainer calls it; None: the model as it was made.
    #[serde(default)]
    pub uri: Option<String>,
    /// What its files are called here.
    #[serde(default)]
    pub name: String,
    /// Results of those operations that a client may still ask for.
    #[serde(default)]
    pub results: Vec<(i64, Kept)>,
}

/// A result that is kept. Numbers come back as they were.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// JSON in every dialect.
    Json(Value),
    /// Of a forward pass.
    Output(JsonOutput),
    /// A failure.
    Failed(Failure),
}

impl Kept {
    /// Of a result, if it can be kept.
    pub fn of(outcome: &Outcome) -> Option<Self> {
        match outcome {
            Outcome::Json(value) => Some(Self::Json(value.clone())),
            Outcome::Output(output) => output.to_json().ok().map(Self::Output),
            Outcome::Failed(failure) => Some(Self::Failed(failure.clone())),
            Outcome::Samples(..) => None,
        }
    }

    /// The result.
    pub fn outcome(self) -> Option<Outcome> {
        match self {
            Self::Json(value) => Some(Outcome::Json(value)),
            Self::Output(output) => Output::from_json(&output).ok().map(Outcome::Output),
            Self::Failed(failure) => Some(Outcome::Failed(failure)),
        }
    }
}

impl Snapshot {
    /// Its name in the folder of the log.
    pub const FILE: &str = "snapshot.json";

    /// Reads one; where there is none, the model begins as it was made.
    ///
    /// # Errors
    /// `failed` that names the file.
    pub fn read(path: &Path) -> Result<Self> {
        match fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| {
                Error::failed(format!("not what this version writes: {e}")).place(path, None, None)
            }),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(e) => Err(Error::io("read", path, &e)),
        }
    }

    /// Writes it.
    ///
    /// # Errors
    /// `failed` that names the file.
    pub fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_vec(self).map_err(|e| Error::failed(e.to_string()))?;
        runs::replace(path, &text)
    }
}
