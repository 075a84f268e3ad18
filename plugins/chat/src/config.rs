//! What a config file may say about each renderer.

use crate::{Split, TrainOn};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

/// What all families need of their settings.
pub(crate) trait Settings: DeserializeOwned + JsonSchema + Send + Sync + 'static {
    /// Which messages are trained.
    fn train_on(&self) -> TrainOn;
    /// Whether conversations become several examples.
    fn split(&self) -> Split;
}

/// Settings of most renderers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ChatConfig {
    /// Which messages are trained. The host fills in `data.train_on`.
    pub train_on: TrainOn,
    /// Whether a conversation of several turns becomes several examples.
    pub split: Split,
}

impl Settings for ChatConfig {
    fn train_on(&self) -> TrainOn {
        self.train_on
    }

    fn split(&self) -> Split {
        self.split
    }
}

/// Settings of renderers that tell the model today's date.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DatedConfig {
    /// Which messages are trained. The host fills in `data.train_on`.
    pub train_on: TrainOn,
    /// Whether a conversation of several turns becomes several examples.
    pub split: Split,
    /// The date (`YYYY-MM-DD`) that the model is told. Default: the day of the run.
    pub current_date: Option<String>,
}

impl Settings for DatedConfig {
    fn train_on(&self) -> TrainOn {
        self.train_on
    }

    fn split(&self) -> Split {
        self.split
    }
}

/// Settings of `template`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TemplateConfig {
    /// Which messages are trained. The host fills in `data.train_on`.
    pub train_on: TrainOn,
    /// Whether a conversation of several turns becomes several examples, where the template shows
    /// old answers differently from new ones.
    pub split: Split,
    /// A jinja chat template to use instead of the tokenizer's own.
    pub chat_template: Option<String>,
    /// Variables for the template, such as `enable_thinking: false`.
    pub variables: Map<String, Value>,
    /// The date (`YYYY-MM-DD`) for templates that write today's. Default: the day of the run; give
    /// one to render the same tokens on any day.
    pub current_date: Option<String>,
}
