//! `role_colon`: `User: …⏎⏎Assistant: …⏎⏎`, for base models, which know no chat tokens.
//!
//! As tinker-cookbook's `role_colon`: an answer ends where the model writes `⏎⏎User:`, so behind the
//! last assistant message `User:` is trained as well.

use crate::{
    family::{Family, Headers},
    response,
    schema::{Message, Role},
};
use tinsmith_plugin_api::{Parsed, Result, Services, Special, Stop, Termination};

const STOP: &str = "\n\nUser:";

/// The texts of `role_colon`, as tokens.
#[derive(Debug)]
pub struct RoleColon {
    bos: Vec<i32>,
    headers: Headers,
}

impl Family for RoleColon {
    const NAME: &'static str = "role_colon";
    const SUMMARY: &'static str = "`User: …` and `Assistant: …`, for base models";

    fn new(services: &Services) -> Result<Self> {
        let bos = match &services.tokenizer()?.bos_token {
            Some(bos) => vec![services.require_token(bos)?],
            None => Vec::new(),
        };
        let text = |role: Role| {
            match role {
                Role::System => "System:",
                Role::User => "User:",
                Role::Assistant => "Assistant:",
                Role::Tool => "Tool:",
            }
            .to_owned()
        };
        Ok(Self { bos, headers: Headers::new(services, Special::Literal, text)? })
    }

    fn bos(&self) -> &[i32] {
        &self.bos
    }

    fn header(&self, _index: usize, role: Role) -> &[i32] {
        self.headers.of(role)
    }

    fn end(&self) -> Option<i32> {
        None
    }

    fn output(
        &self,
        services: &Services,
        message: &Message<'_>,
        tokens: &mut Vec<i32>,
    ) -> Result<()> {
        tokens.extend(services.encode(&format!(" {}\n\n", message.content))?);
        Ok(())
    }

    fn tail(&self) -> &[i32] {
        self.headers.of(Role::User)
    }

    fn stop(&self) -> Stop {
        Stop { tokens: Vec::new(), strings: vec![STOP.to_owned()] }
    }

    /// An end-of-sequence token without the stop text ends an answer cleanly too: base models write
    /// it. With the stop text, the sampler should have stopped earlier.
    fn parse(&self, services: &Services, eos: Option<i32>, tokens: &[i32]) -> Result<Parsed> {
        let (tokens, eos) = match tokens {
            [rest @ .., last] if Some(*last) == eos => (rest, true),
            _ => (tokens, false),
        };
        let text = services.decode(tokens)?;
        let (content, stops) = (text.split(STOP).next(), text.matches(STOP).count());
        let content = content.unwrap_or_default();
        let content = content.strip_prefix(' ').unwrap_or(content);
        let content = content.strip_suffix("\n\n").unwrap_or(content);
        let termination = match (stops, eos) {
            (1, false) => Termination::Stop,
            (0, true) => Termination::Eos,
            _ => Termination::Malformed,
        };
        Ok(response::assistant(content, termination))
    }
}
