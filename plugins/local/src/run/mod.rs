//! A training run: one adapter on a thread of its own, fed through a queue.

mod panic;
mod state;
mod worker;

pub use state::State;

pub(crate) use panic::caught;

use crate::checkpoint::Store;
use rayon::ThreadPool;
use std::{
    sync::{
        Arc,
        mpsc::{SyncSender, sync_channel},
    },
    thread::JoinHandle,
};
use tinsmith_plugin_api::{
    Adam, Batch, Done, Error, ErrorKind, Forward, LossRef, Metrics, Outcome, Result, Run, RunId,
    Save, Saved,
};
use worker::{Op, Worker};

/// Operations that may wait; a call beyond that blocks until there is room.
const QUEUE: usize = 16;

/// The caller's side of a run.
pub(crate) struct LocalRun {
    id: RunId,
    queue: SyncSender<Op>,
    thread: JoinHandle<()>,
}

impl LocalRun {
    /// Starts the run's thread.
    pub fn start(id: RunId, state: State, pool: Arc<ThreadPool>, store: Store) -> Result<Self> {
        let (queue, operations) = sync_channel(QUEUE);
        let worker = Worker { id: id.clone(), state, pool, store, failed: None };
        let thread = std::thread::Builder::new()
            .name(format!("run {id}"))
            .spawn(move || worker.work(&operations))
            .map_err(|e| Error::from(e).context("start the thread of a run"))?;
        Ok(Self { id, queue, thread })
    }

    /// If the thread is gone, the promise within `op` is dropped and answers `lost`.
    fn send(&self, op: Op) {
        let _ = self.queue.send(op);
    }
}

impl Run for LocalRun {
    fn id(&self) -> RunId {
        self.id.clone()
    }

    fn forward(&mut self, batch: Arc<Batch>, done: Done<Forward>) {
        self.send(Op::Forward(batch, done));
    }

    fn forward_backward(&mut self, batch: Arc<Batch>, loss: LossRef, done: Done<Forward>) {
        self.send(Op::ForwardBackward(batch, loss, done));
    }

    fn optim_step(&mut self, adam: Adam, done: Done<Metrics>) {
        self.send(Op::OptimStep(adam, done));
    }

    fn save(&mut self, what: Save, done: Done<Saved>) {
        self.send(Op::Save(what, done));
    }

    fn close(self: Box<Self>, _why: Outcome) -> Result<()> {
        let Self { queue, thread, .. } = *self;
        drop(queue);
        thread
            .join()
            .map_err(|_| Error::new(ErrorKind::PANIC, "the thread of the run ended with a panic"))
    }
}
