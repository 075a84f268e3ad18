//! `tinsmith render`: tokens and weights of a dataset, as training sees them.

mod open;
mod page;
mod prompts;
mod runs;
mod show;
mod visible;

pub(super) use open::{Opened, open};

use super::{
    Ui,
    args::{RenderArgs, RenderFormat},
};
use crate::{
    Error, Result,
    data::{DataReport, DataSource, Fate, Makers, Rendered, Step, stream},
};
use page::Page;
use prompts::Prompts;
use show::Shown;
use std::{collections::HashSet, ops::ControlFlow, sync::Arc};

/// Runs the command.
pub fn run(args: &RenderArgs, ui: &Ui) -> Result<()> {
    let opened = open(&args.rendering, &args.files, None, ui)?;
    let prompts = Prompts(Arc::clone(&opened.tools.renderer));
    let makers = match args.generation_prompt {
        true => Makers { renderer: &prompts, tokenizer: None, ..opened.makers() },
        false => opened.makers(),
    };
    let mut judge = opened.judge(opened.limits);
    let added = opened.tools.tokenizer.info().added_tokens.iter();
    let controls = added.filter(|t| t.special).map(|t| t.id).collect();
    let mut page = (args.format == RenderFormat::Html)
        .then(|| Page::new(&opened, args.limit.is_some(), args.generation_prompt));
    let mut report = DataReport::default();
    let mut hints = Hints::default();
    let mut left = args.limit.unwrap_or(u64::MAX);
    for source in opened.sources.clone() {
        if left == 0 || ui.stdout_closed() {
            break;
        }
        let source = DataSource { limit: Some(left), ..source };
        let before = report.rows;
        let name = source.name();
        let source = std::slice::from_ref(&source);
        stream(source, makers, opened.limits, ui.threads(), &mut |step| {
            match step {
                Step::Batch(mut batch) => {
                    let fates = judge.judge(&mut batch);
                    report.add(&name, &batch, &fates);
                    for refused in &batch.refused {
                        hints.error(ui, refused.placed(&name));
                    }
                    match &mut page {
                        Some(page) => page.add(&name, &batch, &fates)?,
                        None => print(args, &opened, &controls, &name, &batch, &fates, ui)?,
                    }
                }
                Step::End { digest, .. } => report.end(name.clone(), digest),
            }
            let gone = ui.stdout_closed();
            Ok(if gone { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        left -= report.rows - before;
    }
    if let Some(page) = page {
        ui.data(page.finish(&report))?;
    }
    if ui.stdout_closed() {
        return Ok(());
    }
    tell(args, &report, ui)
}

/// Prints the examples of a batch, in one piece.
fn print(
    args: &RenderArgs,
    opened: &Opened,
    controls: &HashSet<i32>,
    file: &str,
    batch: &Rendered,
    fates: &[Fate],
    ui: &Ui,
) -> Result<()> {
    let mut text = String::new();
    for (example, fate) in fates.iter().enumerate() {
        let whole = batch.examples.range(example).len();
        let (tokens, note) = match *fate {
            Fate::Used { tokens, cut: Some(cut) } if cut.end => {
                (tokens, "  cut at `max_length`, in an answer, whose end is lost")
            }
            Fate::Used { tokens, cut: Some(_) } => (tokens, "  cut at `max_length`"),
            Fate::Used { tokens, .. } if shortened(batch, example) => {
                (tokens, "  without its oldest turns")
            }
            Fate::Used { tokens, .. } => (tokens, ""),
            Fate::Untrained if args.generation_prompt => (whole, ""),
            Fate::Untrained => {
                (whole.min(opened.limits.max_length), "  left out: no token of it is trained")
            }
            Fate::Overlong | Fate::Refused | Fate::Duplicate => continue,
        };
        let shown = Shown { file, batch, example, tokens, note, controls };
        match args.format {
            RenderFormat::Json => shown.json(args.files.len() > 1, &mut text),
            // A page is gathered, not printed example by example.
            RenderFormat::Table | RenderFormat::Html => {
                shown.table(ui, &opened.tools.tokenizer, &mut text)?;
            }
        }
    }
    if text.is_empty() { Ok(()) } else { ui.data(text) }
}

/// Whether an example is of a record that lost turns.
fn shortened(batch: &Rendered, example: usize) -> bool {
    batch.shortened.iter().any(|s| s.record == batch.examples.record[example])
}

/// What was not printed, and whether that makes the command fail.
fn tell(args: &RenderArgs, report: &DataReport, ui: &Ui) -> Result<()> {
    report.check_files()?;
    if report.dropped_examples > 0 {
        let n = report.dropped_examples;
        ui.warn(format_args!("left out as longer than `max_length`: {n}"));
    }
    if report.untrained_examples > 0 && !args.generation_prompt {
        let n = report.untrained_examples;
        ui.warn(format_args!("examples without a trained token, which training leaves out: {n}"));
    }
    if report.refused > 0 {
        let (bad, rows) = (report.refused, report.rows);
        return Err(Error::data(format!("{bad} of {rows} records refused")));
    }
    Ok(())
}

/// Shows errors, and each hint once.
#[derive(Default)]
pub(super) struct Hints(HashSet<String>);

impl Hints {
    /// Whether a hint was not given before.
    pub fn is_new(&mut self, hint: &str) -> bool {
        self.0.insert(hint.to_owned())
    }

    /// Shows an error.
    pub fn error(&mut self, ui: &Ui, mut error: Error) {
        error.hint = error.hint.filter(|hint| self.0.insert(hint.clone()));
        ui.error(&error);
    }
}
