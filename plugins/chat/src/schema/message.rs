//! What a renderer sees of a record, checked.

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
    /// The system's place in formats that keep `system` for the model's maker.
    Developer,
    /// A list of tools as a message of its own. Renderers write it; records give `tools`.
    ToolDeclare,
    /// What the model's maker says. Renderers write it; records cannot.
    Maker,
}

impl Role {
    /// The roles of every format, in the order of `role as usize`.
    pub(crate) const COMMON: [Self; 4] = [Self::System, Self::User, Self::Assistant, Self::Tool];

    /// The word that records use.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::System | Self::Maker => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
            Self::Developer => "developer",
            Self::ToolDeclare => "tool_declare",
        }
    }

    pub(super) fn parse(name: &str) -> Option<Self> {
        let mut known = Self::COMMON.into_iter().chain([Self::Developer]);
        known.find(|role| role.name() == name)
    }
}

/// A conversation and the tools it may use.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Talk<'a> {
    pub(crate) messages: Vec<Message<'a>>,
    pub(crate) tools: Vec<Tool>,
}

/// One message.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Message<'a> {
    pub(crate) role: Role,
    pub(crate) content: Content<'a>,
    /// What the assistant calls.
    pub(crate) calls: Vec<ToolCall<'a>>,
    /// Of a tool message: the call it answers.
    pub(crate) call_id: Option<Cow<'a, str>>,
    /// Of a tool message: the function that was called.
    pub(crate) name: Option<Cow<'a, str>>,
    /// The record's own word on whether to train it.
    pub(crate) trainable: Option<bool>,
    /// The record's own word on how much it counts where it is trained.
    pub(crate) weight: Option<f32>,
}

impl<'a> Message<'a> {
    /// A message that says `text` and nothing else.
    pub(crate) fn new(role: Role, text: impl Into<Cow<'a, str>>) -> Self {
        Self {
            role,
            content: Content::Text(text.into()),
            calls: Vec::new(),
            call_id: None,
            name: None,
            trainable: None,
            weight: None,
        }
    }

    /// How much the message counts where it is trained.
    pub(crate) fn factor(&self) -> f32 {
        self.weight.unwrap_or(1.0)
    }

    /// Whether the record itself says that the message is trained.
    pub(crate) fn flagged(&self) -> bool {
        self.trainable.unwrap_or(self.weight.is_some()) && self.factor() > 0.0
    }
}

/// What a message says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Content<'a> {
    /// A string, in which some formats read `<think>` tags.
    Text(Cow<'a, str>),
    /// A list of parts, in which tags are text.
    Parts(Vec<Part<'a>>),
}

/// A part of a content.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Part<'a> {
    Text(Cow<'a, str>),
    Thinking(Cow<'a, str>),
    /// A control token in the midst of a text. Renderers write it; records cannot.
    Control(i32, Cow<'a, str>),
}

impl From<String> for Content<'_> {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl Content<'_> {
    /// The text, without thinking parts.
    pub(crate) fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Parts(parts) => join(parts.iter().filter_map(|part| match part {
                Part::Text(text) | Part::Control(_, text) => Some(text.as_ref()),
                Part::Thinking(_) => None,
            })),
        }
    }

    /// What thinking parts hold.
    pub(crate) fn thinking(&self) -> Cow<'_, str> {
        match self {
            Self::Text(_) => Cow::Borrowed(""),
            Self::Parts(parts) => join(parts.iter().filter_map(|part| match part {
                Part::Thinking(text) => Some(text.as_ref()),
                Part::Text(_) | Part::Control(..) => None,
            })),
        }
    }

    /// Whether there is a thinking part, or a `<think>` tag in a string.
    pub(crate) fn thinks(&self) -> bool {
        match self {
            Self::Text(text) => text.contains("<think>"),
            Self::Parts(parts) => parts.iter().any(|part| matches!(part, Part::Thinking(_))),
        }
    }

    /// Whether it says nothing at all, not even an empty part.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Text(text) => text.is_empty(),
            Self::Parts(parts) => parts.is_empty(),
        }
    }
}

fn join<'a>(mut texts: impl Iterator<Item = &'a str>) -> Cow<'a, str> {
    let mut joined = Cow::Borrowed(texts.next().unwrap_or_default());
    texts.for_each(|text| joined += text);
    joined
}

/// A call of a function.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ToolCall<'a> {
    pub(crate) id: Option<Cow<'a, str>>,
    pub(crate) name: Cow<'a, str>,
    /// The arguments, JSON as the record spells it.
    pub(crate) arguments: Cow<'a, str>,
}

impl ToolCall<'_> {
    /// The arguments as a tree.
    ///
    /// # Errors
    /// A data error if they are not JSON; its path begins behind `tool_calls[…]`.
    pub(crate) fn parsed(&self) -> Result<Value> {
        serde_json::from_str(&self.arguments).map_err(|e| {
            Error::data(format!("is not JSON: {e}"))
                .at("function.arguments")
                .with_hint(r#"write the arguments as a JSON object, such as "{}""#)
        })
    }
}

/// A tool that the assistant may call.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tool {
    /// `name`, `description`, `parameters` and what else the record says of the function, in the
    /// record's order.
    pub(crate) function: Value,
}

impl Tool {
    /// The name.
    pub(crate) fn name(&self) -> &str {
        self.function["name"].as_str().unwrap_or_default()
    }
}
