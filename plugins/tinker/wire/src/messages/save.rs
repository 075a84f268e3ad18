//! Checkpoints.

use super::is_false;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `POST /save_weights`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SaveWeights {
    /// The model.
    pub model_id: String,
    /// Name of the checkpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Place in the order of the model's operations.
    #[serde(default)]
    pub seq_id: Option<i64>,
    /// Seconds until it expires; absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_seconds: Option<u64>,
    /// Whether it replaces one of that name.
    #[serde(default, skip_serializing_if = "is_false")]
    pub overwrite: bool,
    /// Whatever the client wants to find there again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_metadata: Option<BTreeMap<String, String>>,
}

/// `POST /save_weights_for_sampler`: under a name, or for a sampling session that is made with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SaveForSampler {
    /// The model.
    pub model_id: String,
    /// Name of the checkpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Which sampling session of the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampling_session_seq_id: Option<u64>,
    /// `inflight`: the sampling session sees later weights too; absent: `snapshot`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Place in the order of the model's operations.
    #[serde(default)]
    pub seq_id: Option<i64>,
    /// Seconds until it expires; absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_seconds: Option<u64>,
    /// Whatever the client wants to find there again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_metadata: Option<BTreeMap<String, String>>,
}

/// `POST /save_weights_external`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SaveExternal {
    /// The model.
    pub model_id: String,
    /// Name of the export.
    pub path: String,
    /// Place in the order of the model's operations.
    #[serde(default)]
    pub seq_id: Option<i64>,
    /// Seconds until it expires; absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_seconds: Option<u64>,
    /// Keys that the files are encrypted for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_encryption_recipients: Option<Vec<String>>,
}

/// Result of the three.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedWeights {
    /// Path of the checkpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The sampling session that was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampling_session_id: Option<String>,
    /// Bytes of an export.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    /// `save_weights`, `save_weights_for_sampler`, `save_weights_external`.
    #[serde(rename = "type", default, skip_serializing_if = "String::is_empty")]
    pub kind: String,
}

/// `POST /copy_weights`, which answers at once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyWeights {
    /// Path of the checkpoint.
    pub source_path: String,
    /// The session that owns the copy, and
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// which training run of it; or
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_seq_id: Option<u64>,
    /// the project that owns it, in a session of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination_project_id: Option<String>,
    /// Seconds until the copy expires; absent: never, whatever the source does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_seconds: Option<u64>,
}

/// Answer of `copy_weights`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WeightsCopied {
    /// Path of the copy.
    pub tinker_path: String,
}
