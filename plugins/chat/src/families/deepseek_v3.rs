//! `deepseekv3` and `deepseekv3_thinking`: DeepSeek-V3.1.
//!
//! The model is told by the last token of the prompt whether to think: `</think>` says that it is
//! done already, `<think>` that it has begun. Behind a tool's result there is neither, and no role
//! either: the answer goes on where the call was made. An answer of the history is announced as done
//! thinking.

use crate::{
    chat::Chat,
    config::ChatConfig,
    family::{Family, Place},
    python,
    response::{
        blocks::{self, THINK, Tags},
        calls::Calls,
    },
    schema::{Content, Message, Part, Role, Shows, Talk, Tool},
    writer::{Tag, Writer, without},
};
use serde_json::{Value, json};
use std::borrow::Cow;
use tinsmith_plugin_api::{Error, Result, Services, Special, Stop};

/// `deepseekv3`
pub type DeepSeekV3 = Chat<Format<false>>;
/// `deepseekv3_thinking`
pub type DeepSeekV3Thinking = Chat<Format<true>>;

const CALLS: Tags = ("<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>");
const CALL: Tags = ("<｜tool▁call▁begin｜>", "<｜tool▁call▁end｜>");
const SEPARATOR: &str = "<｜tool▁sep｜>";
/// What the list of tools says behind its example of a call.
const AFTER_EXAMPLE: &str = "\n\nWhere:\n- `tool_call_name` must be an exact match to one of the \
    available tools\n- `tool_call_arguments` must be valid JSON that strictly follows the tool's \
    Parameters Schema\n- For multiple tool calls, chain them directly without separators or spaces";

/// The tokens of DeepSeek-V3.1; `THINKS` says whether the model is asked to think.
#[derive(Debug)]
pub struct Format<const THINKS: bool> {
    bos: [i32; 1],
    user: i32,
    assistant: i32,
    tags: (Tag, Tag),
    think: Vec<i32>,
    no_think: Vec<i32>,
    empty_think: Vec<i32>,
    end: i32,
    output: i32,
    end_output: i32,
    calls: (i32, i32),
    call: (i32, i32),
    separator: i32,
}

impl<const THINKS: bool> Family for Format<THINKS> {
    const NAME: &'static str = if THINKS { "deepseekv3_thinking" } else { "deepseekv3" };
    const SUMMARY: &'static str =
        if THINKS { "DeepSeek-V3.1 that thinks" } else { "DeepSeek-V3.1 that does not think" };
    const SHOWS: Shows = Shows::ALL;
    const EXTENDS: bool = !THINKS;

    fn new(_config: &ChatConfig, services: &Services) -> Result<Self> {
        let token = |text: &str| services.require_token(text);
        let pair = |(open, close): Tags| Ok::<_, Error>((token(open)?, token(close)?));
        // Tokens of their own since V3.1; text for the tokenizer of V3.
        let tags = |text: &str| services.encode_with(text, Special::Parse);
        Ok(Self {
            bos: [token("<｜begin▁of▁sentence｜>")?],
            user: token("<｜User｜>")?,
            assistant: token("<｜Assistant｜>")?,
            tags: (Tag::new(services, THINK.0), Tag::new(services, THINK.1)),
            think: tags(THINK.0)?,
            no_think: tags(THINK.1)?,
            empty_think: tags(&[THINK.0, THINK.1].concat())?,
            end: token("<｜end▁of▁sentence｜>")?,
            output: token("<｜tool▁output▁begin｜>")?,
            end_output: token("<｜tool▁output▁end｜>")?,
            calls: pair(CALLS)?,
            call: pair(CALL)?,
            separator: token(SEPARATOR)?,
        })
    }

