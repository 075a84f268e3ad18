//! Training operations of the JSON dialect, and the optimizer's step.

use crate::tensor::TensorData;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A model input, in parts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ModelInput {
    /// The parts.
    pub chunks: Vec<Chunk>,
}

/// A part of a model input.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Chunk {
    /// Ids, of text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<Vec<i32>>,
    /// `encoded_text`, `image`, `image_asset_pointer`, `dmel`; absent: text.
    #[serde(rename = "type", default, skip_serializing_if = "String::is_empty")]
    pub kind: String,
}

impl Chunk {
    /// Tokens.
    #[must_use]
    pub fn text(tokens: Vec<i32>) -> Self {
        Self { tokens: Some(tokens), kind: "encoded_text".into() }
    }
}

/// A datum.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct JsonDatum {
    /// Its model input.
    pub model_input: ModelInput,
    /// Per-token inputs of the loss.
    #[serde(default)]
    pub loss_fn_inputs: BTreeMap<String, TensorData>,
}

/// What a loss is computed of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LossInput {
    /// The datums.
    pub data: Vec<JsonDatum>,
    /// Name of the loss.
    pub loss_fn: String,
    /// Config of the loss.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_fn_config: Option<Map<String, Value>>,
}

/// `POST /forward_backward`, `POST /forward`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ForwardBackward {
    /// For `/forward_backward`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forward_backward_input: Option<LossInput>,
    /// For `/forward`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forward_input: Option<LossInput>,
    /// The model.
    pub model_id: String,
    /// Place in the order of its operations.
    #[serde(default)]
    pub seq_id: Option<i64>,
}

/// Result of `forward_backward`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct JsonOutput {
    /// What the outputs are.
    #[serde(default)]
    pub loss_fn_output_type: String,
    /// The fields of each datum.
    #[serde(default)]
    pub loss_fn_outputs: Vec<BTreeMap<String, TensorData>>,
    /// Figures, named `name:reduction`.
    #[serde(default)]
    pub metrics: BTreeMap<String, f64>,
}

/// Parameters of a step of AdamW.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AdamParams {
    /// Step size.
    pub learning_rate: f64,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub eps: f64,
    /// Decoupled decay.
    pub weight_decay: f64,
    /// Global L2 norm to which the gradient is clipped; 0: off.
    pub grad_clip_norm: f64,
}

impl Default for AdamParams {
    fn default() -> Self {
        Self {
            learning_rate: 1e-4,
            beta1: 0.9,
            beta2: 0.95,
            eps: 1e-12,
            weight_decay: 0.0,
            grad_clip_norm: 0.0,
        }
    }
}

/// `POST /optim_step`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OptimStep {
    /// The model.
    pub model_id: String,
    /// Place in the order of its operations.
    #[serde(default)]
    pub seq_id: Option<i64>,
    /// Parameters of AdamW.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adam_params: Option<AdamParams>,
    /// Parameters of another optimizer.
    #[serde(default, alias = "optim_params", skip_serializing_if = "Option::is_none")]
    pub optimizer_params: Option<Value>,
}

/// Result of `optim_step`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OptimStepped {
    /// Figures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<BTreeMap<String, f64>>,
}
