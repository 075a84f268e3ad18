//! `chatml`: `<|im_start|>role⏎content<|im_end|>`, one message a line.
//!
//! As tinker-cookbook's `qwen3_instruct`, the line break after a turn belongs to the header of the
//! next one: the model ends its turn with `<|im_end|>` and is not asked to write more.

use crate::{config::ChatConfig, layout::Layout, response, schema, schema::Role};
use serde_json::Value;
use tinsmith_plugin_api::{
    DatasetRenderer, Examples, Parsed, Record, Result, Services, Special, Stop,
};

const END: &str = "<|im_end|>";

/// Renders chat records as ChatML.
#[derive(Debug)]
pub struct Chatml {
    config: ChatConfig,
    services: Services,
    first: Vec<Vec<i32>>,
    later: Vec<Vec<i32>>,
    end: i32,
    eos: Option<i32>,
}

impl DatasetRenderer for Chatml {
    const NAME: &'static str = "chatml";
    const SUMMARY: &'static str = "ChatML: Qwen, SmolLM and other models with <|im_start|>";
    type Config = ChatConfig;

    fn new(config: ChatConfig, services: Services) -> Result<Self> {
        services.require_token("<|im_start|>")?;
        let end = services.require_token(END)?;
        let header = |before: &str| -> Result<Vec<Vec<i32>>> {
            let text = |role: &Role| format!("{before}<|im_start|>{}\n", role.name());
            Role::ALL.iter().map(|r| services.encode_with(&text(r), Special::Parse)).collect()
        };
        let (first, later) = (header("")?, header("\n")?);
        let eos = response::eos(&services)?;
        Ok(Self { config, services, first, later, end, eos })
    }

    fn render(&self, record: &Record<'_>, out: &mut Examples) -> Result<()> {
        let messages = schema::parse(record.json(), schema::Tools::Refuse)?;
        Layout::render(self, &messages, self.config.train_on, out)
    }

    fn generation_prompt(&self, messages: &Value) -> Result<Vec<i32>> {
        self.prompt(&schema::parse_messages(messages, schema::Tools::Refuse)?)
    }

    fn stop(&self) -> Stop {
        Stop { tokens: vec![self.end], strings: Vec::new() }
    }

    fn parse_response(&self, tokens: &[i32]) -> Result<Parsed> {
        response::until_token(&self.services, tokens, self.end, self.eos)
    }
}

impl Layout for Chatml {
    fn bos(&self) -> &[i32] {
        &[]
    }

    fn header(&self, index: usize, role: Role) -> &[i32] {
        let headers = if index == 0 { &self.first } else { &self.later };
        &headers[role as usize]
    }

    fn output(&self, content: &str, tokens: &mut Vec<i32>) -> Result<()> {
        tokens.extend(self.services.encode(content)?);
        tokens.push(self.end);
        Ok(())
    }
}
