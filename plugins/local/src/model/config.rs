//! What `config.json` of a Hugging Face directory says about a model.
//!
//! Read strictly: a key that would change the arithmetic and is not supported is an error, because a
//! model that computes something slightly different trains without complaint and is worthless.

use super::Linear;
use serde_json::Value;
use std::path::Path;
use tinsmith_plugin_api::{Error, ErrorKind, Result};

/// The shape of a model and the constants of its arithmetic.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelConfig {
    /// Which family it belongs to.
    pub family: Family,
    /// Width of the residual stream.
    pub hidden: usize,
    /// Width of the MLP.
    pub intermediate: usize,
    /// Number of blocks.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; divides `heads`.
    pub kv_heads: usize,
    /// Width of one head.
    pub head_dim: usize,
    /// Entries of the embedding.
    pub vocab: usize,
    /// Added to the mean square under the root of every RMS norm.
    pub norm_eps: f32,
    /// Whether the output head is the embedding.
    pub tied: bool,
    /// Whether query and key heads are normed before the rotation.
    pub qk_norm: bool,
    /// Base of the rotary frequencies.
    pub rope_theta: f32,
    /// How the rotary frequencies are stretched.
    pub rope_scaling: RopeScaling,
    /// Longest sequence, in tokens.
    pub max_positions: usize,
    /// Tokens that end a generated sequence.
    pub eos_token_ids: Vec<i32>,
}

/// A family of architectures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// `LlamaForCausalLM`: Llama 2 and 3, SmolLM2, TinyLlama…
    Llama,
    /// `Qwen3ForCausalLM`.
    Qwen3,
}

/// How rotary frequencies are stretched for longer contexts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RopeScaling {
    /// Not at all.
    None,
    /// All frequencies divided by a factor.
    Linear {
        /// The divisor.
        factor: f32,
    },
    /// Llama 3's rule: low frequencies divided, high ones kept, a blend between.
    Llama3 {
        /// The divisor of low frequencies.
        factor: f32,
        /// Wavelengths above `original / low` count as low.
        low: f32,
        /// Wavelengths below `original / high` count as high.
        high: f32,
        /// Context length before stretching.
        original: f32,
    },
}

impl ModelConfig {
    /// Reads `config.json` (and `generation_config.json`, if any) of a model directory.
    ///
    /// # Errors
    /// `not_found` without `config.json`, `data` for one that makes no sense, `unsupported` for an
    /// architecture this engine does not know.
    pub fn from_dir(dir: &Path) -> Result<Self> {
        let path = dir.join("config.json");
        let doing = || format!("read `{}`", path.display());
        let text = std::fs::read(&path).map_err(|e| {
            Error::from(e)
                .context(doing())
                .with_hint("`model.base_model` must be a directory in Hugging Face layout")
        })?;
        let json: Value =
            serde_json::from_slice(&text).map_err(|e| Error::from(e).context(doing()))?;
        let mut config = Self::from_json(&json).map_err(|e| e.context(doing()))?;
        config.add_generation(dir)?;
        Ok(config)
    }

    /// Adds the end tokens that `generation_config.json` names, if there is one.
    fn add_generation(&mut self, dir: &Path) -> Result<()> {
        let path = dir.join("generation_config.json");
        let broken = |e: Error| {
            e.context(format!("read `{}`", path.display()))
                .with_hint("mend the file, or remove it: it only names end tokens")
        };
        let text = match std::fs::read(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            other => other.map_err(|e| broken(e.into()))?,
        };
        let json: Value = serde_json::from_slice(&text).map_err(|e| broken(e.into()))?;
        for id in token_ids(&json["eos_token_id"]) {
            if !self.eos_token_ids.contains(&id) {
                self.eos_token_ids.push(id);
            }
        }
        Ok(())
    }

    /// As [`ModelConfig::from_dir`], from the parsed file.
    ///
    /// # Errors
    /// `data` or `unsupported`.
    pub fn from_json(json: &Value) -> Result<Self> {
        let family = family(json)?;
        refuse_unsupported(json)?;
        let hidden = count(json, "hidden_size")?;
        let heads = count(json, "num_attention_heads")?;
        let kv_heads = optional_count(json, "num_key_value_heads")?.unwrap_or(heads);
        let head_dim = match optional_count(json, "head_dim")? {
            Some(dim) => dim,
            None if hidden.is_multiple_of(heads) => hidden / heads,
            None => return Err(Error::data("must divide `hidden_size`").at("num_attention_heads")),
        };
        if !heads.is_multiple_of(kv_heads) {
            return Err(Error::data("must divide `num_attention_heads`").at("num_key_value_heads"));
        }
        if !head_dim.is_multiple_of(2) {
            return Err(Error::data("must be even").at("head_dim"));
        }
        let layers = count(json, "num_hidden_layers")?;
        if layers > MAX_LAYERS {
            return Err(Error::data(format!("must be at most {MAX_LAYERS}, is {layers}"))
                .at("num_hidden_layers"));
        }
        let (rope_theta, rope_scaling) = super::rope_config::read(json)?;
        Ok(Self {
            family,
            hidden,
            intermediate: count(json, "intermediate_size")?,
            layers,
            heads,
            kv_heads,
            head_dim,
            vocab: count(json, "vocab_size")?,
            norm_eps: number(json, "rms_norm_eps")?.unwrap_or(1e-6),
            tied: flag(json, "tie_word_embeddings")?,
            qk_norm: family == Family::Qwen3,
            rope_theta,
            rope_scaling,
            max_positions: optional_count(json, "max_position_embeddings")?.unwrap_or(2048),
            eos_token_ids: token_ids(&json["eos_token_id"]),
        })
    }

