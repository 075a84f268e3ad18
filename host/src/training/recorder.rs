//! Writes down what happens to a run, as it happens.

use crate::{
    Error, Result,
    runs::{
        self, Attempt, CheckpointEntry, CheckpointKind, Failure, Measured, MetricsLine,
        PlannedSave, RunFolder, RunRecord, Status,
    },
};
use serde_json::json;
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};
use tinsmith_plugin_api::Saved;

/// How often mere progress is written.
const PROGRESS: Duration = Duration::from_secs(1);

/// The record of a run in progress and the files it goes to.
#[derive(Debug)]
pub struct Recorder {
    /// Where the files lie.
    pub folder: RunFolder,
    /// What is written.
    pub record: RunRecord,
    written: Option<Instant>,
    /// Seconds spent before this process.
    seconds_before: f64,
    began: Instant,
    /// Steps below this one were computed before, by an attempt whose end was lost.
    computed: u64,
}

/// A step that was done.
#[derive(Clone, Debug, Default)]
pub struct StepDone {
    /// Steps done, this one included.
    pub step: u64,
    /// Input tokens.
    pub tokens: u64,
    /// Trained tokens.
    pub trained: u64,
    /// Named figures.
    pub figures: BTreeMap<String, f64>,
}

impl Recorder {
    /// Begins an attempt on a run whose record says where it stands. Steps up to `computed` were
    /// computed before.
    #[must_use]
    pub fn new(folder: RunFolder, record: RunRecord, computed: u64) -> Self {
        let (began, seconds_before) = (Instant::now(), record.progress.seconds);
        let mut recorder = Self { folder, record, written: None, seconds_before, began, computed };
        recorder.begin_attempt();
        recorder
    }

    fn begin_attempt(&mut self) {
        let number = self.record.attempt() + 1;
        self.record.attempts.push(Attempt {
            number,
            from_step: self.record.progress.step,
            started: runs::now(),
            pid: std::process::id(),
            ..Attempt::default()
        });
    }

    /// Begins another attempt in the same process, where `rewind` puts the record.
    ///
    /// # Errors
    /// Whatever `rewind` answers.
    pub fn begin_again<T>(
        &mut self,
        rewind: impl FnOnce(&mut RunRecord) -> Result<T>,
    ) -> Result<T> {
        self.computed = self.computed.max(self.record.progress.step);
        if let Some(attempt) = self.record.attempts.last_mut() {
            attempt.ended = Some(runs::now());
        }
        let start = rewind(&mut self.record)?;
        self.begin_attempt();
        Ok(start)
    }

    /// Whether no attempt on this run ever got as far as opening the trainer's part of it.
    #[must_use]
    pub fn never_opened(&self) -> bool {
        self.record.attempts.iter().all(|attempt| attempt.trainer_run.is_none())
    }

