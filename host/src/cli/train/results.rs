//! What a finished run leaves: the adapter in its place, and base and tuned side by side.

use super::Job;
use crate::{
    Result,
    cli::{
        Style, Ui,
        args::Format,
        tooling::{printable, typed},
    },
    data::HeldOut,
    runs::{
        AdapterFacts, Answers, Evaluation, RunFolder, RunRecord, Staging, write_report,
        write_samples,
    },
    text::percent,
    training::{Answering, Recorder, Score, Stop, Watch},
};
use serde_json::{Value, json};
use tinsmith_plugin_api::{Export, TrainerHandle};

/// Exports the final checkpoint and compares answers.
pub fn finish(
    job: &Job,
    trainer: &dyn TrainerHandle,
    recorder: &mut Recorder,
    ui: &Ui,
    (stop, watch): (&Stop, &dyn Watch),
) -> Result<()> {
    let Some(last) = recorder.record.live_checkpoints().last().cloned() else { return Ok(()) };
    let what = match job.tools.loaded.config.training.mode {
        crate::config::Mode::Full => Export::Model,
        crate::config::Mode::Lora => Export::Adapter,
    };
    let dest = recorder.folder.adapter();
    let mut staging = Staging::new(&dest)?;
    trainer.export(&last.uri, what, &mut staging)?;
    let files = staging.commit()?;
    let absolute = std::path::absolute(&dest).unwrap_or(dest);
    recorder.record.adapter =
        Some(AdapterFacts { path: absolute.to_string_lossy().into_owned(), files });
    recorder.write()?;
    let eval = &job.tools.loaded.config.eval;
    if !stop.asked() && (eval.samples > 0 || eval.checks.is_some()) {
        compare(job, trainer, &last.uri, recorder, ui, (stop, watch))?;
    }
    likelihood(ui, recorder);
    Ok(())
}

fn likelihood(ui: &Ui, recorder: &Recorder) {
    let evaluations = &recorder.record.evaluations;
    let row = |name: &str, of: fn(&Evaluation) -> Option<f64>, show: fn(f64) -> String| {
        let (before, after) = (evaluations.before.as_ref(), evaluations.after.as_ref());
        if let (Some(base), Some(tuned)) = (before.and_then(of), after.and_then(of)) {
            ui.info(format_args!("{name:<24}{:>10}{:>10}", show(base), show(tuned)));
        }
    };
    if evaluations.before.is_none() || evaluations.after.is_none() {
        return;
    }
    let head = format!("{:<24}{:>10}{:>10}", "held-out data", "base", "tuned");
    ui.info(format_args!("\n{}", ui.paint_err(Style::Bold, head)));
    row("loss (nats a token)", |e| e.nll, |nll| format!("{nll:.3}"));
    row("answers in form", |e| e.form, percent);
    row("facts recalled", |e| e.recall, percent);
}

