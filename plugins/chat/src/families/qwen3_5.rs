//! `qwen3_5`, `qwen3_5_disable_thinking` and `qwen3_5_preserve_thinking`: Qwen3.5 and Qwen3.6.
//!
//! As Qwen3, but the prompt opens the thinking block (or closes an empty one), contents are trimmed,
//! calls are written as XML, and the results of several calls share one turn of the user. Every
//! answer behind the last user message has a thinking block, be it empty.

mod xml;

use super::{chatml::Tokens, qwen3};
use crate::{
    chat::Chat,
    config::ChatConfig,
    family::{Family, Place},
    python,
    response::{
        blocks::THINK,
        calls::{Calls, Object},
    },
    schema::{Content, Message, Part, Role, Shows, Talk, Tool},
    writer::Writer,
};
use serde_json::{Value, json};
use std::{borrow::Cow, fmt, marker::PhantomData};
use tinsmith_plugin_api::{Error, Result, Services, Special, Stop};

/// What tells the renderers of the family apart.
pub trait Variant: fmt::Debug + Send + Sync + 'static {
    /// The renderer's name.
    const NAME: &'static str;
    /// One sentence for `plugins show`.
    const SUMMARY: &'static str;
    /// Whether the prompt closes the thinking block that it opens.
    const CLOSED: bool = false;
    /// Whether answers of the history keep their thinking.
    const KEEPS: bool = false;
}

/// Thinks.
#[derive(Debug)]
pub struct Thinking;

impl Variant for Thinking {
    const NAME: &'static str = "qwen3_5";
    const SUMMARY: &'static str = "Qwen3.5 and 3.6 that think";
}

/// Does not think.
#[derive(Debug)]
pub struct Closed;

impl Variant for Closed {
    const NAME: &'static str = "qwen3_5_disable_thinking";
    const SUMMARY: &'static str = "Qwen3.5 and 3.6 with thinking turned off";
    const CLOSED: bool = true;
}

/// Thinks, and remembers what it thought.
#[derive(Debug)]
pub struct Keeping;

impl Variant for Keeping {
    const NAME: &'static str = "qwen3_5_preserve_thinking";
    const SUMMARY: &'static str = "Qwen3.5 and 3.6 that think and are shown their old thinking";
    const KEEPS: bool = true;
}

/// `qwen3_5`
pub type Qwen35 = Chat<Format<Thinking>>;
/// `qwen3_5_disable_thinking`
pub type Qwen35DisableThinking = Chat<Format<Closed>>;
/// `qwen3_5_preserve_thinking`
pub type Qwen35PreserveThinking = Chat<Format<Keeping>>;

/// The tokens of Qwen3.5.
#[derive(Debug)]
pub struct Format<V> {
    chatml: Tokens,
    /// The answer's header with the block's beginning, and with an empty block: in front, and later.
    open: [Vec<i32>; 2],
    closed: [Vec<i32>; 2],
    /// What follows `open` where nothing is thought.
    rest: Vec<i32>,
    line: Vec<i32>,
    think: Vec<i32>,
    end_think: Vec<i32>,
    variant: PhantomData<V>,
}

impl<V: Variant> Family for Format<V> {
    const NAME: &'static str = V::NAME;
    const SUMMARY: &'static str = V::SUMMARY;
    const SHOWS: Shows = Shows::ALL;
    const EXTENDS: bool = false;
    const CLOSES_THINKING: bool = V::CLOSED;

    fn new(_config: &ChatConfig, services: &Services) -> Result<Self> {
        let encode = |text: &str| services.encode_with(text, Special::Parse);
        let headers = |block: &str| {
            let header = format!("<|im_start|>assistant\n{block}");
            Ok::<_, Error>([encode(&header)?, encode(&format!("\n{header}"))?])
        };
        Ok(Self {
            chatml: Tokens::new(services)?,
            open: headers("<think>\n")?,
            closed: headers(qwen3::EMPTY_BLOCK)?,
            rest: encode("\n</think>\n\n")?,
            line: encode("\n")?,
            think: encode("<think>\n")?,
            end_think: encode(THINK.1)?,
            variant: PhantomData,
        })
    }

