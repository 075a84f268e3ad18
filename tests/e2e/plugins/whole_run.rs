/*!
Whole runs of `tinsmith train`: from plugins in libraries, and from the same plugins linked.

The `tinsmith` binary has none of the test plugins in it: a config of its must name their libraries,
and the user must trust them. This test binary has them linked, and as a child process it is the
program that somebody built with them inside ([`linked`]): the same command line, the same
config, nothing loaded. Equal results are those of the plugins, whatever they came from; what the
tokens and the arithmetic must be, other tests say.
*/

use super::{linked::linked, support::library};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs, path::Path, process::Output};
use tinsmith_test_support::{cli::Sandbox, tiny_run};

/// The output of a command that succeeded.
fn succeeded(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

const PLUGINS: [&str; 3] = ["hello_renderer", "focal_loss", "dir_store"];

/// A run whose renderer, loss and storage are none of the built-in ones: `loaded.yaml` names their
/// libraries, `linked.yaml` does not.
fn own_plugins() -> Sandbox {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tinsmith"));
    tiny_run::write(&sandbox, 0, "");
    let line = |i: u32| {
        let answer = format!("{} it is, or <|im_end|> ünï", i * 7 % 10);
        format!("{}\n", json!({ "question": format!("which is number {i}?"), "answer": answer }))
    };
    sandbox.write("questions.jsonl", (0..10).map(line).collect::<String>());
    let blobs = sandbox.path().join("blobs");
    let config = format!(
        "model: {{base_model: ./base}}\n\
         lora: {{rank: 2, seed: 3}}\n\
         renderer: {{name: hello, prefix: 'Q: '}}\n\
         datasets: [{{path: questions.jsonl, format: record}}]\n\
         training: {{batch_size: 2, epochs: 2, loss: {{name: focal, gamma: 1.5}}}}\n\
         optimizer: {{learning_rate: 1.0e-2}}\n\
         checkpoint: {{every_steps: 4}}\n\
         storage: {{name: flat, uri: 'flat://{}'}}\n\
         output: out\n",
        blobs.display()
    );
    let libraries = PLUGINS.map(|name| format!("'{}'", library(name).display())).join(", ");
    sandbox.write("linked.yaml", &config);
    sandbox.write("loaded.yaml", format!("{config}plugins: [{libraries}]\n"));
    sandbox
}

fn trust(sandbox: &Sandbox) {
    for name in PLUGINS {
        succeeded(&sandbox.run(&["plugins", "trust", library(name).to_str().unwrap()]));
    }
}

/// What a run leaves, without times and ids.
#[derive(PartialEq)]
struct Left {
    adapter: Vec<(String, Vec<u8>)>,
    metrics: Vec<Value>,
    /// Keys of the storage with what lies there.
    stored: BTreeMap<String, Vec<u8>>,
    progress: Value,
    record: Value,
}

impl Left {
    /// Takes it out of the sandbox: the next run begins where this one began.
    fn take(sandbox: &Sandbox, store: &str) -> Self {
        let id = tiny_run::latest(sandbox).unwrap();
        let record = sandbox.read(&format!("out/runs/{id}.json"));
        let record: Value = serde_json::from_str(&record).unwrap();
        assert_eq!(record["status"], "completed");
        let metrics = sandbox.read(&format!("out/runs/{id}/metrics.jsonl"));
        let metrics = metrics.lines().map(|line| {
            let mut line: Value = serde_json::from_str(line).unwrap();
            without(&mut line, &["time", "seconds", "tokens_per_second"]);
            line
        });
        let mut progress = record["progress"].clone();
        without(&mut progress, &["seconds"]);
        let store = sandbox.path().join(store.replace("RUN", &id));
        let mut stored = BTreeMap::new();
        collect(&store, &store, &mut stored);
        let left = Self {
            adapter: tiny_run::adapter(sandbox),
            metrics: metrics.collect(),
            stored,
            progress,
            record,
        };
        fs::remove_dir_all(sandbox.path().join("out")).unwrap();
        if sandbox.path().join("blobs").exists() {
            fs::remove_dir_all(sandbox.path().join("blobs")).unwrap();
        }
        left
    }

    fn keys(&self) -> Vec<&str> {
        self.stored.keys().map(String::as_str).collect()
    }

    /// What the record says of a plugin: the hash of its library, or that it is linked.
    fn plugin(&self, id: &str) -> &str {
        self.record["fingerprints"]["plugins"][id].as_str().unwrap()
    }
}

fn without(value: &mut Value, names: &[&str]) {
    let map = value.as_object_mut().unwrap();
    for name in names {
        assert!(map.remove(*name).is_some(), "no `{name}` in {map:?}");
    }
}

/// All files below `folder`, by their path from `root`. Those that tell times and ids do so in JSON:
/// there these are left out, and with them the hash of the file that has them.
fn collect(root: &Path, folder: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, found);
            continue;
        }
        let key = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
        let mut bytes = fs::read(&path).unwrap();
        let mut json: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        if key.ends_with("run.json") {
            without(&mut json, &["run", "created"]);
            bytes = json.to_string().into_bytes();
        } else if key.ends_with("manifest.json") {
            json["files"]["run.json"].take();
            bytes = json.to_string().into_bytes();
        }
        found.insert(key, bytes);
    }
}

