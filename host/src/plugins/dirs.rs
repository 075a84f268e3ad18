//! The folders of the XDG base directory specification.

use crate::{Error, Result, env};
use std::path::{Path, PathBuf};

/// Where installed plugins lie.
pub(super) fn installed() -> Option<PathBuf> {
    Some(home(env::XDG_DATA_HOME, ".local/share")?.join("tinsmith/plugins"))
}

/// Where plugins of the whole machine lie, the most important first.
pub(super) fn machine() -> Vec<PathBuf> {
    let dirs =
        env::var_os(env::XDG_DATA_DIRS).unwrap_or_else(|| "/usr/local/share:/usr/share".into());
    let absolute = std::env::split_paths(&dirs).filter(|dir| dir.is_absolute());
    absolute.map(|dir| dir.join("tinsmith/plugins")).collect()
}

/// The list of trusted plugins.
pub(super) fn trusted() -> Option<PathBuf> {
    Some(home(env::XDG_CONFIG_HOME, ".config")?.join("tinsmith/trusted.toml"))
}

/// Where private copies of loaded plugins lie.
pub(super) fn cache() -> Option<PathBuf> {
    Some(home(env::XDG_CACHE_HOME, ".cache")?.join("tinsmith/plugins"))
}

/// A folder that is needed and could not be told.
pub(super) fn required(folder: Option<PathBuf>, variable: &str) -> Result<PathBuf> {
    folder.ok_or_else(|| {
        Error::failed(format!("neither `{variable}` nor `HOME` names a folder"))
            .hint(format!("set `{variable}` to an absolute path"))
    })
}

/// The specification has relative values ignored.
fn home(variable: &str, default: &str) -> Option<PathBuf> {
    match env::var_os(variable).map(PathBuf::from) {
        Some(dir) if dir.is_absolute() => Some(dir),
        _ => std::env::home_dir().filter(|home| home.is_absolute()).map(|home| home.join(default)),
    }
}

/// A path for messages, with `~` for the home folder.
pub(super) fn short(path: &Path) -> String {
    let home = std::env::home_dir().filter(|home| home.components().count() > 1);
    match home.and_then(|home| path.strip_prefix(home).ok().map(Path::to_owned)) {
        Some(rest) => format!("~/{}", rest.display()),
        None => path.display().to_string(),
    }
}
