//! Chat completions: whole, piece by piece, from the base and from a checkpoint; and what is counted.

use super::client::Server;
use serde_json::{Value, json};
use tinsmith_test_support::http::{self, Answer};

fn ask(server: &Server, path: &str, body: &Value) -> Answer {
    let headers = [("content-type", "application/json")];
    http::request(server.port, "POST", path, &headers, body.to_string().as_bytes()).unwrap()
}

/// The text, the reason, and how many pieces there were.
fn streamed(server: &Server, body: &Value) -> (String, String, usize) {
    let mut body = body.clone();
    body["stream"] = json!(true);
    let answer = ask(server, "/v1/chat/completions", &body);
    assert_eq!(answer.header("content-type"), "text/event-stream");
    let text = String::from_utf8(answer.body).unwrap();
    let events: Vec<&str> = text.split_terminator("\n\n").map(|e| &e["data: ".len()..]).collect();
    assert_eq!(events.last(), Some(&"[DONE]"));
    let chunks: Vec<Value> =
        events[..events.len() - 1].iter().map(|e| serde_json::from_str(e).unwrap()).collect();
    assert_eq!(chunks[0]["choices"][0]["delta"]["role"], "assistant");
    let delta = |chunk: &Value| chunk["choices"][0]["delta"]["content"].as_str().map(str::to_owned);
    let why = chunks.last().unwrap()["choices"][0]["finish_reason"].as_str().unwrap().to_owned();
    (chunks.iter().filter_map(delta).collect(), why, chunks.len())
}

#[test]
fn messages_are_answered() {
    let server = Server::start(&[]);
    let session = server.session();
    let model = server.model(&session, 0);
    server.forward_backward(&model, 1, &[1, 5, 9, 20]);
    server.step(&model, 2);
    let save = json!({"model_id": model, "seq_id": 3, "path": "one"});
    let path = server.done("/save_weights_for_sampler", &save)["path"].clone();
    let models = http::request(server.port, "GET", "/v1/models", &[], b"").unwrap().json();
    let ids: Vec<&Value> = models["data"].as_array().unwrap().iter().map(|m| &m["id"]).collect();
    assert_eq!(ids, [&json!("base"), &path]);
    for name in [json!("base"), path] {
        let body = json!({
            "model": name, "temperature": 0, "max_tokens": 12,
            "messages": [{"role": "user", "content": "say something"}],
        });
        let answer = ask(&server, "/v1/chat/completions", &body);
        assert_eq!(answer.status, 200, "{}", answer.json());
        let answer = answer.json();
        assert_eq!(answer["model"], name);
        let text = answer["choices"][0]["message"]["content"].as_str().unwrap().to_owned();
        assert!(answer["usage"]["prompt_tokens"].as_u64().unwrap() > 3, "{answer}");
        assert_eq!(
            ask(&server, "/oai/api/v1/chat/completions", &body).json()["choices"],
            answer["choices"]
        );
        let (pieces, why, count) = streamed(&server, &body);
        assert_eq!(pieces.trim(), text);
        assert_eq!(why, answer["choices"][0]["finish_reason"]);
        assert!(count > 3, "it comes piece by piece: {count}");
    }
    let mut wrong = json!({"model": "nobody", "messages": [{"role": "user", "content": "hi"}]});
    let answer = ask(&server, "/v1/chat/completions", &wrong);
    assert_eq!(answer.status, 404);
    assert!(answer.json()["error"]["message"].as_str().unwrap().contains("served are `base`"));
    wrong["model"] = json!("base");
    for (key, value) in [
        ("tools", json!([{"type": "function"}])),
        ("response_format", json!({"type": "json_object"})),
        ("frequency_penalty", json!(0.5)),
        ("top_logprobs", json!(21)),
    ] {
        let mut wrong = wrong.clone();
        wrong[key] = value;
        let answer = ask(&server, "/v1/chat/completions", &wrong);
        assert_eq!(answer.status, 400, "{key}");
        assert!(answer.json()["error"]["message"].as_str().unwrap().contains(key));
    }

    let page = http::request(server.port, "GET", "/metrics", &[], b"").unwrap();
    let page = String::from_utf8(page.body).unwrap();
    for line in [
        "# TYPE tinsmith_operations_total counter",
        "tinsmith_sessions 1",
        "tinsmith_models 1",
        "tinsmith_checkpoints 1",
        "tinsmith_operations_total{operation=\"optim_step\",outcome=\"done\"} 1",
        "tinsmith_operations_total{operation=\"save\",outcome=\"failed\"} 0",
    ] {
        assert!(page.lines().any(|found| found == line), "{line} is missing in:\n{page}");
    }
}

#[test]
fn log_probabilities_of_an_answer_are_those_of_its_tokens() {
    let server = Server::start(&[]);
    let body = json!({
        "model": "base", "temperature": 0, "max_tokens": 4, "logprobs": true, "top_logprobs": 2,
        "frequency_penalty": 0, "response_format": {"type": "text"}, "user": "somebody",
        "messages": [{"role": "user", "content": "say something"}],
    });
    let answer = ask(&server, "/v1/chat/completions", &body).json();
    let content = answer["choices"][0]["logprobs"]["content"].as_array().unwrap();
    assert_eq!(content.len() as u64, answer["usage"]["completion_tokens"].as_u64().unwrap());
    let text: Vec<u8> = content
        .iter()
        .flat_map(|token| token["bytes"].as_array().unwrap())
        .map(|byte| byte.as_u64().unwrap() as u8)
        .collect();
    let said = answer["choices"][0]["message"]["content"].as_str().unwrap();
    assert!(String::from_utf8_lossy(&text).contains(said), "{answer}");
    // Greedy: none of them is unlikely, and none is certain in a random model.
    for token in content {
        let logprob = token["logprob"].as_f64().unwrap();
        assert!((-20.0..0.0).contains(&logprob), "{token}");
        let top = token["top_logprobs"].as_array().unwrap();
        assert_eq!((top.len(), &top[0]["bytes"]), (2, &token["bytes"]), "{token}");
        assert_eq!(top[0]["logprob"], token["logprob"]);
        assert!(top[1]["logprob"].as_f64().unwrap() <= logprob);
    }
    let mut streamed = body.clone();
    streamed["stream"] = json!(true);
    assert_eq!(ask(&server, "/v1/chat/completions", &streamed).status, 400);
    streamed["logprobs"] = json!(false);
    streamed["top_logprobs"] = json!(null);
    streamed["stream_options"] = json!({"include_usage": true});
    let text = String::from_utf8(ask(&server, "/v1/chat/completions", &streamed).body).unwrap();
    let events: Vec<&str> = text.split_terminator("\n\n").collect();
    let last: Value = serde_json::from_str(&events[events.len() - 2]["data: ".len()..]).unwrap();
    assert_eq!(last["choices"], json!([]));
    assert_eq!(last["usage"], answer["usage"]);
}