fn assert_equal(a: &Left, b: &Left) {
    assert_eq!(a.metrics, b.metrics);
    assert_eq!(a.progress, b.progress);
    assert_eq!(a.keys(), b.keys());
    let differing = a.stored.iter().filter(|(key, bytes)| b.stored[*key] != **bytes);
    assert_eq!(differing.map(|(key, _)| key).collect::<Vec<_>>(), Vec::<&String>::new());
    let names = |left: &Left| left.adapter.iter().map(|file| file.0.clone()).collect::<Vec<_>>();
    assert_eq!(names(a), names(b));
    // Not `assert_eq`: nobody wants to read the bytes.
    assert!(a.adapter == b.adapter, "the adapters differ");
}

#[test]
fn a_run_with_plugins_from_libraries_is_the_run_with_the_same_plugins_linked() {
    let sandbox = own_plugins();
    let refused = sandbox.show(&["train", "loaded.yaml"]);
    assert!(refused.starts_with("exit 1\n"), "{refused}");
    assert!(refused.contains("error: loaded.yaml:10:11: "), "{refused}");
    assert!(refused.contains("is not trusted"), "{refused}");
    assert!(refused.contains("hint: if you trust it, run `tinsmith plugins trust "), "{refused}");
    assert!(!sandbox.path().join("out").exists(), "nothing was begun");

    trust(&sandbox);
    let plan = succeeded(&sandbox.run(&["train", "loaded.yaml", "--format", "json"]));
    let plan: Value = serde_json::from_str(plan.lines().next().unwrap()).unwrap();
    assert_eq!(plan["loss_path"], "callback", "the trainer calls the library's loss");
    let loaded = Left::take(&sandbox, "blobs/RUN");
    succeeded(&linked(&sandbox, &["train", "linked.yaml"]));
    let linked = Left::take(&sandbox, "blobs/RUN");

    for id in ["hello-renderer", "focal-loss"] {
        assert_eq!(loaded.plugin(id).len(), 64, "{id} is named by the hash of its library");
        assert_eq!(linked.plugin(id), "built-in 0.3.0");
    }
    assert_equal(&loaded, &linked);
    assert_eq!(loaded.progress["step"], 10);
    let keys = loaded.keys();
    assert!(keys.contains(&"checkpoints%2F000004%2Fmanifest.json"), "the flat storage: {keys:?}");
    assert!(keys.contains(&"checkpoints%2Ffinal%2Fmanifest.json"), "{keys:?}");

    // The comparison would find a difference in the plugins' own arithmetic.
    succeeded(&sandbox.run(&["train", "loaded.yaml", "--set", "training.loss.gamma=0.5"]));
    let other = Left::take(&sandbox, "blobs/RUN");
    assert!(other.adapter[1] != loaded.adapter[1], "another loss gives another adapter");
}

#[test]
fn a_library_renders_the_tokens_that_the_linked_plugin_renders() {
    let sandbox = own_plugins();
    trust(&sandbox);
    let args =
        |config| ["render", "questions.jsonl", "--config", config, "--format", "json"].to_vec();
    let loaded = succeeded(&sandbox.run(&args("loaded.yaml")));
    let linked = succeeded(&linked(&sandbox, &args("linked.yaml")));
    assert_eq!(loaded.lines().count(), 10);
    // The test harness says a word before.
    let start = linked.find('{').unwrap();
    assert_eq!(loaded, linked[start..]);
}

#[test]
fn the_config_of_a_loaded_plugin_is_checked_by_its_own_type_with_file_and_line() {
    let sandbox = own_plugins();
    trust(&sandbox);
    let config = sandbox.read("loaded.yaml");
    for (right, wrong, place, hint) in [
        ("prefix: ", "prefx: ", "bad.yaml:3:", "did you mean `prefix`?"),
        ("gamma: 1.5", "gamma: -1", "bad.yaml:5:", ""),
        ("uri: 'flat://", "uri: 'flat:", "bad.yaml:8:", ""),
    ] {
        sandbox.write("bad.yaml", config.replace(right, wrong));
        let shown = sandbox.show(&["train", "bad.yaml"]);
        assert!(shown.starts_with("exit 2\n"), "{shown}");
        assert!(shown.contains(place) && shown.contains(hint), "{shown}");
    }
}

