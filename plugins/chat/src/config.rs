//! What a config file may say about each renderer.

use crate::TrainOn;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Settings of `role_colon`, `llama3` and `chatml`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ChatConfig {
    /// Which messages are trained. The host fills in `data.train_on`.
    pub train_on: TrainOn,
}

/// Settings of `template`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TemplateConfig {
    /// Which messages are trained. The host fills in `data.train_on`.
    pub train_on: TrainOn,
    /// A jinja chat template to use instead of the tokenizer's own.
    pub chat_template: Option<String>,
    /// Variables for the template, such as `enable_thinking: false`.
    pub variables: Map<String, Value>,
    /// The date (`YYYY-MM-DD`) for templates that write today's. Default: the day of the run; give
    /// one to render the same tokens on any day.
    pub current_date: Option<String>,
}
