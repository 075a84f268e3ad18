//! Copies of checkpoints: records of their own over the same bytes.

use super::client::Server;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

fn delete(server: &Server, path: &Value) {
    let path = path.as_str().unwrap().strip_prefix("tinker://").unwrap();
    let (run, id) = path.split_once('/').unwrap();
    let answer = server.send("DELETE", &format!("/training_runs/{run}/checkpoints/{id}"), &[], b"");
    assert_eq!(answer.status, 204);
}

fn copy(server: &Server, body: &Value, key: &str) -> (u16, Value) {
    let headers = [("content-type", "application/json"), ("x-idempotency-key", key)];
    let answer = server.send("POST", "/copy_weights", &headers, body.to_string().as_bytes());
    (answer.status, answer.json())
}

#[test]
fn a_copy_outlives_its_source() {
    let mut server = Server::start(&[]);
    let session = server.session();
    let model = server.model(&session, 0);
    server.forward_backward(&model, 1, &[1, 5, 9, 20]);
    server.step(&model, 2);
    let save = json!({"model_id": model, "seq_id": 3, "path": "one", "user_metadata": {"k": "v"}});
    let source = server.done("/save_weights", &save)["path"].clone();
    let expected = server.result(&server.forward_backward(&model, 4, &[1, 5, 9, 20]));

    let body = json!({"source_path": source, "session_id": session, "model_seq_id": 1});
    let (status, told) = copy(&server, &body, "a");
    let path = json!(format!("tinker://{session}:train:1/weights/one"));
    assert_eq!((status, &told["tinker_path"]), (200, &path), "{told}");
    // The same request sent twice is one; another finds the place taken.
    assert_eq!(copy(&server, &body, "a").1["tinker_path"], path);
    let (status, told) = copy(&server, &body, "b");
    assert!(status == 422 && told["detail"].as_str().unwrap().contains("already"), "{told}");
    let (status, told) = copy(&server, &json!({ "source_path": source }), "c");
    assert!(status == 422 && told["detail"].as_str().unwrap().contains("session_id"), "{told}");
    let body = json!({"source_path": source, "destination_project_id": "p", "ttl_seconds": 3600});
    let second = copy(&server, &body, "d").1["tinker_path"].clone();
    assert_eq!(copy(&server, &body, "d").1["tinker_path"], second);
    assert!(second != path && second.as_str().unwrap().ends_with("/weights/one"), "{second}");
    let all = server.get("/checkpoints")["checkpoints"].as_array().unwrap().clone();
    let find = |path: &Value| all.iter().find(|c| c["tinker_path"] == *path).unwrap().clone();
    assert_eq!(all.len(), 3);
    assert_eq!(find(&path)["checkpoint_type"], "training");
    assert_eq!(find(&path)["user_metadata"], json!({"k": "v"}));
    assert!(find(&path).get("expires_at").is_none_or(Value::is_null));
    assert!(find(&second)["expires_at"].is_string());
    let run = format!("{session}:train:1");
    assert_eq!(server.get(&format!("/training_runs/{run}"))["base_model"], "base");
    assert_eq!(server.stored(), 1, "over the same bytes");

    // Its run holds it, and is no model.
    let step = server.post("/optim_step", &json!({"model_id": run, "seq_id": 1}));
    let step = server.result(step["request_id"].as_str().unwrap());
    assert_eq!(step["category"], "server", "{step}");

    delete(&server, &source);
    delete(&server, &second);
    server.kill();
    server.again();
    assert_eq!((server.stored(), server.pending()), (1, 0));
    let load = json!({"session_id": session, "model_seq_id": 2, "path": path, "optimizer": true});
    let other = server.done("/load_weights", &load)["model_id"].as_str().unwrap().to_owned();
    let found = server.result(&server.forward_backward(&other, 1, &[1, 5, 9, 20]));
    assert_eq!(found, expected);
    // Models that were loaded keep snapshots of their own.
    server.done("/unload_model", &json!({ "model_id": other }));
    server.done("/unload_model", &json!({ "model_id": model }));
    let begun = Instant::now();
    delete(&server, &path);
    while server.stored() > 0 {
        assert!(begun.elapsed() < Duration::from_secs(60), "the bytes stay");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(server.pending(), 0);
    let (status, _) = copy(&server, &body, "e");
    assert_eq!(status, 404);
}

/// A server that is killed while it deletes the last copy: its bytes have the name of the source.
#[test]
fn the_bytes_of_a_copy_are_looked_after_after_a_crash() {
    let mut server = Server::start(&[]);
    let model = server.model(&server.session(), 0);
    let save = json!({"model_id": model, "seq_id": 1, "path": "one"});
    let source = server.done("/save_weights_for_sampler", &save)["path"].clone();
    let body = json!({"source_path": source, "destination_project_id": "p"});
    let path = copy(&server, &body, "a").1["tinker_path"].clone();
    assert!(path.as_str().unwrap().ends_with("/sampler_weights/one"), "{path}");
    delete(&server, &source);
    server.kill();
    let record =
        std::fs::read_dir(server.state().join("checkpoints")).unwrap().next().unwrap().unwrap();
    let pending = server.state().join("pending").join(record.file_name());
    // In doubt, and its record is still there.
    std::fs::copy(record.path(), &pending).unwrap();
    server.again();
    assert_eq!((server.stored(), server.pending()), (1, 0));
    server.kill();
    std::fs::rename(record.path(), pending).unwrap();
    server.again();
    assert_eq!((server.stored(), server.pending()), (0, 0));
}
