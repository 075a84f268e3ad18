//! What holds for every family and every conversation, thinking and tools included.
//!
//! The tokens are those of a tokenizer of bytes, in which nothing merges: the golden rows of
//! `tests/conformance/chat` are about merges, this is about structure.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::{Arc, LazyLock};
use tinsmith_chat::*;
use tinsmith_plugin_api::{
    DatasetRenderer, ErrorKind, Examples, RendererHandle, Result, Services, Termination,
    testing::{self, ByteTokenizer, MemoryServices},
};

const TOKENS: [&str; 33] = [
    "<|im_start|>",
    "<|im_end|>",
    "<|begin_of_text|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eot_id|>",
    "<｜begin▁of▁sentence｜>",
    "<｜end▁of▁sentence｜>",
    "<｜User｜>",
    "<｜Assistant｜>",
    "<｜tool▁calls▁begin｜>",
    "<｜tool▁calls▁end｜>",
    "<｜tool▁call▁begin｜>",
    "<｜tool▁call▁end｜>",
    "<｜tool▁sep｜>",
    "<｜tool▁output▁begin｜>",
    "<｜tool▁output▁end｜>",
    "<|start|>",
    "<|channel|>",
    "<|constrain|>",
    "<|message|>",
    "<|end|>",
    "<|call|>",
    "<|return|>",
    "<|im_system|>",
    "<|im_user|>",
    "<|im_assistant|>",
    "<|im_middle|>",
    "<|tool_calls_section_begin|>",
    "<|tool_calls_section_end|>",
    "<|tool_call_begin|>",
    "<|tool_call_end|>",
    "<|tool_call_argument_begin|>",
];

static HOST: LazyLock<MemoryServices> = LazyLock::new(|| {
    let more = ["<bos>", "<start_of_turn>", "<end_of_turn>"];
    let tokens = TOKENS.iter().chain(&more);
    let tokenizer = tokens.fold(ByteTokenizer::default(), |all, token| all.with_token(token));
    MemoryServices::new().with_tokenizer(tokenizer)
});
static SERVICES: LazyLock<Services> = LazyLock::new(|| HOST.services());

type Build = fn(&Value) -> Result<Arc<dyn RendererHandle>>;

struct Family {
    name: &'static str,
    build: Build,
    /// Whether it shows tools and thinking.
    rich: bool,
    /// Whether an answer that is produced may think.
    thinks: bool,
    extends: bool,
}

fn build<R: DatasetRenderer>(config: &Value) -> Result<Arc<dyn RendererHandle>> {
    testing::renderer::<R>(config, &SERVICES)
}

fn family<R: DatasetRenderer>(rich: bool, thinks: bool, extends: bool) -> Family {
    Family { name: R::NAME, build: build::<R>, rich, thinks, extends }
}

fn families() -> Vec<Family> {
    vec![
        family::<RoleColon>(false, false, true),
        family::<Llama3>(false, false, true),
        family::<Chatml>(false, false, true),
        family::<SmolLm2>(false, false, true),
        family::<Gemma3>(false, false, true),
        family::<Qwen3>(true, true, false),
        family::<Qwen3DisableThinking>(true, false, false),
        family::<Qwen3Instruct>(true, false, true),
        family::<Qwen35>(true, true, false),
        family::<Qwen35DisableThinking>(true, false, false),
        family::<Qwen35PreserveThinking>(true, true, false),
        family::<DeepSeekV3>(true, false, true),
        family::<DeepSeekV3Thinking>(true, true, false),
        family::<GptOss>(true, true, false),
        family::<GptOssLow>(true, true, false),
        family::<GptOssMedium>(true, true, false),
        family::<GptOssHigh>(true, true, false),
        family::<KimiK2>(true, true, false),
    ]
}

fn render(family: &Family, config: &Value, record: &Value) -> Examples {
    let mut config = config.clone();
    if family.name.ends_with("_reasoning") {
        config["current_date"] = json!("2026-01-31");
    }
    (family.build)(&config).unwrap().render_batch(&[&record.to_string()]).unwrap()
}

/// A text with control tokens of all formats as text, and nothing that a format trims.
fn text() -> impl Strategy<Value = String> {
    let control = prop::sample::select(&TOKENS[..]).prop_map(str::to_owned);
    let piece = prop_oneof![3 => "[a-z ,.\n]{1,6}", 1 => control, 1 => Just("é😀".to_owned())];
    prop::collection::vec(piece, 0..4).prop_map(|pieces| format!("a{}z", pieces.concat()))
}