    fn open<'a>(&self, talk: Talk<'a>) -> Result<Vec<Message<'a>>> {
        for (i, tool) in talk.tools.iter().enumerate() {
            for key in ["description", "parameters"] {
                if tool.function.get(key).is_none() {
                    return Err(Error::data("is missing")
                        .at(format!("tools[{i}].function.{key}"))
                        .with_hint(
                            "this format shows the description and parameters of every tool",
                        ));
                }
            }
        }
        Ok(super::with_tools(talk, |tools, system| self.announce(tools, system)))
    }

    fn bos(&self) -> &[i32] {
        &self.bos
    }

    fn header(&self, at: &Place<'_>, to: &mut Writer<'_>) -> Result<()> {
        match at.message.role {
            Role::User => to.control(self.user)?,
            Role::Tool => to.control(self.output)?,
            Role::Assistant if at.before == Some(Role::Tool) => to,
            Role::Assistant if !THINKS || !at.last => {
                to.control(self.assistant)?.tokens(&self.no_think)?
            }
            Role::Assistant => to.control(self.assistant)?,
            _ if at.index == 0 => to,
            _ => {
                return Err(Error::data("this format has its system message in front only")
                    .at("role")
                    .with_hint("join the system messages, or write later ones as `user`"));
            }
        };
        Ok(())
    }

    fn output(&self, at: &Place<'_>, to: &mut Writer<'_>) -> Result<()> {
        let message = at.message;
        if !at.answers() {
            self.said(at, to)?;
            if message.role == Role::Tool {
                to.control(self.end_output)?;
            }
            return Ok(());
        }
        let continues = at.before == Some(Role::Tool);
        let quiet = !THINKS && !continues;
        let speaks = if quiet {
            let said = unthought(&message.content);
            to.text(&said);
            !said.is_empty()
        } else {
            if at.last && !continues && !message.content.is_empty() && !message.content.thinks() {
                to.tokens(&self.empty_think)?;
            }
            self.said(at, to)?;
            !message.content.is_empty()
        };
        if !message.calls.is_empty() {
            to.control(self.calls.0)?;
            for call in &message.calls {
                to.control(self.call.0)?.text(&call.name);
                to.control(self.separator)?.text(&call.arguments).control(self.call.1)?;
            }
            to.control(self.calls.1)?;
        }
        if speaks {
            to.control(self.end)?;
        }
        Ok(())
    }

    fn prompt(&self, at: &Place<'_>, to: &mut Writer<'_>) -> Result<()> {
        self.header(at, to)?;
        if THINKS && at.before != Some(Role::Tool) {
            to.tokens(&self.think)?;
        }
        Ok(())
    }

    fn stop(&self) -> Stop {
        Stop { tokens: vec![self.end], strings: Vec::new() }
    }

    fn restore<'a>(&self, tokens: &'a [i32]) -> Cow<'a, [i32]> {
        match (&self.think[..], &self.no_think[..]) {
            ([think], [end]) if THINKS && tokens.first() != Some(think) && tokens.contains(end) => {
                [&[*think], tokens].concat().into()
            }
            _ => tokens.into(),
        }
    }

    fn message(&self, text: &str) -> Value {
        let mut calls = Calls::default();
        read_calls(text, &mut calls);
        if !calls.unclosed(text, CALLS) {
            calls.unclosed(text, CALL);
        }
        let mut rest = Cow::Borrowed(text);
        if !calls.is_empty() {
            rest = python::strip(&uncalled(text)).to_owned().into();
        }
        let mut message = json!({"role": "assistant", "content": blocks::thoughts(&rest)});
        calls.into_message(&mut message);
        message
    }
}

impl<const THINKS: bool> Format<THINKS> {
    /// Writes what an answer says, and what it thinks unless it is history.
    fn said(&self, at: &Place<'_>, to: &mut Writer<'_>) -> Result<()> {
        let strips = at.message.calls.is_empty() && !at.last;
        match &at.message.content {
            Content::Text(text) => {
                to.text(text);
            }
            Content::Parts(parts) => {
                for part in parts {
                    match part {
                        Part::Thinking(_) if strips => {}
                        Part::Thinking(text) => {
                            to.tag(&self.tags.0)?.text(text).tag(&self.tags.1)?;
                        }
                        Part::Text(text) => {
                            to.text(text);
                        }
                        Part::Control(id, _) => {
                            to.control(*id)?;
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

impl<const THINKS: bool> Format<THINKS> {
    /// What the system says, and how to call these tools. The example of a call is written with its
    /// control tokens.
    fn announce(&self, tools: &[Tool], system: &str) -> Content<'static> {
        let block = |tool: &Tool| {
            format!(
                "### {}\nDescription: {}\n\nParameters: {}",
                tool.name(),
                python::display(&tool.function["description"]),
                python::json(&tool.function["parameters"], python::DUMPS)
            )
        };
        let blocks: Vec<String> = tools.iter().map(block).collect();
        let before = format!(
            "{system}\n\n## Tools\nYou have access to the following tools:\n\n{}\n\nIMPORTANT: ALWAYS \
             adhere to this exact format for tool use:\n",
            blocks.join("\n")
        );
        Content::Parts(vec![
            Part::Text(before.into()),
            Part::Control(self.calls.0, CALLS.0.into()),
            Part::Control(self.call.0, CALL.0.into()),
            Part::Text("tool_call_name".into()),
            Part::Control(self.separator, SEPARATOR.into()),
            Part::Text("tool_call_arguments".into()),
            Part::Control(self.call.1, CALL.1.into()),
            Part::Control(self.calls.1, CALLS.1.into()),
            Part::Text(AFTER_EXAMPLE.into()),
        ])
    }
}

/// A content without what was thought, be it in parts or in tags.
fn unthought<'a>(content: &'a Content<'_>) -> Cow<'a, str> {
    match content {
        Content::Text(text) => without(text, THINK.0, THINK.1),
        Content::Parts(_) => content.text(),
    }
}

/// The calls of the first block of calls.
fn read_calls(text: &str, calls: &mut Calls) {
    let Some((_, block)) = text.split_once(CALLS.0) else { return };
    let Some((block, _)) = block.split_once(CALLS.1) else { return };
    let mut rest = block;
    while let Some(start) = rest.find(CALL.0) {
        let inner = &rest[start + CALL.0.len()..];
        let word = inner.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(inner.len());
        let call = inner[word..].strip_prefix(SEPARATOR).filter(|_| word > 0);
        let Some((arguments, after)) = call.and_then(|call| call.split_once(CALL.1)) else {
            rest = inner;
            continue;
        };
        let raw = &rest[start..rest.len() - after.len()];
        calls.json(&inner[..word], python::strip(arguments), None, raw);
        rest = after;
    }
}

/// A text without its blocks of calls and the white space before them.
fn uncalled(text: &str) -> String {
    let mut kept = String::new();
    let mut rest = text;
    while let Some((before, block)) = rest.split_once(CALLS.0) {
        let Some((_, after)) = block.split_once(CALLS.1) else { break };
        kept += python::rstrip(before);
        rest = after;
    }
    kept + rest
}
