//! `tinsmith runs`: what can be made of a run's files.

use super::{
    Ui,
    args::{Format, RunsCommand, RunsReportArgs},
};
use crate::{
    Result,
    runs::{RunFolder, write_report},
};
use serde_json::json;

/// Runs the command.
pub fn run(command: &RunsCommand, ui: &Ui) -> Result<()> {
    match command {
        RunsCommand::Report(args) => report(args, ui),
    }
}

fn report(args: &RunsReportArgs, ui: &Ui) -> Result<()> {
    let folder = RunFolder::find(&args.output.dir(None), &args.run)?;
    let path = write_report(&folder)?;
    match args.format.format {
        Format::Json => ui.json(&json!({ "run": folder.id(), "report": path })),
        Format::Table => ui.data(path.to_string_lossy()),
    }
}
