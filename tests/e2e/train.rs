//! `tinsmith train` from config to adapter, on a model small enough for a test.

#![allow(clippy::unwrap_used)] // A panic is how a test fails.

use serde_json::Value;
use std::fs;
use tinsmith_test_support::{cli::Sandbox, tiny_run};

fn sandbox(conversations: usize, more: &str) -> Sandbox {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tinsmith"));
    tiny_run::write(&sandbox, conversations, more);
    sandbox
}

fn record(sandbox: &Sandbox) -> Value {
    let id = tiny_run::latest(sandbox).unwrap();
    serde_json::from_str(&sandbox.read(&format!("out/runs/{id}.json"))).unwrap()
}

#[test]
fn a_config_becomes_an_adapter_and_a_record() {
    let more = "training: {batch_size: 4, epochs: 3}\ncheckpoint: {every_steps: 4}\n\
        data: {eval: {count: 4}}\neval: {samples: 1, max_tokens: 8}\n";
    let sandbox = sandbox(20, more);
    let shown = sandbox.show(&["train", "run.yaml"]);
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    // 16 examples remain, 4 a batch, 3 epochs.
    for part in ["16 examples, 4 held out", "12 of 4 examples in 3 epochs", "adapter", "next:"] {
        assert!(shown.contains(part), "{part} is missing in:\n{shown}");
    }
    assert!(!shown.contains("--- stdout"), "progress is no data: {shown}");
    let record = record(&sandbox);
    assert_eq!(record["status"], "completed");
    assert_eq!(record["progress"]["step"], 12);
    assert_eq!(record["plan"]["steps"], 12);
    let names: Vec<&str> = record["checkpoints"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["000004", "000008", "final"]);
    let before = record["evaluations"]["before"]["nll"].as_f64().unwrap();
    let after = record["evaluations"]["after"]["nll"].as_f64().unwrap();
    assert!(after < before - 0.5, "it learns: {before} to {after}");
    let files: Vec<String> = tiny_run::adapter(&sandbox).into_iter().map(|f| f.0).collect();
    assert_eq!(files, ["adapter_config.json", "adapter_model.safetensors"]);
    let id = record["id"].as_str().unwrap();
    let metrics = sandbox.read(&format!("out/runs/{id}/metrics.jsonl"));
    assert_eq!(metrics.lines().filter(|l| l.contains("\"kind\":\"step\"")).count(), 12);
}

#[test]
fn a_dry_run_shows_the_plan_and_writes_nothing() {
    let sandbox = sandbox(5, "training: {batch_size: 2, last_batch: drop, max_steps: 9}\n");
    let shown = sandbox.show(&["train", "run.yaml", "--dry-run"]);
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    assert!(shown.contains("2 of 2 examples in 1 epoch"), "{shown}");
    assert!(shown.contains("1 example in incomplete last batches"), "{shown}");
    assert!(shown.contains("`training.max_steps` is 9"), "{shown}");
    assert!(!sandbox.path().join("out").exists());
}

/// The whole plan, before anything is paid for; the time is known once a run was measured.
#[test]
fn a_dry_run_shows_what_became_of_every_row() {
    let sandbox = sandbox(6, "data: {eval: {count: 2}}\n");
    // The first two rows once more.
    let chats = sandbox.read("chats.jsonl");
    let again: Vec<&str> = chats.lines().take(2).collect();
    sandbox.write("chats.jsonl", format!("{chats}{}\n", again.join("\n")));
    let shown = sandbox.show(&["train", "run.yaml", "--dry-run"]);
    for part in [
        "8: 8 used, 0 refused, 0 skipped by the renderer, 0 too long, 0 without a trained token",
        "read by the model",
        "duplicates",
        "held out 2 rows",
        "cost $0 (the trainer `local` computes on this machine)",
        "time unknown; no run of this model and trainer is recorded here",
        "█",
    ] {
        assert!(shown.contains(part), "{part} is missing in:\n{shown}");
    }
    let plan = || -> Value {
        let args = ["train", "run.yaml", "--dry-run", "--format", "json"];
        serde_json::from_slice(&sandbox.run(&args).stdout).unwrap()
    };
    let before = plan();
    // Of the pairs, each is in training twice, once beside a row held out, or held out twice.
    let pairs = before["data"]["repeated"].as_u64().unwrap();
    assert!(pairs <= 2, "{before}");
    assert_eq!(before["estimate"]["usd"], 0.0);
    assert_eq!(before["estimate"]["seconds"], Value::Null);
    assert_eq!(before["estimate"]["tokens"], before["plan"]["tokens"]);
    assert_eq!(before["data"]["lengths"]["histogram"][0]["examples"], 8);
    assert_eq!(sandbox.run(&["train", "run.yaml"]).status.code(), Some(0));
    let after = plan();
    let id = tiny_run::latest(&sandbox).unwrap();
    assert_eq!(after["estimate"]["speed_from"], format!("as run {id}"));
    assert!(after["estimate"]["seconds"].as_f64().unwrap() > 0.0);
}

