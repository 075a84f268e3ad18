/*!
What is known of a dataset before anything is paid for, line by line: shared by `train --dry-run`,
`data check` and `data stats`, so that a figure has one meaning everywhere.

*Length* is that of a whole example, as `data.max_length` counts. *Tokens* are those that the model
reads: all of an example but its last, which is only predicted. They are what is computed, what a
service bills, and what steps, limits and run records count.
*/

use crate::{
    data::{DataReport, Lengths},
    text::{grouped, plural},
};
use std::fmt::Write;

/// Width of the longest bar.
const BAR: u64 = 40;

/// A heading and what stands beside it.
pub type Line = (&'static str, String);

/// What became of rows and examples.
pub fn lines(report: &DataReport) -> Vec<Line> {
    let mut lines = vec![("rows", rows(report)), ("examples", examples(report))];
    if report.truncated > 0 {
        let text = format!(
            "{} at `data.max_length`, {} of them within an answer; {} lost the end of an answer",
            plural(report.truncated, "example"),
            grouped(report.answers_cut),
            grouped(report.ends_cut)
        );
        lines.push(("cut", text));
    }
    if report.shortened > 0 {
        let (rows, turns) = (report.shortened, report.dropped_turns);
        let text = format!(
            "{} without {}, so that they fit",
            plural(rows, "row"),
            plural(turns, "oldest turn")
        );
        lines.push(("shortened", text));
    }
    lines.push(("tokens", tokens(report.tokens, report.trained_tokens)));
    if report.examples > 0 {
        lines.push(("length", report.lengths.summary().text()));
    }
    lines.push(("duplicates", duplicates(report)));
    if report.held_out > 0 {
        let (held, leaked) = (plural(report.held_out, "row"), grouped(report.leaked));
        lines.push(("held out", format!("{held}, {leaked} also in the training data")));
    } else if report.leaked > 0 {
        let leaked = plural(report.leaked, "row");
        lines.push(("overlap", format!("{leaked} of the training data also held out")));
    }
    lines
}

fn rows(report: &DataReport) -> String {
    let mut text = format!("{}: {} used", grouped(report.rows), grouped(report.used));
    for (n, what) in [
        (report.refused, "refused"),
        (report.skipped, "skipped by the renderer"),
        (report.overlong, "too long"),
        (report.untrained, "without a trained token"),
    ] {
        text += &format!(", {} {what}", grouped(n));
    }
    if report.duplicates > 0 {
        text += &format!(", {} copies left out", grouped(report.duplicates));
    }
    if report.blank > 0 {
        text += &format!("; {} besides", plural(report.blank, "blank line"));
    }
    text
}

fn examples(report: &DataReport) -> String {
    let mut text = format!("{} in use", grouped(report.examples));
    for (n, what) in [
        (report.dropped_examples, "left out as too long"),
        (report.untrained_examples, "left out without a trained token"),
    ] {
        if n > 0 {
            text += &format!(", {} {what}", grouped(n));
        }
    }
    text
}

fn tokens(tokens: u64, trained: u64) -> String {
    let share = 100.0 * trained as f64 / tokens.max(1) as f64;
    let (tokens, trained) = (grouped(tokens), grouped(trained));
    format!("{tokens} read by the model, {trained} trained ({share:.1} %)")
}

fn duplicates(report: &DataReport) -> String {
    if report.duplicates > 0 {
        return match report.duplicates {
            1 => "1 exact copy of an earlier row left out".to_owned(),
            n => format!("{} exact copies of earlier rows left out", grouped(n)),
        };
    }
    let found = match report.repeated {
        0 => "none".to_owned(),
        1 => "1 row repeats an earlier one, byte for byte".to_owned(),
        n => format!("{} rows repeat an earlier one, byte for byte", grouped(n)),
    };
    if report.repeated_partial {
        return format!("at least: {found}; there are too many rows to remember them all");
    }
    found
}

/// Lines with their headings to the right.
pub fn table(lines: &[Line]) -> String {
    lines.iter().fold(String::new(), |mut out, (name, text)| {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{name:>14}  {text}");
        out
    })
}

/// How many examples have which length, with bars.
pub fn histogram(lengths: &Lengths) -> String {
    let bars = lengths.histogram();
    let most = bars.iter().map(|(_, _, n)| *n).max().unwrap_or(1).max(1);
    bars.into_iter().fold(String::new(), |mut out, (from, to, n)| {
        let width = (BAR * n).div_ceil(most) as usize;
        let bar = "█".repeat(width);
        let _ = writeln!(out, "{:>14}  {bar} {n}", format!("{from}–{to}"));
        out
    })
}
