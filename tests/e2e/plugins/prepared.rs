//! What a run trains on is what was prepared for it, whatever becomes of its datasets; and a run that
//! goes on has it at once.

use super::{linked::linked, support::library};
use null_trainer as _;
use serde_json::Value;
use std::{
    fs::{self, File},
    path::PathBuf,
};
use tinsmith_test_support::{cli::Sandbox, tiny_run};

const ROWS: usize = 60;

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new("unused");
    let more = "training: {batch_size: 2, epochs: 2}\ncheckpoint: {every_steps: 7}\n\
        trainer: 'null'\ndata: {eval: {count: 5}}\n";
    tiny_run::write(&sandbox, ROWS, more);
    sandbox
}

fn succeed(sandbox: &Sandbox, args: &[&str]) -> String {
    let output = linked(sandbox, args);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{text}");
    text
}

/// Trains until the machine fails in step 20, of which 14 are saved.
fn interrupted(sandbox: &mut Sandbox) {
    sandbox.env("NULL_TRAINER_ABORT_AT", "20");
    let output = linked(sandbox, &["train", "run.yaml"]);
    assert_eq!(output.status.code(), None, "{}", String::from_utf8_lossy(&output.stderr));
    sandbox.env("NULL_TRAINER_ABORT_AT", "");
}

/// What the trainer was given, all of it in order: steps and a hash.
fn given(sandbox: &Sandbox) -> Value {
    let files = tiny_run::adapter(sandbox);
    serde_json::from_slice(&files[0].1).unwrap()
}

fn undisturbed() -> Value {
    let sandbox = sandbox();
    succeed(&sandbox, &["train", "run.yaml"]);
    let given = given(&sandbox);
    // 55 rows, 28 batches an epoch.
    assert_eq!(given["steps"], 56);
    given
}

fn examples(sandbox: &Sandbox) -> PathBuf {
    let id = tiny_run::latest(sandbox).unwrap();
    sandbox.path().join("out/runs").join(id).join("examples")
}

/// Changes the dataset's letters, and not its size.
fn garble(sandbox: &Sandbox) -> File {
    let path = sandbox.path().join("chats.jsonl");
    let data = fs::read_to_string(&path).unwrap();
    fs::write(&path, data.replace("it is", "is it")).unwrap();
    File::options().append(true).open(path).unwrap()
}

const RESUME: [&str; 5] = ["train", "--resume", "latest", "--output", "out"];

#[test]
fn a_run_goes_on_with_what_was_prepared_and_reads_no_dataset() {
    let expected = undisturbed();
    let mut sandbox = sandbox();
    interrupted(&mut sandbox);
    assert!(examples(&sandbox).join("manifest.json").exists());
    // To all appearances the file is what it was: nobody looks into it.
    let before = fs::metadata(sandbox.path().join("chats.jsonl")).unwrap().modified().unwrap();
    garble(&sandbox).set_modified(before).unwrap();
    let text = succeed(&sandbox, &RESUME);
    assert!(text.contains("going on from checkpoint 000014"), "{text}");
    assert_eq!(given(&sandbox), expected);
    assert!(!examples(&sandbox).exists(), "a complete run does not need them");
}

#[test]
fn a_dataset_that_changed_is_read_again_and_refused() {
    let expected = undisturbed();
    let mut sandbox = sandbox();
    interrupted(&mut sandbox);
    garble(&sandbox);
    let output = linked(&sandbox, &RESUME);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("changed since the run began: `data`"), "{text}");
    // Touched and otherwise the same, it is read again and found to be.
    tiny_run::write(&sandbox, ROWS, "");
    succeed(&sandbox, &RESUME);
    assert_eq!(given(&sandbox), expected);
}

#[test]
fn prepared_examples_that_are_damaged_are_never_trained() {
    let expected = undisturbed();
    let mut sandbox = sandbox();
    interrupted(&mut sandbox);
    let tokens = examples(&sandbox).join("tokens");
    let mut bytes = fs::read(&tokens).unwrap();
    // Every unit has another byte of some token.
    bytes.iter_mut().skip(20).step_by(16).for_each(|byte| *byte ^= 1);
    fs::write(&tokens, bytes).unwrap();
    let output = linked(&sandbox, &RESUME);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("the prepared examples are damaged"), "{text}");
    assert!(text.contains("`examples` folder"), "{text}");
    fs::remove_dir_all(examples(&sandbox)).unwrap();
    succeed(&sandbox, &RESUME);
    assert_eq!(given(&sandbox), expected);
}

/// As any trainer may be.
#[test]
fn the_trainer_may_come_from_a_library() {
    let sandbox = sandbox();
    let path = library("null_trainer");
    succeed(&sandbox, &["train", "run.yaml", "--plugin", path.to_str().unwrap()]);
    assert_eq!(given(&sandbox), undisturbed());
}

#[test]
fn nothing_is_left_of_a_run_that_cannot_begin() {
    let sandbox = sandbox();
    sandbox.write("chats.jsonl", "[]\n");
    let output = linked(&sandbox, &["train", "run.yaml"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(!sandbox.path().join("out").exists());
}
