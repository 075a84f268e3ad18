//! What is trained: `model` and `lora`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The base model.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Folder of the base model in Hugging Face layout, relative to the config, or `org/name` for a
    /// trainer that has models of its own; tinsmith downloads none.
    pub base_model: String,
    /// Folder of the tokenizer. Default: the base model's.
    #[serde(default)]
    pub tokenizer: Option<String>,
}

impl Model {
    /// Where the tokenizer lies: `tokenizer`, else `base_model`.
    #[must_use]
    pub fn tokenizer(&self) -> &str {
        self.tokenizer.as_deref().unwrap_or(&self.base_model)
    }
}

/// The adapter. Without effect with `training.mode: full`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Lora {
    /// Rank of the two factors, at least 1.
    #[schemars(range(min = 1))]
    pub rank: u32,
    /// The update is scaled by `alpha / rank`.
    pub alpha: f32,
    /// Seed of the initial factors.
    pub seed: u64,
    /// Whether the attention's projections get an adapter.
    pub train_attn: bool,
    /// Whether the MLP's projections get an adapter.
    pub train_mlp: bool,
    /// Whether the output head gets an adapter.
    pub train_unembed: bool,
}

impl Default for Lora {
    fn default() -> Self {
        Self {
            rank: 32,
            alpha: 32.0,
            seed: 0,
            train_attn: true,
            train_mlp: true,
            train_unembed: false,
        }
    }
}
