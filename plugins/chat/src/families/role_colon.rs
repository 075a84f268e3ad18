//! `role_colon`: `User: …⏎⏎Assistant: …⏎⏎`, for base models, which know no chat tokens.
//!
//! As tinker-cookbook's `role_colon`: an answer ends where the model writes `⏎⏎User:`, so behind the
//! last assistant message `User:` is trained as well.

use crate::{
    chat::Chat,
    config::ChatConfig,
    family::{Family, Headers, Place},
    response::{self, Reader},
    schema::Role,
    writer::Writer,
};
use tinsmith_plugin_api::{Parsed, Result, Services, Special, Stop, Termination};

/// `role_colon`
pub type RoleColon = Chat<Format>;

const STOP: &str = "\n\nUser:";

/// The texts of `role_colon`, as tokens.
#[derive(Debug)]
pub struct Format {
    bos: Vec<i32>,
    headers: Headers,
}

impl Family for Format {
    const NAME: &'static str = "role_colon";
    const SUMMARY: &'static str = "`User: …` and `Assistant: …`, for base models";

    fn new(_config: &ChatConfig, services: &Services) -> Result<Self> {
        let bos = match &services.tokenizer()?.bos_token {
            Some(bos) => vec![services.require_token(bos)?],
            None => Vec::new(),
        };
        let text = |role: Role| {
            match role {
                Role::User => "User:",
                Role::Assistant => "Assistant:",
                Role::Tool => "Tool:",
                _ => "System:",
            }
            .to_owned()
        };
        Ok(Self { bos, headers: Headers::new(services, Special::Literal, text)? })
    }

    fn bos(&self) -> &[i32] {
        &self.bos
    }

    fn header(&self, at: &Place<'_>, to: &mut Writer<'_>) -> Result<()> {
        to.tokens(self.headers.of(at.message.role)).map(drop)
    }

    fn output(&self, at: &Place<'_>, to: &mut Writer<'_>) -> Result<()> {
        to.text(" ").text(&at.message.content.text()).text("\n\n");
        Ok(())
    }

    fn tail(&self, role: Role) -> &[i32] {
        if role == Role::Assistant { self.headers.of(Role::User) } else { &[] }
    }

    fn stop(&self) -> Stop {
        Stop { tokens: Vec::new(), strings: vec![STOP.to_owned()] }
    }

    /// An end-of-sequence token without the stop text ends an answer cleanly too: base models write
    /// it. With the stop text, the sampler should have stopped earlier.
    fn parse(&self, reader: &Reader, tokens: &[i32]) -> Result<Parsed> {
        let (tokens, eos) = match tokens {
            [rest @ .., last] if Some(*last) == reader.eos() => (rest, true),
            _ => (tokens, false),
        };
        let text = reader.text(tokens)?;
        let (content, stops) = (text.split(STOP).next(), text.matches(STOP).count());
        let content = content.unwrap_or_default();
        let content = content.strip_prefix(' ').unwrap_or(content);
        let content = content.strip_suffix("\n\n").unwrap_or(content);
        let termination = match (stops, eos) {
            (1, false) => Termination::Stop,
            (0, true) => Termination::Eos,
            _ => Termination::Malformed,
        };
        Ok(Parsed { message: response::assistant(content), termination })
    }
}
