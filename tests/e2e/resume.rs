//! `tinsmith train --resume`: what is the same, what is refused, and what two processes may do.

#![allow(clippy::unwrap_used)] // A panic is how a test fails.

use serde_json::Value;
use sha2::{Digest, Sha256};
use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Child, Stdio},
    time::Duration,
};
use tinsmith_test_support::{cli::Sandbox, tiny_run};

const RESUME: [&str; 5] = ["train", "--resume", "latest", "--output", "out"];

fn sandbox(conversations: usize, more: &str) -> Sandbox {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tinsmith"));
    tiny_run::write(&sandbox, conversations, more);
    sandbox
}

fn record_path(sandbox: &Sandbox) -> String {
    format!("out/runs/{}.json", tiny_run::latest(sandbox).unwrap())
}

fn record(sandbox: &Sandbox) -> Value {
    serde_json::from_str(&sandbox.read(&record_path(sandbox))).unwrap()
}

/// Stops a run at a limit, so that there is something to go on with.
fn stopped(sandbox: &Sandbox) {
    let shown = sandbox.show(&["train", "run.yaml", "--set", "limits.max_tokens=120"]);
    assert!(shown.starts_with("exit 130\n"), "{shown}");
}

fn lift_limit(args: &[&str]) -> Vec<String> {
    args.iter().chain(&["--set", "limits.max_tokens=null"]).map(|a| (*a).to_owned()).collect()
}

