//! What happens to examples that are too long, and to those in which nothing is trained.

use super::{columns, dedupe::Seen, example_set::trained_tokens, pipeline::Rendered};
use crate::{
    Error,
    config::{Data, Overlong},
    tokenizer::Tokenizer,
};
use std::ops::Range;
use tinsmith_plugin_api::Examples;

/// The limits that a config sets.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Longest example, in tokens.
    pub max_length: usize,
    /// What happens to a longer one.
    pub overlong: Overlong,
    /// The token that begins every text: cutting from the left keeps it where it stands first.
    pub bos: Option<i32>,
}

impl Limits {
    /// Those of a config.
    #[must_use]
    pub fn new(data: &Data, tokenizer: &Tokenizer) -> Self {
        Self { max_length: data.max_length as usize, overlong: data.overlong, bos: tokenizer.bos() }
    }

    /// Nothing is too long.
    #[must_use]
    pub fn none() -> Self {
        Self { max_length: usize::MAX, overlong: Overlong::Error, bos: None }
    }
}

/// What becomes of one example.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Its first tokens are used, all of them unless it was cut on the right.
    Used {
        /// How many.
        tokens: usize,
        /// What was cut off, if anything was.
        cut: Option<Cut>,
    },
    /// Left out: too long.
    Overlong,
    /// Left out: no token of it is trained.
    Untrained,
    /// Left out: its record is refused.
    Refused,
    /// Left out: an earlier record is the exact copy of its.
    Duplicate,
}

/// Judges batch after batch, in the order of the datasets.
#[derive(Clone, Debug)]
pub struct Judge {
    limits: Limits,
    /// The records so far, where copies are left out.
    seen: Option<Seen>,
    /// The dataset that holds what is evaluated on: its records are compared among themselves.
    held_out: Option<usize>,
}

impl Judge {
    /// By limits alone: copies are records like others.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, seen: None, held_out: None }
    }

    /// Copies are left out if `exact`. Those of the dataset `held_out` are not compared with others.
    #[must_use]
    pub fn dedupe(mut self, exact: bool, held_out: Option<usize>) -> Self {
        self.seen = exact.then(Seen::default);
        self.held_out = held_out;
        self
    }

    /// The fate of every example of a batch. With copies left out, its rows must be hashed.
    pub fn judge(&mut self, rendered: &mut Rendered) -> Vec<Fate> {
        let mut fates = judge(rendered, self.limits);
        let Some(seen) = &mut self.seen else { return fates };
        let held_out = self.held_out == Some(rendered.dataset);
        let mut copies: Option<u32> = None;
        let mut last = None;
        for (fate, record) in fates.iter_mut().zip(&rendered.examples.record) {
            if last != Some(*record) && matches!(fate, Fate::Used { .. }) {
                // Only what would be used can be a copy, or be copied.
                last = Some(*record);
                let print = rendered.prints.get(*record as usize);
                if print.is_some_and(|print| !seen.is_new(held_out, *print)) {
                    copies = Some(*record);
                }
            }
            if copies == Some(*record) {
                *fate = Fate::Duplicate;
            }
        }
        fates
    }
}

/// What was cut off an example.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// How many tokens.
    pub lost: usize,
    /// Whether trained tokens were among them.
    pub answer: bool,
    /// Whether the cut goes through an answer, which is then trained without its end.
    pub end: bool,
}

/// The fate of every example of a batch. Under [`Overlong::Error`] the records of overlong examples
/// join the refused ones; under [`Overlong::TruncateLeft`] the tokens that are cut off are gone from
/// the batch. Examples of a group share the fate of the worst.
pub fn judge(rendered: &mut Rendered, limits: Limits) -> Vec<Fate> {
    let examples = &rendered.examples;
    let mut fates: Vec<Fate> =
        (0..examples.len()).map(|i| judge_one(examples, i, limits)).collect();
    for (fate, record) in fates.iter_mut().zip(&examples.record) {
        if rendered.misfits.contains(record) {
            *fate = Fate::Refused;
        }
    }
    match limits.overlong {
        Overlong::Error => refuse_overlong(rendered, &mut fates, limits),
        Overlong::TruncateLeft => cut_left(&mut rendered.examples, limits),
        Overlong::Drop | Overlong::TruncateRight | Overlong::DropTurns => {}
    }
    together(&rendered.examples.group, &mut fates);
    fates
}

fn judge_one(examples: &Examples, i: usize, limits: Limits) -> Fate {
    let range = examples.range(i);
    let weights = &examples.weights[range.clone()];
    // Losses that read other columns may train where the weight is zero.
    let untrained =
        |w: &[f32]| w.len() < 2 || (examples.columns.is_empty() && trained_tokens(w) == 0);
    let any = |w: &[f32]| w.iter().any(|w| *w != 0.0);
    if weights.len() <= limits.max_length {
        return match untrained(weights) {
            true => Fate::Untrained,
            false => Fate::Used { tokens: weights.len(), cut: None },
        };
    }
    let (kept, lost, end) = match limits.overlong {
        Overlong::Error | Overlong::Drop | Overlong::DropTurns => return Fate::Overlong,
        Overlong::TruncateRight => {
            let (kept, lost) = weights.split_at(limits.max_length);
            let end = kept.last().is_some_and(|w| *w != 0.0) && lost[0] != 0.0;
            (kept.to_vec(), lost, end)
        }
        Overlong::TruncateLeft => {
            let lost = lost_left(&examples.tokens[range], limits);
            let kept = [&weights[..lost.start], &weights[lost.end..]].concat();
            (kept, &weights[lost], false)
        }
    };
    if untrained(&kept) {
        return Fate::Untrained;
    }
    let cut = Cut { lost: lost.len(), answer: any(lost), end };
    Fate::Used { tokens: kept.len(), cut: Some(cut) }
}

/// Which of an example's tokens a cut from the left takes: those before the last `max_length`, of
/// which a token that begins every text takes one place.
fn lost_left(tokens: &[i32], limits: Limits) -> Range<usize> {
    let over = tokens.len().saturating_sub(limits.max_length);
    let begins =
        limits.max_length > 1 && limits.bos.is_some_and(|bos| tokens.first() == Some(&bos));
    if over > 0 && begins { 1..over + 1 } else { 0..over }
}

/// Takes what [`lost_left`] names out of every example, and closes the gaps in place.
fn cut_left(examples: &mut Examples, limits: Limits) {
    let (mut start, mut to) = (0, 0);
    for i in 0..examples.len() {
        let range = start..examples.offsets[i + 1] as usize;
        start = range.end;
        let lost = lost_left(&examples.tokens[range.clone()], limits);
        let head = range.start..range.start + lost.start;
        let tail = range.start + lost.end..range.end;
        for kept in [head, tail] {
            examples.tokens.copy_within(kept.clone(), to);
            examples.weights.copy_within(kept.clone(), to);
            columns::copy_within(&mut examples.columns, &kept, to);
            to += kept.len();
        }
        examples.offsets[i + 1] = to as u64;
    }
    examples.tokens.truncate(to);
    examples.weights.truncate(to);
    columns::resize(&mut examples.columns, to);
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
        .hint(
            "raise `data.max_length`, or choose `data.overlong: drop`, `truncate_right`, \
             `truncate_left` or `drop_turns`",
        );
        let refused = rendered.lines.refuse(&row, None, error);
        rendered.refused.push(refused);
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
