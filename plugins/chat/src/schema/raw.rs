//! Records as they stand: types, and strings borrowed where they hold no escapes. Errors from here
//! carry no path; `diagnose.rs` finds it.

use super::message::{Content, Part};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::Value;
use std::{borrow::Cow, fmt};

/// A record as it stands, with the types right but nothing else checked. Other keys are ignored:
/// data sets carry ids, sources and scores.
#[derive(Deserialize)]
pub(super) struct RawRecord<'a> {
    #[serde(borrow)]
    pub(super) messages: Option<Vec<RawMessage<'a>>>,
    #[serde(borrow)]
    pub(super) prompt: Option<Spoken<'a>>,
    #[serde(borrow)]
    pub(super) completion: Option<Spoken<'a>>,
    pub(super) tools: Option<Vec<Value>>,
}

/// Keys of messages under which other programs keep what is trained or said. To leave them out
/// would change what a record means, so a message that has one is refused.
pub(super) const REFUSED: [(&str, &str); 15] = [
    ("function_call", "write it as `tool_calls`"),
    ("unparsed_tool_calls", "write the text of the call into `content`, or remove the message"),
    ("refusal", "write the refusal as `content`"),
    ("audio", "only text can be rendered"),
    ("image", "only text can be rendered"),
    ("images", "only text can be rendered"),
    ("video", "only text can be rendered"),
    ("videos", "only text can be rendered"),
    ("train", "write it as `weight` (0 is not trained) or `trainable`"),
    ("training", "write it as `weight` (0 is not trained) or `trainable`"),
    ("loss", "write it as `weight` (0 is not trained) or `trainable`"),
    ("loss_weight", "write it as `weight`"),
    ("mask", "write it as `weight` (0 is not trained) or `trainable`"),
    ("prefix", "an answer that was begun by others cannot be rendered"),
    ("partial", "an answer that was begun by others cannot be rendered"),
];

/// Keys under which data sets keep the reasoning before an answer.
pub(super) const REASONING: [&str; 3] = ["reasoning_content", "reasoning", "thinking"];

/// A message as it stands.
#[derive(Default)]
pub(super) struct RawMessage<'a> {
    pub(super) role: Option<Text<'a>>,
    pub(super) content: Option<Content<'a>>,
    pub(super) trainable: Option<bool>,
    pub(super) weight: Option<f64>,
    pub(super) tool_calls: Option<Vec<Value>>,
    pub(super) tool_call_id: Option<Text<'a>>,
    pub(super) name: Option<Text<'a>>,
    /// Index in [`REASONING`], and the text.
    pub(super) reasoning: Option<(usize, Cow<'a, str>)>,
    /// Index in [`REFUSED`] of a key that has a value.
    pub(super) refused: Option<usize>,
}

impl<'de: 'a, 'a> Deserialize<'de> for RawMessage<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = RawMessage<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a message")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut message = RawMessage::default();
                let mut seen = 0u32;
                while let Some(Text(key)) = map.next_key::<Text<'de>>()? {
                    let key = key.as_ref();
                    if let Some(bit) = KNOWN.iter().position(|known| *known == key) {
                        if seen & (1 << bit) != 0 {
                            return Err(A::Error::custom(format!("duplicate field `{key}`")));
                        }
                        seen |= 1 << bit;
                    }
                    match key {
                        "role" => message.role = map.next_value()?,
                        "content" => message.content = map.next_value()?,
                        "trainable" => message.trainable = map.next_value()?,
                        "weight" => message.weight = map.next_value()?,
                        "tool_calls" => message.tool_calls = map.next_value()?,
                        "tool_call_id" => message.tool_call_id = map.next_value()?,
                        "name" => message.name = map.next_value()?,
                        _ => other(key, &mut map, &mut message)?,
                    }
                }
                Ok(message)
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

/// Keys that may stand once.
const KNOWN: [&str; 7] =
    ["role", "content", "trainable", "weight", "tool_calls", "tool_call_id", "name"];

fn other<'de, A: MapAccess<'de>>(
    key: &str,
    map: &mut A,
    message: &mut RawMessage<'de>,
) -> Result<(), A::Error> {
    if let Some(kind) = REASONING.iter().position(|known| *known == key) {
        let text: Option<Text<'de>> = map.next_value()?;
        if let Some(Text(text)) = text.filter(|Text(text)| !text.is_empty()) {
            if message.reasoning.is_some() {
                return Err(A::Error::custom(format!("a second reasoning under `{key}`")));
            }
            message.reasoning = Some((kind, text));
        }
        return Ok(());
    }
    match REFUSED.iter().position(|(known, _)| *known == key) {
        Some(refused) => {
            if says(&map.next_value()?) {
                message.refused = Some(refused);
            }
        }
        None => {
            map.next_value::<IgnoredAny>()?;
        }
    }
    Ok(())
}

/// Whether a value says something: column formats fill in nulls and empty lists for absent keys.
pub(super) fn says(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

/// A string, borrowed where it holds no escapes.
#[derive(Deserialize)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

#[derive(Deserialize)]
struct RawPart<'a> {
    #[serde(borrow)]
    r#type: Cow<'a, str>,
    #[serde(borrow)]
    text: Option<Text<'a>>,
    #[serde(borrow)]
    thinking: Option<Text<'a>>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Content<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Content<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a list of parts")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Content::Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Content::Text(Cow::Owned(text.to_owned())))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut parts = Vec::new();
                while let Some(part) = seq.next_element::<RawPart<'de>>()? {
                    parts.push(match (part.r#type.as_ref(), part.text, part.thinking) {
                        ("text", Some(Text(text)), _) => Part::Text(text),
                        ("thinking", _, Some(Text(text))) => Part::Thinking(text),
                        _ => return Err(A::Error::custom("a part that cannot be rendered")),
                    });
                }
                Ok(Content::Parts(parts))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// A prompt or a completion: a string, or messages.
pub(super) enum Spoken<'a> {
    Text(Cow<'a, str>),
    Messages(Vec<RawMessage<'a>>),
}

impl<'de: 'a, 'a> Deserialize<'de> for Spoken<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Spoken<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a list of messages")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Spoken::Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Spoken::Text(Cow::Owned(text.to_owned())))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut messages = Vec::new();
                while let Some(message) = seq.next_element()? {
                    messages.push(message);
                }
                Ok(Spoken::Messages(messages))
            }
        }
        deserializer.deserialize_any(Either)
    }
}