/// Turns of a user and the assistant, who may think and call a tool before the answer.
fn talk() -> impl Strategy<Value = Vec<Value>> {
    let turn = (text(), text(), prop::option::of(text()), prop::option::of(text()));
    (prop::option::of(text()), prop::collection::vec(turn, 1..4)).prop_map(|(system, turns)| {
        let mut messages: Vec<Value> = Vec::new();
        messages.extend(system.map(|system| json!({"role": "system", "content": system})));
        for (question, answer, thinking, result) in turns {
            messages.push(json!({"role": "user", "content": question}));
            let said = |text: &str| match &thinking {
                Some(thinking) => json!([{"type": "thinking", "thinking": thinking},
                    {"type": "text", "text": text}]),
                None => json!(text),
            };
            if let Some(result) = result {
                let function = json!({"name": "look", "arguments": "{\"a\": 1}"});
                let call =
                    json!({"type": "function", "id": "functions.look:0", "function": function});
                messages.push(
                    json!({"role": "assistant", "content": said("I look."), "tool_calls": [call]}),
                );
                messages.push(json!({"role": "tool", "content": result, "name": "look",
                    "tool_call_id": "functions.look:0"}));
            }
            messages.push(json!({"role": "assistant", "content": said(&answer)}));
        }
        messages
    })
}

/// What of a conversation a family can show.
fn shown(family: &Family, messages: &[Value]) -> Vec<Value> {
    let mut shown: Vec<Value> = messages.to_vec();
    if !family.rich {
        shown.retain(|m| m["role"] != "tool" && m.get("tool_calls").is_none());
    }
    if !family.thinks {
        for message in &mut shown {
            if let Some(parts) = message["content"].as_array() {
                message["content"] = parts[1]["text"].clone();
            }
        }
    }
    shown
}

fn trained(out: &Examples, i: usize) -> Vec<i32> {
    out.range(i).filter(|t| out.weights[*t] > 0.0).map(|t| out.tokens[t]).collect()
}

