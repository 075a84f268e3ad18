//! tinsmith's local trainer: LoRA and full-parameter training on the CPU.

pub mod kernels;
pub mod layout;
pub mod model;
pub mod packed;
