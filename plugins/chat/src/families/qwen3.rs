//! `qwen3`, `qwen3_disable_thinking` and `qwen3_instruct`: ChatML with thinking and tool calls.
//!
//! The line break after a turn belongs to the header of the next one: the model ends its turn with
//! `<|im_end|>` and is not asked to write more. An answer that is produced begins with a thinking
//! block, be it empty; an answer of the history has none, unless its text holds one.

use super::chatml::Tokens;
use crate::{
    chat::Chat,
    config::ChatConfig,
    family::{Family, Place},
    python,
    response::{
        blocks::{self, Stretch, THINK, Tags},
        calls::Calls,
    },
    schema::{Content, Message, Part, Role, Shows, Talk, Tool},
    writer::Writer,
};
use serde_json::{Value, json};
use std::{fmt, marker::PhantomData};
use tinsmith_plugin_api::{Error, Result, Services, Special, Stop};

/// What tells the renderers of the family apart.
pub trait Variant: fmt::Debug + Send + Sync + 'static {
    /// The renderer's name.
    const NAME: &'static str;
    /// One sentence for `plugins show`.
    const SUMMARY: &'static str;
    /// Whether an answer that is produced begins with a thinking block.
    const FRAMES: bool;
    /// Whether that block is empty, and the prompt's.
    const CLOSED: bool;
}

macro_rules! variant {
    ($(#[$doc:meta])* $name:ident: $id:literal, $summary:literal, $frames:literal, $closed:literal) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name;

        impl Variant for $name {
            const NAME: &'static str = $id;
            const SUMMARY: &'static str = $summary;
            const FRAMES: bool = $frames;
            const CLOSED: bool = $closed;
        }
    };
}

variant!(/** Thinks. */ Thinking: "qwen3", "Qwen3 that thinks", true, false);
variant!(
    /** Does not think. */
    Closed: "qwen3_disable_thinking", "Qwen3 with thinking turned off", true, true
);
variant!(
    /** Knows no thinking. */
    Instruct: "qwen3_instruct", "Qwen3 Instruct (2507), which does not think", false, false
);

/// `qwen3`
pub type Qwen3 = Chat<Format<Thinking>>;
/// `qwen3_disable_thinking`
pub type Qwen3DisableThinking = Chat<Format<Closed>>;
/// `qwen3_instruct`
pub type Qwen3Instruct = Chat<Format<Instruct>>;

pub(super) const EMPTY_BLOCK: &str = "<think>\n\n</think>\n\n";
pub(super) const CALL: Tags = ("<tool_call>", "</tool_call>");

/// The tokens of Qwen3.
#[derive(Debug)]
pub struct Format<V> {
    chatml: Tokens,
    closed: [Vec<i32>; 2],
    variant: PhantomData<V>,
}

impl<V: Variant> Family for Format<V> {
    const NAME: &'static str = V::NAME;
    const SUMMARY: &'static str = V::SUMMARY;
    const SHOWS: Shows = Shows::ALL;
    const EXTENDS: bool = !V::FRAMES;
    const CLOSES_THINKING: bool = V::CLOSED;

    fn new(_config: &ChatConfig, services: &Services) -> Result<Self> {
        let closed = |before: &str| {
            let text = format!("{before}<|im_start|>assistant\n{EMPTY_BLOCK}");
            services.encode_with(&text, Special::Parse)
        };
        let closed = [closed("")?, closed("\n")?];
        Ok(Self { chatml: Tokens::new(services)?, closed, variant: PhantomData })
    }

    fn open<'a>(&self, talk: Talk<'a>) -> Result<Vec<Message<'a>>> {
        Ok(super::with_tools(talk, |tools, system| {
            if system.is_empty() {
                return announce(tools);
            }
            format!("{system}\n\n{}", announce(tools))
        }))
    }

    fn header(&self, at: &Place<'_>, to: &mut Writer<'_>) -> Result<()> {
        to.tokens(self.chatml.header(at)).map(drop)
    }

    fn output(&self, at: &Place<'_>, to: &mut Writer<'_>) -> Result<()> {
        if V::CLOSED
            && at.answers()
            && at.last
            && at.last_user.is_none()
            && !at.message.content.is_empty()
        {
            return Err(Error::data(
                "answers no user, so the format has no place for its thinking",
            )
            .with_hint("add a user message, or choose `renderer: qwen3`"));
        }
        let frames = V::FRAMES && at.answers() && at.last && at.last_user.is_some();
        to.text(&self.said(at, frames)?);
        to.control(self.chatml.end).map(drop)
    }

    fn prompt(&self, at: &Place<'_>, to: &mut Writer<'_>) -> Result<()> {
        if V::CLOSED {
            return to.tokens(&self.closed[usize::from(at.index > 0)]).map(drop);
        }
        self.header(at, to)
    }

    fn stop(&self) -> Stop {
        Stop { tokens: vec![self.chatml.end], strings: Vec::new() }
    }

    fn message(&self, text: &str) -> Value {
        let mut calls = Calls::default();
        let mut content = json!(text);
        if text.contains(THINK.0) || text.contains(CALL.0) {
            content =
                Value::Array(read(text, V::FRAMES, |inner, whole| calls.object(inner, whole)));
        }
        calls.unclosed(text, CALL);
        let mut message = json!({"role": "assistant", "content": content});
        calls.into_message(&mut message);
        message
    }
}

