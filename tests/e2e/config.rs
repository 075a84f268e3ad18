//! Configs without a fault: what is read, what lies over what, and what the tool prints of it.

#![allow(clippy::unwrap_used)] // A panic is how a test fails.

use serde_json::{Value, json};
use std::{fs, path::Path};
use tinsmith::config::{self, Config, PluginRef};
use tinsmith_test_support::cli::Sandbox;

const BASE: &str = "model: {base_model: ./base}\ndatasets: [{path: chats.jsonl}]\n";

fn sandbox() -> Sandbox {
    Sandbox::new(env!("CARGO_BIN_EXE_tinsmith"))
}

#[test]
fn sets_lie_over_the_file_and_say_so() {
    let sandbox = sandbox();
    sandbox.write("run.yaml", format!("{BASE}renderer: chatml\n"));
    let shown = sandbox.show(&[
        "config",
        "show",
        "run.yaml",
        "--format",
        "json",
        "--set",
        "renderer.prefix=x",
        "--set",
        "optimizer.learning_rate=2e-4",
        "--set",
        "datasets.0.path=other.jsonl",
    ]);
    let value: Value = serde_json::from_str(shown.split_once("stdout\n").unwrap().1).unwrap();
    assert_eq!(value["config"]["renderer"], json!({"name": "chatml", "prefix": "x"}));
    assert_eq!(value["config"]["optimizer"]["learning_rate"], 2e-4);
    // A path typed at the prompt is relative to the current folder, whatever the config's is.
    assert_eq!(value["config"]["datasets"][0]["path"], "[DIR]/other.jsonl");
    assert_eq!(value["origins"]["model.base_model"], "run.yaml:1:21");
    assert_eq!(value["origins"]["renderer.prefix"], "--set renderer.prefix=x");
    assert!(value["origins"].get("lora.rank").is_none());
}

#[test]
fn flag_then_environment_then_file_then_default() {
    let mut sandbox = sandbox();
    sandbox.write("run.yaml", format!("{BASE}output: from-file\n"));
    let output = |sandbox: &Sandbox, more: &[&str]| {
        let args = [&["config", "show", "run.yaml"], more].concat();
        let shown = sandbox.show(&args);
        let line = shown.lines().find(|l| l.starts_with("output:")).unwrap().to_owned();
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(output(&sandbox, &[]), "output: from-file # run.yaml:3:9");
    sandbox.env("TINSMITH_OUTPUT", "from-env");
    assert_eq!(output(&sandbox, &[]), "output: [DIR]/from-env # TINSMITH_OUTPUT");
    assert_eq!(
        output(&sandbox, &["--set", "output=from-flag"]),
        "output: [DIR]/from-flag # --set output=from-flag"
    );
    sandbox.env("TINSMITH_CONFIG", "run.yaml");
    assert!(sandbox.show(&["config", "show"]).starts_with("exit 0\n"));
}

/// Every way in which a config can spell a secret out, and every command that could tell it.
#[test]
fn a_secret_that_is_spelled_out_is_refused_and_never_told() {
    let sandbox = sandbox();
    let secrets = ["hunter2hunter2", "tml-0123456789abcdef"];
    let sections = [
        "trainer: {name: remote, api_key: hunter2hunter2}\n",
        "trainer: {name: remote, other: tml-0123456789abcdef}\n",
        "storage: {name: s3, uri: 's3://me:hunter2hunter2@host/x'}\n",
        "renderer: {name: chatml, deep: [{password: hunter2hunter2}]}\n",
    ];
    for section in sections {
        sandbox.write("run.yaml", format!("{BASE}{section}"));
        for format in ["table", "json"] {
            let shown = sandbox.show(&["config", "show", "run.yaml", "--format", format]);
            assert!(shown.starts_with("exit 2\n") && shown.contains("run.yaml:3:"), "{shown}");
            assert!(shown.contains("a secret must not stand in a config"), "{shown}");
            assert!(shown.contains("{env: NAME}"), "{shown}");
            assert!(!secrets.iter().any(|s| shown.contains(s)), "{shown}");
        }
    }
    sandbox.write("run.yaml", BASE);
    for set in [
        "trainer.api_key=hunter2hunter2",
        "trainer={name: remote, api_key: hunter2hunter2}",
        "trainer.api_key.deep=tml-0123456789abcdef",
        "optimizer.learning_rate=tml-0123456789abcdef",
        "lora.tml-0123456789abcdef=1",
        "tml-0123456789abcdef",
    ] {
        for args in [&["config", "show", "run.yaml"][..], &["train", "run.yaml"]] {
            let shown = sandbox.show(&[args, &["--set", set]].concat());
            assert!(shown.starts_with("exit 2\n"), "{set}: {shown}");
            assert!(!secrets.iter().any(|s| shown.contains(s)), "{set}: {shown}");
        }
    }
}

#[test]
fn references_to_secrets_and_words_that_look_like_some_are_kept() {
    let sandbox = sandbox();
    let text = "model: {base_model: hf_downloads/base, tokenizer: sk-tokens-2026/of-mine}\n\
        datasets: [{path: tml-data-2026-11-26.jsonl}]\n\
        trainer: {name: remote, api_key: {env: MY_KEY}, token: <eot>}\n";
    sandbox.write("run.yaml", text);
    let shown = sandbox.show(&["config", "show", "run.yaml"]);
    assert!(shown.starts_with("exit 0\n") && !shown.contains("***"), "{shown}");
    for kept in ["hf_downloads/base", "of-mine", "tml-data-2026-11-26.jsonl", "MY_KEY", "<eot>"] {
        assert!(shown.contains(kept), "{kept}: {shown}");
    }
}

#[test]
fn byte_order_marks_and_carriage_returns_do_not_matter() {
    let plain = format!("{BASE}lora: {{rank: 3}}\n");
    let dos = format!("\u{feff}{}", plain.replace('\n', "\r\n"));
    let toml =
        "[model]\nbase_model = './base'\n[[datasets]]\npath = 'chats.jsonl'\n[lora]\nrank = 3\n";
    let dos_toml = format!("\u{feff}{}", toml.replace('\n', "\r\n"));
    let sandbox = sandbox();
    sandbox.write("a.yaml", plain).write("b.yaml", dos).write("c.toml", toml);
    sandbox.write("d.toml", dos_toml);
    let load = |name: &str| config::load(&sandbox.path().join(name), &[]).unwrap();
    let expected = load("a.yaml").config;
    for name in ["b.yaml", "c.toml", "d.toml"] {
        assert_eq!(load(name).config, expected, "{name}");
    }
    assert_eq!(load("b.yaml").origin("lora.rank").unwrap().rsplit('/').next(), Some("b.yaml:3:14"));
    assert_eq!(load("d.toml").origin("lora.rank").unwrap().rsplit('/').next(), Some("d.toml:6:8"));
}

#[test]
fn anchors_json_and_sections_without_keys_are_read() {
    let sandbox = sandbox();
    sandbox.write(
        "anchors.yaml",
        "model: {base_model: &base ./base, tokenizer: *base}\ndatasets: [&set {path: a}, *set]\n\
         lora:\n  # rank: 8\noptimizer:\nplugins:\nrenderer:\n",
    );
    sandbox.write(
        "run.json",
        r#"{"model": {"base_model": "./base", "tokenizer": "./base"},
            "datasets": [{"path": "a"}, {"path": "a"}]}"#,
    );
    let load = |name: &str| config::load(&sandbox.path().join(name), &[]).unwrap().config;
    assert_eq!(load("anchors.yaml"), load("run.json"));
}

