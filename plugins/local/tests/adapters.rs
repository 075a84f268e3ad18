//! Adapters that others wrote, in PEFT's layout: read strictly, refused by name.

#![allow(clippy::unwrap_used)] // the lint's own exception covers test functions only

mod support;

use safetensors::{Dtype, SafeTensors};
use serde_json::{Value, json};
use std::{fs, path::PathBuf};
use support::{
    engine::{Plain, Random, safetensors},
    lab::Lab,
};
use tinsmith_plugin_api::{Error, ErrorKind, SampleRequest, Samples, ticket};

const LAYER: &str = "base_model.model.model.layers.0.self_attn.q_proj";
const HEAD: &str = "base_model.model.lm_head";

/// An adapter of rank 4 on one query projection and the head of the lab's base.
fn adapter() -> Vec<Plain> {
    let mut random = Random(5);
    let mut tensor = |name: String, rows: usize, columns: usize| {
        (name, vec![rows, columns], random.vec(rows * columns, 0.5))
    };
    vec![
        tensor(format!("{LAYER}.lora_A.weight"), 4, 32),
        tensor(format!("{LAYER}.lora_B.weight"), 32, 4),
        tensor(format!("{HEAD}.lora_A.weight"), 4, 32),
        tensor(format!("{HEAD}.lora_B.weight"), 320, 4),
    ]
}

fn config() -> Value {
    json!({
        "peft_type": "LORA", "task_type": "CAUSAL_LM", "r": 4, "lora_alpha": 8,
        "lora_dropout": 0.1, "bias": "none", "init_lora_weights": true,
        "target_modules": ["q_proj", "lm_head"], "base_model_name_or_path": "base"
    })
}

fn write(lab: &Lab, config: &Value, weights: &[u8]) -> PathBuf {
    let dir = lab.dir.path().join("adapter");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("adapter_config.json"), config.to_string()).unwrap();
    fs::write(dir.join("adapter_model.safetensors"), weights).unwrap();
    dir
}

fn logprobs(lab: &Lab, source: &str) -> Vec<f32> {
    let sampler = lab.trainer.sampler(source).unwrap();
    let (done, answer) = ticket::<Samples>();
    let prompt = vec![72, 101, 108, 108, 111, 33];
    let request = SampleRequest {
        prompt,
        max_tokens: Some(0),
        prompt_logprobs: true,
        ..SampleRequest::default()
    };
    sampler.sample(request, done);
    answer.wait().unwrap().prompt_logprobs.unwrap().into_iter().flatten().collect()
}

fn refused(config: &Value, weights: &[u8]) -> Error {
    let lab = Lab::new();
    let dir = write(&lab, config, weights);
    lab.trainer.sampler(dir.to_str().unwrap()).err().expect("the adapter is broken")
}

#[test]
fn what_only_matters_in_training_changes_nothing() {
    let lab = Lab::new();
    let weights = safetensors(&adapter(), Dtype::F32);
    let open = |config: &Value| {
        let dir = write(&lab, config, &weights);
        logprobs(&lab, dir.to_str().unwrap())
    };
    let plain = open(&config());
    assert_ne!(plain, logprobs(&lab, &lab.base()), "the adapter does something");
    for (key, value) in [
        ("lora_dropout", json!(0.0)),
        ("init_lora_weights", json!("gaussian")),
        ("exclude_modules", json!(["v_proj"])),
        ("inference_mode", json!(false)),
    ] {
        let mut config = config();
        config[key] = value;
        assert_eq!(open(&config), plain, "{key}");
    }
    // alpha / √rank instead of alpha / rank: 4 / 2 = 8 / 4.
    let mut stabilised = config();
    stabilised["use_rslora"] = json!(true);
    stabilised["lora_alpha"] = json!(4);
    assert_eq!(open(&stabilised), plain);
}

/// PEFT saves the base layer beside an adapter on the head. It is the base's own weight, or the
/// adapter belongs to another base.
#[test]
fn a_copy_of_the_bases_head_is_compared_with_the_base() {
    let lab = Lab::new();
    let without = write(&lab, &config(), &safetensors(&adapter(), Dtype::F32));
    let expected = logprobs(&lab, without.to_str().unwrap());
    let base = fs::read(lab.dir.path().join("base/model.safetensors")).unwrap();
    let base = SafeTensors::deserialize(&base).unwrap();
    let embedding = base.tensor("model.embed_tokens.weight").unwrap();
    let values = embedding.data().as_chunks::<4>().0.iter().map(|&b| f32::from_le_bytes(b));
    let mut tensors = adapter();
    tensors.push((format!("{HEAD}.base_layer.weight"), vec![320, 32], values.collect()));
    let dir = write(&lab, &config(), &safetensors(&tensors, Dtype::F32));
    assert_eq!(logprobs(&lab, dir.to_str().unwrap()), expected);

    tensors[4].2[77] += 0.5;
    let e = refused(&config(), &safetensors(&tensors, Dtype::F32));
    assert_eq!(e.kind(), ErrorKind::UNSUPPORTED, "{e}");
    assert!(e.to_string().contains("lm_head.base_layer.weight"), "{e}");
    assert!(e.hint().is_some());
}

#[test]
fn broken_weights_are_named() {
    let b = format!("{LAYER}.lora_B.weight");
    let change = |change: &dyn Fn(&mut Vec<Plain>)| {
        let mut tensors = adapter();
        change(&mut tensors);
        refused(&config(), &safetensors(&tensors, Dtype::F32))
    };
    let cases = [
        (change(&|t| t[1].2[9] = f32::NAN), "index 9"),
        (change(&|t| t[1].1 = vec![16, 8]), "[16, 8]"),
        (change(&|t| drop(t.remove(1))), "is missing"),
    ];
    for (e, text) in cases {
        assert_eq!(e.kind(), ErrorKind::DATA, "{e}");
        assert!(e.to_string().contains(&b) && e.to_string().contains(text), "{e}");
    }
    let e =
        change(&|t| t[0].0 = "base_model.model.model.layers.9.mlp.up_proj.lora_A.weight".into());
    assert!(e.to_string().contains("layers.9"), "{e}");
    let whole = safetensors(&adapter(), Dtype::F32);
    for len in [0, 7, 200, whole.len() - 1] {
        let e = refused(&config(), &whole[..len]);
        assert_eq!(e.kind(), ErrorKind::DATA, "{e}");
        assert!(e.to_string().contains("adapter_model.safetensors"), "{e}");
    }
}

/// A rank beyond every width asks for more memory than there is, and for nothing that can be of use.
#[test]
fn a_rank_that_cannot_be_is_refused() {
    for rank in [65, 4_000_000_000u32] {
        let mut config = config();
        config["r"] = json!(rank);
        let e = refused(&config, &safetensors(&adapter(), Dtype::F32));
        assert_eq!(e.field(), Some("rank"), "{e}");
        assert!(e.to_string().contains("at most 64"), "{e}");
    }
}
