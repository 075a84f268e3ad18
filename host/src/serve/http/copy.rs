//! Checkpoints are copied.

use super::{
    Shared,
    body::Raw,
    models::typed,
    reply::{Answer, Refusal, ok, text},
};
use crate::serve::{copy::Place, ids, requests};
use axum::{extract::State, http::HeaderName};
use tinsmith_tinker_wire::messages::{CopyWeights, WeightsCopied};

/// `POST /copy_weights`. Weights of other accounts would need a token: here are none, and whoever may ask
/// may read everything.
pub async fn copy(State(app): Shared, raw: Raw) -> Answer {
    let asked: CopyWeights = typed(raw.value()?)?;
    let place = match (asked.session_id, asked.model_seq_id, asked.destination_project_id) {
        (Some(session), Some(n), None) => Place::Run(session, n),
        (None, None, Some(project)) => Place::Project(project),
        _ => {
            let what = "give `session_id` and `model_seq_id`, or `destination_project_id`";
            return Err(Refusal::wrong(what));
        }
    };
    let ttl = requests::ttl(asked.ttl_seconds)?;
    let request = match text(&raw.headers, HeaderName::from_static("x-idempotency-key")) {
        "" => ids::random()?,
        key => key.to_owned(),
    };
    let path = asked.source_path;
    let copied = tokio::task::spawn_blocking(move || app.copy_weights(&path, place, ttl, &request));
    let tinker_path =
        copied.await.map_err(|e| Refusal::from(crate::Error::failed(e.to_string())))??;
    ok(&WeightsCopied { tinker_path })
}
