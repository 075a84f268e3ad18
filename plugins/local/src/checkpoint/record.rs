//! `run.json`: what a checkpoint is, beside its weights.

use super::manifest::damaged;
use crate::base::Base;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use tinsmith_plugin_api::{AdapterSpec, Error, Result, RunId};

/// The file's name.
pub const RECORD: &str = "run.json";
const FORMAT: u32 = 1;

/// What a checkpoint is. Keys that a later version adds are ignored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    format: u32,
    /// The run that wrote it.
    pub run: RunId,
    /// Optimizer steps done.
    pub step: u64,
    /// What is trained.
    pub adapter: AdapterSpec,
    /// The base model's directory, absolute.
    pub base_dir: PathBuf,
    /// The base model as the user wrote it.
    pub base_name: String,
    /// See [`Base::fingerprint`].
    pub base_fingerprint: String,
    /// Whether the optimizer's memory was saved.
    pub optimizer: bool,
    /// RFC 3339.
    pub created: String,
    /// Version of the trainer.
    pub version: String,
}

impl Record {
    /// Describes a checkpoint that is being written now.
    pub fn now(
        run: RunId,
        step: u64,
        adapter: AdapterSpec,
        base: &Base,
        optimizer: bool,
    ) -> Result<Self> {
        Ok(Self {
            format: FORMAT,
            run,
            step,
            adapter,
            base_dir: base.dir.clone(),
            base_name: base.name.clone(),
            base_fingerprint: base.fingerprint()?.to_owned(),
            optimizer,
            created: jiff::Timestamp::now().to_string(),
            version: env!("CARGO_PKG_VERSION").into(),
        })
    }

    /// Parses the file; `key` names it in errors.
    pub fn parse(key: &str, bytes: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        struct Version {
            format: u32,
        }
        let Version { format } =
            serde_json::from_slice(bytes).map_err(|e| damaged(key, &e.to_string()))?;
        if format != FORMAT {
            return Err(Error::unsupported(format!(
                "`{key}` has format {format}, this version reads format {FORMAT}"
            ))
            .with_hint("use the version of tinsmith that wrote it, or a newer one"));
        }
        serde_json::from_slice(bytes).map_err(|e| damaged(key, &e.to_string()))
    }
}
