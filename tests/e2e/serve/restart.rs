//! A server that is killed, and what its clients find when it is there again.

use super::client::{Server, loss};
use serde_json::{Value, json};

const TEXT: &[i32] = &[1, 5, 9, 20, 31, 7, 7, 2];

/// What a run is asked, and where its answers lie: three passes a step, so that gradients gather.
fn step(server: &Server, model: &str, step: u64) -> Vec<String> {
    let first = 4 * step + 1;
    let mut asked: Vec<String> =
        (0..3).map(|i| server.forward_backward(model, first + i, &TEXT[i as usize..])).collect();
    asked.push(server.step(model, first + 3));
    asked
}

fn answers(server: &Server, requests: &[String]) -> Vec<Value> {
    requests.iter().map(|request| server.result(request)).collect()
}

#[test]
fn clients_go_on_as_if_nothing_had_happened() {
    const STEPS: u64 = 6;
    let snapshots = ["--set", "serve.snapshot_steps=2"];
    let expected = {
        let server = Server::start(&snapshots);
        let model = server.model(&server.session(), 0);
        let requests: Vec<String> = (0..STEPS).flat_map(|i| step(&server, &model, i)).collect();
        answers(&server, &requests)
    };
    for killed_after in 0..STEPS {
        let mut server = Server::start(&snapshots);
        let session = server.session();
        let model = server.model(&session, 0);
        let mut requests: Vec<String> =
            (0..killed_after).flat_map(|i| step(&server, &model, i)).collect();
        // Of the next step all but its first pass has come, and nothing was read yet.
        let first = 4 * killed_after + 1;
        let later = [1, 2].map(|i| server.forward_backward(&model, first + i, &TEXT[i as usize..]));
        let last = server.step(&model, first + 3);
        if killed_after % 2 == 0 {
            answers(&server, &requests);
        }
        server.kill();
        server.again();
        assert_eq!(
            server.try_post("/session_heartbeat", &json!({"session_id": session})).status,
            200
        );
        // Also one that was done and is sent again.
        if killed_after > 0 {
            assert_eq!(server.forward_backward(&model, 1, TEXT), requests[0]);
        }
        requests.push(server.forward_backward(&model, first, TEXT));
        requests.extend(later);
        requests.push(last);
        requests.extend((killed_after + 1..STEPS).flat_map(|i| step(&server, &model, i)));
        let found = answers(&server, &requests);
        for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
            assert_eq!(found, expected, "killed after step {killed_after}: answer {i}");
        }
    }
}

#[test]
fn checkpoints_samplers_and_refusals_outlive_the_server() {
    let mut server = Server::start(&["--set", "serve.snapshot_steps=1"]);
    let session = server.session();
    let model = server.model(&session, 0);
    server.forward_backward(&model, 1, TEXT);
    server.step(&model, 2);
    let save = |seq: u64, path: &str| json!({"model_id": model, "seq_id": seq, "path": path});
    let one = server.done("/save_weights", &save(3, "one"))["path"].clone();
    server.done("/save_weights", &save(4, "two"));
    let at = format!("/training_runs/{model}/checkpoints");
    assert_eq!(server.send("DELETE", &format!("{at}/weights/two"), &[], b"").status, 204);
    let eph = json!({"model_id": model, "seq_id": 5, "sampling_session_seq_id": 0});
    let sampling = server.done("/save_weights_for_sampler", &eph)["sampling_session_id"].clone();
    let ask = |server: &Server, seq: u64| {
        let body = json!({
            "sampling_session_id": sampling, "seq_id": seq, "num_samples": 1,
            "sampling_params": {"max_tokens": 5, "temperature": 0.0, "stop": []},
            "prompt": {"chunks": [{"tokens": [1, 5, 9]}]},
        });
        server.done("/asample", &body)
    };
    let sampled = ask(&server, 0);
    let load = json!({"session_id": session, "model_seq_id": 1, "path": one, "optimizer": true});
    let other = server.done("/load_weights", &load)["model_id"].as_str().unwrap().to_owned();
    let refused = json!({"model_id": model, "seq_id": 6, "adam_params": "none"});
    assert_eq!(server.try_post("/optim_step", &refused).status, 422);
    let expected = server.result(&server.forward_backward(&model, 7, TEXT));
    // What the other was made from is not needed any more.
    assert_eq!(server.send("DELETE", &format!("{at}/weights/one"), &[], b"").status, 204);
    server.kill();
    server.again();
    // Nothing that was deleted is there again.
    assert_eq!(server.get(&at)["checkpoints"], json!([]));
    assert_eq!(ask(&server, 1), sampled);
    assert_eq!(server.result(&server.forward_backward(&other, 1, TEXT)), expected);
    assert_eq!(server.result(&server.forward_backward(&model, 7, TEXT)), expected);
    // A model that was unloaded stays so, and leaves nothing.
    server.done("/unload_model", &json!({ "model_id": other }));
    server.kill();
    server.again();
    let late = server.post("/optim_step", &json!({"model_id": other, "seq_id": 2}));
    let late = server.result(late["request_id"].as_str().unwrap());
    assert_eq!(late["category"], "server", "{late}");
    assert!(loss(&server.result(&server.forward_backward(&model, 8, TEXT))) > 0.0);
    let logs = std::fs::read_dir(server.sandbox.path().join("state/logs")).unwrap();
    assert_eq!(logs.count(), 1);
}

