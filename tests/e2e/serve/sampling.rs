//! More than samples: other tokens' log-probabilities, results of many samples at once, samples that are
//! called off, and weights without a name.

use super::client::{Server, forward_backward};
use prost::Message;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tinsmith_plugin_api::TopLogprobs;
use tinsmith_test_support::http;
use tinsmith_tinker_wire::{le, proto, samples::top_from_proto};

const PROMPT: [i32; 4] = [1, 5, 9, 20];

/// A sampling session of the base model.
fn of_base(server: &Server, session: &str) -> Value {
    let body = json!({"session_id": session, "sampling_session_seq_id": 0, "base_model": "base"});
    server.post("/create_sampling_session", &body)["sampling_session_id"].clone()
}

/// Asks for a sample. Answers the id of the request.
fn ask(server: &Server, sampling: &Value, seq: u64, more: &Value) -> String {
    let mut body = json!({
        "sampling_session_id": sampling, "seq_id": seq, "num_samples": 1,
        "sampling_params": {"max_tokens": 3, "temperature": 0.0, "stop": []},
        "prompt": {"chunks": [{"tokens": PROMPT, "type": "encoded_text"}]},
    });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    server.post("/asample", &body)["request_id"].as_str().unwrap().to_owned()
}

fn binary(server: &Server, request: &str) -> proto::SampleResponse {
    let poll = json!({ "request_id": request }).to_string();
    let headers = [("accept", "application/x-protobuf"), ("content-type", "application/json")];
    let answer = server.send("POST", "/retrieve_future", &headers, poll.as_bytes());
    assert_eq!(answer.header("content-type"), "application/x-protobuf");
    proto::SampleResponse::decode(&answer.body[..]).unwrap()
}

fn metric(server: &Server, line: &str) -> bool {
    let page = http::request(server.port, "GET", "/metrics", &[], b"").unwrap();
    String::from_utf8(page.body).unwrap().lines().any(|found| found == line)
}

