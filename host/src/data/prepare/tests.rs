use super::*;
use crate::{
    config::load_recorded,
    data::fake::{Fake, Span},
};
use serde_json::{Value, json};
use std::path::Path;
use tinsmith_plugin_api::{Error as PluginError, Result as PluginResult};
use tinsmith_test_support::tiny_tokenizer;

/// A token for each message, that of an assistant trained.
const ONE_TOKEN: Fake = Fake(one_token);

fn one_token(record: &str) -> PluginResult<Vec<Span>> {
    let record: Value = serde_json::from_str(record)?;
    let messages = record["messages"].as_array();
    let messages = messages.ok_or_else(|| PluginError::data("must be a list").at("messages"))?;
    let span = |message: &Value| {
        let text = message["content"].as_str().unwrap_or_default();
        let weight = f32::from(u8::from(message["role"] == "assistant"));
        (vec![text.parse().unwrap_or(0)], weight)
    };
    Ok(messages.iter().map(span).collect())
}

fn row(i: usize) -> String {
    let (user, answer) = (i.to_string(), (i + 1000).to_string());
    json!({"messages": [{"role": "user", "content": user},
                        {"role": "assistant", "content": answer}]})
    .to_string()
}

fn rows(range: std::ops::Range<usize>) -> String {
    range.map(|i| row(i) + "\n").collect()
}

/// Prepares the files of a folder under a config.
fn prepare_in(dir: &Path, config: &Value) -> Result<Prepared> {
    prepare_watched(dir, config, None)
}

fn prepare_watched(
    dir: &Path,
    config: &Value,
    progress: Option<OnProgress<'_>>,
) -> Result<Prepared> {
    tiny_tokenizer::write(dir).unwrap();
    let mut whole = json!({"model": {"base_model": "."}, "datasets": [{"path": "a.jsonl"}]});
    for (key, value) in config.as_object().unwrap() {
        whole[key] = value.clone();
    }
    // The files stay open: what is in them does as well.
    let spool = tempfile::tempdir_in(dir).unwrap();
    let loaded = load_recorded(&whole, Path::new("run.yaml"), dir, &[])?;
    prepare(&DataJob {
        loaded: &loaded,
        renderer: Arc::new(ONE_TOKEN),
        tokenizer: Tokenizer::load(dir)?,
        place: Place::Folder(spool.path().join("examples")),
        made_with: String::new(),
        threads: 2,
        progress,
    })
}

fn with(data: &str, config: &Value) -> Result<Prepared> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.jsonl"), data).unwrap();
    prepare_in(dir.path(), config)
}

fn first_tokens(spool: &Spool) -> Vec<i32> {
    let set = spool.all();
    (0..set.len()).map(|i| set.tokens[set.range(i).start]).collect()
}

#[test]
fn a_draw_holds_out_whole_records_and_the_seed_decides() {
    let config = |seed: u64| json!({"data": {"seed": seed, "eval": {"count": 30}}});
    let a = with(&rows(0..400), &config(5)).unwrap();
    assert_eq!((a.train.units(), a.eval.units(), a.report.held_out), (370, 30, 30));
    let mut all = [first_tokens(&a.train), first_tokens(&a.eval)].concat();
    all.sort_unstable();
    assert_eq!(all, (0..400).collect::<Vec<_>>(), "each row on one side, none lost");
    let again = with(&rows(0..400), &config(5)).unwrap();
    assert_eq!(again.rendered, a.rendered);
    assert_eq!((again.train.all(), again.eval.all()), (a.train.all(), a.eval.all()));
    let other = with(&rows(0..400), &config(6)).unwrap();
    assert_ne!(first_tokens(&other.eval), first_tokens(&a.eval));
}

#[test]
fn evaluation_may_have_its_own_file_and_leaks_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.jsonl"), rows(0..10)).unwrap();
    // Rows 8 and 9 are trained on as well.
    std::fs::write(dir.path().join("e.jsonl"), rows(8..12)).unwrap();
    let config = json!({"data": {"eval": {"path": "e.jsonl"}}});
    let prepared = prepare_in(dir.path(), &config).unwrap();
    assert_eq!(first_tokens(&prepared.train), (0..10).collect::<Vec<_>>());
    assert_eq!(first_tokens(&prepared.eval), [8, 9, 10, 11]);
    assert_eq!(prepared.report.leaked, 2);
    assert!(prepared.report.notes()[0].starts_with("2 held-out rows also stand"));
    assert_eq!(prepared.eval.all().source[3], Source { dataset: 1, line: 4, record: 3 });
}

