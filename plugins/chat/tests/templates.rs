//! `template` against transformers' `apply_chat_template`. `tests/conformance/chat/run.sh` makes the
//! file, and runs this test once more on real tokenizers with their own templates.

#![allow(clippy::unwrap_used)]

mod common;

use serde_json::{Value, json};
use std::{path::Path, sync::Arc};
use tinsmith_chat::Template;
use tinsmith_plugin_api::{Examples, RendererHandle, Services, testing};

/// Rows made by transformers; by hand also those of real tokenizers.
fn golden() -> Vec<Value> {
    let file = match std::env::var_os("TINSMITH_CHAT_GOLDEN") {
        Some(file) => file.into(),
        None => common::fixtures().join("templates.json"),
    };
    let golden: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    golden["templates"].as_array().unwrap().clone()
}

fn ids(value: &Value) -> Vec<i32> {
    value.as_array().unwrap().iter().map(|id| id.as_i64().unwrap() as i32).collect()
}

/// Services of one entry of the file.
fn services(entry: &Value) -> Services {
    let name = entry["name"].as_str().unwrap();
    let source = match entry["template"].as_str() {
        Some(template) => template.to_owned(),
        None => std::fs::read_to_string(common::fixtures().join(format!("templates/{name}.jinja")))
            .unwrap(),
    };
    let own = common::fixtures().join("tokenizer.json");
    let tokenizer = entry["tokenizer"].as_str().map_or(own.as_path(), Path::new);
    common::services(tokenizer, entry["bos"].as_str(), entry["eos"].as_str(), Some(&source))
}

/// The day on which the rows were made, for templates that write it.
const DATE: &str = "2026-01-31";

fn build(train_on: &str, services: &Services) -> Arc<dyn RendererHandle> {
    let config = json!({ "train_on": train_on, "current_date": DATE });
    testing::renderer::<Template>(&config, services).unwrap()
}

fn whole(train_on: &str, services: &Services) -> Arc<dyn RendererHandle> {
    let config = json!({ "train_on": train_on, "split": "never", "current_date": DATE });
    testing::renderer::<Template>(&config, services).unwrap()
}

fn render(renderer: &Arc<dyn RendererHandle>, messages: &Value) -> Examples {
    let record = json!({ "messages": messages }).to_string();
    renderer.render_batch(&[&record]).unwrap()
}

/// The texts of the runs of weight 1.
fn trained(services: &Services, out: &Examples) -> Vec<String> {
    let mut runs: Vec<Vec<i32>> = Vec::new();
    let mut before = 0.0;
    for (token, weight) in out.tokens.iter().zip(&out.weights) {
        if *weight == 1.0 {
            if before != 1.0 {
                runs.push(Vec::new());
            }
            runs.last_mut().unwrap().push(*token);
        }
        before = *weight;
    }
    runs.iter().map(|run| services.decode(run).unwrap()).collect()
}

#[test]
fn tokens_and_answers_equal_transformers() {
    let golden = golden();
    assert!(golden.len() >= 4);
    for entry in golden {
        let (name, services) = (&entry["name"], services(&entry));
        let all = whole("all_assistant_messages", &services);
        let last = build("last_assistant_message", &services);
        let rows = entry["rows"].as_array().unwrap();
        assert!(rows.len() >= 6);
        for row in rows {
            let what = format!("{name}: {}", row["text"]);
            let out = render(&last, &row["messages"]);
            assert_eq!(out.errors, [], "{what}");
            assert_eq!(out.tokens, ids(&row["tokens"]), "{what}");
            assert_eq!(json!(trained(&services, &out)), row["last"], "{what}");

            let out = render(&all, &row["messages"]);
            if row["all"].is_null() {
                // This template shows earlier answers without their thinking block.
                let e = &out.errors[0].error;
                assert!(e.message().contains("once the conversation goes on"), "{what}: {e}");
                assert!(e.hint().unwrap().contains("last_assistant_message"));
                each_turn_is_an_example(&services, &last, row);
                continue;
            }
            assert_eq!(out.errors, [], "{what}");
            assert_eq!(out.tokens, ids(&row["tokens"]), "{what}");
            assert_eq!(json!(trained(&services, &out)), row["all"], "{what}");
            if !row["mask"].is_null() {
                let mask: Vec<f32> = serde_json::from_value(row["mask"].clone()).unwrap();
                assert_eq!(out.weights, mask, "{what}");
            }
        }
    }
}

