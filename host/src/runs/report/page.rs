//! The page: sections in the order in which a reader asks.

use crate::{
    page::{self, Look, Series, chart, short},
    runs::{Answers, Evaluation, Measured, MetricsLine, RunRecord},
    text::{escape, grouped, percent, plural},
};
use std::fmt::Write;

/// The whole page.
pub fn page(record: &RunRecord, metrics: &[MetricsLine], samples: &[Answers]) -> String {
    let mut out = page::head(&record.id, "", None);
    head(record, &mut out);
    cards(record, &mut out);
    curves(metrics, &mut out);
    answers(samples, &mut out);
    data(record, &mut out);
    history(record, &mut out);
    checkpoints(record, &mut out);
    details(record, &mut out);
    out.push_str("</body>\n</html>\n");
    out
}

// Writing to a string cannot fail: what `write!` answers is dropped below.

fn head(record: &RunRecord, out: &mut String) {
    let status = record.status.name();
    let name = record.name.as_deref().map(|n| format!(" — {}", escape(n))).unwrap_or_default();
    let _ = writeln!(
        out,
        "<h1>{}{name}<span class=\"status {status}\">{status}</span></h1>",
        escape(&record.id)
    );
    let model = record.config["model"]["base_model"].as_str().unwrap_or(&record.base_model);
    let loss = record.config["training"]["loss"]["name"].as_str().unwrap_or("cross_entropy");
    let _ = writeln!(
        out,
        "<p class=\"sub\">{} by the trainer <code>{}</code> with the loss <code>{}</code>, begun {}, \
         last written {}, on {}</p>",
        escape(model),
        escape(&record.trainer),
        escape(loss),
        escape(&record.created),
        escape(&record.updated),
        escape(&machine(record)),
    );
    if let Some(error) = &record.error {
        let hint = error.hint.as_deref().map(|h| format!("<br>hint: {}", escape(h)));
        let _ = writeln!(
            out,
            "<p class=\"alert\">{}: {}{}</p>",
            escape(&error.kind),
            escape(&error.message),
            hint.unwrap_or_default()
        );
    }
}

fn machine(record: &RunRecord) -> String {
    let m = &record.machine;
    let cpu = m.cpu.as_deref().unwrap_or(&m.arch);
    format!("{cpu} ({}), tinsmith {}", plural(u64::from(m.threads), "thread"), m.tinsmith)
}

fn cards(record: &RunRecord, out: &mut String) {
    let (plan, progress) = (&record.plan, &record.progress);
    let of = |done: u64, all: u64| format!("{} of {}", grouped(done), grouped(all));
    let mut cards = vec![
        ("steps", of(progress.step, plan.steps)),
        ("tokens", of(progress.tokens, plan.tokens)),
        ("trained tokens", of(progress.trained_tokens, plan.trained_tokens)),
        ("time in training", duration(progress.seconds)),
    ];
    if progress.repeated_steps > 0 {
        let tokens = plural(progress.repeated_tokens, "token");
        cards.push(("repeated steps", format!("{} ({tokens})", grouped(progress.repeated_steps))));
    }
    cards.extend(record.last.get("nll").map(|nll| ("last loss, nats a token", short(*nll))));
    cards.extend(progress.usd.map(|usd| ("cost", format!("${usd:.2}"))));
    let held_out = |of: fn(&Evaluation) -> Option<f64>, show: fn(f64) -> String| {
        let value = |e: &Option<Evaluation>| e.as_ref().and_then(of).map(show);
        let (before, after) = (&record.evaluations.before, &record.evaluations.after);
        match (value(before), value(after)) {
            (None, None) => None,
            (before, after) => {
                let text = |v: Option<String>| v.unwrap_or_else(|| "?".into());
                Some(format!("{} → {}", text(before), text(after)))
            }
        }
    };
    cards.extend(held_out(|e| e.nll, short).map(|t| ("held-out loss, base → tuned", t)));
    cards.extend(held_out(|e| e.form, percent).map(|t| ("answers in form", t)));
    cards.extend(held_out(|e| e.recall, percent).map(|t| ("facts recalled", t)));
    out.push_str("<div class=\"cards\">\n");
    for (name, value) in cards {
        let _ =
            writeln!(out, "<div class=\"card\"><b>{}</b><span>{name}</span></div>", escape(&value));
    }
    out.push_str("</div>\n");
}