    fn open<'a>(&self, talk: Talk<'a>) -> Result<Vec<Message<'a>>> {
        Ok(super::with_tools(talk, |tools, system| {
            let between = if system.is_empty() { "" } else { "\n\n" };
            format!("{}{between}{system}", announce(tools))
        }))
    }

    fn header(&self, at: &Place<'_>, to: &mut Writer<'_>) -> Result<()> {
        let later = usize::from(at.index > 0);
        let tokens = match at.message.role {
            Role::Tool if at.before == Some(Role::Tool) => &self.line[..],
            Role::Assistant if empty_block(at) && at.last && !V::CLOSED => &self.open[later],
            Role::Assistant if empty_block(at) => &self.closed[later],
            _ => self.chatml.header(at),
        };
        to.tokens(tokens).map(drop)
    }

    fn output(&self, at: &Place<'_>, to: &mut Writer<'_>) -> Result<()> {
        let message = at.message;
        if at.answers() && empty_block(at) && at.last && !V::CLOSED {
            to.tokens(&self.rest)?;
        }
        let content = trimmed(&message.content);
        let mut said = joined(&content, at.answers() && !at.last && !V::KEEPS);
        if message.role == Role::Tool {
            said = format!("<tool_response>\n{said}\n</tool_response>").into();
        }
        to.text(&said);
        let speaks = !python::strip(&content.text()).is_empty();
        for (i, call) in message.calls.iter().enumerate() {
            let between = match i {
                0 if speaks => "\n\n",
                0 => "",
                _ => "\n",
            };
            let written = xml::write(call).map_err(|e| e.within(format!("tool_calls[{i}]")))?;
            to.text(between).text(&written);
        }
        if message.role == Role::Tool && at.after == Some(Role::Tool) {
            return Ok(());
        }
        to.control(self.chatml.end).map(drop)
    }

    fn prompt(&self, at: &Place<'_>, to: &mut Writer<'_>) -> Result<()> {
        let header = if V::CLOSED { &self.closed } else { &self.open };
        to.tokens(&header[usize::from(at.index > 0)]).map(drop)
    }

    fn stop(&self) -> Stop {
        Stop { tokens: vec![self.chatml.end], strings: Vec::new() }
    }

    fn restore<'a>(&self, tokens: &'a [i32]) -> Cow<'a, [i32]> {
        let closes = tokens.windows(self.end_think.len()).any(|run| run == self.end_think);
        if closes && !tokens.starts_with(&self.think) {
            return [&self.think, tokens].concat().into();
        }
        tokens.into()
    }

    fn message(&self, text: &str) -> Value {
        let mut calls = Calls::default();
        let mut written = Vec::new();
        let mut content = json!(text);
        if text.contains(THINK.0) || text.contains(qwen3::CALL.0) {
            let parts = qwen3::read(text, true, |inner, whole| match Object::read(inner) {
                Ok(call) => calls.good(&call.name, &call.arguments, call.id.as_deref()),
                Err(_) if whole.contains("<function=") => match xml::read(inner) {
                    Ok(call) => written.push(call),
                    Err(e) => calls.bad(whole, e),
                },
                Err(e) => calls.bad(whole, &e),
            });
            content = Value::Array(parts.into_iter().map(tidy).collect());
        }
        for (name, arguments) in written {
            calls.good(&name, &arguments, None);
        }
        calls.unclosed(text, qwen3::CALL);
        let mut message = json!({"role": "assistant", "content": content});
        calls.into_message(&mut message);
        message
    }
}

/// Whether an answer without thinking is given an empty block.
fn empty_block(at: &Place<'_>) -> bool {
    at.last_user.is_none_or(|user| at.index > user) && !at.message.content.thinks()
}

/// A part as it is read back: white space around thinking is the frame's.
fn tidy(mut part: Value) -> Value {
    if let Some(thinking) = part["thinking"].as_str() {
        part["thinking"] = json!(python::strip(thinking));
    }
    part
}

/// A content without the white space around what it says.
fn trimmed<'a>(content: &'a Content<'_>) -> Content<'a> {
    let parts = match content {
        Content::Text(text) => return Content::Text(python::strip(text).into()),
        Content::Parts(parts) => parts,
    };
    let mut texts: Vec<&str> = Vec::with_capacity(parts.len());
    for part in parts {
        let (Part::Text(text) | Part::Thinking(text) | Part::Control(_, text)) = part;
        texts.push(text);
    }
    let spoken = |i: &usize| matches!(parts[*i], Part::Text(_));
    for i in (0..parts.len()).filter(spoken) {
        texts[i] = python::lstrip(texts[i]);
        if !texts[i].is_empty() {
            break;
        }
    }
    for i in (0..parts.len()).rev().filter(spoken) {
        texts[i] = python::rstrip(texts[i]);
        if !texts[i].is_empty() {
            break;
        }
    }
    let part = |(part, text): (&Part<'_>, &'a str)| match part {
        Part::Text(_) => Part::Text(text.into()),
        Part::Thinking(_) => Part::Thinking(text.into()),
        Part::Control(id, _) => Part::Control(*id, text.into()),
    };
    Content::Parts(parts.iter().zip(texts).map(part).collect())
}

/// What a message says, with its thinking unless that is stripped.
fn joined<'a>(content: &'a Content<'_>, strips: bool) -> Cow<'a, str> {
    let parts = match content {
        Content::Text(text) => return Cow::Borrowed(text),
        Content::Parts(parts) => parts,
    };
    let mut said = String::new();
    for part in parts {
        match part {
            Part::Text(text) | Part::Control(_, text) => said += text,
            Part::Thinking(_) if strips => {}
            Part::Thinking(text) => said += &format!("<think>\n{text}\n</think>\n\n"),
        }
    }
    said.into()
}

fn announce(tools: &[Tool]) -> String {
    let line = |tool: &Tool| python::json(&tool.function, python::DUMPS);
    let lines: Vec<String> = tools.iter().map(line).collect();
    format!(
        "# Tools\n\nYou have access to the following functions:\n\n<tools>\n{}\n</tools>\n\n{}",
        lines.join("\n"),
        xml::HOW_TO
    )
}
