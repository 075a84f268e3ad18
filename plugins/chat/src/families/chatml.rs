//! `chatml`: `<|im_start|>role⏎content<|im_end|>`, one message a line.
//!
//! As tinker-cookbook's `qwen3_instruct`, the line break after a turn belongs to the header of the
//! next one: the model ends its turn with `<|im_end|>` and is not asked to write more.

use crate::{
    chat::Chat,
    config::ChatConfig,
    family::{Family, Headers, Place},
    schema::Role,
    writer::Writer,
};
use tinsmith_plugin_api::{Result, Services, Special, Stop};

/// `chatml`
pub type Chatml = Chat<Format>;

/// Plain ChatML.
#[derive(Debug)]
pub struct Format(Tokens);

impl Family for Format {
    const NAME: &'static str = "chatml";
    const SUMMARY: &'static str = "ChatML: models with <|im_start|> that neither think nor call";

    fn new(_config: &ChatConfig, services: &Services) -> Result<Self> {
        Ok(Self(Tokens::new(services)?))
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

/// The tokens of ChatML.
#[derive(Debug)]
pub(super) struct Tokens {
    first: Headers,
    later: Headers,
    pub(super) end: i32,
}

impl Tokens {
    pub(super) fn new(services: &Services) -> Result<Self> {
        services.require_token("<|im_start|>")?;
        let end = services.require_token("<|im_end|>")?;
        let headers = |before: &str| {
            Headers::new(services, Special::Parse, |role| {
                // A tool's results come as the user's words.
                let role = if role == Role::Tool { Role::User } else { role };
                format!("{before}<|im_start|>{}\n", role.name())
            })
        };
        Ok(Self { first: headers("")?, later: headers("\n")?, end })
    }

    /// The header of a message.
    pub(super) fn header(&self, at: &Place<'_>) -> &[i32] {
        let headers = if at.index == 0 { &self.first } else { &self.later };
        headers.of(at.message.role)
    }
}
