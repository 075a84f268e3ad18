/*!
`data.overlong: drop_turns`: a conversation that is too long loses its oldest turns.

A turn is a message of the user with all that follows up to the next one; what stands before the first
of them is a turn as well. System messages and the last turn always stay. The record is rendered again
with what is left of its messages, so that an example is never cut within: what a shorter conversation
would have given is what is trained. How many turns must go is found by halving, since rendering is
what takes the time; it is the fewest that make every example of the record fit, as long as fewer
messages do not make more tokens. Both conversations of a preference pair lose the same number of
turns, so that they still answer the same prompt.
*/

use super::{Limits, columns, scan};
use crate::{Result, config::Overlong};
use std::ops::Range;
use tinsmith_plugin_api::{Examples, RendererHandle};

/// A record of which turns were left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shortened {
    /// Index of the row among those that were given.
    pub record: u32,
    /// Turns left out.
    pub turns: u64,
    /// Length, and trained tokens, of each example that the whole record gives.
    pub whole: Vec<(usize, usize)>,
}

/// Renders rows anew that are too long, without their oldest turns, and puts what that gives in the
/// place of their examples. Those that cannot be made to fit stay as they are. `owners` tells of each
/// record the row that it is of; they rise.
///
/// # Errors
/// If the renderer as a whole fails.
pub(super) fn shorten(
    renderer: &dyn RendererHandle,
    records: &[&str],
    owners: &[u32],
    examples: &mut Examples,
    limits: Limits,
) -> Result<Vec<Shortened>> {
    let mut shortened = Vec::new();
    if limits.overlong != Overlong::DropTurns {
        return Ok(shortened);
    }
    let is_long = |e: &Examples, i: usize| e.range(i).len() > limits.max_length;
    if !(0..examples.len()).any(|i| is_long(examples, i)) {
        return Ok(shortened);
    }
    let whole = std::mem::take(examples);
    let owner = |i: usize| owners.get(whole.record[i] as usize).copied();
    let mut next_group = 0;
    let mut i = 0;
    while i < whole.len() {
        let row = owner(i);
        let end = (i..whole.len()).find(|i| owner(*i) != row).unwrap_or(whole.len());
        let long = (i..end).any(|i| is_long(&whole, i));
        let fitting = match row.filter(|_| long) {
            Some(row) => {
                let first = owners.partition_point(|o| *o < row);
                let behind = owners.partition_point(|o| *o <= row);
                let fewer = fit(renderer, &records[first..behind], limits.max_length)?;
                fewer.map(|(turns, fewer)| (row, first as u32, turns, fewer))
            }
            None => None,
        };
        match fitting {
            Some((record, first, turns, fewer)) => {
                append(&fewer, 0..fewer.len(), first, examples, &mut next_group);
                let measure = |i| {
                    let weights = &whole.weights[whole.range(i)];
                    (weights.len(), super::trained_tokens(weights) as usize)
                };
                let whole = (i..end).map(measure).collect();
                shortened.push(Shortened { record, turns, whole });
            }
            None => append(&whole, i..end, 0, examples, &mut next_group),
        }
        i = end;
    }
    examples.errors = whole.errors;
    Ok(shortened)
}

/// The examples of a row's conversations without as few of their oldest turns as make them fit.
fn fit(
    renderer: &dyn RendererHandle,
    records: &[&str],
    max_length: usize,
) -> Result<Option<(u64, Examples)>> {
    let conversations: Option<Vec<_>> = records.iter().map(|r| Conversation::of(r)).collect();
    let Some(conversations) = conversations else { return Ok(None) };
    let without = |turns: usize| -> Result<Option<Examples>> {
        let fewer: Vec<String> = conversations.iter().map(|c| c.without(turns)).collect();
        let fewer: Vec<&str> = fewer.iter().map(String::as_str).collect();
        let examples = renderer.render_batch(&fewer)?;
        let fits = (0..examples.len()).all(|i| examples.range(i).len() <= max_length);
        let all = (0..fewer.len() as u32).all(|record| examples.record.contains(&record));
        Ok((fits && all && examples.errors.is_empty()).then_some(examples))
    };
    let most = conversations.iter().map(|c| c.turns.len().saturating_sub(1)).min();
    let (mut too_few, mut enough) = (0, most.unwrap_or(0));
    if enough == 0 {
        return Ok(None);
    }
    let Some(mut best) = without(enough)? else { return Ok(None) };
    while enough - too_few > 1 {
        let middle = too_few + (enough - too_few) / 2;
        match without(middle)? {
            Some(examples) => (enough, best) = (middle, examples),
            None => too_few = middle,
        }
    }
    Ok(Some((enough as u64, best)))
}

