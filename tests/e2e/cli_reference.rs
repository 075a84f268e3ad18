/*!
The pages under `docs/reference/` are made from the code that they describe: the command line from
clap's tree, the config from its JSON Schema, the environment from its table. This test makes them
anew and compares; `TINSMITH_BLESS=1 cargo test -p tinsmith --test cli_reference` writes them.
*/

#![allow(clippy::unwrap_used)] // A panic is how a test fails.

use clap::{Arg, Command, CommandFactory};
use std::{fmt::Write, fs, path::Path};
use tinsmith::{cli::Cli, config, env};

const MADE: &str =
    "<!-- Made by tests/e2e/cli_reference.rs; TINSMITH_BLESS=1 cargo test writes it anew. -->\n";

#[track_caller]
fn check(name: &str, page: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference").join(name);
    if std::env::var_os("TINSMITH_BLESS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, page).unwrap();
    }
    let on_disk = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        on_disk == page,
        "docs/reference/{name} is out of date: run TINSMITH_BLESS=1 cargo test -p tinsmith --test cli_reference"
    );
}

/// Text within a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

#[test]
fn cli_page() {
    let mut page = format!("# Command line\n\n{MADE}\n");
    let mut root = Cli::command();
    root.build();
    let about = root.get_about().map(ToString::to_string).unwrap_or_default();
    let _ = writeln!(
        page,
        "{about}.\n\nData goes to stdout, everything else to stderr. Exit codes: 0 done, 1 failed, \
         2 usage, 3 data rejected, 130 interrupted (a checkpoint was saved).\n"
    );
    let _ = writeln!(page, "## Flags of every command\n");
    let global: Vec<&Arg> =
        root.get_arguments().filter(|a| a.is_global_set() && a.get_id() != "help").collect();
    arguments(&mut page, &global);
    for command in root.get_subcommands() {
        section(&mut page, command, "tinsmith");
    }
    check("cli.md", &page);
}

fn section(page: &mut String, command: &Command, parent: &str) {
    let name = format!("{parent} {}", command.get_name());
    let subcommands: Vec<&Command> = command.get_subcommands().collect();
    if !subcommands.is_empty() {
        for subcommand in subcommands {
            section(page, subcommand, &name);
        }
        return;
    }
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let own: Vec<&Arg> =
        command.get_arguments().filter(|a| !a.is_global_set() && !a.is_hide_set()).collect();
    let mut usage = name.clone();
    for argument in own.iter().filter(|a| a.is_positional()) {
        let value = value_name(argument);
        let many =
            if argument.get_num_args().is_some_and(|n| n.max_values() > 1) { "…" } else { "" };
        let _ = match argument.is_required_set() {
            true => write!(usage, " {value}{many}"),
            false => write!(usage, " [{value}{many}]"),
        };
    }
    let _ = writeln!(page, "## {name}\n\n{about}.\n\n```text\n{usage} [flags]\n```\n");
    if !own.is_empty() {
        arguments(page, &own);
    }
}

fn value_name(argument: &Arg) -> String {
    argument.get_value_names().map_or(String::new(), |names| {
        names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    })
}

