//! What all clients of a server may spend together.

use super::{
    client::{Server, forward_backward, loss},
    proxy::{READ, TEXT, error, in_front, page, prices, usage},
};
use serde_json::json;
use std::fs;
use tinsmith_test_support::http;

#[test]
fn a_limit_refuses_what_would_exceed_it_and_nothing_else() {
    let behind = Server::start(&[]);
    // Three passes of 7 tokens; a fourth would cost the 28th of a millionth.
    let mut server = in_front(behind.port, &prices("max_usd: 27.0e-6"));
    let model = server.model(&server.session(), 0);
    let save = |server: &Server, seq: u64, name: &str| {
        let body = json!({"model_id": model, "seq_id": seq, "path": name});
        server.done("/save_weights", &body)["path"].as_str().unwrap().to_owned()
    };
    server.result(&server.forward_backward(&model, 1, TEXT));
    server.result(&server.step(&model, 2));
    let first = save(&server, 3, "first");
    server.result(&server.forward_backward(&model, 4, TEXT));
    server.result(&server.forward_backward(&model, 5, TEXT));
    let sent = || usage(&behind.sandbox.path().join("state")).0;
    assert_eq!(sent(), json!([3 * READ, 0, 0]));

    let text = error(&server, "/forward_backward", &forward_backward(&model, 6, TEXT));
    assert!(text.contains("`limits.max_usd` ($2.70e-5): $2.10e-5 spent"), "{text}");
    assert!(text.contains(&format!("its last checkpoint is `{first}`")), "{text}");
    assert_eq!(sent(), json!([3 * READ, 0, 0]), "it was not handed on");
    // A step on a part of its gradient is none, and neither is more of it.
    let step = json!({"model_id": model, "seq_id": 7, "adam_params": {"learning_rate": 0.01}});
    let text = error(&server, "/optim_step", &step);
    assert!(text.contains("a pass of the same step was refused"), "{text}");
    let text = error(&server, "/forward_backward", &forward_backward(&model, 8, TEXT));
    assert!(text.contains("load a checkpoint"), "{text}");
    // 3 tokens of a prompt at half a millionth, and three samples at two: 7.5 of the 6 that are left.
    let sampling = server.post(
        "/create_sampling_session",
        &json!({"session_id": &model[..32], "sampling_session_seq_id": 0, "base_model": "base"}),
    )["sampling_session_id"]
        .clone();
    let sample = |seq: u64, tokens: u64| {
        json!({
            "sampling_session_id": sampling, "seq_id": seq, "num_samples": 1,
            "sampling_params": {"max_tokens": tokens, "stop": []},
            "prompt": {"chunks": [{"tokens": [1, 5, 9], "type": "encoded_text"}]},
        })
    };
    let text = error(&server, "/asample", &sample(0, 3));
    assert!(text.contains("`limits.max_usd`"), "{text}");
    // Without an end it may become as long as the context.
    let mut endless = sample(1, 0);
    endless["sampling_params"] = json!({"stop": []});
    let text = error(&server, "/asample", &endless);
    assert!(text.contains("may take $1.02e-3"), "{text}");
    server.done("/asample", &sample(2, 2));

    let talk =
        json!({"model": "base", "max_tokens": 2, "messages": [{"role": "user", "content": "x"}]});
    let headers = [("content-type", "application/json")];
    let body = talk.to_string();
    let talk = ("POST", "/v1/chat/completions", body.as_bytes());
    let said = http::request(server.port, talk.0, talk.1, &headers, talk.2).unwrap();
    assert_eq!(said.status, 400);
    assert!(said.json()["error"]["message"].as_str().unwrap().contains("`limits.max_usd`"));

    // Nobody loses work: what came before is saved, listed and taken away, and gone on from.
    let second = save(&server, 9, "second");
    let all = server.get(&format!("/training_runs/{model}/checkpoints"));
    assert_eq!(all["checkpoints"].as_array().unwrap().len(), 2);
    assert_eq!(server.get(&format!("/training_runs/{model}"))["corrupted"], false);
    let load = json!({"model_id": model, "seq_id": 10, "path": second, "optimizer": true});
    server.done("/load_weights", &load);

    // Another server over the same folder has spent as much, also one that was cut off as it wrote.
    server.kill();
    let journal = server.sandbox.path().join("state/usage.jsonl");
    let whole = fs::read(&journal).unwrap();
    fs::write(&journal, [&whole[..], b"{\"time\": \"20"].concat()).unwrap();
    server.again();
    let load =
        json!({"session_id": &model[..32], "model_seq_id": 1, "path": first, "optimizer": true});
    let other = server.done("/load_weights", &load)["model_id"].as_str().unwrap().to_owned();
    let text = error(&server, "/forward_backward", &forward_backward(&other, 1, TEXT));
    // 21 for training, 1.5 for the prompt and 4 for two samples.
    assert!(text.contains("$2.65e-5 spent"), "{text}");
    assert!(page(&server).contains("tinsmith_tokens_total{kind=\"train\"} 21\n"));

    // With a higher limit it goes on.
    let config = server.sandbox.read("serve.yaml").replace("27.0e-6", "1.0");
    server.sandbox.write("serve.yaml", config);
    server.kill();
    server.again();
    let load =
        json!({"session_id": &model[..32], "model_seq_id": 2, "path": second, "optimizer": true});
    let other = server.done("/load_weights", &load)["model_id"].as_str().unwrap().to_owned();
    assert!(loss(&server.result(&server.forward_backward(&other, 1, TEXT))) > 0.0);
    let said = http::request(server.port, talk.0, talk.1, &headers, talk.2).unwrap().json();
    let (sum, _) = usage(&server.sandbox.path().join("state"));
    // A pass more than the three before; beside the prompt of 3 and two samples, those of the talk.
    let told = |key: &str| said["usage"][key].as_u64().unwrap();
    let expected = [4 * READ, 3 + told("prompt_tokens"), 2 + told("completion_tokens")];
    assert_eq!(sum, json!(expected));
}

#[test]
fn a_limit_in_dollars_needs_prices() {
    let behind = Server::start(&[]);
    let server = in_front(behind.port, "");
    for (limits, key) in [
        ("limits: {max_usd: 1.0}\n", "train_per_million_tokens"),
        (
            "limits: {max_usd: 1.0, prices: {train_per_million_tokens: 1, \
             sample_per_million_tokens: 1}}\n",
            "prefill_per_million_tokens",
        ),
        (
            "limits: {max_usd: 1.0, prices: {prefill_per_million_tokens: 1, models: \
             {base: {train_per_million_tokens: 1}}}}\n",
            "sample_per_million_tokens",
        ),
    ] {
        let config = server.sandbox.read("serve.yaml").replace("state: state", "state: other");
        server.sandbox.write("dear.yaml", config + limits);
        let shown = server.sandbox.show(&["serve", "dear.yaml"]);
        assert!(shown.starts_with("exit 2\n"), "{shown}");
        assert!(shown.contains("dear.yaml:4:") && shown.contains("`limits.max_usd`"), "{shown}");
        assert!(shown.contains(&format!("hint: set `limits.prices.{key}`")), "{shown}");
    }
}
