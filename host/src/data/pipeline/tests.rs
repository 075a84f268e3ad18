use super::*;
use crate::{
    config::{Format, Overlong},
    data::{
        DataReport, Judge, Limits,
        fake::{Fake, Span},
    },
};
use proptest::prelude::*;
use serde_json::Value;
use std::sync::{Arc, OnceLock};
use tinsmith_plugin_api::{Error as PluginError, Result as PluginResult};

/// One token a byte of each message's content; the assistant's are trained. Content `skip` gives no
/// token.
const BYTES: Fake = Fake(bytes);

fn bytes(record: &str) -> PluginResult<Vec<Span>> {
    let record: Value = serde_json::from_str(record)?;
    let messages = record["messages"].as_array();
    let messages = messages.ok_or_else(|| PluginError::data("must be a list").at("messages"))?;
    let mut spans = Vec::new();
    for (i, message) in messages.iter().enumerate() {
        let content = message["content"].as_str().ok_or_else(|| {
            PluginError::data("must be a string").at(format!("messages[{i}].content"))
        })?;
        if content != "skip" {
            let tokens = content.bytes().map(i32::from).collect();
            spans.push((tokens, f32::from(u8::from(message["role"] == "assistant"))));
        }
    }
    Ok(spans)
}

fn makers() -> Makers<'static> {
    static TINY: OnceLock<Arc<Tokenizer>> = OnceLock::new();
    let tokenizer = TINY.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        tinsmith_test_support::tiny_tokenizer::write(dir.path()).unwrap();
        Tokenizer::load(dir.path()).unwrap()
    });
    Makers { renderer: &BYTES, tokenizer: Some(tokenizer), prints: true }
}

struct Outcome {
    report: DataReport,
    refused: Vec<Refused>,
    /// Line and text of every example in use, in order.
    used: Vec<(u64, String)>,
}

fn run(bytes: &[u8], threads: usize, limits: Limits) -> Outcome {
    judged(bytes, threads, Judge::new(limits))
}

fn judged(bytes: &[u8], threads: usize, mut judge: Judge) -> Outcome {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.jsonl");
    std::fs::write(&path, bytes).unwrap();
    let source = DataSource { path, mapping: Mapping::plain(Format::Auto), limit: None };
    let mut out = Outcome { report: DataReport::default(), refused: Vec::new(), used: Vec::new() };
    stream(&[source], makers(), threads, &mut |step| {
        match step {
            Step::Batch(mut batch) => {
                let fates = judge.judge(&mut batch);
                out.report.add("a.jsonl", &batch, &fates);
                for (i, fate) in fates.iter().enumerate() {
                    let super::super::Fate::Used { tokens, .. } = fate else { continue };
                    let row = batch.given[batch.examples.record[i] as usize] as usize;
                    let range = batch.examples.range(i);
                    let text: String = batch.examples.tokens[range][..*tokens]
                        .iter()
                        .map(|t| char::from(*t as u8))
                        .collect();
                    out.used.push((batch.lines.rows[row].line, text));
                }
                out.refused.append(&mut batch.refused);
            }
            Step::End { digest, .. } => out.report.end("a.jsonl".into(), digest),
        }
        Ok(ControlFlow::Continue(()))
    })
    .unwrap();
    out
}

fn message(text: &str) -> String {
    format!(
        r#"{{"messages":[{{"role":"user","content":"q"}},{{"role":"assistant","content":"{text}"}}]}}"#
    )
}

#[test]
fn rows_come_in_the_order_of_the_file_at_any_thread_count() {
    let rows: Vec<String> = (0..3000).map(|i| message(&format!("answer {i}"))).collect();
    for threads in [1, 2, 7] {
        let out = run(rows.join("\n").as_bytes(), threads, Limits::none());
        assert_eq!(out.report.rows, 3000);
        let expected: Vec<(u64, String)> =
            (0..3000).map(|i| (i + 1, format!("qanswer {i}"))).collect();
        assert_eq!(out.used, expected);
    }
}

