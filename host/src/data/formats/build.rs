//! Writes a mapped record: messages first, then what else the line has, all as text of the line, so
//! that nothing that a renderer may want is lost or rewritten on the way.

use super::{
    NoRecord, calls, near,
    origin::{Origin, Part},
};
use crate::{
    Error,
    data::{Mapping, scan},
};
use std::{borrow::Cow, collections::BTreeMap, ops::Range};

/// Spans of a line's members: key and value.
pub(super) type Members = [(Range<usize>, Range<usize>)];

/// How messages of a list are spelled.
#[derive(Clone, Copy)]
pub(super) struct Spelling<'m> {
    /// What `role` may be called; the first that a message has counts.
    pub(super) role: &'m [&'m str],
    /// What `content` may be called.
    pub(super) content: &'m [&'m str],
    /// What the dataset says that roles mean.
    pub(super) roles: &'m BTreeMap<String, String>,
    /// What the format says that they mean, if it has words of its own: others are refused.
    pub(super) words: Option<&'static [(&'static str, &'static str)]>,
}

/// The record in the making.
pub(super) struct Build<'l> {
    line: &'l str,
    json: String,
    origin: Origin,
    any: bool,
}

impl<'l> Build<'l> {
    pub(super) fn new(line: &'l str) -> Self {
        let mut json = String::with_capacity(line.len() + 64);
        json.push_str("{\"messages\":[");
        Self { line, json, origin: Origin::default(), any: false }
    }

    fn comma(&mut self) {
        if self.any {
            self.json.push(',');
        }
        self.any = true;
    }

    /// A message whose content is this JSON text.
    pub(super) fn text(&mut self, role: &str, json: &str, field: &str) {
        self.comma();
        self.message(role, json);
        self.origin.parts.push(Part::Text(field.to_owned()));
    }

    fn message(&mut self, role: &str, json: &str) {
        self.json.push_str("{\"role\":\"");
        self.json.push_str(role);
        self.json.push_str("\",\"content\":");
        self.json.push_str(json);
        self.json.push('}');
    }

    /// Pairs of question and answer, as JSON texts.
    pub(super) fn turns(&mut self, turns: &[[&str; 2]], field: &str) {
        for [question, answer] in turns {
            self.comma();
            self.message("user", question);
            self.json.push(',');
            self.message("assistant", answer);
        }
        self.origin.parts.push(Part::Turns(field.to_owned(), turns.len()));
    }

    /// The messages of a list.
    pub(super) fn list(
        &mut self,
        span: &Range<usize>,
        field: &str,
        spelling: Spelling<'_>,
    ) -> Result<usize, NoRecord> {
        let elements = scan::elements(self.line, span.start);
        for (i, element) in elements.iter().enumerate() {
            self.comma();
            self.one(element, spelling).map_err(|(at, error)| {
                let within = error.field.clone().unwrap_or_default();
                (at, error.field(format!("{field}[{i}]{within}")))
            })?;
        }
        self.origin.parts.push(Part::List(field.to_owned(), elements.len()));
        let named = |names: &[&str], own: &str| {
            names.first().filter(|name| **name != own).map(|name| (*name).to_owned())
        };
        self.origin.role = named(spelling.role, "role");
        self.origin.content = named(spelling.content, "content");
        Ok(elements.len())
    }

