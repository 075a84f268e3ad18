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

/// `POST /retrieve_futures`: which samples of a sampling session have results.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RetrieveFutures {
    /// Whose.
    pub target: FuturesTarget,
    /// What the last answer said; 0: from the beginning.
    #[serde(default)]
    pub prev_cursor: u64,
    /// Seconds to wait for news; absent: as long as the server likes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<f64>,
    /// Results that the client has.
    #[serde(default)]
    pub retrieved_request_ids: Vec<String>,
}

/// A client of a sampling session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FuturesTarget {
    /// `sampling_session`.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// The sampling session.
    pub sampling_session_id: String,
    /// Which copy of the client; 0: the client itself.
    #[serde(default)]
    pub cloned_sampler_id: i64,
}

/// Answer of `retrieve_futures`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FuturesRetrieved {
    /// What came after the cursor of the request, in this order.
    pub completions: Vec<Completion>,
    /// What to say the next time.
    pub cursor: u64,
}

/// A result is there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Completion {
    /// `finished`, `failed`.
    pub state: String,
    /// The request.
    pub request_id: String,
}

impl Completion {
    /// Of a request.
    #[must_use]
    pub fn new(request_id: &str, failed: bool) -> Self {
        let state = if failed { "failed" } else { "finished" };
        Self { state: state.into(), request_id: request_id.into() }
    }
}
