//! What a chat record may look like.
//!
//! ```json
//! {"messages": [{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}]}
//! {"prompt": "…", "completion": "…"}
//! ```
//!
//! A record is read twice at most: once straight into borrowed strings, and only if that fails a
//! second time into a tree (`diagnose.rs`), to name the field that is wrong.

mod check;
mod diagnose;
mod message;
mod raw;

pub(crate) use diagnose::unreadable;
pub(crate) use message::{Content, Message, Part, Role, Talk, Tool, ToolCall};

use raw::{RawRecord, Spoken};
use serde_json::Value;
use tinsmith_plugin_api::{Error, Result};

/// What a renderer can show beside texts of system, user and assistant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shows {
    /// Tool lists, tool calls and tool messages.
    pub(crate) tools: bool,
    /// What the assistant thought, apart from what it said.
    pub(crate) thinking: bool,
    /// Messages of the developer.
    pub(crate) developer: bool,
    /// Whether somebody else reads the record, who knows more than the checks here.
    pub(crate) opaque: bool,
}

impl Shows {
    /// Texts alone.
    pub(crate) const TEXT: Self =
        Self { tools: false, thinking: false, developer: false, opaque: false };
    /// Tools and thinking as well.
    pub(crate) const ALL: Self = Self { tools: true, thinking: true, ..Self::TEXT };
    /// What a model's own template makes of it.
    pub(crate) const TEMPLATE: Self = Self { developer: true, opaque: true, ..Self::TEXT };
}

/// The conversation of a record.
///
/// # Errors
/// A data error with the path of the field that is wrong.
pub(crate) fn parse(json: &str, shows: Shows) -> Result<Talk<'_>> {
    let raw: RawRecord<'_> = match serde_json::from_str(json) {
        Ok(raw) => raw,
        Err(e) => return Err(diagnose::diagnose(json, &e)),
    };
    let tools = check::tools(raw.tools.unwrap_or_default(), shows)?;
    let mut messages = Vec::new();
    match (raw.messages, raw.prompt, raw.completion) {
        (Some(list), ..) => check::messages(list, "messages", shows, &mut messages)?,
        (None, Some(prompt), Some(completion)) => {
            spoken(prompt, "prompt", Role::User, shows, &mut messages)?;
            spoken(completion, "completion", Role::Assistant, shows, &mut messages)?;
        }
        (None, prompt, completion) => {
            let missing = match (prompt, completion) {
                (Some(_), None) => "completion",
                (None, Some(_)) => "prompt",
                _ => "messages",
            };
            return Err(Error::data("is missing")
                .at(missing)
                .with_hint("a record holds `messages`, or `prompt` and `completion`"));
        }
    }
    Ok(Talk { messages, tools })
}

/// The conversation that a prompt is for: a JSON array of messages, or an object with `messages` and
/// `tools`. There may be no messages: some conversations begin with the assistant. `json` keeps the
/// text that the conversation borrows from.
///
/// # Errors
/// As [`parse`].
pub(crate) fn parse_prompt<'a>(
    given: &Value,
    shows: Shows,
    json: &'a mut String,
) -> Result<Talk<'a>> {
    let (messages, tools) = match given {
        Value::Object(fields) => (&given["messages"], fields.get("tools")),
        messages => (messages, None),
    };
    *json = serde_json::json!({ "messages": messages, "tools": tools }).to_string();
    if messages.as_array().is_some_and(Vec::is_empty) {
        let raw: RawRecord<'_> =
            serde_json::from_str(json).map_err(|e| diagnose::diagnose(json, &e))?;
        let tools = check::tools(raw.tools.unwrap_or_default(), shows)?;
        return Ok(Talk { messages: Vec::new(), tools });
    }
    parse(json, shows)
}

fn spoken<'a>(
    spoken: Spoken<'a>,
    name: &str,
    role: Role,
    shows: Shows,
    out: &mut Vec<Message<'a>>,
) -> Result<()> {
    match spoken {
        Spoken::Text(text) if text.is_empty() => Err(check::empty().at(name)),
        Spoken::Text(text) => {
            out.push(Message::new(role, text));
            Ok(())
        }
        Spoken::Messages(list) => check::messages(list, name, shows, out),
    }
}