fn arguments(page: &mut String, arguments: &[&Arg]) {
    page.push_str("| argument | what it does | default |\n|---|---|---|\n");
    for argument in arguments {
        let value = value_name(argument);
        let takes = argument.get_action().takes_values();
        let mut names = Vec::new();
        if let Some(short) = argument.get_short() {
            names.push(format!("-{short}"));
        }
        if let Some(long) = argument.get_long() {
            names.push(format!("--{long}"));
        }
        let mut name = names.join(", ");
        if argument.is_positional() {
            name.push_str(&value);
        } else if takes {
            let _ = write!(name, " {value}");
        }
        let mut help = argument.get_help().map(ToString::to_string).unwrap_or_default();
        let words: Vec<String> = argument
            .get_possible_values()
            .iter()
            .filter(|v| !v.is_hide_set())
            .map(|v| match v.get_help() {
                Some(help) => format!("`{}` ({})", v.get_name(), lower(&help.to_string())),
                None => format!("`{}`", v.get_name()),
            })
            .collect();
        // A switch's words are clap's own `true` and `false`.
        if takes && !words.is_empty() {
            let _ = write!(help, ": {}", words.join(", "));
        }
        let (help, in_help) = match help.split_once(" [default: ") {
            Some((help, default)) => {
                (help.to_owned(), Some(default.trim_end_matches(']').to_owned()))
            }
            None => (help, None),
        };
        let defaults: Vec<String> = argument
            .get_default_values()
            .iter()
            .map(|v| v.to_string_lossy().into_owned())
            .collect();
        let default = match (in_help, takes && !defaults.is_empty()) {
            (Some(text), _) => text,
            (None, true) => format!("`{}`", defaults.join(" ")),
            (None, false) => String::new(),
        };
        let _ = writeln!(page, "| `{}` | {} | {} |", cell(&name), cell(&help), cell(&default));
    }
    page.push('\n');
}

/// Lower-case at the start, unless the word is a name in capitals.
fn lower(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_lowercase().chain(letters).collect(),
        None => String::new(),
    }
}

#[test]
fn config_page() {
    let mut page = format!("# Config keys\n\n{MADE}\n");
    page.push_str(
        "Every key, what it takes and its default. `docs/config.md` explains how a config is \
         written; `configs/training.yaml` has all keys in place.\n",
    );
    let keys = config::keys();
    table(&mut page, "At the root", &keys, "");
    for section in keys.iter().filter(|k| k.section) {
        let items = keys.iter().any(|k| k.path.starts_with(&format!("{}[].", section.path)));
        let prefix =
            if items { format!("{}[].", section.path) } else { format!("{}.", section.path) };
        table(&mut page, &format!("`{}`", prefix.trim_end_matches('.')), &keys, &prefix);
    }
    check("config.md", &page);
}

fn table(page: &mut String, title: &str, keys: &[config::Key], prefix: &str) {
    let own: Vec<&config::Key> = keys
        .iter()
        .filter(|k| {
            k.path.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty() && !rest.contains('.'))
        })
        .collect();
    if own.is_empty() {
        return;
    }
    let _ =
        writeln!(page, "\n## {title}\n\n| key | takes | default | meaning |\n|---|---|---|---|");
    for key in own {
        let default = match (&key.default, key.required) {
            (_, true) => "must be given".to_owned(),
            (Some(value), _) if value.is_object() || value.is_null() => match value.get("name") {
                Some(name) if key.kind == "plugin" => {
                    format!("`{}`", name.as_str().unwrap_or_default())
                }
                _ => String::new(),
            },
            (Some(serde_json::Value::String(text)), _) => format!("`{text}`"),
            (Some(value), _) => format!("`{value}`"),
            (None, _) => String::new(),
        };
        let name = key.path.strip_prefix(prefix).unwrap_or(&key.path);
        let kind = key.kind.as_str();
        let _ = writeln!(page, "| `{name}` | {} | {default} | {} |", cell(kind), cell(&key.doc));
    }
}

#[test]
fn env_page() {
    let mut page = format!("# Environment variables\n\n{MADE}\n");
    page.push_str(
        "Variables named `TINSMITH_*` stand between the command line and the config: flag, then \
         environment, then file, then default. An empty variable counts as unset.\n\n\
         | variable | what it does | flag before it | key after it | since |\n|---|---|---|---|---|\n",
    );
    let code = |text: Option<&str>| text.map_or(String::new(), |t| format!("`{t}`"));
    for v in env::ALL {
        let (flag, key) = (code(v.flag), code(v.key));
        let _ = writeln!(page, "| `{}` | {} | {flag} | {key} | {} |", v.name, cell(v.doc), v.since);
    }
    check("env.md", &page);
}
