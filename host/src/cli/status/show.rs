//! One run in detail.

use super::{
    super::{
        args::Format,
        tooling::{clock, typed},
    },
    state,
};
use crate::{
    Result,
    cli::{Style, Ui},
    plan::dollars,
    runs::{Evaluation, RunFolder, RunRecord, Status, read_metrics},
    text::{grouped, percent, plural},
};
use serde_json::json;

/// Prints a run.
pub fn show(folder: &RunFolder, format: Format, ui: &Ui) -> Result<()> {
    let record = RunRecord::read(&folder.record())?;
    let metrics = read_metrics(&folder.metrics())?;
    if format == Format::Json {
        return ui.json(&json!({
            "state": state(&record), "record": record, "record_path": folder.record(),
            "cost": {"usd": record.progress.usd, "max_usd": max_usd(&record)}, "metrics": metrics,
        }));
    }
    let losses: Vec<f64> = metrics
        .iter()
        .filter(|line| line.kind == crate::runs::Measured::Step)
        .filter_map(|line| line.figures.get("nll").copied())
        .collect();
    for (name, value) in rows(folder, &record, &losses) {
        ui.data(format!("{} {value}", ui.paint(Style::Dim, format_args!("{name:>12}"))))?;
    }
    if let Some(next) = next_command(folder, &record) {
        ui.hint(format_args!("`{next}`"));
    }
    Ok(())
}

fn rows(folder: &RunFolder, record: &RunRecord, losses: &[f64]) -> Vec<(&'static str, String)> {
    let (plan, progress) = (&record.plan, &record.progress);
    let mut rows = vec![("run", record.id.clone())];
    rows.extend(record.name.clone().map(|name| ("name", name)));
    rows.push(("status", state(record).to_owned()));
    if let Some(error) = &record.error {
        rows.push(("because", error.message.clone()));
    }
    rows.push(("model", record.base_model.clone()));
    rows.push(("trainer", record.trainer.clone()));
    rows.push(("began", second(&record.created)));
    rows.push(("updated", second(&record.updated)));
    rows.push(("time", format!("{} in training", clock(progress.seconds))));
    rows.push(("steps", format!("{} of {}", grouped(progress.step), grouped(plan.steps))));
    let mut tokens = format!("{} of {}", grouped(progress.tokens), grouped(plan.tokens));
    if progress.repeated_steps > 0 {
        let steps = plural(progress.repeated_steps, "repeated step");
        tokens += &format!(", and {} in {steps}", grouped(progress.repeated_tokens));
    }
    rows.push(("tokens", tokens));
    rows.extend(cost(record).map(|cost| ("cost", cost)));
    if let (Some(first), Some(last)) = (losses.first(), losses.last()) {
        rows.push(("loss", format!("{first:.3} → {last:.3}  {}", spark(losses, 40))));
    }
    let evaluations = &record.evaluations;
    for (name, evaluation) in [("base", &evaluations.before), ("tuned", &evaluations.after)] {
        rows.extend(evaluation.as_ref().map(|e| (name, evaluated(e))));
    }
    for checkpoint in record.live_checkpoints() {
        let size = checkpoint.bytes.map(|b| format!(", {}", size(b))).unwrap_or_default();
        let text = format!("{} (step {}{size})", checkpoint.name, checkpoint.step);
        rows.push(("checkpoint", text));
    }
    if record.attempts.len() > 1 {
        let again = match record.attempts.len() - 1 {
            1 => "once".to_owned(),
            n => format!("{n} times"),
        };
        rows.push(("attempts", format!("{}; it went on {again}", record.attempts.len())));
    }
    rows.push(("record", folder.record().display().to_string()));
    if folder.report().is_file() {
        rows.push(("report", folder.report().display().to_string()));
    }
    rows.extend(record.adapter.as_ref().map(|adapter| ("adapter", adapter.path.clone())));
    rows
}

/// `limits.max_usd` of the run, as it is now: a resumed run may have another than it began with.
fn max_usd(record: &RunRecord) -> Option<f64> {
    record.config["limits"]["max_usd"].as_f64()
}

/// What the run has cost, and what it may. None where neither is known.
fn cost(record: &RunRecord) -> Option<String> {
    match (record.progress.usd, max_usd(record)) {
        (None, None) => None,
        (Some(usd), None) => Some(dollars(usd)),
        (usd, Some(most)) => {
            Some(format!("{} of at most {}", dollars(usd.unwrap_or(0.0)), dollars(most)))
        }
    }
}

/// A moment without its fraction of a second.
fn second(moment: &str) -> String {
    match moment.split_once('.') {
        Some((whole, _)) => format!("{whole}Z"),
        None => moment.to_owned(),
    }
}

/// Bytes in the unit that reads best.
fn size(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{} bytes", grouped(bytes)),
        10_000..10_000_000 => format!("{} KB", grouped(bytes / 1000)),
        _ => format!("{} MB", grouped(bytes / 1_000_000)),
    }
}

fn evaluated(evaluation: &Evaluation) -> String {
    let parts = [
        evaluation.nll.map(|nll| format!("held-out loss {nll:.3}")),
        evaluation.form.map(|share| format!("in form {}", percent(share))),
        evaluation.recall.map(|share| format!("facts recalled {}", percent(share))),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn next_command(folder: &RunFolder, record: &RunRecord) -> Option<String> {
    let run = typed(folder, record);
    match (record.status, state(record)) {
        (Status::Completed, _) => Some(format!("tinsmith sample {run} --base --prompt \"…\"")),
        (Status::Failed | Status::Interrupted, _) | (_, "killed" | "silent") => {
            Some(format!("tinsmith train --resume {run}"))
        }
        _ => Some(format!("tinsmith status {run} --follow")),
    }
}

/// A line of blocks, one for the mean of each of at most `width` parts.
fn spark(values: &[f64], width: usize) -> String {
    const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let part = values.len().div_ceil(width).max(1);
    let means: Vec<f64> =
        values.chunks(part).map(|c| c.iter().sum::<f64>() / c.len() as f64).collect();
    let low = means.iter().copied().fold(f64::INFINITY, f64::min);
    let high = means.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let scale = if high > low { 7.0 / (high - low) } else { 0.0 };
    means.iter().map(|v| BLOCKS[((v - low) * scale).round() as usize]).collect()
}

#[cfg(test)]
mod tests {
    use super::{cost, spark};
    use crate::runs::RunRecord;
    use serde_json::json;

    #[test]
    fn a_cost_stands_beside_its_limit() {
        let cost = |usd, limits| {
            let mut record =
                RunRecord { config: json!({"limits": limits}), ..RunRecord::default() };
            record.progress.usd = usd;
            cost(&record)
        };
        assert_eq!(cost(None, json!({"max_usd": null})), None);
        assert_eq!(cost(Some(0.0125), json!({})).as_deref(), Some("$0.013"));
        assert_eq!(
            cost(Some(1.5), json!({"max_usd": 5})).as_deref(),
            Some("$1.50 of at most $5.00")
        );
        assert_eq!(cost(None, json!({"max_usd": 5.0})).as_deref(), Some("$0 of at most $5.00"));
    }

    #[test]
    fn a_falling_loss_falls() {
        assert_eq!(spark(&[8.0, 1.0, 4.5], 40), "█▁▅");
        assert_eq!(spark(&[2.0, 2.0], 40), "▁▁");
        assert_eq!(spark(&[3.0, 1.0, 1.0, 1.0], 2), "█▁");
    }
}
