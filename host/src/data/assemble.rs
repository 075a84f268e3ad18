/*!
The examples of a batch in the order of its rows, whoever made them: a renderer, or the host.

The two examples of a pair get one group, the chosen one first. Most batches hold nothing but single
conversations; those are what the renderer answered, and nothing is copied.
*/

use super::{columns, made::Made};
use crate::Error;
use std::ops::Range;
use tinsmith_plugin_api::Examples;

/// What gives the examples of one row.
#[derive(Debug)]
pub(super) enum Unit {
    /// The conversation of this index that the renderer was given.
    One(u32),
    /// Two of them, from this index on.
    Pair(u32),
    /// The host made it.
    Made(Made),
}

/// Whether what the renderer answered is the whole, row by row.
pub(super) fn is_whole(units: &[Unit]) -> bool {
    units.iter().all(|unit| matches!(unit, Unit::One(_)))
}

/// Puts together what the renderer answered and what the host made; `record` becomes the index of
/// the row. Answers rows whose pair is no pair as well.
pub(super) fn assemble(units: &[Unit], from: &Examples) -> (Examples, Vec<(u32, Error)>) {
    let mut out = Examples::default();
    let mut refused = Vec::new();
    let (mut next, mut group) = (0, 0);
    for (row, unit) in (0..).zip(units) {
        match unit {
            Unit::Made(made) => {
                out.tokens.extend_from_slice(&made.tokens);
                out.weights.extend_from_slice(&made.weights);
                for (name, values) in &made.columns {
                    out.column(name, values);
                }
                finish(&mut out, row, 0, group);
                group += 1;
            }
            Unit::One(conversation) => {
                let mut last = None;
                for (ordinal, i) in (0..).zip(of(from, &mut next, *conversation)) {
                    if last.is_some_and(|last| last != from.group[i]) {
                        group += 1;
                    }
                    last = Some(from.group[i]);
                    copy(&mut out, from, i);
                    finish(&mut out, row, ordinal, group);
                }
                group += 1;
            }
            Unit::Pair(first) => {
                let (chosen, rejected) =
                    (of(from, &mut next, *first), of(from, &mut next, first + 1));
                match (chosen.len(), rejected.len()) {
                    // Refused, or skipped by the renderer as a whole.
                    (0, 0) => {}
                    (1, 1) => {
                        for (ordinal, i) in (0..).zip([chosen.start, rejected.start]) {
                            copy(&mut out, from, i);
                            finish(&mut out, row, ordinal, group);
                        }
                        group += 1;
                    }
                    // One of the two is refused: the row has its error already, or none.
                    (0, _) | (_, 0) => refused.push((row, no_pair(0))),
                    (a, b) => refused.push((row, no_pair(a.max(b)))),
                }
            }
        }
    }
    (out, refused)
}

fn no_pair(examples: usize) -> Error {
    match examples {
        0 => Error::data("the renderer makes an example of one of the two answers only")
            .hint("remove the record"),
        n => Error::data(format!("the renderer splits an answer into {n} examples")).hint(
            "a pair is two examples; set `split: never` of the renderer, or train the last turn",
        ),
    }
}

/// The examples of a conversation; they rise by it.
fn of(from: &Examples, next: &mut usize, conversation: u32) -> Range<usize> {
    let behind = |at: &usize| from.record.get(*at).is_some_and(|r| *r < conversation);
    while behind(next) {
        *next += 1;
    }
    let start = *next;
    while from.record.get(*next) == Some(&conversation) {
        *next += 1;
    }
    start..*next
}

fn copy(out: &mut Examples, from: &Examples, i: usize) {
    let (range, start) = (from.range(i), out.tokens.len());
    out.tokens.extend_from_slice(&from.tokens[range.clone()]);
    out.weights.extend_from_slice(&from.weights[range.clone()]);
    columns::append(&mut out.columns, &from.columns, range, start);
}

fn finish(out: &mut Examples, row: u32, ordinal: u32, group: u64) {
    let before = out.len();
    out.finish();
    if out.len() > before {
        (out.record[before], out.ordinal[before], out.group[before]) = (row, ordinal, group);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tinsmith_plugin_api::{Column, ColumnData};

    fn rendered(records: &[u32]) -> Examples {
        let mut out = Examples::default();
        for (i, record) in records.iter().enumerate() {
            out.span(&[i as i32, 7], 1.0);
            finish(&mut out, *record, 0, i as u64);
        }
        out
    }

    #[test]
    fn rows_keep_their_order_and_pairs_their_group() {
        let made = Made {
            tokens: vec![90, 91],
            weights: vec![0.0, 1.0],
            columns: vec![("advantages".into(), vec![0.0, 0.5])],
        };
        // Conversation 1 gave two examples, conversation 4 none.
        let units = [Unit::Pair(2), Unit::One(4), Unit::Made(made), Unit::One(5), Unit::Pair(6)];
        let (out, refused) = assemble(&units, &rendered(&[2, 3, 5, 5, 6, 7]));
        assert!(refused.is_empty());
        assert_eq!(out.record, [0, 0, 2, 3, 3, 4, 4]);
        assert_eq!(out.ordinal, [0, 1, 0, 0, 1, 0, 1]);
        let firsts: Vec<i32> = (0..out.len()).map(|i| out.tokens[out.range(i).start]).collect();
        assert_eq!(firsts, [0, 1, 90, 2, 3, 4, 5]);
        let groups = &out.group;
        assert!(groups[0] == groups[1] && groups[5] == groups[6]);
        assert!(groups[1] < groups[2] && groups[2] < groups[3] && groups[3] < groups[4]);
        let ColumnData::F32(advantages) = &out.columns[0].data else { panic!("f32") };
        assert_eq!(advantages.len(), out.tokens.len());
        assert_eq!(advantages[4..6], [0.0, 0.5]);
    }

    #[test]
    fn half_a_pair_is_refused() {
        let (out, refused) = assemble(&[Unit::Pair(0)], &rendered(&[0]));
        assert_eq!((out.len(), refused.len()), (0, 1));
        let (out, refused) = assemble(&[Unit::Pair(0)], &rendered(&[0, 0, 1]));
        assert_eq!(out.len(), 0);
        assert!(refused[0].1.message.contains("into 2 examples"));
    }

    /// A renderer may fill in whole numbers as well; beside a pair they went missing once.
    #[test]
    fn columns_of_either_kind_come_along() {
        let mut from = rendered(&[0, 1]);
        let data = ColumnData::I64(vec![10, 11, 12, 13]);
        from.columns.push(Column { name: "turn".into(), data });
        let (out, refused) = assemble(&[Unit::Pair(0)], &from);
        assert!(refused.is_empty());
        assert_eq!(out.columns[0].data, ColumnData::I64(vec![10, 11, 12, 13]));
    }
}
