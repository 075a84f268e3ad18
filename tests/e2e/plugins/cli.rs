//! `tinsmith plugins`, through the binary.

use super::support::{Home, library};
use serde_json::Value;
use std::process::{Command, Output};

/// Runs the binary with a home of its own.
fn tinsmith(home: &Home, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tinsmith"));
    command.args(args).current_dir(home.path()).env("HOME", home.path()).env("NO_COLOR", "1");
    for (variable, folder) in [
        ("XDG_DATA_HOME", "data"),
        ("XDG_DATA_DIRS", "machine"),
        ("XDG_CONFIG_HOME", "config"),
        ("XDG_CACHE_HOME", "cache"),
    ] {
        command.env(variable, home.path().join(folder));
    }
    command.env_remove("TINSMITH_PLUGIN_PATH").env_remove("MISBEHAVING_ABORTS");
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn listed(home: &Home, args: &[&str]) -> Vec<Value> {
    let output = tinsmith(home, &[&["plugins", "list", "--format", "json"], args].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn list_shows_the_built_ins() {
    let home = Home::new();
    let ids: Vec<Value> = listed(&home, &[]).into_iter().map(|entry| entry["id"].clone()).collect();
    assert_eq!(ids, ["chat", "local", "losses", "store-file", "tinker"]);
    let output = tinsmith(&home, &["plugins", "list"]);
    let table = text(&output.stdout);
    assert!(table.starts_with("ID          VERSION"), "{table}");
    assert!(table.contains("trainer: local") && table.contains("built in"), "{table}");
}

/// Manifests alone: the library is no library at all, and is not missed.
#[test]
fn list_runs_no_code_and_opens_no_library() {
    let home = Home::new();
    let manifest = "id = \"other\"\nversion = \"1.2.3\"\napi = \"0.1.0\"\nabi = 2\n\
                    library = \"libother.so\"\n[provides]\ntrainers = [\"big\"]\n";
    home.file("data/tinsmith/plugins/other/plugin.toml", manifest.as_bytes());
    home.file("data/tinsmith/plugins/broken/plugin.toml", b"id = ");
    let entries = listed(&home, &[]);
    let state = |id: &str| {
        let entry = entries.iter().find(|entry| entry["id"] == id).unwrap();
        entry["state"].as_str().unwrap().to_owned()
    };
    assert!(state("other").contains("not trusted"), "{}", state("other"));
    assert!(entries.iter().any(|entry| entry["path"].as_str().unwrap_or("").ends_with("broken")));
    // What stands in the current folder is not looked at.
    home.file("libtinsmith_evil.so", b"never opened");
    home.file("plugins/evil/plugin.toml", manifest.replace("other", "evil").as_bytes());
    assert_eq!(listed(&home, &[]).len(), entries.len());
}

#[test]
fn add_installs_trusts_and_replaces() {
    let home = Home::new();
    let path = library("hello_renderer");
    let path = path.to_str().unwrap();
    let output = tinsmith(&home, &["plugins", "add", path]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("sha256"), "{}", text(&output.stderr));
    let installed = text(&output.stdout);
    assert!(
        installed.trim().ends_with("data/tinsmith/plugins/hello-renderer/libhello_renderer.so")
    );
    let entries = listed(&home, &[]);
    assert_eq!(
        (&entries[0]["id"], &entries[0]["state"]),
        (&"hello-renderer".into(), &"ready".into())
    );

    let again = tinsmith(&home, &["plugins", "add", path]);
    assert_eq!(again.status.code(), Some(1));
    assert!(text(&again.stderr).contains("installed already"), "{}", text(&again.stderr));
    assert!(text(&again.stderr).contains("hint: add `--replace`"), "{}", text(&again.stderr));
    assert!(tinsmith(&home, &["plugins", "add", "--replace", path]).status.success());

    let shown = tinsmith(&home, &["plugins", "show", "hello-renderer"]);
    let shown = text(&shown.stdout);
    assert!(shown.contains("renderer `hello`") && shown.contains("prefix"), "{shown}");
    assert!(shown.contains("Text put before every question."), "{shown}");
}

/// Installed beside the built-in one, both would be unusable.
#[test]
fn add_refuses_the_id_of_a_built_in_plugin() {
    let home = Home::new();
    let path = library("tinsmith_chat");
    let output = tinsmith(&home, &["plugins", "add", "--replace", path.to_str().unwrap()]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("error: plugin `chat` is built in"), "{said}");
    assert!(said.contains("hint: ") && said.contains("`--plugin"), "{said}");
    let entries = listed(&home, &[]);
    assert!(entries.iter().all(|entry| entry["state"] == "ready"), "{entries:?}");
}

#[test]
fn check_reports_what_a_plugin_says() {
    let home = Home::new();
    let path = library("misbehaving");
    let output = tinsmith(&home, &["plugins", "check", path.to_str().unwrap(), "--format", "json"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let facts: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(facts["id"], "misbehaving");
    assert_eq!(facts["provides"].as_array().unwrap().len(), 4);
    assert!(facts["rustc"].as_str().unwrap().starts_with("rustc "), "{facts}");
}

#[test]
fn check_turns_a_crash_into_a_report() {
    let home = Home::new();
    let path = library("misbehaving");
    let mut command = Command::new(env!("CARGO_BIN_EXE_tinsmith"));
    command.args(["plugins", "check"]).arg(&path).env("MISBEHAVING_ABORTS", "1");
    let output = command.env("XDG_CACHE_HOME", home.path().join("cache")).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("the plugin ended the process with SIGABRT"), "{said}");
    assert!(said.contains("hint:"), "{said}");
}

#[test]
fn bad_files_give_one_line_and_a_hint() {
    let home = Home::new();
    let bad = home.file("libtext.so", b"no library");
    for command in ["check", "add", "trust"] {
        let output = tinsmith(&home, &["plugins", command, bad.to_str().unwrap()]);
        if command == "trust" {
            // Trust is about the file; whether it is a plugin shows when it is used.
            assert!(output.status.success(), "{}", text(&output.stderr));
            continue;
        }
        assert_eq!(output.status.code(), Some(1));
        let said = text(&output.stderr);
        let lines: Vec<&str> = said.lines().filter(|line| !line.is_empty()).collect();
        assert_eq!(lines.len(), 2, "{said}");
        assert!(lines[0].starts_with("error: ") && lines[0].contains("libtext.so"), "{said}");
        assert!(lines[1].starts_with("hint: "), "{said}");
    }
}

#[test]
fn an_unknown_plugin_is_a_usage_error() {
    let home = Home::new();
    let output = tinsmith(&home, &["plugins", "show", "chatt"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("did you mean `chat`?"), "{}", text(&output.stderr));
}
