//! `kimi_k2`: Kimi K2 Thinking.
//!
//! Every answer has a thinking block; in the history it is empty. The history ends behind the last
//! answer that called no tool, so that a turn keeps its thinking through its calls, whatever users
//! say meanwhile. The format always has a system message.

mod calls;

use crate::{
    chat::Chat,
    config::ChatConfig,
    family::{Family, Place},
    python,
    response::blocks::THINK,
    schema::{Content, Message, Role, Shows, Talk},
    split::{self, Cut},
    train_on::TrainOn,
    writer::{Tag, Writer},
};
use serde_json::{Value, json};
use tinsmith_plugin_api::{Result, Services, Stop};

/// `kimi_k2`
pub type KimiK2 = Chat<Format>;

const SYSTEM: &str = "You are Kimi, an AI assistant created by Moonshot AI.";

/// The tokens of Kimi K2.
#[derive(Debug)]
pub struct Format {
    system: i32,
    user: i32,
    assistant: i32,
    middle: i32,
    end: i32,
    think: Tag,
    end_think: Tag,
    calls: (i32, i32),
    call: (i32, i32),
    arguments: i32,
}

impl Family for Format {
    const NAME: &'static str = "kimi_k2";
    const SUMMARY: &'static str = "Kimi K2 Thinking";
    const SHOWS: Shows = Shows::ALL;
    const EXTENDS: bool = false;

    fn new(_config: &ChatConfig, services: &Services) -> Result<Self> {
        let token = |text: &str| services.require_token(text);
        Ok(Self {
            system: token("<|im_system|>")?,
            user: token("<|im_user|>")?,
            assistant: token("<|im_assistant|>")?,
            middle: token("<|im_middle|>")?,
            end: token("<|im_end|>")?,
            think: Tag::new(services, THINK.0),
            end_think: Tag::new(services, THINK.1),
            calls: (token(calls::SECTION.0)?, token(calls::SECTION.1)?),
            call: (token(calls::CALL.0)?, token(calls::CALL.1)?),
            arguments: token(calls::ARGUMENTS)?,
        })
    }

    fn open<'a>(&self, talk: Talk<'a>) -> Result<Vec<Message<'a>>> {
        let Talk { mut messages, tools } = talk;
        match messages.first_mut() {
            Some(first) if first.role == Role::System => {
                if !tools.is_empty() && first.content.text().is_empty() {
                    first.content = Content::Text(SYSTEM.into());
                }
            }
            _ => messages.insert(0, Message::new(Role::System, SYSTEM)),
        }
        if !tools.is_empty() {
            let tool = |function: &Value| json!({"type": "function", "function": function});
            let tools: Vec<Value> = tools.iter().map(|t| tool(&t.function)).collect();
            let declared = python::json(&Value::Array(tools), python::DENSE);
            messages.insert(0, Message::new(Role::ToolDeclare, declared));
        }
        Ok(messages)
    }

    fn header(&self, at: &Place<'_>, to: &mut Writer<'_>) -> Result<()> {
        let message = at.message;
        to.control(match message.role {
            Role::User => self.user,
            Role::Assistant => self.assistant,
            _ => self.system,
        })?;
        let name = message.name.as_deref().filter(|_| message.role == Role::Tool);
        to.text(name.unwrap_or(message.role.name())).control(self.middle)?;
        if message.role == Role::Tool {
            let call = message.call_id.as_deref().unwrap_or_default();
            to.text("## Return of ").text(call).text("\n");
        }
        Ok(())
    }

    fn output(&self, at: &Place<'_>, to: &mut Writer<'_>) -> Result<()> {
        let message = at.message;
        if at.answers() {
            let thinking = message.content.thinking();
            let shown = if at.in_turn { thinking.as_ref() } else { "" };
            to.tag(&self.think)?.text(shown).tag(&self.end_think)?;
        }
        to.text(&message.content.text());
        if !message.calls.is_empty() {
            to.control(self.calls.0)?;
            for (i, call) in message.calls.iter().enumerate() {
                to.control(self.call.0)?;
                match &call.id {
                    Some(id) => to.text(id),
                    None => to.text(&format!("functions.{}:{i}", call.name)),
                };
                to.control(self.arguments)?.text(&call.arguments).control(self.call.1)?;
            }
            to.control(self.calls.1)?;
        }
        to.control(self.end).map(drop)
    }

    fn turn(&self, messages: &[Message<'_>]) -> usize {
        let answered =
            |message: &Message<'_>| message.role == Role::Assistant && message.calls.is_empty();
        messages.iter().rposition(answered).map_or(0, |last| last + 1)
    }

    /// One example a turn of the user: within it, thinking is kept.
    fn cuts(&self, train_on: TrainOn, messages: &[Message<'_>]) -> Vec<Cut> {
        let all = messages.len();
        let cut = |(count, train_on)| Cut { count, train_on };
        let users = messages.iter().enumerate().filter(|(_, m)| m.role == Role::User);
        let cuts: Vec<Cut> = match train_on {
            TrainOn::AllAssistantMessages => {
                let ends = users.skip(1).map(|(i, _)| i).chain([all]);
                ends.map(|end| cut((end, TrainOn::LastAssistantTurn))).collect()
            }
            TrainOn::LastAssistantMessage | TrainOn::LastAssistantTurn => {
                vec![cut((all, train_on))]
            }
            _ => split::by_answer(train_on, messages, 0),
        };
        let trains = |cut: &Cut| {
            let messages = &messages[..cut.count];
            let turn = self.turn(&messages[..messages.len().saturating_sub(1)]);
            cut.train_on.weights(messages, turn).iter().any(|weight| *weight > 0.0)
        };
        cuts.into_iter().filter(trains).collect()
    }

    fn stop(&self) -> Stop {
        Stop { tokens: vec![self.end], strings: Vec::new() }
    }

    fn message(&self, text: &str) -> Value {
        calls::read(text)
    }
}
