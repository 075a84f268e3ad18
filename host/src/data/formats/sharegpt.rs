/*!
`{"conversations": [{"from": "human", "value": …}, {"from": "gpt", "value": …}]}`, with `system` and
`tools` beside it where a line has them.

Lists under that name that speak of `role` and `content` are as common, and read as well.
*/

use super::{
    Conversation, NoRecord,
    build::{Build, Spelling},
    find,
};
use crate::data::{Mapping, scan};

/// What its roles mean. A `function_call` is an assistant's message with tool calls.
const WORDS: &[(&str, &str)] = &[
    ("human", "user"),
    ("user", "user"),
    ("gpt", "assistant"),
    ("assistant", "assistant"),
    ("chatgpt", "assistant"),
    ("model", "assistant"),
    ("system", "system"),
    ("tool", "tool"),
    ("observation", "tool"),
    ("function_call", "assistant"),
];

const SHAPE: &str =
    "each record is `{\"conversations\": [{\"from\": \"human\", \"value\": …}, …]}`";

/// Maps a line.
pub(super) fn map<'l>(line: &'l str, mapping: &Mapping) -> Result<Conversation<'l>, NoRecord> {
    let members = scan::members(line, 0);
    let fields = &mapping.fields;
    let name = mapping.name(&fields.messages, "conversations");
    let system = mapping.name(&fields.system, "system");
    let Some(list) = find(line, &members, name)? else {
        return Err((0, super::missing(line, name, SHAPE)));
    };
    if !line[list.clone()].starts_with('[') {
        return Err((list.start, super::wrong("a list of messages", name, SHAPE)));
    }
    let mut build = Build::new(line);
    if let Some((_, text)) = super::text(line, &members, system, SHAPE)? {
        build.text("system", text, system);
    }
    let (role, content): ([&str; 2], [&str; 2]) = (
        [mapping.name(&fields.role, "from"), "role"],
        [mapping.name(&fields.content, "value"), "content"],
    );
    let spelling =
        Spelling { role: &role, content: &content, roles: &mapping.roles, words: Some(WORDS) };
    if build.list(&list, name, spelling)? == 0 {
        return Err((list.start, super::empty(name)));
    }
    Ok(build.finish(&members, &[name, system], mapping))
}
