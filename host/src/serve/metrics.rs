//! What a server has done, in the text format of Prometheus.

use super::app::App;
use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{Mutex, PoisonError},
    time::Duration,
};

#[derive(Clone, Copy, Default)]
struct Count {
    done: u64,
    failed: u64,
    seconds: f64,
}

/// Counts of operations by their names.
#[derive(Default)]
pub struct Metrics(Mutex<BTreeMap<&'static str, Count>>);

impl Metrics {
    /// Counts one.
    pub fn count(&self, operation: &'static str, failed: bool, took: Duration) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(operation).or_default();
        count.done += u64::from(!failed);
        count.failed += u64::from(failed);
        count.seconds += took.as_secs_f64();
    }

    fn read(&self) -> BTreeMap<&'static str, Count> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The page of `/metrics`.
pub fn page(app: &App) -> String {
    let mut page = String::new();
    let mut family = |name: &str, kind: &str, help: &str, lines: &[(String, f64)]| {
        let _ = writeln!(page, "# HELP tinsmith_{name} {help}\n# TYPE tinsmith_{name} {kind}");
        for (labels, value) in lines {
            let _ = writeln!(page, "tinsmith_{name}{labels} {value}");
        }
    };
    let active = app.sessions.list().iter().filter(|session| session.ended.is_none()).count();
    let plain = |value: usize| [(String::new(), value as f64)];
    family("sessions", "gauge", "Sessions that have not ended.", &plain(active));
    family("models", "gauge", "Models that are loaded.", &plain(app.models.len()));
    let checkpoints = app.checkpoints.list(None).len();
    family("checkpoints", "gauge", "Checkpoints that have not expired.", &plain(checkpoints));
    let waiting = app.samplers.waiting();
    family("samples_waiting", "gauge", "Sampling requests without a result.", &plain(waiting));
    let spent = app.usage.spent();
    let kinds = spent.tokens.kinds().map(|(kind, n)| (format!("{{kind=\"{kind}\"}}"), n as f64));
    family("tokens_total", "counter", "Tokens of operations that are done.", &kinds);
    let dollars = [(String::new(), spent.usd)];
    family("usd_total", "counter", "US dollars, as far as prices are known.", &dollars);
    let counts = app.metrics.read();
    let label =
        |name: &str, outcome: &str| format!("{{operation=\"{name}\",outcome=\"{outcome}\"}}");
    let lines: Vec<(String, f64)> = counts
        .iter()
        .flat_map(|(name, count)| {
            [(label(name, "done"), count.done as f64), (label(name, "failed"), count.failed as f64)]
        })
        .collect();
    family("operations_total", "counter", "Operations by outcome.", &lines);
    let lines: Vec<(String, f64)> = counts
        .iter()
        .map(|(name, count)| (format!("{{operation=\"{name}\"}}"), count.seconds))
        .collect();
    family("operation_seconds_total", "counter", "Time spent in operations.", &lines);
    page
}