/// Cut behind each answer, as the last message it is.
fn each_turn_is_an_example(services: &Services, last: &Arc<dyn RendererHandle>, row: &Value) {
    let out = render(&build("all_assistant_messages", services), &row["messages"]);
    assert_eq!(out.errors, []);
    let messages = row["messages"].as_array().unwrap();
    let answers = (0..messages.len()).filter(|i| messages[*i]["role"] == "assistant");
    let cuts: Vec<Examples> = answers.map(|i| render(last, &json!(messages[..=i]))).collect();
    assert!(cuts.len() > 1);
    assert_eq!(out.len(), cuts.len());
    for (i, cut) in cuts.iter().enumerate() {
        assert_eq!(out.tokens[out.range(i)], cut.tokens[..]);
        assert_eq!(out.weights[out.range(i)], cut.weights[..]);
        assert_eq!(out.ordinal[i], i as u32);
    }
}

#[test]
fn generation_prompts_equal_transformers_and_begin_the_example() {
    for entry in golden() {
        let services = services(&entry);
        let last = build("last_assistant_message", &services);
        for row in entry["rows"].as_array().unwrap() {
            let mut messages = row["messages"].clone();
            messages.as_array_mut().unwrap().pop();
            let prompt = last.generation_prompt(&messages).unwrap();
            assert_eq!(prompt, ids(&row["prompt"]), "{}: {row}", entry["name"]);
            let out = render(&last, &row["messages"]);
            assert_eq!(out.tokens[..prompt.len()], prompt[..]);
            assert!(out.weights[..prompt.len()].iter().all(|weight| *weight == 0.0));
            assert_eq!(out.weights[prompt.len()], 1.0);
        }
    }
}

/// What is trained, given to `parse_response`, is the answer again.
#[test]
fn answers_are_read_back() {
    for entry in golden() {
        let services = services(&entry);
        let last = build("last_assistant_message", &services);
        let stop = last.stop().unwrap();
        assert!(!stop.tokens.is_empty(), "{}", entry["name"]);
        for row in entry["rows"].as_array().unwrap() {
            let out = render(&last, &row["messages"]);
            let answer: Vec<i32> = (0..out.tokens.len())
                .filter(|i| out.weights[*i] == 1.0)
                .map(|i| out.tokens[i])
                .collect();
            assert_eq!(answer.last(), stop.tokens.first(), "{}", entry["name"]);
            let parsed = last.parse_response(&answer).unwrap();
            let content = parsed.message["content"].as_str().unwrap();
            let trained = row["last"][0].as_str().unwrap();
            assert!(trained.starts_with(content), "{trained:?} {content:?}");
            assert_eq!(parsed.termination, tinsmith_plugin_api::Termination::Stop);
        }
    }
}

const CHATML: &str = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n\
    {% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

fn chatml() -> Services {
    common::small(None, Some("<|im_end|>"), Some(CHATML))
}

#[test]
fn control_token_texts_of_users_stay_text() {
    let services = chatml();
    let end = services.token_id("<|im_end|>").unwrap();
    let messages = json!([
        {"role": "user", "content": "what is <|im_end|>\u{301} and <|im_start|>system?"},
        {"role": "assistant", "content": "<|im_end|> ends é a turn"},
    ]);
    let out = render(&build("all_assistant_messages", &services), &messages);
    assert_eq!(out.errors, []);
    // The template's own two, and no more.
    assert_eq!(out.tokens.iter().filter(|token| **token == end).count(), 2);
    assert_eq!(
        services.decode(&out.tokens).unwrap(),
        "<|im_start|>user\nwhat is <|im_end|>\u{301} and <|im_start|>system?<|im_end|>\n\
         <|im_start|>assistant\n<|im_end|> ends é a turn<|im_end|>\n"
    );
    assert_eq!(trained(&services, &out), ["<|im_end|> ends é a turn<|im_end|>"]);
}

#[test]
fn other_modes_find_what_users_wrote() {
    let services = chatml();
    let messages = json!([
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "user"},
        {"role": "assistant", "content": "ok"},
    ]);
    let trained_in = |mode: &str| trained(&services, &render(&build(mode, &services), &messages));
    let users = ["be brief<|im_end|>", "user<|im_end|>"];
    assert_eq!(trained_in("all_user_and_system_messages"), users);
    assert_eq!(trained_in("all_messages").len(), 3);
    assert_eq!(trained_in("all_tokens").len(), 1);
}

/// The answer begins with the line break that ends the header: as one text both would be one token.
#[test]
fn an_answer_that_runs_into_its_header_is_tokenised_apart() {
    let services = chatml();
    let messages =
        json!([{"role": "user", "content": "hi"}, {"role": "assistant", "content": "\n\nyes"}]);
    let renderer = build("all_assistant_messages", &services);
    let out = render(&renderer, &messages);
    let prompt = renderer.generation_prompt(&json!([{"role": "user", "content": "hi"}])).unwrap();
    assert_eq!(out.tokens[..prompt.len()], prompt[..]);
    assert_eq!(trained(&services, &out), ["\n\nyes<|im_end|>"]);
}

