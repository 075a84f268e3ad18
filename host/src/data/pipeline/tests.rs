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
    judged(bytes, threads, limits, Judge::new(limits))
}

fn judged(bytes: &[u8], threads: usize, limits: Limits, mut judge: Judge) -> Outcome {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.jsonl");
    std::fs::write(&path, bytes).unwrap();
    let source = DataSource { path, mapping: Mapping::plain(Format::Auto), limit: None };
    let mut out = Outcome { report: DataReport::default(), refused: Vec::new(), used: Vec::new() };
    stream(&[source], makers(), limits, threads, &mut |step| {
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
    let limits = |overlong| Limits { max_length: 4, overlong, bos: None };
    let error = run(text.as_bytes(), 1, limits(Overlong::Error));
    assert_eq!(error.refused[0].error.message, "7 tokens are more than `max_length` 4");
    assert_eq!((error.report.used, error.report.refused, error.report.examples), (2, 1, 2));
    let drop = run(text.as_bytes(), 1, limits(Overlong::Drop));
    assert_eq!((drop.report.used, drop.report.overlong, drop.report.dropped_examples), (2, 1, 1));
    let cut = run(text.as_bytes(), 1, limits(Overlong::TruncateRight));
    assert_eq!(cut.used[1].1, "qabc");
    assert_eq!((cut.report.truncated, cut.report.answers_cut, cut.report.ends_cut), (1, 1, 1));
    assert_eq!(cut.report.longest, 7);
    // q is context: of ab, abc and x, six tokens are trained. The last of each is not read.
    assert_eq!((cut.report.tokens, cut.report.trained_tokens), (2 + 3 + 1, 6));
    assert_eq!(cut.report.lengths.histogram(), [(2, 3, 2), (4, 7, 1)]);
}

/// A conversation of single letters, one token each: capitals are the user's, others the assistant's.
fn turns(letters: &str) -> String {
    let message = |c: char| {
        let role = if c.is_ascii_uppercase() { "user" } else { "assistant" };
        format!(r#"{{"role":"{role}","content":"{c}"}}"#)
    };
    let messages: Vec<String> = letters.chars().map(message).collect();
    let system = r#"{"role":"system","content":"s"}"#;
    format!(r#"{{"messages":[{system},{}]}}"#, messages.join(","))
}

#[test]
fn the_beginning_is_cut_off_but_for_the_token_that_begins_every_text() {
    let text = [turns("AbCdEf"), turns("Ab"), turns("ABCDEf")].join("\n");
    let limits = |bos| Limits { max_length: 4, overlong: Overlong::TruncateLeft, bos };
    // Seven tokens each, but three of the second.
    let cut = run(text.as_bytes(), 1, limits(None));
    let used: Vec<&str> = cut.used.iter().map(|u| u.1.as_str()).collect();
    assert_eq!(used, ["CdEf", "sAb", "CDEf"][..]);
    // Of the first, `b` went: an answer, though not the end of one that is left.
    assert_eq!((cut.report.truncated, cut.report.answers_cut, cut.report.ends_cut), (2, 1, 0));
    // d and f; b; f.
    assert_eq!((cut.report.tokens, cut.report.trained_tokens), (3 + 2 + 3, 2 + 1 + 1));
    assert_eq!((cut.report.longest, cut.report.used), (7, 3));
    let kept = run(text.as_bytes(), 1, limits(Some(i32::from(b's'))));
    let used: Vec<&str> = kept.used.iter().map(|u| u.1.as_str()).collect();
    assert_eq!(used, ["sdEf", "sAb", "sDEf"][..]);
    // A letter that stands first only by chance is no beginning.
    let other = run(text.as_bytes(), 1, limits(Some(i32::from(b'A'))));
    assert_eq!(other.used[0].1, "CdEf");
}

#[test]
fn the_oldest_turns_are_dropped_until_it_fits() {
    let text = [
        turns("AbCdEf"),   // 7 tokens: without `Ab` and `Cd` 3, without `Ab` alone 5
        turns("Ab"),       // fits
        turns("Abcdefgh"), // one turn: nothing can go
        turns("ABbCc"),    // 6 tokens: A is a turn by itself; without A and Bb 3, without A 5
        turns("xAbCcd"),   // 7: the greeting, Ab, Ccd; without the first two 4
    ]
    .join("\n");
    let limits = Limits { max_length: 4, overlong: Overlong::DropTurns, bos: None };
    for threads in [1, 3] {
        let out = run(text.as_bytes(), threads, limits);
        let used: Vec<(u64, &str)> = out.used.iter().map(|u| (u.0, u.1.as_str())).collect();
        assert_eq!(used, [(1, "sEf"), (2, "sAb"), (4, "sCc"), (5, "sCcd")][..]);
        let r = &out.report;
        assert_eq!((r.shortened, r.dropped_turns), (3, 2 + 2 + 2));
        assert_eq!((r.used, r.overlong, r.dropped_examples, r.truncated), (4, 1, 1, 0));
        // f; b; c; c and d. The longest was `Abcdefgh`, with the system message.
        assert_eq!((r.trained_tokens, r.longest), (1 + 1 + 1 + 2, 9));
        assert_eq!(r.notes()[1], "3 rows fit without their oldest turns; turns left out: 6");
    }
    let wider = run(text.as_bytes(), 1, Limits { max_length: 5, ..limits });
    assert_eq!(wider.used[0].1, "sCdEf", "no more turns go than must");
    assert_eq!((wider.report.shortened, wider.report.dropped_turns), (3, 1 + 1 + 2));
}

#[test]
fn both_of_a_pair_lose_the_same_turns() {
    let pair = r#"{"prompt":[{"role":"system","content":"s"},{"role":"user","content":"A"},
        {"role":"assistant","content":"b"},{"role":"user","content":"C"}],
        "chosen":"d","rejected":"efg"}"#
        .replace('\n', " ");
    let text = [pair, turns("AbCdEfGh"), r#"{"text":"much too long"}"#.to_owned()].join("\n");
    // Of the pair, the chosen one would fit as it is.
    let limits = Limits { max_length: 5, overlong: Overlong::DropTurns, bos: None };
    let out = run(text.as_bytes(), 2, limits);
    let used: Vec<(u64, &str)> = out.used.iter().map(|u| (u.0, u.1.as_str())).collect();
    assert_eq!(used, [(1, "sCd"), (1, "sCefg"), (2, "sEfGh")][..]);
    let r = &out.report;
    assert_eq!((r.used, r.pairs, r.shortened, r.dropped_turns, r.overlong), (2, 1, 2, 1 + 2, 1));
}

#[test]
fn copies_are_left_out_under_any_policy() {
    let text = [turns("AbCdEf"), turns("AbCdEf"), turns("Ab")].join("\n");
    for overlong in [Overlong::DropTurns, Overlong::TruncateLeft, Overlong::TruncateRight] {
        let limits = Limits { max_length: 4, overlong, bos: None };
        let judge = Judge::new(limits).dedupe(true, None);
        let out = judged(text.as_bytes(), 1, limits, judge);
        assert_eq!(out.used.iter().map(|u| u.0).collect::<Vec<_>>(), [1, 3], "{overlong:?}");
        assert_eq!((out.report.duplicates, out.report.repeated), (1, 0));
    }
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
    stream(std::slice::from_ref(&source), makers(), Limits::none(), 3, &mut |_| {
        seen += 1;
        Ok(ControlFlow::Break(()))
    })
    .unwrap();
    assert_eq!(seen, 1);
    let e = stream(&[source], makers(), Limits::none(), 3, &mut |_| Err(Error::failed("enough")))
        .unwrap_err();
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
            Just(Overlong::Error), Just(Overlong::Drop), Just(Overlong::TruncateRight),
            Just(Overlong::TruncateLeft), Just(Overlong::DropTurns),
        ],
        exact: bool,
    ) {
        // What begins like a container is one: the first line is plain.
        let lines = [vec![message("x").into_bytes()], lines].concat();
        let bytes = lines.join(&b"\n"[..]);
        let limits = Limits { max_length: 8, overlong, bos: Some(i32::from(b'h')) };
        let out = judged(&bytes, 2, limits, Judge::new(limits).dedupe(exact, None));
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
