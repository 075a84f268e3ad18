//! The families whose tokens are built piece by piece, one file each.

mod chatml;
mod llama3;
mod role_colon;

use crate::family::Chat;

/// Renders chat records as ChatML.
pub type Chatml = Chat<chatml::Chatml>;
/// Renders chat records for Llama 3.x Instruct.
pub type Llama3 = Chat<llama3::Llama3>;
/// Renders chat records for base models.
pub type RoleColon = Chat<role_colon::RoleColon>;
