//! Models: adapters being trained.

use super::{is_false, yes};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Which weights an adapter has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoraConfig {
    /// Rows of A.
    #[serde(default = "rank")]
    pub rank: u32,
    /// Seed of the initial weights; absent: by chance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<i64>,
    /// On the output head.
    #[serde(default = "yes")]
    pub train_unembed: bool,
    /// On the feed-forward layers.
    #[serde(default = "yes")]
    pub train_mlp: bool,
    /// On the attention layers.
    #[serde(default = "yes")]
    pub train_attn: bool,
}

fn rank() -> u32 {
    32
}

/// Which optimizer a model has, for its whole life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OptimizerConfig {
    /// `adamw`, `dimuon`.
    #[serde(rename = "type")]
    pub kind: String,
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self { kind: "adamw".into() }
    }
}

/// `POST /create_model`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CreateModel {
    /// Its session.
    pub session_id: String,
    /// Which model of the session, from 0.
    #[serde(default)]
    pub model_seq_id: u64,
    /// What it is an adapter of.
    pub base_model: String,
    /// Whatever the client wants to find there again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_metadata: Option<Map<String, Value>>,
    /// The adapter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lora_config: Option<LoraConfig>,
    /// The optimizer; absent: AdamW.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub optimizer_config: Option<OptimizerConfig>,
}

/// Result of `create_model` and `unload_model`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelCreated {
    /// The model, which is also a training run.
    pub model_id: String,
    /// `create_model`, `unload_model`.
    #[serde(rename = "type", default, skip_serializing_if = "String::is_empty")]
    pub kind: String,
}

/// `POST /load_weights`: a new model from a checkpoint, by `session_id` and `model_seq_id`, or weights
/// into a model that there is, by `model_id` and `seq_id`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LoadWeights {
    /// Session of the new model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// Which model of the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_seq_id: Option<u64>,
    /// The model there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_id: Option<String>,
    /// Place in the order of its operations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq_id: Option<i64>,
    /// Another base than the checkpoint's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_model: Option<String>,
    /// Whatever the client wants to find there again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_metadata: Option<Map<String, Value>>,
    /// The checkpoint.
    pub path: String,
    /// Whether the state of the optimizer is loaded too.
    #[serde(default)]
    pub optimizer: bool,
    /// The optimizer, where none is loaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub optimizer_config: Option<OptimizerConfig>,
}

/// Result of `load_weights`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WeightsLoaded {
    /// The checkpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_id: Option<String>,
    /// `load_weights`.
    #[serde(rename = "type", default, skip_serializing_if = "String::is_empty")]
    pub kind: String,
}

/// `POST /get_info`, `POST /unload_model`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelRef {
    /// The model.
    pub model_id: String,
}

/// `POST /get_info`.
pub type GetInfo = ModelRef;

/// Answer of `get_info`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelInfo {
    /// What it is an adapter of.
    #[serde(default)]
    pub model_data: ModelData,
    /// The model.
    pub model_id: String,
    /// Whether it is an adapter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_lora: Option<bool>,
    /// Rank of the adapter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lora_rank: Option<u32>,
    /// Name of the base model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_name: Option<String>,
    /// `get_info`.
    #[serde(rename = "type", default, skip_serializing_if = "String::is_empty")]
    pub kind: String,
}

/// A base model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelData {
    /// Its family.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arch: Option<String>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_name: Option<String>,
    /// Its tokenizer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokenizer_id: Option<String>,
}

/// Answer of `POST /weights_info`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WeightsInfo {
    /// The base model.
    pub base_model: String,
    /// Whether it is an adapter.
    pub is_lora: bool,
    /// Rank of the adapter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lora_rank: Option<u32>,
    /// Whether the output head has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train_unembed: Option<bool>,
    /// Whether the feed-forward layers have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train_mlp: Option<bool>,
    /// Whether the attention layers have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train_attn: Option<bool>,
    /// Whether it is public.
    #[serde(default, skip_serializing_if = "is_false")]
    pub public: bool,
}
