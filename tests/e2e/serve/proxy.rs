//! A server in front of a server: `trainer: tinker` over one that computes.

use super::{
    client::{Server, forward_backward, loss},
    linked,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use std::{fs, path::Path};
use tinsmith_plugin_api::{Loss, LossBatch, LossValue, Result};
use tinsmith_test_support::{
    cli::Sandbox,
    http,
    proxy::{Fault, Proxy as Faults},
    tiny_tokenizer,
};

pub const TEXT: &[i32] = &[1, 5, 9, 20, 31, 7, 7, 2];
/// Tokens of it that the model reads.
pub const READ: u64 = 7;

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NoKeys {}

/// Σ w·logprob²: no server knows it.
pub struct Squares;

impl Loss for Squares {
    const NAME: &'static str = "squares";
    const INPUTS: &'static [&'static str] = &["weights"];
    type Config = NoKeys;

    fn new(_: NoKeys) -> Result<Self> {
        Ok(Self)
    }

    fn evaluate(&self, batch: &LossBatch<'_>, grad: &mut [f32]) -> Result<LossValue> {
        let mut value = LossValue::default();
        for (t, (p, w)) in batch.logprobs.iter().zip(batch.inputs[0]).enumerate() {
            value.sum += f64::from(w * p * p);
            grad[t] = 2.0 * w * p;
        }
        Ok(value)
    }
}

/// A server over the one at this port, with `more` in its config.
pub fn in_front(port: u16, more: &str) -> Server {
    let mut sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tinsmith"));
    let tokenizer = sandbox.path().join("tokenizer");
    fs::create_dir(&tokenizer).unwrap();
    tiny_tokenizer::write(&tokenizer).unwrap();
    sandbox.env("TINKER_API_KEY", "tml-5ecre7").env("TINSMITH_TINKER_CLOCK", "0.02");
    let config = format!(
        "model: {{base_model: base, tokenizer: ./tokenizer}}\n\
         serve: {{port: 0, state: state}}\n\
         trainer: {{name: tinker, base_url: \"http://127.0.0.1:{port}\"}}\n{more}"
    );
    sandbox.write("serve.yaml", config);
    Server::of(sandbox, &["serve", "-q", "serve.yaml"], linked::command)
}

/// A dollar for a million tokens read in training, half of one for prompts, two for what is sampled.
pub fn prices(limits: &str) -> String {
    format!(
        "limits:\n  {limits}\n  prices: {{train_per_million_tokens: 1.0, \
         prefill_per_million_tokens: 0.5, sample_per_million_tokens: 2.0}}\n"
    )
}

/// What was spent, as the last lines of the operations say, and as the last line adds it up.
pub fn usage(state: &Path) -> (Value, Value) {
    let text = fs::read_to_string(state.join("usage.jsonl")).unwrap_or_default();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut last = std::collections::BTreeMap::new();
    for line in &lines {
        assert!(line["time"].as_str().unwrap().ends_with('Z'), "{line}");
        last.insert(line["op"].as_u64().unwrap(), line);
    }
    let tokens = |line: &Value, kind: &str| line[kind].as_u64().unwrap_or(0);
    let sum = |kind: &str| last.values().map(|line| tokens(line, kind)).sum::<u64>();
    let kinds = ["train_tokens", "prefill_tokens", "sample_tokens"];
    let total = lines.last().map(|line| line["total"].clone()).unwrap_or_default();
    (json!(kinds.map(sum)), json!(kinds.map(|kind| tokens(&total, kind))))
}

pub fn page(server: &Server) -> String {
    let answer = http::request(server.port, "GET", "/metrics", &[], b"").unwrap();
    String::from_utf8(answer.body).unwrap()
}

pub fn error(server: &Server, path: &str, body: &Value) -> String {
    let promise = server.post(path, body);
    let result = server.result(promise["request_id"].as_str().unwrap());
    assert_eq!(result["category"], "user", "{result}");
    result["error"].as_str().unwrap().to_owned()
}

