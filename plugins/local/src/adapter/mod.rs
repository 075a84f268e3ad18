//! Adapters as PEFT keeps them: `adapter_config.json` and `adapter_model.safetensors`.

mod config;
mod read;

pub(crate) use config::config_json;
pub(crate) use read::from_dir;

/// What an adapter is.
pub(crate) const ADAPTER_CONFIG: &str = "adapter_config.json";
/// Its matrices.
pub(crate) const ADAPTER_WEIGHTS: &str = "adapter_model.safetensors";
