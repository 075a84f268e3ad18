//! What holds for every conversation and every renderer.

#![allow(clippy::unwrap_used)]

mod common;

use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::{Arc, LazyLock};
use tinsmith_chat::{Chatml, Llama3, RoleColon, Template};
use tinsmith_plugin_api::{ErrorKind, RendererHandle, Services, Termination, testing};

const TEMPLATE: &str = "{{ bos_token }}{% for m in messages %}<|im_start|>{{ m.role }}\n\
    {{ m.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

type Renderers = Vec<(&'static str, Arc<dyn RendererHandle>)>;

fn build(train_on: &str, services: &Services) -> Renderers {
    let config = json!({ "train_on": train_on });
    vec![
        ("role_colon", testing::renderer::<RoleColon>(&config, services).unwrap()),
        ("llama3", testing::renderer::<Llama3>(&config, services).unwrap()),
        ("chatml", testing::renderer::<Chatml>(&config, services).unwrap()),
        ("template", testing::renderer::<Template>(&config, services).unwrap()),
    ]
}

static SERVICES: LazyLock<Services> =
    LazyLock::new(|| common::small(Some("<|begin_of_text|>"), Some("<|im_end|>"), Some(TEMPLATE)));
static ALL: LazyLock<Renderers> = LazyLock::new(|| build("all_assistant_messages", &SERVICES));
static LAST: LazyLock<Renderers> = LazyLock::new(|| build("last_assistant_message", &SERVICES));

/// Texts with everything that might trip a renderer: control tokens, white space at the ends,
/// characters of several bytes, jinja.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[a-zA-Z0-9 .,\n]{1,8}",
        "\\PC{1,4}",
        Just("<|im_end|>".to_owned()),
        Just("<|eot_id|><|begin_of_text|>".to_owned()),
        Just("{{ x }}{% if".to_owned()),
        Just("\n\nUser:".to_owned()),
        Just(" é😀 ".to_owned()),
    ];
    prop::collection::vec(piece, 1..5)
        .prop_map(|pieces| pieces.concat())
        .prop_filter("private-use planes are refused", |t| t.chars().all(|c| (c as u32) < 0xf_0000))
}

/// A conversation that ends with an answer.
fn conversation() -> impl Strategy<Value = Vec<Value>> {
    let turns = prop::collection::vec((text(), text()), 1..4);
    (prop::option::of(text()), turns).prop_map(|(system, turns)| {
        let message = |role: &str, content: &str| json!({"role": role, "content": content});
        let mut messages: Vec<Value> = system.iter().map(|s| message("system", s)).collect();
        for (user, assistant) in &turns {
            messages.push(message("user", user));
            messages.push(message("assistant", assistant));
        }
        messages
    })
}

/// JSON of any shape, with the keys of records sprinkled in.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop_oneof![Just("user"), Just("assistant"), Just("text"), Just(""), Just("x")]
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 4, |inner| {
        let key = prop_oneof![
            Just("messages"),
            Just("prompt"),
            Just("completion"),
            Just("role"),
            Just("content"),
            Just("trainable"),
            Just("tool_calls"),
            Just("tools"),
            Just("type"),
            Just("text"),
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key, inner), 0..5).prop_map(|fields| {
                Value::Object(fields.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_json_gives_an_example_or_a_data_error(json in any_json()) {
        for (name, renderer) in ALL.iter() {
            let out = renderer.render_batch(&[&json.to_string()]).unwrap();
            prop_assert_eq!(out.len() + out.errors.len(), 1, "{} {}", name, json);
            for refused in &out.errors {
                prop_assert_eq!(refused.error.kind(), ErrorKind::DATA);
            }
            let _ = renderer.generation_prompt(&json);
        }
    }

    #[test]
    fn any_text_gives_a_data_error(text in "\\PC{0,40}") {
        for (_, renderer) in ALL.iter() {
            let out = renderer.render_batch(&[&text]).unwrap();
            prop_assert!(out.errors.iter().all(|e| e.error.kind() == ErrorKind::DATA));
        }
    }

    /// The tokens before the answer are what the model is given, none of them is trained, and
    /// everything after them is; and prompts of earlier turns are prefixes of later ones.
    #[test]
    fn an_example_begins_with_its_generation_prompt(messages in conversation()) {
        let record = json!({ "messages": messages }).to_string();
        for (name, renderer) in LAST.iter() {
            let out = renderer.render_batch(&[&record]).unwrap();
            prop_assert_eq!(&out.errors, &[]);
            prop_assert_eq!(out.tokens.len(), out.weights.len());
            let history = Value::from(messages[..messages.len() - 1].to_vec());
            let prompt = renderer.generation_prompt(&history).unwrap();
            prop_assert_eq!(&out.tokens[..prompt.len()], &prompt[..], "{}", name);
            prop_assert!(out.weights[..prompt.len()].iter().all(|w| *w == 0.0));
            prop_assert!(out.weights[prompt.len()] == 1.0);
            if *name != "template" {
                prop_assert!(out.weights[prompt.len()..].iter().all(|w| *w == 1.0));
                let first = messages.iter().position(|m| m["role"] == "assistant").unwrap();
                let earlier = Value::from(messages[..first].to_vec());
                let earlier = renderer.generation_prompt(&earlier).unwrap();
                prop_assert_eq!(&out.tokens[..earlier.len()], &earlier[..]);
            }
        }
    }

    /// What is trained, sampled back, is the answer. Texts that spell the stop are left out.
    #[test]
    fn an_answer_survives_the_round_trip(messages in conversation()) {
        let last = messages.last().unwrap()["content"].as_str().unwrap().to_owned();
        prop_assume!(!last.contains("\n\nUser:") && !last.ends_with('\n'));
        let record = json!({ "messages": messages }).to_string();
        for (name, renderer) in LAST.iter() {
            let out = renderer.render_batch(&[&record]).unwrap();
            let answer: Vec<i32> = out.tokens.iter().zip(&out.weights)
                .filter(|(_, weight)| **weight == 1.0).map(|(token, _)| *token).collect();
            let parsed = renderer.parse_response(&answer).unwrap();
            prop_assert_eq!(parsed.termination, Termination::Stop, "{}", name);
            prop_assert_eq!(parsed.message["content"].as_str(), Some(last.as_str()), "{}", name);
        }
    }

    /// Every assistant message is trained, whole, and nothing else: the trained text is theirs.
    #[test]
    fn all_assistant_messages_are_trained_and_nothing_else(messages in conversation()) {
        let record = json!({ "messages": messages }).to_string();
        for (name, renderer) in ALL.iter().skip(1) {
            let out = renderer.render_batch(&[&record]).unwrap();
            let trained: Vec<i32> = out.tokens.iter().zip(&out.weights)
                .filter(|(_, weight)| **weight == 1.0).map(|(token, _)| *token).collect();
            let end = if *name == "llama3" { "<|eot_id|>" } else { "<|im_end|>" };
            let answers: String = messages.iter().filter(|m| m["role"] == "assistant")
                .map(|m| format!("{}{end}", m["content"].as_str().unwrap())).collect();
            prop_assert_eq!(SERVICES.decode(&trained).unwrap(), answers, "{}", name);
        }
    }
}