/// A plugin reports its own field; the host tells the place in the file.
#[test]
fn plugin_errors_get_their_place() {
    let sandbox = sandbox();
    sandbox.write("run.yaml", format!("{BASE}renderer:\n  name: chatml\n  prefix: 7\n"));
    let path = sandbox.path().join("run.yaml");
    let loaded = config::load(&path, &["trainer.x=1".into()]).unwrap();
    let error = || -> tinsmith::Error {
        tinsmith_plugin_api::Error::config("must be text").at("prefix").into()
    };
    for section in ["renderer", "renderer.prefix"] {
        let told = loaded.error_at(section, error()).to_string();
        assert_eq!(told, format!("{}:5:11: `renderer.prefix`: must be text", path.display()));
    }
    let absent = tinsmith_plugin_api::Error::config("missing").at("other").into();
    let told = loaded.error_at("renderer", absent).to_string();
    assert_eq!(told, format!("{}:3:1: `renderer.other`: missing", path.display()));
    let set = loaded.error_at("trainer", tinsmith::Error::usage("no").field("x")).to_string();
    assert_eq!(set, "`--set trainer.x=1`: `trainer.x`: no");
}

fn configs() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../configs"))
}

/// The full config names every key that exists, and no value in it differs from the default but
/// those that have none and the held-out part that its comments explain.
#[test]
fn the_full_config_is_complete_and_true() {
    let loaded = config::load(&configs().join("training.yaml"), &[]).unwrap();
    for key in config::keys() {
        let path = key.path.replace("[]", "[0]");
        assert!(loaded.origin(&path).is_some(), "`{path}` is not in configs/training.yaml");
    }
    let minimal = json!({
        "model": loaded.config.model,
        "datasets": [{"path": loaded.config.datasets[0].path}],
    });
    let mut expected: Config = serde_json::from_value(minimal).unwrap();
    expected.data.eval = loaded.config.data.eval.clone();
    expected.eval.checks = Some(config::Checks::default());
    expected.serve = Some(config::Serve::default());
    assert_eq!(loaded.config, expected);
    assert_eq!(expected.renderer, PluginRef::new("auto"));
}

