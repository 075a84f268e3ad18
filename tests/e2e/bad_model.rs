//! Broken base models through the real binary: one line with the place, an exit code, and nothing
//! half-written. What makes each file broken is written by hand in the support crate.

#![allow(clippy::unwrap_used)] // A panic is how a test fails.

use safetensors::SafeTensors;
use std::fs;
use tinsmith_test_support::{cli::Sandbox, tiny_run};

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tinsmith"));
    tiny_run::write(&sandbox, 4, "");
    sandbox
}

const WEIGHTS: &str = "base/model.safetensors";

/// Trains, expects an exit code and a line with these parts, and that no adapter came of it.
fn refused(sandbox: &Sandbox, exit: u8, parts: &[&str]) {
    let shown = sandbox.show(&["train", "run.yaml"]);
    assert!(shown.starts_with(&format!("exit {exit}\n")), "{shown}");
    let told: Vec<&str> = shown.lines().filter(|l| l.starts_with("error:")).collect();
    assert_eq!(told.len(), 1, "{shown}");
    for part in parts {
        assert!(told[0].contains(part), "`{part}` is missing in: {shown}");
    }
    assert!(shown.contains("hint:"), "{shown}");
    // Nothing was trained, so there is no run: `latest` still means the one before.
    assert!(!shown.contains("--resume"), "{shown}");
    for folder in ["out/runs", "out"] {
        let left = fs::read_dir(sandbox.path().join(folder)).into_iter().flatten();
        let left: Vec<_> = left.map(|e| e.unwrap().file_name()).filter(|n| n != "runs").collect();
        assert!(left.is_empty(), "{folder}: {left:?}");
    }
}

/// The offset of a tensor's bytes in the file.
fn bytes_of(file: &[u8], name: &str) -> std::ops::Range<usize> {
    let (header, metadata) = SafeTensors::read_metadata(file).unwrap();
    let (from, to) = metadata.info(name).unwrap().data_offsets;
    header + 8 + from..header + 8 + to
}

#[test]
fn a_file_that_ends_too_early() {
    for keep in [0, 4, 100, 5000] {
        let sandbox = sandbox();
        let whole = fs::read(sandbox.path().join(WEIGHTS)).unwrap();
        assert!(keep < whole.len());
        sandbox.write(WEIGHTS, &whole[..keep]);
        refused(&sandbox, 1, &["model.safetensors"]);
    }
}

#[test]
fn a_missing_tensor_and_one_of_another_shape() {
    let sandbox = sandbox();
    let whole = fs::read(sandbox.path().join(WEIGHTS)).unwrap();
    let name = "model.layers.0.mlp.down_proj.weight";
    let renamed = name.replace("down_proj", "lown_proj");
    let replace = |from: &str, to: &str| {
        let at = whole.windows(from.len()).position(|w| w == from.as_bytes()).unwrap();
        let mut bytes = whole.clone();
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
        bytes
    };
    sandbox.write(WEIGHTS, replace(name, &renamed));
    refused(&sandbox, 1, &["/base`", name, "missing"]);
    let config = sandbox.read("base/config.json");
    sandbox.write(WEIGHTS, &whole);
    let shape = config.replace("\"intermediate_size\": ", "\"intermediate_size\": 1");
    assert_ne!(shape, config);
    sandbox.write("base/config.json", shape);
    refused(&sandbox, 1, &["/base`", "mlp", "shape"]);
}

#[test]
fn weights_that_are_no_numbers() {
    for value in [f32::NAN, f32::INFINITY] {
        let sandbox = sandbox();
        let name = "model.layers.0.self_attn.q_proj.weight";
        let mut bytes = fs::read(sandbox.path().join(WEIGHTS)).unwrap();
        let at = bytes_of(&bytes, name).end - 4;
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        sandbox.write(WEIGHTS, bytes);
        refused(&sandbox, 1, &["base", name]);
    }
}

#[test]
fn files_that_are_missing_or_no_json() {
    let sandbox = sandbox();
    let config = sandbox.read("base/config.json");
    sandbox.write("base/config.json", &config[..config.len() / 2]);
    refused(&sandbox, 2, &["base/config.json:12:"]);
    fs::remove_file(sandbox.path().join("base/config.json")).unwrap();
    refused(&sandbox, 1, &["config.json"]);
    sandbox.write("base/config.json", config);
    fs::remove_file(sandbox.path().join(WEIGHTS)).unwrap();
    refused(&sandbox, 1, &["model.safetensors"]);
}

#[test]
fn a_folder_that_is_not_there_and_a_tokenizer_that_does_not_fit() {
    let sandbox = sandbox();
    let shown = sandbox.show(&["train", "run.yaml", "--set", "model.base_model=./nowhere"]);
    assert!(shown.starts_with("exit 2\n") && shown.contains("hint:"), "{shown}");
    assert!(!sandbox.path().join("out").exists(), "{shown}");
    // The tokenizer has 320 entries, the model knows fewer ids.
    let config = sandbox.read("base/config.json");
    sandbox.write("base/config.json", config.replace("\"vocab_size\": 320", "\"vocab_size\": 300"));
    let shown = sandbox.show(&["train", "run.yaml"]);
    assert!(shown.starts_with("exit 2\n") && shown.contains("does not fit"), "{shown}");
    // Id 319 is the last of the tiny tokenizer, and 299 that of a model with 300.
    assert!(shown.contains("319") && shown.contains("299") && shown.contains("hint:"), "{shown}");
}
