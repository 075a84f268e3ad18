//! `tinsmith data check` and `stats` through the real binary.

#![allow(clippy::unwrap_used)] // A panic is how a test fails.

use serde_json::{Value, json};
use tinsmith_test_support::{cli::Sandbox, tiny_model::tiny_llama};

fn sandbox(lines: &[String]) -> Sandbox {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tinsmith"));
    tiny_llama(&sandbox.path().join("base"), 1).unwrap();
    sandbox.write("a.jsonl", lines.join("\n"));
    sandbox
}

fn chat(user: &str, assistant: &str) -> String {
    json!({"messages": [{"role": "user", "content": user}, {"role": "assistant", "content": assistant}]})
        .to_string()
}

fn data(sandbox: &Sandbox, command: &str, more: &[&str]) -> String {
    let args = ["data", command, "a.jsonl", "--tokenizer", "base", "--renderer", "chatml"];
    sandbox.show(&[&args[..], more].concat())
}

#[test]
fn check_lists_every_bad_row_on_stdout() {
    let mut lines: Vec<String> = (0..600).map(|i| chat(&i.to_string(), "yes")).collect();
    for bad in [3, 300, 599] {
        lines[bad] = r#"{"messages": [{"role": "user"}]}"#.into();
    }
    let sandbox = sandbox(&lines);
    let shown = data(&sandbox, "check", &[]);
    let rows: Vec<&str> = shown.lines().filter(|l| l.starts_with("a.jsonl:")).collect();
    assert_eq!(rows.len(), 3, "{shown}");
    for (row, line) in rows.iter().zip([4, 301, 600]) {
        let place = format!("a.jsonl:{line}:15: `messages[0].content`: is missing");
        assert!(row.starts_with(&place), "{row}");
    }
    assert!(
        shown.starts_with("exit 3\n") && shown.contains("error: 3 of 600 rows are bad"),
        "{shown}"
    );

    let output = sandbox.run(&[
        "data",
        "check",
        "a.jsonl",
        "--tokenizer",
        "base",
        "--renderer",
        "chatml",
        "--format",
        "json",
    ]);
    let stdout = String::from_utf8(output.stdout).unwrap();
    let told: Vec<Value> = stdout.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(told.len(), 4);
    assert_eq!(told[1]["line"], 301);
    assert_eq!(told[1]["column"], 15);
    assert_eq!(told[1]["field"], "messages[0].content");
    assert_eq!(told[3]["summary"]["used"], 597);
}

#[test]
fn check_is_content_with_good_data_and_proves_the_mask() {
    let pair = json!({"prompt": "ho", "completion": "no"}).to_string();
    let greeting = json!({"messages": [{"role": "assistant", "content": "hello"},
        {"role": "user", "content": "ho"}, {"role": "assistant", "content": "no"}]});
    let sandbox = sandbox(&[chat("hi", "yes"), pair, greeting.to_string()]);
    for more in [&[][..], &["--prove"], &["--prove", "--train-on", "last_assistant_message"]] {
        let shown = data(&sandbox, "check", more);
        assert!(shown.starts_with("exit 0\n") && shown.contains("3 rows are good"), "{shown}");
    }
    let shown = data(&sandbox, "check", &["--prove", "--train-on", "all_tokens"]);
    assert!(shown.starts_with("exit 2\n") && shown.contains("`--prove` proves answers"), "{shown}");
}

#[test]
fn stats_count_lengths_and_trained_tokens() {
    // Digits are one token each. ChatML: header, content, end for each turn.
    let lines: Vec<String> = (1..=10).map(|n| chat("1", &"7".repeat(n))).collect();
    let sandbox = sandbox(&lines);
    let args = ["data", "stats", "a.jsonl", "--tokenizer", "base", "--renderer", "chatml"];
    let output = sandbox.run(&[&args[..], &["--format", "json", "--max-length", "30"]].concat());
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["rows"], 10);
    assert_eq!(told["examples"], 10);
    // Contents of 1 to 10 tokens and one end of turn each.
    assert_eq!(told["trained_tokens"], 55 + 10);
    assert_eq!(
        told["trained"],
        json!({"min": 2, "median": 6, "p90": 10, "p99": 11, "max": 11, "mean": 6.5})
    );
    let lengths: Vec<u64> = ["min", "max"].map(|k| told["length"][k].as_u64().unwrap()).into();
    assert_eq!(lengths[1] - lengths[0], 9);
    let total: u64 =
        told["histogram"].as_array().unwrap().iter().map(|b| b["examples"].as_u64().unwrap()).sum();
    assert_eq!(total, 10);
    let shortest = lengths[0];
    let too_long = (0..10).filter(|n| shortest + n > 30).count() as u64;
    assert_eq!(told["too_long"], too_long);
    let shown = data(&sandbox, "stats", &[]);
    assert!(shown.contains("65 trained") && shown.contains('█'), "{shown}");
}
