//! Sampled tokens, whatever they are, give a message or an error of the data.

use crate::{
    outcome::Outcome,
    proof::runs,
    scenario::Scenario,
    tools::{FAMILIES, Tools},
};
use serde_json::{Value, json};
use tinsmith::data::map_record;
use tinsmith_plugin_api::{ErrorKind, Termination};

pub fn check(outcome: &Outcome, scenario: &Scenario, tools: &Tools) {
    let name = FAMILIES[scenario.family].name;
    let sampled = scenario.sampled.as_slice();
    check_parsed(sampled, name, tools);
    check_stream(sampled, tools);
    let Some((batch, _)) = outcome.batches.first() else { return };
    // What is trained, cut off, and with a foreign token in it.
    if let Some(run) = runs(&batch.examples.weights).last() {
        let answer = &batch.examples.tokens[run.clone()];
        let middle = answer.len() / 2;
        check_parsed(answer, name, tools);
        check_parsed(&answer[..middle], name, tools);
        check_parsed(&[&answer[..middle], sampled, &answer[middle..]].concat(), name, tools);
        check_stream(answer, tools);
    }
    for row in batch.lines.rows.iter().take(4) {
        let Ok(mapped) = map_record(batch.lines.text(row), &scenario.mapping) else { continue };
        for conversation in mapped.conversations() {
            check_prompts(&conversation.json, tools);
        }
    }
}

fn check_parsed(tokens: &[i32], name: &str, tools: &Tools) {
    let known = tools.tokenizer.info().vocab_size as i32;
    let parsed = match tools.renderer.parse_response(tokens) {
        Ok(parsed) => parsed,
        Err(e) => {
            assert_eq!(e.kind(), ErrorKind::DATA, "{name}: {e}");
            assert!(tokens.iter().any(|id| !(0..known).contains(id)), "{name}: {tokens:?}: {e}");
            return;
        }
    };
    let message = &parsed.message;
    assert_eq!(message["role"], "assistant", "{name}: {message}");
    assert!(message["content"].is_string() || message["content"].is_array(), "{name}: {message}");
    if parsed.termination == Termination::Malformed {
        assert!(message["content"].is_string(), "{name}: a malformed answer is as it was sampled");
    }
    // What was read can be shown again, if only to be refused.
    let again = json!({"messages": [{"role": "user", "content": "x"}, message]}).to_string();
    let out = tools.renderer.render_batch(&[&again]).unwrap_or_else(|e| panic!("{name}: {e}"));
    assert!(out.errors.iter().all(|refused| refused.error.kind() == ErrorKind::DATA), "{name}");
}

/// Token by token the text is that of the whole.
fn check_stream(tokens: &[i32], tools: &Tools) {
    let whole = match tools.services.decode(tokens) {
        Ok(whole) => whole,
        Err(e) => return assert_eq!(e.kind(), ErrorKind::DATA, "{e}"),
    };
    for size in [1, 3] {
        let mut decoder = tools.services.stream_decoder();
        let mut text = String::new();
        for chunk in tokens.chunks(size) {
            text += &decoder.push(chunk).unwrap_or_else(|e| panic!("a known token: {e}"));
        }
        assert_eq!(text + &decoder.finish(), whole, "{size} tokens at a time: {tokens:?}");
    }
}

/// Prompts of whatever a record says.
fn check_prompts(json: &str, tools: &Tools) {
    let Ok(record) = serde_json::from_str::<Value>(json) else { return };
    for messages in [&record, &record["messages"]] {
        let again = [0, 1].map(|_| tools.renderer.generation_prompt(messages));
        match &again[0] {
            Ok(prompt) => {
                let known = tools.tokenizer.info().vocab_size as i32;
                assert!(prompt.iter().all(|id| (0..known).contains(id)), "ids of the vocabulary");
            }
            Err(e) => assert_eq!(e.kind(), ErrorKind::DATA, "{e}"),
        }
        assert_eq!(again[0], again[1], "prompts are made the same way each time");
    }
}
