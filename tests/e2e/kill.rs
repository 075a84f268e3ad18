//! The process dies: at every durable write, and at random instants. Whatever is there then,
//! `train --resume` ends in the bytes of a run that nobody disturbed.

#![allow(clippy::unwrap_used)] // A panic is how a test fails.

use std::{
    collections::BTreeMap,
    fs,
    process::Stdio,
    time::{Duration, Instant},
};
use tinsmith_test_support::{cli::Sandbox, tiny_run};

const CONFIG: &str = "training: {batch_size: 1}\ncheckpoint: {every_steps: 6, keep_last: 2}\n";

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tinsmith"));
    tiny_run::write(&sandbox, 40, CONFIG);
    sandbox
}

/// Weights of the adapter; its config names a folder of the sandbox.
fn weights(sandbox: &Sandbox) -> Vec<u8> {
    let mut files = tiny_run::adapter(sandbox);
    let (name, bytes) = files.swap_remove(1);
    assert_eq!(name, "adapter_model.safetensors");
    bytes
}

fn train(sandbox: &Sandbox) -> Vec<&'static str> {
    match tiny_run::latest(sandbox) {
        Some(_) => vec!["train", "-q", "--resume", "latest", "--output", "out"],
        None => vec!["train", "-q", "run.yaml"],
    }
}

/// Trains to the end, from the record if there is one.
fn complete(sandbox: &Sandbox, after: &str) {
    let output = sandbox.run(&train(sandbox));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "after {after}: {stderr}");
}

fn undisturbed() -> (Vec<u8>, Duration) {
    let sandbox = sandbox();
    let began = Instant::now();
    complete(&sandbox, "nothing");
    (weights(&sandbox), began.elapsed())
}

/// Nothing half-written is left over once a run is complete.
fn check_tidy(sandbox: &Sandbox, after: &str) {
    let id = tiny_run::latest(sandbox).unwrap();
    let names = |folder: &str| -> Vec<String> {
        let entries = fs::read_dir(sandbox.path().join(folder)).unwrap();
        let mut names: Vec<String> =
            entries.map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    };
    // `keep_last` periodic checkpoints and the final one.
    let kept: Vec<String> = names(&format!("out/{id}/checkpoints"))
        .into_iter()
        .filter(|name| {
            sandbox.path().join(format!("out/{id}/checkpoints/{name}/manifest.json")).exists()
        })
        .collect();
    assert_eq!(kept, ["000030", "000036", "final"], "after {after}");
    let mut folders = vec![sandbox.path().join("out")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            // A process that died before its run had a record leaves an empty run of another id.
            let ours = path.to_string_lossy().contains(&id);
            let hidden = path.file_name().unwrap().to_string_lossy().starts_with('.');
            assert!(!(hidden && ours), "after {after}: {}", path.display());
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let prepared = name.starts_with(".preparing-") || name.starts_with("examples");
            assert!(!prepared, "after {after}: {}", path.display());
            folders.extend(path.is_dir().then_some(path));
        }
    }
}

/// Steps that the killed process had measured.
fn steps_found(sandbox: &Sandbox) -> usize {
    let Some(id) = tiny_run::latest(sandbox) else { return 0 };
    let metrics = sandbox.path().join(format!("out/runs/{id}/metrics.jsonl"));
    fs::read_to_string(metrics).map_or(0, |text| text.matches("\"kind\":\"step\"").count())
}

#[test]
fn killed_at_every_durable_write() {
    let (expected, _) = undisturbed();
    let traced = sandbox();
    let trace = traced.path().join("trace");
    let mut command = traced.command(&train(&traced));
    command.env("TINSMITH_FAILPOINT_TRACE", &trace);
    assert!(command.output().unwrap().status.success());
    let mut passages: BTreeMap<String, usize> = BTreeMap::new();
    for name in fs::read_to_string(&trace).unwrap_or_default().lines() {
        *passages.entry(name.to_owned()).or_default() += 1;
    }
    // Failpoints exist in builds with debug assertions only.
    assert_eq!(cfg!(debug_assertions), passages.len() > 12, "{passages:?}");
    println!("{} failpoints, {} passages", passages.len(), passages.values().sum::<usize>());
    for (name, count) in passages {
        let mut at = vec![1, count / 2 + 1, count];
        at.dedup();
        for passage in at.into_iter().filter(|n| *n <= count) {
            let sandbox = sandbox();
            let point = format!("{name}@{passage}");
            let mut command = sandbox.command(&train(&sandbox));
            command.env("TINSMITH_FAILPOINT", &point).stderr(Stdio::null());
            let status = command.status().unwrap();
            assert_eq!(status.code(), None, "{point} does not kill: {status}");
            complete(&sandbox, &point);
            assert!(weights(&sandbox) == expected, "after {point} the adapter differs");
            check_tidy(&sandbox, &point);
        }
    }
}

#[test]
fn killed_at_random_instants() {
    let (expected, time) = undisturbed();
    // Steele and others' SplitMix64; the seed is printed with every failure.
    let mut state = 20_261_124_u64;
    let mut random = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (z ^ (z >> 27)) as f64 / u64::MAX as f64
    };
    let mut in_training = 0;
    for instant in 0..25 {
        let sandbox = sandbox();
        let mut after = String::new();
        // Killed once, and every fifth time the resumed run is killed too.
        for _ in 0..=usize::from(instant % 5 == 0) {
            let wait = time.mul_f64(random());
            after += &format!("instant {instant}, killed after {wait:?} ");
            let mut child =
                sandbox.command(&train(&sandbox)).stderr(Stdio::null()).spawn().unwrap();
            std::thread::sleep(wait);
            child.kill().unwrap();
            child.wait().unwrap();
            let step = steps_found(&sandbox);
            in_training += usize::from((1..40).contains(&step));
            after += &format!("at step {step}; ");
        }
        println!("{after}");
        complete(&sandbox, &after);
        assert!(weights(&sandbox) == expected, "{after} the adapter differs");
        check_tidy(&sandbox, &after);
    }
    assert!(in_training >= 5, "only {in_training} of the kills struck a training");
}
