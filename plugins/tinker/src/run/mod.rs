/*!
A model on the server. Its operations are numbered and encoded as they are called for, and sent in that
order by one task; their results are waited for side by side.

After the first failure nothing more is sent: what the server made of what it has is unknown, and the host
opens a new run from the last good checkpoint. What the server refused as a whole is none: it changed
nothing, and its number counts as come.
*/

mod open;
mod send;

pub(crate) use open::{load, open};
pub(crate) use send::EPHEMERAL;

use crate::{
    bodies::{self, Chunk, Pass},
    connection::Connection,
    engine::Engine,
    http::Call,
    session::Session,
};
use send::{Op, Shared, send_in_order};
use serde_json::Value;
use std::sync::Arc;
use tinsmith_plugin_api::{
    Adam, Batch, Done, Error, ErrorKind, Forward, LossRef, Metrics, Outcome, Result, Run, RunId,
    Save, Saved,
};
use tinsmith_tinker_wire::messages::{AdamParams, OptimStep, SaveForSampler, SaveWeights};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

/// The caller's side of a model.
pub(crate) struct TinkerRun {
    model: String,
    session: Arc<Session>,
    connection: Arc<Connection>,
    engine: Arc<Engine>,
    queue: UnboundedSender<Op>,
    /// Number of the next operation.
    next: i64,
}

impl TinkerRun {
    /// `next`: the number of the first operation.
    fn start(
        model: String,
        session: Arc<Session>,
        connection: Arc<Connection>,
        engine: Arc<Engine>,
        next: i64,
    ) -> Self {
        let (queue, operations) = unbounded_channel();
        let shared = Arc::new(Shared::new(Arc::clone(&connection)));
        engine.spawn(send_in_order(shared, operations));
        Self { model, session, connection, engine, queue, next }
    }

    fn pass(
        &mut self,
        batch: &Batch,
        loss: &str,
        config: &Value,
        backward: bool,
    ) -> Result<Vec<Chunk>> {
        batch.validate()?;
        let pass = Pass { model: &self.model, batch, loss, config, backward };
        let chunks = bodies::cut(&self.connection.server, &pass, self.next)?;
        self.next += chunks.len() as i64;
        Ok(chunks)
    }

    /// If the task is gone, the promise within is dropped and answers `lost`.
    fn send(&self, op: Op) {
        let _ = self.queue.send(op);
    }

    fn number(&mut self) -> Option<i64> {
        self.next += 1;
        Some(self.next - 1)
    }

    fn call(&self, path: &str, body: &impl serde::Serialize) -> Call {
        self.connection.numbered(Call::post(path, body))
    }
}

impl Run for TinkerRun {
    fn id(&self) -> RunId {
        RunId(self.model.clone())
    }

    fn forward(&mut self, batch: Arc<Batch>, done: Done<Forward>) {
        match self.pass(&batch, "cross_entropy", &Value::Null, false) {
            Ok(chunks) => self.send(Op::Pass { batch, chunks, done }),
            Err(e) => done.finish(Err(e)),
        }
    }

    fn forward_backward(&mut self, batch: Arc<Batch>, loss: LossRef, done: Done<Forward>) {
        match self.pass(&batch, &loss.name, &loss.config, true) {
            Ok(chunks) => self.send(Op::Pass { batch, chunks, done }),
            Err(e) => done.finish(Err(e)),
        }
    }

    fn optim_step(&mut self, adam: Adam, done: Done<Metrics>) {
        let params = AdamParams {
            learning_rate: adam.learning_rate,
            beta1: adam.beta1,
            beta2: adam.beta2,
            eps: adam.eps,
            weight_decay: adam.weight_decay,
            grad_clip_norm: adam.grad_clip_norm,
        };
        let body = OptimStep {
            model_id: self.model.clone(),
            seq_id: self.number(),
            adam_params: Some(params),
            optimizer_params: None,
        };
        self.send(Op::Step { call: self.call("optim_step", &body), done });
    }

    fn save(&mut self, what: Save, done: Done<Saved>) {
        let ttl_seconds = self.connection.config.checkpoint_ttl_seconds;
        let model_id = self.model.clone();
        let seq_id = self.number();
        let sampler = |path, session| SaveForSampler {
            path,
            sampling_session_seq_id: session,
            ttl_seconds,
            ..SaveForSampler { model_id: model_id.clone(), seq_id, ..SaveForSampler::default() }
        };
        let call = match what {
            // The service keeps the optimizer's state in every such checkpoint.
            Save::State { name, .. } => {
                let body = SaveWeights {
                    path: Some(name),
                    ttl_seconds,
                    ..SaveWeights { model_id, seq_id, ..SaveWeights::default() }
                };
                self.call("save_weights", &body)
            }
            Save::Sampler { name } => {
                self.call("save_weights_for_sampler", &sampler(Some(name), None))
            }
            Save::Ephemeral => {
                let body = sampler(None, Some(self.session.next_sampler()));
                let body = SaveForSampler { ttl_seconds: None, ..body };
                self.call("save_weights_for_sampler", &body)
            }
        };
        self.send(Op::Save { call, done });
    }

    fn close(self: Box<Self>, why: Outcome) -> Result<()> {
        let Self { session, engine, queue, .. } = *self;
        drop(queue);
        session.end(&engine, why)
    }
}

/// What is answered for operations behind a failure.
fn behind(first: &Error) -> Error {
    Error::new(ErrorKind::LOST, format!("an earlier operation of the run failed: {first}"))
}
