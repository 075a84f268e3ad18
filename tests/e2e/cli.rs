//! How the tool speaks: what goes to stdout and what to stderr, exit codes, colour, pipes that
//! close. The expected texts are written by hand.

#![allow(clippy::unwrap_used)] // A panic is how a test fails.

use clap::Parser;
use std::{
    fs,
    io::Read,
    path::Path,
    process::{Command, Stdio},
};
use tinsmith::cli::Cli;
use tinsmith_test_support::cli::Sandbox;

fn sandbox() -> Sandbox {
    Sandbox::new(env!("CARGO_BIN_EXE_tinsmith"))
}

const CONFIG: &str = "model: {base_model: ./base}\ndatasets: [{path: chats.jsonl}]\n";

#[test]
fn help_is_data_and_names_every_command() {
    let shown = sandbox().show(&["--help"]);
    assert!(shown.starts_with("exit 0\n--- stdout\nChat JSONL to a trained LoRA adapter\n"));
    assert!(!shown.contains("--- stderr"));
    for command in [
        "train",
        "upload",
        "status",
        "download",
        "render",
        "data",
        "sample",
        "plugins",
        "config",
        "completions",
    ] {
        assert!(shown.contains(&format!("\n  {command} ")), "{command} is missing");
    }
    assert!(sandbox().show(&["--version"]).starts_with("exit 0\n--- stdout\ntinsmith 0."));
}

#[test]
fn wrong_command_lines_are_usage_errors_on_stderr() {
    for args in [
        &[][..],
        &["trian"],
        &["train", "--no-such-flag"],
        &["status", "--format", "xml"],
        &["render"],
        &["--threads", "0", "config", "schema"],
        &["-v", "-q", "config", "schema"],
        &["train", "a.yaml", "--accept-changes"],
    ] {
        let output = sandbox().run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(output.stdout.is_empty(), "{args:?}");
        assert!(!output.stderr.is_empty(), "{args:?}");
    }
    let shown = sandbox().show(&["trian"]);
    assert!(shown.contains("error: unrecognized subcommand 'trian'"), "{shown}");
    assert!(shown.contains("'train'"), "{shown}");
}

#[test]
fn bad_variables_are_usage_errors() {
    for (name, value, expected) in [
        (
            "TINSMITH_THREADS",
            "many",
            "environment: `TINSMITH_THREADS` must be a number from 1 to 4096, not `many`",
        ),
        (
            "TINSMITH_LOG",
            "loud",
            "environment: `TINSMITH_LOG` must be quiet, normal, verbose or debug, not `loud`",
        ),
    ] {
        let mut sandbox = sandbox();
        sandbox.env(name, value);
        let shown = sandbox.show(&["config", "schema"]);
        assert_eq!(shown, format!("exit 2\n--- stderr\nerror: {expected}\n"));
    }
    // Empty counts as unset.
    let mut sandbox = sandbox();
    sandbox.env("TINSMITH_THREADS", "").env("TINSMITH_OUTPUT", "");
    sandbox.write("run.yaml", CONFIG);
    let shown = sandbox.show(&["config", "show", "run.yaml"]);
    assert!(shown.starts_with("exit 0\n") && shown.contains("output: null"), "{shown}");
}

#[test]
fn colour_follows_the_flag_and_never_a_pipe() {
    let sandbox = sandbox();
    let plain = sandbox.show(&["config", "show"]);
    let expected = "exit 2\n--- stderr\nerror: no config is named\n\n\
        hint: name one, or write a first one with `tinsmith config init run.yaml`\n";
    assert_eq!(plain, expected);
    let coloured = sandbox.show(&["config", "show", "--color", "always"]);
    assert!(coloured.contains("\u{1b}[1;31merror:\u{1b}[0m"), "{coloured:?}");
    let mut parts = coloured.split('\u{1b}');
    let mut text = parts.next().unwrap().to_owned();
    text.extend(parts.map(|part| part.split_once('m').unwrap().1));
    assert_eq!(text, expected, "colour carries no meaning of its own");
}

#[test]
fn quiet_leaves_errors_and_data() {
    let sandbox = sandbox();
    assert_eq!(sandbox.show(&["-q", "config", "init", "a.yaml"]), "exit 0\n");
    assert!(sandbox.show(&["-q", "config", "init", "a.yaml"]).contains("error: "));
    assert!(sandbox.show(&["-q", "config", "init"]).contains("base_model"));
}

/// A reader that goes away is no failure, and nothing is said about it.
#[test]
fn a_closed_pipe_is_no_error() {
    let sandbox = sandbox();
    let mut child = sandbox
        .command(&["config", "schema"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(said, "");
}

/// Without stdout and stderr at all the exit code still tells.
#[cfg(unix)]
#[test]
fn closed_streams_do_not_change_the_exit_code() {
    let run = |redirect: &str, args: &str| {
        let line = format!("exec \"$0\" {args} {redirect}");
        let binary = env!("CARGO_BIN_EXE_tinsmith");
        Command::new("sh").args(["-c", &line, binary]).status().unwrap().code()
    };
    assert_eq!(run(">&- 2>&-", "config show absent.yaml"), Some(2));
    assert_eq!(run("2>&-", "--help >/dev/null"), Some(0));
}

/// A full disk under stdout is a failure: data must not vanish silently.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_under_stdout_is_a_failure() {
    let sandbox = sandbox();
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = sandbox.command(&["config", "schema"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("error: write to stdout: No space left on device"), "{said}");
}

/// The scripts are clap's; that they name this tool's own words is ours.
#[test]
fn completions_are_printed_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = sandbox().run(&["completions", shell]);
        assert!(output.status.success(), "{shell}");
        let script = String::from_utf8(output.stdout).unwrap();
        assert!(script.contains("tinsmith") && script.contains("train-on"), "{shell}");
    }
}

/// The words of a line of shell, up to a comment, a pipe or a redirection.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for c in line.chars() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, '#' | '|' | '>' | ';') if word.is_empty() => return words,
            (None, c) if c.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            (_, c) => word.push(c),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// Every command that the documentation shows is one, with flags that exist.
#[test]
fn the_commands_of_the_documentation_parse() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let mut pages = vec![root.join("README.md"), root.join("CONTRIBUTING.md")];
    for folder in ["docs", "plugins"] {
        for entry in fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            pages.push(if path.is_dir() { path.join("README.md") } else { path });
        }
    }
    let mut found = 0;
    for page in pages {
        let Ok(text) = fs::read_to_string(&page) else { continue };
        let text = text.replace("cargo run --release --", "tinsmith");
        let shown = text.split("```console\n").skip(1).filter_map(|rest| rest.split("```").next());
        for line in shown.flat_map(str::lines) {
            let line = line.trim_start_matches("$ ");
            if !line.starts_with("tinsmith ") {
                continue;
            }
            if let Err(e) = Cli::try_parse_from(words(line)) {
                panic!("{}: {line}\n{e}", page.display());
            }
            found += 1;
        }
    }
    assert!(found >= 10, "{found}");
}
