//! A run as it goes, from another terminal.

use super::{
    super::{args::Format, tooling::clock},
    show, state,
};
use crate::{
    Result,
    cli::Ui,
    runs::{RunFolder, RunRecord, seconds_since},
    training::Stop,
};
use serde_json::json;
use std::time::Duration;

/// The time that is left at the pace of the current attempt.
fn left(record: &RunRecord) -> String {
    let begun = record.attempts.last().map(|a| (a.from_step, seconds_since(&a.started)));
    let Some((from, Some(seconds))) = begun else { return String::new() };
    match record.progress.step.saturating_sub(from) {
        0 => String::new(),
        done => {
            let rest = record.plan.steps.saturating_sub(record.progress.step) as f64;
            format!("  {} left", clock(rest * seconds / done as f64))
        }
    }
}

/// Shows a run until it ends, then in detail.
pub fn follow(folder: &RunFolder, format: Format, ui: &Ui) -> Result<()> {
    let stop = Stop::on_interrupt(|| {})?;
    let mut record = RunRecord::read(&folder.record())?;
    let bar = ui.progress(record.plan.steps, "{prefix} {wide_bar} {pos}/{len} steps  {msg}");
    bar.set_prefix(folder.id());
    let mut shown = None;
    while matches!(state(&record), "running" | "planned") && !stop.asked() && !ui.stdout_closed() {
        if shown != Some(record.progress.step) {
            shown = Some(record.progress.step);
            bar.set_position(record.progress.step);
            let figure = |name: &str| record.last.get(name).copied().unwrap_or(f64::NAN);
            let (nll, speed) = (figure("nll"), figure("tokens_per_second"));
            bar.set_message(format!("loss {nll:.3}  {speed:.0} tokens/s{}", left(&record)));
            if format == Format::Json {
                ui.json_line(&json!({"step": record.progress.step, "steps": record.plan.steps,
                    "status": state(&record), "usd": record.progress.usd, "last": record.last}))?;
            } else if bar.is_hidden() {
                let (step, steps) = (record.progress.step, record.plan.steps);
                ui.data(format!("step {step}/{steps}  loss {nll:.3}  {speed:.0} tokens/s"))?;
            }
        }
        std::thread::sleep(Duration::from_millis(250));
        record = RunRecord::read(&folder.record())?;
    }
    bar.clear();
    show::show(folder, format, ui)
}