/// Where the messages of a record stand in its text.
struct Conversation<'a> {
    json: &'a str,
    /// The value of `messages`.
    list: Range<usize>,
    /// The messages that always stay.
    system: Vec<Range<usize>>,
    /// The others, by turn.
    turns: Vec<Vec<Range<usize>>>,
}

impl<'a> Conversation<'a> {
    /// None for a record that has no list of messages.
    fn of(json: &'a str) -> Option<Self> {
        let members = scan::members(json, 0);
        let (_, list) = members.into_iter().find(|(k, _)| scan::key(json, k) == "messages")?;
        let (mut system, mut turns) = (Vec::new(), Vec::<Vec<Range<usize>>>::new());
        for message in scan::elements(json, list.start) {
            let role = scan::members(json, message.start)
                .into_iter()
                .find(|(k, _)| scan::key(json, k) == "role")
                .map(|(_, value)| scan::key(json, &value))
                .unwrap_or_default();
            match (role.as_str(), turns.last_mut()) {
                ("system" | "developer", _) => system.push(message),
                ("user", _) | (_, None) => turns.push(vec![message]),
                (_, Some(turn)) => turn.push(message),
            }
        }
        Some(Self { json, list, system, turns })
    }

    /// The record without its oldest turns; everything else stands as it was written.
    fn without(&self, turns: usize) -> String {
        let mut kept: Vec<&Range<usize>> =
            self.system.iter().chain(self.turns[turns..].iter().flatten()).collect();
        kept.sort_by_key(|message| message.start);
        let kept: Vec<&str> = kept.into_iter().map(|m| &self.json[m.clone()]).collect();
        let (before, after) = (&self.json[..self.list.start], &self.json[self.list.end..]);
        format!("{before}[{}]{after}", kept.join(","))
    }
}

/// Appends examples, their records counted from `first_record` on. Groups are numbered on.
fn append(
    from: &Examples,
    examples: Range<usize>,
    first_record: u32,
    to: &mut Examples,
    next_group: &mut u64,
) {
    let first = examples.start;
    for i in examples {
        if i > first && from.group[i] != from.group[i - 1] {
            *next_group += 1;
        }
        let range = from.range(i);
        let start = to.tokens.len();
        to.tokens.extend_from_slice(&from.tokens[range.clone()]);
        to.weights.extend_from_slice(&from.weights[range.clone()]);
        columns::append(&mut to.columns, &from.columns, range, start);
        to.offsets.push(to.tokens.len() as u64);
        to.record.push(first_record + from.record[i]);
        to.ordinal.push(from.ordinal[i]);
        to.group.push(*next_group);
    }
    *next_group += 1;
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn turns_go_from_the_front_and_the_rest_stands_as_it_was() {
        let json = r#"{"id": 1.50, "messages": [ {"role":"system","content":"s"},
            {"role":"assistant","content":"greeting"}, {"role":"user","content":"1"},
            {"role":"assistant","content":"a"}, {"role":"tool","content":"t"},
            {"role":"user","content":"2"}, {"role":"assistant","content":"b"}], "tools": [ ]}"#;
        let conversation = Conversation::of(json).unwrap();
        assert_eq!(conversation.turns.iter().map(Vec::len).collect::<Vec<_>>(), [1, 3, 2]);
        let left = |turns| -> Vec<String> {
            let record: Value = serde_json::from_str(&conversation.without(turns)).unwrap();
            let texts = record["messages"].as_array().unwrap().iter();
            texts.map(|m| m["content"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(left(0), ["s", "greeting", "1", "a", "t", "2", "b"]);
        assert_eq!(left(1), ["s", "1", "a", "t", "2", "b"]);
        assert_eq!(left(2), ["s", "2", "b"]);
        let text = conversation.without(2);
        assert!(text.starts_with(r#"{"id": 1.50, "messages": [{"role":"system""#), "{text}");
        assert!(text.ends_with(r#"], "tools": [ ]}"#), "{text}");
        assert!(Conversation::of(&json!({"text": "x"}).to_string()).is_none());
    }
}
