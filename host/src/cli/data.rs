//! `tinsmith data`: every bad row by its place, and what a dataset is like.

mod prove;
mod stats;

use super::{
    Style, Ui,
    args::{DataArgs, DataCommand, Format},
    render::{Hints, Opened, open},
};
use crate::{
    Error, Result,
    data::{DataReport, Fate, Limits, Refused, Rendered, Step, stream},
    error::printable,
    text::{grouped, plural},
};
use prove::Prover;
use serde_json::json;
use stats::Stats;
use std::ops::ControlFlow;

/// Runs the command.
pub fn run(command: &DataCommand, ui: &Ui) -> Result<()> {
    match command {
        DataCommand::Check(args) => check(args, ui),
        DataCommand::Stats(args) => measure(args, ui),
    }
}

/// Prints every bad row on stdout, then what became of the rest.
fn check(args: &DataArgs, ui: &Ui) -> Result<()> {
    let opened = open(&args.rendering, &args.files, None, ui)?;
    let mut hints = Hints::default();
    let mut prover = args.prove.then(|| Prover::new(&opened)).transpose()?;
    let mut report = DataReport::default();
    let mut unproved = 0;
    read(&opened, opened.limits, ui, &mut report, &mut |name, batch, fates| {
        for refused in &batch.refused {
            bad_row(args, ui, name, refused, &mut hints)?;
        }
        if let Some(prover) = &mut prover {
            for refused in prover.prove(batch, fates)? {
                unproved += 1;
                bad_row(args, ui, name, &refused, &mut hints)?;
            }
        }
        Ok(())
    })?;
    match args.format.format {
        Format::Json => {
            let proved = prover.as_ref().map_or(0, |p| p.proved);
            let unprovable = prover.as_ref().map_or(0, |p| p.unprovable);
            ui.json_line(&json!({ "summary": report, "unproved": unproved, "proved": proved,
                "unprovable": unprovable }))?;
        }
        Format::Table => {
            // Bad rows are listed above, and counted at the end.
            for note in (DataReport { refused: 0, ..report.clone() }).notes() {
                ui.warn(note);
            }
        }
    }
    report.check_files()?;
    if report.refused > 0 {
        return Err(Error::data(format!("{} of {} rows are bad", report.refused, report.rows)));
    }
    if unproved > 0 {
        let (rows, are) = (plural(unproved, "row"), if unproved == 1 { "is" } else { "are" });
        return Err(Error::data(format!("{rows} {are} trained on what inference never shows"))
            .hint(
                "`tinsmith render` shows the rows; choose the renderer that belongs to the model",
            ));
    }
    if report.used == 0 {
        return Err(report.nothing_left());
    }
    let are = if report.used == 1 { "is" } else { "are" };
    ui.info(format_args!(
        "{} {are} good: {}, {}, {} of them trained",
        plural(report.used, "row"),
        plural(report.examples, "example"),
        plural(report.tokens, "token"),
        grouped(report.trained_tokens)
    ));
    if let Some(prover) = &prover {
        ui.info(prover.summary());
    }
    Ok(())
}

/// A row on one line; in a table, what to do about it stands below the first of its kind.
fn bad_row(
    args: &DataArgs,
    ui: &Ui,
    name: &str,
    refused: &Refused,
    hints: &mut Hints,
) -> Result<()> {
    if args.format.format == Format::Json {
        return ui.json_line(&refused.told(name));
    }
    ui.data(printable(&refused.placed(name).to_string()))?;
    match refused.error.hint.as_deref().filter(|hint| hints.is_new(hint)) {
        Some(hint) => {
            ui.data(format!("  {} {}", ui.paint(Style::Accent, "hint:"), printable(hint)))
        }
        None => Ok(()),
    }
}

/// Prints lengths and trained tokens. Nothing is too long here: what would be is counted.
fn measure(args: &DataArgs, ui: &Ui) -> Result<()> {
    let opened = open(&args.rendering, &args.files, None, ui)?;
    let mut report = DataReport::default();
    let mut stats = Stats::new(opened.limits.max_length);
    read(&opened, Limits::none(), ui, &mut report, &mut |_, batch, fates| {
        stats.add(batch, fates);
        Ok(())
    })?;
    report.check_files()?;
    match args.format.format {
        Format::Json => ui.json(&stats.json(&report))?,
        Format::Table => ui.data(stats.table(&report))?,
    }
    if report.refused > 0 {
        return Err(Error::data(format!("{} of {} rows are bad", report.refused, report.rows))
            .hint("`tinsmith data check` lists them"));
    }
    Ok(())
}

type EachBatch<'a> = &'a mut dyn FnMut(&str, &Rendered, &[Fate]) -> Result<()>;

fn read(
    opened: &Opened,
    limits: Limits,
    ui: &Ui,
    report: &mut DataReport,
    each: EachBatch<'_>,
) -> Result<()> {
    let sources = &opened.sources;
    let mut judge = opened.judge(limits);
    stream(sources, opened.makers(), ui.threads(), &mut |step| {
        match step {
            Step::Batch(mut batch) => {
                let name = sources[batch.dataset].name();
                let fates = judge.judge(&mut batch);
                report.add(&name, &batch, &fates);
                each(&name, &batch, &fates)?;
            }
            Step::End { dataset, digest } => report.end(sources[dataset].name(), digest),
        }
        Ok(ControlFlow::Continue(()))
    })
}
