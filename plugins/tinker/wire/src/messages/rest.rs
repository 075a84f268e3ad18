//! What there is: models, training runs, checkpoints, sessions.

use super::yes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Answer of `GET /get_server_capabilities`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerCapabilities {
    /// Base models.
    #[serde(default)]
    pub supported_models: Vec<SupportedModel>,
}

/// A base model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SupportedModel {
    /// Its name.
    #[serde(default)]
    pub model_name: Option<String>,
    /// Longest input, in tokens.
    #[serde(default)]
    pub max_context_length: Option<u64>,
    /// Whether it can be trained.
    #[serde(default = "yes")]
    pub trainable: bool,
    /// Whether it can be sampled from.
    #[serde(default = "yes")]
    pub sampleable: bool,
}

/// A part of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// The first.
    pub offset: u64,
    /// How many at most.
    pub limit: u64,
    /// How many there are.
    pub total_count: u64,
}

/// A training run: a model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TrainingRun {
    /// The model.
    pub training_run_id: String,
    /// What it is an adapter of.
    pub base_model: String,
    /// Whose it is.
    #[serde(default)]
    pub model_owner: String,
    /// Whether it is an adapter.
    #[serde(default)]
    pub is_lora: bool,
    /// Whether an operation failed and left it in an unknown state.
    #[serde(default)]
    pub corrupted: bool,
    /// Rank of the adapter.
    #[serde(default)]
    pub lora_rank: Option<u32>,
    /// When it was last used, RFC 3339.
    #[serde(default)]
    pub last_request_time: String,
    /// Its last checkpoint to train on from.
    #[serde(default)]
    pub last_checkpoint: Option<Checkpoint>,
    /// Its last checkpoint to sample from.
    #[serde(default)]
    pub last_sampler_checkpoint: Option<Checkpoint>,
    /// What the client wanted to find there again.
    #[serde(default)]
    pub user_metadata: Option<Map<String, Value>>,
}

/// Answer of `GET /training_runs`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TrainingRuns {
    /// The part.
    pub training_runs: Vec<TrainingRun>,
    /// Which part.
    pub cursor: Cursor,
}

/// A checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// `KIND/NAME`; some servers say `NAME`.
    pub checkpoint_id: String,
    /// `training`, `sampler`, `external`.
    #[serde(default)]
    pub checkpoint_type: String,
    /// When it was made, RFC 3339.
    #[serde(default)]
    pub time: String,
    /// Its path; some servers leave it out.
    #[serde(default)]
    pub tinker_path: String,
    /// Its size.
    #[serde(default)]
    pub size_bytes: Option<u64>,
    /// Whether others may read it.
    #[serde(default)]
    pub public: bool,
    /// When it expires, RFC 3339.
    #[serde(default)]
    pub expires_at: Option<String>,
    /// What the client wanted to find there again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_metadata: Option<BTreeMap<String, String>>,
}

/// Answer of `GET /checkpoints` and `GET /training_runs/ID/checkpoints`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoints {
    /// The part.
    pub checkpoints: Vec<Checkpoint>,
    /// Which part; absent: all.
    #[serde(default)]
    pub cursor: Option<Cursor>,
}

/// `PUT …/ttl`: null removes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ttl {
    /// Seconds from now.
    pub ttl_seconds: Option<u64>,
}

/// `POST /weights_info`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TinkerPathRef {
    /// The checkpoint.
    pub tinker_path: String,
}

/// Where the files of an export lie. The addresses are secrets for as long as they hold: it prints
/// the names alone.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExternalUrls {
    /// Addresses by relative name.
    pub urls: BTreeMap<String, String>,
    /// Until when they hold, RFC 3339.
    #[serde(default)]
    pub expires: Option<String>,
}

impl std::fmt::Debug for ExternalUrls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.urls.keys()).finish()
    }
}

/// Answer of `GET /sessions`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sessions {
    /// Their ids.
    pub sessions: Vec<String>,
}

/// Answer of `GET /sessions/ID`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SessionView {
    /// Its models.
    pub training_run_ids: Vec<String>,
    /// Its sampling sessions.
    pub sampler_ids: Vec<String>,
    /// What the client wanted to find there again.
    #[serde(default)]
    pub user_metadata: Option<Map<String, Value>>,
    /// Its name for people.
    #[serde(default)]
    pub display_name: Option<String>,
}
