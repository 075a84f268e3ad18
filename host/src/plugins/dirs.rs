//! The folders in which plugins, their copies and the list of trusted ones lie.

use crate::{Error, Result, env};
use std::path::{Path, PathBuf};

/// Where plugins lie, by the XDG base directory specification. Never the current folder.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// `TINSMITH_PLUGIN_PATH`: libraries, plugins' folders and folders of plugins.
    pub path: Vec<PathBuf>,
    /// Installed plugins, below `XDG_DATA_HOME`.
    pub installed: Option<PathBuf>,
    /// Plugins of the whole machine, below `XDG_DATA_DIRS`.
    pub machine: Vec<PathBuf>,
    /// The list of trusted libraries, below `XDG_CONFIG_HOME`.
    pub trusted: Option<PathBuf>,
    /// Private copies of loaded libraries, below `XDG_CACHE_HOME`.
    pub cache: Option<PathBuf>,
}

impl Places {
    /// As the environment says.
    #[must_use]
    pub fn from_env() -> Self {
        let below = |variable, default, inner| Some(below_home(variable, default)?.join(inner));
        let dirs = env::var_os(env::XDG_DATA_DIRS);
        let dirs = dirs.unwrap_or_else(|| "/usr/local/share:/usr/share".into());
        let absolute = std::env::split_paths(&dirs).filter(|dir| dir.is_absolute());
        Self {
            path: env::plugin_path(),
            installed: below(env::XDG_DATA_HOME, ".local/share", "tinsmith/plugins"),
            machine: absolute.map(|dir| dir.join("tinsmith/plugins")).collect(),
            trusted: below(env::XDG_CONFIG_HOME, ".config", "tinsmith/trusted.toml"),
            cache: below(env::XDG_CACHE_HOME, ".cache", "tinsmith/plugins"),
        }
    }
}

/// A folder that is needed and could not be told.
pub(super) fn required<'a>(folder: &'a Option<PathBuf>, variable: &str) -> Result<&'a Path> {
    folder.as_deref().ok_or_else(|| {
        Error::failed(format!("neither `{variable}` nor `HOME` names a folder"))
            .hint(format!("set `{variable}` to an absolute path"))
    })
}

/// A base directory: what the variable names, or `default` below the home folder. The specification
/// has relative values ignored.
pub(crate) fn below_home(variable: &str, default: &str) -> Option<PathBuf> {
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