fn until(what: &str, mut there: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !there() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Expected values are those that the training pass answers for the same tokens as targets.
#[test]
fn log_probabilities_of_other_tokens() {
    let server = Server::start(&[]);
    let session = server.session();
    let sampling = of_base(&server, &session);
    // A fresh adapter changes nothing: its forward pass is the base model's.
    let model = server.model(&session, 0);
    let forward = |targets: [i32; 3]| -> Vec<f32> {
        let mut body = forward_backward(&model, 1, &PROMPT);
        body["forward_input"] = body["forward_backward_input"].take();
        body["forward_input"]["data"][0]["loss_fn_inputs"]["target_tokens"]["data"] =
            json!(targets);
        body.as_object_mut().unwrap().remove("seq_id");
        let told = server.done("/forward", &body);
        serde_json::from_value(told["loss_fn_outputs"][0]["logprobs"]["data"].clone()).unwrap()
    };
    let wanted = json!({
        "prompt_logprobs": true, "topk_prompt_logprobs": 2, "topk_sample_logprobs": 3,
        "target_prompt_logprobs": {"data": [7, -1, -1, 8, 30, 31], "dtype": "int64", "shape": [3, 2]},
    });
    let request = ask(&server, &sampling, 0, &wanted);
    let told = server.result(&request);
    let close = |found: &Value, expected: f32| {
        let found = found.as_f64().unwrap() as f32;
        assert!((found - expected).abs() < 1e-4, "{found} instead of {expected}");
    };
    let top = told["topk_prompt_logprobs"].as_array().unwrap();
    assert_eq!((top.len(), &top[0]), (4, &Value::Null));
    for rank in [0, 1] {
        let likely = |place: usize| top[place][rank].clone();
        let places = [1, 2, 3].map(likely);
        let expected = forward(places.each_ref().map(|place| place[0].as_i64().unwrap() as i32));
        places.iter().zip(expected).for_each(|(place, expected)| close(&place[1], expected));
    }
    let targets = &told["target_prompt_logprobs"];
    assert_eq!(targets["shape"], json!([3, 2]));
    let (first, second) = (forward([7, 7, 30]), forward([8, 8, 31]));
    close(&targets["data"][0], first[0]);
    close(&targets["data"][3], second[1]);
    close(&targets["data"][4], first[2]);
    close(&targets["data"][5], second[2]);
    assert_eq!((targets["data"][1].as_f64(), targets["data"][2].as_f64()), (Some(0.0), Some(0.0)));
    // Greedy: the likeliest is the one that was drawn.
    let sample = &told["sequences"][0];
    for place in 0..3 {
        let top = &sample["topk_logprobs"][place];
        assert_eq!(top.as_array().unwrap().len(), 3);
        assert_eq!(
            (&top[0][0], &top[0][1]),
            (&sample["tokens"][place], &sample["logprobs"][place])
        );
    }

    // The binary dialect says the same.
    let sent = binary(&server, &request);
    let read = top_from_proto(sent.topk_prompt_logprobs.as_ref().unwrap()).unwrap();
    let said: TopLogprobs = serde_json::from_value(json!(top[1..])).unwrap();
    assert_eq!(read[1..], said);
    assert!(read[0].is_empty());
    let ranked = sent.sequences[0].topk_sampled_logprobs.as_ref().unwrap();
    assert_eq!((ranked.length, ranked.k), (3, 3));
    // Ids that lie sparse are answered sparse.
    let sparse = json!({"target_prompt_logprobs": {
        "data": [8], "dtype": "int64", "shape": [3, 2],
        "sparse_crow_indices": [0, 0, 1, 1], "sparse_col_indices": [1],
    }});
    let sent = binary(&server, &ask(&server, &sampling, 1, &sparse));
    let Some(proto::tensor::Encoding::SparseCsr(csr)) =
        sent.target_prompt_logprobs.unwrap().encoding
    else {
        panic!("not sparse")
    };
    assert!((le::unpack::<f32>(&csr.values).unwrap()[0] - second[1]).abs() < 1e-4);

    // Only the end of the prompt.
    let last =
        json!({"prompt_logprobs": true, "topk_prompt_logprobs": 1, "prompt_logprobs_last_n": 1});
    let told = server.result(&ask(&server, &sampling, 2, &last));
    assert_eq!(told["prompt_logprobs"][2], Value::Null);
    assert!(told["prompt_logprobs"][3].is_number() && told["topk_prompt_logprobs"][3].is_array());
    for (seq, (name, wrong)) in [
        ("prompt_logprobs_last_n", json!({"prompt_logprobs_last_n": 2})),
        ("prompt_logprobs_last_n", json!({"prompt_logprobs": true, "prompt_logprobs_last_n": 4})),
        ("topk_prompt_logprobs", json!({"topk_prompt_logprobs": 1 << 23})),
        ("topk_sample_logprobs", json!({"topk_sample_logprobs": 1 << 23})),
        ("prompt_alt_tokens_k", json!({"prompt_alt_tokens_k": 1})),
        (
            "target_prompt_logprobs",
            json!({"target_prompt_logprobs": {
            "data": [1, 2], "dtype": "int64", "shape": [2, 1]}}),
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let told = server.result(&ask(&server, &sampling, 10 + seq as u64, &wrong));
        assert_eq!(told["category"], "user", "{told}");
        assert!(told["error"].as_str().unwrap().contains(name), "{told}");
    }
}

/// Far more than a test waits for.
fn endless() -> Value {
    json!({"num_samples": 4096, "sampling_params": {"max_tokens": 500, "stop": []}})
}

#[test]
fn samples_that_nobody_waits_for_are_called_off() {
    let server = Server::start(&[]);
    let dynamic = server.post("/client/dynamic_config", &json!({}));
    assert_eq!(dynamic["sample_cancel_enabled"], true);
    let session = server.session();
    let sampling = of_base(&server, &session);
    let asked = [0, 1].map(|seq| ask(&server, &sampling, seq, &endless()));
    let other = ask(&server, &sampling, 2, &json!({}));
    // The second waits for the first, and never begins; then the first ends.
    for request in [&asked[1], &asked[0]] {
        server.post("/cancel_future", &json!({ "request_id": request }));
        let told = server.result(request);
        assert!(told["error"].as_str().unwrap().contains("called off"), "{told}");
    }
    assert_eq!(server.result(&other)["sequences"][0]["tokens"].as_array().unwrap().len(), 3);
    until("they go on", || metric(&server, "tinsmith_samples_waiting 0"));
    let line = |name: &str, outcome: &str, n: u64| {
        format!("tinsmith_operations_total{{operation=\"{name}\",outcome=\"{outcome}\"}} {n}")
    };
    assert!(metric(&server, &line("sample_called_off", "failed", 2)));
    assert!(metric(&server, &line("sample", "done", 1)));
    // One that has its result keeps it; nothing else is called off.
    server.post("/cancel_future", &json!({ "request_id": other }));
    assert!(server.result(&other).get("error").is_none());
    let model = server.model(&session, 0);
    let step = server.step(&model, 1);
    assert_eq!(server.try_post("/cancel_future", &json!({"request_id": step})).status, 422);

    // The end of its session calls a sample off, too.
    ask(&server, &sampling, 3, &endless());
    until("it does not begin", || metric(&server, "tinsmith_samples_waiting 1"));
    let end = json!({"reason": {"type": "success"}, "detail": null});
    assert_eq!(server.try_post(&format!("/sessions/{session}/finish"), &end).status, 204);
    until("it goes on", || metric(&server, "tinsmith_samples_waiting 0"));
    assert!(metric(&server, &line("sample_called_off", "failed", 3)));
}

#[test]
fn results_of_many_samples_are_asked_for_at_once() {
    let server = Server::start(&["--set", "serve.retrieve_futures=true"]);
    let config = server.post("/client/config", &json!({"sdk_version": "test"}));
    assert_eq!(config["sample_use_retrieve_futures"], true);
    let session = server.session();
    let sampling = of_base(&server, &session);
    let poll = |cursor: &Value, clone: u64, more: Value| {
        let mut body = json!({
            "target": {"type": "sampling_session", "sampling_session_id": sampling,
                       "cloned_sampler_id": clone},
            "prev_cursor": cursor, "retrieved_request_ids": [],
        });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        server.post("/retrieve_futures", &body)
    };
    let now = json!({"timeout": 0.0});
    assert_eq!(poll(&json!(0), 0, now.clone()), json!({"completions": [], "cursor": 0}));
    let good = ask(&server, &sampling, 0, &json!({}));
    let bad = ask(&server, &sampling, 1, &json!({"num_samples": 0}));
    let clones = ask(&server, &sampling, 5_000_000_000, &json!({}));
    let (mut cursor, mut told) = (json!(0), Vec::new());
    while told.len() < 2 {
        let answer = poll(&cursor, 0, json!({}));
        told.extend(answer["completions"].as_array().unwrap().clone());
        cursor = answer["cursor"].clone();
    }
    told.sort_by_key(|one| one["state"].to_string());
    let expected = [
        json!({"state": "failed", "request_id": bad}),
        json!({"state": "finished", "request_id": good}),
    ];
    assert_eq!(told, expected);
    assert_eq!(poll(&cursor, 0, now.clone())["completions"], json!([]));
    let other = poll(&json!(0), 5, json!({}));
    assert_eq!(other["completions"], json!([{"state": "finished", "request_id": clones}]));
    assert!(server.result(&good)["sequences"].is_array());
    assert_eq!(server.result(&bad)["category"], "user");
    // What a client has is forgotten, and nothing of others.
    let model = server.model(&session, 0);
    let pass = server.forward_backward(&model, 1, &PROMPT);
    server.result(&pass);
    poll(&cursor, 0, json!({"timeout": 0.0, "retrieved_request_ids": [good, pass]}));
    let again = server.try_post("/retrieve_future", &json!({"request_id": good}));
    assert_eq!(again.status, 410);
    assert!(server.result(&pass)["loss_fn_outputs"].is_array());
    let unknown = json!({"target": {"sampling_session_id": "nobody"}});
    assert_eq!(server.try_post("/retrieve_futures", &unknown).status, 404);
}

#[test]
fn weights_without_a_name_make_room_for_newer_ones() {
    let mut server = Server::start(&["--set", "serve.nameless_weights=2"]);
    // Whoever is not told of it does not ask once for many results.
    let config = server.post("/client/config", &json!({"sdk_version": "test"}));
    assert_eq!(config.get("sample_use_retrieve_futures"), None);
    let session = server.session();
    let models = [server.model(&session, 0), server.model(&session, 1)];
    let mut seqs = [1, 1];
    let mut save = |server: &Server, of: usize, n: u64| {
        let body = json!({
            "model_id": models[of], "seq_id": seqs[of], "sampling_session_seq_id": n});
        seqs[of] += 1;
        server.done("/save_weights_for_sampler", &body)["sampling_session_id"].clone()
    };
    let other = save(&server, 1, 0);
    let mut made: Vec<Value> = (1..4).map(|n| save(&server, 0, n)).collect();
    let check = |server: &Server, made: &[Value], seq: u64| {
        let (old, kept) = made.split_at(made.len() - 2);
        for sampling in old {
            let told = server.result(&ask(server, sampling, seq, &json!({})));
            assert_eq!(told["category"], "user", "{told}");
            assert!(told["error"].as_str().unwrap().contains("serve.nameless_weights"), "{told}");
        }
        for sampling in kept.iter().chain([&other]) {
            let told = server.result(&ask(server, sampling, seq, &json!({})));
            assert!(told["sequences"].is_array(), "{told}");
        }
        assert_eq!((server.stored(), server.pending()), (3, 0));
    };
    check(&server, &made, 0);
    // A server that does it all again keeps the same.
    server.kill();
    server.again();
    check(&server, &made, 1);
    made.push(save(&server, 0, 4));
    check(&server, &made, 2);
}

/// Killed once the end of the session was on the disk, and before anything was deleted.
#[test]
fn weights_without_a_name_go_with_their_session_also_where_the_server_was_killed() {
    let mut server = Server::start(&[]);
    let session = server.session();
    let model = server.model(&session, 0);
    let body = json!({"model_id": model, "seq_id": 1, "sampling_session_seq_id": 0});
    server.done("/save_weights_for_sampler", &body);
    assert_eq!((server.stored(), server.pending()), (1, 0));
    server.kill();
    let sessions = server.sandbox.path().join("state/sessions");
    let file = std::fs::read_dir(sessions).unwrap().next().unwrap().unwrap().path();
    let mut record: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    record["ended"] = json!({"reason": "success"});
    std::fs::write(&file, record.to_string()).unwrap();
    server.again();
    assert_eq!((server.stored(), server.pending()), (0, 0));
}
