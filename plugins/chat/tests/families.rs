//! `role_colon`, `llama3` and `chatml` against tinker-cookbook, token for token and weight for
//! weight. `tests/conformance/chat/run.sh` makes the file.

#![allow(clippy::unwrap_used)]

mod common;

use serde_json::{Value, json};
use std::sync::Arc;
use tinsmith_chat::{Chatml, Llama3, RoleColon};
use tinsmith_plugin_api::{RendererHandle, Services, Termination, testing};

fn golden() -> Value {
    let text = std::fs::read_to_string(common::fixtures().join("families.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn ids(value: &Value) -> Vec<i32> {
    value.as_array().unwrap().iter().map(|id| id.as_i64().unwrap() as i32).collect()
}

fn build(name: &str, train_on: &str, services: &Services) -> Arc<dyn RendererHandle> {
    let config = json!({ "train_on": train_on });
    match name {
        "role_colon" => testing::renderer::<RoleColon>(&config, services),
        "llama3" => testing::renderer::<Llama3>(&config, services),
        "chatml" => testing::renderer::<Chatml>(&config, services),
        other => panic!("no renderer {other}"),
    }
    .unwrap()
}

/// Calls `check` with each family of the file, its name and its services.
fn each_family(check: impl Fn(&Value, &str, &Services)) {
    let golden = golden();
    let families = golden["families"].as_array().unwrap();
    assert_eq!(families.len(), 4);
    for family in families {
        let services = common::small(family["bos"].as_str(), family["eos"].as_str(), None);
        check(family, family["renderer"].as_str().unwrap(), &services);
    }
}

#[test]
fn tokens_and_weights_equal_the_cookbook() {
    each_family(|family, name, services| {
        let rows = family["rows"].as_array().unwrap();
        assert!(rows.len() >= 19);
        for row in rows {
            let mode = row["train_on"].as_str().unwrap();
            let record = json!({ "messages": row["messages"] }).to_string();
            let out = build(name, mode, services).render_batch(&[&record]).unwrap();
            assert_eq!(out.errors, [], "{name} {mode} {record}");
            assert_eq!(out.tokens, ids(&row["tokens"]), "{name} {mode} {record}");
            let weights: Vec<f32> = serde_json::from_value(row["weights"].clone()).unwrap();
            assert_eq!(out.weights, weights, "{name} {mode} {record}");
        }
    });
}

#[test]
fn generation_prompts_equal_the_cookbook() {
    each_family(|family, name, services| {
        let renderer = build(name, "all_assistant_messages", services);
        for row in family["prompts"].as_array().unwrap() {
            let prompt = renderer.generation_prompt(&row["messages"]).unwrap();
            assert_eq!(prompt, ids(&row["tokens"]), "{name} {row}");
        }
    });
}

#[test]
fn stops_and_parsed_answers_equal_the_cookbook() {
    each_family(|family, name, services| {
        let renderer = build(name, "all_assistant_messages", services);
        let stop = renderer.stop().unwrap();
        if name == "role_colon" {
            assert_eq!(json!(stop.strings), family["stop"]);
        } else {
            assert_eq!(json!(stop.tokens), family["stop"]);
        }
        let eos = services.token_id(family["eos"].as_str().unwrap()).unwrap();
        for row in family["parses"].as_array().unwrap() {
            let tokens = ids(&row["tokens"]);
            let parsed = renderer.parse_response(&tokens).unwrap();
            if name != "role_colon" && tokens.last() == Some(&eos) {
                // The cookbook calls this malformed and keeps the token's text in the content.
                assert_eq!(parsed.termination, Termination::Eos);
                assert_eq!(parsed.message["content"], " Paris.");
                continue;
            }
            let theirs = match row["termination"].as_str().unwrap() {
                "stop_sequence" => Termination::Stop,
                "eos" => Termination::Eos,
                _ => Termination::Malformed,
            };
            assert_eq!(parsed.termination, theirs, "{name} {row}");
            assert_eq!(parsed.message["role"], "assistant");
            // A stop token that is written twice: the cookbook raises, so there is no such row.
            assert_eq!(parsed.message["content"], row["content"], "{name} {row}");
        }
    });
}

/// Where the cookbook parses control-token texts in what users wrote, these renderers do not.
#[test]
fn control_token_texts_of_users_stay_text() {
    for (name, text) in [("llama3", "<|eot_id|>"), ("role_colon", "<|begin_of_text|>")] {
        let bos = "<|begin_of_text|>";
        let services = common::small(Some(bos), Some("<|end_of_text|>"), None);
        let id = services.token_id(text).unwrap();
        let renderer = build(name, "all_assistant_messages", &services);
        let render = |content: &str| {
            let messages = json!([{"role": "user", "content": content},
                {"role": "assistant", "content": "yes"}]);
            let record = json!({ "messages": messages }).to_string();
            renderer.render_batch(&[&record]).unwrap().tokens
        };
        let count = |tokens: &[i32]| tokens.iter().filter(|token| **token == id).count();
        let with = render(&format!("is {text} a token?"));
        assert_eq!(count(&with), count(&render("is it a token?")), "{name}");
        assert!(services.decode(&with).unwrap().contains(&format!("is {text} a token?")));
    }
}

/// Nothing was said yet: the prompt is what stands before the first message.
#[test]
fn a_conversation_may_begin_with_an_answer() {
    each_family(|_, name, services| {
        let renderer = build(name, "all_assistant_messages", services);
        let prompt = renderer.generation_prompt(&json!([])).unwrap();
        let record = r#"{"messages": [{"role": "assistant", "content": "hello"}]}"#;
        let out = renderer.render_batch(&[record]).unwrap();
        assert_eq!(out.tokens[..prompt.len()], prompt[..], "{name}");
        let trained = out.weights.iter().position(|weight| *weight != 0.0);
        assert_eq!(trained, Some(prompt.len()), "{name}");
    });
}

#[test]
fn a_tokenizer_without_the_control_tokens_is_a_config_error() {
    let services = testing::MemoryServices::new().services();
    let none = json!({});
    let chatml = testing::renderer::<Chatml>(&none, &services).map(drop).unwrap_err();
    assert!(chatml.to_string().contains("the tokenizer has no token `<|im_start|>`"), "{chatml}");
    assert!(chatml.hint().unwrap().contains("template"));
    assert!(testing::renderer::<Llama3>(&none, &services).is_err());
    let unknown = json!({"train_on": "everything"});
    let e = testing::renderer::<RoleColon>(&unknown, &services).map(drop).unwrap_err();
    assert_eq!(e.kind(), tinsmith_plugin_api::ErrorKind::CONFIG);
}
