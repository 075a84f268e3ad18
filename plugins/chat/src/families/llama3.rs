//! `llama3`: the format of Llama 3.x Instruct models.
//!
//! As tinker-cookbook's `llama3`, without the preamble about the knowledge cut-off and the date that
//! the models' own templates put before the system message.

use crate::{
    family::{Family, Headers},
    schema::Role,
};
use tinsmith_plugin_api::{Result, Services, Special};

/// The tokens of Llama 3.
#[derive(Debug)]
pub struct Llama3 {
    bos: [i32; 1],
    headers: Headers,
    end: i32,
}

impl Family for Llama3 {
    const NAME: &'static str = "llama3";
    const SUMMARY: &'static str = "Llama 3.x Instruct";

    fn new(services: &Services) -> Result<Self> {
        services.require_token("<|start_header_id|>")?;
        services.require_token("<|end_header_id|>")?;
        let bos = [services.require_token("<|begin_of_text|>")?];
        let end = services.require_token("<|eot_id|>")?;
        let text = |role: Role| format!("<|start_header_id|>{}<|end_header_id|>\n\n", role.name());
        let headers = Headers::new(services, Special::Parse, text)?;
        Ok(Self { bos, headers, end })
    }

    fn bos(&self) -> &[i32] {
        &self.bos
    }

    fn header(&self, _index: usize, role: Role) -> &[i32] {
        self.headers.of(role)
    }

    fn end(&self) -> Option<i32> {
        Some(self.end)
    }
}