#[test]
fn prompts_are_those_of_the_held_out_rows() {
    let data = |more: Value| json!({"data": {"eval": {"count": 3}}, "eval": more});
    let prepared = with(&rows(0..50), &data(json!({"samples": 2}))).unwrap();
    assert_eq!(prepared.prompts.len(), 2);
    for (prompt, token) in prepared.prompts.iter().zip(first_tokens(&prepared.eval)) {
        let expected = json!([{"role": "user", "content": token.to_string()}]);
        assert_eq!(prompt.messages, expected);
        assert_eq!(prompt.reference, (token + 1000).to_string());
    }
    let checks = with(&rows(0..50), &data(json!({"checks": {"form": ".*"}}))).unwrap();
    assert_eq!(checks.prompts.len(), 3, "checks measure all of them");
    assert!(with(&rows(0..50), &data(json!({}))).unwrap().prompts.is_empty());
}

#[test]
fn the_fingerprint_is_of_what_was_read() {
    let print = |data: &str, config: Value| with(data, &config).unwrap().fingerprint;
    let a = print(&rows(0..5), json!({}));
    assert_eq!(print(&rows(0..5), json!({})), a);
    assert_ne!(print(&rows(0..6), json!({})), a);
    // With a limit, only what is read counts.
    let limited = json!({"datasets": [{"path": "a.jsonl", "limit": 5}]});
    assert_eq!(print(&rows(0..9), limited), a);
    let as_messages = json!({"datasets": [{"path": "a.jsonl", "format": "messages"}]});
    assert_ne!(print(&rows(0..5), as_messages), a);
}

#[test]
fn several_datasets_keep_their_order_and_their_groups_apart() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.jsonl"), rows(0..300)).unwrap();
    std::fs::write(dir.path().join("b.jsonl"), rows(300..310)).unwrap();
    let config = json!({"datasets": [{"path": "b.jsonl"}, {"path": "a.jsonl", "limit": 280}]});
    let prepared = prepare_in(dir.path(), &config).unwrap();
    let expected: Vec<i32> = (300..310).chain(0..280).collect();
    assert_eq!(first_tokens(&prepared.train), expected);
    assert_eq!(prepared.train.all().groups, (0..290).collect::<Vec<u64>>());
    assert_eq!(prepared.report.files[1].rows, 280);
}

/// Pairs stay together, the chosen answer first, in whatever order they are trained.
#[test]
fn preference_pairs_are_groups_of_two() {
    let pair = |i: usize| {
        let (prompt, chosen) = (i.to_string(), (i + 1000).to_string());
        json!({"prompt": prompt, "chosen": chosen, "rejected": "7"}).to_string() + "\n"
    };
    // More than a batch of the renderer, with a conversation in between.
    let data: String = (0..400).map(|i| if i == 5 { row(i) + "\n" } else { pair(i) }).collect();
    let prepared = with(&data, &json!({"data": {"eval": {"count": 20}}})).unwrap();
    assert_eq!(prepared.report.pairs, 399);
    for set in [prepared.train.all(), prepared.eval.all()] {
        let pairs: Vec<usize> =
            (1..set.len()).filter(|i| set.groups[*i] == set.groups[i - 1]).collect();
        let conversations = usize::from(set.source.iter().any(|s| s.record == 5));
        assert_eq!(2 * pairs.len() + conversations, set.len());
        for second in pairs {
            assert_eq!(set.source[second], set.source[second - 1]);
            let last = |i: usize| set.tokens[set.range(i).end - 1];
            assert_eq!((last(second - 1) >= 1000, last(second)), (true, 7));
        }
    }
    let options = crate::plan::OrderOptions {
        batch_size: 4,
        epochs: 2,
        max_steps: None,
        shuffle: true,
        seed: 1,
        last_batch: crate::config::LastBatch::Keep,
    };
    let train = &prepared.train;
    let order = crate::plan::Order::new(train, &crate::plan::Mix::default(), options).unwrap();
    for step in 0..order.steps() {
        let set = train.read(&order.batch(train, step).unwrap()).unwrap();
        assert!(set.len() <= 4);
        let pairs = set.groups.chunk_by(|a, b| a == b).filter(|group| group.len() == 2).count();
        let singles = set.source.iter().filter(|s| s.record == 5).count();
        assert_eq!(2 * pairs + singles, set.len());
    }
    // The chosen answer is what a held-out prompt is compared with.
    let samples = json!({"data": {"eval": {"count": 3}}, "eval": {"samples": 3}});
    let prepared = with(&(0..9).map(pair).collect::<String>(), &samples).unwrap();
    assert_eq!(prepared.prompts.len(), 3);
    assert!(prepared.prompts.iter().all(|p| p.reference.len() == 4));
}

