//! Who watches a run: the progress line, or nobody.

use super::StepDone;

/// Told what happens, as it happens.
pub trait Watch: Sync {
    /// A step is done.
    fn step(&self, done: &StepDone);
    /// Held-out data was evaluated after `step` steps; `nll` in nats a token.
    fn evaluated(&self, step: u64, nll: f64);
    /// A checkpoint is recorded.
    fn checkpoint(&self, name: &str);
    /// The trainer says why it takes long.
    fn waiting(&self, reason: &str);
    /// Something is not as it should be, and the run goes on.
    fn warn(&self, line: &str);
}

/// Nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Watch for Silent {
    fn step(&self, _: &StepDone) {}
    fn evaluated(&self, _: u64, _: f64) {}
    fn checkpoint(&self, _: &str) {}
    fn waiting(&self, _: &str) {}
    fn warn(&self, _: &str) {}
}
