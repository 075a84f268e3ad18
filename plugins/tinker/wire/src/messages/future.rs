//! Results that come later.

use super::is_false;
use serde::{Deserialize, Serialize};

/// Answer to whatever takes its time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promise {
    /// What to ask for.
    pub request_id: String,
    /// The model that is being made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_id: Option<String>,
    /// A name for each sample.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample_sequence_ids: Option<Vec<String>>,
}

/// `POST /retrieve_future`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetrieveFuture {
    /// Of the promise.
    pub request_id: String,
    /// Whether a large result may be announced first.
    #[serde(default, skip_serializing_if = "is_false")]
    pub allow_metadata_only: bool,
}
