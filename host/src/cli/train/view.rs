//! The plan, shown before anything runs.

use super::Job;
use crate::{
    Result,
    cli::{Style, Ui, Verbosity, args::Format, preflight},
    plan::Estimate,
    runs::measured_speed,
    text::{grouped, plural},
};
use serde_json::{Value, json};
use std::path::Path;

/// Bad rows that the plan names; the rest is counted.
const NAMED: usize = 5;

/// Prints the plan: as a table on stderr, or as JSON on stdout. `whole`: also what became of every
/// row, which otherwise is said where it is worth a note. Earlier runs below `output` tell the speed.
pub fn plan(ui: &Ui, job: &Job, format: Format, output: &Path, whole: bool) -> Result<()> {
    let (config, facts) = (&job.tools.loaded.config, &job.plan.facts);
    let speed = measured_speed(output, &config.trainer.name, &job.base);
    let estimate = Estimate::new(config, facts.tokens, speed);
    if format == Format::Json {
        let origins = job.tools.loaded.origins().into_iter();
        let origins = origins.map(|(key, from)| (key, Value::from(from)));
        return ui.json_line(&json!({
            "event": "plan", "plan": facts, "renderer": job.tools.renderer_name(),
            "loss_path": job.loss.describe(), "data": job.prepared.report,
            "estimate": estimate, "notes": job.plan.notes, "origins": Value::Object(origins.collect()),
        }));
    }
    let mut rows = vec![
        ("model", config.model.base_model.clone()),
        ("renderer", job.tools.renderer_name().to_owned()),
        ("trainer", trainer(job)),
        ("data", data(job)),
        ("steps", steps(job)),
        ("tokens", tokens(job)),
        ("learning", learning(job)),
    ];
    if let Some(every) = config.checkpoint.every_steps {
        rows.push(("checkpoints", format!("every {}, and at the end", plural(every, "step"))));
    }
    rows.push(("cost", estimate.cost_text()));
    rows.push(("time", estimate.time_text()));
    rows.extend(settings(ui, job).into_iter().map(|text| ("set", text)));
    let line = |name: &str, value: &str| {
        ui.info(format_args!("{} {value}", ui.paint_err(Style::Dim, format_args!("{name:>12}"))));
    };
    for (name, value) in rows {
        line(name, &value);
    }
    let report = &job.prepared.report;
    if whole {
        ui.info("\none epoch of the data, held-out rows included:");
        for (name, value) in preflight::lines(report) {
            line(name, &value);
        }
        ui.info("\nlengths of examples, in tokens:");
        preflight::histogram(&report.lengths).lines().for_each(|bar| ui.info(bar));
    }
    for row in report.first_refused.iter().take(NAMED) {
        ui.warn(format_args!("left out: {}", row.placed()));
    }
    if report.refused > NAMED as u64 {
        let rest = report.refused - NAMED as u64;
        ui.warn(format_args!("and {} more; `tinsmith data check` lists them", plural(rest, "row")));
    }
    for note in &job.plan.notes {
        ui.info(format_args!("{} {note}", ui.paint_err(Style::Warn, "        note")));
    }
    Ok(())
}

/// Values that a reader of the config file would not expect: each with the flag or variable that it
/// came from. With `-v` every value that is not its default.
fn settings(ui: &Ui, job: &Job) -> Vec<String> {
    let loaded = &job.tools.loaded;
    let shown =
        if ui.verbosity() >= Verbosity::Verbose { loaded.origins() } else { loaded.overrides() };
    shown.into_iter().map(|(key, from)| format!("{key}, by {from}")).collect()
}

fn trainer(job: &Job) -> String {
    let config = &job.tools.loaded.config;
    let what = match config.training.mode {
        crate::config::Mode::Full => "all weights".to_owned(),
        crate::config::Mode::Lora => format!("LoRA of rank {}", config.lora.rank),
    };
    let (loss, path) = (&config.training.loss.name, job.loss.explain());
    format!("{}, {what}, loss {loss} ({path})", config.trainer.name)
}

/// Examples, and what became of rows that are none.
fn data(job: &Job) -> String {
    let (facts, report) = (&job.plan.facts, &job.prepared.report);
    let mut text = plural(facts.examples, "example");
    for (n, what) in [
        (facts.eval_examples, "held out"),
        (report.overlong, "too long"),
        (report.untrained, "without a trained token"),
        (report.duplicates, "exact copies left out"),
        (report.skipped, "skipped by the renderer"),
        (report.refused, "bad and left out"),
        (report.truncated, "cut to `data.max_length`"),
        (report.answers_cut, "of them within an answer"),
        (report.ends_cut, "without the end of an answer"),
        (report.shortened, "without the oldest turns"),
        (report.repeated, "that repeat an earlier row"),
        (report.leaked, "held out and also trained on"),
    ] {
        if n > 0 {
            text += &format!(", {} {what}", grouped(n));
        }
    }
    text
}

fn steps(job: &Job) -> String {
    let facts = &job.plan.facts;
    let batch = job.tools.loaded.config.training.batch_size;
    let epochs = plural(u64::from(facts.epochs), "epoch");
    format!("{} of {} in {epochs}", grouped(facts.steps), plural(u64::from(batch), "example"))
}

fn tokens(job: &Job) -> String {
    let facts = &job.plan.facts;
    let share = 100.0 * facts.trained_tokens as f64 / facts.tokens.max(1) as f64;
    let (all, trained) = (grouped(facts.tokens), grouped(facts.trained_tokens));
    format!("{all} read, of which {trained} are trained ({share:.0} %)")
}

fn learning(job: &Job) -> String {
    let config = &job.tools.loaded.config;
    let name = serde_json::to_value(config.schedule.name).unwrap_or_default();
    let mut text =
        format!("{:e}, {}", config.optimizer.learning_rate, name.as_str().unwrap_or_default());
    let warmup = job.plan.learning_rate.warmup();
    if warmup > 0 {
        text += &format!(", {} of warm-up", plural(warmup, "step"));
    }
    text
}
