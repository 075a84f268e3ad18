//! `tinsmith runs`: what there is of runs, and what can be made of their files.

mod diff;

use super::{
    Ui,
    args::{Format, RunsCommand, RunsListArgs, RunsReportArgs, RunsShowArgs, StatusArgs},
    status,
};
use crate::{
    Result,
    runs::{RunFolder, write_report},
};
use serde_json::json;

/// Runs the command.
pub fn run(command: &RunsCommand, ui: &Ui) -> Result<()> {
    match command {
        RunsCommand::List(RunsListArgs { output, format }) => {
            let (output, format) = (output.clone(), *format);
            status::run(&StatusArgs { run: None, follow: false, output, format }, ui)
        }
        RunsCommand::Show(RunsShowArgs { run, output, format }) => {
            let (run, output, format) = (Some(run.clone()), output.clone(), *format);
            status::run(&StatusArgs { run, follow: false, output, format }, ui)
        }
        RunsCommand::Diff(args) => diff::run(args, ui),
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