#[test]
fn every_config_of_the_repository_loads() {
    let mut found = 0;
    for entry in fs::read_dir(configs()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            config::load(&path, &[]).unwrap_or_else(|e| panic!("{e}"));
            found += 1;
        }
    }
    assert!(found >= 2);
}

/// What `config init` writes loads, and an existing file is left alone.
#[test]
fn init_writes_a_config_that_loads_and_never_overwrites() {
    let sandbox = sandbox();
    for template in ["minimal", "full"] {
        let name = format!("{template}.yaml");
        let said = sandbox.show(&["config", "init", &name, "--template", template]);
        assert_eq!(
            said,
            format!(
                "exit 0\n--- stderr\nwrote `{name}`\n\nhint: set `model.base_model` and \
                 `datasets`, then `tinsmith train {name} --dry-run`\n"
            )
        );
        let loaded = config::load(&sandbox.path().join(&name), &[]).unwrap();
        assert!(loaded.config.model.base_model.ends_with("base"));
        assert_eq!(loaded.config.datasets[0].path, "chats.jsonl");
        let printed = sandbox.run(&["config", "init", "--template", template]).stdout;
        assert_eq!(String::from_utf8(printed).unwrap(), sandbox.read(&name));
    }
    sandbox.write("mine.yaml", "mine");
    assert_eq!(
        sandbox.show(&["config", "init", "mine.yaml"]),
        "exit 2\n--- stderr\nerror: `mine.yaml` exists already and is left as it is\n\n\
         hint: choose another name\n"
    );
    assert_eq!(sandbox.read("mine.yaml"), "mine");
    let files: Vec<_> = fs::read_dir(sandbox.path()).unwrap().collect();
    assert_eq!(files.len(), 3, "nothing half-written remains");
}

/// The schema that editors get describes what is read: draft 2020-12, closed sections, the two keys
/// that must be given.
#[test]
fn the_schema_is_a_schema() {
    let printed = sandbox().run(&["config", "schema"]);
    let schema: Value = serde_json::from_slice(&printed.stdout).unwrap();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(schema["required"], json!(["model", "datasets"]));
    assert_eq!(schema["additionalProperties"], json!(false));
    assert!(config::keys().iter().all(|k| !k.doc.is_empty()), "each key is documented");
}

/// The fenced blocks of a language in a page.
fn fences(page: &str, language: &str) -> Vec<String> {
    let open = format!("```{language}\n");
    page.split(&open).skip(1).map(|rest| rest.split("```").next().unwrap().into()).collect()
}

fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Every block of YAML in the documentation is a config, or sections of one.
#[test]
fn the_examples_of_the_documentation_load() {
    let mut pages = vec![repository().join("README.md")];
    for folder in ["docs", "plugins"] {
        for entry in fs::read_dir(repository().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            pages.push(if path.is_dir() { path.join("README.md") } else { path });
        }
    }
    let sandbox = sandbox();
    let mut found = 0;
    for page in pages {
        let Ok(text) = fs::read_to_string(&page) else { continue };
        // One block may show two ways to say it.
        for example in fences(&text, "yaml").iter().flat_map(|block| block.split("# or\n")) {
            let mut config = example.to_owned();
            for line in BASE.lines() {
                let key = line.split_once(' ').unwrap().0;
                if !config.lines().any(|l| l.starts_with(key)) {
                    config = format!("{line}\n{config}");
                }
            }
            sandbox.write("example.yaml", config);
            let loaded = config::load(&sandbox.path().join("example.yaml"), &[]);
            loaded.unwrap_or_else(|e| panic!("{}: {e}\n{example}", page.display()));
            found += 1;
        }
    }
    assert!(found >= 8, "{found}");
}

/// What `docs/config.md` shows as printed is printed.
#[test]
fn the_page_shows_what_is_printed() {
    let page = fs::read_to_string(repository().join("docs/config.md")).unwrap();
    let sandbox = sandbox();
    sandbox.write("run.toml", &fences(&page, "toml")[0]).write("run.yaml", BASE);
    config::load(&sandbox.path().join("run.toml"), &[]).unwrap();

    let shown = sandbox.show(&["config", "show", "run.yaml", "--set", "lora.rank=8"]);
    let command = "$ tinsmith config show run.yaml --set lora.rank=8 | head -5\n";
    let printed = page.split(command).nth(1).unwrap().split("```").next().unwrap();
    assert!(shown.contains(printed), "{shown}");

    sandbox.write("run.yaml", format!("{BASE}lora:\n  rnak: 8\n"));
    let shown = sandbox.show(&["config", "show", "run.yaml"]);
    assert_eq!(shown, format!("exit 2\n--- stderr\n{}", fences(&page, "text")[0]));
}
