//! The progress line: a bar on a terminal, a line now and then elsewhere.

use crate::{
    cli::{Ui, args::Format, tooling::clock, ui::Bar},
    training::{StepDone, Watch},
};
use serde_json::{Value, json};
use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

/// Steps over which loss and speed are averaged.
const WINDOW: usize = 20;

/// Shows how far a run is.
pub struct Progress<'a> {
    ui: &'a Ui,
    bar: Bar,
    total: u64,
    format: Format,
    /// Loss in nats, tokens and seconds of the last steps.
    recent: Mutex<VecDeque<(f64, u64, f64)>>,
}

impl<'a> Progress<'a> {
    /// For a run of `total` steps.
    pub fn new(ui: &'a Ui, total: u64, format: Format) -> Self {
        let bar = ui.progress(total, "{wide_bar} {pos}/{len} steps  {msg}");
        Self { ui, bar, total, format, recent: Mutex::default() }
    }

    /// Training begins at this step.
    pub fn begin(&self, step: u64) {
        self.bar.begin_at(step);
    }

    /// Training is over.
    pub fn finish(&self) {
        self.bar.clear();
    }

    /// The same for programs. A stdout that cannot be written does not stop a training.
    fn event(&self, event: &Value) {
        if self.format == Format::Json {
            let _ = self.ui.json_line(event);
        }
    }
}

impl Watch for Progress<'_> {
    fn step(&self, done: &StepDone) {
        self.event(&json!({"event": "step", "step": done.step, "figures": done.figures}));
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let figure = |name: &str| done.figures.get(name).copied().unwrap_or(f64::NAN);
        recent.push_back((figure("nll"), done.tokens, figure("seconds")));
        if recent.len() > WINDOW {
            recent.pop_front();
        }
        let loss = recent.iter().map(|s| s.0).sum::<f64>() / recent.len() as f64;
        let seconds: f64 = recent.iter().map(|s| s.2).sum();
        let speed = recent.iter().map(|s| s.1).sum::<u64>() as f64 / seconds.max(1e-9);
        let left = (self.total - done.step) as f64 * seconds / recent.len() as f64;
        let message = format!("loss {loss:.3}  {speed:.0} tokens/s  {} left", clock(left));
        self.bar.set_position(done.step);
        self.bar.set_message(message.clone());
        let ends = recent.len() == 1 || done.step == self.total;
        if self.bar.is_hidden() && (self.bar.line_is_due() || ends) {
            self.ui.info(format_args!("step {}/{}  {message}", done.step, self.total));
        }
    }

    fn evaluated(&self, step: u64, nll: f64) {
        self.event(&json!({"event": "evaluated", "step": step, "nll": nll}));
        self.ui.info(format_args!("held-out loss {nll:.3} after step {step}"));
    }

    fn checkpoint(&self, name: &str) {
        self.event(&json!({"event": "checkpoint", "name": name}));
        if self.ui.verbosity() >= crate::cli::Verbosity::Verbose {
            self.ui.info(format_args!("checkpoint {name}"));
        }
    }

    fn waiting(&self, reason: &str) {
        self.ui.info(format_args!("waiting: {reason}"));
    }

    fn warn(&self, line: &str) {
        self.ui.warn(line);
    }
}