#[test]
fn the_plan_and_the_end_are_data_for_programs() {
    let sandbox = sandbox(10, "");
    let output = sandbox.run(&["train", "run.yaml", "--format", "json"]);
    let stdout = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Value> = stdout.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let events: Vec<&str> = lines.iter().map(|l| l["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["plan", "step", "step", "checkpoint", "ended"]);
    assert_eq!(lines[0]["plan"]["steps"], 2);
    assert!(lines[2]["figures"]["nll"].as_f64().unwrap() > 0.0);
    assert_eq!(lines[4]["status"], "completed");
    assert!(lines[4]["adapter"]["files"]["adapter_model.safetensors"].is_string());
}

#[test]
fn threads_and_submit_ahead_do_not_change_a_byte() {
    let one = sandbox(6, "training: {batch_size: 2}\n");
    let two = sandbox(6, "training: {batch_size: 2, submit_ahead: 0}\n");
    assert_eq!(one.run(&["train", "run.yaml", "--threads", "1"]).status.code(), Some(0));
    assert_eq!(two.run(&["train", "run.yaml", "--threads", "2"]).status.code(), Some(0));
    let weights = |s: &Sandbox| tiny_run::adapter(s).swap_remove(1);
    assert_eq!(weights(&one), weights(&two));
}

#[test]
fn a_read_only_output_is_one_clear_error_and_nothing_remains() {
    let sandbox = sandbox(4, "");
    // A file where the folder should be: refused for every user, root included.
    fs::write(sandbox.path().join("out"), "").unwrap();
    let shown = sandbox.show(&["train", "run.yaml"]);
    assert!(shown.starts_with("exit 1\n"), "{shown}");
    assert!(shown.contains("create the folder"), "{shown}");
    assert_eq!(sandbox.read("out"), "");
}

/// A folder that nobody can write in, root included.
#[cfg(target_os = "linux")]
#[test]
fn an_output_in_a_read_only_folder_is_one_clear_error() {
    let sandbox = sandbox(4, "");
    let shown = sandbox.show(&["train", "run.yaml", "--output", "/proc/self/fdinfo"]);
    assert!(shown.starts_with("exit 1\n"), "{shown}");
    assert_eq!(shown.matches("error:").count(), 1, "{shown}");
    assert!(shown.contains("/proc/self/fdinfo/runs") && !shown.contains("--resume"), "{shown}");
}

#[test]
fn settings_that_cannot_be_honoured_are_refused_with_their_place() {
    let sandbox = sandbox(
        4,
        "training: {mode: full}\ntrainer: {name: tinker, base_url: \"http://127.0.0.1:9\"}\n",
    );
    let shown = sandbox.show(&["train", "run.yaml"]);
    assert!(shown.starts_with("exit 1\n"), "{shown}");
    assert!(shown.contains("`http://127.0.0.1:9` cannot be reached"), "{shown}");
    assert!(!sandbox.path().join("out").exists());
}

#[test]
fn a_limit_ends_with_a_checkpoint_and_can_be_raised() {
    let sandbox = sandbox(8, "training: {batch_size: 1}\n");
    let shown = sandbox.show(&["train", "run.yaml", "--set", "limits.max_tokens=100"]);
    assert!(shown.starts_with("exit 130\n"), "{shown}");
    assert!(shown.contains("limits.max_tokens"), "{shown}");
    let stopped = record(&sandbox);
    assert_eq!(stopped["status"], "interrupted");
    assert!(stopped["progress"]["tokens"].as_u64().unwrap() <= 100);
    let raise =
        ["train", "--resume", "latest", "--output", "out", "--set", "limits.max_tokens=null"];
    let shown = sandbox.show(&raise);
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    assert_eq!(record(&sandbox)["progress"]["step"], 8);
}

/// A price makes dollars of tokens. The server is one whose trainer computes here: it is the config that
/// says what it costs.
#[test]
fn a_price_limits_the_cost_of_every_step() {
    let sandbox = sandbox(8, "training: {batch_size: 1}\n");
    let shown = sandbox.show(&["train", "run.yaml", "--set", "limits.max_usd=1"]);
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    assert!(shown.contains("trainer `local` costs nothing: `limits.max_usd` is idle"), "{shown}");
    let priced =
        ["train", "run.yaml", "--set", "trainer={name: tinker, base_url: 'http://127.0.0.1:9'}"];
    let shown = sandbox.show(&priced);
    assert!(shown.contains("cannot be reached"), "{shown}");
}

#[cfg(unix)]
#[test]
fn a_disk_that_takes_no_more_leaves_a_run_that_goes_on_later() {
    let whole = sandbox(6, "training: {batch_size: 1}\ncheckpoint: {every_steps: 2}\n");
    assert_eq!(whole.run(&["train", "run.yaml"]).status.code(), Some(0));
    let full = sandbox(6, "training: {batch_size: 1}\ncheckpoint: {every_steps: 2}\n");
    // Writes beyond 8 KiB a file fail, as on a full disk: with an error where the signal is ignored.
    let limited = "trap '' XFSZ; ulimit -f 16; exec \"$0\" train run.yaml";
    let command = full.command(&[]);
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", limited]).arg(command.get_program()).current_dir(full.path());
    shell.env_clear().envs(command.get_envs().filter_map(|(k, v)| Some((k, v?))));
    let output = shell.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("save the checkpoint") && stderr.contains("--resume"), "{stderr}");
    let stopped = record(&full);
    assert_eq!(stopped["status"], "failed");
    assert_eq!(stopped["checkpoints"].as_array().unwrap().len(), 0);
    let shown = full.show(&["train", "--resume", "latest", "--output", "out"]);
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    assert_eq!(tiny_run::adapter(&whole)[1], tiny_run::adapter(&full)[1]);
}

#[test]
fn a_wrong_check_is_told_before_anything_is_trained() {
    let more = "data: {eval: {count: 2}}\neval: {checks: {form: '('}}\n";
    let sandbox = sandbox(6, more);
    let shown = sandbox.show(&["train", "run.yaml"]);
    assert!(shown.starts_with("exit 2\n"), "{shown}");
    assert!(shown.contains("run.yaml:7:") && shown.contains("`eval.checks.form`"), "{shown}");
}

#[test]
fn checkpoints_go_where_the_config_says() {
    let more = "storage: {name: file, uri: elsewhere}\ntraining: {batch_size: 2}\n";
    let sandbox = sandbox(4, more);
    let shown = sandbox.show(&["train", "run.yaml"]);
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    let id = tiny_run::latest(&sandbox).unwrap();
    let there = sandbox.path().join(format!("elsewhere/{id}/checkpoints/final/manifest.json"));
    assert!(there.is_file());
    // The record knows, so that nothing else has to be said.
    let shown = sandbox.show(&["download", "latest", "--output", "out", "--dest", "mine"]);
    assert!(shown.starts_with("exit 0\n"), "{shown}");
}

/// Runs a command as the tool prints it, with its quotes.
fn typed(sandbox: &Sandbox, command: &str) -> std::process::Output {
    let ours = sandbox.command(&[]);
    let rest = command.strip_prefix("tinsmith ").unwrap();
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", &format!("exec \"$0\" {rest}")]).arg(ours.get_program());
    shell.current_dir(sandbox.path()).env_clear();
    shell.envs(ours.get_envs().filter_map(|(k, v)| Some((k, v?)))).output().unwrap()
}