impl<V: Variant> Format<V> {
    /// The text of a message.
    fn said(&self, at: &Place<'_>, frames: bool) -> Result<String> {
        let message = at.message;
        let strips = at.answers() && !at.last;
        let mut said = match &message.content {
            Content::Parts(parts) => joined(parts, frames, strips),
            // An inline block is spelt as the format spells it.
            Content::Text(text) if frames => match text.split_once(THINK.1) {
                Some((before, after)) => {
                    let thinking = before.rsplit_once(THINK.0).map_or(before, |(_, inner)| inner);
                    framed(thinking) + after.trim_start_matches('\n')
                }
                None => text.to_string(),
            },
            Content::Text(text) => text.to_string(),
        };
        let speaks = !said.is_empty();
        if frames && !message.content.thinks() {
            said = EMPTY_BLOCK.to_owned() + said.trim_start_matches('\n');
        }
        if message.role == Role::Tool {
            said = format!("<tool_response>\n{said}\n</tool_response>");
        }
        for (i, call) in message.calls.iter().enumerate() {
            let arguments = call.parsed().map_err(|e| e.within(format!("tool_calls[{i}]")))?;
            let payload = json!({"name": call.name, "arguments": arguments});
            let payload = python::json(&payload, python::DUMPS);
            let between = if speaks || i > 0 { "\n" } else { "" };
            said += &format!("{between}<tool_call>\n{payload}\n</tool_call>");
        }
        Ok(said)
    }
}

fn joined(parts: &[Part<'_>], frames: bool, strips: bool) -> String {
    let mut said = String::new();
    let mut framed_before = false;
    for part in parts {
        match part {
            Part::Thinking(_) if strips => {}
            Part::Thinking(text) if frames => {
                said += &framed(text);
                framed_before = true;
            }
            Part::Thinking(text) => said += &format!("<think>{text}</think>"),
            Part::Text(text) | Part::Control(_, text) => {
                said += if framed_before { text.trim_start_matches('\n') } else { text };
                framed_before = false;
            }
        }
    }
    said
}

fn framed(thinking: &str) -> String {
    format!("<think>\n{}\n</think>\n\n", thinking.trim_matches('\n'))
}

/// The parts of an answer; `call` is given what stands in and around call tags. Where thinking is
/// `framed`, the line breaks of the frame are no content.
pub(super) fn read(text: &str, framed: bool, mut call: impl FnMut(&str, &str)) -> Vec<Value> {
    let mut parts = Vec::new();
    let mut after_block = false;
    for stretch in blocks::cut(text, &[THINK, CALL]) {
        match stretch {
            Stretch::Text(text) if framed && after_block => {
                parts.push(blocks::text_part(text.trim_start_matches('\n')));
                after_block = false;
            }
            Stretch::Text(text) => parts.push(blocks::text_part(text)),
            Stretch::Block { kind: 0, inner, .. } => {
                let thinking = if framed { inner.trim_matches('\n') } else { inner };
                if !thinking.is_empty() {
                    parts.push(blocks::thinking_part(thinking));
                }
                after_block |= !inner.is_empty();
            }
            Stretch::Block { inner, whole, .. } => call(inner, whole),
        }
    }
    parts
}

fn announce(tools: &[Tool]) -> String {
    let line = |tool: &Tool| {
        python::json(&json!({"type": "function", "function": tool.function}), python::DUMPS)
    };
    let lines: Vec<String> = tools.iter().map(line).collect();
    format!(
        "# Tools\n\nYou may call one or more functions to assist with the user query.\n\nYou are \
         provided with function signatures within <tools></tools> XML tags:\n<tools>\n{}\n\
         </tools>\n\nFor each function call, return a json object with function name and arguments \
         within <tool_call></tool_call> XML tags:\n<tool_call>\n{{\"name\": <function-name>, \
         \"arguments\": <args-json-object>}}\n</tool_call>",
        lines.join("\n")
    )
}
