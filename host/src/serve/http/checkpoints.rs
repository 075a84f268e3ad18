//! Checkpoints: listed, published, deleted, made to expire, taken away.

use super::{
    Shared,
    body::Json,
    files,
    reply::{Answer, Refusal, done, ok, text},
    sessions::Page,
};
use crate::serve::{app::App, checkpoints::Record, export, moment, requests};
use axum::{
    extract::{Path, Query, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::IntoResponse,
};
use std::sync::Arc;
use tinsmith_tinker_wire::{
    messages::{Checkpoints, Cursor, ExternalUrls, Ttl},
    path::{Kind, TinkerPath},
};
use tokio::task::block_in_place;

/// Seconds for which the address of a download holds.
const HOLDS: i64 = 3600;

/// `GET /training_runs/RUN/checkpoints`.
pub async fn of_run(State(app): Shared, Path(run): Path<String>, headers: HeaderMap) -> Answer {
    if app.model_record(&run).is_none() {
        return Err(Refusal::not_found(format!("there is no training run `{run}`")));
    }
    let all = readable(app.checkpoints.list(Some(&run)), &headers);
    let checkpoints = all.iter().map(Record::view).collect();
    ok(&Checkpoints { checkpoints, cursor: None })
}

/// `GET /checkpoints`, newest first.
pub async fn list(State(app): Shared, Query(page): Query<Page>, headers: HeaderMap) -> Answer {
    let mut all = readable(app.checkpoints.list(None), &headers);
    all.reverse();
    let total_count = all.len() as u64;
    let cursor = Cursor { offset: page.offset, limit: page.limit.unwrap_or(100), total_count };
    let checkpoints = page.of(all, 100).iter().map(Record::view).collect();
    ok(&Checkpoints { checkpoints, cursor: Some(cursor) })
}

/// What a client can read: the official one knew no external checkpoints before 0.30, and refuses a
/// whole list for one of them.
fn readable(mut all: Vec<Record>, headers: &HeaderMap) -> Vec<Record> {
    let version = text(headers, header::HeaderName::from_static("x-stainless-package-version"));
    let mut numbers = version.split('.').map(|part| part.parse::<u32>().ok());
    if let (Some(Some(0)), Some(Some(..30))) = (numbers.next(), numbers.next()) {
        all.retain(|record| record.kind != Kind::External.word());
    }
    all
}

/// `GET …/CHECKPOINT/external_weights_urls`, `GET …/CHECKPOINT/archive`.
pub async fn fetch(
    State(app): Shared,
    Path((run, rest)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer {
    let (id, what) = rest.rsplit_once('/').unwrap_or((rest.as_str(), ""));
    let archive = match what {
        "external_weights_urls" => false,
        "archive" => true,
        _ => return Err(Refusal::not_found(format!("there is no `{what}` of a checkpoint"))),
    };
    let record = find(&app, &run, id)?;
    let until = moment::epoch() + HOLDS;
    let shared = Arc::clone(&app);
    let made = tokio::task::spawn_blocking(move || {
        let files = match archive {
            true => vec![export::archive(&shared, &record)?],
            false => export::files(&shared, &record)?,
        };
        Ok::<_, crate::Error>((record, files))
    });
    let (record, made) =
        made.await.map_err(|e| Refusal::from(crate::Error::failed(e.to_string())))??;
    let address = |file: &export::File| files::address(&app, &headers, &record.name, file, until);
    if let (true, Some(file)) = (archive, made.first()) {
        let mut response = StatusCode::FOUND.into_response();
        for (name, value) in
            [(header::LOCATION, address(file)), (header::EXPIRES, moment::http(until))]
        {
            let value = HeaderValue::try_from(value)
                .map_err(|_| Refusal::wrong("the `Host` of the request is no host"))?;
            response.headers_mut().insert(name, value);
        }
        return Ok(response);
    }
    let urls = made.iter().map(|file| (file.name.clone(), address(file))).collect();
    ok(&ExternalUrls { urls, expires: Some(moment::rfc3339(until)) })
}

/// `DELETE …/CHECKPOINT`, `DELETE …/CHECKPOINT/publish`.
pub async fn delete(State(app): Shared, Path((run, rest)): Path<(String, String)>) -> Answer {
    if let Some(id) = rest.strip_suffix("/publish") {
        return set_public(&app, &run, id, false);
    }
    let record = find(&app, &run, &rest)?;
    let deleted = tokio::task::spawn_blocking(move || app.delete_checkpoint(&record.path));
    deleted.await.map_err(|e| Refusal::from(crate::Error::failed(e.to_string())))??;
    done()
}

/// `POST …/CHECKPOINT/publish`.
pub async fn publish(State(app): Shared, Path((run, rest)): Path<(String, String)>) -> Answer {
    match rest.strip_suffix("/publish") {
        Some(id) => set_public(&app, &run, id, true),
        None => Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "a checkpoint takes no POST")),
    }
}

/// `PUT …/CHECKPOINT/ttl`.
pub async fn ttl(
    State(app): Shared,
    Path((run, rest)): Path<(String, String)>,
    Json(asked): Json<Ttl>,
) -> Answer {
    let Some(id) = rest.strip_suffix("/ttl") else {
        return Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "a checkpoint takes no PUT"));
    };
    let record = find(&app, &run, id)?;
    let expires = requests::ttl(asked.ttl_seconds)?.map(moment::after);
    block_in_place(|| app.checkpoints.change(&record.path, |record| record.expires = expires))?;
    done()
}

fn set_public(app: &App, run: &str, id: &str, public: bool) -> Answer {
    let record = find(app, run, id)?;
    block_in_place(|| app.checkpoints.change(&record.path, |record| record.public = public))?;
    done()
}

/// A checkpoint by its id, `KIND/NAME`, or by its name alone: then one to sample from, else one to
/// train on from.
fn find(app: &App, run: &str, id: &str) -> Result<Record, Refusal> {
    let path = TinkerPath::of_checkpoint(run, id, Kind::Sampler)?;
    if !id.contains('/')
        && app.checkpoints.get(&path.to_string()).is_none()
        && let Ok(found) =
            app.checkpoints.at(&TinkerPath { kind: Kind::Training, ..path.clone() }.to_string())
    {
        return Ok(found);
    }
    Ok(app.checkpoints.at(&path.to_string())?)
}
