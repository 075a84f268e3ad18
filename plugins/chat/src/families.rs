//! The families whose tokens are built piece by piece, one file each.

mod chatml;
mod llama3;
mod qwen3;
mod role_colon;

pub use chatml::Chatml;
pub use llama3::Llama3;
pub use qwen3::{Qwen3, Qwen3DisableThinking, Qwen3Instruct};
pub use role_colon::RoleColon;