    /// `[out, in]` of a linear layer.
    #[must_use]
    pub fn linear_shape(&self, linear: Linear) -> [usize; 2] {
        match linear {
            Linear::Q => [self.q_width(), self.hidden],
            Linear::K | Linear::V => [self.kv_width(), self.hidden],
            Linear::O => [self.hidden, self.q_width()],
            Linear::Gate | Linear::Up => [self.intermediate, self.hidden],
            Linear::Down => [self.hidden, self.intermediate],
        }
    }

    /// Width of all query heads together.
    #[must_use]
    pub fn q_width(&self) -> usize {
        self.heads * self.head_dim
    }

    /// Width of all key heads (or all value heads) together.
    #[must_use]
    pub fn kv_width(&self) -> usize {
        self.kv_heads * self.head_dim
    }

    /// Width of a row that holds queries, keys and values side by side.
    #[must_use]
    pub fn qkv_width(&self) -> usize {
        self.q_width() + 2 * self.kv_width()
    }
}

fn family(json: &Value) -> Result<Family> {
    let named = json["architectures"][0].as_str();
    match (named, json["model_type"].as_str()) {
        (Some("LlamaForCausalLM"), _) | (None, Some("llama")) => Ok(Family::Llama),
        (Some("Qwen3ForCausalLM"), _) | (None, Some("qwen3")) => Ok(Family::Qwen3),
        (Some(name), _) | (None, Some(name)) => {
            Err(Error::unsupported(format!("unknown architecture `{name}`"))
                .at("architectures")
                .with_hint("the local trainer knows LlamaForCausalLM and Qwen3ForCausalLM"))
        }
        (None, None) => Err(Error::data("is missing").at("architectures")),
    }
}

/// Keys whose value would change the arithmetic in a way that is not implemented.
fn refuse_unsupported(json: &Value) -> Result<()> {
    let refuse = |key: &str, what: &str| {
        Err(Error::unsupported(format!("the local trainer does not support {what}")).at(key))
    };
    for (key, what) in [
        ("attention_bias", "biases in attention"),
        ("mlp_bias", "biases in the MLP"),
        ("use_sliding_window", "sliding-window attention"),
    ] {
        if flag(json, key)? {
            return refuse(key, what);
        }
    }
    if !json["quantization_config"].is_null() {
        return refuse("quantization_config", "quantised weights")
            .map_err(|e: Error| e.with_hint("use the model's f32, bf16 or f16 weights"));
    }
    match text(json, "hidden_act")? {
        None | Some("silu") => Ok(()),
        Some(other) => refuse("hidden_act", &format!("the activation `{other}`")),
    }
}

/// True or false; false if the key is not there.
fn flag(json: &Value, key: &str) -> Result<bool> {
    match &json[key] {
        Value::Null => Ok(false),
        Value::Bool(value) => Ok(*value),
        other => Err(Error::data(format!("must be true or false, is {other}")).at(key)),
    }
}

/// A text, if the key is there.
pub(super) fn text<'a>(json: &'a Value, key: &str) -> Result<Option<&'a str>> {
    match &json[key] {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        other => Err(Error::data(format!("must be a text, is {other}")).at(key)),
    }
}

fn count(json: &Value, key: &str) -> Result<usize> {
    optional_count(json, key)?.ok_or_else(|| Error::data("is missing").at(key))
}

/// More blocks than any model has: a larger number is a damaged file, not a reason to run out of
/// memory.
const MAX_LAYERS: usize = 4096;

/// Largest value any size in `config.json` may have: keeps products of two within `usize`.
const MAX_COUNT: u64 = 1 << 31;

fn optional_count(json: &Value, key: &str) -> Result<Option<usize>> {
    match &json[key] {
        Value::Null => Ok(None),
        value => match value.as_u64() {
            Some(n) if (1..MAX_COUNT).contains(&n) => Ok(Some(n as usize)),
            _ => Err(Error::data(format!("must be a positive whole number, is {value}")).at(key)),
        },
    }
}

/// A positive, finite number, if the key is there.
pub(super) fn number(json: &Value, key: &str) -> Result<Option<f32>> {
    match &json[key] {
        Value::Null => Ok(None),
        value => match value.as_f64().map(|n| n as f32) {
            Some(n) if n.is_finite() && n > 0.0 => Ok(Some(n)),
            _ => Err(Error::new(ErrorKind::DATA, format!("must be a positive number, is {value}"))
                .at(key)),
        },
    }
}

fn token_ids(value: &Value) -> Vec<i32> {
    let one = |v: &Value| v.as_i64().and_then(|id| i32::try_from(id).ok());
    match value {
        Value::Array(ids) => ids.iter().filter_map(one).collect(),
        value => one(value).into_iter().collect(),
    }
}
