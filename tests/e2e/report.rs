//! `report.html` and the files it is made from.

#![allow(clippy::unwrap_used)] // A panic is how a test fails.

use serde_json::Value;
use std::fs;
use tinsmith_test_support::{cli::Sandbox, tiny_run};

fn sandbox(conversations: usize, more: &str) -> Sandbox {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tinsmith"));
    tiny_run::write(&sandbox, conversations, more);
    sandbox
}

fn journal(sandbox: &Sandbox, name: &str) -> String {
    let id = tiny_run::latest(sandbox).unwrap();
    sandbox.read(&format!("out/runs/{id}/{name}"))
}

/// What stands between two pieces of text.
fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let from = text.find(before).unwrap_or_else(|| panic!("no `{before}`")) + before.len();
    &text[from..from + text[from..].find(after).unwrap()]
}

#[test]
fn a_finished_run_has_a_page_that_needs_nothing_else() {
    let more = "training: {batch_size: 4, epochs: 3}\ncheckpoint: {every_steps: 4}\n\
        data: {eval: {count: 4}}\neval: {samples: 2, every_steps: 6, max_tokens: 8}\n\
        run_name: tiny <trial>\n";
    let sandbox = sandbox(20, more);
    let shown = sandbox.show(&["train", "run.yaml"]);
    assert!(shown.starts_with("exit 0\n") && shown.contains("report.html"), "{shown}");
    let page = journal(&sandbox, "report.html");
    for part in
        ["tiny &lt;trial&gt;", ">completed<", "<b>12 of 12</b><span>steps", "000008", "final"]
    {
        assert!(page.contains(part), "{part} is missing in:\n{page}");
    }
    // One point a step in the line, and a dot for each of the three evaluations.
    let line = between(&page, "<path class=\"thin\" d=\"", "\"");
    assert_eq!(line.matches('L').count(), 11, "{line}");
    assert_eq!(page.matches("<circle").count(), 3);
    for foreign in ["src=", "href=", "url(", "@import", "<script", "NaN"] {
        assert!(!page.contains(foreign), "{foreign} in:\n{page}");
    }
    let samples = journal(&sandbox, "samples.jsonl");
    let samples: Vec<Value> = samples.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(samples.len(), 2);
    for sample in &samples {
        let said = sample["messages"][0]["content"].as_str().unwrap();
        let number: u32 = said.strip_prefix("say number ").unwrap().parse().unwrap();
        // The rule by which the tiny run's conversations are made.
        assert_eq!(sample["reference"], format!("number {} it is", number * 7 % 10));
        assert!(page.contains(said), "{said}");
    }
}

#[test]
fn a_run_that_stopped_says_why_and_its_page_can_be_made_again() {
    let sandbox = sandbox(8, "training: {batch_size: 1}\n");
    let shown = sandbox.show(&["train", "run.yaml", "--set", "limits.max_tokens=100"]);
    assert!(shown.starts_with("exit 130\n"), "{shown}");
    let page = journal(&sandbox, "report.html");
    assert!(page.contains(">interrupted<") && page.contains("`limits.max_tokens` (100)"), "{page}");
    let id = tiny_run::latest(&sandbox).unwrap();
    let path = sandbox.path().join(format!("out/runs/{id}/report.html"));
    fs::remove_file(&path).unwrap();
    let shown = sandbox.show(&["runs", "report", "--output", "out"]);
    assert!(shown.starts_with("exit 0\n") && shown.contains("report.html"), "{shown}");
    assert_eq!(fs::read_to_string(&path).unwrap(), page);
    let shown = sandbox.show(&["runs", "report", "nine", "--output", "out"]);
    assert!(shown.starts_with("exit 2\n") && shown.contains("hint:"), "{shown}");
}

#[test]
fn a_damaged_journal_costs_the_page_and_not_the_run() {
    let sandbox = sandbox(8, "training: {batch_size: 1}\n");
    let stopped = sandbox.show(&["train", "run.yaml", "--set", "limits.max_tokens=100"]);
    assert!(stopped.starts_with("exit 130\n"), "{stopped}");
    let id = tiny_run::latest(&sandbox).unwrap();
    sandbox.write(&format!("out/runs/{id}/samples.jsonl"), "{oops\n");
    let shown = sandbox.show(&["runs", "report", "--output", "out"]);
    assert!(shown.starts_with("exit 1\n"), "{shown}");
    assert!(shown.contains("samples.jsonl:1:") && shown.contains("hint:"), "{shown}");
    let go_on =
        ["train", "--resume", "latest", "--output", "out", "--set", "limits.max_tokens=null"];
    let shown = sandbox.show(&go_on);
    assert!(shown.starts_with("exit 0\n") && shown.contains("there is no report"), "{shown}");
}
