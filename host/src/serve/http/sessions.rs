//! Sessions.

use super::{
    Shared,
    body::Json,
    reply::{Answer, Refusal, done, ok},
};
use crate::serve::{
    app::App,
    sessions::{Ended, Session, Standing},
};
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tinsmith_tinker_wire::messages::{
    CreateSession, Finish, Heartbeat, SessionCreated, SessionView, Sessions,
};
use tokio::task::block_in_place;

/// `POST /create_session`. What is written to the disk does not hold up other requests.
pub async fn create(State(app): Shared, Json(asked): Json<CreateSession>) -> Answer {
    let session_id = block_in_place(|| app.sessions.begin(asked))?;
    ok(&SessionCreated { session_id, kind: "create_session".into(), ..SessionCreated::default() })
}

/// `POST /session_heartbeat`: 410 tells the client that it is over.
pub async fn heartbeat(State(app): Shared, Json(asked): Json<Heartbeat>) -> Answer {
    let standing = block_in_place(|| app.sessions.beat(&asked.session_id))?;
    require(standing, &asked.session_id)?;
    ok(&json!({ "type": "session_heartbeat" }))
}

/// `POST /sessions/ID/finish`.
pub async fn finish(
    State(app): Shared,
    Path(id): Path<String>,
    Json(asked): Json<Finish>,
) -> Answer {
    if app.sessions.standing(&id) == Standing::Unknown {
        return Err(unknown(&id));
    }
    let ended = Ended { reason: asked.reason.kind, detail: asked.detail };
    block_in_place(|| app.end_session(&id, ended))?;
    done()
}

/// Which part of a list.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub struct Page {
    /// The first.
    #[serde(default)]
    pub offset: u64,
    /// How many at most.
    #[serde(default)]
    pub limit: Option<u64>,
}

impl Page {
    /// That part of a list, with what is usual where the client names no limit.
    pub fn of<T>(self, all: Vec<T>, usual: u64) -> Vec<T> {
        let skip = usize::try_from(self.offset).unwrap_or(usize::MAX);
        let take = usize::try_from(self.limit.unwrap_or(usual)).unwrap_or(usize::MAX);
        all.into_iter().skip(skip).take(take).collect()
    }
}

/// `GET /sessions`.
pub async fn list(State(app): Shared, Query(page): Query<Page>) -> Answer {
    let ids = app.sessions.list().into_iter().map(|session| session.id).collect();
    ok(&Sessions { sessions: page.of(ids, 20) })
}

/// `GET /sessions/ID`.
pub async fn get(State(app): Shared, Path(id): Path<String>) -> Answer {
    let session = app.sessions.get(&id).ok_or_else(|| unknown(&id))?;
    ok(&SessionView {
        training_run_ids: session.models.into_iter().map(|model| model.id).collect(),
        sampler_ids: session.samplings.into_iter().map(|sampling| sampling.id).collect(),
        user_metadata: session.user_metadata,
        display_name: session.display_name,
    })
}

/// `PUT /sessions/ID/project`.
pub async fn project(
    State(app): Shared,
    Path(id): Path<String>,
    Json(asked): Json<Value>,
) -> Answer {
    if app.sessions.standing(&id) == Standing::Unknown {
        return Err(unknown(&id));
    }
    let project = asked["project_id"].as_str().map(str::to_owned);
    block_in_place(|| app.sessions.change(&id, |session| session.project_id = project))?;
    done()
}

/// `POST /sessions/search`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Search {
    session_id: Option<String>,
    project_ids: Option<Vec<String>>,
    user_metadata: Option<Map<String, Value>>,
    display_name: Option<String>,
    statuses: Option<Vec<Value>>,
    limit: Option<u64>,
    cursor: Option<Value>,
}

/// Newest first; the cursor is the last one that was shown.
pub async fn search(State(app): Shared, Json(asked): Json<Search>) -> Answer {
    let mut found: Vec<Session> =
        app.sessions.list().into_iter().filter(|session| asked.matches(session)).collect();
    if let Some(cursor) = &asked.cursor {
        let last = cursor["last_session_id"].as_str().unwrap_or_default();
        if let Some(at) = found.iter().position(|session| session.id == last) {
            found.drain(..=at);
        }
    }
    let limit = usize::try_from(asked.limit.unwrap_or(50).clamp(1, 200)).unwrap_or(50);
    let more = found.len() > limit;
    found.truncate(limit);
    let cursor = found
        .last()
        .filter(|_| more)
        .map(|last| json!({ "last_created_at": last.created, "last_session_id": last.id }));
    let sessions: Vec<Value> = found.iter().map(|session| summary(&app, session)).collect();
    let mut body = json!({ "sessions": sessions });
    if let Some(cursor) = cursor {
        body["next_cursor"] = cursor;
    }
    ok(&body)
}

impl Search {
    fn matches(&self, session: &Session) -> bool {
        let name = session.display_name.as_deref().unwrap_or_default().to_lowercase();
        let words = self.display_name.as_deref().unwrap_or_default().to_lowercase();
        let meta = |(key, value): (&String, &Value)| {
            session.user_metadata.as_ref().and_then(|meta| meta.get(key)) == Some(value)
        };
        let status = status(session);
        self.session_id.as_ref().is_none_or(|id| *id == session.id)
            && self.project_ids.as_ref().is_none_or(|ids| {
                session.project_id.as_ref().is_some_and(|project| ids.contains(project))
            })
            && words.split_whitespace().all(|word| name.contains(word))
            && self.user_metadata.iter().flatten().all(meta)
            && self
                .statuses
                .as_ref()
                .is_none_or(|wanted| wanted.iter().any(|w| w["type"] == status["type"]))
    }
}

fn status(session: &Session) -> Value {
    match &session.ended {
        None => json!({ "type": "active" }),
        Some(Ended { reason, detail }) if reason == "expired" => {
            json!({ "type": "cancelled", "detail": detail })
        }
        Some(Ended { reason, detail }) => {
            json!({ "type": "client_finished", "reason": { "type": reason }, "detail": detail })
        }
    }
}

fn summary(app: &App, session: &Session) -> Value {
    let of_model =
        |model: &crate::serve::models::ModelRecord| app.checkpoints.list(Some(&model.id));
    let checkpoints: Vec<_> = session.models.iter().flat_map(of_model).collect();
    json!({
        "session_id": session.id,
        "created_at": session.created,
        "owner": super::runs::OWNER,
        "project_id": session.project_id.as_deref().unwrap_or_default(),
        "checkpoints_count": checkpoints.len(),
        "checkpoint_storage_bytes": checkpoints.iter().filter_map(|c| c.bytes).sum::<u64>(),
        "status": status(session),
        "display_name": session.display_name,
        "user_metadata": session.user_metadata,
    })
}

/// Refuses what is asked in a session that is not there or over.
///
/// # Errors
/// 404 or 410.
pub fn require(standing: Standing, id: &str) -> Result<(), Refusal> {
    match standing {
        Standing::Alive => Ok(()),
        Standing::Ended => Err(Refusal::gone(format!("the session `{id}` has ended"))),
        Standing::Unknown => Err(unknown(id)),
    }
}

fn unknown(id: &str) -> Refusal {
    Refusal::not_found(format!("there is no session `{id}`"))
}
