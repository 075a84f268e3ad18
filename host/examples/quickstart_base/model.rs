//! The model directory in Hugging Face layout: shape, tokenizer, and random weights to start from.

use crate::{
    rng::Rng,
    tokenizer::{SPECIAL, VOCAB},
};
use half::bf16;
use safetensors::{Dtype, tensor::TensorView};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs, path::Path};

/// Width of the residual stream.
const HIDDEN: usize = 160;
/// Width of the MLP.
const INTERMEDIATE: usize = 432;
/// Blocks.
const LAYERS: usize = 5;
/// Heads, for queries and keys alike: copying needs many.
const HEADS: usize = 5;
/// Longest sequence, in tokens.
const CONTEXT: usize = 1024;

/// ChatML, as `<|im_start|>role`, newline, content, `<|im_end|>`, newline.
const CHAT_TEMPLATE: &str = "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

/// Parameters of the model.
pub fn parameters() -> usize {
    shapes().values().map(|shape| shape.iter().product::<usize>()).sum()
}

fn config() -> Value {
    json!({
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": HIDDEN,
        "intermediate_size": INTERMEDIATE,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": HEADS,
        "head_dim": HIDDEN / HEADS,
        "vocab_size": VOCAB,
        "max_position_embeddings": CONTEXT,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "attention_bias": false,
        "mlp_bias": false,
        "tie_word_embeddings": true,
        "torch_dtype": "bfloat16",
        "bos_token_id": null,
        "eos_token_id": [0, 2],
        "pad_token_id": 0,
    })
}

/// Writes the directory: everything but the training.
///
/// # Errors
/// Whatever the file system or the tokenizers crate answer.
pub fn write(dir: &Path, tokenizer: &tokenizers::Tokenizer, seed: u64) -> anyhow::Result<()> {
    let pretty = |name: &str, json: &Value| -> anyhow::Result<()> {
        fs::write(dir.join(name), format!("{}\n", serde_json::to_string_pretty(json)?))?;
        Ok(())
    };
    pretty("config.json", &config())?;
    pretty(
        "generation_config.json",
        &json!({"eos_token_id": [0, 2], "pad_token_id": 0, "max_new_tokens": 128}),
    )?;
    let added: BTreeMap<String, Value> = SPECIAL
        .iter()
        .enumerate()
        .map(|(id, text)| {
            let token = json!({
                "content": text, "lstrip": false, "normalized": false, "rstrip": false,
                "single_word": false, "special": true,
            });
            (id.to_string(), token)
        })
        .collect();
    pretty(
        "tokenizer_config.json",
        &json!({
            "tokenizer_class": "PreTrainedTokenizerFast",
            "added_tokens_decoder": added,
            "bos_token": null,
            "eos_token": SPECIAL[2],
            "pad_token": SPECIAL[0],
            "model_max_length": CONTEXT,
            "clean_up_tokenization_spaces": false,
            "chat_template": CHAT_TEMPLATE,
        }),
    )?;
    tokenizer.save(dir.join("tokenizer.json"), false).map_err(anyhow::Error::from_boxed)?;
    fs::write(dir.join("model.safetensors"), weights(seed)?)?;
    Ok(())
}

fn shapes() -> BTreeMap<String, Vec<usize>> {
    let mut all = BTreeMap::new();
    all.insert("model.embed_tokens.weight".to_owned(), vec![VOCAB, HIDDEN]);
    all.insert("model.norm.weight".to_owned(), vec![HIDDEN]);
    for layer in 0..LAYERS {
        let block = format!("model.layers.{layer}");
        for part in ["input_layernorm", "post_attention_layernorm"] {
            all.insert(format!("{block}.{part}.weight"), vec![HIDDEN]);
        }
        for part in ["q", "k", "v", "o"] {
            all.insert(format!("{block}.self_attn.{part}_proj.weight"), vec![HIDDEN, HIDDEN]);
        }
        for part in ["gate", "up"] {
            all.insert(format!("{block}.mlp.{part}_proj.weight"), vec![INTERMEDIATE, HIDDEN]);
        }
        all.insert(format!("{block}.mlp.down_proj.weight"), vec![HIDDEN, INTERMEDIATE]);
    }
    all
}

/// Random weights: normal, of variance 1 / inputs, the ends of residual branches smaller by the root
/// of their number; norms 1.
fn weights(seed: u64) -> anyhow::Result<Vec<u8>> {
    let mut tensors = Vec::new();
    for (stream, (name, shape)) in shapes().into_iter().enumerate() {
        let mut rng = Rng::new(seed, stream as u64);
        let branch_end = name.contains("o_proj") || name.contains("down_proj");
        let deviation = if name.contains("embed") {
            0.04
        } else {
            let branches = if branch_end { 2.0 * LAYERS as f32 } else { 1.0 };
            (1.0 / (*shape.last().unwrap_or(&1) as f32 * branches)).sqrt()
        };
        let n: usize = shape.iter().product();
        let draw = |_| if shape.len() == 1 { 1.0 } else { deviation * rng.normal() };
        let bytes: Vec<u8> =
            (0..n).map(draw).flat_map(|x| bf16::from_f32(x).to_le_bytes()).collect();
        tensors.push((name, shape, bytes));
    }
    let views: Result<Vec<_>, _> = tensors
        .iter()
        .map(|(name, shape, bytes)| {
            TensorView::new(Dtype::BF16, shape.clone(), bytes).map(|view| (name.as_str(), view))
        })
        .collect();
    let metadata = [("format".to_owned(), "pt".to_owned())].into();
    Ok(safetensors::serialize(views?, Some(metadata))?)
}
