//! `chatml`: `<|im_start|>role⏎content<|im_end|>`, one message a line.
//!
//! As tinker-cookbook's `qwen3_instruct`, the line break after a turn belongs to the header of the
//! next one: the model ends its turn with `<|im_end|>` and is not asked to write more.

use crate::{
    family::{Family, Headers},
    schema::Role,
};
use tinsmith_plugin_api::{Result, Services, Special};

/// The tokens of ChatML.
#[derive(Debug)]
pub struct Chatml {
    first: Headers,
    later: Headers,
    end: i32,
}

impl Family for Chatml {
    const NAME: &'static str = "chatml";
    const SUMMARY: &'static str = "ChatML: Qwen, SmolLM and other models with <|im_start|>";

    fn new(services: &Services) -> Result<Self> {
        services.require_token("<|im_start|>")?;
        let end = services.require_token("<|im_end|>")?;
        let headers = |before: &str| {
            let text = |role: Role| format!("{before}<|im_start|>{}\n", role.name());
            Headers::new(services, Special::Parse, text)
        };
        Ok(Self { first: headers("")?, later: headers("\n")?, end })
    }

    fn header(&self, index: usize, role: Role) -> &[i32] {
        if index == 0 { self.first.of(role) } else { self.later.of(role) }
    }

    fn end(&self) -> Option<i32> {
        Some(self.end)
    }
}
