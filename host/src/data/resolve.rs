//! A dataset by its path or, once it is staged, by its id.

use super::staged;
use crate::{Error, Result, config::Loaded, env, runs::DEFAULT_OUTPUT};
use std::path::{Path, PathBuf};

/// The file that `path_or_id` names: a dataset, or one that `tinsmith upload` staged in the folder
/// of runs. Relative paths of a config are relative to its folder. A file of that name goes before
/// an id.
///
/// # Errors
/// A data error if there is neither, and for a folder.
pub fn resolve(
    path_or_id: &str,
    loaded: Option<&Loaded>,
    output: Option<&Path>,
) -> Result<PathBuf> {
    let path = match loaded {
        Some(loaded) => loaded.resolve(path_or_id),
        None => PathBuf::from(path_or_id),
    };
    // A config in the current folder: `chats.jsonl` reads better than `./chats.jsonl`.
    let path = path.strip_prefix(".").map(Path::to_owned).unwrap_or(path);
    if path.is_dir() {
        return Err(
            Error::data(format!("`{}` is a folder", path.display())).hint("name the files in it")
        );
    }
    if path.exists() {
        return Ok(path);
    }
    // `--set` makes paths absolute before it is known what they are: the last part may be an id.
    let name = path.file_name().and_then(|n| n.to_str()).unwrap_or(path_or_id);
    if let Some(digits) = staged::id_digits(name) {
        let output = output
            .map(Path::to_owned)
            .or_else(|| loaded.map_or_else(env::output, Loaded::output))
            .unwrap_or_else(|| PathBuf::from(DEFAULT_OUTPUT));
        return staged::find(&output, name, digits);
    }
    let error = Error::data(format!("there is no dataset `{}`", path.display()));
    Err(match loaded {
        Some(_) if Path::new(path_or_id).is_relative() => {
            error.hint("paths in a config are relative to the config's folder")
        }
        _ => error.hint("name a file of records, or the id that `tinsmith upload` printed"),
    })
}
