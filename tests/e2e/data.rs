//! `tinsmith data check` and `stats` through the real binary.

#![allow(clippy::unwrap_used)] // A panic is how a test fails.

use serde_json::{Value, json};
use tinsmith_test_support::{cli::Sandbox, tiny_model::tiny_llama, tiny_run};

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

#[test]
fn check_shows_the_first_fifty_bad_rows_and_counts_the_rest() {
    let mut lines = vec![r#"{"messages": [{"role": "user"}]}"#.to_owned(); 60];
    lines.push(chat("hi", "yes"));
    let sandbox = sandbox(&lines);
    let rows = |shown: &str| shown.lines().filter(|l| l.starts_with("a.jsonl:")).count();
    let shown = data(&sandbox, "check", &[]);
    assert!(shown.starts_with("exit 3\n"), "{shown}");
    assert_eq!(rows(&shown), 50, "{shown}");
    assert!(shown.contains("10 more bad rows not shown; `--all` prints every one"), "{shown}");
    assert!(shown.contains("error: 60 of 61 rows are bad"), "{shown}");
    let all = data(&sandbox, "check", &["--all"]);
    assert!(all.starts_with("exit 3\n") && !all.contains("not shown"), "{all}");
    assert_eq!(rows(&all), 60);
    let json = data(&sandbox, "check", &["--format", "json"]);
    assert_eq!(json.lines().filter(|l| l.starts_with("{\"file\"")).count(), 60, "{json}");
}

/// Rows 1, 3 and 4 are the same, so two of them repeat another.
#[test]
fn rows_that_repeat_are_counted_by_check_and_stats() {
    let same = chat("1", "7");
    let lines = [same.clone(), chat("2", "7"), same.clone(), same];
    let sandbox = sandbox(&lines);
    let json = data(&sandbox, "check", &["--format", "json"]);
    let line = json.lines().find(|l| l.starts_with("{\"summary\"")).unwrap();
    let told: Value = serde_json::from_str(line).unwrap();
    assert_eq!(told["summary"]["repeated"], 2);
    assert_eq!(told["estimate"], Value::Null, "no config says what it would be trained with");
    // Four examples of equal length: tokens are what is read, all but the last of each.
    let length = told["summary"]["lengths"]["max"].as_u64().unwrap();
    assert_eq!(told["summary"]["lengths"]["min"], length);
    assert_eq!(told["summary"]["tokens"], 4 * (length - 1));
    let shown = data(&sandbox, "stats", &[]);
    assert!(shown.contains("2 rows repeat an earlier one, byte for byte"), "{shown}");
    assert!(
        shown.contains("4: 4 used, 0 refused, 0 skipped by the renderer, 0 too long"),
        "{shown}"
    );
}

/// With a config: what it holds out by a file, what training costs and how long it takes.
#[test]
fn a_config_adds_overlap_cost_and_time() {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tinsmith"));
    tiny_run::write(
        &sandbox,
        4,
        "data: {eval: {path: held.jsonl}}\ntraining: {epochs: 3}\n\
         limits: {tokens_per_second: 10}\n",
    );
    let chats = sandbox.read("chats.jsonl");
    let third = chats.lines().nth(2).unwrap();
    sandbox.write("held.jsonl", format!("{third}\n{}\n", chat("other", "row")));
    let args = ["data", "stats", "chats.jsonl", "--config", "run.yaml"];
    let output = sandbox.run(&[&args[..], &["--format", "json"]].concat());
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["summary"]["leaked"], 1);
    let tokens = told["tokens"].as_u64().unwrap();
    assert_eq!(told["estimate"]["tokens"], 3 * tokens);
    assert_eq!(told["estimate"]["usd"], 0.0);
    assert_eq!(told["estimate"]["seconds"], 3.0 * tokens as f64 / 10.0);
    let shown = sandbox.show(&args);
    assert!(shown.contains("10 tokens a second, `limits.tokens_per_second`"), "{shown}");
    assert!(shown.contains("$0 (the trainer `local` computes on this machine)"), "{shown}");
    assert!(shown.contains("1 row of the training data also held out"), "{shown}");
}

/// Contents of 3, 60 and 60 digits, each digit a token; the last also has a short turn at its end.
#[test]
fn what_a_limit_does_is_counted_by_policy() {
    let long = "7".repeat(60);
    let two = json!({"messages": [
        {"role": "user", "content": "1"}, {"role": "assistant", "content": long},
        {"role": "user", "content": "2"}, {"role": "assistant", "content": "3"}]});
    let sandbox = sandbox(&[chat("1", "777"), chat("1", &long), two.to_string()]);
    let summary = |policy: &str| -> Value {
        let args = ["data", "stats", "a.jsonl", "--tokenizer", "base", "--renderer", "chatml"];
        let policy = format!("data.overlong={policy}");
        let more = ["--format", "json", "--max-length", "40", "--set", &policy];
        let told: Value =
            serde_json::from_slice(&sandbox.run(&[&args[..], &more].concat()).stdout).unwrap();
        // Measured before any limit, whatever the policy.
        assert_eq!((&told["examples"], &told["too_long"]), (&json!(3), &json!(2)), "{told}");
        assert_eq!(told["trained_tokens"], (3 + 1) + (60 + 1) + (60 + 1 + 1 + 1));
        told["summary"].clone()
    };
    let counts = |s: &Value| -> Vec<u64> {
        ["used", "overlong", "truncated", "answers_cut", "ends_cut", "shortened", "dropped_turns"]
            .map(|key| s[key].as_u64().unwrap())
            .into()
    };
    assert_eq!(counts(&summary("error")), [1, 2, 0, 0, 0, 0, 0]);
    assert_eq!(counts(&summary("drop")), [1, 2, 0, 0, 0, 0, 0]);
    assert_eq!(counts(&summary("truncate_right")), [3, 0, 2, 2, 2, 0, 0]);
    assert_eq!(counts(&summary("truncate_left")), [3, 0, 2, 2, 0, 0, 0]);
    let turns = summary("drop_turns");
    assert_eq!(counts(&turns), [2, 1, 0, 0, 0, 1, 1]);
    // `777` and `3`, each with its end.
    assert_eq!(turns["trained_tokens"], (3 + 1) + (1 + 1));
}
