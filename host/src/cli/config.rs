//! `tinsmith config show|schema|init`.

use super::{
    Ui,
    args::{ConfigCommand, ConfigInitArgs, ConfigShowArgs, Format, Template},
};
use crate::{Error, Result, config, env};
use serde_json::{Map, Value, json};
use std::{fs, io::Write, path::Path};

/// The commented configs that `config init` writes.
const MINIMAL: &str = include_str!("minimal.yaml");
const FULL: &str = include_str!("../../../configs/training.yaml");

/// Runs the command.
pub fn run(command: &ConfigCommand, ui: &Ui) -> Result<()> {
    match command {
        ConfigCommand::Show(args) => show(args, ui),
        ConfigCommand::Schema => ui.json(&config::schema()),
        ConfigCommand::Init(args) => init(args, ui),
    }
}

fn show(args: &ConfigShowArgs, ui: &Ui) -> Result<()> {
    let path = args.config.clone().or_else(env::config).ok_or_else(|| {
        Error::usage("no config is named")
            .hint("name one, or write a first one with `tinsmith config init run.yaml`")
    })?;
    let loaded = config::load(&path, &args.set.set)?;
    match args.format.format {
        Format::Table => ui.data(loaded.show()),
        Format::Json => {
            let origins = loaded.origins().into_iter().map(|(key, from)| (key, from.into()));
            let origins: Map<String, Value> = origins.collect();
            ui.json(&json!({ "config": loaded.resolved_json(), "origins": origins }))
        }
    }
}

fn init(args: &ConfigInitArgs, ui: &Ui) -> Result<()> {
    let text = match args.template {
        Template::Minimal => MINIMAL.to_owned(),
        // The full config of the repository runs there, on the quickstart's own files.
        Template::Full => {
            FULL.replace("quickstart/base", "base").replace("quickstart/train.jsonl", "chats.jsonl")
        }
    };
    match args.file.as_deref() {
        None => ui.data(text),
        Some(path) if path == Path::new("-") => ui.data(text),
        Some(path) => {
            write_new(path, &text)?;
            ui.info(format_args!("wrote `{}`", path.display()));
            ui.hint(format_args!(
                "set `model.base_model` and `datasets`, then `tinsmith train {} --dry-run`",
                path.display()
            ));
            Ok(())
        }
    }
}

/// Writes a file that must not exist, whole or not at all.
fn write_new(path: &Path, text: &str) -> Result<()> {
    let failed = |e: &std::io::Error| Error::io("write", path, e);
    let extension = path.extension().and_then(|e| e.to_str());
    if !matches!(extension, Some("yaml" | "yml")) {
        return Err(Error::usage(format!("`{}` is not named as YAML", path.display()))
            .hint("name it `.yaml`"));
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(|e| failed(&e))?;
    file.write_all(text.as_bytes()).map_err(|e| failed(&e))?;
    file.as_file().sync_all().map_err(|e| failed(&e))?;
    let file = file.persist_noclobber(path).map_err(|e| match e.error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            Error::usage(format!("`{}` exists already and is left as it is", path.display()))
                .hint("choose another name")
        }
        _ => failed(&e.error),
    })?;
    drop(file);
    fs::File::open(folder).and_then(|f| f.sync_all()).map_err(|e| failed(&e))
}
