//! What can be done to a model.

use crate::serve::base::Loss;
use std::{collections::BTreeMap, sync::Arc};
use tinsmith_plugin_api::{Adam, Batch, Error, OpenRun};
use tinsmith_tinker_wire::{columns::Columns, path::TinkerPath};

/// An operation, checked as far as it can be before its turn.
pub enum Op {
    /// Opens the run.
    Open {
        /// Where it begins.
        from: OpenRun,
        /// The answer where that succeeds.
        answer: serde_json::Value,
        /// Whether it goes on from a snapshot of its own.
        again: bool,
    },
    /// It was done before the server was killed: its result.
    Done(serde_json::Value),
    /// A pass over a batch.
    Forward(Forward),
    /// A step of the optimizer.
    Step(Adam),
    /// Writes a checkpoint.
    Save(SaveOp),
    /// Loads a checkpoint into the model.
    Load {
        /// Its path.
        path: String,
        /// Whether the optimizer's state is loaded too.
        optimizer: bool,
    },
    /// Ends the model.
    Unload,
    /// Something that cannot be done: it fails in its turn.
    Refused(Error),
}

impl Op {
    /// Its name in the metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Open { .. } => "create_model",
            Self::Done(_) => "done_before",
            Self::Forward(Forward { only: true, .. }) => "forward",
            Self::Forward(_) => "forward_backward",
            Self::Step(_) => "optim_step",
            Self::Save(_) => "save",
            Self::Load { .. } => "load",
            Self::Unload => "unload_model",
            Self::Refused(_) => "refused",
        }
    }
}

/// A pass over a batch.
pub struct Forward {
    /// The datums, each with one target at a place.
    pub batch: Arc<Batch>,
    /// How many the client's had, where it may be several.
    pub columns: Option<Columns>,
    /// The loss.
    pub loss: Loss,
    /// Whether no gradient is wanted.
    pub only: bool,
}

/// A checkpoint to be written.
pub enum SaveOp {
    /// Under a path.
    Named {
        /// The path.
        path: TinkerPath,
        /// Seconds until it expires.
        ttl: Option<u64>,
        /// Whether it replaces one of that path.
        overwrite: bool,
        /// What the client wants to find there again.
        user_metadata: Option<BTreeMap<String, String>>,
    },
    /// For a sampling session that is made with it.
    Ephemeral {
        /// The sampling session.
        sampling: String,
    },
}