/// A rebuilt plugin is another plugin: a run that began with the old one does not go on unasked.
#[test]
fn a_run_goes_on_with_the_same_libraries_and_not_with_others() {
    let sandbox = own_plugins();
    let focal = fs::read(library("focal_loss")).unwrap();
    sandbox.write("libfocal.so", &focal);
    let path = library("focal_loss").display().to_string();
    let config = sandbox.read("loaded.yaml").replace(&path, "libfocal.so");
    sandbox.write("loaded.yaml", config);
    trust(&sandbox);
    succeeded(&sandbox.run(&["plugins", "trust", "libfocal.so"]));
    succeeded(&sandbox.run(&["train", "loaded.yaml"]));
    let whole = Left::take(&sandbox, "blobs/RUN");

    let shown = sandbox.show(&["train", "loaded.yaml", "--set", "limits.max_tokens=400"]);
    assert!(shown.starts_with("exit 130\n"), "{shown}");
    let resume = ["train", "--resume", "latest", "--output", "out"];
    let resume = [&resume[..], &["--set", "limits.max_tokens=null"]].concat();
    sandbox.write("libfocal.so", [&focal[..], b"\0"].concat());
    let shown = sandbox.show(&resume);
    assert!(shown.contains("the library has changed since it was trusted"), "{shown}");
    succeeded(&sandbox.run(&["plugins", "trust", "libfocal.so"]));
    let shown = sandbox.show(&resume);
    assert!(shown.starts_with("exit 2\n") && shown.contains("plugin"), "{shown}");
    sandbox.write("libfocal.so", &focal);
    succeeded(&sandbox.run(&["plugins", "trust", "libfocal.so"]));
    succeeded(&sandbox.run(&resume));
    let resumed = Left::take(&sandbox, "blobs/RUN");
    assert!(whole.adapter == resumed.adapter, "the adapters differ");
}

/// The built-in plugins from libraries of their own, in place of the linked ones: whoever names one
/// by hand means it. The trainer, the loss that it calls back, and the storage that it writes to then
/// lie in three libraries.
#[test]
fn the_built_in_plugins_train_alike_from_their_own_libraries() {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tinsmith"));
    tiny_run::write(&sandbox, 8, "training: {batch_size: 2}\ncheckpoint: {every_steps: 2}\n");
    succeeded(&sandbox.run(&["train", "run.yaml"]));
    let linked = Left::take(&sandbox, "out/RUN");
    let libraries = ["local", "chat", "losses", "store_file"];
    let libraries = libraries.map(|name| library(&format!("tinsmith_{name}")));
    let mut args = vec!["train", "run.yaml"];
    for library in &libraries {
        args.extend(["--plugin", library.to_str().unwrap()]);
    }
    let output = sandbox.run(&args);
    succeeded(&output);
    let loaded = Left::take(&sandbox, "out/RUN");
    let said = String::from_utf8_lossy(&output.stderr);
    for id in ["local", "chat", "losses"] {
        assert!(linked.plugin(id).starts_with("built-in "), "{}", linked.plugin(id));
        assert_eq!(loaded.plugin(id).len(), 64, "{id}");
        assert!(said.contains(loaded.plugin(id)), "the user sees the hash of what runs: {said}");
    }
    assert_equal(&loaded, &linked);
    assert!(loaded.keys().iter().any(|key| key.ends_with("final/manifest.json")));
}

/// One line with file and line of the panic, a hint, and a record that says the same: whatever panics,
/// and wherever in the run.
#[test]
fn a_panic_of_a_plugin_ends_the_run_with_one_line() {
    for (section, file, begun) in [
        ("renderer: {name: misbehaving/bad, panic_in: new}", "bad_renderer.rs", false),
        ("renderer: {name: misbehaving/bad, panic_in: render}", "bad_renderer.rs", false),
        ("training: {loss: {name: misbehaving/bad, panic_in: remote}}", "bad_loss.rs", false),
        ("training: {loss: {name: misbehaving/bad, panic_in: evaluate}}", "bad_loss.rs", true),
        ("storage: {name: misbehaving/bad, uri: 'bad:', panic_in: commit}", "bad_store.rs", true),
        ("trainer: {name: misbehaving/bad, panic_in: capabilities}", "bad_trainer.rs", false),
    ] {
        let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tinsmith"));
        tiny_run::write(&sandbox, 4, &format!("{section}\n"));
        let plugin = library("misbehaving");
        let args = ["train", "run.yaml", "-q", "--plugin", plugin.to_str().unwrap()];
        let output = sandbox.run(&args);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{section}: {said}");
        let lines: Vec<&str> = said.lines().filter(|line| !line.is_empty()).collect();
        assert_eq!(lines.len(), 2, "{section}: {said}");
        let place = format!("panicked at tests/plugins/misbehaving/src/{file}:");
        assert!(lines[0].starts_with("error: ") && lines[0].contains(&place), "{said}");
        assert!(lines[1].starts_with("hint: "), "{said}");
        let id = tiny_run::latest(&sandbox);
        assert_eq!(id.is_some(), begun, "{section}: {said}");
        let Some(id) = id else { continue };
        let record: Value =
            serde_json::from_str(&sandbox.read(&format!("out/runs/{id}.json"))).unwrap();
        assert_eq!(record["status"], "failed");
        assert_eq!(record["error"]["kind"], "panic", "{record:#}");
        assert!(record["error"]["message"].as_str().unwrap().contains(&place), "{record:#}");
    }
}