/// A word of the record as an error shows it: in one line, and cut where it is no word.
fn quoted(text: &str) -> String {
    const SHOWN: usize = 40;
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown.escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::borrow::Cow;

    fn refused(json: &str) -> String {
        let e = parse(json, Shows::TEXT).unwrap_err();
        assert_eq!(e.kind(), tinsmith_plugin_api::ErrorKind::DATA, "{e}");
        assert!(e.hint().is_some(), "no hint: {e}");
        e.to_string()
    }

    #[test]
    fn strings_without_escapes_are_borrowed() {
        let json = r#"{"messages":[{"role":"user","content":"plain"},
            {"role":"assistant","content":[{"type":"text","text":"a "},{"type":"text","text":"\u00e9"}]}],
            "id": 7}"#;
        let messages = parse(json, Shows::TEXT).unwrap().messages;
        let plain = Content::Text(Cow::Borrowed("plain"));
        assert_eq!(messages[0].content, plain);
        assert!(matches!(messages[0].content, Content::Text(Cow::Borrowed(_))));
        assert_eq!(messages[1].content.text(), "a é");
    }

    #[test]
    fn a_prompt_and_its_completion_are_a_conversation() {
        let pair = r#"{"prompt":"q","completion":"a"}"#;
        let messages = parse(pair, Shows::TEXT).unwrap().messages;
        assert_eq!((messages[0].role, messages[1].role), (Role::User, Role::Assistant));
        let lists = r#"{"prompt":[{"role":"system","content":"s"},{"role":"user","content":"q"}],
            "completion":[{"role":"assistant","content":"a"}]}"#;
        assert_eq!(parse(lists, Shows::TEXT).unwrap().messages.len(), 3);
        // Published sets carry the prompt a second time beside the messages.
        let both = r#"{"prompt":"x","messages":[{"role":"user","content":"q"}]}"#;
        assert_eq!(parse(both, Shows::TEXT).unwrap().messages.len(), 1);
    }

    #[test]
    fn every_mistake_names_its_field() {
        let rows = [
            (r#"[1]"#, "must be a JSON object, found an array"),
            (r#"{}"#, "`messages`: is missing"),
            (r#"{"prompt":"q"}"#, "`completion`: is missing"),
            (r#"{"prompt":"","completion":"a"}"#, "`prompt`: is empty"),
            (
                r#"{"prompt":1,"completion":"a"}"#,
                "`prompt`: must be a string or a list of messages, found a number",
            ),
            (r#"{"messages":[]}"#, "`messages`: is empty"),
            (r#"{"messages":"hi"}"#, "`messages`: must be a list of messages, found a string"),
            (r#"{"messages":[7]}"#, "`messages[0]`: must be an object, found a number"),
            (r#"{"messages":[{"content":"x"}]}"#, "`messages[0].role`: is missing"),
            (
                r#"{"messages":[{"role":3,"content":"x"}]}"#,
                "`messages[0].role`: must be a string, found a number",
            ),
            (
                r#"{"messages":[{"role":"human","content":"x"}]}"#,
                "`messages[0].role`: unknown role `human`",
            ),
            (r#"{"messages":[{"role":"user"}]}"#, "`messages[0].content`: is missing"),
            (
                r#"{"messages":[{"role":"user","content":null}]}"#,
                "`messages[0].content`: is missing",
            ),
            (r#"{"messages":[{"role":"user","content":""}]}"#, "`messages[0].content`: is empty"),
            (
                r#"{"messages":[{"role":"user","content":{"a":1}}]}"#,
                "`messages[0].content`: must be a string or a list of text parts, found an object",
            ),
            (
                r#"{"messages":[{"role":"user","content":[{"type":"image","url":"x"}]}]}"#,
                "`messages[0].content[0].type`: `image` parts cannot be rendered",
            ),
            (
                r#"{"messages":[{"role":"user","content":[{"type":"text"}]}]}"#,
                "`messages[0].content[0].text`: must be a string, found nothing",
            ),
            (
                r#"{"messages":[{"role":"user","content":["x"]}]}"#,
                "`messages[0].content[0]`: must be an object, found a string",
            ),
            (
                r#"{"messages":[{"role":"user","content":"x","trainable":1}]}"#,
                "`messages[0].trainable`: must be true or false, found a number",
            ),
            (
                r#"{"messages":[{"role":"tool","content":"x"}]}"#,
                "`messages[0].role`: tool messages are not part of this renderer's format",
            ),
            (
                r#"{"messages":[{"role":"assistant","tool_calls":[{}]}]}"#,
                "`messages[0].tool_calls`: tool calls are not part of this renderer's format",
            ),
            (
                r#"{"messages":[{"role":"user","content":"x"}],"tools":[{}]}"#,
                "`tools`: lists of tools are not part of this renderer's format",
            ),
            (r#"{"prompt":[{"role":"user"}],"completion":"x"}"#, "`prompt[0].content`: is missing"),
        ];
        for (json, expected) in rows {
            assert_eq!(refused(json), expected, "{json}");
        }
    }

    #[test]
    fn text_that_is_no_json_is_told_by_place() {
        assert_eq!(refused(r#"{"messages": [}"#), "expected value at line 1 column 15");
        let surrogate = r#"{"messages":[{"role":"user","content":"\ud800"}]}"#;
        assert_eq!(refused(surrogate), "unexpected end of hex escape at line 1 column 46");
    }

    #[test]
    fn a_key_that_stands_twice_is_refused() {
        let twice = r#"{"messages":[{"role":"user","role":"system","content":"x"}]}"#;
        assert_eq!(refused(twice), "duplicate field `role` at line 1 column 34");
    }

    #[test]
    fn a_long_role_is_cut_in_the_error() {
        let json = format!(r#"{{"messages":[{{"role":"{}","content":"x"}}]}}"#, "é".repeat(999));
        let expected = format!("`messages[0].role`: unknown role `{}…`", "é".repeat(40));
        assert_eq!(refused(&json), expected);
    }
}
