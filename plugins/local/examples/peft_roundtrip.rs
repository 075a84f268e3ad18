//! The Rust half of `tests/conformance/local_peft/peft_roundtrip.py`.
//!
//! `write DIR` trains adapters over tiny bases and leaves base, adapter and log-probabilities in
//! folders of DIR; `read DIR` opens the adapters that PEFT wrote there and compares with its numbers.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // a test, run by hand

#[path = "../tests/support/mod.rs"]
mod support;

use serde_json::{Value, json};
use std::{fs, path::Path};
use support::lab::{Files, Lab, Session, batch, lora};
use tinsmith_plugin_api::{
    AdapterSpec, Export, Lora, OpenRun, SampleRequest, Sampler, Samples, ticket,
};
use tinsmith_test_support::tiny_model::TinyModel;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    match args.as_slice() {
        [_, what, dir] if what == "write" => write(dir.as_ref()),
        [_, what, dir] if what == "read" => read(dir.as_ref()),
        _ => panic!("usage: peft_roundtrip write|read DIR"),
    }
}

fn write(dir: &Path) {
    let lab = Lab::new();
    let AdapterSpec::Lora(plain) = lora() else { unreachable!() };
    let llama = TinyModel { tied: false, ..TinyModel::default() };
    let qwen = TinyModel { architecture: "Qwen3ForCausalLM", tied: false, ..llama.clone() };
    let attention =
        Lora { rank: 3, alpha: 6.0, train_mlp: false, train_unembed: false, ..plain.clone() };
    let cases = [
        ("llama", llama, plain.clone()),
        ("tied", TinyModel::default(), plain.clone()),
        ("qwen3", qwen, plain),
        ("attention", TinyModel::default(), attention),
    ];
    for (name, model, adapter) in cases {
        let dir = dir.join(name);
        model.write(&dir.join("base")).unwrap();
        let base = dir.join("base").canonicalize().unwrap().to_str().unwrap().to_owned();
        let from = OpenRun::Base { model: base, adapter: AdapterSpec::Lora(adapter) };
        let mut run = Session(lab.trainer.open(from).unwrap());
        let text = batch(&[60, 33], 5);
        for _ in 0..20 {
            run.step(&text);
        }
        let probe = batch(&[80], 6);
        let logprobs = run.forward(&probe).unwrap().logprobs;
        let saved = run.save_state(name);
        let mut files = Files::default();
        lab.trainer.export(&saved.uri, Export::Adapter, &mut files).unwrap();
        files.write_to(&dir.join("adapter"));
        let mut tokens = probe.tokens.clone();
        tokens.push(probe.targets[79]);
        fs::write(
            dir.join("probe.json"),
            json!({ "tokens": tokens, "logprobs": logprobs }).to_string(),
        )
        .unwrap();
    }
}

fn read(dir: &Path) {
    let lab = Lab::new();
    for entry in fs::read_dir(dir).unwrap() {
        let dir = entry.unwrap().path();
        let Ok(text) = fs::read(dir.join("peft.json")) else { continue };
        let expected: Value = serde_json::from_slice(&text).unwrap();
        let numbers = |key: &str| expected[key].as_array().unwrap().clone();
        let prompt = numbers("tokens").iter().map(|t| t.as_i64().unwrap() as i32).collect();
        let sampler = lab.trainer.sampler(dir.join("peft").to_str().unwrap()).unwrap();
        let found = prompt_logprobs(&*sampler, prompt);
        let worst = found
            .iter()
            .zip(numbers("logprobs"))
            .map(|(a, b)| (f64::from(*a) - b.as_f64().unwrap()).abs())
            .fold(0.0, f64::max);
        println!(
            "{:>10}  PEFT's adapter, read here: largest difference {worst:.1e} nats",
            dir.file_name().unwrap().to_str().unwrap()
        );
        assert!(worst < 1e-4);
    }
}

fn prompt_logprobs(sampler: &dyn Sampler, prompt: Vec<i32>) -> Vec<f32> {
    let (done, answer) = ticket::<Samples>();
    let request = SampleRequest {
        prompt,
        max_tokens: Some(0),
        prompt_logprobs: true,
        ..SampleRequest::default()
    };
    sampler.sample(request, done);
    answer.wait().unwrap().prompt_logprobs.unwrap().into_iter().flatten().collect()
}
