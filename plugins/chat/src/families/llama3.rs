//! `llama3`: the format of Llama 3.x Instruct models.
//!
//! As tinker-cookbook's `llama3`, without the preamble about the knowledge cut-off and the date that
//! the models' own templates put before the system message.

use crate::{config::ChatConfig, layout::Layout, response, schema, schema::Role};
use serde_json::Value;
use tinsmith_plugin_api::{
    DatasetRenderer, Examples, Parsed, Record, Result, Services, Special, Stop,
};

/// Renders chat records for Llama 3.x Instruct.
#[derive(Debug)]
pub struct Llama3 {
    config: ChatConfig,
    services: Services,
    bos: [i32; 1],
    headers: Vec<Vec<i32>>,
    end: i32,
    eos: Option<i32>,
}

impl DatasetRenderer for Llama3 {
    const NAME: &'static str = "llama3";
    const SUMMARY: &'static str = "Llama 3.x Instruct";
    type Config = ChatConfig;

    fn new(config: ChatConfig, services: Services) -> Result<Self> {
        services.require_token("<|start_header_id|>")?;
        services.require_token("<|end_header_id|>")?;
        let bos = [services.require_token("<|begin_of_text|>")?];
        let end = services.require_token("<|eot_id|>")?;
        let text = |role: &Role| format!("<|start_header_id|>{}<|end_header_id|>\n\n", role.name());
        let headers = Role::ALL.iter().map(|r| services.encode_with(&text(r), Special::Parse));
        let headers = headers.collect::<Result<_>>()?;
        let eos = response::eos(&services)?;
        Ok(Self { config, services, bos, headers, end, eos })
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

impl Layout for Llama3 {
    fn bos(&self) -> &[i32] {
        &self.bos
    }

    fn header(&self, _index: usize, role: Role) -> &[i32] {
        &self.headers[role as usize]
    }

    fn output(&self, content: &str, tokens: &mut Vec<i32>) -> Result<()> {
        tokens.extend(self.services.encode(content)?);
        tokens.push(self.end);
        Ok(())
    }
}
