//! What was spent, in the shape of the protocol's billing answers.

use super::{
    Shared,
    reply::{Answer, Refusal, ok},
};
use crate::{
    plan::Rates,
    serve::usage::{Hours, usage},
};
use axum::extract::{Query, State};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Bytes.
const GIGABYTE: f64 = 1e9;

/// Which hours.
#[derive(Debug, Deserialize)]
pub struct Asked {
    starting_on: String,
    ending_before: String,
}

/// `GET /billing/usage/events`.
pub async fn events(State(app): Shared, Query(asked): Query<Asked>) -> Answer {
    let moment = |name: &str, text: &str| {
        let parsed = text.parse::<Timestamp>().map(Timestamp::as_second);
        parsed.map_err(|_| Refusal::wrong(format!("`{name}`: `{text}` is no RFC 3339 moment")))
    };
    let from = moment("starting_on", &asked.starting_on)?;
    let until = moment("ending_before", &asked.ending_before)?;
    let rates = |name: &str| app.base(name).map_or(Rates::default(), |base| base.rates);
    let data =
        tokio::task::block_in_place(|| usage(app.usage.path(), Hours { from, until }, rates))?;
    let mut sessions = Map::new();
    for id in data.iter().filter_map(|bucket| bucket["session_id"].as_str()) {
        let meta = app.sessions.get(id).and_then(|session| session.user_metadata);
        sessions.insert(id.to_owned(), json!({ "user_metadata": meta }));
    }
    ok(&json!({ "data": data, "sessions": sessions }))
}

/// `GET /billing/usage/checkpoints/current`.
pub async fn checkpoints(State(app): Shared) -> Answer {
    let all = app.checkpoints.list(None);
    let bytes: u64 = all.iter().filter_map(|record| record.bytes).sum();
    let data: Vec<Value> = match all.len() {
        0 => Vec::new(),
        count => vec![json!({
            "checkpoint_count": count,
            "size_bytes": bytes,
            "size_gigabytes": bytes as f64 / GIGABYTE,
        })],
    };
    ok(&json!({ "data": data }))
}