#[test]
fn what_is_printed_to_be_typed_next_works() {
    // A folder of runs where no command would look, and with a space in it.
    let sandbox = sandbox(8, "training: {batch_size: 1}\n");
    let output = ["--output", "my runs"];
    let stopped = [&["train", "run.yaml", "--set", "limits.max_tokens=100"], &output[..]].concat();
    let shown = sandbox.show(&stopped);
    assert!(shown.starts_with("exit 130\n"), "{shown}");
    let hint = shown.split('`').find(|t| t.starts_with("tinsmith train --resume")).unwrap();
    let lifted = format!("{hint} --set limits.max_tokens=null");
    let output = typed(&sandbox, &lifted);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{lifted}: {stderr}");
    let next = stderr.split_once("next:\n").unwrap().1;
    let next: Vec<&str> = next.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    assert_eq!(next.len(), 3, "{stderr}");
    for command in next {
        let output = typed(&sandbox, command);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{command}: {stderr}");
    }
    assert!(sandbox.path().join("my-adapter/adapter_model.safetensors").is_file());
}

#[test]
fn the_plan_says_what_did_not_come_from_the_file() {
    let mut sandbox = sandbox(4, "");
    sandbox.env("TINSMITH_OUTPUT", "elsewhere");
    let args = ["train", "run.yaml", "--dry-run", "--set", "lora.rank=3"];
    let shown = sandbox.show(&args);
    assert!(shown.contains("set lora.rank, by --set lora.rank=3"), "{shown}");
    assert!(shown.contains("set output, by TINSMITH_OUTPUT"), "{shown}");
    assert!(!shown.contains("optimizer.learning_rate, by"), "{shown}");
    let shown = sandbox.show(&[&args[..], &["-v"]].concat());
    assert!(shown.contains("optimizer.learning_rate, by run.yaml:4:"), "{shown}");
    let output = sandbox.run(&[&args[..], &["--format", "json"]].concat());
    let plan: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(plan["origins"]["lora.rank"], "--set lora.rank=3");
    assert_eq!(plan["origins"]["model.base_model"], "run.yaml:1:21");
}

