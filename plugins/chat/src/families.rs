//! The families whose tokens are built piece by piece, one file each.

mod chatml;
mod deepseek_v3;
mod gemma3;
mod gpt_oss;
mod kimi_k2;
mod llama3;
mod qwen3;
mod qwen3_5;
mod role_colon;
mod smollm2;

pub use chatml::Chatml;
pub use deepseek_v3::{DeepSeekV3, DeepSeekV3Thinking};
pub use gemma3::Gemma3;
pub use gpt_oss::{GptOss, GptOssHigh, GptOssLow, GptOssMedium};
pub use kimi_k2::KimiK2;
pub use llama3::Llama3;
pub use qwen3::{Qwen3, Qwen3DisableThinking, Qwen3Instruct};
pub use qwen3_5::{Qwen35, Qwen35DisableThinking, Qwen35PreserveThinking};
pub use role_colon::RoleColon;
pub use smollm2::SmolLm2;

use crate::schema::{Content, Message, Role, Talk, Tool};

/// The messages with `system(tools, text of the system message)` as their system message, where
/// there are tools.
fn with_tools<'a, C: Into<Content<'a>>>(
    talk: Talk<'a>,
    system: impl FnOnce(&[Tool], &str) -> C,
) -> Vec<Message<'a>> {
    let Talk { mut messages, tools } = talk;
    if tools.is_empty() {
        return messages;
    }
    match messages.first_mut() {
        Some(first) if first.role == Role::System => {
            first.content = system(&tools, &first.content.text()).into();
        }
        _ => {
            let content = system(&tools, "").into();
            messages.insert(0, Message { content, ..Message::new(Role::System, "") });
        }
    }
    messages
}
