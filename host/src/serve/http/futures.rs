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
    messages::{FuturesRetrieved, RetrieveFuture, RetrieveFutures},
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

/// `POST /retrieve_futures`: which samples of a client have results that it has not heard of.
pub async fn retrieve_many(State(app): Shared, Json(asked): Json<RetrieveFutures>) -> Answer {
    let RetrieveFutures { target, prev_cursor, timeout, retrieved_request_ids } = asked;
    let id = &target.sampling_session_id;
    app.sessions.sampling(id).ok_or_else(|| super::sampling::unknown(id))?;
    let inbox = app.inbox(id, target.cloned_sampler_id).ok_or_else(|| {
        Refusal::not_found("this server is asked for each result: see `serve.retrieve_futures`")
    })?;
    // Whoever knows a sampling session may forget its results, and no others.
    let own =
        |request: &&String| request.strip_prefix(id.as_str()).is_some_and(|n| n.starts_with(':'));
    retrieved_request_ids.iter().filter(own).for_each(|request| app.futures.forget(request));
    let most = PATIENCE.as_secs_f64();
    let timeout = timeout.filter(|t| t.is_finite()).map_or(most, |t| t.clamp(0.0, most));
    let news = pin!(inbox.after(prev_cursor, Duration::from_secs_f64(timeout)));
    match select(news, pin!(app.stopped())).await {
        Either::Left((news, _)) => ok(&news),
        Either::Right(_) => ok(&FuturesRetrieved { completions: Vec::new(), cursor: prev_cursor }),
    }
}

/// `POST /cancel_future`: a sample that nobody waits for any more. One that has not begun never does;
/// one that has ends with its next token.
pub async fn cancel(State(app): Shared, Json(asked): Json<RetrieveFuture>) -> Answer {
    let id = &asked.request_id;
    if !id.contains(":sample:") {
        let what = format!("`{id}` is no sample, and nothing else can be called off");
        return Err(Refusal::wrong(what));
    }
    // One that is not there any more has its result.
    if let Some(slot) = app.futures.find(id) {
        slot.call_off();
    }
    ok(&json!({}))
}

fn answer(outcome: &Outcome, headers: &HeaderMap) -> Answer {
    let binary = wants_protobuf(headers);
    match outcome {
        Outcome::Json(value) => ok(value),
        Outcome::Failed(failure) => ok(failure),
        Outcome::Output(output) if binary => Ok(protobuf(&output.to_proto())),
        Outcome::Samples(samples, layout) if binary => {
            Ok(protobuf(&samples::to_proto(samples, layout.as_ref())))
        }
        Outcome::Samples(samples, layout) => ok(&samples::to_json(samples, layout.as_ref())),
        Outcome::Output(output) => match output.to_json() {
            Ok(output) => ok(&output),
            Err(e) => ok(&Failure { error: e.to_string(), category: Category::Server }),
        },
    }
}