fn curves(metrics: &[MetricsLine], out: &mut String) {
    let points = |kind: Measured, name: &str| -> Vec<(f64, f64)> {
        let lines = metrics.iter().filter(|line| line.kind == kind);
        lines.filter_map(|line| Some((line.step as f64, *line.figures.get(name)?))).collect()
    };
    let step = |name: &str| points(Measured::Step, name);
    let loss = step("nll");
    if loss.is_empty() {
        return;
    }
    out.push_str("<h2>Training</h2>\n");
    let window = (loss.len() / 25).max(1);
    let mean = if window > 1 { running_mean(&loss, window) } else { Vec::new() };
    let series = |name, look, points| Series { name, look, points };
    out.push_str(&chart(
        "Loss, nats a token",
        &[
            series("each step", Look::Thin, loss),
            series("running mean", Look::Thick, mean),
            series("held out", Look::Dots, points(Measured::Eval, "nll")),
        ],
    ));
    for (title, name) in [
        ("Learning rate", "learning_rate"),
        ("Norm of the gradient", "grad_norm"),
        ("Speed, tokens a second", "tokens_per_second"),
    ] {
        out.push_str(&chart(title, &[series("each step", Look::Thick, step(name))]));
    }
}

/// The mean of each value and those before it, `window` in all.
fn running_mean(points: &[(f64, f64)], window: usize) -> Vec<(f64, f64)> {
    let mean = |last: usize| {
        let part = &points[(last + 1).saturating_sub(window)..=last];
        part.iter().map(|p| p.1).sum::<f64>() / part.len() as f64
    };
    points.iter().enumerate().map(|(i, p)| (p.0, mean(i))).collect()
}

fn answers(samples: &[Answers], out: &mut String) {
    if samples.is_empty() {
        return;
    }
    out.push_str("<h2>Held-out prompts</h2>\n");
    for (i, sample) in samples.iter().enumerate() {
        if i == 5 {
            let _ = writeln!(
                out,
                "<details><summary>{} more</summary>",
                grouped(samples.len() as u64 - 5)
            );
        }
        out.push_str("<div class=\"sample\">");
        for (name, text) in [
            ("prompt", sample.question()),
            ("base", &sample.base),
            ("tuned", &sample.tuned),
            ("reference", &sample.reference),
        ] {
            let text = if text.is_empty() { "(nothing)" } else { text };
            let _ = write!(out, "<h3>{name}</h3><p>{}</p>", escape(text));
        }
        out.push_str("</div>\n");
    }
    if samples.len() > 5 {
        out.push_str("</details>\n");
    }
}

fn data(record: &RunRecord, out: &mut String) {
    let (data, plan) = (&record.data, &record.plan);
    let rows = [
        ("rows read", data.rows),
        ("rows in use", data.used),
        ("rows refused", data.refused),
        ("rows skipped by the renderer", data.skipped),
        ("rows too long", data.overlong),
        ("rows without a trained token", data.untrained),
        ("exact copies of earlier rows", data.duplicates),
        ("examples cut", data.truncated),
        ("examples cut within an answer", data.answers_cut),
        ("examples that lost the end of an answer", data.ends_cut),
        ("rows without their oldest turns", data.shortened),
        ("turns left out", data.dropped_turns),
        ("rows that repeat an earlier one", data.repeated),
        ("held-out rows also trained on", data.leaked),
        ("tokens of the longest example", data.longest),
        ("examples trained on", plan.examples),
        ("examples held out", plan.eval_examples),
    ];
    out.push_str("<h2>Data</h2>\n<table>\n");
    for (name, n) in rows {
        let _ = writeln!(out, "<tr><td>{name}</td><td class=\"n\">{}</td></tr>", grouped(n));
    }
    out.push_str("</table>\n");
}

