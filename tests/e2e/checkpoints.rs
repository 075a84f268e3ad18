//! `tinsmith checkpoints` and `tinsmith runs`: what a run has saved, on this machine and on a server.

#![allow(clippy::unwrap_used)] // A panic is how a test fails.

#[path = "serve/client.rs"]
#[allow(dead_code, reason = "tests/e2e/serve.rs uses all of it")]
mod client;

use client::Server;
use serde_json::Value;
use tinsmith_test_support::{cli::Sandbox, tiny_run};

const MORE: &str = "training: {batch_size: 2, max_steps: 4}\ncheckpoint: {every_steps: 2}\n";

fn listed(sandbox: &Sandbox) -> Vec<Value> {
    let args = ["checkpoints", "list", "latest", "--output", "out", "--format", "json"];
    let output = sandbox.run(&args);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn states(sandbox: &Sandbox) -> Vec<(String, String)> {
    let word = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
    listed(sandbox).iter().map(|row| (word(row, "name"), word(row, "state"))).collect()
}

fn state(name: &str, state: &str) -> (String, String) {
    (name.to_owned(), state.to_owned())
}

#[test]
fn what_was_saved_here_is_listed_and_deleted() {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tinsmith"));
    tiny_run::write(&sandbox, 12, MORE);
    assert!(sandbox.show(&["train", "run.yaml"]).starts_with("exit 0\n"));
    assert_eq!(states(&sandbox), [state("000002", "kept"), state("final", "kept")]);
    let rows = listed(&sandbox);
    assert_eq!((&rows[0]["step"], &rows[1]["kind"]), (&2.into(), &"final".into()));
    let shown = sandbox.show(&["checkpoints", "list", "--output", "out"]);
    assert!(shown.contains("000002") && shown.contains("kept"), "{shown}");
    let publish = |name: &str, more: &[&str]| {
        let args = ["checkpoints", "publish", "latest", name, "--output", "out"];
        sandbox.show(&[&args, more].concat())
    };
    let shown = publish("final", &["--yes"]);
    assert!(shown.starts_with("exit 1\n"), "{shown}");
    assert!(shown.contains("trainer `local` publishes nothing"), "{shown}");
    assert!(shown.contains("hint: `tinsmith download`"), "{shown}");
    let shown = publish("000009", &[]);
    assert!(shown.starts_with("exit 2\n") && shown.contains("it has `000002`, `final`"), "{shown}");
    assert_eq!(rows[0]["public"], Value::Null);
    let delete = |names: &[&str]| {
        let args = [&["checkpoints", "delete", "latest"], names, &["--output", "out"]].concat();
        sandbox.show(&args)
    };
    let shown = delete(&["000009"]);
    assert!(shown.starts_with("exit 2\n") && shown.contains("it has `000002`, `final`"), "{shown}");
    let shown = delete(&["final"]);
    assert!(shown.starts_with("exit 2\n") && shown.contains("the run's result"), "{shown}");
    assert!(delete(&["000002"]).starts_with("exit 0\n"));
    assert_eq!(states(&sandbox), [state("000002", "deleted"), state("final", "kept")]);
    assert!(delete(&["final", "--yes"]).starts_with("exit 0\n"));
    assert_eq!(states(&sandbox)[1], state("final", "deleted"));
    let shown =
        sandbox.show(&["checkpoints", "ttl", "latest", "final", "--never", "--output", "out"]);
    assert!(shown.starts_with("exit 2\n") && shown.contains("has no checkpoint"), "{shown}");
    let shown = sandbox.show(&["runs", "list", "--output", "out"]);
    assert!(shown.contains("completed") && shown.contains("4/4"), "{shown}");
    let shown = sandbox.show(&["runs", "show", "--output", "out"]);
    assert!(shown.contains("completed"), "{shown}");
}

#[test]
fn what_was_saved_on_a_server_is_published_expires_and_is_deleted_there() {
    let server = Server::start(&[]);
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tinsmith"));
    let trainer = format!("base_url: \"http://127.0.0.1:{}\"", server.port);
    tiny_run::write_on(&sandbox, 12, &trainer, MORE);
    let shown = sandbox.show(&["train", "run.yaml"]);
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    assert_eq!(states(&sandbox), [state("000002", "kept"), state("final", "kept")]);
    assert_eq!(listed(&sandbox)[0]["expires"], Value::Null);
    let ttl = ["checkpoints", "ttl", "latest", "000002", "--seconds", "7200", "--output", "out"];
    let shown = sandbox.show(&ttl);
    assert!(shown.starts_with("exit 0\n") && shown.contains("expires in 7,200 seconds"), "{shown}");
    assert!(listed(&sandbox)[0]["expires"].is_string());
    let public = || {
        let rows = listed(&sandbox);
        [rows[0]["public"].clone(), rows[1]["public"].clone()]
    };
    let checkpoints =
        |args: &[&str]| sandbox.show(&[&["checkpoints"], args, &["--output", "out"]].concat());
    let shown = checkpoints(&["publish", "latest", "final"]);
    assert!(shown.starts_with("exit 2\n"), "{shown}");
    assert!(shown.contains("lets everybody read the weights of `final`"), "{shown}");
    assert!(shown.contains("hint: say `--yes`"), "{shown}");
    assert_eq!(public(), [false, false], "nothing is published by mistake");
    let shown = checkpoints(&["publish", "latest", "final", "--yes"]);
    assert!(shown.starts_with("exit 0\n") && shown.contains("tinker://"), "{shown}");
    assert_eq!(public(), [false, true]);
    let shown = checkpoints(&["list"]);
    assert!(shown.contains("kept, public") && shown.matches("public").count() == 1, "{shown}");
    assert!(checkpoints(&["unpublish", "latest", "final"]).starts_with("exit 0\n"));
    assert_eq!(public(), [false, false]);
    let shown = sandbox.show(&["checkpoints", "delete", "latest", "000002", "--output", "out"]);
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    assert_eq!(states(&sandbox), [state("000002", "deleted"), state("final", "kept")]);
    // Somebody else deletes it there: it is gone, and said to be.
    let uri = listed(&sandbox)[1]["uri"].as_str().unwrap().to_owned();
    let (run, name) = uri.strip_prefix("tinker://").unwrap().split_once("/weights/").unwrap();
    let at = format!("/training_runs/{run}/checkpoints/weights/{name}");
    assert!(server.send("DELETE", &at, &[], b"").status < 300);
    assert_eq!(states(&sandbox)[1], state("final", "gone"));
}

/// Two runs that differ in one setting: the same first loss, and another after each step.
#[test]
fn what_differs_between_two_runs_is_shown_side_by_side() {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tinsmith"));
    tiny_run::write(&sandbox, 12, MORE);
    // Runs that begin within one second are in no order: each goes by the id that it says.
    let train = |more: &[&str]| {
        let shown = sandbox.show(&[&["train", "run.yaml"], more].concat());
        assert!(shown.starts_with("exit 0\n"), "{shown}");
        shown.lines().find_map(|line| line.strip_prefix("run ")).unwrap().to_owned()
    };
    let a = train(&[]);
    let b = train(&["--set", "optimizer.learning_rate=1.0e-3"]);
    let diff = |a: &str, b: &str| -> Value {
        let output = sandbox.run(&["runs", "diff", a, b, "--output", "out", "--format", "json"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let keys = |part: &Value| -> Vec<String> {
        let settings = part.as_array().unwrap().iter();
        settings.map(|s| s["key"].as_str().unwrap().to_owned()).collect()
    };
    let apart = diff(&a, &b);
    assert_eq!(apart["runs"], serde_json::json!([a, b]));
    assert_eq!(keys(&apart["config"]), ["optimizer.learning_rate"]);
    assert_eq!(apart["config"][0]["a"], 0.01);
    assert_eq!(apart["config"][0]["b"], 0.001);
    for part in ["setup", "fingerprints", "plan"] {
        assert_eq!(apart[part], serde_json::json!([]), "{part}");
    }
    let steps = apart["losses"]["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 4);
    assert_eq!(apart["losses"]["apart_from"], 2);
    for step in steps {
        let [a, b, d] = ["a", "b", "difference"].map(|key| step[key].as_f64().unwrap());
        assert_eq!(d, b - a);
    }
    let outcome = apart["outcome"].as_array().unwrap();
    let last = outcome.iter().find(|figure| figure["key"] == "last_loss").unwrap();
    assert_eq!((&last["a"], &last["b"]), (&steps[3]["a"], &steps[3]["b"]));

    let shown = sandbox.show(&["runs", "diff", &a, &b, "--output", "out"]);
    assert!(shown.starts_with("exit 0\n") && shown.contains("apart from step 2 on"), "{shown}");
    assert!(shown.contains("optimizer.learning_rate  0.01"), "{shown}");
    assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
    let shown = sandbox.show(&["runs", "diff", &a, &a, "--output", "out"]);
    assert!(shown.contains("both were asked for the same"), "{shown}");
    assert!(shown.contains("4 steps of both, each with the same loss"), "{shown}");

    // Other data of the same length are other data.
    let chats = sandbox.read("chats.jsonl").replace("number 0 it is", "number 9 it is");
    sandbox.write("chats.jsonl", chats);
    let c = train(&[]);
    assert_eq!(keys(&diff(&a, &c)["fingerprints"]), ["data", "examples"]);
    assert_eq!(diff(&a, &c)["config"], serde_json::json!([]));
    let shown = sandbox.show(&["runs", "diff", &a, "nowhere", "--output", "out"]);
    assert!(shown.starts_with("exit 2\n") && shown.contains("nowhere"), "{shown}");
}
