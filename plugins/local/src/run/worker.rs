//! The thread of a run: takes operations from a queue and answers them one after the other.

use super::{panic::caught, state::State};
use crate::checkpoint::{Meta, Store};
use rayon::ThreadPool;
use std::sync::{Arc, mpsc::Receiver};
use tinsmith_plugin_api::{
    Adam, Batch, Done, Error, ErrorKind, Forward, LossRef, Metrics, Result, RunId, Save, Saved,
};

/// An operation and where its answer goes.
pub enum Op {
    Forward(Arc<Batch>, Done<Forward>),
    ForwardBackward(Arc<Batch>, LossRef, Done<Forward>),
    OptimStep(Adam, Done<Metrics>),
    Save(Save, Done<Saved>),
}

/// What the thread of a run works with.
pub struct Worker {
    pub id: RunId,
    pub state: State,
    pub pool: Arc<ThreadPool>,
    pub store: Store,
    /// Why the state is not to be trusted any more.
    pub failed: Option<String>,
}

impl Worker {
    /// Works until the run is closed or dropped and the queue is empty.
    pub fn work(mut self, queue: &Receiver<Op>) {
        for op in queue {
            match op {
                Op::Forward(batch, done) => {
                    done.finish(self.compute("forward", |state| state.forward(&batch)));
                }
                Op::ForwardBackward(batch, loss, done) => {
                    let run = |state: &mut State| state.forward_backward(&batch, &loss);
                    done.finish(self.compute("forward_backward", run));
                }
                Op::OptimStep(adam, done) => {
                    done.finish(self.compute("optim_step", |state| state.optim_step(&adam)));
                }
                Op::Save(what, done) => done.finish(self.save(&what)),
            }
        }
    }

    /// Runs an operation on the pool. After any failure but a refusal the state may be half changed,
    /// and every later operation is answered with the same failure.
    fn compute<T: Send>(
        &mut self,
        what: &str,
        f: impl FnOnce(&mut State) -> Result<T> + Send,
    ) -> Result<T> {
        self.check()?;
        let step = self.state.moments.step + 1;
        let (pool, state) = (&self.pool, &mut self.state);
        let result = caught(|| pool.install(|| f(state)))
            .map_err(|e| e.context(format!("{what} of step {step}")));
        if let Err(e) = &result
            && e.kind() != ErrorKind::REJECTED
        {
            self.failed = Some(e.to_string());
        }
        result
    }

    /// Saving changes nothing in the run: a full disk does not end it.
    fn save(&mut self, what: &Save) -> Result<Saved> {
        self.check()?;
        let meta = Meta { run: self.id.clone(), step: self.state.moments.step };
        let state = &self.state;
        caught(|| self.store.save(what, &meta, &state.weights, &state.moments))
    }

    fn check(&self) -> Result<()> {
        match &self.failed {
            None => Ok(()),
            Some(why) => Err(Error::new(
                ErrorKind::OTHER,
                format!("the run was given up after an earlier failure: {why}"),
            )
            .with_hint("open a new run from the last checkpoint")),
        }
    }
}
