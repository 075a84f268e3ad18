/*!
What a line is, and how it becomes `{"messages": […]}`.

The line is checked to be one JSON object in one pass; its fields are mapped as text, so that nothing
that a renderer may want (tools, flags, keys unknown to us) is lost or rewritten on the way.
*/

use super::scan;
use crate::{Error, config::Format};
use serde::de::{Deserializer as _, IgnoredAny, MapAccess, Visitor};
use std::{borrow::Cow, fmt, ops::Range};

/// A line as a renderer gets it.
#[derive(Debug)]
pub struct Mapped<'a> {
    /// The JSON object.
    pub json: Cow<'a, str>,
    /// Where the messages of a `prompt` and `completion` pair came from.
    origin: Option<Origin>,
}

/// How many messages the prompt and the completion gave; None: a string gave one.
#[derive(Clone, Copy, Debug)]
struct Origin {
    prompt: Option<usize>,
    completion: Option<usize>,
}

/// Why a line is no record: byte of the line, and the error.
pub type NoRecord = (usize, Error);

/// Maps a line.
///
/// # Errors
/// Where in the line it is wrong, and how.
pub fn map_record(line: &str, format: Format) -> Result<Mapped<'_>, NoRecord> {
    let keys = keys(line)?;
    let pair = keys.prompt || keys.completion;
    let format = match format {
        Format::Auto if keys.messages && pair => {
            return Err((
                0,
                Error::data("has `messages` and also `prompt` or `completion`")
                    .hint("set `format: messages` or `format: prompt_completion` for this dataset"),
            ));
        }
        Format::Auto if keys.messages => Format::Messages,
        Format::Auto if pair => Format::PromptCompletion,
        Format::Auto => {
            return Err((0, Error::data(
                "has neither `messages` nor `prompt` and `completion`"
            ).hint("each line is `{\"messages\": [{\"role\": …, \"content\": …}]}`; set `format: record` if the renderer reads other fields")));
        }
        named => named,
    };
    match format {
        Format::Messages if !keys.messages => Err((0, missing("messages"))),
        Format::PromptCompletion => pair_to_messages(line),
        _ => Ok(Mapped { json: Cow::Borrowed(line), origin: None }),
    }
}

impl Mapped<'_> {
    /// Whether the renderer gets the line itself, so that its columns are the line's.
    #[must_use]
    pub fn is_as_in_line(&self) -> bool {
        matches!(self.json, Cow::Borrowed(_))
    }

    /// The path of a field as the line spells it: of a pair, `messages[0].content` is `prompt`.
    #[must_use]
    pub fn field_in_line<'a>(&self, field: &'a str) -> Cow<'a, str> {
        self.origin.and_then(|o| o.field(field)).map_or(Cow::Borrowed(field), Cow::Owned)
    }
}

impl Origin {
    fn field(self, field: &str) -> Option<String> {
        let rest = field.strip_prefix("messages[")?;
        let (index, rest) = rest.split_once(']')?;
        let index: usize = index.parse().ok()?;
        let prompts = self.prompt.unwrap_or(1);
        let (name, list, index) = if index < prompts {
            ("prompt", self.prompt.is_some(), index)
        } else {
            ("completion", self.completion.is_some(), index - prompts)
        };
        // A string gave a whole message: the part of it that is meant is the string.
        Some(if list { format!("{name}[{index}]{rest}") } else { name.to_owned() })
    }
}

fn missing(field: &str) -> Error {
    Error::data("is missing").field(field).hint(match field {
        "messages" => "each line is `{\"messages\": [{\"role\": …, \"content\": …}]}`",
        _ => "each line is `{\"prompt\": …, \"completion\": …}`",
    })
}

