//! Model directories that cannot be used: one clear line each, and a hint where the user can do
//! something.

// Helpers of tests may unwrap, as tests do.
#![allow(clippy::unwrap_used)]

mod support;

use safetensors::Dtype;
use serde_json::{Value, json};
use std::path::Path;
use support::engine::{Plain, llama, qwen3, safetensors, weights, with, write};
use tinsmith_local::model::{Model, ModelConfig};
use tinsmith_plugin_api::{Error, ErrorKind};

fn tensors() -> Vec<Plain> {
    weights(&ModelConfig::from_json(&llama()).unwrap(), 1)
}

fn open(dir: &Path) -> Error {
    Model::open(dir).expect_err("the model is broken")
}

/// Opens a directory with this config and these weights, and checks kind, text and hint.
fn expect(config: &Value, tensors: &[Plain], kind: ErrorKind, texts: &[&str], hint: &str) {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), config, tensors, Dtype::F32);
    check(&open(dir.path()), kind, texts, hint);
}

fn check(error: &Error, kind: ErrorKind, texts: &[&str], hint: &str) {
    let line = error.to_string();
    assert_eq!(error.kind(), kind, "{line}");
    assert!(!line.contains('\n'), "{line}");
    for text in texts {
        assert!(line.contains(text), "`{text}` is not in: {line}");
    }
    assert!(error.hint().unwrap_or("").contains(hint), "{:?}", error.hint());
}

#[test]
fn an_empty_directory() {
    let dir = tempfile::tempdir().unwrap();
    check(&open(dir.path()), ErrorKind::NOT_FOUND, &["config.json"], "Hugging Face layout");
    std::fs::write(dir.path().join("config.json"), llama().to_string()).unwrap();
    check(&open(dir.path()), ErrorKind::NOT_FOUND, &["model.safetensors"], "download");
}

#[test]
fn a_config_that_is_not_json() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("config.json"), "{\"hidden_size\": 3,").unwrap();
    check(&open(dir.path()), ErrorKind::DATA, &["config.json", "line 1"], "");
}

#[test]
fn configs_that_make_no_sense() {
    let cases = [
        (json!({"hidden_size": null}), ErrorKind::DATA, "`hidden_size`: is missing"),
        (json!({"hidden_size": "24"}), ErrorKind::DATA, "`hidden_size`: must be a positive"),
        (json!({"num_hidden_layers": 0}), ErrorKind::DATA, "`num_hidden_layers`"),
        (json!({"num_hidden_layers": 1_000_000_000}), ErrorKind::DATA, "`num_hidden_layers`"),
        (json!({"vocab_size": -5}), ErrorKind::DATA, "`vocab_size`"),
        (json!({"vocab_size": 0}), ErrorKind::DATA, "`vocab_size`"),
        (json!({"num_attention_heads": 0}), ErrorKind::DATA, "`num_attention_heads`"),
        (json!({"intermediate_size": 1.5}), ErrorKind::DATA, "`intermediate_size`"),
        (json!({"max_position_embeddings": 0}), ErrorKind::DATA, "`max_position_embeddings`"),
        (json!({"tie_word_embeddings": "yes"}), ErrorKind::DATA, "`tie_word_embeddings`"),
        (json!({"attention_bias": 1}), ErrorKind::DATA, "`attention_bias`: must be true or false"),
        (json!({"hidden_act": 3}), ErrorKind::DATA, "`hidden_act`"),
        (json!({"num_key_value_heads": 3}), ErrorKind::DATA, "`num_key_value_heads`"),
        (json!({"head_dim": 7}), ErrorKind::DATA, "`head_dim`: must be even"),
        (json!({"rms_norm_eps": -1.0}), ErrorKind::DATA, "`rms_norm_eps`"),
        (json!({"attention_bias": true}), ErrorKind::UNSUPPORTED, "`attention_bias`"),
        (json!({"mlp_bias": true}), ErrorKind::UNSUPPORTED, "`mlp_bias`"),
        (json!({"hidden_act": "gelu"}), ErrorKind::UNSUPPORTED, "gelu"),
        (json!({"quantization_config": {}}), ErrorKind::UNSUPPORTED, "quantised"),
        (json!({"rope_scaling": {"rope_type": "yarn"}}), ErrorKind::UNSUPPORTED, "yarn"),
        (json!({"rope_scaling": "llama3"}), ErrorKind::DATA, "`rope_scaling`: must be an object"),
        (json!({"rope_parameters": [8]}), ErrorKind::DATA, "`rope_parameters`: must be an object"),
        (json!({"rope_scaling": {"rope_type": 3}}), ErrorKind::DATA, "`rope_scaling.rope_type`"),
        (json!({"rope_scaling": {"factor": 4.0}}), ErrorKind::DATA, "`rope_scaling.rope_type`"),
        (
            json!({"rope_parameters": {"full_attention": {"rope_theta": 1e6}}}),
            ErrorKind::UNSUPPORTED,
            "`rope_parameters.full_attention`",
        ),
        (json!({"rope_theta": -10000.0}), ErrorKind::DATA, "`rope_theta`: must be a positive"),
        (json!({"rope_theta": "big"}), ErrorKind::DATA, "`rope_theta`"),
        (json!({"partial_rotary_factor": 0.5}), ErrorKind::UNSUPPORTED, "`partial_rotary_factor`"),
        (
            json!({"rope_parameters": {"rope_theta": 1e4, "partial_rotary_factor": 0.5}}),
            ErrorKind::UNSUPPORTED,
            "`rope_parameters.partial_rotary_factor`",
        ),
        (
            json!({"rope_scaling": {"rope_type": "llama3", "factor": 8.0}}),
            ErrorKind::DATA,
            "`rope_scaling.low_freq_factor`: is missing",
        ),
    ];
    for (changes, kind, text) in cases {
        expect(&with(llama(), &changes), &[], kind, &["config.json", text], "");
    }
}

