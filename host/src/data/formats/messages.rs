//! `{"messages": [{"role": …, "content": …}, …]}`: what renderers read. Under its own names a line
//! passes as it is, unless its tools are JSON within a text.

use super::{
    Conversation, NoRecord,
    build::{Build, Spelling},
    find,
};
use crate::data::{Mapping, scan};
use std::borrow::Cow;

/// Maps a line that has the list.
pub(super) fn map<'l>(line: &'l str, mapping: &Mapping) -> Result<Conversation<'l>, NoRecord> {
    if mapping.is_plain() && !has_tools_in_text(line) {
        return Ok(Conversation { json: Cow::Borrowed(line), origin: None });
    }
    let members = scan::members(line, 0);
    let name = mapping.name(&mapping.fields.messages, "messages");
    let Some(list) = find(line, &members, name)? else {
        return Err((0, super::missing(line, name, super::MESSAGES)));
    };
    if !line[list.clone()].starts_with('[') {
        return Err((list.start, super::wrong("a list of messages", name, super::MESSAGES)));
    }
    let mut build = Build::new(line);
    build.list(
        &list,
        name,
        spelling(
            mapping,
            &[mapping.name(&mapping.fields.role, "role")],
            &[mapping.name(&mapping.fields.content, "content")],
        ),
    )?;
    Ok(build.finish(&members, &[name], mapping))
}

/// Tables cannot hold tools of several shapes, and so write them as JSON within a text.
fn has_tools_in_text(line: &str) -> bool {
    line.contains("\"tools\"")
        && scan::members(line, 0)
            .iter()
            .any(|(k, v)| scan::key(line, k) == "tools" && line[v.clone()].starts_with('"'))
}

/// Messages under the dataset's names, or the format's.
pub(super) fn spelling<'m>(
    mapping: &'m Mapping,
    role: &'m [&'m str],
    content: &'m [&'m str],
) -> Spelling<'m> {
    Spelling { role, content, roles: &mapping.roles, words: None }
}