/// `{"prompt": P, "completion": C, …}` as `{"messages": […], …}`. Messages that the line has besides
/// are left out: the format says that the pair is what counts.
fn pair_to_messages(line: &str) -> Result<Mapped<'_>, NoRecord> {
    let members = scan::members(line, 0);
    let find = |name: &str| {
        let mut found = members.iter().filter(|(k, _)| scan::key(line, k) == name);
        let (_, value) = found.next().ok_or_else(|| (0, missing(name)))?;
        match found.next() {
            None => Ok(value.clone()),
            Some((again, _)) => {
                let error = Error::data("stands twice").field(name).hint("write every key once");
                Err((again.start, error))
            }
        }
    };
    let (prompt, completion) = (find("prompt")?, find("completion")?);
    let mut json = String::with_capacity(line.len() + 64);
    json.push_str("{\"messages\":[");
    let prompt_count = push_messages(line, &prompt, "prompt", "user", &mut json)?;
    if prompt_count != Some(0) {
        json.push(',');
    }
    let completion_count = push_messages(line, &completion, "completion", "assistant", &mut json)?;
    if completion_count == Some(0) {
        let error = Error::data("has no message").field("completion");
        return Err((completion.start, error.hint("remove the record, or give it an answer")));
    }
    json.push(']');
    for (k, value) in &members {
        if matches!(scan::key(line, k).as_str(), "prompt" | "completion" | "messages") {
            continue;
        }
        json.push(',');
        json.push_str(&line[k.clone()]);
        json.push(':');
        json.push_str(&line[value.clone()]);
    }
    json.push('}');
    let origin = Origin { prompt: prompt_count, completion: completion_count };
    Ok(Mapped { json: Cow::Owned(json), origin: Some(origin) })
}

/// A string is one message of `role`; a list is messages already, and their number is answered.
fn push_messages(
    line: &str,
    span: &Range<usize>,
    name: &str,
    role: &str,
    json: &mut String,
) -> Result<Option<usize>, NoRecord> {
    let text = &line[span.clone()];
    if text.starts_with('"') {
        json.push_str("{\"role\":\"");
        json.push_str(role);
        json.push_str("\",\"content\":");
        json.push_str(text);
        json.push('}');
        return Ok(None);
    }
    if text.starts_with('[') {
        json.push_str(text[1..text.len() - 1].trim());
        return Ok(Some(scan::elements(line, span.start).len()));
    }
    let error = Error::data("must be a string or a list of messages").field(name);
    Err((span.start, error.hint("a string is one message of the user or the assistant")))
}

/// Which of the known keys a line has.
#[derive(Clone, Copy, Debug, Default)]
struct Keys {
    messages: bool,
    prompt: bool,
    completion: bool,
}

/// Checks that a line is one JSON object.
fn keys(line: &str) -> Result<Keys, NoRecord> {
    let mut json = serde_json::Deserializer::from_str(line);
    let keys = json.deserialize_any(TopLevel).and_then(|keys| json.end().map(|()| keys));
    match keys {
        Ok(Ok(keys)) => Ok(keys),
        Ok(Err(found)) => {
            let error = Error::data(format!("a record must be a JSON object, found {found}"));
            let hint = match found {
                "an array" => "JSON Lines holds one object a line, not one array",
                _ => "each line is an object, such as `{\"messages\": […]}`",
            };
            Err((0, error.hint(hint)))
        }
        Err(e) => Err(not_json(line, &e)),
    }
}

/// serde's position as a byte of the line.
fn not_json(line: &str, e: &serde_json::Error) -> NoRecord {
    let text = e.to_string();
    let message = text.split(" at line ").next().unwrap_or(&text);
    let error = Error::data(format!("not JSON: {message}"));
    // serde's column counts the bytes up to the offending one.
    let mut at = e.column().saturating_sub(1).min(line.len());
    while !line.is_char_boundary(at) {
        at -= 1;
    }
    let hint = if e.is_eof() {
        "a record must stand on one line"
    } else {
        "each line must be one JSON object; write it with a JSON library"
    };
    (at, error.hint(hint))
}

struct TopLevel;

