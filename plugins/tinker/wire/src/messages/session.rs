//! Sessions: what belongs together, and whether its client is alive.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// `POST /create_session`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CreateSession {
    /// Words to find it by.
    pub tags: Vec<String>,
    /// Whatever the client wants to find there again.
    pub user_metadata: Option<Map<String, Value>>,
    /// Version of the client.
    pub sdk_version: String,
    /// Project that pays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project_id: Option<String>,
    /// Name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
}

/// Answer of `create_session`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionCreated {
    /// Its id.
    pub session_id: String,
    /// What the server wants people to know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub info_message: Option<String>,
    /// What it warns of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning_message: Option<String>,
    /// What is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// `create_session`.
    #[serde(rename = "type", default, skip_serializing_if = "String::is_empty")]
    pub kind: String,
}

/// `POST /session_heartbeat`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// The session that lives.
    pub session_id: String,
}

/// `POST /sessions/ID/finish`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Finish {
    /// Why.
    pub reason: FinishReason,
    /// The same for people.
    pub detail: Option<String>,
}

/// Why a session ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinishReason {
    /// `success`, `errored`, `interrupted`.
    #[serde(rename = "type")]
    pub kind: String,
}

impl Default for FinishReason {
    fn default() -> Self {
        Self { kind: "success".into() }
    }
}