/// Three steps, then what the model answers.
fn whole_run(server: &Server) -> Vec<Value> {
    let session = server.session();
    let model = server.model(&session, 0);
    let mut asked = Vec::new();
    for step in 0..3 {
        asked.push(server.forward_backward(&model, 3 * step + 1, TEXT));
        asked.push(server.forward_backward(&model, 3 * step + 2, &TEXT[2..]));
        server.step(&model, 3 * step + 3);
    }
    let mut results: Vec<Value> = asked.iter().map(|request| server.result(request)).collect();
    let only = server.binary(&model, 10, TEXT, true, false);
    results.push(json!([only.metrics["loss:sum"], only.logprobs]));
    let save = json!({"model_id": model, "seq_id": 11, "path": "one"});
    let path = server.done("/save_weights", &save)["path"].clone();
    let save = json!({"model_id": model, "seq_id": 12, "sampling_session_seq_id": 0});
    let sampling = server.done("/save_weights_for_sampler", &save)["sampling_session_id"].clone();
    let sample = json!({
        "sampling_session_id": sampling, "seq_id": 0, "num_samples": 2, "prompt_logprobs": true,
        "sampling_params": {"max_tokens": 6, "temperature": 1.0, "seed": 5, "stop": []},
        "prompt": {"chunks": [{"tokens": [1, 5, 9], "type": "encoded_text"}]},
    });
    results.push(server.done("/asample", &sample));
    // On another model, from what was saved.
    let load = json!({"session_id": session, "model_seq_id": 1, "path": path, "optimizer": true});
    let other = server.done("/load_weights", &load)["model_id"].as_str().unwrap().to_owned();
    server.step(&other, 1);
    results.push(server.result(&server.forward_backward(&other, 2, TEXT)));
    let save = json!({"model_id": other, "seq_id": 3, "path": "away"});
    server.done("/save_weights_external", &save);
    let at = format!("/training_runs/{other}/checkpoints/external_weights/away");
    let urls = server.get(&format!("{at}/external_weights_urls"))["urls"].clone();
    let url = urls["adapter_model.safetensors"].as_str().unwrap();
    let path = &url[url.find("/api/").unwrap()..];
    let file = http::request(server.port, "GET", path, &[], b"").unwrap();
    results.push(json!(file.header("x-sha256")));
    let end = json!({"reason": {"type": "success"}, "detail": null});
    let ended = server.try_post(&format!("/sessions/{session}/finish"), &end);
    assert_eq!(ended.status, 204, "{}", String::from_utf8_lossy(&ended.body));
    results
}

