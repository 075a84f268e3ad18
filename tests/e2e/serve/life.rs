//! The whole life of a run: trained, saved, loaded, sampled, listed, made to expire, taken away.

use super::client::{Server, loss};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tinsmith_test_support::{
    cli::Sandbox,
    http::{self, Answer},
    tiny_run,
};

const TEXT: &[i32] = &[1, 5, 9, 20, 31, 7, 7, 2];

#[test]
fn a_run_from_its_first_step_to_its_files() {
    let server = Server::start(&[]);
    assert_eq!(server.get("/healthz")["status"], "ok");
    let config = server.post("/client/config", &json!({"sdk_version": "test"}));
    assert!(config["tinsmith"]["dedupes"] == true && config["parallel_fwdbwd_chunks"] == true);
    server.post("/client/dynamic_config", &json!({}));
    server.post("/telemetry", &json!({"events": []}));
    let models = server.get("/get_server_capabilities");
    assert_eq!(models["supported_models"][0]["model_name"], "base");
    let session = server.session();
    let model = server.model(&session, 0);
    let info = server.post("/get_info", &json!({ "model_id": model }));
    assert_eq!((&info["lora_rank"], &info["model_data"]["arch"]), (&json!(2), &json!("llama")));

    // Both dialects give the same.
    let json = server.result(&server.forward_backward(&model, 1, TEXT));
    let binary = server.binary(&model, 2, TEXT, true, false);
    assert_eq!(binary.metrics["loss:sum"], loss(&json));
    let logprobs = &json["loss_fn_outputs"][0]["logprobs"];
    assert_eq!((&logprobs["dtype"], &logprobs["shape"]), (&json!("float32"), &json!([7])));
    let said: Vec<f32> =
        logprobs["data"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect();
    assert_eq!(binary.logprobs, [said]);
    server.result(&server.step(&model, 3));
    let second = server.binary(&model, 4, TEXT, false, true).metrics["loss:sum"];
    assert!(second < loss(&json));
    server.step(&model, 5);

    // Saved, gone on from, and loaded: with the optimizer's state everything goes on alike.
    let save = json!({"model_id": model, "seq_id": 6, "path": "one", "user_metadata": {"k": "v"}});
    let path = server.done("/save_weights", &save)["path"].as_str().unwrap().to_owned();
    assert_eq!(path, format!("tinker://{model}/weights/one"));
    let go_on = |model: &str, seq: u64| {
        let first = server.forward_backward(model, seq, TEXT);
        server.step(model, seq + 1);
        let second = server.forward_backward(model, seq + 2, TEXT);
        (loss(&server.result(&first)), loss(&server.result(&second)))
    };
    let expected = go_on(&model, 7);
    let load = json!({"session_id": session, "model_seq_id": 1, "path": path, "optimizer": true});
    let other = server.done("/load_weights", &load)["model_id"].as_str().unwrap().to_owned();
    assert_eq!(go_on(&other, 1), expected);
    let load = json!({"model_id": model, "seq_id": 10, "path": path, "optimizer": true});
    server.done("/load_weights", &load);
    assert_eq!(go_on(&model, 11), expected);
    let weights = server.post("/weights_info", &json!({ "tinker_path": path }));
    assert_eq!((&weights["base_model"], &weights["lora_rank"]), (&json!("base"), &json!(2)));

    // A name stands for one checkpoint, unless it is to be replaced.
    let mut again = json!({"model_id": model, "seq_id": 14, "path": "one"});
    let promise = server.post("/save_weights", &again);
    let refused = server.result(promise["request_id"].as_str().unwrap());
    assert_eq!(refused["category"], "user", "{refused}");
    again["seq_id"] = json!(15);
    again["overwrite"] = json!(true);
    server.done("/save_weights", &again);
    for (seq, name) in [(16, "../../x"), (17, "..")] {
        let body = json!({"model_id": model, "seq_id": seq, "path": name});
        let promise = server.post("/save_weights", &body);
        assert_eq!(server.result(promise["request_id"].as_str().unwrap())["category"], "user");
    }
    sample(&server, &session, &model, 18);
    take_away(&server, &model, 21);
    expire(&server, &model, 22);

    server.done("/unload_model", &json!({ "model_id": other }));
    let late = server.post("/optim_step", &json!({"model_id": other, "seq_id": 90}));
    let late = server.result(late["request_id"].as_str().unwrap());
    assert_eq!(late["category"], "server", "{late}");
    let seen = server.get(&format!("/sessions/{session}"));
    assert_eq!(seen["training_run_ids"], json!([model, other]));
    let end = json!({"reason": {"type": "success"}, "detail": null});
    assert_eq!(server.try_post(&format!("/sessions/{session}/finish"), &end).status, 204);
    assert_eq!(server.try_post("/session_heartbeat", &json!({"session_id": session})).status, 410);
    let step = json!({"model_id": model, "seq_id": 99, "adam_params": {}});
    assert_eq!(server.try_post("/optim_step", &step).status, 410);
}

fn sample(server: &Server, session: &str, model: &str, seq: u64) {
    let save = json!({"model_id": model, "seq_id": seq, "path": "one"});
    let path = server.done("/save_weights_for_sampler", &save)["path"].clone();
    assert_eq!(path, format!("tinker://{model}/sampler_weights/one"));
    let save = json!({"model_id": model, "seq_id": seq + 1, "sampling_session_seq_id": 0});
    let ephemeral = server.done("/save_weights_for_sampler", &save)["sampling_session_id"].clone();
    let make = |n: u64, what: Value| {
        let mut body = json!({"session_id": session, "sampling_session_seq_id": n});
        body.as_object_mut().unwrap().extend(what.as_object().unwrap().clone());
        server.post("/create_sampling_session", &body)["sampling_session_id"].clone()
    };
    let named = make(1, json!({ "model_path": path }));
    let base = make(2, json!({"base_model": "base"}));
    let sampler = server.get(&format!("/samplers/{}", named.as_str().unwrap()));
    assert_eq!((&sampler["base_model"], &sampler["model_path"]), (&json!("base"), &path));
    let ask = |session: &Value, seq: u64, params: Value, more: Value| {
        let mut body = json!({
            "sampling_session_id": session, "seq_id": seq, "num_samples": 2, "sampling_params": params,
            "prompt": {"chunks": [{"tokens": [1, 5, 9], "type": "encoded_text"}]},
        });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let promise = server.post("/asample", &body);
        assert_eq!(promise["sample_sequence_ids"].as_array().unwrap().len(), 2);
        server.result(promise["request_id"].as_str().unwrap())
    };
    let greedy = json!({"max_tokens": 6, "temperature": 0.0, "stop": []});
    let wanted = json!({"prompt_logprobs": true});
    let tuned = ask(&named, 0, greedy.clone(), wanted.clone());
    let tokens = tuned["sequences"][0]["tokens"].clone();
    assert_eq!(tokens.as_array().unwrap().len(), 6);
    assert_eq!(tuned["sequences"][1]["tokens"], tokens);
    assert_eq!(tuned["sequences"][0]["stop_reason"], "length");
    assert_eq!(tuned["prompt_logprobs"][0], Value::Null);
    assert!(tuned["prompt_logprobs"][2].as_f64().unwrap() < 0.0);
    // The same weights, without a name.
    assert_eq!(ask(&ephemeral, 0, greedy.clone(), wanted.clone()), tuned);
    assert_ne!(
        ask(&base, 0, greedy, wanted)["sequences"][0]["logprobs"],
        tuned["sequences"][0]["logprobs"]
    );
    let stop = json!({"max_tokens": 6, "temperature": 0.0, "stop": [tokens[1]]});
    let stopped = ask(&named, 1, stop, json!({}));
    assert_eq!(stopped["sequences"][0]["stop_reason"], "stop");
    for stop in [json!("e"), json!(["e", "x"])] {
        let params = json!({"max_tokens": 2, "stop": stop});
        let seq = if stop.is_string() { 2 } else { 3 };
        assert!(ask(&named, seq, params, json!({}))["sequences"][0]["tokens"].is_array());
    }
    let unknown = ask(&named, 4, json!({"max_tokens": 1}), json!({"prompt_alt_tokens_k": 3}));
    assert_eq!(unknown["category"], "user", "{unknown}");
}

fn take_away(server: &Server, model: &str, seq: u64) {
    let save = json!({"model_id": model, "seq_id": seq - 1, "path": "away"});
    let saved = server.done("/save_weights_external", &save);
    let size = saved["size_bytes"].as_u64().unwrap();
    let at = format!("/training_runs/{model}/checkpoints/external_weights/away");
    let told = server.get(&format!("{at}/external_weights_urls"));
    let urls = told["urls"].as_object().unwrap();
    let names: Vec<&String> = urls.keys().collect();
    assert_eq!(names, ["adapter_config.json", "adapter_model.safetensors"]);
    let fetch = |url: &Value, headers: &[(&str, &str)]| -> Answer {
        let (_, rest) = url.as_str().unwrap().split_once("://").unwrap();
        let path = &rest[rest.find('/').unwrap()..];
        http::request(server.port, "GET", path, headers, b"").unwrap()
    };
    let whole: Vec<Answer> = urls.values().map(|url| fetch(url, &[])).collect();
    assert_eq!(whole.iter().map(|answer| answer.body.len() as u64).sum::<u64>(), size);
    let (url, whole) = (&urls["adapter_model.safetensors"], &whole[1]);
    assert_eq!(whole.header("etag"), format!("\"{}\"", whole.header("x-sha256")));
    let part = fetch(url, &[("range", "bytes=10-19"), ("if-range", whole.header("etag"))]);
    assert_eq!((part.status, &part.body[..]), (206, &whole.body[10..20]));
    assert_eq!(fetch(url, &[("range", "bytes=99999999-")]).status, 416);
    let other = Value::from(url.as_str().unwrap().replace("expires=", "expires=9"));
    assert_eq!(fetch(&other, &[]).status, 403);

    // The older way: one archive.
    let path = format!("/training_runs/{model}/checkpoints/sampler_weights/one/archive");
    let moved = server.send("GET", &path, &[], b"");
    assert_eq!(moved.status, 302);
    let archive = fetch(&Value::from(moved.header("location")), &[]);
    let mut tar = tar::Archive::new(&archive.body[..]);
    let names: Vec<String> = tar
        .entries()
        .unwrap()
        .map(|entry| entry.unwrap().path().unwrap().to_string_lossy().into_owned())
        .collect();
    assert_eq!(names, ["adapter_config.json", "adapter_model.safetensors", "checkpoint_complete"]);
}

fn expire(server: &Server, model: &str, seq: u64) {
    let list = || -> Vec<Value> {
        let all = server.get(&format!("/training_runs/{model}/checkpoints"));
        all["checkpoints"].as_array().unwrap().clone()
    };
    let ids = || -> Vec<String> {
        list().iter().map(|c| c["checkpoint_id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(), ["weights/one", "sampler_weights/one", "external_weights/away"]);
    let at = format!("/training_runs/{model}/checkpoints/weights/one");
    let send = |method: &str, path: &str, body: &str| {
        let headers = [("content-type", "application/json")];
        server.send(method, path, &headers, body.as_bytes()).status
    };
    assert_eq!(send("PUT", &format!("{at}/ttl"), r#"{"ttl_seconds":7200}"#), 204);
    assert!(list()[0]["expires_at"].is_string());
    assert_eq!(send("PUT", &format!("{at}/ttl"), r#"{"ttl_seconds":null}"#), 204);
    assert_eq!(list()[0]["expires_at"], Value::Null);
    assert_eq!(send("PUT", &format!("{at}/ttl"), r#"{"ttl_seconds":0}"#), 422);
    assert_eq!(send("POST", &format!("{at}/publish"), ""), 204);
    assert_eq!(list()[0]["public"], true);
    assert_eq!(send("DELETE", &format!("{at}/publish"), ""), 204);
    assert_eq!(list()[0]["public"], false);
    let runs = server.get("/training_runs?limit=1&offset=1");
    assert_eq!(runs["training_runs"][0]["training_run_id"], model);
    assert_eq!(runs["cursor"]["total_count"], 2);
    assert_eq!(runs["training_runs"][0]["last_checkpoint"]["checkpoint_id"], "weights/one");
    assert_eq!(server.get("/checkpoints?limit=2")["cursor"]["total_count"], 3);

    // One that expires is gone, with its files.
    let stored = || walk(&server.sandbox.path().join("state/store"));
    let before = stored();
    let save = json!({"model_id": model, "seq_id": seq - 1, "path": "brief", "ttl_seconds": 1});
    server.done("/save_weights", &save);
    assert!(stored() > before);
    let begun = Instant::now();
    while ids().len() > 3 || stored() > before {
        assert!(begun.elapsed() < Duration::from_secs(60), "it does not expire");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(send("DELETE", &at, ""), 204);
    assert_eq!(send("DELETE", &at, ""), 404);
    assert_eq!(ids().len(), 2);
    assert!(stored() < before);
}

/// Number of files below a folder.
fn walk(folder: &std::path::Path) -> usize {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries.map(|entry| if entry.path().is_dir() { walk(&entry.path()) } else { 1 }).sum()
}

/// What `tinsmith train` computes with the same trainer, the same datums and the same settings.
#[test]
fn the_losses_are_those_of_a_training_run() {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tinsmith"));
    let more = "training: {batch_size: 1, epochs: 4, normalization: none}\nschedule: constant\n";
    tiny_run::write(&sandbox, 1, more);
    assert!(sandbox.run(&["train", "run.yaml"]).status.success());
    let id = tiny_run::latest(&sandbox).unwrap();
    let metrics = sandbox.read(&format!("out/runs/{id}/metrics.jsonl"));
    let lines = metrics.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let expected: Vec<f64> = lines
        .filter(|line| line["kind"] == "step")
        .map(|line| line["loss:sum"].as_f64().unwrap())
        .collect();
    let args = ["render", "chats.jsonl", "--config", "run.yaml", "--format", "json"];
    let example: Value = serde_json::from_slice(&sandbox.run(&args).stdout).unwrap();
    let (tokens, weights) = (example["tokens"].as_array(), example["weights"].as_array());
    let (tokens, weights) = (tokens.unwrap(), weights.unwrap());

    let args = ["serve", "-q", "--model", "base", "--port", "0", "--state", "state"];
    let server = Server::run(sandbox, &args);
    let session = server.session();
    let model = server.model(&session, 0);
    let mut losses = Vec::new();
    for step in 0..4 {
        let mut body = super::client::forward_backward(&model, 2 * step + 1, &[0, 0]);
        body["forward_backward_input"]["data"][0] = json!({
            "model_input": {"chunks": [{"tokens": tokens[..tokens.len() - 1]}]},
            "loss_fn_inputs": {
                "target_tokens": {"data": tokens[1..], "dtype": "int64"},
                "weights": {"data": weights[1..], "dtype": "float32"},
            },
        });
        losses.push(loss(&server.done("/forward_backward", &body)));
        server.step(&model, 2 * step + 2);
    }
    assert_eq!(losses, expected);
}