impl<'de> Visitor<'de> for TopLevel {
    /// The kind of what is no object.
    type Value = Result<Keys, &'static str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut keys = Keys::default();
        while let Some(key) = map.next_key::<Cow<'_, str>>()? {
            match key.as_ref() {
                "messages" => keys.messages = true,
                "prompt" => keys.prompt = true,
                "completion" => keys.completion = true,
                _ => {}
            }
            map.next_value::<IgnoredAny>()?;
        }
        Ok(Ok(keys))
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Err("an array"))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Err("null"))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Err("a boolean"))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Err("a number"))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Err("a number"))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Err("a number"))
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(Err("a string"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn mapped(line: &str) -> Value {
        serde_json::from_str(&map_record(line, Format::Auto).unwrap().json).unwrap()
    }

    fn refused(line: &str) -> (usize, String) {
        let (at, error) = map_record(line, Format::Auto).unwrap_err();
        assert!(error.hint.is_some(), "no hint: {error}");
        (at, error.to_string())
    }

    #[test]
    fn messages_pass_as_they_are() {
        let line = r#"{"messages": [{"role":"user","content":"é"}], "tools": [1]}"#;
        let record = map_record(line, Format::Auto).unwrap();
        assert!(matches!(record.json, Cow::Borrowed(text) if text == line));
    }

    #[test]
    fn a_pair_becomes_messages_and_keeps_the_rest() {
        let line = r#"{"id": 7, "prompt": "a\n\"b", "completion":"c", "tools":[{"x":1}]}"#;
        assert_eq!(
            mapped(line),
            json!({"messages": [{"role": "user", "content": "a\n\"b"},
                                {"role": "assistant", "content": "c"}],
                   "id": 7, "tools": [{"x": 1}]})
        );
        let record = map_record(line, Format::Auto).unwrap();
        assert_eq!(record.field_in_line("messages[0].content"), "prompt");
        assert_eq!(record.field_in_line("messages[1].content"), "completion");
        assert_eq!(record.field_in_line("tools"), "tools");
    }

    /// The format is what the error about both of them tells the user to set.
    #[test]
    fn messages_beside_a_pair_give_way_to_it() {
        let line = r#"{"messages": [{"role":"user","content":"m"}], "prompt": "p",
            "completion": "c", "id": 1}"#;
        let record = map_record(line, Format::PromptCompletion).unwrap();
        assert_eq!(record.json.matches("\"messages\"").count(), 1, "{}", record.json);
        let found: Value = serde_json::from_str(&record.json).unwrap();
        assert_eq!(found["messages"][0]["content"], "p");
        assert_eq!(found["id"], 1);
    }

    #[test]
    fn a_prompt_that_stands_twice_is_refused() {
        let line = r#"{"prompt": "a", "completion": "c", "pr\u006fmpt": "b"}"#;
        assert_eq!(refused(line), (35, "`prompt`: stands twice".into()));
    }

    #[test]
    fn lists_of_messages_are_joined() {
        let line = r#"{"prompt": [{"role":"system","content":"s"}, {"role":"user","content":"u"}],
            "completion": [ {"role":"assistant","content":"a"} ]}"#;
        assert_eq!(mapped(line)["messages"].as_array().unwrap().len(), 3);
        let record = map_record(line, Format::Auto).unwrap();
        assert_eq!(record.field_in_line("messages[1].role"), "prompt[1].role");
        assert_eq!(record.field_in_line("messages[2].content"), "completion[0].content");
        let empty = r#"{"prompt": [], "completion": "c"}"#;
        assert_eq!(mapped(empty), json!({"messages": [{"role": "assistant", "content": "c"}]}));
    }

    #[test]
    fn what_is_no_record_is_told_by_its_place() {
        assert_eq!(refused(r#"{"a": }"#), (6, "not JSON: expected value".into()));
        assert_eq!(refused("{\"messages\": [").1, "not JSON: EOF while parsing a list");
        assert_eq!(refused("{} {}"), (3, "not JSON: trailing characters".into()));
        assert_eq!(refused("[1]").1, "a record must be a JSON object, found an array");
        assert_eq!(refused("3").1, "a record must be a JSON object, found a number");
        assert_eq!(
            refused(r#"{"prompt": 3, "completion": "c"}"#),
            (11, "`prompt`: must be a string or a list of messages".into())
        );
        assert_eq!(refused(r#"{"prompt": "p"}"#).1, "`completion`: is missing");
        assert_eq!(
            refused(r#"{"prompt": "p", "completion": []}"#).1,
            "`completion`: has no message"
        );
        assert!(refused(r#"{"text": "t"}"#).1.starts_with("has neither `messages`"));
        assert!(refused(r#"{"messages": [], "prompt": ""}"#).1.starts_with("has `messages` and"));
    }

    #[test]
    fn records_pass_whatever_they_hold() {
        assert_eq!(
            map_record(r#"{"question": 1}"#, Format::Record).unwrap().json,
            r#"{"question": 1}"#
        );
        assert!(map_record("nope", Format::Record).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_mapped_or_refused_within_itself(line in "\\PC{0,60}") {
            if let Err((at, _)) = map_record(&line, Format::Auto) {
                prop_assert!(line.is_char_boundary(at));
            }
        }

        #[test]
        fn any_pair_gives_its_texts(p in any::<String>(), c in any::<String>()) {
            let line = json!({"prompt": p, "completion": c}).to_string();
            let found = mapped(&line);
            prop_assert_eq!(&found["messages"][0]["content"], &json!(p));
            prop_assert_eq!(&found["messages"][1]["content"], &json!(c));
        }
    }
}