#[test]
fn long_rows_keep_their_place_among_short_ones() {
    let long = "x".repeat(LONG);
    let rows: Vec<String> = (0..600)
        .map(|i| message(&if i % 200 == 7 { format!("{i}{long}") } else { i.to_string() }))
        .collect();
    let out = run(rows.join("\n").as_bytes(), 3, Limits::none());
    assert_eq!(out.used.iter().map(|u| u.0).collect::<Vec<_>>(), (1..=600).collect::<Vec<_>>());
    assert!(out.used[7].1.starts_with("q7x") && out.used[8].1 == "q8");
}

#[test]
fn a_wrong_field_is_told_by_line_column_and_field() {
    let bad =
        r#"{"messages": [{"role": "user", "content": "é"}, {"role": "assistant", "content": 3}]}"#;
    let text = format!("{}\n\n{bad}\n{{\"a\n{}", message("a"), message("b"));
    let out = run(text.as_bytes(), 2, Limits::none());
    assert_eq!(out.used.iter().map(|u| u.0).collect::<Vec<_>>(), [1, 5]);
    let first = &out.refused[0];
    assert_eq!(first.placed("a").to_string(), "a:3:82: `messages[1].content`: must be a string");
    // The column points at the 3, counted in characters: `é` is one.
    assert_eq!(bad.chars().nth(81), Some('3'));
    assert_eq!(out.refused[1].line, 4);
    assert_eq!((out.report.rows, out.report.refused, out.report.blank), (4, 2, 1));
}

#[test]
fn a_pair_is_told_by_its_own_fields() {
    let bad = r#"{"prompt": "p", "completion": [{"role": "assistant", "content": null}]}"#;
    let out = run(bad.as_bytes(), 1, Limits::none());
    let told = out.refused[0].told("a");
    assert_eq!(told.field.as_deref(), Some("completion[0].content"));
    assert_eq!(told.column, Some(65));
}

#[test]
fn overlong_examples_are_refused_dropped_or_cut_and_counted() {
    let text = [message("ab"), message("abcdef"), message("x")].join("\n");
    let limits = |overlong| Limits { max_length: 4, overlong };
    let error = run(text.as_bytes(), 1, limits(Overlong::Error));
    assert_eq!(error.refused[0].error.message, "7 tokens are more than `max_length` 4");
    assert_eq!((error.report.used, error.report.refused, error.report.examples), (2, 1, 2));
    let drop = run(text.as_bytes(), 1, limits(Overlong::Drop));
    assert_eq!((drop.report.used, drop.report.overlong, drop.report.dropped_examples), (2, 1, 1));
    let cut = run(text.as_bytes(), 1, limits(Overlong::TruncateRight));
    assert_eq!(cut.used[1].1, "qabc");
    assert_eq!((cut.report.truncated, cut.report.answers_cut), (1, 1));
    assert_eq!(cut.report.longest, 7);
    // q is context: of ab, abc and x, six tokens are trained.
    assert_eq!((cut.report.tokens, cut.report.trained_tokens), (3 + 4 + 2, 6));
}

#[test]
fn examples_without_a_trained_token_are_left_out_and_counted() {
    let user = r#"{"messages":[{"role":"user","content":"only me"}]}"#;
    // Nothing stands before the one token that has a weight: nothing predicts it.
    let first = r#"{"messages":[{"role":"assistant","content":"a"}]}"#;
    let text = [user.to_owned(), first.to_owned(), message("a"), message("")].join("\n");
    let out = run(text.as_bytes(), 1, Limits::none());
    assert_eq!((out.report.used, out.report.untrained, out.report.untrained_examples), (1, 3, 3));
}