/// What a limit refused is refused again where everything else is done again, and a step is not half made.
#[test]
fn a_limit_holds_where_what_came_before_is_done_again() {
    // Two passes of 7 tokens, and no third.
    let mut server = Server::start(&["--set", "limits.max_tokens=20"]);
    let model = server.model(&server.session(), 0);
    let asked = [
        server.forward_backward(&model, 1, TEXT),
        server.step(&model, 2),
        server.forward_backward(&model, 3, TEXT),
        server.forward_backward(&model, 4, TEXT),
        server.step(&model, 5),
    ];
    let before = answers(&server, &asked);
    assert!(loss(&before[2]) < loss(&before[0]));
    for (result, says) in [(&before[3], "`limits.max_tokens` (20)"), (&before[4], "same step")] {
        assert_eq!(result["category"], "user", "{result}");
        assert!(result["error"].as_str().unwrap().contains(says), "{result}");
    }
    server.kill();
    server.again();
    assert_eq!(answers(&server, &asked), before);
    // The gradient of 3 is there still, and is never stepped on.
    let late = server.result(&server.forward_backward(&model, 6, &TEXT[6..]));
    assert!(late["error"].as_str().unwrap().contains("load a checkpoint"), "{late}");
    let save = json!({"model_id": model, "seq_id": 7, "path": "one"});
    server.done("/save_weights", &save);
}

/// A server that is killed while it saves or deletes: the bytes are there, and no record names them.
#[test]
fn what_a_crash_leaves_is_looked_after() {
    let mut server = Server::start(&[]);
    let model = server.model(&server.session(), 0);
    let state = server.sandbox.path().join("state");
    let files = |kind: &str| -> Vec<std::path::PathBuf> {
        std::fs::read_dir(state.join(kind)).unwrap().map(|entry| entry.unwrap().path()).collect()
    };
    for (seq, name) in [(1, "one"), (2, "two")] {
        let save = json!({"model_id": model, "seq_id": seq, "path": name});
        server.done("/save_weights", &save);
    }
    assert!(files("pending").is_empty());
    server.kill();
    let stored = || {
        let folder = std::fs::read_dir(state.join("store")).unwrap().next().unwrap().unwrap();
        std::fs::read_dir(folder.path().join("checkpoints")).unwrap().count()
    };
    assert_eq!(stored(), 2);
    // Both are in doubt; one has lost its record.
    let records = files("checkpoints");
    for record in &records {
        std::fs::copy(record, state.join("pending").join(record.file_name().unwrap())).unwrap();
    }
    std::fs::remove_file(&records[0]).unwrap();
    server.again();
    assert_eq!((stored(), files("pending").len()), (1, 0));
    let all = server.get("/checkpoints");
    assert_eq!(all["checkpoints"].as_array().unwrap().len(), 1);
}