fn tools() -> Value {
    json!([{"type": "function", "function": {"name": "look", "description": "Looks.",
        "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}}}}])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Each example of a conversation is the prompt that the model is given, untrained, and what it
    /// answers, trained; read back and rendered again it is the same.
    #[test]
    fn an_example_is_a_prompt_and_its_answer(messages in talk(), with_tools in any::<bool>()) {
        for family in families() {
            let messages = shown(&family, &messages);
            let tools = if with_tools && family.rich { tools() } else { json!([]) };
            let config = json!({"train_on": "last_assistant_message"});
            let renderer = (family.build)(&config).unwrap();
            let record = json!({"messages": messages, "tools": tools});
            let out = render(&family, &config, &record);
            prop_assert_eq!(&out.errors, &[], "{}", family.name);
            let (answer, history) = messages.split_last().unwrap();
            if !family.name.ends_with("_reasoning") {
                let given = json!({"messages": history, "tools": tools});
                let prompt = renderer.generation_prompt(&given).unwrap();
                prop_assert_eq!(&out.tokens[..prompt.len()], &prompt[..], "{}", family.name);
                prop_assert!(out.weights[..prompt.len()].iter().all(|w| *w == 0.0));
                prop_assert!(out.weights[prompt.len()..].iter().all(|w| *w == 1.0));
            }
            // A text may spell what ends an answer, or a part of it; thinking needs tags that are
            // tokens.
            let spelt = TOKENS.iter().any(|token| answer.to_string().contains(token));
            if matches!(family.name, "role_colon" | "deepseekv3_thinking") || spelt {
                continue;
            }
            let parsed = renderer.parse_response(&trained(&out, 0)).unwrap();
            prop_assert_eq!(parsed.termination, Termination::Stop, "{}", family.name);
            let again = [history, std::slice::from_ref(&parsed.message)].concat();
            let again = render(&family, &config, &json!({"messages": again, "tools": tools}));
            prop_assert_eq!(&again.errors, &[], "{} {}", family.name, parsed.message);
            prop_assert_eq!(&again.tokens, &out.tokens, "{} {} {}", family.name, answer,
                parsed.message);
        }
    }

    /// Where old answers read differently, a conversation becomes examples that each end with what
    /// they train; elsewhere it stays whole, and prompts are prefixes of later ones.
    #[test]
    fn conversations_are_split_where_they_must_be(messages in talk()) {
        for family in families() {
            let messages = shown(&family, &messages);
            let record = json!({"messages": messages});
            let out = render(&family, &json!({}), &record);
            prop_assert_eq!(&out.errors, &[], "{}", family.name);
            let whole = render(&family, &json!({"split": "never"}), &record);
            prop_assert_eq!(whole.len(), 1);
            let ordinals: Vec<u32> = (0..out.len() as u32).collect();
            prop_assert_eq!(&out.ordinal, &ordinals);
            prop_assert_eq!(&out.group, &ordinals.iter().map(|i| u64::from(*i)).collect::<Vec<_>>());
            let count = |role: &str| messages.iter().filter(|m| m["role"] == role).count();
            let expected = match family.name {
                _ if family.extends => 1,
                "kimi_k2" => count("user"),
                _ => count("assistant"),
            };
            prop_assert_eq!(out.len(), expected, "{}", family.name);
            if family.extends {
                prop_assert_eq!(&out, &whole);
                continue;
            }
            for i in 0..out.len() {
                prop_assert!(out.weights[out.range(i)].last() == Some(&1.0), "{}", family.name);
            }
        }
    }

    #[test]
    fn a_weight_scales_and_zero_is_not_trained(messages in talk(), weight in 0.0_f32..2.0) {
        for family in families() {
            let mut messages = shown(&family, &messages);
            for message in messages.iter_mut().filter(|m| m["role"] == "assistant") {
                message["weight"] = json!(0.0);
            }
            messages.last_mut().unwrap()["weight"] = json!(weight);
            let out = render(&family, &json!({}), &json!({"messages": messages}));
            if weight == 0.0 {
                prop_assert_eq!(out.errors.len(), 1);
                continue;
            }
            prop_assert_eq!(&out.errors, &[], "{}", family.name);
            prop_assert_eq!(out.len(), 1, "{}", family.name);
            prop_assert!(out.weights.iter().all(|w| *w == 0.0 || *w == weight), "{}", family.name);
        }
    }

    #[test]
    fn any_tokens_are_read_without_a_panic(tokens in prop::collection::vec(0_i32..295, 0..40)) {
        for family in families() {
            let parsed = (family.build)(&json!({})).unwrap().parse_response(&tokens);
            if let Ok(parsed) = parsed {
                prop_assert_eq!(&parsed.message["role"], "assistant");
            }
        }
    }
}

fn refused(family: &Family, config: &Value, record: &Value) -> (String, String) {
    let out = render(family, config, record);
    assert_eq!((out.len(), out.errors.len()), (0, 1), "{} {record}", family.name);
    let e = &out.errors[0].error;
    assert_eq!(e.kind(), ErrorKind::DATA);
    assert!(e.hint().is_some(), "no hint: {e}");
    (e.field().unwrap_or_default().to_owned(), e.message().to_owned())
}

#[test]
fn an_answer_that_thinks_is_refused_where_the_prompt_has_closed_its_thinking() {
    let thinks = json!({"messages": [{"role": "user", "content": "q"},
        {"role": "assistant", "content": "a", "reasoning_content": "because"}]});
    for family in families().iter().filter(|f| f.name.ends_with("_disable_thinking")) {
        let (field, what) = refused(family, &json!({}), &thinks);
        assert_eq!((field.as_str(), what.starts_with("the answer thinks")), ("messages[1]", true));
    }
    for family in families().iter().filter(|f| !f.rich) {
        let (field, _) = refused(family, &json!({}), &thinks);
        assert_eq!(field, "messages[1].reasoning_content", "{}", family.name);
    }
}

/// More than answers cannot be cut behind each answer.
#[test]
fn modes_that_cannot_be_split_are_refused_before_any_data() {
    for family in families().iter().filter(|f| !f.extends) {
        for mode in ["all_messages", "all_tokens", "all_user_and_system_messages"] {
            let e = (family.build)(&json!({ "train_on": mode })).map(drop).unwrap_err();
            assert_eq!((e.kind(), e.field()), (ErrorKind::CONFIG, Some("train_on")));
            assert!(e.hint().unwrap().contains("split: never"));
            assert!((family.build)(&json!({"train_on": mode, "split": "never"})).is_ok());
        }
        let flagged = json!({"messages": [{"role": "user", "content": "q", "trainable": true},
            {"role": "assistant", "content": "a", "trainable": true}]});
        let (field, _) = refused(family, &json!({"train_on": "customized"}), &flagged);
        assert_eq!(field, "messages[0]", "{}", family.name);
    }
}

/// Keys of other programs change what a record means; they are not left out.
#[test]
fn keys_that_would_change_the_meaning_are_refused() {
    let rows = [
        (json!({"train": false}), "messages[1].train"),
        (json!({"function_call": {"name": "f", "arguments": "{}"}}), "messages[1].function_call"),
        (json!({"refusal": "no"}), "messages[1].refusal"),
        (json!({"weight": -1}), "messages[1].weight"),
        (json!({"weight": "1"}), "messages[1].weight"),
        (json!({"name": 3}), "messages[1].name"),
        (json!({"reasoning": "a", "thinking": "b"}), "messages[1].thinking"),
    ];
    for (keys, expected) in rows {
        let mut answer = json!({"role": "assistant", "content": "a"});
        answer.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
        let record = json!({"messages": [{"role": "user", "content": "q"}, answer]});
        let qwen3 = family::<Qwen3>(true, true, false);
        assert_eq!(refused(&qwen3, &json!({}), &record).0, expected, "{record}");
    }
    let harmless = json!({"messages": [{"role": "user", "content": "q", "id": 3, "train": null},
        {"role": "assistant", "content": "a", "tool_calls": null, "images": [], "name": "Bob"}]});
    let out = render(&family::<Qwen3>(true, true, false), &json!({}), &harmless);
    assert_eq!((out.len(), out.errors.len()), (1, 0));
}

#[test]
fn a_tool_result_shows_the_function_of_the_call_it_answers() {
    let call = |id: &str, name: &str| json!({"id": id, "type": "function", "function": {"name": name, "arguments": "{}"}});
    let record = |result: Value| {
        json!({"messages": [{"role": "user", "content": "q"},
            {"role": "assistant", "content": null, "tool_calls": [call("1", "f"), call("2", "g")]},
            result, {"role": "assistant", "content": "a"}]})
    };
    let gpt = family::<GptOss>(true, true, false);
    let config = json!({"train_on": "last_assistant_message"});
    for (result, name) in [
        (json!({"role": "tool", "content": "r", "tool_call_id": "2"}), "functions.g to="),
        (json!({"role": "tool", "content": "r"}), "functions.f to="),
        (json!({"role": "tool", "content": "r", "name": "h"}), "functions.h to="),
    ] {
        let out = render(&gpt, &config, &record(result));
        assert!(SERVICES.decode(&out.tokens).unwrap().contains(name), "{name}");
    }
    let stray = record(json!({"role": "tool", "content": "r", "tool_call_id": "3"}));
    assert_eq!(refused(&gpt, &config, &stray).0, "messages[2].name");
}

#[test]
fn the_date_is_a_setting() {
    let e = (build::<GptOssLow>)(&json!({"current_date": "soon"})).map(drop).unwrap_err();
    assert_eq!((e.kind(), e.field()), (ErrorKind::CONFIG, Some("current_date")));
    let renderer = (build::<GptOssHigh>)(&json!({"current_date": "2026-01-31"})).unwrap();
    let prompt = renderer.generation_prompt(&json!([])).unwrap();
    let text = SERVICES.decode(&prompt).unwrap();
    assert!(text.contains("Current date: 2026-01-31\n\nReasoning: high\n"), "{text}");
}

/// A character that is cut in two is shown as what it is: cut.
#[test]
fn a_truncated_answer_is_reported_and_never_breaks() {
    for family in families() {
        let mut tokens = SERVICES.encode("An answer 😀").unwrap();
        tokens.truncate(tokens.len() - 2);
        let parsed = (family.build)(&json!({})).unwrap().parse_response(&tokens).unwrap();
        assert_eq!(parsed.termination, Termination::Malformed, "{}", family.name);
        assert!(parsed.message["content"].as_str().unwrap().contains('\u{fffd}'));
    }
}
