//! However a model lies on disk, it is the same model: dtype, alignment, shards.
//!
//! Expected values come from the same weights, rounded beforehand and stored as aligned f32 in one file.

#![allow(clippy::unwrap_used)] // the lint's own exception covers test functions only

mod support;

use half::{bf16, f16};
use safetensors::Dtype;
use serde_json::{Value, json};
use std::{fs, path::Path};
use support::engine::{
    Plain, Weighted, adapter, batch, llama, masked, qwen3, safetensors, weights, write,
};
use tinsmith_local::model::{Model, ModelConfig};

/// Log-probabilities and gradients of an adapter over the model in that directory.
fn results(dir: &Path) -> (Vec<f32>, Vec<f32>) {
    let model = Model::open(dir).unwrap();
    let (layout, params) = adapter(&model);
    let batch = batch(model.config(), &[40, 1, 7], 3);
    let loss = Weighted(masked(batch.len(), 4));
    let mut grads = vec![0.0; layout.len()];
    let (logprobs, _) =
        model.forward_backward(&layout, &params, &mut grads, &batch, &loss).unwrap();
    (logprobs, grads)
}

fn assert_close(found: &[f32], expected: &[f32], what: &str) {
    let scale = expected.iter().fold(1e-3f32, |m, v| m.max(v.abs()));
    for (i, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!((a - b).abs() < 2e-5 * scale, "{what}[{i}]: {a} {b}");
    }
}

fn rounded(tensors: &[Plain], dtype: Dtype) -> Vec<Plain> {
    let round = |v: &f32| match dtype {
        Dtype::BF16 => bf16::from_f32(*v).to_f32(),
        Dtype::F16 => f16::from_f32(*v).to_f32(),
        _ => *v,
    };
    let tensor = |(name, shape, values): &Plain| {
        (name.clone(), shape.clone(), values.iter().map(round).collect())
    };
    tensors.iter().map(tensor).collect()
}

/// The file with its header one byte longer: no value is aligned any more.
fn shifted(file: &[u8]) -> Vec<u8> {
    let (length, rest) = file.split_first_chunk::<8>().unwrap();
    let length = u64::from_le_bytes(*length);
    let (header, data) = rest.split_at(length as usize);
    [&(length + 1).to_le_bytes(), header, b" ", data].concat()
}

#[test]
fn every_dtype_at_every_alignment() {
    for config in [llama(), qwen3()] {
        let tensors = weights(&ModelConfig::from_json(&config).unwrap(), 7);
        for dtype in [Dtype::F32, Dtype::BF16, Dtype::F16] {
            let dir = tempfile::tempdir().unwrap();
            write(dir.path(), &config, &rounded(&tensors, dtype), Dtype::F32);
            let (logprobs, grads) = results(dir.path());
            let file = safetensors(&tensors, dtype);
            for file in [shifted(&file), file] {
                fs::write(dir.path().join("model.safetensors"), file).unwrap();
                let found = results(dir.path());
                assert_close(&found.0, &logprobs, "logprobs");
                assert_close(&found.1, &grads, "gradients");
            }
        }
    }
}

#[test]
fn shards_are_one_model() {
    let config = llama();
    let tensors = weights(&ModelConfig::from_json(&config).unwrap(), 7);
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &config, &tensors, Dtype::F32);
    let expected = results(dir.path());
    fs::remove_file(dir.path().join("model.safetensors")).unwrap();
    let name = |shard: usize| format!("model-{:05}-of-00003.safetensors", shard + 1);
    let mut map = serde_json::Map::new();
    for (shard, part) in tensors.chunks(tensors.len().div_ceil(3)).enumerate() {
        fs::write(dir.path().join(name(shard)), safetensors(part, Dtype::F32)).unwrap();
        map.extend(part.iter().map(|(tensor, ..)| (tensor.clone(), json!(name(shard)))));
    }
    assert!(map.values().any(|file| *file == name(2)));
    let index = json!({ "metadata": { "total_size": 1 }, "weight_map": Value::Object(map) });
    fs::write(dir.path().join("model.safetensors.index.json"), index.to_string()).unwrap();
    assert_eq!(results(dir.path()), expected);
}