#[test]
fn an_unknown_architecture() {
    let config = with(llama(), &json!({"architectures": ["GPT2LMHeadModel"]}));
    let hint = "LlamaForCausalLM and Qwen3ForCausalLM";
    expect(&config, &tensors(), ErrorKind::UNSUPPORTED, &["GPT2LMHeadModel"], hint);
}

#[test]
fn a_missing_tensor_is_named() {
    let name = "model.layers.1.mlp.up_proj.weight";
    let kept: Vec<Plain> = tensors().into_iter().filter(|t| t.0 != name).collect();
    expect(&llama(), &kept, ErrorKind::NOT_FOUND, &[name, "missing"], "different models");
    // Qwen3's norms are not in a Llama file, and a head that is not tied must be there.
    let qwen = with(qwen3(), &json!({"num_attention_heads": 4, "num_key_value_heads": 2}));
    expect(&qwen, &tensors(), ErrorKind::NOT_FOUND, &["q_norm"], "");
    let kept: Vec<Plain> = tensors().into_iter().filter(|t| t.0 != "lm_head.weight").collect();
    let hint = "tie_word_embeddings";
    expect(&llama(), &kept, ErrorKind::NOT_FOUND, &["lm_head.weight"], hint);
}

#[test]
fn a_wrong_shape_is_named() {
    let config = with(llama(), &json!({"vocab_size": 51}));
    let texts = ["model.embed_tokens.weight", "[50, 24]", "[51, 24]"];
    expect(&config, &tensors(), ErrorKind::DATA, &texts, "different models");
}

#[test]
fn weights_that_are_not_finite_are_named() {
    for (name, bad) in
        [("model.layers.0.self_attn.k_proj.weight", f32::NAN), ("model.norm.weight", f32::INFINITY)]
    {
        for dtype in [Dtype::F32, Dtype::BF16, Dtype::F16] {
            let mut tensors = tensors();
            tensors.iter_mut().find(|t| t.0 == name).unwrap().2[5] = bad;
            let dir = tempfile::tempdir().unwrap();
            write(dir.path(), &llama(), &tensors, dtype);
            let texts = [name, "value 5", "not finite"];
            check(&open(dir.path()), ErrorKind::DATA, &texts, "damaged");
        }
    }
}

#[test]
fn a_dtype_it_cannot_read() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &llama(), &tensors(), Dtype::F32);
    let path = dir.path().join("model.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header = std::str::from_utf8(&bytes[8..8 + length]).unwrap();
    let mut changed = bytes[..8].to_vec();
    changed.extend(header.replace("\"F32\"", "\"I32\"").bytes());
    changed.extend(&bytes[8 + length..]);
    std::fs::write(&path, changed).unwrap();
    check(&open(dir.path()), ErrorKind::UNSUPPORTED, &["I32"], "F32, BF16 and F16");
}

#[test]
fn a_file_cut_short_anywhere() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &llama(), &tensors(), Dtype::F32);
    let path = dir.path().join("model.safetensors");
    let whole = std::fs::read(&path).unwrap();
    for len in [0, 3, 8, 100, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&path, &whole[..len]).unwrap();
        let error = open(dir.path());
        assert_eq!(error.kind(), ErrorKind::DATA, "{len}: {error}");
        check(&error, ErrorKind::DATA, &["model.safetensors"], "download it again");
    }
    let mut longer = whole.clone();
    longer.extend([0; 16]);
    std::fs::write(&path, longer).unwrap();
    check(&open(dir.path()), ErrorKind::DATA, &["model.safetensors"], "download it again");
}

