//! The engine without a trainer: tiny models with random weights, written as Hugging Face directories,
//! adapters over them, packed batches and losses.

use safetensors::{Dtype, tensor::TensorView};
use serde_json::{Value, json};
use std::{path::Path, sync::Arc};
use tempfile::TempDir;
use tinsmith_local::{
    layout::{Layout, WeightId},
    model::{Model, ModelConfig},
    packed::{Packed, TokenLoss},
};
use tinsmith_plugin_api::{Batch, Lora, LossScope, LossValue, Result};

/// Llama with grouped heads, a head width of its own, and a head of its own.
pub fn llama() -> Value {
    json!({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
        "hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "vocab_size": 50,
        "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": false,
        "max_position_embeddings": 512, "eos_token_id": 2
    })
}

/// Qwen3 with q/k norm and a tied head.
pub fn qwen3() -> Value {
    with(
        llama(),
        &json!({
            "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "tie_word_embeddings": true,
            "num_attention_heads": 3, "num_key_value_heads": 3, "rms_norm_eps": 1e-6
        }),
    )
}

/// `base` with the keys of `changes` replaced; `null` removes a key.
pub fn with(mut base: Value, changes: &Value) -> Value {
    for (key, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(base.as_object_mut().unwrap().remove(key)),
            value => drop(base.as_object_mut().unwrap().insert(key.clone(), value.clone())),
        }
    }
    base
}

/// A stream of numbers from a seed.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    /// Within ±1.
    pub fn unit(&mut self) -> f32 {
        self.next() as f32 / (1u64 << 30) as f32 - 1.0
    }

    pub fn vec(&mut self, n: usize, scale: f32) -> Vec<f32> {
        (0..n).map(|_| self.unit() * scale).collect()
    }

    pub fn below(&mut self, n: usize) -> usize {
        self.next() as usize % n
    }
}

/// One tensor to write: name, shape, f32 values.
pub type Plain = (String, Vec<usize>, Vec<f32>);

/// Random weights of that config: norms about 1, the rest of a size that keeps activations lively.
pub fn weights(config: &ModelConfig, seed: u64) -> Vec<Plain> {
    let mut random = Random(seed);
    WeightId::all(config)
        .into_iter()
        .map(|id| {
            let [rows, columns] = id.shape(config);
            if id.is_vector() {
                let values = random.vec(columns, 0.3).iter().map(|v| 1.0 + v).collect();
                (id.name(), vec![columns], values)
            } else {
                let scale = 1.7 / (config.hidden as f32).sqrt();
                (id.name(), vec![rows, columns], random.vec(rows * columns, scale))
            }
        })
        .collect()
}

/// The bytes of a safetensors file.
pub fn safetensors(tensors: &[Plain], dtype: Dtype) -> Vec<u8> {
    let bytes: Vec<Vec<u8>> = tensors
        .iter()
        .map(|(_, _, values)| match dtype {
            Dtype::BF16 => {
                values.iter().flat_map(|&v| half::bf16::from_f32(v).to_le_bytes()).collect()
            }
            Dtype::F16 => {
                values.iter().flat_map(|&v| half::f16::from_f32(v).to_le_bytes()).collect()
            }
            _ => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        })
        .collect();
    let views = tensors.iter().zip(&bytes).map(|((name, shape, _), bytes)| {
        (name.clone(), TensorView::new(dtype, shape.clone(), bytes).unwrap())
    });
    safetensors::serialize(views.collect::<Vec<_>>(), None).unwrap()
}

/// A model directory.
pub fn write(dir: &Path, config: &Value, tensors: &[Plain], dtype: Dtype) {
    std::fs::write(dir.join("config.json"), config.to_string()).unwrap();
    std::fs::write(dir.join("model.safetensors"), safetensors(tensors, dtype)).unwrap();
}

/// A directory with a random model of that config.
pub fn model_dir(config: &Value, dtype: Dtype) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let parsed = ModelConfig::from_json(config).unwrap();
    write(dir.path(), config, &weights(&parsed, 7), dtype);
    dir
}

/// A random model of that config, opened.
pub fn open(config: &Value, dtype: Dtype) -> Arc<Model> {
    Model::open(model_dir(config, dtype).path()).unwrap()
}

/// An adapter of rank 4 on every layer of a model, both of its matrices random.
pub fn adapter(model: &Model) -> (Layout, Vec<f32>) {
    let lora = Lora {
        rank: 4,
        alpha: 8.0,
        seed: 1,
        train_attn: true,
        train_mlp: true,
        train_unembed: true,
    };
    let layout = Layout::lora(model.config(), &lora).unwrap();
    let params = Random(2).vec(layout.len(), 0.2);
    (layout, params)
}

/// A batch of sequences of those lengths with random tokens and targets.
pub fn batch(config: &ModelConfig, lengths: &[usize], seed: u64) -> Packed {
    let mut random = Random(seed);
    let total: usize = lengths.iter().sum();
    let mut offsets = vec![0u64];
    for len in lengths {
        offsets.push(offsets[offsets.len() - 1] + *len as u64);
    }
    let mut ids = || (0..total).map(|_| random.below(config.vocab) as i32).collect::<Vec<_>>();
    let batch = Batch {
        tokens: ids(),
        targets: ids(),
        offsets,
        groups: (0..lengths.len() as u64).collect(),
        columns: Vec::new(),
    };
    Packed::new(&batch, config).unwrap()
}

/// −Σ weight · logprob: cross entropy with weights.
pub struct Weighted(pub Vec<f32>);

impl TokenLoss for Weighted {
    fn scope(&self) -> LossScope {
        LossScope::Token
    }

    fn evaluate(
        &self,
        tokens: std::ops::Range<usize>,
        logprobs: &[f32],
        grad: &mut [f32],
    ) -> Result<LossValue> {
        let mut sum = 0.0;
        for ((grad, logprob), weight) in grad.iter_mut().zip(logprobs).zip(&self.0[tokens]) {
            *grad = -weight;
            sum -= f64::from(*weight) * f64::from(*logprob);
        }
        Ok(LossValue { sum, ..LossValue::default() })
    }
}

/// A smooth loss over the whole batch that couples its tokens: (Σ w·logprob)² / 2, divided by 10.
pub struct Coupled(pub Vec<f32>, pub LossScope);

impl TokenLoss for Coupled {
    fn scope(&self) -> LossScope {
        self.1
    }

    fn evaluate(
        &self,
        tokens: std::ops::Range<usize>,
        logprobs: &[f32],
        grad: &mut [f32],
    ) -> Result<LossValue> {
        assert_eq!(tokens, 0..self.0.len(), "a loss of this scope sees the whole batch");
        let total: f64 = self.0.iter().zip(logprobs).map(|(w, l)| f64::from(w * l)).sum();
        for (grad, weight) in grad.iter_mut().zip(&self.0) {
            *grad = total as f32 * weight / 10.0;
        }
        Ok(LossValue { sum: total * total / 20.0, ..LossValue::default() })
    }
}

/// Weights with zeros, as masked prompts have them.
pub fn masked(n: usize, seed: u64) -> Vec<f32> {
    let mut random = Random(seed);
    (0..n).map(|_| if random.below(3) == 0 { 0.0 } else { 0.1 + random.unit().abs() }).collect()
}
