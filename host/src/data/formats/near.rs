//! Words that were meant to be others: hints for keys and roles that miss narrowly.

use crate::{data::scan, text::nearest};
use tinsmith_plugin_api::Error as PluginError;

/// Roles that renderers know, and what other formats call them.
const KNOWN: [&str; 4] = ["system", "user", "assistant", "tool"];
const ELSEWHERE: [(&str, &str); 10] = [
    ("human", "user"),
    ("gpt", "assistant"),
    ("chatgpt", "assistant"),
    ("bot", "assistant"),
    ("model", "assistant"),
    ("ai", "assistant"),
    ("instruction", "system"),
    ("developer", "system"),
    ("observation", "tool"),
    ("function", "tool"),
];

/// Keys that other formats use, and the key that holds the same in one that is known.
const KEYS: [(&str, &str); 12] = [
    ("conversation", "conversations"),
    ("message", "messages"),
    ("dialogue", "messages"),
    ("dialog", "messages"),
    ("chat", "messages"),
    ("turns", "messages"),
    ("question", "prompt"),
    ("query", "prompt"),
    ("answer", "completion"),
    ("response", "completion"),
    ("content", "text"),
    ("token_ids", "tokens"),
];

/// A word of the data in one line, and not too long.
pub(super) fn word(text: &str) -> String {
    const SHOWN: usize = 40;
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown.escape_debug().to_string()
}

/// The hint for a record that has these keys, of which one of `wanted` was expected.
pub(super) fn key(keys: &[String], wanted: &[&str]) -> Option<String> {
    let typo = keys.iter().find_map(|key| Some((key, nearest(key, wanted.iter().copied())?)));
    if let Some((key, near)) = typo {
        return Some(format!("`{}`: did you mean `{near}`?", word(key)));
    }
    let (key, here) = keys.iter().find_map(|key| {
        let (_, here) = KEYS.iter().find(|(name, here)| name == key && wanted.contains(here))?;
        Some((key, here))
    })?;
    Some(format!("`fields: {{{here}: {}}}` of the dataset reads that key as `{here}`", word(key)))
}

/// The hint for a role that nobody knows.
pub(super) fn role(role: &str) -> String {
    let lower = role.to_ascii_lowercase();
    if let Some((_, meant)) = ELSEWHERE.iter().find(|(name, _)| *name == lower) {
        let more = match *meant {
            "user" | "assistant" => ", or `format: sharegpt` if the data is ShareGPT's",
            _ => "",
        };
        let role = word(role);
        return format!("`roles: {{{role}: {meant}}}` of the dataset maps it{more}");
    }
    match nearest(role, KNOWN) {
        Some(near) => format!("did you mean `{near}`? known are {}", KNOWN.join(", ")),
        None => format!(
            "use one of {}, or map it: `roles: {{{}: user}}` of the dataset",
            KNOWN.join(", "),
            word(role)
        ),
    }
}

/// A better hint for what a renderer refused at a byte of the line, if the line shows one.
pub(in crate::data) fn better(error: &PluginError, line: &str, at: usize) -> Option<String> {
    if !error.field()?.ends_with(".role") {
        return None;
    }
    if error.message().contains("unknown role") {
        return Some(role(&scan::text_at(line, at)?));
    }
    // What lacks a role is where the message begins.
    let keys: Vec<String> =
        scan::members(line, at).iter().map(|(k, _)| scan::key(line, k)).collect();
    let has = |name: &str| keys.iter().any(|key| key == name);
    if has("from") && has("value") {
        let hint =
            "`format: sharegpt` with `fields: {messages: messages}` reads `from` and `value`";
        return Some(hint.into());
    }
    let near = keys.iter().find_map(|key| Some((key, nearest(key, ["role"])?)))?;
    Some(format!("`{}`: did you mean `{}`?", word(near.0), near.1))
}