#[test]
fn a_whole_run_is_as_without_it_and_is_written_down() {
    let behind = Server::start(&[]);
    let server = in_front(behind.port, &prices("max_tokens: 100000"));
    let (direct, through) = (whole_run(&behind), whole_run(&server));
    assert!(loss(&direct[4]) < loss(&direct[0]));
    for (i, (direct, through)) in direct.iter().zip(&through).enumerate() {
        assert_eq!(direct, through, "result {i}");
    }
    // Three passes of 7 and of 5 tokens, one forward, one more of 7; a prompt, and two samples of 6.
    let (train, prefill, sample) = (3 * (READ + READ - 2) + 2 * READ, 3, 12);
    // The server behind has seen it twice.
    for (server, times) in [(&behind, 2), (&server, 1)] {
        let (sum, total) = usage(&server.sandbox.path().join("state"));
        let expected = json!([times * train, times * prefill, times * sample]);
        assert_eq!((&sum, &total), (&expected, &expected));
    }
    // 50 at 1, 3 at 0.5 and 12 at 2 dollars a million.
    let page = page(&server);
    for line in [
        "tokens_total{kind=\"train\"} 50",
        "tokens_total{kind=\"prefill\"} 3",
        "tokens_total{kind=\"sample\"} 12",
    ] {
        assert!(page.contains(&format!("tinsmith_{line}\n")), "{line}: {page}");
    }
    let usd = page.lines().find_map(|line| line.strip_prefix("tinsmith_usd_total ")).unwrap();
    assert!((usd.parse::<f64>().unwrap() - 75.5e-6).abs() < 1e-12, "{usd}");
    let hours = "starting_on=2020-01-01T00:00:00Z&ending_before=2120-01-01T00:00:00Z";
    let told = server.get(&format!("/billing/usage/events?{hours}"));
    let cost: f64 = told["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|bucket| bucket["estimated_cost_usd"].as_f64().unwrap())
        .sum();
    assert!((cost - 75.5e-6).abs() < 1e-12, "{told}");
    assert_eq!(told["sessions"].as_object().unwrap().len(), 1);
    assert_eq!(server.try_post("/billing/usage/events", &json!({})).status, 405);
    let kept = server.get("/billing/usage/checkpoints/current");
    assert_eq!(kept["data"][0]["checkpoint_count"], 2, "{kept}");
    // The key is for the server behind, and stands nowhere.
    let written = fs::read_to_string(server.sandbox.path().join("state/usage.jsonl")).unwrap();
    assert!(!written.contains("5ecre7") && !page.contains("5ecre7"));
}

/// The trainer behind calls the loss in its backward pass; the server in front evaluates it between two.
#[test]
fn a_loss_that_no_server_knows_is_as_on_the_local_trainer() {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tinsmith"));
    tinsmith_test_support::tiny_model::tiny_llama(&sandbox.path().join("base"), 7).unwrap();
    let args = ["serve", "-q", "--model", "base", "--port", "0", "--state", "state"];
    let behind = Server::of(sandbox, &args, linked::command);
    let server = in_front(behind.port, "");
    let run = |server: &Server| -> Vec<f64> {
        let model = server.model(&server.session(), 0);
        let mut asked = Vec::new();
        for step in 0..4 {
            let mut body = forward_backward(&model, 2 * step + 1, TEXT);
            body["forward_backward_input"]["loss_fn"] = json!("squares");
            let promise = server.post("/forward_backward", &body);
            asked.push(promise["request_id"].as_str().unwrap().to_owned());
            server.step(&model, 2 * step + 2);
        }
        asked.iter().map(|request| loss(&server.result(request))).collect()
    };
    let (direct, through) = (run(&behind), run(&server));
    assert!(direct[3] < direct[0], "{direct:?}");
    for (direct, through) in direct.iter().zip(&through) {
        assert!((direct - through).abs() < 1e-5 * direct.abs(), "{direct} and {through}");
    }
    // Each token is read twice.
    let (sum, _) = usage(&server.sandbox.path().join("state"));
    assert_eq!(sum, json!([4 * 2 * READ, 0, 0]));

    // One that cannot be evaluated has changed nothing.
    let model = server.model(&server.session(), 0);
    let mut body = forward_backward(&model, 1, TEXT);
    body["forward_backward_input"]["loss_fn"] = json!("dpo");
    body["forward_backward_input"]["data"][0]["loss_fn_inputs"]["reference_logprobs"] =
        json!({"data": vec![-1.0; TEXT.len() - 1], "dtype": "float32"});
    let text = error(&server, "/forward_backward", &body);
    assert!(text.contains("pairs"), "{text}");
    assert!(loss(&server.result(&server.forward_backward(&model, 2, TEXT))) > 0.0);
}

/// A network between the two that fails by a seeded schedule: nothing is lost, done twice, or counted twice.
#[test]
fn a_network_that_fails_between_the_two_is_not_seen_in_front() {
    let behind = Server::start(&[]);
    let expected = whole_run(&behind);
    for seed in 0..3 {
        let faults = Faults::start(behind.port, move |number, path| {
            // The first requests ask whether there is a server at all; downloads have tests of their own.
            let spared = number < 2 || path.contains("/files/");
            let random = (seed * 1000 + number).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
            if spared || random % 4 != 0 { Fault::None } else { Fault::of(random / 4) }
        });
        let server = in_front(faults.port, "");
        let found = whole_run(&server);
        assert!(faults.log().lines().count() > 3, "seed {seed}: nothing failed");
        assert_eq!(found, expected, "seed {seed}\n{}", faults.log());
        let (sum, total) = usage(&server.sandbox.path().join("state"));
        assert_eq!((sum, total), (json!([50, 3, 12]), json!([50, 3, 12])), "seed {seed}");
    }
}

/// What the server behind refuses is refused by the one in front, and nothing else becomes of it.
#[test]
fn what_is_refused_behind_is_passed_over_in_front() {
    let behind = Server::start(&[]);
    let server = in_front(behind.port, "");
    let model = server.model(&server.session(), 0);
    let asked = [
        server.forward_backward(&model, 1, TEXT),
        server.forward_backward(&model, 2, &[1, 2, 1_000_000]),
        server.step(&model, 3),
        server.forward_backward(&model, 4, TEXT),
    ];
    let results: Vec<Value> = asked.iter().map(|request| server.result(request)).collect();
    assert_eq!(results[1]["category"], "user", "{}", results[1]);
    assert!(loss(&results[3]) < loss(&results[0]), "{results:?}");
    assert_eq!(server.get(&format!("/training_runs/{model}"))["corrupted"], false);
    let (sum, _) = usage(&server.sandbox.path().join("state"));
    assert_eq!(sum, json!([2 * READ, 0, 0]), "it cost nothing");
}

#[test]
fn a_server_in_front_that_is_killed_loses_its_models_and_nothing_else() {
    let behind = Server::start(&[]);
    let mut server = in_front(behind.port, "");
    let session = server.session();
    let model = server.model(&session, 0);
    server.result(&server.forward_backward(&model, 1, TEXT));
    server.result(&server.step(&model, 2));
    let save = json!({"model_id": model, "seq_id": 3, "path": "one"});
    let path = server.done("/save_weights", &save)["path"].as_str().unwrap().to_owned();
    let expected = loss(&server.result(&server.forward_backward(&model, 4, TEXT)));
    let last = server.step(&model, 5);
    server.kill();
    server.again();
    let result = server.result(&last);
    assert_eq!(result["category"], "server", "{result}");
    assert!(result["error"].as_str().unwrap().contains(&path), "{result}");
    assert_eq!(server.get("/sessions")["sessions"], json!([session]));
    assert_eq!(server.get("/checkpoints")["checkpoints"][0]["tinker_path"], path);
    let load = json!({"session_id": session, "model_seq_id": 1, "path": path, "optimizer": true});
    let other = server.done("/load_weights", &load)["model_id"].as_str().unwrap().to_owned();
    assert_eq!(loss(&server.result(&server.forward_backward(&other, 1, TEXT))), expected);
}
