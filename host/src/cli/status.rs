//! `tinsmith status`: runs, or one run as it goes. Reads the files of runs and takes no lock.

mod follow;
mod show;

use super::{
    Style, Ui,
    args::{Format, StatusArgs},
};
use crate::{
    Error, Result,
    runs::{RunFolder, RunRecord, Status, hostname, lives, seconds_since},
};
use serde_json::json;

/// Runs the command.
pub fn run(args: &StatusArgs, ui: &Ui) -> Result<()> {
    let output = args.output.dir(None);
    match (&args.run, args.follow) {
        (None, false) => list(&RunFolder::all(&output)?, &output.to_string_lossy(), args, ui),
        (run, true) => {
            let folder = RunFolder::find(&output, run.as_deref().unwrap_or("latest"))?;
            follow::follow(&folder, args.format.format, ui)
        }
        (Some(run), false) => {
            let folder = RunFolder::find(&output, run)?;
            show::show(&folder, args.format.format, ui)
        }
    }
}

fn list(all: &[RunFolder], output: &str, args: &StatusArgs, ui: &Ui) -> Result<()> {
    let mut damaged: Vec<Error> = Vec::new();
    let mut records = Vec::new();
    for folder in all {
        match RunRecord::read(&folder.record()) {
            Ok(record) => records.push(record),
            Err(e) => damaged.push(e),
        }
    }
    let nothing = records.is_empty() && damaged.is_empty();
    if args.format.format == Format::Json {
        for record in &records {
            ui.json_line(&json!({
                "id": record.id, "name": record.name, "status": state(record),
                "step": record.progress.step, "steps": record.plan.steps,
                "nll": record.last.get("nll"), "usd": record.progress.usd,
                "base_model": record.base_model,
                "created": record.created, "updated": record.updated,
            }))?;
        }
    } else if !nothing {
        let head = format!("{:<22}{:<13}{:>11}{:>8}  model", "run", "status", "steps", "loss");
        ui.data(ui.paint(Style::Bold, head))?;
        for record in &records {
            ui.data(row(record))?;
        }
    }
    if nothing {
        ui.info(format_args!("no runs in `{output}`"));
        ui.hint("start one with `tinsmith train CONFIG`, or name the folder with `--output`");
    }
    for e in &damaged {
        ui.error(e);
    }
    match damaged.into_iter().next() {
        Some(e) if records.is_empty() => Err(e),
        _ => Ok(()),
    }
}

fn row(record: &RunRecord) -> String {
    let steps = format!("{}/{}", record.progress.step, record.plan.steps);
    let loss = record.last.get("nll").map_or_else(|| "-".to_owned(), |nll| format!("{nll:.3}"));
    let model = record.base_model.rsplit('/').next().unwrap_or_default();
    let name = record.name.as_deref().map(|n| format!(" ({n})")).unwrap_or_default();
    format!("{:<22}{:<13}{steps:>11}{loss:>8}  {model}{name}", record.id, state(record))
}

/// What a run is doing, as far as its record and the process table tell: a record that says
/// `running` outlives a process that was killed.
fn state(record: &RunRecord) -> &'static str {
    if record.status != Status::Running && record.status != Status::Planned {
        return record.status.name();
    }
    let here = record.machine.hostname.is_some() && record.machine.hostname == hostname();
    let attempt = record.attempts.last().filter(|_| here);
    match attempt.and_then(|a| lives(a.pid, seconds_since(&a.started)?)) {
        Some(false) => "killed",
        None if seconds_since(&record.updated).is_some_and(|s| s > 600.0) => "silent",
        _ => record.status.name(),
    }
}
