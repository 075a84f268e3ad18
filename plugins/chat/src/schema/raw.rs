//! Records as they stand: types, and strings borrowed where they hold no escapes. Errors from here
//! carry no path; `diagnose.rs` finds it.

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, IgnoredAny, SeqAccess, Visitor},
};
use std::{borrow::Cow, fmt};

/// A record as it stands, with the types right but nothing else checked. Other keys are ignored:
/// data sets carry ids, sources and scores.
#[derive(Deserialize)]
pub(super) struct RawRecord<'a> {
    #[serde(borrow)]
    pub(super) messages: Option<Vec<RawMessage<'a>>>,
    #[serde(borrow)]
    pub(super) prompt: Option<Part<'a>>,
    #[serde(borrow)]
    pub(super) completion: Option<Part<'a>>,
    pub(super) tools: Option<Something>,
}

#[derive(Deserialize)]
pub(super) struct RawMessage<'a> {
    #[serde(borrow)]
    pub(super) role: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) content: Option<Content<'a>>,
    pub(super) trainable: Option<bool>,
    pub(super) tool_calls: Option<Something>,
}

/// A string, borrowed where it holds no escapes.
#[derive(Deserialize)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// Whether there is something: not an empty list or object.
pub(super) struct Something(pub(super) bool);

impl<'de> Deserialize<'de> for Something {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Something;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Something, A::Error> {
                let mut some = false;
                while seq.next_element::<IgnoredAny>()?.is_some() {
                    some = true;
                }
                Ok(Something(some))
            }
        }
        deserializer.deserialize_seq(Any)
    }
}

/// The content of a message: a string or a list of text parts, joined.
pub(super) struct Content<'a>(pub(super) Cow<'a, str>);

#[derive(Deserialize)]
struct ContentPart<'a> {
    #[serde(borrow)]
    r#type: Cow<'a, str>,
    #[serde(borrow)]
    text: Cow<'a, str>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Content<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Content<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a list of text parts")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Content(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Content(Cow::Owned(text.to_owned())))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut joined = Cow::Borrowed("");
                while let Some(part) = seq.next_element::<ContentPart<'de>>()? {
                    if part.r#type != "text" {
                        return Err(A::Error::custom("only text parts can be rendered"));
                    }
                    joined += part.text;
                }
                Ok(Content(joined))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// A prompt or a completion: a string, or messages.
pub(super) enum Part<'a> {
    Text(Cow<'a, str>),
    Messages(Vec<RawMessage<'a>>),
}

impl<'de: 'a, 'a> Deserialize<'de> for Part<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Part<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a list of messages")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Part::Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Part::Text(Cow::Owned(text.to_owned())))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut messages = Vec::new();
                while let Some(message) = seq.next_element()? {
                    messages.push(message);
                }
                Ok(Part::Messages(messages))
            }
        }
        deserializer.deserialize_any(Either)
    }
}
