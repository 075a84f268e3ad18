//! `tinsmith upload` through the real binary: staged once, by content, and trained on by its id.

#![allow(clippy::unwrap_used)] // A panic is how a test fails.

use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fs;
use tinsmith_test_support::{cli::Sandbox, tiny_run};

const FLAGS: [&str; 4] = ["--tokenizer", "base", "--renderer", "chatml"];

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tinsmith"));
    tiny_run::write(&sandbox, 6, "");
    sandbox
}

fn upload(sandbox: &Sandbox, more: &[&str]) -> String {
    sandbox.show(&[&["upload", "chats.jsonl"][..], &FLAGS[..], more].concat())
}

#[test]
fn the_id_is_the_hash_of_the_rows_and_staging_again_changes_nothing() {
    let sandbox = sandbox();
    let sha256 = format!("{:x}", Sha256::digest(sandbox.read("chats.jsonl")));
    let id = format!("ds-{}", &sha256[..12]);
    let first = upload(&sandbox, &["--output", "out"]);
    assert!(first.starts_with(&format!("exit 0\n--- stdout\n{id}\n")), "{first}");
    let dir = sandbox.path().join("out/datasets").join(&sha256);
    assert_eq!(
        fs::read(dir.join("data-000.jsonl")).unwrap(),
        sandbox.read("chats.jsonl").as_bytes()
    );
    let manifest: Value =
        serde_json::from_slice(&fs::read(dir.join("manifest.json")).unwrap()).unwrap();
    assert_eq!(manifest["id"], id.as_str());
    assert_eq!(manifest["sha256"], sha256.as_str());
    assert_eq!(manifest["rows"], 6);
    assert_eq!(manifest["report"]["used"], 6);
    let before = fs::metadata(dir.join("data-000.jsonl")).unwrap().modified().unwrap();
    let again = upload(&sandbox, &["--output", "out"]);
    assert!(again.contains("staged already"), "{again}");
    assert_eq!(fs::metadata(dir.join("data-000.jsonl")).unwrap().modified().unwrap(), before);
    // The same rows in other clothes are the same dataset.
    let dressed = sandbox.read("chats.jsonl").replace('\n', "\r\n\r\n");
    sandbox.write("chats.jsonl", format!("\u{FEFF}{dressed}"));
    assert!(upload(&sandbox, &["--output", "out"]).contains(&id));
    assert_eq!(fs::read_dir(sandbox.path().join("out/datasets")).unwrap().count(), 1);
}

#[test]
fn a_run_trains_on_a_dataset_by_its_id() {
    let sandbox = sandbox();
    let output =
        sandbox.run(&[&["upload", "chats.jsonl"][..], &FLAGS[..], &["--output", "out"]].concat());
    let id = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    fs::remove_file(sandbox.path().join("chats.jsonl")).unwrap();
    let config = sandbox.read("run.yaml").replace("chats.jsonl", &id);
    sandbox.write("run.yaml", config);
    let shown = sandbox.show(&["train", "run.yaml", "--dry-run"]);
    assert!(shown.starts_with("exit 0\n") && shown.contains("6 examples"), "{shown}");
    let unknown = sandbox.read("run.yaml").replace(&id, "ds-000000000000");
    sandbox.write("run.yaml", unknown);
    let shown = sandbox.show(&["train", "run.yaml", "--dry-run"]);
    assert!(shown.starts_with("exit 3\n"), "{shown}");
    assert!(shown.contains("no dataset `ds-000000000000` is staged in"), "{shown}");
    assert!(shown.contains("run.yaml:"), "{shown}");
}

#[test]
fn a_staged_dataset_that_was_changed_is_refused() {
    let sandbox = sandbox();
    let output =
        sandbox.run(&[&["upload", "chats.jsonl"][..], &FLAGS[..], &["--output", "out"]].concat());
    let id = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    let config = sandbox.read("run.yaml").replace("chats.jsonl", &id);
    sandbox.write("run.yaml", config);
    let staged = fs::read_dir(sandbox.path().join("out/datasets")).unwrap().next().unwrap();
    let data = staged.unwrap().path().join("data-000.jsonl");
    let text = fs::read_to_string(&data).unwrap().replace("number 0", "number 1");
    fs::write(&data, text).unwrap();
    let shown = sandbox.show(&["train", "run.yaml"]);
    assert!(shown.starts_with("exit 3\n"), "{shown}");
    assert!(shown.contains(&format!("the data of `{id}` is not what was staged")), "{shown}");
    assert!(shown.contains("data-000.jsonl: ") && shown.contains("hint: delete"), "{shown}");
}

#[test]
fn bad_data_stages_nothing_and_rows_may_be_left_out_on_request() {
    let sandbox = sandbox();
    let good = sandbox.read("chats.jsonl");
    sandbox.write("chats.jsonl", format!("{good}{{\n"));
    let shown = upload(&sandbox, &["--output", "out"]);
    assert!(shown.starts_with("exit 3\n"), "{shown}");
    assert!(shown.contains("error: chats.jsonl:7:1: not JSON"), "{shown}");
    assert!(shown.contains("error: 1 of 7 rows are bad"), "{shown}");
    assert!(!sandbox.path().join("out/datasets").exists());
    let skip = upload(&sandbox, &["--output", "out", "--set", "data.on_bad_record=skip"]);
    let id = format!("ds-{}", &format!("{:x}", Sha256::digest(good))[..12]);
    assert!(skip.starts_with(&format!("exit 0\n--- stdout\n{id}\n")), "{skip}");
    assert!(skip.contains("1 bad row left out"), "{skip}");
}

#[test]
fn a_storage_of_its_own_and_json() {
    let sandbox = sandbox();
    let uri = format!("file://{}", sandbox.path().join("elsewhere").display());
    let output = sandbox.run(
        &[&["upload", "chats.jsonl"][..], &FLAGS[..], &["--storage", &uri, "--format", "json"]]
            .concat(),
    );
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["rows"], 6);
    assert_eq!(told["new"], true);
    let data = sandbox.path().join("elsewhere").join(told["data"].as_str().unwrap());
    assert!(data.is_file());
    let shown = upload(&sandbox, &["--storage", "s4://bucket"]);
    assert!(shown.starts_with("exit 2\n") && shown.contains("s4"), "{shown}");
}
