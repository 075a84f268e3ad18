//! A base model small enough to train in a test: random weights from a seed, a real tokenizer.

use crate::tiny_tokenizer;
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs, io, path::Path};

/// Shape of a [`TinyModel`]. [`TinyModel::default`] is a Llama of about 40,000 parameters.
#[derive(Clone, Debug)]
pub struct TinyModel {
    /// Seed of the weights: the same seed gives the same bytes.
    pub seed: u64,
    /// `LlamaForCausalLM` or `Qwen3ForCausalLM` (query and key norms).
    pub architecture: &'static str,
    /// Width of the residual stream.
    pub hidden: usize,
    /// Width of the MLP.
    pub intermediate: usize,
    /// Number of blocks.
    pub layers: usize,
    /// Query heads, of `hidden / heads` numbers each.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Longest sequence, in tokens.
    pub max_positions: usize,
    /// Whether the output head is the embedding.
    pub tied: bool,
}

impl Default for TinyModel {
    fn default() -> Self {
        Self {
            seed: 0,
            architecture: "LlamaForCausalLM",
            hidden: 32,
            intermediate: 64,
            layers: 2,
            heads: 4,
            kv_heads: 2,
            max_positions: 512,
            tied: true,
        }
    }
}

/// Writes the default [`TinyModel`] of that seed into `dir` (created if need be): a directory as
/// Hugging Face lays it out, with weights in f32, a byte-level BPE tokenizer that encodes any text,
/// and a ChatML chat template.
///
/// # Errors
/// As [`TinyModel::write`].
pub fn tiny_llama(dir: &Path, seed: u64) -> io::Result<()> {
    TinyModel { seed, ..TinyModel::default() }.write(dir)
}

impl TinyModel {
    /// Writes `config.json`, `generation_config.json`, `model.safetensors` and the tokenizer's
    /// files.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn write(&self, dir: &Path) -> io::Result<()> {
        fs::create_dir_all(dir)?;
        fs::write(dir.join("config.json"), pretty(&self.config()))?;
        let eos = json!({ "eos_token_id": tiny_tokenizer::EOS });
        fs::write(dir.join("generation_config.json"), pretty(&eos))?;
        fs::write(dir.join("model.safetensors"), safetensors(&self.weights()))?;
        tiny_tokenizer::write(dir)
    }

    /// What `config.json` says.
    #[must_use]
    pub fn config(&self) -> Value {
        let model_type = if self.architecture == "LlamaForCausalLM" { "llama" } else { "qwen3" };
        json!({
            "architectures": [self.architecture],
            "model_type": model_type,
            "hidden_size": self.hidden,
            "intermediate_size": self.intermediate,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.kv_heads,
            "head_dim": self.hidden / self.heads,
            "hidden_act": "silu",
            "attention_bias": false,
            "max_position_embeddings": self.max_positions,
            "rms_norm_eps": 1e-5,
            "rope_theta": 10_000.0,
            "tie_word_embeddings": self.tied,
            "torch_dtype": "float32",
            "vocab_size": tiny_tokenizer::vocab_size(),
            "bos_token_id": tiny_tokenizer::BOS,
            "eos_token_id": tiny_tokenizer::EOS,
        })
    }

    /// Every weight by its Hugging Face name, with its shape: f32, row-major.
    #[must_use]
    pub fn weights(&self) -> BTreeMap<String, (Vec<usize>, Vec<f32>)> {
        let head_dim = self.hidden / self.heads;
        let (q, kv) = (self.heads * head_dim, self.kv_heads * head_dim);
        let vocab = tiny_tokenizer::vocab_size();
        let mut random = Random(self.seed);
        let mut weights = BTreeMap::new();
        let mut add = |name: String, shape: Vec<usize>| {
            let count = shape.iter().product();
            // Norms lie around 1, matrices around 0 with the spread that keeps activations near 1.
            let (centre, half) = match shape.as_slice() {
                [_, columns] => (0.0, (3.0 / *columns as f32).sqrt()),
                _ => (1.0, 0.2),
            };
            let values = (0..count).map(|_| centre + half * random.signed()).collect();
            weights.insert(name, (shape, values));
        };
        add("model.embed_tokens.weight".into(), vec![vocab, self.hidden]);
        for layer in 0..self.layers {
            let name = |part: &str| format!("model.layers.{layer}.{part}.weight");
            add(name("input_layernorm"), vec![self.hidden]);
            add(name("self_attn.q_proj"), vec![q, self.hidden]);
            add(name("self_attn.k_proj"), vec![kv, self.hidden]);
            add(name("self_attn.v_proj"), vec![kv, self.hidden]);
            add(name("self_attn.o_proj"), vec![self.hidden, q]);
            if self.architecture == "Qwen3ForCausalLM" {
                add(name("self_attn.q_norm"), vec![head_dim]);
                add(name("self_attn.k_norm"), vec![head_dim]);
            }
            add(name("post_attention_layernorm"), vec![self.hidden]);
            add(name("mlp.gate_proj"), vec![self.intermediate, self.hidden]);
            add(name("mlp.up_proj"), vec![self.intermediate, self.hidden]);
            add(name("mlp.down_proj"), vec![self.hidden, self.intermediate]);
        }
        add("model.norm.weight".into(), vec![self.hidden]);
        if !self.tied {
            add("lm_head.weight".into(), vec![vocab, self.hidden]);
        }
        weights
    }
}

/// `SplitMix64`.
struct Random(u64);

impl Random {
    /// Uniform in −1..1.
    fn signed(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        (z >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }
}

/// The bytes of a safetensors file. Written by hand: tests of readers need a second opinion.
#[must_use]
pub fn safetensors(tensors: &BTreeMap<String, (Vec<usize>, Vec<f32>)>) -> Vec<u8> {
    let mut header = serde_json::Map::new();
    header.insert("__metadata__".into(), json!({ "format": "pt" }));
    let mut end = 0;
    for (name, (shape, values)) in tensors {
        let start = end;
        end += values.len() * 4;
        let entry = json!({ "dtype": "F32", "shape": shape, "data_offsets": [start, end] });
        header.insert(name.clone(), entry);
    }
    let mut header = Value::Object(header).to_string();
    while !header.len().is_multiple_of(8) {
        header.push(' ');
    }
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header.as_bytes());
    for (_, values) in tensors.values() {
        bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    }
    bytes
}

pub(crate) fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}
