//! `tinsmith data`: every bad row by its place, and what a dataset is like.

mod prove;
mod stats;

use super::{
    Ui,
    args::{DataArgs, DataCommand, Format},
    render::{Opened, open},
};
use crate::{
    Error, Result,
    data::{DataReport, Fate, Limits, Refused, Rendered, Step, judge, stream},
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
    let prover = args.prove.then(|| Prover::new(&opened)).transpose()?;
    let mut report = DataReport::default();
    let mut unproved = 0;
    read(&opened, opened.limits, ui, &mut report, &mut |name, batch, fates| {
        for refused in &batch.refused {
            bad_row(args, ui, name, refused)?;
        }
        if let Some(prover) = &prover {
            for refused in prover.prove(batch, fates)? {
                unproved += 1;
                bad_row(args, ui, name, &refused)?;
            }
        }
        Ok(())
    })?;
    match args.format.format {
        Format::Json => ui.json_line(&json!({ "summary": report, "unproved": unproved }))?,
        Format::Table => {
            for note in report.notes() {
                ui.warn(note);
            }
        }
    }
    report.check_files()?;
    if report.refused > 0 {
        return Err(Error::data(format!("{} of {} rows are bad", report.refused, report.rows)));
    }
    if unproved > 0 {
        return Err(Error::data(format!(
            "{unproved} rows are trained on what inference never shows"
        ))
        .hint("`tinsmith render` shows the rows; choose the renderer that belongs to the model"));
    }
    if report.used == 0 {
        return Err(report.nothing_left());
    }
    ui.info(format_args!(
        "{} rows are good: {} examples, {} tokens, {} of them trained",
        report.used, report.examples, report.tokens, report.trained_tokens
    ));
    Ok(())
}

fn bad_row(args: &DataArgs, ui: &Ui, name: &str, refused: &Refused) -> Result<()> {
    match args.format.format {
        Format::Json => ui.json_line(&refused.told(name)),
        Format::Table => ui.data(refused.placed(name).to_string()),
    }
}

/// Prints lengths and trained tokens. Nothing is too long here: what would be is counted.
fn measure(args: &DataArgs, ui: &Ui) -> Result<()> {
    let opened = open(&args.rendering, &args.files, None, ui)?;
    let mut report = DataReport::default();
    let mut stats = Stats::new(opened.limits.max_length);
    read(&opened, Limits::none(), ui, &mut report, &mut |_, batch, _| {
        stats.add(batch);
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
    let (sources, renderer) = (&opened.sources, opened.tools.renderer.as_ref());
    stream(sources, renderer, ui.threads(), &mut |step| {
        match step {
            Step::Batch(mut batch) => {
                let name = sources[batch.dataset].name();
                let fates = judge(&mut batch, limits);
                report.add(&name, &batch, &fates);
                each(&name, &batch, &fates)?;
            }
            Step::End { dataset, digest } => report.end(sources[dataset].name(), digest),
        }
        Ok(ControlFlow::Continue(()))
    })
}
