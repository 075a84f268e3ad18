/*!
`{"prompt": …, "chosen": …, "rejected": …}`: one prompt and two answers, as strings or messages. It
becomes two conversations that stay together in one batch, the chosen one first.

Published sets also come without a prompt, or with the prompt a second time at the head of both
answers: then the answers are whole conversations.
*/

use super::{
    Conversation, NoRecord,
    build::{Build, Members},
    find,
    pair::push,
};
use crate::{
    Error,
    data::{Mapping, scan},
};
use serde_json::Value;
use std::ops::Range;

const SHAPE: &str = "each record is `{\"prompt\": …, \"chosen\": …, \"rejected\": …}`";

/// Maps a line: chosen, rejected.
pub(super) fn map<'l>(line: &'l str, mapping: &Mapping) -> Result<[Conversation<'l>; 2], NoRecord> {
    let members = scan::members(line, 0);
    let fields = &mapping.fields;
    let prompt = find(line, &members, mapping.name(&fields.prompt, "prompt"))?;
    let prompt = prompt.filter(|span| &line[span.clone()] != "null");
    let answer = |name: &str| match find(line, &members, name)? {
        Some(span) => one(line, &members, prompt.as_ref(), &span, name, mapping),
        None => Err((0, super::missing(line, name, SHAPE))),
    };
    let chosen = answer(mapping.name(&fields.chosen, "chosen"))?;
    let rejected = answer(mapping.name(&fields.rejected, "rejected"))?;
    Ok([chosen, rejected])
}

fn one<'l>(
    line: &'l str,
    members: &Members,
    prompt: Option<&Range<usize>>,
    answer: &Range<usize>,
    name: &str,
    mapping: &Mapping,
) -> Result<Conversation<'l>, NoRecord> {
    let fields = &mapping.fields;
    let prompt_name = mapping.name(&fields.prompt, "prompt");
    let mut build = Build::new(line);
    let whole = line[answer.clone()].starts_with('[') && is_whole(&line[answer.clone()], mapping);
    match prompt {
        Some(prompt) if !whole => {
            push(&mut build, line, prompt, prompt_name, "user", mapping)?;
        }
        Some(prompt) if !repeats(&line[answer.clone()], &line[prompt.clone()], mapping) => {
            let error = Error::data("begins with a prompt of its own").field(name);
            let hint = "give the answers alone, or whole conversations without `prompt`";
            return Err((answer.start, error.hint(hint)));
        }
        None if !whole => return Err((0, super::missing(line, prompt_name, SHAPE))),
        _ => {}
    }
    if push(&mut build, line, answer, name, "assistant", mapping)? == 0 {
        let error = Error::data("has no message").field(name);
        return Err((answer.start, error.hint("remove the record, or give it an answer")));
    }
    let taken = [
        prompt_name,
        mapping.name(&fields.chosen, "chosen"),
        mapping.name(&fields.rejected, "rejected"),
    ];
    Ok(build.finish(members, &taken, mapping))
}

fn spoken<'v>(message: &'v Value, mapping: &Mapping) -> (String, &'v Value) {
    let role = message[mapping.name(&mapping.fields.role, "role")].as_str().unwrap_or_default();
    let role = mapping.roles.get(role).map_or(role, String::as_str);
    (role.to_owned(), &message[mapping.name(&mapping.fields.content, "content")])
}

/// Whether these messages begin before the answer.
fn is_whole(list: &str, mapping: &Mapping) -> bool {
    let messages: Vec<Value> = serde_json::from_str(list).unwrap_or_default();
    messages.first().is_some_and(|first| {
        matches!(spoken(first, mapping).0.as_str(), "user" | "system" | "developer")
    })
}

/// Whether whole conversations hold the prompt: a text is one of the user's messages, a list their
/// beginning.
fn repeats(list: &str, prompt: &str, mapping: &Mapping) -> bool {
    let messages: Vec<Value> = serde_json::from_str(list).unwrap_or_default();
    match serde_json::from_str::<Value>(prompt) {
        Ok(Value::Array(prompt)) => messages.starts_with(&prompt),
        Ok(text) => messages.iter().any(|m| {
            let (role, content) = spoken(m, mapping);
            role == "user" && *content == text
        }),
        Err(_) => false,
    }
}
