//! The quickstart: its data, its base, and the run that the README promises.

#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod quickstart {
    pub mod data;
}

// The recipe of the base, module by module: the test makes corpus and tokenizer again.
#[allow(dead_code)]
#[path = "../../host/examples/quickstart_base/check.rs"]
mod check;
#[path = "../../host/examples/quickstart_base/corpus.rs"]
mod corpus;
#[path = "../../host/examples/quickstart_base/frames.rs"]
mod frames;
#[path = "../../host/examples/quickstart_base/grammar.rs"]
mod grammar;
#[path = "../../host/examples/quickstart_base/passages.rs"]
mod passages;
#[allow(dead_code)]
#[path = "../../host/examples/quickstart_base/rng.rs"]
mod rng;
#[path = "../../host/examples/quickstart_base/stories.rs"]
mod stories;
#[path = "../../host/examples/quickstart_base/tasks.rs"]
mod tasks;
#[path = "../../host/examples/quickstart_base/tokenizer.rs"]
mod tokenizer;
#[path = "../../host/examples/quickstart_base/words.rs"]
mod words;

use serde_json::Value;
use sha2::{Digest, Sha256};
use std::{fmt::Write, fs, path::PathBuf};
use tinsmith_test_support::cli::Sandbox;

/// The recipe's seed and number of documents: 3,000 steps of 40.
const SEED: u64 = 20_261_124;
const DOCUMENTS: u64 = 120_000;

fn configs() -> PathBuf {
    fs::canonicalize(concat!(env!("CARGO_MANIFEST_DIR"), "/../configs")).unwrap()
}

#[test]
fn the_corpus_holds_nothing_of_the_task() {
    let forbidden = check::Forbidden::read(&configs().join("quickstart")).unwrap();
    // The recipe reads every document; here one of sixteen, since tests are not optimised.
    for i in (0..DOCUMENTS).step_by(16) {
        forbidden.check(&corpus::document(SEED, i)).unwrap();
    }
}

#[test]
fn the_check_finds_what_is_planted() {
    let forbidden = check::Forbidden::read(&configs().join("quickstart")).unwrap();
    let held_out = quickstart::data::read("held-out.jsonl");
    let (question, answer) = (&held_out[0][1].1, &held_out[0][2].1);
    let words: Vec<&str> = question.split(' ').collect();
    let start = corpus::document(SEED, 1);
    for planted in [words[2..11].join("  ").to_uppercase(), "\nwhen: soon".into(), answer.clone()] {
        let found = forbidden.check(&format!("{start} {planted} and so on"));
        assert!(found.is_err(), "{planted}");
    }
    // An answer in one line is no line of the form: it is found as an answer.
    assert!(forbidden.check(&start).is_ok());
}

#[test]
fn corpus_and_tokenizer_are_made_again_to_the_byte() {
    let mut sum = Sha256::new();
    for i in (0..DOCUMENTS).step_by(64) {
        sum.update(corpus::document(SEED, i));
    }
    let hex = sum.finalize().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    // As printed on another day by the same recipe; docs/quickstart-base.md.
    assert_eq!(hex, CORPUS_SHA256);
    let made = tokenizer::train(SEED).unwrap().to_string(false).unwrap();
    let shipped = fs::read_to_string(configs().join("quickstart/base/tokenizer.json")).unwrap();
    assert!(made == shipped, "the tokenizer differs from the recipe's");
}

/// sha256 of every 64th document, one after the other.
const CORPUS_SHA256: &str = "482de673168dcd6547a2e998e6821075ef22a02a8131e42f7202ca5881ec34b6";

#[test]
fn the_base_is_small() {
    let base = configs().join("quickstart/base");
    let bytes: u64 =
        fs::read_dir(&base).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
    assert!(bytes <= 8 << 20, "{bytes} bytes");
    let weights = fs::read(base.join("model.safetensors")).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&weights).unwrap();
    let parameters: usize =
        tensors.tensors().iter().map(|(_, t)| t.shape().iter().product::<usize>()).sum();
    assert!(parameters <= 3_500_000, "{parameters} parameters");
    assert!(tensors.tensors().iter().all(|(_, t)| t.dtype() == safetensors::Dtype::BF16));
    let config: Value =
        serde_json::from_slice(&fs::read(base.join("config.json")).unwrap()).unwrap();
    assert_eq!(config["architectures"][0], "LlamaForCausalLM");
}

#[test]
fn the_quickstart_teaches_the_form() {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tinsmith"));
    let config = configs().join("quickstart.yaml");
    let config = config.to_str().unwrap();
    let shown = sandbox.show(&["train", config, "--output", "out"]);
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    let runs = fs::read_dir(sandbox.path().join("out/runs")).unwrap();
    let records: Vec<PathBuf> = runs
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "json"))
        .collect();
    assert_eq!(records.len(), 1, "{records:?}");
    let record: Value = serde_json::from_slice(&fs::read(&records[0]).unwrap()).unwrap();
    assert_eq!(record["status"], "completed");
    let (before, after) = (&record["evaluations"]["before"], &record["evaluations"]["after"]);
    let figure = |of: &Value, key: &str| of[key].as_f64().unwrap_or_else(|| panic!("{key}: {of}"));
    // The issue's own bounds, over all 40 held-out prompts.
    assert_eq!((&before["answers"], &after["answers"]), (&40.into(), &40.into()));
    assert!(figure(before, "form") < 0.1, "{before}");
    assert!(figure(after, "form") > 0.8, "{after}");
    assert!(figure(after, "nll") < 0.5 * figure(before, "nll"), "{before} {after}");
    assert!(figure(after, "recall") > figure(before, "recall"), "{before} {after}");
}
