//! `tinsmith runs diff`: two runs side by side, in 80 columns where their values allow it.

use crate::{
    Result,
    cli::{
        Style, Ui,
        args::{Format, RunsDiffArgs},
        tooling::printable,
    },
    runs::{Diff, Figure, Pair, RunFolder, RunRecord, Setting, read_metrics},
    text::{grouped, plural},
};
use serde_json::Value;

/// Columns of a line.
const WIDTH: usize = 80;
/// Columns of the longest name that stands beside its values.
const NAME: usize = 32;
/// Steps that a table shows; JSON has all.
const STEPS: usize = 12;
/// Characters by which a sha256 is known to people.
const HASH: usize = 12;

/// Runs the command.
pub fn run(args: &RunsDiffArgs, ui: &Ui) -> Result<()> {
    let output = args.output.dir(None);
    let read = |typed: &str| {
        let folder = RunFolder::find(&output, typed)?;
        Ok::<_, crate::Error>((
            RunRecord::read(&folder.record())?,
            read_metrics(&folder.metrics())?,
        ))
    };
    let (a, b) = (read(&args.a)?, read(&args.b)?);
    let diff = Diff::of((&a.0, &a.1), (&b.0, &b.1));
    if args.format.format == Format::Json {
        return ui.json(&diff);
    }
    let named = |record: &RunRecord| match &record.name {
        Some(name) => format!("{} ({})", record.id, printable(name)),
        None => record.id.clone(),
    };
    ui.data(format!("A  {}\nB  {}", named(&a.0), named(&b.0)))?;
    for (title, settings) in [
        ("setup", &diff.setup),
        ("config", &diff.config),
        ("fingerprints", &diff.fingerprints),
        ("plan", &diff.plan),
    ] {
        if !settings.is_empty() {
            head(ui, title, "")?;
            print(ui, settings)?;
        }
    }
    if diff.same_settings() {
        ui.data("\nboth were asked for the same")?;
    }
    outcome(ui, &diff.outcome)?;
    losses(ui, &diff)
}

fn head(ui: &Ui, title: &str, rest: &str) -> Result<()> {
    ui.data(format!("\n{}", ui.paint(Style::Bold, format_args!("{title}{rest}"))))
}

/// One line a setting; where a value is too long for that, one line each.
fn print(ui: &Ui, settings: &[Setting]) -> Result<()> {
    let rows: Vec<(String, [String; 2])> =
        settings.iter().map(|s| (printable(&s.key), shown(s))).collect();
    let columns = |text: &str| text.chars().count();
    let name = rows.iter().map(|(key, _)| columns(key)).filter(|n| *n <= NAME).max().unwrap_or(0);
    let value = (WIDTH - 2 - name - 4) / 2;
    for (key, [a, b]) in &rows {
        if columns(key) <= NAME && columns(a) <= value && columns(b) <= value {
            ui.data(format!("  {key:<name$}  {a:<value$}  {b}").trim_end())?;
        } else {
            ui.data(format!("  {key}\n    A  {a}\n    B  {b}"))?;
        }
    }
    Ok(())
}

/// Both values as text. Those that would read alike are spelled as JSON.
fn shown(setting: &Setting) -> [String; 2] {
    let plain = [&setting.a, &setting.b].map(text);
    match plain[0] == plain[1] {
        true => [&setting.a, &setting.b].map(|value| printable(&value.to_string())),
        false => plain,
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) if is_hash(text) => text[..HASH].to_owned(),
        Value::String(text) => printable(&text.replace('\n', " ")),
        Value::Number(number) => number.as_u64().map_or_else(|| number.to_string(), grouped),
        other => printable(&other.to_string()),
    }
}

fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

