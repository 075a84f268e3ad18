//! The same config on this machine and on a server in front of the same trainer: the same losses, the same
//! adapter. What crosses the wire is exact, so nothing may differ, not even in the last bit.

use crate::client::Server;
use serde_json::{Value, json};
use tinsmith_test_support::{cli::Sandbox, tiny_run};

/// Every figure of every step but times.
fn steps(sandbox: &Sandbox) -> Vec<Value> {
    let id = tiny_run::latest(sandbox).unwrap();
    let lines = sandbox.read(&format!("out/runs/{id}/metrics.jsonl"));
    let rows = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut steps: Vec<Value> = rows.filter(|row| row["kind"] == "step").collect();
    for step in &mut steps {
        let step = step.as_object_mut().unwrap();
        // What the trainer of this machine tells besides.
        step.retain(|key, _| !["time", "seconds", "tokens_per_second"].contains(&key.as_str()));
        step.retain(|key, _| !key.starts_with("trainer:"));
    }
    steps
}

fn weights(sandbox: &Sandbox) -> Vec<u8> {
    let mut files = tiny_run::adapter(sandbox).into_iter();
    files.find(|(name, _)| name == "adapter_model.safetensors").unwrap().1
}

/// Runs it here and there.
fn check_same(more: &str, rows: Option<&str>) -> Vec<Value> {
    let server = Server::start(&[]);
    let sandboxes = [(); 2].map(|()| Sandbox::new(env!("CARGO_BIN_EXE_tinsmith")));
    let [here, there] = &sandboxes;
    tiny_run::write(here, 12, more);
    let at = format!("base_url: \"http://127.0.0.1:{}\"", server.port);
    tiny_run::write_on(there, 12, &at, more);
    for sandbox in &sandboxes {
        if let Some(rows) = rows {
            sandbox.write("chats.jsonl", rows);
        }
        let shown = sandbox.show(&["train", "run.yaml"]);
        assert!(shown.starts_with("exit 0\n"), "{shown}");
    }
    let (local, served) = (steps(here), steps(there));
    assert_eq!(local, served);
    assert!(weights(here) == weights(there), "another adapter");
    local
}

#[test]
fn supervised_training() {
    let more = "training: {batch_size: 3, epochs: 2}\nschedule: cosine\n";
    let steps = check_same(more, None);
    assert_eq!(steps.len(), 8);
    assert!(steps[7]["nll"].as_f64() < steps[0]["nll"].as_f64());
}

/// Evaluated on this side, there by a weighted backward pass; the reference is the base model on each side.
#[test]
fn a_loss_that_the_server_does_not_know() {
    let more =
        "training: {batch_size: 4, epochs: 2, loss: {name: dpo, beta: 0.5}, normalization: none}\n";
    let row = |i: usize| {
        format!(
            "{}\n",
            json!({"prompt": format!("is {i} even?"), "chosen": "yes", "rejected": "no!"})
        )
    };
    let rows: String = (0..8).map(row).collect();
    let steps = check_same(more, Some(&rows));
    assert_eq!(steps.len(), 8);
    assert_eq!(steps[0]["margin:mean"], 0.0, "the adapter does nothing yet");
    assert!(steps[7]["margin:mean"].as_f64() > Some(0.01), "{}", steps[7]);
}

#[test]
fn parity_finds_no_difference() {
    let server = Server::start(&[]);
    let here = Sandbox::new(env!("CARGO_BIN_EXE_tinsmith"));
    tiny_run::write(&here, 12, "training: {batch_size: 2}\n");
    let there = Sandbox::new(env!("CARGO_BIN_EXE_tinsmith"));
    let at = format!("base_url: \"http://127.0.0.1:{}\"", server.port);
    tiny_run::write_on(&there, 12, &at, "training: {batch_size: 2}\n");
    let other = there.path().join("run.yaml").display().to_string();
    let args = ["parity", "run.yaml", "--against", &other, "--steps", "3", "--format", "json"];
    let output = here.run(&args);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&shown["agree"], &shown["most"]), (&true.into(), &0.0.into()));
}
