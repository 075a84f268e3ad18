//! `tinsmith render` through the real binary. Expected tokens are built from the tiny tokenizer's
//! own files with the `tokenizers` crate, piece by piece, as the ChatML format says.

#![allow(clippy::unwrap_used)] // A panic is how a test fails.

#[path = "render/page.rs"]
mod page;

use serde_json::{Value, json};
use std::process::Stdio;
use tinsmith_test_support::{cli::Sandbox, tiny_model::tiny_llama, tiny_run};
use tokenizers::Tokenizer;

fn sandbox(records: &[Value]) -> Sandbox {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tinsmith"));
    tiny_llama(&sandbox.path().join("base"), 1).unwrap();
    let lines: String = records.iter().map(|r| format!("{r}\n")).collect();
    sandbox.write("a.jsonl", lines);
    sandbox
}

const BASE: [&str; 6] = ["render", "a.jsonl", "--tokenizer", "base", "--renderer", "chatml"];

fn with(more: &[&'static str]) -> Vec<&'static str> {
    [&BASE[..], more].concat()
}

fn chat(user: &str, assistant: &str) -> Value {
    json!({"messages": [{"role": "user", "content": user}, {"role": "assistant", "content": assistant}]})
}

/// Pieces of text and their weights, as tokens.
fn expected(sandbox: &Sandbox, pieces: &[(&str, f64)]) -> (Vec<u32>, Vec<f64>) {
    let tokenizer = Tokenizer::from_file(sandbox.path().join("base/tokenizer.json")).unwrap();
    let (mut tokens, mut weights) = (Vec::new(), Vec::new());
    for (text, weight) in pieces {
        tokens.extend_from_slice(tokenizer.encode(*text, false).unwrap().get_ids());
        weights.resize(tokens.len(), *weight);
    }
    (tokens, weights)
}

#[test]
fn json_lines_hold_record_tokens_and_weights() {
    let sandbox = sandbox(&[chat("the rain", "in Spain"), chat("2", "3")]);
    let output = sandbox.run(&with(&["--format", "json"]));
    assert!(output.status.success());
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(stdout.starts_with("{\"record\":0,\"tokens\":["), "{stdout}");
    let lines: Vec<Value> = stdout.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    let (tokens, weights) = expected(
        &sandbox,
        &[
            ("<|im_start|>user\n", 0.0),
            ("the rain", 0.0),
            ("<|im_end|>", 0.0),
            ("\n<|im_start|>assistant\n", 0.0),
            ("in Spain", 1.0),
            ("<|im_end|>", 1.0),
        ],
    );
    assert_eq!(lines[0], json!({"record": 0, "tokens": tokens, "weights": weights}));
    assert_eq!(lines[1]["record"], 1);
}

#[test]
fn special_tokens_in_what_users_write_stay_text() {
    let sandbox = sandbox(&[chat("a<|im_end|>b", "c")]);
    let output = sandbox.run(&with(&["--format", "json"]));
    let line: Value = serde_json::from_slice(&output.stdout).unwrap();
    let end = Tokenizer::from_file(sandbox.path().join("base/tokenizer.json"))
        .unwrap()
        .token_to_id("<|im_end|>")
        .unwrap();
    let ends = line["tokens"].as_array().unwrap().iter().filter(|t| **t == json!(end)).count();
    assert_eq!(ends, 2, "one for each turn, none of the text");
}

/// The control token stands between signs; text that spells it, signs included, does not.
#[test]
fn the_table_tells_a_control_token_from_text_that_spells_it() {
    let sandbox = sandbox(&[chat("a<|im_end|>b ⟪<|im_end|>⟫", "c")]);
    for color in ["never", "always"] {
        let shown = sandbox.show(&with(&["--color", color]));
        let line = shown.lines().find(|l| l.contains("a<|im_end|>b")).unwrap();
        assert!(line.contains("a<|im_end|>b \\u{27EA}<|im_end|>\\u{27EB}⟪<|im_end|>⟫⏎"), "{line}");
    }
}

#[test]
fn the_table_marks_what_is_trained_without_colour_too() {
    let sandbox = sandbox(&[chat("tab\there", "two\nlines \u{1b}[31m")]);
    let shown = sandbox.show(&with(&[]));
    assert_eq!(
        shown,
        "exit 0\n--- stdout\na.jsonl:1  record 0  TOKENS\n  \
         ⟪<|im_start|>⟫user⏎\n  tab⇥here⟪<|im_end|>⟫⏎\n  ⟪<|im_start|>⟫assistant⏎\n  \
         ⟦two⏎\n  lines \\u{1B}[31m⟪<|im_end|>⟫⟧\n\n"
            .replace("TOKENS", shown.split("record 0  ").nth(1).unwrap().lines().next().unwrap())
    );
    let colored = sandbox.show(&with(&["--color", "always"]));
    assert!(colored.contains("\u{1b}[4;32mtwo⏎"), "underlined and green: {colored}");
    assert!(!colored.contains("\u{1b}[31m"), "an escape of the data reached the terminal");
}

#[test]
fn the_generation_prompt_is_what_stands_before_the_answer() {
    let sandbox = sandbox(&[chat("hi", "yes")]);
    let line = |more: &[&'static str]| -> Value {
        serde_json::from_slice(&sandbox.run(&with(more)).stdout).unwrap()
    };
    let prompt = line(&["--format", "json", "--generation-prompt"]);
    let pieces = [
        ("<|im_start|>user\n", 0.0),
        ("hi", 0.0),
        ("<|im_end|>", 0.0),
        ("\n<|im_start|>assistant\n", 0.0),
    ];
    let (tokens, weights) = expected(&sandbox, &pieces);
    assert_eq!(prompt, json!({"record": 0, "tokens": tokens, "weights": weights}));
}

#[test]
fn flags_choose_what_is_trained_and_how_much_is_shown() {
    let two = json!({"messages": [
        {"role": "user", "content": "1"}, {"role": "assistant", "content": "a"},
        {"role": "user", "content": "2"}, {"role": "assistant", "content": "b"}]});
    let sandbox = sandbox(&[two.clone(), two.clone(), two]);
    let trained = |more: &[&'static str]| -> Vec<f64> {
        let output = sandbox.run(&with(&[&["--format", "json"][..], more].concat()));
        let stdout = String::from_utf8(output.stdout).unwrap();
        stdout
            .lines()
            .map(|l| {
                let line: Value = serde_json::from_str(l).unwrap();
                line["weights"].as_array().unwrap().iter().map(|w| w.as_f64().unwrap()).sum()
            })
            .collect()
    };
    // One token of content and one that ends the turn, for each answer.
    assert_eq!(trained(&[]), [4.0, 4.0, 4.0]);
    assert_eq!(trained(&["--train-on", "last_assistant_message"]), [2.0, 2.0, 2.0]);
    assert_eq!(trained(&["--set", "renderer.train_on=last_assistant_message"]), [2.0, 2.0, 2.0]);
    assert_eq!(trained(&["--limit", "2"]).len(), 2);
}

#[test]
fn a_config_gives_everything() {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tinsmith"));
    tiny_run::write(&sandbox, 3, "data: {max_length: 20, overlong: truncate_right}\n");
    let shown =
        sandbox.show(&["render", "chats.jsonl", "--config", "run.yaml", "--format", "json"]);
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    for line in shown.lines().filter(|l| l.starts_with('{')) {
        let line: Value = serde_json::from_str(line).unwrap();
        assert!(line["tokens"].as_array().unwrap().len() <= 20);
    }
}

#[test]
fn without_a_tokenizer_the_error_says_what_to_type() {
    let sandbox = sandbox(&[chat("hi", "yes")]);
    let shown = sandbox.show(&["render", "a.jsonl"]);
    assert_eq!(
        shown,
        "exit 2\n--- stderr\nerror: which tokenizer?\n\nhint: `--tokenizer DIR` names the folder of \
         a model or tokenizer, `--config CONFIG` takes everything from a config\n"
    );
    let shown = sandbox.show(&["render", "a.jsonl", "--tokenizer", "base", "--renderer", "chatlm"]);
    assert!(shown.starts_with("exit 2\n") && shown.contains("chatml"), "{shown}");
}

#[test]
fn several_files_are_told_apart() {
    let sandbox = sandbox(&[chat("hi", "yes")]);
    sandbox.write("b.jsonl", format!("{}\n", chat("ho", "no")));
    let mut args = with(&["--format", "json"]);
    args.insert(2, "b.jsonl");
    let stdout = String::from_utf8(sandbox.run(&args).stdout).unwrap();
    let starts: Vec<&str> = stdout.lines().map(|l| &l[..28]).collect();
    assert_eq!(
        starts,
        ["{\"file\":\"a.jsonl\",\"record\":0", "{\"file\":\"b.jsonl\",\"record\":0"]
    );
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let records: Vec<Value> = (0..5000).map(|i| chat(&format!("{i}"), "yes")).collect();
    let sandbox = sandbox(&records);
    let mut child = sandbox
        .command(&with(&["--format", "json"]))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}
