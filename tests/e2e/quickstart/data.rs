//! The conversations: valid, checkable, and the held-out ones apart from the rest.

use crate::configs;
use regex::Regex;
use serde_json::Value;
use std::{collections::HashSet, fs};

/// The keys of an answer, in their order.
const KEYS: [&str; 6] = ["who", "what", "when", "where", "cost", "why"];

/// A conversation: `(role, content)` a message.
pub type Chat = Vec<(String, String)>;

/// The conversations of a file.
pub fn read(file: &str) -> Vec<Chat> {
    let text = fs::read_to_string(configs().join("quickstart").join(file)).unwrap();
    text.lines()
        .map(|line| {
            let row: Value = serde_json::from_str(line).unwrap();
            assert_eq!(row.as_object().unwrap().len(), 1, "only `messages`: {line}");
            let messages = row["messages"].as_array().unwrap();
            let text = |message: &Value, key: &str| message[key].as_str().unwrap().to_owned();
            messages.iter().map(|m| (text(m, "role"), text(m, "content"))).collect()
        })
        .collect()
}

fn all() -> Vec<Chat> {
    [read("train.jsonl"), read("held-out.jsonl")].concat()
}

fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

/// Runs of eight words in what users say.
fn spans(chats: &[Chat]) -> HashSet<Vec<String>> {
    let users = chats.iter().flatten().filter(|(role, _)| role == "user");
    users
        .flat_map(|(_, text)| words(text).windows(8).map(<[_]>::to_vec).collect::<Vec<_>>())
        .collect()
}

#[test]
fn there_is_enough_of_it() {
    let (train, held_out) = (read("train.jsonl"), read("held-out.jsonl"));
    assert_eq!(held_out.len(), 40);
    assert!(train.len() + held_out.len() >= 250);
    let multi = all().iter().filter(|chat| chat.len() > 3).count();
    assert!(multi * 100 >= 15 * (train.len() + held_out.len()), "{multi} with several turns");
}

#[test]
fn roles_take_turns() {
    for chat in all() {
        assert_eq!(chat[0].0, "system");
        assert!(chat.len() >= 3 && chat.len() % 2 == 1, "{chat:?}");
        for (i, (role, text)) in chat.iter().enumerate().skip(1) {
            assert_eq!(role, if i % 2 == 1 { "user" } else { "assistant" });
            assert!(words(text).len() <= 110, "too long: {text}");
            assert_eq!(text.trim(), text);
        }
    }
}

#[test]
fn every_answer_has_the_form_and_every_value_was_said() {
    let form = Regex::new(r"\A(who|what|when|where|cost|why): \S[^\n:]*\z").unwrap();
    for chat in all() {
        let mut said = String::new();
        for (role, text) in &chat {
            if role == "user" {
                said.push_str(&text.to_lowercase());
                said.push('\n');
            }
            if role != "assistant" {
                continue;
            }
            let mut last = None;
            assert!((2..=5).contains(&text.lines().count()), "{text}");
            for line in text.lines() {
                assert!(form.is_match(line), "{line}");
                let (key, value) = line.split_once(": ").unwrap();
                let place = KEYS.iter().position(|k| *k == key);
                assert!(place > last, "out of order: {text}");
                last = place;
                assert!(said.contains(&value.to_lowercase()), "nobody said `{value}`: {said}");
            }
        }
    }
}

#[test]
fn held_out_conversations_share_nothing_with_the_rest() {
    let (train, held_out) = (read("train.jsonl"), read("held-out.jsonl"));
    let shared: Vec<_> = spans(&train).intersection(&spans(&held_out)).cloned().collect();
    assert!(shared.is_empty(), "{shared:?}");
    let answers = |chats: &[Chat]| -> HashSet<String> {
        chats
            .iter()
            .flatten()
            .filter(|(role, _)| role == "assistant")
            .map(|m| m.1.clone())
            .collect()
    };
    assert!(answers(&train).is_disjoint(&answers(&held_out)));
    let first: HashSet<String> = all().iter().map(|chat| chat[1].1.clone()).collect();
    assert_eq!(first.len(), all().len(), "a message occurs twice");
}