#[test]
fn breaking_off_ends_all_threads() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.jsonl");
    let rows: Vec<String> = (0..5000).map(|i| message(&i.to_string())).collect();
    std::fs::write(&path, rows.join("\n")).unwrap();
    let source = DataSource { path, mapping: Mapping::plain(Format::Auto), limit: None };
    let mut seen = 0;
    stream(std::slice::from_ref(&source), makers(), 3, &mut |_| {
        seen += 1;
        Ok(ControlFlow::Break(()))
    })
    .unwrap();
    assert_eq!(seen, 1);
    let e = stream(&[source], makers(), 3, &mut |_| Err(Error::failed("enough"))).unwrap_err();
    assert_eq!(e.message, "enough");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Any bytes: nothing panics, and every row has exactly one outcome.
    #[test]
    fn rows_in_are_rows_accounted_for(
        lines in prop::collection::vec(
            prop_oneof![
                any::<Vec<u8>>(),
                "\\PC{0,20}".prop_map(String::into_bytes),
                Just(message("hello").into_bytes()),
                Just(message("hello hello").into_bytes()),
                Just(message("skip").into_bytes()),
                Just(br#"{"messages":[]}"#.to_vec()),
                Just(br#"{"messages":[{"role":"user","content":"x"}]}"#.to_vec()),
                Just(br#"{"messages":[{"content":7}]}"#.to_vec()),
                Just(br#"{"prompt":"a","completion":"bc"}"#.to_vec()),
                Just(br#"{"conversations":[{"from":"human","value":"a"},{"from":"gpt","value":"b"}]}"#.to_vec()),
                Just(br#"{"instruction":"a","output":"b"}"#.to_vec()),
                Just(br#"{"prompt":"a","chosen":"b","rejected":"c"}"#.to_vec()),
                Just(br#"{"prompt":"a","chosen":"b","rejected":"skip"}"#.to_vec()),
                Just(br#"{"prompt":"a","chosen":"much too long","rejected":"c"}"#.to_vec()),
                Just(br#"{"prompt":"a","chosen":[{"role":"assistant"}],"rejected":"c"}"#.to_vec()),
                Just(br#"{"text":"abc"}"#.to_vec()),
                Just(br#"{"text":"much too long"}"#.to_vec()),
                Just(br#"{"tokens":[1,2,3]}"#.to_vec()),
                Just(br#"{"tokens":[1,2,3],"advantages":[0,1,1]}"#.to_vec()),
                Just(br#"{"tokens":[1,2,3],"weights":[1,0,0]}"#.to_vec()),
                Just(br#"{"tokens":[1,9999]}"#.to_vec()),
                Just(br#"{"tokens":[1]}"#.to_vec()),
            ],
            0..40,
        ),
        overlong in prop_oneof![
            Just(Overlong::Error), Just(Overlong::Drop), Just(Overlong::TruncateRight)
        ],
        exact: bool,
    ) {
        // What begins like a container is one: the first line is plain.
        let lines = [vec![message("x").into_bytes()], lines].concat();
        let bytes = lines.join(&b"\n"[..]);
        let judge = Judge::new(Limits { max_length: 8, overlong }).dedupe(exact, None);
        let out = judged(&bytes, 2, judge);
        let r = &out.report;
        let mut whole: Vec<&[u8]> = bytes.split(|b| *b == b'\n').collect();
        if whole.last().is_some_and(|l| l.is_empty()) {
            whole.pop();
        }
        prop_assert_eq!(r.rows + r.blank, whole.len() as u64);
        prop_assert_eq!(
            r.rows,
            r.used + r.refused + r.skipped + r.overlong + r.untrained + r.duplicates
        );
        prop_assert!(exact || r.duplicates == 0);
        prop_assert_eq!(r.refused, out.refused.len() as u64);
        prop_assert_eq!(r.examples, out.used.len() as u64);
        prop_assert_eq!(r.files[0].rows, r.rows);
        for refused in &out.refused {
            let told = refused.placed("a.jsonl").to_string();
            let place = format!("a.jsonl:{}", refused.line);
            prop_assert!(told.starts_with(&place), "{}", told);
        }
    }
}