#[test]
fn what_cannot_be_found_exactly_is_refused() {
    let refused = |template: &str, mode: &str, messages: &Value| {
        let services = common::small(None, Some("<|im_end|>"), Some(template));
        let out = render(&build(mode, &services), messages);
        assert_eq!((out.len(), out.errors.len()), (0, 1));
        let e = out.errors[0].error.clone();
        assert_eq!(e.kind(), tinsmith_plugin_api::ErrorKind::DATA);
        e.to_string()
    };
    let talk = json!([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]);
    let shout = "{% for m in messages %}{{ m.role | upper }}: {{ m.content }}\n{% endfor %}\
        {% if add_generation_prompt %}assistant: {% endif %}";
    assert!(refused(shout, "last_assistant_message", &talk).contains("its own generation prompt"));
    let silent = "{% for m in messages if m.role == 'user' %}{{ m.content }}{% endfor %}";
    assert!(refused(silent, "all_assistant_messages", &talk).contains("shows nothing"));
    let upper = "{% for m in messages %}{{ m.content | upper }}\n{% endfor %}";
    assert!(refused(upper, "all_messages", &talk).contains("a part of its own"));
    let raises = "{{ raise_exception('no') }}";
    assert!(
        refused(raises, "all_assistant_messages", &talk).contains("refuses the conversation: no")
    );
    let two = "{% generation %}x{% endgeneration %}{% generation %}y{% endgeneration %}";
    assert!(refused(two, "all_assistant_messages", &talk).contains("2 `generation` blocks for 1"));
    let private =
        json!([{"role": "user", "content": "\u{f0000}"}, {"role": "assistant", "content": "b"}]);
    assert!(refused(CHATML, "all_assistant_messages", &private).contains("private-use"));
}

/// Found by fuzzing: a template is shown the whole record, and JSON may hold numbers that nothing here does.
#[test]
fn a_number_that_is_too_large_is_refused_with_what_to_do() {
    let renderer = whole("all_assistant_messages", &chatml());
    let messages = r#"[{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]"#;
    let json = format!(r#"{{"score": 1e999, "messages": {messages}}}"#);
    let out = renderer.render_batch(&[&json]).unwrap();
    let e = &out.errors[0].error;
    assert!(e.message().contains("number out of range"), "{e}");
    assert!(e.hint().is_some_and(|hint| hint.contains("1.8e308")), "{e:?}");
}

#[test]
fn config_errors_name_their_key() {
    let error = |config: Value, template: Option<&str>| {
        let services = common::small(None, None, template);
        testing::renderer::<Template>(&config, &services).map(drop).unwrap_err()
    };
    let none = error(json!({}), None);
    assert!(none.to_string().contains("the tokenizer has no chat template"), "{none}");
    assert_eq!(none.field(), Some("chat_template"));
    assert_eq!(error(json!({"chat_template": "{% for %}"}), None).field(), Some("chat_template"));
    assert_eq!(error(json!({"current_date": "soon"}), Some(CHATML)).field(), Some("current_date"));
}

/// Tools, tool calls and template variables reach the template; nulls that stand for absent keys do
/// not.
#[test]
fn tools_and_variables_reach_the_template() {
    let template = "{% for t in tools %}{{ t | tojson }}{% endfor %}{{ mood }}{% for m in messages %}\
        {% if m.role == 'assistant' %}A:{{ m.content or '' }}\
        {% if m.tool_calls is defined %}{{ m.tool_calls[0].name }}{% endif %}<|im_end|>\
        {% else %}{{ m.role }}:{{ m.content }}\n{% endif %}\
        {% endfor %}{% if add_generation_prompt %}A:{% endif %}";
    let services = common::small(None, Some("<|im_end|>"), Some(template));
    let config = json!({"variables": {"mood": "calm "}, "train_on": "all_assistant_messages"});
    let renderer = testing::renderer::<Template>(&config, &services).unwrap();
    let record = json!({
        "tools": [{"name": "clock", "x": [1, 2]}],
        "messages": [
            {"role": "user", "content": "time?", "tool_calls": null},
            {"role": "assistant", "content": null, "tool_calls": [{"name": "clock"}]},
            {"role": "tool", "content": "12"},
            {"role": "assistant", "content": [{"type": "text", "text": "no"}, {"type": "text", "text": "on"}]},
        ],
    });
    let out = renderer.render_batch(&[&record.to_string()]).unwrap();
    assert_eq!(out.errors, []);
    assert_eq!(
        services.decode(&out.tokens).unwrap(),
        "{\"name\": \"clock\", \"x\": [1, 2]}calm user:time?\nA:clock<|im_end|>tool:12\nA:noon<|im_end|>"
    );
    assert_eq!(trained(&services, &out), ["clock<|im_end|>", "noon<|im_end|>"]);
}
