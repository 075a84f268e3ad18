//! Sampling sessions.

use super::{
    Shared,
    body::Json,
    reply::{Answer, Refusal, ok},
    sessions::require,
};
use crate::serve::{
    ids,
    sessions::{Sampling, Session},
};
use axum::extract::{Path, State};
use serde_json::{Value, json};
use tinsmith_tinker_wire::messages::{CreateSamplingSession, Sampler, SamplingSession};
use tokio::task::block_in_place;

/// `POST /create_sampling_session`.
pub async fn create(State(app): Shared, Json(asked): Json<CreateSamplingSession>) -> Answer {
    require(app.sessions.standing(&asked.session_id), &asked.session_id)?;
    let id = ids::sampling(&asked.session_id, asked.sampling_session_seq_id);
    if app.sessions.sampling(&id).is_none() {
        let (base, path) = match (&asked.model_path, &asked.base_model) {
            (Some(path), _) => {
                let saved = app.checkpoints.at(path)?;
                (saved.base, Some(saved.path))
            }
            (None, Some(base)) => (app.base(base)?.name.clone(), None),
            (None, None) => return Err(Refusal::wrong("give `model_path` or `base_model`")),
        };
        let made = Sampling { id: id.clone(), base, path, ..Sampling::default() };
        let add = |session: &mut Session| {
            // The same request may have come twice at once.
            if session.samplings.iter().all(|sampling| sampling.id != made.id) {
                session.samplings.push(made);
            }
        };
        block_in_place(|| app.sessions.change(&asked.session_id, add))?;
    }
    let kind = "create_sampling_session".into();
    ok(&SamplingSession { sampling_session_id: id, kind })
}

/// `POST /join_sampling_session`: clones number their requests apart.
pub async fn join(State(app): Shared, Json(asked): Json<Value>) -> Answer {
    let id = asked["sampling_session_id"].as_str().unwrap_or_default();
    app.sessions.sampling(id).ok_or_else(|| unknown(id))?;
    let mut bytes = [0; 4];
    ids::fill(&mut bytes)?;
    ok(&json!({ "client_counter": u32::from_le_bytes(bytes) % 1_000_000 + 1 }))
}

/// `GET /samplers/ID`.
pub async fn get(State(app): Shared, Path(id): Path<String>) -> Answer {
    let (_, sampling) = app.sessions.sampling(&id).ok_or_else(|| unknown(&id))?;
    ok(&Sampler { sampler_id: id, base_model: sampling.base, model_path: sampling.path })
}

/// There is no sampling session of that id.
pub fn unknown(id: &str) -> Refusal {
    Refusal::not_found(format!("there is no sampling session `{id}`"))
}
