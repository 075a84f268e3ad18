//! `status`, `download` and `sample` on a finished run.

#![allow(clippy::unwrap_used)] // A panic is how a test fails.

use serde_json::Value;
use std::fs;
use tinsmith_test_support::{cli::Sandbox, tiny_run};

const OUT: [&str; 2] = ["--output", "out"];

fn finished() -> Sandbox {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tinsmith"));
    let more = "training: {batch_size: 2, epochs: 2}\ncheckpoint: {every_steps: 2}\n";
    tiny_run::write(&sandbox, 6, more);
    let shown = sandbox.show(&["train", "run.yaml"]);
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    sandbox
}

fn show(sandbox: &Sandbox, args: &[&str]) -> String {
    sandbox.show(&[args, &OUT[..]].concat())
}

fn json(sandbox: &Sandbox, args: &[&str]) -> Value {
    let output = sandbox.run(&[args, &OUT[..], &["--format", "json"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_finished_run_is_listed_shown_downloaded_and_sampled() {
    let sandbox = finished();
    let id = tiny_run::latest(&sandbox).unwrap();

    let list = show(&sandbox, &["status"]);
    assert!(list.contains(&id) && list.contains("completed") && list.contains("6/6"), "{list}");
    assert_eq!(json(&sandbox, &["status"])["step"], 6);
    for name in [id.as_str(), "latest", &id[..12]] {
        let shown = show(&sandbox, &["status", name]);
        assert!(shown.starts_with("exit 0\n"), "{shown}");
        assert!(shown.contains("6 of 6") && shown.contains("final (step 6"), "{shown}");
    }
    let detail = json(&sandbox, &["status", "latest"]);
    assert_eq!(detail["metrics"].as_array().unwrap().len(), 6);
    let followed = show(&sandbox, &["status", "--follow"]);
    assert!(followed.starts_with("exit 0\n") && followed.contains("completed"), "{followed}");

    let shown = show(&sandbox, &["download", "latest", "--dest", "mine"]);
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    for (name, bytes) in tiny_run::adapter(&sandbox) {
        assert_eq!(fs::read(sandbox.path().join("mine").join(name)).unwrap(), bytes);
    }
    let early = json(&sandbox, &["download", "latest", "--checkpoint", "000002", "--dest", "two"]);
    assert_eq!(early["step"], 2);
    let shown = show(&sandbox, &["download", "latest", "--checkpoint", "nine"]);
    assert!(shown.starts_with("exit 2\n") && shown.contains("`final`"), "{shown}");

    let say = ["sample", "latest", "--prompt", "say number 3", "--max-tokens", "6"];
    let once = show(&sandbox, &say);
    assert!(once.starts_with("exit 0\n--- stdout\n"), "{once}");
    assert_eq!(once, show(&sandbox, &say), "greedy answers are always the same");
    let both = show(&sandbox, &[&say[..], &["--base"]].concat());
    assert!(both.contains("base\n") && both.contains("tuned\n"), "{both}");
    // The downloaded folder answers as the run does.
    let sampled = json(&sandbox, &say);
    let mut by_path = say;
    by_path[1] = "./mine";
    assert_eq!(json(&sandbox, &by_path)["tokens"], sampled["tokens"]);
}

#[test]
fn a_changed_checkpoint_is_not_downloaded() {
    let sandbox = finished();
    let id = tiny_run::latest(&sandbox).unwrap();
    let weights = format!("out/{id}/checkpoints/final/adapter_model.safetensors");
    let mut bytes = fs::read(sandbox.path().join(&weights)).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    sandbox.write(&weights, bytes);
    let shown = show(&sandbox, &["download", "latest", "--dest", "mine"]);
    assert!(shown.starts_with("exit 1\n"), "{shown}");
    assert!(!sandbox.path().join("mine").exists(), "{shown}");
}

#[test]
fn no_runs_and_unknown_runs_say_what_to_do() {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tinsmith"));
    let shown = sandbox.show(&["status"]);
    assert!(shown.starts_with("exit 0\n") && shown.contains("no runs in"), "{shown}");
    let shown = sandbox.show(&["status", "nine"]);
    assert!(shown.starts_with("exit 2\n") && shown.contains("hint:"), "{shown}");
}

#[test]
fn a_run_of_all_weights_gives_a_model_that_answers() {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tinsmith"));
    tiny_run::write(&sandbox, 6, "training: {mode: full, batch_size: 3}\n");
    let shown = sandbox.show(&["train", "run.yaml"]);
    assert!(shown.starts_with("exit 0\n") && shown.contains("model out/"), "{shown}");
    let shown = show(&sandbox, &["download", "latest", "--dest", "mine"]);
    assert!(shown.starts_with("exit 0\n") && shown.contains("model.safetensors"), "{shown}");
    let say = ["sample", "latest", "--prompt", "say number 3", "--max-tokens", "6"];
    let mut by_path = say;
    by_path[1] = "./mine";
    assert_eq!(json(&sandbox, &by_path)["tokens"], json(&sandbox, &say)["tokens"]);
}

#[test]
fn another_adapter_is_replaced_only_when_asked() {
    let sandbox = finished();
    let early = ["download", "latest", "--checkpoint", "000002", "--dest", "mine"];
    assert!(show(&sandbox, &early).starts_with("exit 0\n"));
    // The same again is no change.
    let shown = show(&sandbox, &early);
    assert!(shown.starts_with("exit 0\n") && shown.contains("verified"), "{shown}");
    let weights = || fs::read(sandbox.path().join("mine/adapter_model.safetensors")).unwrap();
    let before = weights();
    let last = ["download", "latest", "--dest", "mine"];
    let shown = show(&sandbox, &last);
    assert!(shown.starts_with("exit 2\n") && shown.contains("--replace"), "{shown}");
    assert_eq!(weights(), before);
    let shown = show(&sandbox, &[&last[..], &["--replace"]].concat());
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    assert_ne!(weights(), before);
    // Nothing of what was there before is left beside it.
    let entries = fs::read_dir(sandbox.path()).unwrap().map(|e| e.unwrap().file_name());
    let hidden: Vec<_> = entries.filter(|n| n.to_string_lossy().starts_with('.')).collect();
    assert!(hidden.is_empty(), "{hidden:?}");
}

#[test]
fn several_answers_can_be_told_apart() {
    let sandbox = finished();
    let say = ["sample", "latest", "--prompt", "say number 3", "--max-tokens", "6", "-n", "2"];
    let shown = show(&sandbox, &say);
    assert!(shown.contains("\n# 1\n") && shown.contains("\n\n# 2\n"), "{shown}");
    let shown = show(&sandbox, &["sample", "latest", "-p", "x", "--temperature", "-1"]);
    assert!(!shown.contains("unexpected argument") && !shown.starts_with("exit 0"), "{shown}");
}