fn show(sandbox: &Sandbox, args: &[String]) -> String {
    sandbox.show(&args.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn a_resumed_run_ends_in_the_same_bytes() {
    let more = "training: {batch_size: 1, epochs: 2}\nschedule: {name: cosine, warmup_steps: 2}\n";
    let whole = sandbox(10, more);
    assert_eq!(whole.run(&["train", "run.yaml"]).status.code(), Some(0));
    let parts = sandbox(10, more);
    stopped(&parts);
    let shown = show(&parts, &lift_limit(&RESUME));
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    assert!(shown.contains("going on from checkpoint"), "{shown}");
    // The name of the base model is a path of the sandbox: weights are compared.
    assert_eq!(tiny_run::adapter(&whole)[1], tiny_run::adapter(&parts)[1]);
    let record = record(&parts);
    assert_eq!(record["attempts"].as_array().unwrap().len(), 2);
    assert_eq!(record["progress"]["repeated_steps"], 0);
    // Once more: it is complete, and says so.
    let shown = parts.show(&RESUME);
    assert!(shown.starts_with("exit 0\n") && shown.contains("is complete"), "{shown}");
}

#[test]
fn changed_data_and_settings_are_refused_unless_accepted() {
    let sandbox = sandbox(10, "training: {batch_size: 1}\n");
    stopped(&sandbox);
    let chats = sandbox.read("chats.jsonl");
    sandbox.write("chats.jsonl", chats.replace("say number 3", "say number 4"));
    let shown = show(&sandbox, &lift_limit(&RESUME));
    assert!(shown.starts_with("exit 2\n"), "{shown}");
    assert!(shown.contains("changed since the run began: `data`"), "{shown}");
    assert!(shown.contains("--accept-changes"), "{shown}");
    sandbox.write("chats.jsonl", &chats);
    let mut faster = lift_limit(&RESUME);
    faster.extend(["--set".to_owned(), "optimizer.learning_rate=0.5".to_owned()]);
    let shown = show(&sandbox, &faster);
    assert!(shown.contains("`optimizer.learning_rate`"), "{shown}");
    let before = record(&sandbox);
    faster.push("--accept-changes".into());
    let shown = show(&sandbox, &faster);
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    // What was accepted is known afterwards, with what it was before.
    let id = tiny_run::latest(&sandbox).unwrap();
    let events = sandbox.read(&format!("out/runs/{id}/events.jsonl"));
    let events: Vec<Value> = events.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let names: Vec<&str> = events.iter().map(|e| e["event"].as_str().unwrap()).collect();
    assert_eq!(names, ["opened", "ended", "changed", "opened", "ended"]);
    let changed = &events[2]["details"];
    assert_eq!(changed["keys"], serde_json::json!(["optimizer.learning_rate"]));
    assert_eq!(changed["was"]["config"], before["config"]);
    assert_eq!(changed["was"]["fingerprints"], before["fingerprints"]);
    assert_eq!(events[1]["details"]["status"], "interrupted");
    assert_eq!(events[1]["details"]["error"]["kind"], "interrupted");
    let kept = sandbox.read(&format!("out/runs/{id}/checkpoints.jsonl"));
    let kept: Vec<Value> = kept.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(kept.len(), 2);
    for (line, step) in kept.iter().zip([before["progress"]["step"].as_u64().unwrap(), 10]) {
        assert_eq!(line["step"], step);
        let manifest =
            format!("out/{id}/checkpoints/{}/manifest.json", line["name"].as_str().unwrap());
        let bytes = fs::read(sandbox.path().join(manifest)).unwrap();
        assert_eq!(line["sha256"], format!("{:x}", Sha256::digest(bytes)));
    }
}

#[test]
fn damaged_and_newer_records_are_refused_by_name() {
    let sandbox = sandbox(6, "training: {batch_size: 1}\n");
    stopped(&sandbox);
    let path = record_path(&sandbox);
    let whole = sandbox.read(&path);
    sandbox.write(&path, &whole[..whole.len() / 2]);
    for args in [&RESUME[..], &["status", "latest", "--output", "out"]] {
        let shown = sandbox.show(args);
        assert!(shown.starts_with("exit 1\n"), "{shown}");
        assert!(shown.contains("the run record is damaged"), "{shown}");
        assert!(shown.contains(&path) && shown.contains("hint:"), "{shown}");
    }
    sandbox.write(&path, whole.replace("\"schema\": 1", "\"schema\": 99"));
    let shown = sandbox.show(&RESUME);
    assert!(shown.starts_with("exit 1\n"), "{shown}");
    assert!(shown.contains("version 99") && shown.contains("update tinsmith"), "{shown}");
}

/// Waits until a run is under way.
fn under_way(sandbox: &Sandbox, child: &mut Child) {
    for _ in 0..2400 {
        let step = tiny_run::latest(sandbox).and_then(|id| {
            let text =
                fs::read_to_string(sandbox.path().join(format!("out/runs/{id}/metrics.jsonl")));
            text.ok().filter(|text| text.contains('\n'))
        });
        if step.is_some() {
            return;
        }
        assert!(child.try_wait().unwrap().is_none(), "it ended too early");
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("the run did not begin");
}

#[test]
fn two_processes_do_not_train_one_run() {
    let sandbox = sandbox(4, "training: {batch_size: 1, epochs: 5000}\n");
    let mut child = sandbox.command(&["train", "run.yaml", "-q"]).spawn().unwrap();
    under_way(&sandbox, &mut child);
    let shown = sandbox.show(&RESUME);
    let status = sandbox.show(&["status", "latest", "--output", "out"]);
    let follow = ["status", "latest", "--follow", "--output", "out"];
    let follow = sandbox.command(&follow).stdout(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(500));
    child.kill().unwrap();
    child.wait().unwrap();
    let followed = String::from_utf8(follow.wait_with_output().unwrap().stdout).unwrap();
    assert!(followed.starts_with("step "), "{followed}");
    assert!(followed.contains("killed"), "{followed}");
    assert!(shown.starts_with("exit 1\n"), "{shown}");
    assert!(shown.contains(&format!("is being trained by process {}", child.id())), "{shown}");
    assert!(status.contains("running"), "{status}");
    let status = sandbox.show(&["status", "latest", "--output", "out"]);
    assert!(status.contains("killed") && status.contains("train --resume"), "{status}");
}

fn signal(child: &Child, name: &str) {
    let pid = child.id().to_string();
    let sent = std::process::Command::new("kill").args([name, &pid]).status().unwrap();
    assert!(sent.success());
}

#[cfg(unix)]
#[test]
fn a_run_under_nohup_outlives_its_terminal() {
    let sandbox = sandbox(4, "training: {batch_size: 1, epochs: 5000}\n");
    let command = sandbox.command(&[]);
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", "trap '' HUP; exec \"$0\" train -q run.yaml"]).arg(command.get_program());
    shell.current_dir(sandbox.path()).env_clear();
    shell.envs(command.get_envs().filter_map(|(k, v)| Some((k, v?))));
    let mut child = shell.spawn().unwrap();
    under_way(&sandbox, &mut child);
    signal(&child, "-HUP");
    std::thread::sleep(Duration::from_millis(300));
    assert!(child.try_wait().unwrap().is_none(), "it stopped");
    signal(&child, "-TERM");
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[cfg(unix)]
#[test]
fn ctrl_c_saves_a_checkpoint_and_exits_130() {
    let sandbox = sandbox(4, "training: {batch_size: 1, epochs: 5000}\n");
    let mut child = sandbox.command(&["train", "run.yaml", "-q"]).spawn().unwrap();
    under_way(&sandbox, &mut child);
    signal(&child, "-INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let record = record(&sandbox);
    assert_eq!(record["status"], "interrupted");
    let last = record["checkpoints"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(last["kind"], "interrupt");
    assert_eq!(last["step"], record["progress"]["step"]);
    assert!(last["step"].as_u64().unwrap() > 0);
    assert_eq!(record["error"]["kind"], "interrupted");
}

/// A step of the tiny model that takes seconds, so that signals come within it.
const LONG_STEPS: &str = "training: {batch_size: 20000, epochs: 100}\n";

#[cfg(unix)]
#[test]
fn a_second_ctrl_c_ends_the_process_at_once_and_the_run_goes_on_later() {
    let sandbox = sandbox(20_000, LONG_STEPS);
    let mut child = sandbox.command(&["train", "run.yaml"]).stderr(Stdio::piped()).spawn().unwrap();
    under_way(&sandbox, &mut child);
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    signal(&child, "-INT");
    assert!(lines.any(|line| line.unwrap().contains("press Ctrl-C again")));
    signal(&child, "-INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let cut_off = record(&sandbox);
    // Nothing was waited for: no checkpoint, and a record that a killed process leaves.
    assert_eq!(cut_off["checkpoints"].as_array().unwrap().len(), 0);
    assert_eq!(cut_off["status"], "running");
    let shown = sandbox.show(&["status", "latest", "--output", "out"]);
    assert!(shown.contains("killed") && shown.contains("train --resume"), "{shown}");
}

#[test]
fn a_run_stops_when_its_hours_are_over_and_counts_them_across_attempts() {
    let sandbox = sandbox(4, "training: {batch_size: 1, epochs: 5000}\n");
    let hours = |h: f64| format!("limits.max_hours={h}");
    let shown = sandbox.show(&["train", "run.yaml", "--set", &hours(0.0002)]);
    assert!(shown.starts_with("exit 130\n"), "{shown}");
    assert!(shown.contains("`limits.max_hours` (0.0002) is reached after step"), "{shown}");
    let first = record(&sandbox);
    let step = first["progress"]["step"].as_u64().unwrap();
    assert_eq!(first["checkpoints"][0]["kind"], "interrupt");
    assert_eq!(first["checkpoints"][0]["step"], step);
    assert!(first["progress"]["seconds"].as_f64().unwrap() >= 0.72);
    // Its time is spent: the same limit admits no further step.
    let same = hours(0.0002);
    let shown = sandbox.show(&[&RESUME[..], &["--set", &same]].concat());
    assert!(shown.starts_with("exit 130\n"), "{shown}");
    assert_eq!(record(&sandbox)["progress"]["step"], step);
    let more = hours(0.0004);
    let shown = sandbox.show(&[&RESUME[..], &["--set", &more]].concat());
    assert!(shown.starts_with("exit 130\n"), "{shown}");
    assert!(record(&sandbox)["progress"]["step"].as_u64().unwrap() > step);
}

#[test]
fn a_template_that_writes_the_time_renders_the_same_after_a_resume() {
    let more = "training: {batch_size: 1}\ndata: {max_length: 200}\n";
    let sandbox = sandbox(10, more);
    let path = "base/tokenizer_config.json";
    let config = sandbox.read(path);
    let clock = "{{ strftime_now('%d %b %Y %H:%M:%S') }}";
    let with_clock = config.replacen("{% for message", &format!("{clock}{{% for message"), 1);
    assert_ne!(config, with_clock);
    sandbox.write(path, with_clock);
    stopped(&sandbox);
    let began = record(&sandbox);
    let date = began["config"]["renderer"]["current_date"].as_str().unwrap().to_owned();
    assert_eq!(began["created"].as_str().unwrap()[..10], date);
    // Another day changes what is trained on, and is refused, also where the config is named again.
    let other = ["--set".to_owned(), "renderer.current_date=2020-02-29".to_owned()];
    for args in [
        &["train", "--resume", "latest", "--output", "out"][..],
        &["train", "run.yaml", "--resume", "latest"],
    ] {
        let shown = show(&sandbox, &[lift_limit(args), other.to_vec()].concat());
        assert!(shown.starts_with("exit 2\n"), "{shown}");
        assert!(shown.contains("`renderer.current_date`"), "{shown}");
    }
    // A second later, and with the config named again, the run goes on.
    std::thread::sleep(Duration::from_secs(1));
    let shown = show(&sandbox, &lift_limit(&["train", "run.yaml", "--resume", "latest"]));
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    assert_eq!(record(&sandbox)["fingerprints"], began["fingerprints"]);
}

#[test]
fn examples_that_are_rendered_otherwise_are_refused() {
    let sandbox = sandbox(10, "training: {batch_size: 1}\n");
    stopped(&sandbox);
    // As if a renderer had made something else of the same data.
    let (path, mut changed) = (record_path(&sandbox), record(&sandbox));
    let was = changed["fingerprints"]["examples"].as_str().unwrap().to_owned();
    assert_eq!(was.len(), 64);
    changed["fingerprints"]["examples"] = "0".repeat(64).into();
    sandbox.write(&path, changed.to_string());
    let shown = show(&sandbox, &lift_limit(&RESUME));
    assert!(shown.starts_with("exit 2\n"), "{shown}");
    assert!(shown.contains("changed since the run began: `rendered examples`"), "{shown}");
}
