//! `tinsmith parity`: the first steps on two trainers, side by side.

#![allow(clippy::unwrap_used)] // A panic is how a test fails.

use serde_json::Value;
use tinsmith_test_support::{cli::Sandbox, tiny_model::tiny_llama, tiny_run};

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tinsmith"));
    tiny_run::write(&sandbox, 12, "training: {batch_size: 2}\n");
    sandbox
}

#[test]
fn the_same_trainer_twice_is_not_apart() {
    let sandbox = sandbox();
    let args = ["parity", "run.yaml", "--against", "run.yaml", "--steps", "3", "--format", "json"];
    let output = sandbox.run(&args);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&shown["agree"], &shown["most"]), (&true.into(), &0.0.into()));
    let steps = shown["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 3);
    for (i, step) in steps.iter().enumerate() {
        assert_eq!(step["step"], i + 1);
        assert_eq!(step["nll"][0], step["nll"][1]);
        assert!(
            step["nll"][0].as_f64().unwrap() > 0.0 && step["trained_tokens"].as_u64() > Some(0)
        );
        assert!(step["grad_norm"][0].as_f64().unwrap() > 0.0);
    }
    // The model is trained between the steps that are compared.
    assert_ne!(steps[0]["nll"], steps[2]["nll"]);
    assert!(!sandbox.path().join("out").exists(), "it records no run");
}

#[test]
fn another_model_is_found_out_at_its_first_step() {
    let sandbox = sandbox();
    tiny_llama(&sandbox.path().join("other"), 8).unwrap();
    let other = sandbox.read("run.yaml").replace("./base", "./other");
    sandbox.write("other.yaml", other);
    let shown = sandbox.show(&["parity", "run.yaml", "--against", "other.yaml", "--steps", "2"]);
    assert!(shown.starts_with("exit 1\n"), "{shown}");
    assert!(shown.contains("a log-probability differs by"), "{shown}");
    assert!(shown.contains("hint: "), "{shown}");
    let wide =
        ["parity", "run.yaml", "--against", "other.yaml", "--steps", "1", "--tolerance", "100"];
    assert!(sandbox.show(&wide).starts_with("exit 0\n"));
}

#[test]
fn what_the_second_trainer_lacks_is_told_by_its_config() {
    let sandbox = sandbox();
    let against =
        sandbox.read("run.yaml") + "trainer: {name: tinker, base_url: \"http://127.0.0.1:9\"}\n";
    sandbox.write("far.yaml", against);
    let shown = sandbox.show(&["parity", "run.yaml", "--against", "missing.yaml"]);
    assert!(shown.starts_with("exit 2\n") || shown.starts_with("exit 1\n"), "{shown}");
    assert!(shown.contains("missing.yaml"), "{shown}");
    let shown = sandbox.show(&["parity", "run.yaml", "--against", "far.yaml"]);
    assert!(shown.starts_with("exit 1\n"), "{shown}");
    assert!(shown.contains("`http://127.0.0.1:9` cannot be reached"), "{shown}");
}
