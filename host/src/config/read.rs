//! A file's bytes into the positioned tree.

use super::{toml, tree::Node, yaml};
use crate::{Error, Result, error::Place};
use std::{fs, io::Read, path::Path};

/// No config is larger; a dataset given by mistake is.
const MAX_BYTES: u64 = 1 << 20;

/// Reads a config file, by its extension.
///
/// # Errors
/// A usage error with the place: no such file, not UTF-8, not YAML or TOML, too large.
pub fn read(path: &Path) -> Result<Node> {
    let reader = reader(path)?;
    let text = text(path)?;
    if text.trim().is_empty() {
        return Err(placed(Error::usage("the config is empty"), path)
            .hint("`tinsmith config init run.yaml` writes a first one"));
    }
    reader(&text).map_err(|e| placed(e, path))
}

type Reader = fn(&str) -> Result<Node>;

fn reader(path: &Path) -> Result<Reader> {
    let extension = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
    match extension.as_deref() {
        // JSON is YAML.
        Some("yaml" | "yml" | "json") => Ok(yaml::read),
        Some("toml") => Ok(toml::read),
        Some("jsonl" | "ndjson") => {
            Err(Error::usage(format!("`{}` is a dataset, not a config", path.display())).hint(
                "write a config with `tinsmith config init run.yaml`, and name the dataset in it",
            ))
        }
        _ => Err(Error::usage(format!("`{}` is not named as a config", path.display()))
            .hint("name it `.yaml`, `.yml`, `.toml` or `.json`")),
    }
}

/// The text of a file, without a byte order mark.
fn text(path: &Path) -> Result<String> {
    let failed = |e: &std::io::Error| {
        let error = Error::usage(format!("read the config `{}`: {e}", path.display()));
        match e.kind() {
            std::io::ErrorKind::NotFound => {
                error.hint("`tinsmith config init run.yaml` writes a first one")
            }
            _ => error,
        }
    };
    let file = fs::File::open(path).map_err(|e| failed(&e))?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|e| failed(&e))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Error::usage(format!("the config `{}` is larger than 1 MiB", path.display()))
            .hint("is it a dataset? a config names datasets under `datasets`"));
    }
    let text = String::from_utf8(bytes).map_err(|e| {
        let valid = &e.as_bytes()[..e.utf8_error().valid_up_to()];
        let before = String::from_utf8_lossy(valid);
        let line = before.matches('\n').count() as u64 + 1;
        let column = before.rsplit('\n').next().map_or(0, |l| l.chars().count()) as u64 + 1;
        Error::usage("not valid UTF-8")
            .place(path, Some(line), Some(column))
            .hint("save the file as UTF-8")
    })?;
    Ok(match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    })
}

/// Puts the path into a place that has line and column only.
fn placed(mut error: Error, path: &Path) -> Error {
    let place = error.place.take().unwrap_or_default();
    error.place = Some(Place { path: path.to_owned(), ..place });
    error
}
