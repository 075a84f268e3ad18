//! tinsmith's local trainer: LoRA and full-parameter training on the CPU.

mod adapter;
mod base;
mod checkpoint;
mod config;
pub mod kernels;
pub mod layout;
pub mod model;
pub mod optimizer;
pub mod packed;
mod pool;
mod run;
mod sample;
mod trainer;
mod weights;

pub use config::LocalConfig;
pub use trainer::Local;

tinsmith_plugin_api::plugin! { id: "local", trainers: [Local] }
