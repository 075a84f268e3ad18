//! `role_colon`: `User: …⏎⏎Assistant: …⏎⏎`, for base models, which know no chat tokens.
//!
//! As tinker-cookbook's `role_colon`: an answer ends where the model writes `⏎⏎User:`, so behind the
//! last assistant message `User:` is trained as well.

use crate::{config::ChatConfig, layout::Layout, response, schema, schema::Role};
use serde_json::Value;
use tinsmith_plugin_api::{
    DatasetRenderer, Examples, Parsed, Record, Result, Services, Stop, Termination,
};

const STOP: &str = "\n\nUser:";

/// Renders chat records for base models.
#[derive(Debug)]
pub struct RoleColon {
    config: ChatConfig,
    services: Services,
    bos: Vec<i32>,
    headers: Vec<Vec<i32>>,
    tail: Vec<i32>,
    eos: Option<i32>,
}

impl DatasetRenderer for RoleColon {
    const NAME: &'static str = "role_colon";
    const SUMMARY: &'static str = "`User: …` and `Assistant: …`, for base models";
    type Config = ChatConfig;

    fn new(config: ChatConfig, services: Services) -> Result<Self> {
        let info = services.tokenizer()?;
        let bos = match &info.bos_token {
            Some(bos) => vec![services.require_token(bos)?],
            None => Vec::new(),
        };
        let names = ["System:", "User:", "Assistant:", "Tool:"];
        let headers = names.map(|name| services.encode(name));
        let headers = headers.into_iter().collect::<Result<_>>()?;
        let tail = services.encode("User:")?;
        let eos = response::eos(&services)?;
        Ok(Self { config, services, bos, headers, tail, eos })
    }

    fn render(&self, record: &Record<'_>, out: &mut Examples) -> Result<()> {
        let messages = schema::parse(record.json(), schema::Tools::Refuse)?;
        Layout::render(self, &messages, self.config.train_on, out)
    }

    fn generation_prompt(&self, messages: &Value) -> Result<Vec<i32>> {
        self.prompt(&schema::parse_messages(messages, schema::Tools::Refuse)?)
    }

    fn stop(&self) -> Stop {
        Stop { tokens: Vec::new(), strings: vec![STOP.to_owned()] }
    }

    /// An end-of-sequence token without the stop text ends an answer cleanly too: base models write
    /// it. With the stop text, the sampler should have stopped earlier.
    fn parse_response(&self, tokens: &[i32]) -> Result<Parsed> {
        let (tokens, eos) = match tokens {
            [rest @ .., last] if Some(*last) == self.eos => (rest, true),
            _ => (tokens, false),
        };
        let text = self.services.decode(tokens)?;
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

impl Layout for RoleColon {
    fn bos(&self) -> &[i32] {
        &self.bos
    }

    fn header(&self, _index: usize, role: Role) -> &[i32] {
        &self.headers[role as usize]
    }

    fn output(&self, content: &str, tokens: &mut Vec<i32>) -> Result<()> {
        tokens.extend(self.services.encode(&format!(" {content}\n\n"))?);
        Ok(())
    }

    fn tail(&self) -> &[i32] {
        &self.tail
    }
}