#[test]
fn a_run_is_found_by_the_name_that_its_config_gives_it() {
    let sandbox = sandbox(4, "run_name: spring trial\n");
    assert_eq!(sandbox.run(&["train", "run.yaml"]).status.code(), Some(0));
    let id = tiny_run::latest(&sandbox).unwrap();
    let shown = sandbox.show(&["status", "spring trial", "--output", "out"]);
    assert!(shown.starts_with("exit 0\n") && shown.contains(&id), "{shown}");
}

#[test]
fn an_example_longer_than_the_models_context_is_found_before_training() {
    // The tiny model knows 512 positions; the fifth conversation has about 700 tokens.
    let sandbox = sandbox(6, "data: {max_length: 4000}\n");
    let mut lines: Vec<String> = sandbox.read("chats.jsonl").lines().map(str::to_owned).collect();
    lines[4] = lines[4].replace("say number 4", &"zq ".repeat(300));
    sandbox.write("chats.jsonl", format!("{}\n", lines.join("\n")));
    for more in [&["--dry-run"][..], &[]] {
        let shown = sandbox.show(&[&["train", "run.yaml"], more].concat());
        assert!(shown.starts_with("exit 3\n"), "{shown}");
        assert!(shown.contains("chats.jsonl:5: 1 example is longer"), "{shown}");
        assert!(shown.contains("context of 512 tokens"), "{shown}");
        assert!(shown.contains("`data.max_length` to at most 513"), "{shown}");
    }
    assert!(!sandbox.path().join("out").exists());
    let drop = ["--set", "data.max_length=513", "--set", "data.overlong=drop"];
    let shown = sandbox.show(&[&["train", "run.yaml"], &drop[..]].concat());
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    assert!(shown.contains("5 examples, 1 too long"), "{shown}");
}

#[test]
fn what_fails_before_training_leaves_no_run() {
    let sandbox = sandbox(4, "storage: s3\n");
    let shown = sandbox.show(&["train", "run.yaml"]);
    assert!(shown.starts_with("exit 2\n") && shown.contains("run.yaml:6:"), "{shown}");
    assert!(shown.contains("unknown storage `s3`") && !shown.contains("--resume"), "{shown}");
    let shown = sandbox.show(&["status", "--output", "out"]);
    assert!(shown.contains("no runs in"), "{shown}");
}

#[test]
fn a_uri_is_a_storage() {
    let sandbox = sandbox(4, "");
    let uri = format!("storage=file://{}/else where", sandbox.path().display());
    let shown = sandbox.show(&["train", "run.yaml", "--set", &uri]);
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    let id = tiny_run::latest(&sandbox).unwrap();
    let manifest = format!("else where/{id}/checkpoints/final/manifest.json");
    assert!(sandbox.path().join(manifest).is_file());
}

#[test]
fn a_wrong_mode_is_told_at_the_key_that_the_user_wrote() {
    let sandbox = sandbox(4, "data: {train_on: all}\n");
    let shown = sandbox.show(&["train", "run.yaml"]);
    assert!(shown.starts_with("exit 2\n"), "{shown}");
    assert!(shown.contains("run.yaml:6:18: ") && shown.contains("`data.train_on`: "), "{shown}");
}

#[test]
fn unusual_settings_and_rows_left_out_are_shown_in_the_plan() {
    let more = "data: {on_bad_record: skip}\nschedule: {warmup_steps: 300}\n";
    let sandbox = sandbox(4, more);
    let chats = sandbox.read("chats.jsonl");
    sandbox.write("chats.jsonl", chats.replacen("\"assistant\"", "\"assitant\"", 1));
    let args = ["train", "run.yaml", "--dry-run", "--set", "optimizer.learning_rate=3"];
    let shown = sandbox.show(&args);
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    assert!(shown.contains("left out: chats.jsonl:1:") && shown.contains("`assitant`"), "{shown}");
    assert!(shown.contains("is 3e0") && shown.contains("300 steps long"), "{shown}");
}