fn compare(
    job: &Job,
    trainer: &dyn TrainerHandle,
    tuned: &str,
    recorder: &mut Recorder,
    ui: &Ui,
    (stop, watch): (&Stop, &dyn Watch),
) -> Result<()> {
    let eval = &job.tools.loaded.config.eval;
    let all = &job.prepared.prompts;
    let count = if eval.checks.is_some() { all.len() } else { eval.samples as usize };
    let held_out: Vec<&HeldOut> = all.iter().take(count).collect();
    let prompts: Vec<&Value> = held_out.iter().map(|h| &h.messages).collect();
    let references: Vec<&str> = held_out.iter().map(|h| h.reference.as_str()).collect();
    let mut answers = Vec::new();
    for (name, source) in [("base", job.base.as_str()), ("tuned", tuned)] {
        let template = "{wide_bar} {pos}/{len} held-out prompts  {msg}";
        let bar = ui.progress(prompts.len() as u64, template);
        bar.set_message(name);
        let answering = Answering {
            renderer: job.tools.renderer.as_ref(),
            services: &job.tools.services,
            max_tokens: eval.max_tokens,
            stop,
            watch,
            answered: &|n| bar.set_position(n as u64),
        };
        let sampled = answering.all(trainer.sampler(source)?.as_ref(), &prompts);
        bar.clear();
        if stop.asked() {
            ui.info("the run is complete; its answers to held-out prompts are left out");
            return Ok(());
        }
        answers.push(sampled?);
    }
    let scores: Vec<Score> = answers.iter().map(|a| job.scorer.score(a, &references)).collect();
    let evaluations = &mut recorder.record.evaluations;
    let sampled = answers.iter().map(|a| a.len() as u64);
    let both = [&mut evaluations.before, &mut evaluations.after];
    for ((evaluation, score), sampled) in both.into_iter().zip(scores).zip(sampled) {
        let evaluation = evaluation.get_or_insert_default();
        (evaluation.form, evaluation.recall) = (score.form, score.recall);
        evaluation.answers = sampled;
    }
    recorder.write()?;
    let [base, tuned] = answers.as_slice() else { return Ok(()) };
    let side_by_side = held_out.iter().zip(base.iter().zip(tuned));
    let side_by_side: Vec<Answers> = side_by_side
        .map(|(held_out, (base, tuned))| Answers {
            messages: held_out.messages.clone(),
            base: base.clone(),
            tuned: tuned.clone(),
            reference: held_out.reference.clone(),
        })
        .collect();
    write_samples(&recorder.folder.samples(), &side_by_side)?;
    for sample in side_by_side.iter().take(eval.samples as usize) {
        ui.info("");
        part(ui, Style::Bold, "prompt", sample.question());
        part(ui, Style::Dim, "base", &sample.base);
        part(ui, Style::Good, "tuned", &sample.tuned);
        part(ui, Style::Dim, "reference", &sample.reference);
    }
    Ok(())
}

/// Where the texts of a sample begin.
const INDENT: usize = 12;

fn part(ui: &Ui, style: Style, name: &str, text: &str) {
    let text = printable(text);
    // Wrapped at words and below its own beginning, where somebody looks at it.
    let width = ui.width().map_or(usize::MAX, |width| width.saturating_sub(INDENT).max(20));
    let lines: Vec<_> = text.lines().flat_map(|line| textwrap::wrap(line, width)).collect();
    let head = ui.paint_err(style, format_args!("{name:>10}"));
    ui.info(format_args!("{head}  {}", lines.first().map_or("(nothing)", |line| line)));
    for line in lines.iter().skip(1) {
        ui.info(format_args!("{:INDENT$}{line}", ""));
    }
}

/// Writes the report, whatever became of the run. A run whose report cannot be written is no worse.
pub fn report(ui: &Ui, folder: &RunFolder) {
    if let Err(e) = write_report(folder) {
        ui.warn(format_args!("there is no report: {e}"));
    }
}

/// Where record and adapter lie, and what to type next.
pub fn where_it_lies(
    ui: &Ui,
    folder: &RunFolder,
    record: &RunRecord,
    format: Format,
) -> Result<()> {
    if format == Format::Json {
        return ui.json_line(&json!({
            "event": "ended", "run": record.id, "status": record.status,
            "record": folder.record(), "adapter": record.adapter,
            "evaluations": record.evaluations, "last": record.last,
            "report": folder.report(),
        }));
    }
    ui.info(format_args!("\n{} {}", dim(ui, "run record"), folder.record().display()));
    if folder.report().is_file() {
        ui.info(format_args!("{} {}", dim(ui, "report"), folder.report().display()));
    }
    if record.adapter.is_some() {
        let full = record.config["training"]["mode"] == "full";
        let name = if full { "model" } else { "adapter" };
        ui.info(format_args!("{} {}", dim(ui, name), folder.adapter().display()));
    }
    let run = typed(folder, record);
    ui.info(format_args!("\nnext:"));
    for command in [
        format!("tinsmith sample {run} --base --prompt \"…\""),
        format!("tinsmith status {run}"),
        format!("tinsmith download {run} --dest my-adapter"),
    ] {
        ui.info(format_args!("  {}", ui.paint_err(Style::Accent, command)));
    }
    Ok(())
}

fn dim(ui: &Ui, name: &str) -> String {
    ui.paint_err(Style::Dim, format_args!("{name:>12}"))
}
