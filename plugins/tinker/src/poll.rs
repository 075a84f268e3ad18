/*!
Asks for the result of what was promised, until it is there.

Asking changes nothing, so every failure on the way is tried again. A server that says nothing for as
long as the config's patience has lost the result, as far as anybody can tell.
*/

use crate::{
    clock::Backoff,
    http::{Call, Http, NO_FUNDS_PAUSE, Response, Sent, TOLD_AFTER, refused, unreachable},
};
use bytes::Bytes;
use serde_json::Value;
use std::time::{Duration, Instant};
use tinsmith_plugin_api::{Error, ErrorKind, Result};
use tinsmith_tinker_wire::{
    answer::{Answer, Category, Failure, Queue, detail, with_hint},
    messages::{Promise, RetrieveFuture},
};

/// Answers of status 400 before one is believed.
const BAD_REQUESTS: u32 = 2;

/// A result.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    Proto(Bytes),
    Json(Value),
}

/// Asks for a result. `waiting` is told why it takes long.
pub(crate) async fn poll(
    http: &Http,
    promise: &Promise,
    binary: bool,
    waiting: &(dyn Fn(&str) + Sync),
) -> Result<Outcome> {
    let body =
        RetrieveFuture { request_id: promise.request_id.clone(), allow_metadata_only: false };
    let mut call = Call::post("retrieve_future", &body);
    call.timeout = http.result_timeout();
    if binary {
        call.accept = "application/x-protobuf, application/json";
    }
    let (mut backoff, mut heard) = (Backoff::new(Duration::from_secs(30)), Instant::now());
    let (mut bad, mut unpaid) = (0, None);
    loop {
        let asked = Instant::now();
        let (error, wait) = match http.once(&call).await {
            Ok(answer) if (200..300).contains(&answer.status) => {
                if answer.is_proto() {
                    return Ok(Outcome::Proto(answer.body));
                }
                (heard, bad, unpaid) = (Instant::now(), 0, None);
                backoff.reset();
                match Answer::from(answer.read::<Value>(&call.path)?) {
                    Answer::Ready(result) => return Ok(Outcome::Json(result)),
                    Answer::Failed(failure) => return Err(failed(&failure)),
                    // It comes whole when it is asked for again, as it is here.
                    Answer::Large(_) => {}
                    Answer::Pending(queue) => say(&queue, waiting),
                }
                breathe(http, asked).await;
                continue;
            }
            Ok(answer) => {
                let error = refused(&http.base, &call.path, &answer);
                match answer.status {
                    408 => {
                        (heard, bad, unpaid) = (Instant::now(), 0, None);
                        backoff.reset();
                        say(&serde_json::from_slice(&answer.body).unwrap_or_default(), waiting);
                        breathe(http, asked).await;
                        continue;
                    }
                    // What does not come from the API comes from a proxy in front of it.
                    400 if answer.body.is_empty() => (error, None),
                    400 | 422 => {
                        bad += 1;
                        if bad >= BAD_REQUESTS {
                            return Err(failed(&Failure {
                                error: detail(&answer.body),
                                category: Category::Unknown,
                            }));
                        }
                        (error, None)
                    }
                    402 => {
                        if !http.waits_for_funds(*unpaid.get_or_insert(asked)) {
                            return Err(error);
                        }
                        waiting("the account has no funds left");
                        heard = Instant::now();
                        (error, Some(NO_FUNDS_PAUSE))
                    }
                    425 | 429 | 500.. => (error, None),
                    401 | 403 => return Err(error),
                    // The server does not know what it promised: it was restarted, perhaps.
                    _ => return Err(error.with_kind(ErrorKind::LOST)),
                }
            }
            Err(Sent::Refused(e)) => return Err(e),
            Err(Sent::Transport(e)) => (unreachable(&http.base, &e), None),
        };
        if heard.elapsed() >= http.clock.time(http.patience) {
            return Err(error.with_kind(ErrorKind::LOST));
        }
        http.services.debug(format!("{error}; asking again"));
        if heard.elapsed() >= http.clock.time(TOLD_AFTER) {
            waiting(&error.to_string());
        }
        http.clock.sleep(wait.unwrap_or_else(|| backoff.next())).await;
    }
}

fn say(queue: &Queue, waiting: &(dyn Fn(&str) + Sync)) {
    if let Some(reason) = queue.reason() {
        waiting(&reason);
    }
}

/// A server that answers at once that there is nothing yet would be asked in a hot loop.
async fn breathe(http: &Http, asked: Instant) {
    let least = http.clock.time(Duration::from_millis(100));
    if let Some(rest) = least.checked_sub(asked.elapsed()) {
        tokio::time::sleep(rest).await;
    }
}

/// The operation failed on the server. What is the request's fault fails again, and has changed nothing.
fn failed(failure: &Failure) -> Error {
    let kind = match failure.category {
        Category::User => ErrorKind::REJECTED,
        Category::Server => ErrorKind::NETWORK,
        Category::Unknown => ErrorKind::OTHER,
    };
    let text = detail(failure.error.as_bytes());
    let (text, hint) = with_hint(&text);
    Error::new(kind, format!("the server says: {text}")).with_hint_if(hint)
}

/// The JSON of a result that has no binary form.
pub(crate) fn json<T: serde::de::DeserializeOwned>(result: Outcome, what: &str) -> Result<T> {
    let garbled = |why: String| {
        Error::new(ErrorKind::NETWORK, format!("the result of `{what}` is garbled: {why}"))
    };
    match result {
        Outcome::Json(value) => serde_json::from_value(value).map_err(|e| garbled(e.to_string())),
        Outcome::Proto(_) => Err(garbled("it is binary".into())),
    }
}

/// The promise that a call was answered with.
pub(crate) fn promise(answer: &Response, path: &str) -> Result<Promise> {
    answer.read(path)
}
