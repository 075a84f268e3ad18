//! What a client asks before anything else.

use super::is_false;
use serde::{Deserialize, Serialize};

/// `POST /client/config`, `POST /client/dynamic_config`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SdkVersion {
    /// Version of the client.
    pub sdk_version: String,
}

/// What the server wants of a client. An empty object is whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClientConfig {
    /// Whether the key is exchanged for a token that expires.
    pub pjwt_auth_enabled: bool,
    /// Whether the requests of one call may be sent at once.
    pub parallel_fwdbwd_chunks: bool,
    /// Datums in a request at most.
    pub fwdbwd_max_chunk_len: usize,
    /// Estimated bytes in a request at most.
    pub fwdbwd_max_chunk_bytes_count: u64,
    /// Estimated bytes of requests that are being sent, together.
    pub fwdbwd_dispatch_bytes_semaphore_size: u64,
    /// Whether bodies are sent compressed.
    pub proto_compress_fwdbwd: bool,
    /// Whether older clients may send protobuf.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proto_write_fwdbwd: Option<bool>,
    /// Whether results of samples are asked for once for all of a sampling session.
    #[serde(skip_serializing_if = "is_false")]
    pub sample_use_retrieve_futures: bool,
    /// Whether a copy of a client asks which it is.
    #[serde(skip_serializing_if = "is_false")]
    pub sample_join_sampling_session: bool,
    /// Seconds for which a lack of funds is waited out.
    pub billing_exception_max_pause_duration_sec: u64,
    /// Samples that are asked for and not there yet, at most.
    pub sample_max_concurrent_requests: usize,
    /// Whether a sample that fails is not asked for again.
    pub sample_no_retries: bool,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            pjwt_auth_enabled: false,
            parallel_fwdbwd_chunks: true,
            fwdbwd_max_chunk_len: 1024,
            fwdbwd_max_chunk_bytes_count: 5_000_000,
            fwdbwd_dispatch_bytes_semaphore_size: 50_000_000,
            proto_compress_fwdbwd: false,
            proto_write_fwdbwd: None,
            sample_use_retrieve_futures: false,
            sample_join_sampling_session: false,
            billing_exception_max_pause_duration_sec: 3600,
            sample_max_concurrent_requests: 2000,
            sample_no_retries: false,
        }
    }
}

/// What the server wants of a client now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DynamicConfig {
    /// Seconds until it is asked for again.
    pub refresh_interval_sec: u64,
    /// Whether samples that nobody waits for can be called off.
    pub sample_cancel_enabled: bool,
}

impl Default for DynamicConfig {
    fn default() -> Self {
        Self { refresh_interval_sec: 300, sample_cancel_enabled: false }
    }
}

/// Answer of `POST /auth/token`. It prints as `***`.
#[derive(Clone, Serialize, Deserialize)]
pub struct Token {
    /// `header.payload.signature`, base64url.
    pub jwt: String,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}