/// A safetensors file with another header over the same data.
fn with_header(file: &[u8], header: &str) -> Vec<u8> {
    let (length, rest) = file.split_first_chunk::<8>().unwrap();
    let data = &rest[u64::from_le_bytes(*length) as usize..];
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
}

#[test]
fn a_header_that_lies() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &llama(), &tensors(), Dtype::F32);
    let path = dir.path().join("model.safetensors");
    let whole = std::fs::read(&path).unwrap();
    let (length, rest) = whole.split_first_chunk::<8>().unwrap();
    let header: Value =
        serde_json::from_slice(&rest[..u64::from_le_bytes(*length) as usize]).unwrap();
    let entry = &header["model.layers.1.mlp.up_proj.weight"];
    let [start, end] = [0, 1].map(|i| entry["data_offsets"][i].as_u64().unwrap());
    let lies = [
        ("shape", json!([u64::MAX, u64::MAX])),
        ("shape", json!([40, 25])),
        ("shape", json!([-40, -24])),
        ("dtype", json!("BF16")),
        ("dtype", json!("F1")),
        ("data_offsets", json!([end, start])),
        ("data_offsets", json!([start, end + 4])),
        ("data_offsets", json!([start - 4, end - 4])),
        ("data_offsets", json!([start, u64::MAX])),
    ];
    for (key, lie) in lies {
        let mut header = header.clone();
        header["model.layers.1.mlp.up_proj.weight"][key] = lie;
        std::fs::write(&path, with_header(&whole, &header.to_string())).unwrap();
        check(&open(dir.path()), ErrorKind::DATA, &["model.safetensors"], "download it again");
    }
    for length in [u64::MAX, whole.len() as u64, 1 << 40] {
        let lie = [&length.to_le_bytes(), &whole[8..]].concat();
        std::fs::write(&path, lie).unwrap();
        check(&open(dir.path()), ErrorKind::DATA, &["model.safetensors"], "download it again");
    }
    std::fs::write(&path, with_header(&whole, &header.to_string())).unwrap();
    Model::open(dir.path()).expect("only the lies are refused");
}

#[test]
fn generation_settings_that_cannot_be_read() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &llama(), &tensors(), Dtype::F32);
    std::fs::write(dir.path().join("generation_config.json"), "{\"eos_token_id\": 2").unwrap();
    check(&open(dir.path()), ErrorKind::DATA, &["generation_config.json"], "remove it");
    std::fs::remove_file(dir.path().join("generation_config.json")).unwrap();
    std::fs::create_dir(dir.path().join("generation_config.json")).unwrap();
    check(&open(dir.path()), ErrorKind::IO, &["generation_config.json"], "remove it");
}

#[test]
fn an_index_that_lies() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("config.json"), llama().to_string()).unwrap();
    let index = dir.path().join("model.safetensors.index.json");
    let all = tensors();
    let map = |file: &dyn Fn(usize) -> String| {
        let entries = all.iter().enumerate().map(|(i, t)| (t.0.clone(), json!(file(i))));
        json!({"weight_map": Value::Object(entries.collect())}).to_string()
    };
    let shard = |i: usize| format!("model-{:05}-of-00002.safetensors", i % 2 + 1);
    std::fs::write(&index, map(&shard)).unwrap();
    check(
        &open(dir.path()),
        ErrorKind::NOT_FOUND,
        &["model-00001-of-00002.safetensors"],
        "download",
    );
    let (odd, even): (Vec<_>, Vec<_>) =
        all.iter().cloned().enumerate().partition(|(i, _)| i % 2 == 1);
    for (i, part) in [even, odd].into_iter().enumerate() {
        let part: Vec<Plain> = part.into_iter().map(|(_, t)| t).collect();
        std::fs::write(dir.path().join(shard(i)), safetensors(&part, Dtype::F32)).unwrap();
    }
    Model::open(dir.path()).expect("both shards are there");
    std::fs::write(&index, map(&|i| shard(i + 1))).unwrap();
    check(&open(dir.path()), ErrorKind::NOT_FOUND, &["missing"], "");
    std::fs::write(&index, map(&|_| "../elsewhere.safetensors".into())).unwrap();
    check(&open(dir.path()), ErrorKind::DATA, &["weight_map", "file of this directory"], "");
    std::fs::write(&index, "{}").unwrap();
    check(&open(dir.path()), ErrorKind::DATA, &["weight_map"], "");
}