fn outcome(ui: &Ui, figures: &[Figure]) -> Result<()> {
    head(ui, "outcome", &format!("{:>32}{:>19}{:>15}", "A", "B", "B - A"))?;
    for figure in figures.iter().filter(|f| !(f.a.is_null() && f.b.is_null())) {
        let number = |value: &Value| match value.as_f64() {
            Some(number) if !value.is_u64() => format!("{number:.4}"),
            _ => text(value),
        };
        let difference = figure.difference.map(|d| match figure.a.is_u64() && figure.b.is_u64() {
            true if d != 0.0 => format!("{d:+.0}"),
            _ => distance(d),
        });
        let name = figure.key.replace('_', " ");
        let (a, b) = (number(&figure.a), number(&figure.b));
        let row = format!("  {name:<20}{a:>17}{b:>19}{:>15}", difference.unwrap_or_default());
        ui.data(row.trim_end())?;
    }
    Ok(())
}

fn losses(ui: &Ui, diff: &Diff) -> Result<()> {
    let (losses, evaluations) = (&diff.losses, &diff.evaluations);
    let steps = &losses.steps;
    if steps.is_empty() {
        return ui.data("\nno step has a loss of both runs");
    }
    head(ui, "losses", &format!("{:>33}{:>19}{:>15}", "A", "B", "B - A"))?;
    for pair in some(steps) {
        ui.data(row("step", pair))?;
    }
    for pair in some(evaluations) {
        ui.data(row("held out, step", pair))?;
    }
    let both = plural(steps.len() as u64, "step");
    ui.data(match (losses.apart_from, losses.furthest) {
        (Some(from), Some(most)) => format!(
            "  {both} of both; apart from step {} on, most at step {}",
            grouped(from),
            grouped(most.step)
        ),
        _ => format!("  {both} of both, each with the same loss"),
    })
}

fn row(what: &str, pair: &Pair) -> String {
    let name = format!("{what} {}", grouped(pair.step));
    format!("  {name:<20}{:>17.4}{:>19.4}{:>15}", pair.a, pair.b, distance(pair.difference))
}

/// A difference; one that four digits do not show is told by its size.
fn distance(difference: f64) -> String {
    match difference.abs() {
        0.0 => "0".to_owned(),
        ..0.001 => format!("{difference:+.1e}"),
        _ => format!("{difference:+.4}"),
    }
}

/// The first, the last, and some in equal distances between.
fn some(all: &[Pair]) -> Vec<&Pair> {
    let last = all.len().saturating_sub(1);
    let rows = all.len().min(STEPS);
    (0..rows).map(|i| &all[i * last / (rows - 1).max(1)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_first_and_the_last_step_are_among_those_shown() {
        let pair = |step| Pair { step, a: 0.0, b: 0.0, difference: 0.0 };
        let steps = |n| {
            let all: Vec<Pair> = (1..=n).map(pair).collect();
            some(&all).iter().map(|pair| pair.step).collect::<Vec<_>>()
        };
        assert_eq!(steps(0), [0_u64; 0]);
        assert_eq!(steps(1), [1]);
        assert_eq!(steps(3), [1, 2, 3]);
        assert_eq!(steps(12), (1..=12).collect::<Vec<_>>());
        let many = steps(1000);
        assert_eq!((many.len(), many[0], many[STEPS - 1]), (STEPS, 1, 1000));
    }

    #[test]
    fn a_difference_is_never_rounded_to_none() {
        assert_eq!(distance(0.0), "0");
        assert_eq!(distance(-0.25), "-0.2500");
        assert_eq!(distance(3e-7), "+3.0e-7");
    }

    #[test]
    fn values_that_differ_never_read_alike() {
        let shown = |a, b| shown(&Setting { key: "k".into(), a, b });
        assert_eq!(shown(json!(1000), json!(0.0001)), ["1,000", "0.0001"]);
        assert_eq!(shown(json!("1"), json!(1)), ["\"1\"", "1"]);
        assert_eq!(shown(json!(null), json!("-")), ["null", "\"-\""]);
        assert_eq!(shown(json!("a".repeat(64)), json!(null)), ["a".repeat(HASH).as_str(), "-"]);
        // Two hashes that begin alike are spelled out.
        let (a, b) = ("a".repeat(64), format!("{}b", "a".repeat(63)));
        assert!(shown(json!(a), json!(b))[1].ends_with("b\""));
        assert_eq!(shown(json!("x\u{1b}[2J"), json!("y")), ["x\u{fffd}[2J", "y"]);
    }
}
