//! Results are fetched.

use super::{
    Shared,
    body::Json,
    reply::{Answer, Refusal, ok, protobuf, reply, wants_protobuf},
};
use crate::serve::futures::Outcome;
use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
};
use futures_util::future::{Either, select};
use serde_json::json;
use std::{pin::pin, time::Duration};
use tinsmith_tinker_wire::{
    answer::{Category, Failure, Queue},
    messages::RetrieveFuture,
    samples,
};

/// Clients wait 45 s for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// `POST /retrieve_future`: waits for the result; 408 says that it is not there yet.
pub async fn retrieve(
    State(app): Shared,
    headers: HeaderMap,
    Json(asked): Json<RetrieveFuture>,
) -> Answer {
    let id = &asked.request_id;
    let Some(slot) = app.futures.find(id) else {
        return match app.lost_result(id) {
            Some(outcome) => answer(&outcome, &headers),
            // A client samples again.
            None if id.contains(":sample:") => {
                Err(Refusal::gone("the sample is not there any more"))
            }
            None => Err(Refusal::not_found(format!("there is no request `{id}`"))),
        };
    };
    let (ready, stopped) = (pin!(slot.wait(PATIENCE)), pin!(app.stopped()));
    match select(ready, stopped).await {
        Either::Left((Some(outcome), _)) => answer(&outcome, &headers),
        _ => {
            let queue = Queue { queue_state: Some("active".into()), queue_state_reason: None };
            Ok(reply(StatusCode::REQUEST_TIMEOUT, &queue))
        }
    }
}

/// `POST /cancel_future`: what was begun is finished; nobody need wait for it.
pub async fn cancel() -> Answer {
    ok(&json!({}))
}

fn answer(outcome: &Outcome, headers: &HeaderMap) -> Answer {
    let binary = wants_protobuf(headers);
    match outcome {
        Outcome::Json(value) => ok(value),
        Outcome::Failed(failure) => ok(failure),
        Outcome::Output(output) if binary => Ok(protobuf(&output.to_proto())),
        Outcome::Samples(samples) if binary => Ok(protobuf(&samples::to_proto(samples))),
        Outcome::Samples(samples) => ok(&samples::to_json(samples)),
        Outcome::Output(output) => match output.to_json() {
            Ok(output) => ok(&output),
            Err(e) => ok(&Failure { error: e.to_string(), category: Category::Server }),
        },
    }
}