fn history(record: &RunRecord, out: &mut String) {
    out.push_str(
        "<h2>Attempts</h2>\n<div class=\"wide\"><table>\n<tr><th class=\"n\">#</th><th>began</th>\
         <th>ended</th><th class=\"n\">from step</th><th>from checkpoint</th></tr>\n",
    );
    for attempt in &record.attempts {
        let _ = writeln!(
            out,
            "<tr><td class=\"n\">{}</td><td>{}</td><td>{}</td><td class=\"n\">{}</td><td>{}</td></tr>",
            attempt.number,
            escape(&attempt.started),
            escape(attempt.ended.as_deref().unwrap_or("killed, or still running")),
            grouped(attempt.from_step),
            escape(attempt.from_checkpoint.as_deref().unwrap_or("base model")),
        );
    }
    out.push_str("</table></div>\n");
}

fn checkpoints(record: &RunRecord, out: &mut String) {
    if record.checkpoints.is_empty() {
        return;
    }
    out.push_str(
        "<h2>Checkpoints</h2>\n<div class=\"wide\"><table>\n<tr><th>name</th><th class=\"n\">step</th>\
         <th class=\"n\">bytes</th><th>saved</th><th>where</th></tr>\n",
    );
    for c in &record.checkpoints {
        let deleted = if c.deleted { " (deleted)" } else { "" };
        let _ = writeln!(
            out,
            "<tr><td>{}{deleted}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td>{}</td>\
             <td><code>{}</code></td></tr>",
            escape(&c.name),
            grouped(c.step),
            c.bytes.map(grouped).unwrap_or_default(),
            escape(&c.created),
            escape(&c.uri),
        );
    }
    out.push_str("</table></div>\n");
}

fn details(record: &RunRecord, out: &mut String) {
    let prints = &record.fingerprints;
    let mut known = vec![
        ("data".to_owned(), prints.data.clone()),
        ("rendered examples".to_owned(), prints.examples.clone()),
        ("tokenizer".to_owned(), prints.tokenizer.clone()),
        ("renderer".to_owned(), prints.renderer.clone()),
        ("order of examples".to_owned(), prints.order.clone()),
    ];
    known.extend(prints.plugins.iter().map(|(id, print)| (format!("plugin {id}"), print.clone())));
    let adapter = record.adapter.iter().flat_map(|a| &a.files);
    known.extend(adapter.map(|(name, sha256)| (name.clone(), sha256.clone())));
    out.push_str("<h2>To make it again</h2>\n<details><summary>fingerprints</summary>\n<table>\n");
    for (name, print) in known {
        let _ = writeln!(
            out,
            "<tr><td>{}</td><td><code>{}</code></td></tr>",
            escape(&name),
            escape(&print)
        );
    }
    let config = serde_json::to_string_pretty(&record.config).unwrap_or_default();
    let _ = writeln!(
        out,
        "</table>\n</details>\n<details><summary>config</summary>\n<pre>{}</pre>\n</details>",
        escape(&config)
    );
}

/// `5.2 s`, `3 min 7 s`, `2 h 5 min`.
fn duration(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    match whole {
        0..60 => format!("{seconds:.1} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runs::{Failure, Status};
    use serde_json::json;

    #[test]
    fn what_comes_from_outside_is_only_text() {
        let evil = "<script>alert(1)</script>";
        let record = RunRecord {
            id: "r".into(),
            name: Some(evil.into()),
            status: Status::Failed,
            base_model: evil.into(),
            error: Some(Failure { kind: "data".into(), message: evil.into(), hint: None }),
            config: json!({ evil: evil }),
            ..RunRecord::default()
        };
        let sample = Answers {
            messages: json!([{"role": "user", "content": evil}]),
            base: evil.into(),
            tuned: String::new(),
            reference: evil.into(),
        };
        let page = page(&record, &[], &[sample]);
        assert!(!page.contains("<script"), "{page}");
        // Name, model, error, three texts of the sample, key and value of the config.
        assert_eq!(page.matches("&lt;script&gt;").count(), 8, "{page}");
        assert!(page.contains("(nothing)"));
    }

    #[test]
    fn the_mean_of_what_is_there() {
        let points = [(1.0, 1.0), (2.0, 3.0), (3.0, 8.0)];
        assert_eq!(running_mean(&points, 2), [(1.0, 1.0), (2.0, 2.0), (3.0, 5.5)]);
    }

    #[test]
    fn durations() {
        assert_eq!([5.25, 187.2, 7500.0].map(duration), ["5.2 s", "3 min 7 s", "2 h 5 min"]);
    }
}
