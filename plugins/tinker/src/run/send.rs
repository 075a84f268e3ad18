//! Sends the operations of a model in order, and waits for their results.

use super::behind;
use crate::{
    bodies::Chunk,
    connection::Connection,
    http::Call,
    poll::{self, Outcome, poll},
};
use futures_util::{
    future::join_all,
    stream::{FuturesUnordered, StreamExt},
};
use prost::Message;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tinsmith_plugin_api::{Batch, Done, Error, ErrorKind, Forward, Metrics, Result, Saved};
use tinsmith_tinker_wire::{
    combine::combine,
    messages::{JsonOutput, OptimStepped, Promise, SavedWeights},
    output::Output,
    proto::ForwardBackwardOutput,
};
use tokio::sync::mpsc::UnboundedReceiver;

/// An operation, numbered and encoded.
pub(super) enum Op {
    Pass { batch: Arc<Batch>, chunks: Vec<Chunk>, done: Done<Forward> },
    Step { call: Call, done: Done<Metrics> },
    Save { call: Call, done: Done<Saved> },
}

/// What the operations of a model share.
pub(super) struct Shared {
    connection: Arc<Connection>,
    /// The first failure with an unknown effect.
    failed: OnceLock<Error>,
}

impl Shared {
    pub fn new(connection: Arc<Connection>) -> Self {
        Self { connection, failed: OnceLock::new() }
    }

    fn note<T>(&self, result: Result<T>) -> Result<T> {
        result.inspect_err(|e| {
            // What was refused changed nothing, and used up its number.
            if e.kind() != ErrorKind::REJECTED {
                let _ = self.failed.set(e.clone());
            }
        })
    }
}

/// What is refused of a pass of several requests leaves the others: half of it was done, or their numbers
/// never come.
fn of_many(e: Error, requests: usize) -> Error {
    match e.kind() {
        ErrorKind::REJECTED if requests > 1 => e.with_kind(ErrorKind::OTHER),
        _ => e,
    }
}

/// Sends one operation after the other: the next when the server has taken the last.
pub(super) async fn send_in_order(shared: Arc<Shared>, mut queue: UnboundedReceiver<Op>) {
    while let Some(op) = queue.recv().await {
        if let Some(first) = shared.failed.get() {
            match op {
                Op::Pass { done, .. } => done.finish(Err(behind(first))),
                Op::Step { done, .. } => done.finish(Err(behind(first))),
                Op::Save { done, .. } => done.finish(Err(behind(first))),
            }
            continue;
        }
        match op {
            Op::Pass { batch, chunks, done } => {
                let sent = submit(&shared.connection, &chunks).await;
                match shared.note(sent.map_err(|e| of_many(e, chunks.len()))) {
                    Ok(promises) => {
                        let shared = Arc::clone(&shared);
                        tokio::spawn(async move {
                            pass(&shared, &batch, &chunks, &promises, done).await;
                        });
                    }
                    Err(e) => done.finish(Err(e)),
                }
            }
            Op::Step { call, done } => {
                one(&shared, call, done, |result| {
                    let stepped: OptimStepped = poll::json(result, "optim_step")?;
                    Ok(stepped.metrics.unwrap_or_default())
                })
                .await;
            }
            Op::Save { call, done } => {
                one(&shared, call, done, |result| {
                    let saved: SavedWeights = poll::json(result, "save_weights")?;
                    let ephemeral = saved.sampling_session_id.map(|id| format!("{EPHEMERAL}{id}"));
                    let uri = saved.path.or(ephemeral).ok_or_else(|| {
                        Error::new(
                            ErrorKind::NETWORK,
                            "the server does not say where it saved the checkpoint",
                        )
                    })?;
                    Ok(Saved { uri, sha256: None, bytes: saved.size_bytes })
                })
                .await;
            }
        }
    }
}

/// What the address of weights begins with that live as long as their sampling session.
pub(crate) const EPHEMERAL: &str = "tinker-sampler:";

