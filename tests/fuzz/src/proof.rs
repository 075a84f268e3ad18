//! What is trained is what inference asks for, and reads back.
//!
//! Only where the docs promise it: renderers other than `template`, whose templates may do anything,
//! in modes that train answers, with conversations split where the format needs that.

use crate::{
    outcome::Outcome,
    scenario::Scenario,
    tools::{FAMILIES, Tools},
};
use serde_json::{Value, json};
use std::ops::Range;
use tinsmith::data::{Fate, map_record};
use tinsmith_plugin_api::{ErrorKind, Termination};

/// Modes that train answers, and nothing else.
const MODES: [&str; 3] =
    ["all_assistant_messages", "last_assistant_message", "last_assistant_turn"];

pub fn check(outcome: &Outcome, scenario: &Scenario, tools: &Tools) {
    let name = FAMILIES[scenario.family].name;
    let applies = name != "template" && MODES.contains(&scenario.train_on);
    if !applies || scenario.split != "auto" {
        return;
    }
    for (batch, fates) in &outcome.batches {
        for (i, fate) in fates.iter().enumerate() {
            let record = batch.examples.record[i];
            if !matches!(fate, Fate::Used { cut: None, .. })
                || batch.shortened.iter().any(|shortened| shortened.record == record)
            {
                continue;
            }
            let row = &batch.lines.rows[batch.given[record as usize] as usize];
            let mapped = map_record(batch.lines.text(row), &scenario.mapping)
                .unwrap_or_else(|(_, e)| panic!("a row with an example is no record: {e}"));
            let pair = mapped.conversations().len() == 2;
            let which = if pair { batch.examples.ordinal[i] as usize } else { 0 };
            let Some(conversation) = mapped.conversations().get(which) else { continue };
            let range = batch.examples.range(i);
            let tokens = &batch.examples.tokens[range.clone()];
            let weights = &batch.examples.weights[range];
            prove(&conversation.json, tokens, weights, name, tools);
        }
    }
}

fn prove(json: &str, tokens: &[i32], weights: &[f32], name: &str, tools: &Tools) {
    let record: Value =
        serde_json::from_str(json).unwrap_or_else(|e| panic!("a rendered record: {e}"));
    // `format: record` hands on what it finds, such as a prompt and its completion.
    let Some(messages) = record["messages"].as_array() else { return };
    // Behind an answer, another one is announced otherwise than behind a question: the reference shows
    // it so, and `data check --prove` tells such rows.
    if messages.windows(2).any(|two| two.iter().all(|m| m["role"] == "assistant")) {
        return;
    }
    // Where the prompt opens the thinking block, an answer that brings one along as text, thinks after it
    // spoke, or calls, is trained from another place on: the reference does so too, and `data check
    // --prove` tells such rows.
    let elsewhere = |m: &Value| {
        let late = |parts: &Vec<Value>| parts.iter().skip(1).any(|p| p["type"] == "thinking");
        let inline = |text: &str| text.contains("<think>");
        m.get("tool_calls").is_some()
            || m["content"].as_str().is_some_and(inline)
            || m["content"].as_array().is_some_and(late)
            || inline(&text(&m["content"]))
    };
    let opens = name.starts_with("qwen3_5") || name == "deepseekv3_thinking";
    if opens && messages.iter().any(elsewhere) {
        return;
    }
    for run in runs(weights) {
        let ends_here = messages.iter().enumerate().find(|(at, message)| {
            let before = json!({"messages": messages[..*at], "tools": record["tools"]});
            message["role"] == "assistant"
                && match tools.renderer.generation_prompt(&before) {
                    Ok(prompt) => prompt.len() == run.start && tokens.starts_with(&prompt),
                    Err(e) => {
                        assert_eq!(e.kind(), ErrorKind::DATA, "{e}");
                        false
                    }
                }
        });
        let Some((at, message)) = ends_here else {
            panic!("{name}: token {} is trained, and no prompt ends there: {json}", run.start);
        };
        // What ends an answer of the history is no stop text.
        if name == "role_colon" && at + 1 < messages.len() {
            continue;
        }
        let parsed = tools
            .renderer
            .parse_response(&tokens[run])
            .unwrap_or_else(|e| panic!("{name}: an answer of ours: {e}"));
        let written = message["content"].as_str().unwrap_or_default();
        if !is_plain(written) || message.get("tool_calls").is_some() {
            continue;
        }
        assert_eq!(parsed.termination, Termination::Stop, "{name}: {json}");
        let read = text(&parsed.message["content"]);
        assert_eq!(read.trim(), written.trim(), "{name}: `messages[{at}]` does not read back");
    }
}

/// Whether a text holds nothing that a format could take for its own: tags, `User:`, headers.
fn is_plain(text: &str) -> bool {
    !text.trim().is_empty() && !text.contains(['<', '>', ':', '|', '｜', '{', '[', '='])
}

/// A string, or the texts of a list of parts.
fn text(content: &Value) -> String {
    match content {
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
        text => text.as_str().unwrap_or_default().to_owned(),
    }
}

/// Stretches of trained tokens.
pub fn runs(weights: &[f32]) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for (i, _) in weights.iter().enumerate().filter(|(_, weight)| **weight != 0.0) {
        match runs.last_mut() {
            Some(run) if run.end == i => run.end += 1,
            _ => runs.push(i..i + 1),
        }
    }
    runs
}
