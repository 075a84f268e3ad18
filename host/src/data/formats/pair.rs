//! `{"prompt": …, "completion": …}`: a string is one message, a list is messages already. Messages
//! that the line has besides are left out: the format says that the pair is what counts.

use super::{Conversation, NoRecord, build::Build, find, messages::spelling};
use crate::{
    Error,
    data::{Mapping, scan},
};

const SHAPE: &str = "each record is `{\"prompt\": …, \"completion\": …}`";

/// Maps a line.
pub(super) fn map<'l>(line: &'l str, mapping: &Mapping) -> Result<Conversation<'l>, NoRecord> {
    let members = scan::members(line, 0);
    let prompt = mapping.name(&mapping.fields.prompt, "prompt");
    let completion = mapping.name(&mapping.fields.completion, "completion");
    let mut build = Build::new(line);
    let required = |name: &str| match find(line, &members, name)? {
        Some(span) => Ok(span),
        None => Err((0, super::missing(line, name, SHAPE))),
    };
    let (asked, answered) = (required(prompt)?, required(completion)?);
    push(&mut build, line, &asked, prompt, "user", mapping)?;
    if push(&mut build, line, &answered, completion, "assistant", mapping)? == 0 {
        let error = Error::data("has no message").field(completion);
        return Err((answered.start, error.hint("remove the record, or give it an answer")));
    }
    Ok(build.finish(&members, &[prompt, completion], mapping))
}

/// A string is one message of `role`; a list is messages. Answers how many there are.
pub(super) fn push(
    build: &mut Build<'_>,
    line: &str,
    span: &std::ops::Range<usize>,
    name: &str,
    role: &str,
    mapping: &Mapping,
) -> Result<usize, NoRecord> {
    let text = &line[span.clone()];
    if text.starts_with('"') {
        build.text(role, text, name);
        return Ok(1);
    }
    if text.starts_with('[') {
        let (role, content) = (
            [mapping.name(&mapping.fields.role, "role")],
            [mapping.name(&mapping.fields.content, "content")],
        );
        return build.list(span, name, spelling(mapping, &role, &content));
    }
    let error = Error::data("must be a string or a list of messages").field(name);
    Err((span.start, error.hint("a string is one message of the user or the assistant")))
}
