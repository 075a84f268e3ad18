//! What a chat record may look like.
//!
//! ```json
//! {"messages": [{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}]}
//! {"prompt": "…", "completion": "…"}
//! ```
//!
//! A record is read twice at most: once straight into borrowed strings, and only if that fails a
//! second time into a tree (`diagnose.rs`), to name the field that is wrong.

mod diagnose;
mod raw;

use raw::{Content, Part, RawMessage, RawRecord, Text};
use serde_json::Value;
use std::borrow::Cow;
use tinsmith_plugin_api::{Error, Result};

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    System,
    User,
    Assistant,
    Tool,
}

impl Role {
    /// All roles, in the order of `role as usize`.
    pub(crate) const ALL: [Self; 4] = [Self::System, Self::User, Self::Assistant, Self::Tool];

    /// The word that records use.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

/// One message, checked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Message<'a> {
    pub(crate) role: Role,
    /// The text; text parts are joined.
    pub(crate) content: Cow<'a, str>,
    /// The record's own word on whether to train it.
    pub(crate) trainable: Option<bool>,
}

/// Whether a renderer can show tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tools {
    /// Tool calls, tool messages and tool lists are data errors.
    Refuse,
    /// They are left to the model's own template.
    Allow,
}

/// The messages of a record.
///
/// # Errors
/// A data error with the path of the field that is wrong.
pub(crate) fn parse<'a>(json: &'a str, tools: Tools) -> Result<Vec<Message<'a>>> {
    let raw: RawRecord<'a> = match serde_json::from_str(json) {
        Ok(raw) => raw,
        Err(e) => return Err(diagnose::diagnose(json, &e)),
    };
    if tools == Tools::Refuse && raw.tools.is_some_and(|tools| tools.0) {
        return Err(no_tools("lists of tools", "tools".into()));
    }
    let mut messages = Vec::new();
    let mut take = |part: Part<'a>, name: &str, role: Role| match part {
        Part::Text(text) => {
            messages.push(Message {
                role,
                content: not_empty(text, || name.into())?,
                trainable: None,
            });
            Ok(())
        }
        Part::Messages(list) => {
            if list.is_empty() {
                return Err(Error::data("is empty").at(name).with_hint("remove the record"));
            }
            messages.reserve(list.len());
            for (i, raw) in list.into_iter().enumerate() {
                let checked = raw.check(tools).map_err(|e| e.within(format!("{name}[{i}]")))?;
                messages.push(checked);
            }
            Ok(())
        }
    };
    match (raw.messages, raw.prompt, raw.completion) {
        (Some(messages), ..) => take(Part::Messages(messages), "messages", Role::User)?,
        (None, Some(prompt), Some(completion)) => {
            take(prompt, "prompt", Role::User)?;
            take(completion, "completion", Role::Assistant)?;
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
    Ok(messages)
}

/// The messages of a JSON array, for prompts. There may be none: some conversations begin with the
/// assistant.
///
/// # Errors
/// As [`parse`].
pub(crate) fn parse_messages(messages: &Value, tools: Tools) -> Result<Vec<Message<'static>>> {
    if messages.as_array().is_some_and(Vec::is_empty) {
        return Ok(Vec::new());
    }
    let json = serde_json::json!({ "messages": messages }).to_string();
    let owned = |m: Message<'_>| Message {
        role: m.role,
        content: Cow::Owned(m.content.into_owned()),
        trainable: m.trainable,
    };
    Ok(parse(&json, tools)?.into_iter().map(owned).collect())
}

fn no_tools(what: &str, field: String) -> Error {
    Error::data(format!("{what} are not part of this renderer's format"))
        .at(field)
        .with_hint("`renderer: template` shows tools as the model's own template does")
}

fn not_empty<'a>(text: Cow<'a, str>, field: impl Fn() -> String) -> Result<Cow<'a, str>> {
    if text.is_empty() {
        return Err(Error::data("is empty")
            .at(field())
            .with_hint("remove the message or the record"));
    }
    Ok(text)
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

impl<'a> RawMessage<'a> {
    fn check(self, tools: Tools) -> Result<Message<'a>> {
        let roles = "use one of system, user, assistant, tool";
        let Some(Text(role)) = self.role else {
            return Err(Error::data("is missing").at("role").with_hint(roles));
        };
        let Some(role) = Role::parse(&role) else {
            let role = format!("unknown role `{}`", quoted(&role));
            return Err(Error::data(role).at("role").with_hint(roles));
        };
        let calls = self.tool_calls.is_some_and(|calls| calls.0);
        if tools == Tools::Refuse {
            if calls {
                return Err(no_tools("tool calls", "tool_calls".into()));
            }
            if role == Role::Tool {
                return Err(no_tools("tool messages", "role".into()));
            }
        }
        let content = match self.content {
            Some(Content(text)) if calls => text,
            None if calls => Cow::Borrowed(""),
            Some(Content(text)) => not_empty(text, || "content".into())?,
            None => {
                let hint = "every message needs `content`, a string";
                return Err(Error::data("is missing").at("content").with_hint(hint));
            }
        };
        Ok(Message { role, content, trainable: self.trainable })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(json: &str) -> String {
        let e = parse(json, Tools::Refuse).unwrap_err();
        assert_eq!(e.kind(), tinsmith_plugin_api::ErrorKind::DATA, "{e}");
        assert!(e.hint().is_some(), "no hint: {e}");
        e.to_string()
    }

    #[test]
    fn strings_without_escapes_are_borrowed() {
        let json = r#"{"messages":[{"role":"user","content":"plain"},
            {"role":"assistant","content":[{"type":"text","text":"a "},{"type":"text","text":"\u00e9"}]}],
            "id": 7}"#;
        let messages = parse(json, Tools::Refuse).unwrap();
        assert!(matches!(messages[0].content, Cow::Borrowed("plain")));
        assert_eq!(messages[1].content, "a é");
    }

    #[test]
    fn a_prompt_and_its_completion_are_a_conversation() {
        let messages = parse(r#"{"prompt":"q","completion":"a"}"#, Tools::Refuse).unwrap();
        assert_eq!((messages[0].role, messages[1].role), (Role::User, Role::Assistant));
        let lists = r#"{"prompt":[{"role":"system","content":"s"},{"role":"user","content":"q"}],
            "completion":[{"role":"assistant","content":"a"}]}"#;
        assert_eq!(parse(lists, Tools::Refuse).unwrap().len(), 3);
        // Published sets carry the prompt a second time beside the messages.
        let both = r#"{"prompt":"x","messages":[{"role":"user","content":"q"}]}"#;
        assert_eq!(parse(both, Tools::Refuse).unwrap().len(), 1);
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
