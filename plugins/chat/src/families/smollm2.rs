//! `smollm2`: ChatML that always has a system message, as SmolLM2 Instruct knows it.

use super::chatml::Tokens;
use crate::{
    chat::Chat,
    config::ChatConfig,
    family::{Family, Place},
    schema::{Message, Role, Talk},
    writer::Writer,
};
use tinsmith_plugin_api::{Result, Services, Stop};

/// `smollm2`
pub type SmolLm2 = Chat<Format>;

const SYSTEM: &str = "You are a helpful AI assistant named SmolLM, trained by Hugging Face";

/// The tokens of SmolLM2.
#[derive(Debug)]
pub struct Format(Tokens);

impl Family for Format {
    const NAME: &'static str = "smollm2";
    const SUMMARY: &'static str = "SmolLM2 Instruct";

    fn new(_config: &ChatConfig, services: &Services) -> Result<Self> {
        Ok(Self(Tokens::new(services)?))
    }

    fn open<'a>(&self, talk: Talk<'a>) -> Result<Vec<Message<'a>>> {
        let mut messages = talk.messages;
        if messages.first().is_none_or(|first| first.role != Role::System) {
            messages.insert(0, Message::new(Role::System, SYSTEM));
        }
        Ok(messages)
    }

    fn header(&self, at: &Place<'_>, to: &mut Writer<'_>) -> Result<()> {
        to.tokens(self.0.header(at)).map(drop)
    }

    fn output(&self, at: &Place<'_>, to: &mut Writer<'_>) -> Result<()> {
        to.text(&at.message.content.text()).control(self.0.end).map(drop)
    }

    fn stop(&self) -> Stop {
        Stop { tokens: vec![self.0.end], strings: Vec::new() }
    }
}
