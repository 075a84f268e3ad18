//! `tinsmith data`: every bad row by its place, and what a dataset is like.

mod prove;
mod stats;

use super::{
    Style, Ui,
    args::{CheckArgs, DataArgs, DataCommand, Format, OutputArgs},
    preflight,
    render::{Hints, Opened, open},
};
use crate::{
    Error, Result,
    config::{Format as Rows, Overlong},
    data::{
        DataReport, DataSource, Duplicates, Fate, Limits, Mapping, Refused, Rendered, Step,
        good_rows, resolve, stream,
    },
    error::printable,
    plan::Estimate,
    runs::measured_speed,
    text::{grouped, plural},
};
use prove::Prover;
use serde_json::json;
use stats::{Measure, Stats};
use std::ops::ControlFlow;

/// Runs the command.
pub fn run(command: &DataCommand, ui: &Ui) -> Result<()> {
    match command {
        DataCommand::Check(args) => check(args, ui),
        DataCommand::Stats(args) => measure(args, ui),
    }
}

/// Prints bad rows on stdout, then what became of the rest.
fn check(args: &CheckArgs, ui: &Ui) -> Result<()> {
    let format = args.data.format.format;
    let opened = open(&args.data.rendering, &args.data.files, None, ui)?;
    let most = if args.all || format == Format::Json { u64::MAX } else { SHOWN };
    let mut bad = BadRows { format, ui, most, found: 0, hints: Hints::default() };
    let mut prover = args.prove.then(|| Prover::new(&opened)).transpose()?;
    let mut report = DataReport::default();
    let mut unproved = 0;
    read(&opened, opened.limits, ui, &mut report, &mut |name, batch, fates, _| {
        for refused in &batch.refused {
            bad.tell(name, refused)?;
        }
        if let Some(prover) = &mut prover {
            for refused in prover.prove(batch, fates)? {
                unproved += 1;
                bad.tell(name, &refused)?;
            }
        }
        Ok(())
    })?;
    let estimate = estimate(&args.data, &opened, &report);
    match format {
        Format::Json => {
            let proved = prover.as_ref().map_or(0, |p| p.proved);
            let unprovable = prover.as_ref().map_or(0, |p| p.unprovable);
            ui.json_line(&json!({ "summary": report, "unproved": unproved, "proved": proved,
                "unprovable": unprovable, "estimate": estimate }))?;
        }
        Format::Table => {
            if bad.found > most {
                let rest = plural(bad.found - most, "more bad row");
                ui.warn(format_args!("{rest} not shown; `--all` prints every one"));
            }
            // Bad rows are listed above, and counted at the end.
            for note in (DataReport { refused: 0, ..report.clone() }).notes() {
                ui.warn(note);
            }
            for (name, text) in lines(&report, estimate.as_ref()) {
                ui.info(format_args!(
                    "{} {text}",
                    ui.paint_err(Style::Dim, format_args!("{name:>12}"))
                ));
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

/// Bad rows that a table shows without `--all`.
const SHOWN: u64 = 50;

/// Tells bad rows, the first of them.
struct BadRows<'a> {
    format: Format,
    ui: &'a Ui,
    most: u64,
    found: u64,
    hints: Hints,
}

impl BadRows<'_> {
    /// A row on one line; in a table, what to do about it stands below the first of its kind.
    fn tell(&mut self, name: &str, refused: &Refused) -> Result<()> {
        self.found += 1;
        if self.found > self.most {
            return Ok(());
        }
        if self.format == Format::Json {
            return self.ui.json_line(&refused.told(name));
        }
        self.ui.data(printable(&refused.placed(name).to_string()))?;
        match refused.error.hint.as_deref().filter(|hint| self.hints.is_new(hint)) {
            Some(hint) => {
                let sign = self.ui.paint(Style::Accent, "hint:");
                self.ui.data(format!("  {sign} {}", printable(hint)))
            }
            None => Ok(()),
        }
    }
}

/// Prints lengths and trained tokens. Under `overlong: error` nothing is too long here: what would
/// be is counted.
fn measure(args: &DataArgs, ui: &Ui) -> Result<()> {
    let opened = open(&args.rendering, &args.files, None, ui)?;
    let mut report = DataReport::default();
    let mut stats = Stats::new(opened.limits.max_length);
    let mut limits = opened.limits;
    if limits.overlong == Overlong::Error {
        limits.overlong = Overlong::Drop;
    }
    read(&opened, limits, ui, &mut report, &mut |_, batch, fates, whole| {
        stats.add(batch, fates, whole);
        Ok(())
    })?;
    report.check_files()?;
    let estimate = estimate(args, &opened, &report);
    match args.format.format {
        Format::Json => {
            let mut told = stats.json(&report);
            told["estimate"] = json!(estimate);
            ui.json(&told)?;
        }
        Format::Table => ui.data(stats.table(&lines(&report, estimate.as_ref())))?,
    }
    if report.refused > 0 {
        return Err(Error::data(format!("{} of {} rows are bad", report.refused, report.rows))
            .hint("`tinsmith data check` lists them"));
    }
    Ok(())
}

fn lines(report: &DataReport, estimate: Option<&Estimate>) -> Vec<preflight::Line> {
    let mut lines = preflight::lines(report);
    if let Some(estimate) = estimate {
        lines.push(("cost", estimate.cost_text()));
        lines.push(("time", estimate.time_text()));
    }
    lines
}

/// What it costs to train on all that is in use, as often as the config says; nothing is said where
/// no config says how. The plan (`train --dry-run`) also knows what is held out and where it stops.
fn estimate(args: &DataArgs, opened: &Opened, report: &DataReport) -> Option<Estimate> {
    args.rendering.config.as_ref()?;
    let loaded = &opened.tools.loaded;
    let config = &loaded.config;
    let output = OutputArgs::default().dir(Some(loaded));
    let base = opened.tools.base_model().ok();
    let speed = base.and_then(|base| measured_speed(&output, &config.trainer.name, &base));
    let tokens = report.tokens * u64::from(config.training.epochs);
    Some(Estimate::new(config, tokens, speed))
}

/// Counts the rows that also stand in the config's evaluation data.
fn overlap(opened: &Opened) -> Result<Option<Duplicates>> {
    let loaded = &opened.tools.loaded;
    let Some(path) = loaded.config.data.eval.as_ref().and_then(|e| e.path.as_deref()) else {
        return Ok(None);
    };
    let path = resolve(path, Some(loaded), None)?;
    let source = DataSource { path, mapping: Mapping::plain(Rows::Record), limit: None };
    let mut reader = source.lines()?;
    let mut texts = Duplicates::default();
    while let Some(lines) = reader.next_lines()? {
        for row in &lines.rows {
            texts.repeats(lines.text(row));
        }
    }
    Ok(Some(texts))
}

/// Name, batch, fates, and of each example how long it was, and how much of it trained, before any
/// limit but `drop_turns`.
type EachBatch<'a> = &'a mut dyn FnMut(&str, &Rendered, &[Fate], &[Measure]) -> Result<()>;

/// Reads and renders everything; `each` gets what became of it.
fn read(
    opened: &Opened,
    limits: Limits,
    ui: &Ui,
    report: &mut DataReport,
    each: EachBatch<'_>,
) -> Result<()> {
    let sources = &opened.sources;
    let mut judge = opened.judge(limits);
    let held_out = overlap(opened)?;
    let mut duplicates = Duplicates::default();
    stream(sources, opened.makers(), limits, ui.threads(), &mut |step| {
        match step {
            Step::Batch(mut batch) => {
                let name = sources[batch.dataset].name();
                let whole = stats::measure(&batch);
                let fates = judge.judge(&mut batch);
                report.add(&name, &batch, &fates);
                if !opened.dedupes() {
                    report.repeated += duplicates.count(&batch);
                }
                if let Some(held_out) = &held_out {
                    report.leaked += good_rows(&batch).filter(|t| held_out.has(t)).count() as u64;
                }
                each(&name, &batch, &fates, &whole)?;
            }
            Step::End { dataset, digest } => report.end(sources[dataset].name(), digest),
        }
        Ok(ControlFlow::Continue(()))
    })?;
    report.repeated_partial = duplicates.partial;
    Ok(())
}