    /// Seconds of training, all attempts together.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.seconds_before + self.began.elapsed().as_secs_f64()
    }

    /// Writes the record now: something changed that must not be lost.
    ///
    /// # Errors
    /// `failed` if it cannot be written.
    pub fn write(&mut self) -> Result<()> {
        self.record.updated = runs::now();
        self.record.progress.seconds = self.seconds();
        self.record.write(&self.folder.record())?;
        self.written = Some(Instant::now());
        Ok(())
    }

    /// Writes the record if a second has gone by.
    ///
    /// # Errors
    /// As [`Recorder::write`].
    pub fn progress(&mut self) -> Result<()> {
        match self.written {
            Some(at) if at.elapsed() < PROGRESS => Ok(()),
            _ => self.write(),
        }
    }

    /// Notes an event.
    ///
    /// # Errors
    /// `failed` if it cannot be written.
    pub fn event(&self, what: &str, details: &serde_json::Value) -> Result<()> {
        runs::event(&self.folder.events(), self.record.attempt(), what, details)
    }

    /// The trainer opened its part of the run. Written before its first operation.
    ///
    /// # Errors
    /// As [`Recorder::write`].
    pub fn opened(&mut self, trainer_run: &str, from: Option<&str>) -> Result<()> {
        self.record.status = Status::Running;
        self.record.error = None;
        self.record.finished = None;
        if let Some(attempt) = self.record.attempts.last_mut() {
            attempt.trainer_run = Some(trainer_run.to_owned());
            attempt.from_checkpoint = from.map(str::to_owned);
        }
        self.write()?;
        let details = json!({"trainer_run": trainer_run, "checkpoint": from,
            "step": self.record.progress.step});
        self.event("opened", &details)
    }

    /// A step was done, and every one before it.
    ///
    /// # Errors
    /// As [`Recorder::write`].
    pub fn step(&mut self, done: StepDone) -> Result<()> {
        let progress = &mut self.record.progress;
        progress.step = done.step;
        progress.next_batch = done.step;
        progress.tokens += done.tokens;
        progress.trained_tokens += done.trained;
        progress.computed_tokens += done.tokens;
        if done.step <= self.computed {
            progress.repeated_steps += 1;
            progress.repeated_tokens += done.tokens;
        }
        if let Some(usd) = done.figures.get("usd") {
            progress.usd = Some(progress.usd.unwrap_or(0.0) + usd);
        }
        self.metrics(done.step, Measured::Step, done.figures.clone())?;
        self.record.last = writable(done.figures);
        self.progress()
    }

    /// Adds a line to `metrics.jsonl`.
    ///
    /// # Errors
    /// `failed` if it cannot be written.
    pub fn metrics(&self, step: u64, kind: Measured, figures: BTreeMap<String, f64>) -> Result<()> {
        let (attempt, time) = (self.record.attempt(), runs::now());
        let line = MetricsLine { attempt, step, kind, time, figures: writable(figures) };
        runs::append(&self.folder.metrics(), &line, false)
    }

    /// A save is about to be asked for.
    ///
    /// # Errors
    /// As [`Recorder::write`].
    pub fn planned_save(&mut self, name: &str, step: u64) -> Result<()> {
        let attempt = self.record.attempt();
        self.record.planned_saves.push(PlannedSave { name: name.into(), step, attempt });
        self.write()
    }

    /// A checkpoint counts: it was saved, and every operation before it succeeded.
    ///
    /// # Errors
    /// As [`Recorder::write`].
    pub fn checkpoint(
        &mut self,
        name: &str,
        step: u64,
        kind: CheckpointKind,
        saved: Saved,
    ) -> Result<()> {
        let entry = CheckpointEntry {
            name: name.into(),
            step,
            kind,
            uri: saved.uri,
            sha256: saved.sha256,
            bytes: saved.bytes,
            ttl: None,
            attempt: self.record.attempt(),
            created: runs::now(),
            tokens: self.record.progress.tokens,
            trained_tokens: self.record.progress.trained_tokens,
            deleted: false,
        };
        self.record.planned_saves.retain(|planned| planned.name != name);
        runs::append(&self.folder.checkpoints(), &entry, true)?;
        self.record.checkpoints.push(entry);
        self.write()
    }

    /// The run ends, for now.
    ///
    /// # Errors
    /// As [`Recorder::write`].
    pub fn ended(&mut self, status: Status, error: Option<Failure>) -> Result<()> {
        let details = json!({"status": status, "error": error, "step": self.record.progress.step});
        self.record.status = status;
        self.record.error = error;
        self.record.finished = Some(runs::now());
        if let Some(attempt) = self.record.attempts.last_mut() {
            attempt.ended = Some(runs::now());
        }
        self.write()?;
        self.event("ended", &details)
    }
}

/// JSON has no NaN and no infinity: such figures are left out. A trainer's figure that is called
/// like a field of the line gets a prefix.
fn writable(figures: BTreeMap<String, f64>) -> BTreeMap<String, f64> {
    let name = |name: String| match name.as_str() {
        "attempt" | "step" | "kind" | "time" => format!("trainer:{name}"),
        _ => name,
    };
    let finite = figures.into_iter().filter(|(_, value)| value.is_finite());
    finite.map(|(key, value)| (name(key), value)).collect()
}

/// An error as the record keeps it.
#[must_use]
pub fn failure(error: &Error) -> Failure {
    let kind = error.plugin_kind.map_or(error.kind.name(), |kind| kind.name());
    Failure { kind: kind.into(), message: error.to_string(), hint: error.hint.clone() }
}
