//! What a poll for a result says.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tinsmith_plugin_api::Error;

/// Whose fault a failure is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// The request's.
    User,
    /// The server's.
    Server,
    /// Nobody says.
    #[default]
    #[serde(other)]
    Unknown,
}

/// An operation failed: the whole of its answer, under status 200.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What went wrong.
    pub error: String,
    /// Whose fault it is.
    #[serde(default)]
    pub category: Category,
}

/// Why a result is not there yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queue {
    /// `active`, `paused_capacity`, `paused_rate_limit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue_state: Option<String>,
    /// The same for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue_state_reason: Option<String>,
}

impl Queue {
    /// What a user is told; None while the queue moves.
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        let state = self.queue_state.as_deref().filter(|state| *state != "active")?;
        Some(match self.queue_state_reason.as_deref() {
            Some(reason) if !reason.is_empty() => format!("{}: {reason}", state.replace('_', " ")),
            _ => state.replace('_', " "),
        })
    }
}

/// A JSON answer of status 200.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// The result.
    Ready(Value),
    /// Not there yet.
    Pending(Queue),
    /// There, and of so many bytes: it is sent when it is asked for again.
    Large(u64),
    /// The operation failed.
    Failed(Failure),
}

impl From<Value> for Answer {
    /// The order of the tests is that of the official client.
    fn from(body: Value) -> Self {
        if body["type"] == "try_again" {
            return Self::Pending(serde_json::from_value(body).unwrap_or_default());
        }
        if body["status"] == "complete_metadata" {
            return Self::Large(body["response_payload_size"].as_u64().unwrap_or(0));
        }
        match body.get("error") {
            Some(error) => Self::Failed(Failure {
                error: error.as_str().map_or_else(|| error.to_string(), str::to_owned),
                category: serde_json::from_value(body["category"].clone()).unwrap_or_default(),
            }),
            None => Self::Ready(body),
        }
    }
}

/// An answer without the members that are null: what is absent and what is null mean the same, and
/// servers in Python send either. Items of lists stay.
#[must_use]
pub fn present(answer: Value) -> Value {
    match answer {
        Value::Object(members) => {
            let members = members.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(members.map(|(name, value)| (name, present(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(present).collect()),
        other => other,
    }
}

/// The text of an HTTP error: `detail` of a JSON body, as a text or as a list of what is wrong where,
/// else the body itself, one line of at most 300 characters.
#[must_use]
pub fn detail(body: &[u8]) -> String {
    let text = match serde_json::from_slice::<Value>(body) {
        Ok(json) => match &json["detail"] {
            Value::String(text) => text.clone(),
            Value::Array(list) => list.iter().map(one_detail).collect::<Vec<_>>().join("; "),
            _ => json["error"]
                .as_str()
                .or(json["message"].as_str())
                .map_or_else(|| json.to_string(), str::to_owned),
        },
        Err(_) => String::from_utf8_lossy(body).into_owned(),
    };
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    // It is shown on terminals, which obey control characters.
    let line = line.replace(char::is_control, "?");
    match line.char_indices().nth(300) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// What stands between what is wrong and what to do: clients have one place for both.
const HINT: &str = "; hint: ";

/// An error as a server tells it, with its hint.
#[must_use]
pub fn told(error: &Error) -> String {
    match error.hint() {
        Some(hint) => format!("{error}{HINT}{hint}"),
        None => error.to_string(),
    }
}

/// Splits what [`told`] joined.
#[must_use]
pub fn with_hint(text: &str) -> (&str, Option<&str>) {
    match text.split_once(HINT) {
        Some((what, hint)) => (what, Some(hint)),
        None => (text, None),
    }
}

fn one_detail(detail: &Value) -> String {
    let place: Vec<String> = detail["loc"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|part| *part != "body")
        .map(|part| part.as_str().map_or_else(|| part.to_string(), str::to_owned))
        .collect();
    let message = detail["msg"].as_str().map_or_else(|| detail.to_string(), str::to_owned);
    if place.is_empty() { message } else { format!("{}: {message}", place.join(".")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn answers_are_told_apart_in_order() {
        let paused = json!({"type": "try_again", "request_id": "r", "queue_state": "paused_capacity",
            "queue_state_reason": "no free node", "error": "ignored"});
        let Answer::Pending(queue) = paused.into() else { panic!("pending") };
        assert_eq!(queue.reason().as_deref(), Some("paused capacity: no free node"));
        let large =
            json!({"status": "complete_metadata", "response_payload_size": 9, "error": "ignored"});
        assert_eq!(Answer::from(large), Answer::Large(9));
        for (category, expected) in [
            (json!("user"), Category::User),
            (json!("server"), Category::Server),
            (json!("new"), Category::Unknown),
            (json!(null), Category::Unknown),
            (json!(7), Category::Unknown),
        ] {
            let failed = json!({"error": "bad", "category": category});
            assert_eq!(
                Answer::from(failed),
                Answer::Failed(Failure { error: "bad".into(), category: expected })
            );
        }
        assert_eq!(Answer::from(json!({"metrics": {}})), Answer::Ready(json!({"metrics": {}})));
    }

    #[test]
    fn what_is_null_is_absent_but_in_lists() {
        let sent = json!({"type": null, "list": [null, {"a": null, "b": 0}], "deep": {"c": null}});
        assert_eq!(present(sent), json!({"list": [null, {"b": 0}], "deep": {}}));
    }

    #[test]
    fn details_are_one_line() {
        let list = json!({"detail": [{"loc": ["body", "lora_config", "rank"], "msg": "too high", "type": "x"}]});
        assert_eq!(detail(list.to_string().as_bytes()), "lora_config.rank: too high");
        assert_eq!(detail(br#"{"detail":"no\n such  model"}"#), "no such model");
        assert_eq!(detail(br#"{"error":"e"}"#), "e");
        assert_eq!(detail(br#"{"detail":"\u001b[2Jgone\u0007"}"#), "?[2Jgone?");
        assert_eq!(with_hint("gone; hint: ask again"), ("gone", Some("ask again")));
        assert_eq!(with_hint("gone"), ("gone", None));
        let e = Error::rejected("gone");
        assert_eq!(told(&e), "gone");
        assert_eq!(told(&e.with_hint("ask again")), "gone; hint: ask again");
        assert_eq!(detail(b"<html>\n bad gateway"), "<html> bad gateway");
        assert_eq!(detail("ä".repeat(400).as_bytes()).chars().count(), 301);
    }
}
