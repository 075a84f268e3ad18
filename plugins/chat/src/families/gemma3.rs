//! `gemma3`: Gemma 3 Instruct.
//!
//! There is no system: what the system says begins the first message of the user. Turns alternate,
//! and contents are trimmed. The line break after a turn belongs to the header of the next one.

use crate::{
    chat::Chat,
    config::ChatConfig,
    family::{Family, Place},
    python,
    schema::{Message, Role, Talk},
    writer::Writer,
};
use tinsmith_plugin_api::{Error, Result, Services, Stop};

/// `gemma3`
pub type Gemma3 = Chat<Format>;

/// The tokens of Gemma 3.
#[derive(Debug)]
pub struct Format {
    bos: [i32; 1],
    start: i32,
    end: i32,
}

impl Family for Format {
    const NAME: &'static str = "gemma3";
    const SUMMARY: &'static str = "Gemma 3 Instruct";

    fn new(_config: &ChatConfig, services: &Services) -> Result<Self> {
        Ok(Self {
            bos: [services.require_token("<bos>")?],
            start: services.require_token("<start_of_turn>")?,
            end: services.require_token("<end_of_turn>")?,
        })
    }

    fn open<'a>(&self, talk: Talk<'a>) -> Result<Vec<Message<'a>>> {
        let system = talk.messages.first().is_some_and(|first| first.role == Role::System);
        let turns = talk.messages.iter().enumerate().skip(usize::from(system));
        for ((i, message), even) in turns.zip([true, false].into_iter().cycle()) {
            let expected = if even { Role::User } else { Role::Assistant };
            if message.role != expected {
                return Err(Error::data("this format alternates between user and assistant")
                    .at(format!("messages[{i}].role"))
                    .with_hint("join messages of one speaker, and begin with the user's"));
            }
        }
        Ok(talk.messages)
    }

    fn bos(&self) -> &[i32] {
        &self.bos
    }

    fn header(&self, at: &Place<'_>, to: &mut Writer<'_>) -> Result<()> {
        if at.before == Some(Role::System) {
            return Ok(());
        }
        to.text(if at.index > 0 { "\n" } else { "" }).control(self.start)?;
        to.text(if at.answers() { "model\n" } else { "user\n" });
        Ok(())
    }

    fn output(&self, at: &Place<'_>, to: &mut Writer<'_>) -> Result<()> {
        let said = at.message.content.text();
        if at.message.role == Role::System {
            to.text(&said).text("\n\n");
            return Ok(());
        }
        to.text(python::strip(&said)).control(self.end).map(drop)
    }

    fn prompt(&self, at: &Place<'_>, to: &mut Writer<'_>) -> Result<()> {
        if at.before == Some(Role::System) {
            return Err(Error::data(
                "this format shows the system only with a message of the user",
            )
            .at("messages")
            .with_hint("add the user's message"));
        }
        self.header(at, to)
    }

    fn stop(&self) -> Stop {
        Stop { tokens: vec![self.end], strings: Vec::new() }
    }
}