    /// One message of a list. What is no message goes on as it is: the renderer refuses it.
    fn one(&mut self, span: &Range<usize>, spelling: Spelling<'_>) -> Result<(), NoRecord> {
        let line = self.line;
        let members = scan::members(line, span.start);
        let find = |names: &[&str]| {
            let of = |name: &str| members.iter().position(|(k, _)| scan::key(line, k) == name);
            names.iter().find_map(|name| of(name))
        };
        let (role, content) = (find(spelling.role), find(spelling.content));
        if members.is_empty() || (role.is_none() && content.is_none()) {
            self.json.push_str(&line[span.clone()]);
            return Ok(());
        }
        let mut written = false;
        self.json.push('{');
        for (i, (k, value)) in members.iter().enumerate() {
            let name = scan::key(line, k);
            let text = &line[value.clone()];
            let (key, text) = if Some(i) == role {
                let (word, mapped) = self.role(value, spelling)?;
                if word.as_deref() == Some("function_call") && spelling.words.is_some() {
                    // Its content is the call.
                    let content = content.map(|c| members[c].1.clone());
                    let calls = calls::of(line, content)
                        .map_err(|(at, e)| (at, e.field(format!(".{}", spelling.content[0]))))?;
                    (Cow::Borrowed("\"role\":\"assistant\",\"tool_calls\""), Cow::Owned(calls))
                } else {
                    (Cow::Borrowed("\"role\""), mapped)
                }
            } else if Some(i) == content {
                let call = role.is_some_and(|r| line[members[r].1.clone()] == *"\"function_call\"");
                let text = if call && spelling.words.is_some() { "\"\"" } else { text };
                (Cow::Borrowed("\"content\""), Cow::Borrowed(text))
            } else if matches!(name.as_str(), "role" | "content") {
                // The dataset says that others count.
                continue;
            } else {
                (Cow::Borrowed(&line[k.clone()]), Cow::Borrowed(text))
            };
            if written {
                self.json.push(',');
            }
            written = true;
            self.json.push_str(&key);
            self.json.push(':');
            self.json.push_str(&text);
        }
        self.json.push('}');
        Ok(())
    }

    /// The word of a role and what it means, as JSON.
    fn role(
        &self,
        span: &Range<usize>,
        spelling: Spelling<'_>,
    ) -> Result<(Option<String>, Cow<'l, str>), NoRecord> {
        let text = &self.line[span.clone()];
        let Ok(word) = serde_json::from_str::<String>(text) else {
            return Ok((None, Cow::Borrowed(text)));
        };
        let meant = spelling.roles.get(&word).map(String::as_str).or_else(|| {
            let words = spelling.words.unwrap_or_default();
            words.iter().find(|(w, _)| *w == word).map(|(_, role)| *role)
        });
        match meant {
            Some(meant) => {
                let json = serde_json::Value::from(meant).to_string();
                Ok((Some(word), Cow::Owned(json)))
            }
            None if spelling.words.is_none() => Ok((Some(word), Cow::Borrowed(text))),
            None => {
                let words: Vec<&str> =
                    spelling.words.unwrap_or_default().iter().map(|(w, _)| *w).collect();
                let error = Error::data(format!("unknown role `{}`", near::word(&word)))
                    .field(format!(".{}", spelling.role[0]))
                    .hint(match crate::text::nearest(&word, words.iter().copied()) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => format!(
                            "use one of {}, or map it with `roles` of the dataset",
                            words.join(", ")
                        ),
                    });
                Err((span.start, error))
            }
        }
    }

    /// Ends the messages and adds the members that are not in `taken`.
    pub(super) fn finish(
        mut self,
        members: &Members,
        taken: &[&str],
        mapping: &Mapping,
    ) -> super::Conversation<'l> {
        self.json.push(']');
        let tools = mapping.name(&mapping.fields.tools, "tools");
        for (k, value) in members {
            let name = scan::key(self.line, k);
            if name == "messages" || (taken.contains(&name.as_str()) && name != tools) {
                continue;
            }
            self.json.push(',');
            let text = &self.line[value.clone()];
            if name != tools {
                // The dataset says that another key holds the tools.
                if name == "tools" {
                    self.json.pop();
                    continue;
                }
                self.json.push_str(&self.line[k.clone()]);
                self.json.push(':');
                self.json.push_str(text);
                continue;
            }
            self.json.push_str("\"tools\":");
            // ShareGPT's and Parquet's tools are JSON within a text.
            match serde_json::from_str::<String>(text) {
                Ok(inner) if serde_json::from_str::<Vec<serde_json::Value>>(&inner).is_ok() => {
                    self.json.push_str(&inner);
                }
                Ok(inner) if inner.trim().is_empty() => self.json.push_str("null"),
                _ => self.json.push_str(text),
            }
        }
        self.json.push('}');
        if tools != "tools" {
            self.origin.tools = Some(tools.to_owned());
        }
        super::Conversation { json: Cow::Owned(self.json), origin: Some(self.origin) }
    }
}