#[test]
fn copies_are_left_out_within_training_and_within_evaluation() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.jsonl"), rows(0..300) + &rows(0..2)).unwrap();
    std::fs::write(dir.path().join("b.jsonl"), rows(299..301)).unwrap();
    std::fs::write(dir.path().join("e.jsonl"), rows(1..3) + &rows(2..4)).unwrap();
    let config = json!({"datasets": [{"path": "a.jsonl"}, {"path": "b.jsonl"}],
        "data": {"dedupe": "exact", "eval": {"path": "e.jsonl"}}});
    let prepared = prepare_in(dir.path(), &config).unwrap();
    assert_eq!(first_tokens(&prepared.train), (0..301).collect::<Vec<_>>());
    assert_eq!(first_tokens(&prepared.eval), [1, 2, 3]);
    let report = &prepared.report;
    assert_eq!((report.rows, report.used, report.duplicates), (308, 304, 4));
    assert_eq!(report.leaked, 3, "a copy that is held out is a leak, and told as one");
}

#[test]
fn bad_rows_stop_the_run_or_are_left_out() {
    let data = format!("{}[]\n{}", rows(0..2), rows(2..3));
    let e = with(&data, &json!({})).unwrap_err();
    assert_eq!(e.kind, Kind::Data);
    assert!(e.to_string().contains("a.jsonl:3:1: a record must be a JSON object"), "{e}");
    let skipped = with(&data, &json!({"data": {"on_bad_record": "skip"}})).unwrap();
    assert_eq!((skipped.train.units(), skipped.report.refused), (3, 1));
    assert_eq!(skipped.report.notes(), ["1 bad row left out"]);
}

#[test]
fn whoever_watches_may_break_off() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.jsonl"), rows(0..2000)).unwrap();
    let seen = std::cell::Cell::new(0);
    let progress = |report: &DataReport| {
        seen.set(report.rows);
        if report.rows < 500 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    let e = prepare_watched(dir.path(), &json!({}), Some(&progress)).unwrap_err();
    assert_eq!(e.kind, Kind::Interrupted);
    assert!((500..1000).contains(&seen.get()), "{}", seen.get());
}

#[test]
fn a_draw_that_leaves_nothing_is_told_by_its_key() {
    let e = with(&rows(0..3), &json!({"data": {"eval": {"count": 3}}})).unwrap_err();
    assert_eq!(e.kind, Kind::Usage);
    assert_eq!(e.field.as_deref(), Some("data.eval"));
}

#[test]
fn an_evaluation_file_of_which_nothing_is_left_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.jsonl"), rows(0..3)).unwrap();
    let untrained =
        json!({"messages": [{"role": "user", "content": "1"}, {"role": "user", "content": "2"}]});
    std::fs::write(dir.path().join("e.jsonl"), format!("{untrained}\n")).unwrap();
    let config = json!({"data": {"eval": {"path": "e.jsonl"}}});
    let e = prepare_in(dir.path(), &config).unwrap_err();
    assert_eq!(e.kind, Kind::Data);
    assert_eq!(e.field.as_deref(), Some("data.eval.path"));
    assert!(e.to_string().contains("no row of `e.jsonl` can be evaluated on"), "{e}");
}

#[test]
fn what_is_left_of_nothing_counts_every_row() {
    let dir = tempfile::tempdir().unwrap();
    let untrained =
        json!({"messages": [{"role": "user", "content": "1"}, {"role": "user", "content": "2"}]});
    std::fs::write(dir.path().join("a.jsonl"), format!("{untrained}\n")).unwrap();
    std::fs::write(dir.path().join("e.jsonl"), rows(0..3)).unwrap();
    let config = json!({"data": {"eval": {"path": "e.jsonl"}}});
    let e = prepare_in(dir.path(), &config).unwrap_err();
    assert_eq!(
        e.message,
        "nothing to train on: of 4 rows, 1 without a trained token, 3 held out for evaluation"
    );
}

#[test]
fn rows_trained_on_that_repeat_are_counted_and_held_out_ones_are_not() {
    let dir = tempfile::tempdir().unwrap();
    // 0 to 4, and 0 to 2 once more: three repeat.
    std::fs::write(dir.path().join("a.jsonl"), format!("{}{}", rows(0..5), rows(0..3))).unwrap();
    std::fs::write(dir.path().join("e.jsonl"), format!("{}{}", rows(4..7), rows(6..7))).unwrap();
    let config = json!({"data": {"eval": {"path": "e.jsonl"}}});
    let prepared = prepare_in(dir.path(), &config).unwrap();
    assert_eq!((prepared.report.repeated, prepared.report.leaked), (3, 1));
    assert_eq!(prepared.report.lengths.count(), 12);
}
