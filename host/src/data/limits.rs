//! What happens to examples that are too long, and to those in which nothing is trained.

use super::{example_set::trained, pipeline::Rendered, refused::Refused};
use crate::{Error, config::Overlong};
use tinsmith_plugin_api::Examples;

/// The limits that a config sets.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Longest example, in tokens.
    pub max_length: usize,
    /// What happens to a longer one.
    pub overlong: Overlong,
}

impl Limits {
    /// Nothing is too long.
    #[must_use]
    pub fn none() -> Self {
        Self { max_length: usize::MAX, overlong: Overlong::Error }
    }
}

/// What becomes of one example.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Its first tokens are used, all of them unless it was cut.
    Used {
        /// How many.
        tokens: usize,
        /// Whether tokens after these were cut off.
        cut: bool,
        /// Whether trained tokens were among those.
        answer_cut: bool,
    },
    /// Left out: too long.
    Overlong,
    /// Left out: no token of it is trained.
    Untrained,
    /// Left out: its record is refused.
    Refused,
}

/// The fate of every example of a batch. Under [`Overlong::Error`] the records of overlong examples
/// join the refused ones. Examples of a group share the fate of the worst.
pub fn judge(rendered: &mut Rendered, limits: Limits) -> Vec<Fate> {
    let examples = &rendered.examples;
    let mut fates: Vec<Fate> =
        (0..examples.len()).map(|i| judge_one(examples, i, limits)).collect();
    if limits.overlong == Overlong::Error {
        refuse_overlong(rendered, &mut fates, limits);
    }
    together(&rendered.examples.group, &mut fates);
    fates
}

fn judge_one(examples: &Examples, i: usize, limits: Limits) -> Fate {
    let weights = &examples.weights[examples.range(i)];
    // Losses that read other columns may train where the weight is zero.
    let untrained = |w: &[f32]| w.len() < 2 || (examples.columns.is_empty() && trained(w) == 0);
    if weights.len() <= limits.max_length {
        return if untrained(weights) {
            Fate::Untrained
        } else {
            Fate::Used { tokens: weights.len(), cut: false, answer_cut: false }
        };
    }
    match limits.overlong {
        Overlong::Error | Overlong::Drop => Fate::Overlong,
        Overlong::TruncateRight => {
            let (kept, lost) = weights.split_at(limits.max_length);
            if untrained(kept) {
                return Fate::Untrained;
            }
            let answer_cut = lost.iter().any(|w| *w != 0.0);
            Fate::Used { tokens: kept.len(), cut: true, answer_cut }
        }
    }
}

fn refuse_overlong(rendered: &mut Rendered, fates: &mut [Fate], limits: Limits) {
    let examples = &rendered.examples;
    let mut last = None;
    for i in 0..fates.len() {
        let record = examples.record[i];
        if fates[i] != Fate::Overlong || last == Some(record) {
            continue;
        }
        last = Some(record);
        let tokens = examples.range(i).len();
        let row = rendered.lines.rows[rendered.given[record as usize] as usize];
        let error = Error::data(format!(
            "{tokens} tokens are more than `max_length` {}",
            limits.max_length
        ))
        .hint("raise `data.max_length`, or choose `data.overlong: drop` or `truncate_right`");
        rendered.refused.push(Refused::new(row.line, row.record, None, error));
        for (fate, of) in fates.iter_mut().zip(&examples.record) {
            if *of == record {
                *fate = Fate::Refused;
            }
        }
    }
    rendered.refused.sort_by_key(|r| r.record);
}

/// A pair is nothing without one of its two.
fn together(groups: &[u64], fates: &mut [Fate]) {
    let mut start = 0;
    while start < groups.len() {
        let end = start + groups[start..].iter().take_while(|g| **g == groups[start]).count();
        let worst = fates[start..end].iter().find(|f| !matches!(f, Fate::Used { .. })).copied();
        if let Some(worst) = worst {
            for fate in &mut fates[start..end] {
                if matches!(fate, Fate::Used { .. }) {
                    *fate = worst;
                }
            }
        }
        start = end;
    }
}