/// Sends an operation of one request, and waits for its result beside what comes next.
async fn one<T: Send + 'static>(
    shared: &Arc<Shared>,
    call: Call,
    done: Done<T>,
    read: impl FnOnce(Outcome) -> Result<T> + Send + 'static,
) {
    let answer = shared.connection.http.call(&call).await;
    let promise = shared.note(answer.and_then(|answer| poll::promise(&answer, &call.path)));
    let promise = match promise {
        Ok(promise) => promise,
        Err(e) => return done.finish(Err(e)),
    };
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        let done = Mutex::new(done);
        let result =
            poll(&shared.connection.http, &promise, false, &|reason| waiting(&done, reason)).await;
        let result = shared.note(result.and_then(read));
        done.into_inner().unwrap_or_else(PoisonError::into_inner).finish(result);
    });
}

fn waiting<T>(done: &Mutex<Done<T>>, reason: &str) {
    done.lock().unwrap_or_else(PoisonError::into_inner).waiting(reason);
}

/// Sends the requests of a pass: one after the other, or the first one last and the others at once, as
/// far as the server's budget of bytes goes.
async fn submit(connection: &Connection, chunks: &[Chunk]) -> Result<Vec<Promise>> {
    let mut promises: Vec<Option<Promise>> = vec![None; chunks.len()];
    if connection.server.parallel && chunks.len() > 1 {
        let mut sending = FuturesUnordered::new();
        let mut room = i64::try_from(connection.server.in_flight_bytes).unwrap_or(i64::MAX);
        let mut waiting = chunks.iter().enumerate().skip(1).peekable();
        while waiting.peek().is_some() || !sending.is_empty() {
            while room >= 0
                && let Some((i, chunk)) = waiting.next()
            {
                room -= chunk.size as i64;
                sending.push(async move { (i, chunk.size as i64, send(connection, chunk).await) });
            }
            if let Some((i, size, promise)) = sending.next().await {
                room += size;
                promises[i] = Some(promise?);
            }
        }
        promises[0] = Some(send(connection, &chunks[0]).await?);
    } else {
        for (i, chunk) in chunks.iter().enumerate() {
            promises[i] = Some(send(connection, chunk).await?);
        }
    }
    Ok(promises.into_iter().flatten().collect())
}

async fn send(connection: &Connection, chunk: &Chunk) -> Result<Promise> {
    let call = Call::new(reqwest::Method::POST, chunk.path, Some(chunk.body.clone()));
    let call = connection.numbered(call);
    poll::promise(&connection.http.call(&call).await?, &call.path)
}

/// Waits for the results of a pass and puts them together.
async fn pass(
    shared: &Shared,
    batch: &Batch,
    chunks: &[Chunk],
    promises: &[Promise],
    done: Done<Forward>,
) {
    let done = Mutex::new(done);
    let say = |reason: &str| waiting(&done, reason);
    let http = &shared.connection.http;
    // All of them end, whatever becomes of one: a server is not left with results that nobody fetches.
    let results = join_all(promises.iter().map(|promise| poll(http, promise, true, &say))).await;
    let outputs = results.into_iter().map(|result| read(result?)).collect::<Result<Vec<Output>>>();
    let forward = outputs.and_then(|outputs| together(batch, chunks, outputs));
    let forward = forward.map_err(|e| of_many(e, chunks.len()));
    let forward = shared.note(forward);
    done.into_inner().unwrap_or_else(PoisonError::into_inner).finish(forward);
}

fn read(result: Outcome) -> Result<Output> {
    match result {
        Outcome::Proto(bytes) => {
            let output = ForwardBackwardOutput::decode(bytes).map_err(|e| {
                Error::new(ErrorKind::NETWORK, format!("the server's answer is garbled: {e}"))
            })?;
            Output::from_proto(output)
        }
        json => Output::from_json(&poll::json::<JsonOutput>(json, "forward_backward")?),
    }
}

/// The results of all requests as that of the batch.
fn together(batch: &Batch, chunks: &[Chunk], outputs: Vec<Output>) -> Result<Forward> {
    let mut logprobs = Vec::with_capacity(batch.tokens.len());
    let mut metrics = Vec::new();
    for (chunk, output) in chunks.iter().zip(outputs) {
        let lengths = chunk.datums.clone().map(|i| batch.range(i).len());
        if !output.logprobs.iter().map(Vec::len).eq(lengths) {
            return Err(Error::new(
                ErrorKind::NETWORK,
                "the server's log-probabilities are not those of the datums that were sent",
            ));
        }
        metrics.push((chunk.datums.len(), output.metrics));
        output.logprobs.iter().for_each(|datum| logprobs.extend_from_slice(datum));
    }
    Ok(Forward { logprobs, metrics: combine(&metrics) })
}
