use super::*;
use crate::{
    config::load_recorded,
    data::{
        Place,
        fake::{Fake, Span},
        prepare,
    },
    tokenizer::Tokenizer,
};
use serde_json::Value;
use std::sync::Arc;
use tinsmith_plugin_api::Result as PluginResult;
use tinsmith_test_support::tiny_tokenizer;

/// Two tokens for each message.
fn rendered(record: &str) -> PluginResult<Vec<Span>> {
    let record: Value = serde_json::from_str(record)?;
    let messages = record["messages"].as_array().cloned().unwrap_or_default();
    Ok(messages
        .iter()
        .map(|m| (vec![1, 2], f32::from(u8::from(m["role"] == "assistant"))))
        .collect())
}

fn row(text: &str) -> String {
    json!({"messages": [{"role": "user", "content": text}, {"role": "assistant", "content": "a"}]})
        .to_string()
        + "\n"
}

struct Bench {
    dir: tempfile::TempDir,
    config: Value,
    made_with: String,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        tiny_tokenizer::write(dir.path()).unwrap();
        let data: String = (0..30).map(|i| row(&i.to_string())).collect();
        fs::write(dir.path().join("a.jsonl"), data).unwrap();
        let config = json!({"model": {"base_model": "."}, "datasets": [{"path": "a.jsonl"}],
            "data": {"eval": {"count": 4}}, "eval": {"samples": 2}});
        Self { dir, config, made_with: "renderer 1".into() }
    }

    fn folder(&self) -> std::path::PathBuf {
        self.dir.path().join("examples")
    }

    fn with<T>(&self, work: impl FnOnce(&DataJob<'_>) -> T) -> T {
        let dir = self.dir.path();
        let loaded = load_recorded(&self.config, Path::new("run.yaml"), dir, &[]).unwrap();
        work(&DataJob {
            loaded: &loaded,
            renderer: Arc::new(Fake(rendered)),
            tokenizer: Tokenizer::load(dir).unwrap(),
            place: Place::Folder(self.folder()),
            made_with: self.made_with.clone(),
            threads: 2,
            progress: None,
        })
    }

    fn reopen(&self) -> Option<Prepared> {
        self.with(|job| reopen(job, &self.folder()).unwrap())
    }
}

#[test]
fn what_was_prepared_is_opened_again_whole() {
    let bench = Bench::new();
    assert!(bench.reopen().is_none());
    let first = bench.with(prepare).unwrap();
    let again = bench.reopen().unwrap();
    assert_eq!((again.train.all(), again.eval.all()), (first.train.all(), first.eval.all()));
    assert_eq!(
        (again.train.facts(), again.eval.facts()),
        (first.train.facts(), first.eval.facts())
    );
    assert_eq!((&again.fingerprint, &again.rendered), (&first.fingerprint, &first.rendered));
    assert_eq!((&again.report, &again.prompts), (&first.report, &first.prompts));
    assert_eq!(again.report.lengths.count(), 30);
}

#[test]
fn what_has_changed_is_not_opened() {
    let mut bench = Bench::new();
    bench.with(prepare).unwrap();
    assert!(bench.reopen().is_some());
    for (key, value) in [("data", json!({"eval": {"count": 5}})), ("eval", json!({"samples": 3}))] {
        let old = std::mem::replace(&mut bench.config[key], value);
        assert!(bench.reopen().is_none(), "{key}");
        bench.config[key] = old;
    }
    bench.made_with = "renderer 2".into();
    assert!(bench.reopen().is_none());
    bench.made_with = "renderer 1".into();
    assert!(bench.reopen().is_some());
    let settings = bench.dir.path().join("tokenizer_config.json");
    let old = fs::read(&settings).ok();
    fs::write(&settings, r#"{"chat_template": "another"}"#).unwrap();
    assert!(bench.reopen().is_none());
    match old {
        Some(old) => fs::write(&settings, old).unwrap(),
        None => fs::remove_file(&settings).unwrap(),
    }
    bench.with(prepare).unwrap();
    assert!(bench.reopen().is_some());
    let path = bench.dir.path().join("a.jsonl");
    let data = fs::read_to_string(&path).unwrap();
    fs::write(&path, data + &row("one more")).unwrap();
    assert!(bench.reopen().is_none());
}

#[test]
fn what_is_damaged_is_not_opened() {
    for name in ["manifest.json", "tokens", "train", "eval"] {
        let bench = Bench::new();
        bench.with(prepare).unwrap();
        let path = bench.folder().join(name);
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() - 3]).unwrap();
        assert!(bench.reopen().is_none(), "{name}");
        fs::remove_file(&path).unwrap();
        assert!(bench.reopen().is_none(), "{name}");
        // And made again in its place.
        bench.with(prepare).unwrap();
        assert!(bench.reopen().is_some(), "{name}");
    }
}
