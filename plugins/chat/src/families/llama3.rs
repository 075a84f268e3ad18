//! `llama3`: the format of Llama 3.x Instruct models.
//!
//! As tinker-cookbook's `llama3`, without the preamble about the knowledge cut-off and the date that
//! the models' own templates put before the system message.

use crate::{
    chat::Chat,
    config::ChatConfig,
    family::{Family, Headers, Place},
    writer::Writer,
};
use tinsmith_plugin_api::{Result, Services, Special, Stop};

/// `llama3`
pub type Llama3 = Chat<Format>;

/// The tokens of Llama 3.
#[derive(Debug)]
pub struct Format {
    bos: [i32; 1],
    headers: Headers,
    end: i32,
}

impl Family for Format {
    const NAME: &'static str = "llama3";
    const SUMMARY: &'static str = "Llama 3.x Instruct";

    fn new(_config: &ChatConfig, services: &Services) -> Result<Self> {
        services.require_token("<|start_header_id|>")?;
        services.require_token("<|end_header_id|>")?;
        let bos = [services.require_token("<|begin_of_text|>")?];
        let end = services.require_token("<|eot_id|>")?;
        let headers = Headers::new(services, Special::Parse, |role| {
            format!("<|start_header_id|>{}<|end_header_id|>\n\n", role.name())
        })?;
        Ok(Self { bos, headers, end })
    }

    fn bos(&self) -> &[i32] {
        &self.bos
    }

    fn header(&self, at: &Place<'_>, to: &mut Writer<'_>) -> Result<()> {
        to.tokens(self.headers.of(at.message.role)).map(drop)
    }

    fn output(&self, at: &Place<'_>, to: &mut Writer<'_>) -> Result<()> {
        to.text(&at.message.content.text()).control(self.end).map(drop)
    }

    fn stop(&self) -> Stop {
        Stop { tokens: vec![self.end], strings: Vec::new() }
    }
}
